"""YAML nodes as plain data, by the rules of Helm's YAML library."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from mimir_migrate.documents.yaml.positions import Node, YamlError

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
# The words that Helm's YAML library reads as booleans, which follows YAML 1.1.
_BOOLEANS = {
    word: value
    for value, words in ((True, ("true", "yes", "on")), (False, ("false", "no", "off")))
    for plain in words
    for word in (plain, plain.capitalize(), plain.upper())
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0o?[0-7_]+|0b[01_]+)\Z")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?\Z"
    r"|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
)
_MAX_NODES = 200_000
"""Aliases that expand to more parts than this are refused (a "billion laughs" file)."""


def merged_entries(node: Node) -> Iterable[tuple[Node, Node, bool]]:
    """A mapping's entries with merge keys followed: key, value, and whether it was merged in."""
    own: set[str] = set()
    merges: list[Node] = []
    for key, value in node.entries:
        if key.value == "<<" and not key.style and key.kind == "scalar":
            source = value.resolved
            merges += [item.resolved for item in source.items] or [source]
        else:
            own.add(key.resolved.value)
            yield key, value, False
    for source in merges:
        for key, value, _ in merged_entries(source):
            if key.resolved.value not in own:
                own.add(key.resolved.value)
                yield key, value, True


def find(node: Node, key: str) -> tuple[Node, Node, bool] | None:
    """The entry of a mapping that counts for `key`, merge keys followed."""
    own = node.get(key)
    if own:
        return own[0], own[1], False
    if node.get("<<") is None:
        return None
    return next((entry for entry in merged_entries(node) if entry[0].value == key), None)


def to_data(node: Node) -> Any:
    """The node as plain data, as Helm reads it: keys are text, aliases and merges are followed.

    Raises:
        YamlError: aliases expand to more than is reasonable.
    """
    return _Reader().read(node)


class _Reader:
    def __init__(self) -> None:
        self._left = _MAX_NODES

    def read(self, node: Node) -> Any:
        node = node.resolved
        self._left -= 1
        if self._left < 0:
            raise YamlError("the aliases expand to more than can be read", node.start)
        if node.kind == "scalar":
            return scalar_data(node)
        if node.kind == "sequence":
            return [self.read(item) for item in node.items]
        return {
            _key_text(key.resolved): self.read(value) for key, value, _ in merged_entries(node)
        }


def _key_text(node: Node) -> str:
    return node.value if node.kind == "scalar" else "{}"


def scalar_data(node: Node) -> str | bool | int | float | None:
    """A scalar's value by Helm's rules: unquoted words may be null, booleans or numbers."""
    value = node.value
    if node.style or (node.tag and node.tag.endswith(":str")):
        return value
    if value in _NULLS:
        return None
    if value in _BOOLEANS:
        return _BOOLEANS[value]
    if value[0] not in "+-.0123456789":
        return value
    return _number(value)


def _number(value: str) -> str | int | float:
    if _INTEGER.match(value):
        digits = value.replace("_", "")
        try:
            return int(digits, 0)
        except ValueError:
            # A leading zero is octal in YAML 1.1.
            return int(digits, 8)
    if _FLOAT.match(value):
        word = value.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan")
        return float(word)
    return value
