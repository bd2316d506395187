"""Proof that an edited text says exactly what was intended, by reading it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mimir_migrate.documents.loaded_values import Loaded
from mimir_migrate.documents.setting_deltas import Delta, at_keys, same, with_delta, with_value
from mimir_migrate.documents.shapes import ChartRoot
from mimir_migrate.documents.yaml_data import to_data
from mimir_migrate.documents.yaml_positions import Node, Text, YamlError, parse


def flaw(each: Loaded, root: ChartRoot, delta: Delta, after: str) -> str:
    """What is wrong with an edited text; empty: it is the file with the delta, and no more."""
    try:
        return _difference(each, root, delta, after)
    except YamlError as error:
        return f"the edited text could not be read: {error.problem}"


def _difference(each: Loaded, root: ChartRoot, delta: Delta, after: str) -> str:
    expected = [to_data(document) for document in each.documents]
    found = _documents(after)
    number = root.container.document
    if root.container.embedded is None:
        expected[number] = with_delta(expected[number], root.root, delta)
    else:
        keys = root.container.keys
        string = at_keys(found[number], keys) if number < len(found) else None
        inside = _documents(str(string))
        intended = with_delta(to_data(root.container.node), root.keys, delta)
        if not same(inside, [intended]):
            return "the edited text would say something else"
        expected[number] = with_value(expected[number], keys, string)
    return "" if same(expected, found) else "the edit would change something else too"


def _documents(text: str) -> Sequence[Any]:
    return [to_data(document) for document in parse(Text(text)) or [Node("scalar", 0, 0)]]
