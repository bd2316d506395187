"""The way off a ring bridge that cannot be asked: what its dead replicas cannot tell, pods can.

Towards memberlist `stores-equal` protects that nobody sees less after the switch than before it. With a
replica's word that is a comparison of the stores. Without one the heartbeats of the table's items are
nobody's to tell, and nothing moves in either store: a write that fails at the primary is not mirrored. So
what each pod shows of a ring now is held against what its own gossip has, which is what it shows next.
"""

from __future__ import annotations

from collections.abc import Iterator

from mimir_migrate.durations import spoken
from mimir_migrate.engine.compare import compared, liveness, living, now_of, replicas
from mimir_migrate.model.events import Difference
from mimir_migrate.model.facts import Inspection, MemberState, PodRing
from mimir_migrate.model.stores import Store

SEEN = ("address", "state", "zone")
"""What a ring page shows of a member besides its heartbeat; the kinds of `compare`."""


def why_not_asked(inspection: Inspection) -> str:
    """Why nobody can tell what the ring bridge keeps; empty: somebody can, or there is no bridge."""
    bridge = inspection.bridge
    if bridge is None or bridge.reason:
        return ""
    pages = [one.page for one in bridge.staying if one.page is not None]
    if not pages:
        return "no replica of the ring bridge answers"
    if all(page.table_is_away for page in pages):
        return "the table does not answer the ring bridge"
    return ""


def still_read(inspection: Inspection, rings: tuple[str, ...]) -> bool:
    """Whether some pod still reads a chosen ring from the bridge."""
    return any(
        _reads_bridge(view)
        for facts in inspection.pods
        for view in facts.rings
        if view.ring in rings and view.enabled
    )


def lost_on_the_way(
    inspection: Inspection, rings: tuple[str, ...], window: float
) -> Iterator[Difference]:
    """What pods would lose sight of if they read their own gossip now.

    Each pod's gossip has to have every Ready writer, every member that the pod shows, at the same address
    in the same state, with a heartbeat that is at most a window behind the one shown. Pods that read
    memberlist already are held to heartbeats younger than a window.

    Raises:
        UnreadableStoreError: A pod's replica of memberlist gave no answer.
    """
    for ring in rings:
        for facts, members in replicas(inspection, ring):
            pod, view = facts.pod.name, facts.ring(ring)
            now = now_of(inspection, ring, facts.at)
            if view is None:
                continue
            if not _reads_bridge(view):
                yield from liveness(inspection, ring, pod, "memberlist", members, now, window)
                continue
            yield from (
                one
                for one in liveness(inspection, ring, pod, "memberlist", members, now, window)
                if one.kind != "stale-heartbeat"
            )
            shown = living(view.members or ())
            for one in compared(ring, pod, shown, members):
                if one.kind in SEEN or (one.kind == "missing" and one.store == "memberlist"):
                    yield one
            for name in shown.keys() & members.keys():
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


def _reads_bridge(view: PodRing) -> bool:
    return view.primary != Store.MEMBERLIST.value
