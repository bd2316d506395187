"""Ring pages as JSON: what one pod sees of one ring.

The two products' pages differ, and so do their versions. Mimir's (dskit `ring/ring_http.go`) writes
times as RFC 3339, before 2023 as Go prints a time, and has a flag for read-only members; Cortex's
(`pkg/ring/http.go`) writes them as Go prints a time, and knows read-only as a state. Both answer
`"shards": null` for an empty ring, and `UNHEALTHY` (Cortex: `Unhealthy`) in place of the state of a
member whose heartbeat is too old. Either form is read of either product.
"""

from __future__ import annotations

import functools
import re

import msgspec

from mimir_migrate import decoding
from mimir_migrate.inspection.pages.copies import MADE_UP, Copies, Form, shared
from mimir_migrate.inspection.pages.reading import (
    Entry,
    decode_entries,
    seconds_of,
    told_state,
)
from mimir_migrate.model.facts import Member, MemberState


class _Shard(msgspec.Struct):
    id: str
    state: int | str
    address: str
    timestamp: int | float | str = 0
    registered_timestamp: int | float | str = 0
    zone: str = ""
    tokens: tuple[int, ...] | None = None
    read_only: bool | str = False


class _RingPage(msgspec.Struct):
    shards: tuple[_Shard, ...] | None


class _LoosePage(_RingPage):
    shards: list[object] | None  # type: ignore[assignment]  # wider than in the class that it stands in for: each item is read by itself


def _entries(page: _RingPage) -> list[Entry[_Shard]]:
    return [Entry(value=shard) for shard in page.shards or ()]


def ring_members(body: bytes) -> tuple[Member, ...]:
    """Read a ring's page of either product.

    A member of which something cannot be read stays in the list, with that in its `unread`. Equal
    members of different pages are the same object, and so are their tokens.

    Raises:
        UnreadablePageError: When the body is not such a page, e.g. HTML.
    """
    members = _COPIES.members(body)
    return members if members is not None else ring_members_fully(body)


def ring_members_fully(body: bytes) -> tuple[Member, ...]:
    """The same, from the page as a whole and from nothing that was read before."""
    _, entries = decode_entries(body, _RingPage, _LoosePage, _entries, _Shard, "a ring page")
    return tuple(_member(entry) for entry in entries)


def _member(entry: Entry[_Shard]) -> Member:
    shard, unread = entry.value, list(entry.unread)
    state = told_state(shard.state, unread)
    return Member(
        id=shard.id,
        address=shard.address,
        state=state,
        timestamp=seconds_of("timestamp", shard.timestamp, unread),
        registered_timestamp=seconds_of(
            "registered_timestamp", shard.registered_timestamp, unread
        ),
        zone=shard.zone,
        tokens=shared(shard.tokens or ()),
        read_only=state is MemberState.READONLY or shard.read_only in {True, "true"},
        unread=tuple(unread),
    )


@functools.lru_cache(maxsize=4096)
def _seconds(beat: bytes) -> int | None:
    unread: list[str] = []
    seconds = seconds_of("timestamp", beat.decode("ascii"), unread)
    return None if unread else seconds


def _one(entry: bytes) -> Member:
    return _member(Entry(value=decoding.decode(entry, _Shard)))


def _framed(page: bytes) -> bool:
    shards = decoding.decode(page, _RingPage).shards
    return shards is not None and len(shards) == 1 and shards[0].id == MADE_UP


_COPIES = Copies(
    Form(
        opening=b'{"shards":[',
        ends=b",]",
        made_up=b'{"id":"%s","state":0,"address":""}' % MADE_UP.encode(),
        heartbeat=b'"timestamp":"',
        written=re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[-+0-9A-Za-z: ]*"),
        digit=18,
        seconds=_seconds,
        entry=_one,
        framed=_framed,
    )
)
