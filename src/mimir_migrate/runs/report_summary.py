"""The head of a report: verdict, people, wall clock, files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from mimir_migrate.model.changes import WriteFile
from mimir_migrate.model.events import (
    ChangeIntended,
    Recorded,
    RunnerStarted,
    RunStarted,
    RunState,
)
from mimir_migrate.model.scale import Scale
from mimir_migrate.runs.report_document import Code, Inline
from mimir_migrate.runs.status import RunStatus
from mimir_migrate.runs.waiting import (
    LEAST_BESIDES,
    seconds_in_steps,
    waited_for_people,
    waited_words,
)
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
    took = _took_words(events, total - waited, status.scale)
    took += waited_words(waited, status.scale, before=", ")
    yield f"started by {status.by} at {when(status.started_at)}, took {took}"
    if status.scale.note:
        yield f"{status.scale.note}; times of day, and how long somebody was waited for, are this machine's"
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
    yield from (f"USERS FAILED: {failed}" for failed in status.users_lost)
    yield (
        f"approvals: {len(status.approvals)}, gates overridden: {len(status.overrides)}; people are "
        "named as their own machines named them"
    )
    yield from _files(events)
    for recorded in events:
        if isinstance(recorded.event, RunStarted):
            yield from (f"note: {note}" for note in recorded.event.plan.notes)


def _took_words(events: Sequence[Recorded], seconds: float, scale: Scale) -> str:
    """What a run took, and what of it lies in its steps: the times of the steps do not add up to the whole."""
    in_steps, whole = seconds_in_steps(events)
    besides = seconds - in_steps
    worked = scale.words(max(0.0, seconds))
    if not in_steps or besides < LEAST_BESIDES:
        return worked
    within = "in its steps" if whole else "in its finished steps"
    beyond = "before and between them" if whole else "besides"
    return f"{worked}: {scale.words(in_steps)} {within}, {scale.words(besides)} {beyond}"


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
