"""Which commands there are and what they take. Nothing heavy is imported before one is chosen."""

from __future__ import annotations

from mimir_migrate import __version__
from mimir_migrate.cli.parsing.arguments import Parser, Subparsers
from mimir_migrate.cli.parsing.bridge import add_bridge
from mimir_migrate.cli.parsing.files import add_files
from mimir_migrate.cli.parsing.options import (
    add_command,
    deferred,
    json_option,
    strategy_option,
    target_options,
)
from mimir_migrate.cli.parsing.running import add_running
from mimir_migrate.cli.parsing.sandbox import add_sandbox

GROUPS = {
    "look": ("inspect", "verify", "plan", "report", "replay", "runs"),
    "change": ("apply", "resume", "rollback", "clean"),
    "while it runs": ("status", "approve", "hold", "continue", "stop", "override"),
    "files": ("init", "edit", "terraform", "rbac", "completion"),
    "try": ("rehearse", "demo", "sandbox"),
    "experimental": ("bridge",),
}
"""The commands as the help lists them."""

THE_APP = "the app"
"""What is done where no command is named."""


def build_parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="mimir-migrate",
        groups=GROUPS,
        usage="%(prog)s [COMMAND] [OPTION]…",
        description="Move the hash rings of Mimir or Cortex between memberlist and DynamoDB, and back from "
        "anywhere. No command: the app.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong use, 3 blocked or held, 4 lease, 5 plan stale, 6 "
        "rolled back, 130 interrupted",
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"mimir-migrate {__version__}",
        help="print the version",
    )
    target_options(parser, default=None)
    parser.add_argument("--ascii", action="store_true", help="the app: no box drawing, no glyphs")
    parser.add_argument(
        "--read-only",
        action="store_true",
        help="the app: refuse everything that changes something",
    )
    parser.set_defaults(command=deferred("opening", "open_app"), doing=THE_APP)
    commands = parser.add_subparsers(metavar="COMMAND", prog="mimir-migrate")
    _looking(commands)
    _rehearsing(commands)
    add_running(commands)
    add_files(commands)
    completion = add_command(
        commands,
        "completion",
        deferred("completing", "completion"),
        "a shell's completion script",
    )
    completion.add_argument(
        "shell", choices=["bash", "zsh", "fish"], help="the shell that it is for"
    )
    add_sandbox(commands)
    add_bridge(commands)
    return parser


def _looking(commands: Subparsers[Parser]) -> None:
    inspect = add_command(
        commands, "inspect", deferred("looking", "inspect"), "look at a cluster; changes nothing"
    )
    target_options(inspect)
    inspect.add_argument("--to", choices=["memberlist", "dynamodb"], help="judge for this goal")
    inspect.add_argument("--rings", default="all", help="all, or names joined by commas")
    inspect.add_argument(
        "--fail-on", choices=["blocks", "warns"], help="exit 3 when such a finding is there"
    )
    json_option(inspect)
    verify = add_command(
        commands, "verify", deferred("looking", "verify"), "judge every gate's checks now"
    )
    target_options(verify)
    verify.add_argument("--rings", default="all", help="all, or names joined by commas")
    verify.add_argument(
        "--watch", action="store_true", help="look again and again, a line for each change"
    )
    verify.add_argument(
        "--for",
        dest="duration",
        default="24h",
        metavar="DURATION",
        help="with --watch: how long",
    )
    verify.add_argument(
        "--fail-fast",
        action="store_true",
        help="with --watch: end with 3 as soon as a difference lasted a window",
    )
    json_option(verify)
    plan = add_command(
        commands,
        "plan",
        deferred("looking", "plan"),
        "make a plan from what is observed; changes nothing",
    )
    # Asked for by the command, which names everything that is missing at once.
    plan.usage = "%(prog)s --to STATE [options]"
    target_options(plan)
    plan.add_argument(
        "--to",
        choices=["memberlist", "dynamodb", "dynamodb+memberlist", "memberlist+dynamodb"],
        metavar="STATE",
        help="where the rings are to end: memberlist or dynamodb; dynamodb+memberlist: switched and still "
        "mirrored; memberlist+dynamodb: mirrored and not switched",
    )
    plan.add_argument("--rings", default="all", help="all, or names joined by commas")
    strategy_option(plan)
    plan.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        metavar="FILE",
        help="FILE.json (can be applied), FILE.md (a runbook), FILE.sh; repeat it",
    )
    json_option(plan)


def _rehearsing(commands: Subparsers[Parser]) -> None:
    rehearse = add_command(
        commands,
        "rehearse",
        deferred("sandbox.rehearsing", "rehearse"),
        "walk a plan on a twin on this machine; the cluster is only read",
    )
    rehearse.add_argument(
        "plan",
        nargs="?",
        default="",
        metavar="PLAN.json|TARGET.toml",
        help="a plan, or a target to make one for; left out: the target that is found",
    )
    target_options(rehearse)
    rehearse.add_argument(
        "--binary",
        action="append",
        default=[],
        metavar="[TAG=]PATH",
        help="pods are real processes of this binary (Linux); left out: they are simulated",
    )
    rehearse.add_argument(
        "--to",
        choices=["memberlist", "dynamodb"],
        default="dynamodb",
        metavar="STORE",
        help="for a target: the store that the rings are to end on",
    )
    rehearse.add_argument("--rings", default="all", help="for a target: as of plan")
    strategy_option(rehearse)
    rehearse.add_argument("--dir", default="", help="keep the twin's files here")
    json_option(rehearse)
