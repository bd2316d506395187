"""Cortex' rings.

Which component touches a ring follows from `pkg/cortex/modules.go`, `deps` (the same in 1.21.1 and in
a8c6358a as far as rings go); names of clients and metrics were read from pods of a8c6358a.
"""

from __future__ import annotations

from mimir_migrate.model.mimir_rings import HA_TRACKER, own, store_gateway_roles
from mimir_migrate.model.ring import EnabledWhen, Ring, Role

_CAPTURED = "captures 1-memberlist to 4-dynamodb, Cortex a8c6358a"
_FLAGS = "config-defaults of Cortex a8c6358a"
_MODULES = "pkg/cortex/modules.go, deps"


def _ring(
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
    follows_runtime: bool = False,
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
        source=f"{_FLAGS}; {_CAPTURED}",
        roles=roles,
        enabled_when=enabled_when,
        follows_runtime=follows_runtime,
        mirrors_whole=mirrors_whole,
        left_because=left_because,
    )


CORTEX_RINGS = (
    _ring(
        "ingester",
        "ingester.lifecycler.ring.kvstore",
        "ring.",
        "ring",
        "/ingester/ring",
        (
            Role(
                component="ingester",
                kv_names=("ingester-lifecycler",),
                writes=True,
                source=f"pkg/ring/lifecycler.go; {_CAPTURED}",
            ),
            *(
                Role(
                    component=component,
                    kv_names=("ingester-ring",),
                    serves_page=True,
                    members_name="ingester",
                    source=f"{_MODULES}: Ring; {_CAPTURED}",
                )
                for component in ("distributor", "querier", "ruler")
            ),
        ),
        detail_flag_prefix="",
        follows_runtime=True,
    ),
    _ring(
        "store-gateway",
        "store_gateway.sharding_ring.kvstore",
        "store-gateway.sharding-ring.",
        "store-gateway",
        "/store-gateway/ring",
        store_gateway_roles(_CAPTURED),
        heartbeat_period="15s",
        enabled_when=(EnabledWhen(("store_gateway", "sharding_enabled"), (True,)),),
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
        enabled_when=(EnabledWhen(("compactor", "sharding_enabled"), (True,)),),
    ),
    _ring(
        "ruler",
        "ruler.ring.kvstore",
        "ruler.ring.",
        "ring",
        "/ruler/ring",
        own("ruler", "ruler", source=f"pkg/ruler/ruler.go; {_CAPTURED}"),
        prefix="rulers/",
        enabled_when=(EnabledWhen(("ruler", "enable_sharding"), (True,)),),
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
        heartbeat_period="15s",
        enabled_when=(EnabledWhen(("alertmanager", "sharding_enabled"), (True,)),),
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
            source="pkg/distributor/distributor.go; off in the captures",
        ),
        enabled_when=(EnabledWhen(("limits", "ingestion_rate_strategy"), ("global",)),),
    ),
    _ring(
        "parquet-converter",
        "parquet_converter.ring.kvstore",
        "parquet-converter.ring.",
        "parquet-converter",
        "/parquet-converter/ring",
        own(
            "parquet-converter",
            "parquet-converter-lifecycler",
            "parquet-converter-ring",
            source="pkg/parquetconverter/converter.go; off in the captures",
        ),
        enabled_when=(EnabledWhen(("target",), ("parquet-converter",)),),
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
                source="pkg/ha/ha_tracker.go",
            ),
        ),
        prefix="ha-tracker/",
        heartbeat_period="",
        enabled_when=(EnabledWhen(("distributor", "ha_tracker", "enable_ha_tracker"), (True,)),),
        mirrors_whole=False,
        left_because=HA_TRACKER,
    ),
)
"""Every ring of Cortex, the movable ones first."""
