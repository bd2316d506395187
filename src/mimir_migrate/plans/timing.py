"""How long things take, from what the pods report and what was observed of their starts."""

from __future__ import annotations

import math

from mimir_migrate.durations import format_duration, parse_duration
from mimir_migrate.model.facts import Inspection, Workload
from mimir_migrate.model.plan import Duration
from mimir_migrate.model.target import Target

KUBELET_SYNC_HIGH = 90.0
"""Seconds until a changed ConfigMap reaches a pod at the latest: the kubelet's sync period (60 s)
and its cache (up to 60 s); 60 to 90 s is what operators see. An estimate shown as one."""


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
            if view.ring in rings
            and view.enabled
            and view.config is not None
            and "dynamodb" in {view.config.store, view.config.primary, view.config.secondary}
        ),
        default=0.0,
    )


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


def rollout_duration(inspection: Inspection) -> Duration:
    """How long one rollout of the whole release takes.

    All workloads roll side by side, so the slowest decides. A pod's start is what was observed of
    the running pods (creation to Ready); its stop is between nothing and the grace period.
    """
    starts = sorted(
        pod.pod.ready_since - pod.pod.created_at
        for pod in inspection.pods
        if pod.pod.ready_since and pod.pod.created_at and pod.pod.ready_since > pod.pod.created_at
    )
    low_start = starts[0] if starts else 10.0
    high_start = starts[-1] if starts else 90.0
    low = high = 0.0
    slowest = ""
    for workload in inspection.workloads:
        batches = _batches(workload, inspection.workloads)
        stop = workload.termination_grace_seconds
        workload_high = batches * (stop + high_start)
        low = max(low, batches * low_start)
        if workload_high >= high:
            high, slowest = workload_high, workload.name
    basis = (
        f"{slowest or 'the slowest workload'} restarts pod after pod; starts of "
        f"{format_duration(round(low_start, 1))} to {format_duration(round(high_start, 1))} were "
        "observed, a stop takes up to its grace period"
    )
    return Duration(low=low, high=high, basis=basis)


def _batches(workload: Workload, workloads: tuple[Workload, ...]) -> int:
    if workload.kind == "Deployment":
        return math.ceil(workload.replicas / max(1, workload.surge))
    if workload.rollout_group:
        # rollout-operator takes zone after zone; within one, `max_unavailable` pods at once.
        return sum(
            math.ceil(other.replicas / max(1, other.max_unavailable))
            for other in workloads
            if other.rollout_group == workload.rollout_group
        )
    return workload.replicas


def runtime_duration(inspection: Inspection) -> Duration:
    """How long until every pod has loaded a changed runtime configuration."""
    reload = reload_period(inspection)
    return Duration(
        low=0.0,
        high=KUBELET_SYNC_HIGH + reload,
        basis=f"the kubelet brings the ConfigMap within {format_duration(KUBELET_SYNC_HIGH)}, "
        f"pods reload every {format_duration(reload)}",
    )


def window_words(inspection: Inspection, rings: tuple[str, ...]) -> str:
    """The gate window in words, with its parts."""
    window = gate_window(inspection, rings)
    if window is None:
        return "unknown: no pod reports a heartbeat period"
    heartbeat = longest_heartbeat(inspection, rings) or 0.0
    return (
        f"{format_duration(round(window, 3))} = 2 × heartbeat {format_duration(heartbeat)} + "
        f"poll {format_duration(longest_poll(inspection, rings))} + reload "
        f"{format_duration(reload_period(inspection))}"
    )


def deploy_timeout(target: Target) -> float:
    """Seconds that one deploy and its rollout may take."""
    return parse_duration(target.deploy.timeout)
