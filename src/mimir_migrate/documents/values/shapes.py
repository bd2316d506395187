"""Where a file holds values of some chart: plain values, and manifests of Flux, Argo CD and others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from mimir_migrate.documents.values.charts import ChartName, chart_near
from mimir_migrate.documents.values.nodes import is_null, node_at, text_at
from mimir_migrate.documents.values.strangers import is_stranger
from mimir_migrate.documents.yaml.changes import Embedded
from mimir_migrate.documents.yaml.positions import Node, Text, YamlError, parse

_HEADER = re.compile(r"[|>](?:[+-]?([1-9])?[+-]?)")

_MAPPINGS = {
    "HelmRelease": ("flux", ("spec", "values")),
    "Release": ("crossplane", ("spec", "forProvider", "values")),
    "HelmChartInflationGenerator": ("kustomize", ("valuesInline",)),
}
"""Kinds whose values are a mapping: the shape's name and the keys."""
_STRINGS = {
    "HelmChart": ("k3s-string", ("spec", "valuesContent")),
    "HelmChartConfig": ("k3s-string", ("spec", "valuesContent")),
    "HelmChartProxy": ("cluster-api-string", ("spec", "valuesTemplate")),
}
"""Kinds whose values are a text."""
_HOLDERS = {"ConfigMap": "data", "Secret": "stringData"}
"""Kinds that may hold values files, e.g. those that a HelmRelease names in `valuesFrom`."""


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A place that holds values of some chart: a whole document, or a part of a manifest."""

    shape: str
    keys: tuple[str, ...]
    text: Text
    node: Node
    """A mapping, or a scalar that is null."""
    key: Node | None = None
    document: int = 0
    embedded: Embedded | None = None
    holder: Node | None = None
    """The literal scalar that the values are embedded in."""
    chart: ChartName = ChartName()
    """The chart, as far as the manifest says."""


def containers(text: Text, documents: Sequence[Node]) -> Iterator[Container]:
    """Every place of a file that holds values of some chart."""
    for number, document in enumerate(documents):
        kind = text_at(document, "kind") if document.kind == "mapping" else ""
        if kind and document.get("apiVersion"):
            yield from _Manifest(text, documents, number).places(kind)
        elif (document.kind == "mapping" and not is_stranger(document)) or is_null(document):
            yield Container(shape="values", keys=(), text=text, node=document, document=number)


class _Manifest:
    """One document of a file, which says what kind it is."""

    def __init__(self, text: Text, documents: Sequence[Node], number: int) -> None:
        self._text = text
        self._documents = documents
        self._number = number
        self._document = documents[number]

    def places(self, kind: str) -> Iterator[Container]:
        """Where the document holds values."""
        if kind in _MAPPINGS:
            yield from self._mapping(*_MAPPINGS[kind])
        elif kind in _STRINGS:
            yield from self._string(*_STRINGS[kind])
        elif kind in {"Application", "ApplicationSet"}:
            yield from self._argo(
                ("spec",) if kind == "Application" else ("spec", "template", "spec")
            )
        elif kind == "Kustomization":
            for keys in self._items(("helmCharts",)):
                yield from self._mapping("kustomize", (*keys, "valuesInline"))
        elif kind in {"ClusterProfile", "Profile"}:
            for keys in self._items(("spec", "helmCharts")):
                yield from self._string("sveltos-string", (*keys, "values"))
        elif kind in _HOLDERS:
            yield from self._held(kind, _HOLDERS[kind])

    def _items(self, keys: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        found = node_at(self._document, keys)
        for index in range(len(found[1].resolved.items) if found else 0):
            yield (*keys, str(index))

    def _argo(self, base: tuple[str, ...]) -> Iterator[Container]:
        for place in ((*base, "source"), *self._items((*base, "sources"))):
            objects = tuple(
                self._mapping("argocd-values-object", (*place, "helm", "valuesObject"))
            )
            # Argo CD takes valuesObject where both are set.
            yield from objects or self._string("argocd-values-string", (*place, "helm", "values"))

    def _held(self, kind: str, field: str) -> Iterator[Container]:
        found = node_at(self._document, (field,))
        for key, _ in found[1].resolved.entries if found else ():
            try:
                yield from self._string(kind.lower(), (field, key.value))
            except YamlError:
                # Any text may stand there, e.g. a script.
                continue

    def _chart(self, keys: tuple[str, ...]) -> ChartName:
        return chart_near(self._documents, self._document, keys)

    def _mapping(self, shape: str, keys: tuple[str, ...]) -> Iterator[Container]:
        found = node_at(self._document, keys)
        if found and (found[1].resolved.kind == "mapping" or is_null(found[1])):
            yield Container(
                shape=shape,
                keys=keys,
                text=self._text,
                node=found[1],
                key=found[0],
                document=self._number,
                chart=self._chart(keys),
            )

    def _string(self, shape: str, keys: tuple[str, ...]) -> Iterator[Container]:
        found = node_at(self._document, keys)
        if not found or found[1].kind != "scalar" or found[1].style != "|":
            return
        inside = opened(self._text, found[0], found[1])
        if inside is not None:
            yield Container(
                shape=shape,
                keys=keys,
                text=inside[0].text,
                node=inside[1],
                document=self._number,
                embedded=inside[0],
                holder=found[1],
                chart=self._chart(keys),
            )


def opened(text: Text, key: Node, holder: Node) -> tuple[Embedded, Node] | None:
    """The document in a literal block scalar; None: it holds none, or several.

    Raises:
        YamlError: It is not YAML; the offset is one of the outer text.
    """
    embedded = embed(text, key, holder)
    try:
        inner = parse(embedded.text)
    except YamlError as error:
        error.offset = embedded.outer_offset(max(error.offset, 0))
        raise
    return (embedded, inner[0]) if len(inner) == 1 else None


def embed(text: Text, key: Node, holder: Node) -> Embedded:
    """A literal block scalar as a text of its own."""
    header = _HEADER.match(text.original, text.value_start(holder))
    first = text.line_of(text.value_start(holder)) + 1
    last = text.line_of(max(holder.end - 1, holder.start))
    if header and header.group(1):
        indent = text.column_of(key.start) + int(header.group(1))
    else:
        lines = (text.line_text(line) for line in range(first, last + 1))
        body = next((line for line in lines if line.strip()), "")
        indent = len(body) - len(body.lstrip(" "))
    return Embedded(text, first, last, indent)
