"""The commands that start, watch and steer a run."""

from __future__ import annotations

from mimir_migrate.cli.parsing.arguments import Parser, Subparsers
from mimir_migrate.cli.parsing.options import (
    add_command,
    deferred,
    json_option,
    run_argument,
    target_options,
)


def add_running(commands: Subparsers[Parser]) -> None:
    """Add the commands that start, watch and steer a run."""
    _apply(commands)
    _going_on(commands)
    _cleaning(commands)
    _status(commands)
    _runs(commands)
    _requests(commands)
    _overriding(commands)
    _replaying(commands)
    _reporting(commands)
    _working(commands)


def _apply(commands: Subparsers[Parser]) -> None:
    apply = add_command(
        commands, "apply", deferred("running", "apply"), "run a plan, with checkpoints"
    )
    apply.add_argument("plan", metavar="PLAN.json", help="what `plan -o PLAN.json` wrote")
    apply.add_argument(
        "--override",
        action="append",
        default=[],
        metavar="GATE",
        help="let this gate pass once, with --reason; repeat it for several",
    )
    apply.add_argument("--reason", default="", help="why the gate may pass; kept in the journal")
    _takeover(apply)
    _how_to_run(apply)


def _going_on(commands: Subparsers[Parser]) -> None:
    """Add `resume` and `rollback`."""
    resume = add_command(commands, "resume", deferred("running", "resume"), "go on with a run")
    run_argument(resume)
    target_options(resume)
    _takeover(resume)
    _canonical(resume)
    _how_to_run(resume)
    rollback = add_command(
        commands, "rollback", deferred("running", "rollback"), "bring everything back"
    )
    run_argument(rollback)
    target_options(rollback)
    _takeover(rollback)
    _canonical(rollback)
    _how_to_run(rollback, yes="do not ask, also for a run of long ago or of another place")


def _takeover(parser: Parser) -> None:
    parser.add_argument("--takeover", action="store_true", help="take a lease that has run out")


def _runs(commands: Subparsers[Parser]) -> None:
    runs = add_command(commands, "runs", deferred("running", "runs"), "every run of this machine")
    runs.add_argument(
        "--forget",
        default="",
        metavar="RUN",
        help="close a run that nobody will end; deletes nothing",
    )
    json_option(runs)


def _requests(commands: Subparsers[Parser]) -> None:
    """Add `approve`, `hold`, `continue` and `stop`."""
    for name, text in {
        "approve": "let a run make the step it waits for",
        "hold": "let a run wait before its next change",
        "continue": "end a hold, or look again at the gate that holds a run",
        "stop": "end a run after its present step, at once where it is held",
    }.items():
        request = add_command(commands, name, deferred("running", "request"), text)
        run_argument(request)
        request.add_argument("--reason", default="", help="why; kept in the journal")
        request.set_defaults(request=name)
        if name == "approve":
            request.add_argument(
                "--step",
                default="",
                metavar="STEP",
                help="refuse unless this is the step that waits; its name, not its number",
            )
        if name == "hold":
            request.add_argument(
                "--for",
                dest="lasts",
                default="",
                metavar="DURATION",
                help="how long at most; then the runner ends and changes nothing (default 12h)",
            )


def _overriding(commands: Subparsers[Parser]) -> None:
    override = add_command(
        commands,
        "override",
        deferred("running", "override"),
        "let one gate of a running run pass once",
    )
    override.add_argument("gate", metavar="GATE", help="the gate, as `status` names it")
    run_argument(override)
    override.add_argument("--reason", default="", help="why; kept in the journal")


def _working(commands: Subparsers[Parser]) -> None:
    """Add what a runner's process is started with; it is in no help."""
    work = commands.add_parser("_work", add_help=False)
    work.set_defaults(command=deferred("running", "work"), doing="the runner")
    work.add_argument("run")
    work.add_argument("--purpose", choices=["apply", "resume", "rollback"], required=True)
    work.add_argument("--approve-all", action="store_true")
    work.add_argument("--takeover", action="store_true")
    work.add_argument("--canonical", action="store_true")
    work.add_argument("--gate-timeout", type=float, default=1800.0)


def _cleaning(commands: Subparsers[Parser]) -> None:
    clean = add_command(
        commands,
        "clean",
        deferred("afterwards.cleaning", "clean"),
        "show what a migration or a rollback left, and remove by name what may go",
    )
    target_options(clean)
    clean.add_argument(
        "--remove",
        action="append",
        default=[],
        metavar="NAME",
        help="remove this, by its name in the list; repeat it. Left out: only look",
    )
    clean.add_argument(
        "--yes", action="store_true", help="do not ask for the names to be typed again"
    )
    clean.add_argument(
        "--takeover",
        action="store_true",
        help="take a lease that an earlier clean left and that has run out",
    )
    json_option(clean)


def _replaying(commands: Subparsers[Parser]) -> None:
    replay = add_command(
        commands,
        "replay",
        deferred("afterwards.replaying", "replay"),
        "show again what a run said, from its journal; no cluster is needed",
    )
    run_argument(replay)
    replay.add_argument(
        "--speed",
        type=float,
        default=60.0,
        metavar="N",
        help="seconds of the run in a second; 0: at once, as where stdout is not a terminal",
    )
    json_option(replay)


def _status(commands: Subparsers[Parser]) -> None:
    status = add_command(commands, "status", deferred("running", "status"), "where a run stands")
    run_argument(status)
    target_options(status)
    status.add_argument("--follow", action="store_true", help="go on until the run ends")
    status.add_argument("--brief", action="store_true", help="one line")
    json_option(status)


def _reporting(commands: Subparsers[Parser]) -> None:
    report = add_command(commands, "report", deferred("running", "report"), "what a run did")
    run_argument(report)
    target_options(report)
    report.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        metavar="FILE",
        help="FILE.md, FILE.html, FILE.txt or FILE.json; repeat it",
    )
    report.add_argument("--hand-over", action="store_true", help="a text to paste into a chat")


def _canonical(parser: Parser) -> None:
    parser.add_argument(
        "--canonical",
        action="store_true",
        help="for a run of another machine: take a values file that is neither as before nor as after, "
        "and write the canonical form into it",
    )


def _how_to_run(parser: Parser, *, yes: str = "approve every step beforehand") -> None:
    parser.add_argument("--yes", action="store_true", help=yes)
    parser.add_argument("--dry-run", action="store_true", help="only list the changes, in order")
    parser.add_argument("--detach", action="store_true", help="return once the runner works")
    parser.add_argument(
        "--gate-timeout", default="30m", metavar="DURATION", help="how long a gate may take"
    )
    json_option(parser)
