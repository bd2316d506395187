"""The state folder: one journal file for each run, and who works on it on this machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from mimir_migrate import decoding
from mimir_migrate.adapters.files import sync_folder
from mimir_migrate.adapters.journal import file as journal_file
from mimir_migrate.adapters.journal.adopting import adopt, adopted_events
from mimir_migrate.adapters.journal.locks import RunnerLock, locked_soon, pid_in
from mimir_migrate.adapters.journal.sqlite import SqliteJournal, copy_trusted
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.documents.journal_copy import JournalCopy
from mimir_migrate.errors import JournalError, LeaseError, UsageError
from mimir_migrate.model.events import RunFinished, RunState

_RUN_ID = re.compile(r"^\d{8}-\d{6}-[0-9a-f]{4}$")
_ENDED = (RunState.DONE, RunState.ROLLED_BACK, RunState.CLOSED)


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """One run as the state folder shows it, without reading all of its journal."""

    run: str
    path: str
    created_at: float = 0.0
    updated_at: float = 0.0
    """Time of the last event."""
    events: int = 0
    last_kind: str = ""
    """The tag of the last event, e.g. `step-started`."""
    finished: RunState | None = None
    """How its last runner ended; None: it did not say, or works on."""
    runner_pid: int | None = None
    """The runner that works on it on this machine now."""
    problem: str = ""
    """Why it cannot be read."""

    @property
    def unfinished(self) -> bool:
        """Whether there is something to go on with or to go back from."""
        return bool(self.events) and self.finished not in _ENDED


class JournalStore:
    """All journals of one user on one machine."""

    def __init__(
        self,
        folder: Path,
        *,
        redactor: Redactor | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Keep journals under `folder` (see `settings.state_folder`); nothing is made yet.

        The `redactor` defaults to one that knows the secrets among the environment variables.
        """
        self.folder = folder
        self._redactor = redactor or Redactor(os.environ)
        self._now = now

    @property
    def runs_folder(self) -> Path:
        """Where the journals stand."""
        return self.folder / "runs"

    def adopt(self, copy: JournalCopy) -> bool:
        """Take another machine's run in from its copy; whether anything was new."""
        self._check_id(copy.run)
        self._make_folders()
        try:
            lock = self.lock(copy.run)
        except LeaseError:
            return False  # a runner of this machine works on it
        try:
            return adopt(self._path(copy.run), copy.run, copy.created_at, copy.events)
        finally:
            lock.release()

    def adopted_events(self, run: str) -> int:
        """How many events of a run came from another machine; 0: it was begun here."""
        return adopted_events(self._path(run))

    def cleanings(self) -> JournalStore:
        """What `clean` removed, in journals of their own: none of them counts as a run."""
        return JournalStore(self.folder / "clean", redactor=self._redactor, now=self._now)

    def new_run_id(self) -> str:
        """An id for a run that begins now: the UTC time, then four random hexadecimal digits."""
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self._now()))
        return f"{stamp}-{secrets.token_hex(2)}"

    def create(self, run: str) -> SqliteJournal:
        """Begin a run's journal and open it for its runner.

        Raises:
            JournalError: There is one already, or the folder cannot be used.
        """
        self._check_id(run)
        self._make_folders()
        path = self._path(run)
        journal_file.create_file(path, run, float(self._now()))
        return SqliteJournal(path, writing=True, redactor=self._redactor, now=self._now)

    def open(self, run: str) -> SqliteJournal:
        """Open a journal to read it and to leave requests in it; works beside its runner.

        Raises:
            JournalError: There is no such run, or its journal cannot be read.
        """
        self._check_id(run)
        return SqliteJournal(
            self._path(run), writing=False, redactor=self._redactor, now=self._now
        )

    def open_for_runner(self, run: str) -> SqliteJournal:
        """Open a journal to go on with the run. Take `lock` first.

        A damaged journal is recovered: the events up to the damage go into a new file, the damaged
        one is kept beside it, and `notes` of what is returned says so. What is lost that way is made
        good by looking at the cluster, as after a crash.

        Raises:
            JournalError: There is no such run, a newer version wrote it, or nothing can be trusted.
        """
        self._check_id(run)
        path = self._path(run)
        notes: list[str] = []
        chain, problem = self._examine(path, notes)
        if problem:
            if not chain.rows:
                raise JournalError(
                    f"the journal {path} is damaged and nothing in it can be trusted: {problem}",
                    hint="plan again: `mimir-migrate plan` starts from what the cluster says; "
                    "undo records beside the files (`*.undo`) still undo their edits",
                )
            kept = self._recover(path, chain)
            notes.append(
                f"the journal was damaged ({problem}); it goes on after event {len(chain.rows)}, "
                f"the damaged file is kept as {kept.name}"
            )
        return SqliteJournal(
            path, writing=True, redactor=self._redactor, now=self._now, notes=tuple(notes)
        )

    @contextlib.contextmanager
    def alone(self, run: str) -> Iterator[SqliteJournal]:
        """A run's journal to write in, while no runner of this machine can take the run on.

        Raises:
            LeaseError: A runner works on it.
            JournalError: As `open_for_runner`.
        """
        lock = self.lock(run)
        try:
            # Not a subclass's, which may take the lock itself and keep it.
            with JournalStore.open_for_runner(self, run) as journal:
                yield journal
        finally:
            lock.release()

    def lock(self, run: str) -> RunnerLock:
        """Become the runner of a run on this machine.

        Raises:
            LeaseError: Another process is.
        """
        self._check_id(run)
        self._make_folders()
        path = self._lock_path(run)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not locked_soon(descriptor):
            pid = pid_in(descriptor)
            os.close(descriptor)
            raise LeaseError(
                f"process {pid or 'unknown'} on this machine already works on the run {run}",
                hint=f"watch it with `mimir-migrate status {run} --follow`, "
                f"or stop it with `mimir-migrate stop {run}`",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return RunnerLock(descriptor)

    def runner_pid(self, run: str) -> int | None:
        """The process that works on a run on this machine; None: nobody does."""
        try:
            descriptor = os.open(self._lock_path(run), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            # A shared lock is refused exactly while a runner holds its own.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return pid_in(descriptor)
        else:
            return None
        finally:
            os.close(descriptor)

    def list_runs(self) -> tuple[RunFile, ...]:
        """All runs, the newest first. One that cannot be read says why in `problem`."""
        try:
            names = sorted(self.runs_folder.glob("*.db"), reverse=True)
        except OSError as error:
            raise JournalError(f"cannot read {self.runs_folder}: {error.strerror}") from error
        return tuple(self._glance(path) for path in names if _RUN_ID.match(path.stem))

    def resolve(self, name: str) -> str:
        """The id of the run that an operator means: its id, or a part that only one id has.

        Raises:
            UsageError: No run is called so, or several are.
        """
        ids = [path.stem for path in self.runs_folder.glob("*.db") if _RUN_ID.match(path.stem)]
        if name in ids:
            return name
        if not ids:
            raise UsageError(
                f"there is no run {name}: none was begun with the state folder {self.runs_folder.parent}",
                hint="It was begun on another machine or with another $MIMIR_MIGRATE_STATE, or not at all.",
            )
        meant = sorted(run for run in ids if name and name in run)
        if len(meant) == 1:
            return meant[0]
        raise UsageError(
            f"{len(meant)} runs match {name}: {', '.join(meant[:5])}"
            if meant
            else f"there is no run {name} in {self.runs_folder}",
            hint="`mimir-migrate runs` lists them",
        )

    def _path(self, run: str) -> Path:
        return self.runs_folder / f"{run}.db"

    def _lock_path(self, run: str) -> Path:
        return self.runs_folder / f"{run}.lock"

    @staticmethod
    def _check_id(run: str) -> None:
        if not _RUN_ID.match(run):
            raise UsageError(
                f"{run!r} is not a run id", hint="`mimir-migrate runs` lists the runs there are"
            )

    def _make_folders(self) -> None:
        """The state folder and the one for journals, readable by nobody else whatever the umask."""
        for folder in (self.folder, self.runs_folder):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if folder.stat().st_mode & 0o077:
                    folder.chmod(0o700)
            except OSError as error:
                raise JournalError(
                    f"cannot use {folder} for journals: {error.strerror}",
                    hint="name a folder of your own in MIMIR_MIGRATE_STATE",
                ) from error

    def _examine(self, path: Path, notes: list[str]) -> tuple[journal_file.Chain, str]:
        """What of a journal can be trusted, and what is wrong with the rest."""
        empty = journal_file.Chain(run="", created_at=0.0, rows=())
        try:
            with contextlib.closing(journal_file.connect(path, writing=True)) as connection:
                # Before the log is written into the file, which would fill what is lost with zeros.
                lost = _lost_end(connection, path)
                if journal_file.cut_short(connection, path):
                    notes.append(
                        "the last write before the interruption was incomplete and is left out"
                    )
                try:
                    chain = journal_file.read_chain(connection, path)
                except JournalError as error:
                    return empty, error.message
                return chain, chain.problem or lost or _quick_check(connection)
        except sqlite3.OperationalError as error:
            raise JournalError(
                f"the journal {path} cannot be opened: {error}",
                hint="look at the disk's free space and at the rights on the folder",
            ) from error
        except sqlite3.Error as error:
            return empty, str(error)

    def _recover(self, path: Path, chain: journal_file.Chain) -> Path:
        """Put the trusted events into a new file in place of the damaged one, which is kept."""
        number = 1
        while (kept := path.with_name(f"{path.stem}.damaged-{number}.db")).exists():
            number += 1
        fresh = path.with_name(f".{path.stem}.recovered.{os.getpid()}.db")
        fresh.unlink(missing_ok=True)
        copy_trusted(chain, fresh, _requests_in(path))
        try:
            os.link(path, kept)
            for end in ("-wal", "-shm"):
                left = path.with_name(path.name + end)
                if left.exists():
                    left.rename(kept.with_name(kept.name + end))
            fresh.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise JournalError(f"cannot recover the journal {path}: {error}") from error
        return kept

    def _glance(self, path: Path) -> RunFile:
        """A run's summary from the first and the last lines of its journal."""
        pid = self.runner_pid(path.stem)
        try:
            with contextlib.closing(journal_file.connect(path, writing=False)) as connection:
                created = connection.execute("SELECT created_at FROM journal").fetchone()
                last = connection.execute(
                    "SELECT seq, at, kind, body FROM events ORDER BY seq DESC LIMIT 1"
                ).fetchone()
        except JournalError as error:
            return RunFile(run=path.stem, path=str(path), runner_pid=pid, problem=error.message)
        except sqlite3.Error as error:
            return RunFile(
                run=path.stem,
                path=str(path),
                runner_pid=pid,
                problem=f"it cannot be read: {error}",
            )
        if created is None:
            return RunFile(
                run=path.stem, path=str(path), runner_pid=pid, problem="it names no run"
            )
        if last is None:
            return RunFile(
                run=path.stem,
                path=str(path),
                created_at=created[0],
                updated_at=created[0],
                runner_pid=pid,
            )
        seq, at, kind, body = last
        return RunFile(
            run=path.stem,
            path=str(path),
            created_at=created[0],
            updated_at=at,
            events=seq,
            last_kind=kind,
            finished=_finished(kind, body),
            runner_pid=pid,
        )


def _requests_in(path: Path) -> list[bytes]:
    """The requests of a damaged journal, as far as they can be read."""
    try:
        with contextlib.closing(journal_file.connect(path, writing=True)) as connection:
            return journal_file.read_requests(connection)
    except (sqlite3.Error, JournalError):
        return []


def _lost_end(connection: sqlite3.Connection, path: Path) -> str:
    """Whether the end of the file is lost; empty also where nothing of it can be read."""
    try:
        with journal_file.reading(connection):
            connection.execute("SELECT count(*) FROM journal").fetchone()
            return journal_file.lost_end(connection, path)
    except sqlite3.DatabaseError:
        return ""


def _quick_check(connection: sqlite3.Connection) -> str:
    """What SQLite itself finds wrong with the file; empty: nothing."""
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    said = str(found[0]) if found else "no answer"
    return "" if said == "ok" else f"the file's structure is broken ({' '.join(said.split())})"


def _finished(kind: str, body: object) -> RunState | None:
    if kind != "run-finished" or not isinstance(body, bytes):
        return None
    try:
        return decoding.decode(body, RunFinished).state
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
