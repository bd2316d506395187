"""Holds: a run that waits for its operator, whatever for. Nothing is changed meanwhile.

The operator's own hold, a gate that makes no progress, a cluster that does not answer and a question are
all held by the same means: one event opens the hold, the operator's `stop` or the end of its time ends the
runner, and one event closes it.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mimir_migrate.durations import spoken
from mimir_migrate.engine.asking.desk import Desk
from mimir_migrate.errors import BlockedError
from mimir_migrate.model.events import Approved, Asked, Continued, Held, QuestionWithdrawn
from mimir_migrate.ports import Clock, Journal

DEFAULT_HOLD = 12 * 3600.0
"""Seconds that a hold lasts which an operator asked for without saying how long: a night."""


class StopAskedError(Exception):
    """The operator asked to stop while the run was held: nothing more is changed; says what was held."""


class HoldAskedError(Exception):
    """The operator asked to hold, and the next thing to do is a change."""


class HeldTooLongError(BlockedError):
    """A hold outlasted the time a runner waits for its operator."""


class Holds:
    """What the holds of one runner share.

    Args:
        clock: Time.
        journal: Where a hold is written down.
        desk: What the operator asks.
        limit: Seconds until a hold that nobody comes for ends the runner.
    """

    def __init__(self, *, clock: Clock, journal: Journal, desk: Desk, limit: float) -> None:
        self.clock = clock
        self.journal = journal
        self.desk = desk
        self.limit = limit
        self.before_one: Callable[[str], None] = lambda _step: None
        """Called with the step right before a hold of it is written down."""

    def at(self, step: str) -> Hold:
        """A hold of a step that is not open yet."""
        return Hold(self, step)


class Hold:
    """One hold, from before it opens until after it closed."""

    def __init__(self, shared: Holds, step: str) -> None:
        self._shared = shared
        self._step = step
        self._since: float | None = None
        self._limit = shared.limit
        self._asks = False
        """Whether it is a question that holds the run."""
        self.number = 0
        """The journal's number of the event that opened it."""

    @property
    def is_open(self) -> bool:
        """Whether the run is held."""
        return self._since is not None

    def open(self, event: Held) -> None:
        """Hold the run from now on."""
        self._opened(event, event.limit or self._shared.limit)
        self._shared.desk.held(self.number)

    def ask(self, event: Asked) -> int:
        """Hold the run by a question; its number."""
        limit = self._shared.limit
        self._asks = True
        self._opened(msgspec.structs.replace(event, limit=limit), limit)
        self._shared.desk.question = self.number
        return self.number

    def _opened(self, event: Held | Asked, limit: float) -> None:
        if self._step:
            self._shared.before_one(self._step)
        self._since, self._limit = self._shared.clock.now(), limit
        self.number = self._shared.journal.append(event).seq

    def close(self, by: str) -> None:
        """Go on; a `continue` that was read is answered by it."""
        self._since = None
        answers = self._shared.desk.continued()
        self._shared.journal.append(Continued(step=self._step, by=by, answers=answers))
        self._shared.desk.held(0)

    def answer(self, event: Approved | QuestionWithdrawn) -> None:
        """The question is answered or gone."""
        self._since = None
        self._shared.journal.append(event)
        self._shared.desk.question = 0
        why = "the question was withdrawn"
        if isinstance(event, Approved):
            why = f"{event.by} approved it already"
        self._shared.desk.void_approvals(why)

    def heed_stop(self) -> None:
        """End the runner where the operator asked to stop while the hold is open; before any answer to it.

        Whoever asked was told that nothing more is changed, so an answer that came meanwhile is void.

        Raises:
            StopAskedError: The operator asked to stop.
        """
        stop = self._shared.desk.stop
        if self._since is None or stop is None:
            return
        raise StopAskedError(
            f"stopped while {self._step} waited for its approval, as {stop.by} asked: it was not made"
            if self._asks
            else f"stopped while held, as {stop.by} asked: nothing more was changed"
        )

    def last(self, waiting_for: str) -> None:
        """Let an open hold last on.

        Raises:
            HeldTooLongError: Nobody came in time. Nothing is changed or undone because of that.
            StopAskedError: The operator asked to stop.
        """
        if self._since is None:
            return
        self.heed_stop()
        held_for = self._shared.clock.now() - self._since
        if held_for > self._limit:
            raise HeldTooLongError(
                f"held for {spoken(held_for)} at the step {self._step or 'before the first'}: "
                f"{waiting_for}",
                hint="`resume` goes on from here, `rollback` goes back.",
            )
