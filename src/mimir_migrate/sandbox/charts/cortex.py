"""What the Cortex chart makes of values: a simulation of the chart, not the chart.

It covers what this tool touches: the configuration (a Secret, or a ConfigMap), the runtime
configuration, the workloads with their labels, arguments, mounts, strategies and checksums, the gossip
service, the service account. Names and defaults follow cortex-helm-chart's values and templates.
Caches, ingress and monitoring objects are not rendered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mimir_migrate.sandbox.charts.manifests import (
    COMPONENT,
    PART_OF,
    Release,
    Workload,
    budget,
    checksum,
    config_map,
    configuration_object,
    configuration_volumes,
    dump,
    extra_args,
    gossip_service,
    metadata,
    plain_deployment,
    pod_spec,
    service_account,
    workload_manifest,
)
from mimir_migrate.sandbox.charts.naming import naming_of
from mimir_migrate.sandbox.charts.values import evaluate, lay_over

CHART = "cortex"
CHART_VERSION = "3.0.1"
APP_VERSION = "v1.20.1"

_ONE_LESS = {"maxSurge": 0, "maxUnavailable": 1}


def _workload(
    component: str,
    replicas: int,
    grace: float,
    *,
    kind: str = "Deployment",
    enabled: bool = True,
    gossips: bool = True,
) -> Workload:
    return Workload(
        component=component,
        values_key=component.replace("-", "_"),
        kind=kind,
        replicas=replicas,
        grace=grace,
        strategy=_ONE_LESS,
        enabled=enabled,
        gossips=gossips,
    )


WORKLOADS = (
    _workload("alertmanager", 1, 60),
    _workload("compactor", 1, 240, kind="StatefulSet"),
    _workload("distributor", 2, 60),
    _workload("ingester", 3, 240),
    _workload("overrides-exporter", 1, 180, enabled=False, gossips=False),
    _workload("parquet-converter", 1, 180, enabled=False),
    _workload("querier", 2, 180),
    _workload("query-frontend", 2, 180, gossips=False),
    _workload("query-scheduler", 2, 180, enabled=False, gossips=False),
    _workload("ruler", 1, 180),
    _workload("store-gateway", 1, 240, kind="StatefulSet"),
)
"""The components, with the chart's default values."""

_DEFAULTS: Mapping[str, Any] = {
    "auth_enabled": False,
    "api": {"prometheus_http_prefix": "/prometheus", "response_compression_enabled": True},
    "ingester": {
        "lifecycler": {
            "join_after": "10s",
            "observe_period": "10s",
            "final_sleep": "30s",
            "ring": {"replication_factor": 3, "kvstore": {"store": "memberlist"}},
        }
    },
    "server": {"http_listen_port": 8080, "grpc_listen_port": 9095},
    "store_gateway": {"sharding_enabled": False},
    "distributor": {"shard_by_all_labels": True},
    "memberlist": {
        "bind_port": 7946,
        "join_members": ['{{ include "cortex.fullname" $ }}-memberlist'],
    },
    "ruler": {"enable_alertmanager_discovery": False, "enable_api": True},
    "runtime_config": {"file": "/etc/cortex-runtime-config/runtime_config.yaml"},
    "alertmanager": {"enable_api": False, "external_url": "/api/prom/alertmanager"},
}
"""The parts of the chart's `config` about rings, and a little around them."""


class CortexChart:
    """Renders one set of values.

    Args:
        values: The values, all files laid over each other.
        release: What is deployed where.
    """

    def __init__(self, values: Mapping[str, Any], release: Release) -> None:
        self.values = values
        self.release = release
        self.naming = naming_of(
            values, release, name="cortex", repository="quay.io/cortexproject/cortex"
        )
        self.fullname, self.labels = self.naming.fullname, self.naming.labels
        self._includes = {"cortex.fullname": self.fullname, "cortex.name": self.naming.name}
        self._secret = not values.get("useConfigMap", False)
        self._config = self.fullname if self._secret else f"{self.fullname}-config"
        self._runtime = f"{self.fullname}-runtime-config"
        self.config = lay_over(_DEFAULTS, values.get("config") or {})
        self.gossip_port = int((self.config.get("memberlist") or {}).get("bind_port", 7946))

    def manifests(self) -> Iterator[dict[str, Any]]:
        """Every manifest, in the order helm would apply them."""
        release, labels = self.release, self.labels
        account = self.values.get("serviceAccount") or {}
        if account.get("create", True):
            yield service_account(release, self.naming.account, labels, account)
        config = self.configuration()
        yield configuration_object(
            release, self._config, labels, {"cortex.yaml": config}, secret=self._secret
        )
        runtime = self.values.get("runtimeconfigmap") or {}
        if runtime.get("create", True):
            text = dump(
                evaluate(runtime.get("runtime_config") or {}, self.naming.scope, self._includes)
            )
            yield config_map(release, self._runtime, labels, {"runtime_config.yaml": text})
        # The chart's service has no publishNotReadyAddresses: joining sees Ready pods only.
        yield gossip_service(
            release,
            f"{self.fullname}-memberlist",
            labels,
            self.gossip_port,
            publish_not_ready=False,
        )
        for workload in WORKLOADS:
            yield from self._component(workload, checksum(config))
        nginx = self.values.get("nginx") or {}
        if nginx.get("enabled", True):
            yield plain_deployment(
                release,
                f"{self.fullname}-nginx",
                {**labels, COMPONENT: "nginx"},
                "nginxinc/nginx-unprivileged:1.27-alpine",
                int(nginx.get("replicas", 2)),
            )

    def configuration(self) -> str:
        """The text of cortex.yaml."""
        return dump(evaluate(self.config, self.naming.scope, self._includes))

    def _component(self, workload: Workload, config_sum: str) -> Iterator[dict[str, Any]]:
        values = self.values.get(workload.values_key) or {}
        if not values.get("enabled", workload.enabled):
            return
        own = {**self.labels, COMPONENT: workload.component}
        name = f"{self.fullname}-{workload.component}"
        yield budget(self.release, name, own, values.get("podDisruptionBudget") or {})
        kind = workload.kind
        if (values.get("statefulSet") or {}).get("enabled", False):
            kind = "StatefulSet"
        labels = {**own, **(values.get("podLabels") or {})}
        if workload.gossips:
            labels[PART_OF] = "memberlist"
        annotations = {"checksum/config": config_sum, **(values.get("podAnnotations") or {})}
        pod = metadata(self.release, "", labels, annotations)
        spec = pod_spec(
            self.release,
            workload,
            values,
            image=self.naming.image,
            args=[
                f"-target={workload.component}",
                "-config.file=/etc/cortex/cortex.yaml",
                *self._frontend_args(workload),
                *extra_args(values),
            ],
            env=[],
            account=self.naming.account,
            volumes=configuration_volumes(self._config, self._runtime, secret=self._secret),
            mounts=[
                {"name": "config", "mountPath": "/etc/cortex"},
                {"name": "runtime-config", "mountPath": "/etc/cortex-runtime-config"},
            ],
            gossip_port=self.gossip_port,
        )
        yield workload_manifest(
            self.release,
            workload,
            values,
            name=name,
            selector=own,
            pod_metadata={key: pod[key] for key in ("labels", "annotations")},
            spec=spec,
            kind=kind,
        )

    def _frontend_args(self, workload: Workload) -> list[str]:
        """Where queriers fetch their work; without it no query-frontend ever gets Ready."""
        frontend = self.values.get("query_frontend") or {}
        if workload.component != "querier" or not frontend.get("enabled", True):
            return []
        domain = self.values.get("clusterDomain", "cluster.local")
        host = f"{self.fullname}-query-frontend-headless.{self.release.namespace}.svc.{domain}"
        port = (self.config.get("server") or {}).get("grpc_listen_port", 9095)
        return [f"-querier.frontend-address={host}:{port}"]
