"""The memberlist page of a pod, and one value of its store, both as JSON.

Node states are those of HashiCorp's memberlist: 0 alive, 1 suspect, 2 dead, 3 left. A suspect node is
still a member. Instance states are the ring's protobuf enum.
"""

from __future__ import annotations

import msgspec

from mimir_migrate.inspection.pages.ring import UnreadablePageError, decode_json
from mimir_migrate.model.facts import Gossip, GossipMember, Member, MemberState

_NOT_RUNNING = b"doesn't use memberlist"
_ALIVE = frozenset({0, 1})
_INSTANCE_STATES = (
    MemberState.ACTIVE,
    MemberState.LEAVING,
    MemberState.PENDING,
    MemberState.JOINING,
    MemberState.LEFT,
    MemberState.READONLY,
)


class _Node(msgspec.Struct, rename="pascal"):
    name: str
    addr: str
    state: int = 0


class _MemberlistPage(msgspec.Struct):
    sorted_members: tuple[_Node, ...] | None = msgspec.field(name="SortedMembers")
    store: dict[str, msgspec.Raw] | None = msgspec.field(name="Store", default=None)


class _Instance(msgspec.Struct):
    addr: str = ""
    timestamp: int = 0
    state: int = 0
    tokens: tuple[int, ...] | None = None
    zone: str = ""
    registered_timestamp: int = 0
    read_only: bool = False


class _RingValue(msgspec.Struct):
    ingesters: dict[str, _Instance] | None = None


def gossip_of(body: bytes) -> Gossip:
    """Read `/memberlist`; a process that does not use memberlist says so in plain text.

    Raises:
        UnreadablePageError: When the body is neither.
    """
    if _NOT_RUNNING in body[:200]:
        return Gossip(running=False)
    page = decode_json(body, _MemberlistPage, "a memberlist page")
    return Gossip(
        running=True,
        members=tuple(
            GossipMember(name=node.name, ip=node.addr, alive=node.state in _ALIVE)
            for node in page.sorted_members or ()
        ),
        keys=tuple(sorted(page.store or {})),
    )


def replica_members(body: bytes) -> tuple[Member, ...]:
    """Read a ring's value from a pod's memberlist store, LEFT tombstones included.

    Raises:
        UnreadablePageError: When the body is no ring.
    """
    value = decode_json(body, _RingValue, "a ring from memberlist")
    return tuple(
        Member(
            id=name,
            address=instance.addr,
            state=_instance_state(name, instance.state),
            timestamp=instance.timestamp,
            registered_timestamp=instance.registered_timestamp,
            zone=instance.zone,
            tokens=instance.tokens or (),
            read_only=instance.read_only
            or _instance_state(name, instance.state) is MemberState.READONLY,
        )
        for name, instance in sorted((value.ingesters or {}).items())
    )


def _instance_state(name: str, number: int) -> MemberState:
    if not 0 <= number < len(_INSTANCE_STATES):
        raise UnreadablePageError(f"memberlist gives {name} the state {number}")
    return _INSTANCE_STATES[number]
