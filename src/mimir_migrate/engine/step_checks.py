"""What a step of a run is held against: its gates' context, its question, the users' baseline."""

from __future__ import annotations

from mimir_migrate.engine import traffic
from mimir_migrate.engine.asking.question import Subject
from mimir_migrate.engine.gate_notes import GateContext
from mimir_migrate.engine.gate_wait import Checkpoint
from mimir_migrate.engine.gates import judge
from mimir_migrate.engine.history import users_failed, users_lost
from mimir_migrate.engine.services import Services
from mimir_migrate.engine.watch import Watch
from mimir_migrate.model.events import (
    BaselineTaken,
    ChangeIntended,
    GateWarned,
    LegStarted,
    StepDone,
    UsersFailed,
    Verdict,
    WaitStarted,
)
from mimir_migrate.model.facts import Counters, Inspection
from mimir_migrate.model.plan import Gate, Plan, Step
from mimir_migrate.model.stores import Store
from mimir_migrate.plans import timing

LEAST_WINDOW = 1.0
"""Seconds that a gate's samples span at least, where no pod reports a heartbeat period."""

SAY_AGAIN = 15.0
"""Seconds between two words on requests of users that go on failing."""

PAST_ON_THE_WAY_BACK = (Gate.RING_HEALTHY, Gate.NOTHING_ELSE_MOVES, Gate.USERS_FINE)
"""Gates that a step of a rollback does not wait for: something that is unwell is why one goes back. The
journal says which of them were not good."""


class StepChecks:
    """Builds what the gates and the question of a step are judged by."""

    def __init__(self, services: Services, watch: Watch, rings: tuple[str, ...]) -> None:
        self._services = services
        self._watch = watch
        self._rings = rings
        self.baseline: Counters | None = None
        """What users saw before the first change; None: not known."""
        self._said: tuple[str, Counters] | None = None
        self._said_at = -SAY_AGAIN

    def window(self, inspection: Inspection) -> float:
        """Seconds that gates' samples span, as this inspection says."""
        return timing.gate_window(inspection, self._rings) or LEAST_WINDOW

    def take_baseline(self) -> None:
        """What users saw before the first change, over one window; taken once for a run."""
        if self._take_up_baseline():
            return
        if any(
            isinstance(recorded.event, ChangeIntended)
            for recorded in self._services.journal.events()
        ):
            return
        before = self._watch.look("")
        window = self.window(before)
        self._services.journal.append(
            WaitStarted(
                step="", waiting_for="a baseline of what users see, over one window", bound=window
            )
        )
        end = self._services.world.clock.now() + window
        while (left := end - self._services.world.clock.now()) > 0:
            self._watch.sample("", window)  # the first step's gates have seen them then
            self._services.world.clock.sleep(min(self._watch.pause(window), left))
        grown = traffic.deltas(before, self._watch.look(""))
        if grown is not None:
            self.baseline = grown
            self._services.journal.append(BaselineTaken(seconds=window, rates=grown))

    def _take_up_baseline(self) -> bool:
        """Take up what an earlier runner or leg of this run found; False: none has found anything."""
        for recorded in self._services.journal.events():
            if isinstance(recorded.event, BaselineTaken):
                self.baseline = recorded.event.rates
                return True
        return False

    def checkpoint(
        self, step: Step, when: str, seen: Inspection, plan: Plan, *, begun: bool
    ) -> Checkpoint:
        """The gates before or after a step, as they are judged; `begun`: some of its changes were made."""
        gates = step.after if when == "after" else step.before
        rendered = Gate.BLAST_RADIUS in gates and step.edits and not begun
        blast = self._services.navigator.blast(step) if rendered else ()

        def context(now: Inspection, reference: Inspection | None) -> GateContext:
            return self.context(step, plan, blast, now, reference)

        return Checkpoint(
            step=step.id,
            when=when,
            gates=gates,
            window=self.window(seen),
            context=context,
            rings=plan.rings,
            scale=plan.target.scale,
        )

    def context(
        self,
        step: Step,
        plan: Plan,
        blast: tuple[str, ...] | None,
        now: Inspection,
        reference: Inspection | None,
    ) -> GateContext:
        """What a step's gates hold an inspection against."""
        return GateContext(
            returning=step.back is None,
            rings=plan.rings,
            window=self.window(now),
            scale=plan.target.scale,
            states=step.states,
            primaries=step.primaries,
            mirror=step.mirror,
            runtime=step.runtime,
            baseline=self.baseline,
            reference=reference,
            blast=blast,
            old_store=plan.to.other,
            to_memberlist=plan.to is Store.MEMBERLIST,
            old_store_live=step.crossing or step.closes_way_back,
        )

    def subject(self, step: Step, plan: Plan) -> Subject:
        """What the question before a step is about."""
        events = self._services.journal.events()
        covered = self._services.approve_all and not users_failed(events)
        lost = users_lost(events)
        leg = next(one.event for one in reversed(events) if isinstance(one.event, LegStarted))
        return Subject(
            index=leg.numbers()[step.id],
            of=leg.of,
            title=f"{step.title} ({lost})" if lost else step.title,
            duration=step.duration,
            rollback=step.way_back,
            back=None if step.back is None else tuple(one.id for one in step.back),
            rings=plan.rings,
            beforehand=self._services.who if covered else "",
        )

    def warn(self, step: Step, inspection: Inspection, plan: Plan) -> None:
        """Say what a rollback goes past: it must be open also while something is unwell."""
        reference = self._watch.latest
        context = self.context(step, plan, (), inspection, reference)
        for gate in PAST_ON_THE_WAY_BACK:
            if gate is Gate.USERS_FINE and reference is None:
                continue  # counters say nothing without an earlier sample
            result = judge(gate, inspection, context)
            if gate not in step.before and result.verdict is not Verdict.PASS:
                self._services.journal.append(GateWarned(step=step.id, result=result))

    def catch_up(self, inspection: Inspection) -> None:
        """Say what users lost since the runner before this one looked last, in the step that it was at."""
        self._take_up_baseline()
        step = self._watch.tally.go_on(self._services.journal.events())
        if step and self._watch.tally.take(inspection):
            self.say_users(step)

    def hear_users(self, step: str) -> None:
        """Say that more of users' requests failed as soon as a sample shows it, but not at each of many.

        What was too soon to be said is said by a later sample, also where nothing fails any more: a step
        that is held for hours has its whole total.
        """
        if self._services.world.clock.now() >= self._said_at + SAY_AGAIN:
            self.say_failures(step)

    def say_failures(self, step: str) -> None:
        """Say what users lost in a step so far, unless just that was said."""
        said, users = self._said, traffic.failures(self._watch.tally.users)
        if said is None or said[0] != step or traffic.failures(said[1]) != users:
            self.say_users(step)

    def say_users(self, step: str) -> None:
        """Say in plain sight what users lost in a step so far, also where its gates let it pass."""
        tally = self._watch.tally
        said = (step, tally.users)
        if not traffic.failed_words(tally.users) or said == self._said:
            return
        self._said, self._said_at = said, self._services.world.clock.now()
        worse = traffic.worse_than_before(tally.users, self.baseline)
        self._services.journal.append(
            UsersFailed(step=step, users=tally.users, worse=worse, counted=tally.kept())
        )

    def step_done(self, step: str) -> StepDone:
        """The end of a step, with what its least time rests on."""
        seen, rings = self._watch.latest, self._rings
        if seen is None:
            return StepDone(step=step)
        return StepDone(
            step=step,
            heartbeat=timing.longest_heartbeat(seen, rings),
            poll=timing.longest_poll(seen, rings),
        )
