"""The memberlist page of a pod, and one value of its store, both as JSON.

Node states are those of HashiCorp's memberlist: 0 alive, 1 suspect, 2 dead, 3 left. A suspect node is
still a member. Instance states are the ring's protobuf enum: Mimir writes the number, Cortex the name
(`pkg/ring/token_file.go`), and both leave the field out where it is 0, ACTIVE.
"""

from __future__ import annotations

import msgspec

from mimir_migrate.inspection.pages.reading import (
    Entry,
    decode_entries,
    quoted,
    seconds_of,
    told_state,
)
from mimir_migrate.model.facts import Gossip, GossipMember, Member, MemberState

_NOT_RUNNING = b"doesn't use memberlist"
_NODE_STATES = ("alive", "suspect", "dead", "left")
_ALIVE = frozenset({"alive", "suspect"})


class _Node(msgspec.Struct, rename="pascal"):
    name: str
    addr: str
    state: int | str = 0


class _MemberlistPage(msgspec.Struct):
    sorted_members: tuple[_Node, ...] | None = msgspec.field(name="SortedMembers")
    store: dict[str, msgspec.Raw] | None = msgspec.field(name="Store", default=None)


class _LooseMemberlistPage(_MemberlistPage):
    sorted_members: list[object] | None = msgspec.field(name="SortedMembers")  # type: ignore[assignment]


class _Instance(msgspec.Struct):
    addr: str = ""
    timestamp: int | float | str = 0
    state: int | str = 0
    tokens: tuple[int, ...] | None = None
    zone: str = ""
    registered_timestamp: int | float | str = 0
    read_only: bool = False


class _RingValue(msgspec.Struct):
    ingesters: dict[str, _Instance] | None


class _LooseRingValue(_RingValue):
    ingesters: dict[str, object] | None  # type: ignore[assignment]


def gossip_of(body: bytes) -> Gossip:
    """Read `/memberlist`; a process that does not use memberlist says so in plain text.

    Raises:
        UnreadablePageError: When the body is neither.
    """
    if _NOT_RUNNING in body[:200]:
        return Gossip(running=False)
    page, nodes = decode_entries(
        body, _MemberlistPage, _LooseMemberlistPage, _nodes, _Node, "a memberlist page"
    )
    return Gossip(
        running=True,
        members=tuple(map(_node, nodes)),
        keys=tuple(sorted(page.store or {})),
    )


def _nodes(page: _MemberlistPage) -> list[Entry[_Node]]:
    return [Entry(value=node) for node in page.sorted_members or ()]


def _node(entry: Entry[_Node]) -> GossipMember:
    node, unread = entry.value, list(entry.unread)
    state = node.state.lower() if isinstance(node.state, str) else node.state
    if isinstance(state, int) and 0 <= state < len(_NODE_STATES):
        state = _NODE_STATES[state]
    elif state not in _NODE_STATES:
        unread.append(f"State {quoted(node.state)}")
    return GossipMember(
        name=node.name,
        ip=node.addr,
        alive=state in _ALIVE and not unread,
        unread=tuple(unread),
    )


def replica_members(body: bytes) -> tuple[Member, ...]:
    """Read a ring's value from a pod's memberlist store, LEFT tombstones included.

    A member of which something cannot be read stays in the list, with that in its `unread`.

    Raises:
        UnreadablePageError: When the body is not a ring.
    """
    _, entries = decode_entries(
        body, _RingValue, _LooseRingValue, _instances, _Instance, "a ring from memberlist"
    )
    return tuple(_member(entry) for entry in entries)


def _instances(value: _RingValue) -> list[Entry[_Instance]]:
    return [
        Entry(key=name, value=instance)
        for name, instance in sorted((value.ingesters or {}).items())
    ]


def _member(entry: Entry[_Instance]) -> Member:
    instance, unread = entry.value, list(entry.unread)
    state = told_state(instance.state, unread)
    if any(each.startswith("state ") for each in entry.unread):
        state = MemberState.UNKNOWN
    return Member(
        id=entry.key,
        address=instance.addr,
        state=state,
        timestamp=seconds_of("timestamp", instance.timestamp, unread),
        registered_timestamp=seconds_of(
            "registered_timestamp", instance.registered_timestamp, unread
        ),
        zone=instance.zone,
        tokens=instance.tokens or (),
        read_only=instance.read_only or state is MemberState.READONLY,
        unread=tuple(unread),
    )
