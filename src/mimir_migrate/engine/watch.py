"""Looking at the cluster while a run goes on: samples, what they are compared with, and the ground.

What is made of the samples is decided elsewhere: `gate_wait` judges gates, `hold` waits for the operator.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from mimir_migrate.engine.asking.hold import Holds
from mimir_migrate.engine.dwell import GOOD_SAMPLES
from mimir_migrate.engine.effects import LeaseKeeper
from mimir_migrate.engine.ground import Ground
from mimir_migrate.engine.tally import Tally
from mimir_migrate.errors import DeniedError, MigrateError, UnreachableError
from mimir_migrate.model.events import Held, WaitStarted
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import FactChange

SAMPLES_PER_WINDOW = 6
SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds between two samples, whatever the window."""

UNANSWERED_PATIENCE = 20.0
"""Seconds without an answer of the cluster until the run is held."""

REFERENCE_LEAST = 30.0
"""Seconds that a sample is old at most to be compared with, where two windows are less: an inspection of a
large cluster takes its time."""

HELD_PAUSES = (5.0, 30.0)
"""Seconds between two looks at the cluster while a run waits for somebody: a gate's window, and no
less and no more than this. Gates are sampled far more often, so a hold is not a load."""

FILES_PAUSE = 1.0
"""Seconds between two looks at the values files meanwhile."""


Refuse = Callable[[str, tuple[FactChange, ...], Inspection], MigrateError]
"""Makes the error of a step that may not begin: the step, what changed, and what was seen."""
UNASKED = "the cluster could not be asked: "


class Watch:
    """Looks at the world and remembers what it saw.

    Args:
        look: Inspects the cluster.
        holds: What a cluster that does not answer holds the run by.
        keeper: The lease, renewed at each look.
    """

    def __init__(
        self, *, look: Callable[[], Inspection], holds: Holds, keeper: LeaseKeeper
    ) -> None:
        self._look = look
        self._holds = holds
        self._clock = holds.clock
        self._journal = holds.journal
        self._keeper = keeper
        self._history: deque[Inspection] = deque()
        self.tally = Tally()
        """What users asked since the step began."""
        self._users_failed: Callable[[str], None] = lambda _step: None
        self._changed_at = 0.0
        self.unasked = ""
        """Why the cluster could not be asked the last time."""
        self._ground: Ground | None = None
        self._refuse: Refuse | None = None
        self._looked_at = self._files_at = 0.0

    def tell_failures(self, tell: Callable[[str], None]) -> None:
        """Have `tell` called with the step after each sample: users' requests may have failed."""
        self._users_failed = tell

    # --- the ground --------------------------------------------------------------------------

    def stand_on(self, ground: Ground, refuse: Refuse) -> None:
        """Hold what a leg rests on against every look from now on."""
        self._ground, self._refuse = ground, refuse

    def refuse_changed(self, step: str, inspection: Inspection) -> None:
        """Refuse to go on where a fact that matters is otherwise.

        Raises:
            PlanStaleError: With each fact, and what a new plan would do.
        """
        if self._ground is None or self._refuse is None:
            return
        changes = self._ground.see(step, inspection)
        if changes:
            raise self._refuse(step, changes, inspection)

    @property
    def changed(self) -> tuple[FactChange, ...]:
        """What the plan rests on and is otherwise, as of the last look; empty: nothing that matters."""
        return self._ground.changed if self._ground is not None else ()

    def renew(self) -> None:
        """Renew the lease where it is due."""
        self._keeper.renew_if_due()

    def attend_files(self, step: str) -> None:
        """Look at the values files only."""
        if self._ground is not None:
            self._ground.see_files(step)

    def attend(self, step: str, window: float) -> None:
        """While the run waits for somebody: look at the files often and at the cluster at times."""
        self._keeper.renew_if_due()
        now = self._clock.now()
        if self._ground is None:
            return
        if now >= self._looked_at + held_pause(window):
            self._looked_at = now
            inspection = self._ask()
            if inspection is not None:
                self._ground.see(step, inspection)
        elif now >= self._files_at + FILES_PAUSE:
            self._files_at = now
            self.attend_files(step)

    @property
    def seen(self) -> Inspection | None:
        """The last sample of all, also from before a change."""
        return self._history[-1] if self._history else None

    def world_changed(self) -> None:
        """Forget what was seen so far: it says nothing about the world after a change."""
        self._changed_at = self._clock.now()

    # --- samples -----------------------------------------------------------------------------

    @property
    def latest(self) -> Inspection | None:
        """The last sample since the world was changed."""
        last = self._history[-1] if self._history else None
        return last if last is not None and last.at > self._changed_at else None

    def sample(self, step: str, window: float) -> Inspection | None:
        """Inspect once and remember it; None when the cluster could not be asked."""
        inspection = self._ask()
        if inspection is None:
            return None
        if self._ground is not None:
            self._ground.see(step, inspection)
        self._history.append(inspection)
        self.tally.take(inspection)
        if step:
            self._users_failed(step)
        while (
            len(self._history) > GOOD_SAMPLES and self._history[1].at < inspection.at - 2 * window
        ):
            self._history.popleft()
        return inspection

    def reference(self, inspection: Inspection, window: float) -> Inspection | None:
        """The sample that counters are compared with: about a window older, else the oldest since.

        One from long before, as there are after a hold, would count what failed before the window.
        """
        begin = inspection.at - max(2 * window, REFERENCE_LEAST)
        older = [past for past in self._history if past is not inspection and past.at >= begin]
        if not older:
            return None
        ripe = [past for past in older if past.at <= inspection.at - window]
        return ripe[-1] if ripe else older[0]

    def seen_since_change(self, window: float) -> Iterator[tuple[Inspection, Inspection | None]]:
        """Samples of the last two windows since the last change, each with its reference."""
        now = self._clock.now()
        history = [past for past in self._history if past.at > self._changed_at]
        for number, past in enumerate(history):
            if past.at < now - 2 * window:
                continue
            ripe = [older for older in history[:number] if older.at <= past.at - window]
            yield past, ripe[-1] if ripe else history[number - 1] if number else None

    def pause(self, window: float) -> float:
        """Seconds between two samples."""
        return min(LONGEST_PAUSE, max(SHORTEST_PAUSE, window / SAMPLES_PER_WINDOW))

    # --- one look ----------------------------------------------------------------------------

    def look(self, step: str) -> Inspection:
        """Inspect once; a cluster that cannot be asked holds the run until it answers.

        Raises:
            HeldTooLongError: Nobody came within the gate timeout.
            RollbackAskedError: The rollback was asked for.
            StopAskedError: The run was held and the operator asked to stop.
        """
        began, said, hold = self._clock.now(), "", self._holds.at(step)
        while (inspection := self._ask()) is None:
            if self.unasked != said:
                said = self.unasked
                self._journal.append(
                    WaitStarted(
                        step=step,
                        waiting_for=f"the cluster to answer: {said.removeprefix(UNASKED)}",
                        bound=UNANSWERED_PATIENCE,
                    )
                )
            if not hold.is_open and self._clock.now() - began > UNANSWERED_PATIENCE:
                hold.open(
                    Held(
                        step=step,
                        reason=said,
                        hint="The run goes on by itself once the cluster answers; `stop` ends it "
                        "here, `resume` goes on later.",
                        limit=self._holds.limit,
                    )
                )
            hold.last(said)
            self._clock.sleep(LONGEST_PAUSE)
            self._holds.desk.read()
        if hold.is_open:
            hold.heed_stop()
            hold.close("the cluster answers")
        return inspection

    def _ask(self) -> Inspection | None:
        self._keeper.renew_if_due()
        try:
            return self._look()
        except (UnreachableError, DeniedError) as error:
            hint = f" ({error.hint})" if error.hint else ""
            self.unasked = f"{UNASKED}{error.message}{hint}"
            return None


def held_pause(window: float) -> float:
    """Seconds between two looks at the cluster while a run waits for somebody."""
    return min(HELD_PAUSES[1], max(HELD_PAUSES[0], window))
