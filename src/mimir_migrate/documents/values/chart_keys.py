"""Keys of charts and of configurations that tell the products apart."""

from __future__ import annotations

import re

MIMIR_OWN = frozenset(
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
MIMIR_SHARED = frozenset(
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
CORTEX_OWN = frozenset(
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
OTHER_KEYS = {
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
ONLY_OTHERS = frozenset(
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
COMPONENTS = ("compactor", "distributor", "gateway", "ingester", "querier", "ruler")
PARTS = frozenset({*COMPONENTS, "store_gateway", "query_frontend", "query_scheduler"})
OTHER_IN_COMPONENT = {
    "config": "Tempo",
    "persistence": "Loki and Tempo",
    "replicaCount": "Bitnami's charts",
}
"""Keys inside a component's block that neither mimir-distributed nor the cortex chart has there."""
STRUCTURED = {"loki": "Loki", "tempo": "Tempo", "pyroscope": "Pyroscope", "phlare": "Phlare"}
"""Blocks that hold the configuration in the other charts of this build, and whose they are."""
BITNAMI = ("configuration", "overrideConfiguration", "existingConfigmap")
OTHER_NAMES = re.compile(r"loki|tempo|pyroscope|phlare|thanos", re.IGNORECASE)
OUR_NAMES = re.compile(r"mimir|cortex|metrics|lgtm", re.IGNORECASE)
RAW_KEYS = frozenset(
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
RING_BLOCKS = frozenset({"ring", "sharding_ring", "lifecycler"})
CORTEX_CONFIG = RAW_KEYS | {"ingester", "distributor", "querier", "store_gateway", "api"}
CORTEX_ALONE = frozenset(
    {"alertmanager_storage", "blocks_storage", "configs", "limits", "schema", "store_gateway"}
)
"""Settings of Cortex' configuration that Loki's and Tempo's do not have."""
NOT_CORTEX = {
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
