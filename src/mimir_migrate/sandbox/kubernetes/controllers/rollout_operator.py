"""Grafana's rollout-operator: restarts the StatefulSets of a rollout group zone by zone.

StatefulSets with the label `rollout-group` and the update strategy OnDelete form a group. It goes on
only in one of them at a time, and never beyond `rollout-max-unavailable` pods that are not ready.
"""

from __future__ import annotations

from mimir_migrate.sandbox.kubernetes.controllers.owners import is_healthy, is_terminating
from mimir_migrate.sandbox.kubernetes.controllers.statefulsets import REVISION
from mimir_migrate.sandbox.kubernetes.objects import Object, ObjectStore

GROUP = "rollout-group"
"""The label that names the group of a StatefulSet."""
_MOST = "rollout-max-unavailable"


def restart_next(store: ObjectStore, namespace: str) -> None:
    """Delete the pods that may go next, in every rollout group of a namespace."""
    groups: dict[str, list[Object]] = {}
    for one in store.select("statefulsets", namespace, labels=GROUP):
        if one["spec"].get("updateStrategy", {}).get("type") == "OnDelete":
            groups.setdefault(one["metadata"]["labels"][GROUP], []).append(one)
    for group in groups.values():
        _restart_group(store, group)


def _restart_group(store: ObjectStore, group: list[Object]) -> None:
    unhealthy = [one for one in group if _not_ready(store, one)]
    if len(unhealthy) > 1:
        return
    for one in (*unhealthy, *(other for other in group if other not in unhealthy)):
        if _restart_in(store, one):
            return


def _not_ready(store: ObjectStore, owner: Object) -> int:
    pods = store.owned_by("pods", owner["metadata"]["uid"])
    return int(owner["spec"].get("replicas", 1)) - sum(1 for pod in pods if is_healthy(pod))


def _restart_in(store: ObjectStore, owner: Object) -> bool:
    """Go on in one StatefulSet; False: there is nothing left to do in it."""
    status = owner.get("status", {})
    if status.get("observedGeneration") != owner["metadata"]["generation"]:
        return True
    pods = store.owned_by("pods", owner["metadata"]["uid"])
    old = [pod for pod in pods if pod["metadata"]["labels"][REVISION] != status["updateRevision"]]
    missing = _not_ready(store, owner)
    most = int(owner["metadata"].get("annotations", {}).get(_MOST, "1"))
    may_go = max(0, most - missing)
    for pod in [pod for pod in old if not is_terminating(pod)][:may_go]:
        store.delete("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
    return bool(old) or missing > 0
