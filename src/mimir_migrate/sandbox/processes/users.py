"""Users of a sandbox with real processes: they push and query twice a second and count what fails.

Their count is their own, taken from the answers that they get, so that what this tool reports from the
pods' metrics can be held to it.
"""

from __future__ import annotations

import contextlib
import http.client
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

PERIOD: Final = 0.5
KINDS: Final = ("push", "query")
_LOOK: Final = 0.25
_STOPPING: Final = 3 * _LOOK
_CLIENT_ERROR: Final = 400
_SERVER_ERROR: Final = 500
_TENANT: Final = "platform"
_ANSWERED_WITHIN: Final = 15.0
_SERIES: Final = 20
"""Series of one push: with replication factor 3 each push goes to every ingester of a small cluster."""
_PUSH: Final = "/api/v1/push"
_QUERY: Final = "/prometheus/api/v1/query?query=sum(sandbox_pushes)"


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one kind of request."""

    asked: int = 0
    failed: int = 0
    """Answered with 5xx: what the pods count as failed too."""
    refused: int = 0
    """Answered with 4xx."""
    unanswered: int = 0
    """No answer, so no pod counted it."""
    parting: int = 0
    """Answered with 5xx by a pod that was just being stopped: it counted that, and whether anybody could
    read its counters again before its end is chance."""


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """One request that failed, for whoever wants to know when."""

    at: float
    kind: str
    pod: str
    why: str


class Users:
    """Pushes and queries in two threads until it is closed.

    Args:
        pods: The pods as the sandbox's status lists them: `name`, `ip`, `component`, `ready`.
    """

    def __init__(self, pods: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        self._pods = pods
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._known: Sequence[Mapping[str, Any]] = ()
        self._counts = dict.fromkeys(KINDS, Count())
        self.failures: list[Failed] = []
        self._threads = [
            threading.Thread(target=self._list, daemon=True),
            *(threading.Thread(target=self._work, args=(kind,), daemon=True) for kind in KINDS),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop, after what was asked last was answered."""
        self._over.set()
        for thread in self._threads:
            thread.join(_ANSWERED_WITHIN + 1)

    def count(self, kind: str) -> Count:
        """What became of the pushes (`push`) or the queries (`query`) until now."""
        with self._lock:
            return self._counts[kind]

    def _work(self, kind: str) -> None:
        turn = 0
        while not self._over.wait(PERIOD):
            component = self._asked(kind)
            ready = [one for one in self._known if one["component"] == component and one["ready"]]
            if ready:
                turn += 1
                self._ask(kind, ready[turn % len(ready)], turn)

    def _asked(self, kind: str) -> str:
        """The component that users' requests go to: queries to a query-frontend where there is one."""
        if kind == "push":
            return "distributor"
        fronted = any(one["component"] == "query-frontend" for one in self._known)
        return "query-frontend" if fronted else "querier"

    def _list(self) -> None:
        """Look which pods are Ready, as a service's endpoints say; an old list is used until there is a new."""
        while not self._over.is_set():
            with contextlib.suppress(Exception):
                self._known = self._pods()
            self._over.wait(_LOOK)

    def _went_away(self, pod: str) -> bool:
        """Whether a pod that answered is not Ready a look later: it was being stopped when it did.

        The look is one of its own: on a busy machine the list is older than that.
        """
        self._over.wait(_STOPPING)
        known = self._known
        with contextlib.suppress(Exception):
            known = self._pods()
        return all(one["name"] != pod or not one["ready"] for one in known)

    def _ask(self, kind: str, pod: Mapping[str, Any], turn: int) -> None:
        body = push_body(turn, time.time()) if kind == "push" else b""
        status, said = ask(pod["ip"], _PUSH if kind == "push" else _QUERY, body)
        bad = status >= _SERVER_ERROR
        parting = bad and self._went_away(str(pod["name"]))
        if status >= _CLIENT_ERROR or not status:
            why = f"{status} {said}{' (from a pod that was being stopped)' if parting else ''}"
            self.failures.append(Failed(at=time.time(), kind=kind, pod=pod["name"], why=why))
        with self._lock:
            before = self._counts[kind]
            self._counts[kind] = Count(
                asked=before.asked + 1,
                failed=before.failed + (bad and not parting),
                refused=before.refused + (_CLIENT_ERROR <= status < _SERVER_ERROR),
                unanswered=before.unanswered + (status == 0),
                parting=before.parting + parting,
            )


def ask(ip: str, path: str, body: bytes, port: int = 8080) -> tuple[int, str]:
    """One request of a user: the status, 0 for no answer, and the beginning of what was said."""
    headers = {"X-Scope-OrgID": _TENANT}
    if body:
        headers |= {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
    connection = http.client.HTTPConnection(ip, port, timeout=_ANSWERED_WITHIN)
    try:
        connection.request("POST" if body else "GET", path, body=body or None, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(300).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return 0, repr(error)
    finally:
        connection.close()


def push_body(turn: int, at: float) -> bytes:
    """A remote-write request: a snappy block of Prometheus' `WriteRequest`, one sample a series.

    Fields (prometheus `prompb/remote.proto`, `types.proto`): WriteRequest.timeseries 1;
    TimeSeries.labels 1, .samples 2; Label.name 1, .value 2; Sample.value 1 (double), .timestamp 2 (ms).
    """
    import cramjam

    sample = b"\x09" + struct.pack("<d", float(turn)) + b"\x10" + _varint(int(at * 1000))
    request = b"".join(
        _field(1, b"".join(_field(1, label) for label in _labels(number)) + _field(2, sample))
        for number in range(_SERIES)
    )
    return bytes(cramjam.snappy.compress_raw(request))


def _labels(number: int) -> Iterator[bytes]:
    for name, value in (("__name__", "sandbox_pushes"), ("series", str(number))):
        yield _field(1, name.encode()) + _field(2, value.encode())


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
