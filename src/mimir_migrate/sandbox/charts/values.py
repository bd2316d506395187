"""Values as helm sees them: several files laid over each other, and text with `{{ }}` in it."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mimir_migrate.documents.yaml.meaning import BOM, read_values
from mimir_migrate.documents.yaml.positions import YamlError
from mimir_migrate.errors import DocumentError, UsageError

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_INCLUDE = re.compile(r'^(?:include|template)\s+"([\w.]+)"\s+[.$]$')
_PATH = re.compile(r"^[.$]?\.?(Values|Release)\.([\w.]+)(\s*\|\s*quote)?$")


def load_values(text: bytes, path: str) -> dict[str, Any]:
    """One values file.

    Raises:
        DocumentError: Helm cannot read it: it is not YAML, or not one mapping.
    """
    try:
        return read_values(text)
    except YamlError as error:
        place = _place(text, error.offset)
        raise DocumentError(
            f"Helm cannot read it: {error.problem}", path=path, line=place[0], column=place[1]
        ) from error


def _place(text: bytes, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset in characters; zeros where it is not known."""
    if offset < 0:
        return 0, 0
    before = text.removeprefix(BOM).decode("utf-8", "replace")[:offset]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def lay_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Maps merge, everything else is replaced, null takes a key away: helm's way with values."""
    merged = dict(below)
    for key, value in above.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = lay_over(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def merged_values(files: Sequence[tuple[str, bytes]], root: Sequence[str] = ()) -> dict[str, Any]:
    """Values files (path, content) laid over each other in order; `root` leads to the chart's own."""
    merged: dict[str, Any] = {}
    for path, text in files:
        found: Any = load_values(text, path)
        for key in root:
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping):
            merged = lay_over(merged, found)
    return merged


def evaluate(value: Any, scope: Mapping[str, Any], includes: Mapping[str, str]) -> Any:
    """Evaluate the template actions in every text of a value, as helm's `tpl` does.

    Only what people write in values is known: `.Values.…`, `.Release.…` and the charts' names.

    Raises:
        UsageError: An action of another kind.
    """
    if isinstance(value, Mapping):
        return {key: evaluate(one, scope, includes) for key, one in value.items()}
    if isinstance(value, list):
        return [evaluate(one, scope, includes) for one in value]
    if isinstance(value, str) and "{{" in value:
        return _ACTION.sub(lambda found: _action(found[1], scope, includes), value)
    return value


def _action(action: str, scope: Mapping[str, Any], includes: Mapping[str, str]) -> str:
    if (named := _INCLUDE.match(action)) and named[1] in includes:
        return includes[named[1]]
    if path := _PATH.match(action):
        found: Any = scope[path[1]]
        for key in path[2].split("."):
            found = found.get(key, "") if isinstance(found, Mapping) else ""
        return f'"{found}"' if path[3] else str(found)
    raise UsageError(
        f"the sandbox's chart cannot evaluate the template action {{{{ {action} }}}}",
        hint="It knows .Values, .Release and the names of the release; write the value itself.",
    )
