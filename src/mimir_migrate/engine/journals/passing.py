"""A journal that stands before another one and passes everything on to it."""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.model.events import Event, Recorded, Request
from mimir_migrate.ports import Journal


class PassingJournal:
    """What stands before a journal takes part only in what it overrides. Implements `ports.Journal`.

    Args:
        inner: The journal that everything is passed on to.
    """

    def __init__(self, inner: Journal) -> None:
        self._inner = inner

    @property
    def run(self) -> str:
        """The run's id."""
        return self._inner.run

    def append(self, event: Event) -> Recorded:
        """Write an event."""
        return self._inner.append(event)

    def events(self, after: int = 0) -> Sequence[Recorded]:
        """Events with a number above `after`."""
        return self._inner.events(after)

    def leave(self, request: Request) -> Request:
        """Leave a request for the runner."""
        return self._inner.leave(request)

    def open_requests(self) -> Sequence[Request]:
        """Requests that no event answers yet."""
        return self._inner.open_requests()
