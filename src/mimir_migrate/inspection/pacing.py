"""Whether a rollout leaves readers of DynamoDB the time to see each ingester that restarted.

A reader sees a restarted ingester at its old address until it polls again. Where the next ingester is
stopped before that, two of three are gone for it, and pushes fail by quorum: 12 of 756 on Cortex' master
and 11 of 1,115 on 1.21.1, static, with `min_ready_duration` 0 s (measured), none where gossip was read.
`min_ready_duration` keeps a new ingester from being Ready for so long, and so the next one from being stopped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from mimir_migrate.documents.config.settable import MIN_READY
from mimir_migrate.durations import format_duration, read_duration
from mimir_migrate.model.facts import Inspection, PodFacts, PodRing
from mimir_migrate.model.rings import ring_named
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import Target

RING = "ingester"
"""The ring by whose members pushes reach their quorum."""


class Pacing(msgspec.Struct, frozen=True, kw_only=True):
    """How long a restarted ingester is waited for, and how long it should be. Seconds."""

    have: float
    """The least over all ingesters: `min_ready_duration` and the workload's `minReadySeconds`."""
    needed: float
    """One poll and two heartbeats."""
    pods: tuple[str, ...]
    """Those for which it is less than that."""
    path: tuple[str, ...]
    """Keys down to the setting in the configuration; empty: some binary does not have it."""

    @property
    def wanted(self) -> str:
        """What to set, in whole seconds."""
        return format_duration(math.ceil(self.needed))

    @property
    def setting(self) -> str:
        """The setting's name."""
        return ".".join(self.path)


def pacing(inspection: Inspection, target: Target, rings: Sequence[str]) -> Pacing | None:
    """What a rollout with the ingester ring read from DynamoDB needs; None: it waits long enough.

    Also None where the ring is not among the chosen ones, or its pods do not tell their heartbeats.
    """
    ring = ring_named(inspection.product, RING)
    if ring is None or RING not in rings:
        return None
    writers = [
        (facts, view)
        for facts in inspection.pods
        if (view := facts.ring(RING)) is not None and view.enabled and view.writes
    ]
    beats = [view.heartbeat_period for _, view in writers if view.heartbeat_period is not None]
    if not beats:
        return None
    needed = _poll(target, [view for _, view in writers]) + 2 * max(beats)
    short = [
        (facts.pod.name, have)
        for facts, view in writers
        if (have := _have(inspection, facts, view)) < needed
    ]
    if not short:
        return None
    path = (*ring.heartbeat_period_path[:-1], MIN_READY)
    known = all(
        view.min_ready_duration is not None and facts.knows(".".join(path))
        for facts, view in writers
    )
    return Pacing(
        have=min(have for _, have in short),
        needed=needed,
        pods=tuple(name for name, _ in short),
        path=path if known else (),
    )


def _have(inspection: Inspection, facts: PodFacts, view: PodRing) -> float:
    workload = next((one for one in inspection.workloads if one.name == facts.pod.owner), None)
    of_workload = workload.min_ready_seconds if workload is not None else 0.0
    return (view.min_ready_duration or 0.0) + of_workload


def _poll(target: Target, views: Sequence[PodRing]) -> float:
    """How often the ring is, or will be, read: what pods on DynamoDB say, else the target."""
    running = [
        view.puller_sync_time
        for view in views
        if view.puller_sync_time is not None
        and view.state is not None
        and Store.DYNAMODB in view.state.stores
    ]
    said = read_duration(target.dynamodb.puller_sync_time)
    return max(running, default=0.0) or (said if said is not None else DEFAULT_POLL)


DEFAULT_POLL = 60.0
"""Cortex' default of puller_sync_time."""
