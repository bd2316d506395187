"""How simulated pods reach the bridge: HTTP to the Ready pods behind its Service's name.

Each pod has connections of its own, and keeps them, as Go's client does; each new one leads to a random
pod that is Ready at that moment, as kube-proxy leads it.
"""

from __future__ import annotations

import asyncio
import errno
import random
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from mimir_migrate.sandbox.pacing import PacedScheduler
from mimir_migrate.sandbox.simulation.host import Host
from mimir_migrate.sandbox.simulation.stores.consul import LONG_POLL
from mimir_migrate.sandbox.simulation.stores.wire import NO_ANSWER, Answer, Request

LEAST_TIMEOUT: Final = 2.0
"""Seconds of the wall clock that every request has: the bridge and its table live in real time."""
PATIENCE: Final = 15.0
"""The same while the pods' time waits for answers."""
MARGIN: Final = 1.0
"""Seconds of the pods' time that pass at most without an answer that is due."""
_LOOPBACK: Final = "127."
"""A pod with such an address asks from it: the bridge tells its clients apart by them."""
_IDLE: Final = 90.0
"""Seconds that an idle connection is kept (`cleanhttp.DefaultPooledTransport`)."""


class HttpWire:
    """Carries requests of simulated pods to real processes.

    Args:
        scheduler: Time; answers are handed over in its order, and it waits for them.
        speed: How many of the pods' seconds pass in one of the wall clock.
        pods_behind: Addresses of the Ready pods behind a Service's name; None: there is no such Service.
    """

    def __init__(
        self,
        scheduler: PacedScheduler,
        speed: float,
        pods_behind: Callable[[str], Sequence[str] | None],
    ) -> None:
        self._scheduler = scheduler
        self._speed = speed
        self._pods_behind = pods_behind
        self._due: dict[int, float] = {}
        """Until when each request that is out should have its answer, by its number."""
        self._number = 0
        self._waits = True
        scheduler.bound = self._bound
        self._sessions: dict[Host, ClientSession] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def send(
        self, host: Host, request: Request, done: Callable[[Answer], None]
    ) -> Callable[[], None]:
        """Send a request of a pod; `done` is called once, unless the pod ends or it is given up."""
        task = self._follow(self._carry(host, request, done))

        def give_up() -> None:
            task.cancel()

        return give_up

    async def close(self) -> None:
        """Give up everything under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in self._sessions.values():
            await session.close()

    def wait_for_answers(self, waits: bool) -> None:
        """Say whether the pods' time waits for answers: not where a fault is what delays them."""
        self._waits = waits
        self._scheduler.look_again()

    @property
    def least_timeout(self) -> float:
        """Seconds of the wall clock that every request has."""
        return PATIENCE if self._waits else LEAST_TIMEOUT

    def _bound(self) -> float:
        if not self._waits or not self._due:
            return float("inf")
        return min(self._due.values())

    async def _carry(self, host: Host, request: Request, done: Callable[[Answer], None]) -> None:
        self._number += 1
        number = self._number
        self._due[number] = self._scheduler.now() + (MARGIN + _held(request)) / self._speed
        try:
            answer = await self._answer(host, request)

            def hand_over() -> None:
                if host.alive:
                    done(answer)

            # At the moment at which time stands; everything that fell due before it runs before it.
            self._scheduler.after(0.0, hand_over)
        finally:
            del self._due[number]
            self._scheduler.look_again()

    async def _answer(self, host: Host, request: Request) -> Answer:
        if request.host.startswith("https://"):
            return Answer(status=NO_ANSWER, problem="the sandbox's bridge serves no TLS")
        try:
            async with self._session(host).request(
                request.method,
                f"http://{request.host}/v1/kv/{request.key}",
                params=request.query,
                data=request.body or None,
                headers={"X-Consul-Token": request.token} if request.token else {},
                timeout=ClientTimeout(total=request.timeout),
            ) as answer:
                index = answer.headers.get("X-Consul-Index", "")
                return Answer(
                    status=answer.status,
                    index=int(index) if index.isdigit() else 0,
                    body=await answer.read(),
                )
        except TimeoutError:
            return Answer(status=NO_ANSWER, problem="context deadline exceeded")
        except (ClientError, OSError) as error:
            return Answer(status=NO_ANSWER, problem=str(error))

    def _session(self, host: Host) -> ClientSession:
        if host not in self._sessions:
            for ended in [one for one in self._sessions if not one.alive]:
                self._follow(self._sessions.pop(ended).close())
            connector = TCPConnector(
                limit=0,
                keepalive_timeout=_IDLE,
                resolver=_Endpoints(self._pods_behind),
                use_dns_cache=False,
                local_addr=(host.ip, 0) if host.ip.startswith(_LOOPBACK) else None,
            )
            self._sessions[host] = ClientSession(connector=connector)
        return self._sessions[host]

    def _follow(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _held(request: Request) -> float:
    """Seconds of the pods' time that a watch may be held."""
    return LONG_POLL if any(name == "index" for name, _ in request.query) else 0.0


class _Endpoints(AbstractResolver):
    """Resolves a Service's name to one of its Ready pods."""

    def __init__(self, pods_behind: Callable[[str], Sequence[str] | None]) -> None:
        self._pods_behind = pods_behind

    async def resolve(
        self, host: str, port: int = 0, family: Any = socket.AF_INET
    ) -> list[ResolveResult]:
        """One address. Raises OSError where there is no such Service, or nobody behind it."""
        pods = self._pods_behind(host.split(".", 1)[0])
        if pods is None:
            raise OSError(errno.ENOENT, f"lookup {host}: no such host")
        if not pods:
            raise OSError(errno.ECONNREFUSED, "connect: connection refused")
        chosen = random.choice(pods)
        return [
            ResolveResult(hostname=host, host=chosen, port=port, family=family, proto=0, flags=0)
        ]

    async def close(self) -> None:
        """Nothing is held."""
