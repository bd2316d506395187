"""What goes wrong in a cluster around the pods: rollouts that hang, pods that stay, other hands."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final

from mimir_migrate.errors import UsageError
from mimir_migrate.sandbox.charts.release_secret import (
    newest_secret,
    next_revision,
    rolled_back,
    with_status,
)
from mimir_migrate.sandbox.kubernetes.cluster import Cluster
from mimir_migrate.sandbox.kubernetes.controllers.owners import is_terminating
from mimir_migrate.sandbox.kubernetes.objects import Object, ObjectEvent
from mimir_migrate.sandbox.kubernetes.pod_record import COMPONENT

CLUSTER_FAULTS: Final[Mapping[str, str]] = {
    "rollout-hangs": "new pods do not start (component=)",
    "old-pod-stays": "the next pod that is deleted stays and keeps running (component=, pod=)",
    "rollout-operator-stops": "nobody restarts pods of StatefulSets with OnDelete",
    "member-joins": "a workload gets more replicas (component=, count=)",
    "member-leaves": "a workload gets fewer replicas (component=, count=)",
    "pod-evicted": "a pod is evicted (pod= or component=)",
    "autoscaler-adds-pods": "an autoscaler scales a workload up and says so until cleared (component=, count=)",
    "gitops-reverts": "another tool takes every change of the release back",
    "release-pending": "helm was killed in mid-upgrade: a further revision stays pending-upgrade",
}
"""Faults on the cluster's side, and what each of them does."""
_REVERT_AFTER: Final = 20.0
"""Seconds until another deployer notices a change."""
_REVERTED: Final = ("configmaps", "secrets", "statefulsets", "deployments")
_TRACKING: Final = "argocd.argoproj.io/tracking-id"


class ClusterFaults:
    """The faults of one cluster. Each takes `seconds=` (of its time; left out: until cleared)."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._store = cluster.store
        self._undo: dict[str, Callable[[], None]] = {}

    @property
    def active(self) -> tuple[str, ...]:
        """The faults that are on."""
        return tuple(sorted(self._undo))

    def inject(self, fault: str, arguments: Mapping[str, str]) -> str:
        """Turn a fault on, or do at once what it does once; returns one line that says what.

        Raises:
            UsageError: An argument is missing, or names nothing that is there.
        """
        self.clear(fault)
        said = {
            "rollout-hangs": self._hang,
            "old-pod-stays": self._stay,
            "rollout-operator-stops": self._stop_operator,
            "member-joins": lambda given: self._scale(given, +1),
            "member-leaves": lambda given: self._scale(given, -1),
            "pod-evicted": self._evict,
            "autoscaler-adds-pods": self._autoscale,
            "gitops-reverts": self._revert,
            "release-pending": self._pend,
        }[fault](arguments)
        seconds = arguments.get("seconds", "")
        if seconds and fault in self._undo:
            self._cluster.after(float(seconds), lambda: self._end(fault))
        return f"{fault}: {said}"

    def clear(self, fault: str = "") -> int:
        """Turn one fault off, or all of them; returns how many were on."""
        names = [name for name in self._undo if not fault or name == fault]
        for name in names:
            self._undo.pop(name)()
        if fault in {"", "helm-killed"}:
            self._unlock_release()
        self._cluster.kubelet.reconsider()
        return len(names)

    def _end(self, fault: str) -> None:
        self.clear(fault)

    def _hang(self, arguments: Mapping[str, str]) -> str:
        component = _component(arguments)
        present = {pod["metadata"]["uid"] for pod in self._pods()}

        def held(pod: Object) -> bool:
            return pod["metadata"]["uid"] not in present and _is_of(pod, component)

        def undo() -> None:
            self._cluster.kubelet.start_is_held = lambda _: False

        self._cluster.kubelet.start_is_held = held
        self._undo["rollout-hangs"] = undo
        return f"new pods of {component or 'every component'} do not start"

    def _stay(self, arguments: Mapping[str, str]) -> str:
        component, name = _component(arguments), arguments.get("pod", "")
        stuck: list[str] = []

        def held(pod: Object) -> bool:
            uid = pod["metadata"]["uid"]
            if not stuck and _is_of(pod, component) and name in {"", pod["metadata"]["name"]}:
                stuck.append(uid)
            return uid in stuck

        def undo() -> None:
            self._cluster.kubelet.stop_is_held = lambda _: False

        self._cluster.kubelet.stop_is_held = held
        self._undo["old-pod-stays"] = undo
        return f"the next deleted pod of {name or component or 'any component'} stays"

    def _stop_operator(self, _: Mapping[str, str]) -> str:
        def undo() -> None:
            self._cluster.rollout_operator_works = True
            self._cluster.wake_operator()

        self._cluster.rollout_operator_works = False
        self._undo["rollout-operator-stops"] = undo
        return "OnDelete pods stay as they are"

    def _scale(self, arguments: Mapping[str, str], sign: int) -> str:
        plural, owner = self._workload(arguments)
        before = owner["spec"].get("replicas", 1)
        after = max(0, before + sign * int(arguments.get("count", "1")))

        def scale(item: Object) -> None:
            item["spec"]["replicas"] = after

        self._store.mutate(plural, self._cluster.namespace, owner["metadata"]["name"], scale)
        return f"{owner['metadata']['name']} from {before} to {after} replicas"

    def _evict(self, arguments: Mapping[str, str]) -> str:
        name, component = arguments.get("pod", ""), _component(arguments)
        for pod in self._pods():
            if is_terminating(pod) or name not in {"", pod["metadata"]["name"]}:
                continue
            if _is_of(pod, component):
                self._store.delete("pods", self._cluster.namespace, pod["metadata"]["name"])
                return f"{pod['metadata']['name']} is evicted"
        raise UsageError(f"pod-evicted: there is no pod {name or component}")

    def _autoscale(self, arguments: Mapping[str, str]) -> str:
        _, owner = self._workload(arguments)
        name = owner["metadata"]["name"]
        before = owner["spec"].get("replicas", 1)
        after = before + int(arguments.get("count", "1"))
        labels = owner["metadata"].get("labels", {})
        autoscaler = {
            "metadata": {"name": f"keda-hpa-{name}", "labels": labels},
            "spec": {
                "minReplicas": before,
                "maxReplicas": after,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": owner["kind"], "name": name},
            },
            "status": {"currentReplicas": before, "desiredReplicas": after},
        }
        plural = "horizontalpodautoscalers"
        self._cluster.apply(autoscaler, plural)
        self._store.replace_status(
            plural, self._cluster.namespace, f"keda-hpa-{name}", autoscaler["status"]
        )

        def undo() -> None:
            self._store.replace_status(
                plural,
                self._cluster.namespace,
                f"keda-hpa-{name}",
                {"currentReplicas": after, "desiredReplicas": after},
            )

        self._undo["autoscaler-adds-pods"] = undo
        return self._scale(arguments, +1)

    def _revert(self, _: Mapping[str, str]) -> str:
        namespace = self._cluster.namespace
        kept: dict[tuple[str, str], Any] = {}
        for plural in _REVERTED:
            for item in self._store.select(plural, namespace):
                if not item["metadata"]["name"].startswith("sh.helm.release"):
                    kept[plural, item["metadata"]["name"]] = copy.deepcopy(_content(item))
                if plural in {"statefulsets", "deployments"}:
                    self._mark(plural, item)

        def hear(event: ObjectEvent) -> None:
            key = (event.plural, event.object["metadata"]["name"])
            if event.type == "MODIFIED" and key in kept and _content(event.object) != kept[key]:
                self._cluster.after(_REVERT_AFTER, lambda: put_back(key))

        def put_back(key: tuple[str, str]) -> None:
            def change(item: Object) -> None:
                _put_content(item, copy.deepcopy(kept[key]))

            if "gitops-reverts" in self._undo and self._store.find(key[0], namespace, key[1]):
                self._store.mutate(key[0], namespace, key[1], change)

        unsubscribe = self._store.subscribe(hear)

        def undo() -> None:
            unsubscribe()
            for plural in ("statefulsets", "deployments"):
                for item in self._store.select(plural, namespace):
                    self._mark(plural, item, off=True)

        self._undo["gitops-reverts"] = undo
        return "another tool puts back what it was until now"

    def _mark(self, plural: str, item: Object, *, off: bool = False) -> None:
        def mark(one: Object) -> None:
            if off:
                one["metadata"].get("annotations", {}).pop(_TRACKING, None)
                return
            identity = f"mimir:apps/{one['kind']}:{one['metadata']['name']}"
            one["metadata"].setdefault("annotations", {})[_TRACKING] = identity

        self._store.mutate(plural, self._cluster.namespace, item["metadata"]["name"], mark)

    def _pend(self, _: Mapping[str, str]) -> str:
        namespace = self._cluster.namespace
        secret = newest_secret(self._store.select("secrets", namespace, labels="owner=helm"))
        if secret is None:
            raise UsageError("release-pending: there is no helm release")
        revision = int(secret["metadata"]["labels"]["version"])
        if secret["metadata"]["labels"]["status"].startswith("pending-"):
            return f"revision {revision} is pending already"
        begun = next_revision(secret, revision + 1, "pending-upgrade", self._store.timestamp())
        self._store.create("secrets", namespace, begun)
        self._undo["release-pending"] = self._roll_back
        return f"revision {revision + 1} is pending-upgrade, {revision} is deployed"

    def _roll_back(self) -> None:
        """Do what `helm rollback` does to a release that a dead helm left pending."""
        namespace = self._cluster.namespace
        secrets = self._store.select("secrets", namespace, labels="owner=helm")
        for secret in rolled_back(secrets, self._store.timestamp()):
            name = secret["metadata"]["name"]
            if self._store.find("secrets", namespace, name) is None:
                self._store.create("secrets", namespace, secret)
            else:
                self._store.replace("secrets", namespace, name, secret)

    def _unlock_release(self) -> None:
        """End what a killed deploy left pending as a deploy that failed does."""
        secret = newest_secret(
            self._store.select("secrets", self._cluster.namespace, labels="owner=helm")
        )
        if secret is None or secret["metadata"]["labels"]["status"] != "pending-upgrade":
            return

        def mark(item: Object) -> None:
            item.update(copy.deepcopy(with_status(item, "failed")))

        self._store.mutate("secrets", self._cluster.namespace, secret["metadata"]["name"], mark)

    def _pods(self) -> list[Object]:
        return self._store.select("pods", self._cluster.namespace)

    def _workload(self, arguments: Mapping[str, str]) -> tuple[str, Object]:
        component = _component(arguments)
        for plural in ("deployments", "statefulsets"):
            for owner in self._store.select(plural, self._cluster.namespace):
                if component and owner["metadata"]["labels"].get(COMPONENT) == component:
                    return plural, owner
        raise UsageError(
            f"there is no workload of the component {component!r}",
            hint="name one: component=ruler",
        )


def _component(arguments: Mapping[str, str]) -> str:
    return arguments.get("component") or arguments.get("ring", "")


def _is_of(pod: Object, component: str) -> bool:
    return not component or pod["metadata"].get("labels", {}).get(COMPONENT) == component


def _content(item: Object) -> Any:
    return item.get("data") if item["kind"] in {"ConfigMap", "Secret"} else item["spec"]


def _put_content(item: Object, content: Any) -> None:
    item["data" if item["kind"] in {"ConfigMap", "Secret"} else "spec"] = content
