"""What a run writes into its journal, and what the operator may ask of it."""

# Longer than 400 lines. A list of the events, data only.

from __future__ import annotations

from enum import StrEnum

import msgspec

from mimir_migrate.model.changes import Change, Outcome
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.facts import Counters, Evidence, Identity
from mimir_migrate.model.hooks import HookPoint
from mimir_migrate.model.plan import Duration, FactChange, Gate, Plan
from mimir_migrate.model.scale import Scale


class Verdict(StrEnum):
    """A check's answer. Unknown blocks like fail."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    UNKNOWN = "unknown"


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """One judgement of one gate on one inspection."""

    gate: Gate
    verdict: Verdict
    summary: str
    evidence: tuple[Evidence, ...] = ()
    at: float = 0.0
    at_once: bool = False
    """Whether good samples are enough: what the gate waits for otherwise cannot come."""


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
    age: float = 0.0
    """Of `stale-heartbeat`: seconds since the last one, by the cluster's clock."""
    window: float = 0.0
    """Of `stale-heartbeat`: seconds that it may be old."""

    def words(self, scale: Scale) -> str:
        """What kind it is, with its detail, for a person."""
        detail = self.detail
        if self.age:
            detail = (
                f"last heartbeat {scale.words(self.age)} ago, window {scale.words(self.window)}"
            )
        return f"{self.kind} {detail}".rstrip()


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


class RequestKind(StrEnum):
    """What the operator may ask of a running run."""

    APPROVE = "approve"
    HOLD = "hold"
    CONTINUE = "continue"
    STOP = "stop"
    """Stop after this step."""
    ROLLBACK = "rollback"
    OVERRIDE = "override"


class RunStarted(msgspec.Struct, frozen=True, kw_only=True, tag="run-started"):
    """The first event of a journal."""

    run: str
    by: str
    host: str
    tool_version: str
    plan: Plan


class CleaningStarted(msgspec.Struct, frozen=True, kw_only=True, tag="cleaning-started"):
    """The first event of a journal of `clean`: what is to be removed, where, and who asked for it."""

    by: str
    host: str
    tool_version: str
    identity: Identity
    names: tuple[str, ...]


class RunnerStarted(msgspec.Struct, frozen=True, kw_only=True, tag="runner-started"):
    """A runner process took the run on."""

    pid: int
    host: str
    by: str
    purpose: str
    """`apply`, `resume` or `rollback`."""
    version: str = ""
    """Of this tool; empty: one that did not say, 0.1.0."""


class LegStarted(msgspec.Struct, frozen=True, kw_only=True, tag="leg-started"):
    """The steps that the runner walks from here on, computed from the observed state."""

    purpose: str
    plan: Plan
    answers: tuple[str, ...] = ()
    """The ids of the requests that this is the answer to."""
    behind: tuple[str, ...] = ()
    """The steps of the same way that lie behind, as earlier runners made them: numbers go on after them."""

    def numbers(self) -> dict[str, int]:
        """Which step of the whole way each step of the plan is, counted from 1."""
        return {
            step.id: number for number, step in enumerate(self.plan.steps, len(self.behind) + 1)
        }

    @property
    def of(self) -> int:
        """How many steps the whole way has."""
        return len(self.behind) + len(self.plan.steps)


class BaselineTaken(msgspec.Struct, frozen=True, kw_only=True, tag="baseline-taken"):
    """The users' counters before the first step, by pod, summed over `seconds`."""

    seconds: float
    rates: Counters


class Counted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one pod had counted of what users ask, as of one moment; see `Counters`."""

    started_at: float | None = None
    """When its process started, in seconds since the epoch, as it says itself."""
    silent: bool = False
    """Whether it was there and did not tell."""
    pushes: float | None = None
    failed_pushes: float | None = None
    queries: float | None = None
    failed_queries: float | None = None
    requests: float | None = None
    server_errors: float | None = None


class StepStarted(msgspec.Struct, frozen=True, kw_only=True, tag="step-started"):
    """A step begins; nothing of it was changed yet."""

    step: str
    counted: dict[str, Counted] = {}
    """What pods had counted for users by then, by uid, for a runner that goes on with the step."""


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


class UsersFailed(msgspec.Struct, frozen=True, kw_only=True, tag="users-failed"):
    """What users asked in a step so far, and how much of it failed; at its end, or as soon as it is seen."""

    step: str
    users: Counters
    worse: bool
    """Whether more failed than the baseline lets expect: then the next step asks first."""
    counted: dict[str, Counted] = {}
    """What pods had counted for users by then, by uid; as in `StepStarted`."""


class Held(msgspec.Struct, frozen=True, kw_only=True, tag="held"):
    """The run waits for the operator. `continue` and `override` name the number of this event."""

    step: str
    reason: str
    hint: str = ""
    gate: Gate | None = None
    approval: bool = False
    """Whether an approval was awaited. Version 0.1.0 asked so; see `Asked`."""
    limit: float = 0.0
    """Seconds after which the runner ends where nobody comes; 0: it does not say."""
    answers: tuple[str, ...] = ()
    """The ids of the requests that this is the answer to."""


class Continued(msgspec.Struct, frozen=True, kw_only=True, tag="continued"):
    """A hold ended."""

    step: str
    by: str
    reason: str = ""
    answers: tuple[str, ...] = ()
    """The ids of the requests that this is the answer to."""


class Asked(msgspec.Struct, frozen=True, kw_only=True, tag="asked"):
    """A step asks for an approval, on this evidence. The number of this event is the question's."""

    step: str
    index: int
    """Which step of the whole way it is, counted from 1."""
    of: int
    title: str
    gates: tuple[GateResult, ...]
    """The judgement of every gate before the change."""
    stores: str
    """The two stores compared, in words."""
    pods: str
    """The pods, in words."""
    seen_at: float
    """When the pods and stores were looked at, in seconds since the epoch."""
    duration: Duration
    """The time that the change takes."""
    rollback: str
    """What rolling back takes once the step is made."""
    back: tuple[str, ...] | None = None
    """The steps of that rollback; None: the plan does not say."""
    instead_of: int = 0
    """The number of the question before it for the same step; 0: there was none."""
    differs: tuple[str, ...] = ()
    """What is otherwise than in that question."""
    limit: float = 0.0
    """Seconds after which the runner ends where nobody answers; 0: it does not say."""


class QuestionSeenAgain(msgspec.Struct, frozen=True, kw_only=True, tag="question-seen-again"):
    """The evidence of a question was looked at again and holds; a suspended question stands again."""

    step: str
    question: int
    resumed: bool = False
    """Whether the question was suspended until now."""


class QuestionSuspended(msgspec.Struct, frozen=True, kw_only=True, tag="question-suspended"):
    """A sample was bad while the question stood: an approval is void until its gates are good again."""

    step: str
    question: int
    why: str


class QuestionWithdrawn(msgspec.Struct, frozen=True, kw_only=True, tag="question-withdrawn"):
    """A question is gone; what answers it is void."""

    step: str
    question: int
    why: str


class Approved(msgspec.Struct, frozen=True, kw_only=True, tag="approved"):
    """A question was answered with yes."""

    step: str
    question: int
    by: str
    reason: str = ""
    beforehand: bool = False
    """Whether it was answered by what was said at the start (`--yes`)."""
    answers: tuple[str, ...] = ()
    """The ids of the requests that this is the answer to."""


class GateOverridden(msgspec.Struct, frozen=True, kw_only=True, tag="gate-overridden"):
    """The operator let one gate pass, once, with a typed reason."""

    step: str
    gate: Gate
    by: str
    reason: str
    result: GateResult | None = None
    when: str = ""
    """`before` or `after` the step's change: the one occurrence that it is valid for."""
    answers: tuple[str, ...] = ()
    """The ids of the requests that this is the answer to."""


class RequestVoid(msgspec.Struct, frozen=True, kw_only=True, tag="request-void"):
    """A request answers nothing that stands: it does not act, now or later."""

    kind: RequestKind
    by: str
    why: str
    step: str = ""
    question: int = 0
    answers: tuple[str, ...] = ()
    """The ids of the requests that this is the answer to."""


class FactsChanged(msgspec.Struct, frozen=True, kw_only=True, tag="facts-changed"):
    """While the run waited, facts that the plan rests on came to be otherwise."""

    step: str
    changes: tuple[FactChange, ...] = ()
    """Empty: they are again what they were."""


class RollbackJudged(msgspec.Struct, frozen=True, kw_only=True, tag="rollback-judged"):
    """Whether a rollback could be planned from what is observed came to be otherwise."""

    step: str
    blocked: str = ""
    """Why none can; empty: one can again."""


class EditsRemade(msgspec.Struct, frozen=True, kw_only=True, tag="edits-remade"):
    """A file was edited and says the same; the edits that are left were made again around it."""

    step: str
    paths: tuple[str, ...]


class GateWarned(msgspec.Struct, frozen=True, kw_only=True, tag="gate-warned"):
    """A gate that a rollback does not wait for was not good before a step."""

    step: str
    result: GateResult


class WayBackFound(msgspec.Struct, frozen=True, kw_only=True, tag="way-back-found"):
    """The rollback was asked for: what the plan said it would be, and what it is."""

    step: str
    """The last step of which something was changed; empty: none was."""
    planned: tuple[str, ...] | None
    """The steps that the plan names; None: it does not say."""
    found: tuple[str, ...]
    same: bool
    changes: tuple[FactChange, ...] = ()
    """What is not as it was to be where the plan's rollback begins."""


class HookRan(msgspec.Struct, frozen=True, kw_only=True, tag="hook-ran"):
    """A command of the target's `[hooks]` ended, or was ended."""

    step: str
    point: HookPoint
    code: int | None
    """Its exit code; None: it was ended after its limit, or could not be started."""
    seconds: float
    tail: str = ""
    """The end of what it said, secrets taken out."""


class FilesBroughtUp(msgspec.Struct, frozen=True, kw_only=True, tag="files-brought-up"):
    """A run of another machine goes on here: its edits are made in this machine's copies of the files."""

    edits: tuple[FileEdit, ...]


class RunFinished(msgspec.Struct, frozen=True, kw_only=True, tag="run-finished"):
    """The runner ends; a later one may go on."""

    state: RunState
    reason: str
    exit_code: int
    answers: tuple[str, ...] = ()
    """The ids of the requests that this is the answer to."""


Event = (
    RunStarted
    | CleaningStarted
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
    | UsersFailed
    | Held
    | Continued
    | Asked
    | QuestionSeenAgain
    | QuestionSuspended
    | QuestionWithdrawn
    | Approved
    | RequestVoid
    | GateOverridden
    | FactsChanged
    | RollbackJudged
    | EditsRemade
    | GateWarned
    | WayBackFound
    | HookRan
    | FilesBroughtUp
    | RunFinished
)


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the journal holds it."""

    seq: int
    at: float
    event: Event


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One thing asked of a run, by whom, and what it answers."""

    kind: RequestKind
    by: str
    reason: str = ""
    gate: Gate | None = None
    run: str = ""
    """The run it was meant for; empty: version 0.1.0 left it, which did not say. It is void then."""
    leg: int = 0
    """The number of the leg's first event when it was asked; 0: before the first leg."""
    step: str = ""
    """The step that the run was at; empty: before the first, or any."""
    question: int = 0
    """The number of the `Asked` or `Held` that it answers; 0: none, it stands on its own."""
    seconds: float = 0.0
    """For a hold: how long it may last; 0: as long as a hold lasts by default."""
    id: str = ""
    """Given by the journal when the request is left; see `answers` of the events."""


def answers_of(event: Event) -> tuple[str, ...]:
    """The ids of the requests that an event answers."""
    answers: tuple[str, ...] = getattr(event, "answers", ())
    return answers
