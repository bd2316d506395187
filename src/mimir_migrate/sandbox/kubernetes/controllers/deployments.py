"""The Deployment and ReplicaSet controllers: surge, unavailability, new names for new pods."""

from __future__ import annotations

import math
from collections.abc import Sequence
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

HASH = "pod-template-hash"
"""The label that names a pod's ReplicaSet."""
_REVISION = "deployment.kubernetes.io/revision"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MOST = "deployment.kubernetes.io/max-replicas"


def reconcile_deployment(store: ObjectStore, owner: Object, speed: float, now: float) -> None:
    """Bring the ReplicaSets of a Deployment one step closer to its spec, and write its status."""
    sets = store.owned_by("replicasets", owner["metadata"]["uid"])
    newest = _newest(store, owner, sets)
    sets = store.owned_by("replicasets", owner["metadata"]["uid"])
    older = [one for one in sets if one["metadata"]["uid"] != newest["metadata"]["uid"]]
    surge, unavailable = rolling_limits(owner)
    wanted = owner["spec"].get("replicas", 1)
    if owner["spec"].get("strategy", {}).get("type") == "Recreate":
        _recreate(store, newest, older, wanted)
    else:
        _scale_up(store, newest, older, wanted, surge)
        _scale_down(store, store.get(*_key(newest)), older, wanted, unavailable)
    status = _status(store, owner, store.get(*_key(newest)), older, speed, now)
    store.replace_status(
        "deployments", owner["metadata"]["namespace"], owner["metadata"]["name"], status
    )


def reconcile_replicaset(store: ObjectStore, owner: Object) -> None:
    """Create the pods that a ReplicaSet lacks, delete those too many, and write its status."""
    namespace = owner["metadata"]["namespace"]
    pods = store.owned_by("pods", owner["metadata"]["uid"])
    alive = [pod for pod in pods if not is_terminating(pod)]
    wanted = owner["spec"]["replicas"]
    for _ in range(wanted - len(alive)):
        name = f"{owner['metadata']['name']}-{store.suffix(5)}"
        store.create(
            "pods", namespace, pod_from(owner["spec"]["template"], owner, name=name, labels={})
        )
    # Kubernetes takes away first what is not ready, then what is younger.
    surplus = sorted(alive, key=lambda pod: (is_ready(pod), _minus(pod["metadata"])))
    for pod in surplus[: max(0, len(alive) - wanted)]:
        store.delete("pods", namespace, pod["metadata"]["name"])
    pods = store.owned_by("pods", owner["metadata"]["uid"])
    store.replace_status(
        "replicasets", namespace, owner["metadata"]["name"], _replicaset_status(owner, pods)
    )


def rolling_limits(owner: Object) -> tuple[int, int]:
    """How many pods a Deployment may have over, and may lack, during a rollout."""
    wanted = owner["spec"].get("replicas", 1)
    rolling = owner["spec"].get("strategy", {}).get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", "25%"), wanted, round_up=True)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), wanted, round_up=False)
    return (surge, unavailable) if surge or unavailable else (0, 1)


def _share(value: int | str, of: int, *, round_up: bool) -> int:
    if isinstance(value, int):
        return value
    exact = of * float(value.rstrip("%")) / 100
    return math.ceil(exact) if round_up else math.floor(exact)


def _newest(store: ObjectStore, owner: Object, sets: Sequence[Object]) -> Object:
    """The ReplicaSet of the template as it is now, made when there is none yet."""
    hashed = template_hash(owner["spec"]["template"])
    namespace, name = owner["metadata"]["namespace"], f"{owner['metadata']['name']}-{hashed}"
    surge, _ = rolling_limits(owner)
    wanted = owner["spec"].get("replicas", 1)
    latest = max((int(one["metadata"]["annotations"][_REVISION]) for one in sets), default=0)
    found = store.find("replicasets", namespace, name)
    if found is None:
        found = store.create("replicasets", namespace, _replicaset(owner, hashed, name))
        revision = latest + 1
    else:
        own = int(found["metadata"]["annotations"][_REVISION])
        revision = own if own == latest else latest + 1

    def annotate(item: Object) -> None:
        item["metadata"]["annotations"] = {
            _DESIRED: str(wanted),
            _MOST: str(wanted + surge),
            _REVISION: str(revision),
        }

    def number(item: Object) -> None:
        item["metadata"].setdefault("annotations", {})[_REVISION] = str(revision)

    store.mutate("deployments", namespace, owner["metadata"]["name"], number)
    return store.mutate("replicasets", namespace, name, annotate)


def _replicaset(owner: Object, hashed: str, name: str) -> Object:
    template = copied(owner["spec"]["template"])
    labels = {**(template.get("metadata", {}).get("labels") or {}), HASH: hashed}
    template.setdefault("metadata", {})["labels"] = labels
    selector = {**owner["spec"]["selector"]["matchLabels"], HASH: hashed}
    kind = KINDS["replicasets"]
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {_REVISION: "0"},
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": {"replicas": 0, "selector": {"matchLabels": selector}, "template": template},
    }


def _recreate(store: ObjectStore, newest: Object, older: Sequence[Object], wanted: int) -> None:
    for one in older:
        _resize(store, one, 0)
    if not any(store.owned_by("pods", one["metadata"]["uid"]) for one in older):
        _resize(store, newest, wanted)


def _scale_up(
    store: ObjectStore, newest: Object, older: Sequence[Object], wanted: int, surge: int
) -> None:
    have = newest["spec"]["replicas"]
    if have > wanted or not older:
        _resize(store, newest, wanted)
        return
    total = have + sum(one["spec"]["replicas"] for one in older)
    _resize(store, newest, min(wanted, have + max(0, wanted + surge - total)))


def _scale_down(
    store: ObjectStore, newest: Object, older: Sequence[Object], wanted: int, unavailable: int
) -> None:
    """Take old pods away, those that are not ready first, as far as enough are left available."""
    available = {one["metadata"]["uid"]: _available(store, one) for one in (*older, newest)}
    total = newest["spec"]["replicas"] + sum(one["spec"]["replicas"] for one in older)
    least = wanted - unavailable
    missing = newest["spec"]["replicas"] - available[newest["metadata"]["uid"]]
    may_go = total - least - missing
    for one in older:
        broken = one["spec"]["replicas"] - available[one["metadata"]["uid"]]
        taken = min(max(0, broken), max(0, may_go))
        if taken:
            _resize(store, one, one["spec"]["replicas"] - taken)
            may_go -= taken
    may_go = sum(available.values()) - least
    for one in older:
        now = store.get(*_key(one))
        taken = min(max(0, may_go), now["spec"]["replicas"])
        if taken:
            _resize(store, now, now["spec"]["replicas"] - taken)
            may_go -= taken


def _available(store: ObjectStore, owner: Object) -> int:
    pods = store.owned_by("pods", owner["metadata"]["uid"])
    return min(sum(1 for pod in pods if is_healthy(pod)), int(owner["spec"]["replicas"]))


def _resize(store: ObjectStore, owner: Object, replicas: int) -> None:
    def change(item: Object) -> None:
        item["spec"]["replicas"] = replicas

    store.mutate(*_key(owner), change)


def _replicaset_status(owner: Object, pods: Sequence[Object]) -> dict[str, Any]:
    alive = [pod for pod in pods if not is_terminating(pod)]
    ready = sum(1 for pod in alive if is_ready(pod))
    status = {
        "observedGeneration": owner["metadata"]["generation"],
        "replicas": len(alive),
        "fullyLabeledReplicas": len(alive),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "terminatingReplicas": len(pods) - len(alive),
    }
    return without_zeros(status, "fullyLabeledReplicas", "readyReplicas", "availableReplicas")


def _status(
    store: ObjectStore,
    owner: Object,
    newest: Object,
    older: Sequence[Object],
    speed: float,
    now: float,
) -> dict[str, Any]:
    sets = (newest, *older)
    pods = [pod for one in sets for pod in store.owned_by("pods", one["metadata"]["uid"])]
    alive = [pod for pod in pods if not is_terminating(pod)]
    new_alive = [
        pod
        for pod in alive
        if pod["metadata"]["labels"].get(HASH) == newest["metadata"]["labels"][HASH]
    ]
    ready = sum(1 for pod in alive if is_ready(pod))
    wanted = owner["spec"].get("replicas", 1)
    _, unavailable = rolling_limits(owner)
    counts = {
        "observedGeneration": owner["metadata"]["generation"],
        "replicas": len(alive),
        "updatedReplicas": len(new_alive),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, max(wanted, len(alive)) - ready),
    }
    counts = without_zeros(counts, *(key for key in counts if key != "observedGeneration"))
    old = owner.get("status", {})
    done = len(new_alive) == len(alive) == ready == wanted
    moved = {key: old.get(key) for key in counts} != counts
    conditions = _conditions(
        store,
        owner,
        newest,
        available=ready >= wanted - unavailable,
        done=done,
        moved=moved,
        speed=speed,
        now=now,
    )
    return {**counts, "terminatingReplicas": len(pods) - len(alive), "conditions": conditions}


def _conditions(
    store: ObjectStore,
    owner: Object,
    newest: Object,
    *,
    available: bool,
    done: bool,
    moved: bool,
    speed: float,
    now: float,
) -> list[dict[str, Any]]:
    before = {one["type"]: one for one in owner.get("status", {}).get("conditions", ())}
    minimum = "has" if available else "does not have"
    name = newest["metadata"]["name"]
    progressing, reason = "True", "ReplicaSetUpdated"
    message = f'ReplicaSet "{name}" is progressing.'
    since = before.get("Progressing", {}).get("lastUpdateTime", "")
    deadline = owner["spec"].get("progressDeadlineSeconds", 600) / speed
    if done:
        reason = "NewReplicaSetAvailable"
        message = f'ReplicaSet "{name}" has successfully progressed.'
    elif not moved and since and since < store.timestamp(now - deadline):
        progressing, reason = "False", "ProgressDeadlineExceeded"
        message = f'ReplicaSet "{name}" has timed out progressing.'
    wanted = (
        (
            "Available",
            "True" if available else "False",
            "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable",
            f"Deployment {minimum} minimum availability.",
        ),
        ("Progressing", progressing, reason, message),
    )
    stamp = store.timestamp(now)
    found = []
    for kind, status, why, text in wanted:
        old = before.get(kind, {})
        same = old.get("status") == status
        fresh = moved and kind == "Progressing" and reason != "ProgressDeadlineExceeded"
        found.append(
            {
                "type": kind,
                "status": status,
                "reason": why,
                "message": text,
                "lastTransitionTime": old["lastTransitionTime"] if same else stamp,
                "lastUpdateTime": old["lastUpdateTime"]
                if same and old["reason"] == why and not fresh
                else stamp,
            }
        )
    return found


def _minus(metadata: Object) -> tuple[int, ...]:
    """Sorts younger objects first."""
    return tuple(-ord(letter) for letter in metadata["creationTimestamp"])


def _key(item: Object) -> tuple[str, str, str]:
    return "replicasets", item["metadata"]["namespace"], item["metadata"]["name"]
