"""The two ways of patching an object that the Kubernetes clients use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MERGE_KEYS: Mapping[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "ownerReferences": "uid",
    "conditions": "type",
}
"""Lists that a strategic merge merges element by element, and the key it finds an element by."""


def copied(value: Any) -> Any:
    """A copy of what JSON can hold; `copy.deepcopy` takes three times as long for the same."""
    if isinstance(value, dict):
        return {key: copied(one) for key, one in value.items()}
    if isinstance(value, list):
        return [copied(one) for one in value]
    return value


def merge_patch(old: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386): maps merge, null removes, everything else replaces."""
    return _merge(old, patch, strategic=False)


def strategic_merge_patch(old: Any, patch: Any) -> Any:
    """As `merge_patch`, but lists of named things merge by their names."""
    return _merge(old, patch, strategic=True)


def _merge(old: Any, patch: Any, *, strategic: bool) -> Any:
    if not isinstance(patch, Mapping):
        return copied(patch)
    below = old if isinstance(old, Mapping) else {}
    merged = {key: one if key in patch else copied(one) for key, one in below.items()}
    for key, value in patch.items():
        if strategic and key.startswith("$"):
            if key in merged:
                merged[key] = copied(merged[key])
            continue
        if value is None:
            merged.pop(key, None)
        elif strategic and key in _MERGE_KEYS and isinstance(value, list):
            merged[key] = _merge_list(merged.get(key) or [], value, _MERGE_KEYS[key])
        else:
            merged[key] = _merge(merged.get(key), value, strategic=strategic)
    return merged


def _merge_list(old: list[Any], patch: list[Any], key: str) -> list[Any]:
    merged: list[Any] = copied(old)
    for element in patch:
        if not isinstance(element, Mapping) or key not in element:
            replaced: list[Any] = copied(patch)
            return replaced
        place = next((i for i, one in enumerate(merged) if one.get(key) == element[key]), None)
        if element.get("$patch") == "delete":
            if place is not None:
                del merged[place]
        elif place is None:
            merged.append(copied(dict(element)))
        else:
            merged[place] = _merge(merged[place], element, strategic=True)
    return merged
