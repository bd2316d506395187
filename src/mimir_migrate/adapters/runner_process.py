"""Starts a runner in a session of its own, so that no closed terminal ever ends it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mimir_migrate.errors import MigrateError

_LOG_MODE = 0o600


def start_detached(arguments: Sequence[str], *, log: Path) -> int:
    """Start a program that outlives this one; what it says goes to `log` (mode 0600); its pid.

    Raises:
        MigrateError: The program or its log cannot be made.
    """
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _LOG_MODE)
    except OSError as error:
        raise MigrateError(
            f"the runner's log {log} cannot be written: {error.strerror}",
            hint="MIMIR_MIGRATE_STATE names another folder for journals and logs.",
        ) from error
    try:
        process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            close_fds=True,
        )
    except OSError as error:
        raise MigrateError(f"the runner could not be started: {error.strerror}") from error
    finally:
        os.close(descriptor)
    # The parent never waits for it: what it does is in the journal. Marking it as reaped keeps the
    # interpreter from warning about a child that is meant to live on.
    process.returncode = 0
    return process.pid
