"""The pods' HTTP pages, asked through the API server's pod proxy.

Nothing but GET is ever sent. The proxy wants the port's number: with the port's name the request
fails (seen on Kubernetes 1.36).
"""

from __future__ import annotations

from urllib.parse import quote

from mimir_migrate.adapters.kubernetes.api import READ_TIMEOUT, KubernetesApi, status_message
from mimir_migrate.errors import DeniedError, UnreachableError
from mimir_migrate.model.facts import Pod
from mimir_migrate.ports import Page

_OK = 200
_UNAUTHORIZED = 401
_DENIED = 403
_NOT_FOUND = 404
_REDIRECTS = range(300, 400)


class ProxyPages:
    """Implements `ports.Pages`."""

    def __init__(
        self, api: KubernetesApi, namespace: str, *, read_timeout: float = READ_TIMEOUT
    ) -> None:
        """Ask the pods of one namespace; one read may take `read_timeout` seconds."""
        self._api = api
        self._namespace = namespace
        self._read_timeout = read_timeout

    def get(self, pod: Pod, path: str, *, accept: str = "*/*", limit: int = 33_554_432) -> Page:
        """Ask one pod for one page. A page the pod does not serve is a `Page` with status 404.

        Raises:
            DeniedError: When the credentials do not allow the pod proxy.
            UnreachableError: When the pod or the proxy gives no usable answer.
        """
        what = f"asking pod {pod.name} for {path}"
        answer = self._api.request(
            "GET",
            self.proxy_path(pod, path),
            headers={"Accept": accept},
            limit=limit,
            read_timeout=self._read_timeout,
        )
        said = status_message(answer.body) if answer.status != _OK else ""
        if answer.status == _OK or (answer.status == _NOT_FOUND and not said):
            return Page(status=answer.status, content_type=answer.content_type, body=answer.body)
        if answer.status == _UNAUTHORIZED and said:
            raise DeniedError(
                f"{what}: {said}",
                hint="log in to the cluster again; the credentials were not accepted",
            )
        if answer.status == _DENIED and said:
            raise DeniedError(
                f"{what}: {said}",
                hint="allow `get` on `pods/proxy`; `mimir-migrate rbac` prints the role",
            )
        if answer.status in _REDIRECTS:
            raise UnreachableError(f"{what}: it answered with a redirect, which is not followed")
        raise UnreachableError(
            f"{what}: {said or f'HTTP status {answer.status}'}",
            hint="see the pod's log and its events",
        )

    def proxy_path(self, pod: Pod, path: str) -> str:
        """The path of a pod's page at the API server."""
        namespace = quote(self._namespace, safe="")
        name = quote(pod.name, safe="")
        return (
            f"/api/v1/namespaces/{namespace}/pods/{name}:{pod.http_port}/proxy/{path.lstrip('/')}"
        )
