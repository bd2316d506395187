"""The undo record: what puts files back as they were, without a copy of them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from mimir_migrate.errors import DocumentError
from mimir_migrate.model.edits import FileEdit, Hunk

_SCHEMA = "mimir-migrate/1"
_SMALL = 4096
"""A record of this size is always fine; a bigger one at most twice its hunks."""

_WHICH = "`edit --in-place` writes it beside the values file, as VALUES.undo or VALUES.undo.N."


def write_record(edits: Sequence[FileEdit]) -> bytes:
    """The record of inverse edits as JSON, at most 4 KB or twice the bytes of the hunks.

    Anchors, which find a place again after somebody else's change, are cut where they do not fit.
    """
    allowed = max(_SMALL, 2 * _hunk_bytes(edits))
    limit: int | None = None
    while True:
        record = _encoded(edits, limit)
        if len(record) <= allowed or limit == 0:
            return record
        limit = 512 if limit is None else limit // 2 if limit > 1 else 0


def read_record(content: bytes, *, path: str) -> tuple[FileEdit, ...]:
    """The inverse edits of a record.

    Raises:
        DocumentError: the content is not a record, or was changed since it was written.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DocumentError("this is not an undo record", path=path, hint=_WHICH) from error
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
        raise DocumentError("this is not an undo record of this program", path=path, hint=_WHICH)
    if document.get("checksum") != _checksum(document):
        raise DocumentError(
            "the undo record was changed or cut short since it was written",
            path=path,
            hint="take the record from a backup, or put the file back from version control",
        )
    try:
        return tuple(_edit(entry) for entry in document["files"])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise DocumentError(
            "the undo record lacks something",
            path=path,
            hint="take the record from a backup, or put the file back from version control",
        ) from error


def _hunk_bytes(edits: Sequence[FileEdit]) -> int:
    return sum(len(hunk.before) + len(hunk.after) for edit in edits for hunk in edit.hunks)


def _encoded(edits: Sequence[FileEdit], anchor: int | None) -> bytes:
    document: dict[str, Any] = {
        "schema": _SCHEMA,
        "kind": "undo",
        "files": [
            {
                "path": edit.path,
                "before": edit.before_sha256,
                "after": edit.after_sha256,
                "hunks": [_hunk_entry(hunk, anchor) for hunk in edit.hunks],
            }
            for edit in edits
        ],
    }
    document["checksum"] = _checksum(document)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _hunk_entry(hunk: Hunk, anchor: int | None) -> list[Any]:
    lead = hunk.lead if anchor is None else hunk.lead[len(hunk.lead) - anchor :]
    trail = hunk.trail if anchor is None else hunk.trail[:anchor]
    if anchor is not None and len(hunk.lead) <= anchor:
        lead = hunk.lead
    return [hunk.start, *(_packed(part) for part in (hunk.before, hunk.after, lead, trail))]


def _packed(part: bytes) -> str | list[str]:
    """Text as it is; what is not text in base64, in a list."""
    try:
        return part.decode("utf-8")
    except UnicodeDecodeError:
        return [base64.b64encode(part).decode("ascii")]


def _unpacked(part: Any) -> bytes:
    if isinstance(part, list):
        return base64.b64decode(part[0], validate=True)
    if not isinstance(part, str):
        raise TypeError("not text")
    return part.encode("utf-8")


def _edit(entry: Any) -> FileEdit:
    hunks: list[Hunk] = []
    for start, before, after, lead, trail in entry["hunks"]:
        if not isinstance(start, int) or isinstance(start, bool):
            raise TypeError("an offset is not a number")
        hunks.append(
            Hunk(
                start=start,
                before=_unpacked(before),
                after=_unpacked(after),
                lead=_unpacked(lead),
                trail=_unpacked(trail),
            )
        )
    return FileEdit(
        path=str(entry["path"]),
        before_sha256=str(entry["before"]),
        after_sha256=str(entry["after"]),
        hunks=tuple(hunks),
    )


def _checksum(document: dict[str, Any]) -> str:
    body = {key: value for key, value in document.items() if key != "checksum"}
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
