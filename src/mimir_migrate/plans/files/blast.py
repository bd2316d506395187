"""What a deploy would change besides the configuration: two renderings compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mimir_migrate.documents.values.files import SourceFile
from mimir_migrate.documents.yaml.deltas import same

Manifest = Mapping[str, object]
Render = Callable[[Mapping[str, bytes]], tuple[Manifest, ...] | None]

CONFIGURATION_KEYS = frozenset(
    {"mimir.yaml", "cortex.yaml", "runtime.yaml", "runtime_config.yaml", "runtime-config.yaml"}
)
"""Data keys of the ConfigMaps and Secrets that hold the (runtime) configuration in both charts."""


class Remembering:
    """Renders each content once: what one step leads to is where the next begins."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._known: dict[tuple[tuple[str, bytes], ...], tuple[Manifest, ...] | None] = {}

    def __call__(self, files: Mapping[str, bytes]) -> tuple[Manifest, ...] | None:
        """Render, or give what was rendered of the same files before."""
        key = tuple(files.items())
        if key not in self._known:
            self._known[key] = self._render(files)
        return self._known[key]


def other_changes(
    render: Render, before: Sequence[SourceFile], after: Sequence[SourceFile]
) -> tuple[str, ...] | None:
    """Everything that differs between the two renderings and is not configuration or a checksum.

    None: the values cannot be rendered here, so nothing is proven.
    """
    old = render({file.path: file.content for file in before})
    new = render({file.path: file.content for file in after})
    if old is None or new is None:
        return None
    return differences(old, new)


def differences(old: Sequence[Manifest], new: Sequence[Manifest]) -> tuple[str, ...]:
    """Paths, with the object's name, at which two sets of manifests differ beyond configuration."""
    left, right = _by_name(old), _by_name(new)
    found = [f"{name}: removed" for name in left if name not in right]
    found += [f"{name}: added" for name in right if name not in left]
    for name, one in left.items():
        if name in right:
            found += [f"{name}: {path}" for path in _paths(one, right[name], ()) if path]
    return tuple(sorted(found))


def _by_name(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    found: dict[str, Manifest] = {}
    for manifest in manifests:
        metadata = manifest.get("metadata")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        found[f"{manifest.get('kind', '?')}/{name}"] = manifest
    return found


def _paths(left: object, right: object, path: tuple[str, ...]) -> list[str]:
    # `true` and 1 are equal to Python, and not to a cluster.
    if same(left, right) or _is_configuration(path):
        return []
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        found: list[str] = []
        for key in sorted({*left, *right}, key=str):
            found += _paths(left.get(key), right.get(key), (*path, str(key)))
        return found
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        found = []
        for index, (one, two) in enumerate(zip(left, right, strict=True)):
            found += _paths(one, two, (*path, str(index)))
        return found
    return [".".join(path)]


def _is_configuration(path: tuple[str, ...]) -> bool:
    if not path:
        return False
    if path[-1].startswith("checksum/"):
        return True
    return (
        len(path) > 1
        and path[0] in {"data", "stringData", "binaryData"}
        and path[1] in CONFIGURATION_KEYS
    )
