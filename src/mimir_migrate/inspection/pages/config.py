"""A pod's configuration pages: `/config?mode=diff` over `/config?mode=defaults`, and `/runtime_config`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from mimir_migrate.documents.config import kv_blocks
from mimir_migrate.durations import read_duration
from mimir_migrate.inspection.pages.reading import UnreadablePageError, beginning
from mimir_migrate.model.facts import GossipConfig
from mimir_migrate.model.rings import EnabledWhen, Product, Ring
from mimir_migrate.model.stores import BridgeSettings, KVConfig, RuntimeBlock

_DEEPEST = 200
"""Levels of a YAML page; a real configuration has eight."""
_ABSENT_FILE = b"runtime config file doesn't exist"

Config = Mapping[str, Any]


KEPT_PAGES = 2048
"""A runner asks for the same pages again and again: so many of the last ones are not read again. The
answers are shared, so nobody may change them."""


@functools.lru_cache(maxsize=KEPT_PAGES)
def read_yaml(body: bytes, what: str) -> Config:
    """Read a YAML page that holds a mapping.

    Raises:
        UnreadablePageError: When it does not, e.g. HTML or an error in words.
    """
    import yaml

    try:
        if _might_be_deep(body):
            _refuse_deep(body)
        page = yaml.load(body, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UnreadablePageError(f"not {what} ({reason}); it begins {beginning(body)}") from error
    if page is None:
        return {}
    if not isinstance(page, dict):
        raise UnreadablePageError(f"not {what}; it begins {beginning(body)}")
    return page


def _might_be_deep(body: bytes) -> bool:
    """Whether the page could nest so deeply that libyaml's recursion would end the process.

    A level costs a bracket, or a column of indentation or of `- - -`.
    """
    if body.count(b"[") + body.count(b"{") > _DEEPEST:
        return True
    return any(len(line) > _DEEPEST for line in body.splitlines())


def _refuse_deep(body: bytes) -> None:
    """Walk the page's events, which takes no recursion, and count the levels."""
    import yaml

    depth = 0
    for event in yaml.parse(body, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise ValueError(f"nested more than {_DEEPEST} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def merged(defaults: Config, diff: Config) -> Config:
    """The whole configuration: mappings merge deeply, anything else of the diff replaces."""
    result = dict(defaults)
    for key, value in diff.items():
        below = result.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result


def at(config: Config, path: tuple[str, ...]) -> Any:
    """The value at a path; None where it is absent."""
    value: Any = config
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def product_of(config: Config) -> Product | None:
    """Which product writes a configuration of this shape; None when it is neither's."""
    ingester = config.get("ingester")
    if not isinstance(ingester, Mapping):
        return None
    if isinstance(ingester.get("lifecycler"), Mapping):
        return Product.CORTEX
    return Product.MIMIR if isinstance(ingester.get("ring"), Mapping) else None


def is_enabled(config: Config, ring: Ring) -> bool:
    """Whether the ring is on in this configuration."""
    return all(_holds(config, condition) for condition in ring.enabled_when)


def _holds(config: Config, condition: EnabledWhen) -> bool:
    value = at(config, condition.path)
    if condition.path == ("target",):
        return bool(set(targets_in(config)) & set(condition.values))
    return value in condition.values


def targets_in(config: Config) -> tuple[str, ...]:
    """The words of `target`, a comma list or a YAML list."""
    value = config.get("target")
    words = value if isinstance(value, list) else str(value or "").split(",")
    return tuple(str(word).strip() for word in words if str(word).strip())


def kv_config(config: Config, ring: Ring, bridge: BridgeSettings | None = None) -> KVConfig | None:
    """The ring's `kvstore`; None when the binary has no such ring.

    `consul` with the host of `bridge` is DynamoDB, see `documents.config.kv_blocks`.
    """
    block = at(config, ring.path)
    if not isinstance(block, Mapping):
        return None
    return kv_blocks.kv_config(block, bridge)


def gossip_config(config: Config) -> GossipConfig | None:
    """The `memberlist` block; None when the configuration has none."""
    block = config.get("memberlist")
    if not isinstance(block, Mapping):
        return None
    joins = block.get("join_members")
    abort_fast = block.get("abort_if_cluster_fast_join_fails")
    abort = block.get("abort_if_cluster_join_fails")
    port = block.get("bind_port")
    return GossipConfig(
        join_members=tuple(map(str, joins)) if isinstance(joins, list) else (),
        bind_port=port if isinstance(port, int) else 7946,
        rejoin_interval=read_duration(block.get("rejoin_interval")) or 0.0,
        abort_if_cluster_join_fails=abort if isinstance(abort, bool) else None,
        abort_if_fast_join_fails=abort_fast if isinstance(abort_fast, bool) else None,
        cluster_label=_text(block.get("cluster_label")),
        cluster_label_verification_disabled=block.get("cluster_label_verification_disabled")
        is True,
    )


def runtime_file(config: Config) -> tuple[str, float]:
    """The file of the runtime configuration (empty: none) and its reload period in seconds."""
    block = _map(config.get("runtime_config"))
    file = block.get("file")
    period = read_duration(block.get("period"))
    name = ",".join(map(str, file)) if isinstance(file, list) else _text(file)
    return name, 10.0 if period is None else period


@lru_cache(maxsize=16)  # all pods of a release load the same file
def runtime_block(body: bytes, bridge: BridgeSettings | None = None) -> RuntimeBlock:
    """The `multi_kv_config` that a pod's `/runtime_config` shows; empty where there is no file.

    Raises:
        UnreadablePageError: When the page is not a runtime configuration.
    """
    if _ABSENT_FILE in body[:200]:
        return RuntimeBlock()
    return kv_blocks.runtime_block(
        _map(read_yaml(body, "a runtime configuration").get("multi_kv_config")), bridge
    )


def _map(value: object) -> Config:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return "" if value is None else str(value)
