"""Undo records beside the files that they are of: `VALUES.undo`, then `VALUES.undo.2` and so on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from mimir_migrate.adapters.given_files import read_given
from mimir_migrate.adapters.new_files import create_new
from mimir_migrate.documents.edits import sha256
from mimir_migrate.documents.undo_record import read_record
from mimir_migrate.documents.values.files import SourceFile, undo
from mimir_migrate.errors import (
    BlockedError,
    DocumentError,
    FileChangedError,
    MigrateError,
)
from mimir_migrate.model.changes import Outcome
from mimir_migrate.model.edits import FileEdit

_SUFFIX = re.compile(r"\.undo(?:\.(\d+))?\Z")


def write_beside(path: str, record: bytes) -> str:
    """Keep a record beside a file under the next free name, which is returned.

    Raises:
        UsageError: It cannot be written.
    """
    for number in count(1):
        name = f"{path}.undo" if number == 1 else f"{path}.undo.{number}"
        if not Path(name).exists() and number > _highest(path):
            create_new(name, record)
            return name
    raise AssertionError("numbers do not end")


def records_beside(path: str) -> list[str]:
    """The records beside a file, the newest first."""
    folder = Path(path).parent
    name = Path(path).name
    try:
        found = [
            each
            for each in folder.iterdir()
            if each.name.startswith(f"{name}.undo") and _SUFFIX.search(each.name)
        ]
    except OSError:
        return []
    ours = [each for each in found if _SUFFIX.sub("", each.name) == name]
    return [str(each) for each in sorted(ours, key=lambda each: -_number(str(each)))]


def _number(path: str) -> int:
    found = _SUFFIX.search(path)
    return int(found.group(1) or 1) if found else 0


def _highest(path: str) -> int:
    return max(map(_number, records_beside(path)), default=0)


def read_undo(path: str) -> tuple[FileEdit, ...]:
    """The inverse edits of a record on disk.

    Raises:
        DocumentError: It cannot be read, or is not a record.
    """
    content = read_given(path, "the undo record", made_by=_RECORDS)
    return read_record(content, path=path)


_RECORDS = "`edit --in-place` writes it beside the file that it edits, as VALUES.undo."


def remove_record(path: str, expected_sha256: str) -> Outcome:
    """Remove an undo record that is still what was seen; one that is gone is removed already.

    Raises:
        DocumentError: It is not an undo record, or cannot be read or removed.
        FileChangedError: It is not what was seen.
    """
    if not Path(path).exists():
        return Outcome(detail=f"{path} was removed already", already=True)
    if not _number(path):
        raise DocumentError(
            "its name is not that of an undo record; it stays",
            path=path,
            hint="Remove it by hand if it may go.",
        )
    read_undo(path)
    found = sha256(Path(path).read_bytes())
    if found != expected_sha256:
        raise FileChangedError(
            f"{path} is not what was seen: its sha256 is {found[:12]}…, it was "
            f"{expected_sha256[:12]}…; it stays",
            hint="look at what it holds now, then do this again",
        )
    try:
        Path(path).unlink()
    except OSError as error:
        raise DocumentError(
            f"cannot be removed: {error.strerror}",
            path=path,
            hint="Look at the rights on its folder.",
        ) from error
    return Outcome(detail=f"{path} is removed")


def put_aside(record: str) -> str:
    """Rename a record beside a file that has served, so that nothing stands on it any more.

    Returns:
        Its new name; empty: it has another kind of name, or cannot be renamed, and stays.
    """
    if not _number(record):
        return ""
    for number in count(1):
        name = f"{record}.undone" if number == 1 else f"{record}.undone.{number}"
        if not Path(name).exists():
            try:
                Path(record).rename(name)
            except OSError:
                return ""
            return name
    raise AssertionError("numbers do not end")


def refuse_out_of_order(record: str, files: Sequence[SourceFile]) -> None:
    """Refuse to take an edit back while a later one, made on top of it, still stands in the files.

    Where the files are exactly what the edit led to, nothing stands on it.

    Raises:
        BlockedError: With the record that is to be undone first.
    """
    wanted = read_undo(record)
    if _is_exact(wanted, files):
        return
    led_to = {edit.before_sha256 for edit in wanted}
    for path in dict.fromkeys(file.path for file in files):
        for other in records_beside(path):
            if Path(other).resolve() == Path(record).resolve():
                continue
            try:
                later = read_undo(other)
                behind = {edit.after_sha256 for edit in later} & led_to
                newer = _number(record) and _number(other) > _number(record)
                stands = (behind or newer) and undo(later, files)
            except MigrateError:
                # What no longer fits was undone already, or changed by hand since.
                continue
            if stands:
                raise BlockedError(
                    f"the edit of {other} was made after the one of {record} and still stands",
                    hint=f"Undo the later one first: --undo {other}.",
                )


def _is_exact(wanted: Sequence[FileEdit], files: Sequence[SourceFile]) -> bool:
    hashes = {sha256(file.content) for file in files}
    return all(edit.before_sha256 in hashes for edit in wanted)


def known_records(files: Sequence[SourceFile]) -> list[tuple[FileEdit, ...]]:
    """The records beside the files that can be read, the newest first."""
    found: list[tuple[FileEdit, ...]] = []
    for path in dict.fromkeys(file.path for file in files):
        for each in records_beside(path):
            try:
                found.append(read_undo(each))
            except DocumentError:
                continue
    return found
