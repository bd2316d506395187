"""The terminal that the app is drawn on, which may go away at any moment.

Textual writes to it in a thread that ends with its first error; the app then waits for ever to hand
over the next drawing, and no signal is dealt with any more. Here what cannot be written is dropped, and
the app is told, so that it leaves as by Quit.
"""

from __future__ import annotations

import contextlib
import sys
import termios
from collections.abc import Callable
from typing import IO, Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

LOOK_EVERY = 1.0
"""Seconds between two looks whether the terminal is there: where it does not control the process (over
`docker exec`, in some editors), no signal tells that it is gone."""


class LastingFile:
    """A file that takes what is written to it, whether or not it can be written any more."""

    def __init__(self, file: IO[str], lost: Callable[[], None]) -> None:
        """Make it.

        Args:
            file: Where it is written to.
            lost: Called once, in the thread that wrote, when it cannot be any more.
        """
        self._file = file
        self._lost = lost
        self._is_lost = False

    def write(self, text: str) -> int:
        """Write, or drop it."""
        self._try(lambda: self._file.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, or do nothing."""
        self._try(self._file.flush)

    def fileno(self) -> int:
        """The file's number."""
        return self._file.fileno()

    def _try(self, work: Callable[[], object]) -> None:
        if self._is_lost:
            return
        try:
            work()
        except (OSError, ValueError):
            self._is_lost = True
            self._lost()


class LastingDriver(LinuxDriver):
    """Textual's driver, on a terminal that may go away."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._file: Any = LastingFile(self._file, self._tell)

    def _run_input_thread(self) -> None:
        """Read what is typed; the end of it is the end of the terminal."""
        try:
            self.run_input_thread()
        except OSError:
            self._tell()

    def _tell(self) -> None:
        """Tell the app, from whatever thread, as long as it is there to be told."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._app.exit, 0)


def is_there() -> bool:
    """Whether the terminal that keys come from is there."""
    try:
        termios.tcgetattr(sys.__stdin__.fileno() if sys.__stdin__ else 0)
    except (termios.error, OSError, ValueError):
        return False
    return True
