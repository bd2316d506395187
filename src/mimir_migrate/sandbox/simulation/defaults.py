"""The products' own defaults, as far as the simulation acts on them, and the names of all settings.

Values are those of `/config?mode=defaults` of Cortex a8c6358a and of Mimir's flags (dskit). Settings
that decide nothing here are known by name and shown empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from mimir_migrate.documents.config.keys import (
    OMITTED_WHEN_EMPTY,
    KnownKeys,
    known_named,
    named_versions,
)
from mimir_migrate.model.rings import Product, Ring, rings_of

Path = tuple[str, ...]
Tree = dict[str, Any]

_KV: Final[dict[str, Any]] = {
    "consul.host": "localhost:8500",
    "consul.acl_token": "",
    "consul.http_client_timeout": "20s",
    "consul.consistent_reads": False,
    "consul.watch_rate_limit": 1,
    "consul.watch_burst_size": 1,
    "consul.cas_retry_delay": "1s",
    "etcd.endpoints": [],
    "etcd.dial_timeout": "10s",
    "etcd.max_retries": 10,
    "etcd.tls_enabled": False,
    "etcd.tls_insecure_skip_verify": False,
    "multi.primary": "",
    "multi.secondary": "",
    "multi.mirror_enabled": False,
    "multi.mirror_timeout": "2s",
}
_DYNAMODB: Final[dict[str, Any]] = {
    "dynamodb.region": "",
    "dynamodb.table_name": "",
    "dynamodb.ttl": "0s",
    "dynamodb.puller_sync_time": "1m0s",
    "dynamodb.max_cas_retries": 10,
    "dynamodb.timeout": "2m0s",
}
_COMMON: Final[dict[str, Any]] = {
    "target": "all",
    "server.http_listen_port": 80,
    "server.grpc_listen_port": 9095,
    "server.http_listen_address": "",
    "server.grpc_listen_address": "",
    "memberlist.node_name": "",
    "memberlist.randomize_node_name": True,
    "memberlist.stream_timeout": "10s",
    "memberlist.retransmit_factor": 4,
    "memberlist.pull_push_interval": "30s",
    "memberlist.gossip_interval": "200ms",
    "memberlist.gossip_nodes": 3,
    "memberlist.gossip_to_dead_nodes_time": "30s",
    "memberlist.dead_node_reclaim_time": "0s",
    "memberlist.compression_enabled": True,
    "memberlist.advertise_addr": "",
    "memberlist.advertise_port": 7946,
    "memberlist.cluster_label": "",
    "memberlist.cluster_label_verification_disabled": False,
    "memberlist.join_members": [],
    "memberlist.min_join_backoff": "1s",
    "memberlist.max_join_backoff": "1m0s",
    "memberlist.max_join_retries": 10,
    "memberlist.rejoin_interval": "0s",
    "memberlist.left_ingesters_timeout": "5m0s",
    "memberlist.leave_timeout": "5s",
    "memberlist.bind_addr": [],
    "memberlist.bind_port": 7946,
    "memberlist.abort_if_cluster_fast_join_fails": False,
    "runtime_config.period": "10s",
    "runtime_config.file": "",
    "distributor.ha_tracker.enable_ha_tracker": False,
    "limits.ingestion_rate_strategy": "local",
}
_CORTEX: Final[dict[str, Any]] = {
    "auth_enabled": True,
    "http_prefix": "/api/prom",
    "memberlist.abort_if_cluster_join_fails": True,
    "ingester.lifecycler.ring.heartbeat_timeout": "1m0s",
    "ingester.lifecycler.ring.replication_factor": 3,
    "ingester.lifecycler.ring.zone_awareness_enabled": False,
    "ingester.lifecycler.num_tokens": 128,
    "ingester.lifecycler.heartbeat_period": "5s",
    "ingester.lifecycler.observe_period": "0s",
    "ingester.lifecycler.join_after": "0s",
    "ingester.lifecycler.min_ready_duration": "15s",
    "ingester.lifecycler.final_sleep": "30s",
    "ingester.lifecycler.tokens_file_path": "",
    "ingester.lifecycler.availability_zone": "",
    "ingester.lifecycler.unregister_on_shutdown": True,
    "ingester.lifecycler.readiness_check_ring_health": True,
    "store_gateway.sharding_enabled": False,
    "store_gateway.sharding_ring.replication_factor": 3,
    "store_gateway.sharding_ring.tokens_file_path": "",
    "store_gateway.sharding_ring.zone_awareness_enabled": False,
    "store_gateway.sharding_ring.keep_instance_in_the_ring_on_shutdown": False,
    "store_gateway.sharding_ring.wait_stability_min_duration": "1m0s",
    "store_gateway.sharding_ring.wait_stability_max_duration": "5m0s",
    "store_gateway.sharding_ring.wait_instance_state_timeout": "10m0s",
    "compactor.sharding_enabled": False,
    "compactor.sharding_ring.auto_forget_delay": "2m0s",
    "compactor.sharding_ring.wait_stability_min_duration": "1m0s",
    "compactor.sharding_ring.wait_stability_max_duration": "5m0s",
    "compactor.sharding_ring.wait_active_instance_timeout": "10m0s",
    "compactor.sharding_ring.unregister_on_shutdown": True,
    "ruler.enable_sharding": False,
    "ruler.ring.num_tokens": 128,
    "ruler.ring.keep_instance_in_the_ring_on_shutdown": False,
    "alertmanager.sharding_enabled": False,
    "alertmanager.sharding_ring.replication_factor": 3,
    "alertmanager.sharding_ring.wait_instance_state_timeout": "10m0s",
    "alertmanager.sharding_ring.keep_instance_in_the_ring_on_shutdown": False,
}
_MIMIR: Final[dict[str, Any]] = {
    "multitenancy_enabled": True,
    "server.http_listen_port": 8080,
    "memberlist.abort_if_cluster_join_fails": False,
    "ingester.ring.replication_factor": 3,
    "ingester.ring.zone_awareness_enabled": False,
    "ingester.ring.num_tokens": 512,
    "ingester.ring.tokens_file_path": "",
    "ingester.ring.unregister_on_shutdown": True,
    "ingester.ring.observe_period": "0s",
    "ingester.ring.min_ready_duration": "15s",
    "ingester.ring.final_sleep": "0s",
    "store_gateway.sharding_ring.replication_factor": 3,
    "store_gateway.sharding_ring.zone_awareness_enabled": False,
    "store_gateway.sharding_ring.tokens_file_path": "",
    "store_gateway.sharding_ring.unregister_on_shutdown": True,
    "store_gateway.sharding_ring.num_tokens": 512,
    "store_gateway.sharding_ring.auto_forget_unhealthy_periods": 10,
    "store_gateway.sharding_ring.wait_stability_min_duration": "0s",
    "store_gateway.sharding_ring.wait_stability_max_duration": "5m0s",
    "compactor.sharding_ring.auto_forget_unhealthy_periods": 10,
    "compactor.sharding_ring.wait_stability_min_duration": "0s",
    "compactor.sharding_ring.wait_stability_max_duration": "5m0s",
    "compactor.sharding_ring.wait_active_instance_timeout": "10m0s",
    "distributor.ring.auto_forget_unhealthy_periods": 10,
    "ruler.ring.num_tokens": 128,
    "ruler.ring.auto_forget_unhealthy_periods": 2,
    "alertmanager.sharding_ring.replication_factor": 3,
    "query_scheduler.service_discovery_mode": "dns",
    "query_scheduler.ring.auto_forget_unhealthy_periods": 10,
    "overrides_exporter.ring.enabled": False,
    "overrides_exporter.ring.auto_forget_unhealthy_periods": 4,
    "querier.ring.enabled": False,
    "ingest_storage.enabled": False,
    "usage_tracker.enabled": False,
}
_LISTS: Final = ("join_members", "bind_addr", "endpoints", "instance_interface_names")


@cache
def known_settings(
    product: Product, version: str, stores: frozenset[str]
) -> tuple[frozenset[Path], frozenset[Path]]:
    """Every setting that the binary knows, and those of them below which anything may stand.

    Args:
        product: Which product.
        version: Its version; one without a list of its own counts as the newest that has one.
        stores: Stores that the build offers besides the product's own.
    """
    known = known_named(product, version) if version else None
    if known is None:
        known = known_named(product, named_versions(product)[-1])
    if known is None:
        return frozenset(), frozenset()
    settings = {path for path in known.settings if path not in known.maps}
    rings = [ring for ring in rings_of(product) if _knows(known, ring)]
    for ring in rings:
        offered = "dynamodb" in stores or (*ring.path, "dynamodb") in known.blocks
        if offered:
            settings |= {(*ring.path, *key.split(".")) for key in _DYNAMODB}
    return frozenset(settings), frozenset(known.maps)


@cache
def default_values(product: Product, version: str, stores: frozenset[str]) -> dict[Path, Any]:
    """The default of every setting that the binary knows, by path, in the order of the pages."""
    settings, maps = known_settings(product, version, stores)
    values: dict[Path, Any] = {}
    for key, value in {**_COMMON, **(_CORTEX if product is Product.CORTEX else _MIMIR)}.items():
        values[tuple(key.split("."))] = value
    for ring in rings_of(product):
        values |= dict(_ring_values(ring))
    omitted = OMITTED_WHEN_EMPTY[product]
    found = {
        path: values.get(path, [] if path[-1] in _LISTS else "")
        for path in sorted(settings)
        if path not in omitted
    }
    return found | {path: {} for path in sorted(maps) if path not in omitted}


def _knows(known: KnownKeys, ring: Ring) -> bool:
    return (*ring.path, "store") in known.settings


def _ring_values(ring: Ring) -> Iterator[tuple[Path, Any]]:
    yield (*ring.path, "store"), ring.default_store
    yield (*ring.path, "prefix"), ring.default_prefix
    for key, value in {**_KV, **_DYNAMODB}.items():
        yield (*ring.path, *key.split(".")), value
    if ring.heartbeat_period:
        yield ring.heartbeat_period_path, ring.heartbeat_period
    yield ring.heartbeat_timeout_path, ring.heartbeat_timeout
    yield (*ring.ring_path, "instance_addr"), ""
    yield (*ring.ring_path, "instance_port"), 0
    yield (*ring.ring_path, "instance_interface_names"), ["eth0", "en0"]
