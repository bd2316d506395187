"""What several commands take, and how a command is added."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module

from mimir_migrate.cli.parsing.arguments import Parser, Subparsers, examples
from mimir_migrate.cli.parsing.examples import EXAMPLES
from mimir_migrate.flags import FLAGS, LISTS

Command = Callable[[argparse.Namespace], int]


def deferred(module: str, function: str) -> Command:
    """A command whose module is imported when it is chosen."""

    def command(options: argparse.Namespace) -> int:
        chosen: Command = getattr(import_module(f"mimir_migrate.cli.{module}"), function)
        return chosen(options)

    return command


def add_command(commands: Subparsers[Parser], name: str, command: Command, text: str) -> Parser:
    """Add a command with its help and examples."""
    parser = commands.add_parser(
        name,
        help=text,
        description=text[:1].upper() + text[1:] + ".",
        epilog=examples(*EXAMPLES[name]) if name in EXAMPLES else None,
    )
    parser.set_defaults(command=command, parser=parser, doing=name)
    return parser


def target_options(parser: Parser, *, default: str | None = argparse.SUPPRESS) -> None:
    """Entries of the target. A command's own win over those given before the command's name."""
    short = default is None
    group = parser.add_argument_group(
        "target", "entries of target.toml; a flag wins over the file"
    )
    group.add_argument(
        "--target",
        metavar="FILE",
        default=default,
        help="the target file; else $MIMIR_MIGRATE_TARGET or ./target.toml; more flags: inspect --help"
        if short
        else "the target file; left out: $MIMIR_MIGRATE_TARGET, else ./target.toml where it is there",
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


def json_option(parser: Parser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def strategy_option(parser: Parser) -> None:
    """Add `--strategy`."""
    parser.add_argument(
        "--strategy",
        choices=["auto", "static", "runtime"],
        default="auto",
        help="how the primary store is switched: auto by the runtime configuration where a ring follows "
        "it, static by rollouts, runtime only by the runtime configuration",
    )


def run_argument(parser: Parser) -> None:
    """Add the run that a command is about."""
    parser.add_argument(
        "run",
        nargs="?",
        default="",
        metavar="RUN",
        help="its id, or a part that only one has; left out: the only unfinished run, else the newest",
    )
