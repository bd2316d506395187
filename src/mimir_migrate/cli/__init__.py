"""The commands. stdout is data, stderr is narration; exit codes are in `errors.ExitCode`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from mimir_migrate.errors import ExitCode, MigrateError


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    from mimir_migrate.cli.parser import build_parser

    try:
        options = build_parser().parse_all(arguments)
        return int(options.command(options))
    except MigrateError as error:
        explain(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.DONE)


def explain(error: MigrateError) -> None:
    """Say on stderr what was being done, what was found, and what to do next."""
    print(f"mimir-migrate: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  -> {error.hint}", file=sys.stderr)
