"""The blocks of a configuration that name stores, as data: of a pod's page or of a values file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mimir_migrate.model.stores import DynamoDBSettings, KVConfig, RuntimeBlock


def kv_config(block: Mapping[str, Any]) -> KVConfig:
    """What a ring's `kvstore` mapping says; null, and a mapping where a word belongs, say nothing."""
    multi = _mapping(block.get("multi"))
    dynamodb = block.get("dynamodb")
    prefix = block.get("prefix")
    return KVConfig(
        store=_text(block.get("store")),
        primary=_text(multi.get("primary")),
        secondary=_text(multi.get("secondary")),
        mirror_enabled=_switch(multi.get("mirror_enabled")),
        prefix=None if prefix is None else str(prefix),
        dynamodb=_dynamodb(dynamodb) if isinstance(dynamodb, Mapping) else None,
    )


def runtime_block(block: Mapping[str, Any]) -> RuntimeBlock:
    """What a `multi_kv_config` mapping says."""
    return RuntimeBlock(
        primary=_text(block.get("primary")),
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
