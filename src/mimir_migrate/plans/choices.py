"""The choices side by side: leave the rings, move the ruler's alone, move all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from mimir_migrate.plans.costs import RingLoad, ring_load
from mimir_migrate.durations import format_duration, read_duration
from mimir_migrate.inspection.findings import obvious_store
from mimir_migrate.inspection.question import count, listed
from mimir_migrate.model.facts import GossipConfig, Inspection, Workload
from mimir_migrate.model.findings import Choice, Finding, Severity
from mimir_migrate.model.rings import Product, ring_named
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import Target

GOSSIP_DELAY = 1.0
"""Seconds until gossip has brought a change to every pod; measured on 14 pods of Cortex."""
_DEFAULT_POLL = 60.0
"""Cortex' default of puller_sync_time."""
_DEFAULT_START = (10.0, 90.0)
"""Seconds from a pod's creation to Ready where none was observed."""
_RUNTIME_SWITCH = 100.0
"""Seconds until all pods have a changed runtime configuration: a kubelet sync and a reload."""
_RUNTIME_SWITCHES = {Product.MIMIR: 3, Product.CORTEX: 1}
"""Mimir: mirror on, primary, mirror off. In Cortex mirroring is static, for most rings are deaf."""


class _Time(msgspec.Struct, frozen=True, kw_only=True):
    low: float
    high: float
    basis: str


def choices(
    inspection: Inspection, target: Target, findings: Sequence[Finding] = ()
) -> tuple[Choice, ...]:
    """The roads open to the operator, one of them recommended.

    Args:
        inspection: The facts.
        target: Names the table and how often it is to be polled.
        findings: Those of the same inspection; the recommendation rests on them.
    """
    rings = tuple(ring.ring for ring in inspection.rings if ring.movable and ring.enabled)
    to = obvious_store(inspection, rings)
    found = [_stay(inspection, target, rings, to)]
    if "ruler" in rings and len(rings) > 1:
        found.append(_move(inspection, target, "some", ("ruler",), to))
    found.append(_move(inspection, target, "all", rings, to))
    chosen, reason = _recommend(inspection, found, findings, to)
    return tuple(
        msgspec.structs.replace(
            choice,
            recommended=choice.id == chosen,
            reason=reason if choice.id == chosen else choice.reason,
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
        visibility_basis=_visibility_basis(on, poll),
        cost_per_month=_cost(loads, rings) if on is Store.DYNAMODB else 0.0,
        cost_basis=_cost_basis(loads) if on is Store.DYNAMODB else "gossip costs nothing",
        dependency="none" if on is Store.MEMBERLIST else "DynamoDB, as now",
        gains=_safer(inspection) if on is Store.MEMBERLIST else (),
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
    loads = _loads(inspection, rings, poll)
    number, switches = _rollouts(inspection, rings, to)
    time = _duration(inspection, number, switches)
    why_not = _why_not(inspection, rings, to, loads)
    partly = "" if name == "all" else f" {listed(rings)} alone"
    dynamodb = to is Store.DYNAMODB
    return Choice(
        id=name,
        title=f"Move {'all rings' if name == 'all' else 'the ring of the' + partly} to {to.value}",
        rings=rings,
        possible=not why_not,
        why_not=why_not,
        rollouts=number,
        duration_low=time.low,
        duration_high=time.high,
        duration_basis=time.basis,
        visibility_delay=poll if dynamodb else GOSSIP_DELAY,
        visibility_basis=_visibility_basis(to, poll),
        cost_per_month=_cost(loads, rings) if dynamodb else 0.0,
        cost_basis=_cost_basis(loads) if dynamodb else "gossip costs nothing",
        dependency=(
            "DynamoDB: when it is unreachable, rings stand still and new pods cannot join"
            if dynamodb
            else "none"
        ),
        gains=_gains(name, dynamodb=dynamodb),
        costs=_costs_of_moving(name, number, dynamodb=dynamodb, poll=poll),
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


def _costs_of_moving(name: str, rollouts: int, *, dynamodb: bool, poll: float) -> tuple[str, ...]:
    found = [
        f"every component restarts {count(rollouts, 'time')}: one configuration serves all of them"
    ]
    if dynamodb:
        found.append(
            f"a restarted pod is seen with its old address, a new one not at all, for up to "
            f"{format_duration(poll)}"
        )
        if name != "all":
            found.append("gossip is still needed, and DynamoDB as well")
    return tuple(found)


def _rollouts(inspection: Inspection, rings: tuple[str, ...], to: Store) -> tuple[int, int]:
    """How many rollouts are left for the rings, and how many runtime switches besides.

    The middle edge needs no rollout for a ring that hears the runtime configuration.
    """
    rollouts = switches = 0
    deaf = any(facts.runtime and not facts.runtime.file for facts in inspection.pods)
    for name in rings:
        summary = inspection.ring(name)
        ring = ring_named(inspection.product, name)
        states = summary.states if summary else ()
        if ring is None:
            continue
        farthest = max(
            (abs(StoreState.only(to).position - state.position) for state in states), default=3
        )
        crosses = farthest > 1
        if ring.hears_runtime and not deaf:
            rollouts = max(rollouts, farthest - 1 if crosses else farthest)
            switches = _RUNTIME_SWITCHES[inspection.product] if crosses else switches
        else:
            rollouts = max(rollouts, farthest)
    return rollouts, switches


def _duration(inspection: Inspection, rollouts: int, switches: int) -> _Time:
    low, high, words = rollout_time(inspection)
    heartbeats = [
        view.heartbeat_period
        for facts in inspection.pods
        for view in facts.rings
        if view.enabled and view.heartbeat_period
    ]
    window = 2 * max(heartbeats, default=60.0)
    gates = (rollouts + switches) * window
    return _Time(
        low=rollouts * low + gates,
        high=rollouts * high + 2 * gates + switches * _RUNTIME_SWITCH,
        basis=f"{count(rollouts, 'rollout')} of {format_duration(round(low))} to "
        f"{format_duration(round(high))} ({words}), {count(switches, 'switch')} by runtime configuration, and a gate "
        f"of {format_duration(window)} after each",
    )


def rollout_time(inspection: Inspection) -> tuple[float, float, str]:
    """Seconds that one rollout of the release takes, at least and at most, and from what.

    All workloads roll side by side, so the slowest decides. Starts are those observed of the pods
    that run; a stop takes anything up to the grace period.
    """
    starts = sorted(
        facts.pod.ready_since - facts.pod.created_at
        for facts in inspection.pods
        if facts.pod.ready_since is not None
        and facts.pod.created_at
        and facts.pod.ready_since > facts.pod.created_at
    )
    # A container that restarted became Ready again long after its pod was made: the median holds.
    first, middle = (starts[0], starts[len(starts) // 2]) if starts else _DEFAULT_START
    low = high = 0.0
    slowest = ""
    for workload in inspection.workloads:
        batches = _batches(workload, inspection.workloads)
        if batches * middle >= high - workload.termination_grace_seconds:
            slowest = workload.name
        low = max(low, batches * first)
        if (
            workload.kind == "Deployment"
        ):  # new pods come first; the last old one ends in its grace
            high = max(high, batches * middle + workload.termination_grace_seconds)
        else:
            high = max(high, batches * (middle + workload.termination_grace_seconds))
    words = (
        f"{slowest or 'the slowest workload'} decides; pods were Ready after "
        f"{format_duration(round(first))} to {format_duration(round(middle))}"
        if starts
        else "no start of a pod was observed"
    )
    return low, high, words


def _batches(workload: Workload, workloads: Sequence[Workload]) -> int:
    """How many times pods are replaced one batch after the other."""
    if workload.kind == "Deployment":
        at_once = max(1, workload.surge + workload.max_unavailable)
        return math.ceil(workload.replicas / at_once)
    together = [workload]
    if workload.rollout_group:
        # The rollout operator takes one zone after the other.
        together = [each for each in workloads if each.rollout_group == workload.rollout_group]
    return sum(math.ceil(each.replicas / max(1, each.max_unavailable)) for each in together)


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
    return read_duration(target.dynamodb.puller_sync_time) or _DEFAULT_POLL


def _visibility_basis(store: Store, poll: float) -> str:
    if store is Store.MEMBERLIST:
        return "gossip brought changes to 14 pods within about a second (measured)"
    return f"each pod reads the ring once every puller_sync_time ({format_duration(poll)})"


def _loads(inspection: Inspection, rings: Sequence[str], poll: float) -> list[RingLoad]:
    loads = (ring_load(inspection, name, poll) for name in rings)
    return [load for load in loads if load is not None]


def _cost(loads: Sequence[RingLoad], rings: Sequence[str]) -> float | None:
    if len(loads) < len(rings):
        return None
    return round(sum(load.month for load in loads), 2)


def _cost_basis(loads: Sequence[RingLoad]) -> str:
    writes = sum(load.writes for load in loads)
    reads = sum(load.reads for load in loads)
    return (
        f"{writes:.1f} write and {reads:.1f} read units a second for heartbeats and polls, on demand, "
        "at AWS' prices for US East (N. Virginia) since 2024-11-01; other regions cost more"
    )


def _safer(inspection: Inspection) -> tuple[str, ...]:
    """What would make staying on memberlist safer, for this cluster."""
    configs = [facts.gossip_config for facts in inspection.pods if facts.gossip_config]
    advice = (
        (
            "set memberlist.rejoin_interval: 60s, so that a pod left alone comes back",
            _never_rejoins,
        ),
        ("set a memberlist.cluster_label of its own, so that clusters cannot merge", _unlabelled),
        (
            "join by dns+SERVICE:7946, which names every pod, also those not Ready",
            _joins_by_address,
        ),
    )
    found = [text for text, applies in advice if any(applies(config) for config in configs)]
    if any(not facts.pod.gossips for facts in inspection.pods):
        found.append("label every pod part-of: memberlist, so that the gossip service names it")
    return tuple(found)


def _never_rejoins(config: GossipConfig) -> bool:
    return config.rejoin_interval <= 0


def _unlabelled(config: GossipConfig) -> bool:
    return not config.cluster_label


def _joins_by_address(config: GossipConfig) -> bool:
    return not any(seed.startswith("dns") for seed in config.join_members)


def _recommend(
    inspection: Inspection, found: Sequence[Choice], findings: Sequence[Finding], to: Store
) -> tuple[str, str]:
    """The choice to take and why: nothing is moved without a reason to."""
    moving = found[-1]
    begun = any(
        state.is_multi for ring in inspection.rings if ring.movable for state in ring.states
    ) or (len({state for ring in inspection.rings if ring.movable for state in ring.states}) > 1)
    broken = any(finding.id == "gossip-broken" and not finding.unknown for finding in findings)
    if not moving.possible:
        return "stay", moving.why_not
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
    return "stay", (
        "gossip is whole and shows changes within a second; DynamoDB shows them once every "
        f"{format_duration(moving.visibility_delay)}, costs money and is one more thing to fail"
    )
