"""What a journal says was done to files, for the way back to their bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.model.changes import WriteFile
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.events import (
    ChangeDone,
    ChangeFailed,
    ChangeIntended,
    LegStarted,
    Recorded,
    RunFinished,
    RunnerStarted,
    RunStarted,
)
from mimir_migrate.model.plan import Plan


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
