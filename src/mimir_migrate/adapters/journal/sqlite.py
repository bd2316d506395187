"""One run's journal in SQLite: implements `ports.Journal`.

Only the runner appends. Any process may read and leave requests, at the same time: SQLite's
write-ahead log lets readers and the writer by each other, and `synchronous = FULL` has every event on
disk before `append` returns.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from mimir_migrate import decoding
from mimir_migrate.adapters.journal import file as journal_file
from mimir_migrate.adapters.journal.file import Chain, Row
from mimir_migrate.adapters.journal.reserve import Reserve
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import JournalError, UsageError
from mimir_migrate.model.changes import Deploy
from mimir_migrate.model.events import (
    ChangeIntended,
    Event,
    LegStarted,
    Recorded,
    Request,
    RunStarted,
    answers_of,
)
from mimir_migrate.model.plan import Plan
from mimir_migrate.words import counted

_GONE_ON = "plan again: `mimir-migrate plan` starts from what the cluster says"

_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
"""What SQLite says where a disk is full: of the database, and of its log."""


class SqliteJournal:
    """One run's events and requests. Safe to use from several threads."""

    def __init__(
        self,
        path: Path,
        *,
        writing: bool,
        redactor: Redactor,
        now: Callable[[], float] = time.time,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Open `path`; `writing` is for the runner only.

        Raises:
            JournalError: It cannot be read, is damaged, or a newer version wrote it.
        """
        self.path = path
        self.notes = notes
        """What was found and made good when it was opened, for the operator."""
        self._writing = writing
        self._reserve = Reserve(path)
        self._redactor = redactor
        self._now = now
        self._lock = threading.RLock()
        self._events: list[Recorded] = []
        self._rows: list[Row] = []
        self._answered: set[str] = set()
        with self._told("opened"):
            self._connection = journal_file.connect(path, writing=writing)
        try:
            with self._told("read"):
                chain = journal_file.read_chain(self._connection, path)
        except BaseException:
            self._connection.close()
            raise
        self._run = chain.run
        self._first = journal_file.genesis(chain.run, chain.created_at)
        self.created_at = chain.created_at
        self.problem = chain.problem
        """Why the events end before the journal does; empty: they are all there."""
        if writing and chain.problem:
            self._connection.close()
            raise JournalError(f"{path} is damaged: {chain.problem}", hint=_GONE_ON)
        try:
            self._add(chain.rows)
        except BaseException:
            self._connection.close()
            raise
        if writing:
            self._reserve.keep()

    @property
    def run(self) -> str:
        """The run's id."""
        return self._run

    def append(self, event: Event) -> Recorded:
        """Write an event, its secrets taken out; it is on disk when this returns.

        Raises:
            JournalError: It cannot be written, or another process wrote meanwhile.
            UsageError: A command that will be run holds a secret, which must not be written.
        """
        if not self._writing:
            raise JournalError(
                f"{self.path} was opened for reading: only the runner writes events"
            )
        self._refuse_secret_commands(event)
        kind = str(event.__struct_config__.tag)
        plain = _with_clean_anchors(
            msgspec.to_builtins(event, builtin_types=(bytes,)), self._redactor
        )
        body = msgspec.json.encode(self._redactor.data(plain))
        with self._lock, self._told("written"), self._transaction():
            last = self._last
            seq = len(self._rows) + 1
            wrong = journal_file.check_head(self._connection, len(self._rows), last)
            if wrong:
                raise JournalError(
                    f"{self.path} is not as this runner left it: {wrong}",
                    hint="another runner may be at work on this run; see `mimir-migrate status`",
                )
            at = float(self._now())
            checksum = journal_file.checksum(last, seq, at, kind, body)
            self._connection.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?)", (seq, at, kind, body, checksum)
            )
            self._connection.execute(
                "INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (seq, checksum)
            )
        with self._lock:
            self._add((Row(seq=seq, at=at, kind=kind, body=body, checksum=checksum),))
            return self._events[-1]

    def events(self, after: int = 0) -> Sequence[Recorded]:
        """Events with a number above `after`, in order, checksums verified.

        Raises:
            JournalError: The journal is damaged; `readable_events` gives what can be trusted.
        """
        found = self.readable_events(after)
        if self.problem:
            raise JournalError(
                f"{self.path} is damaged: {self.problem}; "
                f"{counted(len(self._events), 'event')} before that can be trusted",
                hint=_GONE_ON,
            )
        return found

    def readable_events(self, after: int = 0) -> Sequence[Recorded]:
        """Events with a number above `after` that can be trusted; `problem` says why there are no more."""
        with self._lock:
            if not self.problem:
                self._read_on()
            return tuple(self._events[after:])

    def leave(self, request: Request) -> Request:
        """Leave a request for the runner, its secrets taken out; the request with its id. Any process may.

        Raises:
            JournalError: It cannot be written.
        """
        named = msgspec.structs.replace(request, id=f"request-{secrets.token_hex(4)}")
        body = msgspec.json.encode(self._redactor.data(msgspec.to_builtins(named)))
        with self._told("written"):
            connection = journal_file.connect(self.path, writing=True)
            with contextlib.closing(connection):
                connection.execute(
                    "INSERT INTO requests (at, body, checksum) VALUES (?, ?, ?)",
                    (float(self._now()), body, hashlib.sha256(body).digest()),
                )
        return named

    def open_requests(self) -> Sequence[Request]:
        """Requests that no event answers yet, oldest first.

        One that was damaged on disk is dropped: an approval must not be guessed.
        """
        with self._lock, self._told("read"):
            left = journal_file.read_requests(self._connection)
            if left and not self._writing and not self.problem:
                self._read_on()  # the runner may have answered some meanwhile
            found = []
            for body in left:
                with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError):
                    request = decoding.decode(body, Request)
                    if request.id not in self._answered:
                        found.append(request)
        return tuple(found)

    def close(self) -> None:
        """Close the file; the journal cannot be used afterwards."""
        with self._lock:
            if self._writing:
                self._reserve.give_up()
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _last(self) -> bytes:
        return self._rows[-1].checksum if self._rows else self._first

    def _read_on(self) -> None:
        """Take in what was written since the last look."""
        rows = list(self._rows)
        with self._told("read"):
            try:
                with journal_file.reading(self._connection):
                    last, problem = journal_file.extend(self._connection, rows, self._last)
                    self.problem = problem or journal_file.check_head(
                        self._connection, len(rows), last
                    )
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                self.problem = f"after event {len(rows)} it cannot be read ({error})"
        self._add(tuple(rows[len(self._rows) :]))

    def _add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._events.append(_recorded(row, self.path))
            self._answered.update(answers_of(self._events[-1].event))
            # The body is decoded: only the checksum is needed from here on.
            self._rows.append(
                Row(seq=row.seq, at=row.at, kind=row.kind, body=b"", checksum=row.checksum)
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """Turn SQLite's errors into ones that say what could not be done to which journal."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in _NO_ROOM and self._writing:
                # What ends a run because of it still has to be written.
                self._reserve.give_up()
            raise JournalError(
                f"the journal {self.path} cannot be {doing}: {error}",
                hint="look at the disk's free space and at the rights on the folder",
            ) from error
        except (sqlite3.Error, UnicodeError) as error:
            raise JournalError(
                f"the journal {self.path} is damaged and cannot be {doing}: {error}", hint=_GONE_ON
            ) from error

    def _refuse_secret_commands(self, event: Event) -> None:
        """A command must come out of the journal as it went in, so one with a secret stays out."""
        for name, text in _executed(event):
            if self._redactor.reveals(text):
                raise UsageError(
                    f"{name} of the target holds a secret, which would stand in the journal",
                    hint="let the command read it from the environment ($NAME); for helm, from a "
                    "values file or `helm registry login`",
                )


def _executed(event: Event) -> Iterator[tuple[str, str]]:
    """The settings of an event that will be run as commands, by name."""
    deploys = []
    if isinstance(event, RunStarted | LegStarted):
        plan: Plan = event.plan
        yield "values.render", plan.target.values.render
        deploys.append(plan.target.deploy)
        for name, command in plan.target.hooks.commands.items():
            yield f"hooks.{name}", command
    elif isinstance(event, ChangeIntended) and isinstance(event.change, Deploy):
        deploys.append(event.change.deploy)
    for deploy in deploys:
        yield "deploy.command", deploy.command
        yield "deploy.template", deploy.template
        yield "deploy.args", " ".join(deploy.args)


def _with_clean_anchors(value: Any, redactor: Redactor) -> Any:
    """An event's data with the bytes around hunks cut where they would bring a secret along.

    What a hunk replaces must stay, or it could not be taken back. Its anchors only find its place
    again in a file that was changed otherwise; shorter ones find it or refuse.
    """
    if isinstance(value, dict):
        if isinstance(value.get("lead"), bytes) and isinstance(value.get("trail"), bytes):
            lead, trail = value["lead"], value["trail"]
            return {
                **value,
                "lead": redactor.anchor_before(lead),
                "trail": redactor.anchor_after(trail),
            }
        return {key: _with_clean_anchors(inner, redactor) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_with_clean_anchors(inner, redactor) for inner in value]
    return value


def _recorded(row: Row, path: Path) -> Recorded:
    """An event from its row.

    Raises:
        JournalError: This version does not know that kind of event.
    """
    try:
        event = decoding.decode(row.body, Event)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise JournalError(
            f"event {row.seq} ({row.kind}) of {path} cannot be understood: {decoding.problem(error)}",
            hint="go on with the version of mimir-migrate that wrote it",
        ) from error
    return Recorded(seq=row.seq, at=row.at, event=event)


def copy_trusted(chain: Chain, to: Path, requests: Sequence[bytes] = ()) -> None:
    """Write the trusted events and requests of a damaged journal into a new one, byte for byte.

    Raises:
        JournalError: The new one cannot be written.
    """
    journal_file.create_file(to, chain.run, chain.created_at)
    try:
        with contextlib.closing(journal_file.connect(to, writing=True)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for row in chain.rows:
                connection.execute(
                    "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                    (row.seq, row.at, row.kind, row.body, row.checksum),
                )
            if chain.rows:
                connection.execute(
                    "INSERT INTO head VALUES (1, ?, ?)",
                    (chain.rows[-1].seq, chain.rows[-1].checksum),
                )
            for body in requests:
                connection.execute(
                    "INSERT INTO requests (at, body, checksum) VALUES (?, ?, ?)",
                    (chain.created_at, body, hashlib.sha256(body).digest()),
                )
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        to.unlink(missing_ok=True)
        raise JournalError(f"cannot write the recovered journal {to}: {error}") from error
