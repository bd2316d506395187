"""A journal in memory, for a dry run: it tells like a real one and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.model.events import Event, Recorded, Request
from mimir_migrate.ports import Clock


class MemoryJournal:
    """A run's events for as long as the process lives."""

    def __init__(self, run: str, clock: Clock, earlier: Sequence[Recorded] = ()) -> None:
        self._run = run
        self._clock = clock
        self._events = list(earlier)
        self._requests: list[Request] = []

    @property
    def run(self) -> str:
        """The run's id."""
        return self._run

    def append(self, event: Event) -> Recorded:
        """Remember an event."""
        recorded = Recorded(
            seq=self._events[-1].seq + 1 if self._events else 1, at=self._clock.now(), event=event
        )
        self._events.append(recorded)
        return recorded

    def events(self, after: int = 0) -> Sequence[Recorded]:
        """Events with a number above `after`."""
        return tuple(recorded for recorded in self._events if recorded.seq > after)

    def leave(self, request: Request) -> None:
        """Leave a request."""
        self._requests.append(request)

    def take_requests(self) -> Sequence[Request]:
        """Requests that were not taken yet."""
        taken, self._requests = self._requests, []
        return tuple(taken)
