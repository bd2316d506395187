"""Replicas of a bridge over one table in memory, in virtual time, with a storage that has bad days."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from memory_dynamodb import MemoryDynamoDB

from mimir_migrate.bridge.replica import Replica
from mimir_migrate.bridge.rings import Rings
from mimir_migrate.bridge.table import Table

TABLE = "rings"
KEY = "collectors/ring"
CLUSTER = "one"
EPOCH = 1_790_000_000.0
Result = TypeVar("Result")


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How often what goes wrong, as parts of one."""

    latency: float = 0.02
    """Most seconds on each way of a call."""
    throttled: float = 0.0
    unheard: float = 0.0
    """Calls that never arrive."""
    unanswered: float = 0.0
    """Calls that are done, and whose answer is lost."""
    late: float = 0.0
    """Calls that are given up, and are done after that."""


CALM = Weather()
STORM = Weather(latency=0.05, throttled=0.08, unheard=0.02, unanswered=0.05, late=0.03)
TIMEOUT = 3.0


class GoneError(Exception):
    """The replica that was asked has been killed."""


class Calls:
    """Calls of the table, in a weather."""

    def __init__(self, storage: MemoryDynamoDB, draw: random.Random) -> None:
        self.weather = CALM
        self.away = False
        self._storage = storage
        self._draw = draw

    async def __call__(self, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        await self._pause()
        if self.away:
            raise EndpointConnectionError(endpoint_url="http://table")
        fate = self._draw.random()
        for part, what in (
            (self.weather.throttled, self._throttled),
            (self.weather.unheard, self._unheard),
            (self.weather.unanswered, self._unanswered),
            (self.weather.late, self._late),
        ):
            if fate < part:
                return await what(operation, arguments)
            fate -= part
        answer = self._storage.perform(operation, arguments)
        await self._pause()
        return answer

    async def _pause(self) -> None:
        await asyncio.sleep(self._draw.random() * self.weather.latency)

    async def _throttled(self, operation: str, _: Mapping[str, Any]) -> Mapping[str, Any]:
        code = "ProvisionedThroughputExceededException"
        raise ClientError({"Error": {"Code": code, "Message": ""}}, operation)

    async def _unheard(self, *_: Any) -> Mapping[str, Any]:
        await asyncio.sleep(TIMEOUT)
        raise ReadTimeoutError(endpoint_url="http://table")

    async def _unanswered(self, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self._storage.perform(operation, arguments)
        return await self._unheard()

    async def _late(self, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        def done() -> None:
            with suppress(ClientError):
                self._storage.perform(operation, arguments)

        asyncio.get_running_loop().call_later(TIMEOUT + 2 * self._draw.random(), done)
        return await self._unheard()


class Node:
    """One replica: a process that can be killed."""

    def __init__(self, calls: Calls, now: Callable[[], float], *keys: str) -> None:
        self._calls, self._now, self._keys = calls, now, keys or (KEY,)
        self._asked: set[asyncio.Task[Any]] = set()
        self._own: list[asyncio.Task[None]] = []
        self.rings = self._made()
        self.up = False

    def _made(self) -> Rings:
        return Rings(self._keys, Table(self._calls, TABLE, CLUSTER), self._now)

    @property
    def replica(self) -> Replica:
        return self.rings.replicas[self._keys[0]]

    def start(self) -> None:
        self.rings = self._made()
        self.up = True
        self._own = [asyncio.create_task(self._work())]

    async def _work(self) -> None:
        await self.rings.begin()
        await self.rings.poll()

    def kill(self) -> None:
        self.up = False
        for task in [*self._asked, *self._own]:
            task.cancel()
        self._asked.clear()

    async def ask(self, question: Callable[[Replica], Awaitable[Result]]) -> Result:
        """Ask the replica; `GoneError` where it is not there, or dies meanwhile."""
        if not self.up:
            raise GoneError
        for task in self._own:
            if task.done():  # it never ends by itself: what it ended of is what the test is told
                task.result()
        task: asyncio.Task[Result] = asyncio.ensure_future(question(self.replica))  # type: ignore[arg-type]
        self._asked.add(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise GoneError from None
            task.cancel()
            raise
        finally:
            self._asked.discard(task)


class World:
    """Two replicas, their table, and everything that is drawn by chance from one seed."""

    def __init__(self, seed: int, replicas: int = 2) -> None:
        self.draw = random.Random(seed)
        self.storage = MemoryDynamoDB(TABLE)
        self.calls = Calls(self.storage, self.draw)
        self.nodes = [
            Node(self.calls, self._clock(self.draw.uniform(-0.5, 0.5))) for _ in range(replicas)
        ]

    def start(self) -> None:
        for node in self.nodes:
            node.start()

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()

    def any(self) -> Node:
        return self.draw.choice(self.nodes)

    def _clock(self, skew: float) -> Callable[[], float]:
        return lambda: EPOCH + skew + asyncio.get_running_loop().time()
