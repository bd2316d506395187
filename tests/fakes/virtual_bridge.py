"""A ring bridge in virtual time: one store that answers as Consul does, shown as three replicas show theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from memory_consul import MemoryConsul

from mimir_migrate.errors import UnreachableError
from mimir_migrate.model.facts import Member, Pod, TableItems
from mimir_migrate.model.rings import Product, rings_of
from mimir_migrate.model.target import BridgeTarget, TableTarget, Target, Through
from mimir_migrate.ports import Page
from mimir_migrate.sandbox.interface import Scheduler
from mimir_migrate.sandbox.simulation.host import Host, HostClock
from mimir_migrate.sandbox.simulation.stores.ring_values import RingValues
from mimir_migrate.sandbox.simulation.stores.wire import NO_ANSWER, Answer, Request

SERVICE = "ring-bridge.observability.svc"
REPLICAS = 3
KEYS = tuple(ring.ring_key() for ring in rings_of(Product.MIMIR) if ring.movable)


class VirtualBridge(MemoryConsul):
    """What simulated pods ask, and what the tool asks of its replicas.

    Args:
        scheduler: Time.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self.index = round(scheduler.now() * 1000)
        self._values = RingValues(HostClock(scheduler, 1.0))
        self._started = scheduler.now()
        self.table_away_since: float | None = None
        """Since when its table does not answer it; requests of pods are not answered meanwhile."""
        self._clients: dict[str, tuple[float, set[str]]] = {}
        self._since: dict[str, dict[str, tuple[Member, int]]] = {}
        """By key: each member without its heartbeat, and the index of its last other change."""

    def through(self, target: Target, table: str, timeout: str = "4m") -> Target:
        """The target of a release that reaches DynamoDB through this bridge."""
        return msgspec.structs.replace(
            target,
            dynamodb=TableTarget(table=table, through=Through.BRIDGE),
            bridge=BridgeTarget(service=SERVICE, heartbeat_timeout=timeout),
        )

    def send(
        self, host: Host, request: Request, done: Callable[[Answer], None]
    ) -> Callable[[], None]:
        keys = self._clients.get(host.ip, (0.0, set()))[1] | {request.key}
        self._clients[host.ip] = self.scheduler.now(), keys
        if self.table_away_since is not None:  # held for longer than a client waits
            expires = request.timeout
            answer = Answer(status=NO_ANSWER, problem="context deadline exceeded")
            self.scheduler.after(expires, lambda: done(answer) if host.alive else None)
            return lambda: None
        return super().send(host, request, done)

    def write(self, key: str, value: bytes) -> int:
        index = super().write(key, value)
        known = self._since.get(key, {})
        shapes = {
            id_: msgspec.structs.replace(member, timestamp=0)
            for id_, member in self._values.decode(value).items()
        }
        self._since[key] = {
            id_: known[id_] if id_ in known and known[id_][0] == shape else (shape, index)
            for id_, shape in shapes.items()
        }
        return index

    def members(self, key: str) -> tuple[Member, ...]:
        """A ring as the table has it, with the heartbeats of its head."""
        if key not in self.values:
            return ()
        found = self._values.decode(self.values[key][1])
        return tuple(
            msgspec.structs.replace(member, version=self._since[key][id_][1])
            for id_, member in found.items()
        )

    def items(self, table: str, ring: str, key: str) -> TableItems:
        """A ring's items: each with the heartbeat of its last other change."""
        members = tuple(
            msgspec.structs.replace(member, timestamp=member.registered_timestamp)
            for member in self.members(key)
        )
        now = self.scheduler.now()
        return TableItems(table=table, ring=ring, ring_key=key, members=members, at=now)

    # --- what the tool asks ---------------------------------------------------------------------

    def pods(self) -> Sequence[Pod]:
        """Every replica."""
        return tuple(
            Pod(
                name=f"ring-bridge-{number}",
                uid=f"bridge-{number}",
                component="ring-bridge",
                ip=f"10.43.0.{number}",
                phase="Running",
                ready=self.lives,
            )
            for number in range(1, REPLICAS + 1)
        )

    def get(self, pod: Pod, path: str) -> Page:
        """The page `/rings` of a replica."""
        assert path == "/rings", path
        if not self.lives:
            raise UnreachableError(f"asking {pod.name} for {path}: connection refused")
        body = json.dumps(self._page(pod.name)).encode()
        return Page(status=200, content_type="application/json", body=body)

    def _page(self, replica: str) -> dict[str, Any]:
        now = self.scheduler.now()
        return {
            "probe": {
                "name": replica,
                "written": int(now * 1000),
                "written_at": now,
                "read": {pod.name: int(now * 1000) for pod in self.pods()},
                "read_at": now,
            },
            "now": self.scheduler.now(),
            "started": self._started,
            "table_away_since": self.table_away_since,
            "rings": {
                key: {
                    "index": self.values[key][0] if key in self.values else self.index,
                    "exists": key in self.values,
                    "members": msgspec.to_builtins(self.members(key)),
                }
                for key in KEYS
            },
            "clients": {
                ip: {"last": last, "keys": sorted(keys)}
                for ip, (last, keys) in self._clients.items()
            },
        }
