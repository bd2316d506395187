"""Requests to the Kubernetes API server, with JSON in and out and this package's own errors.

The official client reads the kubeconfig, keeps tokens fresh and pools connections; its typed models
are left aside, because an inspection of a large release would spend its time in making them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from mimir_migrate import decoding
from mimir_migrate.errors import (
    ConflictError,
    DeniedError,
    MigrateError,
    UnreachableError,
    UsageError,
)
from mimir_migrate.model.target import KubernetesTarget

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 10.0
_RETRIES = 3
"""A GET is asked again so often when the connection breaks or the server has a bad moment, any request
when it was throttled (a throttled one was not begun)."""
_BACKOFF = 0.1
"""Seconds before the first of those, three times as many before each further one."""
_LONGEST_PAUSE = 5.0
"""A longer `Retry-After` is not waited for here; a gate's next sample asks anew."""
_UNAUTHORIZED = 401
_RELOAD_EVERY = 5.0
"""Seconds at least between two readings of the kubeconfig because credentials were refused."""
_THROTTLED = 429
_BAD_MOMENTS = frozenset({500, 502, 503, 504})


class NotFoundError(UnreachableError):
    """The API server has no such object."""


class ExpiredError(UnreachableError):
    """The API server does not know a version or a list's continuation any more."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What an HTTP server answered."""

    status: int
    content_type: str
    body: bytes
    retry_after: str = ""
    """What the header of that name says."""


class KubernetesApi:
    """One API server, as one context of one kubeconfig."""

    def __init__(self, client: Any, *, reload: Callable[[], Any] | None = None) -> None:
        """Talk through an `ApiClient` of the official library.

        Args:
            client: The client.
            reload: Makes another one, called where the server does not accept the credentials:
                somebody may have logged in again since.
        """
        self._client = client
        self._reload = reload
        self._reloaded_at = 0.0
        self._tokens = threading.Lock()

    @classmethod
    def connect(cls, target: KubernetesTarget, *, connections: int = 32) -> KubernetesApi:
        """Read the kubeconfig; nothing is asked yet.

        Raises:
            UsageError: When there is no kubeconfig, it cannot be read, or it has no such context.
        """

        def load() -> Any:
            return _load_client(target, connections)

        return cls(load(), reload=load)

    def close(self) -> None:
        """Close the pooled connections."""
        self._client.rest_client.pool_manager.clear()

    @property
    def server(self) -> str:
        """The API server's host and port."""
        return urlsplit(str(self._client.configuration.host)).netloc

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "") -> Any:
        """Ask for one object or list.

        Raises:
            NotFoundError: When there is none.
            DeniedError: When the credentials do not allow it.
            UnreachableError: When the server gives no usable answer.
        """
        return self.send("GET", path, query=query, accept=accept)

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        accept: str = "",
        content_type: str = "application/json",
    ) -> Any:
        """Make one request with JSON in and out.

        Throttled requests, and a GET that met an error of the server, are made again some times.

        Raises:
            NotFoundError: When there is no such object.
            ConflictError: When the object was changed meanwhile, or is there already.
            ExpiredError: When a version that was named is too old.
            DeniedError: When the credentials do not allow it.
            UnreachableError: When the server gives no usable answer.
        """
        headers = {"Accept": accept or "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        answer = self._with_retries(
            method,
            path + ("?" + urlencode(query) if query else ""),
            headers=headers,
            body=None if body is None else json.dumps(body).encode(),
        )
        what = f"{method} {path} at {self.server}"
        if answer.status >= 300:  # noqa: PLR2004
            raise _refusal(what, answer)
        try:
            return decoding.decode(answer.body) if answer.body else {}
        except msgspec.DecodeError as error:
            raise UnreachableError(
                f"{what}: the answer is not JSON ({error})",
                hint="check that the kubeconfig's server is a Kubernetes API server",
            ) from error

    def _with_retries(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        for number in range(_RETRIES):
            answer = self.request(method, target, headers=headers, body=body)
            bad_moment = answer.status in _BAD_MOMENTS and method == "GET"
            asked = float(answer.retry_after) if answer.retry_after.isdigit() else 0.0
            if not (bad_moment or answer.status == _THROTTLED) or asked > _LONGEST_PAUSE:
                return answer
            time.sleep(max(asked, _BACKOFF * 3**number))
        return self.request(method, target, headers=headers, body=body)

    def request(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        limit: int = 268_435_456,
        read_timeout: float = READ_TIMEOUT,
        deadline: float = 60.0,
    ) -> Answer:
        """Make one request and read the whole answer, whatever its status.

        `target` is the path with its query. A redirect is an answer and never followed. The answer
        is given up when it grows over `limit` bytes or takes more than `deadline` seconds.

        Raises:
            UnreachableError: When the server does not answer, or not in these bounds.
        """
        from urllib3.exceptions import HTTPError

        end = time.monotonic() + deadline
        for number in range(_RETRIES + 1):
            client = self._client
            try:
                answer = self._request(
                    client,
                    method,
                    target,
                    headers=headers,
                    body=body,
                    limit=limit,
                    read_timeout=read_timeout,
                    end=end,
                )
                refused = answer.status == _UNAUTHORIZED and number < _RETRIES
                if not refused or not self._logged_in_again(client):
                    return answer
            except (HTTPError, OSError) as error:
                if method == "GET" and number < _RETRIES and _was_dropped(error):
                    time.sleep(_BACKOFF)
                    continue
                raise UnreachableError(
                    f"{method} {target} at {self.server}: {_reason(error)}",
                    hint="check the network and that the API server and the pod are up",
                ) from error
        raise AssertionError("the last try returns or raises")

    def _logged_in_again(self, refused: Any) -> bool:
        """Read the kubeconfig anew, unless that was just done; whether asking again may help."""
        with self._tokens:
            if self._client is not refused:
                return True
            now = time.monotonic()
            if self._reload is None or now < self._reloaded_at + _RELOAD_EVERY:
                return False
            self._reloaded_at = now
            try:
                self._client = self._reload()
            except UsageError:  # it may be about to be written
                return False
        return True

    def _request(
        self,
        client: Any,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        limit: int,
        read_timeout: float,
        end: float,
    ) -> Answer:
        from urllib3 import Retry, Timeout

        what = f"{method} {target} at {self.server}"
        retries = _RETRIES if method == "GET" else 0
        response = client.rest_client.pool_manager.request(
            method,
            str(client.configuration.host).rstrip("/") + target,
            headers={**self._authorization(client), "Accept-Encoding": "gzip", **headers},
            body=body,
            timeout=Timeout(connect=CONNECT_TIMEOUT, read=read_timeout),
            retries=Retry(
                total=retries,
                connect=retries,
                read=0,
                redirect=0,
                status=0,
                other=0,
                raise_on_redirect=False,
                raise_on_status=False,
                backoff_factor=_BACKOFF,
            ),
            redirect=False,
            preload_content=False,
        )
        try:
            chunks = []
            size = 0
            while chunk := response.read(1_048_576, decode_content=True):
                chunks.append(chunk)
                size += len(chunk)
                if size > limit:
                    response.close()
                    raise UnreachableError(f"{what}: the answer has more than {limit} bytes")
                if time.monotonic() > end:
                    response.close()
                    raise UnreachableError(f"{what}: no end in time")
            return Answer(
                status=response.status,
                content_type=response.headers.get("Content-Type", ""),
                body=b"".join(chunks),
                retry_after=response.headers.get("Retry-After", ""),
            )
        finally:
            response.release_conn()

    def _authorization(self, client: Any) -> dict[str, str]:
        # One thread at a time: reading the token may run the kubeconfig's credential plugin.
        with self._tokens:
            settings = client.configuration.auth_settings()
        return {
            setting["key"]: setting["value"]
            for setting in settings.values()
            if setting["in"] == "header" and setting["value"]
        }


def _load_client(target: KubernetesTarget, connections: int) -> Any:
    """An `ApiClient` as the kubeconfig says now."""
    from kubernetes import client, config
    from kubernetes.config.config_exception import ConfigException

    load: Any = config.load_kube_config  # typed in some versions of the library only
    configuration = client.Configuration()
    configuration.connection_pool_maxsize = connections
    where = target.kubeconfig or "the usual kubeconfig"
    context = f" with the context {target.context}" if target.context else ""
    try:
        load(
            config_file=target.kubeconfig or None,
            context=target.context or None,
            client_configuration=configuration,
            persist_config=False,
        )
    except ConfigException as error:
        raise UsageError(
            f"reading {where}{context}: {error}",
            hint=(
                "name an existing kubeconfig in [kubernetes] kubeconfig or --kubeconfig, and one of "
                "the contexts that `kubectl config get-contexts` lists"
            ),
        ) from error
    except Exception as error:  # a damaged kubeconfig raises whatever its parser meets first
        raise UsageError(
            f"reading {where}{context}: {type(error).__name__}: {error}",
            hint="check it with `kubectl config view`",
        ) from error
    return client.ApiClient(configuration=configuration)


def object_path(kind: str, namespace: str, name: str = "", *, group: str = "api/v1") -> str:
    """The path of a namespaced object or list, e.g. `/api/v1/namespaces/NS/pods/NAME`."""
    end = f"/{quote(name, safe='')}" if name else ""
    return f"/{group}/namespaces/{quote(namespace, safe='')}/{kind}{end}"


def _refusal(what: str, answer: Answer) -> MigrateError:
    said = status_message(answer.body) or f"HTTP status {answer.status}"
    match answer.status:
        case 401:
            return DeniedError(
                f"{what}: {said}",
                hint="log in to the cluster again; the credentials were not accepted",
            )
        case 403:
            return DeniedError(
                f"{what}: {said}",
                hint="`mimir-migrate rbac` prints the permissions that the tool needs",
            )
        case 404:
            return NotFoundError(f"{what}: {said}")
        case 409:
            return ConflictError(
                f"{what}: {said}", hint="read the object again; somebody else wrote it"
            )
        case 410:
            return ExpiredError(f"{what}: {said}", hint="ask again from the beginning")
        case _:
            return UnreachableError(f"{what}: {said}", hint="ask again; see the API server's log")


def status_message(body: bytes) -> str:
    """The message of a Kubernetes `Status` object; empty when the body is none."""
    if not body.lstrip().startswith(b"{"):
        return ""
    try:
        status = decoding.decode(body)
    except msgspec.DecodeError:
        return ""
    if not isinstance(status, dict) or status.get("kind") != "Status":
        return ""
    return str(status.get("message") or status.get("reason") or "")


def _was_dropped(error: Exception) -> bool:
    """Whether the connection was closed without an answer, as behind a load balancer; no timeout."""
    from urllib3.exceptions import ProtocolError

    inner = getattr(error, "reason", None)
    return isinstance(error, ProtocolError) or isinstance(inner, ProtocolError)


def _reason(error: Exception) -> str:
    """The cause in one line; urllib3 wraps it and repeats the address."""
    inner = getattr(error, "reason", None)
    cause = inner if isinstance(inner, Exception) else error
    text = str(cause)
    return text.split(": ", 1)[-1] if text.startswith("<") else f"{type(cause).__name__}: {text}"
