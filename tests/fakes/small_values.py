"""Values of a small cluster of each product: few pods, few tokens, the usual heartbeats."""

from __future__ import annotations

from mimir_migrate.model.rings import Product

CORTEX = b"""\
# A small Cortex.
config:
  auth_enabled: true
  server:
    http_listen_port: 8080
    grpc_listen_port: 9095
  memberlist:
    bind_port: 7946
    abort_if_cluster_join_fails: false
    rejoin_interval: 30s
    cluster_label: small
    join_members:
      - cortex-memberlist.observability.svc.cluster.local:7946
  ingester:
    lifecycler:
      join_after: 5s
      observe_period: 5s
      final_sleep: 0s
      num_tokens: 8
      heartbeat_period: 10s   # one level above the ring
      ring:
        replication_factor: 3
        heartbeat_timeout: 1m
        kvstore:
          store: memberlist
  distributor:
    shard_by_all_labels: true
  store_gateway:
    sharding_enabled: false
  compactor:
    sharding_enabled: false
  ruler:
    enable_sharding: true
    ring:
      heartbeat_period: 10s
      heartbeat_timeout: 1m
      num_tokens: 8
      kvstore: {store: memberlist}   # in one line
  alertmanager:
    sharding_enabled: false
  runtime_config:
    file: /etc/cortex-runtime-config/runtime_config.yaml
    period: 10s
runtimeconfigmap:
  create: true
  runtime_config:
    overrides: {}
distributor: {replicas: 1}
ingester:
  replicas: 3
  statefulSet: {enabled: true}
querier: {replicas: 1}
query_frontend: {replicas: 0}
query_scheduler: {enabled: false}
store_gateway: {replicas: 0}
compactor: {enabled: false, replicas: 0}
ruler: {enabled: true, replicas: 2}
alertmanager: {enabled: false, replicas: 0}
nginx: {enabled: false}
memcached-blocks-index: {enabled: false}
memcached-blocks: {enabled: false}
memcached-blocks-metadata: {enabled: false}
"""

MIMIR = b"""\
# A small Mimir.
fullnameOverride: mimir
mimir:
  structuredConfig:
    memberlist:
      cluster_label: small
      rejoin_interval: 30s
      abort_if_cluster_join_fails: false
      join_members:
      - dns+mimir-gossip-ring.observability.svc.cluster.local.:7946
    ingester:
      ring:
        heartbeat_period: 10s
        heartbeat_timeout: 1m
        num_tokens: 8
        replication_factor: 3
        unregister_on_shutdown: false
    distributor:
      ring:
        heartbeat_period: 10s
        heartbeat_timeout: 1m
    ruler:
      ring:
        heartbeat_period: 10s
        heartbeat_timeout: 1m
        num_tokens: 8
    store_gateway:
      sharding_ring: {heartbeat_period: 10s, heartbeat_timeout: 1m}
    compactor:
      sharding_ring: {heartbeat_period: 10s, heartbeat_timeout: 1m}
    ingest_storage:
      enabled: false
runtimeConfig:
  overrides: {}     # none yet
distributor: {replicas: 1}
ingester:
  replicas: 3
  zoneAwareReplication: {enabled: false}
querier: {replicas: 1}
query_frontend: {replicas: 0}
query_scheduler: {enabled: false, replicas: 0}
store_gateway:
  replicas: 0
  zoneAwareReplication: {enabled: false}
compactor: {replicas: 0}
ruler: {enabled: true, replicas: 2}
alertmanager: {enabled: false, replicas: 0}
overrides_exporter: {enabled: false, replicas: 0}
kafka: {enabled: false}
minio: {enabled: false}
rollout_operator: {enabled: false}
nginx: {enabled: false}
gateway: {enabled: false}
"""

SMALL = {Product.CORTEX: CORTEX, Product.MIMIR: MIMIR}
