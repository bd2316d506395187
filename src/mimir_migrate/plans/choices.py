"""The choices side by side: leave the rings, move only the ruler's, move all."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.documents.config.settable import honest
from mimir_migrate.durations import read_duration
from mimir_migrate.errors import BlockedError, UsageError
from mimir_migrate.inspection.findings import obvious_store
from mimir_migrate.inspection.gossip import safer_gossip
from mimir_migrate.inspection.pacing import DEFAULT_POLL
from mimir_migrate.inspection.question import listed
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Choice, Finding, Severity
from mimir_migrate.model.plan import Duration, StepKind, Strategy, together
from mimir_migrate.model.rings import ring_named
from mimir_migrate.model.scale import Scale
from mimir_migrate.model.stores import KVConfig, RuntimeBlock, Store, StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.plans import timing
from mimir_migrate.plans.choosing.bridge import onto_bridge, other_way, rests_on_both
from mimir_migrate.plans.costs import RingLoad, ring_load
from mimir_migrate.plans.path import (
    Position,
    RingPosition,
    after,
    leaves_a_copy,
    resolve_strategy,
    stages,
)
from mimir_migrate.plans.position import position_of
from mimir_migrate.words import counted

GOSSIP_DELAY = 1.0
"""Seconds until gossip has brought a change to every pod; measured on 14 pods of Cortex."""


class UnderWay(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is not over: the choice between moving and staying was made."""

    run: str
    to: Store
    """Where it goes now: a rollback goes back."""
    rings: tuple[str, ...]
    going_back: bool = False


class _Road(msgspec.Struct, frozen=True, kw_only=True):
    """What the planner would walk for some rings."""

    rollouts: int
    time: Duration


def choices(
    inspection: Inspection,
    target: Target,
    findings: Sequence[Finding] = (),
    under_way: UnderWay | None = None,
) -> tuple[Choice, ...]:
    """The roads open to the operator, one of them recommended.

    Args:
        inspection: The facts.
        target: Names the table and how often it is to be polled.
        findings: Those of the same inspection; the recommendation rests on them.
        under_way: A run of this release that is not over.
    """
    rings = tuple(ring.ring for ring in inspection.rings if ring.movable and ring.enabled)
    to = under_way.to if under_way is not None else obvious_store(inspection, rings)
    found = [_stay(inspection, target, rings, to)]
    if under_way is not None and under_way.going_back:
        found = [msgspec.structs.replace(found[0], title=f"Let the rollback to {to.value} end")]
    if "ruler" in rings and len(rings) > 1:
        found.append(_move(inspection, target, "some", ("ruler",), to))
    found.append(_move(inspection, target, "all", rings, to))
    chosen, reason = _recommend(inspection, found, findings, to, under_way, target)
    if found[-1].why_not:  # said once, where the whole move stands
        why_not = found[-1].why_not + other_way(inspection, target, to)
        found[-1] = msgspec.structs.replace(found[-1], why_not=why_not)
    return tuple(
        msgspec.structs.replace(
            choice,
            recommended=choice.id == chosen,
            reason=honest(reason if choice.id == chosen else choice.reason, inspection.lacking()),
        )
        for choice in found
    )


def _stay(inspection: Inspection, target: Target, rings: tuple[str, ...], to: Store) -> Choice:
    on = to.other
    poll = _poll(inspection, target)
    loads = _loads(inspection, rings, poll) if on is Store.DYNAMODB else []
    delay = GOSSIP_DELAY if on is Store.MEMBERLIST else poll
    return Choice(
        id="stay",
        title=f"Stay on {on.value}",
        rings=rings,
        possible=True,
        duration_basis="nothing is changed",
        visibility_delay=delay,
        visibility_measured=on is Store.MEMBERLIST,
        visibility_basis=_visibility_basis(on, poll, target.scale),
        cost_per_month=_cost(loads, rings) if on is Store.DYNAMODB else 0.0,
        cost_basis=_cost_basis(loads, target.scale)
        if on is Store.DYNAMODB
        else "gossip costs nothing",
        dependency="none" if on is Store.MEMBERLIST else "DynamoDB, as now",
        gains=safer_gossip(inspection.pods) if on is Store.MEMBERLIST else (),
        costs=(
            ("gossip has to reach every pod (TCP 7946), and every pod keeps a copy of every ring",)
            if on is Store.MEMBERLIST
            else ()
        ),
    )


def _move(
    inspection: Inspection, target: Target, name: str, rings: tuple[str, ...], to: Store
) -> Choice:
    poll = _poll(inspection, target)
    through = target.through_bridge is not None and to is Store.DYNAMODB
    loads = [] if through else _loads(inspection, rings, poll)
    road = _road(inspection, target, rings, to)
    why_not = _why_not(inspection, rings, to, [load.at(target.scale) for load in loads])
    if through:
        return onto_bridge(
            inspection,
            target,
            name,
            rings,
            rollouts=road.rollouts,
            time=road.time,
            why_not=why_not,
        )
    partly = "" if name == "all" else f" {listed(rings)} only"
    dynamodb = to is Store.DYNAMODB
    return Choice(
        id=name,
        title=f"Move {'all rings' if name == 'all' else 'the ring of the' + partly} to {to.value}",
        rings=rings,
        possible=not why_not,
        goal=to.value,
        why_not=why_not,
        rollouts=road.rollouts,
        duration_low=road.time.low,
        duration_high=road.time.high,
        duration_basis=road.time.basis,
        duration_fixed_low=road.time.fixed_low,
        duration_fixed_high=road.time.fixed_high,
        duration_stops=road.time.stops,
        visibility_delay=poll if dynamodb else GOSSIP_DELAY,
        visibility_measured=not dynamodb,
        visibility_basis=_visibility_basis(to, poll, target.scale),
        cost_per_month=_cost(loads, rings) if dynamodb else 0.0,
        cost_basis=_cost_basis(loads, target.scale) if dynamodb else "gossip costs nothing",
        dependency=(
            "DynamoDB: when it is unreachable, rings stand still and new pods cannot join"
            if dynamodb
            else "none"
        ),
        gains=_gains(name, dynamodb=dynamodb),
        costs=_costs_of_moving(
            name, road.rollouts, dynamodb=dynamodb, poll=target.scale.words(poll)
        ),
    )


def _gains(name: str, *, dynamodb: bool) -> tuple[str, ...]:
    if not dynamodb:
        return ("changes are seen within about a second", "no AWS service in the way of pods")
    if name == "all":
        return ("no ring depends on gossip between pods any more", "one place holds every ring")
    return (
        "the way is tried with the ring whose trouble hurts least",
        "gossip stays for the rest",
    )


def _costs_of_moving(name: str, rollouts: int, *, dynamodb: bool, poll: str) -> tuple[str, ...]:
    found = [
        f"every component restarts {counted(rollouts, 'time')}: one configuration serves all of them"
    ]
    if dynamodb:
        found.append(
            f"a restarted pod is seen with its old address, a new one not at all, for up to {poll}"
        )
        if name != "all":
            found.append("gossip is still needed, and DynamoDB as well")
    return tuple(found)


def _road(inspection: Inspection, target: Target, rings: tuple[str, ...], to: Store) -> _Road:
    """What the planner would walk, with the times that a plan gives."""
    through = target.through_bridge is not None and to is Store.DYNAMODB
    goal = StoreState.DYNAMODB_MEMBERLIST if through else None
    kinds = _kinds(inspection, rings, to, goal)
    scale = target.scale
    steps = [
        timing.step_duration(
            inspection, rings, rollout=kind is StepKind.ROLLOUT, soak=soak, scale=scale
        )
        for kind, soak in kinds
    ]
    table = target.dynamodb.table_for(rings[0]) if rings else ""
    if steps and to is Store.DYNAMODB and table and inspection.tables.get(table) is None:
        steps.append(timing.table_duration())
    rollouts = sum(kind is StepKind.ROLLOUT for kind, _ in kinds)
    one = timing.rollout_duration(inspection, scale)
    return _Road(
        rollouts=rollouts,
        time=together(
            steps,
            f"{counted(rollouts, 'rollout')} of {one.words(scale)} each ({one.basis}), "
            f"{counted(len(kinds) - rollouts, 'change')} of the runtime configuration, and the gates of "
            "each step; as a plan says it",
        ),
    )


def _kinds(
    inspection: Inspection, rings: tuple[str, ...], to: Store, goal: StoreState | None
) -> list[tuple[StepKind, int]]:
    """The steps of the planner for rings where they stand, and the windows of each one's soak.

    Rings that no plan can be made for (split, on other stores, unknown) are counted as if they stood on
    the other store only: their choice says that it is not possible, or why.
    """
    start = StoreState.only(to.other)
    standing = Position(
        rings=tuple(
            RingPosition(
                ring=name,
                follows_runtime=_follows(inspection, name),
                states=frozenset({start}),
                primaries=frozenset({to.other}),
            )
            for name in rings
        )
    )
    try:
        here = position_of(inspection, rings, _as_deployed(inspection, rings), _loaded(inspection))
        here = msgspec.structs.replace(
            here,
            rings=tuple(
                msgspec.structs.replace(ring, follows_runtime=_follows(inspection, ring.ring))
                for ring in here.rings
            ),
        )
        walked, moves = here, stages(here, to, resolve_strategy(Strategy.AUTO, here), goal)
    except (BlockedError, UsageError):
        walked = standing
        moves = stages(standing, to, resolve_strategy(Strategy.AUTO, standing), goal)
    found = []
    for move in moves:
        found.append((move.kind, 1 if leaves_a_copy(walked, move) else 0))
        walked = after(walked, move)
    return found


def _follows(inspection: Inspection, name: str) -> bool:
    ring = ring_named(inspection.product, name)
    without_file = any(facts.runtime and not facts.runtime.file for facts in inspection.pods)
    return ring is not None and ring.follows_runtime and not without_file


def _as_deployed(inspection: Inspection, rings: tuple[str, ...]) -> dict[str, KVConfig | None]:
    """What the values files say of each ring, as far as pods show it."""
    found: dict[str, KVConfig | None] = {}
    for name in rings:
        views = [facts.ring(name) for facts in inspection.pods]
        found[name] = next((view.config for view in views if view and view.enabled), None)
    return found


def _loaded(inspection: Inspection) -> RuntimeBlock | None:
    blocks = (facts.runtime.block for facts in inspection.pods if facts.runtime)
    return next((block for block in blocks if block.is_set), None)


def _why_not(
    inspection: Inspection, rings: tuple[str, ...], to: Store, loads: Sequence[RingLoad]
) -> str:
    if not rings:
        return "no ring that can be moved is on"
    for name in rings:
        offers = [offer for offer in inspection.offers if offer.ring == name]
        if not offers:
            return f"which stores the pods' images offer for {name} is not known"
        for offer in offers:
            if not {to.value, "multi"} <= set(offer.stores):
                return f"the image {offer.image} offers no {to.value} for {name}"
    if to is Store.DYNAMODB:
        for load in loads:
            if not load.fits:
                return (
                    f"the ring {load.ring} would take {load.writes:.0f} write and {load.reads:.0f} "
                    "read units a second of one partition key, more than DynamoDB gives"
                )
    return ""


def _poll(inspection: Inspection, target: Target) -> float:
    """How often DynamoDB is, or will be, polled: what pods on it say, else the target."""
    running = [
        view.puller_sync_time
        for facts in inspection.pods
        for view in facts.rings
        if view.enabled and view.state is StoreState.DYNAMODB and view.puller_sync_time
    ]
    if running:
        return max(running)
    return read_duration(target.dynamodb.puller_sync_time) or DEFAULT_POLL


def _visibility_basis(store: Store, poll: float, scale: Scale) -> str:
    if store is Store.MEMBERLIST:
        return "gossip brought changes to 14 pods within about a second (measured)"
    return f"each pod reads the ring once every puller_sync_time ({scale.words(poll)})"


def _loads(inspection: Inspection, rings: Sequence[str], poll: float) -> list[RingLoad]:
    loads = (ring_load(inspection, name, poll) for name in rings)
    return [load for load in loads if load is not None]


def _cost(loads: Sequence[RingLoad], rings: Sequence[str]) -> float | None:
    if len(loads) < len(rings):
        return None
    return round(sum(load.month for load in loads), 2)


def _cost_basis(loads: Sequence[RingLoad], scale: Scale) -> str:
    writes = scale.rate(sum(load.writes for load in loads))
    reads = scale.rate(sum(load.reads for load in loads))
    return (
        f"{writes:.1f} write and {reads:.1f} read units a second for heartbeats and polls, on demand, "
        "at AWS' prices for US East (N. Virginia) since 2024-11-01; other regions cost more"
    )


def _recommend(
    inspection: Inspection,
    found: Sequence[Choice],
    findings: Sequence[Finding],
    to: Store,
    under_way: UnderWay | None,
    target: Target,
) -> tuple[str, str]:
    """The choice to take and why: nothing is moved without a reason to."""
    moving = found[-1]
    if under_way is not None and under_way.going_back:
        return "stay", (
            f"the run {under_way.run} is rolled back now: let it end, and decide then "
            f"(`mimir-migrate status {under_way.run}` says where it stands)"
        )
    if under_way is not None:
        name = "some" if under_way.rings == ("ruler",) and len(found) > 2 else "all"  # noqa: PLR2004 - to stay, some, and all
        return name, (
            f"the run {under_way.run} is not over and takes them there: let it end, and decide then "
            f"(`mimir-migrate status {under_way.run}` says where it stands)"
        )
    begun = any(
        state.is_multi for ring in inspection.rings if ring.movable for state in ring.states
    ) or (len({state for ring in inspection.rings if ring.movable for state in ring.states}) > 1)
    broken = any(finding.id == "gossip-broken" and not finding.unknown for finding in findings)
    if not moving.possible:
        return "stay", moving.why_not
    if target.through_bridge is not None and rests_on_both(inspection):
        return "stay", (
            "the rings are switched and still mirrored: gossip stays warm, and the runtime configuration "
            "takes the switch back in seconds"
        )
    if begun:
        return "all", "a migration was begun: two stores at once are the least safe place to stay"
    if to is Store.DYNAMODB and broken:
        return "stay", "mend gossip first: no migration can begin while pods do not see each other"
    if to is Store.MEMBERLIST:
        slow = any(
            finding.id == "puller-sync-too-slow" and finding.severity is not Severity.INFORMS
            for finding in findings
        )
        if slow:
            return "stay", "shorten puller_sync_time: that mends what a move would mend"
        return "stay", "the rings work where they are"
    if target.through_bridge is not None:
        return "stay", (
            "gossip is whole and shows changes within a second; the ring bridge is experimental and puts a "
            "service on the write path of every ring"
        )
    return "stay", (
        "gossip is whole and shows changes within a second; DynamoDB shows them once every "
        f"{target.scale.words(moving.visibility_delay)}, costs money and is one more thing to fail"
    )
