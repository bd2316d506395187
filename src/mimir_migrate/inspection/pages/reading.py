"""How pages are read: strictly where they are as known, member by member where something is not.

A value that nobody foresaw (a state, a time, a field that is missing or of another type) belongs to
one member. It is kept as that member's `unread`, shown, and makes that member unknown; the others of
the page are read as ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec

from mimir_migrate import decoding
from mimir_migrate.model.facts import MemberState, member_state

_Page = TypeVar("_Page")
_Value = TypeVar("_Value", bound=msgspec.Struct)

_GO_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? ([+-]\d\d)(\d\d)(?: |$)", re.ASCII
)
_LONGEST_QUOTE = 40
_NOT_SAID = "?"


class UnreadablePageError(ValueError):
    """A page is not what it should be; the message says what was found."""


class Entry(msgspec.Struct, Generic[_Value], frozen=True, kw_only=True):
    """One entry of a page's list, and what of it could not be read."""

    value: _Value
    key: str = ""
    """Its key, where the page has a mapping of them."""
    unread: tuple[str, ...] = ()


def decode_json(body: bytes, kind: type[_Page], what: str) -> _Page:
    """Decode a JSON page into a struct.

    Raises:
        UnreadablePageError: When the body is not such a page; the message quotes its beginning.
    """
    try:
        return decoding.decode(body, kind)
    except decoding.UNREADABLE as error:
        raise UnreadablePageError(
            f"not {what} ({decoding.problem(error)}); it begins {beginning(body)}"
        ) from error


def decode_entries(
    body: bytes,
    strict: type[_Page],
    loose: type[_Page],
    entries_of: Callable[[Any], Sequence[Entry[Any]]],
    kind: type[_Value],
    what: str,
) -> tuple[_Page, Sequence[Entry[_Value]]]:
    """A page and its entries: decoded at once where all are as known, else one by one.

    Args:
        body: The page.
        strict: The page with its entries as `kind`.
        loose: The same page with its entries as plain data.
        entries_of: The entries of either.
        kind: What an entry is.
        what: What to call the page in a message.

    Raises:
        UnreadablePageError: When the body is not such a page at all.
    """
    try:
        page = decoding.decode(body, strict)
    except msgspec.ValidationError:
        page = decode_json(body, loose, what)
        return page, [_read_alone(entry, kind) for entry in entries_of(page)]
    except decoding.UNREADABLE as error:
        raise UnreadablePageError(
            f"not {what} ({decoding.problem(error)}); it begins {beginning(body)}"
        ) from error
    return page, entries_of(page)


def _read_alone(entry: Entry[Any], kind: type[_Value]) -> Entry[_Value]:
    """One entry with each field taken as far as it can be read; the rest stands in `unread`."""
    found = entry.value if isinstance(entry.value, Mapping) else {}
    unread = [] if isinstance(entry.value, Mapping) else [f"the entry {quoted(entry.value)}"]
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name in found:
            try:
                fields[field.name] = decoding.convert(found[name], field.type)
                continue
            except msgspec.ValidationError:
                unread.append(f"{name} {quoted(found[name])}")
        elif field.required and not unread:
            unread.append(f"no {name}")
        if field.required:
            fields[field.name] = _NOT_SAID
    return Entry(value=kind(**fields), key=entry.key, unread=tuple(unread))


def told_state(written: object, unread: list[str]) -> MemberState:
    """The state that was written; one that is not known is added to `unread`."""
    state = member_state(written)
    if state is MemberState.UNKNOWN and written != _NOT_SAID:
        unread.append(f"state {quoted(written)}")
    return state


def seconds_of(name: str, written: object, unread: list[str]) -> int:
    """A time in whole seconds since the epoch; 0 for none. One that is not known joins `unread`.

    RFC 3339, what Go's `Time.String` prints, or a number of seconds.
    """
    if isinstance(written, bool) or written is None:
        return 0
    try:
        if isinstance(written, int | float):
            return int(written)
        return _seconds(_parsed(str(written))) if written else 0
    except (ValueError, OverflowError):
        unread.append(f"{name} {quoted(written)}")
        return 0


def _parsed(text: str) -> datetime:
    match = _GO_TIME.match(text)
    return datetime.fromisoformat("{}T{}{}:{}".format(*match.groups()) if match else text)


def _seconds(moment: datetime) -> int:
    """Go's zero time, the year 1, counts as none."""
    if moment.year <= 1:
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def quoted(value: object) -> str:
    """A value of a page, short, to show."""
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


def beginning(body: bytes) -> str:
    """The first characters of a page, to quote in a message."""
    return repr(body[:60].decode("utf-8", "replace"))
