"""The head of a ring: the one item that says what its current version is.

It lies under a partition key of its own, so that nothing that reads a ring's members ever meets it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mimir_migrate import decoding
from mimir_migrate.documents.ring_items import HEAD_PARTITION, HEAD_SORT
from mimir_migrate.errors import BlockedError

FORMAT: Final = 1
"""Version of what is described here. A head of another one is never read, and never overwritten."""
_LARGEST: Final = 4 * 1024 * 1024
"""Bytes that a head may unpack to; 10,000 members are 0.6 MB."""


class StorageRefusedError(BlockedError):
    """The table holds something that this bridge must not serve."""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """What the head says of one member."""

    since: int
    """Index of the version in which its shape changed last: `version` of its item."""
    beat: int
    """Its heartbeat, seconds since the epoch."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a ring, without the members' shapes."""

    index: int
    """`ModifyIndex`: rises with every version, at least milliseconds since the epoch."""
    changed: int
    """Index of the last version in which more than heartbeats changed."""
    exists: bool
    """False: nobody has written the ring yet, and a client is told that it is not there."""
    flags: int = 0
    """Consul's flags of the key, as the last writer gave them."""
    rest: bytes = b""
    """What the ring's value holds besides members."""
    writer: bytes = b""
    """Drawn for each write, so that a writer knows its own write again."""
    members: Mapping[str, Mark] = {}


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """The part of a head that is packed: columns, as differences, because these pack well."""

    changed: int
    exists: bool
    flags: int
    rest: bytes
    writer: bytes
    ids: list[str]
    since: list[int]
    beats: list[int]


def head_key(key: str) -> dict[str, Any]:
    """The key of a ring's head in DynamoDB's JSON."""
    return {"RingKey": {"S": HEAD_PARTITION + key}, "InstanceKey": {"S": HEAD_SORT}}


def head_item(key: str, head: Head, cluster: str) -> dict[str, Any]:
    """A head as an item in DynamoDB's JSON."""
    ids = sorted(head.members)
    marks = [head.members[id_] for id_ in ids]
    newest = max((mark.beat for mark in marks), default=0)
    packed = _Packed(
        changed=head.changed,
        exists=head.exists,
        flags=head.flags,
        rest=head.rest,
        writer=head.writer,
        ids=ids,
        since=[head.changed - mark.since for mark in marks],
        beats=[newest, *(newest - mark.beat for mark in marks)],
    )
    return {
        **head_key(key),
        "format": {"N": str(FORMAT)},
        "cluster": {"S": cluster},
        "idx": {"N": str(head.index)},
        "head": {"B": zlib.compress(msgspec.msgpack.encode(packed))},
    }


def read_head(item: Mapping[str, Any], cluster: str) -> Head:
    """A head from its item.

    Raises:
        StorageRefusedError: It is of another cluster, or in a format that is not known.
    """
    where = f"the head {item['RingKey']['S']!r} in the table"
    found = item.get("format", {}).get("N", "none")
    if found != str(FORMAT):
        raise StorageRefusedError(
            f"reading {where}: its format is {found}, this bridge knows {FORMAT}",
            hint="Run the bridge that wrote it, or give this one a table of its own.",
        )
    theirs = item.get("cluster", {}).get("S", "")
    if theirs != cluster:
        raise StorageRefusedError(
            f"reading {where}: it belongs to the cluster {theirs!r}, this bridge serves {cluster!r}",
            hint="Each cluster has a table of its own; check --table and --cluster.",
        )
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(item["head"]["B"], _LARGEST)
        packed = decoding.unpack(raw, _Packed)
        index = int(item["idx"]["N"])
    except (KeyError, ValueError, zlib.error, msgspec.MsgspecError) as error:
        raise StorageRefusedError(
            f"reading {where}: it cannot be unpacked ({type(error).__name__})",
            hint="Somebody else wrote it. Restore the table, or remove the ring's items and its head.",
        ) from error
    newest, *behind = packed.beats
    return Head(
        index=index,
        changed=packed.changed,
        exists=packed.exists,
        flags=packed.flags,
        rest=packed.rest,
        writer=packed.writer,
        members={
            id_: Mark(packed.changed - since, newest - beat)
            for id_, since, beat in zip(packed.ids, packed.since, behind, strict=True)
        },
    )
