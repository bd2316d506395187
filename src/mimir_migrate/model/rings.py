"""The hash rings of Mimir and Cortex as data.

Sources: the tables of dskit's `ring` and `kv` packages, Mimir's `pkg/mimir/modules.go` (2026) and
`pkg/api/api.go`, Cortex a8c6358a (`pkg/cortex/modules.go`), and the pages of running Cortex pods.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Product(StrEnum):
    """Which of the two products a cluster runs."""

    MIMIR = "mimir"
    CORTEX = "cortex"


class EnabledWhen(msgspec.Struct, frozen=True):
    """A ring is on only where the configuration has one of `values` at `path`."""

    path: tuple[str, ...]
    values: tuple[str | bool, ...]


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What one component (the value of `-target`) does with a ring."""

    component: str
    """The target, e.g. `store-gateway`."""
    kv_names: tuple[str, ...]
    """Values of `kv_name` in this component's KV-store metrics for this ring."""
    writes: bool = False
    """Whether it registers itself in the ring: only writers mirror."""
    serves_page: bool = False
    """Whether it serves the ring's page."""
    members_name: str = ""
    """`name` in its `cortex_ring_members`; empty when it has no such metric for this ring."""


class Ring(msgspec.Struct, frozen=True, kw_only=True):
    """One ring of one product."""

    name: str
    path: tuple[str, ...]
    """Keys down to the `kvstore` block."""
    flag_prefix: str
    """`-<flag_prefix>store` and `-<flag_prefix>prefix` override the block."""
    detail_flag_prefix: str
    """`-<detail_flag_prefix>multi.primary`, `-<detail_flag_prefix>dynamodb.table-name`."""
    default_store: str
    default_prefix: str
    key: str
    page: str
    """The path of the ring's page."""
    heartbeat_period: str
    """The product's default, a Go duration."""
    heartbeat_timeout: str
    roles: tuple[Role, ...]
    enabled_when: tuple[EnabledWhen, ...] = ()
    """All must hold; empty: always on."""
    hears_runtime: bool = False
    """Whether `multi_kv_config` of the runtime configuration reaches it."""
    mirrors_whole: bool = True
    """Whether one mirrored write copies the whole ring; False: mirroring cannot move it safely."""
    left_because: str = ""
    """Why this tool shows the ring and leaves it where it is; empty: it can be moved."""

    @property
    def movable(self) -> bool:
        """Whether this tool moves the ring."""
        return not self.left_because

    @property
    def ring_path(self) -> tuple[str, ...]:
        """Keys down to the block that holds `kvstore`, `heartbeat_period` and `heartbeat_timeout`.

        Cortex keeps the ingester's heartbeat period one level higher; `heartbeat_period_path` knows.
        """
        return self.path[:-1]

    @property
    def heartbeat_period_path(self) -> tuple[str, ...]:
        """Keys down to the heartbeat period."""
        if self.path[:2] == ("ingester", "lifecycler"):
            return ("ingester", "lifecycler", "heartbeat_period")
        return (*self.ring_path, "heartbeat_period")

    @property
    def heartbeat_timeout_path(self) -> tuple[str, ...]:
        """Keys down to the heartbeat timeout."""
        return (*self.ring_path, "heartbeat_timeout")

    def ring_key(self, prefix: str | None = None) -> str:
        """The full key in the store: prefix and key, e.g. `collectors/ring`."""
        return (self.default_prefix if prefix is None else prefix) + self.key

    def role_of(self, component: str) -> Role | None:
        """The role of a component in this ring; None when it does not touch it."""
        return next((role for role in self.roles if role.component == component), None)


_PARTITIONS = (
    "a partition ring has no heartbeat, so mirroring copies it only when a partition changes: "
    "the second store would stay empty and a switch would leave no active partition"
)
_HA_TRACKER = (
    "the HA tracker is no ring: it keeps one key for each tenant and cluster, copied only when that "
    "key is next updated, and the runtime configuration does not reach it"
)
_USAGE_TRACKER = "the runtime configuration does not reach the usage tracker's rings"


def _ingester_readers() -> tuple[Role, ...]:
    return tuple(
        Role(
            component=component,
            kv_names=("ingester-ring",),
            serves_page=True,
            members_name="ingester",
        )
        for component in ("distributor", "querier", "ruler")
    )


def _store_gateway_roles() -> tuple[Role, ...]:
    return (
        Role(
            component="store-gateway",
            kv_names=("store-gateway",),
            writes=True,
            serves_page=True,
            members_name="store-gateway",
        ),
        *(
            Role(
                component=component,
                kv_names=("querier-store-gateway",),
                members_name="store-gateway-client",
            )
            for component in ("querier", "ruler")
        ),
    )


def _own(component: str, *kv_names: str, members_name: str = "") -> tuple[Role, ...]:
    return (
        Role(
            component=component,
            kv_names=kv_names,
            writes=True,
            serves_page=True,
            members_name=members_name or component,
        ),
    )


def _mimir_ring(
    name: str,
    path: str,
    flag_prefix: str,
    key: str,
    page: str,
    roles: tuple[Role, ...],
    *,
    prefix: str = "collectors/",
    enabled_when: tuple[EnabledWhen, ...] = (),
    hears_runtime: bool = True,
    mirrors_whole: bool = True,
    left_because: str = "",
) -> Ring:
    return Ring(
        name=name,
        path=tuple(path.split(".")),
        flag_prefix=flag_prefix,
        detail_flag_prefix=flag_prefix,
        default_store="memberlist",
        default_prefix=prefix,
        key=key,
        page=page,
        heartbeat_period="15s",
        heartbeat_timeout="1m0s",
        roles=roles,
        enabled_when=enabled_when,
        hears_runtime=hears_runtime,
        mirrors_whole=mirrors_whole,
        left_because=left_because,
    )


_MIMIR = (
    _mimir_ring(
        "ingester",
        "ingester.ring.kvstore",
        "ingester.ring.",
        "ring",
        "/ingester/ring",
        (
            Role(component="ingester", kv_names=("ingester-lifecycler",), writes=True),
            *_ingester_readers(),
        ),
    ),
    _mimir_ring(
        "distributor",
        "distributor.ring.kvstore",
        "distributor.ring.",
        "distributor",
        "/distributor/ring",
        _own("distributor", "distributor-lifecycler", "distributor-ring"),
    ),
    _mimir_ring(
        "store-gateway",
        "store_gateway.sharding_ring.kvstore",
        "store-gateway.sharding-ring.",
        "store-gateway",
        "/store-gateway/ring",
        _store_gateway_roles(),
    ),
    _mimir_ring(
        "compactor",
        "compactor.sharding_ring.kvstore",
        "compactor.ring.",
        "compactor",
        "/compactor/ring",
        _own("compactor", "compactor-lifecycler", "compactor-ring"),
    ),
    _mimir_ring(
        "ruler",
        "ruler.ring.kvstore",
        "ruler.ring.",
        "ring",
        "/ruler/ring",
        _own("ruler", "ruler"),
        prefix="rulers/",
    ),
    _mimir_ring(
        "alertmanager",
        "alertmanager.sharding_ring.kvstore",
        "alertmanager.sharding-ring.",
        "alertmanager",
        "/multitenant_alertmanager/ring",
        _own("alertmanager", "alertmanager"),
        prefix="alertmanagers/",
    ),
    _mimir_ring(
        "query-scheduler",
        "query_scheduler.ring.kvstore",
        "query-scheduler.ring.",
        "query-scheduler",
        "/query-scheduler/ring",
        (
            *_own("query-scheduler", "query-scheduler-lifecycler", "query-scheduler-ring"),
            *(
                Role(
                    component=component,
                    kv_names=("query-scheduler-ring",),
                    members_name="query-scheduler",
                )
                for component in ("query-frontend", "querier")
            ),
        ),
        enabled_when=(EnabledWhen(("query_scheduler", "service_discovery_mode"), ("ring",)),),
    ),
    _mimir_ring(
        "overrides-exporter",
        "overrides_exporter.ring.kvstore",
        "overrides-exporter.ring.",
        "overrides-exporter",
        "/overrides-exporter/ring",
        _own("overrides-exporter", "overrides-exporter-lifecycler", "overrides-exporter-ring"),
        enabled_when=(EnabledWhen(("overrides_exporter", "ring", "enabled"), (True,)),),
    ),
    _mimir_ring(
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
                members_name="querier",
            ),
            Role(
                component="query-frontend",
                kv_names=("querier-ring",),
                serves_page=True,
                members_name="querier",
            ),
        ),
        enabled_when=(EnabledWhen(("querier", "ring", "enabled"), (True,)),),
    ),
    _mimir_ring(
        "ingester-partitions",
        "ingester.partition_ring.kvstore",
        "ingester.partition-ring.",
        "ingester-partitions",
        "/ingester/partition-ring",
        (
            Role(
                component="ingester",
                kv_names=("ingester-partitions-lifecycler",),
                writes=True,
                serves_page=True,
            ),
            *(
                Role(component=component, kv_names=("ingester-partitions-watcher",))
                for component in ("distributor", "querier", "ruler", "query-frontend")
            ),
        ),
        enabled_when=(EnabledWhen(("ingest_storage", "enabled"), (True,)),),
        mirrors_whole=False,
        left_because=_PARTITIONS,
    ),
    _mimir_ring(
        "ha-tracker",
        "distributor.ha_tracker.kvstore",
        "distributor.ha-tracker.",
        "",
        "/distributor/ha_tracker",
        (Role(component="distributor", kv_names=("distributor-hatracker",), writes=True),),
        prefix="ha-tracker/",
        enabled_when=(EnabledWhen(("distributor", "ha_tracker", "enable_ha_tracker"), (True,)),),
        hears_runtime=False,
        mirrors_whole=False,
        left_because=_HA_TRACKER,
    ),
    _mimir_ring(
        "usage-tracker-instances",
        "usage_tracker.instance_ring.kvstore",
        "usage-tracker.instance-ring.",
        "usage-tracker-instances",
        "/usage-tracker/instance-ring",
        (Role(component="usage-tracker", kv_names=("usage-tracker-lifecycler",), writes=True),),
        enabled_when=(EnabledWhen(("usage_tracker", "enabled"), (True,)),),
        hears_runtime=False,
        mirrors_whole=True,
        left_because=_USAGE_TRACKER,
    ),
    _mimir_ring(
        "usage-tracker-partitions",
        "usage_tracker.partition_ring.kvstore",
        "usage-tracker.partition-ring.",
        "usage-tracker-partitions",
        "/usage-tracker/partition-ring",
        (Role(component="usage-tracker", kv_names=("usage-tracker-partitions",), writes=True),),
        enabled_when=(EnabledWhen(("usage_tracker", "enabled"), (True,)),),
        hears_runtime=False,
        mirrors_whole=False,
        left_because=_USAGE_TRACKER + "; " + _PARTITIONS,
    ),
)


def _cortex_ring(
    name: str,
    path: str,
    flag_prefix: str,
    key: str,
    page: str,
    roles: tuple[Role, ...],
    *,
    prefix: str = "collectors/",
    heartbeat_period: str = "5s",
    detail_flag_prefix: str | None = None,
    enabled_when: tuple[EnabledWhen, ...] = (),
    hears_runtime: bool = False,
    mirrors_whole: bool = True,
    left_because: str = "",
) -> Ring:
    return Ring(
        name=name,
        path=tuple(path.split(".")),
        flag_prefix=flag_prefix,
        detail_flag_prefix=flag_prefix if detail_flag_prefix is None else detail_flag_prefix,
        default_store="consul",
        default_prefix=prefix,
        key=key,
        page=page,
        heartbeat_period=heartbeat_period,
        heartbeat_timeout="1m0s",
        roles=roles,
        enabled_when=enabled_when,
        hears_runtime=hears_runtime,
        mirrors_whole=mirrors_whole,
        left_because=left_because,
    )


_CORTEX = (
    _cortex_ring(
        "ingester",
        "ingester.lifecycler.ring.kvstore",
        "ring.",
        "ring",
        "/ingester/ring",
        (
            Role(component="ingester", kv_names=("ingester-lifecycler",), writes=True),
            *_ingester_readers(),
        ),
        detail_flag_prefix="",
        hears_runtime=True,
    ),
    _cortex_ring(
        "store-gateway",
        "store_gateway.sharding_ring.kvstore",
        "store-gateway.sharding-ring.",
        "store-gateway",
        "/store-gateway/ring",
        _store_gateway_roles(),
        heartbeat_period="15s",
        enabled_when=(EnabledWhen(("store_gateway", "sharding_enabled"), (True,)),),
    ),
    _cortex_ring(
        "compactor",
        "compactor.sharding_ring.kvstore",
        "compactor.ring.",
        "compactor",
        "/compactor/ring",
        _own("compactor", "compactor-lifecycler", "compactor-ring"),
        enabled_when=(EnabledWhen(("compactor", "sharding_enabled"), (True,)),),
    ),
    _cortex_ring(
        "ruler",
        "ruler.ring.kvstore",
        "ruler.ring.",
        "ring",
        "/ruler/ring",
        _own("ruler", "ruler"),
        prefix="rulers/",
        enabled_when=(EnabledWhen(("ruler", "enable_sharding"), (True,)),),
    ),
    _cortex_ring(
        "alertmanager",
        "alertmanager.sharding_ring.kvstore",
        "alertmanager.sharding-ring.",
        "alertmanager",
        "/multitenant_alertmanager/ring",
        _own("alertmanager", "alertmanager"),
        prefix="alertmanagers/",
        heartbeat_period="15s",
        enabled_when=(EnabledWhen(("alertmanager", "sharding_enabled"), (True,)),),
    ),
    _cortex_ring(
        "distributor",
        "distributor.ring.kvstore",
        "distributor.ring.",
        "distributor",
        "/distributor/ring",
        _own("distributor", "distributor-lifecycler", "distributor-ring"),
        enabled_when=(EnabledWhen(("limits", "ingestion_rate_strategy"), ("global",)),),
    ),
    _cortex_ring(
        "parquet-converter",
        "parquet_converter.ring.kvstore",
        "parquet-converter.ring.",
        "parquet-converter",
        "/parquet-converter/ring",
        _own("parquet-converter", "parquet-converter-lifecycler", "parquet-converter-ring"),
        enabled_when=(EnabledWhen(("target",), ("parquet-converter",)),),
    ),
    _cortex_ring(
        "ha-tracker",
        "distributor.ha_tracker.kvstore",
        "distributor.ha-tracker.",
        "",
        "/distributor/ha_tracker",
        (Role(component="distributor", kv_names=("distributor-hatracker",), writes=True),),
        prefix="ha-tracker/",
        enabled_when=(EnabledWhen(("distributor", "ha_tracker", "enable_ha_tracker"), (True,)),),
        mirrors_whole=False,
        left_because=_HA_TRACKER,
    ),
)

RINGS: dict[Product, tuple[Ring, ...]] = {Product.MIMIR: _MIMIR, Product.CORTEX: _CORTEX}
"""Every ring of each product, the movable ones first."""


def rings_of(product: Product) -> tuple[Ring, ...]:
    """Every ring of a product."""
    return RINGS[product]


def ring_named(product: Product, name: str) -> Ring | None:
    """The ring of that name; None when the product has none."""
    return next((ring for ring in RINGS[product] if ring.name == name), None)


_GROUPS: dict[str, tuple[str, ...]] = {
    # Mimir's read-write mode, pkg/mimir/modules.go.
    "read": ("querier", "query-frontend"),
    "write": ("distributor", "ingester"),
    "backend": (
        "alertmanager",
        "compactor",
        "overrides-exporter",
        "query-scheduler",
        "ruler",
        "store-gateway",
    ),
}


def components_of(product: Product, target: str) -> tuple[str, ...]:
    """The components that a process with `-target=<target>` runs, sorted.

    `all` and Mimir's `read`, `write` and `backend` stand for several; a list is separated by commas.
    """
    found: set[str] = set()
    for name in target.split(","):
        word = name.strip()
        if word == "all":
            found |= {role.component for ring in RINGS[product] for role in ring.roles}
        else:
            found |= set(_GROUPS.get(word, (word,) if word else ()))
    return tuple(sorted(found))
