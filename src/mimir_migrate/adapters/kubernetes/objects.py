"""Kubernetes objects, as the API server answers them, read into this package's facts.

All functions are pure. Field meanings are those of the Kubernetes API reference (apps/v1, core/v1,
autoscaling/v2); annotation and label names of Helm, Argo CD, Flux and the rollout operator are their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mimir_migrate.adapters.kubernetes.lease_json import parse_time
from mimir_migrate.documents.permissions import ROLE_ANNOTATION
from mimir_migrate.model.facts import Autoscaler, Pod, ServiceAccount, Workload

COMPONENT = "app.kubernetes.io/component"
_PART_OF = "app.kubernetes.io/part-of"
_GOSSIP = "memberlist"
_LEGACY_GOSSIP = "gossip_ring_member"
_CHECKSUM = "checksum/config"
_REVISION_NUMBER = "deployment.kubernetes.io/revision"
_ROLLOUT_GROUP = "rollout-group"
_ROLLOUT_MAX_UNAVAILABLE = "rollout-max-unavailable"
_ARGO = ("argocd.argoproj.io/instance", "argocd.argoproj.io/tracking-id")
_FLUX = ("helm.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/name")
_HTTP_PORT_NAMES = ("http-metrics", "http", "http-metric")
_DEFAULT_HTTP_PORT = 8080
_LOST = "NodeLost"

Json = Mapping[str, Any]


def pod_from_json(pod: Json, replica_sets: Sequence[Json] = ()) -> Pod:
    """Read a pod; a Deployment's pod finds its Deployment through `replica_sets`."""
    metadata = _map(pod.get("metadata"))
    spec = _map(pod.get("spec"))
    status = _map(pod.get("status"))
    labels = _map(metadata.get("labels"))
    container = _main_container(_list(spec.get("containers")))
    state = _status_of(container, _list(status.get("containerStatuses")))
    ready = _condition(status, "Ready")
    is_ready = ready.get("status") == "True"
    owner_kind, owner = _owner(metadata, replica_sets)
    arguments = tuple(map(str, (*_list(container.get("command")), *_list(container.get("args")))))
    return Pod(
        name=str(metadata.get("name", "")),
        uid=str(metadata.get("uid", "")),
        ip=str(status.get("podIP") or ""),
        node=str(spec.get("nodeName") or ""),
        component=_component(labels),
        targets=targets_of(arguments),
        zone=str(labels.get("zone") or ""),
        image=str(container.get("image") or ""),
        image_id=str(state.get("imageID") or ""),
        ready=is_ready,
        phase=str(status.get("phase") or ""),
        node_lost=_is_lost(status, ready),
        deleted_at=_deletion_asked_at(metadata),
        created_at=parse_time(metadata.get("creationTimestamp")) or 0.0,
        ready_since=parse_time(ready.get("lastTransitionTime")) if is_ready else None,
        owner_kind=owner_kind,
        owner=owner,
        revision=str(
            labels.get("controller-revision-hash") or labels.get("pod-template-hash") or ""
        ),
        restarts=int(state.get("restartCount") or 0),
        waiting_reason=str(_map(_map(state.get("state")).get("waiting")).get("reason") or ""),
        args=arguments,
        env=tuple(str(entry.get("name", "")) for entry in _list(container.get("env"))),
        service_account=str(spec.get("serviceAccountName") or ""),
        http_port=_http_port(container),
        gossips=_gossips(labels),
        labels=tuple(sorted((str(key), str(value)) for key, value in labels.items())),
    )


def targets_of(arguments: Iterable[str]) -> tuple[str, ...]:
    """The words of `-target=`; empty where the arguments have none."""
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name.lstrip("-") == "target" and name.startswith("-"):
            return tuple(word.strip() for word in value.split(",") if word.strip())
    return ()


def workload_from_json(
    workload: Json, replica_sets: Sequence[Json] = (), *, kind: str = ""
) -> Workload:
    """Read a StatefulSet or Deployment.

    Args:
        workload: The object.
        replica_sets: Those of the namespace; the newest of a Deployment's names its revision.
        kind: The object's kind where it is an item of a list, which does not repeat it.
    """
    metadata = _map(workload.get("metadata"))
    spec = _map(workload.get("spec"))
    status = _map(workload.get("status"))
    template = _map(spec.get("template"))
    labels = {**_map(_map(template.get("metadata")).get("labels")), **_map(metadata.get("labels"))}
    real_kind = str(workload.get("kind") or kind)
    replicas = int(spec["replicas"]) if spec.get("replicas") is not None else 1
    strategy = _map(spec.get("strategy") or spec.get("updateStrategy"))
    surge, max_unavailable = _bounds(
        real_kind, strategy, replicas, _map(metadata.get("annotations"))
    )
    grace = _map(template.get("spec")).get("terminationGracePeriodSeconds")
    return Workload(
        kind=real_kind,
        name=str(metadata.get("name", "")),
        component=_component(labels),
        replicas=replicas,
        ready_replicas=int(status.get("readyReplicas") or 0),
        updated_replicas=int(status.get("updatedReplicas") or 0),
        generation=int(metadata.get("generation") or 0),
        observed_generation=int(status.get("observedGeneration") or 0),
        current_revision=str(
            status.get("updateRevision")
            or _newest_hash(str(metadata.get("uid", "")), replica_sets)
        ),
        update_strategy=str(strategy.get("type") or "RollingUpdate"),
        rollout_group=str(labels.get(_ROLLOUT_GROUP) or ""),
        surge=surge,
        max_unavailable=max_unavailable,
        termination_grace_seconds=float(30 if grace is None else grace),
        min_ready_seconds=float(spec.get("minReadySeconds") or 0),
        config_checksum=str(
            _map(_map(template.get("metadata")).get("annotations")).get(_CHECKSUM) or ""
        ),
        managed_by=managed_by(metadata),
    )


def autoscaler_from_json(autoscaler: Json) -> Autoscaler:
    """Read a HorizontalPodAutoscaler; `target` is `Kind/name`."""
    target = _map(_map(autoscaler.get("spec")).get("scaleTargetRef"))
    status = _map(autoscaler.get("status"))
    return Autoscaler(
        name=str(_map(autoscaler.get("metadata")).get("name", "")),
        target=f"{target.get('kind', '')}/{target.get('name', '')}",
        current=int(status.get("currentReplicas") or 0),
        desired=int(status.get("desiredReplicas") or 0),
    )


def service_account_from_json(account: Json) -> ServiceAccount:
    """Read a service account with its role annotation (EKS)."""
    metadata = _map(account.get("metadata"))
    return ServiceAccount(
        name=str(metadata.get("name", "")),
        role=str(_map(metadata.get("annotations")).get(ROLE_ANNOTATION) or ""),
    )


def managed_by(metadata: Json) -> str:
    """What deploys an object besides helm: `argocd`, `flux`; empty where nothing shows."""
    marks = {**_map(metadata.get("labels")), **_map(metadata.get("annotations"))}
    if any(mark in marks for mark in _ARGO):
        return "argocd"
    if any(mark in marks for mark in _FLUX):
        return "flux"
    return ""


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _component(labels: Json) -> str:
    # Charts from before the recommended labels call it `component`, the oldest `app` minus the release.
    return str(labels.get(COMPONENT) or labels.get("component") or "")


def _gossips(labels: Json) -> bool:
    return labels.get(_PART_OF) == _GOSSIP or str(labels.get(_LEGACY_GOSSIP, "")) == "true"


def _main_container(containers: Sequence[Json]) -> Json:
    """The container that runs the product: the one with `-target`, else the first."""
    for container in containers:
        if targets_of(map(str, (*_list(container.get("command")), *_list(container.get("args"))))):
            return container
    return containers[0] if containers else {}


def _status_of(container: Json, statuses: Sequence[Json]) -> Json:
    return next((status for status in statuses if status.get("name") == container.get("name")), {})


def _condition(status: Json, kind: str) -> Json:
    return next((each for each in _list(status.get("conditions")) if each.get("type") == kind), {})


def _is_lost(status: Json, ready: Json) -> bool:
    return (
        status.get("reason") == _LOST
        or ready.get("reason") == _LOST
        or status.get("phase") == "Unknown"
        or ready.get("status") == "Unknown"
    )


def _deletion_asked_at(metadata: Json) -> float | None:
    """`deletionTimestamp` is when the grace period ends, not when the deletion was asked for."""
    end = parse_time(metadata.get("deletionTimestamp"))
    if end is None:
        return None
    return end - float(metadata.get("deletionGracePeriodSeconds") or 0)


def _controller(metadata: Json) -> Json:
    owners = _list(metadata.get("ownerReferences"))
    return next(
        (owner for owner in owners if owner.get("controller")), owners[0] if owners else {}
    )


def _owner(metadata: Json, replica_sets: Sequence[Json]) -> tuple[str, str]:
    owner = _controller(metadata)
    if owner.get("kind") == "ReplicaSet":
        for replica_set in replica_sets:
            of_set = _map(replica_set.get("metadata"))
            if of_set.get("uid") == owner.get("uid"):
                above = _controller(of_set)
                if above:
                    owner = above
                break
    return str(owner.get("kind", "")), str(owner.get("name", ""))


def _newest_hash(deployment_uid: str, replica_sets: Sequence[Json]) -> str:
    newest, found = -1, ""
    for replica_set in replica_sets:
        metadata = _map(replica_set.get("metadata"))
        if _controller(metadata).get("uid") != deployment_uid:
            continue
        number = int(_map(metadata.get("annotations")).get(_REVISION_NUMBER) or 0)
        if number > newest:
            newest = number
            found = str(_map(metadata.get("labels")).get("pod-template-hash") or "")
    return found


def _bounds(kind: str, strategy: Json, replicas: int, annotations: Json) -> tuple[int, int]:
    """How many pods a rollout may add and take away at a time."""
    rolling = _map(strategy.get("rollingUpdate"))
    if kind == "StatefulSet":
        chosen = annotations.get(_ROLLOUT_MAX_UNAVAILABLE) or rolling.get("maxUnavailable") or 1
        return 0, max(1, _count(chosen, replicas, up=False))
    if strategy.get("type") == "Recreate":
        return 0, replicas
    return (
        _count(rolling.get("maxSurge", "25%"), replicas, up=True),
        _count(rolling.get("maxUnavailable", "25%"), replicas, up=False),
    )


def _count(value: object, replicas: int, *, up: bool) -> int:
    """A number or a percentage of the replicas; Kubernetes rounds surge up, unavailable down."""
    text = str(value)
    if text.endswith("%"):
        part = int(text[:-1]) * replicas / 100
        return math.ceil(part) if up else math.floor(part)
    return int(text) if text.isdigit() else 0


def _http_port(container: Json) -> int:
    ports = {
        str(port.get("name", "")): port.get("containerPort")
        for port in _list(container.get("ports"))
    }
    for name in _HTTP_PORT_NAMES:
        number = ports.get(name)
        if isinstance(number, int):
            return number
    return _DEFAULT_HTTP_PORT
