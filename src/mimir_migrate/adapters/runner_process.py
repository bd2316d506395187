"""Starts a runner in a session of its own, so that no closed terminal ever ends it; and ends one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mimir_migrate.errors import MigrateError

_LOG_MODE = 0o600
_ENDS_WITHIN = 5.0
"""Seconds after which a process that was asked to end is killed."""
_LOOK_EVERY = 0.05


def start_detached(
    arguments: Sequence[str], *, log: Path, variables: Mapping[str, str] | None = None
) -> int:
    """Start a program that outlives this one; what it says goes to `log` (mode 0600); its pid.

    It has this process' environment, and `variables` over it.

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
            env={**os.environ, **(variables or {})},
        )
    except OSError as error:
        raise MigrateError(f"the runner could not be started: {error.strerror}") from error
    finally:
        os.close(descriptor)
    # The parent never waits for it: what it does is in the journal. Marking it as reaped keeps the
    # interpreter from warning about a child that is meant to live on.
    process.returncode = 0
    return process.pid


def end_process(pid: int, *, over: Callable[[], bool]) -> None:
    """Ask a process to end, and kill it where it does not; `over` tells whether it has ended."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + _ENDS_WITHIN
        while time.monotonic() < deadline:
            if over():
                return
            time.sleep(_LOOK_EVERY)
