"""Time for the simulation: virtual in a test, real behind the sandbox's servers.

Both are single-threaded: callbacks run one after another, never side by side.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from typing import Final

_EPOCH: Final = 1_800_000_000.0
"""Where virtual time starts: a plausible date, so that whole-second timestamps look real."""


class Scheduled:
    """One entry of the heap; a cancelled one stays in it and is passed over."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Do not run it."""
        self.callback = None


class VirtualScheduler:
    """Time that passes only when it is told to. Equal times run in the order they were asked for.

    Args:
        start: Where time starts, seconds since the epoch.
    """

    def __init__(self, start: float = _EPOCH) -> None:
        self._now = start
        self._order = 0
        self._heap: list[tuple[float, int, Scheduled]] = []

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def after(self, seconds: float, callback: Callable[[], None]) -> Scheduled:
        """Run `callback` once, `seconds` from now; a negative delay counts as none."""
        entry = Scheduled(callback)
        self._order += 1
        heapq.heappush(self._heap, (self._now + max(0.0, seconds), self._order, entry))
        return entry

    def run_until(self, moment: float) -> None:
        """Run everything that is due up to and including `moment`, then stand there."""
        heap = self._heap
        while heap and heap[0][0] <= moment:
            due, _, entry = heapq.heappop(heap)
            callback = entry.callback
            if callback is None:
                continue
            self._now = due
            entry.callback = None
            callback()
        self._now = max(self._now, moment)

    def run_for(self, seconds: float) -> None:
        """Run everything that is due within the next `seconds`."""
        self.run_until(self._now + seconds)


class RealScheduler:
    """The wall clock, on an asyncio loop.

    Args:
        loop: The loop that callbacks run on; left out: the running one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def after(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Run `callback` once on the loop, `seconds` from now."""
        return self._loop.call_later(max(0.0, seconds), callback)
