"""The blocks of a configuration that name stores, as data: of a pod's page or of a values file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mimir_migrate.model.stores import (
    BridgeSettings,
    DynamoDBSettings,
    KVConfig,
    RuntimeBlock,
    Store,
)

CONSUL = "consul"
"""How a configuration spells the store DynamoDB where it is reached through the ring bridge."""
OWN_CLIENT = "dynamodb by the pods' own client"
"""What `store: dynamodb` is called where DynamoDB is to be reached through the ring bridge: another store,
which no state of this tool's has. Only the bridge may write to its table."""


def store_named(name: str, bridge: BridgeSettings | None) -> str:
    """The store that a name stands for in a runtime block, in metrics or among what a binary offers.

    Args:
        name: As it is spelled there.
        bridge: Where DynamoDB is reached through the ring bridge; None: names are what they say.
    """
    if bridge is None:
        return name
    if name == CONSUL:
        return Store.DYNAMODB.value
    return OWN_CLIENT if name == Store.DYNAMODB.value else name


def spelled(store: Store, bridge: BridgeSettings | None) -> str:
    """A store's name in a configuration."""
    return CONSUL if bridge is not None and store is Store.DYNAMODB else store.value


def spelled_block(
    block: RuntimeBlock | None, bridge: BridgeSettings | None
) -> RuntimeBlock | None:
    """A runtime block as it is written."""
    if block is None or bridge is None or block.primary != Store.DYNAMODB.value:
        return block
    return msgspec.structs.replace(block, primary=CONSUL)


def understood(config: KVConfig, bridge: BridgeSettings | None) -> KVConfig:
    """A ring's configuration with its stores as this tool names them.

    `consul` with the bridge's host is DynamoDB. Any other `consul` stays somebody else's store.
    """
    if bridge is None:
        return config
    ours = bridge.is_at(config.consul_host)

    def named(name: str) -> str:
        return name if name == CONSUL and not ours else store_named(name, bridge)

    return msgspec.structs.replace(
        config,
        store=named(config.store),
        primary=named(config.primary),
        secondary=named(config.secondary),
        through_bridge=ours and CONSUL in config.stores,
        dynamodb=None if ours else config.dynamodb,
    )


def kv_config(block: Mapping[str, Any], bridge: BridgeSettings | None = None) -> KVConfig:
    """What a ring's `kvstore` mapping says; null, and a mapping where a word belongs, say nothing.

    Args:
        block: The mapping.
        bridge: Where DynamoDB is reached through the ring bridge; None: names are what they say.
    """
    multi = _mapping(block.get("multi"))
    dynamodb = block.get("dynamodb")
    prefix = block.get("prefix")
    config = KVConfig(
        store=_text(block.get("store")),
        primary=_text(multi.get("primary")),
        secondary=_text(multi.get("secondary")),
        mirror_enabled=_switch(multi.get("mirror_enabled")),
        prefix=None if prefix is None else str(prefix),
        dynamodb=_dynamodb(dynamodb) if isinstance(dynamodb, Mapping) else None,
    )
    if CONSUL in config.stores:
        host = _text(_mapping(block.get(CONSUL)).get("host"))
        config = msgspec.structs.replace(config, consul_host=host)
    return understood(config, bridge)


def runtime_block(block: Mapping[str, Any], bridge: BridgeSettings | None = None) -> RuntimeBlock:
    """What a `multi_kv_config` mapping says."""
    return RuntimeBlock(
        primary=store_named(_text(block.get("primary")), bridge),
        mirror_enabled=_switch(block.get("mirror_enabled")),
    )


def _dynamodb(block: Mapping[str, Any]) -> DynamoDBSettings:
    return DynamoDBSettings(
        region=_text(block.get("region")),
        table_name=_text(block.get("table_name")),
        puller_sync_time=_text(block.get("puller_sync_time")),
        ttl=_text(block.get("ttl")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _switch(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, Mapping) else str(value)
