"""Mimir's rings.

Which component touches a ring follows from the modules that it starts (`pkg/mimir/modules.go`, `deps`);
the names of KV clients and metrics from where each ring is made. Read in Mimir of May 2025 (2.17-dev) and
of 2026, and held to captures of real 2.17-dev pods.
"""

from __future__ import annotations

from mimir_migrate.model.ring import EnabledWhen, Ring, Role, Version

PARTITIONS = (
    "a partition ring has no heartbeat, so mirroring copies it only when a partition changes: "
    "the second store would stay empty and a switch would leave no active partition"
)
"""Why partition rings stay where they are."""
HA_TRACKER = (
    "the HA tracker is not a ring: it keeps one key for each tenant and cluster, copied only when that "
    "key is next updated, and the runtime configuration does not reach it"
)
"""Why the HA tracker stays where it is."""
_USAGE_TRACKER = "the runtime configuration does not reach the usage tracker's rings"
_CAPTURED = "captures mimir-k8s-* and mimir-loopback-*, 2.17-dev"
_MODULES = "pkg/mimir/modules.go, deps"
_FLAGS = "config-defaults of 2.17-dev"


def _ingester_roles() -> tuple[Role, ...]:
    def reader(component: str, source: str, since: Version | None = None) -> Role:
        return Role(
            component=component,
            kv_names=("ingester-ring",),
            serves_page=True,
            members_name="ingester",
            since=since,
            source=source,
        )

    return (
        Role(
            component="ingester",
            kv_names=("ingester-lifecycler",),
            writes=True,
            source="dskit ring/lifecycler.go (client NAME-lifecycler); IngesterService before 2.12",
        ),
        # It counts the series that it owns (#7087).
        Role(
            component="ingester",
            kv_names=("ingester-lifecycler", "ingester-ring"),
            writes=True,
            serves_page=True,
            members_name="ingester",
            since=(2, 12),
            source=f"{_MODULES}: IngesterService needs IngesterRing; {_CAPTURED}",
        ),
        reader("distributor", f"{_MODULES}: DistributorService needs IngesterRing; {_CAPTURED}"),
        reader("querier", f"{_MODULES}: Queryable needs IngesterRing; {_CAPTURED}"),
        reader("ruler", f"{_MODULES}: Ruler needs DistributorService; {_CAPTURED}"),
        reader(
            "query-frontend",
            f"{_MODULES}: QueryFrontendTopicOffsetsReaders needs IngesterPartitionRing, which needs "
            f"IngesterRing; {_CAPTURED}",
            (2, 14),
        ),
    )


def store_gateway_roles(source: str) -> tuple[Role, ...]:
    """Who touches the store-gateways' ring; the same in both products."""
    return (
        Role(
            component="store-gateway",
            kv_names=("store-gateway",),
            writes=True,
            serves_page=True,
            members_name="store-gateway",
            source=f"pkg/storegateway/gateway.go; {source}",
        ),
        *(
            Role(
                component=component,
                kv_names=("querier-store-gateway",),
                members_name="store-gateway-client",
                source=f"pkg/querier/blocks_store_queryable.go; {source}",
            )
            for component in ("querier", "ruler")
        ),
    )


def own(component: str, *kv_names: str, source: str) -> tuple[Role, ...]:
    """A ring that only one component writes and reads."""
    return (
        Role(
            component=component,
            kv_names=kv_names,
            writes=True,
            serves_page=True,
            members_name=component,
            source=source,
        ),
    )


def _query_scheduler_roles() -> tuple[Role, ...]:
    return (
        Role(
            component="query-scheduler",
            kv_names=("query-scheduler-lifecycler",),
            writes=True,
            serves_page=True,
            page_reads_store=True,
            source=f"pkg/scheduler/scheduler.go: RingHandler; {_CAPTURED}",
        ),
        *(
            Role(
                component=component,
                kv_names=(f"{component}-query-scheduler-client-ring",),
                members_name=f"{component}-query-scheduler-client",
                source=f"pkg/scheduler/schedulerdiscovery/discovery.go; {_CAPTURED}",
            )
            for component in ("query-frontend", "querier")
        ),
    )


def _ring(
    name: str,
    path: str,
    flag_prefix: str,
    key: str,
    page: str,
    roles: tuple[Role, ...],
    *,
    prefix: str = "collectors/",
    store: str = "memberlist",
    heartbeat_period: str = "15s",
    enabled_when: tuple[EnabledWhen, ...] = (),
    follows_runtime: bool = True,
    mirrors_whole: bool = True,
    left_because: str = "",
    source: str = f"{_FLAGS}; {_CAPTURED}",
) -> Ring:
    return Ring(
        name=name,
        path=tuple(path.split(".")),
        flag_prefix=flag_prefix,
        detail_flag_prefix=flag_prefix,
        default_store=store,
        default_prefix=prefix,
        key=key,
        page=page,
        heartbeat_period=heartbeat_period,
        heartbeat_timeout="1m0s",
        source=source,
        roles=roles,
        enabled_when=enabled_when,
        follows_runtime=follows_runtime,
        mirrors_whole=mirrors_whole,
        left_because=left_because,
    )


MIMIR_RINGS = (
    _ring(
        "ingester",
        "ingester.ring.kvstore",
        "ingester.ring.",
        "ring",
        "/ingester/ring",
        _ingester_roles(),
    ),
    _ring(
        "distributor",
        "distributor.ring.kvstore",
        "distributor.ring.",
        "distributor",
        "/distributor/ring",
        own(
            "distributor",
            "distributor-lifecycler",
            "distributor-ring",
            source=f"pkg/distributor/distributor.go; {_CAPTURED}",
        ),
    ),
    _ring(
        "store-gateway",
        "store_gateway.sharding_ring.kvstore",
        "store-gateway.sharding-ring.",
        "store-gateway",
        "/store-gateway/ring",
        store_gateway_roles(_CAPTURED),
    ),
    _ring(
        "compactor",
        "compactor.sharding_ring.kvstore",
        "compactor.ring.",
        "compactor",
        "/compactor/ring",
        own(
            "compactor",
            "compactor-lifecycler",
            "compactor-ring",
            source=f"pkg/compactor/compactor.go; {_CAPTURED}",
        ),
    ),
    _ring(
        "ruler",
        "ruler.ring.kvstore",
        "ruler.ring.",
        "ring",
        "/ruler/ring",
        own("ruler", "ruler", source=f"pkg/ruler/ruler.go; {_CAPTURED}"),
        prefix="rulers/",
    ),
    _ring(
        "alertmanager",
        "alertmanager.sharding_ring.kvstore",
        "alertmanager.sharding-ring.",
        "alertmanager",
        "/multitenant_alertmanager/ring",
        own(
            "alertmanager", "alertmanager", source=f"pkg/alertmanager/multitenant.go; {_CAPTURED}"
        ),
        prefix="alertmanagers/",
    ),
    _ring(
        "query-scheduler",
        "query_scheduler.ring.kvstore",
        "query-scheduler.ring.",
        "query-scheduler",
        "/query-scheduler/ring",
        _query_scheduler_roles(),
        enabled_when=(EnabledWhen(("query_scheduler", "service_discovery_mode"), ("ring",)),),
    ),
    _ring(
        "overrides-exporter",
        "overrides_exporter.ring.kvstore",
        "overrides-exporter.ring.",
        "overrides-exporter",
        "/overrides-exporter/ring",
        (
            Role(
                component="overrides-exporter",
                kv_names=("overrides-exporter-lifecycler", "overrides-exporter-ring"),
                writes=True,
                serves_page=True,
                page_reads_store=True,
                members_name="overrides-exporter",
                source=f"pkg/util/validation/exporter/ring.go; {_CAPTURED}",
            ),
        ),
        enabled_when=(EnabledWhen(("overrides_exporter", "ring", "enabled"), (True,)),),
    ),
    _ring(
        "querier",
        "querier.ring.kvstore",
        "querier.ring.",
        "querier",
        "/querier/ring",
        (
            Role(
                component="querier",
                kv_names=("querier-lifecycler",),
                writes=True,
                serves_page=True,
                page_reads_store=True,
                source=f"pkg/querier/querier_ring.go (2026); {_MODULES}: QuerierLifecycler",
            ),
            Role(
                component="query-frontend",
                kv_names=("querier-ring",),
                serves_page=True,
                members_name="querier",
                source=f"{_MODULES} (2026): QueryFrontendQueryPlanner needs QuerierRing",
            ),
        ),
        enabled_when=(EnabledWhen(("querier", "ring", "enabled"), (True,)),),
        source="pkg/querier/querier_ring.go (2026); no binary with it was at hand",
    ),
    _ring(
        "ingester-partitions",
        "ingester.partition_ring.kvstore",
        "ingester.partition-ring.",
        "ingester-partitions",
        "/ingester/partition-ring",
        (
            Role(
                component="ingester",
                kv_names=("ingester-partitions-lifecycler", "ingester-partitions-watcher"),
                writes=True,
                serves_page=True,
                source=f"pkg/ingester/ingester.go; {_MODULES}: IngesterPartitionRing",
            ),
            *(
                Role(
                    component=component,
                    kv_names=("ingester-partitions-watcher",),
                    serves_page=True,
                    source=f"{_MODULES}: IngesterPartitionRing",
                )
                for component in ("distributor", "querier", "ruler", "query-frontend")
            ),
        ),
        heartbeat_period="",
        enabled_when=(EnabledWhen(("ingest_storage", "enabled"), (True,)),),
        mirrors_whole=False,
        left_because=PARTITIONS,
        source=f"{_FLAGS}: no heartbeat period",
    ),
    _ring(
        "ha-tracker",
        "distributor.ha_tracker.kvstore",
        "distributor.ha-tracker.",
        "",
        "/distributor/ha_tracker",
        (
            Role(
                component="distributor",
                kv_names=("distributor-hatracker",),
                writes=True,
                source="pkg/distributor/ha_tracker.go",
            ),
        ),
        prefix="ha-tracker/",
        store="consul",
        heartbeat_period="",
        enabled_when=(EnabledWhen(("distributor", "ha_tracker", "enable_ha_tracker"), (True,)),),
        follows_runtime=False,
        mirrors_whole=False,
        left_because=HA_TRACKER,
        source=f"{_FLAGS}: store consul",
    ),
    _ring(
        "usage-tracker-instances",
        "usage_tracker.instance_ring.kvstore",
        "usage-tracker.instance-ring.",
        "usage-tracker-instances",
        "/usage-tracker/instance-ring",
        (
            Role(
                component="usage-tracker",
                kv_names=("usage-tracker-lifecycler",),
                writes=True,
                source=f"{_MODULES} (2026): UsageTracker",
            ),
        ),
        enabled_when=(EnabledWhen(("usage_tracker", "enabled"), (True,)),),
        follows_runtime=False,
        left_because=_USAGE_TRACKER,
        source="pkg/usagetracker (2026); no binary with it was at hand",
    ),
    _ring(
        "usage-tracker-partitions",
        "usage_tracker.partition_ring.kvstore",
        "usage-tracker.partition-ring.",
        "usage-tracker-partitions",
        "/usage-tracker/partition-ring",
        (
            Role(
                component="usage-tracker",
                kv_names=("usage-tracker-partitions",),
                writes=True,
                source=f"{_MODULES} (2026): UsageTracker",
            ),
        ),
        heartbeat_period="",
        enabled_when=(EnabledWhen(("usage_tracker", "enabled"), (True,)),),
        follows_runtime=False,
        mirrors_whole=False,
        left_because=_USAGE_TRACKER + "; " + PARTITIONS,
        source="pkg/usagetracker (2026); no binary with it was at hand",
    ),
)
"""Every ring of Mimir, the movable ones first."""
