"""Ring pages as JSON: what one pod sees of one ring.

The two products' pages differ, and so do their versions. Mimir's (dskit `ring/ring_http.go`) writes
times as RFC 3339, before 2023 as Go prints a time, and has a flag for read-only members; Cortex's
(`pkg/ring/http.go`) writes them as Go prints a time, and knows read-only as a state. Both answer
`"shards": null` for an empty ring, and `UNHEALTHY` (Cortex: `Unhealthy`) in place of the state of a
member whose heartbeat is too old. Either form is read of either product.
"""

from __future__ import annotations

import msgspec

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
    shards: list[object] | None  # type: ignore[assignment]


def _entries(page: _RingPage) -> list[Entry[_Shard]]:
    return [Entry(value=shard) for shard in page.shards or ()]


def ring_members(body: bytes) -> tuple[Member, ...]:
    """Read a ring's page of either product.

    A member of which something cannot be read stays in the list, with that in its `unread`.

    Raises:
        UnreadablePageError: When the body is not such a page, e.g. HTML.
    """
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
        tokens=shard.tokens or (),
        read_only=state is MemberState.READONLY or shard.read_only in {True, "true"},
        unread=tuple(unread),
    )
