"""The pods' HTTP pages: through the API server's pod proxy, else through port-forwards.

Nothing but GET is ever sent. The proxy wants the port's number: with the port's name the request
fails (seen on Kubernetes 1.36).

A managed control plane cannot reach pods whose network policies let nobody else in, and a role may not
hold `pods/proxy`. The kubelet can: what the proxy cannot reach is asked through a port-forward, and
once one has answered so, all pods that the proxy never reached are.
"""

from __future__ import annotations

import logging
import threading
from urllib.parse import quote

from mimir_migrate.adapters.kubernetes.api import READ_TIMEOUT, KubernetesApi, status_message
from mimir_migrate.adapters.kubernetes.connection import SilentError
from mimir_migrate.adapters.kubernetes.forwarding import forwarded_page
from mimir_migrate.errors import DeniedError, MigrateError, UnreachableError
from mimir_migrate.model.facts import Pod
from mimir_migrate.ports import Page

_OK = 200
_UNAUTHORIZED = 401
_DENIED = 403
_NOT_FOUND = 404
_REDIRECTS = range(300, 400)
_BAD_WAYS = frozenset({502, 503, 504})
_NOBODY_LISTENS = "connection refused"
"""Then the way is open, and the pod has only no process at that port."""

_log = logging.getLogger(__name__)


class _ProxyRefusedError(Exception):
    """The proxy did not reach the pod; a port-forward may. Holds what is raised if that fails too."""

    def __init__(self, error: MigrateError) -> None:
        super().__init__(error.message)
        self.error = error


class ProxyPages:
    """Implements `ports.Pages`. Safe to use from several threads."""

    def __init__(
        self,
        api: KubernetesApi,
        namespace: str,
        *,
        read_timeout: float = READ_TIMEOUT,
        https: bool = False,
    ) -> None:
        """Ask the pods of one namespace; one read may take `read_timeout` seconds.

        With `https` they are asked over TLS, by the API server's proxy only: it takes their certificate
        as it is.
        """
        self._https = https
        self._api = api
        self._namespace = namespace
        self._pods = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods"
        self._read_timeout = read_timeout
        self._lock = threading.Lock()
        self._proxied: set[str] = set()
        """Pods that the proxy reached once: what it does not reach of them later is their silence."""
        self._forwards_because = ""
        self._forward_denied: DeniedError | None = None

    @property
    def forwards_because(self) -> str:
        """Why pods are asked through port-forwards; empty: they are not."""
        return self._forwards_because

    def get(self, pod: Pod, path: str, *, accept: str = "*/*", limit: int = 33_554_432) -> Page:
        """Ask one pod for one page. A page the pod does not serve is a `Page` with status 404.

        Raises:
            DeniedError: When the credentials allow neither the pod proxy nor a port-forward.
            UnreachableError: When the pod gives no usable answer.
        """
        known = pod.uid or pod.name
        if self._forwards_because and known not in self._proxied:
            return self._checked(pod, path, self._forward(pod, path, accept, limit))
        try:
            page = self._proxy(pod, path, accept, limit)
        except _ProxyRefusedError as refused:
            if known in self._proxied or self._https:
                raise refused.error from None
            return self._instead(pod, path, accept, limit, refused.error)
        self._proxied.add(known)
        return self._checked(pod, path, page)

    def _instead(
        self, pod: Pod, path: str, accept: str, limit: int, proxy_error: MigrateError
    ) -> Page:
        """Ask through a port-forward, and say once that and why it is done."""
        if self._forward_denied is not None:
            raise _neither(proxy_error, self._forward_denied) from None
        try:
            page = self._forward(pod, path, accept, limit)
        except DeniedError as error:
            self._forward_denied = error
            raise _neither(proxy_error, error) from error
        except UnreachableError as error:
            raise _neither(proxy_error, error) from error
        with self._lock:
            first = not self._forwards_because
            self._forwards_because = self._forwards_because or proxy_error.message
        if first:
            _log.warning(
                "the pods are asked through port-forwards: the API server's proxy does not reach "
                "them (%s)",
                proxy_error.message,
            )
        return self._checked(pod, path, page)

    def _forward(self, pod: Pod, path: str, accept: str, limit: int) -> Page:
        return forwarded_page(
            self._api.connection,
            self._namespace,
            pod,
            path,
            accept=accept,
            limit=limit,
            read_timeout=self._read_timeout,
        )

    def _proxy(self, pod: Pod, path: str, accept: str, limit: int) -> Page:
        """What came back through the proxy from the pod itself, whatever its status."""
        what = f"asking pod {pod.name} for {path}"
        try:
            answer = self._api.request(
                "GET",
                self.proxy_path(pod, path),
                headers={"Accept": accept},
                limit=limit,
                read_timeout=self._read_timeout,
            )
        except SilentError as error:
            raise _ProxyRefusedError(error) from error
        said = status_message(answer.body) if answer.status != _OK else ""
        if answer.status == _UNAUTHORIZED and said:
            raise DeniedError(
                f"{what}: {said}",
                hint="log in to the cluster again; the credentials were not accepted",
            )
        if answer.status == _DENIED and said:
            raise _ProxyRefusedError(
                DeniedError(
                    f"{what}: {said}",
                    hint="allow `get` on `pods/proxy`; `mimir-migrate rbac` prints the role",
                )
            )
        if said and answer.status in _BAD_WAYS and _NOBODY_LISTENS not in said:
            raise _ProxyRefusedError(UnreachableError(f"{what}: {said}", hint=_SEE))
        if said:
            raise UnreachableError(f"{what}: {said}", hint=_SEE)
        return Page(status=answer.status, content_type=answer.content_type, body=answer.body)

    @staticmethod
    def _checked(pod: Pod, path: str, page: Page) -> Page:
        """A page that a pod answered, or the error that it stands for."""
        what = f"asking pod {pod.name} for {path}"
        if page.status in {_OK, _NOT_FOUND}:
            return page
        if page.status in _REDIRECTS:
            raise UnreachableError(f"{what}: it answered with a redirect, which is not followed")
        raise UnreachableError(f"{what}: HTTP status {page.status}", hint=_SEE)

    def proxy_path(self, pod: Pod, path: str) -> str:
        """The path of a pod's page at the API server."""
        name = quote(pod.name, safe="")
        scheme = "https:" if self._https else ""
        return f"{self._pods}/{scheme}{name}:{pod.http_port}/proxy/{path.lstrip('/')}"


_SEE = "see the pod's log and its events"


def _neither(proxy: MigrateError, forward: MigrateError) -> MigrateError:
    """What both ways said; whoever may use neither is told of both rights."""
    kind = DeniedError if isinstance(proxy, DeniedError) else UnreachableError
    how = forward.message.partition(": ")[2] or forward.message
    hint = proxy.hint
    if isinstance(forward, DeniedError):
        hint = f"{hint}; where the proxy cannot reach the pods, {forward.hint}"
    return kind(f"{proxy.message}; nor does a port-forward: {how}", hint=hint)
