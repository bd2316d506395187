"""What the operator asks of a running run, until an event of the journal says what became of it.

A request is answered by the one event that its `id` stands in, and by nothing else: a runner that dies
after it read one and before it acted on it leaves the request to the next runner. A request that names a
question or a hold acts on that one only; where it is gone, the request is void.
"""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.durations import clock_words
from mimir_migrate.model.events import (
    Approved,
    Asked,
    Continued,
    Held,
    QuestionWithdrawn,
    Recorded,
    Request,
    RequestKind,
    RequestVoid,
    RunFinished,
    RunnerStarted,
)
from mimir_migrate.model.plan import Gate
from mimir_migrate.ports import Journal

UNNUMBERED = "it was left by a version that did not say what it answers"


class RollbackAskedError(Exception):
    """The operator asked to roll back."""

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
        self.step = ""
        """The step that is walked."""
        self.question = 0
        """The number of the question that stands; 0: none does."""
        self.holding = 0
        """The number of the hold that is open; 0: none is."""
        self.stop: Request | None = None
        self.hold: Request | None = None
        self.go_on: Request | None = None
        self.approvals: list[Request] = []
        """Answers to the question that stands."""
        self._overrides: list[Request] = []

    def read(self) -> None:
        """Read what was left since; what answers nothing that stands is void.

        Raises:
            RollbackAskedError: The operator asked to roll back.
        """
        for request in self._journal.open_requests():
            if request.id in self._read:
                continue
            self._read.add(request.id)
            self._open[request.id] = request
            if request.run != self._journal.run:
                self.void(request, UNNUMBERED if not request.run else f"it is for {request.run}")
                continue
            self._take(request)

    def _take(self, request: Request) -> None:
        match request.kind:
            case RequestKind.STOP:
                self.stop = request
            case RequestKind.HOLD:
                if self.hold is not None:
                    self.void(request, f"{self.hold.by} asked to hold already")
                else:
                    self.hold = request
            case RequestKind.CONTINUE:
                self._take_continue(request)
            case RequestKind.APPROVE:
                if request.question and request.question == self.question:
                    self.approvals.append(request)
                else:
                    self.void(request, self._became_of(request.question))
            case RequestKind.OVERRIDE:
                if self._is_gone(request):
                    self.void(request, self._became_of(request.question))
                else:
                    self._overrides.append(request)
            case RequestKind.ROLLBACK:
                # Who asked to stop or to hold before this wants to go back now.
                self.stop = self.hold = self.go_on = None
                raise RollbackAskedError(request)

    def _take_continue(self, request: Request) -> None:
        if request.question and request.question == self.holding:
            if self.go_on is not None:
                self.void(request, f"{self.go_on.by} said so already")
            else:
                self.go_on = request
        elif not request.question and self.hold is not None and not self.holding:
            # The hold was asked for and nothing is held by it yet.
            asked, self.hold = self.hold, None
            self._journal.append(
                Continued(
                    step=self.step,
                    by=request.by,
                    reason="before the run was held",
                    answers=self.answered(asked, request),
                )
            )
        else:
            self.void(request, self._became_of(request.question))

    def _is_gone(self, request: Request) -> bool:
        """Whether the hold or the step that an override was meant for is over."""
        if request.question:
            return request.question != self.holding
        return bool(request.step) and request.step != self.step

    def _became_of(self, number: int) -> str:
        return became_of(self._journal.events(), number)

    # --- what becomes of requests ------------------------------------------------------------

    def void(self, request: Request, why: str) -> None:
        """Answer a request that does not act."""
        self._journal.append(
            RequestVoid(
                kind=request.kind,
                by=request.by,
                why=why,
                step=request.step,
                question=request.question,
                answers=self.answered(request),
            )
        )

    def void_approvals(self, why: str) -> None:
        """The question that they answer does not stand, or not now."""
        while self.approvals:
            self.void(self.approvals.pop(0), why)

    def drop_hold(self, why: str) -> None:
        """A hold that was asked for changes nothing any more."""
        if self.hold is not None:
            asked, self.hold = self.hold, None
            self.void(asked, why)

    def override(self, gate: Gate) -> Request | None:
        """Take what lets a gate pass once; None: nobody said so."""
        found = next((one for one in self._overrides if one.gate is gate), None)
        if found is not None:
            self._overrides.remove(found)
        return found

    def held(self, number: int) -> None:
        """A hold of that number is open from now on; 0: none is, and what was meant for it is void."""
        self.holding = number
        self._void_gone()

    def at_step(self, step: str) -> None:
        """A step begins: what was meant for the one before is void."""
        self.step = step
        self._void_gone()

    def _void_gone(self) -> None:
        for request in [one for one in self._overrides if self._is_gone(one)]:
            self._overrides.remove(request)
            self.void(request, "the run went on without it")

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
            RequestKind.APPROVE,
        }
        kept = (self.stop, self.hold, self.go_on)
        self.question = self.holding = 0
        self.approvals = []
        return self.answered(
            *(one for one in self._open.values() if one.kind in overtaken and one not in kept)
        )

    def ended(self) -> tuple[str, ...]:
        """The ids of what the end of a runner answers: all but a rollback that was not begun."""
        return self.answered(
            *(one for one in self._open.values() if one.kind is not RequestKind.ROLLBACK)
        )


def became_of(events: Sequence[Recorded], number: int) -> str:
    """What became of a question or a hold, in words: why a request for it does not act."""
    asked = next((one for one in events if one.seq == number), None)
    if asked is None or not isinstance(asked.event, Asked | Held):
        return "nothing waited for it"
    what = "question" if isinstance(asked.event, Asked) else "hold"
    for later in (one for one in events if one.seq > number):
        match later.event:
            case Approved(question=question, by=by) if question == number:
                return f"{by} approved it already, at {clock_words(later.at)}"
            case QuestionWithdrawn(question=question, why=why) if question == number:
                return f"the question was withdrawn: {why}"
            case Continued(by=by) if what == "hold":
                return f"the hold is over ({by})"
            case RunFinished() | RunnerStarted():
                return f"the runner of that {what} is gone"
            case _:
                pass
    return f"another {what} stands now"
