"""The words of every event, once: whoever follows a run, its report and the app's log say the same.

An event without words here is an error of types: `told` handles each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import assert_never

import msgspec

from mimir_migrate.durations import clock_words
from mimir_migrate.engine.history import judged_words, rollback_words, warned_words
from mimir_migrate.engine.journals.hooked import hook_words
from mimir_migrate.engine.traffic import failed_words
from mimir_migrate.model.changes import describe
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
    Event,
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
    StepDone,
    StepStarted,
    UsersFailed,
    Verdict,
    WaitStarted,
    WayBackFound,
)
from mimir_migrate.model.plan import Gate, change_words
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.words import counted, placed


class Tone(StrEnum):
    """How an event is said; the styles of the app have these names."""

    PLAIN = ""
    QUIET = "dim"
    STRONG = "strong"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


class Told(msgspec.Struct, frozen=True):
    """What an event says, beside its step's name and its time."""

    words: str
    tone: Tone = Tone.PLAIN
    more: tuple[str, ...] = ()
    """What stands under it, where there is room."""

    @property
    def line(self) -> str:
        """All of it in one line."""
        return "; ".join((self.words, *self.more)) if self.more else self.words


_TONE_OF = {Verdict.PASS: Tone.GOOD, Verdict.FAIL: Tone.BAD, Verdict.UNKNOWN: Tone.UNKNOWN}


def told(recorded: Recorded, scale: Scale = TRUE_TIME) -> Told:
    """An event in words; `scale` is that of the run's target."""
    event = recorded.event
    match event:
        case RunStarted(by=by, host=host, plan=plan, tool_version=version):
            return Told(
                f"the run was begun by {by} on {host}, to {plan.end.value}, with mimir-migrate {version}"
            )
        case CleaningStarted(by=by, host=host, names=named):
            return Told(f"{by} on {host} removes {', '.join(named)}")
        case RunnerStarted(pid=pid, host=host, purpose=purpose, by=by):
            return Told(f"a runner took it on to {purpose}, process {pid} on {host}, {by}")
        case LegStarted(purpose=purpose, plan=plan):
            names = ", ".join(step.id for step in plan.steps) or "none"
            return Told(f"{purpose}: {', '.join(plan.rings)} to {plan.end.value}; steps: {names}")
        case BaselineTaken(seconds=seconds):
            over = scale.words(seconds)
            return Told(f"baseline of what users see, taken over {over}")
        case StepStarted():
            return Told("begins", Tone.STRONG)
        case StepDone():
            return Told("done", Tone.GOOD)
        case WaitStarted(waiting_for=what):
            return Told(f"waits for {what}", Tone.QUIET)
        case GateJudged():
            return _judged(event, scale)
        case ChangeIntended(change=change):
            return Told(f"will {describe(change)}")
        case ChangeDone(outcome=outcome):
            return Told(outcome.detail, Tone.GOOD)
        case ChangeFailed(reason=reason):
            return Told(f"FAILED: {reason}", Tone.BAD)
        case UsersFailed(users=users):
            return Told(f"USERS FAILED: {failed_words(users)} in this step so far", Tone.BAD)
        case Held(reason=reason, hint=hint, approval=approval):
            head = "APPROVAL AWAITED" if approval else "HELD"
            return Told(f"{head}: {reason}", Tone.WARN, (hint,) if hint else ())
        case Continued(by=by, reason=reason):
            return Told(f"continued by {by}" + (f": {reason}" if reason else ""))
        case RunFinished(state=state, reason=reason):
            # A reason that begins with the state's word says both.
            said = reason if reason.startswith(state.value) else f"{state.value}: {reason}"
            return Told(said, Tone.STRONG)
        case _:
            return _told_meanwhile(event, recorded.at)


_Meanwhile = (
    Asked
    | QuestionSeenAgain
    | QuestionSuspended
    | QuestionWithdrawn
    | Approved
    | RequestVoid
    | GateOverridden
    | GateWarned
    | FactsChanged
    | RollbackJudged
    | EditsRemade
    | WayBackFound
    | HookRan
    | FilesBroughtUp
)
"""What happens beside the steps themselves."""


def _told_meanwhile(event: _Meanwhile, at: float) -> Told:
    match event:
        case Asked() | QuestionSuspended() | QuestionWithdrawn() | RequestVoid():
            return Told(question_words(event, at), Tone.WARN)
        case QuestionSeenAgain():
            return Told(question_words(event, at) or "its evidence was seen again", Tone.QUIET)
        case Approved():
            return Told(question_words(event, at), Tone.GOOD)
        case GateOverridden(gate=gate, by=by, reason=reason, when=when):
            place = f", {when} the change" if when else ""
            return Told(f"{gate.value} OVERRIDDEN once{place} by {by}: {reason}", Tone.WARN)
        case GateWarned(result=result):
            return Told(warned_words(result), Tone.WARN)
        case FactsChanged(changes=changes):
            if not changes:
                return Told("everything is again what the plan rests on", Tone.GOOD)
            more = tuple(change_words(change, short=True) for change in changes)
            return Told("CHANGED since the plan was made; going on is refused", Tone.BAD, more)
        case RollbackJudged(blocked=blocked):
            return Told(judged_words(event), Tone.WARN if blocked else Tone.GOOD)
        case EditsRemade(paths=paths):
            return Told(
                f"{', '.join(paths)} was edited and says the same; the edits were made again"
            )
        case WayBackFound(same=same):
            return Told(rollback_words(event), Tone.PLAIN if same else Tone.WARN)
        case FilesBroughtUp(edits=edits):
            files = ", ".join(dict.fromkeys(edit.path for edit in edits))
            return Told(f"the run's edits are made in this machine's copy of {files}")
        case HookRan(code=code):
            return Told(hook_words(event), Tone.WARN if code != 0 else Tone.QUIET)
        case _:
            assert_never(event)


def _judged(event: GateJudged, scale: Scale) -> Told:
    result = event.result
    name, verdict = result.gate.value, verdict_words(result, waiting=True)
    tone = Tone.WARN if verdict == NOT_YET else _TONE_OF[result.verdict]
    if event.good_samples:
        over = scale.words(event.window)
        verdict = f"passed, {counted(event.good_samples, 'good sample')} over {over}"
    return Told(f"{name} {verdict}: {result.summary}", tone)


NOT_YET = "not yet"
"""What is said of a gate that a run waits for, while its time lasts."""


def verdict_words(result: GateResult, *, waiting: bool) -> str:
    """A gate's verdict in words.

    Args:
        result: The judgement.
        waiting: Whether the run only waits for it. What a change brings about is not there at once, and is
            no failure then; what users lost is one from the first sample on.
    """
    waits = result.verdict is Verdict.FAIL and result.gate is not Gate.USERS_FINE
    return NOT_YET if waiting and waits else result.verdict.value


def unfinished_words(*, changed: bool) -> str:
    """What is said of a step that began and was left, by whether a change of it was begun."""
    return "not finished" if changed else "not made"


def question_words(event: Event, at: float = 0.0) -> str:
    """An event of a question in one line; empty: it is about something else, or says nothing new."""
    match event:
        case Asked(step=step, index=index, of=of, instead_of=before, differs=differs):
            again = ""
            if before:
                again = ", in place of the question before"
                again += f"; what differs: {'; '.join(differs)}" if differs else ""
            return f"approval awaited: {placed(step, index, of)}{again}"
        case QuestionSuspended(step=step, why=why):
            return f"the question of {step} is suspended, an approval is void now: {why}"
        case QuestionSeenAgain(step=step, resumed=True):
            return f"the question of {step} stands again"
        case QuestionWithdrawn(step=step, why=why):
            return f"the question of {step} was withdrawn: {why}"
        case Approved() as approved:
            return approved_words(approved, at)
        case RequestVoid(kind=kind, by=by, why=why):
            return f"`{kind.value}` of {by} is void: {why}"
        case _:
            return ""


def approved_words(approved: Approved, at: float) -> str:
    """Who approved what, when: `approved switch: ana@bastion, 14:03:12`."""
    how = ", approved beforehand at start" if approved.beforehand else ""
    why = f" ({approved.reason})" if approved.reason else ""
    return f"approved {approved.step}: {approved.by}, {clock_words(at)}{how}{why}"


def evidence_lines(asked: Asked, now: float, scale: Scale = TRUE_TIME) -> tuple[str, ...]:
    """What a question rests on, a line each; its age is the operator's, the rest the cluster's time.

    What the step and its rollback take stands first: in a low window the rest is what has to be scrolled to.
    """
    passed = [one.gate.value for one in asked.gates if one.verdict is Verdict.PASS]
    others = [one for one in asked.gates if one.verdict is not Verdict.PASS]
    age = scale.age_words(round(now - asked.seen_at))
    lines = [f"rollback {asked.rollback[:1].lower()}{asked.rollback[1:]}"]
    if asked.back:
        lines.append(f"         {takes_words(asked.back)}")
    lines.append(f"takes    {asked.duration.words(scale)} ({asked.duration.basis})")
    lines += [f"differs  {one}" for one in asked.differs]
    lines += [f"stores   {asked.stores} (seen {age})", f"pods     {asked.pods}"]
    lines.append(f"gates    pass: {', '.join(passed) or 'none'}")
    lines += [f"         {_overridden(one)}" for one in others]
    return tuple(lines)


def takes_words(back: Sequence[str]) -> str:
    """The steps that a rollback would take, which are none of the run's own, whatever their names."""
    many = counted(len(back), "step") if len(back) > 1 else "step"
    return f"takes its own {many}: {', '.join(back)}"


def _overridden(result: GateResult) -> str:
    return f"overridden: {result.gate.value} is {result.verdict.value}: {result.summary}"
