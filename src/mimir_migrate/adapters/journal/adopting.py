"""Journals of other machines' runs, taken over from their copies."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mimir_migrate.adapters.journal import file as journal_file
from mimir_migrate.errors import JournalError
from mimir_migrate.model.events import Recorded, RunFinished, RunnerStarted

IDLE = frozenset(str(kind.__struct_config__.tag) for kind in (RunnerStarted, RunFinished))
"""What a runner wrote that did nothing."""


def marker(path: Path) -> Path:
    """The file beside a journal that says it was adopted, and how many events came with it."""
    return path.with_suffix(".adopted")


def adopted_events(path: Path) -> int:
    """How many events of a journal came from a copy; 0: it was begun here."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        return int(json.loads(marker(path).read_text(encoding="utf-8"))["events"])
    return 0


def adopt(path: Path, run: str, created_at: float, events: Sequence[Recorded]) -> bool:
    """Write a run's journal from its copy; whether anything was written.

    One that is there from an earlier copy gets what came since. One that a runner of this machine
    wrote on is left as it is: it knows more than the copy. Of a runner that began and ended without a
    leg, as one that was refused the lease, nothing is kept: it did nothing.

    Raises:
        JournalError: It cannot be written.
    """
    before = adopted_events(path)
    if path.exists() and (not before or before >= len(events)):
        return False
    try:
        if path.exists() and not _make_way(path, before):
            return False
        if not path.exists():
            before = 0
            journal_file.create_file(path, run, created_at)
        with contextlib.closing(journal_file.connect(path, writing=True)) as connection:
            chain = journal_file.read_chain(connection, path)
            if chain.problem or len(chain.rows) != before:
                return False
            last = (
                chain.rows[-1].checksum
                if chain.rows
                else journal_file.genesis(chain.run, chain.created_at)
            )
            connection.execute("BEGIN IMMEDIATE")
            for number, recorded in enumerate(events[before:], before + 1):
                kind = str(recorded.event.__struct_config__.tag)
                body = msgspec.json.encode(recorded.event)
                last = journal_file.checksum(last, number, recorded.at, kind, body)
                connection.execute(
                    "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                    (number, recorded.at, kind, body, last),
                )
            connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (len(events), last))
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise JournalError(f"cannot write the journal {path}: {error}") from error
    marker(path).write_text(json.dumps({"events": len(events)}), encoding="utf-8")
    return True


def _make_way(path: Path, before: int) -> bool:
    """Whether a journal may be written on from its copy; one with a runner that did nothing is put away."""
    with contextlib.closing(journal_file.connect(path, writing=False)) as connection:
        chain = journal_file.read_chain(connection, path)
    own = {row.kind for row in chain.rows[before:]}
    if chain.problem or len(chain.rows) < before or own - IDLE:
        return False
    if own:
        # What stands in a journal stays there: it is written again from the copy, which has the rest.
        for ending in ("", "-wal", "-shm"):
            path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
    return True
