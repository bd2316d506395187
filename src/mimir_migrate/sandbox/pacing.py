"""Wall-clock time for a simulation that may be held up by its machine.

On a plain event loop a pause of a second, while the machine was busy, would be half a minute of the
sandbox's time in which no process sent a heartbeat and yet all clocks went on: members would look
unhealthy that are not. Here everything that fell due runs in its order, each at the moment it was due,
before anybody looks.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from typing import Final

from mimir_migrate.sandbox.simulation.scheduler import Scheduled

_SLICE: Final = 0.05
"""Seconds of catching up before the loop gets its turn."""


class PacedScheduler:
    """Runs callbacks in the order and at the times they fall due, late where it must be.

    Within a callback `now` is the moment at which it was due, however late it runs.

    What is waited for outside of this process takes real time: `bound` says how far time may go on without
    it. Until that is there, nothing later runs and nobody's clock goes on.
    """

    def __init__(self) -> None:
        self.bound: Callable[[], float] = lambda: float("inf")
        """The moment that must not be passed yet, seconds since the epoch."""
        self._loop = asyncio.get_running_loop()
        self._epoch = time.time() - self._loop.time()
        self._moment = self._wall()
        self._running = False
        self._order = 0
        self._heap: list[tuple[float, int, Scheduled]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0.0

    def now(self) -> float:
        """Seconds since the epoch; in a callback the moment it was due."""
        return self._moment if self._running else max(self._moment, self._reached())

    def after(self, seconds: float, callback: Callable[[], None]) -> Scheduled:
        """Run `callback` once, `seconds` from now; a negative delay counts as none."""
        entry = Scheduled(callback)
        self._order += 1
        due = self.now() + max(0.0, seconds)
        heapq.heappush(self._heap, (due, self._order, entry))
        if not self._running:
            self._arm()
        return entry

    def catch_up(self) -> None:
        """Run everything that is due by now, before somebody looks."""
        if not self._running:
            self._run(float("inf"))
            self._arm()

    def look_again(self) -> None:
        """The bound has moved."""
        if not self._running:
            self._arm()

    def _reached(self) -> float:
        return min(self._wall(), self.bound())

    def _wall(self) -> float:
        return self._epoch + self._loop.time()

    def _run(self, seconds: float) -> None:
        wall, end = self._wall(), self._loop.time() + seconds
        heap = self._heap
        self._running = True
        try:
            while (
                heap
                and heap[0][0] <= (until := min(wall, self.bound()))
                and self._loop.time() < end
            ):
                due, _, entry = heapq.heappop(heap)
                callback, entry.callback = entry.callback, None
                if callback is not None:
                    self._moment = max(self._moment, due)
                    callback()
            until = min(wall, self.bound())
            if not heap or heap[0][0] > until:
                self._moment = max(self._moment, until)
        finally:
            self._running = False

    def _tick(self) -> None:
        self._timer = None
        try:
            self._run(_SLICE)
        finally:
            self._arm()

    def _arm(self) -> None:
        """Wake up when the first entry is due; not for one beyond the bound, which moves with an answer."""
        if not self._heap or self._heap[0][0] > self.bound():
            return
        due = self._heap[0][0]
        if self._timer is not None:
            if self._armed <= due:
                return
            self._timer.cancel()
        self._armed = due
        self._timer = self._loop.call_at(max(self._loop.time(), due - self._epoch), self._tick)
