"""What Kubernetes knows of the way to the pods of one namespace."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from mimir_migrate.adapters.kubernetes.answers import understood
from mimir_migrate.adapters.kubernetes.api import KubernetesApi, object_path
from mimir_migrate.adapters.kubernetes.pages import ProxyPages
from mimir_migrate.documents.network_policies import policy_from_json
from mimir_migrate.errors import MigrateError
from mimir_migrate.model.network import NetworkPolicy

_KEPT = 300.0
"""Seconds for which policies are taken to be as they were read: gates look every few seconds."""


class ReleaseNetwork:
    """Implements `ports.Network`."""

    def __init__(self, api: KubernetesApi, namespace: str, pages: ProxyPages) -> None:
        """Nothing is asked yet."""
        self._api = api
        self._namespace = namespace
        self._pages = pages
        self._lock = threading.Lock()
        self._read: tuple[float, tuple[NetworkPolicy, ...]] | None = None

    def policies(self) -> Sequence[NetworkPolicy]:
        """The namespace's network policies; none where they may not or cannot be read."""
        with self._lock:
            now = time.monotonic()
            if self._read is None or now > self._read[0] + _KEPT:
                try:
                    found = self._list()
                except MigrateError:  # they explain; nothing rests on them
                    found = ()
                self._read = (now, found)
            return self._read[1]

    @understood("listing the network policies")
    def _list(self) -> tuple[NetworkPolicy, ...]:
        path = object_path("networkpolicies", self._namespace, group="apis/networking.k8s.io/v1")
        return tuple(policy_from_json(item) for item in self._api.get(path).get("items") or ())

    def forwards_because(self) -> str:
        """Why pods are asked through port-forwards; empty: they are not."""
        return self._pages.forwards_because
