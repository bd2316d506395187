"""The ring bridge's replicas, each asked by its pod's address; and heartbeats laid over ring items."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec

from mimir_migrate.errors import MigrateError
from mimir_migrate.inspection.pages.reading import UnreadablePageError, decode_json
from mimir_migrate.model.facts import (
    Bridge,
    BridgePage,
    BridgeReplica,
    BridgeRing,
    Member,
    Pod,
    TableItems,
    Unanswered,
)
from mimir_migrate.model.target import Target
from mimir_migrate.ports import OK, BridgePods, Clock, World

PAGE = "/rings"


def read_bridge(world: World, target: Target, *, max_at_once: int = 1) -> Bridge | None:
    """Ask every replica for its rings; None: the target does not go through a bridge.

    Args:
        world: Where the replicas are.
        target: Names the bridge.
        max_at_once: How many are asked at the same time: replicas on a lost node answer only by a time limit
            each, and a rollback off them is not to wait for one after the other.
    """
    if target.through_bridge is None:
        return None
    if world.bridge is None:
        return Bridge(reason="nothing at hand can ask the ring bridge's pods")
    try:
        pods = tuple(world.bridge.pods())
    except MigrateError as error:
        return Bridge(reason=str(error))
    ask = partial(_asked, world.bridge, clock=world.clock)
    if min(max_at_once, len(pods)) <= 1:
        return Bridge(replicas=tuple(map(ask, pods)))
    with ThreadPoolExecutor(min(max_at_once, len(pods))) as pool:
        return Bridge(replicas=tuple(pool.map(ask, pods)))


def _asked(bridge: BridgePods, pod: Pod, clock: Clock) -> BridgeReplica:
    if not pod.ip:
        return BridgeReplica(pod=pod, reason=f"it has no address ({pod.phase or 'no phase'})")
    try:
        asked_at = clock.now()
        page = bridge.get(pod, PAGE)
        if page.status != OK:
            return BridgeReplica(pod=pod, reason=f"HTTP status {page.status}")
        return BridgeReplica(
            pod=pod,
            page=decode_json(page.body, BridgePage, "the ring bridge's rings"),
            asked_at=asked_at,
            answered_at=clock.now(),
        )
    except (MigrateError, UnreadablePageError) as error:
        return BridgeReplica(pod=pod, reason=str(error))


def with_heartbeats(
    items: Sequence[TableItems], bridge: Bridge | None
) -> tuple[tuple[TableItems, ...], tuple[Unanswered, ...]]:
    """Items with the heartbeats that the bridge keeps beside them, in the ring's head.

    An item has the heartbeat of its member's last other change only, so without the bridge's word its
    heartbeats would look as if they stood still. A member that changed between the two reads keeps its
    item's.

    Returns:
        The items, without those of rings that have some and that no replica tells of; and why these are
        left out.
    """
    if bridge is None:
        return tuple(items), ()
    found: list[TableItems] = []
    untold: list[Unanswered] = []
    for one in items:
        ring = bridge.newest(one.ring_key)
        if ring is not None and ring.exists:
            members = tuple(_beating(member, ring) for member in one.members)
            found.append(msgspec.structs.replace(one, members=members))
        elif not one.members:
            found.append(one)
        else:
            untold.append(
                Unanswered(
                    source=f"ring bridge GET {PAGE}, {one.ring_key}",
                    reason="no replica tells the heartbeats of this ring's members",
                )
            )
    return tuple(found), tuple(untold)


def _beating(member: Member, ring: BridgeRing) -> Member:
    """The member with its newest heartbeat, where it is otherwise what the bridge has."""
    known = next((one for one in ring.members if one.id == member.id), None)
    if known is None or known.version != member.version:
        return member
    return msgspec.structs.replace(member, timestamp=max(member.timestamp, known.timestamp))
