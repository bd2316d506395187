"""The commands about files: values, Terraform, permissions."""

from __future__ import annotations

from mimir_migrate.cli.parsing.arguments import Parser, Subparsers
from mimir_migrate.cli.parsing.options import add_command, deferred, json_option, target_options
from mimir_migrate.flags import FLAGS, TARGET_FILE


def add_files(commands: Subparsers[Parser]) -> None:
    """Add `edit`, `init`, `rbac` and `terraform`."""
    _edit(commands)
    _init(commands)
    _rbac(commands)
    _terraform(commands)


def _edit(commands: Subparsers[Parser]) -> None:
    edit = add_command(
        commands,
        "edit",
        deferred("editing", "edit"),
        "print the exact edit of values files, or make it; no cluster is needed",
    )
    edit.add_argument("values", nargs="+", metavar="VALUES", help="values files, the last wins")
    what = edit.add_mutually_exclusive_group()
    what.add_argument(
        "--to",
        choices=["memberlist", "memberlist+dynamodb", "dynamodb+memberlist", "dynamodb"],
        metavar="STATE",
        help="memberlist, memberlist+dynamodb, dynamodb+memberlist or dynamodb",
    )
    what.add_argument("--undo", metavar="RECORD", help="take an earlier edit back")
    edit.add_argument(
        "--check",
        action="store_true",
        help="look for keys the product lacks; with --to in what the edit comes to",
    )
    _wanted(edit)
    _through(edit)
    edit.add_argument("--values-root", default="", help="keys down to the chart's values")
    edit.add_argument("--defaults", metavar="FILE", help="a saved /config?mode=defaults page")
    edit.add_argument("--product-version", default="", help="whose known keys to check against")
    edit.add_argument("--record", metavar="FILE", help="where the undo record goes")
    edit.add_argument("--dry-run", action="store_true", help="write nothing, show what would be")
    where = edit.add_mutually_exclusive_group()
    where.add_argument(
        "--diff", action="store_true", help="print the change and write nothing (the default)"
    )
    where.add_argument(
        "--in-place",
        action="store_true",
        help="write it into the files, with an undo record beside them",
    )
    where.add_argument("-o", "--output", metavar="FILE", help="write the result elsewhere")
    edit.add_argument("--paths", action="store_true", help="print the changed settings by path")
    _rendered(edit)
    json_option(edit)


def _wanted(edit: Parser) -> None:
    """Add what the values are to say."""
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


def _rendered(edit: Parser) -> None:
    """Add what shows the change as it is rendered."""
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


def _init(commands: Subparsers[Parser]) -> None:
    init = add_command(
        commands,
        "init",
        deferred("initialising", "init"),
        "look around, ask what cannot be found, and write a target file; changes nothing else",
    )
    target_options(init)
    init.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default=TARGET_FILE,
        help="the file to write; a new one",
    )
    init.add_argument("--yes", action="store_true", help="ask nothing; what is unsure is left out")


def _rbac(commands: Subparsers[Parser]) -> None:
    rbac = add_command(
        commands, "rbac", deferred("editing", "rbac"), "the least permissions it needs"
    )
    target_options(rbac)
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
    rbac.add_argument(
        "--clean",
        action="store_true",
        help="also print what `clean --remove` needs beyond a migration",
    )


def _terraform(commands: Subparsers[Parser]) -> None:
    terraform = add_command(
        commands,
        "terraform",
        deferred("editing", "terraform"),
        "read a Terraform folder, or write what it lacks as a new file",
    )
    target_options(terraform)
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
    json_option(terraform)


def _through(edit: Parser) -> None:
    """Add how DynamoDB is reached."""
    edit.add_argument(
        "--through",
        choices=["bridge"],
        help="reach DynamoDB through the ring bridge (experimental), with Mimir's Consul client",
    )
    edit.add_argument(
        "--bridge-host",
        default="",
        metavar="HOST:PORT",
        help="with --through bridge: where it is, https:// before it for TLS",
    )
    edit.add_argument(
        "--bridge-token-variable",
        default="",
        metavar="NAME",
        help="with --through bridge: the pods' environment variable with the token",
    )
    edit.add_argument(
        "--heartbeat-timeout",
        default="",
        metavar="DURATION",
        help="with --through bridge: write this for rings that wait for less than 4m, or `keep` them",
    )
