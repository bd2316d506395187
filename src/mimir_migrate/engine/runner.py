"""The runner: walks a plan's steps, writes the journal, and changes nothing in any other way."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate import __version__
from mimir_migrate.engine import traffic
from mimir_migrate.engine.asking.desk import Desk, RollbackAskedError
from mimir_migrate.engine.asking.hold import (
    HeldTooLongError,
    HoldAskedError,
    Holds,
    StopAskedError,
)
from mimir_migrate.engine.asking.question import Subject
from mimir_migrate.engine.asking.standing import standing_words
from mimir_migrate.engine.checkpoints import Checkpoints
from mimir_migrate.engine.effects import Effects, LeaseKeeper
from mimir_migrate.engine.gate_wait import Checkpoint
from mimir_migrate.engine.gates import GateContext, judge
from mimir_migrate.engine.ground import Ground
from mimir_migrate.engine.history import (
    edits_made,
    inverses,
    is_going_back,
    last_purpose,
    users_failed,
    users_lost,
    way_back_planned,
    where_it_was,
)
from mimir_migrate.engine.leftover import wait_for_leftover
from mimir_migrate.engine.services import Services
from mimir_migrate.engine.watch import Watch
from mimir_migrate.errors import (
    DeniedError,
    ExitCode,
    LeaseError,
    MigrateError,
    PlanStaleError,
    UnreachableError,
)
from mimir_migrate.model.changes import Change, CreateTable, Deploy, LeaseClaim, WriteFile
from mimir_migrate.model.events import (
    BaselineTaken,
    ChangeDone,
    ChangeIntended,
    GateWarned,
    LegStarted,
    Recorded,
    RunFinished,
    RunnerStarted,
    RunState,
    StepDone,
    StepStarted,
    UsersFailed,
    Verdict,
    WaitStarted,
    WayBackFound,
)
from mimir_migrate.model.facts import Counters, Inspection
from mimir_migrate.model.plan import Gate, Plan, Step, StepKind
from mimir_migrate.plans import timing
from mimir_migrate.plans.facts import FactChange, compare, facts_after, stale_words
from mimir_migrate.plans.planner import GoingOnBlockedError, Order, refuse_going_on
from mimir_migrate.plans.way_back import same_way
from mimir_migrate.ports import Journal

LEAST_WINDOW = 1.0
"""Seconds that a gate's samples span at least, where no pod reports a heartbeat period."""

PAST_ON_THE_WAY_BACK = (Gate.RING_HEALTHY, Gate.NOTHING_ELSE_MOVES, Gate.USERS_FINE)
"""Gates that a step of a way back does not wait for: something that is unwell is why one goes back. The
journal says which of them were not good."""

IDENTITY = frozenset({"cluster", "namespace", "release", "aws account", "aws region", "product"})
"""Names of the facts that say where a plan is for."""


class _StaleAtOnceError(PlanStaleError):
    """A step found the world otherwise the moment it began, before anybody waited for anything."""


class _MovedMeanwhileError(Exception):
    """A leg that was planned from what was observed began on something else: a rollout went on."""


class Runner:
    """One process's work on one run."""

    def __init__(self, services: Services, plan: Plan) -> None:
        self._services = services
        self._plan = plan
        self._journal = services.journal
        self._clock = services.world.clock
        self._keeper = LeaseKeeper(
            services.changes,
            self._clock,
            LeaseClaim(
                name=lease_name(plan.identity.release),
                holder=f"{services.who} {services.journal.run} pid {services.pid}",
                run=services.journal.run,
                store=plan.to.value,
                rings=plan.rings,
            ),
        )
        self._desk = Desk(services.journal)
        holds = Holds(
            clock=self._clock,
            journal=services.journal,
            desk=self._desk,
            limit=services.gate_timeout,
        )
        self._watch = Watch(
            look=lambda: services.navigator.inspect(plan.rings), holds=holds, keeper=self._keeper
        )
        self._checkpoints = Checkpoints(self._watch, holds)
        self._effects = Effects(
            services.changes,
            services.journal,
            self._keeper,
            self._clock,
            ready=(lambda: None) if services.dry else self._checkpoints.refuse_asked_hold,
        )
        self._baseline: Counters | None = None
        self._made = 0
        """How many changes of the present step were made."""
        self._patient_until = self._clock.now() + services.gate_timeout

    def run(self, purpose: str, *, takeover: bool = False) -> ExitCode:
        """Do the work: `apply` a fresh plan, `resume` what was interrupted, or go back.

        Every way in which it ends is in the journal; the exit code is that of the command.
        """
        services = self._services
        self._journal.append(
            RunnerStarted(
                pid=services.pid,
                host=services.host,
                by=services.who,
                purpose=purpose,
                version=__version__,
            )
        )
        try:
            self._keeper.take(takeover=takeover)
            back = purpose == "rollback" or (
                purpose == "resume" and last_purpose(self._journal.events()) == "rollback"
            )
            state, reason, code = self._legs(purpose, back=back)
        except LeaseError as error:
            return self._finish(RunState.STOPPED, error, ExitCode.LEASE)
        except HeldTooLongError as error:
            error.message += ". " + standing_words(self._watch.seen, self._plan.rings)
            return self._finish(RunState.HELD, error, ExitCode.BLOCKED)
        except StopAskedError:
            return self._end(
                RunState.STOPPED, "stopped while held, nothing under way", ExitCode.BLOCKED
            )
        except PlanStaleError as error:
            return self._finish(RunState.STOPPED, error, ExitCode.STALE)
        except GoingOnBlockedError as error:
            return self._finish(RunState.STOPPED, error, ExitCode.BLOCKED)
        except MigrateError as error:
            return self._finish(RunState.FAILED, error, error.exit_code)
        except Exception as error:  # noqa: BLE001 - the net: it is told, and the run can go on
            return self._unexpected(error)
        return self._end(state, reason, code)

    def _unexpected(self, error: Exception) -> ExitCode:
        """End a run at something that nobody foresaw, so that it can be resumed like one that failed.

        While a deploy that this runner started still runs, the Lease is not given up: it runs out by
        itself, as after a runner that was killed, and the next runner waits for the deploy.
        """
        details = self._services.keep_details(error, f"the run {self._journal.run}")
        said = [
            f"something that nobody foresaw stopped the runner ({type(error).__name__})",
            f"The details are in {details}" if details else "",
        ]
        deploys = self._services.world.deploys
        left = ""
        if deploys is not None and not self._services.dry:
            try:
                left = deploys.left_running()
            except Exception:  # noqa: BLE001 - not knowing is no reason to let others in
                left = "whether a deploy command still runs is not known"
        if left:
            said.append(f"The lease is kept until it runs out: {left}")
        said.append("`resume` goes on from here, `rollback` goes back")
        reason = ". ".join(filter(None, said))
        return self._end(RunState.FAILED, reason, ExitCode.FAILED, release=not left)

    def _finish(self, state: RunState, error: MigrateError, code: ExitCode) -> ExitCode:
        said = [error.message.rstrip("."), error.hint.rstrip(".")]
        if state is RunState.FAILED and "resume" not in error.hint:
            said.append("`resume` goes on from here, `rollback` goes back")
        return self._end(state, ". ".join(filter(None, said)), code)

    def _end(
        self, state: RunState, reason: str, code: ExitCode, *, release: bool = True
    ) -> ExitCode:
        try:
            if release:
                self._keeper.release()
        except MigrateError as error:
            reason += f" (the lease could not be released and runs out by itself: {error.message})"
        except Exception as error:  # noqa: BLE001 - the end has to be in the journal
            reason += f" (the lease could not be released and runs out by itself: {type(error).__name__})"
        self._journal.append(
            RunFinished(
                state=state, reason=reason, exit_code=int(code), answers=self._desk.ended()
            )
        )
        return code

    # --- legs --------------------------------------------------------------------------------

    def _legs(self, purpose: str, *, back: bool) -> tuple[RunState, str, ExitCode]:
        """Walk legs until the goal is reached; a request for the way back begins another."""
        asked_to_roll_back = purpose == "rollback"
        while True:
            try:
                if not self._leg(purpose, back=back):
                    by = self._desk.stop.by if self._desk.stop else "the operator"
                    reason = f"stopped after the step, as {by} asked"
                    return (RunState.STOPPED, reason, ExitCode.INTERRUPTED)
                self._desk.read()
            except RollbackAskedError:
                back, purpose = True, "rollback"
                self._patient_until = self._clock.now() + self._services.gate_timeout
                continue
            except _MovedMeanwhileError:
                self._journal.append(
                    WaitStarted(
                        step="",
                        waiting_for="the cluster to stand still, to plan anew",
                        bound=self._services.gate_timeout,
                    )
                )
                self._clock.sleep(LEAST_WINDOW)
                continue
            if not back:
                return (RunState.DONE, f"every chosen ring is on {self._plan.to.value}", _OK)
            code = _OK if asked_to_roll_back else ExitCode.ROLLED_BACK
            return (RunState.ROLLED_BACK, where_it_was(self._journal.events()), code)

    def _leg(self, purpose: str, *, back: bool) -> bool:
        """Plan from what is observed and walk it; False when asked to stop between two steps."""
        self._desk.read()
        if not self._services.dry:
            wait_for_leftover(
                self._services.world.deploys,
                journal=self._journal,
                desk=self._desk,
                keeper=self._keeper,
                clock=self._clock,
                limit=self._services.gate_timeout,
            )
            if self._desk.stop is not None:
                return False
        plan = self._plan
        earlier = self._journal.events()
        if purpose != "apply" or back:
            plan = self._replan(back=back)
        name = "rollback" if back else purpose
        answers = self._desk.turned() if back else ()
        self._journal.append(LegStarted(purpose=name, plan=plan, answers=answers))
        self._checkpoints.begin_leg()
        if back and not is_going_back(earlier):
            self._journal.append(self._compared(plan, earlier))
        if not self._services.dry:
            self._take_baseline()
        ground = self._stand_on(plan, back=back)
        for number in range(len(plan.steps)):
            self._desk.read()
            if self._desk.stop:
                return False
            try:
                self._step(ground, number, back=back)
            except _StaleAtOnceError as error:
                if plan is self._plan or number or self._clock.now() > self._patient_until:
                    raise
                raise _MovedMeanwhileError from error
        return True

    def _compared(self, found: Plan, earlier: Sequence[Recorded]) -> WayBackFound:
        """The way back that was asked for, beside the one that the plan said from here."""
        step, planned = way_back_planned(earlier)
        same = planned is not None and same_way(planned, found.steps)
        changes: tuple[FactChange, ...] = ()
        if step is not None and not same:
            led_to = msgspec.structs.replace(found, facts=facts_after(step, self._plan.facts))
            changes = compare(led_to, found.facts)
        return WayBackFound(
            step=step.id if step else "",
            planned=None if planned is None else tuple(one.id for one in planned),
            found=tuple(one.id for one in found.steps),
            same=same,
            changes=tuple(change for change in changes if change.before is not None),
        )

    def _stand_on(self, plan: Plan, *, back: bool) -> Ground:
        """Hold the plan's facts against the world from here on, whatever the run waits for."""
        services = self._services
        ground = Ground(
            plan,
            drift=services.navigator.drift,
            files=services.world.files,
            journal=self._journal,
            anew=plan is not self._plan,
        )

        def refuse(
            step: str, changes: tuple[FactChange, ...], inspection: Inspection
        ) -> PlanStaleError:
            error = self._stale(ground, step, changes, inspection, back=back)
            first = step == plan.steps[0].id and plan is not self._plan
            if first and all(c.name.startswith("ring ") for c in changes if c.matters):
                # What a runner before this one began goes on by itself: that is planned anew.
                return _StaleAtOnceError(error.message, hint=error.hint)
            return error

        self._watch.stand_on(ground, refuse)
        return ground

    def _stale(
        self,
        ground: Ground,
        step: str,
        changes: tuple[FactChange, ...],
        inspection: Inspection,
        *,
        back: bool,
    ) -> PlanStaleError:
        """Why a step may not begin: each fact, and what the new plan would be."""
        ids = [one.id for one in ground.plan.steps]
        try:
            fresh = ", ".join(one.id for one in self._planned(inspection, back=back).steps)
        except MigrateError as error:
            fresh = f"none: {error.message}"
        return PlanStaleError(
            f"the cluster or a file changed before the step {step}:\n"
            + stale_words(
                changes,
                left=ids[ids.index(step) :],
                fresh=fresh or "nothing is left to do",
            ),
            hint=(
                "This step is under way. " if self._made else "Nothing of this step was changed. "
            )
            + "`resume` plans anew from what is there now; `rollback` goes back.",
        )

    def _replan(self, *, back: bool) -> Plan:
        inspection = self._look()
        self._refuse_elsewhere(inspection)
        return self._planned(inspection, back=back)

    def _planned(self, inspection: Inspection, *, back: bool) -> Plan:
        """The plan from what is observed now, for the way that the run goes.

        What blocks a plan blocks going on as well; a way back is open whatever was found.
        """
        plan = self._plan
        made = inverses(edits_made(self._journal.events(), self._services.world.files.read))
        restore = made
        if not back:
            # The plan's own restoring edits fit the files as they were before this run's edits.
            restore = (*made, *plan.restore) if plan.restore else ()
        order = Order(
            to=plan.to.other if back else plan.to,
            rings=plan.rings,
            strategy=plan.strategy,
            returning=back,
        )
        if not back:
            refuse_going_on(self._services.navigator.findings(inspection, order))
        return self._services.navigator.plan(inspection, order, restore)

    def _refuse_elsewhere(self, inspection: Inspection) -> None:
        """A run ends where it began: the kubeconfig or the credentials may name another place now."""
        moved = [
            f"{change.name}: {change.before} -> {change.after}"
            for change in self._services.navigator.drift(self._plan, inspection)
            if change.name in IDENTITY and change.before and change.after
        ]
        if moved:
            raise PlanStaleError(
                "the run began elsewhere; this is not the same: " + "; ".join(moved),
                hint="Nothing was changed. Name the context and the credentials that it began with.",
            )

    # --- one step ----------------------------------------------------------------------------

    def _step(self, ground: Ground, number: int, *, back: bool) -> None:
        step = ground.plan.steps[number]
        self._made = 0
        self._keeper.at_step(step.id)
        self._journal.append(StepStarted(step=step.id))
        self._desk.at_step(step.id)
        self._watch.tally.begin()
        if not self._services.dry:
            self._before(step, ground, back=back)
            ground.fit(step.id)
            step = ground.plan.steps[number]
        self._make_all(step, ground, back=back)
        tables = step.kind is StepKind.TABLES
        if not tables:  # a new table is in nobody's configuration yet: no pod is otherwise
            self._watch.world_changed()
        if not self._services.dry:
            self._checkpoints.gates(
                self._checkpoint(step, "after", self._look(step.id), ground.plan)
            )
        ground.carry(None if tables else self._watch.latest)
        self._say_users(step.id)
        self._journal.append(self._step_done(step.id))

    def _before(self, step: Step, ground: Ground, *, back: bool) -> None:
        """Everything that has to be so before a step's change; it is compared last of all again."""
        inspection = self._look(step.id)
        try:
            self._watch.refuse_changed(step.id, inspection)
        except PlanStaleError as error:
            raise _StaleAtOnceError(error.message, hint=error.hint) from error
        if ground.anew and step.id == ground.plan.steps[0].id:
            moving = judge(Gate.NOTHING_ELSE_MOVES, inspection, GateContext(rings=(), window=0.0))
            if back or step.begun or moving.verdict is not Verdict.PASS:
                # A rollout from before this leg goes on by itself; the step takes it from there.
                ground.let_rings_move()
        if back:
            self._warn(step, inspection, ground.plan)
        at = self._checkpoint(step, "before", inspection, ground.plan)
        self._checkpoints.soak(at, step.soak)
        self._pass(step, ground, back=back)
        self._watch.refuse_changed(step.id, self._watch.latest or inspection)

    def _say_users(self, step: str) -> None:
        """Say in plain sight what users lost in a step, also where its gates let it pass."""
        users = self._watch.tally.users
        if traffic.failed_words(users):
            worse = traffic.worse_than_before(users, self._baseline)
            self._journal.append(UsersFailed(step=step, users=users, worse=worse))

    def _step_done(self, step: str) -> StepDone:
        """The end of a step, with what its least time rests on."""
        seen, rings = self._watch.latest, self._plan.rings
        if seen is None:
            return StepDone(step=step)
        return StepDone(
            step=step,
            heartbeat=timing.longest_heartbeat(seen, rings),
            poll=timing.longest_poll(seen, rings),
        )

    def _pass(self, step: Step, ground: Ground, *, back: bool) -> None:
        """Pass the gates before a step's change, and its question where it asks."""
        at = self._checkpoint(step, "before", self._look(step.id), ground.plan)
        # Whoever lets the next pods restart is to have seen what the last restart cost.
        lost = step.kind is not StepKind.TABLES and users_failed(self._journal.events())
        asks = (step.crossing or step.closes_way_back or lost) and not back
        self._checkpoints.before(at, self._subject(step, ground.plan) if asks else None)

    def _subject(self, step: Step, plan: Plan) -> Subject:
        """What the question before a step is about."""
        events = self._journal.events()
        covered = self._services.approve_all and not users_failed(events)
        lost = users_lost(events)
        return Subject(
            index=[one.id for one in plan.steps].index(step.id) + 1,
            of=len(plan.steps),
            title=f"{step.title} ({lost})" if lost else step.title,
            duration=step.duration,
            rollback=step.way_back,
            back=None if step.back is None else tuple(one.id for one in step.back),
            rings=plan.rings,
            beforehand=self._services.who if covered else "",
        )

    def _make_all(self, step: Step, ground: Ground, *, back: bool) -> None:
        """Make a step's changes, each after a hold that was asked for until then."""
        ground.begin(step)
        self._made = 0
        for change in self._changes_of(step, ground.plan):
            while True:
                try:
                    self._make(step, change)
                    break
                except HoldAskedError:
                    self._wait_out_hold(step, ground, back=back)
            self._made += 1
            if isinstance(change, WriteFile):
                ground.wrote(change.edit)
        self._made = 0

    def _wait_out_hold(self, step: Step, ground: Ground, *, back: bool) -> None:
        """Hold before a change; what was judged and answered was so before the hold, so it is again."""
        seen = self._look(step.id)
        at = self._checkpoint(step, "between" if self._made else "before", seen, ground.plan)
        self._checkpoints.wait_out_hold(at)
        if not self._made:
            self._pass(step, ground, back=back)

    def _make(self, step: Step, change: Change) -> None:
        """Make a change; where its far end does not answer, once more when the cluster does."""
        try:
            self._effects.make(step.id, change)
        except (UnreachableError, DeniedError):
            self._look(step.id)
            self._effects.make(step.id, change)

    def _changes_of(self, step: Step, plan: Plan) -> Sequence[Change]:
        found: list[Change] = [CreateTable(table=table) for table in step.tables]
        found += [WriteFile(edit=edit) for edit in step.edits]
        if step.kind is not StepKind.TABLES:
            target = plan.target
            found.append(
                Deploy(
                    deploy=target.deploy,
                    files=target.values.files,
                    release=target.kubernetes.release,
                    namespace=target.kubernetes.namespace,
                    folder=target.folder,
                    reason=step.id,
                )
            )
        return found

    def _warn(self, step: Step, inspection: Inspection, plan: Plan) -> None:
        """Say what a way back goes past: it must be open also while something is unwell."""
        reference = self._watch.latest
        context = self._context(step, plan, (), inspection, reference)
        for gate in PAST_ON_THE_WAY_BACK:
            if gate is Gate.USERS_FINE and reference is None:
                continue  # counters say nothing without an earlier sample
            result = judge(gate, inspection, context)
            if gate not in step.before and result.verdict is not Verdict.PASS:
                self._journal.append(GateWarned(step=step.id, result=result))

    def _context(
        self,
        step: Step,
        plan: Plan,
        blast: tuple[str, ...] | None,
        now: Inspection,
        reference: Inspection | None,
    ) -> GateContext:
        return GateContext(
            rings=plan.rings,
            window=self._window(now),
            states=step.states,
            primaries=step.primaries,
            mirror=step.mirror,
            runtime=step.runtime,
            baseline=self._baseline,
            reference=reference,
            blast=blast,
            old_store=plan.to.other,
            old_store_live=step.crossing or step.closes_way_back,
        )

    def _checkpoint(self, step: Step, when: str, seen: Inspection, plan: Plan) -> Checkpoint:
        gates = step.after if when == "after" else step.before
        rendered = Gate.BLAST_RADIUS in gates and step.edits and not self._made
        blast = self._services.navigator.blast(step) if rendered else ()

        def context(now: Inspection, reference: Inspection | None) -> GateContext:
            return self._context(step, plan, blast, now, reference)

        return Checkpoint(
            step=step.id,
            when=when,
            gates=gates,
            window=self._window(seen),
            context=context,
            rings=plan.rings,
        )

    # --- looking -----------------------------------------------------------------------------

    def _look(self, step: str = "") -> Inspection:
        if self._services.dry:
            return self._services.navigator.inspect(self._plan.rings)
        return self._watch.look(step)

    def _window(self, inspection: Inspection) -> float:
        return timing.gate_window(inspection, self._plan.rings) or LEAST_WINDOW

    def _take_baseline(self) -> None:
        """What users saw before the first change, over one window; taken once for a run."""
        for recorded in self._journal.events():
            if isinstance(recorded.event, BaselineTaken):
                self._baseline = recorded.event.rates
                return
        if any(isinstance(recorded.event, ChangeIntended) for recorded in self._journal.events()):
            return
        before = self._look()
        window = self._window(before)
        self._journal.append(
            WaitStarted(
                step="", waiting_for="a baseline of what users see, over one window", bound=window
            )
        )
        end = self._clock.now() + window
        while (left := end - self._clock.now()) > 0:
            self._watch.sample("", window)  # the first step's gates have seen them then
            self._clock.sleep(min(self._watch.pause(window), left))
        grown = traffic.deltas(before, self._look())
        if grown is not None:
            self._baseline = grown
            self._journal.append(BaselineTaken(seconds=window, rates=grown))


_OK = ExitCode.DONE


def lease_name(release: str) -> str:
    """The name of the Lease that guards a release's rings."""
    return f"mimir-migrate-{release}"


def changes_performed(journal: Journal) -> tuple[Change, ...]:
    """The changes that a journal says were made, in order."""
    found: list[Change] = []
    intended: Change | None = None
    for recorded in journal.events():
        if isinstance(recorded.event, ChangeIntended):
            intended = recorded.event.change
        if isinstance(recorded.event, ChangeDone) and intended is not None:
            found.append(intended)
            intended = None
    return tuple(found)
