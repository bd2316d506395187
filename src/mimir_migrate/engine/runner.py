"""The runner: walks a plan's steps, writes the journal, and changes nothing in any other way."""

from __future__ import annotations

from mimir_migrate import __version__
from mimir_migrate.engine.asking.desk import Desk, RollbackAskedError
from mimir_migrate.engine.asking.hold import (
    HeldTooLongError,
    HoldAskedError,
    Holds,
    StopAskedError,
)
from mimir_migrate.engine.asking.standing import standing_words
from mimir_migrate.engine.checkpoints import Checkpoints
from mimir_migrate.engine.effects import Effects, LeaseKeeper, changes_of, lease_name
from mimir_migrate.engine.gate_notes import GateContext
from mimir_migrate.engine.gate_wait import Checkpoint
from mimir_migrate.engine.gates import judge
from mimir_migrate.engine.ground import Ground
from mimir_migrate.engine.history import (
    is_going_back,
    last_purpose,
    steps_behind,
    users_failed,
    where_it_was,
)
from mimir_migrate.engine.journals.elsewhere import bring_files_up
from mimir_migrate.engine.leftover import wait_for_leftover
from mimir_migrate.engine.replanning import MovedMeanwhileError, Replanning
from mimir_migrate.engine.services import Services
from mimir_migrate.engine.step_checks import LEAST_WINDOW, StepChecks
from mimir_migrate.engine.watch import Watch
from mimir_migrate.errors import (
    DeniedError,
    ExitCode,
    LeaseError,
    MigrateError,
    PlanStaleError,
    UnreachableError,
)
from mimir_migrate.model.changes import Change, LeaseClaim, WriteFile
from mimir_migrate.model.events import (
    LegStarted,
    RunFinished,
    RunnerStarted,
    RunState,
    StepStarted,
    Verdict,
    WaitStarted,
)
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Gate, Plan, Step
from mimir_migrate.plans.facts import FactChange
from mimir_migrate.plans.refusals import GoingOnBlockedError


class _StaleAtOnceError(PlanStaleError):
    """A step found the world otherwise the moment it began, before anybody waited for anything."""


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
            ready=(lambda: None) if services.dry else self._ready,
        )
        self._checks = StepChecks(services, self._watch, plan.rings)
        self._watch.tell_failures(self._checks.hear_users)
        holds.before_one = self._checks.say_failures
        self._replanning = Replanning(services, plan)
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
            bring_files_up(services)
            back = purpose == "rollback" or (
                purpose == "resume" and last_purpose(self._journal.events()) == "rollback"
            )
            state, reason, code = self._legs(purpose, back=back)
        except LeaseError as error:
            return self._finish(RunState.STOPPED, error, ExitCode.LEASE)
        except HeldTooLongError as error:
            error.message += ". " + standing_words(self._watch.seen, self._plan.rings)
            return self._finish(RunState.HELD, error, ExitCode.BLOCKED)
        except StopAskedError as stopped:
            return self._end(RunState.STOPPED, str(stopped), ExitCode.BLOCKED)
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
            except Exception:  # noqa: BLE001 - not knowing is not a reason to let others in
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
        """Walk legs until the goal is reached; a request for the rollback begins another."""
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
            except MovedMeanwhileError as moved:
                if self._services.dry or self._clock.now() > self._patient_until:
                    raise moved.error from None
                self._journal.append(
                    WaitStarted(
                        step="",
                        waiting_for="the cluster to stand still, to plan again",
                        bound=self._services.gate_timeout,
                    )
                )
                self._clock.sleep(LEAST_WINDOW)
                continue
            done = ExitCode.DONE
            if not back:
                return (RunState.DONE, f"every chosen ring is on {self._plan.end.value}", done)
            code = done if asked_to_roll_back else ExitCode.ROLLED_BACK
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
            seen = self._look()
            self._checks.catch_up(seen)
            self._replanning.refuse_elsewhere(seen)
            plan = self._replanning.planned(seen, back=back)
        answers, name = (self._desk.turned(), "rollback") if back else ((), purpose)
        behind = steps_behind(earlier, plan.steps, back=back)
        self._journal.append(LegStarted(purpose=name, plan=plan, answers=answers, behind=behind))
        self._checkpoints.begin_leg()
        if back and not is_going_back(earlier):
            self._journal.append(self._replanning.compared(plan, earlier))
        if not self._services.dry:
            self._checks.take_baseline()
        ground = self._stand_on(plan, back=back)
        for number in range(len(plan.steps)):
            self._desk.read()
            if self._desk.stop:
                return False
            try:
                self._step(ground, number, back=back)
            except _StaleAtOnceError as error:
                if plan is self._plan or number:
                    raise
                raise MovedMeanwhileError(error) from error
        return True

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
            error = self._replanning.stale(
                ground, step, changes, inspection, back=back, under_way=self._made > 0
            )
            first = step == plan.steps[0].id and plan is not self._plan
            if first and all(c.name.startswith("ring ") for c in changes if c.matters):
                # What a runner before this one began goes on by itself: that is planned again.
                return _StaleAtOnceError(error.message, hint=error.hint)
            return error

        self._watch.stand_on(ground, refuse)
        return ground

    # --- one step ----------------------------------------------------------------------------

    def _step(self, ground: Ground, number: int, *, back: bool) -> None:
        step = ground.plan.steps[number]
        self._made = 0
        self._keeper.at_step(step.id)
        self._journal.append(StepStarted(step=step.id, counted=self._watch.tally.kept()))
        self._desk.at_step(step.id)
        self._watch.tally.begin()
        try:
            self._walk(step, ground, number, back=back)
        except (MigrateError, RollbackAskedError, StopAskedError):
            self._checks.say_users(step.id)
            raise

    def _walk(self, step: Step, ground: Ground, number: int, *, back: bool) -> None:
        """A step's gates and changes, from one end to the other."""
        if not self._services.dry:
            self._before(step, ground, back=back)
            ground.fit(step.id)
            step = ground.plan.steps[number]
        self._make_all(step, ground, back=back)
        same = not step.kind.deploys  # a new table is in nobody's configuration yet
        if not same:
            self._watch.world_changed()
        if not self._services.dry:
            self._checkpoints.gates(
                self._checkpoint(step, "after", self._look(step.id), ground.plan)
            )
        ground.carry(None if same else self._watch.latest)
        self._checks.say_users(step.id)
        self._journal.append(self._checks.step_done(step.id))

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
            self._checks.warn(step, inspection, ground.plan)
        at = self._checkpoint(step, "before", inspection, ground.plan)
        self._checkpoints.soak(at, step.soak)
        self._pass(step, ground, back=back)
        self._watch.refuse_changed(step.id, self._watch.latest or inspection)

    def _pass(self, step: Step, ground: Ground, *, back: bool) -> None:
        """Pass the gates before a step's change, and its question where it asks."""
        at = self._checkpoint(step, "before", self._look(step.id), ground.plan)
        # Whoever lets the next pods restart is to have seen what the last restart cost.
        lost = step.kind.deploys and users_failed(self._journal.events())
        asks = (step.crossing or step.closes_way_back or lost) and not back
        self._checkpoints.before(at, self._checks.subject(step, ground.plan) if asks else None)

    def _make_all(self, step: Step, ground: Ground, *, back: bool) -> None:
        """Make a step's changes, each after a hold that was asked for until then."""
        ground.begin(step)
        self._made = 0
        for change in changes_of(step, ground.plan):
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

    def _ready(self) -> None:
        """Right before a change: what hooks and people asked for comes first."""
        self._services.before_change()
        self._checkpoints.refuse_asked_hold()

    def _make(self, step: Step, change: Change) -> None:
        """Make a change; where its far end does not answer, once more when the cluster does."""
        try:
            self._effects.make(step.id, change)
        except (UnreachableError, DeniedError):
            self._look(step.id)
            self._effects.make(step.id, change)

    def _checkpoint(self, step: Step, when: str, seen: Inspection, plan: Plan) -> Checkpoint:
        return self._checks.checkpoint(step, when, seen, plan, begun=self._made > 0)

    def _look(self, step: str = "") -> Inspection:
        if self._services.dry:
            return self._services.navigator.inspect(self._plan.rings)
        return self._watch.look(step)
