"""Which commands there are and what they take. Nothing heavy is imported before one is chosen."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module

from mimir_migrate import __version__
from mimir_migrate.cli.arguments import Parser, Subparsers, examples
from mimir_migrate.settings import FLAGS, LISTS

Command = Callable[[argparse.Namespace], int]

GROUPS = {
    "look": ("inspect", "verify", "plan", "report", "runs"),
    "change": ("apply", "resume", "rollback"),
    "while it runs": ("status", "approve", "hold", "continue", "stop", "override"),
    "files": ("init", "edit", "terraform", "rbac", "completion"),
    "try": ("rehearse", "demo", "sandbox"),
}
"""The commands as the help lists them."""

EXAMPLES = {
    "inspect": (
        "mimir-migrate inspect --target target.toml",
        "mimir-migrate inspect --to dynamodb --fail-on blocks --json",
    ),
    "verify": (
        "mimir-migrate verify --target target.toml",
        "mimir-migrate verify --watch --for 24h",
    ),
    "plan": (
        "mimir-migrate plan --to dynamodb --rings ruler -o plan.json -o plan.md",
        "mimir-migrate plan --to memberlist --strategy static",
    ),
    "rehearse": (
        "mimir-migrate rehearse plan.json --binary ./mimir",
        "mimir-migrate rehearse target.toml --to dynamodb",
    ),
    "apply": ("mimir-migrate apply plan.json", "mimir-migrate apply plan.json --dry-run"),
    "resume": ("mimir-migrate resume", "mimir-migrate resume 1f3a --takeover"),
    "rollback": ("mimir-migrate rollback", "mimir-migrate rollback 1f3a --dry-run"),
    "status": ("mimir-migrate status", "mimir-migrate status --follow"),
    "runs": ("mimir-migrate runs", "mimir-migrate runs --json"),
    "approve": (
        "mimir-migrate approve",
        "mimir-migrate approve 1f3a --reason 'looked at the dashboards'",
    ),
    "hold": ("mimir-migrate hold", "mimir-migrate hold --reason 'an incident elsewhere'"),
    "continue": ("mimir-migrate continue", "mimir-migrate continue 1f3a"),
    "stop": (
        "mimir-migrate stop",
        "mimir-migrate stop 1f3a --reason 'the maintenance window ends'",
    ),
    "override": (
        "mimir-migrate override users-fine --reason 'a load test, ended 10:40'",
        "mimir-migrate override blast-radius 1f3a --reason 'diff was reviewed'",
    ),
    "report": ("mimir-migrate report", "mimir-migrate report 1f3a -o report.html"),
    "edit": (
        "mimir-migrate edit values.yaml --to memberlist+dynamodb --rings ruler --table rings --region eu-west-1",
        "mimir-migrate edit values.yaml --check --product mimir",
    ),
    "init": (
        "mimir-migrate init",
        "mimir-migrate init --yes --namespace observability --release mimir",
    ),
    "rbac": (
        "mimir-migrate rbac --target target.toml",
        "mimir-migrate rbac --namespace observability --release mimir --table rings",
    ),
    "terraform": (
        "mimir-migrate terraform --terraform infra --table rings --aws-region eu-west-1",
        "mimir-migrate terraform --target target.toml -o ring-tables.tf",
    ),
    "completion": (
        "mimir-migrate completion bash > ~/.local/share/bash-completion/completions/mimir-migrate",
        "mimir-migrate completion fish > ~/.config/fish/completions/mimir-migrate.fish",
    ),
    "demo": ("mimir-migrate demo", "mimir-migrate demo --headless --product cortex"),
    "sandbox": (
        "mimir-migrate sandbox up --dir sb --stores +dynamodb",
        "mimir-migrate sandbox down --dir sb",
    ),
    "up": (
        "mimir-migrate sandbox up --dir sb --stores +dynamodb",
        "mimir-migrate sandbox up --dir sb --product cortex --speed 60",
    ),
    "inject": (
        "mimir-migrate sandbox inject rollout-hangs --dir sb",
        "mimir-migrate sandbox inject pod-silent --pod mimir-ruler-0 --seconds 60 --dir sb",
    ),
    "down": ("mimir-migrate sandbox down --dir sb", "mimir-migrate sandbox down --dir /tmp/sb"),
}
"""Two calls of each command, by its name."""


def build_parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="mimir-migrate",
        groups=GROUPS,
        usage="%(prog)s [COMMAND] [OPTION]…",
        description="Move the hash rings of a Grafana Mimir or Cortex cluster between memberlist "
        "and DynamoDB, step by step, and back again from anywhere. Without a command it opens the app.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong use, 3 blocked or held, 4 lease held by "
        "another, 5 plan stale, 6 rolled back, 130 interrupted",
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"mimir-migrate {__version__}",
        help="print the version",
    )
    _target(parser, default=None)
    parser.add_argument("--ascii", action="store_true", help="the app: no box drawing, no glyphs")
    parser.set_defaults(command=_deferred("opening", "open_app"), doing="the app")
    commands = parser.add_subparsers(metavar="COMMAND", prog="mimir-migrate")
    _looking(commands)
    _rehearsing(commands)
    _running(commands)
    _editing(commands)
    completion = _add(
        commands,
        "completion",
        _deferred("completing", "completion"),
        "a shell's completion script",
    )
    completion.add_argument(
        "shell", choices=["bash", "zsh", "fish"], help="the shell that it is for"
    )
    _sandbox(commands)
    return parser


def _deferred(module: str, function: str) -> Command:
    def command(options: argparse.Namespace) -> int:
        chosen: Command = getattr(import_module(f"mimir_migrate.cli.{module}"), function)
        return chosen(options)

    return command


def _add(commands: Subparsers[Parser], name: str, command: Command, text: str) -> Parser:
    parser = commands.add_parser(
        name,
        help=text,
        description=text[:1].upper() + text[1:] + ".",
        epilog=examples(*EXAMPLES[name]) if name in EXAMPLES else None,
    )
    parser.set_defaults(command=command, parser=parser, doing=name)
    return parser


def _target(parser: Parser, *, default: str | None = argparse.SUPPRESS) -> None:
    """Entries of the target. A command's own win over those given before the command's name."""
    short = default is None
    group = parser.add_argument_group(
        "target",
        "every entry of target.toml is a flag as well, see `mimir-migrate inspect --help`"
        if short
        else "entries of target.toml; a flag wins over the file",
    )
    group.add_argument(
        "--target",
        metavar="FILE",
        default=default,
        help="the target file; left out: $MIMIR_MIGRATE_TARGET, else ./target.toml where it is there",
    )
    group.add_argument(
        "--trust-target",
        action="store_true",
        default=False if default is None else default,
        help="let a ./target.toml that was only found run its commands, from now on as it is",
    )
    for flag, (section, key, text) in FLAGS.items():
        group.add_argument(
            f"--{flag}",
            metavar=key.upper(),
            dest=f"target_{flag}",
            default=default,
            action="append" if flag in LISTS else "store",
            help=argparse.SUPPRESS if short else f"{text} ([{section}] {key})",
        )


def _json(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def _looking(commands: Subparsers[Parser]) -> None:
    inspect = _add(
        commands, "inspect", _deferred("looking", "inspect"), "look at a cluster; changes nothing"
    )
    _target(inspect)
    inspect.add_argument("--to", choices=["memberlist", "dynamodb"], help="judge for this goal")
    inspect.add_argument("--rings", default="all", help="all, or names joined by commas")
    inspect.add_argument(
        "--fail-on", choices=["blocks", "warns"], help="exit 3 when such a finding is there"
    )
    _json(inspect)
    verify = _add(
        commands, "verify", _deferred("looking", "verify"), "judge every gate's checks now"
    )
    _target(verify)
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
    _json(verify)
    plan = _add(
        commands,
        "plan",
        _deferred("looking", "plan"),
        "make a plan from what is observed; changes nothing",
    )
    _target(plan)
    plan.add_argument(
        "--to",
        choices=["memberlist", "dynamodb"],
        required=True,
        metavar="STORE",
        help="the store that the rings are to end on: memberlist or dynamodb",
    )
    plan.add_argument("--rings", default="all", help="all, or names joined by commas")
    _strategy(plan)
    plan.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        metavar="FILE",
        help="FILE.json (can be applied), FILE.md (a runbook), FILE.sh; repeat it",
    )
    _json(plan)


def _rehearsing(commands: Subparsers[Parser]) -> None:
    rehearse = _add(
        commands,
        "rehearse",
        _deferred("sandbox.rehearsing", "rehearse"),
        "walk a plan on a twin on this machine; the cluster is only read",
    )
    rehearse.add_argument(
        "plan",
        nargs="?",
        default="",
        metavar="PLAN.json|TARGET.toml",
        help="a plan, or a target to make one for; left out: the target that is found",
    )
    _target(rehearse)
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
    _strategy(rehearse)
    rehearse.add_argument("--dir", default="", help="keep the twin's files here")
    _json(rehearse)


def _running(commands: Subparsers[Parser]) -> None:
    apply = _add(commands, "apply", _deferred("running", "apply"), "run a plan, with checkpoints")
    apply.add_argument("plan", metavar="PLAN.json", help="what `plan -o PLAN.json` wrote")
    apply.add_argument(
        "--override",
        action="append",
        default=[],
        metavar="GATE",
        help="let this gate pass once, with --reason; repeat it for several",
    )
    apply.add_argument("--reason", default="", help="why the gate may pass; kept in the journal")
    apply.add_argument("--takeover", action="store_true", help="take a lease that has run out")
    _how_to_run(apply)
    resume = _add(commands, "resume", _deferred("running", "resume"), "go on with a run")
    _run(resume)
    resume.add_argument("--takeover", action="store_true", help="take a lease that has run out")
    _how_to_run(resume)
    rollback = _add(
        commands, "rollback", _deferred("running", "rollback"), "bring everything back"
    )
    _run(rollback)
    _target(rollback)
    rollback.add_argument("--takeover", action="store_true", help="take a lease that has run out")
    _how_to_run(rollback, yes="do not ask, also for a run of long ago or of another place")
    status = _add(commands, "status", _deferred("running", "status"), "where a run stands")
    _run(status)
    status.add_argument("--follow", action="store_true", help="go on until the run ends")
    status.add_argument("--brief", action="store_true", help="one line")
    _json(status)
    runs = _add(commands, "runs", _deferred("running", "runs"), "every run of this machine")
    runs.add_argument(
        "--forget",
        default="",
        metavar="RUN",
        help="close a run that nobody will end; deletes nothing",
    )
    _json(runs)
    for name, text in {
        "approve": "let a run make the step it waits for",
        "hold": "let a run wait before its next change",
        "continue": "end a hold, or look again at the gate that holds a run",
        "stop": "end a run after its present step",
    }.items():
        request = _add(commands, name, _deferred("running", "request"), text)
        _run(request)
        request.add_argument("--reason", default="", help="why; kept in the journal")
        request.set_defaults(request=name)
        if name == "approve":
            request.add_argument(
                "--step",
                default="",
                metavar="STEP",
                help="refuse unless this is the step that waits",
            )
        if name == "hold":
            request.add_argument(
                "--for",
                dest="lasts",
                default="",
                metavar="DURATION",
                help="how long at most; then the runner ends and changes nothing (default 12h)",
            )
    override = _add(
        commands,
        "override",
        _deferred("running", "override"),
        "let one gate of a running run pass once",
    )
    override.add_argument("gate", metavar="GATE", help="the gate, as `status` names it")
    _run(override)
    override.add_argument("--reason", default="", help="why; kept in the journal")
    report = _add(commands, "report", _deferred("running", "report"), "what a run did")
    _run(report)
    report.add_argument("-o", "--output", metavar="FILE", help="FILE.md, FILE.json or FILE.html")
    report.add_argument("--hand-over", action="store_true", help="a text to paste into a chat")
    work = commands.add_parser("_work", add_help=False)
    work.set_defaults(command=_deferred("running", "work"), doing="the runner")
    work.add_argument("run")
    work.add_argument("--purpose", choices=["apply", "resume", "rollback"], required=True)
    work.add_argument("--approve-all", action="store_true")
    work.add_argument("--takeover", action="store_true")
    work.add_argument("--gate-timeout", type=float, default=1800.0)


def _run(parser: Parser) -> None:
    parser.add_argument(
        "run",
        nargs="?",
        default="",
        metavar="RUN",
        help="its id, or a part that only one has; left out: the only unfinished run, else the newest",
    )


def _strategy(parser: Parser) -> None:
    parser.add_argument(
        "--strategy",
        choices=["auto", "static", "runtime"],
        default="auto",
        help="how the primary store is switched: auto by the runtime configuration where a ring follows "
        "it, static by rollouts, runtime only by the runtime configuration",
    )


def _how_to_run(parser: Parser, *, yes: str = "approve every step beforehand") -> None:
    parser.add_argument("--yes", action="store_true", help=yes)
    parser.add_argument("--dry-run", action="store_true", help="only list the changes, in order")
    parser.add_argument("--detach", action="store_true", help="return once the runner works")
    parser.add_argument(
        "--gate-timeout", default="30m", metavar="DURATION", help="how long a gate may take"
    )
    _json(parser)


def _editing(commands: Subparsers[Parser]) -> None:
    edit = _add(
        commands,
        "edit",
        _deferred("editing", "edit"),
        "edit values files in place, byte for byte; no cluster is needed",
    )
    edit.add_argument("values", nargs="+", metavar="VALUES", help="values files, the last wins")
    what = edit.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--to",
        choices=["memberlist", "memberlist+dynamodb", "dynamodb+memberlist", "dynamodb"],
        metavar="STATE",
        help="memberlist, memberlist+dynamodb, dynamodb+memberlist or dynamodb",
    )
    what.add_argument("--undo", metavar="RECORD", help="take an earlier edit back")
    what.add_argument("--check", action="store_true", help="look for keys the product lacks")
    edit.add_argument("--rings", default="all", help="all, or names joined by commas")
    edit.add_argument(
        "--product",
        choices=["mimir", "cortex"],
        help="whose values these are; left out: read from them",
    )
    edit.add_argument("--table", default="", help="ring table; {ring} stands for the ring's name")
    edit.add_argument("--region", default="", help="AWS region of the table")
    edit.add_argument("--puller-sync-time", default="10s", help="how often pods read the table")
    edit.add_argument("--ttl", default="", help="expiry of items, at least 24h; empty: none")
    edit.add_argument(
        "--mirror",
        choices=["on", "off"],
        default="on",
        help="whether writes go to the second store as well, in a state with two",
    )
    edit.add_argument(
        "--runtime-primary",
        choices=["memberlist", "dynamodb", "none"],
        help="also write the runtime block with this primary, or remove it",
    )
    edit.add_argument("--values-root", default="", help="keys down to the chart's values")
    edit.add_argument("--defaults", metavar="FILE", help="a saved /config?mode=defaults page")
    edit.add_argument("--product-version", default="", help="whose known keys to check against")
    edit.add_argument("--record", metavar="FILE", help="where the undo record goes")
    edit.add_argument("--dry-run", action="store_true", help="write nothing, show what would be")
    where = edit.add_mutually_exclusive_group()
    where.add_argument("--diff", action="store_true", help="print the change (the default)")
    where.add_argument("--in-place", action="store_true", help="write the files")
    where.add_argument("-o", "--output", metavar="FILE", help="write the result elsewhere")
    edit.add_argument("--paths", action="store_true", help="print the changed settings by path")
    edit.add_argument(
        "--rendered",
        action="store_true",
        help="print what changes in the configuration that the values render to: by the target's "
        "[deploy] template, else by helm",
    )
    edit.add_argument("--target", metavar="FILE", help="with --rendered: the target file")
    for flag in ("chart", "chart-version", "release", "namespace"):
        _, key, text = FLAGS[flag]
        edit.add_argument(
            f"--{flag}",
            metavar=key.upper(),
            dest=f"target_{flag}",
            help=f"with --rendered: {text}",
        )
    _json(edit)
    init = _add(
        commands,
        "init",
        _deferred("initialising", "init"),
        "look around, ask what cannot be found, and write a target file; changes nothing else",
    )
    _target(init)
    init.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="target.toml",
        help="the file to write; a new one",
    )
    init.add_argument("--yes", action="store_true", help="ask nothing; what is unsure is left out")
    rbac = _add(commands, "rbac", _deferred("editing", "rbac"), "the least permissions it needs")
    _target(rbac)
    rbac.add_argument(
        "--revision",
        type=int,
        metavar="N",
        help="the release's present revision; left out: found in the cluster",
    )
    rbac.add_argument(
        "--list-secrets",
        action="store_true",
        help="let it list the namespace's Secrets, which lasts longer than naming the release's",
    )
    terraform = _add(
        commands,
        "terraform",
        _deferred("editing", "terraform"),
        "read a Terraform folder, or write what it lacks as a new file",
    )
    _target(terraform)
    terraform.add_argument("--rings", default="all", help="all, or names joined by commas")
    terraform.add_argument(
        "--product", choices=["mimir", "cortex"], default="mimir", help="whose rings they are for"
    )
    terraform.add_argument("--show-json", metavar="FILE", help="output of `terraform show -json`")
    terraform.add_argument(
        "--client-version", default="", help="version of the pods' DynamoDB client"
    )
    terraform.add_argument(
        "--service-account",
        action="append",
        default=[],
        metavar="NAME[=ROLE_ARN]",
        help="of the pods, with its role annotation (NAME= has none); left out: as in --values",
    )
    terraform.add_argument("-o", "--output", metavar="FILE.tf", help="write what is missing")
    _json(terraform)


def _sandbox(commands: Subparsers[Parser]) -> None:
    demo = _add(
        commands,
        "demo",
        _deferred("sandbox.demo", "demo"),
        "the whole journey on a sandbox of its own",
    )
    demo.add_argument("--headless", action="store_true", help="plain lines instead of the app")
    demo.add_argument(
        "--product", choices=["mimir", "cortex"], default="mimir", help="which product to simulate"
    )
    demo.add_argument("--rings", default="all", help="all, or names joined by commas")
    _strategy(demo)
    demo.add_argument("--speed", type=float, default=60.0, help="sandbox seconds in a second")
    demo.add_argument("--seed", type=int, default=1, help="of the simulation's chances")
    demo.add_argument("--dir", default="", help="keep the sandbox's files here")
    demo.add_argument("--ascii", action="store_true", help="no box drawing, no glyphs")
    _json(demo)
    sandbox = _add(
        commands, "sandbox", _deferred("sandbox.demo", "sandbox_help"), "a cluster on this machine"
    )
    _sandbox_commands(sandbox)


def _sandbox_commands(sandbox: Parser) -> None:
    commands = sandbox.add_subparsers(
        metavar="COMMAND", required=True, prog="mimir-migrate sandbox"
    )
    up = _add(
        commands,
        "up",
        _deferred("sandbox.demo", "sandbox_up"),
        "start it and wait until it answers",
    )
    up.add_argument("--dir", required=True, metavar="DIR", help="where its files go")
    up.add_argument(
        "--product", choices=["mimir", "cortex"], default="mimir", help="which product to simulate"
    )
    up.add_argument(
        "--stores",
        default="",
        help="+dynamodb: the simulated binary has the client, which no upstream Mimir has",
    )
    up.add_argument(
        "--binary",
        action="append",
        default=[],
        metavar="[TAG=]PATH",
        help="real processes of this binary as pods (Linux); again with TAG= for images of that tag",
    )
    up.add_argument(
        "--speed",
        type=float,
        default=None,
        help="sandbox seconds in a second, 30 where left out; with --binary always 1",
    )
    up.add_argument("--seed", type=int, default=1, help="of the simulation's chances")
    up.add_argument(
        "--client",
        choices=["1.16", "1.20", "master"],
        default="master",
        help="which generation of Cortex' DynamoDB client the pods have",
    )
    up.add_argument(
        "--values", default="", metavar="FILE", help="values to start from; left out: an example"
    )
    up.add_argument(
        "--chart",
        default="",
        metavar="FOLDER",
        help="the real chart, rendered by Helm (the extra `real`, or the program); left out: an imitation",
    )
    up.add_argument(
        "--state",
        choices=["memberlist", "dynamodb"],
        default="memberlist",
        help="where the rings are at the start",
    )
    inject = _add(
        commands, "inject", _deferred("sandbox.demo", "sandbox_inject"), "let something go wrong"
    )
    inject.add_argument("fault", help="its name; docs/sandbox.md lists them")
    inject.add_argument("arguments", nargs="*", metavar="NAME=VALUE", help="what the fault takes")
    inject.add_argument("--dir", required=True, metavar="DIR", help="the sandbox's folder")
    for name, text in {"ring": "RING", "pod": "POD", "seconds": "N", "member": "MEMBER"}.items():
        inject.add_argument(
            f"--{name}", default="", metavar=text, help=f"the same as {name}={text}"
        )
    status = _add(commands, "status", _deferred("sandbox.demo", "sandbox_status"), "its own watch")
    status.add_argument("--dir", required=True, metavar="DIR", help="the sandbox's folder")
    _json(status)
    down = _add(commands, "down", _deferred("sandbox.demo", "sandbox_down"), "stop it")
    down.add_argument("--dir", required=True, metavar="DIR", help="the sandbox's folder")
