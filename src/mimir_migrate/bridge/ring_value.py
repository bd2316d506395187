"""A ring's value as its clients send it, taken apart by member and put together again.

The value is a snappy block of dskit's `ring.Desc`: a map from member to `InstanceDesc`. A heartbeat
changes one field of one member (number 2, `timestamp`), everything else is the member's *shape*. No
field of a shape is understood here, so that a newer client's fields come back as they were sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from mimir_migrate.errors import MigrateError

LARGEST_VALUE = 32 * 1024 * 1024
"""Bytes that a value may unpack to; 500 members of 512 tokens are 1.3 MB."""
LONGEST_ID = 1024
"""Bytes of a sort key in DynamoDB (its limits page); a member's id becomes one."""
LARGEST_SHAPE = 380 * 1024
"""Bytes of one member, with room for the other attributes below DynamoDB's 400 KB for an item."""
_TIMESTAMP = 0x10
"""Tag of field 2 as a varint."""
_WORD = 1 << 64


class UnreadableValueError(MigrateError):
    """A value is not a ring, or one that cannot be stored."""


class Entry(msgspec.Struct, frozen=True):
    """One member."""

    shape: bytes
    """Its `InstanceDesc` without the heartbeat."""
    beat: int
    """Its heartbeat, seconds since the epoch by its own clock."""


class RingValue(msgspec.Struct, frozen=True):
    """A whole ring."""

    members: Mapping[str, Entry]
    rest: bytes = b""
    """What `ring.Desc` holds besides its members: nothing in any version known."""


def read_value(body: bytes) -> RingValue:
    """Take a value apart.

    Raises:
        UnreadableValueError: It is not a ring, or has a member that no item can hold.
    """
    desc = _desc()()
    _parse(desc, _unpacked(body, "the value"), "the value is not a ring")
    members = {id_: _entry(raw, id_) for id_, raw in desc.ingesters.items()}
    for id_, entry in members.items():
        if not 0 < len(id_.encode()) <= LONGEST_ID:
            raise UnreadableValueError(
                f"a member's name has {len(id_.encode())} bytes; 1 to {LONGEST_ID} can be stored"
            )
        if len(entry.shape) > LARGEST_SHAPE:
            raise UnreadableValueError(
                f"the member {id_!r} has {len(entry.shape)} bytes; {LARGEST_SHAPE} can be stored"
            )
    desc.ClearField("ingesters")
    return RingValue(members, desc.SerializeToString())


def write_value(value: RingValue) -> bytes:
    """Put a value together; members in order of their names."""
    import cramjam

    desc = _desc()()
    desc.MergeFromString(value.rest)
    for id_, entry in value.members.items():
        desc.ingesters[id_] = _whole(entry)
    return bytes(cramjam.snappy.compress_raw(desc.SerializeToString(deterministic=True)))


def write_item(entry: Entry) -> bytes:
    """A member as `Data` of its item, in Cortex's schema."""
    import cramjam

    return bytes(cramjam.snappy.compress_raw(_whole(entry)))


def read_item(data: bytes, id_: str) -> Entry:
    """A member from `Data` of its item; the heartbeat is the one of its last change of shape.

    Raises:
        UnreadableValueError: It is not a member.
    """
    return _entry(_unpacked(data, f"the item of {id_!r}"), id_)


def _whole(entry: Entry) -> bytes:
    if not entry.beat:
        return entry.shape
    rest = entry.beat % _WORD
    written = bytearray((_TIMESTAMP,))
    while rest > 0x7F:  # noqa: PLR2004 - seven bits of a varint
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest)
    return entry.shape + bytes(written)


def _entry(raw: bytes, id_: str) -> Entry:
    found = _heartbeat()()
    _parse(found, raw, f"the member {id_!r} cannot be read")
    beat = int(found.timestamp)
    found.ClearField("timestamp")
    return Entry(found.SerializeToString(), beat)


def _unpacked(block: bytes, what: str) -> bytes:
    import cramjam

    try:
        if cramjam.snappy.decompress_raw_len(block) > LARGEST_VALUE:
            raise UnreadableValueError(f"{what} says that it unpacks to more than any ring")
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError as error:
        raise UnreadableValueError(f"{what} is not a snappy block: {error}") from error


def _parse(message: Any, raw: bytes, what: str) -> None:
    from google.protobuf.message import DecodeError

    try:
        message.ParseFromString(raw)
    except DecodeError as error:
        raise UnreadableValueError(f"{what}: {error}") from error


@cache
def _desc() -> Any:
    """`ring.Desc` with its members as bytes, which on the wire is the same."""
    return _messages()["Desc"]


@cache
def _heartbeat() -> Any:
    """`InstanceDesc` of which only the heartbeat is known; the rest is kept as unknown fields."""
    return _messages()["Heartbeat"]


@cache
def _messages() -> dict[str, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="ring_value.proto", package="mimir_migrate.bridge", syntax="proto3"
    )
    heartbeat = file.message_type.add(name="Heartbeat")
    heartbeat.field.add(
        name="timestamp", number=2, type=kind.TYPE_INT64, label=kind.LABEL_OPTIONAL
    )
    desc = file.message_type.add(name="Desc")
    entry = desc.nested_type.add(name="IngestersEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=kind.TYPE_BYTES, label=kind.LABEL_OPTIONAL)
    desc.field.add(
        name="ingesters",
        number=1,
        type=kind.TYPE_MESSAGE,
        label=kind.LABEL_REPEATED,
        type_name=".mimir_migrate.bridge.Desc.IngestersEntry",
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"mimir_migrate.bridge.{name}")
        )
        for name in ("Desc", "Heartbeat")
    }
