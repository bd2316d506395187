"""The rollback off a store that cannot be asked: what a dead ring bridge or DynamoDB cannot tell, pods can.

Towards memberlist `stores-equal` protects that nobody sees less after the switch than before it. Where the
store answers that is a comparison of the stores. Where it does not, what each pod shows of a ring now is held
against what its own gossip has, which is what it shows next. Gossip may stand still then: a write that fails
at the primary is not mirrored.

Mimir judges heartbeats by the clock, so a gossip that stands still hides nobody sooner than the store that is
left. Cortex judges them by when it last read DynamoDB (`LastUpdateTime` of `ring/kv/dynamodb/client.go`), and
memberlist's by the clock: its pods show everybody for as long as DynamoDB is away, and would not from gossip.
"""

from __future__ import annotations

from collections.abc import Iterator

from mimir_migrate.durations import spoken
from mimir_migrate.engine.compare import compared, liveness, living, now_of, replicas
from mimir_migrate.model.events import Difference
from mimir_migrate.model.facts import Inspection, Member, MemberState, PodRing
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store

SEEN = ("address", "state", "zone")
"""What a ring page shows of a member besides its heartbeat; the kinds of `compare`."""


MISSED_BEATS = 2
"""Heartbeat periods in which gossip that is mirrored shows a new heartbeat of each member."""

STANDS_STILL = (
    "gossip has everybody whom pods show, and stands still while DynamoDB is away. Cortex pods keep the ring that "
    "they read last, so nobody is out of sight as long as no pod restarts; read from gossip, a member is UNHEALTHY "
    "once its heartbeat is older than heartbeat_timeout, until it writes one there. Wait for DynamoDB. Where users "
    "fail already: override stores-equal, before each switch and after it"
)
"""What a hold says where only the operator can weigh which of two is worse."""


def why_not_asked(inspection: Inspection, rings: tuple[str, ...]) -> str:
    """Why nobody can tell what is kept of the rings in DynamoDB; empty: somebody can."""
    bridge = inspection.bridge
    if bridge is not None and not bridge.reason:
        pages = [one.page for one in bridge.staying if one.page is not None]
        if not pages:
            return "no replica of the ring bridge answers"
        if all(page.table_is_away for page in pages):
            return "the table does not answer the ring bridge"
    unread = ", ".join(ring for ring in rings if inspection.table_items(ring) is None)
    return f"the items of {unread} in DynamoDB could not be read" if unread else ""


def at_once(inspection: Inspection, rings: tuple[str, ...]) -> bool:
    """Whether good samples are enough, because heartbeats that would prove more may never come.

    Not for Cortex: there only gossip that moves is as good as what its pods show.
    """
    return (
        bool(why_not_asked(inspection, rings))
        and inspection.product is not Product.CORTEX
        and _still_read(inspection, rings)
    )


def stands_still(inspection: Inspection, found: tuple[Difference, ...]) -> bool:
    """Whether Cortex' gossip lacks nothing besides new heartbeats."""
    kinds = {one.kind for one in found}
    return inspection.product is Product.CORTEX and kinds == {"stale-heartbeat"}


def _still_read(inspection: Inspection, rings: tuple[str, ...]) -> bool:
    """Whether some pod still reads a chosen ring from the store that is left."""
    return any(
        _reads_left_store(view)
        for facts in inspection.pods
        for view in facts.rings
        if view.ring in rings and view.enabled
    )


def lost_on_the_way(
    inspection: Inspection, rings: tuple[str, ...], window: float
) -> Iterator[Difference]:
    """What pods would lose sight of if they read their own gossip now.

    Each pod's gossip has to have every Ready writer, and every member that the pod shows, at the same address
    in the same state, with the tokens that it shows, and a heartbeat that is at most a window behind the one
    shown. Pods that read memberlist already are held to heartbeats younger than a window, and pods of Cortex
    to such as only a gossip that is still mirrored has.

    Raises:
        UnreadableStoreError: A pod's replica of memberlist gave no answer.
    """
    for ring in rings:
        for facts, members in replicas(inspection, ring):
            pod, view = facts.pod.name, facts.ring(ring)
            now = now_of(inspection, ring, facts.at)
            if view is None:
                continue
            if not _reads_left_store(view):
                yield from liveness(inspection, ring, pod, "memberlist", members, now, window)
                continue
            moves = inspection.product is Product.CORTEX
            within = min(window, MISSED_BEATS * (view.heartbeat_period or window))
            for one in liveness(inspection, ring, pod, "memberlist", members, now, within):
                if moves or one.kind != "stale-heartbeat":
                    yield one
            yield from _seen_less(ring, pod, living(view.members or ()), members, window)


def _seen_less(
    ring: str, pod: str, shown: dict[str, Member], members: dict[str, Member], window: float
) -> Iterator[Difference]:
    """In what a pod's gossip falls short of what the pod shows."""
    for one in compared(ring, pod, shown, members):
        told = shown.get(one.member)
        if one.kind == "missing" and one.store == "memberlist":
            yield one
        elif told is None:
            continue
        elif one.kind == "state" and told.state is MemberState.UNHEALTHY:
            continue  # its heartbeat is old for the pod already: gossip cannot show it less
        elif one.kind in SEEN or (one.kind == "tokens" and told.tokens):
            yield one
    for name in sorted(shown.keys() & members.keys()):
        behind = shown[name].timestamp - members[name].timestamp
        if behind > window and shown[name].state is not MemberState.LEAVING:
            yield Difference(
                ring=ring,
                pod=pod,
                store="memberlist",
                member=name,
                kind="stale-heartbeat",
                detail=f"its heartbeat is {spoken(behind)} behind the one that the pod shows",
            )


def _reads_left_store(view: PodRing) -> bool:
    return view.primary != Store.MEMBERLIST.value
