"""What a values file means to Helm, and whether two contents mean the same.

This is the one reader of values: what asks for the meaning of a file reads it here, or reads nodes by
`data.to_data`, which this does too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from mimir_migrate.documents.yaml.data import to_data
from mimir_migrate.documents.yaml.deltas import same
from mimir_migrate.documents.yaml.positions import Node, Text, YamlError, parse

BOM = b"\xef\xbb\xbf"


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What a text says."""

    documents: tuple[Any, ...]
    """The data of each document. Helm 3 reads the first of them, Helm 4 lays them over each other."""
    directives: tuple[tuple[str, int], ...]
    """The template directives on lines of their own, each with how many parts stand before it."""


def text_of(content: bytes) -> Text:
    """A file's content as text.

    Raises:
        YamlError: It is not UTF-8; the offset is not known.
    """
    try:
        return Text(content.removeprefix(BOM).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise YamlError("this is not UTF-8 text") from error


def read_values(content: bytes) -> dict[str, Any]:
    """A values file as Helm 3 reads it: the first document, of equal keys the last.

    Raises:
        YamlError: Helm ends with an error at it: it is not YAML, or not one mapping.
    """
    documents = parse(text_of(content), repeated=True, first_only=True)
    data = to_data(documents[0]) if documents else None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise YamlError("a values file must hold one mapping", documents[0].start)
    return data


def meaning(content: bytes) -> Meaning:
    """Everything that a file says, in all of its documents.

    Raises:
        YamlError: It cannot be read.
    """
    text = text_of(content)
    documents = parse(text, repeated=True)
    starts = sorted(node.start for document in documents for node in _parts(document))
    return Meaning(
        documents=tuple(to_data(document) for document in documents),
        directives=tuple(
            (" ".join(each.text.split()), sum(start < each.start for start in starts))
            for each in text.masked.directives
        ),
    )


def _parts(node: Node) -> Iterator[Node]:
    yield node
    for key, value in node.entries:
        yield key
        yield from _parts(value)
    for item in node.items:
        yield from _parts(item)


def differing_paths(ours: Any, theirs: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Dotted paths at which two trees of Helm's data differ, types included.

    An empty block and an absent one are the same to Helm. A null is neither: it takes away what the
    chart has by itself.
    """
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*ours, *theirs}):
            yield from differing_paths(
                ours.get(key, _ABSENT), theirs.get(key, _ABSENT), (*path, key)
            )
    elif not _both_empty(ours, theirs) and not same(ours, theirs):
        yield ".".join(path) or "the whole file"


_ABSENT = object()


def _both_empty(ours: Any, theirs: Any) -> bool:
    return all(each is _ABSENT or each == {} for each in (ours, theirs))
