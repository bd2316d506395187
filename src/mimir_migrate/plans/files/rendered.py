"""What an edit changes in the configuration that the values render to."""

from __future__ import annotations

import base64
import binascii
import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mimir_migrate.inspection.pages.config import read_yaml
from mimir_migrate.inspection.pages.reading import UnreadablePageError
from mimir_migrate.plans.files.blast import CONFIGURATION_KEYS, Manifest

_STATIC = (" mimir.yaml", " cortex.yaml")


def configuration_texts(manifests: Sequence[Manifest]) -> dict[str, str]:
    """The (runtime) configuration that manifests hold, by `Kind/name: key`."""
    found = {}
    for manifest in manifests:
        kind = str(manifest.get("kind", ""))
        metadata = manifest.get("metadata")
        name = metadata.get("name", "") if isinstance(metadata, Mapping) else ""
        if kind in {"ConfigMap", "Secret"}:
            for key, text in _texts(manifest, kind):
                found[f"{kind}/{name}: {key}"] = text
    return found


def _texts(manifest: Manifest, kind: str) -> Iterator[tuple[str, str]]:
    for field in ("data", "stringData"):
        data = manifest.get(field)
        for key, text in data.items() if isinstance(data, Mapping) else ():
            if key in CONFIGURATION_KEYS and isinstance(text, str):
                encoded = kind == "Secret" and field == "data"
                yield str(key), _decoded(text) if encoded else text


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return text


def configuration_trees(
    manifests: Sequence[Manifest],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configuration and the runtime configuration that manifests hold, parsed.

    Empty where there is none, or none that can be read.
    """
    config: dict[str, Any] = {}
    runtime: dict[str, Any] = {}
    for name, text in configuration_texts(manifests).items():
        try:
            tree = read_yaml(text.encode(), name)
        except UnreadablePageError:
            continue
        (config if name.endswith(_STATIC) else runtime).update(tree)
    return config, runtime


def configuration_diff(before: Sequence[Manifest], after: Sequence[Manifest]) -> str:
    """The unified diff of the configuration in two renderings; empty where it is the same."""
    old, new = configuration_texts(before), configuration_texts(after)
    lines: list[str] = []
    for name in dict.fromkeys((*old, *new)):
        lines += difflib.unified_diff(
            _lines(old.get(name, "")), _lines(new.get(name, "")), name, name, n=4
        )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
