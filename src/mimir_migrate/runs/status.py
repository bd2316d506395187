"""Where a run stands, folded from its journal."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.engine.traffic import failed_words
from mimir_migrate.model.changes import describe
from mimir_migrate.model.events import (
    ChangeDone,
    ChangeFailed,
    ChangeIntended,
    Continued,
    FactsChanged,
    GateJudged,
    GateOverridden,
    GateResult,
    Held,
    LegStarted,
    Recorded,
    Request,
    RequestKind,
    RollbackJudged,
    RunFinished,
    RunnerStarted,
    RunStarted,
    RunState,
    StepDone,
    StepStarted,
    UsersFailed,
    WaitStarted,
)
from mimir_migrate.model.plan import (
    SCHEMA,
    Duration,
    FactChange,
    Gate,
    Plan,
    Step,
    change_words,
)
from mimir_migrate.plans.timing import time_left
from mimir_migrate.runs.questions import HINT, Approval, OpenQuestion, QuestionFold
from mimir_migrate.runs.story import evidence_lines

WAY_BACK_BEFORE = "open: nothing was changed yet"
WAY_BACK_OVER = "over: every chosen ring is where it was before the run"

RUNNER_BEGINS_WITHIN = 15.0
"""Seconds after which a run whose runner wrote nothing, and is not there, is dead."""


class StepPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Which step a run is at; `index` counts from 1."""

    id: str
    index: int
    of: int
    title: str = ""


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A gate that the operator let pass."""

    step: str
    gate: Gate
    by: str
    reason: str
    at: float


class RunStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a screen or a command shows of a run."""

    schema: str = SCHEMA
    run: str
    state: RunState
    purpose: str
    """`apply`, `resume` or `rollback`."""
    to: str
    """The store that the present leg leads to."""
    rings: tuple[str, ...]
    product: str
    cluster: str
    namespace: str
    release: str
    account: str
    region: str
    by: str
    step: StepPlace | None
    done_steps: tuple[str, ...]
    waiting_for: str
    waiting_since: float | None
    stalled: bool
    hint: str
    """What the operator can do while the run is held."""
    approval_for: str
    """The step that waits for an approval; empty: none does."""
    question: OpenQuestion | None
    """The question that waits for an approval, with its evidence; None: none does."""
    hold: int
    """The number of the hold that is open, for `continue` and `override`; 0: none is."""
    held_gate: Gate | None
    """The gate that the run is held by; None: none."""
    leg: int
    """The number of the present leg's first event; 0: none began."""
    approvals: tuple[Approval, ...]
    """Who approved which step, when."""
    hold_asked: str
    """Who asked to hold, where nothing is held by it yet; empty: nobody."""
    runner_version: str
    """The version of the last runner; empty: there was none."""
    way_back: str
    """Begins with `open` where one switch or rollout takes everything back, and with `closed` where
    no rollback can be planned from what is observed, with the reason."""
    way_back_steps: tuple[str, ...] | None
    """The steps that lead back from here, as the plan says; on a way back those that are left of
    it. None: the plan does not say."""
    way_back_closes: str
    """The step after which the way back takes more than that, as `step 5 of 7, unmirror`; empty:
    it is behind, or there is none."""
    changed: tuple[FactChange, ...]
    """Facts that the plan rests on and that are otherwise now, while the run waits; what does not
    matter stands beside what does. Empty: nothing that matters changed."""
    runner_pid: int | None
    """None: no runner works on it now."""
    started_at: float
    updated_at: float
    last_change: str
    gates: tuple[GateResult, ...]
    """The latest judgement of each gate of the present step."""
    overrides: tuple[Override, ...]
    users_failed: tuple[str, ...]
    """What users lost, step by step, as `12 of 756 pushes failed in the step swap`."""
    reason: str
    """How it ended; empty while it works."""
    exit_code: int | None
    eta: Duration | None
    """What is left, from the steps' own ranges, gates included and less what the present step has taken;
    None: nothing or unknown."""


class _Fold:
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
        self.held_gate: Gate | None = None
        self.tool_version = self.runner_version = ""
        self.way_back = WAY_BACK_BEFORE
        self.back: tuple[str, ...] | None = ()
        self.changed: tuple[FactChange, ...] = ()
        self.last_change = ""
        self.gates: dict[Gate, GateResult] = {}
        self.overrides: list[Override] = []
        self.users_failed: dict[tuple[int, str], str] = {}
        self.leg_number = 0
        self.finished: RunFinished | None = None
        self.closed = ""
        self.planned = False

    def take(self, recorded: Recorded) -> None:
        self.updated_at = at = recorded.at
        if self._take_question(recorded) or self._take_ground(recorded):
            return
        match recorded.event:
            case RunStarted(plan=plan, by=by, tool_version=version):
                self.plan = self.leg = plan
                self.tool_version = version
                self.by, self.started_at = by, at
            case RunnerStarted() as runner:
                self._begin(runner, at)
            case LegStarted() as leg:
                self._begin_leg(leg, recorded.seq)
            case StepStarted(step=step):
                self.step, self.step_since, self.gates = step, at, {}
                self._wait("the step begins", at)
            case WaitStarted(waiting_for=what, bound=bound):
                if what.split(":")[0] != self.waiting.split(":")[0]:
                    self.waiting_since = at
                self.waiting, self.bound = what, bound
            case GateJudged(result=result):
                self.gates[result.gate] = result
            case UsersFailed() as failed:
                self._take_users(failed)
            case ChangeIntended(change=change):
                self.last_change = describe(change)
                self._take_way_back(self.step)
                self._wait(self.last_change, at)
            case ChangeDone(outcome=outcome):
                self._wait(outcome.detail, at)
            case ChangeFailed(reason=reason):
                self._wait(reason, at)
            case Held(reason=reason, hint=hint, approval=approval, step=step, gate=gate):
                self.state, self.hint = RunState.HELD, hint
                self.approval = step if approval else ""
                self.hold, self.held_gate = recorded.seq, gate
                self._wait(reason, at)
            case Continued():
                self._go_on()
                self._wait("going on", at)
            case GateOverridden(step=step, gate=gate, by=by, reason=reason):
                self.overrides.append(Override(step=step, gate=gate, by=by, reason=reason, at=at))
            case StepDone(step=step):
                self.done.append(step)
                self._take_way_back(step)
                self._wait("the next step", at)
            case RunFinished() as finished:
                self._end(finished)
            case _:
                pass

    def _begin(self, runner: RunnerStarted, at: float) -> None:
        self.runner = runner
        if not (runner.purpose == "resume" and self.purpose == "rollback"):
            self.purpose = runner.purpose  # a rollback that is resumed goes on back
        self.finished, self.planned = None, False
        self.runner_version = runner.version or self.tool_version
        self._go_on()
        self._wait("planning", at)

    def _go_on(self) -> None:
        """Nothing holds the run."""
        self.state, self.hint, self.approval = RunState.RUNNING, "", ""
        self.questions.open, self.hold, self.held_gate = None, 0, None

    def _take_question(self, recorded: Recorded) -> bool:
        """Whether it was an event of a question."""
        before = self.questions.open
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
        self.closed, self.planned = "", True
        self._go_on()
        self.done, self.step, self.changed = [], "", ()

    def _take_users(self, failed: UsersFailed) -> None:
        words = f"{failed_words(failed.users)} in the step {failed.step}"
        self.users_failed[self.leg_number, failed.step] = words

    def _end(self, finished: RunFinished) -> None:
        self.finished, self.state = finished, finished.state
        if self.purpose == "rollback" and not self.planned and finished.state is RunState.FAILED:
            self.closed = finished.reason.splitlines()[0]
        self.waiting, self.waiting_since = "", None
        self.hint = self.approval = ""
        self.questions.open, self.hold, self.held_gate = None, 0, None
        self.changed = ()

    def _wait(self, what: str, at: float) -> None:
        self.waiting, self.waiting_since, self.bound = what, at, 0.0

    def _take_way_back(self, name: str) -> None:
        """From its first change on, a step's own way back is what counts."""
        found = self._step(name)
        if found is not None:
            self.way_back = found.way_back[:1].lower() + found.way_back[1:]
            if self.purpose != "rollback":
                self.back = None if found.back is None else tuple(one.id for one in found.back)

    def way_back_words(self) -> str:
        """What going back takes from here; on a rollback, what is left of it."""
        if self.finished is not None and self.finished.state is RunState.ROLLED_BACK:
            return WAY_BACK_OVER
        if self.closed:
            return f"closed: {self.closed}"
        left = self.way_back_steps()
        if self.purpose != "rollback" or left is None:
            return self.way_back
        if not left:
            return "under way: no step is left"
        steps = "1 step is" if len(left) == 1 else f"{len(left)} steps are"
        return f"under way: {steps} left, {', '.join(left)}"

    def way_back_steps(self) -> tuple[str, ...] | None:
        """The steps back from here; on a way back those that are left."""
        if self.purpose == "rollback" and self.leg is not None:
            return tuple(step.id for step in self.leg.steps if step.id not in self.done)
        return self.back

    def closes(self) -> str:
        """Where the easy way back ends, as long as that lies ahead."""
        steps = self.leg.steps if self.leg and self.purpose != "rollback" else ()
        for index, step in enumerate(steps, 1):
            if step.closes_way_back and step.id not in self.done:
                return f"step {index} of {len(steps)}, {step.id}"
        return ""

    def waits_for(self) -> str:
        """What is waited for, and what became otherwise meanwhile."""
        names = ", ".join(change.name for change in self.changed if change.matters)
        if self.questions.open is not None and self.questions.open.suspended:
            return f"{self.waiting}; suspended now: {self.questions.open.suspended}"
        if not names or not self.waiting:
            return self.waiting
        return f"{self.waiting}; changed since the plan was made: {names}"

    def _step(self, name: str) -> Step | None:
        steps = self.leg.steps if self.leg else ()
        return next((step for step in steps if step.id == name), None)

    def place(self) -> StepPlace | None:
        steps = self.leg.steps if self.leg else ()
        for index, step in enumerate(steps, 1):
            if step.id == self.step:
                return StepPlace(id=step.id, index=index, of=len(steps), title=step.title)
        return None

    def eta(self, now: float) -> Duration | None:
        """What is left; the present step counts for what is left of it."""
        steps = self.leg.steps if self.leg else ()
        left = [step for step in steps if step.id not in self.done]
        if self.finished is not None:
            return None
        under_way = bool(left) and left[0].id == self.step
        return time_left(left, spent=max(0.0, now - self.step_since) if under_way else 0.0)


def status_of(
    run: str,
    events: Sequence[Recorded],
    *,
    now: float,
    runner_alive: bool | None = None,
    asked: Sequence[Request] = (),
) -> RunStatus:
    """Fold a run's events.

    Args:
        run: The run's id.
        events: All of its events, in order.
        now: Seconds since the epoch, for the STALLED verdict.
        runner_alive: Whether the runner's process lives; None: it cannot be told from here (it is
            on another machine), and then what the journal says stands.
        asked: What was asked of the run and no event answers yet.

    Raises:
        LookupError: The journal holds no start.
    """
    fold = _Fold()
    for recorded in events:
        fold.take(recorded)
    plan = fold.leg
    if plan is None:
        raise LookupError("a journal without a start")
    state = fold.state
    working = fold.finished is None and fold.runner is not None
    never_began = fold.runner is None and now - fold.updated_at > RUNNER_BEGINS_WITHIN
    if runner_alive is False and (working or never_began):
        state = RunState.DEAD
    silent = now - (fold.waiting_since or now)
    return RunStatus(
        run=run,
        state=state,
        purpose=fold.purpose,
        to=plan.to.value,
        rings=plan.rings,
        product=plan.product.value,
        cluster=plan.identity.server,
        namespace=plan.identity.namespace,
        release=plan.identity.release,
        account=plan.identity.account,
        region=plan.identity.region,
        by=fold.by,
        step=fold.place(),
        done_steps=tuple(fold.done),
        waiting_for=fold.waits_for(),
        waiting_since=fold.waiting_since,
        stalled=working and bool(fold.bound) and silent > fold.bound,
        hint=_hint(state, fold.hint, run, asked, changed=bool(fold.changed)),
        approval_for=fold.approval,
        question=fold.questions.open if state is RunState.HELD else None,
        hold=fold.hold if state is RunState.HELD else 0,
        held_gate=fold.held_gate,
        leg=fold.leg_number,
        approvals=tuple(fold.questions.approvals),
        hold_asked=next((one.by for one in asked if one.kind is RequestKind.HOLD), ""),
        runner_version=fold.runner_version,
        way_back=fold.way_back_words(),
        way_back_steps=None if fold.closed else fold.way_back_steps(),
        way_back_closes=fold.closes(),
        changed=fold.changed,
        runner_pid=fold.runner.pid
        if working and fold.runner and runner_alive is not False
        else None,
        started_at=fold.started_at,
        updated_at=fold.updated_at,
        last_change=fold.last_change,
        gates=tuple(fold.gates.values()),
        overrides=tuple(fold.overrides),
        users_failed=tuple(fold.users_failed.values()),
        reason=fold.finished.reason if fold.finished else "",
        exit_code=fold.finished.exit_code if fold.finished else None,
        eta=fold.eta(now),
    )


def _hint(
    state: RunState, said: str, run: str, asked: Sequence[Request], *, changed: bool = False
) -> str:
    if changed and state in {RunState.HELD, RunState.RUNNING}:
        return (
            "Going on is refused (exit code 5) while this is so. Put it back and the run goes on as "
            "planned; or `stop` and `resume`, which plans anew; `rollback` goes back."
        )
    ways = f"`mimir-migrate resume {run}` goes on, `rollback {run}` goes back"
    back = next((one for one in asked if one.kind is RequestKind.ROLLBACK), None)
    if back is not None:
        ways = f"{back.by} asked for the way back: `mimir-migrate rollback {run}` goes back, and so does `resume`"
    if state is RunState.DEAD:
        return f"its runner is gone: {ways}; `runs --forget {run}` closes it"
    if state in {RunState.STOPPED, RunState.FAILED}:
        return ways
    return said


def brief(status: RunStatus) -> str:
    """One line for a prompt or a chat: where, what it waits for, the way back."""
    place = (
        f"step {status.step.index}/{status.step.of} {status.step.id}" if status.step else "start"
    )
    words = [f"{status.run} {status.state.value}: {status.release} to {status.to}, {place}"]
    if status.waiting_for:
        words.append(("STALLED, " if status.stalled else "") + f"waits for {status.waiting_for}")
    if status.reason:
        words.append(status.reason.splitlines()[0])
    words += status.users_failed[-1:]
    words.append(f"way back {status.way_back}")
    return "; ".join(words)


def hand_over(status: RunStatus) -> str:
    """A text to paste into a chat: where the run stands and what the next person decides."""
    subject = (
        f"mimir-migrate {status.run}: {', '.join(status.rings)} of {status.release} "
        f"({status.namespace} on {status.cluster}) to {status.to}"
    )
    lines = [
        subject,
        f"state: {status.state.value}"
        + (
            f", step {status.step.index} of {status.step.of}: {status.step.title}"
            if status.step
            else ""
        ),
    ]
    if status.waiting_for:
        lines.append(f"waits for: {status.waiting_for}")
    if status.reason:
        lines.append(f"ended: {status.reason}")
    lines += [f"changed: {change_words(change, short=True)}" for change in status.changed]
    if status.question is not None:
        lines += evidence_lines(status.question.asked, status.question.asked.seen_at)
    lines += [f"users failed: {failed}" for failed in status.users_failed]
    lines.append(f"way back: {status.way_back}")
    if status.way_back_steps:
        lines.append(f"its steps: {', '.join(status.way_back_steps)}")
    if status.way_back_closes:
        lines.append(f"the easy way back ends with {status.way_back_closes}")
    lines.append(f"next: {status.hint or 'nothing to decide now'}")
    return "\n".join(lines)
