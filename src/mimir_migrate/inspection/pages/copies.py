"""Many copies of the same ring, each different text of a member read once.

Every reader of a ring has a copy of it, and the copies differ in little but heartbeats: of a page of 300 KB
all but a few hundred bytes are tokens that the last hundred pods wrote too. A page is taken apart into its
members; the bytes around a member's heartbeat are held against those that were read before, which costs a
comparison of memory, and only what is new is decoded. So all facts share one member for one text, and one
tuple for one set of tokens: equal ones are the same object, and differing ones are laid out where they differ.

It says what the full reading says or nothing at all. A new text is decoded on its own by the decoder of the
full reading, which also shows where the entry ends, since no JSON value is the beginning of another; that
the bytes taken for the heartbeat are it is shown by putting another one there and decoding again; and what
surrounds the members is decoded with one made-up member in their place. Whatever is not as expected
(spaces, a member that cannot be read strictly, a page that is cut) is left to the full reading.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable
from typing import TypeVar

import msgspec

from mimir_migrate import decoding
from mimir_migrate.model.facts import Member

_Kind = TypeVar("_Kind")

MADE_UP = "made up to read a page"
"""The name of a member that no ring has."""
_LARGEST = 16_777_216
"""Bytes of member texts that are kept; then all are forgotten, and the next pages are read as the first."""
_VARIANTS = 4
"""Texts of one member that are kept at a time: while it changes, some readers have the old one."""
_HEARTBEATS = 32
"""Heartbeats of one text that are kept at a time."""
_TRIES = 8
"""Closing braces that are tried as the end of an entry; real ones nest one level deep."""


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """How a page writes its members. All of it in bytes, without spaces, as Go writes JSON."""

    opening: bytes
    """What comes before the first member."""
    ends: bytes
    """What may follow a member: a comma, or the end of the list."""
    made_up: bytes
    """A member that no ring has, as an entry of the page."""
    heartbeat: bytes
    """What stands before a member's heartbeat."""
    written: re.Pattern[bytes]
    """A heartbeat as it is usually written."""
    digit: int
    """Which byte of it counts seconds."""
    seconds: Callable[[bytes], int | None]
    """The seconds of a heartbeat as it is written; None: they cannot be told."""
    entry: Callable[[bytes], Member | None]
    """One entry on its own, strictly; None, or what `decoding.UNREADABLE` has: it is not one."""
    framed: Callable[[bytes], bool]
    """Whether a page, read strictly, holds the made-up member and no other; it may raise the same."""


class _Text:
    """One text of a member."""

    __slots__ = ("beats", "head", "link", "member", "tail", "width")

    def __init__(self, head: bytes, width: int, tail: bytes, member: Member) -> None:
        self.head = head
        """Up to the heartbeat."""
        self.width = width
        """Bytes of the heartbeat."""
        self.tail = tail
        """All that follows it."""
        self.member = member
        self.beats: dict[bytes, Member] = {}
        """By the heartbeat as it is written."""
        self.link: tuple[bytes, _Text] | None = None
        """From this one's heartbeat to the next one's, as the last page had it, and the next one."""


class Copies:
    """Reads the copies of rings in one form of page. Safe to use from several threads."""

    def __init__(self, form: Form) -> None:
        """Nothing was read yet."""
        self._form = form
        self._lock = threading.Lock()
        self._texts: dict[bytes, tuple[_Text, ...]] = {}
        """By everything from a member's beginning to its heartbeat."""
        self._size = 0

    def members(self, body: bytes) -> tuple[Member, ...] | None:
        """The members of a page in the order in which they stand there; None: read it fully."""
        form = self._form
        if not body.startswith(form.opening):
            return None
        found: list[Member] = []
        start, before = len(form.opening), None
        while True:
            beat, text = self._met(body, start, before)
            if text is None:
                end, member, text = self._new(body, start)
            else:
                beat, text = self._linked(body, beat, text, found)
                end = beat + text.width
                if not body.startswith(text.tail, end):
                    start, before = beat - len(text.head), None
                    continue
                member = text.beats.get(body[beat:end]) or self._beaten(text, body[beat:end])
                end += len(text.tail)
            if member is None or end >= len(body) or body[end] not in form.ends:
                return None
            found.append(member)
            if body[end] != _COMMA:
                break
            start, before = end + 1, text
        rest = body[end:]
        framed = _strictly(form.framed, form.opening + form.made_up + rest)
        return tuple(found) if framed else None

    def _linked(
        self, body: bytes, beat: int, text: _Text, found: list[Member]
    ) -> tuple[int, _Text]:
        """Take as many members as follow each other as they did in the last page.

        Returns where the heartbeat of the first one begins that does not, and its text, whose head stands
        before it.
        """
        starts = body.startswith
        while text.link is not None:
            link, following = text.link
            end = beat + text.width
            if not starts(link, end):
                break
            member = text.beats.get(body[beat:end]) or self._beaten(text, body[beat:end])
            if member is None:
                break
            found.append(member)
            beat, text = end + len(link), following
        return beat, text

    def _met(self, body: bytes, start: int, before: _Text | None) -> tuple[int, _Text | None]:
        """Where the heartbeat of the entry at `start` begins, and the text that it is a copy of.

        None where it was not met before. `before` remembers what followed it.
        """
        mark = self._form.heartbeat
        beat = body.find(mark, start) + len(mark)
        for text in self._texts.get(body[start:beat], ()):
            if body.startswith(text.tail, beat + text.width):
                if before is not None:
                    before.link = before.tail + b"," + text.head, text
                return beat, text
        return beat, None

    def _beaten(self, text: _Text, beat: bytes) -> Member | None:
        """A member that is known but for its heartbeat."""
        if self._form.written.fullmatch(beat) is None:
            return None
        seconds = self._form.seconds(beat)
        if seconds is None:
            return None
        if len(text.beats) >= _HEARTBEATS:
            text.beats.clear()
        member = msgspec.structs.replace(text.member, timestamp=seconds)
        return text.beats.setdefault(beat, member)

    def _new(self, body: bytes, start: int) -> tuple[int, Member | None, _Text | None]:
        """Decode an entry that was not met before: where it ends, its member, and what was kept of it."""
        end = start
        for _ in range(_TRIES):
            end = body.find(b"}", end) + 1
            if end == 0:
                break
            if end < len(body) and body[end] in self._form.ends:
                member = _strictly(self._form.entry, body[start:end])
                if member is not None:
                    return end, member, self._learnt(body[start:end], member)
        return start, None, None

    def _learnt(self, entry: bytes, member: Member) -> _Text | None:
        """Keep the text of a member, where its heartbeat is where it is looked for; else None."""
        form = self._form
        beat = entry.find(form.heartbeat) + len(form.heartbeat)
        match = form.written.match(entry, beat)
        if match is None or form.seconds(match[0]) != member.timestamp:
            return None
        end = match.end()
        changed = _counted_up(match[0], form.digit)
        seconds = form.seconds(changed)
        if seconds is None or seconds == member.timestamp:
            return None
        again = _strictly(form.entry, entry[:beat] + changed + entry[end:])
        if again != msgspec.structs.replace(member, timestamp=seconds):
            return None
        text = _Text(entry[:beat], end - beat, entry[end:], member)
        text.beats[match[0]] = member
        with self._lock:
            self._size += len(entry)
            if self._size > _LARGEST:
                self._texts.clear()
                self._size = len(entry)
            others = self._texts.get(text.head, ())
            self._texts[text.head] = (text, *others[: _VARIANTS - 1])
        return text


def _strictly(read: Callable[[bytes], _Kind], text: bytes) -> _Kind | None:
    """What a strict reading makes of a text; None: it cannot be read so."""
    try:
        return read(text)
    except decoding.UNREADABLE:
        return None


def _counted_up(beat: bytes, digit: int) -> bytes:
    """Another heartbeat of as many bytes."""
    changed = bytearray(beat)
    changed[digit] = ord("0") + (changed[digit] + 1) % 10
    return bytes(changed)


_COMMA = ord(",")


@functools.lru_cache(maxsize=4096)
def shared(tokens: tuple[int, ...]) -> tuple[int, ...]:
    """The same tokens as one tuple, however often they were read."""
    return tokens
