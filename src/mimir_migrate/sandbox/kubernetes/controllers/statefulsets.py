"""The StatefulSet controller: ordinals, revisions, RollingUpdate with a partition, OnDelete."""

from __future__ import annotations

from typing import Any

from mimir_migrate.sandbox.kubernetes.controllers.owners import (
    is_healthy,
    is_ready,
    is_terminating,
    owner_reference,
    pod_from,
    template_hash,
    without_zeros,
)
from mimir_migrate.sandbox.kubernetes.objects import KINDS, Object, ObjectStore
from mimir_migrate.sandbox.kubernetes.patches import copied

REVISION = "controller-revision-hash"
"""The label that names a pod's revision."""


def reconcile_statefulset(store: ObjectStore, owner: Object) -> None:
    """Bring the pods of a StatefulSet one step closer to its spec, and write its status."""
    namespace, name = owner["metadata"]["namespace"], owner["metadata"]["name"]
    update = _revision(store, owner)
    current = owner.get("status", {}).get("currentRevision") or update
    pods = {_ordinal(pod): pod for pod in store.owned_by("pods", owner["metadata"]["uid"])}
    replicas = owner["spec"].get("replicas", 1)
    if not _scale(store, owner, pods, replicas, current=current, update=update):
        _roll(store, owner, pods, replicas, update)
    pods = {_ordinal(pod): pod for pod in store.owned_by("pods", owner["metadata"]["uid"])}
    status = _status(owner, list(pods.values()), replicas, current=current, update=update)
    store.replace_status("statefulsets", namespace, name, status)


def _revision(store: ObjectStore, owner: Object) -> str:
    """The revision of the template as it is now; keeps a ControllerRevision of each."""
    hashed = template_hash(owner["spec"]["template"])
    namespace, name = owner["metadata"]["namespace"], f"{owner['metadata']['name']}-{hashed}"
    if store.find("controllerrevisions", namespace, name) is None:
        kind = KINDS["controllerrevisions"]
        older = store.owned_by("controllerrevisions", owner["metadata"]["uid"])
        labels = owner["spec"]["template"].get("metadata", {}).get("labels", {})
        store.create(
            "controllerrevisions",
            namespace,
            {
                "apiVersion": kind.api_version,
                "kind": kind.kind,
                "metadata": {
                    "name": name,
                    "labels": {**labels, "controller.kubernetes.io/hash": hashed},
                    "ownerReferences": [owner_reference(owner)],
                },
                "data": {
                    "spec": {
                        "template": {
                            "$patch": "replace",
                            **copied(owner["spec"]["template"]),
                        }
                    }
                },
                "revision": max((item["revision"] for item in older), default=0) + 1,
            },
        )
    return name


def _scale(
    store: ObjectStore,
    owner: Object,
    pods: dict[int, Object],
    replicas: int,
    *,
    current: str,
    update: str,
) -> bool:
    """Create the pods that are missing, delete those too many; True: there was something to do."""
    parallel = owner["spec"].get("podManagementPolicy") == "Parallel"
    namespace = owner["metadata"]["namespace"]
    busy = False
    for ordinal in range(replicas):
        pod = pods.get(ordinal)
        if pod is None:
            revision = _revision_for(owner, ordinal, current=current, update=update)
            _create(store, owner, ordinal, revision)
            busy = True
        elif not parallel and not is_healthy(pod):
            return True
        if busy and not parallel:
            return True
    for ordinal in sorted((one for one in pods if one >= replicas), reverse=True):
        if not is_terminating(pods[ordinal]):
            store.delete("pods", namespace, pods[ordinal]["metadata"]["name"])
        busy = True
        if not parallel:
            return True
    return busy


def _revision_for(owner: Object, ordinal: int, *, current: str, update: str) -> str:
    """The revision a new pod is made from: a pod lost in mid-rollout comes back as it was."""
    strategy = owner["spec"].get("updateStrategy", {})
    if strategy.get("type") == "OnDelete":
        return update
    partition = strategy.get("rollingUpdate", {}).get("partition")
    kept = owner.get("status", {}).get("currentReplicas", 0) if partition is None else partition
    return current if ordinal < kept else update


def _create(store: ObjectStore, owner: Object, ordinal: int, revision: str) -> None:
    namespace, name = owner["metadata"]["namespace"], f"{owner['metadata']['name']}-{ordinal}"
    kept = store.find("controllerrevisions", namespace, revision)
    template = kept["data"]["spec"]["template"] if kept else owner["spec"]["template"]
    labels = {
        "apps.kubernetes.io/pod-index": str(ordinal),
        "statefulset.kubernetes.io/pod-name": name,
        REVISION: revision,
    }
    pod = pod_from(template, owner, name=name, labels=labels)
    pod["spec"]["hostname"] = name
    pod["spec"]["subdomain"] = owner["spec"].get("serviceName", "")
    store.create("pods", namespace, pod)


def _roll(
    store: ObjectStore, owner: Object, pods: dict[int, Object], replicas: int, update: str
) -> None:
    """RollingUpdate: from the highest ordinal down, one at a time, waiting for each to be Ready."""
    strategy = owner["spec"].get("updateStrategy", {})
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return
    partition = strategy.get("rollingUpdate", {}).get("partition", 0)
    for ordinal in range(replicas - 1, partition - 1, -1):
        pod = pods[ordinal]
        if pod["metadata"]["labels"].get(REVISION) != update and not is_terminating(pod):
            store.delete("pods", owner["metadata"]["namespace"], pod["metadata"]["name"])
            return
        if not is_healthy(pod):
            return


def _status(
    owner: Object, pods: list[Object], replicas: int, *, current: str, update: str
) -> dict[str, Any]:
    alive = [pod for pod in pods if not is_terminating(pod)]
    ready = sum(1 for pod in pods if is_ready(pod))
    updated = sum(1 for pod in alive if pod["metadata"]["labels"].get(REVISION) == update)
    at_current = sum(1 for pod in alive if pod["metadata"]["labels"].get(REVISION) == current)
    rolling = owner["spec"].get("updateStrategy", {}).get("type") != "OnDelete"
    if rolling and updated == replicas == ready:
        # Kubernetes completes an update so for RollingUpdate only: with OnDelete the current
        # revision stays the first one for ever.
        current, at_current = update, updated
    status = {
        "observedGeneration": owner["metadata"]["generation"],
        "replicas": len(pods),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "currentReplicas": at_current,
        "updatedReplicas": updated,
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": 0,
    }
    return without_zeros(status, "readyReplicas", "currentReplicas", "updatedReplicas")


def _ordinal(pod: Object) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])
