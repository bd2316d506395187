"""The HTTP side: the part of Consul's KV API that dskit's client uses, and pages for operators.

What the client asks and how it reads answers: dskit `kv/consul/client.go` with `hashicorp/consul/api`.
A watch with nothing new is answered 404 with its own index and no body: the client compares the index
before it looks at anything else.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import msgspec

from mimir_migrate.bridge.figures import Clients, Figures
from mimir_migrate.bridge.limits import LARGEST_BODY, MOST_CONNECTIONS, PATIENCE, Budget
from mimir_migrate.bridge.probe import Probe
from mimir_migrate.bridge.replica import Replica, TooFastError
from mimir_migrate.bridge.ring_value import UnreadableValueError, write_item, write_value
from mimir_migrate.bridge.rings import Rings
from mimir_migrate.bridge.versions import Version
from mimir_migrate.documents.ring_items import decode_instance
from mimir_migrate.errors import MigrateError

if TYPE_CHECKING:
    from aiohttp import web

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

DEFAULT_WAIT: Final = 300.0
"""Seconds that a watch without `wait` is held, as in Consul; heartbeats end it sooner."""
_LARGEST_INDEX: Final = 2**64 - 1
_NOT_SERVED: Final = frozenset({"recurse", "keys", "raw", "separator", "acquire", "release"})
"""Parameters of Consul's KV API that change what a request means."""


class Service:
    """Serves some rings.

    Args:
        rings: They.
        token: What clients have to send; None: nothing.
        now: Seconds since the epoch.
        connections: Most connections at a time.
        probe: What proves this replica to the others; None: nothing does.
    """

    def __init__(
        self,
        rings: Rings,
        token: Callable[[], str] | None,
        now: Callable[[], float] = time.time,
        connections: int = MOST_CONNECTIONS,
        probe: Probe | None = None,
    ) -> None:
        self._rings = rings
        self._probe = probe
        self._token = token
        self._now = now
        self._connections = connections
        self._budget = Budget()
        self._clients = Clients(now)
        self._figures = Figures(rings, self._budget, self._clients, probe)
        self._admitted: set[object] = set()
        self._answers: dict[str, tuple[int, bytes]] = {}
        self.draining = False
        self.busy = 0
        """Writes under way."""
        self.idle = asyncio.Event()
        """Set while none is."""
        self.idle.set()

    def application(self) -> web.Application:
        """What aiohttp serves."""
        from aiohttp import web

        @web.middleware
        async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._around(request, handler)

        application = web.Application(client_max_size=LARGEST_BODY, middlewares=[around])
        router = application.router
        router.add_route("*", "/v1/kv/{key:.*}", self._kv)
        router.add_get("/healthz", self._healthy)
        router.add_get("/readyz", self._ready)
        router.add_get("/metrics", self._metrics)
        router.add_get("/rings", self._pages)
        return application

    def drain(self) -> None:
        """Say that this replica is going, and answer every watch that is held."""
        self.draining = True
        self._rings.drain()

    async def _around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        from aiohttp import web

        if not self._admit(request):
            answer: web.StreamResponse = _text(503, "too many connections")
            answer.force_close()
        else:
            try:
                answer = await handler(request)
            except web.HTTPException as error:
                answer = _text(error.status, error.reason)
            except (UnreadableValueError, ValueError) as error:
                answer = _text(400, str(error))
            except TooFastError as error:
                answer = _text(429, f"{error.message}. {error.hint}")
            except MigrateError as error:
                answer = _text(500, error.message)
            except ConnectionError:  # the client is gone, or its connection was cut
                answer = _text(499, "the client is gone")
            finally:
                self._budget.give_back(id(request))
        if self.draining and not answer.prepared:
            answer.force_close()
        key = request.match_info.get("key", "")
        self._figures.requests.labels(
            request.method if request.method in {"GET", "PUT"} else "other",
            key if key in self._rings.replicas else "",
            str(answer.status),
        ).inc()
        return answer

    def _admit(self, request: web.Request) -> bool:
        """Whether a request's connection is one of those that are served."""
        connection = request.protocol
        if connection in self._admitted:
            return True
        server = connection._manager  # noqa: SLF001 - aiohttp has no public way to it
        self._admitted &= set(() if server is None else server.connections)
        if len(self._admitted) >= self._connections:
            return False
        self._admitted.add(connection)
        return True

    # --- Consul's API ----------------------------------------------------------------------------

    async def _kv(self, request: web.Request) -> web.StreamResponse:
        if not self._allowed(request):
            return _text(403, "Permission denied: the token is missing or another one")
        if request.method not in {"GET", "PUT"}:
            return self._not_served("method", f"{request.method} is not served by this bridge")
        if more := sorted(_NOT_SERVED & set(request.query)):
            return self._not_served(more[0], f"{more[0]} is not served by this bridge")
        key = request.match_info["key"]
        replica = self._rings.replicas.get(key)
        if replica is None:
            return self._not_served("key", f"the key {key!r} is not one that this bridge serves")
        self._clients.note(request.remote or "", key)
        if request.method == "PUT":
            return await self._put(request, replica)
        return await self._get(request, replica)

    async def _get(self, request: web.Request, replica: Replica) -> web.StreamResponse:
        index = _number(request.query.get("index", "0"))
        version: Version | None
        if index:
            wait = _seconds(request.query.get("wait", ""))
            self._figures.watches.inc()
            try:
                version = await replica.watch(index, wait)
            finally:
                self._figures.watches.dec()
        elif "stale" in request.query:
            version = await replica.known()
        else:
            version = await replica.get()
        if version is None or not version.head.exists:
            return _not_there(version.index if version is not None else index)
        return await self._answer(request, replica.key, version)

    async def _put(self, request: web.Request, replica: Replica) -> web.StreamResponse:
        if "cas" not in request.query:
            return self._not_served("put", "only writes with cas are served")
        index = _number(request.query["cas"])
        flags = _number(request.query.get("flags", "0"))
        self._budget.take(
            id(request), request.content_length or LARGEST_BODY, lambda: _cut(request)
        )
        try:
            async with asyncio.timeout(PATIENCE):
                body = await request.read()
        except TimeoutError:
            return _text(408, "the value did not come in time")
        self.busy += 1
        self.idle.clear()
        answer = "error"
        try:
            done = await replica.put(index, body, flags)
            answer = "true" if done else "false"
        finally:
            self.busy -= 1
            if not self.busy:
                self.idle.set()
            self._figures.writes.labels(replica.key, answer).inc()
        return _text(200, answer, "application/json")

    async def _answer(
        self, request: web.Request, key: str, version: Version
    ) -> web.StreamResponse:
        """Send a ring; a client that does not take it in time loses its connection."""
        from aiohttp import web

        body = self._body(key, version)
        answer = web.StreamResponse(headers=_headers(version.index))
        answer.content_type = "application/json"
        answer.content_length = len(body)
        if (
            self.draining
        ):  # said in the headers, or the client sends its write into a closed connection
            answer.force_close()
        self._budget.take(id(request), len(body), lambda: _cut(request))
        try:
            async with asyncio.timeout(PATIENCE):
                await answer.prepare(request)
                await answer.write(body)
                await answer.write_eof()
        except TimeoutError:
            self._budget.cut += 1
            _cut(request)
            raise ConnectionResetError from None
        return answer

    def _body(self, key: str, version: Version) -> bytes:
        """A version as Consul shows it; made once for all who ask for it."""
        index, body = self._answers.get(key, (0, b""))
        if index != version.index:
            value = base64.b64encode(write_value(version.value))
            body = (
                b'[{"LockIndex":0,"Key":%s,"Flags":%d,"Value":"%s","CreateIndex":%d,"ModifyIndex":%d}]'
                % (
                    msgspec.json.encode(key),
                    version.head.flags,
                    value,
                    version.index,
                    version.index,
                )
            )
            if version.index > index:
                self._answers[key] = (version.index, body)
        return body

    def _allowed(self, request: web.Request) -> bool:
        if self._token is None:
            return True
        given = request.headers.get("X-Consul-Token", "").encode()
        return hmac.compare_digest(given, self._token().encode())

    def _not_served(self, what: str, text: str) -> web.Response:
        self._figures.refused.labels(what).inc()
        return _text(501, text)

    # --- pages for operators ---------------------------------------------------------------------

    async def _healthy(self, _: web.Request) -> web.Response:
        return _text(200, "ok")

    async def _ready(self, _: web.Request) -> web.Response:
        """Ready once every ring was read, and also while the table is away.

        All replicas lose the table at once; if that made them not ready, every watch would lose its
        connection and sleep for up to a minute after the table is back.
        """
        if self.draining:
            return _text(503, "going")
        if not self._rings.begun:
            return _text(503, "the rings have not been read yet")
        return _text(200, "ready")

    async def _metrics(self, _: web.Request) -> web.Response:
        return _text(200, self._figures.page().decode(), "text/plain")

    async def _pages(self, _: web.Request) -> web.Response:
        page = {
            "schema": "mimir-migrate/1",
            "now": self._now(),
            "started": self._clients.started,
            "table": self._rings.table.name,
            "cluster": self._rings.table.cluster,
            "table_away_since": self._rings.away_since,
            "rings": {key: _page(one) for key, one in self._rings.replicas.items()},
            "clients": self._clients.lately(),
            "probe": None if self._probe is None else self._probe.page(),
        }
        return _text(200, msgspec.json.encode(page).decode(), "application/json")


def _page(replica: Replica) -> dict[str, object]:
    version = replica.version
    if version is None:
        return {"index": 0, "exists": False, "members": []}
    members = [
        decode_instance(id_, write_item(entry), version.head.members[id_].since)
        for id_, entry in version.entries.items()
    ]
    return {
        "index": version.index,
        "exists": version.head.exists,
        "heartbeats_per_second": round(replica.pace.rate(), 2),
        "members": members,
    }


def _cut(request: web.Request) -> None:
    """Close a connection now, whatever is still to be sent."""
    if request.transport is not None:
        request.transport.abort()


def _headers(index: int) -> dict[str, str]:
    return {
        "X-Consul-Index": str(index),
        "X-Consul-KnownLeader": "true",
        "X-Consul-LastContact": "0",
    }


def _not_there(index: int) -> web.Response:
    from aiohttp import web

    return web.Response(status=404, headers=_headers(index))


def _text(status: int, text: str, content_type: str = "text/plain") -> web.Response:
    from aiohttp import web

    return web.Response(status=status, text=text, content_type=content_type)


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) > _LARGEST_INDEX:
        raise ValueError(f"{text[:40]!r} is not an index")
    return int(text)


def _seconds(wait: str) -> float:
    """Consul's `wait`: a Go duration, of which its client only writes milliseconds.

    Raises:
        ValueError: It is not a duration.
    """
    from mimir_migrate.durations import read_duration

    if not wait:
        return DEFAULT_WAIT
    seconds = read_duration(wait)
    if seconds is None or seconds < 0:
        raise ValueError(f"wait {wait[:40]!r} is not a duration")
    return min(seconds, DEFAULT_WAIT)
