"""Ring pages as JSON: what one pod sees of one ring.

The two products' pages differ. Mimir's (dskit `ring/ring_http.go`) writes times as RFC 3339 and has a
flag for read-only members; Cortex's (`pkg/ring/http.go`) writes them as Go prints a time, and knows
read-only as a state. Both answer `"shards": null` for an empty ring, and `UNHEALTHY` (Cortex:
`Unhealthy`) in place of the state of a member whose heartbeat is too old.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from mimir_migrate import decoding
from mimir_migrate.model.facts import Member, MemberState
from mimir_migrate.model.rings import Product

_Page = TypeVar("_Page")

_GO_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? ([+-]\d\d)(\d\d)(?: |$)", re.ASCII
)


class UnreadablePageError(ValueError):
    """A page is not what it should be; the message says what was found."""


class _Shard(msgspec.Struct):
    id: str
    state: str
    address: str
    timestamp: str = ""
    registered_timestamp: str = ""
    zone: str = ""
    tokens: tuple[int, ...] | None = None
    read_only: bool | str = False


class _RingPage(msgspec.Struct):
    shards: tuple[_Shard, ...] | None


def ring_members(product: Product, body: bytes) -> tuple[Member, ...]:
    """Read a ring's page of either product.

    Raises:
        UnreadablePageError: When the body is not such a page, e.g. HTML.
    """
    read_time = _mimir_time if product is Product.MIMIR else _cortex_time
    page = decode_json(body, _RingPage, "a ring page")
    return tuple(_member(shard, read_time) for shard in page.shards or ())


def decode_json(body: bytes, kind: type[_Page], what: str) -> _Page:
    """Decode a JSON page into a struct.

    Raises:
        UnreadablePageError: When the body is not such a page; the message quotes its beginning.
    """
    try:
        return decoding.decode(body, kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadablePageError(f"not {what} ({error}); it begins {beginning(body)}") from error


def beginning(body: bytes) -> str:
    """The first characters of a page, to quote in a message."""
    return repr(body[:60].decode("utf-8", "replace"))


def _member(shard: _Shard, read_time: Callable[[str], int]) -> Member:
    try:
        state = MemberState(shard.state.upper())
    except ValueError as error:
        raise UnreadablePageError(
            f"the ring page gives {shard.id} the state {shard.state!r}"
        ) from error
    return Member(
        id=shard.id,
        address=shard.address,
        state=state,
        timestamp=read_time(shard.timestamp),
        registered_timestamp=read_time(shard.registered_timestamp),
        zone=shard.zone,
        tokens=shard.tokens or (),
        read_only=state is MemberState.READONLY or shard.read_only in {True, "true"},
    )


def _mimir_time(text: str) -> int:
    if not text:
        return 0
    try:
        return _seconds(datetime.fromisoformat(text))
    except ValueError as error:
        raise UnreadablePageError(f"the ring page has the time {text!r}") from error


def _cortex_time(text: str) -> int:
    """Read `2026-11-22 08:53:31 +0000 UTC`: Go's `Time.String`, whose last word is a zone's name."""
    if not text:
        return 0
    match = _GO_TIME.match(text)
    iso = "{}T{}{}:{}".format(*match.groups()) if match else text
    try:
        return _seconds(datetime.fromisoformat(iso))
    except ValueError as error:
        raise UnreadablePageError(f"the ring page has the time {text!r}") from error


def _seconds(moment: datetime) -> int:
    """Seconds since the epoch; Go's zero time, the year 1, counts as none."""
    if moment.year <= 1:
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
