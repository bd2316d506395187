"""Where the chart's values are in a file: found by what speaks for them, or named by their keys.

The keys that `--values-root` names are joined by dots: `spec.values`, `spec[0].values` or `spec.0.values`
for items of lists, `data."values.yaml".mimir` for keys with dots in them; the way leads into literal
texts as well. `NAME:` before the keys chooses a document by its `metadata.name`, `KIND/NAME:` by its kind
too, and a leading `[1]` by its place in the file, from 0, where that document is not a list itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from mimir_migrate.documents.values.charts import chart_near
from mimir_migrate.documents.values.evidence import (
    LIKELY,
    POSSIBLE,
    SURE,
    Evidence,
    has_mimir_block,
    is_raw,
    is_subchart,
    judge,
)
from mimir_migrate.documents.values.nodes import is_null, node_at, text_at
from mimir_migrate.documents.values.root_names import Part, RootName, written
from mimir_migrate.documents.values.shapes import Container, opened
from mimir_migrate.documents.yaml.positions import Node, Text, YamlError
from mimir_migrate.model.rings import Product

_UMBRELLA_KEYS = {
    "mimir-distributed": Product.MIMIR,
    "mimir_distributed": Product.MIMIR,
    "mimirDistributed": Product.MIMIR,
    "mimir": Product.MIMIR,
    "cortex": Product.CORTEX,
}
_NAME = re.compile(r"[\w.-]+\Z")


class ChartRoot(msgspec.Struct, frozen=True, kw_only=True):
    """The chart's values inside a container."""

    container: Container
    keys: tuple[str, ...]
    """Keys from the container down."""
    node: Node
    key: Node | None
    product: Product
    shape: str
    score: int = 0
    against: str = ""
    """What speaks against these being the product's values; empty: nothing."""
    certain: bool = False
    """Whether that cannot be outweighed."""
    spoken_for: bool = True
    """Whether something of what is there speaks for the product, or for being the chart's values."""

    @property
    def root(self) -> tuple[str, ...]:
        """Keys from the document down to the chart's values."""
        return self.container.keys + self.keys


# ---- found ----------------------------------------------------------------------------------


def chart_roots(
    container: Container, *, product: Product | None = None, hint: str = ""
) -> list[ChartRoot]:
    """Candidates for the chart's values in a container, the most certain first.

    Those that something speaks against are among them.
    """
    found = [_judge(container, (), container.node, container.key, product, hint)]
    for key, value in container.node.resolved.entries:
        inside = _umbrella(container, key, value, product)
        if inside:
            found.append(inside)
    roots = [root for root in found if root is not None and (root.score > 0 or root.against)]
    return sorted(roots, key=lambda root: -root.score)


def _umbrella(
    container: Container, key: Node, value: Node, product: Product | None
) -> ChartRoot | None:
    named = _UMBRELLA_KEYS.get(key.value)
    inside = value.resolved
    if inside.kind == "mapping":
        root = _judge(container, (key.value,), value, key, product, "")
        certain = root and (
            root.score == SURE
            or (root.score > 0 and named is root.product)
            or (
                product is Product.MIMIR
                and is_subchart(container.node.resolved, key.value, sure=True)
            )
        )
        if root and certain and (named is None or not _is_mimir_block(key, inside)):
            return root
    if named is None or (product is not None and named is not product):
        return None
    if key.value in {"mimir", "cortex"} and not (
        product is named and is_subchart(container.node.resolved, key.value)
    ):
        return None
    if inside.kind == "mapping" or is_null(value):
        weighed = judge(inside, named, chart=container.chart, hint="", umbrella=True)
        evidence = msgspec.structs.replace(weighed, score=LIKELY)
        return _root(container, (key.value,), value, key, named, evidence)
    return None


def _is_mimir_block(key: Node, inside: Node) -> bool:
    """Whether `mimir:` is the chart's own block and not an umbrella chart's."""
    return key.value == "mimir" and bool(inside.get("structuredConfig") or inside.get("config"))


def _judge(
    container: Container,
    keys: tuple[str, ...],
    node: Node,
    key: Node | None,
    product: Product | None,
    hint: str,
) -> ChartRoot | None:
    inside = node.resolved
    weighed = {
        each: judge(inside, each, chart=container.chart, hint=hint, umbrella=bool(keys))
        for each in Product
    }
    if product is not None:
        evidence = weighed[product]
        score = evidence.score
        if not keys and score == 0 and not is_raw(inside):
            score = POSSIBLE
        # Somebody's word settles what is only doubtful.
        against = evidence.against if evidence.certain else ""
        evidence = msgspec.structs.replace(evidence, score=score, against=against)
        return _root(container, keys, node, key, product, evidence) if score else None
    best = max(
        weighed,
        key=lambda each: (
            bool(weighed[each].score) and not weighed[each].against,
            weighed[each].score,
        ),
    )
    found = weighed[best]
    if not found.score and not (found.against and not keys and looks_like_values(inside)):
        return None
    return _root(container, keys, node, key, best, found)


def _root(
    container: Container,
    keys: tuple[str, ...],
    node: Node,
    key: Node | None,
    product: Product,
    evidence: Evidence,
) -> ChartRoot:
    shape = container.shape
    if keys:
        shape = "umbrella" if shape == "values" else f"{shape}, umbrella"
    return ChartRoot(
        container=container,
        keys=keys,
        node=node,
        key=key,
        product=product,
        shape=shape,
        score=evidence.score,
        against=evidence.against,
        certain=evidence.certain,
    )


# ---- named ----------------------------------------------------------------------------------


def named_roots(
    text: Text,
    documents: Sequence[Node],
    found: Sequence[Container],
    name: RootName,
    product: Product | None,
) -> list[ChartRoot]:
    """Every place of a file that a name fits; several: it is ambiguous."""
    roots: dict[tuple[int, tuple[str, ...]], ChartRoot] = {}
    for number, document in enumerate(documents):
        if not _is_chosen(document, name.document):
            continue
        parts = name.parts
        if len(documents) > 1 and document.kind != "sequence" and _is_index(parts):
            if int(parts[0].text) != number:
                continue
            parts = parts[1:]
        for place in _walk(text, document, parts):
            container = _container_of(text, place, documents, number, found)
            roots.setdefault((number, place.keys), _named(place, container, product))
    return list(roots.values())


def _is_index(parts: Sequence[Part]) -> bool:
    return bool(parts) and not parts[0].plain and parts[0].text.isdigit()


def whole(container: Container, product: Product) -> ChartRoot:
    """A container's values as those of a product, whatever is in them."""
    root = _judge(container, (), container.node, container.key, product, "")
    evidence = Evidence(score=POSSIBLE)
    return root or _root(container, (), container.node, container.key, product, evidence)


def part_of(
    containers: Sequence[Container], keys: Sequence[str], product: Product
) -> ChartRoot | None:
    """The part of an umbrella chart's values at some keys, whatever is in it; None: no part is there."""
    for container in containers:
        entry = node_at(container.node.resolved, keys)
        if entry is not None and (entry[1].resolved.kind == "mapping" or is_null(entry[1])):
            evidence = Evidence(score=POSSIBLE)
            return _root(container, tuple(keys), entry[1], entry[0], product, evidence)
    return None


def title(root: ChartRoot, documents: Sequence[Node], *, quoted: bool = False) -> str:
    """A root as `--values-root` takes it, its document included where the file has several."""
    keys = written(root.root, quoted=quoted)
    if len(documents) == 1:
        return keys
    document = documents[root.container.document]
    name, kind = text_at(document, "metadata", "name"), text_at(document, "kind")
    alike = [
        each for each in documents
        if (text_at(each, "metadata", "name"), text_at(each, "kind")) == (name, kind)
    ]  # fmt: skip
    if name and kind and len(alike) == 1 and _NAME.match(name):
        return f"{kind}/{name}:{keys}"
    return f"[{root.container.document}].{keys}" if keys else f"[{root.container.document}]"


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    keys: tuple[str, ...]
    node: Node
    key: Node | None
    inner: Container | None = None
    """The literal text that the place is in."""


def _is_chosen(document: Node, wanted: str) -> bool:
    if not wanted:
        return True
    name, kind = text_at(document, "metadata", "name"), text_at(document, "kind")
    return wanted in {name, f"{kind}/{name}"}


def _walk(
    text: Text,
    node: Node,
    parts: Sequence[Part],
    keys: tuple[str, ...] = (),
    key: Node | None = None,
    inner: Container | None = None,
) -> Iterator[_Place]:
    inside = node.resolved
    if (
        inside.kind == "scalar"
        and node.kind == "scalar"
        and node.style == "|"
        and inner is None
        and key
    ):
        try:
            content = opened(text, key, node)
        except YamlError:
            return
        if content is not None:
            embedded, below = content
            holder = Container(
                shape="string",
                keys=keys,
                text=embedded.text,
                node=below,
                embedded=embedded,
                holder=node,
            )
            yield from _walk(text, below, parts, keys, None, holder)
        return
    if not parts:
        if inside.kind == "mapping" or is_null(node):
            yield _Place(keys=keys, node=node, key=key, inner=inner)
        return
    if inside.kind == "sequence":
        if parts[0].text.isdigit() and int(parts[0].text) < len(inside.items):
            item = inside.items[int(parts[0].text)]
            yield from _walk(text, item, parts[1:], (*keys, parts[0].text), item, inner)
        return
    for count in range(1, len(parts) + 1):
        taken = parts[:count]
        if count > 1 and not all(part.plain for part in taken):
            break
        name = ".".join(part.text for part in taken)
        entry = inside.get(name) if inside.kind == "mapping" else None
        if entry is not None:
            yield from _walk(text, entry[1], parts[count:], (*keys, name), entry[0], inner)


def _named(place: _Place, container: Container, product: Product | None) -> ChartRoot:
    below = place.keys[len(container.keys) :]
    judged = _judge(container, below, place.node, place.key, product, "")
    if judged is not None:
        # At the top of a file somebody's word is all that may speak for it.
        said = judged.score == POSSIBLE and product is not None
        return msgspec.structs.replace(judged, spoken_for=not said)
    evidence = judge(
        place.node.resolved,
        product or Product.MIMIR,
        chart=container.chart,
        hint="",
        umbrella=bool(below),
    )
    doubt = msgspec.structs.replace(evidence, score=POSSIBLE)
    if product is not None and not evidence.certain:
        doubt = msgspec.structs.replace(doubt, against="")
    root = _root(container, below, place.node, place.key, product or Product.MIMIR, doubt)
    return msgspec.structs.replace(root, spoken_for=False)


def _container_of(
    text: Text, place: _Place, documents: Sequence[Node], number: int, found: Sequence[Container]
) -> Container:
    """The container that a place is in: the narrowest that was found, else one made for it."""
    known = [
        each
        for each in found
        if each.document == number
        and each.keys == place.keys[: len(each.keys)]
        and (each.embedded is not None) == (place.inner is not None)
    ]
    near = max(known, key=lambda each: len(each.keys), default=None)
    chart = chart_near(documents, documents[number], place.keys)
    if near is not None and (near.chart.name or not chart.name):
        return near
    if place.inner is not None:
        return msgspec.structs.replace(place.inner, document=number, chart=chart)
    if near is not None and not chart.name:
        return near
    return Container(
        shape="named",
        keys=place.keys,
        text=text,
        node=place.node,
        key=place.key,
        document=number,
        chart=chart,
    )


def looks_like_values(node: Node) -> bool:
    """Whether a mapping looks like values of one of the products, so that doubts are worth a word."""
    return node.kind == "mapping" and bool(
        has_mimir_block(node)
        or node.get("mimir")
        or len({key.value for key, _ in node.entries} & {"ingester", "distributor", "querier"}) > 1
        or node.get("config")
    )
