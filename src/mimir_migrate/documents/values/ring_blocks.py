"""Where a ring's `kvstore` block and the runtime block stand in values, and what makes them what is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mimir_migrate.documents.config.kv_blocks import CONSUL, spelled
from mimir_migrate.documents.yaml.deltas import REMOVE
from mimir_migrate.model.rings import Product, Ring
from mimir_migrate.model.stores import (
    BridgeSettings,
    DynamoDBSettings,
    RuntimeBlock,
    StoreState,
)

CONFIG_PATHS: dict[Product, tuple[str, ...]] = {
    Product.MIMIR: ("mimir", "structuredConfig"),
    Product.CORTEX: ("config",),
}
"""Keys from the chart's values down to the configuration."""
RUNTIME_PATHS: dict[Product, tuple[str, ...]] = {
    Product.MIMIR: ("runtimeConfig",),
    Product.CORTEX: ("runtimeconfigmap", "runtime_config"),
}
"""Keys from the chart's values down to the runtime configuration."""
RUNTIME_BLOCK = "multi_kv_config"

OWN = ("store", "multi", "dynamodb")
"""Keys of a ring's `kvstore` that a migration changes; everything else under it stays as it is."""


def at_path(data: Any, path: Sequence[str]) -> Any:
    """What stands at a path of plain data; None: nothing."""
    for key in path:
        if not isinstance(data, Mapping) or key not in data:
            return None
        data = data[key]
    return data


def is_set(data: Any, path: Sequence[str]) -> bool:
    """Whether there is anything at a path, null included."""
    holder = at_path(data, path[:-1])
    return isinstance(holder, Mapping) and path[-1] in holder


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    """A delta with one entry at a path."""
    for key in reversed(path):
        value = {key: value}
    return dict(value)


def merged(lower: Any, upper: Any) -> Any:
    """Values as Helm merges files: mappings deeply, everything else replaced."""
    if not isinstance(lower, Mapping) or not isinstance(upper, Mapping):
        return upper
    result = dict(lower)
    for key, value in upper.items():
        result[key] = merged(lower[key], value) if key in lower else value
    return result


def ring_leaves(
    state: StoreState,
    *,
    mirror: bool,
    dynamodb: DynamoDBSettings | None,
    bridge: BridgeSettings | None = None,
) -> dict[tuple[str, ...], str | bool]:
    """What a state sets under `kvstore`; memberlist sets only its store."""
    if state is StoreState.MEMBERLIST:
        return {("store",): state.value}
    leaves: dict[tuple[str, ...], str | bool] = {
        ("store",): "multi" if state.is_multi else spelled(state.primary, bridge)
    }
    if state.secondary is not None:
        leaves["multi", "primary"] = spelled(state.primary, bridge)
        leaves["multi", "secondary"] = spelled(state.secondary, bridge)
        leaves["multi", "mirror_enabled"] = mirror
    if bridge is not None:
        leaves["consul", "host"] = bridge.host
        if bridge.token_variable:
            leaves["consul", "acl_token"] = f"${{{bridge.token_variable}}}"
        return leaves
    settings = dynamodb or DynamoDBSettings()
    for name in ("region", "table_name", "puller_sync_time", "ttl"):
        value = getattr(settings, name)
        if value:
            leaves["dynamodb", name] = value
    return leaves


def unneeded(state: StoreState, bridge: BridgeSettings | None = None) -> tuple[str, ...]:
    """Keys under `kvstore` that a state has no need of."""
    if state is StoreState.MEMBERLIST:
        return ("multi", "dynamodb", *((CONSUL,) if bridge is not None else ()))
    return () if state.is_multi else ("multi",)


def runtime_leaves(block: RuntimeBlock) -> dict[tuple[str, ...], Any]:
    """What the runtime block sets, and what it must not hold."""
    return {
        ("primary",): block.primary or REMOVE,
        ("mirror_enabled",): REMOVE if block.mirror_enabled is None else block.mirror_enabled,
    }


def sets_store(block: Any) -> bool:
    """Whether a `kvstore` mapping says anything about stores."""
    return isinstance(block, Mapping) and any(key in block for key in OWN)


def kvstore_path(product: Product, ring: Ring) -> tuple[str, ...]:
    """Keys from the chart's values down to a ring's `kvstore`."""
    return (*CONFIG_PATHS[product], *ring.path)


def override_flags(ring: Ring, bridge: BridgeSettings | None = None) -> tuple[str, ...]:
    """Flags that win over what this tool sets for a ring, without their dash."""
    detail = ring.detail_flag_prefix
    return (
        f"{ring.flag_prefix}store",
        f"{detail}multi.primary",
        f"{detail}multi.secondary",
        f"{detail}multi.mirror-enabled",
        f"{detail}dynamodb.region",
        f"{detail}dynamodb.table-name",
        f"{detail}dynamodb.puller-sync-time",
        f"{detail}dynamodb.ttl-time",
        *((f"{detail}consul.hostname", f"{detail}consul.acl-token") if bridge is not None else ()),
    )
