"""A journal in memory, for a dry run: it tells like a real one and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.model.events import Event, Recorded, Request, answers_of
from mimir_migrate.ports import Clock


class MemoryJournal:
    """A run's events for as long as the process lives."""

    def __init__(
        self,
        run: str,
        clock: Clock,
        earlier: Sequence[Recorded] = (),
        requests: Sequence[Request] = (),
    ) -> None:
        """Begin with the events of a run, and with the requests that they leave open."""
        self._run = run
        self._clock = clock
        self._events = list(earlier)
        self._requests = list(requests)
        self._left = len(self._requests)

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
        if answered := answers_of(event):
            self._requests = [one for one in self._requests if one.id not in answered]
        return recorded

    def events(self, after: int = 0) -> Sequence[Recorded]:
        """Events with a number above `after`."""
        return tuple(recorded for recorded in self._events if recorded.seq > after)

    def leave(self, request: Request) -> Request:
        """Leave a request; it is given an id."""
        self._left += 1
        named = msgspec.structs.replace(request, id=f"request-{self._left}")
        self._requests.append(named)
        return named

    def open_requests(self) -> Sequence[Request]:
        """Requests that no event answers yet."""
        return tuple(self._requests)
