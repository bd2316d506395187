"""The state folder: which runs there are, which can be gone on with, and who works on them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import JournalError, LeaseError, UsageError
from mimir_migrate.model.events import Event, RunFinished, RunState, StepStarted


@pytest.fixture
def store(tmp_path: Path) -> JournalStore:
    times = iter(range(1_795_000_000, 1_795_100_000, 7))
    return JournalStore(tmp_path / "state", redactor=Redactor(), now=lambda: float(next(times)))


def started(store: JournalStore, *events: Event) -> str:
    """A run with one step begun, and these events after it."""
    run = store.new_run_id()
    with store.create(run) as journal:
        for event in (StepStarted(step="roll"), *events):
            journal.append(event)
    return run


def ended(state: RunState) -> RunFinished:
    return RunFinished(state=state, reason="", exit_code=0)


def test_run_ids_are_readable_and_sort_by_time(store: JournalStore) -> None:
    """An id begins with the UTC time of the run."""
    ids = [store.new_run_id() for _ in range(5)]

    assert ids == sorted(ids)
    assert ids[0].startswith("20261118-")
    assert {len(run) for run in ids} == {20}


def test_a_run_id_is_used_once(store: JournalStore) -> None:
    """A journal that exists is not begun again."""
    run = started(store)
    with pytest.raises(JournalError, match="already"):
        store.create(run)
    with store.open(run) as journal:
        assert len(journal.events()) == 1


def test_runs_are_listed_with_where_they_stand(store: JournalStore) -> None:
    """The newest first; how each ended, and how far it got."""
    first = started(store, ended(RunState.DONE))
    second = started(store)
    (store.runs_folder / "notes.db").write_text("not ours")

    runs = store.list_runs()

    assert [(run.run, run.finished, run.events, run.last_kind) for run in runs] == [
        (second, None, 1, "step-started"),
        (first, RunState.DONE, 2, "run-finished"),
    ]
    assert runs[0].updated_at > runs[0].created_at > runs[1].updated_at


def test_an_empty_state_folder_has_no_runs(store: JournalStore) -> None:
    """Looking does not make folders."""
    assert store.list_runs() == ()
    assert not any(found.unfinished for found in store.list_runs())
    assert not store.folder.exists()


def test_a_broken_journal_does_not_hide_the_others(store: JournalStore) -> None:
    """The list says what is wrong with a file that cannot be read."""
    whole = started(store)
    broken = started(store)
    (store.runs_folder / f"{broken}.db").write_bytes(b"SQLite format 3")

    runs = {run.run: run for run in store.list_runs()}

    assert "is not a journal" in runs[broken].problem
    assert not runs[broken].unfinished
    assert runs[whole].problem == ""


@pytest.mark.parametrize(
    ("events", "unfinished"),
    [
        ((), True),
        ((ended(RunState.DONE),), False),
        ((ended(RunState.ROLLED_BACK),), False),
        ((ended(RunState.STOPPED),), True),
        ((ended(RunState.FAILED),), True),
        ((ended(RunState.HELD),), True),
        ((ended(RunState.STOPPED), StepStarted(step="back")), True),
    ],
)
def test_what_can_be_gone_on_with(
    store: JournalStore, events: tuple[Event, ...], unfinished: bool
) -> None:
    """Everything but a run that is done or rolled back."""
    run = started(store, *events)

    assert [found.run for found in store.list_runs() if found.unfinished] == (
        [run] if unfinished else []
    )


def test_a_journal_without_events_is_nothing_to_go_on_with(store: JournalStore) -> None:
    """A runner that died before its first event did nothing."""
    store.create(store.new_run_id()).close()

    assert len(store.list_runs()) == 1
    assert not any(found.unfinished for found in store.list_runs())


def test_runs_are_found_by_a_part_of_their_id(store: JournalStore) -> None:
    """A part that one id alone has will do; else the candidates are named."""
    first, second = started(store), started(store)

    assert store.resolve(first) == first
    assert store.resolve(second[-8:]) == second
    with pytest.raises(UsageError, match="2 runs match 2026"):
        store.resolve("2026")
    with pytest.raises(UsageError, match="there is no run moon"):
        store.resolve("moon")


@pytest.mark.parametrize("run", ["../../etc/passwd", "", "20261122-103455", "a/b"])
def test_what_is_no_run_id_is_refused(store: JournalStore, run: str) -> None:
    """A name cannot lead out of the state folder."""
    for called in (store.open, store.create, store.open_for_runner, store.lock):
        with pytest.raises(UsageError, match="not a run id"):
            called(run)


def test_one_runner_at_a_time(store: JournalStore) -> None:
    """The second one is told which process works, and gets its turn when that ends."""
    run = started(store)
    lock = store.lock(run)
    pid = store.runner_pid(run)
    assert store.list_runs()[0].runner_pid == pid

    with pytest.raises(LeaseError, match=f"process {pid}"):
        store.lock(run)
    lock.release()

    assert store.runner_pid(run) is None
    store.lock(run).release()


def test_a_killed_runner_leaves_no_lock(store: JournalStore) -> None:
    """The system gives up the lock of a process that died."""
    run = started(store)
    script = (
        "import sys, os, signal; from pathlib import Path;"
        "from mimir_migrate.adapters.journal.store import JournalStore;"
        "store = JournalStore(Path(sys.argv[1])); lock = store.lock(sys.argv[2]);"
        "os.system('sleep 5 &'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, store.folder, run], check=False)

    assert store.runner_pid(run) is None
    store.lock(run).release()


def test_a_state_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A file in the way gets a message with the way out."""
    (tmp_path / "state").write_text("in the way")
    store = JournalStore(tmp_path / "state", redactor=Redactor())

    with pytest.raises(JournalError, match="cannot use") as refused:
        store.create(store.new_run_id())
    assert "MIMIR_MIGRATE_STATE" in refused.value.hint


def test_an_open_state_folder_is_closed(tmp_path: Path) -> None:
    """A folder that others may read is made private before a journal goes into it."""
    (tmp_path / "state").mkdir(mode=0o755)
    started(JournalStore(tmp_path / "state", redactor=Redactor()))

    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_listing_runs_imports_nothing_heavy(tmp_path: Path) -> None:
    """`runs` and `status` start fast: no AWS, Kubernetes, YAML or screen library is loaded."""
    script = (
        "import sys; from pathlib import Path;"
        "from mimir_migrate.adapters.journal.store import JournalStore;"
        "JournalStore(Path(sys.argv[1])).list_runs();"
        "heavy = {'boto3', 'botocore', 'kubernetes', 'ruamel', 'hcl2', 'textual', 'moto', 'asyncio',"
        " 'subprocess', 'urllib3'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, tmp_path], check=True, capture_output=True, text=True
    )

    assert result.stdout.strip() == "[]"
