"""Requests to the Kubernetes API server, with JSON in and out and this package's own errors.

The official client pools the connections; its typed models are left aside, because an inspection of a
large release would spend its time in making them, and so is its reader of kubeconfigs, which knows no
second identity and takes a credential plugin that fails for one that is not there.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from mimir_migrate import decoding
from mimir_migrate.adapters.kubernetes.connection import (
    Connection,
    refused_connection,
    was_dropped,
)
from mimir_migrate.adapters.kubernetes.kubeconfig import read_context
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
"""A longer `Retry-After` is not waited for here; a gate's next sample asks again."""
_UNAUTHORIZED = 401
_RELOAD_EVERY = 5.0
"""Seconds at least between two readings of the kubeconfig because credentials were refused."""
_THROTTLED = 429
_CHUNK = 1_048_576
"""Bytes that are read at once; a body of so many at most is read as a whole."""
_ENCODING = "Content-Encoding"
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

    def __init__(
        self, connection: Connection, *, reload: Callable[[], Connection] | None = None
    ) -> None:
        """Talk through a connection.

        Args:
            connection: Where to ask, and as whom.
            reload: Makes another one, called where the server does not accept the credentials:
                somebody may have logged in again since.
        """
        self._connection = connection
        self._reload = reload
        self._reloaded_at = 0.0
        self._tokens = threading.Lock()

    @classmethod
    def connect(cls, target: KubernetesTarget, *, connections: int = 32) -> KubernetesApi:
        """Read the kubeconfig; nothing is asked yet.

        Raises:
            UsageError: When there is no kubeconfig, it cannot be read, it has no such context, or what
                it says of the server or the user cannot be used.
        """

        def load() -> Connection:
            return Connection(read_context(target), connections=connections)

        return cls(load(), reload=load)

    def close(self) -> None:
        """Close the pooled connections."""
        self._connection.close()

    @property
    def connection(self) -> Connection:
        """Where is asked, and as whom, at present."""
        return self._connection

    @property
    def server(self) -> str:
        """The API server's host and port."""
        return urlsplit(self._connection.server).netloc

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
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _refusal(what, answer)
        try:
            return decoding.decode(answer.body) if answer.body else {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreachableError(
                f"{what}: the answer cannot be read: {decoding.problem(error)}",
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
            connection = self._connection
            try:
                answer = self._request(
                    connection,
                    method,
                    target,
                    headers=headers,
                    body=body,
                    limit=limit,
                    read_timeout=read_timeout,
                    end=end,
                )
                refused = answer.status == _UNAUTHORIZED and number < _RETRIES
                if not refused or not self._logged_in_again(connection):
                    return answer
            except (HTTPError, OSError) as error:
                if method == "GET" and number < _RETRIES and was_dropped(error):
                    time.sleep(_BACKOFF)
                    continue
                raise refused_connection(
                    f"{method} {target.partition('?')[0]}", error, connection
                ) from error
        raise AssertionError("the last try returns or raises")

    def _logged_in_again(self, refused: Connection) -> bool:
        """Read the kubeconfig again, unless that was just done; whether asking again may help."""
        with self._tokens:
            if self._connection is not refused:
                return True
            now = time.monotonic()
            if self._reload is None or now < self._reloaded_at + _RELOAD_EVERY:
                return False
            self._reloaded_at = now
            try:
                self._connection = self._reload()
            except UsageError:  # it may be about to be written
                return False
        return True

    def _request(
        self,
        connection: Connection,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        limit: int,
        read_timeout: float,
        end: float,
    ) -> Answer:
        what = f"{method} {target} at {self.server}"
        response = connection.send(
            method,
            target,
            headers=_headers(headers, connection.credentials.headers()),
            body=body,
            timeout=_timeout(read_timeout),
            retries=_retry(_RETRIES if method == "GET" else 0),
            preload_content=False,
        )
        try:
            said = response.headers
            length = response.length_remaining
            if length is not None and length <= min(_CHUNK, limit) and _ENCODING not in said:
                content = response.read(decode_content=False)
            else:
                content = _read(response, what, limit, end)
            return Answer(
                status=response.status,
                content_type=said.get("Content-Type", ""),
                body=content,
                retry_after=said.get("Retry-After", ""),
            )
        finally:
            response.release_conn()


def _read(response: Any, what: str, limit: int, end: float) -> bytes:
    """A body that is long, packed, or of a length that is not told."""
    chunks = []
    size = 0
    while chunk := response.read(_CHUNK, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            response.close()
            raise UnreachableError(f"{what}: the answer has more than {limit} bytes")
        if time.monotonic() > end:
            response.close()
            raise UnreachableError(f"{what}: the answer did not end in time")
    return b"".join(chunks)


def _headers(own: Mapping[str, str], credentials: list[tuple[str, str]]) -> Any:
    """All headers of a request; urllib3's own kind of mapping only where a name comes twice."""
    plain = {"Accept-Encoding": "gzip", **own}
    if len({name for name, _ in credentials}) == len(credentials):
        return plain | dict(credentials)
    from urllib3 import HTTPHeaderDict

    sent = HTTPHeaderDict(plain)
    for name, value in credentials:
        sent.add(name, value)
    return sent


@functools.lru_cache(maxsize=16)
def _timeout(read: float) -> Any:
    from urllib3 import Timeout

    return Timeout(connect=CONNECT_TIMEOUT, read=read)


@functools.lru_cache(maxsize=4)
def _retry(times: int) -> Any:
    from urllib3 import Retry

    return Retry(
        total=times,
        connect=times,
        read=0,
        redirect=0,
        status=0,
        other=0,
        raise_on_redirect=False,
        raise_on_status=False,
        backoff_factor=_BACKOFF,
    )


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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if not isinstance(status, dict) or status.get("kind") != "Status":
        return ""
    return str(status.get("message") or status.get("reason") or "")
