"""The memberlist page of a pod, and one value of its store, both as JSON.

Node states are those of HashiCorp's memberlist: 0 alive, 1 suspect, 2 dead, 3 left. A suspect node is
still a member. Instance states are the ring's protobuf enum: Mimir writes the number, Cortex the name
(`pkg/ring/token_file.go`), and both leave the field out where it is 0, ACTIVE.
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
    sorted_members: list[object] | None = msgspec.field(name="SortedMembers")  # type: ignore[assignment]  # wider than in the class that it stands in for: each item is read by itself


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
    ingesters: dict[str, object] | None  # type: ignore[assignment]  # wider than in the class that it stands in for: each item is read by itself


def gossip_of(body: bytes) -> Gossip:
    """Read `/memberlist`; a process that does not use memberlist says so in plain text.

    Raises:
        UnreadablePageError: When the body is neither.
    """
    if _NOT_RUNNING in body[:200]:
        return Gossip(running=False)
    quick = _gossip_again(body)
    return quick if quick is not None else gossip_fully(body)


def gossip_fully(body: bytes) -> Gossip:
    """The same of a process that uses memberlist, from nothing that was read before."""
    page, nodes = decode_entries(
        body, _MemberlistPage, _LooseMemberlistPage, _nodes, _Node, "a memberlist page"
    )
    return _gossip(page, tuple(map(_node, nodes)))


def _gossip(page: _MemberlistPage, members: tuple[GossipMember, ...]) -> Gossip:
    return Gossip(running=True, members=members, keys=tuple(sorted(page.store or {})))


def _gossip_again(body: bytes) -> Gossip | None:
    """A page whose list of nodes is written as another one's was; None: it has to be read fully.

    The list and what surrounds it are decoded apart, each strictly, so that together they are the page.
    """
    start = body.find(_LIST) + len(_LIST)
    end = body.find(b"]", start)
    if start < len(_LIST) or end < 0:
        return None
    try:
        members = _nodes_in(body[start - 1 : end + 1])
        page = decoding.decode(body[:start] + _MADE_UP_NODE + body[end:], _MemberlistPage)
    except decoding.UNREADABLE:
        return None
    around = page.sorted_members
    if around is None or len(around) != 1 or around[0].name != MADE_UP:
        return None
    return _gossip(page, members)


@functools.lru_cache(maxsize=64)
def _nodes_in(text: bytes) -> tuple[GossipMember, ...]:
    nodes = decoding.decode(text, tuple[_Node, ...])
    return tuple(_node(Entry(value=node)) for node in nodes)


def _nodes(page: _MemberlistPage) -> list[Entry[_Node]]:
    return [Entry(value=node) for node in page.sorted_members or ()]


def _node(entry: Entry[_Node]) -> GossipMember:
    node, unread = entry.value, list(entry.unread)
    state = node.state.lower() if isinstance(node.state, str) else node.state
    if isinstance(state, int) and 0 <= state < len(_NODE_STATES):
        state = _NODE_STATES[state]
    elif state not in _NODE_STATES:
        unread.append(f"State {quoted(node.state)}")
    return _gossip_member(node.name, node.addr, state in _ALIVE and not unread, tuple(unread))


@functools.lru_cache(maxsize=8192)
def _gossip_member(name: str, ip: str, alive: bool, unread: tuple[str, ...]) -> GossipMember:
    """One object for one node, of which every pod has a line."""
    return GossipMember(name=name, ip=ip, alive=alive, unread=unread)


def replica_members(body: bytes) -> tuple[Member, ...]:
    """Read a ring's value from a pod's memberlist store, LEFT tombstones included.

    A member of which something cannot be read stays in the list, with that in its `unread`. Equal
    members of different pages are the same object, and so are their tokens.

    Raises:
        UnreadablePageError: When the body is not a ring.
    """
    members = _COPIES.members(body)
    if members is None:
        return replica_members_fully(body)
    names = [member.id for member in members]
    return members if names == sorted(set(names)) else replica_members_fully(body)


def replica_members_fully(body: bytes) -> tuple[Member, ...]:
    """The same, from the value as a whole and from nothing that was read before."""
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
        tokens=shared(instance.tokens or ()),
        read_only=instance.read_only or state is MemberState.READONLY,
        unread=tuple(unread),
    )


def _seconds(beat: bytes) -> int | None:
    return int(beat)


def _one(entry: bytes) -> Member | None:
    found = decoding.decode(b"{%s}" % entry, dict[str, _Instance])
    if len(found) != 1:
        return None
    [(name, instance)] = found.items()
    return _member(Entry(key=name, value=instance))


def _framed(page: bytes) -> bool:
    if page.endswith(_USUAL_FRAME):
        return True
    return decoding.decode(page, _RingValue).ingesters == {MADE_UP: _Instance()}


_MADE_UP_NODE = b'{"Name":"%s","Addr":""}' % MADE_UP.encode()
_LIST = b'"SortedMembers":['
_OPENING = b'{"ingesters":{'
_MADE_UP_INSTANCE = b'"%s":{}' % MADE_UP.encode()
_USUAL_FRAME = _OPENING + _MADE_UP_INSTANCE + b"}}"
_COPIES = Copies(
    Form(
        opening=_OPENING,
        ends=b",}",
        made_up=_MADE_UP_INSTANCE,
        heartbeat=b'"timestamp":',
        written=re.compile(rb"[1-9]\d{9}"),
        digit=9,
        seconds=_seconds,
        entry=_one,
        framed=_framed,
    )
)
