"""A cluster in virtual time whose pods run a tiny process of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.charts.manifests import Release, plain_deployment
from mimir_migrate.sandbox.interface import PodPhase, Process, ProcessSpec, Response
from mimir_migrate.sandbox.kubernetes.cluster import Cluster
from mimir_migrate.sandbox.simulation.scheduler import VirtualScheduler


class TinyProcess:
    """Ready some seconds after its start; takes its time to stop; crashes on `crash: true`."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.phase = PodPhase.STARTING
        self.ready = False
        self.crash_reason = ""
        self.log: tuple[str, ...] = ()

    def get(self, path: str, accept: str) -> Response:
        return Response(
            status=200,
            content_type="text/plain",
            body=f"{self.spec.name} {path} {accept}".encode(),
        )


class TinySimulation:
    """Starts and stops tiny processes."""

    product = Product.MIMIR

    def __init__(self, scheduler: VirtualScheduler, ready_after: float = 5.0) -> None:
        self.scheduler = scheduler
        self.ready_after = ready_after
        self.processes: dict[str, TinyProcess] = {}
        self.callbacks: dict[str, Callable[[Process], None]] = {}
        self.started: list[ProcessSpec] = []

    def start(self, spec: ProcessSpec, on_change: Callable[[Process], None]) -> Process:
        process = TinyProcess(spec)
        self.started.append(spec)
        self.processes[spec.uid] = process
        self.callbacks[spec.uid] = on_change
        if "crash: true" in spec.config:
            self.scheduler.after(1.0, lambda: self._become(process, PodPhase.CRASHED))
        else:
            self.scheduler.after(
                self.ready_after, lambda: self._become(process, PodPhase.RUNNING, ready=True)
            )
        return process

    def stop(self, name: str, uid: str) -> None:
        process = self.processes[uid]
        process.phase = PodPhase.TERMINATING
        self.scheduler.after(
            process.spec.stop_seconds, lambda: self._become(process, PodPhase.GONE)
        )

    def kill(self, name: str, uid: str) -> None:
        self._become(self.processes[uid], PodPhase.GONE)

    def inject(self, fault: str, arguments: Mapping[str, str]) -> str:
        return f"{fault} {dict(arguments)}"

    def status(self) -> Mapping[str, object]:
        return {"lost_sight": 0, "observations": 0, "by_ring": {}}

    def _become(self, process: TinyProcess, phase: PodPhase, *, ready: bool = False) -> None:
        if process.phase is PodPhase.GONE:
            return
        if phase is PodPhase.RUNNING and process.phase is not PodPhase.STARTING:
            return
        process.phase, process.ready = phase, ready
        process.crash_reason = "error parsing config" if phase is PodPhase.CRASHED else ""
        self.callbacks[process.spec.uid](process)


class TinyWorld:
    """A cluster, its time and its processes."""

    def __init__(self) -> None:
        self.scheduler = VirtualScheduler()
        self.cluster = Cluster(self.scheduler, namespace="observability")
        self.simulation = TinySimulation(self.scheduler)
        self.cluster.run_on(self.simulation)
        self.store = self.cluster.store

    def run(self, seconds: float) -> None:
        self.scheduler.run_for(seconds)

    def settle(self, limit: float = 3600.0) -> float:
        """Run until nothing moves any more; returns how long that took."""
        begin = self.scheduler.now()
        while self.scheduler.now() - begin < limit:
            self.run(1.0)
            if self.cluster.is_settled():
                return self.scheduler.now() - begin
        raise AssertionError(f"not settled after {limit} s: {self.cluster.summary()}")

    def pods(self, labels: str = "") -> list[dict]:
        return self.store.select("pods", "observability", labels=labels)

    def config(self, text: str = "{}\n", runtime: str = "{}\n") -> None:
        self._config_map("mimir-config", "mimir.yaml", text)
        self._config_map("mimir-runtime", "runtime.yaml", runtime)

    def _config_map(self, name: str, key: str, text: str) -> None:
        self.cluster.apply({"metadata": {"name": name}, "data": {key: text}}, "configmaps")

    def operator(self) -> None:
        """The rollout-operator's own Deployment."""
        release = Release(
            name="mimir", namespace="observability", chart="c", chart_version="1", app_version="1"
        )
        labels = {"app.kubernetes.io/name": "rollout-operator"}
        manifest = plain_deployment(release, "mimir-rollout-operator", labels, "operator:v1", 1)
        self.cluster.apply(manifest, "deployments")

    def workload(self, plural: str, component: str, checksum: str, **spec: object) -> None:
        labels = {
            "app.kubernetes.io/instance": "mimir",
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": "memberlist",
        }
        template = {
            "metadata": {"labels": labels, "annotations": {"checksum/config": checksum}},
            "spec": {
                "terminationGracePeriodSeconds": 60,
                "containers": [
                    {
                        "name": component,
                        "image": "grafana/mimir:2.17.1",
                        "args": [f"-target={component}", "-config.file=/etc/mimir/mimir.yaml"],
                        "volumeMounts": [
                            {"name": "config", "mountPath": "/etc/mimir"},
                            {"name": "runtime-config", "mountPath": "/var/mimir"},
                        ],
                    }
                ],
                "volumes": [
                    {"name": "config", "configMap": {"name": "mimir-config"}},
                    {"name": "runtime-config", "configMap": {"name": "mimir-runtime"}},
                ],
            },
        }
        name = spec.pop("name", f"mimir-{component}")
        metadata = {
            "name": name,
            "labels": {**labels, **spec.pop("labels", {})},
            "annotations": spec.pop("annotations", {}),
        }
        manifest = {
            "metadata": metadata,
            "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
        }
        self.cluster.apply(manifest, plural)


@pytest.fixture
def world() -> TinyWorld:
    return TinyWorld()


@pytest.fixture
def tiny_simulation() -> type[TinySimulation]:
    return TinySimulation
