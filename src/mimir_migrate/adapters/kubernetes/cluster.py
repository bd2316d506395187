"""What Kubernetes knows of one release in one namespace."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from mimir_migrate.adapters.kubernetes import helm_secret
from mimir_migrate.adapters.kubernetes.answers import understood
from mimir_migrate.adapters.kubernetes.api import (
    ExpiredError,
    KubernetesApi,
    NotFoundError,
    object_path,
)
from mimir_migrate.adapters.kubernetes.lease_json import claim_from_json, has_run_out
from mimir_migrate.adapters.kubernetes.objects import (
    autoscaler_from_json,
    pod_from_json,
    service_account_from_json,
    workload_from_json,
)
from mimir_migrate.adapters.kubernetes.release_secret import SecretByName
from mimir_migrate.errors import DeniedError, UsageError
from mimir_migrate.model.changes import LeaseClaim
from mimir_migrate.model.facts import Autoscaler, Pod, Release, ServiceAccount, Workload
from mimir_migrate.model.target import KubernetesTarget

SELECTORS = ("app.kubernetes.io/instance={release}", "release={release}")
"""How a chart's objects are found; the second is what charts wrote before the recommended labels."""

_PAGE = "500"
_LISTINGS = 3
"""A list whose continuation expired is read again from its beginning until it was begun so often."""
_METADATA_ONLY = (
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
)


class KubernetesCluster:
    """Implements `ports.Cluster`."""

    def __init__(self, api: KubernetesApi, target: KubernetesTarget) -> None:
        """Look at `target`'s release. Nothing is asked yet.

        Raises:
            UsageError: When the target names no namespace or no release.
        """
        for word, value in (("namespace", target.namespace), ("release", target.release)):
            if not value:
                raise UsageError(
                    f"looking at the cluster: the target names no {word}",
                    hint=f"set [kubernetes] {word} in target.toml or --{word}",
                )
        self._api = api
        self._namespace = target.namespace
        self._release = target.release
        self._selector = ""
        self._decoded: tuple[str, Release] | None = None
        self._by_name = SecretByName(api, target.namespace, target.release)

    def server(self) -> str:
        """The API server's host and port."""
        return self._api.server

    @understood("asking which cluster this is")
    def cluster_uid(self) -> str:
        """The uid of the namespace `kube-system`, or of the release's own where that is hidden."""
        try:
            namespace = self._api.get("/api/v1/namespaces/kube-system")
        except (DeniedError, NotFoundError):
            namespace = self._own_namespace()
        return str(namespace.get("metadata", {}).get("uid", ""))

    @understood("listing the pods")
    def pods(self) -> Sequence[Pod]:
        """Every pod of the release, terminating ones included.

        Raises:
            UsageError: When the namespace does not exist or nothing in it belongs to the release.
        """
        selector = self._find_selector()
        pods = self._list(object_path("pods", self._namespace), selector)
        sets = self._replica_sets(selector)
        return tuple(pod_from_json(pod, sets) for pod in pods)

    @understood("listing the workloads")
    def workloads(self) -> Sequence[Workload]:
        """StatefulSets and Deployments of the release."""
        selector = self._find_selector()
        sets = self._replica_sets(selector)
        found = []
        for kind, plural in (("StatefulSet", "statefulsets"), ("Deployment", "deployments")):
            path = object_path(plural, self._namespace, group="apis/apps/v1")
            for item in self._list(path, selector):
                found.append(workload_from_json(item, sets, kind=kind))
        return tuple(found)

    @understood("listing the autoscalers")
    def autoscalers(self) -> Sequence[Autoscaler]:
        """Autoscalers that target a workload of the release; KEDA's are such objects as well."""
        names = {f"{workload.kind}/{workload.name}" for workload in self.workloads()}
        path = object_path(
            "horizontalpodautoscalers", self._namespace, group="apis/autoscaling/v2"
        )
        try:
            found = [autoscaler_from_json(item) for item in self._list(path, "")]
        except NotFoundError:
            return ()  # an API server that does not serve the kind has none of it
        return tuple(autoscaler for autoscaler in found if autoscaler.target in names)

    @understood("reading the helm release")
    def release(self) -> Release | None:
        """The newest revision of the helm release; None: helm did not deploy it."""
        secrets = self._secrets()
        secret = helm_secret.newest_secret(secrets)
        if secret is None:
            return None
        metadata = secret.get("metadata") or {}
        version = f"{metadata.get('name')}@{metadata.get('resourceVersion')}"
        if self._decoded is None or self._decoded[0] != version:
            if "data" not in secret:
                secret = self._api.get(
                    object_path("secrets", self._namespace, str(metadata.get("name", "")))
                )
            self._decoded = (version, helm_secret.release_from_secret(secret))
        return helm_secret.over_what(self._decoded[1], secrets)

    def _secrets(self) -> Sequence[Mapping[str, Any]]:
        """The revisions' Secrets: by a list, else by name where only that is allowed.

        By name it is the newest one, and where that is pending those below it down to one that was deployed.
        """
        try:
            return self._list(
                object_path("secrets", self._namespace),
                helm_secret.SELECTOR.format(release=self._release),
                accept=_METADATA_ONLY,
            )
        except DeniedError as refused:
            try:
                return self._by_name.newest()
            except DeniedError as error:
                raise error if self._by_name.used_up else refused from None

    @understood("listing the service accounts")
    def service_accounts(self) -> Sequence[ServiceAccount]:
        """Every service account of the namespace; a chart may use one that it does not make."""
        path = object_path("serviceaccounts", self._namespace)
        return tuple(service_account_from_json(item) for item in self._list(path, ""))

    @understood("reading the lease")
    def lease(self, name: str) -> LeaseClaim | None:
        """Who holds the lease; None: nobody, or it ran out."""
        lease = self._lease(name)
        # The Lease's times are of the clock of whoever renewed it, as with every Kubernetes lease.
        return None if has_run_out(lease, time.time()) else claim_from_json(lease)

    @understood("reading the lease")
    def abandoned_lease(self, name: str) -> LeaseClaim | None:
        """Who held the lease until it ran out; None: it is held, or was given up."""
        lease = self._lease(name)
        return claim_from_json(lease) if has_run_out(lease, time.time()) else None

    def _lease(self, name: str) -> Any:
        path = object_path("leases", self._namespace, name, group="apis/coordination.k8s.io/v1")
        try:
            return self._api.get(path)
        except NotFoundError:
            return {}

    def _own_namespace(self) -> Any:
        try:
            return self._api.get(f"/api/v1/namespaces/{self._namespace}")
        except (DeniedError, NotFoundError):
            return {}

    def _find_selector(self) -> str:
        """The label selector that finds the release's pods."""
        if self._selector:
            return self._selector
        for form in SELECTORS:
            selector = form.format(release=self._release)
            if self._list(object_path("pods", self._namespace), selector, limit="1"):
                self._selector = selector
                return selector
        raise self._nothing_found()

    def _nothing_found(self) -> UsageError:
        asked = f"looking for the release {self._release} in the namespace {self._namespace}"
        try:
            self._api.get(f"/api/v1/namespaces/{self._namespace}")
        except NotFoundError:
            return UsageError(
                f"{asked}: {self.server()} has no such namespace",
                hint="check [kubernetes] namespace and context; `kubectl get namespaces` lists them",
            )
        except DeniedError:
            pass
        labels = " nor ".join(form.format(release=self._release) for form in SELECTORS)
        return UsageError(
            f"{asked}: no pod there has the label {labels}",
            hint=(
                "check [kubernetes] release and namespace; `kubectl get pods --show-labels` shows "
                "what is there"
            ),
        )

    def _replica_sets(self, selector: str) -> list[dict[str, Any]]:
        return self._list(
            object_path("replicasets", self._namespace, group="apis/apps/v1"), selector
        )

    def _list(
        self, path: str, selector: str, *, accept: str = "", limit: str = _PAGE
    ) -> list[dict[str, Any]]:
        """All items of a list, page by page; only the first page where `limit` is another."""
        for _ in range(_LISTINGS - 1):
            try:
                return self._list_once(path, selector, accept=accept, limit=limit)
            except ExpiredError:
                continue
        return self._list_once(path, selector, accept=accept, limit=limit)

    def _list_once(
        self, path: str, selector: str, *, accept: str, limit: str
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        seen: set[str] = set()
        query = {"limit": limit}
        if selector:
            query["labelSelector"] = selector
        while True:
            page = self._api.get(path, query, accept=accept)
            found.extend(page.get("items") or ())
            following = str((page.get("metadata") or {}).get("continue") or "")
            if not following or limit != _PAGE:
                return found
            if following in seen:
                raise ValueError("a list that begins again and never ends")
            seen.add(following)
            query["continue"] = following
