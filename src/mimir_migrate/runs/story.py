"""What a run was asked and what was answered, in words: the same for the log, the report and the app."""

from __future__ import annotations

from mimir_migrate.durations import clock_words, format_duration
from mimir_migrate.model.events import (
    Approved,
    Asked,
    Event,
    GateResult,
    QuestionSeenAgain,
    QuestionSuspended,
    QuestionWithdrawn,
    RequestVoid,
    Verdict,
)
from mimir_migrate.model.plan import Duration


def question_words(event: Event, at: float = 0.0) -> str:
    """An event of a question in one line; empty: it is about something else, or says nothing new."""
    match event:
        case Asked(step=step, index=index, of=of, instead_of=before, differs=differs):
            again = ""
            if before:
                again = f", in place of question {before}"
                again += f"; what differs: {'; '.join(differs)}" if differs else ""
            return f"approval awaited: step {index} of {of}, {step}{again}"
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


def evidence_lines(asked: Asked, now: float) -> tuple[str, ...]:
    """What a question rests on, a line each."""
    passed = [one.gate.value for one in asked.gates if one.verdict is Verdict.PASS]
    others = [one for one in asked.gates if one.verdict is not Verdict.PASS]
    age = max(0, round(now - asked.seen_at))
    lines = [f"stores   {asked.stores} (seen {age} s ago)", f"pods     {asked.pods}"]
    lines.append(f"gates    pass: {', '.join(passed) or 'none'}")
    lines += [f"         {_overridden(one)}" for one in others]
    lines.append(f"takes    {_range(asked.duration)} ({asked.duration.basis})")
    back = f" Steps: {', '.join(asked.back)}." if asked.back else ""
    lines.append(f"rollback {asked.rollback}{back}")
    lines += [f"differs  {one}" for one in asked.differs]
    return tuple(lines)


def _overridden(result: GateResult) -> str:
    return f"overridden: {result.gate.value} is {result.verdict.value}: {result.summary}"


def _range(duration: Duration) -> str:
    return f"{format_duration(round(duration.low))} to {format_duration(round(duration.high))}"
