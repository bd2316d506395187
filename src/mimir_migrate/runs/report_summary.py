"""The head of a report: verdict, people, wall clock, files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from mimir_migrate.model.changes import WriteFile
from mimir_migrate.model.events import (
    Approved,
    Asked,
    ChangeIntended,
    Continued,
    Held,
    LegStarted,
    QuestionWithdrawn,
    Recorded,
    RunFinished,
    RunnerStarted,
    RunStarted,
    RunState,
)
from mimir_migrate.runs.report_document import Code, Inline
from mimir_migrate.runs.status import RunStatus
from mimir_migrate.words import joined

_SHORT = 12
"""Digits of a checksum that tell one file from another."""


def when(at: float) -> str:
    """A moment for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def summary(events: Sequence[Recorded], status: RunStatus) -> Iterator[Inline]:
    """A line for each thing that whoever reads one minute has to know."""
    yield f"rings: {joined(status.rings)}, {status.led}"
    yield (
        "release ",
        Code(status.release),
        " in namespace ",
        Code(status.namespace),
        " of ",
        Code(status.cluster),
    )
    yield (
        "AWS account ",
        Code(status.account or "unknown"),
        ", region ",
        Code(status.region or "unknown"),
    )
    total = status.updated_at - status.started_at
    waited = waited_for_people(events)
    took = status.scale.words
    of_it = f", of which {took(waited)} waiting for somebody" if waited >= 1 else ""
    yield f"started by {status.by} at {when(status.started_at)}, took {took(total)}{of_it}"
    if status.scale.note:
        yield status.scale.note
    for recorded in events:
        match recorded.event:
            case RunnerStarted(purpose=purpose, by=by) if purpose != "apply":
                yield f"{purpose} by {by} at {when(recorded.at)}"
            case _:
                pass
    if status.reason:
        yield f"ended: {status.reason}"
    if status.state is RunState.DEAD:
        yield f"ended: its runner is gone without a word since {when(status.updated_at)}"
    if status.waiting_for:
        yield status.waits.replace("waits", "waited", status.state is RunState.DEAD)
    yield from (f"rollback {words}" for words in (status.way_back, *status.rollback_lines))
    yield from (f"USERS FAILED: {failed}" for failed in status.users_failed)
    yield (
        f"approvals: {len(status.approvals)}, gates overridden: {len(status.overrides)}; people are "
        "named as their own machines named them"
    )
    yield from _files(events)
    for recorded in events:
        if isinstance(recorded.event, RunStarted):
            yield from (f"note: {note}" for note in recorded.event.plan.notes)


def _files(events: Sequence[Recorded]) -> Iterator[Inline]:
    """Each file that was edited: what it was before the first edit, and what the last one led to."""
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    for recorded in events:
        match recorded.event:
            case ChangeIntended(change=WriteFile(edit=edit)):
                first.setdefault(edit.path, edit.before_sha256)
                last[edit.path] = edit.after_sha256
            case _:
                pass
    for path, before in first.items():
        after = last[path]
        same = "the bytes from before" if before == after else f"sha256 {_short(after)}"
        yield ("file ", Code(path), f": was sha256 {_short(before)}, the last edit led to {same}")


def _short(checksum: str) -> str:
    return f"{checksum[:_SHORT]}…"


def waited_for_people(events: Sequence[Recorded]) -> float:
    """Seconds in which a question or a hold stood."""
    total, since = 0.0, None
    for recorded in events:
        match recorded.event:
            case Asked() | Held():
                since = recorded.at if since is None else since
            case (
                Approved()
                | Continued()
                | LegStarted()  # a rollback answers what stood as well
                | QuestionWithdrawn()
                | RunFinished()
                | RunnerStarted()
            ):
                total += recorded.at - since if since is not None else 0.0
                since = None
            case _:
                pass
    return total
