"""The commands. stdout is data, stderr is narration; exit codes are in `errors.ExitCode`."""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.cli.guard import explain, guarded
from mimir_migrate.errors import UsageError

__all__ = ["explain", "run"]


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    doing = "reading the command line"

    def work() -> int:
        nonlocal doing
        from mimir_migrate.cli.parsing.parser import THE_APP, build_parser

        options = build_parser().parse_all(arguments)
        doing = options.doing
        if options.read_only and doing != THE_APP:
            raise UsageError(
                f"--read-only is for the app, and {doing} is a command",
                hint="Leave it out: `mimir-migrate --help` says which commands change nothing.",
            )
        return int(options.command(options))

    return guarded(work, lambda: doing)
