"""A whole ring as a Consul client sends it: a snappy block of dskit's `ring.Desc`.

Fields (dskit `ring/ring.proto`): `Desc.ingesters` is the map 1 from id to `InstanceDesc`; an entry of a
map has its key as field 1 and its value as field 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from mimir_migrate.documents.ring_items import decode_instance, encode_instance
from mimir_migrate.errors import DocumentError
from mimir_migrate.model.facts import Member, MemberState
from mimir_migrate.sandbox.simulation.host import HostClock, Ring

_MOST_KNOWN = 20_000
"""Members whose exact tick is remembered; a ring of 500 changes as often within minutes."""


class RingValues:
    """Encodes and decodes rings, and remembers the exact tick of what was written here.

    A value holds whole real seconds. At a high speed many heartbeats fall into one; what was written by a
    simulated process keeps its own tick, as in `TableAccess`.

    Args:
        clock: The simulation's clock.
    """

    def __init__(self, clock: HostClock) -> None:
        self._clock = clock
        self._known: dict[tuple[str, int, MemberState, str], tuple[int, int]] = {}

    def encode(self, ring: Ring) -> bytes:
        """A ring as the body of a PUT."""
        import cramjam

        desc = _desc()()
        for id_, member in ring.items():
            real = msgspec.structs.replace(
                member,
                timestamp=self._clock.real(member.timestamp),
                registered_timestamp=self._clock.real(member.registered_timestamp),
            )
            desc.ingesters[id_] = bytes(
                cramjam.snappy.decompress_raw(encode_instance(real, named=True))
            )
            self._remember(real, member)
        return bytes(cramjam.snappy.compress_raw(desc.SerializeToString(deterministic=True)))

    def decode(self, body: bytes) -> Ring:
        """A ring from the value of a GET.

        Raises:
            DocumentError: It is not a ring.
        """
        return {member.id: self._exact(member) for member in _members(body)}

    def _remember(self, real: Member, exact: Member) -> None:
        if self._clock.speed == 1:
            return
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[_mark(real)] = exact.timestamp, exact.registered_timestamp

    def _exact(self, read: Member) -> Member:
        known = self._known.get(_mark(read))
        if known is None:
            known = (
                self._clock.from_real(read.timestamp),
                int(read.registered_timestamp * self._clock.speed),
            )
        return msgspec.structs.replace(read, timestamp=known[0], registered_timestamp=known[1])


def _mark(real: Member) -> tuple[str, int, MemberState, str]:
    return real.id, real.timestamp, real.state, real.address


def _members(body: bytes) -> Iterator[Member]:
    import cramjam
    from google.protobuf.message import DecodeError

    desc = _desc()()
    try:
        desc.ParseFromString(bytes(cramjam.snappy.decompress_raw(body)))
    except (cramjam.DecompressionError, DecodeError) as error:
        raise DocumentError(f"not a ring: {error}", path="ring value") from error
    for id_, raw in sorted(desc.ingesters.items()):
        yield decode_instance(id_, bytes(cramjam.snappy.compress_raw(raw)), None)


@cache
def _desc() -> Any:
    """`ring.Desc` with its members as bytes, which on the wire is the same."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="simulated_ring.proto", package="mimir_migrate.sandbox", syntax="proto3"
    )
    desc = file.message_type.add(name="Desc")
    entry = desc.nested_type.add(name="IngestersEntry")
    entry.options.map_entry = True
    for name, number, type_ in (("key", 1, kind.TYPE_STRING), ("value", 2, kind.TYPE_BYTES)):
        entry.field.add(name=name, number=number, type=type_, label=kind.LABEL_OPTIONAL)
    desc.field.add(
        name="ingesters",
        number=1,
        type=kind.TYPE_MESSAGE,
        label=kind.LABEL_REPEATED,
        type_name=".mimir_migrate.sandbox.Desc.IngestersEntry",
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("mimir_migrate.sandbox.Desc")
    )
