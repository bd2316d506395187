"""Checks the configuration that values files set against what a binary knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mimir_migrate.documents.config import check as config_check
from mimir_migrate.documents.config.check import Path, Place, UnknownKey
from mimir_migrate.documents.config.keys import KnownKeys
from mimir_migrate.documents.values import files as values
from mimir_migrate.documents.values.files import SourceFile
from mimir_migrate.documents.values.ring_blocks import CONFIG_PATHS, RUNTIME_PATHS
from mimir_migrate.model.rings import Product


def unknown_keys(
    files: Sequence[SourceFile],
    known: KnownKeys,
    *,
    product: Product,
    root: str = "",
    deployed: Sequence[SourceFile] = (),
    rendered: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
) -> tuple[UnknownKey, ...]:
    """List every key that the files set, merged, and that the binary does not know.

    Args:
        files: The values files in order of precedence, which the places are given in.
        known: What the binary knows.
        product: The product they are for.
        root: Keys down to the chart's values, joined by dots; empty: found.
        deployed: What the files render to, where they are templates; empty: they are deployed as
            they are.
        rendered: The configuration and the runtime configuration that the chart makes of them,
            which hold more than the values where `mimir.config` was replaced; empty: not at hand.

    Raises:
        EditRefusedError: A file cannot be read, or no chart's values are found.
    """
    tops = {
        config_check.CONFIG: CONFIG_PATHS[product],
        config_check.RUNTIME: RUNTIME_PATHS[product],
    }

    def locate(path: Path) -> Place | None:
        whole = (*tops[path[0]], *path[1:])
        return values.locate(files, whole, product=product, root=root)

    config, runtime = values.structured(deployed or files, product=product, root=root)
    found = (
        *config_check.check(config, runtime, known, locate=locate),
        *config_check.check(*rendered, known, locate=locate),
    )
    once: dict[Path, UnknownKey] = {}
    for one in found:
        once.setdefault((one.document, *one.path), one)
    return tuple(once.values())
