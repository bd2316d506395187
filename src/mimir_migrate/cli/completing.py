"""`completion`: what makes a shell complete commands, options and their values."""

from __future__ import annotations

import argparse

from mimir_migrate.errors import ExitCode


def completion(options: argparse.Namespace) -> int:
    """Print the completion script of a shell."""
    import shtab

    from mimir_migrate.cli.parsing.parser import build_parser

    print(shtab.complete(build_parser(), shell=options.shell))
    return ExitCode.DONE
