"""Edits of files as hunks of bytes, bound to what the file was and will be."""

from __future__ import annotations

import msgspec


class Hunk(msgspec.Struct, frozen=True, kw_only=True):
    """Some bytes of a file replaced by others.

    `start` is the byte offset in the file before the edit; `lead` and `trail` are the bytes just
    before and after, which find the place again when something else in the file has moved it.
    """

    start: int
    before: bytes
    after: bytes
    lead: bytes = b""
    trail: bytes = b""


class FileEdit(msgspec.Struct, frozen=True, kw_only=True):
    """An edit of one file. `path` is as the operator named the file."""

    path: str
    before_sha256: str
    after_sha256: str
    hunks: tuple[Hunk, ...]
    notes: tuple[str, ...] = ()
    """What the operator should know about how it was made, e.g. that a canonical form was written."""

    @property
    def changes(self) -> bool:
        """Whether the edit changes anything."""
        return bool(self.hunks)


class PathChange(msgspec.Struct, frozen=True, kw_only=True):
    """One setting before and after; None where it is absent. Values are as YAML prints them."""

    path: str
    before: str | None
    after: str | None
