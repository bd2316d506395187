"""Where network policies or a role keep the pod proxy out, pods are asked through port-forwards."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from mimir_migrate.adapters.kubernetes.api import KubernetesApi
from mimir_migrate.adapters.kubernetes.cluster import KubernetesCluster
from mimir_migrate.adapters.kubernetes.pages import ProxyPages
from mimir_migrate.errors import DeniedError, UnreachableError
from mimir_migrate.model.facts import Pod
from mimir_migrate.model.target import KubernetesTarget
from mimir_migrate.sandbox.kubernetes.api_faults import ApiFaults
from mimir_migrate.sandbox.kubernetes.cluster import Cluster
from mimir_migrate.sandbox.kubernetes.server import ApiServer
from mimir_migrate.sandbox.simulation.scheduler import RealScheduler

NS = "observability"
POLICIES = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: metrics-policy}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/instance: mimir}}
  policyTypes: [Ingress, Egress]
  ingress:
    - from: [{podSelector: {matchLabels: {app.kubernetes.io/name: grafana}}}]
      ports: [{protocol: TCP, port: 8080}]
    - from: [{podSelector: {matchLabels: {app.kubernetes.io/instance: mimir}}}]
      ports: [{protocol: TCP, port: 8080}, {protocol: TCP, port: 9095}]
  egress:
    - to: []
      ports: [{protocol: TCP, port: 443}]
"""
LITTLE = """
kind: Role
metadata: {name: r, namespace: observability}
rules: [{apiGroups: [""], resources: [%s], verbs: [get, list, create]}]
---
kind: RoleBinding
metadata: {name: r, namespace: observability}
roleRef: {kind: Role, name: r}
"""


class Served:
    """A cluster with one pod behind its API server, on a loop in a thread of its own."""

    def __init__(self, simulation_of: Any, folder: Path) -> None:
        self._simulation_of = simulation_of
        self._ready = threading.Event()
        self.asked: list[str] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20)
        self._folder = folder
        self.apis: list[KubernetesApi] = []

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        scheduler = RealScheduler()
        self.cluster = Cluster(scheduler, namespace=NS, speed=600)
        self.simulation = self._simulation_of(scheduler, 0.01)
        self.cluster.run_on(self.simulation)
        self.server = ApiServer(
            self.cluster,
            token="secret-token",
            inject=lambda *_: "",
            status=self.cluster.summary,
            faults=ApiFaults(),
        )
        app = self.server.application()

        @web.middleware
        async def note(request: web.Request, handler: Any) -> Any:
            self.asked.append(request.path)
            return await handler(request)

        app.middlewares.append(note)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._over.wait()
        await runner.cleanup()

    def apply(self, text: str, plural: str) -> None:
        for document in yaml.safe_load_all(text):
            self._loop.call_soon_threadsafe(self.cluster.apply, document, plural)

    def pages(self, token: str = "secret-token", **options: Any) -> ProxyPages:
        path = self._folder / f"kubeconfig-{token}"
        path.write_text(
            json.dumps(
                {
                    "current-context": "a",
                    "clusters": [
                        {"name": "a", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}
                    ],
                    "users": [{"name": "a", "user": {"token": token}}],
                    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
                }
            )
        )
        target = KubernetesTarget(kubeconfig=str(path), namespace=NS, release="mimir")
        self.apis.append(KubernetesApi.connect(target))
        self.seen = KubernetesCluster(self.apis[-1], target)
        return ProxyPages(self.apis[-1], NS, **options)

    def close(self) -> None:
        for api in self.apis:
            api.close()
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)


@pytest.fixture
def served(tiny_simulation: Any, tmp_path: Path, world: Any) -> Iterator[Served]:
    """A cluster with a Deployment of one pod."""
    running = Served(tiny_simulation, tmp_path)
    del world
    labels = {"app.kubernetes.io/instance": "mimir", "app.kubernetes.io/component": "ruler"}
    pod = {
        "containers": [
            {
                "name": "ruler",
                "image": "grafana/mimir:2.17.1",
                "args": ["-target=ruler", "-config.file=/etc/mimir/mimir.yaml"],
                "volumeMounts": [{"name": "config", "mountPath": "/etc/mimir"}],
            }
        ],
        "volumes": [{"name": "config", "configMap": {"name": "mimir-config"}}],
    }
    manifest = {
        "metadata": {"name": "mimir-ruler", "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    config = {"metadata": {"name": "mimir-config"}, "data": {"mimir.yaml": "{}"}}
    running.apply(yaml.safe_dump(config), "configmaps")
    running.apply(yaml.safe_dump(manifest), "deployments")
    yield running
    running.close()


def a_pod(served: Served) -> Pod:
    """The pod, once it is ready."""
    import time

    served.pages()
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            pods = [pod for pod in served.seen.pods() if pod.ready]
        except Exception:  # noqa: BLE001 - nothing of it is there yet
            pods = []
        if pods:
            return pods[0]
        time.sleep(0.05)
    raise AssertionError("no pod")


def ways(served: Served) -> list[str]:
    """How pods were asked, in order."""
    return [way for path in served.asked for way in ("proxy", "portforward") if f"/{way}" in path]


def test_an_open_pod_is_asked_through_the_proxy(served: Served) -> None:
    """Nothing else is tried."""
    pod, pages = a_pod(served), served.pages()

    assert pages.get(pod, "/metrics", accept="a/b").body.endswith(b"/metrics a/b")
    assert ways(served) == ["proxy"]
    assert pages.forwards_because == ""


def test_what_policies_close_to_the_proxy_is_asked_through_a_port_forward(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """By itself, said once and why; from then on the proxy is not tried again."""
    pod, pages = a_pod(served), served.pages()
    served.apply(POLICIES, "networkpolicies")

    with caplog.at_level(logging.WARNING, logger="mimir_migrate"):
        first = pages.get(pod, "/ring?x=1", accept="application/json")
        second = pages.get(pod, "/metrics")

    assert first.body.endswith(b"/ring?x=1 application/json")
    assert (first.status, first.content_type) == (200, "text/plain")
    assert second.body.endswith(b"/metrics */*")
    assert ways(served)[-2:] == ["portforward", "portforward"]
    assert "i/o timeout" in pages.forwards_because
    assert len([r for r in caplog.records if "port-forwards" in r.getMessage()]) == 1


def test_who_may_not_use_the_proxy_uses_port_forwards(served: Served) -> None:
    """403 on `pods/proxy`, and `create` on `pods/portforward` is there."""
    pod = a_pod(served)
    served.server.access.add("x", "little-token", yaml.safe_load_all(LITTLE % "pods/portforward"))
    pages = served.pages("little-token")

    assert pages.get(pod, "/metrics").status == 200
    assert "pods/proxy" in pages.forwards_because
    assert ways(served) == ["proxy", "portforward"]


def test_who_may_use_neither_is_told_of_both(served: Served) -> None:
    """And the second is not tried for each page again."""
    pod = a_pod(served)
    served.server.access.add("x", "little-token", yaml.safe_load_all(LITTLE % "pods"))
    pages = served.pages("little-token")

    for _ in range(3):
        with pytest.raises(DeniedError) as caught:
            pages.get(pod, "/metrics")
    assert "pods/proxy" in caught.value.hint
    assert "pods/portforward" in caught.value.hint
    assert ways(served).count("portforward") == 1


def test_a_pod_that_was_reached_and_is_silent_is_not_asked_another_way(served: Served) -> None:
    """Its silence is its own: the way was open."""
    pod, pages = a_pod(served), served.pages()
    pages.get(pod, "/metrics")
    served.apply(POLICIES, "networkpolicies")

    with pytest.raises(UnreachableError, match="i/o timeout"):
        pages.get(pod, "/metrics")
    assert "portforward" not in ways(served)


def test_a_pod_where_nobody_listens_is_said_so(served: Served) -> None:
    """Through the forward as through the proxy; what the kubelet said is in the message."""
    import msgspec

    pod, pages = a_pod(served), served.pages()
    served.apply(POLICIES, "networkpolicies")
    elsewhere = msgspec.structs.replace(pod, http_port=9999)

    with pytest.raises(UnreachableError, match="connection refused"):
        pages.get(elsewhere, "/metrics")
