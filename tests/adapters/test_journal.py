"""What a run writes comes back as it was, to any process, at any time, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mimir_migrate.adapters.journal import file as journal_file
from mimir_migrate.adapters.journal.sqlite import SqliteJournal, copy_trusted
from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import JournalError, UsageError
from mimir_migrate.model.changes import Deploy, Outcome, WriteFile
from mimir_migrate.model.edits import FileEdit, Hunk
from mimir_migrate.model.events import (
    ChangeDone,
    ChangeFailed,
    ChangeIntended,
    Event,
    Held,
    Request,
    RequestKind,
    RunFinished,
    RunnerStarted,
    RunState,
    StepDone,
    StepStarted,
)
from mimir_migrate.model.target import DeployMethod, DeployTarget

EVENTS: tuple[Event, ...] = (
    RunnerStarted(pid=7, host="laptop", by="ada@laptop", purpose="apply"),
    *(
        event
        for number in range(40)
        for event in (
            StepStarted(step=f"step-{number}"),
            ChangeDone(step=f"step-{number}", outcome=Outcome(detail="observed " + "x" * 300)),
            StepDone(step=f"step-{number}"),
        )
    ),
    RunFinished(state=RunState.STOPPED, reason="asked to", exit_code=0),
)


@pytest.fixture
def store(tmp_path: Path) -> JournalStore:
    return JournalStore(tmp_path / "state", redactor=Redactor())


def written(store: JournalStore, events: tuple[Event, ...] = EVENTS, run: str = "") -> str:
    """A run with these events, closed."""
    run = run or store.new_run_id()
    with store.create(run) as journal:
        for event in events:
            journal.append(event)
    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """A run's id and the bytes of its closed journal, the same ones each time."""
    times = iter(range(1_795_000_000, 1_795_100_000))
    store = JournalStore(
        tmp_path_factory.mktemp("whole"), redactor=Redactor(), now=lambda: float(next(times))
    )
    run = written(store, run="20261118-010203-abcd")
    return run, (store.runs_folder / f"{run}.db").read_bytes()


def append_many(journal: SqliteJournal, count: int) -> None:
    """Append the same event `count` times."""
    for _ in range(count):
        journal.append(EVENTS[2])


def what_is_read(path: Path) -> tuple[list[Event], str]:
    """The trusted events and the problem told; a refusal counts as none and its message."""
    try:
        with SqliteJournal(path, writing=False, redactor=Redactor()) as journal:
            return [recorded.event for recorded in journal.readable_events()], journal.problem
    except JournalError as error:
        return [], error.message


def test_events_come_back_in_order_with_their_numbers_and_times(tmp_path: Path) -> None:
    """A reader gets what was appended, and only what it has not seen yet."""
    times = iter(range(100, 1000))
    store = JournalStore(tmp_path, redactor=Redactor(), now=lambda: float(next(times)))
    run = written(store, EVENTS[:5])

    with store.open(run) as journal:
        recorded = journal.events()
        later = journal.events(after=3)

    assert [one.event for one in recorded] == list(EVENTS[:5])
    assert [one.seq for one in recorded] == [1, 2, 3, 4, 5]
    assert [one.at for one in recorded] == sorted(one.at for one in recorded)
    assert [one.seq for one in later] == [4, 5]


def test_append_returns_the_event_as_it_stands_on_disk(store: JournalStore) -> None:
    """What append returns is what a reader gets."""
    run = store.new_run_id()
    with store.create(run) as journal, store.open(run) as reader:
        recorded = journal.append(EVENTS[0])

        assert list(reader.events()) == [recorded]


def test_a_reader_follows_while_the_runner_writes(store: JournalStore) -> None:
    """A journal that was opened before an event was written shows it."""
    run = store.new_run_id()
    with store.create(run) as journal, store.open(run) as reader:
        seen = []
        for event in EVENTS[:20]:
            journal.append(event)
            seen += [one.event for one in reader.events(after=len(seen))]

        assert seen == list(EVENTS[:20])


def test_readers_cannot_write(store: JournalStore) -> None:
    """Only the runner appends."""
    run = written(store, EVENTS[:2])
    with store.open(run) as reader, pytest.raises(JournalError, match="only the runner"):
        reader.append(EVENTS[0])


def test_nothing_in_the_file_can_be_changed_afterwards(store: JournalStore) -> None:
    """The file itself refuses to update or delete events."""
    run = written(store, EVENTS[:3])
    connection = sqlite3.connect(store.runs_folder / f"{run}.db")
    with contextlib.closing(connection):
        for statement in ("UPDATE events SET at = 0", "DELETE FROM events WHERE seq = 2"):
            with pytest.raises(sqlite3.IntegrityError, match="events stay"):
                connection.execute(statement)


def test_a_request_is_open_until_an_event_answers_it(store: JournalStore) -> None:
    """What any process leaves is seen oldest first, by each runner again, until the answer is on disk."""
    run = store.new_run_id()
    asked = [
        Request(kind=RequestKind.HOLD, by="bo@desk"),
        Request(kind=RequestKind.OVERRIDE, by="bo@desk", reason="known to be noisy"),
    ]
    with store.create(run) as journal, store.open(run) as viewer:
        for request in asked:
            viewer.leave(request)
        left = journal.open_requests()

        assert [msgspec.structs.replace(one, id="") for one in left] == asked
        assert left == journal.open_requests() == viewer.open_requests()
        assert len({one.id for one in left} - {""}) == 2

    with store.open_for_runner(run) as journal, store.open(run) as viewer:
        assert journal.open_requests() == left
        journal.append(Held(step="roll", reason="asked", answers=(left[0].id,)))
        assert journal.open_requests() == viewer.open_requests() == left[1:]

    with store.open_for_runner(run) as journal:
        assert journal.open_requests() == left[1:]


def test_requests_left_for_a_dead_runner_wait_for_the_next(store: JournalStore) -> None:
    """A request outlives the runner that did not answer it, also where the journal was damaged."""
    run = written(store, EVENTS[:20])
    with store.open(run) as viewer:
        viewer.leave(Request(kind=RequestKind.ROLLBACK, by="bo@desk"))

    with store.open_for_runner(run) as journal:
        left = journal.open_requests()
        assert [request.kind for request in left] == [RequestKind.ROLLBACK]
    connection = sqlite3.connect(store.runs_folder / f"{run}.db")
    with contextlib.closing(connection), connection:
        connection.execute("DROP TRIGGER events_stay")
        connection.execute("UPDATE events SET at = 7 WHERE seq = 15")

    with store.open_for_runner(run) as journal:
        assert len(journal.events()) == 14
        assert journal.open_requests() == left


def test_a_damaged_request_is_not_guessed(store: JournalStore) -> None:
    """An approval whose bytes were changed is dropped."""
    run = written(store, EVENTS[:1])
    with store.open(run) as viewer:
        viewer.leave(Request(kind=RequestKind.HOLD, by="bo@desk"))
    connection = sqlite3.connect(store.runs_folder / f"{run}.db")
    with contextlib.closing(connection), connection:
        connection.execute(
            "UPDATE requests SET body = CAST(replace(CAST(body AS TEXT), 'hold', 'stop') AS BLOB)"
        )

    with store.open_for_runner(run) as journal:
        assert list(journal.open_requests()) == []


def test_a_second_writer_is_noticed(store: JournalStore) -> None:
    """A runner whose journal somebody else wrote on refuses to go on."""
    run = written(store, EVENTS[:2])
    with store.open_for_runner(run) as first, store.open_for_runner(run) as second:
        second.append(EVENTS[2])

        with pytest.raises(JournalError, match="not as this runner left it"):
            first.append(EVENTS[3])
        assert len(second.events()) == 3


def test_a_newer_schema_is_refused_with_its_number(store: JournalStore) -> None:
    """A file of a later version is neither read nor changed."""
    run = written(store, EVENTS[:2])
    path = store.runs_folder / f"{run}.db"
    content = bytearray(path.read_bytes())
    content[60:64] = (journal_file.SCHEMA + 1).to_bytes(4, "big")
    path.write_bytes(content)

    for opened in (store.open, store.open_for_runner):
        with pytest.raises(JournalError, match="newer mimir-migrate") as refused:
            opened(run)
        assert str(journal_file.SCHEMA + 1) in refused.value.message
    assert path.read_bytes() == bytes(content)


def test_an_unknown_kind_of_event_is_refused_with_its_name(store: JournalStore) -> None:
    """An event that this version does not know is not skipped."""
    run = written(store, EVENTS[:1])
    path = store.runs_folder / f"{run}.db"
    connection = sqlite3.connect(path)
    with contextlib.closing(connection), connection:
        last = connection.execute("SELECT checksum FROM head").fetchone()[0]
        body = b'{"type": "moon-phase"}'
        found = journal_file.checksum(last, 2, 5.0, "moon-phase", body)
        connection.execute("INSERT INTO events VALUES (2, 5.0, 'moon-phase', ?, ?)", (body, found))
        connection.execute("UPDATE head SET seq = 2, checksum = ?", (found,))

    with pytest.raises(JournalError, match="moon-phase"):
        store.open(run)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00", b"not a database" * 50])
def test_what_is_no_journal_is_refused(store: JournalStore, content: bytes) -> None:
    """An empty, a foreign or a beheaded file gets a reason, and stays as it is."""
    run = written(store, EVENTS[:1])
    path = store.runs_folder / f"{run}.db"
    path.write_bytes(content)

    with pytest.raises(JournalError, match="is not a journal"):
        store.open_for_runner(run)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused(store: JournalStore) -> None:
    """A database that is not a journal is named as such."""
    run = written(store, EVENTS[:1])
    path = store.runs_folder / f"{run}.db"
    path.unlink()
    connection = sqlite3.connect(path)
    with contextlib.closing(connection), connection:
        connection.execute("CREATE TABLE songs (title TEXT)")

    with pytest.raises(JournalError, match="not a journal of mimir-migrate"):
        store.open(run)


@pytest.mark.parametrize("step", [2039, pytest.param(1, marks=pytest.mark.soak)])
def test_a_file_cut_short_anywhere_is_told(
    whole: tuple[str, bytes], tmp_path: Path, step: int
) -> None:
    """Whatever is left of a file, the events read are a beginning of the true ones, and it is said."""
    run, content = whole
    path = tmp_path / f"{run}.db"
    for length in (*range(0, len(content), step), 99, 100, len(content) - 1):
        path.write_bytes(content[:length])
        events, problem = what_is_read(path)

        assert problem, length
        assert events == list(EVENTS[: len(events)])
    path.write_bytes(content)
    assert what_is_read(path) == (list(EVENTS), "")


SIZES = st.one_of(st.integers(0, 60), st.integers(300, 1200), st.integers(3900, 9000))
"""Bytes of a step's name: rows that share a page, fill one, and go over several."""


@st.composite
def layouts(draw: st.DrawFn) -> tuple[journal_file.Chain, list[bytes]]:
    """A journal with events and requests of many sizes, often one whose last checksum ends in a zero."""
    run, at = "20261118-010203-abcd", 1_795_000_000.0
    last = journal_file.genesis(run, at)
    rows = []
    sizes = draw(st.lists(SIZES, max_size=12))
    ends_in_zero = draw(st.booleans())
    for seq, size in enumerate(sizes, 1):
        body = msgspec.json.encode(StepStarted(step="x" * size))
        while True:
            at += 1.0
            found = journal_file.checksum(last, seq, at, "step-started", body)
            if seq < len(sizes) or not ends_in_zero or found[-1] == 0:
                break
        last = found
        rows.append(
            journal_file.Row(seq=seq, at=at, kind="step-started", body=body, checksum=last)
        )
    requests = [
        msgspec.json.encode(
            Request(kind=RequestKind.STOP, by="bo", reason="y" * size, id=f"request-{number}")
        )
        for number, size in enumerate(draw(st.lists(SIZES, max_size=5)))
    ]
    chain = journal_file.Chain(run=run, created_at=1_795_000_000.0, rows=tuple(rows))
    return chain, requests


def requests_read(path: Path) -> list[str]:
    """The ids of the requests that a viewer sees."""
    with SqliteJournal(path, writing=False, redactor=Redactor()) as journal:
        return [request.id for request in journal.open_requests()]


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(layout=layouts(), data=st.data())
def test_no_layout_of_a_file_hides_a_cut(
    layout: tuple[journal_file.Chain, list[bytes]],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    """Also a file that lost zeros, requests or an unused page is told to be cut, to a viewer and a runner."""
    chain, requests = layout
    store = JournalStore(tmp_path_factory.mktemp("state"), redactor=Redactor())
    store.runs_folder.mkdir()
    path = store.runs_folder / f"{chain.run}.db"
    copy_trusted(chain, path, requests)
    content = path.read_bytes()
    assert what_is_read(path)[1] == ""
    assert len(requests_read(path)) == len(requests)
    lengths = {len(content) - 1, len(content) - 32, len(content) - 4096, len(content) // 2}

    for length in (*lengths, data.draw(st.integers(0, len(content) - 1))):
        path.write_bytes(content[:length])
        assert what_is_read(path)[1], length

    path.write_bytes(content[:-1])
    with contextlib.suppress(JournalError), store.open_for_runner(chain.run) as journal:
        assert "damaged" in journal.notes[0]
        if content[-1] == 0:
            assert len(journal.events()) == len(chain.rows)


@pytest.mark.parametrize("pages", [1, 8, 1000])
def test_a_file_cut_beside_its_log_is_told_or_harmless(
    store: JournalStore, tmp_path: Path, pages: int
) -> None:
    """What a file lost is told, unless the log of a runner that died holds all of it."""
    run = store.new_run_id()
    path = store.runs_folder / f"{run}.db"
    with store.create(run) as journal:
        journal._connection.execute(f"PRAGMA wal_autocheckpoint = {pages}")
        for number, event in enumerate(EVENTS[:40]):
            journal.append(event)
            journal.leave(
                Request(kind=RequestKind.STOP, by="bo", reason="z" * (900 * (number % 9)))
            )
        content = path.read_bytes()
        log = path.with_name(path.name + "-wal").read_bytes()
    told, harmless = 0, 0

    for length in (*range(4096, len(content), 5003), len(content) - 1, len(content)):
        other = JournalStore(tmp_path / f"{length}", redactor=Redactor())
        other.runs_folder.mkdir(parents=True)
        (other.runs_folder / path.name).write_bytes(content[:length])
        (other.runs_folder / f"{path.name}-wal").write_bytes(log)
        events, problem = what_is_read(other.runs_folder / path.name)
        assert events == list(EVENTS[: len(events)])
        if problem:
            told += 1
            with contextlib.suppress(JournalError), other.open_for_runner(run) as after:
                assert after.notes, length
            continue
        harmless += 1
        assert events == list(EVENTS[:40])
        assert len(requests_read(other.runs_folder / path.name)) == 40
        with other.open_for_runner(run) as after:
            assert after.notes == ()
            assert len(after.open_requests()) == 40

    assert harmless >= 1
    assert told >= 1 or len(content) <= 4096


def test_a_log_that_goes_on_after_a_lost_end_does_not_hide_it(
    store: JournalStore, tmp_path: Path
) -> None:
    """A runner is told of zeros that the file lost, though writing the log into it fills them in."""
    run = store.new_run_id()
    path = store.runs_folder / f"{run}.db"
    with store.create(run) as journal:
        journal.append(StepStarted(step="x" * 4200))  # its second page is not full
        journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for _ in range(3):
            journal.append(StepStarted(step="y" * 4200))
        content = path.read_bytes()
        log = path.with_name(path.name + "-wal").read_bytes()
    other = JournalStore(tmp_path / "other", redactor=Redactor())
    other.runs_folder.mkdir(parents=True)
    (other.runs_folder / path.name).write_bytes(content[:-1])
    (other.runs_folder / f"{path.name}-wal").write_bytes(log)

    assert content[-1] == 0
    assert "cut short" in what_is_read(other.runs_folder / path.name)[1]
    with other.open_for_runner(run) as after:
        assert "cut short" in after.notes[0]
        assert len(after.events()) == 4


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_changed_bytes_never_change_what_is_read(
    whole: tuple[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Flipped bytes are harmless, told, or refused; never another event, a missing one, a traceback."""
    run, content = whole
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(content) - 1))
        damaged[position] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("damaged") / f"{run}.db"
    path.write_bytes(damaged)

    events, problem = what_is_read(path)

    assert events == list(EVENTS[: len(events)])
    assert problem or len(events) == len(EVENTS)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_journal_is_recovered_or_refused(
    whole: tuple[str, bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A runner goes on after the last trusted event, told so, with the damaged file kept; or not."""
    run, content = whole
    store = JournalStore(tmp_path_factory.mktemp("state"), redactor=Redactor())
    store.runs_folder.mkdir()
    path = store.runs_folder / f"{run}.db"
    damaged = bytearray(content[: data.draw(st.integers(0, len(content)))])
    if damaged:
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(0, 255))
    path.write_bytes(damaged)

    try:
        with store.open_for_runner(run) as journal:
            before = [one.event for one in journal.events()]
            journal.append(EVENTS[0])
            notes = journal.notes
    except JournalError:
        assert path.read_bytes() == damaged
        return

    assert before == list(EVENTS[: len(before)])
    assert notes or len(before) == len(EVENTS)
    if notes:
        kept = store.runs_folder / f"{run}.damaged-1.db"
        assert kept.read_bytes() == damaged
    with store.open(run) as journal:
        assert len(journal.events()) == len(before) + 1


RUNNER = """
    import os, signal, sys
    from pathlib import Path
    from mimir_migrate.adapters.journal.store import JournalStore
    from mimir_migrate.model.events import StepStarted

    store = JournalStore(Path(sys.argv[1]))
    lock = store.lock(sys.argv[2])
    journal = store.create(sys.argv[2])
    for number in range(int(sys.argv[3])):
        journal.append(StepStarted(step=f"step-{number}"))
        print(number, flush=True)
    if sys.argv[4] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""


@contextlib.contextmanager
def runner(
    store: JournalStore, run: str, events: int, end: str
) -> Iterator[subprocess.Popen[str]]:
    """A process that writes `events` events and then dies or waits."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RUNNER), store.folder, run, str(events), end],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_a_dead_runners_journal_is_whole(store: JournalStore) -> None:
    """Every event whose append returned is there after SIGKILL, for a viewer and for the next runner."""
    run = store.new_run_id()
    with runner(store, run, 25, "die") as process:
        printed = process.communicate()[0].split()

    assert process.returncode == -signal.SIGKILL
    assert (store.runs_folder / f"{run}.db-wal").stat().st_size > 0
    with store.open(run) as viewer:
        assert len(viewer.events()) == len(printed) == 25
    assert store.runner_pid(run) is None
    with store.open_for_runner(run) as journal:
        assert journal.notes == ()
        journal.append(EVENTS[0])
        assert len(journal.events()) == 26


@pytest.mark.parametrize("step", [3001, pytest.param(211, marks=pytest.mark.soak)])
def test_a_log_cut_short_leaves_a_beginning(
    store: JournalStore, tmp_path: Path, step: int
) -> None:
    """Whatever is left of the log of a dead runner, a beginning of its events is read."""
    run = store.new_run_id()
    with runner(store, run, 25, "die") as process:
        process.communicate()
    path = store.runs_folder / f"{run}.db"
    wal = path.with_name(path.name + "-wal")
    content, log = path.read_bytes(), wal.read_bytes()
    true = [StepStarted(step=f"step-{number}") for number in range(25)]

    for length in range(0, len(log) + 1, step):
        other = JournalStore(tmp_path / str(length), redactor=Redactor())
        other.runs_folder.mkdir(parents=True)
        (other.runs_folder / path.name).write_bytes(content)
        (other.runs_folder / wal.name).write_bytes(log[:length])
        whole_frames = (length - 32) % (4096 + 24) == 0

        with other.open_for_runner(run) as journal:
            events = [one.event for one in journal.events()]

        assert events == true[: len(events)]
        assert journal.notes or whole_frames or length == 0


def test_two_processes_write_and_read_at_once(store: JournalStore) -> None:
    """While a runner writes, readers see ever longer beginnings and can leave requests."""
    run = store.new_run_id()
    with runner(store, run, 60, "wait") as process:
        assert process.stdout is not None
        process.stdout.readline()
        seen = 0
        with store.open(run) as viewer:
            while seen < 60:
                events = viewer.events()
                assert len(events) >= seen
                seen = len(events)
            viewer.leave(Request(kind=RequestKind.STOP, by="bo@desk"))
        assert store.runner_pid(run) == process.pid


def test_a_journal_in_a_folder_that_cannot_be_written_is_read(store: JournalStore) -> None:
    """An archived journal needs no rights but to be read."""
    run = written(store, EVENTS[:3])
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    store.runs_folder.chmod(0o500)
    try:
        with store.open(run) as journal:
            assert len(journal.events()) == 3
    finally:
        store.runs_folder.chmod(0o700)


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    """Folders 0700 and files 0600, the log included, also under umask 0."""
    before = os.umask(0)
    try:
        store = JournalStore(tmp_path / "state", redactor=Redactor())
        run = store.new_run_id()
        lock = store.lock(run)
        with store.create(run) as journal:
            journal.append(EVENTS[0])
            modes = {
                path.name: stat.S_IMODE(path.stat().st_mode)
                for path in store.folder.rglob("*")
                if path.is_file()
            }
        lock.release()
    finally:
        os.umask(before)

    assert len(modes) >= 3
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(store.runs_folder.stat().st_mode) == 0o700


def test_secrets_do_not_reach_the_file(store: JournalStore) -> None:
    """Planted secrets are neither in the database nor in its log."""
    planted = ["hunter2hunter2", "AKIAIOSFODNN7EXAMPLE", "s3cr3t-of-the-pod", "abcdef123456ghijkl"]
    redactor = Redactor({"DB_PASSWORD": planted[0]})
    store = JournalStore(store.folder, redactor=redactor)
    run = store.new_run_id()
    with store.create(run) as journal:
        journal.append(ChangeFailed(step="roll", reason=f"could not log in with {planted[0]}"))
        journal.append(
            Held(step="roll", reason=f"key {planted[1]}", hint=f"password: {planted[2]}")
        )
        journal.leave(
            Request(
                kind=RequestKind.OVERRIDE, by="bo", reason=f"Authorization: Bearer {planted[3]}"
            )
        )
        content = b"".join(path.read_bytes() for path in store.runs_folder.iterdir())

    assert [secret for secret in planted if secret.encode() in content] == []
    assert b"could not log in with" in content


def test_an_edit_keeps_what_it_replaces_and_not_the_secrets_beside(store: JournalStore) -> None:
    """The bytes of an undo come back exactly; the password in the line above does not come along."""
    hunk = Hunk(
        start=40,
        before=b"store: memberlist",
        after=b"store: \xffmulti",
        lead=b"password: hunter2hunter2\nring:\n  ",
        trail=b"\nrest: \xfe",
    )
    edit = FileEdit(path="v.yaml", before_sha256="a", after_sha256="b", hunks=(hunk,))
    run = written(store, (ChangeIntended(step="roll", change=WriteFile(edit=edit)),))

    with store.open(run) as journal:
        event = journal.events()[0].event
    assert isinstance(event, ChangeIntended)
    assert isinstance(event.change, WriteFile)
    assert event.change.edit.hunks == (msgspec.structs.replace(hunk, lead=b"ring:\n  "),)


def test_a_command_with_a_secret_is_refused_not_altered(store: JournalStore) -> None:
    """A deploy command must come back as it was, so one that holds a secret is not written at all."""
    run = store.new_run_id()

    def intended(command: str) -> ChangeIntended:
        deploy = DeployTarget(method=DeployMethod.COMMAND, command=command)
        change = Deploy(deploy=deploy, files=("v.yaml",), release="m", namespace="m")
        return ChangeIntended(step="roll", change=change)

    with store.create(run) as journal:
        kept = journal.append(intended("TOKEN=$DEPLOY_TOKEN ./deploy $VALUES"))
        with pytest.raises(UsageError, match=r"deploy\.command"):
            journal.append(intended("TOKEN=aaaabbbbccccdddd ./deploy $VALUES"))

        assert [one.event for one in journal.events()] == [kept.event]
        assert kept.event == intended("TOKEN=$DEPLOY_TOKEN ./deploy $VALUES")


def test_a_full_disk_is_told_and_leaves_the_journal_whole(store: JournalStore) -> None:
    """When an event cannot be written, the error says so and what was there stays."""
    run = written(store, EVENTS[:2])
    with store.open_for_runner(run) as journal:
        pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
        journal._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(JournalError, match="cannot be written"):
            append_many(journal, 200)
        count = len(journal.events())
    shutil.copy(store.runs_folder / f"{run}.db", store.folder / "copy.db")

    with store.open(run) as journal:
        assert len(journal.events()) == count >= 2


def _fill(journal: SqliteJournal, event: Event) -> None:
    for _ in range(1_000):
        journal.append(event)


def test_a_run_whose_disk_is_full_still_says_how_it_ended(store: JournalStore) -> None:
    """Room is kept for that; it is given back when the journal is closed."""
    journal = store.create("20260101-000000-abcd")
    reserve = journal.path.with_name(f"{journal.path.name}-reserve")
    assert reserve.stat().st_size >= 100_000
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")
    held = Held(step="both", reason="x" * 5_000, hint="", limit=1.0)
    with pytest.raises(JournalError, match="full"):
        _fill(journal, held)
    assert not reserve.exists()

    journal._connection.execute(f"PRAGMA max_page_count = {pages + 4}")  # the room that was kept
    journal.append(RunFinished(state=RunState.FAILED, reason="the disk is full", exit_code=1))
    journal.close()

    assert isinstance(store.open("20260101-000000-abcd").events()[-1].event, RunFinished)


def test_a_journal_that_is_closed_keeps_no_room(store: JournalStore) -> None:
    """Neither one that was written nor one that was read leaves a file beside it."""
    store.create("20260101-000000-abcd").close()
    store.open("20260101-000000-abcd").close()

    assert not list(store.runs_folder.glob("*-reserve"))
