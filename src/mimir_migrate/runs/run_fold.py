"""A run's events folded, one after the other, into where it stands."""

from __future__ import annotations

from typing import assert_never

import msgspec

from mimir_migrate.engine.gate_wait import WORD_AWAITED
from mimir_migrate.engine.traffic import failed_words, together
from mimir_migrate.model.changes import Outcome, describe
from mimir_migrate.model.events import (
    Approved,
    Asked,
    BaselineTaken,
    ChangeDone,
    ChangeFailed,
    ChangeIntended,
    CleaningStarted,
    Continued,
    EditsRemade,
    FactsChanged,
    FilesBroughtUp,
    GateJudged,
    GateOverridden,
    GateResult,
    GateWarned,
    Held,
    HookRan,
    LegStarted,
    QuestionSeenAgain,
    QuestionSuspended,
    QuestionWithdrawn,
    Recorded,
    RequestVoid,
    RollbackJudged,
    RunFinished,
    RunnerStarted,
    RunStarted,
    RunState,
    StepDone,
    StepStarted,
    UsersFailed,
    WaitStarted,
    WayBackFound,
)
from mimir_migrate.model.facts import Counters
from mimir_migrate.model.plan import (
    Duration,
    FactChange,
    Gate,
    Plan,
    Step,
)
from mimir_migrate.runs.pace import Pace
from mimir_migrate.runs.questions import HINT, QuestionFold
from mimir_migrate.words import counted, placed

ROLLBACK_BEFORE = "open: nothing was changed yet"
ROLLBACK_OVER = "over: every chosen ring is where it was before the run"
ONLY_A_WORD = "the run goes on once somebody says so"
"""How what is waited for ends where every gate of a hold passes by now."""


class StepPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Which step of its whole way a run is at; `index` counts from 1, and goes on after a resume."""

    id: str
    index: int
    of: int
    title: str = ""

    @property
    def words(self) -> str:
        """Its name and its number."""
        return placed(self.id, self.index, self.of)


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A gate that the operator let pass."""

    step: str
    gate: Gate
    by: str
    reason: str
    at: float


class RunFold:
    """Reads events one after the other."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.leg: Plan | None = None
        self.purpose = "apply"
        self.by = ""
        self.started_at = self.updated_at = 0.0
        self.state = RunState.RUNNING
        self.runner: RunnerStarted | None = None
        self.step = ""
        self.step_since = 0.0
        self.done: list[str] = []
        self.waiting = ""
        self.waiting_since: float | None = None
        self.bound = 0.0
        self.hint = ""
        self.approval = ""
        self.questions = QuestionFold()
        self.hold = 0
        self.deadline: float | None = None
        self.pace, self.idle = Pace(), 0.0
        self.held_gate: Gate | None = None
        self.tool_version = self.runner_version = ""
        self.way_back = ROLLBACK_BEFORE
        self.back: tuple[str, ...] | None = ()
        self.changed: tuple[FactChange, ...] = ()
        self.last_change = ""
        self.gates: dict[Gate, GateResult] = {}
        self.overrides: list[Override] = []
        self._behind = 0
        self._lost: dict[tuple[bool, str], dict[int, Counters]] = {}
        self.leg_number = 0
        self.finished: RunFinished | None = None
        self.closed = ""
        self.planned = False

    def take(self, recorded: Recorded) -> None:
        """Take an event."""
        if self.state is RunState.HELD:
            self.idle += recorded.at - self.updated_at
        self.updated_at = at = recorded.at
        if self._take_question(recorded) or self._take_ground(recorded):
            return
        match recorded.event:
            case RunStarted() as started:
                self._start(started, at)
            case RunnerStarted() as runner:
                self._begin(runner, at)
            case LegStarted() as leg:
                self._begin_leg(leg, recorded.seq)
            case StepStarted(step=step):
                self._begin_step(step, at)
            case WaitStarted(waiting_for=what, bound=bound):
                other = what.split(":")[0] != self.waiting.split(":")[0]
                # A hold goes on, whatever it waits for meanwhile.
                if other and self.state is not RunState.HELD:
                    self.waiting_since = at
                self.waiting, self.bound = what, bound
            case GateJudged(result=result):
                self.gates[result.gate] = result
            case UsersFailed() as failed:
                self._take_users(failed)
            case ChangeIntended(change=change):
                self.last_change = describe(change)
                self._take_rollback(self.step)
                self._wait(f"its change: {self.last_change}", at)
            case ChangeDone(outcome=Outcome(detail=what)) | ChangeFailed(reason=what):
                self._wait(f"what follows: {what}", at)
            case Held(reason=reason, hint=hint, approval=approval, step=step, gate=gate):
                self.state, self.hint = RunState.HELD, hint
                self.approval = step if approval else ""
                ends = at + recorded.event.limit if recorded.event.limit else None
                self.hold, self.held_gate, self.deadline = recorded.seq, gate, ends
                self._wait(reason, at)
            case Continued():
                self._go_on()
                self._wait("the run to go on", at)
            case GateOverridden(step=step, gate=gate, by=by, reason=reason):
                self.overrides.append(Override(step=step, gate=gate, by=by, reason=reason, at=at))
            case StepDone(step=step):
                self._end_step(step, at)
            case RunFinished() as finished:
                self._end(finished)
            case (
                Asked()
                | QuestionSeenAgain()
                | QuestionSuspended()
                | QuestionWithdrawn()
                | Approved()
                | FactsChanged()
                | RollbackJudged()
            ):
                pass  # taken above
            case (
                BaselineTaken()
                | CleaningStarted()
                | EditsRemade()
                | FilesBroughtUp()
                | GateWarned()
                | HookRan()
                | RequestVoid()
                | WayBackFound()
            ):
                pass  # where the run stands is the same after it
            case never:
                assert_never(never)

    def _start(self, started: RunStarted, at: float) -> None:
        self.plan = self.leg = started.plan
        self.tool_version = started.tool_version
        self.by, self.started_at = started.by, at

    def _begin(self, runner: RunnerStarted, at: float) -> None:
        self.runner = runner
        if not (runner.purpose == "resume" and self.purpose == "rollback"):
            self.purpose = runner.purpose  # a rollback that is resumed goes on back
        self.finished, self.planned = None, False
        self.runner_version = runner.version or self.tool_version
        self._go_on()
        self._wait("its plan", at)

    def _go_on(self) -> None:
        """Nothing holds the run."""
        self.deadline = None
        self.state, self.hint, self.approval = RunState.RUNNING, "", ""
        self.questions.open, self.hold, self.held_gate = None, 0, None

    def _take_question(self, recorded: Recorded) -> bool:
        """Whether it was an event of a question."""
        before = self.questions.open
        if isinstance(recorded.event, Asked) and recorded.event.limit:
            self.deadline = recorded.at + recorded.event.limit
        if not self.questions.take(recorded):
            return False
        if self.questions.waits_for:
            self._wait(self.questions.waits_for, recorded.at)
        if self.questions.open is None:
            self._go_on()
        elif before is None:
            self.state, self.approval = RunState.HELD, self.questions.open.asked.step
            self.hint = HINT
        return True

    def _take_ground(self, recorded: Recorded) -> bool:
        """Whether it was an event about what the run stands on."""
        match recorded.event:
            case RollbackJudged(blocked=blocked):
                self.closed = blocked
            case FactsChanged(changes=changes):
                self.changed = changes
            case _:
                return False
        return True

    def _begin_leg(self, leg: LegStarted, number: int) -> None:
        self.leg, self.purpose, self.leg_number = leg.plan, leg.purpose, number
        self._behind = len(leg.behind)
        self.closed, self.planned = "", True
        self._go_on()
        self.done, self.step, self.changed = [], "", ()

    def _begin_step(self, step: str, at: float) -> None:
        self.step, self.step_since, self.gates, self.idle = step, at, {}, 0.0
        self._wait("the step's first look at the cluster; its gates follow", at)

    def _end_step(self, step: str, at: float) -> None:
        self.done.append(step)
        if (through := self._step(step)) is not None and step == self.step:
            self.pace.took(through, at - self.step_since - self.idle)
        self._take_rollback(step)
        self._wait("the next step", at)

    def _take_users(self, failed: UsersFailed) -> None:
        step = self.purpose == "rollback", failed.step
        self._lost.setdefault(step, {})[self.leg_number] = failed.users

    @property
    def users_failed(self) -> tuple[str, ...]:
        """What users lost, step by step; a step that a later runner went on with has one total."""
        return tuple(
            f"{failed_words(together(tuple(parts.values())))} in the step {step}"
            for (_, step), parts in self._lost.items()
        )

    def _end(self, finished: RunFinished) -> None:
        self.finished, self.state = finished, finished.state
        if self.purpose == "rollback" and not self.planned and finished.state is RunState.FAILED:
            self.closed = finished.reason.splitlines()[0]
        self.waiting, self.waiting_since = "", None
        self.hint = self.approval = ""
        self.questions.open, self.hold, self.held_gate = None, 0, None
        self.deadline = None
        self.changed = ()

    def _wait(self, what: str, at: float) -> None:
        self.waiting, self.waiting_since, self.bound = what, at, 0.0

    def _take_rollback(self, name: str) -> None:
        """From its first change on, a step's own rollback is what counts."""
        found = self._step(name)
        if found is not None:
            self.way_back = found.way_back[:1].lower() + found.way_back[1:]
            if self.purpose != "rollback":
                self.back = None if found.back is None else tuple(one.id for one in found.back)

    def rollback_words(self) -> str:
        """What going back takes from here; on a rollback, what is left of it."""
        if self.finished is not None and self.finished.state is RunState.ROLLED_BACK:
            return ROLLBACK_OVER
        if self.closed:
            return f"closed: {self.closed}"
        left = self.way_back_steps()
        if self.purpose != "rollback" or left is None:
            return self.way_back
        if not left:
            return "under way: no step is left"
        return f"under way: {counted(len(left), 'step is', 'steps are')} left, {', '.join(left)}"

    def way_back_steps(self) -> tuple[str, ...] | None:
        """The steps back from here; on a rollback those that are left."""
        if self.purpose == "rollback" and self.leg is not None:
            return tuple(step.id for step in self.leg.steps if step.id not in self.done)
        return self.back

    def closes(self) -> str:
        """Where quick rollback ends, as long as that lies ahead."""
        steps = self.leg.steps if self.leg and self.purpose != "rollback" else ()
        for index, step in enumerate(steps, self._behind + 1):
            if step.closes_way_back and step.id not in self.done:
                return placed(step.id, index, self._behind + len(steps))
        return ""

    def waits_for(self) -> str:
        """What is waited for, and what became otherwise meanwhile."""
        names = ", ".join(change.name for change in self.changed if change.matters)
        if self.questions.open is not None and self.questions.open.suspended:
            return f"{self.waiting}; suspended now: {self.questions.open.suspended}"
        waiting = self._held_words()
        if not names or not waiting:
            return waiting
        return f"{waiting}; changed since the plan was made: {names}"

    def _held_words(self) -> str:
        """What is waited for; while a gate holds the run, that it does, also once others are waited for."""
        gate = self.held_gate.value if self.held_gate else ""
        if not gate or not self.waiting or self.waiting.startswith(gate):
            return self.waiting
        now, _, missing = self.waiting.partition(": ")
        if self.waiting == WORD_AWAITED:
            return f"{gate} did not pass; {missing}, and {ONLY_A_WORD}"
        if now == "evidence":
            return f"{gate} did not pass; it passes by now and is judged on: {missing}"
        return f"{gate} did not pass; now it waits for {self.waiting}"

    def _step(self, name: str) -> Step | None:
        steps = self.leg.steps if self.leg else ()
        return next((step for step in steps if step.id == name), None)

    def place(self) -> StepPlace | None:
        """Which step it is at; None: none."""
        steps = self.leg.steps if self.leg else ()
        of = self._behind + len(steps)
        for index, step in enumerate(steps, self._behind + 1):
            if step.id == self.step:
                return StepPlace(id=step.id, index=index, of=of, title=step.title)
        return None

    def eta(self, now: float) -> Duration | None:
        """What is left; the present step counts for what is left of it."""
        steps = self.leg.steps if self.leg else ()
        left = [step for step in steps if step.id not in self.done]
        if self.finished is not None:
            return None
        if not left or left[0].id != self.step:
            return self.pace.left(left)
        return self.pace.left(left, spent=self._spent(now))

    def is_late(self, now: float) -> bool:
        """Whether the present step has taken longer than planned; what it waited for somebody does not count."""
        here = next(
            (step for step in (self.leg.steps if self.leg else ()) if step.id == self.step), None
        )
        if here is None or here.id in self.done or self.finished is not None:
            return False
        return self._spent(now) > here.duration.high

    def _spent(self, now: float) -> float:
        """Seconds of the present step without those in which it waited for somebody."""
        idle = self.idle + (now - self.updated_at if self.state is RunState.HELD else 0.0)
        return max(0.0, now - self.step_since - idle)
