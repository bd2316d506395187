"""Nodes found by their keys."""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.documents.yaml.positions import Node


def node_at(node: Node, keys: Sequence[str]) -> tuple[Node, Node] | None:
    """The key and value at a path below a node, numbers standing for items of sequences."""
    entry: tuple[Node, Node] | None = None
    for key in keys:
        if node.kind == "sequence" and key.isdigit() and int(key) < len(node.items):
            item = node.items[int(key)]
            entry = (item, item)
        elif node.kind == "mapping":
            entry = node.get(key)
        else:
            return None
        if entry is None:
            return None
        node = entry[1].resolved
    return entry


def text_at(node: Node, *keys: str) -> str:
    """A scalar's text at a path; empty: there is none."""
    found = node_at(node, keys)
    return found[1].resolved.value if found and found[1].resolved.kind == "scalar" else ""


def is_null(node: Node) -> bool:
    """Whether a value is null, written or left out."""
    return node.kind == "scalar" and not node.style and node.value in {"", "~", "null"}
