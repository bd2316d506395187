"""Finds settings that the binary does not know, before it refuses to start because of them.

Mimir and Cortex parse strictly: one unknown key in the structured configuration crash-loops every pod
of the release; one in the runtime configuration keeps new pods from starting and leaves running
pods with what they had.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from mimir_migrate.documents.config.keys import KnownKeys, versions_with
from mimir_migrate.documents.config.well_known import ANY, well_known
from mimir_migrate.model.rings import Product

Path = tuple[str, ...]
Place = tuple[str, int, int]
"""File, line and column, counted from 1."""

CONFIG = "config"
"""First key of a path into the structured configuration, as `locate` is asked for it."""
RUNTIME = "runtime"
"""First key of a path into the runtime configuration."""

_RUNTIME_SETTINGS = {
    Product.MIMIR: ("overrides", "multi_kv_config", "ingester_limits", "distributor_limits"),
    Product.CORTEX: (
        "overrides",
        "multi_kv_config",
        "ingester_limits",
        "ingester_stream_chunks_when_using_blocks",
    ),
}
"""Top-level keys: Mimir's pkg/mimir/runtime_config.go (2.9.4 to 3.0.2), Cortex's
pkg/cortex/runtime_config.go and pkg/util/runtimeconfig/types.go (1.15.3 to a8c6358a)."""

_CORTEX_SINCE_1_21 = ("hard_overrides", "api_allowed_limits")

# No page says its version; these settings went and came with the same releases.
_LAST_WITH_STREAMING = ("frontend", "results_cache", "redis", "endpoint")
_FIRST_WITH_HARD_OVERRIDES = ("blocks_storage", "bucket_store", "bucket_store_type")

_SWITCH = frozenset({("multi_kv_config", "primary"), ("multi_kv_config", "mirror_enabled")})

_SAME_AS = {
    "ingester_limits": ("ingester", "instance_limits"),
    "distributor_limits": ("distributor", "instance_limits"),
}
"""Blocks of the runtime configuration that are a block of the structured one."""

_TENANTS = ("overrides", "hard_overrides")

_ALIKE = 0.72
"""Least likeness of two keys, 0 to 1, to offer one for the other."""


class UnknownKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that is set and that the binary does not know."""

    path: Path
    """From the top of its document."""
    document: str
    """`config` or `runtime`."""
    place: Place | None
    """Where it is written; None: not known, e.g. the chart's own default sets it."""
    explanation: str
    instead: str
    """What to write instead."""
    suggestion: str = ""
    """The closest setting or block that is known; empty: nothing is close."""
    with_it: tuple[str, ...] = ()
    """Settings below it, which go with it; paths relative to it."""

    @property
    def dotted(self) -> str:
        """The path as people write it."""
        return ".".join(self.path)


def check(
    config: Mapping[str, Any],
    runtime: Mapping[str, Any],
    known: KnownKeys,
    *,
    locate: Callable[[Path], Place | None],
) -> tuple[UnknownKey, ...]:
    """List every key that is set and not known.

    Args:
        config: The structured configuration as deployed, all files merged.
        runtime: The runtime configuration, likewise.
        known: What the binary knows.
        locate: Says where a path is written. It is asked with paths that begin with `config` or
            `runtime`, for the document, and go on with the keys in it.

    Returns:
        The unknown keys in the order of the documents. Of an unknown block the block is listed, and
        of what is in it only what would be wrong in the right place as well.
    """
    found = [
        *((CONFIG, path, value) for path, value in _unknown(config, known)),
        *((RUNTIME, path, value) for path, value in _unknown_runtime(runtime, known)),
    ]
    listed = []
    for document, path, value in found:
        one = _described(path, value, document, known, locate)
        listed.append(one)
        if document == CONFIG:
            listed.extend(_below(one, value, known, locate))
    return tuple(listed)


def _unknown(
    tree: Mapping[str, Any], known: KnownKeys, path: Path = ()
) -> Iterator[tuple[Path, Any]]:
    for key, value in tree.items():
        here = (*path, str(key))
        if here in known.maps:
            continue
        if here in known.blocks:
            if isinstance(value, Mapping):
                yield from _unknown(value, known, here)
        elif here not in known.settings:
            yield here, value
        elif isinstance(value, Mapping):
            # A block where the binary takes a value: what is in it is as unknown.
            yield from (((*here, str(inner)), below) for inner, below in value.items())


def _below(
    block: UnknownKey, value: Any, known: KnownKeys, locate: Callable[[Path], Place | None]
) -> Iterator[UnknownKey]:
    """Keys in an unknown block that would still be wrong where the block belongs."""
    if not isinstance(value, Mapping):
        return
    entry = well_known(block.path, known.product)
    if entry and entry.moved_to:
        for path, inner in _unknown(value, known, entry.moved_to):
            here = (*block.path, *path[len(entry.moved_to) :])
            told = _described(path, inner, CONFIG, known, lambda _: None)
            yield msgspec.structs.replace(told, path=here, place=locate((CONFIG, *here)))
        return
    for path, inner in _nested(value, block.path):
        told_of = well_known(path, known.product)
        if told_of and told_of.pattern[0] == ANY:
            yield _described(path, inner, CONFIG, known, locate)


def _nested(tree: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Any]]:
    for key, value in tree.items():
        here = (*path, str(key))
        yield here, value
        if isinstance(value, Mapping):
            yield from _nested(value, here)


def _unknown_runtime(runtime: Mapping[str, Any], known: KnownKeys) -> Iterator[tuple[Path, Any]]:
    top = runtime_keys(known)
    for key, value in runtime.items():
        if key not in top:
            yield (key,), value
        elif key in _TENANTS and isinstance(value, Mapping):
            for tenant, limits in value.items():
                if isinstance(limits, Mapping):
                    yield from _inside((key, str(tenant)), limits, known, ("limits",))
        elif key in _SAME_AS and isinstance(value, Mapping):
            yield from _inside((key,), value, known, _SAME_AS[key])
        elif key == "multi_kv_config" and isinstance(value, Mapping):
            yield from (
                ((key, str(inner)), below)
                for inner, below in value.items()
                if (key, str(inner)) not in _SWITCH
            )


def _inside(
    prefix: Path, tree: Mapping[str, Any], known: KnownKeys, same_as: Path
) -> Iterator[tuple[Path, Any]]:
    for path, value in _unknown(tree, known, same_as):
        yield (*prefix, *path[len(same_as) :]), value


def runtime_keys(known: KnownKeys) -> tuple[str, ...]:
    """Top-level keys of the runtime configuration that the binary knows.

    No page lists them; they are told by product and by what else the binary knows.
    """
    product = known.product or Product.MIMIR
    keys = _RUNTIME_SETTINGS[product]
    if product is Product.MIMIR and _LAST_WITH_STREAMING in known.settings:
        return (*keys, "ingester_stream_chunks_when_using_blocks")
    if product is Product.CORTEX and _FIRST_WITH_HARD_OVERRIDES in known.settings:
        return (*keys, *_CORTEX_SINCE_1_21)
    return keys


def _described(
    path: Path,
    value: Any,
    document: str,
    known: KnownKeys,
    locate: Callable[[Path], Place | None],
) -> UnknownKey:
    runtime = document == RUNTIME
    suggestion = _runtime_suggestion(path, known) if runtime else closest(path, known)
    entry = well_known(path, known.product, runtime=runtime)
    return UnknownKey(
        path=path,
        document=document,
        place=locate((document, *path)),
        explanation=entry.explanation if entry else _generic(path, document, known),
        instead=entry.instead if entry else _offer(suggestion),
        suggestion="" if entry else suggestion,
        with_it=tuple(".".join(below) for below in _leaves(value)),
    )


def _offer(suggestion: str) -> str:
    return f"`{suggestion}`, if that is meant; else remove it" if suggestion else "remove it"


def _generic(path: Path, document: str, known: KnownKeys) -> str:
    whole = ".".join(path)
    who = known.source if known.version else "the binary"
    if document == RUNTIME:
        return f"{who} knows no `{whole}` in the runtime configuration"
    had = versions_with(known.product, path) if known.product else ()
    if not had:
        return f"{who} knows no `{whole}`"
    span = had[0] if len(had) == 1 else f"{had[0]} to {had[-1]}"
    name = known.product.value.capitalize() if known.product else ""
    return f"{who} knows no `{whole}`; of the listed releases of {name}, {span} did"


def closest(path: Path, known: KnownKeys) -> str:
    """The setting or block most like a path that is not known; empty where nothing is close.

    A key spelled alike in the same block comes first, then the same key elsewhere.
    """
    candidates = known.settings | known.blocks
    siblings = {one[-1]: one for one in candidates if one[:-1] == path[:-1]}
    near = difflib.get_close_matches(path[-1], siblings, n=1, cutoff=_ALIKE)
    if near:
        return ".".join(siblings[near[0]])
    whole = ".".join(path)
    same = sorted(
        (one for one in candidates if one[-1] == path[-1]),
        key=lambda one: (-_likeness(whole, ".".join(one)), len(one), one),
    )
    # Keys such as `enabled` or `region` stand in many blocks; then the likeness has to decide.
    if same and (len(same) == 1 or _likeness(whole, ".".join(same[0])) >= _ALIKE):
        return ".".join(same[0])
    return ""


def _runtime_suggestion(path: Path, known: KnownKeys) -> str:
    if len(path) == 1:
        near = difflib.get_close_matches(path[0], runtime_keys(known), n=1, cutoff=_ALIKE)
        if near:
            return near[0]
        return f"overrides.TENANT.{path[0]}" if ("limits", *path) in known.settings else ""
    if path[0] in _TENANTS and len(path) > len(("overrides", "tenant")):
        found = closest(("limits", *path[2:]), known)
        if found.startswith("limits."):
            return f"{path[0]}.{path[1]}.{found.removeprefix('limits.')}"
    return ""


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            yield from _leaves(below, (*path, str(key)))
    elif path:
        yield path
