"""The file of a journal: its tables, the chain of its checksums, and how much of it can be trusted.

Every event's checksum covers the event and the checksum before it; the first one covers the run's id,
the schema and the time of creation. A row `head` repeats the last number and checksum, so that a
missing end is noticed as well as a changed middle. SQLite writes an event and the head in one
transaction: a process or machine that dies leaves both or neither.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import weakref
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mimir_migrate.adapters.files import sync_folder
from mimir_migrate.errors import JournalError

SCHEMA = 1
"""Version of the tables and of the events' JSON. A file with a higher one is refused."""

_APPLICATION = 0x6D696D69
"""SQLite's application id of a journal: `mimi`."""
_MAGIC = b"SQLite format 3\x00"
_HEADER = 100
"""Bytes of an SQLite header; the application id stands at 68, the schema (user version) at 60."""
_BUSY_SECONDS = 15.0

_TABLES = """
CREATE TABLE journal (run TEXT NOT NULL, created_at REAL NOT NULL) STRICT;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    checksum BLOB NOT NULL
) STRICT;
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, checksum BLOB NOT NULL)
    STRICT;
CREATE TABLE requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    body BLOB NOT NULL,
    checksum BLOB NOT NULL
) STRICT;
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events stay'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events stay'); END;
"""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it stands in the file, its checksum verified."""

    seq: int
    at: float
    kind: str
    body: bytes
    checksum: bytes


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """The events that can be trusted, and why there are no more of them."""

    run: str
    created_at: float
    rows: tuple[Row, ...]
    problem: str = ""
    """Empty: the journal is whole."""


def genesis(run: str, created_at: float) -> bytes:
    """The checksum that the first event's covers."""
    return hashlib.sha256(
        f"mimir-migrate journal\n{SCHEMA}\n{run}\n{created_at!r}".encode()
    ).digest()


def checksum(previous: bytes, seq: int, at: float, kind: str, body: bytes) -> bytes:
    """The checksum of one event."""
    digest = hashlib.sha256(previous)
    digest.update(f"{seq}\n{at!r}\n{kind}\n{len(body)}\n".encode())
    digest.update(body)
    return digest.digest()


def create_file(path: Path, run: str, created_at: float) -> None:
    """Write a new, empty journal in one piece.

    Raises:
        JournalError: There is one of that name, or the folder cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        draft.chmod(0o600)
        with contextlib.closing(connect(draft, writing=True, known=False)) as connection:
            connection.executescript(
                f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {SCHEMA};"
                f"PRAGMA journal_mode = WAL; BEGIN; {_TABLES} COMMIT;"
            )
            connection.execute("INSERT INTO journal VALUES (?, ?)", (run, created_at))
        os.link(draft, path)
        sync_folder(path.parent)
    except FileExistsError as error:
        raise JournalError(f"cannot start the journal {path}: there is one already") from error
    except (OSError, sqlite3.Error) as error:
        raise JournalError(
            f"cannot start the journal {path}: {error}",
            hint="name a folder that can be written in MIMIR_MIGRATE_STATE",
        ) from error
    finally:
        for left in (draft, *(draft.with_name(draft.name + end) for end in ("-wal", "-shm"))):
            left.unlink(missing_ok=True)


def connect(path: Path, *, writing: bool, known: bool = True) -> sqlite3.Connection:
    """Open a journal's file.

    Args:
        path: The file.
        writing: Whether it will be written; otherwise nothing can be, and it works beside a runner
            and on what a dead one left.
        known: Whether the file must already be a journal.

    Raises:
        JournalError: There is no such file, it is not a journal, or a newer version wrote it.
    """
    if known and not _is_open_here(path):
        _look_at_header(path)
    wal = path.with_name(path.name + "-wal")
    query = "mode=rw" if writing else "mode=ro"
    if not writing and not os.access(path.parent, os.W_OK) and not wal.exists():
        # In a folder that cannot be written, SQLite can only read what nobody writes.
        query = "immutable=1"
    uri = f"file:{_quoted(path)}?{query}"
    connection = sqlite3.connect(
        uri,
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        factory=_Connection,
    )
    _remember(path, connection)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def read_chain(connection: sqlite3.Connection, path: Path) -> Chain:
    """Read every event from the first on, for as long as the chain of checksums holds.

    Args:
        connection: To the journal.
        path: Its file, whose length counts as well (`lost_end`).

    Raises:
        JournalError: Not even the first lines can be read.
    """
    try:
        found = connection.execute("SELECT run, created_at FROM journal").fetchall()
    except sqlite3.Error as error:
        raise JournalError(f"the journal is damaged: {error}") from error
    if len(found) != 1:
        raise JournalError("the journal is damaged: it does not say which run it belongs to")
    run, created_at = found[0]
    rows: list[Row] = []
    problem = ""
    try:
        with reading(connection):
            last, problem = extend(connection, rows, genesis(run, created_at))
            problem = problem or check_head(connection, len(rows), last)
            problem = problem or lost_end(connection, path)
    except (sqlite3.Error, OSError) as error:
        problem = f"after event {len(rows)} it cannot be read ({error})"
    return Chain(run=run, created_at=created_at, rows=tuple(rows), problem=problem)


def extend(connection: sqlite3.Connection, rows: list[Row], last: bytes) -> tuple[bytes, str]:
    """Append to `rows` the events that follow them; the last checksum, and what is wrong if any."""
    cursor = connection.execute(
        "SELECT seq, at, kind, body, checksum FROM events WHERE seq > ? ORDER BY seq", (len(rows),)
    )
    for seq, at, kind, body, found in cursor:
        if seq != len(rows) + 1:
            return last, f"event {len(rows) + 1} is missing"
        if not isinstance(body, bytes) or checksum(last, seq, at, kind, body) != found:
            return last, f"event {seq} is not what was written: its checksum does not match"
        last = found
        rows.append(Row(seq=seq, at=at, kind=kind, body=body, checksum=found))
    return last, ""


def check_head(connection: sqlite3.Connection, count: int, last: bytes) -> str:
    """What is wrong with the end of the journal; empty: nothing."""
    head = connection.execute("SELECT seq, checksum FROM head").fetchone()
    if head is None:
        return "" if count == 0 else f"whether anything came after event {count} cannot be told"
    if head != (count, last):
        return f"it was written up to event {head[0]}, but only {count} are there"
    return ""


def read_requests(connection: sqlite3.Connection) -> list[bytes]:
    """The bodies of all requests, oldest first; one whose checksum does not match is left out."""
    rows = connection.execute("SELECT body, checksum FROM requests ORDER BY id").fetchall()
    return [
        body
        for body, found in rows
        if isinstance(body, bytes) and hashlib.sha256(body).digest() == found
    ]


@contextlib.contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """Reads inside see one moment, also while a runner writes."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def lost_end(connection: sqlite3.Connection, path: Path) -> str:
    """What is wrong with the length of the file; empty: nothing. Ask inside `reading`, after a read.

    SQLite reads zeros where a file ends too early inside its last page, and says nothing. Such a cut
    is hidden where the lost bytes were zeros, as with every page that is not full and with one
    checksum in 256, and where no event stands in them: requests, a page that is free. A page may be
    absent from the file only while the write-ahead log holds it.
    """
    size = path.stat().st_size
    page = int(connection.execute("PRAGMA page_size").fetchone()[0])
    pages = int(connection.execute("PRAGMA page_count").fetchone()[0])
    lost = set(range(size // page + 1, pages + 1))
    if lost and not lost <= _pages_in_log(path, page):
        return f"its file is cut short: {size} bytes of {pages * page}"
    return ""


def _pages_in_log(path: Path, page: int) -> set[int]:
    """The numbers of the pages that the present round of the write-ahead log holds."""
    found: set[int] = set()
    try:
        with path.with_name(path.name + "-wal").open("rb") as file:
            salts = file.read(_WAL_HEADER)[16:24]
            while len(head := file.read(_WAL_FRAME)) == _WAL_FRAME:
                # Frames of an earlier round of the log have other salts and mean nothing.
                if head[8:16] == salts:
                    found.add(int.from_bytes(head[:4], "big"))
                file.seek(page, os.SEEK_CUR)
    except OSError:
        return set()
    return found


def cut_short(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the write-ahead log holds more than SQLite could use of it.

    That is what a power cut in the middle of a write leaves, or a log that lost its end.
    """
    wal = path.with_name(path.name + "-wal")
    try:
        size = wal.stat().st_size
        head = wal.read_bytes()[:_WAL_HEADER] if size else b""
    except OSError:
        return False
    if not size:
        return False
    page = int(connection.execute("PRAGMA page_size").fetchone()[0]) + _WAL_FRAME
    usable = int(connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])
    whole, rest = divmod(size - _WAL_HEADER, page)
    if size < _WAL_HEADER or rest:
        return True
    salts = head[16:24]
    with wal.open("rb") as file:
        for frame in range(max(usable, 0), whole):
            file.seek(_WAL_HEADER + frame * page + 8)
            # Frames of an earlier round of the log have other salts and mean nothing.
            if file.read(8) == salts:
                return True
    return usable <= 0 < whole


_WAL_HEADER = 32
_WAL_FRAME = 24


class _Connection(sqlite3.Connection):
    """A connection that can be remembered weakly."""


_open: dict[tuple[int, int], weakref.WeakSet[sqlite3.Connection]] = {}
"""Connections of this process by device and inode of their file.

POSIX gives up a process's locks on a file when the process closes *any* descriptor of it
(https://www.sqlite.org/howtocorrupt.html, 2.2). Looking at the header beside an open connection would
take its locks away: another process could then believe itself the last one and delete the log.
"""


def _remember(path: Path, connection: sqlite3.Connection) -> None:
    with contextlib.suppress(OSError):
        found = path.stat()
        _open.setdefault((found.st_dev, found.st_ino), weakref.WeakSet()).add(connection)


def _is_open_here(path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return any(_is_usable(one) for one in _open.get((found.st_dev, found.st_ino), ()))


def _is_usable(connection: sqlite3.Connection) -> bool:
    try:
        connection.total_changes  # noqa: B018 - raises on a closed connection
    except sqlite3.ProgrammingError:
        return False
    return True


def _look_at_header(path: Path) -> None:
    """Refuse what is not a journal before SQLite sees it: it would delete the log beside an empty file."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER)
    except FileNotFoundError as error:
        raise JournalError(
            f"there is no journal {path}", hint="`mimir-migrate runs` lists the runs there are"
        ) from error
    except OSError as error:
        raise JournalError(f"cannot read the journal {path}: {error.strerror}") from error
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        raise JournalError(
            f"{path} is not a journal, or only the beginning of one ({len(header)} bytes of its header)",
            hint="plan again: `mimir-migrate plan` starts from what the cluster says",
        )
    if int.from_bytes(header[68:72], "big") != _APPLICATION:
        raise JournalError(f"{path} is a database, but not a journal of mimir-migrate")
    schema = int.from_bytes(header[60:64], "big")
    if schema > SCHEMA:
        raise JournalError(
            f"{path} was written by a newer mimir-migrate (schema {schema}, this one reads {SCHEMA})",
            hint="go on with the version that wrote it, or a newer one",
        )
    if schema < 1:
        raise JournalError(f"{path} names the schema {schema}, which never existed: it is damaged")


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path))
