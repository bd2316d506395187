"""Edits of files as hunks: made, applied, taken back, shown, and kept as an undo record."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Sequence

from mimir_migrate.documents.undo_record import read_record, write_record
from mimir_migrate.errors import EditRefusedError, FileChangedError
from mimir_migrate.model.edits import FileEdit, Hunk

__all__ = [
    "apply",
    "from_hunks",
    "from_texts",
    "inverse",
    "read_record",
    "sha256",
    "unified",
    "write_record",
]

_NEAR = 24
"""Changes on one line that are closer together than this many bytes become one hunk."""
_LONGEST_ANCHOR = 4096
_SHOWN = 80


def sha256(content: bytes) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def from_texts(path: str, before: bytes, after: bytes, notes: Sequence[str] = ()) -> FileEdit:
    """The edit that turns one content into another, with as few bytes as lines allow."""
    changes = _line_changes(before, after)
    return _edit(path, before, after, [_trimmed(*change) for change in changes], notes)


def from_hunks(
    path: str,
    before: bytes,
    changes: Sequence[tuple[int, int, bytes]],
    notes: Sequence[str] = (),
) -> FileEdit:
    """The edit made of replacements: start and end offset in `before`, and the new bytes."""
    pieces: list[bytes] = []
    at = 0
    for start, end, new in changes:
        pieces += (before[at:start], new)
        at = end
    pieces.append(before[at:])
    triples = [(start, before[start:end], new) for start, end, new in changes]
    return _edit(path, before, b"".join(pieces), triples, notes)


def apply(edit: FileEdit, content: bytes) -> bytes:
    """The content after the edit.

    The edit is exact where the content is what it was made for. Otherwise every hunk is looked for
    by the bytes around it, so that somebody's change elsewhere in the file is kept.

    Raises:
        EditRefusedError: a hunk's place is not the only one of its kind.
        FileChangedError: a hunk's place is gone.
    """
    if sha256(content) == edit.before_sha256:
        return _exact(edit, content)
    if edit.hunks and sha256(content) == edit.after_sha256:
        return content
    pieces: list[bytes] = []
    at = 0
    for number, hunk in enumerate(edit.hunks):
        start = _search(edit, number, content, at)
        pieces += (content[at:start], hunk.after)
        at = start + len(hunk.before)
    pieces.append(content[at:])
    return b"".join(pieces)


def inverse(edit: FileEdit, content_before: bytes | None = None) -> FileEdit:
    """The edit that takes `edit` back.

    With the content from before the edit the anchors are made unique in the content after it.
    """
    if content_before is not None:
        after = _exact(edit, content_before)
        return _edit(edit.path, after, content_before, _swapped(edit), ())
    hunks = tuple(
        Hunk(start=start, before=before, after=new, lead=hunk.lead, trail=hunk.trail)
        for hunk, (start, before, new) in zip(edit.hunks, _swapped(edit), strict=True)
    )
    return FileEdit(
        path=edit.path,
        before_sha256=edit.after_sha256,
        after_sha256=edit.before_sha256,
        hunks=hunks,
    )


def unified(edit: FileEdit, content: bytes, *, context: int = 3) -> str:
    """The unified diff of applying the edit to the content."""
    after = apply(edit, content)
    old = _text_lines(content)
    new = _text_lines(after)
    lines: list[str] = []
    for line in difflib.unified_diff(old, new, edit.path, edit.path, n=context):
        lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


def _text_lines(content: bytes) -> list[str]:
    text = content.decode("utf-8", "replace")
    # Only line feeds end a line of a diff; `splitlines` knows more kinds.
    return [line for line in re.split(r"(?<=\n)", text) if line]


def _swapped(edit: FileEdit) -> list[tuple[int, bytes, bytes]]:
    shift = 0
    swapped: list[tuple[int, bytes, bytes]] = []
    for hunk in edit.hunks:
        swapped.append((hunk.start + shift, hunk.after, hunk.before))
        shift += len(hunk.after) - len(hunk.before)
    return swapped


def _exact(edit: FileEdit, content: bytes) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for hunk in edit.hunks:
        end = hunk.start + len(hunk.before)
        if content[hunk.start : end] != hunk.before or hunk.start < at:
            raise FileChangedError(
                f"{edit.path}: the edit does not fit the file it names",
                hint="make the edit again from the file as it is now",
            )
        pieces += (content[at : hunk.start], hunk.after)
        at = end
    pieces.append(content[at:])
    result = b"".join(pieces)
    if sha256(result) != edit.after_sha256:
        raise FileChangedError(
            f"{edit.path}: the edit gives another content than it says",
            hint="the edit or its record was changed by hand; make it again",
        )
    return result


def _search(edit: FileEdit, number: int, content: bytes, at: int) -> int:
    """Where a hunk belongs in a content that has changed since, not before `at`."""
    hunk = edit.hunks[number]
    ambiguous = -1
    for before, pattern in _patterns(edit, number):
        low = max(at - before, 0)
        first = content.find(pattern, low)
        if first < 0:
            continue
        if content.find(pattern, first + 1) < 0 or _follows(edit, number, first + before - at):
            return first + before
        ambiguous = first + before
    if ambiguous >= 0:
        raise EditRefusedError(
            "the place to change is there more than once by now",
            path=edit.path,
            refusal="ambiguous-place",
            line=content.count(b"\n", 0, ambiguous) + 1,
            column=1,
            hint="put the file back as it was, or make the change by hand",
        )
    raise FileChangedError(
        f"{edit.path}: what is to be changed is no longer there: {_shown(hunk.before)}",
        hint="somebody changed those lines; put them back, or make the change by hand",
    )


def _patterns(edit: FileEdit, number: int) -> Iterator[tuple[int, bytes]]:
    """What to look for, the surest first, each with the length of what precedes the hunk."""
    hunk = edit.hunks[number]
    lead, trail = len(hunk.lead), hunk.trail
    following = edit.hunks[number + 1] if number + 1 < len(edit.hunks) else None
    if following and hunk.start + len(hunk.before) + len(trail) == following.start:
        yield lead, hunk.lead + hunk.before + trail + following.before + following.trail
    yield lead, hunk.lead + hunk.before + trail
    if hunk.lead:
        yield lead, hunk.lead + hunk.before
    if trail:
        yield 0, hunk.before + trail
    if b"\n" in hunk.before:
        # Whole lines that are the only ones of their kind need nothing around them.
        yield 0, hunk.before


def _follows(edit: FileEdit, number: int, gap: int) -> bool:
    """Whether a place is as far behind the hunk before as it was when the edit was made."""
    if not number:
        return False
    last, hunk = edit.hunks[number - 1], edit.hunks[number]
    made = hunk.start - last.start - len(last.before)
    return gap == made == len(hunk.lead)


def _shown(content: bytes) -> str:
    text = content.decode("utf-8", "replace").strip()
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def _edit(
    path: str,
    before: bytes,
    after: bytes,
    changes: Sequence[tuple[int, bytes, bytes]],
    notes: Sequence[str],
) -> FileEdit:
    merged = _merged(before, [change for change in changes if change[1] != change[2]])
    hunks: list[Hunk] = []
    for position, (start, old, new) in enumerate(merged):
        low = merged[position - 1][0] + len(merged[position - 1][1]) if position else 0
        high = merged[position + 1][0] if position + 1 < len(merged) else len(before)
        lead, trail = _anchors(before, start, start + len(old), low, high)
        hunks.append(Hunk(start=start, before=old, after=new, lead=lead, trail=trail))
    return FileEdit(
        path=path,
        before_sha256=sha256(before),
        after_sha256=sha256(after),
        hunks=tuple(hunks),
        notes=tuple(notes),
    )


def _merged(
    before: bytes, changes: Sequence[tuple[int, bytes, bytes]]
) -> list[tuple[int, bytes, bytes]]:
    """Changes that nearly touch as one."""
    merged: list[tuple[int, bytes, bytes]] = []
    for start, old, new in changes:
        if merged:
            last_start, last_old, last_new = merged[-1]
            gap = before[last_start + len(last_old) : start]
            whole_line = b"\n" in gap or (last_old or last_new).endswith(b"\n")
            if not gap or (len(gap) < _NEAR and not whole_line):
                merged[-1] = (last_start, last_old + gap + old, last_new + gap + new)
                continue
        merged.append((start, old, new))
    return merged


def _anchors(content: bytes, start: int, end: int, low: int, high: int) -> tuple[bytes, bytes]:
    """The shortest bytes before and after that each make the place the only one of its kind."""
    old = content[start:end]
    lead = _grown(content, old, start, low, -1)
    trail = _grown(content, old, end, high, 1)
    return lead, trail


def _grown(content: bytes, old: bytes, edge: int, limit: int, way: int) -> bytes:
    size = 16
    while True:
        size = min(size, abs(limit - edge), _LONGEST_ANCHOR)
        anchor = content[edge - size : edge] if way < 0 else content[edge : edge + size]
        pattern = anchor + old if way < 0 else old + anchor
        if size == min(abs(limit - edge), _LONGEST_ANCHOR):
            return anchor
        if pattern and content.find(pattern, content.find(pattern) + 1) < 0:
            return anchor
        size += 16


def _line_changes(before: bytes, after: bytes) -> list[tuple[int, bytes, bytes]]:
    old = before.splitlines(keepends=True)
    new = after.splitlines(keepends=True)
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    start = sum(map(len, old[:head]))
    old = old[head : len(old) - tail]
    new = new[head : len(new) - tail]
    changes: list[tuple[int, bytes, bytes]] = []
    offsets = [start]
    for line in old:
        offsets.append(offsets[-1] + len(line))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, low, high, new_low, new_high in matcher.get_opcodes():
        if tag != "equal":
            changes.append(
                (offsets[low], b"".join(old[low:high]), b"".join(new[new_low:new_high]))
            )
    return changes


def _trimmed(start: int, old: bytes, new: bytes) -> tuple[int, bytes, bytes]:
    """The change without the bytes at its ends that stay."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return start + head, old[head : len(old) - tail], new[head : len(new) - tail]
