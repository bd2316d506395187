"""YAML nodes as plain data, as Helm reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mimir_migrate.documents.yaml.positions import Node, YamlError
from mimir_migrate.documents.yaml.scalars import Scalar, ScalarError, as_json, key_text, resolved

_MAX_NODES = 200_000
"""Aliases that expand to more parts than this are refused (a "billion laughs" file)."""


def is_merge(key: Node) -> bool:
    """Whether a key is the merge key `<<`."""
    return key.kind == "scalar" and key.value == "<<" and (not key.style or bool(key.tag))


def merge_sources(value: Node) -> list[Node]:
    """What a merge key's value merges in; of two that have a key the first one counts.

    Raises:
        YamlError: It is neither a mapping nor a list of mappings.
    """
    source = value.resolved
    sources = [item.resolved for item in source.items] if source.kind == "sequence" else [source]
    for each in sources:
        if each.kind != "mapping":
            raise YamlError("a merge key needs a mapping, or a list of mappings", value.start)
    return sources


def find(node: Node, key: str) -> tuple[Node, Node, bool] | None:
    """The entry of a mapping that counts for `key`: key, value, and whether it was merged in.

    Own entries are found before merged ones, also where a merge key stands behind them and so wins
    where Helm reads it: an edit that would have no effect for that reason does not pass its proof.
    """
    own = node.get(key)
    if own:
        return own[0], own[1], False
    for each, value in reversed(node.entries):
        if is_merge(each):
            for source in merge_sources(value):
                found = find(source, key)
                if found:
                    return found[0], found[1], True
    return None


def to_data(node: Node) -> Any:
    """The node as plain data, as Helm reads it: keys are text, aliases and merges are followed.

    Of a key that stands twice the last one counts, and what a merge key brings counts over what
    stands before it.

    Raises:
        YamlError: Helm cannot read it, or aliases expand to more than is reasonable.
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
            return _said(node, as_json)
        if node.kind == "sequence":
            return [self.read(item) for item in node.items]
        found: dict[str, Node] = {}
        self._fill(found, node.entries)
        return {key: self.read(value) for key, value in found.items()}

    def _fill(self, found: dict[str, Node], entries: Iterable[tuple[Node, Node]]) -> None:
        """Put in what counts: JSON is made of nothing else, so what is covered may be no JSON."""
        self._left -= 1
        if self._left < 0:
            raise YamlError("the merge keys expand to more than can be read")
        for key, value in entries:
            if is_merge(key):
                for source in reversed(merge_sources(value)):
                    self._fill(found, source.entries)
            else:
                # As in Go's maps, a key that is set again keeps no earlier place.
                name = data_key(key)
                found.pop(name, None)
                found[name] = value


def data_key(key: Node) -> str:
    """A key as Helm's data has it, e.g. `true` for `yes:` and `8` for `010:`.

    Raises:
        YamlError: Helm takes no such key.
    """
    key = key.resolved
    if key.kind != "scalar":
        raise YamlError("a key is a list or a mapping, which Helm does not take", key.start)
    return str(_said(key, key_text))


def scalar_data(node: Node) -> Scalar:
    """A scalar's value by Helm's rules; its text where Helm cannot read it."""
    try:
        return as_json(resolved(node.value, node.tag, plain=not node.style))
    except ScalarError:
        return node.value


def _said(node: Node, convert: Callable[[Scalar], Scalar]) -> Scalar:
    try:
        return convert(resolved(node.value, node.tag, plain=not node.style))
    except ScalarError as error:
        raise YamlError(str(error), node.start) from error
