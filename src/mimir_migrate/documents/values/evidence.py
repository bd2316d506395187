"""Whose values a mapping holds: what speaks for Mimir's or Cortex' chart, and what against it."""

from __future__ import annotations

from collections.abc import Container, Iterator

import msgspec

from mimir_migrate.documents.values.chart_keys import (
    BITNAMI,
    COMPONENTS,
    CORTEX_ALONE,
    CORTEX_CONFIG,
    CORTEX_OWN,
    MIMIR_OWN,
    MIMIR_SHARED,
    NOT_CORTEX,
    ONLY_OTHERS,
    OTHER_IN_COMPONENT,
    OTHER_KEYS,
    OTHER_NAMES,
    OUR_NAMES,
    PARTS,
    RAW_KEYS,
    RING_BLOCKS,
    STRUCTURED,
)
from mimir_migrate.documents.values.charts import ChartName, described
from mimir_migrate.documents.yaml.positions import Node
from mimir_migrate.model.rings import Product

SURE = 3
LIKELY = 2
POSSIBLE = 1

_MOSTLY = 0.7
"""Share of a mapping's keys that must be a chart's where none of them is the chart's own."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """How sure it is that a mapping holds the values of a product's chart."""

    score: int
    against: str = ""
    """What speaks against it, as a clause; empty: nothing."""
    certain: bool = False
    """Whether what speaks against it cannot be outweighed, also not by somebody's word."""


def judge(
    node: Node, product: Product, *, chart: ChartName, hint: str, umbrella: bool
) -> Evidence:
    """Weigh a mapping, or a null, as the values of a product's chart.

    Args:
        node: What would be the chart's values.
        product: The product.
        chart: What the manifest around them says of the chart; of an umbrella chart it is the
            umbrella's.
        hint: The file's path, whose folders often name the product.
        umbrella: Whether the mapping is a part of the manifest's values.
    """
    if umbrella:
        chart = chart if chart.is_other else ChartName()
    hint = _near_end(hint)
    score = _SCORES[product](node, chart.owner is product, hint)
    for reason in _certain(node, product, chart):
        return Evidence(score=score, against=reason, certain=True)
    if score < SURE:
        for reason in _doubts(node, product, chart, hint):
            return Evidence(score=score, against=reason)
    elif product is Product.MIMIR and chart.owner is not product and node.kind == "mapping":
        for reason in _keys_of_others(node, ONLY_OTHERS):
            return Evidence(score=score, against=reason)
    for reason in _doubts_of_config(node, product, chart):
        return Evidence(score=score, against=reason)
    return Evidence(score=score)


def _near_end(path: str) -> str:
    """The last parts of a path; this program's own name in it says nothing."""
    return "/".join(path.replace("\\", "/").split("/")[-3:]).replace("mimir-migrate", "")


# ---- for ------------------------------------------------------------------------------------


def _mimir_score(node: Node, named: bool, hint: str) -> int:
    if node.kind != "mapping":
        return LIKELY if named else 0
    if has_mimir_block(node):
        return SURE
    if is_raw(node) or node.get("config") or node.get("runtimeconfigmap"):
        return 0
    names = _names(node)
    own = names & MIMIR_OWN
    if named or own:
        return SURE if named else LIKELY
    known = names & MIMIR_SHARED
    if "mimir" not in hint.lower() or not names:
        return 0
    if _has_components(names) and len(known) >= _MOSTLY * len(names):
        return LIKELY
    return POSSIBLE if known == names else 0


def _cortex_score(node: Node, named: bool, hint: str) -> int:
    if node.kind != "mapping":
        return LIKELY if named else 0
    names = _names(node)
    settings = _config_names(node)
    if len(settings & CORTEX_CONFIG) > 1 or named or "runtimeconfigmap" in names:
        return SURE
    if settings and described(_image(node)).owner is Product.CORTEX:
        return SURE
    return POSSIBLE if node.get("config") and "cortex" in hint.lower() else 0


_SCORES = {Product.MIMIR: _mimir_score, Product.CORTEX: _cortex_score}


def has_mimir_block(node: Node) -> bool:
    """Whether `mimir:` holds the configuration, as the mimir-distributed chart has it."""
    block = node.get("mimir")
    inside = block[1].resolved if block else None
    return bool(inside and (inside.get("structuredConfig") or inside.get("config")))


def is_subchart(node: Node, key: str, *, sure: bool = False) -> bool:
    """Whether a block at the top is an umbrella chart's for a part of that name, and no chart's own.

    The parts of a release stand in it, or its switch, and none of them beside it.

    Args:
        node: The top.
        key: Of the block.
        sure: Whether the name says nothing, so that what stands in it has to say Mimir.
    """
    block = node.get(key)
    inside = block[1].resolved if block else None
    if inside is None or inside.kind != "mapping" or inside.get("structuredConfig"):
        return False
    parts = MIMIR_OWN | MIMIR_SHARED | {"enabled"}
    beside = _names(node) & (MIMIR_OWN | set(COMPONENTS) | {"config"})
    names = _names(inside)
    if sure and (_is_others(key) or not names & MIMIR_OWN or not names & PARTS):
        return False
    return bool(names & parts) and not inside.get("config") and not beside


def is_raw(node: Node) -> bool:
    """Whether this is Mimir's or Cortex' own configuration and not a chart's values."""
    if node.kind != "mapping":
        return False
    for key, value in node.entries:
        if key.value in RAW_KEYS:
            return True
        inside = value.resolved
        if inside.kind == "mapping" and any(inside.get(name) for name in RING_BLOCKS):
            return True
    return False


def _names(node: Node) -> set[str]:
    return {key.value for key, _ in node.entries}


def _config_names(node: Node) -> set[str]:
    config = node.get("config")
    return _names(config[1].resolved) if config else set()


def _has_components(names: set[str]) -> bool:
    return len(names & {"ingester", "distributor", "querier", "compactor"}) > 1


# ---- against --------------------------------------------------------------------------------


def _certain(node: Node, product: Product, chart: ChartName) -> Iterator[str]:
    """What rules the product's chart out."""
    if chart.is_other or chart.owner not in (None, product):
        yield f"the manifest says chart {chart.name}"
    image = _image(node)
    owner = described(image)
    if owner.is_other or owner.owner not in (None, product):
        yield f"the image is {image}"
    if product is Product.CORTEX and node.kind == "mapping" and has_mimir_block(node):
        yield "its `mimir` block is mimir-distributed's, which the cortex chart does not read"
    if product is not Product.MIMIR or node.kind != "mapping":
        return
    block = node.get("mimir")
    inside = block[1].resolved if block else None
    for key in BITNAMI if inside is not None else ():
        if inside is not None and inside.get(key):
            yield f"mimir.{key} is Bitnami's chart, which reads no mimir.structuredConfig"
    for key in () if has_mimir_block(node) else STRUCTURED:
        other = node.get(key)
        if other and other[1].resolved.get("structuredConfig"):
            yield f"{key}.structuredConfig is {STRUCTURED[key]}'s chart"
    if not block and len(_config_names(node) & CORTEX_CONFIG) > 1:
        yield "the configuration is under `config`, which mimir-distributed does not read"


def _image(node: Node) -> str:
    found = node.get("image") if node.kind == "mapping" else None
    if found is None:
        return ""
    inside = found[1].resolved
    if inside.kind == "scalar":
        return inside.value
    repository = inside.get("repository")
    return repository[1].resolved.value if repository else ""


def _doubts(node: Node, product: Product, chart: ChartName, hint: str) -> Iterator[str]:
    """What makes it doubtful, where nothing says the product outright."""
    if chart.name and chart.owner is None and not chart.is_other:
        yield f"the manifest says chart {chart.name}, which may be any"
    if node.kind != "mapping":
        return
    if product is Product.MIMIR:
        yield from _keys_of_others(node)
    for name in ("fullnameOverride", "nameOverride"):
        found = node.get(name)
        if found and _is_others(found[1].resolved.value):
            yield f"{name} is {found[1].resolved.value}"
    yield from _doubts_of_components(node)
    if _is_others(hint):
        yield "the file's path names another product"
    names = _names(node)
    shared = sorted(names & set(COMPONENTS))
    unsaid = not names & MIMIR_OWN and chart.owner is None and "mimir" not in hint.lower()
    if product is Product.MIMIR and _has_components(names) and unsaid:
        yield f"nothing says Mimir: Loki and Tempo have {', '.join(shared)} too"


def _keys_of_others(node: Node, among: Container[str] = OTHER_KEYS) -> Iterator[str]:
    for key, _ in node.entries:
        if key.value in among:
            yield f"{key.value} is a key of {OTHER_KEYS[key.value]}"


def _is_others(text: str) -> bool:
    return bool(OTHER_NAMES.search(text)) and not OUR_NAMES.search(text)


def _doubts_of_components(node: Node) -> Iterator[str]:
    for component in COMPONENTS:
        found = node.get(component)
        inside = found[1].resolved if found else None
        for key, whose in OTHER_IN_COMPONENT.items():
            if inside is not None and inside.get(key):
                yield f"{component}.{key} is a key of {whose}"


def _doubts_of_config(node: Node, product: Product, chart: ChartName) -> Iterator[str]:
    """Cortex' chart is known by its configuration, which looks much like Loki's."""
    if product is not Product.CORTEX or node.kind != "mapping" or chart.owner is product:
        return
    settings = _config_names(node)
    for name in sorted(settings & set(NOT_CORTEX)):
        yield f"config.{name} is a setting of {NOT_CORTEX[name]}, which Cortex refuses"
    own = settings & CORTEX_ALONE or _names(node) & CORTEX_OWN
    if settings and not own and described(_image(node)).owner is not product:
        yield "nothing in `config` says Cortex: Loki has the same settings"
