"""How long things take, from what the pods report and what was observed of their starts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from mimir_migrate.durations import read_duration, spoken
from mimir_migrate.model.facts import Inspection, PodFacts, Workload
from mimir_migrate.model.plan import Duration, Step, together
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import Target
from mimir_migrate.words import counted

KUBELET_SYNC_HIGH = 90.0
"""Seconds until a changed ConfigMap reaches a pod at the latest: the kubelet's sync period (60 s)
and its cache (up to 60 s); 60 to 90 s is what operators see. An estimate shown as one."""


DEFAULT_START = (10.0, 90.0)
"""Seconds from a pod's creation to Ready where none was observed."""


def longest_heartbeat(inspection: Inspection, rings: tuple[str, ...]) -> float | None:
    """The longest heartbeat period of the rings over all pods; None: no pod says."""
    periods = [
        view.heartbeat_period
        for pod in inspection.pods
        for view in pod.rings
        if view.ring in rings and view.enabled and view.heartbeat_period is not None
    ]
    return max(periods, default=None)


def longest_poll(inspection: Inspection, rings: tuple[str, ...]) -> float:
    """The longest `puller_sync_time` of pods that have DynamoDB configured for one of the rings."""
    return max(
        (
            view.puller_sync_time or 0.0
            for pod in inspection.pods
            for view in pod.rings
            if view.ring in rings and view.enabled and Store.DYNAMODB in view.stores
        ),
        default=0.0,
    )


def poll_words(target: Target) -> str:
    """How often pods are to read the table, for a person; empty: the target does not say."""
    if target.through_bridge is not None:
        return ""  # no pod reads it
    poll = read_duration(target.dynamodb.puller_sync_time)
    return target.scale.words(poll) if poll else ""


def reload_period(inspection: Inspection) -> float:
    """The longest reload period of the runtime configuration over all pods."""
    return max(
        (pod.runtime.period for pod in inspection.pods if pod.runtime and pod.runtime.file),
        default=0.0,
    )


def gate_window(inspection: Inspection, rings: tuple[str, ...]) -> float | None:
    """Seconds that good samples of a gate must span: 2 × heartbeat + poll + reload.

    None when no pod reports a heartbeat period: then nothing can be proven.
    """
    heartbeat = longest_heartbeat(inspection, rings)
    if heartbeat is None:
        return None
    return 2 * heartbeat + longest_poll(inspection, rings) + reload_period(inspection)


def rollout_duration(inspection: Inspection, scale: Scale = TRUE_TIME) -> Duration:
    """How long one rollout of the whole release takes: the only such figure in the product.

    All workloads roll side by side, so the slowest decides. What a pod's start takes is what was observed
    of the workload's own pods (creation to Ready; a container that was restarted became Ready again long
    after its pod was made, and is left out). A stop is between nothing and the grace period: a StatefulSet
    stops before it starts, pod by pod; a Deployment starts first, and its last old pod ends in its grace.
    """
    everybody = _starts(inspection.pods)
    low = high = quick = fixed_low = fixed_high = 0.0
    slowest: tuple[str, int, float, float] | None = None
    for workload in inspection.workloads:
        own = _starts(pod for pod in inspection.pods if pod.pod.owner == workload.name)
        first, last = _range(own or everybody)
        batches = _batches(workload, inspection.workloads)
        stop, ready = workload.termination_grace_seconds, workload.min_ready_seconds
        stops = 1 if workload.kind == "Deployment" else batches
        shortest = batches * (first + ready)
        if shortest >= low:
            # A start that nobody observed is a guess at a real one, and no simulation's.
            low, fixed_low = shortest, 0.0 if everybody else batches * first
        quick = max(quick, batches * (last + ready))
        longest = batches * (last + ready) + (stops * stop if batches else 0.0)
        if slowest is None or longest >= high:
            high, slowest = longest, (workload.name, batches, first, last)
            fixed_high = 0.0 if everybody else batches * last
    return Duration(
        low=low,
        high=high,
        basis=_rollout_words(slowest, scale, observed=bool(everybody)),
        fixed_low=fixed_low,
        fixed_high=fixed_high,
        stops=high - quick,
    )


def _rollout_words(
    slowest: tuple[str, int, float, float] | None, scale: Scale, *, observed: bool
) -> str:
    if slowest is None:
        return "no workload of the release is known"
    name, batches, first, last = slowest
    starts = "no start of a pod was observed"
    if observed:
        starts = f"starts of {scale.range_words(first, last)} were observed"
    times = f"{batches} times one after the other" if batches != 1 else "all at once"
    return f"{name} decides, {times}; {starts}, a stop takes up to its grace period"


def _starts(pods: Iterable[PodFacts]) -> list[float]:
    """Seconds from creation to Ready of each pod, as far as they tell of a first start."""
    taken = [
        (pod.pod.restarts, pod.pod.ready_since - pod.pod.created_at)
        for pod in pods
        if pod.pod.ready_since and pod.pod.created_at and pod.pod.ready_since > pod.pod.created_at
    ]
    first = [seconds for restarts, seconds in taken if not restarts]
    return first or [seconds for _, seconds in taken]


def _range(starts: list[float]) -> tuple[float, float]:
    return (min(starts), max(starts)) if starts else DEFAULT_START


def _batches(workload: Workload, workloads: tuple[Workload, ...]) -> int:
    """How many times pods are replaced one batch after the other."""
    if workload.kind == "Deployment":
        at_once = max(1, workload.surge + workload.max_unavailable)
        return math.ceil(workload.replicas / at_once)
    if workload.rollout_group:
        # rollout-operator takes zone after zone; within one, `max_unavailable` pods at once.
        return sum(
            math.ceil(other.replicas / max(1, other.max_unavailable))
            for other in workloads
            if other.rollout_group == workload.rollout_group
        )
    return math.ceil(workload.replicas / max(1, workload.max_unavailable))


def runtime_duration(inspection: Inspection, scale: Scale = TRUE_TIME) -> Duration:
    """How long until every pod has loaded a changed runtime configuration."""
    reload = reload_period(inspection)
    return Duration(
        low=0.0,
        high=KUBELET_SYNC_HIGH + reload,
        basis=f"the kubelet brings the ConfigMap within {spoken(KUBELET_SYNC_HIGH)}, "
        f"pods reload every {scale.words(reload)}",
        fixed_high=KUBELET_SYNC_HIGH,
    )


def table_duration() -> Duration:
    """How long DynamoDB takes to make the ring table."""
    return Duration(
        low=5.0,
        high=60.0,
        basis="DynamoDB usually creates a table in seconds",
        fixed_low=5.0,
        fixed_high=60.0,
    )


def gates_duration(
    inspection: Inspection,
    rings: tuple[str, ...],
    *,
    soak: int = 0,
    scale: Scale = TRUE_TIME,
) -> Duration:
    """How long the gates of one step take to pass where all is well.

    At least until every member has sent two heartbeats and every reader has polled; at most a window
    before the change and one after it. `soak` are the windows that are watched besides.
    """
    window = gate_window(inspection, rings) or 0.0
    low = floor_of_gates(inspection, rings) + soak * window
    return Duration(
        low=low,
        high=(2 + soak) * window,
        basis=f"its gates take {scale.range_words(low, (2 + soak) * window)}",
    )


def floor_of_gates(inspection: Inspection, rings: tuple[str, ...]) -> float:
    """The least that proof takes after a change: two heartbeats of the slowest ring and one poll."""
    return 2 * (longest_heartbeat(inspection, rings) or 0.0) + longest_poll(inspection, rings)


def step_duration(
    inspection: Inspection,
    rings: tuple[str, ...],
    *,
    rollout: bool,
    soak: int = 0,
    scale: Scale = TRUE_TIME,
) -> Duration:
    """How long a step takes, gates included, where all is well; `scale` is for the words of its basis."""
    took = rollout_duration if rollout else runtime_duration
    change = took(inspection, scale)
    gates = gates_duration(inspection, rings, soak=soak, scale=scale)
    return together((change, gates), f"{change.basis}; {gates.basis}")


def time_left(steps: Sequence[Step], *, spent: float = 0.0) -> Duration | None:
    """What steps take, of whose first some seconds are over; None: nothing is left.

    A step that has taken longer than it should is taken to end now.
    """
    if not steps:
        return None
    first = steps[0].duration
    low, high = max(0.0, first.low - spent), max(0.0, first.high - spent)
    rest = Duration(
        low=low,
        high=high,
        basis="",
        fixed_low=first.fixed_low * low / first.low if first.low else 0.0,
        fixed_high=first.fixed_high * high / first.high if first.high else 0.0,
        stops=min(first.stops, high),
    )
    return together(
        (rest, *(step.duration for step in steps[1:])),
        f"{counted(len(steps), 'step is', 'steps are')} left, with their gates; "
        "what somebody has to approve comes on top",
    )
