"""Where the chart's values seem to be, in a file in which none were found: for hints only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mimir_migrate.documents.values.evidence import has_mimir_block
from mimir_migrate.documents.values.root_names import written
from mimir_migrate.documents.values.roots import looks_like_values
from mimir_migrate.documents.yaml.positions import Node, Text, YamlError, parse

_STYLES = {'"': "in quotes", "'": "in quotes", ">": "folded with `>`"}


def likely(documents: Sequence[Node]) -> str:
    """A place that looks like the chart's values, as `--values-root` takes it; empty: there is none.

    It is for a hint only: what the place is part of is not known.
    """
    for number, document in enumerate(documents):
        for keys, node in _mappings(document):
            if keys and has_mimir_block(node):
                named = written(keys) if document.kind == "mapping" else _indexed(keys)
                return named if len(documents) == 1 else f"[{number}].{named}"
    return ""


def text_of_values(documents: Sequence[Node]) -> tuple[str, str, str, Node] | None:
    """A text that holds what looks like the chart's values and is not a literal block: in quotes or folded.

    Returns:
        Its place as `--values-root` takes it, its key, how it is written, and its node; None: there is
        none.
    """
    for document in documents:
        for keys, node in _texts(document):
            try:
                inner = parse(Text(node.value), first_only=True)
            except YamlError:
                continue
            if inner and any(looks_like_values(below) for _, below in _mappings(inner[0])):
                return written(keys), keys[-1] if keys else "", _STYLES[node.style], node
    return None


def _texts(document: Node) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Texts of several lines that are not literal blocks."""
    for keys, node in _nodes(document, ()):
        if node.kind == "scalar" and node.style in _STYLES and "\n" in node.value:
            yield keys, node


def _indexed(keys: Sequence[str]) -> str:
    return f"[{keys[0]}]" + "".join(f".{written([key])}" for key in keys[1:])


def _mappings(document: Node) -> Iterator[tuple[tuple[str, ...], Node]]:
    return ((keys, node) for keys, node in _nodes(document, ()) if node.kind == "mapping")


def _nodes(node: Node, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Node]]:
    """A node and all below it, each with the keys and numbers that lead to it."""
    yield keys, node
    for key, value in node.entries:
        yield from _nodes(value, (*keys, key.value))
    for index, item in enumerate(node.items):
        yield from _nodes(item, (*keys, str(index)))
