"""The settings that this tool advises or writes, and which of them a binary does not have.

Mimir and Cortex parse strictly: a setting that a binary does not know keeps its pods from starting again.
What a binary knows is what its own `/config?mode=defaults` lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mimir_migrate.documents.config.defaults import at
from mimir_migrate.documents.values.ring_blocks import ring_leaves
from mimir_migrate.model.rings import Product, Ring, rings_of
from mimir_migrate.model.stores import DynamoDBSettings, StoreState

ADVISED = (
    "memberlist.abort_if_cluster_join_fails",
    "memberlist.abort_if_cluster_fast_join_fails",
    "memberlist.bind_port",
    "memberlist.cluster_label",
    "memberlist.join_members",
    "memberlist.rejoin_interval",
    "runtime_config.file",
)
"""Settings of no ring that some text tells the operator to set, or that a pod lacks."""

_EVERYTHING = DynamoDBSettings(region="-", table_name="-", puller_sync_time="-", ttl="-")
MIN_READY = "min_ready_duration"


def written(ring: Ring, dynamodb: DynamoDBSettings = _EVERYTHING) -> tuple[str, ...]:
    """What a plan writes for a ring on its way through the states, by path in the configuration."""
    leaves = dict.fromkeys(
        leaf for state in StoreState for leaf in ring_leaves(state, mirror=True, dynamodb=dynamodb)
    )
    return tuple(".".join((*ring.path, *leaf)) for leaf in leaves)


def settable(product: Product) -> Iterator[str]:
    """Everything that some text or plan of this tool may have set, by path in the configuration."""
    yield from ADVISED
    for ring in rings_of(product):
        if not ring.movable:
            continue
        yield from written(ring)
        yield ".".join(ring.heartbeat_timeout_path)
        yield ".".join(ring.heartbeat_period_path)
        if ring.name == "ingester":
            yield ".".join((*ring.heartbeat_period_path[:-1], MIN_READY))


def lacking(defaults: Mapping[str, Any], product: Product) -> tuple[str, ...]:
    """Those that a binary does not have, of the rings and stores that it has.

    Args:
        defaults: Its defaults page, parsed.
        product: What it is.
    """
    absent_rings = {
        ".".join(ring.ring_path) + "."
        for ring in rings_of(product)
        if not isinstance(at(defaults, ring.path), Mapping)
    }
    found = []
    for setting in settable(product):
        path = tuple(setting.split("."))
        block = at(defaults, path[:-1])
        if isinstance(block, Mapping) and path[-1] in block:
            continue
        if any(setting.startswith(ring) for ring in absent_rings):
            continue  # nothing of this ring is written
        if path[-2] in {"dynamodb", "multi"} and not isinstance(block, Mapping):
            continue  # the store is not offered, which is told by itself
        found.append(setting)
    return tuple(found)


def honest(text: str, unknown: Mapping[str, Sequence[str]]) -> str:
    """An advice, with a word on each setting in it that a binary of the release does not have.

    Args:
        text: What the operator is told to do.
        unknown: The binaries that lack a setting, by the setting.
    """
    notes = [
        f"{name} is not known to {', '.join(binaries)}: leave it out there, its pods would not start."
        for name, binaries in _named(text, unknown).items()
    ]
    return " ".join((text, *notes)) if notes else text


def _named(text: str, unknown: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The settings that a text names, as it names them, with the binaries that lack them.

    A setting is named in full, or by a last key that is not a word of everyday language. A text that says
    itself that the binary has none needs no further word.
    """
    found: dict[str, list[str]] = {}
    for setting, binaries in unknown.items():
        key = setting.rpartition(".")[2]
        if re.search(rf"\bno {re.escape(key)}\b", text):
            continue
        for name in (setting, key):
            if "_" in name and re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
                found.setdefault(name, []).extend(set(binaries) - set(found.get(name, ())))
                break
    return found
