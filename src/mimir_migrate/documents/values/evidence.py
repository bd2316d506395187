"""Whose values a mapping holds: what speaks for Mimir's or Cortex' chart, and what against it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

import msgspec

from mimir_migrate.documents.values.charts import ChartName, described
from mimir_migrate.documents.yaml.positions import Node
from mimir_migrate.model.rings import Product

SURE = 3
LIKELY = 2
POSSIBLE = 1

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
_CORTEX_OWN = frozenset(
    {
        "configsdb_postgresql",
        "memcached-blocks",
        "memcached-blocks-index",
        "memcached-blocks-metadata",
        "memcached-frontend",
        "memcached-index-read",
        "memcached-index-write",
        "runtimeconfigmap",
        "useConfigMap",
    }
)
"""Keys that the cortex chart has and charts of Loki, Tempo and Mimir do not."""
_OTHER_KEYS = {
    "loki": "Loki",
    "singleBinary": "Loki",
    "lokiCanary": "Loki",
    "tableManager": "Loki",
    "indexGateway": "Loki",
    "patternIngester": "Loki",
    "bloomCompactor": "Loki",
    "bloomGateway": "Loki",
    "bloomPlanner": "Loki",
    "bloomBuilder": "Loki",
    "deploymentMode": "Loki",
    "chunksCache": "Loki",
    "resultsCache": "Loki",
    "memcachedChunks": "Loki",
    "memcachedFrontend": "Loki",
    "memcachedIndexQueries": "Loki",
    "promtail": "Loki",
    "tempo": "Tempo",
    "metricsGenerator": "Tempo",
    "traces": "Tempo",
    "tempoQuery": "Tempo",
    "global_overrides": "Tempo",
    "blockBuilder": "Tempo",
    "backendScheduler": "Tempo",
    "pyroscope": "Pyroscope",
    "bucketweb": "Thanos",
    "objstoreConfig": "Thanos",
    "storegateway": "Thanos",
    "queryFrontend": "charts that write their components in camel case (Loki, Tempo, Bitnami)",
    "queryScheduler": "charts that write their components in camel case (Loki, Tempo, Bitnami)",
    "storeGateway": "charts that write their components in camel case (Loki, Tempo, Bitnami)",
    "overridesExporter": "charts that write their components in camel case (Loki, Tempo, Bitnami)",
}
"""Keys at the top of other products' charts, and whose they are."""
_ONLY_OTHERS = frozenset(
    {
        "bloomGateway",
        "bloomPlanner",
        "indexGateway",
        "lokiCanary",
        "patternIngester",
        "tableManager",
    }
)
"""Of these, parts that Mimir has nothing like. The rest stands in real files of Mimir by mistake."""
_COMPONENTS = ("compactor", "distributor", "gateway", "ingester", "querier", "ruler")
_OTHER_IN_COMPONENT = {
    "config": "Tempo",
    "persistence": "Loki and Tempo",
    "replicaCount": "Bitnami's charts",
}
"""Keys inside a component's block that neither mimir-distributed nor the cortex chart has there."""
_BITNAMI = ("configuration", "overrideConfiguration", "existingConfigmap")
_OTHER_NAMES = re.compile(r"loki|tempo|pyroscope|phlare|thanos", re.IGNORECASE)
_OUR_NAMES = re.compile(r"mimir|cortex|metrics|lgtm", re.IGNORECASE)
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
_CORTEX_ALONE = frozenset(
    {"alertmanager_storage", "blocks_storage", "configs", "limits", "schema", "store_gateway"}
)
"""Settings of Cortex' configuration that Loki's and Tempo's do not have."""
_NOT_CORTEX = {
    "activity_tracker": "Mimir",
    "common": "Mimir and Loki",
    "multitenancy_enabled": "Mimir",
    "no_auth_tenant": "Mimir",
    "overrides_exporter": "Mimir",
    "usage_stats": "Mimir",
    "limits_config": "Loki",
    "schema_config": "Loki",
    "storage_config": "Loki",
    "chunk_store_config": "Loki",
    "pattern_ingester": "Loki",
    "index_gateway": "Loki",
    "metrics_generator": "Tempo",
    "usage_report": "Tempo",
}
"""Settings that Cortex refuses, and whose they are."""


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
        for reason in _keys_of_others(node, _ONLY_OTHERS):
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
    own = names & _MIMIR_OWN
    if named or own:
        return SURE if named else LIKELY
    known = names & _MIMIR_SHARED
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
    if len(settings & _CORTEX_CONFIG) > 1 or named or "runtimeconfigmap" in names:
        return SURE
    return POSSIBLE if node.get("config") and "cortex" in hint.lower() else 0


_SCORES = {Product.MIMIR: _mimir_score, Product.CORTEX: _cortex_score}


def has_mimir_block(node: Node) -> bool:
    """Whether `mimir:` holds the configuration, as the mimir-distributed chart has it."""
    block = node.get("mimir")
    inside = block[1].resolved if block else None
    return bool(inside and (inside.get("structuredConfig") or inside.get("config")))


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
    for key in _BITNAMI if inside is not None else ():
        if inside is not None and inside.get(key):
            yield f"mimir.{key} is Bitnami's chart, which reads no mimir.structuredConfig"
    loki = node.get("loki")
    if loki and loki[1].resolved.get("structuredConfig") and not has_mimir_block(node):
        yield "loki.structuredConfig is Loki's chart"
    if not block and len(_config_names(node) & _CORTEX_CONFIG) > 1:
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
    shared = sorted(names & set(_COMPONENTS))
    unsaid = not names & _MIMIR_OWN and chart.owner is None and "mimir" not in hint.lower()
    if product is Product.MIMIR and _has_components(names) and unsaid:
        yield f"nothing says Mimir: Loki and Tempo have {', '.join(shared)} too"


def _keys_of_others(node: Node, among: Container[str] = _OTHER_KEYS) -> Iterator[str]:
    for key, _ in node.entries:
        if key.value in among:
            yield f"{key.value} is a key of {_OTHER_KEYS[key.value]}"


def _is_others(text: str) -> bool:
    return bool(_OTHER_NAMES.search(text)) and not _OUR_NAMES.search(text)


def _doubts_of_components(node: Node) -> Iterator[str]:
    for component in _COMPONENTS:
        found = node.get(component)
        inside = found[1].resolved if found else None
        for key, whose in _OTHER_IN_COMPONENT.items():
            if inside is not None and inside.get(key):
                yield f"{component}.{key} is a key of {whose}"


def _doubts_of_config(node: Node, product: Product, chart: ChartName) -> Iterator[str]:
    """Cortex' chart is known by its configuration, which looks much like Loki's."""
    if product is not Product.CORTEX or node.kind != "mapping" or chart.owner is product:
        return
    settings = _config_names(node)
    for name in sorted(settings & set(_NOT_CORTEX)):
        yield f"config.{name} is a setting of {_NOT_CORTEX[name]}, which Cortex refuses"
    own = settings & _CORTEX_ALONE or _names(node) & _CORTEX_OWN
    if settings and not own and described(_image(node)).owner is not product:
        yield "nothing in `config` says Cortex: Loki has the same settings"
