"""A run's journal folded into what the Run screen shows; events are fed as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec

from mimir_migrate.durations import clock_words
from mimir_migrate.engine import traffic
from mimir_migrate.engine.history import warned_words
from mimir_migrate.engine.traffic import failed_words
from mimir_migrate.model.changes import Deploy, describe
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
    StepDone,
    StepStarted,
    UsersFailed,
    Verdict,
    WaitStarted,
    WayBackFound,
)
from mimir_migrate.model.plan import Gate, Plan, Step, StepKind, change_words
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.runs.story import question_words, told
from mimir_migrate.runs.waiting import Waits
from mimir_migrate.screens.plan_views import chosen_counted
from mimir_migrate.widgets.text import Line, Span, plain

KEPT_LINES = 2000
"""Lines of the log that are kept; the journal has them all."""


class StepProgress(msgspec.Struct):
    """How far one step of a leg is."""

    step: Step
    number: int
    """Which step of the whole way it is, counted from 1."""
    started_at: float | None = None
    done_at: float | None = None
    waited: float = 0.0
    """Seconds in which it waited for somebody; while it goes on, those of the whole run before it."""
    changed: bool = False
    """Whether a change of it was begun."""
    checkpoints: list[tuple[str, str, str]] = []
    """What happened in it: sign's name, text, style."""

    @property
    def took(self) -> float | None:
        """Seconds without what it waited for somebody; None: it is not over, or its journal does not tell."""
        if self.started_at is None or self.done_at is None:
            return None
        return self.done_at - self.started_at - self.waited


class Leg(msgspec.Struct):
    """The steps that a runner walked or walks, computed from one observed state."""

    purpose: str
    plan: Plan
    steps: list[StepProgress]


def progress_of(plan: Plan, behind: int = 0) -> list[StepProgress]:
    """The steps of a plan before any is made; `behind` were made by earlier runners."""
    return [
        StepProgress(step=step, number=number, checkpoints=[])
        for number, step in enumerate(plan.steps, behind + 1)
    ]


class RunBook:
    """Reads events one after the other and remembers what there is to show."""

    def __init__(self) -> None:
        self.seq = 0
        self.legs: list[Leg] = []
        self.started: RunStarted | None = None
        self.baseline: BaselineTaken | None = None
        self.judged: dict[tuple[str, Gate], tuple[float, GateJudged]] = {}
        """The latest judgement of each gate before and after the present step's change, with its time."""
        self.latest: dict[Gate, tuple[float, GateJudged]] = {}
        """The latest judgement of each gate in any step, with its time."""
        self.held_gate: Gate | None = None
        self.step = ""
        self.deploying = False
        """Whether the present step's deploy was begun, so that its rollout may be under way."""
        self.changed_at = 0.0
        """When something was changed last; 0: nothing was."""
        self.failed_at = 0.0
        """When more of users' requests were seen to have failed last; 0: they were not."""
        self.counted_at = 0.0
        """When what users lost was counted last; 0: it never was."""
        self.counts_on = False
        """Whether the last count is of the step under way, in which more may have failed since."""
        self._failed: tuple[float, ...] = ()
        self.ended_at = 0.0
        """When the last runner ended; 0: one may be at work."""
        self.waits = Waits()
        self.log: list[Line] = []

    def read(self, events: Sequence[Recorded]) -> bool:
        """Take further events; whether there were any."""
        fresh = [recorded for recorded in events if recorded.seq > self.seq]
        for recorded in fresh:
            self.seq = recorded.seq
            self.waits.take(recorded)
            self._take(recorded)
            self.log.append(log_line(recorded, self.scale, self.plan.rings if self.plan else ()))
        del self.log[:-KEPT_LINES]
        return bool(fresh)

    @property
    def leg(self) -> Leg | None:
        """The leg that is walked now."""
        return self.legs[-1] if self.legs else None

    @property
    def plan(self) -> Plan | None:
        """The plan of the present leg, else the one that the run was started with."""
        if self.legs:
            return self.legs[-1].plan
        return self.started.plan if self.started else None

    @property
    def scale(self) -> Scale:
        """How durations of the run's cluster are shown."""
        return self.plan.target.scale if self.plan else TRUE_TIME

    def present(self) -> StepProgress | None:
        """The step under way, or the last one that was."""
        leg = self.leg
        if leg is None:
            return None
        return next((each for each in leg.steps if each.step.id == self.step), None)

    @property
    def rolls(self) -> bool:
        """Whether a rollout is under way, as far as the journal says."""
        here = self.present()
        return (
            self.deploying
            and here is not None
            and here.done_at is None
            and here.step.kind is StepKind.ROLLOUT
        )

    @property
    def rollout_over(self) -> bool:
        """Whether every pod was seen with what the present step deployed, as its gate judged last."""
        found = self.judged.get(("after", Gate.ROLLOUT_OVER))
        return found is not None and found[1].result.verdict is Verdict.PASS

    @property
    def place(self) -> tuple[int, str]:
        """Which step of which leg is under way."""
        return len(self.legs), self.step

    def _take(self, recorded: Recorded) -> None:  # noqa: PLR0915 - an arm for each event, all in one place
        event, at = recorded.event, recorded.at
        match event:
            case RunStarted():
                self.started = event
            case LegStarted(purpose=purpose, plan=plan):
                steps = progress_of(plan, len(event.behind))
                self.legs.append(Leg(purpose=purpose, plan=plan, steps=steps))
                self.deploying, self.ended_at, self.counts_on = False, 0.0, False
                self.step, self.judged = "", {}
            case BaselineTaken():
                self.baseline = event
            case StepStarted(step=step):
                self.step, self.judged = step, {}
                self.deploying = False
                if (here := self.present()) is not None:
                    here.started_at, here.waited = at, self.waits.until(at)
            case StepDone():
                self.changed_at, self.counts_on = at, False
                if (here := self.present()) is not None:
                    here.done_at, here.waited = at, self.waits.until(at) - here.waited
            case GateJudged(result=result):
                self.judged[event.when, result.gate] = self.latest[result.gate] = (at, event)
                if event.good_samples:
                    self._note("good", f"{result.gate.value} passed: {result.summary}", "good")
            case GateOverridden(gate=gate, by=by, reason=reason):
                self.held_gate = None
                self._note("warn", f"{gate.value} overridden by {by}: {reason}", "warn")
            case UsersFailed(users=users):
                self.counted_at, self.counts_on = at, True
                failed = traffic.failures(users)
                if failed != self._failed:
                    self._failed, self.failed_at = failed, at
                self._note("bad", f"{failed_words(users)} in this step so far", "bad")
            case ChangeIntended(change=change):
                if (here := self.present()) is not None:
                    here.changed = True
                self.deploying = self.deploying or isinstance(change, Deploy)
                self.changed_at = at
                self._note("now", describe(change), "")
            case ChangeDone(outcome=outcome):
                self.changed_at = at
                self._note("good", outcome.detail, "good")
            case ChangeFailed(reason=reason):
                self._note("bad", reason, "bad")
            case Asked() | QuestionSuspended() | QuestionWithdrawn() | Approved() | RequestVoid():
                style = "good" if isinstance(event, Approved) else "warn"
                sign = {"good": "good", "warn": "held"}[style]
                self._note(sign, question_words(event, at), style)
            case Held(reason=reason, gate=gate):
                self.held_gate = gate
                self._note("held", reason, "warn")
            case Continued(by=by):
                self.held_gate = None
                self._note("now", f"continued: {by}", "")
            case FactsChanged(changes=changes):
                for fact in changes:
                    self._note("bad", change_words(fact, short=True), "bad")
            case GateWarned(result=result):
                self._note("warn", warned_words(result), "warn")
            case RunFinished():
                self.held_gate, self.ended_at = None, at
            case (
                RunnerStarted()
                | WaitStarted()
                | QuestionSeenAgain()
                | RollbackJudged()
                | EditsRemade()
                | WayBackFound()
                | CleaningStarted()
                | HookRan()
                | FilesBroughtUp()
            ):
                pass  # the log and the header say them; nothing of them stands at a step
            case never:
                assert_never(never)

    def _note(self, sign: str, text: str, style: str) -> None:
        here = self.present()
        if here is not None:
            here.checkpoints.append((sign, text, style))


def log_line(recorded: Recorded, scale: Scale = TRUE_TIME, rings: Sequence[str] = ()) -> Line:
    """An event as one line of the log; the chosen rings are named where a leg begins, and counted after it."""
    said = told(recorded, scale)
    named = isinstance(recorded.event, LegStarted)
    words = said.line if named else chosen_counted(said.line, rings)
    step = getattr(recorded.event, "step", "")
    head = f"{clock_words(recorded.at)} "
    return (
        Span(head, "dim"),
        Span(f"{plain(step)}: " if step else "", "key"),
        Span(plain(words), said.tone),
    )
