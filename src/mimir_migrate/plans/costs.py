"""What rings on DynamoDB cost a month, and how close they come to what one partition key takes.

Sizes and request patterns were read in Cortex' client and in items of running pods: a member with 512
tokens is 2.57 KB, a transactional put costs twice its size in write units, every heartbeat reads the
ring once before it writes, and every client polls the whole ring each `puller_sync_time`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from mimir_migrate.inspection.rules.stores import read_version
from mimir_migrate.model.facts import Inspection, PodRing
from mimir_migrate.model.scale import Scale

WRITE_PRICE = 0.625
"""US dollars for a million write request units on demand, Standard table class, US East (N. Virginia),
from AWS' price list since 2024-11-01. Other regions cost more, most of them up to 40 %."""
READ_PRICE = 0.125
"""US dollars for a million read request units; as `WRITE_PRICE`."""
MONTH = 730 * 3600.0
"""Seconds; AWS counts a month as 730 hours."""

KEY_WRITE_LIMIT = 1_000.0
"""Write units a second that one partition key takes (DynamoDB developer guide, partition design)."""
KEY_READ_LIMIT = 3_000.0
"""Read units a second that one partition key takes; as `KEY_WRITE_LIMIT`."""

_FIXED_BYTES = 90
"""Of an item without its tokens: keys, version, address, zone, timestamps."""
_TOKEN_BYTES = 5
"""A random 32-bit token as a varint; snappy does not shorten random numbers."""
_WRITE_UNIT = 1024
_READ_UNIT = 4096
_TRANSACTIONS_SINCE = (1, 20, 0)


class RingLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What one ring asks of DynamoDB, in request units a second."""

    ring: str
    writes: float
    reads: float

    @property
    def month(self) -> float:
        """US dollars a month."""
        return (self.writes * WRITE_PRICE + self.reads * READ_PRICE) * MONTH / 1e6

    def at(self, scale: Scale) -> RingLoad:
        """The load of the cluster that a simulation stands for: DynamoDB's limits are real ones."""
        return RingLoad(
            ring=self.ring, writes=scale.rate(self.writes), reads=scale.rate(self.reads)
        )

    @property
    def fits(self) -> bool:
        """Whether one partition key takes it; a ring is one key."""
        return self.writes <= KEY_WRITE_LIMIT and self.reads <= KEY_READ_LIMIT


def ring_load(inspection: Inspection, name: str, poll: float) -> RingLoad | None:
    """The load of one ring when it is polled every `poll` seconds; None: too little is known."""
    views = [
        view
        for facts in inspection.pods
        if (view := facts.ring(name)) is not None and view.enabled
    ]
    tokens = _tokens(views)
    periods = [view.heartbeat_period for view in views if view.writes and view.heartbeat_period]
    if not views or not tokens or not periods or poll <= 0:
        return None
    sizes = [_FIXED_BYTES + _TOKEN_BYTES * number for number in tokens]
    put = 2 if _transactional(inspection) else 1
    beats = 1 / min(periods)
    query = math.ceil(sum(sizes) / _READ_UNIT) / 2
    clients = sum(len(view.expected_kv_names) or 1 for view in views)
    return RingLoad(
        ring=name,
        writes=sum(put * math.ceil(size / _WRITE_UNIT) * beats for size in sizes),
        reads=query * (clients / poll + len(sizes) * beats),
    )


def _tokens(views: Sequence[PodRing]) -> list[int]:
    """How many tokens each member has, from the fullest view of the ring."""
    seen = [view.members or view.memberlist or () for view in views]
    fullest = max(seen, key=len, default=())
    return [len(member.tokens) for member in fullest]


def _transactional(inspection: Inspection) -> bool:
    """Whether items are put in transactions, which cost twice; assumed where versions do not tell."""
    versions = {
        number
        for facts in inspection.pods
        if facts.build and (number := read_version(facts.build.version))
    }
    return not versions or max(versions) >= _TRANSACTIONS_SINCE
