"""The sandbox's Kubernetes API server, on loopback and over HTTP.

What the official client needs of an API server: lists, watches, reads, writes with conflicts, patches,
the pods' proxy, discovery, access reviews. `/sandbox/…` is the sandbox's own: its status, its faults,
and every request that changed something.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
import yaml
from aiohttp import web

from mimir_migrate import decoding
from mimir_migrate.documents.network_policies import closing, policy_from_json
from mimir_migrate.errors import MigrateError
from mimir_migrate.sandbox.interface import PodPhase, RemoteProcess
from mimir_migrate.sandbox.kubernetes import discovery, tables
from mimir_migrate.sandbox.kubernetes.access import Access, asked_by_review, asked_of
from mimir_migrate.sandbox.kubernetes.answers import (
    WatchLines,
    body_of,
    failure,
    json_response,
    unreachable,
)
from mimir_migrate.sandbox.kubernetes.api_faults import ApiFaults, DroppedError
from mimir_migrate.sandbox.kubernetes.api_paths import REVIEWS, ApiPath, target_of
from mimir_migrate.sandbox.kubernetes.cluster import Cluster
from mimir_migrate.sandbox.kubernetes.objects import KINDS, ApiError, Object, ObjectEvent
from mimir_migrate.sandbox.kubernetes.portforward import port_of
from mimir_migrate.sandbox.kubernetes.portforward import serve as serve_forward

_MUTATING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LOOK_AT_FAULT: Final = 0.1
_PROXY_TIMEOUT: Final = 30.0
"""The API server's own patience with a pod, seconds of the cluster's time."""


class ApiServer:
    """Serves one cluster.

    Args:
        cluster: The cluster.
        token: The bearer token that every request must carry.
        inject: Makes something go wrong, returns one line that says what.
        status: What `/sandbox/status` says.
        faults: What goes wrong on the server's own side.
        before_each: Called before each request is answered.
        other_requests: Requests that changed something elsewhere (DynamoDB).
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        token: str,
        inject: Callable[[str, Mapping[str, str]], str],
        status: Callable[[], Mapping[str, object]],
        faults: ApiFaults,
        before_each: Callable[[], None] = lambda: None,
        other_requests: Callable[[], Awaitable[list[dict[str, Any]]]] | None = None,
    ) -> None:
        self._cluster = cluster
        self._store = cluster.store
        self._token = token
        self._inject = inject
        self._status = status
        self._faults = faults
        self._before_each = before_each
        self._other_requests = other_requests
        self.access = Access()
        self._requests: deque[dict[str, Any]] = deque(maxlen=20_000)

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    def runner(self) -> web.AppRunner:
        """What serves the application: a watch ends with its client, and soon with the server."""
        return web.AppRunner(
            self.application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.5
        )

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            if not request.path.startswith("/sandbox/"):
                while self._faults.holds(request.path):  # noqa: ASYNC110 - a fault is cleared by another request
                    await asyncio.sleep(_LOOK_AT_FAULT)
            self._before_each()
            self._admit(request)
            if request.path.startswith("/sandbox/"):
                return await self._own(request)
            response = await self._answer(request)
        except ApiError as error:
            response = json_response(failure(error), error.code)
            if error.code == 429:
                response.headers["Retry-After"] = "1"
        except DroppedError:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if request.method in _MUTATING and not request.path.startswith("/sandbox/"):
            self._record(request, response.status)
        return response

    def _user(self, request: web.Request) -> str | None:
        """Who asks; None: the one who may do everything.

        That one may also ask as somebody else, as kubectl does with `--as`.
        """
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token == self._token:
            return request.headers.get("Impersonate-User")
        user = self.access.user_of(token)
        if user is None or request.path.startswith("/sandbox/"):
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return user

    def _admit(self, request: web.Request) -> None:
        """Let a request in, or raise what it gets instead of an answer."""
        user = self._user(request)
        target = target_of(request.path)
        if user is not None and target is not None and target.plural not in REVIEWS:
            where = (target.namespace, target.name, target.rest)
            self.access.check(user, asked_of(request.method, request.query, target.plural, where))
        if not request.path.startswith("/sandbox/"):
            self._faults.meet(
                request.method,
                request.path,
                request.headers.get("User-Agent", ""),
                versioned=bool(request.query.get("resourceVersion", "").strip("0")),
            )

    def _record(self, request: web.Request, status: int) -> None:
        target = target_of(request.path)
        if target is not None and target.plural in REVIEWS:
            return
        self._requests.append(
            {
                "at": time.time(),
                "service": "kubernetes",
                "method": request.method,
                "path": request.path,
                "agent": request.headers.get("User-Agent", ""),
                "status": status,
            }
        )

    async def _own(self, request: web.Request) -> web.Response:
        match request.path, request.method:
            case "/sandbox/status", "GET":
                return json_response(dict(self._status()))
            case "/sandbox/requests", "GET":
                found = list(self._requests)
                if self._other_requests is not None:
                    found += await self._other_requests()
                return json_response(sorted(found, key=lambda one: one["at"]))
            case "/sandbox/users", "POST":
                asked = decoding.decode(await request.read(), dict[str, Any])
                manifests = yaml.safe_load_all(str(asked["manifests"]))
                count = self.access.add(str(asked["user"]), str(asked["token"]), manifests)
                return json_response({"grains": count})
            case "/sandbox/users", "GET":
                user = request.query["user"]
                return json_response(
                    {
                        "refused": self.access.refused,
                        "not_needed": msgspec.to_builtins(self.access.not_needed(user)),
                    }
                )
            case "/sandbox/inject", "POST":
                asked = decoding.decode(await request.read(), dict[str, Any])
                try:
                    said = self._inject(str(asked["fault"]), asked.get("arguments") or {})
                except MigrateError as error:
                    text = f"{error.message}; {error.hint}" if error.hint else error.message
                    raise ApiError(400, "BadRequest", text) from error
                return json_response({"injected": said})
            case _:
                raise ApiError(404, "NotFound", "there is no such page of the sandbox")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        found = discovery.page(request.path)
        if found is not None and request.method == "GET":
            return json_response(found)
        target = target_of(request.path)
        if target is None:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        if target.plural in REVIEWS:
            body = await body_of(request)
            user = self._user(request)
            allowed = user is None or self.access.may(user, asked_by_review(body))
            return json_response({**body, "status": {"allowed": allowed}}, 201)
        if target.plural == "pods" and target.rest.split("/")[0] == "proxy":
            return await self._proxy(request, target)
        if target.plural == "pods" and target.rest == "portforward":
            return await self._forward(request, target)
        if target.rest:
            return await self._subresource(request, target)
        if target.name:
            return await self._one(request, target)
        return await self._collection(request, target)

    async def _collection(self, request: web.Request, target: ApiPath) -> web.StreamResponse:
        if request.method == "POST":
            body = await body_of(request)
            return json_response(self._store.create(target.plural, target.namespace, body), 201)
        if request.method != "GET":
            raise ApiError(405, "MethodNotAllowed", "the server does not allow this method")
        if request.query.get("watch") in {"true", "1"}:
            return await self._watch(request, target)
        kind = KINDS[target.plural]
        items = self._store.select(
            target.plural,
            target.namespace,
            labels=request.query.get("labelSelector", ""),
            fields=request.query.get("fieldSelector", ""),
        )
        version = str(self._store.version)
        if target.plural == "pods" and tables.ACCEPT in request.headers.get("Accept", ""):
            return json_response(tables.pods_table(items, version, self._cluster.scheduler.now()))
        return json_response(
            {
                "kind": f"{kind.kind}List",
                "apiVersion": kind.api_version,
                "metadata": {"resourceVersion": version},
                "items": items,
            }
        )

    async def _one(self, request: web.Request, target: ApiPath) -> web.StreamResponse:
        where = (target.plural, target.namespace, target.name)
        match request.method:
            case "GET" if request.query.get("watch") in {"true", "1"}:
                return await self._watch(request, target)
            case "GET":
                return json_response(self._store.get(*where))
            case "PUT":
                return json_response(self._store.replace(*where, await body_of(request)))
            case "PATCH":
                return json_response(
                    self._patch(target, request.content_type, await body_of(request))
                )
            case "DELETE":
                options = await body_of(request)
                grace = request.query.get("gracePeriodSeconds", options.get("gracePeriodSeconds"))
                policy = request.query.get("propagationPolicy", options.get("propagationPolicy"))
                return json_response(
                    self._store.delete(
                        *where,
                        grace=None if grace is None else int(grace),
                        orphan=policy == "Orphan",
                    )
                )
            case _:
                raise ApiError(405, "MethodNotAllowed", "the server does not allow this method")

    def _patch(self, target: ApiPath, content_type: str, body: Mapping[str, Any]) -> Object:
        where = (target.plural, target.namespace, target.name)
        if content_type == "application/apply-patch+yaml" and self._store.find(*where) is None:
            return self._store.create(target.plural, target.namespace, body)
        if content_type == "application/json-patch+json":
            raise ApiError(415, "UnsupportedMediaType", "this server takes merge patches")
        strategic = content_type != "application/merge-patch+json"
        return self._store.patch(*where, body, strategic=strategic)

    async def _subresource(self, request: web.Request, target: ApiPath) -> web.StreamResponse:
        where = (target.plural, target.namespace, target.name)
        item = self._store.get(*where)
        if target.rest == "eviction" and request.method == "POST":
            self._store.delete(*where)
            return json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"}, 201)
        if target.rest == "log" and request.method == "GET":
            lines = self._cluster.kubelet.log_of(target.namespace, target.name)
            tail = request.query.get("tailLines", "")
            kept = lines[max(0, len(lines) - int(tail)) :] if tail.isdigit() else lines
            return web.Response(text="".join(f"{line}\n" for line in kept))
        if target.rest == "status" and request.method == "GET":
            return json_response(item)
        if target.rest == "scale":
            return await self._scale(request, target, item)
        if target.rest == "status" and request.method in {"PUT", "PATCH"}:
            body = await body_of(request)
            status = {**item.get("status", {}), **(body.get("status") or {})}
            return json_response(self._store.replace_status(*where, status))
        raise ApiError(404, "NotFound", "the server could not find the requested resource")

    async def _scale(
        self, request: web.Request, target: ApiPath, item: Object
    ) -> web.StreamResponse:
        if request.method in {"PUT", "PATCH"}:
            wanted = int((await body_of(request))["spec"]["replicas"])

            def scale(one: Object) -> None:
                one["spec"]["replicas"] = wanted

            item = self._store.mutate(target.plural, target.namespace, target.name, scale)
        metadata = item["metadata"]
        return json_response(
            {
                "kind": "Scale",
                "apiVersion": "autoscaling/v1",
                "metadata": {
                    key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion")
                },
                "spec": {"replicas": item["spec"].get("replicas", 1)},
                "status": {"replicas": item.get("status", {}).get("replicas", 0)},
            }
        )

    async def _watch(self, request: web.Request, target: ApiPath) -> web.StreamResponse:
        fields = request.query.get("fieldSelector", "")
        if target.name:
            fields = f"metadata.name={target.name}"
        watch = WatchLines(target, request.query.get("labelSelector", ""), fields)
        since = request.query.get("resourceVersion", "").strip("0")
        queue: asyncio.Queue[ObjectEvent] = asyncio.Queue()
        if since:
            for event in self._store.since(int(since)):
                queue.put_nowait(event)
        else:
            for item in self._store.select(target.plural, target.namespace):
                queue.put_nowait(ObjectEvent("ADDED", target.plural, item, self._store.version))
        unsubscribe = self._store.subscribe(queue.put_nowait)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        limit = float(request.query.get("timeoutSeconds", "1800"))
        end = asyncio.get_running_loop().time() + limit
        try:
            await response.prepare(request)
            while (left := end - asyncio.get_running_loop().time()) > 0:
                try:
                    event = await asyncio.wait_for(queue.get(), left)
                except TimeoutError:
                    break
                line = watch.line(event)
                if line:
                    await response.write(line)
        except ConnectionResetError:
            pass
        finally:
            unsubscribe()
        return response

    async def _proxy(self, request: web.Request, target: ApiPath) -> web.Response:
        """Ask the pod; the name in the path is `NAME:PORT` with the port's number."""
        name, _, port = target.name.partition(":")
        self._store.get("pods", target.namespace, name)
        process = self._cluster.kubelet.process_of(target.namespace, name)
        if port and not port.isdigit():
            raise unreachable(f"lookup tcp/{port}: unknown port")
        if process is None or process.phase in {PodPhase.CRASHED, PodPhase.GONE}:
            raise unreachable(f"connect {name}: connection refused")
        if int(port or "80") != port_of(process):
            raise unreachable(f"connect {name}:{port}: connection refused")
        if self._is_closed(target.namespace, name, int(port)):
            await asyncio.sleep(_PROXY_TIMEOUT / self._cluster.speed)
            raise unreachable(f"{name}:{port}: i/o timeout")
        path = "/" + request.raw_path.partition("/proxy")[2].lstrip("/")
        accept = request.headers.get("Accept", "*/*")
        try:
            if isinstance(process, RemoteProcess):
                answer = await process.fetch(path, accept)
            else:
                answer = process.get(path, accept)
        except ConnectionError as error:
            raise unreachable(str(error)) from None
        except TimeoutError:
            await asyncio.sleep(_PROXY_TIMEOUT / self._cluster.speed)
            raise unreachable(f"{name}: i/o timeout") from None
        return web.Response(
            status=answer.status, body=answer.body, headers={"Content-Type": answer.content_type}
        )

    async def _forward(self, request: web.Request, target: ApiPath) -> web.StreamResponse:
        """Ask the pod from within: no network policy meets the kubelet."""
        self._store.get("pods", target.namespace, target.name)
        process = self._cluster.kubelet.process_of(target.namespace, target.name)
        if not (ports := request.query.get("ports", "")).isdigit():
            raise ApiError(400, "BadRequest", f"unable to parse {ports!r} as a port")
        return await serve_forward(request, process, int(ports))

    def _is_closed(self, namespace: str, name: str, port: int) -> bool:
        """Whether a network policy keeps somebody who is not a pod, as this server, from a pod's port."""
        if not (policies := self._store.select("networkpolicies", namespace)):
            return False
        labels = self._store.get("pods", namespace, name)["metadata"].get("labels") or {}
        return bool(closing(map(policy_from_json, policies), labels, port))
