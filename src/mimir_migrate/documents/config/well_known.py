"""Settings that people write and that no binary has: why they are wrong, and what to write instead."""

from __future__ import annotations

import msgspec

from mimir_migrate.model.rings import Product

Path = tuple[str, ...]

ANY = "**"
"""In a pattern: any number of keys before the rest."""


class WellKnown(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that is wrong in a well-known way."""

    pattern: Path
    explanation: str
    instead: str
    products: tuple[Product, ...] = (Product.MIMIR, Product.CORTEX)
    moved_to: Path = ()
    """Where the whole block belongs; empty: it is not a block that can be moved as it is."""

    def fits(self, path: Path) -> bool:
        """Whether this is about the setting at `path`."""
        if self.pattern[0] == ANY:
            tail = self.pattern[1:]
            return path[-len(tail) :] == tail
        return path == self.pattern


_MIMIR = (Product.MIMIR,)
_CORTEX = (Product.CORTEX,)

_RING_DYNAMODB = (
    "consistent_read max_retries backoff max_idle_conns max_open_conns conn_max_lifetime"
)
"""Settings of other programs' DynamoDB or SQL clients that get carried into a ring's block."""

_CACHES = (
    "frontend.results_cache blocks_storage.bucket_store.index_cache "
    "blocks_storage.bucket_store.chunks_cache blocks_storage.bucket_store.metadata_cache"
)

_ENTERPRISE = "admin_api admin_client auth cluster_name gateway graphite instrumentation license"

_SHARDS = "Mimir always shards; the switch went with Cortex"


def _entry(
    written: str,
    explanation: str,
    instead: str,
    products: tuple[Product, ...] = tuple(Product),
    *,
    moved_to: str = "",
) -> WellKnown:
    return WellKnown(
        pattern=tuple(written.split(".")),
        explanation=explanation,
        instead=instead,
        products=products,
        moved_to=tuple(moved_to.split(".")) if moved_to else (),
    )


WELL_KNOWN: tuple[WellKnown, ...] = (
    _entry(
        "index_gateway",
        "the index gateway is a component of Loki; the index of metrics is part of the blocks in "
        "object storage, and the store-gateway reads it",
        "remove the block (its `ring` is not a ring of Mimir or Cortex, and its table is not used); "
        "the store is `blocks_storage`, the reader `store_gateway`",
    ),
    _entry(
        "query_frontend",
        "the query-frontend's block is called `frontend`; `query_frontend` is the chart's name for "
        "its pods, outside of the structured configuration",
        "move what is in it to `frontend`",
        moved_to="frontend",
    ),
    _entry(
        "querier.metadata_cache",
        "the querier has no cache of its own; metadata of blocks is cached by the block store's "
        "client, which querier and store-gateway share",
        "`blocks_storage.bucket_store.metadata_cache`",
        moved_to="blocks_storage.bucket_store.metadata_cache",
    ),
    _entry(
        "querier.index_cache",
        "the querier has no index cache; the store-gateway has",
        "`blocks_storage.bucket_store.index_cache`",
        moved_to="blocks_storage.bucket_store.index_cache",
    ),
    _entry(
        "querier.chunks_cache",
        "the querier has no chunks cache; the store-gateway has",
        "`blocks_storage.bucket_store.chunks_cache`",
        moved_to="blocks_storage.bucket_store.chunks_cache",
    ),
    _entry(
        "ruler.ruler_storage",
        "`ruler_storage` is a block of its own and does not belong in `ruler`",
        "`ruler_storage` at the top level, with the same settings",
        moved_to="ruler_storage",
    ),
    _entry(
        "ruler.storage",
        "the place of the rules is a block of its own",
        "`ruler_storage` at the top level",
    ),
    _entry(
        "alertmanager.alertmanager_storage",
        "`alertmanager_storage` is a block of its own and does not belong in `alertmanager`",
        "`alertmanager_storage` at the top level, with the same settings",
        moved_to="alertmanager_storage",
    ),
    _entry(
        "alertmanager.storage",
        "the place of the alertmanager's state is a block of its own",
        "`alertmanager_storage` at the top level",
    ),
    *(
        _entry(
            f"{cache}.redis",
            "Mimir 3.0 has no Redis as a cache any more",
            f"`{cache}.backend: memcached`, and its settings in `{cache}.memcached`",
            _MIMIR,
        )
        for cache in _CACHES.split()
    ),
    _entry(
        "limits.max_concurrent",
        "how many queries run at once is a setting of each querier, not a tenant's limit",
        "`querier.max_concurrent`",
    ),
    _entry(
        "limits.max_query_length",
        "Mimir has two limits instead: for the whole query, and for the part that one querier does",
        "`limits.max_total_query_length`, and `limits.max_partial_query_length`",
        _MIMIR,
    ),
    *(
        _entry(
            f"{ANY}.dynamodb.{name}",
            f"`{name}` is not a setting of a ring's DynamoDB client",
            "remove it; the client takes `region`, `table_name`, `ttl` and `puller_sync_time` "
            "(newer ones `max_cas_retries` and `timeout` as well)",
        )
        for name in _RING_DYNAMODB.split()
    ),
    _entry(
        f"{ANY}.kvstore.dynamodb",
        "this binary has no DynamoDB client for rings; Cortex has one since 1.15, no release of "
        "Mimir has",
        "remove the block and keep the ring on `store: memberlist`, or run a build that carries "
        "the client",
    ),
    _entry(
        f"{ANY}.kvstore.memberlist",
        "memberlist has no settings inside a ring's `kvstore`; all rings share one gossip",
        "`memberlist` at the top level; in the ring `store: memberlist` only",
    ),
    _entry(
        f"{ANY}.kvstore.join_members",
        "gossip is configured once for all rings",
        "`memberlist.join_members` at the top level",
    ),
    _entry(
        "ingester.lifecycler",
        "`lifecycler` is Cortex's name; in Mimir its settings stand in `ingester.ring`",
        "`ingester.ring` (the settings of `lifecycler` and those of its `ring` in one block)",
        _MIMIR,
    ),
    _entry(
        "ingester.ring",
        "`ingester.ring` is Mimir's name for the ingester's ring",
        "`ingester.lifecycler.ring`, and `heartbeat_period` one level higher",
        _CORTEX,
    ),
    _entry("auth_enabled", "Cortex's name", "`multitenancy_enabled`", _MIMIR),
    _entry("multitenancy_enabled", "Mimir's name", "`auth_enabled`", _CORTEX),
    _entry(
        "query_range",
        "Cortex's block; Mimir merged it into the query-frontend's",
        "`frontend` (`results_cache`, `cache_results`, `split_queries_by_interval`)",
        _MIMIR,
    ),
    _entry("store_gateway.sharding_enabled", _SHARDS, "remove it", _MIMIR),
    _entry("compactor.sharding_enabled", _SHARDS, "remove it", _MIMIR),
    _entry("alertmanager.sharding_enabled", _SHARDS, "remove it", _MIMIR),
    _entry("ruler.enable_sharding", _SHARDS, "remove it", _MIMIR),
    _entry(
        "common",
        "`common` is Mimir's; Cortex takes each store's settings in its own block",
        "`blocks_storage`, `ruler_storage` and `alertmanager_storage`",
        _CORTEX,
    ),
    _entry(
        "runtime_config.reload_period",
        "the flag is `-runtime-config.reload-period`, the setting has another name",
        "`runtime_config.period`",
    ),
    *(
        _entry(
            name,
            "a block of Grafana Enterprise Metrics; the open-source binary does not know it",
            "remove it; where the binary is the enterprise one, check against its own page "
            "(`--defaults`)",
            _MIMIR,
        )
        for name in _ENTERPRISE.split()
    ),
    _entry(
        "schema_config",
        "there is no schema: chunks storage is gone from Cortex and was never in Mimir (Loki's is)",
        "remove the block; the store is `blocks_storage`",
    ),
    _entry(
        "storage_config",
        "a block of Loki",
        "`blocks_storage`",
    ),
    _entry(
        "table_manager",
        "tables of chunks storage are gone from Cortex and were never in Mimir",
        "remove the block",
    ),
    _entry(
        "chunk_store_config",
        "chunks storage is gone from Cortex and was never in Mimir",
        "remove the block; caches are in `blocks_storage.bucket_store`",
    ),
)
"""Well-known wrong settings of the structured configuration, the more special ones first."""

WELL_KNOWN_RUNTIME: tuple[WellKnown, ...] = (
    _entry(
        "limits",
        "the runtime configuration has limits for each tenant, none for all",
        "`overrides.TENANT`, or `limits` in the structured configuration",
    ),
    _entry(
        "multi_kv_config.secondary",
        "the runtime configuration chooses between the two stores that the ring is configured "
        "with; it cannot name the second one",
        "remove it; `primary` and `mirror_enabled` are all there is",
    ),
    _entry(
        "multi_kv",
        "the block is called `multi_kv_config`",
        "`multi_kv_config`",
    ),
    _entry(
        "ingester_stream_chunks_when_using_blocks",
        "Mimir 3.0 has no such switch any more: ingesters always stream",
        "remove it",
        _MIMIR,
    ),
    _entry(
        "distributor_limits",
        "Cortex takes limits for whole ingesters at run time, for distributors only in the "
        "structured configuration",
        "`distributor.instance_limits` in the structured configuration",
        _CORTEX,
    ),
)
"""Well-known wrong settings of the runtime configuration."""


def well_known(path: Path, product: Product | None, *, runtime: bool = False) -> WellKnown | None:
    """What is known about a wrong setting; None: nothing of its own."""
    table = WELL_KNOWN_RUNTIME if runtime else WELL_KNOWN
    return next(
        (one for one in table if one.fits(path) and (product is None or product in one.products)),
        None,
    )
