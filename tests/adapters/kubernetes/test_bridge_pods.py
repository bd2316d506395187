"""The ring bridge's replicas are found by the manifest's labels, and each asked by its own address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_server import Server, status

from mimir_migrate.adapters.kubernetes.api import KubernetesApi
from mimir_migrate.adapters.kubernetes.bridge_pods import KubernetesBridgePods
from mimir_migrate.documents.bridge_manifest import BridgePlan, objects
from mimir_migrate.errors import DeniedError, MigrateError
from mimir_migrate.model.target import (
    BridgeTarget,
    KubernetesTarget,
    TableTarget,
    Target,
    Through,
)

PODS = "/api/v1/namespaces/mimir/pods"
PLAN = BridgePlan(
    image="i", namespace="mimir", table="t", region="eu-west-1", cluster="c", keys=("a/ring",)
)


@pytest.fixture
def server() -> Iterator[Server]:
    """An API server on loopback, with three replicas as the manifest makes them, and others."""
    running = Server()
    template = next(one for one in objects(PLAN) if one["kind"] == "Deployment")["spec"][
        "template"
    ]
    running.answers[PODS] = [
        *(made(f"ring-bridge-{number}", template) for number in range(3)),
        made("ring-bridge-evicted", template, phase="Failed"),
        made("other-bridge-0", template, instance="other"),
        {"metadata": {"name": "mimir-ruler-0", "labels": {}}},
    ]
    yield running
    running.close()


def made(
    name: str, template: dict[str, Any], *, phase: str = "Running", instance: str = "ring-bridge"
) -> dict[str, Any]:
    labels = {**template["metadata"]["labels"], "app.kubernetes.io/instance": instance}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": template["spec"],
        "status": {
            "phase": phase,
            "podIP": "10.9.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def bridge(server: Server, folder: Path, *, tls: bool = False) -> KubernetesBridgePods:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "current-context": "c",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    where = KubernetesTarget(
        kubeconfig=str(folder / "kubeconfig"), namespace="mimir", release="mimir"
    )
    target = Target(
        kubernetes=where,
        dynamodb=TableTarget(table="t", through=Through.BRIDGE),
        bridge=BridgeTarget(service="ring-bridge.mimir.svc", tls=tls),
    )
    return KubernetesBridgePods(KubernetesApi.connect(where), target)


def test_the_replicas_are_those_of_the_manifest(server: Server, tmp_path: Path) -> None:
    """All of them, over pages of a list; no ended one, and no other bridge's."""
    found = bridge(server, tmp_path).pods()

    assert [pod.name for pod in found] == [f"ring-bridge-{number}" for number in range(3)]
    assert {(pod.http_port, pod.ready) for pod in found} == {(8500, True)}


@pytest.mark.parametrize(("tls", "scheme"), [(False, ""), (True, "https:")])
def test_each_is_asked_by_its_own_address(
    server: Server, tmp_path: Path, tls: bool, scheme: str
) -> None:
    """By the API server's proxy, over TLS where the bridge serves that."""
    path = f"{PODS}/{scheme}ring-bridge-1:8500/proxy/rings"
    server.answers[path] = (200, "application/json", b"{}")
    asked = bridge(server, tmp_path, tls=tls)
    pod = asked.pods()[1]

    assert asked.get(pod, "/rings").body == b"{}"


def test_over_tls_there_is_no_other_way(server: Server, tmp_path: Path) -> None:
    """A port-forward speaks plain HTTP here, so it is not tried."""
    path = f"{PODS}/https:ring-bridge-0:8500/proxy/rings"
    server.answers[path] = status(403, "Forbidden", "cannot get pods/proxy")
    asked = bridge(server, tmp_path, tls=True)

    with pytest.raises(DeniedError, match="pods/proxy"):
        asked.get(asked.pods()[0], "/rings")
    assert not any("portforward" in path for _, path, _ in server.asked)


def test_a_list_that_is_refused_is_an_error(server: Server, tmp_path: Path) -> None:
    """Unknown, and not an empty bridge."""
    server.answers[PODS] = status(403, "Forbidden", "cannot list pods")
    with pytest.raises(MigrateError):
        bridge(server, tmp_path).pods()
