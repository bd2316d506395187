"""How far a rollout is, workload by workload, from what Kubernetes says of the pods."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.inspection.inspect import workloads_of_product
from mimir_migrate.model.facts import Pod, Workload


class Rolled(msgspec.Struct, frozen=True, kw_only=True):
    """One component's pods."""

    component: str
    done: int
    """Ready, of the newest revision."""
    of: int


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one rollout, count after count."""

    parts: tuple[Rolled, ...] = ()
    """The latest count; empty: nothing was counted yet."""
    begun: bool = False
    """Whether some count found a pod that was yet to be replaced. Before that, all pods being of the
    newest revision that Kubernetes knows says nothing: the new one may not be there yet."""

    @property
    def done(self) -> int:
        """Pods that run what was deployed last, of all components."""
        return sum(each.done for each in self.parts)

    @property
    def of(self) -> int:
        """All pods that there are to be."""
        return sum(each.of for each in self.parts)

    def counted(self, parts: tuple[Rolled, ...]) -> Rollout:
        """With one more count."""
        found = Rollout(parts=parts)
        return Rollout(parts=parts, begun=self.begun or found.done < found.of)


def rolled(pods: Sequence[Pod], workloads: Sequence[Workload]) -> tuple[Rolled, ...]:
    """How many pods of each component run what was deployed last, in the order of their names.

    A pod counts once it is Ready, of its workload's newest revision and not about to end. A component
    whose controller has not seen the change yet has none. Caches, gateways and operators beside Mimir
    or Cortex are left out, as everywhere else.

    Args:
        pods: Every pod of the release.
        workloads: Every workload of the release.
    """
    names: dict[str, list[Workload]] = {}
    for workload in workloads_of_product(pods, workloads):
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
