"""Checks the configuration that values files set against what a binary knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mimir_migrate.documents.config import check as config_check
from mimir_migrate.documents.config.check import Path, Place, UnknownKey
from mimir_migrate.documents.config.keys import KnownKeys
from mimir_migrate.documents.values.files import ValuesFiles
from mimir_migrate.documents.values.ring_blocks import CONFIG_PATHS, RUNTIME_PATHS


def unknown_keys(
    files: ValuesFiles,
    known: KnownKeys,
    *,
    deployed: ValuesFiles | None = None,
    rendered: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
) -> tuple[UnknownKey, ...]:
    """List every key that the files set, merged, and that the binary does not know.

    Args:
        files: The values files, which the places are given in.
        known: What the binary knows.
        deployed: What the files render to, where they are templates; None: they are deployed as
            they are.
        rendered: The configuration and the runtime configuration that the chart makes of them,
            which hold more than the values where `mimir.config` was replaced; empty: not at hand.
    """
    tops = {
        config_check.CONFIG: CONFIG_PATHS[files.product],
        config_check.RUNTIME: RUNTIME_PATHS[files.product],
    }

    def locate(path: Path) -> Place | None:
        return files.place((*tops[path[0]], *path[1:]))

    config, runtime = (deployed or files).structured
    found = (
        *config_check.check(config, runtime, known, locate=locate),
        *config_check.check(*rendered, known, locate=locate),
    )
    once: dict[Path, UnknownKey] = {}
    for one in found:
        once.setdefault((one.document, *one.path), one)
    return tuple(once.values())
