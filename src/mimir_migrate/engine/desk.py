"""What the operator asks of a running run, until an event of the journal says what became of it.

A request is answered by the event that its `id` stands in, and by nothing else: a runner that dies
after it read one and before it acted on it leaves the request to the next runner.
"""

from __future__ import annotations

from mimir_migrate.model.events import Request, RequestKind
from mimir_migrate.model.plan import Gate
from mimir_migrate.ports import Journal


class RollbackAskedError(Exception):
    """The operator asked for the way back."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.reason)
        self.request = request


class Desk:
    """Reads the operator's requests as they come, those that a dead runner left among them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._open: dict[str, Request] = {}
        """Those that were read and that no event answers yet."""
        self._read: set[str] = set()
        self.stop: Request | None = None
        self.hold: Request | None = None
        self.go_on: Request | None = None
        self.approved: list[Request] = []
        self.overrides: dict[Gate, Request] = {}

    def read(self) -> None:
        """Read what was left since.

        Raises:
            RollbackAskedError: The way back was asked for.
        """
        for request in self._journal.open_requests():
            if request.id in self._read:
                continue
            self._read.add(request.id)
            self._open[request.id] = request
            match request.kind:
                case RequestKind.STOP:
                    self.stop = request
                case RequestKind.HOLD:
                    self.hold, self.go_on = request, None
                case RequestKind.CONTINUE:
                    self.hold, self.go_on = None, request
                case RequestKind.APPROVE:
                    self.approved.append(request)
                case RequestKind.OVERRIDE:
                    if request.gate is not None:
                        self.overrides[request.gate] = request
                case RequestKind.ROLLBACK:
                    # Who asked to stop or to hold before this wants the way back now.
                    self.stop = self.hold = self.go_on = None
                    raise RollbackAskedError(request)

    def answered(self, *requests: Request | None) -> tuple[str, ...]:
        """The ids of requests, for the event that answers them."""
        ids = tuple(request.id for request in requests if request is not None)
        for answered in ids:
            self._open.pop(answered, None)
        return ids

    def continued(self) -> tuple[str, ...]:
        """Take a `continue` that was read; its id for the event that answers it."""
        request, self.go_on = self.go_on, None
        return self.answered(request)

    def turned(self) -> tuple[str, ...]:
        """The ids of what a leg back answers: the request for it, and those that it overtook."""
        overtaken = {
            RequestKind.ROLLBACK,
            RequestKind.STOP,
            RequestKind.HOLD,
            RequestKind.CONTINUE,
        }
        kept = (self.stop, self.hold, self.go_on)
        return self.answered(
            *(one for one in self._open.values() if one.kind in overtaken and one not in kept)
        )

    def ended(self) -> tuple[str, ...]:
        """The ids of what the end of a runner answers: all but a way back that was not begun."""
        return self.answered(
            *(one for one in self._open.values() if one.kind is not RequestKind.ROLLBACK)
        )
