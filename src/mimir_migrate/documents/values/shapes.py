"""Where the chart's values are in a file: plain values, an umbrella chart, Flux, Argo CD and others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from mimir_migrate.documents.yaml.changes import Embedded
from mimir_migrate.documents.yaml.positions import Node, Text, YamlError, parse
from mimir_migrate.model.rings import Product

_SURE = 3
_LIKELY = 2
_POSSIBLE = 1

_MOSTLY = 0.7
"""Share of a mapping's keys that must be a chart's where none of them is the chart's own."""

_MIMIR_OWN = frozenset(
    {
        "admin-cache",
        "admin_api",
        "chunks-cache",
        "configStorageType",
        "continuous_test",
        "enterprise",
        "federation_frontend",
        "graphite",
        "index-cache",
        "kafka",
        "kedaAutoscaling",
        "kubeVersionOverride",
        "metaMonitoring",
        "metadata-cache",
        "overrides_exporter",
        "query_frontend",
        "query_scheduler",
        "results-cache",
        "rollout_operator",
        "ruler_querier",
        "ruler_query_frontend",
        "ruler_query_scheduler",
        "runtimeConfig",
        "smoke_test",
        "store_gateway",
        "tokengenJob",
        "vaultAgent",
    }
)
"""Keys that the mimir-distributed chart has and Mimir's own configuration file does not."""
_MIMIR_SHARED = frozenset(
    {
        "alertmanager",
        "compactor",
        "distributor",
        "externalConfigSecretName",
        "externalConfigVersion",
        "extraObjects",
        "fullnameOverride",
        "gateway",
        "global",
        "image",
        "ingester",
        "ingress",
        "license",
        "mimir",
        "minio",
        "nameOverride",
        "nginx",
        "provisioner",
        "querier",
        "rbac",
        "ruler",
        "serviceAccount",
        "serviceMonitor",
        "useExternalConfig",
    }
)
_RAW_KEYS = frozenset(
    {
        "activity_tracker",
        "alertmanager_storage",
        "auth_enabled",
        "blocks_storage",
        "common",
        "frontend",
        "frontend_worker",
        "ingester_client",
        "limits",
        "memberlist",
        "multitenancy_enabled",
        "query_range",
        "ruler_storage",
        "runtime_config",
        "server",
        "target",
        "usage_stats",
    }
)
"""Keys of Mimir's and Cortex' own configuration file, which no chart has at its top."""
_RING_BLOCKS = frozenset({"ring", "sharding_ring", "lifecycler"})
_CORTEX_CONFIG = _RAW_KEYS | {"ingester", "distributor", "querier", "store_gateway", "api"}
_UMBRELLA_KEYS = {
    "mimir-distributed": Product.MIMIR,
    "mimir_distributed": Product.MIMIR,
    "mimirDistributed": Product.MIMIR,
    "mimir": Product.MIMIR,
    "cortex": Product.CORTEX,
}
_HEADER = re.compile(r"[|>](?:[+-]?([1-9])?[+-]?)")


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
    chart: str = ""
    """The chart's name where the manifest says it."""


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

    @property
    def root(self) -> tuple[str, ...]:
        """Keys from the document down to the chart's values."""
        return self.container.keys + self.keys


def containers(text: Text, documents: Sequence[Node]) -> Iterator[Container]:
    """Every place of a file that holds values of some chart."""
    for number, document in enumerate(documents):
        kind = _text_at(document, "kind") if document.kind == "mapping" else ""
        if kind and document.get("apiVersion"):
            yield from _manifest(text, document, number, kind)
        elif document.kind == "mapping" or _is_null(document):
            yield Container(shape="values", keys=(), text=text, node=document, document=number)


def _manifest(text: Text, document: Node, number: int, kind: str) -> Iterator[Container]:
    if kind == "HelmRelease":
        chart = _text_at(document, "spec", "chart", "spec", "chart")
        yield from _mapping_at(text, document, number, ("spec", "values"), "flux", chart)
    elif kind in {"Application", "ApplicationSet"}:
        base = ("spec",) if kind == "Application" else ("spec", "template", "spec")
        yield from _argo(text, document, number, base)
    elif kind in {"HelmChart", "HelmChartConfig"}:
        chart = _text_at(document, "spec", "chart")
        yield from _string_at(
            text, document, number, ("spec", "valuesContent"), "k3s-string", chart
        )
    elif kind == "Kustomization":
        charts = node_at(document, ("helmCharts",))
        for index, item in enumerate(charts[1].items if charts else ()):
            keys = ("helmCharts", str(index), "valuesInline")
            yield from _mapping_at(
                text, document, number, keys, "kustomize", _text_at(item, "name")
            )


def _argo(text: Text, document: Node, number: int, base: tuple[str, ...]) -> Iterator[Container]:
    places = [(*base, "source")]
    sources = node_at(document, (*base, "sources"))
    count = len(sources[1].items) if sources else 0
    places += [(*base, "sources", str(index)) for index in range(count)]
    for place in places:
        source = node_at(document, place)
        if source is None:
            continue
        chart = _text_at(source[1], "chart")
        helm = (*place, "helm")
        objects = tuple(
            _mapping_at(
                text, document, number, (*helm, "valuesObject"), "argocd-values-object", chart
            )
        )
        # Argo CD takes valuesObject where both are set.
        yield from objects or _string_at(
            text, document, number, (*helm, "values"), "argocd-values-string", chart
        )


def _mapping_at(
    text: Text, document: Node, number: int, keys: tuple[str, ...], shape: str, chart: str
) -> Iterator[Container]:
    found = node_at(document, keys)
    if found and (found[1].resolved.kind == "mapping" or _is_null(found[1])):
        yield Container(
            shape=shape,
            keys=keys,
            text=text,
            node=found[1],
            key=found[0],
            document=number,
            chart=chart,
        )


def _string_at(
    text: Text, document: Node, number: int, keys: tuple[str, ...], shape: str, chart: str
) -> Iterator[Container]:
    found = node_at(document, keys)
    if not found or found[1].kind != "scalar" or found[1].style != "|":
        return
    holder = found[1]
    embedded = embed(text, found[0], holder)
    try:
        inner = parse(embedded.text)
    except YamlError as error:
        error.offset = embedded.outer_offset(max(error.offset, 0))
        raise
    if len(inner) == 1:
        yield Container(
            shape=shape,
            keys=keys,
            text=embedded.text,
            node=inner[0],
            document=number,
            embedded=embedded,
            holder=holder,
            chart=chart,
        )


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


def chart_roots(
    container: Container, *, product: Product | None = None, hint: str = ""
) -> list[ChartRoot]:
    """Candidates for the chart's values in a container, the most certain first."""
    found = [_judge(container, (), container.node, container.key, product, hint)]
    for key, value in container.node.resolved.entries:
        inside = _umbrella(container, key, value, product)
        if inside:
            found.append(inside)
    roots = [root for root in found if root is not None and root.score > 0]
    return sorted(roots, key=lambda root: -root.score)


def named_root(
    found: Sequence[Container], keys: tuple[str, ...], product: Product | None
) -> ChartRoot | None:
    """The chart's values at keys that the user named; None: this file has nothing there."""
    for container in sorted(found, key=lambda each: -len(each.keys)):
        if container.keys != keys[: len(container.keys)]:
            continue
        below = keys[len(container.keys) :]
        entry = node_at(container.node.resolved, below) if below else None
        if below and entry is None:
            continue
        key, node = entry or (container.key, container.node)
        if node.resolved.kind != "mapping" and not _is_null(node):
            continue
        judged = _judge(container, below, node, key, product, "")
        return judged or _root(container, below, node, key, product or Product.MIMIR, _POSSIBLE)
    return None


def _umbrella(
    container: Container, key: Node, value: Node, product: Product | None
) -> ChartRoot | None:
    named = _UMBRELLA_KEYS.get(key.value)
    inside = value.resolved
    if inside.kind == "mapping":
        root = _judge(container, (key.value,), value, key, product, "")
        certain = root and (root.score == _SURE or named is root.product)
        if certain and (named is None or not _is_mimir_block(key, inside)):
            return root
    if named is None or (product is not None and named is not product):
        return None
    if key.value in {"mimir", "cortex"}:
        return None
    if inside.kind == "mapping" or _is_null(value):
        return _root(container, (key.value,), value, key, named, _LIKELY)
    return None


def _is_mimir_block(key: Node, inside: Node) -> bool:
    """Whether `mimir:` is the chart's own block and no umbrella chart's."""
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
    # A manifest names the chart of the whole container, not of a part of it.
    chart = "" if keys else container.chart
    scores = {
        Product.MIMIR: _mimir_score(inside, chart, hint),
        Product.CORTEX: _cortex_score(inside, chart, hint),
    }
    if product is not None:
        score = scores[product]
        if not keys and score == 0 and not is_raw(inside):
            score = _POSSIBLE
        return _root(container, keys, node, key, product, score) if score else None
    best = max(scores, key=lambda each: scores[each])
    return _root(container, keys, node, key, best, scores[best]) if scores[best] else None


def _root(
    container: Container,
    keys: tuple[str, ...],
    node: Node,
    key: Node | None,
    product: Product,
    score: int,
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
        score=score,
    )


def _mimir_score(node: Node, chart: str, hint: str) -> int:
    named = chart.endswith(("mimir-distributed", "mimir"))
    if node.kind != "mapping":
        return _LIKELY if named else 0
    block = node.get("mimir")
    inside = block[1].resolved if block else None
    if inside is not None and (inside.get("structuredConfig") or inside.get("config")):
        return _SURE
    if is_raw(node) or node.get("config") or node.get("runtimeconfigmap"):
        return _SURE if named else 0
    names = {key.value for key, _ in node.entries}
    own = names & _MIMIR_OWN
    if named or len(own) > 1:
        return _SURE if named else _LIKELY
    known = names & (_MIMIR_OWN | _MIMIR_SHARED)
    if own or (_has_components(names) and len(known) >= _MOSTLY * len(names)):
        return _LIKELY
    return _POSSIBLE if names and known == names and "mimir" in hint.lower() else 0


def _has_components(names: set[str]) -> bool:
    return len(names & {"ingester", "distributor", "querier", "compactor"}) > 1


def _cortex_score(node: Node, chart: str, hint: str) -> int:
    named = chart == "cortex" or chart.endswith("/cortex")
    if node.kind != "mapping":
        return _LIKELY if named else 0
    config = node.get("config")
    inside = config[1].resolved if config else None
    names = {key.value for key, _ in node.entries}
    if inside is not None and inside.kind == "mapping":
        settings = {key.value for key, _ in inside.entries}
        if len(settings & _CORTEX_CONFIG) > 1:
            return _SURE
    if named or "runtimeconfigmap" in names:
        return _SURE
    return _POSSIBLE if config and "cortex" in hint.lower() else 0


def is_raw(node: Node) -> bool:
    """Whether this is Mimir's or Cortex' own configuration and not a chart's values."""
    if node.kind != "mapping":
        return False
    for key, value in node.entries:
        if key.value in _RAW_KEYS:
            return True
        inside = value.resolved
        if inside.kind == "mapping" and any(inside.get(name) for name in _RING_BLOCKS):
            return True
    return False


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


def _text_at(node: Node, *keys: str) -> str:
    found = node_at(node, keys)
    return found[1].value if found and found[1].kind == "scalar" else ""


def _is_null(node: Node) -> bool:
    return node.kind == "scalar" and not node.style and node.value in {"", "~", "null"}
