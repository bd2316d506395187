"""The commands. stdout is data, stderr is narration; exit codes are in `errors.ExitCode`."""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.cli.guard import explain, guarded

__all__ = ["explain", "run"]


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    doing = "reading the command line"

    def work() -> int:
        nonlocal doing
        from mimir_migrate.cli.parsing.parser import build_parser

        options = build_parser().parse_all(arguments)
        doing = options.doing
        return int(options.command(options))

    return guarded(work, lambda: doing)
