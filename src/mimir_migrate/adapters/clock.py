"""Time as the machine has it, with a sleep that ends when the process is asked to stop."""

from __future__ import annotations

import threading
import time


class SystemClock:
    """Implements `ports.Clock`. Safe to use from several threads."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait `seconds`; returns at once while `stop` is in force."""
        if seconds > 0:
            self._stop.wait(seconds)

    def stop(self) -> None:
        """End every sleep, present and future. Safe to call in a signal handler."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether `stop` is in force."""
        return self._stop.is_set()
