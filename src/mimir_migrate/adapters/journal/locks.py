"""The lock of a run's runner on this machine: a file that its process holds as long as it lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

_LOCK_TRIES = 10


class RunnerLock:
    """Held by the runner of a run while it works; the system gives it up when the process ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Let another runner take the run on."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def locked_soon(descriptor: int) -> bool:
    """Take the lock of a runner; `runner_pid` of another process may hold it for a moment."""
    for _ in range(_LOCK_TRIES):
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.02)
    return False


def pid_in(descriptor: int) -> int | None:
    """The process that wrote its number into a lock's file; None: nobody did."""
    with contextlib.suppress(OSError, ValueError):
        return int(os.pread(descriptor, 20, 0))
    return None
