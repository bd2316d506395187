"""What the chart mimir-distributed makes of values: a simulation of the chart, not the chart.

It covers what this tool touches: the configuration and the runtime configuration, the workloads with
their labels, arguments, mounts, strategies and checksums, the gossip service, the service account.
Names, defaults and conditions follow the chart's 5.x values and rendered tests in the classic
architecture. Caches, Kafka, MinIO, services for users and monitoring objects are not rendered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mimir_migrate.sandbox.charts.manifests import (
    COMPONENT,
    INSTANCE,
    NAME,
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
    zone_replicas,
)
from mimir_migrate.sandbox.charts.mimir_workloads import WORKLOADS
from mimir_migrate.sandbox.charts.naming import naming_of
from mimir_migrate.sandbox.charts.values import evaluate, lay_over, load_values

CHART = "mimir-distributed"
CHART_VERSION = "5.8.0"
APP_VERSION = "2.17.1"

_HEADLESS = frozenset({"ingester", "store-gateway"})
"""StatefulSets whose service is the component's headless one, in every zone."""
_FALLBACK = """receivers:
    - name: default-receiver
route:
    receiver: default-receiver
"""
_ZONES_BY_DEFAULT = frozenset({"ingester", "store-gateway"})
_ZONE_FLAGS = {
    "ingester": "-ingester.ring.instance-availability-zone",
    "store-gateway": "-store-gateway.sharding-ring.instance-availability-zone",
    "alertmanager": "-alertmanager.sharding-ring.instance-availability-zone",
}


class MimirChart:
    """Renders one set of values.

    Args:
        values: The values, all files laid over each other.
        release: What is deployed where.
    """

    def __init__(self, values: Mapping[str, Any], release: Release) -> None:
        self.values = values
        self.release = release
        self.naming = naming_of(values, release, name="mimir", repository="grafana/mimir")
        self.name, self.fullname = self.naming.name, self.naming.fullname
        self.labels = self.naming.labels
        self._secret = values.get("configStorageType", "ConfigMap") == "Secret"
        self._config, self._runtime = f"{self.fullname}-config", f"{self.fullname}-runtime"
        domain = (values.get("global") or {}).get("clusterDomain", "cluster.local.")
        self._structured = (values.get("mimir") or {}).get("structuredConfig") or {}
        self.gossip_port = int((self._structured.get("memberlist") or {}).get("bind_port", 7946))
        self._includes = {
            "mimir.fullname": self.fullname,
            "mimir.name": self.name,
            "mimir.memberlistBindPort": str(self.gossip_port),
        }
        self._gossip_address = (
            f"dns+{self.fullname}-gossip-ring.{release.namespace}.svc.{domain}:{self.gossip_port}"
        )

    def manifests(self) -> Iterator[dict[str, Any]]:
        """Every manifest, in the order helm would apply them."""
        release, labels = self.release, self.labels
        account = self.values.get("serviceAccount") or {}
        if account.get("create", True):
            yield service_account(release, self.naming.account, labels, account)
        config = self.configuration()
        if not self.values.get("useExternalConfig"):
            yield configuration_object(
                release, self._config, labels, {"mimir.yaml": config}, secret=self._secret
            )
        yield config_map(
            release,
            self._runtime,
            labels,
            {"runtime.yaml": dump(self._tpl(self.values.get("runtimeConfig") or {}))},
        )
        yield gossip_service(
            release,
            f"{self.fullname}-gossip-ring",
            labels,
            self.gossip_port,
            publish_not_ready=True,
        )
        if fallback := self._fallback():
            yield config_map(
                release,
                f"{self.fullname}-alertmanager-fallback-config",
                {**labels, COMPONENT: "alertmanager"},
                {"alertmanager_fallback_config.yaml": fallback},
            )
        for workload in WORKLOADS:
            yield from self._component(workload, checksum(config))
        yield from self._around()
        for one in self.values.get("extraObjects") or ():
            yield self._tpl(one)

    def configuration(self) -> str:
        """The text of mimir.yaml: the chart's own defaults, `structuredConfig` laid over them."""
        own = (self.values.get("mimir") or {}).get("config")
        if isinstance(own, str):
            below = load_values(self._tpl(own).encode(), "mimir.config")
        else:
            below = self._defaults()
        return dump(lay_over(below, self._tpl(self._structured)))

    def _defaults(self) -> dict[str, Any]:
        """The parts of the chart's `mimir.config` about rings, and a little around them."""
        one_minute = {
            "wait_stability_min_duration": "1m",
            "heartbeat_period": "1m",
            "heartbeat_timeout": "4m",
        }
        ingester: dict[str, Any] = {
            "final_sleep": "0s",
            "num_tokens": 512,
            "tokens_file_path": "/data/tokens",
            "unregister_on_shutdown": False,
            "heartbeat_period": "2m",
            "heartbeat_timeout": "10m",
        }
        store_gateway: dict[str, Any] = {
            **one_minute,
            "heartbeat_timeout": "10m",
            "tokens_file_path": "/data/tokens",
            "unregister_on_shutdown": False,
        }
        alertmanager: dict[str, Any] = {"data_dir": "/data", "enable_api": True}
        if self._zones("ingester"):
            ingester["zone_awareness_enabled"] = True
        if self._zones("store-gateway"):
            store_gateway["kvstore"] = {"prefix": "multi-zone/"}
            store_gateway["zone_awareness_enabled"] = True
        if self._zones("alertmanager"):
            alertmanager["sharding_ring"] = {"zone_awareness_enabled": True}
        return {
            "activity_tracker": {"filepath": "/active-query-tracker/activity.log"},
            "alertmanager": alertmanager,
            "blocks_storage": {
                "backend": "s3",
                "bucket_store": {"sync_dir": "/data/tsdb-sync"},
                "tsdb": {"dir": "/data/tsdb"},
            },
            "compactor": {"data_dir": "/data", "sharding_ring": one_minute},
            "distributor": {"ring": {"heartbeat_period": "1m", "heartbeat_timeout": "4m"}},
            "ingester": {"ring": ingester},
            "limits": {"max_cache_freshness": "10m", "max_total_query_length": "12000h"},
            "memberlist": {
                "abort_if_cluster_join_fails": False,
                "compression_enabled": False,
                "join_members": [self._gossip_address],
            },
            "querier": {"max_concurrent": 16},
            "query_scheduler": {"max_outstanding_requests_per_tenant": 800},
            "ruler": {"enable_api": True, "rule_path": "/data"},
            "runtime_config": {"file": f"/var/{self.name}/runtime.yaml"},
            "store_gateway": {"sharding_ring": store_gateway},
            "usage_stats": {"installation_mode": "helm"},
        }

    def _component(self, workload: Workload, config_sum: str) -> Iterator[dict[str, Any]]:
        values = self.values.get(workload.values_key) or {}
        if not values.get("enabled", workload.enabled):
            return
        own = {**self.labels, COMPONENT: workload.component}
        yield budget(
            self.release,
            f"{self.fullname}-{workload.component}",
            own,
            values.get("podDisruptionBudget") or {},
        )
        kind = workload.kind
        if not (values.get("statefulSet") or {}).get("enabled", True):
            kind = "Deployment"
        zones = self._zones(workload.component)
        if not zones:
            name = f"{self.fullname}-{workload.component}"
            yield self._workload(workload, values, config_sum, name=name, own=own, kind=kind)
            return
        share = zone_replicas(int(values.get("replicas", workload.replicas)), len(zones))
        aware = values.get("zoneAwareReplication") or {}
        for zone in zones:
            in_zone = {
                **values,
                "replicas": share,
                "statefulStrategy": {"type": "OnDelete"},
                "nodeSelector": zone.get("nodeSelector") or values.get("nodeSelector"),
                "annotations": {
                    **(values.get("annotations") or {}),
                    "rollout-max-unavailable": aware.get("maxUnavailable", 50),
                },
            }
            yield self._workload(
                workload,
                in_zone,
                config_sum,
                name=f"{self.fullname}-{workload.component}-{zone['name']}",
                own={**own, "rollout-group": workload.component, "zone": zone["name"]},
                kind=kind,
                zone=zone["name"],
            )

    def _workload(
        self,
        workload: Workload,
        values: Mapping[str, Any],
        config_sum: str,
        *,
        name: str,
        own: dict[str, str],
        kind: str,
        zone: str = "",
    ) -> dict[str, Any]:
        args = [
            f"-target={workload.component}",
            "-config.expand-env=true",
            "-config.file=/etc/mimir/mimir.yaml",
            *workload.args,
        ]
        if zone:
            args.append(f"{_ZONE_FLAGS[workload.component]}={zone}")
            selector = own
            own = {**own, "name": f"{workload.component}-{zone}"}
        else:
            selector = own
        everywhere = self.values.get("global") or {}
        annotations = {
            "checksum/config": config_sum,
            **(everywhere.get("podAnnotations") or {}),
            **(values.get("podAnnotations") or {}),
        }
        if workload.component == "alertmanager" and self._fallback():
            annotations["checksum/alertmanager-fallback-config"] = checksum(self._fallback())
        labels = {**own, **(values.get("podLabels") or {})}
        if workload.gossips:
            labels[PART_OF] = "memberlist"
        pod = metadata(self.release, "", labels, annotations)
        spec = pod_spec(
            self.release,
            workload,
            values,
            image=self.naming.image,
            args=[*args, *extra_args(values)],
            env=list(everywhere.get("extraEnv") or ()),
            account=self.naming.account,
            volumes=configuration_volumes(self._config, self._runtime, secret=self._secret),
            mounts=[
                {"name": "config", "mountPath": "/etc/mimir"},
                {"name": "runtime-config", "mountPath": f"/var/{self.name}"},
            ],
            gossip_port=self.gossip_port,
        )
        found = workload_manifest(
            self.release,
            workload,
            values,
            name=name,
            selector=selector,
            pod_metadata={key: pod[key] for key in ("labels", "annotations")},
            spec=spec,
            kind=kind,
            service=f"{self.fullname}-{workload.component}"
            + ("-headless" if workload.component in _HEADLESS else ""),
        )
        found["metadata"]["labels"].update(own)
        return found

    def _around(self) -> Iterator[dict[str, Any]]:
        """What rides along: the rollout-operator and the gateway."""
        operator = self.values.get("rollout_operator") or {}
        if operator.get("enabled", True):
            yield plain_deployment(
                self.release,
                f"{self.release.name}-rollout-operator",
                {NAME: "rollout-operator", INSTANCE: self.release.name},
                "grafana/rollout-operator:v0.29.0",
                1,
            )
        if (self.values.get("nginx") or {}).get("enabled", True):
            yield plain_deployment(
                self.release,
                f"{self.fullname}-nginx",
                {**self.labels, COMPONENT: "nginx"},
                "nginxinc/nginx-unprivileged:1.27-alpine",
                int((self.values.get("nginx") or {}).get("replicas", 1)),
                port="http-metric",
                config_sum=checksum(self.fullname),
            )
        yield self._smoke_test()

    def _smoke_test(self) -> dict[str, Any]:
        """The Job that `helm test` runs: `helm template` prints it, an upgrade does not make it."""
        labels = {**self.labels, COMPONENT: "smoke-test"}
        container = {
            "name": "smoke-test",
            "image": self.naming.image,
            "args": ["-target=continuous-test", "-activity-tracker.filepath="],
        }
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": metadata(
                self.release, f"{self.fullname}-smoke-test", labels, {"helm.sh/hook": "test"}
            ),
            "spec": {
                "backoffLimit": 5,
                "completions": 1,
                "parallelism": 1,
                "template": {
                    "metadata": {"labels": dict(labels)},
                    "spec": {
                        "serviceAccountName": self.naming.account,
                        "restartPolicy": "OnFailure",
                        "containers": [container],
                    },
                },
            },
        }

    def _fallback(self) -> str:
        """The alertmanagers' configuration for tenants that have none."""
        given = (self.values.get("alertmanager") or {}).get("fallbackConfig", _FALLBACK)
        return str(given or "")

    def _zones(self, component: str) -> list[dict[str, Any]]:
        """The zones of a component; none where it is not zone-aware."""
        values = self.values.get(component.replace("-", "_")) or {}
        aware = values.get("zoneAwareReplication") or {}
        if not aware.get("enabled", component in _ZONES_BY_DEFAULT):
            return []
        return aware.get("zones") or [{"name": f"zone-{letter}"} for letter in "abc"]

    def _tpl(self, value: Any) -> Any:
        return evaluate(value, self.naming.scope, self._includes)
