"""One page of a pod through a port-forward: a websocket of the API server's, and HTTP within it.

The kubelet opens the connection inside the pod's own network, so network policies do not meet it. The
websocket is opened here because the official client sends no second identity along
(`kubernetes.stream.ws_client.create_websocket`); what travels in it is the client's own `PortForward`.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import time
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from mimir_migrate.adapters.kubernetes.api import status_message
from mimir_migrate.adapters.kubernetes.connection import Connection, explained
from mimir_migrate.errors import DeniedError, MigrateError, UnreachableError
from mimir_migrate.model.facts import Pod
from mimir_migrate.ports import Page

_PROTOCOL = "v4.channel.k8s.io"
_CONNECT_TIMEOUT = 10.0
_CHUNK = 1_048_576
_DENIED = frozenset({401, 403})


def forwarded_page(
    connection: Connection,
    namespace: str,
    pod: Pod,
    path: str,
    *,
    accept: str,
    limit: int,
    read_timeout: float,
    deadline: float = 60.0,
) -> Page:
    """Ask one pod for one page through a port-forward of its own.

    Args:
        connection: Where the API server is, and as whom it is asked.
        namespace: The pod's.
        pod: Whom to ask.
        path: The page, with its query.
        accept: The header of that name.
        limit: Bytes that the page may have.
        read_timeout: Seconds that one read may take.
        deadline: Seconds that all of it may take.

    Raises:
        DeniedError: The credentials do not allow it.
        UnreachableError: There is no usable answer.
    """
    what = f"asking pod {pod.name} for {path} through a port-forward"
    end = time.monotonic() + deadline
    with _forwarded(connection, namespace, pod, what) as forward:
        stream = forward.socket(pod.http_port)
        stream.settimeout(read_timeout)
        asked = http.client.HTTPConnection(pod.name, pod.http_port)
        asked.sock = stream
        try:
            asked.request(
                "GET",
                "/" + path.lstrip("/"),
                headers={"Accept": accept, "Accept-Encoding": "gzip", "Connection": "close"},
            )
            answer = asked.getresponse()
            body = _body(answer, limit, end, what)
        except (http.client.HTTPException, OSError, EOFError, zlib.error) as error:
            said = str(forward.error(pod.http_port) or "").strip().splitlines()
            raise UnreachableError(
                f"{what}: {said[-1] if said else f'no whole answer ({type(error).__name__})'}",
                hint="see the pod's log and its events",
            ) from error
        finally:
            asked.close()
    return Page(
        status=answer.status, content_type=answer.headers.get("Content-Type", ""), body=body
    )


def _body(answer: http.client.HTTPResponse, limit: int, end: float, what: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := answer.read(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise UnreachableError(f"{what}: the answer has more than {limit} bytes")
        if time.monotonic() > end:
            raise UnreachableError(f"{what}: the answer did not end in time")
    whole = b"".join(chunks)
    if answer.headers.get("Content-Encoding", "") != "gzip":
        return whole
    whole = gzip.decompress(whole)
    if len(whole) > limit:
        raise UnreachableError(f"{what}: the answer has more than {limit} bytes")
    return whole


@contextlib.contextmanager
def _forwarded(connection: Connection, namespace: str, pod: Pod, what: str) -> Iterator[Any]:
    from kubernetes.stream.ws_client import PortForward

    class Forward(PortForward):  # type: ignore[misc, unused-ignore]  # the client has no types in some versions
        """The official client's, whose thread ends quietly when the far end misbehaves."""

        def _proxy(self) -> None:
            try:
                super()._proxy()  # type: ignore[no-untyped-call, unused-ignore]  # the client has no types in some versions
            except Exception:  # noqa: BLE001 - the reader sees an answer that is cut
                for port in self.local_ports.values():
                    with contextlib.suppress(OSError):
                        port.python.close()

    path = (
        f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod.name, safe='')}"
        f"/portforward?ports={pod.http_port}"
    )
    start: Any = Forward  # typed in some versions of the library only
    forward = start(_websocket(connection, path, what), [pod.http_port])
    try:
        yield forward
    finally:
        with contextlib.suppress(OSError):
            forward.close()


def _websocket(connection: Connection, path: str, what: str) -> Any:
    import websocket

    configuration = connection.configuration
    options: dict[str, Any] = {
        "header": [f"{name}: {value}" for name, value in connection.credentials.headers()],
        "subprotocols": [_PROTOCOL],
        "timeout": _CONNECT_TIMEOUT,
        "suppress_origin": True,
        "redirect_limit": 0,
    }
    if configuration.proxy:
        proxy = urlsplit(configuration.proxy)
        options.update(
            http_proxy_host=proxy.hostname,
            http_proxy_port=proxy.port,
            proxy_type=proxy.scheme if proxy.scheme.startswith("socks") else "http",
        )
        if proxy.username:
            options["http_proxy_auth"] = (proxy.username, proxy.password or "")
    address = connection.server.replace("http", "ws", 1) + path
    made: Any = websocket.WebSocket(sslopt=_trust(connection))
    try:
        made.connect(address, **options)
    except websocket.WebSocketBadStatusException as error:
        raise _refused(error, what) from error
    except (websocket.WebSocketException, OSError, ValueError) as error:
        found, hint = explained(error, connection.server, configuration.proxy)
        raise UnreachableError(f"{what}: {found}", hint=hint) from error
    made.settimeout(None)  # the thread that reads it waits; the one that asks has a time limit
    return made


def _trust(connection: Connection) -> dict[str, Any]:
    """How the API server is known to be the right one, in the websocket library's words."""
    if not connection.server.startswith("https"):
        return {}
    options: dict[str, Any] = {"context": connection.tls()}
    if connection.configuration.tls_server_name:
        options["server_hostname"] = connection.configuration.tls_server_name
    return options


def _refused(error: Any, what: str) -> MigrateError:
    status = int(getattr(error, "status_code", 0) or 0)
    said = status_message(getattr(error, "resp_body", None) or b"") or f"HTTP status {status}"
    if status in _DENIED:
        return DeniedError(
            f"{what}: {said}",
            hint="allow `create` on `pods/portforward`; `mimir-migrate rbac` prints the role",
        )
    return UnreachableError(f"{what}: {said}", hint="see the pod's events")
