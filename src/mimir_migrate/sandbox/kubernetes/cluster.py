"""A Kubernetes cluster around simulated processes: objects, controllers, a kubelet, a gossip service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mimir_migrate.sandbox.interface import Process, ProcessSpec, Scheduler, Simulation
from mimir_migrate.sandbox.kubernetes.controllers.deployments import (
    reconcile_deployment,
    reconcile_replicaset,
)
from mimir_migrate.sandbox.kubernetes.controllers.kubelet import Kubelet
from mimir_migrate.sandbox.kubernetes.controllers.owners import is_ready, is_terminating
from mimir_migrate.sandbox.kubernetes.controllers.rollout_operator import GROUP, restart_next
from mimir_migrate.sandbox.kubernetes.controllers.statefulsets import reconcile_statefulset
from mimir_migrate.sandbox.kubernetes.objects import ApiError, Object, ObjectEvent, ObjectStore
from mimir_migrate.sandbox.kubernetes.pod_record import NODES, PART_OF
from mimir_migrate.sandbox.kubernetes.selectors import selector_of

_CONTROLLER_DELAY: Final = 0.3
"""Seconds from a change to the controller's answer to it."""
_OPERATOR_PERIOD: Final = 5.0
"""The rollout-operator's `-reconcile.interval`, seconds."""
_OPERATOR: Final = "app.kubernetes.io/name=rollout-operator"
_NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")


class Cluster:
    """One cluster with one namespace of interest. It is what the processes see around them.

    Args:
        scheduler: Time; everything happens on it.
        namespace: The namespace that the release runs in.
        speed: What every duration is divided by.
        seed: Makes names, addresses and delays the same in each run.
        salt: Makes the uids those of this cluster only, 128 bits.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        namespace: str,
        speed: float = 1.0,
        seed: int = 0,
        salt: int = 0,
    ) -> None:
        self.scheduler = scheduler
        self.namespace = namespace
        self.speed = speed
        self.store = ObjectStore(scheduler.now, seed=seed, salt=salt)
        self.kubelet = Kubelet(self.store, scheduler, speed=speed, seed=seed)
        self.rollout_operator_works = True
        self._due: set[tuple[str, str, str]] = set()
        self._furnish()
        self.store.subscribe(self._hear)

    def run_on(self, simulation: Simulation) -> None:
        """Say which simulation the pods' processes are started in."""
        self.kubelet.run_on(simulation)

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Run `callback` once, `seconds` of the cluster's own (unscaled) time from now."""
        self.scheduler.after(seconds / self.speed, callback)

    def gossip_addresses(self) -> Sequence[str]:
        """IPs that the gossip service resolves to now.

        Pods that are not ready belong to it where the service says `publishNotReadyAddresses`.
        """
        found: dict[str, None] = {}
        for service in self.store.select("services", self.namespace):
            selector = service["spec"].get("selector") or {}
            if selector.get(PART_OF) != "memberlist":
                continue
            everybody = service["spec"].get("publishNotReadyAddresses", False)
            for pod in self.store.select("pods", self.namespace, labels=selector_of(selector)):
                ip = pod.get("status", {}).get("podIP")
                if ip and (everybody or (is_ready(pod) and not is_terminating(pod))):
                    found[ip] = None
        return tuple(found)

    def pods_behind(self, name: str) -> Sequence[str] | None:
        """IPs of the pods behind a service; None: the release has no service of that name.

        Those that are Ready; all of them where the service says so, as the headless ones do that
        query-frontends and query-schedulers are found by before they are Ready.

        The charts' services of components, which the simulated charts do not render, are known by their
        names: the release's, the component's, and `-headless` or nothing.
        """
        service = self.store.find("services", self.namespace, name)
        if service is not None:
            labels = selector_of(service["spec"].get("selector") or {})
            pods = self.store.select("pods", self.namespace, labels=labels)
            everybody = bool(service["spec"].get("publishNotReadyAddresses"))
        else:
            everybody = name.endswith("-headless")
            owner = name.removesuffix("-headless")
            kinds = ("deployments", "statefulsets")
            owners = [self.store.find(kind, self.namespace, owner) for kind in kinds]
            found = next((one for one in owners if one is not None), None)
            if found is None:
                return None
            labels = selector_of(found["spec"]["selector"]["matchLabels"])
            pods = self.store.select("pods", self.namespace, labels=labels)
        return [
            pod["status"]["podIP"]
            for pod in pods
            if pod["status"].get("podIP")
            and not is_terminating(pod)
            and (everybody or is_ready(pod))
        ]

    def runtime_file(self, process: ProcessSpec) -> str | None:
        """The runtime configuration file as it is mounted in that pod now; None: no such file."""
        return self.kubelet.runtime_file(process)

    def process(self, pod: str) -> Process | None:
        """The process of a pod of the release's namespace; None: it has none now."""
        return self.kubelet.process_of(self.namespace, pod)

    def apply(self, manifest: Mapping[str, Any], plural: str) -> Object:
        """Create an object or replace what it says of one that is there, as helm does."""
        metadata = manifest["metadata"]
        namespace = metadata.get("namespace", self.namespace)
        if self.store.find(plural, namespace, metadata["name"]) is None:
            return self.store.create(plural, namespace, manifest)
        return self.store.patch(plural, namespace, metadata["name"], manifest, strategic=False)

    def wake_operator(self) -> None:
        """Let the rollout-operator look at the rollout groups again."""
        self._enqueue("rollout-operator", self.namespace, "")

    def is_settled(self) -> bool:
        """Whether every workload runs its newest revision, all pods Ready, and none is leaving."""
        pods = self.store.select("pods", self.namespace)
        if not pods or not all(is_ready(pod) and not is_terminating(pod) for pod in pods):
            return False
        for plural in ("statefulsets", "deployments"):
            for owner in self.store.select(plural, self.namespace):
                status = owner.get("status", {})
                wanted = owner["spec"].get("replicas", 1)
                counts = (status.get("updatedReplicas", 0), status.get("replicas", 0))
                if status.get("observedGeneration") != owner["metadata"]["generation"]:
                    return False
                if counts != (wanted, wanted):
                    return False
        return not self._due

    def summary(self) -> dict[str, object]:
        """Pods and workloads in a few numbers, for `sandbox status`."""
        pods = self.store.select("pods", self.namespace)
        return {
            "settled": self.is_settled(),
            "pods": len(pods),
            "ready": sum(1 for pod in pods if is_ready(pod)),
            "terminating": sum(1 for pod in pods if is_terminating(pod)),
        }

    def _operator_runs(self, namespace: str) -> bool:
        pods = self.store.select("pods", namespace, labels=_OPERATOR)
        return self.rollout_operator_works and any(is_ready(pod) for pod in pods)

    def _furnish(self) -> None:
        for name in (*_NAMESPACES, self.namespace):
            if self.store.find("namespaces", "", name) is None:
                self.store.create(
                    "namespaces",
                    "",
                    {
                        "metadata": {
                            "name": name,
                            "labels": {"kubernetes.io/metadata.name": name},
                        },
                        "spec": {"finalizers": ["kubernetes"]},
                        "status": {"phase": "Active"},
                    },
                )
        for index, name in enumerate(NODES):
            self.store.create("nodes", "", _node(name, index))

    def _hear(self, event: ObjectEvent) -> None:
        item = event.object
        namespace, name = item["metadata"].get("namespace", ""), item["metadata"]["name"]
        if event.plural in {"statefulsets", "deployments", "replicasets"}:
            if event.type != "DELETED":
                self._enqueue(event.plural, namespace, name)
            if item["metadata"].get("labels", {}).get(GROUP):
                self._enqueue("rollout-operator", namespace, "")
        for owner in item["metadata"].get("ownerReferences", ()):
            plural = f"{owner['kind'].lower()}s"
            if plural in {"statefulsets", "deployments", "replicasets"}:
                self._enqueue(plural, namespace, owner["name"])
            if plural == "statefulsets":
                self._enqueue("rollout-operator", namespace, "")

    def _enqueue(self, plural: str, namespace: str, name: str) -> None:
        key = (plural, namespace, name)
        if key in self._due:
            return
        self._due.add(key)
        delay = _OPERATOR_PERIOD if plural == "rollout-operator" else _CONTROLLER_DELAY
        self.after(delay, lambda: self._reconcile(key))

    def _reconcile(self, key: tuple[str, str, str]) -> None:
        self._due.discard(key)
        plural, namespace, name = key
        if plural == "rollout-operator":
            if self._operator_runs(namespace):
                restart_next(self.store, namespace)
            return
        owner = self.store.find(plural, namespace, name)
        if owner is None:
            return
        try:
            if plural == "statefulsets":
                reconcile_statefulset(self.store, owner)
            elif plural == "deployments":
                reconcile_deployment(self.store, owner, self.speed, self.scheduler.now())
            else:
                reconcile_replicaset(self.store, owner)
        except ApiError:
            # Somebody changed or deleted the object meanwhile; a controller tries again.
            self._enqueue(*key)


def _node(name: str, index: int) -> dict[str, Any]:
    zone = f"eu-west-1{name[-1]}"
    return {
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "topology.kubernetes.io/region": "eu-west-1",
                "topology.kubernetes.io/zone": zone,
            },
        },
        "spec": {"providerID": f"aws:///{zone}/i-{index:017x}"},
        "status": {
            "addresses": [{"type": "InternalIP", "address": f"10.0.{index}.10"}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }
