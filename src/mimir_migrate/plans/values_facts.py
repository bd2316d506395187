"""What the values files say, as far as findings depend on it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mimir_migrate.documents.config.check import UnknownKey
from mimir_migrate.documents.config.keys import KnownKeys, known_from_tree
from mimir_migrate.documents.config.kv_blocks import CONSUL
from mimir_migrate.documents.values import ring_blocks
from mimir_migrate.documents.values.check import unknown_keys
from mimir_migrate.documents.values.files import SourceFile, ValuesFiles, ValuesView
from mimir_migrate.documents.yaml.meaning import differing_paths
from mimir_migrate.durations import parse_duration, read_duration
from mimir_migrate.inspection.question import ComponentFlag, ValuesFacts
from mimir_migrate.model.facts import Release
from mimir_migrate.model.rings import Product, Ring, rings_of
from mimir_migrate.plans.files.rendered import configuration_trees

SHOWN = 20
"""Paths that differ from the release are listed up to this many."""


def values_facts(
    files: ValuesFiles,
    *,
    release: Release | None,
    rendered: bytes | None = None,
    manifests: Sequence[Mapping[str, object]] | None = None,
    binaries: Mapping[str, Mapping[str, Any] | None] = MappingProxyType({}),
    beside_rings: bool = False,
) -> ValuesFacts:
    """Read the facts off the files.

    Args:
        files: The values files.
        release: The helm release, whose values they are compared with; None: helm has none.
        rendered: The values as deployed, where the files are templates; None: the files are what is
            deployed.
        manifests: What the files render to; None: they cannot be rendered here.
        binaries: The default configuration of every image that runs; None: it did not tell.
        beside_rings: Whether the comparison with the release leaves out what a run of ours changes:
            the rings' stores and the runtime block, which were edited and perhaps not deployed yet.
    """
    view, deployed = files.view, files
    if rendered is not None:
        deployed = files.having([SourceFile(path="the rendered values", content=rendered)])
    merged = deployed.values
    differing: tuple[str, ...] | None = None
    if release is not None and release.values is not None:
        ours, theirs = merged, release.values
        if beside_rings:
            ours, theirs = (_beside_rings(each, files) for each in (ours, theirs))
        differing = tuple(differing_paths(ours, theirs))
    known = _known(binaries, view.product)
    return ValuesFacts(
        runtime=view.runtime,
        flags=tuple(_ring_flags(merged, view)),
        equals_release=None if differing is None else not differing,
        differing=(differing or ())[:SHOWN],
        heartbeats=configured_heartbeats(manifests or (), view.product),
        unknown_keys=_unknown_keys(files, deployed, known, manifests or ()),
        unchecked=tuple(sorted(set(binaries) - set(known))),
    )


def _known(
    binaries: Mapping[str, Mapping[str, Any] | None], product: Product
) -> dict[str, KnownKeys]:
    return {
        image: known_from_tree(defaults, product=product)
        for image, defaults in binaries.items()
        if defaults is not None
    }


def _unknown_keys(
    files: ValuesFiles,
    deployed: ValuesFiles,
    known: Mapping[str, KnownKeys],
    manifests: Sequence[Mapping[str, object]],
) -> tuple[UnknownKey, ...]:
    """What any of the binaries does not know, each key once."""
    found: dict[tuple[str, ...], UnknownKey] = {}
    rendered = configuration_trees(manifests)
    for each in known.values():
        for key in unknown_keys(files, each, deployed=deployed, rendered=rendered):
            found.setdefault((key.document, *key.path), key)
    return tuple(found.values())


def configured_heartbeats(
    manifests: Sequence[Mapping[str, object]], product: Product
) -> dict[str, tuple[float, float]]:
    """Heartbeat period and timeout of every ring in a rendered configuration, in seconds.

    What the configuration leaves out is the product's own default. Empty where no manifest holds a
    configuration that can be read.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    for manifest in manifests:
        text = _configuration_text(manifest)
        if text is None:
            continue
        try:
            config = YAML(typ="safe", pure=True).load(text)
        except (YAMLError, ValueError, RecursionError):
            continue
        if isinstance(config, Mapping):
            return {
                ring.name: _heartbeat(config, ring)
                for ring in rings_of(product)
                if ring.heartbeat_period
            }
    return {}


def _configuration_text(manifest: Mapping[str, object]) -> str | None:
    for field in ("data", "stringData"):
        data = manifest.get(field)
        if not isinstance(data, Mapping):
            continue
        for key in ("mimir.yaml", "cortex.yaml"):
            text = data.get(key)
            if not isinstance(text, str):
                continue
            if manifest.get("kind") == "Secret" and field == "data":
                return base64.b64decode(text).decode("utf-8", "replace")
            return text
    return None


def _heartbeat(config: Mapping[str, Any], ring: Ring) -> tuple[float, float]:
    period = read_duration(_at(config, ring.heartbeat_period_path))
    timeout = read_duration(_at(config, ring.heartbeat_timeout_path))
    return (
        parse_duration(ring.heartbeat_period) if period is None else period,
        parse_duration(ring.heartbeat_timeout) if timeout is None else timeout,
    )


def _at(config: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = config
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _ring_flags(merged: Mapping[str, Any], view: ValuesView) -> Iterator[ComponentFlag]:
    prefixes = {ring.flag_prefix for ring in rings_of(view.product)} | {
        ring.detail_flag_prefix for ring in rings_of(view.product) if ring.detail_flag_prefix
    }
    for component, block in merged.items():
        extra = block.get("extraArgs") if isinstance(block, Mapping) else None
        if not isinstance(extra, Mapping):
            continue
        for flag in extra:
            name = str(flag).lstrip("-")
            stem = next((p for p in prefixes if name.startswith(p)), None)
            if stem is not None or name.startswith(("multi.", "dynamodb.", "runtime-config.")):
                yield ComponentFlag(component=str(component), flag=name)


def _beside_rings(tree: Mapping[str, Any], files: ValuesFiles) -> dict[str, Any]:
    """The values without what a run of ours changes of rings, and without empty blocks."""
    product = files.product
    keys = ring_blocks.OWN if files.bridge is None else (*ring_blocks.OWN, CONSUL)
    places = [
        (*ring_blocks.kvstore_path(product, ring), key)
        for ring in rings_of(product)
        for key in keys
    ]
    if files.bridge is not None:
        places += [
            (*ring_blocks.CONFIG_PATHS[product], *ring.heartbeat_timeout_path)
            for ring in rings_of(product)
            if ring.movable
        ]
    places.append((*ring_blocks.RUNTIME_PATHS[product], ring_blocks.RUNTIME_BLOCK))
    return _without(tree, places) or {}


def _without(tree: Any, places: Sequence[tuple[str, ...]]) -> Any:
    if not isinstance(tree, Mapping):
        return tree
    found = {}
    for key, value in tree.items():
        below = [place[1:] for place in places if place[0] == key]
        kept = None if () in below else _without(value, [place for place in below if place])
        if kept not in (None, {}):
            found[key] = kept
    return found
