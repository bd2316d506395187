"""How far a rollout is, workload by workload, from what Kubernetes says of the pods."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.model.facts import Pod, Workload


class Rolled(msgspec.Struct, frozen=True, kw_only=True):
    """One component's pods."""

    component: str
    done: int
    """Ready, of the newest revision."""
    of: int


def rolled(pods: Sequence[Pod], workloads: Sequence[Workload]) -> tuple[Rolled, ...]:
    """How many pods of each component run what was deployed last, in the order of their names.

    A pod counts once it is Ready, of its workload's newest revision and not about to end. A component
    whose controller has not seen the change yet has none.
    """
    names: dict[str, list[Workload]] = {}
    for workload in workloads:
        names.setdefault(workload.component or workload.name, []).append(workload)
    return tuple(
        Rolled(
            component=component,
            done=sum(_done(pods, workload) for workload in those),
            of=sum(workload.replicas for workload in those),
        )
        for component, those in sorted(names.items())
        if any(workload.replicas for workload in those)
    )


def _done(pods: Sequence[Pod], workload: Workload) -> int:
    if workload.observed_generation < workload.generation:
        return 0
    return min(
        workload.replicas,
        sum(
            pod.ready and not pod.terminating and pod.revision == workload.current_revision
            for pod in pods
            if pod.owner == workload.name and pod.owner_kind == workload.kind
        ),
    )
