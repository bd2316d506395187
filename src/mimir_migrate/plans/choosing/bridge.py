"""The choice of moving rings onto the ring bridge, beside staying."""

from __future__ import annotations

from mimir_migrate.inspection.question import listed
from mimir_migrate.inspection.rules.bridge import heartbeats_a_second
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Choice
from mimir_migrate.model.plan import Duration
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.words import counted

BRIDGE_DELAY = 1.6
"""Seconds until a change was seen by all of 8 pods through the ring bridge, at most; measured with real Mimir
and a stand-in for DynamoDB (SIGTERM of an ingester, three times)."""


def onto_bridge(
    inspection: Inspection,
    target: Target,
    name: str,
    rings: tuple[str, ...],
    *,
    rollouts: int,
    time: Duration,
    why_not: str,
) -> Choice:
    """Through the ring bridge: switched, still mirrored, so that the runtime switch stays the fire escape."""
    which = "all rings" if name == "all" else f"the ring of the {listed(rings)} only"
    members = {ring: heartbeats_a_second(inspection, ring)[1] for ring in rings}
    beats = target.scale.rate(sum(rate or 0.0 for rate in members.values()))
    return Choice(
        id=name,
        title=f"Move {which} to dynamodb through the ring bridge (experimental), still mirrored to memberlist",
        rings=rings,
        possible=not why_not,
        goal=StoreState.DYNAMODB_MEMBERLIST.value,
        why_not=why_not,
        rollouts=rollouts,
        duration_low=time.low,
        duration_high=time.high,
        duration_basis=time.basis,
        duration_fixed_low=time.fixed_low,
        duration_fixed_high=time.fixed_high,
        duration_stops=time.stops,
        visibility_delay=BRIDGE_DELAY,
        visibility_measured=True,
        visibility_basis="a change was seen by 8 pods within 1.6 s (measured, with a stand-in for DynamoDB)",
        cost_per_month=None,
        cost_basis=f"{beats:.1f} heartbeats a second are as many write units, and the replicas read the table "
        "twice a second; what that is in money was not measured",
        dependency="the ring bridge and DynamoDB: while neither answers for longer than heartbeat_timeout, "
        "every ring is unhealthy; pods cannot start meanwhile",
        gains=(
            "rings lie in DynamoDB with the image that runs now, and pods need no AWS right",
            "gossip stays warm: the runtime configuration takes the switch back in seconds",
        ),
        costs=(
            f"every component restarts {counted(rollouts, 'time')}: one configuration serves all of them",
            "a service stands on the write path, behind a client whose deprecation upstream has proposed",
            "gossip is still needed, and heartbeat_timeout has to be 4 min or more",
        ),
    )


def other_way(inspection: Inspection, target: Target, to: Store) -> str:
    """What is added to why rings cannot move natively, where the ring bridge could take them; else empty."""
    offers = [set(offer.stores) for offer in inspection.offers]
    if (
        to is not Store.DYNAMODB
        or target.through_bridge is not None
        or inspection.product is not Product.MIMIR
        or not offers
        or any(to.value in stores or not {"consul", "multi"} <= stores for stores in offers)
    ):
        return ""
    return (
        "; its Consul client could reach DynamoDB through the ring bridge, which is experimental and puts a "
        "service on the write path (docs/bridge.md)"
    )


def rests_on_both(inspection: Inspection) -> bool:
    """Whether every ring on DynamoDB is switched to it, and mirrored."""
    on_both = [
        ring
        for ring in inspection.rings
        if ring.movable and ring.enabled and any(state.is_multi for state in ring.states)
    ]
    return bool(on_both) and all(
        ring.primaries == (Store.DYNAMODB,)
        and ring.mirrors == (True,)
        and all(state.is_multi for state in ring.states)
        for ring in on_both
    )
