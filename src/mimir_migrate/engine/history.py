"""What a journal says was done to files, for the rollback to their bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.engine.traffic import failed_words
from mimir_migrate.model.changes import CreateTable, TableSpec, WriteFile
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.events import (
    ChangeDone,
    ChangeFailed,
    ChangeIntended,
    GateJudged,
    GateResult,
    GateWarned,
    HookRan,
    LegStarted,
    Recorded,
    RollbackJudged,
    RunFinished,
    RunnerStarted,
    RunStarted,
    StepDone,
    StepStarted,
    UsersFailed,
    Verdict,
    WayBackFound,
)
from mimir_migrate.model.plan import BackStep, Gate, Plan, Step, change_words
from mimir_migrate.plans.texts import tables_left

_PRESENT_AND_PREVIOUS = 2


def edits_made(
    events: Sequence[Recorded], content: Callable[[str], bytes]
) -> tuple[FileEdit, ...]:
    """Every edit of a file that took place, in order.

    An edit that was intended and of which nothing more is known took place when the file is what
    the edit would have made of it; `content` reads a file by its path.
    """
    made: list[FileEdit] = []
    open_edit: FileEdit | None = None
    for recorded in events:
        match recorded.event:
            case ChangeIntended(change=WriteFile(edit=edit)):
                open_edit = edit
            case ChangeDone() if open_edit is not None:
                made.append(open_edit)
                open_edit = None
            case ChangeFailed():
                open_edit = None
            case ChangeIntended():
                open_edit = None
            case HookRan():
                pass  # it runs beside the run and says nothing of a change
            case _:
                if open_edit is not None and _took_place(open_edit, content):
                    made.append(open_edit)
                open_edit = None
    if open_edit is not None and _took_place(open_edit, content):
        made.append(open_edit)
    return tuple(made)


def _took_place(edit: FileEdit, content: Callable[[str], bytes]) -> bool:
    return file_edits.sha256(content(edit.path)) == edit.after_sha256


def inverses(made: Sequence[FileEdit]) -> tuple[FileEdit, ...]:
    """The edits that take `made` back, in the order in which they must be made."""
    return tuple(file_edits.inverse(edit) for edit in reversed(made))


def first_plan(events: Sequence[Recorded]) -> Plan:
    """The plan that the run was started with."""
    for recorded in events:
        if isinstance(recorded.event, RunStarted):
            return recorded.event.plan
    raise LookupError("a journal without a start")


def last_purpose(events: Sequence[Recorded]) -> str:
    """What the run was last doing: `apply`, `resume` or `rollback`."""
    purpose = "apply"
    for recorded in events:
        if isinstance(recorded.event, LegStarted):
            purpose = recorded.event.purpose
        if isinstance(recorded.event, RunnerStarted) and recorded.event.purpose == "rollback":
            purpose = "rollback"  # also where it died before it could plan its steps
        if isinstance(recorded.event, RunFinished) and recorded.event.state.value == "done":
            purpose = "apply"
    return purpose


def tables_made(events: Sequence[Recorded]) -> tuple[TableSpec, ...]:
    """The tables that a run made, in order; none is deleted by a rollback.

    One whose making was begun and of which nothing more is known may be there: it counts.
    """
    made: dict[str, TableSpec] = {}
    begun: TableSpec | None = None
    for recorded in events:
        match recorded.event:
            case ChangeIntended(change=CreateTable(table=table)):
                begun = made[table.name] = table
            case ChangeFailed() if begun is not None:
                made.pop(begun.name, None)
                begun = None
            case ChangeDone():
                begun = None
            case _:
                pass
    return tuple(made.values())


def tables_surely_made(events: Sequence[Recorded]) -> tuple[TableSpec, ...]:
    """The tables of which the journal has the outcome that this run made them; they were not there before."""
    made: list[TableSpec] = []
    begun: TableSpec | None = None
    for recorded in events:
        match recorded.event:
            case ChangeIntended(change=CreateTable(table=table)):
                begun = table
            case ChangeDone(outcome=outcome) if begun is not None:
                if not outcome.already:
                    made.append(begun)
                begun = None
            case ChangeIntended() | ChangeFailed():
                begun = None
            case _:
                pass
    return tuple(made)


def where_it_was(events: Sequence[Recorded]) -> str:
    """What a run that was rolled back ends with: what it left, besides that all is as before."""
    left = tables_left(tables_made(events))
    said = "everything is where it was before the run"
    return f"{said}; {left}" if left else said


def steps_behind(
    events: Sequence[Recorded], steps: Sequence[Step], *, back: bool
) -> tuple[str, ...]:
    """The steps that earlier runners made on the same way, so that the numbers of a new plan go on.

    A step that is planned again lies ahead. One that comes before those lies behind, also where no
    journal says that it was done: what it leads to was observed.

    Args:
        events: The run's events so far.
        steps: What is planned now.
        back: Whether the way is a rollback's.
    """
    whole: list[str] = []
    done: set[str] = set()
    for recorded in events:
        match recorded.event:
            case LegStarted(purpose=purpose, plan=plan, behind=behind):
                if (purpose == "rollback") is back:
                    whole = [*behind, *(step.id for step in plan.steps)]
                else:
                    whole, done = [], set()
            case StepDone(step=name):
                done.add(name)
            case _:
                pass
    ahead = {step.id for step in steps}
    first = min((whole.index(name) for name in ahead if name in whole), default=0)
    return tuple(
        name
        for place, name in enumerate(whole)
        if name not in ahead and (name in done or place < first)
    )


def is_going_back(events: Sequence[Recorded]) -> bool:
    """Whether the last steps that were planned are those of a rollback."""
    legs = [one.event for one in events if isinstance(one.event, LegStarted)]
    return bool(legs) and legs[-1].purpose == "rollback"


def rollback_planned(
    events: Sequence[Recorded],
) -> tuple[Step | None, tuple[BackStep, ...] | None]:
    """The last step forward of which something was changed, and the rollback that its plan says.

    No step: nothing was changed, so there is nothing to take back.
    """
    leg: Plan | None = None
    last: Step | None = None
    for recorded in events:
        match recorded.event:
            case LegStarted(plan=plan, purpose=purpose):
                leg = None if purpose == "rollback" else plan
            case ChangeIntended(step=name) | StepDone(step=name) if leg is not None:
                last = next((step for step in leg.steps if step.id == name), last)
            case _:
                pass
    return (last, ()) if last is None else (last, last.back)


def users_failed(events: Sequence[Recorded]) -> bool:
    """Whether users' requests failed in the step before the present one, or in this one so far.

    What was approved at the start was approved by somebody who had not seen that.
    """
    begun = 0
    for recorded in reversed(events):
        match recorded.event:
            case UsersFailed(worse=True):
                return True
            case GateJudged(result=result) | GateWarned(result=result):
                if result.gate is Gate.USERS_FINE and result.verdict is Verdict.FAIL:
                    return True
            case StepStarted():
                begun += 1
                if begun == _PRESENT_AND_PREVIOUS:
                    return False
            case _:
                pass
    return False


def users_lost(events: Sequence[Recorded]) -> str:
    """What users lost in the step that was made last, for the question before the next one."""
    for recorded in reversed(events):
        match recorded.event:
            case UsersFailed(step=step, users=users):
                return f"{failed_words(users)} in the step {step}"
            case StepDone():
                continue
            case ChangeIntended():
                return ""
            case _:
                pass
    return ""


def rollback_words(found: WayBackFound) -> str:
    """What became of the rollback that the plan said, for a line of a log."""
    names = ", ".join(found.found) or "nothing to take back"
    if found.same:
        return f"the rollback is the one that the plan said: {names}"
    if found.planned is None:
        return f"the rollback, which the plan did not say: {names}"
    why = "; ".join(change_words(change, short=True) for change in found.changes)
    said = ", ".join(found.planned) or "nothing to take back"
    return f"the rollback is {names}; after {found.step or 'the start'} the plan said {said}" + (
        f"; since then {why}" if why else "; that step is not over"
    )


def judged_words(judged: RollbackJudged) -> str:
    """Whether a rollback could be planned, for a line of a log."""
    if judged.blocked:
        return f"no rollback can be planned from what is observed: {judged.blocked}"
    return "a rollback can be planned again"


def warned_words(result: GateResult) -> str:
    """What a rollback goes past, for a line of a log."""
    return (
        f"the rollback does not wait for {result.gate.value} ({result.verdict.value}): "
        f"{result.summary}"
    )
