"""How many heartbeats a second a ring gets, measured over the last minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from mimir_migrate.bridge.head import Mark

MOST_A_SECOND: Final = 13.0
"""Heartbeats a second of one ring that whole-value compare-and-set carries. Measured: 13 a second lost
none of 400, 33 a second lost 473 of 1,085 (docs/bridge.md)."""
_WINDOW: Final = 60.0


class Pace:
    """Counts heartbeats as they are seen in a ring's versions, whoever wrote them.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        self._total = 0

    def note(self, before: Mapping[str, Mark], after: Mapping[str, Mark]) -> None:
        """Count the heartbeats between two versions."""
        beats = sum(
            1 for id_, mark in after.items() if id_ in before and before[id_].beat < mark.beat
        )
        if beats:
            self._seen.append((self._clock(), beats))
            self._total += beats

    def rate(self) -> float:
        """Heartbeats a second over the last minute; too low in a process's first minute."""
        oldest = self._clock() - _WINDOW
        while self._seen and self._seen[0][0] < oldest:
            self._total -= self._seen.popleft()[1]
        return self._total / _WINDOW
