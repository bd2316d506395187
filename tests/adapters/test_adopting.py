"""A run of another machine among this machine's journals."""

from __future__ import annotations

from pathlib import Path

import pytest
from quick_world import QuickWorld

from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.documents.journal_copy import JournalCopy
from mimir_migrate.model.events import Recorded, RunFinished, RunnerStarted, RunState, StepStarted

RUN = "20260101-000000-aaaa"


@pytest.fixture(scope="module")
def events() -> tuple[Recorded, ...]:
    world = QuickWorld()
    world.run(world.start())
    return tuple(world.journal.events())


def copy_of(events: tuple[Recorded, ...]) -> JournalCopy:
    return JournalCopy(run=RUN, created_at=1.0, by="ana@bastion", events=events)


def test_a_copy_becomes_a_journal_with_its_numbers_and_times(
    events: tuple[Recorded, ...], tmp_path: Path
) -> None:
    """Checksums and all: it is read, and gone on with, like any other."""
    store = JournalStore(tmp_path)
    assert store.adopt(copy_of(events))

    with store.open(RUN) as journal:
        assert tuple(journal.events()) == events
    assert store.adopted_events(RUN) == len(events)
    with store.open_for_runner(RUN) as journal:
        journal.append(RunFinished(state=RunState.STOPPED, reason="", exit_code=3))


def test_what_came_since_is_added_and_nothing_twice(
    events: tuple[Recorded, ...], tmp_path: Path
) -> None:
    """Whoever watches from the second machine looks again and again."""
    store = JournalStore(tmp_path)
    assert store.adopt(copy_of(events[:20]))
    assert not store.adopt(copy_of(events[:20]))
    assert store.adopt(copy_of(events))

    with store.open(RUN) as journal:
        assert tuple(journal.events()) == events


def test_what_this_machine_wrote_is_never_overwritten(
    events: tuple[Recorded, ...], tmp_path: Path
) -> None:
    """Once a runner here goes on with it, the copy of the first machine knows less."""
    store = JournalStore(tmp_path)
    store.adopt(copy_of(events[:20]))
    with store.open_for_runner(RUN) as journal:
        journal.append(StepStarted(step="both"))

    assert not store.adopt(copy_of(events))
    with store.open(RUN) as journal:
        assert len(journal.events()) == 21


def test_a_run_of_this_machine_is_not_adopted(
    events: tuple[Recorded, ...], tmp_path: Path
) -> None:
    """Its own journal is the original."""
    store = JournalStore(tmp_path)
    store.create(RUN).close()

    assert not store.adopt(copy_of(events))
    assert not store.adopted_events(RUN)


def test_a_runner_that_was_refused_the_lease_does_not_end_the_copying(
    events: tuple[Recorded, ...], tmp_path: Path
) -> None:
    """It did nothing: what it wrote goes, and what came since on the first machine is added."""
    store = JournalStore(tmp_path)
    store.adopt(copy_of(events[:20]))
    with store.open_for_runner(RUN) as journal:
        journal.append(RunnerStarted(pid=1, host="here", by="ben@here", purpose="resume"))
        journal.append(
            RunFinished(state=RunState.STOPPED, reason="the lease is held", exit_code=4)
        )

    assert store.adopt(copy_of(events))
    with store.open(RUN) as journal:
        assert tuple(journal.events()) == events


def test_a_journal_that_a_runner_works_on_is_left_to_it(
    events: tuple[Recorded, ...], tmp_path: Path
) -> None:
    """It may be about to take the run over."""
    store = JournalStore(tmp_path)
    store.adopt(copy_of(events[:20]))
    lock = store.lock(RUN)
    assert not store.adopt(copy_of(events))
    lock.release()
    assert store.adopt(copy_of(events))
