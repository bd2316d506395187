"""The KV clients of one process, built from its configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from mimir_migrate.model.rings import Ring
from mimir_migrate.sandbox.simulation.configuration import Configuration
from mimir_migrate.sandbox.simulation.host import Host
from mimir_migrate.sandbox.simulation.host import Ring as Members
from mimir_migrate.sandbox.simulation.stores.consul import ConsulClient, ConsulSettings
from mimir_migrate.sandbox.simulation.stores.dynamodb import DynamoDBClient
from mimir_migrate.sandbox.simulation.stores.gossip import GossipNode, GossipSettings
from mimir_migrate.sandbox.simulation.stores.kv import (
    AbsentClient,
    InMemoryClient,
    KVClient,
    MemberlistClient,
    Meter,
)
from mimir_migrate.sandbox.simulation.stores.multi import MultiClient
from mimir_migrate.sandbox.simulation.stores.ring_values import RingValues
from mimir_migrate.sandbox.simulation.stores.table import TableAccess
from mimir_migrate.sandbox.simulation.stores.wire import Wire


class RingClient(msgspec.Struct, frozen=True, kw_only=True):
    """One ring's KV client in one process, by `kv_name`."""

    ring: Ring
    kv_name: str
    kv: KVClient
    meter: Meter

    @property
    def multi(self) -> MultiClient | None:
        """The client where the ring is on `multi`."""
        return self.kv if isinstance(self.kv, MultiClient) else None


class ClientFactory:
    """Builds KV clients for one process.

    Args:
        host: Its clock and timers.
        configuration: What it runs with.
        table: The ring table.
        generation: The generation of the DynamoDB client.
        gossip: Gives the process' memberlist, starting none.
        wire: Carries the requests of Consul clients.
        values: Encodes rings for them.
        without: Mechanisms taken out: `mirroring`, `left-marking`, `delete`.
        mirror_lost: Says whether a mirrored write of now gets lost.
    """

    def __init__(
        self,
        host: Host,
        configuration: Configuration,
        table: TableAccess,
        generation: str,
        gossip: Callable[[], GossipNode],
        *,
        wire: Wire,
        values: RingValues,
        without: frozenset[str] = frozenset(),
        mirror_lost: Callable[[], bool] = lambda: False,
    ) -> None:
        self._host = host
        self._configuration = configuration
        self._table = table
        self._generation = generation
        self._gossip = gossip
        self._wire = wire
        self._values = values
        self._without = without
        self._mirror_lost = mirror_lost
        self._memory: dict[str, Members] = {}

    def build(self, ring: Ring, kv_name: str) -> RingClient:
        """The client of a ring for one `kv_name`."""
        meter = Meter(kv_name)
        names = self._configuration.store_names(ring)
        if not self._configuration.is_multi(ring):
            kv = self._client(ring, names[0], meter, "primary")
            return RingClient(ring=ring, kv_name=kv_name, kv=kv, meter=meter)
        clients = {
            name: self._client(ring, name, meter, role)
            for name, role in zip(names, ("primary", "secondary"), strict=True)
        }
        mirrors = self._configuration.value((*ring.path, "multi", "mirror_enabled"))
        multi = MultiClient(
            self._host,
            clients,
            primary=names[0],
            mirrors=bool(mirrors),
            meter=meter,
            mirroring_works="mirroring" not in self._without,
            lost=self._mirror_lost,
        )
        return RingClient(ring=ring, kv_name=kv_name, kv=multi, meter=meter)

    def _client(self, ring: Ring, store: str, meter: Meter, role: str) -> KVClient:
        if store == "memberlist":
            return MemberlistClient(self._gossip(), meter, role)
        if store == "dynamodb":
            block = (*ring.path, "dynamodb")
            return DynamoDBClient(
                self._host,
                self._table,
                table=str(self._configuration.value((*block, "table_name"))),
                puller_sync_time=self._configuration.seconds((*block, "puller_sync_time"), 60.0),
                generation=self._generation,
                meter=meter,
                role=role,
                deletes="delete" not in self._without,
            )
        if store == "inmemory":
            return InMemoryClient(self._host, self._memory, meter, role)
        if store == "consul":
            return ConsulClient(
                self._host,
                self._wire,
                self._values,
                _consul_settings(self._configuration, ring),
                meter,
                role,
                self._configuration.seconds((*ring.path, "multi", "mirror_timeout")),
            )
        return AbsentClient(store, self._host, meter, role)


def _consul_settings(configuration: Configuration, ring: Ring) -> ConsulSettings:
    block = (*ring.path, "consul")

    def value(name: str) -> Any:
        return configuration.value((*block, name))

    return ConsulSettings(
        host=str(value("host")),
        token=str(value("acl_token") or ""),
        timeout=configuration.seconds((*block, "http_client_timeout"), 20.0),
        consistent_reads=bool(value("consistent_reads")),
        watch_rate=float(value("watch_rate_limit") or 0),
        watch_burst=int(value("watch_burst_size") or 0),
        cas_retry_delay=configuration.seconds((*block, "cas_retry_delay")),
    )


def gossip_settings(configuration: Configuration) -> GossipSettings:
    """The `memberlist` block as far as the simulation acts on it."""

    def block(key: str) -> tuple[str, str]:
        return ("memberlist", key)

    return GossipSettings(
        joins=bool(configuration.value(block("join_members"))),
        cluster_label=str(configuration.value(block("cluster_label")) or ""),
        port=int(configuration.value(block("bind_port")) or 7946),
        rejoin_interval=configuration.seconds(block("rejoin_interval")),
        abort_if_join_fails=bool(configuration.value(block("abort_if_cluster_join_fails"))),
        abort_if_fast_join_fails=bool(
            configuration.value(block("abort_if_cluster_fast_join_fails"))
        ),
        min_join_backoff=configuration.seconds(block("min_join_backoff"), 1.0),
        max_join_backoff=configuration.seconds(block("max_join_backoff"), 60.0),
        max_join_retries=int(configuration.value(block("max_join_retries")) or 10),
        left_timeout=configuration.seconds(block("left_ingesters_timeout"), 300.0),
    )
