"""The copy of a journal: bounded, whole where it matters, and readable on another machine."""

from __future__ import annotations

import msgspec
import pytest
from quick_world import QuickWorld

from mimir_migrate.documents.journal_copy import (
    LEFT_OUT,
    PART,
    PARTS,
    JournalCopy,
    decode,
    encode,
    localised,
    secret_names,
    split,
)
from mimir_migrate.engine.history import first_plan
from mimir_migrate.errors import DocumentError, ExitCode
from mimir_migrate.model.changes import WriteFile
from mimir_migrate.model.events import (
    ChangeIntended,
    LegStarted,
    Recorded,
    RunStarted,
    StepDone,
    WaitStarted,
)

DROPPABLE = {"GateJudged", "WaitStarted", "QuestionSeenAgain", "BaselineTaken"}


@pytest.fixture(scope="module")
def events() -> tuple[Recorded, ...]:
    """A run that reached its end."""
    world = QuickWorld()
    assert world.run(world.start()) is ExitCode.DONE
    return tuple(world.journal.events())


def copy_of(events: tuple[Recorded, ...]) -> JournalCopy:
    return JournalCopy(run="20260101-000000-aaaa", created_at=1.0, by="ana@bastion", events=events)


def test_what_fits_is_read_back_as_it_was(events: tuple[Recorded, ...]) -> None:
    """Event for event."""
    copy = copy_of(events)
    assert decode(encode(copy)) == copy


@pytest.mark.parametrize("part", [0.97, 0.93, 0.88])
def test_where_it_does_not_fit_gates_lose_words_and_intents_never_do(
    events: tuple[Recorded, ...], part: float
) -> None:
    """The oldest first; each event keeps its number and its time, so that nothing else moves."""
    whole = encode(copy_of(events))
    small = encode(copy_of(events), capacity=int(len(whole) * part))
    assert len(small) <= len(whole) * part

    found = decode(small)
    assert [(one.seq, one.at) for one in found.events] == [(one.seq, one.at) for one in events]
    kept = (RunStarted, LegStarted, ChangeIntended, StepDone)
    for was, one in zip(events, found.events, strict=True):
        if isinstance(was.event, kept):
            assert one.event == was.event
        if one.event != was.event:
            assert type(one.event).__name__ in DROPPABLE or type(was.event).__name__ in DROPPABLE
    lost = [
        number
        for number, one in enumerate(found.events)
        if isinstance(one.event, WaitStarted) and one.event.waiting_for == LEFT_OUT
    ]
    assert len(lost) == found.left_out
    droppable = [
        number for number, one in enumerate(events) if type(one.event).__name__ in DROPPABLE
    ]
    assert lost == droppable[: len(lost)]


def test_what_cannot_fit_is_refused_and_not_cut(events: tuple[Recorded, ...]) -> None:
    """Half a hunk would be worse than none."""
    with pytest.raises(DocumentError, match="fit"):
        encode(copy_of(events), capacity=1000)


def test_a_copy_of_a_newer_version_or_no_copy_is_refused(events: tuple[Recorded, ...]) -> None:
    """With what to do."""
    with pytest.raises(DocumentError, match="newer"):
        decode(encode(msgspec.structs.replace(copy_of(events), schema=2)))
    with pytest.raises(DocumentError, match="cannot be understood"):
        decode(b"hello")


def test_parts_are_joined_to_the_whole() -> None:
    """As many Secrets as `rbac` prints, in two sets."""
    content = bytes(range(256)) * (PART // 256 + 100)
    assert b"".join(split(content)) == content
    assert len(split(b"")) == PARTS
    assert secret_names("mimir") == tuple(f"mimir-migrate-mimir-{n}" for n in range(4))


def test_another_machine_s_paths_become_this_one_s(events: tuple[Recorded, ...]) -> None:
    """Target, edits of the plan and of intents; nothing else is another."""
    target = first_plan(events).target
    here = msgspec.structs.replace(
        target,
        folder="/home/ben/x",
        values=msgspec.structs.replace(target.values, files=("/home/ben/x/values.yaml",)),
    )
    found = localised(events, here)

    plan = first_plan(found)
    assert plan.target == here
    paths = {edit.path for step in plan.steps for edit in step.edits}
    paths |= {
        one.event.change.edit.path
        for one in found
        if isinstance(one.event, ChangeIntended) and isinstance(one.event.change, WriteFile)
    }
    assert paths == {"/home/ben/x/values.yaml"}
    assert localised(found, target) == events


@pytest.mark.parametrize("what", ["namespace", "files"])
def test_a_target_of_another_place_is_refused(events: tuple[Recorded, ...], what: str) -> None:
    """What was done there is not to be taken back here."""
    target = first_plan(events).target
    replace = msgspec.structs.replace
    other = {
        "namespace": replace(target, kubernetes=replace(target.kubernetes, namespace="elsewhere")),
        "files": replace(target, values=replace(target.values, files=("a", "b"))),
    }[what]
    with pytest.raises(DocumentError, match=what):
        localised(events, other)
