"""The pods of the ring bridge, found by the labels that `bridge manifest` gives them."""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.adapters.kubernetes.answers import understood
from mimir_migrate.adapters.kubernetes.api import KubernetesApi, object_path
from mimir_migrate.adapters.kubernetes.objects import pod_from_json
from mimir_migrate.adapters.kubernetes.pages import ProxyPages
from mimir_migrate.model.facts import Pod
from mimir_migrate.model.target import Target
from mimir_migrate.ports import Page

_SELECTOR = "app.kubernetes.io/name=ring-bridge,app.kubernetes.io/instance={name}"
_ENDED = frozenset({"Succeeded", "Failed"})


class KubernetesBridgePods:
    """Implements `ports.BridgePods`. Safe to use from several threads."""

    def __init__(self, api: KubernetesApi, target: Target) -> None:
        """Nothing is asked yet; `target` names the bridge's Service."""
        self._api = api
        self._namespace = target.kubernetes.namespace
        self._selector = _SELECTOR.format(name=target.bridge.name)
        self._pages = ProxyPages(api, self._namespace, https=target.bridge.tls)

    @understood("listing the ring bridge's pods")
    def pods(self) -> Sequence[Pod]:
        """Every replica, terminating ones included; an evicted one is none any more.

        Raises:
            MigrateError: The API server does not tell.
        """
        path = object_path("pods", self._namespace)
        query = {"labelSelector": self._selector, "limit": "500"}
        found: list[Pod] = []
        while True:
            answer = self._api.get(path, query)
            found += map(pod_from_json, answer.get("items") or ())
            following = str((answer.get("metadata") or {}).get("continue") or "")
            if not following or following == query.get("continue"):
                return tuple(pod for pod in found if pod.phase not in _ENDED)
            query["continue"] = following

    def get(self, pod: Pod, path: str) -> Page:
        """Ask one replica for one page.

        Raises:
            MigrateError: It gives no usable answer.
        """
        return self._pages.get(pod, path)
