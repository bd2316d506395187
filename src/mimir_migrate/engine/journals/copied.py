"""A run's journal that is kept in the cluster as well, so that a run outlives its machine.

The intent of a change is in the copy before the change: where it cannot be written there, the change
is not made. Everything else may lag: what gates say is written now and then, and a copy that could not
be written is written again later.

Only who holds the lease writes the copy: nothing of a runner that was refused it, and nothing once it is
lost, for then somebody else's runner writes there.

Each write encodes the whole journal again. That is 18 ms of CPU for 8,000 events (measured; a run of
seven steps with its approvals has 92), and chatter, which is nearly all of a long run, is written at
most every 15 s.
"""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.documents.journal_copy import JournalCopy, encode
from mimir_migrate.engine.journals.passing import PassingJournal
from mimir_migrate.errors import ExitCode, LeaseError, MigrateError
from mimir_migrate.model.events import (
    BaselineTaken,
    ChangeIntended,
    Event,
    GateJudged,
    QuestionSeenAgain,
    Recorded,
    Request,
    RunFinished,
    RunnerStarted,
    WaitStarted,
)
from mimir_migrate.ports import Clock, Journal, JournalCopies

LAG = 15.0
"""Seconds that chatter may be missing from the copy, and that pass after a write that failed."""


class CopiedJournal(PassingJournal):
    """A journal with a copy elsewhere; requests stand in no copy. Implements `ports.Journal`.

    Args:
        inner: The run's own journal.
        copies: Where the copy is kept.
        clock: Time.
        by: `user@host` of this runner.
    """

    def __init__(self, inner: Journal, copies: JournalCopies, clock: Clock, *, by: str) -> None:
        super().__init__(inner)
        self._copies = copies
        self._clock = clock
        self._by = by
        self._written_at = 0.0
        self._lags = False
        self._leads = False
        """Whether this runner was seen to hold the lease: what it does first, once it has it."""

    def append(self, event: Event) -> Recorded:
        """Write an event, here and, where it is more than chatter, in the copy at once.

        Raises:
            MigrateError: The intent of a change could not be written in the copy.
        """
        recorded = self._inner.append(event)
        if isinstance(event, RunFinished) and event.exit_code == ExitCode.LEASE:
            self._leads = False
        elif not isinstance(event, RunnerStarted | RunFinished):
            self._leads = True
        if not self._leads:
            return recorded
        self._lags = True
        if isinstance(event, ChangeIntended):
            self._write()
        elif not isinstance(event, GateJudged | WaitStarted | QuestionSeenAgain | BaselineTaken):
            self._try_to_write(due=0.0)
        else:
            self._try_to_write(due=LAG)
        return recorded

    def open_requests(self) -> Sequence[Request]:
        """Requests that no event answers yet."""
        if self._lags:
            self._try_to_write(due=LAG)
        return super().open_requests()

    def _try_to_write(self, *, due: float) -> None:
        now = self._clock.now()
        if now - self._written_at < due:
            return
        try:
            self._write()
        except LeaseError:
            self._leads = self._lags = False
        except MigrateError:
            self._written_at = now  # it is tried again once it is due

    def _write(self) -> None:
        events = tuple(self._inner.events())
        copy = JournalCopy(
            run=self.run, created_at=events[0].at if events else 0.0, by=self._by, events=events
        )
        self._copies.write(encode(copy))
        self._written_at, self._lags = self._clock.now(), False
