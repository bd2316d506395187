"""What a run writes into its journal, and what the operator may ask of it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from mimir_migrate.model.changes import Change, Outcome
from mimir_migrate.model.facts import Counters, Evidence
from mimir_migrate.model.plan import FactChange, Gate, Plan


class Verdict(StrEnum):
    """A check's answer. Unknown blocks like fail."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNKNOWN = "unknown"


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """One judgement of one gate on one inspection."""

    gate: Gate
    verdict: Verdict
    summary: str
    evidence: tuple[Evidence, ...] = ()
    at: float = 0.0


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which the two stores, or a pod's view, are not what they should be."""

    ring: str
    pod: str
    """The pod whose view it is; empty for DynamoDB's own content."""
    store: str
    member: str
    kind: str
    """`missing`, `extra`, `address`, `state`, `zone`, `tokens`, `read-only`, `registered`,
    `stale-heartbeat`, `dead-address`; `unreadable`: the source says what cannot be read, so that
    whether there is a difference is not known."""
    detail: str = ""


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    HELD = "held"
    """Waits for the operator; nothing is changed meanwhile."""
    STOPPED = "stopped"
    """Ended between two steps on request; it can be resumed."""
    FAILED = "failed"
    DONE = "done"
    ROLLED_BACK = "rolled-back"
    CLOSED = "closed"
    """Ended by `runs --forget`, wherever it stood; it no longer counts as unfinished."""
    DEAD = "dead"
    """Its runner is gone without a word; it can be resumed."""


class RunStarted(msgspec.Struct, frozen=True, kw_only=True, tag="run-started"):
    """The first event of a journal."""

    run: str
    by: str
    host: str
    tool_version: str
    plan: Plan


class RunnerStarted(msgspec.Struct, frozen=True, kw_only=True, tag="runner-started"):
    """A runner process took the run on."""

    pid: int
    host: str
    by: str
    purpose: str
    """`apply`, `resume` or `rollback`."""


class LegStarted(msgspec.Struct, frozen=True, kw_only=True, tag="leg-started"):
    """The steps that the runner walks from here on, computed from the observed state."""

    purpose: str
    plan: Plan
    answers: tuple[str, ...] = ()
    """The ids of the requests that this is the answer to."""


class BaselineTaken(msgspec.Struct, frozen=True, kw_only=True, tag="baseline-taken"):
    """The users' counters before the first step, by pod, summed over `seconds`."""

    seconds: float
    rates: Counters


class StepStarted(msgspec.Struct, frozen=True, kw_only=True, tag="step-started"):
    """A step begins; nothing of it was changed yet."""

    step: str


class WaitStarted(msgspec.Struct, frozen=True, kw_only=True, tag="wait-started"):
    """The runner waits for something outside; `bound` is when it becomes STALLED, in seconds."""

    step: str
    waiting_for: str
    bound: float


class GateJudged(msgspec.Struct, frozen=True, kw_only=True, tag="gate-judged"):
    """A gate passed, or its verdict changed while it was waited for."""

    step: str
    when: str
    """`before` or `after`."""
    result: GateResult
    good_samples: int
    window: float


class ChangeIntended(msgspec.Struct, frozen=True, kw_only=True, tag="change-intended"):
    """Written before a change touches anything."""

    step: str
    change: Change


class ChangeDone(msgspec.Struct, frozen=True, kw_only=True, tag="change-done"):
    """Written after the result of a change was observed."""

    step: str
    outcome: Outcome


class ChangeFailed(msgspec.Struct, frozen=True, kw_only=True, tag="change-failed"):
    """A change ended with an error."""

    step: str
    reason: str


class StepDone(msgspec.Struct, frozen=True, kw_only=True, tag="step-done"):
    """A step and its gates are through."""

    step: str
    heartbeat: float | None = None
    """Seconds between two heartbeats of the slowest chosen ring, as pods say; None: not known."""
    poll: float = 0.0
    """Seconds until every reader has read DynamoDB again."""


class Held(msgspec.Struct, frozen=True, kw_only=True, tag="held"):
    """The run waits for the operator."""

    step: str
    reason: str
    hint: str = ""
    gate: Gate | None = None
    approval: bool = False
    answers: tuple[str, ...] = ()
    """The ids of the requests that this is the answer to."""


class Continued(msgspec.Struct, frozen=True, kw_only=True, tag="continued"):
    """A hold ended."""

    step: str
    by: str
    reason: str = ""
    answers: tuple[str, ...] = ()
    """The ids of the requests that this is the answer to."""


class GateOverridden(msgspec.Struct, frozen=True, kw_only=True, tag="gate-overridden"):
    """The operator let one gate pass, once, with a typed reason."""

    step: str
    gate: Gate
    by: str
    reason: str
    result: GateResult | None = None
    answers: tuple[str, ...] = ()
    """The ids of the requests that this is the answer to."""


class FactsChanged(msgspec.Struct, frozen=True, kw_only=True, tag="facts-changed"):
    """While the run waited, facts that the plan rests on came to be otherwise."""

    step: str
    changes: tuple[FactChange, ...] = ()
    """Empty: they are again what they were."""


class EditsRemade(msgspec.Struct, frozen=True, kw_only=True, tag="edits-remade"):
    """A file was edited and says the same; the edits that are left were made anew around it."""

    step: str
    paths: tuple[str, ...]


class GateWarned(msgspec.Struct, frozen=True, kw_only=True, tag="gate-warned"):
    """A gate that a way back does not wait for was not good before a step."""

    step: str
    result: GateResult


class WayBackFound(msgspec.Struct, frozen=True, kw_only=True, tag="way-back-found"):
    """The way back was asked for: what the plan said it would be, and what it is."""

    step: str
    """The last step of which something was changed; empty: none was."""
    planned: tuple[str, ...] | None
    """The steps that the plan names; None: it does not say."""
    found: tuple[str, ...]
    same: bool
    changes: tuple[FactChange, ...] = ()
    """What is not as it was to be where the plan's way back begins."""


class RunFinished(msgspec.Struct, frozen=True, kw_only=True, tag="run-finished"):
    """The runner ends; a later one may go on."""

    state: RunState
    reason: str
    exit_code: int
    answers: tuple[str, ...] = ()
    """The ids of the requests that this is the answer to."""


Event = (
    RunStarted
    | RunnerStarted
    | LegStarted
    | BaselineTaken
    | StepStarted
    | WaitStarted
    | GateJudged
    | ChangeIntended
    | ChangeDone
    | ChangeFailed
    | StepDone
    | Held
    | Continued
    | GateOverridden
    | FactsChanged
    | EditsRemade
    | GateWarned
    | WayBackFound
    | RunFinished
)


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the journal holds it."""

    seq: int
    at: float
    event: Event


class RequestKind(StrEnum):
    """What the operator may ask of a running run."""

    APPROVE = "approve"
    HOLD = "hold"
    CONTINUE = "continue"
    STOP = "stop"
    """Stop after this step."""
    ROLLBACK = "rollback"
    OVERRIDE = "override"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One thing asked of a run, by whom."""

    kind: RequestKind
    by: str
    reason: str = ""
    gate: Gate | None = None
    step: str = ""
    """For an approval: the step that is approved; empty: the one that waits."""
    id: str = ""
    """Given by the journal when the request is left; see `answers` of the events."""


def answers_of(event: Event) -> tuple[str, ...]:
    """The ids of the requests that an event answers."""
    match event:
        case LegStarted() | Held() | Continued() | GateOverridden() | RunFinished():
            return event.answers
        case _:
            return ()
