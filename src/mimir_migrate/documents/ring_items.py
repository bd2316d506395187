"""One member of a ring as a DynamoDB item's `Data` holds it: a snappy block of an `InstanceDesc`.

The fields are those of the ring package's `InstanceDesc` message; numbers 1 to 8 were read from items
of a running Cortex; 9 and above exist in dskit only, and a Mimir of May 2025 writes 9. Fields that are not known are skipped, as
protobuf wants it, so that a newer client's items can be read.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from mimir_migrate.errors import DocumentError
from mimir_migrate.model.facts import INSTANCE_STATES, Member, MemberState, member_state

_FIELDS = (
    # name, number, type, repeated
    ("addr", 1, "TYPE_STRING", False),
    ("timestamp", 2, "TYPE_INT64", False),
    ("state", 3, "TYPE_INT32", False),  # an enum travels as an int32
    ("tokens", 6, "TYPE_UINT32", True),
    ("zone", 7, "TYPE_STRING", False),
    ("registered_timestamp", 8, "TYPE_INT64", False),
    ("id", 9, "TYPE_STRING", False),
    ("read_only", 11, "TYPE_BOOL", False),
)

HEAD_PARTITION = "bridge:"
"""`RingKey` of the item that a ring bridge keeps beside a ring's members is this and the ring's key."""
HEAD_SORT = "head"
"""Its `InstanceKey`."""

LARGEST_ITEM = 409_600
"""DynamoDB's limit for one item, bytes; a block that claims more when unpacked is not unpacked."""

_LARGEST_DESC = 64 * LARGEST_ITEM


def encode_instance(member: Member, *, named: bool = False) -> bytes:
    """Write a member as `Data` of its item.

    Args:
        member: The member; its `version` is an attribute of the item and not part of `Data`.
        named: Whether its id stands in `Data` too, as Mimir writes it.

    Raises:
        DocumentError: A member with the state UNHEALTHY or UNKNOWN: neither is a state to store.
    """
    import cramjam

    if member.state not in INSTANCE_STATES:
        msg = f"a ring item has no state {member.state.value}"
        raise DocumentError(msg, path=f"ring item {member.id}")
    desc = _instance_desc()(
        addr=member.address,
        timestamp=member.timestamp,
        state=INSTANCE_STATES.index(member.state),
        tokens=member.tokens,
        zone=member.zone,
        registered_timestamp=member.registered_timestamp,
        id=member.id if named else "",
        read_only=member.read_only,
    )
    return bytes(cramjam.snappy.compress_raw(desc.SerializeToString()))


def decode_instance(id: str, data: bytes, version: int | None) -> Member:  # noqa: A002 - the item's own name for it
    """Read a member from its item; a state that is not known makes the member UNKNOWN.

    Args:
        id: The item's `InstanceKey`.
        data: The item's `Data`.
        version: The item's `version`; None where the client writes none (Cortex before 1.20).

    Raises:
        DocumentError: `data` is not a snappy block, or what it holds is not an `InstanceDesc`.
    """
    import cramjam
    from google.protobuf.message import DecodeError

    where = f"ring item {id}"
    try:
        if cramjam.snappy.decompress_raw_len(data) > _LARGEST_DESC:
            raise DocumentError("the block says that it is larger than any ring item", path=where)
        raw = bytes(cramjam.snappy.decompress_raw(data))
    except cramjam.DecompressionError as error:
        raise DocumentError(f"not a snappy block: {error}", path=where) from error
    desc = _instance_desc()()
    try:
        desc.ParseFromString(raw)
    except DecodeError as error:
        raise DocumentError(f"not an InstanceDesc: {error}", path=where) from error
    state = member_state(desc.state)
    return Member(
        id=id,
        address=desc.addr,
        state=state,
        timestamp=desc.timestamp,
        registered_timestamp=desc.registered_timestamp,
        zone=desc.zone,
        tokens=tuple(desc.tokens),
        read_only=desc.read_only,
        version=version,
        unread=(f"state {desc.state}",) if state is MemberState.UNKNOWN else (),
    )


@cache
def _instance_desc() -> Any:
    """The message class, in a descriptor pool of its own so that no other package's names clash."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(
        name="ring_item.proto", package="mimir_migrate", syntax="proto3"
    )
    message = file.message_type.add(name="InstanceDesc")
    kind = descriptor_pb2.FieldDescriptorProto
    for name, number, type_name, repeated in _FIELDS:
        message.field.add(
            name=name,
            number=number,
            type=kind.Type.Value(type_name),
            label=kind.LABEL_REPEATED if repeated else kind.LABEL_OPTIONAL,
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("mimir_migrate.InstanceDesc")
    )
