"""The two stores compared: ring by ring, pod by pod, member by member."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping

from mimir_migrate.durations import spoken
from mimir_migrate.model.events import Difference
from mimir_migrate.model.facts import Inspection, Member, MemberState, PodFacts, TableItems
from mimir_migrate.model.stores import Store
from mimir_migrate.words import counted

TIMESTAMP_STEP = 1.0
"""Heartbeats are written in whole seconds (`InstanceDesc.timestamp`), so an age may read 1 s more."""

UNREADABLE = "unreadable"
"""The kind of a difference that is none yet: the source says of a member what cannot be read, so that
whether it is as it should be is not known."""

_FIELDS: Mapping[str, str] = {
    "address": "address",
    "state": "state",
    "zone": "zone",
    "tokens": "tokens",
    "read_only": "read-only",
    "registered_timestamp": "registered",
}


class UnreadableStoreError(Exception):
    """A store's content could not be read, so nothing can be said about it."""


def differences(
    inspection: Inspection, rings: tuple[str, ...], window: float
) -> tuple[Difference, ...]:
    """Every difference between the stores, and from what the living pods call for.

    DynamoDB's items are the one side, every pod's own replica of memberlist the other. LEFT
    tombstones do not count. A member must have a heartbeat younger than `window` seconds in both,
    and its address must be that of a pod that lives.

    Raises:
        UnreadableStoreError: A store or a pod's replica gave no answer.
    """
    found: list[Difference] = []
    for ring in rings:
        found.extend(_ring_differences(inspection, ring, window))
    return tuple(found)


def gaps(
    inspection: Inspection, rings: tuple[str, ...], store: Store, window: float
) -> tuple[Difference, ...]:
    """What one store lacks of being complete and live on its own, in every pod's view of it.

    Every Ready pod that writes a ring is a member, with a heartbeat younger than `window` seconds, and
    every member's address is that of a pod that lives.

    Raises:
        UnreadableStoreError: The store or a pod's replica gave no answer.
    """
    found: list[Difference] = []
    for ring in rings:
        if store is Store.DYNAMODB:
            table = living(_items(inspection, ring).members)
            now = now_of(inspection, ring)
            found += liveness(inspection, ring, "", "dynamodb", table, now, window)
            continue
        for pod, members in replicas(inspection, ring):
            now = now_of(inspection, ring, pod.at)
            found += liveness(inspection, ring, pod.pod.name, "memberlist", members, now, window)
    return tuple(found)


def _ring_differences(inspection: Inspection, ring: str, window: float) -> Iterator[Difference]:
    items = _items(inspection, ring)
    table = living(items.members)
    now = now_of(inspection, ring)
    for key in items.undecodable:
        yield Difference(
            ring=ring,
            pod="",
            store="dynamodb",
            member=key,
            kind="extra",
            detail="undecodable item",
        )
    yield from liveness(inspection, ring, "", "dynamodb", table, now, window)
    for pod, replica in replicas(inspection, ring):
        name, then = pod.pod.name, now_of(inspection, ring, pod.at)
        yield from compared(ring, name, table, replica)
        yield from liveness(inspection, ring, name, "memberlist", replica, then, window)


def now_of(inspection: Inspection, ring: str, read_at: float = 0.0) -> float:
    """The time that a copy's heartbeats are held against: when it was read, by the clock that is ahead.

    An inspection takes its time, and a copy that was read at its beginning is as old as it was then, not
    older by how long everything else took. With a clock behind the pods' a heartbeat that stands still would
    look young for as long; so what the cluster is ahead is added. The cluster's time is the median of its
    members' newest heartbeats: one member's clock does not move it.

    Args:
        inspection: Everything that was read.
        ring: Whose members' heartbeats tell the cluster's time.
        read_at: When the copy was read; 0: with the table's items, or when that is not told.
    """
    newest: dict[str, int] = {}
    items = inspection.table_items(ring)
    views = [view for pod in inspection.pods if (view := pod.ring(ring)) is not None]
    for members in (
        items.members if items is not None else (),
        *(view.memberlist or () for view in views),
        *(view.members or () for view in views),
    ):
        for member in members:
            newest[member.id] = max(member.timestamp, newest.get(member.id, 0))
    usual = max(inspection.at, items.at if items is not None else 0.0)
    latest = max(usual, *(pod.at for pod in inspection.pods)) if inspection.pods else usual
    ahead = max(0.0, statistics.median_low(newest.values()) - latest) if newest else 0.0
    return (read_at or usual) + ahead


def _items(inspection: Inspection, ring: str) -> TableItems:
    items = inspection.table_items(ring)
    if items is None:
        raise UnreadableStoreError(f"the items of the ring {ring} in DynamoDB could not be read")
    return items


def replicas(inspection: Inspection, ring: str) -> Iterator[tuple[PodFacts, dict[str, Member]]]:
    """Each pod's own replica of the ring in memberlist, with the pod."""
    told = 0
    for pod in inspection.pods:
        view = pod.ring(ring)
        if view is None or not view.enabled or not _gossips(pod, ring):
            continue
        if pod.leaves_without(view.memberlist):
            continue
        if view.memberlist is None:
            raise UnreadableStoreError(
                f"the memberlist replica of the ring {ring} in the pod {pod.pod.name} is unknown"
            )
        told += 1
        yield pod, living(view.memberlist)
    if not told:
        raise UnreadableStoreError(f"no pod has the ring {ring} in memberlist")


def _gossips(pod: PodFacts, ring: str) -> bool:
    view = pod.ring(ring)
    return view is None or view.config is None or Store.MEMBERLIST in view.config.stores


def living(members: tuple[Member, ...]) -> dict[str, Member]:
    """Members by id, without LEFT tombstones."""
    return {member.id: member for member in members if member.state is not MemberState.LEFT}


def compared(
    ring: str, pod: str, table: Mapping[str, Member], replica: Mapping[str, Member]
) -> Iterator[Difference]:
    """In what a pod's replica of memberlist differs from the other copy of a ring, heartbeats left out."""
    for name in sorted({*table, *replica}):
        if name not in replica:
            yield Difference(ring=ring, pod=pod, store="memberlist", member=name, kind="missing")
            continue
        if name not in table:
            yield Difference(ring=ring, pod=pod, store="dynamodb", member=name, kind="missing")
            continue
        one, two = table[name], replica[name]
        if one.unread or two.unread:
            continue  # told as unreadable where it stands
        for field, kind in _FIELDS.items():
            left, right = getattr(one, field), getattr(two, field)
            # Most copies share their tokens, which then need not be looked at one by one.
            if left is not right and left != right:
                yield Difference(
                    ring=ring,
                    pod=pod,
                    store="memberlist",
                    member=name,
                    kind=kind,
                    detail=_detail(kind, left, right),
                )


def _detail(kind: str, in_table: object, in_replica: object) -> str:
    if kind == "tokens" and isinstance(in_table, tuple) and isinstance(in_replica, tuple):
        differing = len(set(in_table) ^ set(in_replica))
        return f"dynamodb {counted(len(in_table), 'token')}, memberlist {len(in_replica)}, {differing} differ"
    return f"dynamodb {in_table}, memberlist {in_replica}"


def liveness(
    inspection: Inspection,
    ring: str,
    pod: str,
    store: str,
    members: Mapping[str, Member],
    at: float,
    window: float,
) -> Iterator[Difference]:
    """What one copy of a ring lacks of being complete and live by itself."""
    addresses = {facts.pod.ip for facts in inspection.pods if facts.pod.ip}
    for member in members.values():
        if member.unread:
            yield Difference(
                ring=ring,
                pod=pod,
                store=store,
                member=member.id,
                kind=UNREADABLE,
                detail=", ".join(member.unread),
            )
            continue
        if member.ip not in addresses:
            yield Difference(
                ring=ring,
                pod=pod,
                store=store,
                member=member.id,
                kind="dead-address",
                detail=f"{member.address} is not a pod of this release",
            )
        age = at - member.timestamp
        if age > window + TIMESTAMP_STEP:
            yield Difference(
                ring=ring,
                pod=pod,
                store=store,
                member=member.id,
                kind="stale-heartbeat",
                detail=f"last heartbeat {spoken(age)} ago, window {spoken(window)}",
                age=age,
                window=window,
            )
    shown = {member.ip for member in members.values()}
    for writer in _writers(inspection, ring):
        if writer.pod.ip not in shown:
            yield Difference(
                ring=ring,
                pod=pod,
                store=store,
                member=writer.pod.name,
                kind="missing",
                detail=f"the pod is Ready at {writer.pod.ip} and not registered",
            )


def _writers(inspection: Inspection, ring: str) -> Iterator[PodFacts]:
    for pod in inspection.pods:
        view = pod.ring(ring)
        if view is not None and view.enabled and view.writes and pod.pod.ready:
            yield pod
