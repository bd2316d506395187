"""The demo, and the commands of the sandbox."""

from __future__ import annotations

import argparse

from mimir_migrate.cli.parsing.arguments import Parser, Subparsers
from mimir_migrate.cli.parsing.options import add_command, deferred, json_option, strategy_option


def add_sandbox(commands: Subparsers[Parser]) -> None:
    """Add `demo` and `sandbox`."""
    demo = add_command(
        commands,
        "demo",
        deferred("sandbox.demo", "demo"),
        "the whole journey on a sandbox of its own",
    )
    demo.add_argument("--headless", action="store_true", help="plain lines instead of the app")
    demo.add_argument(
        "--product", choices=["mimir", "cortex"], default="mimir", help="which product to simulate"
    )
    demo.add_argument(
        "--tour",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="the guided tour: the app offers it, with --headless it is told in plain lines",
    )
    demo.add_argument("--rings", default="all", help="all, or names joined by commas")
    strategy_option(demo)
    _through(demo)
    demo.add_argument(
        "--speed",
        type=float,
        default=None,
        help="sandbox seconds in a second; left out: what two seconds of measuring this machine say",
    )
    demo.add_argument("--seed", type=int, default=1, help="of the simulation's chances")
    demo.add_argument("--dir", default="", help="keep the sandbox's files here")
    demo.add_argument("--ascii", action="store_true", help="no box drawing, no glyphs")
    json_option(demo)
    sandbox = add_command(
        commands, "sandbox", deferred("sandbox.demo", "sandbox_help"), "a cluster on this machine"
    )
    _sandbox_commands(sandbox)


def _through(parser: Parser) -> None:
    parser.add_argument(
        "--through",
        choices=["bridge"],
        default="",
        help="reach DynamoDB through the ring bridge (experimental), with a stock Mimir; Linux",
    )


def _sandbox_commands(sandbox: Parser) -> None:
    commands = sandbox.add_subparsers(
        metavar="COMMAND", required=True, prog="mimir-migrate sandbox"
    )
    up = add_command(
        commands,
        "up",
        deferred("sandbox.demo", "sandbox_up"),
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
    _through(up)
    inject = add_command(
        commands, "inject", deferred("sandbox.demo", "sandbox_inject"), "let something go wrong"
    )
    inject.add_argument("fault", help="its name; any other word is answered with all of them")
    inject.add_argument("arguments", nargs="*", metavar="NAME=VALUE", help="what the fault takes")
    inject.add_argument("--dir", required=True, metavar="DIR", help="the sandbox's folder")
    for name, text in {"ring": "RING", "pod": "POD", "seconds": "N", "member": "MEMBER"}.items():
        inject.add_argument(
            f"--{name}", default="", metavar=text, help=f"the same as {name}={text}"
        )
    status = add_command(
        commands, "status", deferred("sandbox.demo", "sandbox_status"), "its own watch"
    )
    status.add_argument("--dir", required=True, metavar="DIR", help="the sandbox's folder")
    json_option(status)
    down = add_command(commands, "down", deferred("sandbox.demo", "sandbox_down"), "stop it")
    down.add_argument("--dir", required=True, metavar="DIR", help="the sandbox's folder")
