"""Starts a pod's process so that it never outlives who started it, and tells when it ended."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def ends_with_this_process(number: int) -> Callable[[], None]:
    """What a child calls before its program starts, so that the kernel signals it when this process ends.

    It holds also where this process is killed. Linux only.
    """
    parent = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask_the_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask_the_kernel


class Child:
    """One process in a group of its own; it is killed by the kernel when this process ends.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        environment: All of its environment.
        log: The file that takes its output, appended to.
        on_exit: Called with its exit code, negative for a signal, once it has ended.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        log: Path,
        on_exit: Callable[[int], None],
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=ends_with_this_process(signal.SIGKILL),  # noqa: PLW1509 - the daemon starts pods from one thread
            )
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self._descriptor = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._descriptor, self._ended)

    @property
    def pid(self) -> int:
        """Its process id, also that of its group."""
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    def send(self, number: int) -> None:
        """Send a signal, to the process itself: what it started is its own affair."""
        if self.lives:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End the whole group at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _ended(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        code = self._process.wait()
        self.kill()
        self._on_exit(code)
