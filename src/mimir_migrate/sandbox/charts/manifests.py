"""Manifests that both charts have in common: workloads, the gossip service, budgets, accounts."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
PART_OF = "app.kubernetes.io/part-of"

_FROM_VALUES = ("nodeSelector", "affinity", "tolerations", "priorityClassName")
"""Entries of a component's values that go into the pod's spec as they are."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What is deployed where, and with which chart."""

    name: str
    namespace: str
    chart: str
    chart_version: str
    app_version: str
    speed: float = 1.0

    def grace(self, seconds: float) -> int:
        """A grace period, scaled and rounded up.

        Kubernetes knows whole seconds only, and a shorter period would kill a process that is still
        leaving its rings.
        """
        return math.ceil(seconds / self.speed)


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """One component as a chart deploys it by default."""

    component: str
    values_key: str
    kind: str
    replicas: int
    grace: float
    strategy: dict[str, Any] = {}
    enabled: bool = True
    gossips: bool = True
    policy: str = "OrderedReady"
    initial_delay: int = 0
    args: tuple[str, ...] = ()


def dump(value: Any) -> str:
    """YAML as helm's `toYaml` prints it: keys sorted, block style."""
    return yaml.dump(
        value, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), allow_unicode=True, width=4096
    )


def checksum(text: str) -> str:
    """The annotation `checksum/config` of a rendered configuration."""
    return hashlib.sha256(text.encode()).hexdigest()


def metadata(
    release: Release,
    name: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """An object's metadata with the labels that helm charts put everywhere."""
    found: dict[str, Any] = {
        "name": name,
        "namespace": release.namespace,
        "labels": {
            "helm.sh/chart": f"{release.chart}-{release.chart_version}",
            "app.kubernetes.io/version": release.app_version,
            "app.kubernetes.io/managed-by": "Helm",
            **labels,
        },
    }
    if annotations:
        found["annotations"] = {key: str(value) for key, value in annotations.items()}
    return found


def config_map(
    release: Release, name: str, labels: Mapping[str, str], data: Mapping[str, str]
) -> dict[str, Any]:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(release, name, labels),
        "data": dict(data),
    }


def configuration_object(
    release: Release,
    name: str,
    labels: Mapping[str, str],
    data: Mapping[str, str],
    *,
    secret: bool,
) -> dict[str, Any]:
    """The ConfigMap or Secret that pods read their configuration from."""
    if not secret:
        return config_map(release, name, labels, data)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(release, name, labels),
        "stringData": dict(data),
    }


def configuration_volumes(name: str, runtime: str, *, secret: bool) -> list[dict[str, Any]]:
    """The volumes of the configuration and of the runtime configuration, by their objects' names."""
    config = {"secret": {"secretName": name}} if secret else {"configMap": {"name": name}}
    return [
        {"name": "config", **config},
        {"name": "runtime-config", "configMap": {"name": runtime}},
    ]


def service_account(
    release: Release, name: str, labels: Mapping[str, str], values: Mapping[str, Any]
) -> dict[str, Any]:
    """The service account; its annotations carry the IAM role."""
    annotations = values.get("annotations") or {}
    own = {**labels, **{key: str(value) for key, value in (values.get("labels") or {}).items()}}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(release, name, own, annotations),
    }


def gossip_service(
    release: Release,
    name: str,
    labels: Mapping[str, str],
    port: int,
    *,
    publish_not_ready: bool,
) -> dict[str, Any]:
    """The headless service that gossip joins through."""
    spec: dict[str, Any] = {
        "type": "ClusterIP",
        "clusterIP": "None",
        "ports": [{"name": "gossip-ring", "port": port, "protocol": "TCP", "targetPort": port}],
        "selector": {**labels, PART_OF: "memberlist"},
    }
    if publish_not_ready:
        spec["publishNotReadyAddresses"] = True
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(release, name, labels),
        "spec": spec,
    }


def budget(
    release: Release, name: str, selector: Mapping[str, str], values: Mapping[str, Any]
) -> dict[str, Any]:
    """A PodDisruptionBudget as the component's values say it, one pod where they do not."""
    spec = dict(values) or {"maxUnavailable": 1}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(release, name, selector),
        "spec": {**spec, "selector": {"matchLabels": dict(selector)}},
    }


def extra_args(values: Mapping[str, Any]) -> list[str]:
    """`extraArgs` as flags, sorted; null is a flag with an empty value."""
    given = values.get("extraArgs") or {}
    return [f"-{key}={'' if given[key] is None else _scalar(given[key])}" for key in sorted(given)]


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def pod_spec(
    release: Release,
    workload: Workload,
    values: Mapping[str, Any],
    *,
    image: str,
    args: list[str],
    env: list[Any],
    account: str,
    volumes: list[dict[str, Any]],
    mounts: list[dict[str, Any]],
    gossip_port: int,
) -> dict[str, Any]:
    """The spec of a component's pods."""
    probe: dict[str, Any] = {"httpGet": {"path": "/ready", "port": "http-metrics"}}
    if workload.initial_delay:
        probe["initialDelaySeconds"] = workload.initial_delay
    ports = [
        {"name": "http-metrics", "containerPort": 8080, "protocol": "TCP"},
        {"name": "grpc", "containerPort": 9095, "protocol": "TCP"},
    ]
    if workload.gossips:
        ports.append({"name": "memberlist", "containerPort": gossip_port, "protocol": "TCP"})
    container = {
        "name": workload.component,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": args,
        "env": [*env, *(values.get("env") or [])],
        "ports": ports,
        "readinessProbe": probe,
        "resources": values.get("resources") or {},
        "volumeMounts": mounts,
    }
    grace = values.get("terminationGracePeriodSeconds", workload.grace)
    return {
        "serviceAccountName": (values.get("serviceAccount") or {}).get("name") or account,
        "terminationGracePeriodSeconds": release.grace(float(grace)),
        "containers": [container],
        "volumes": volumes,
        **{key: values[key] for key in _FROM_VALUES if values.get(key)},
    }


def workload_manifest(
    release: Release,
    workload: Workload,
    values: Mapping[str, Any],
    *,
    name: str,
    selector: Mapping[str, str],
    pod_metadata: Mapping[str, Any],
    spec: Mapping[str, Any],
    kind: str = "",
    service: str = "",
) -> dict[str, Any]:
    """A StatefulSet or Deployment around a pod's spec.

    `service` governs a StatefulSet's pods; empty: the headless one of its own name.
    """
    kind = kind or workload.kind
    body: dict[str, Any] = {
        "replicas": int(values.get("replicas", workload.replicas)),
        "selector": {"matchLabels": dict(selector)},
        "template": {"metadata": dict(pod_metadata), "spec": dict(spec)},
    }
    if kind == "StatefulSet":
        body["serviceName"] = service or f"{name}-headless"
        body["podManagementPolicy"] = workload.policy
        body["updateStrategy"] = values.get("statefulStrategy") or {"type": "RollingUpdate"}
    else:
        body["strategy"] = values.get("strategy") or {
            "type": "RollingUpdate",
            "rollingUpdate": workload.strategy,
        }
    labels = dict(selector)
    if workload.gossips:
        labels[PART_OF] = "memberlist"
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": metadata(release, name, labels, values.get("annotations")),
        "spec": body,
    }


def plain_deployment(
    release: Release,
    name: str,
    labels: Mapping[str, str],
    image: str,
    replicas: int,
    *,
    port: str = "http",
    config_sum: str = "",
) -> dict[str, Any]:
    """A Deployment of something that is neither Mimir nor Cortex.

    `config_sum` is the checksum of its own configuration, in the annotation that the product's pods
    have as well; empty: it has none.
    """
    pod_metadata: dict[str, Any] = {"labels": dict(labels)}
    if config_sum:
        pod_metadata["annotations"] = {"checksum/config": config_sum}
    container = {
        "name": name.rpartition("-")[2] or name,
        "image": image,
        "ports": [{"name": port, "containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": port}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(release, name, labels),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(labels)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {
                "metadata": pod_metadata,
                "spec": {
                    "terminationGracePeriodSeconds": release.grace(30),
                    "containers": [container],
                },
            },
        },
    }


def zone_replicas(replicas: int, zones: int) -> int:
    """How many pods of a component each zone gets."""
    return math.ceil(replicas / zones)
