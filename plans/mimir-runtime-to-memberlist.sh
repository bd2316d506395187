#!/bin/sh
# Move ingester, distributor, store-gateway, compactor, ruler, alertmanager of the release mimir to memberlist.
# It changes nothing before each question is answered with the step's name, and checks no
# gate: look at what is expected after every step before going on.
set -eu
ask() {
    printf "\n%s\nType %s to go on: " "$2" "$1"
    read -r answer
    [ "$answer" = "$1" ] || { echo "stopped before $1"; exit 1; }
}

# both: Give ingester, distributor, store-gateway, compactor, ruler and alertmanager both stores, dynamodb stays primary
#   expect: every pod's /config shows `store: multi` for the chosen rings
#   expect: cortex_multikv_primary_store names dynamodb on every pod
#   expect: no pod of the older revision is left
#   undo: Deploy the values from before this step: one rollout.
#   rolling back from after it: settle, clear
ask both 'Give ingester, distributor, store-gateway, compactor, ruler and alertmanager both stores, dynamodb stays primary'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -140,11 +140,15 @@
         zone_awareness_enabled: true
         final_sleep: 0s
         kvstore:
-          store: dynamodb
+          store: multi
           dynamodb:
             region: eu-west-1
             table_name: observability-dev-rings
             puller_sync_time: 10s
+          multi:
+            primary: dynamodb
+            secondary: memberlist
+            mirror_enabled: false
       push_circuit_breaker: {enabled: false}
       instance_limits:
         max_ingestion_rate: 150000
@@ -157,11 +161,15 @@
         heartbeat_period: 15s
         heartbeat_timeout: 1m
         kvstore:
-          store: dynamodb
+          store: multi
           dynamodb:
             region: eu-west-1
             table_name: observability-dev-rings
             puller_sync_time: 10s
+          multi:
+            primary: dynamodb
+            secondary: memberlist
+            mirror_enabled: false
 
       # Two Prometheus replicas send the same series; the tracker is off until
       # they carry the labels `cluster` and `__replica__`.
@@ -183,11 +191,15 @@
         tokens_file_path: /data/tokens
         unregister_on_shutdown: false
         kvstore:
-          store: dynamodb
+          store: multi
           dynamodb:
             region: eu-west-1
             table_name: observability-dev-rings
             puller_sync_time: 10s
+          multi:
+            primary: dynamodb
+            secondary: memberlist
+            mirror_enabled: false
 
     compactor:
       data_dir: "/data"
@@ -200,11 +212,15 @@
         # The prefix is Mimir's default; it is spelled out because a dashboard reads it.
         kvstore:
           prefix: collectors/      # keep the slash
-          store: dynamodb
+          store: multi
           dynamodb:
             region: eu-west-1
             table_name: observability-dev-rings
             puller_sync_time: 10s
+          multi:
+            primary: dynamodb
+            secondary: memberlist
+            mirror_enabled: false
         heartbeat_period: 15s
         heartbeat_timeout: 1m
         wait_stability_min_duration: 1m
@@ -220,18 +236,22 @@
           heartbeat_period: 15s
           heartbeat_timeout: 1m
           kvstore:
-              store: dynamodb
+              store: multi
               dynamodb:
                   region: eu-west-1
                   table_name: observability-dev-rings
                   puller_sync_time: 10s
+              multi:
+                  primary: dynamodb
+                  secondary: memberlist
+                  mirror_enabled: false
 
     alertmanager:
       data_dir: '/data'
       enable_api: true
       external_url: /alertmanager
       fallback_config_file: /configs/alertmanager_fallback_config.yaml
-      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: dynamodb, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}}
+      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: multi, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}, multi: {primary: dynamodb, secondary: memberlist, mirror_enabled: false}}}
 
     query_scheduler:
       max_outstanding_requests_per_tenant: 1600
@@ -308,6 +328,9 @@
       compactor_blocks_retention_period: 3y
       ruler_max_rules_per_rule_group: 100
     anonymous: {ingestion_rate: 10000, max_global_series_per_user: 100000}
+  multi_kv_config:
+    primary: dynamodb
+    mirror_enabled: false
 
 # =============================================================================
 #  Components
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide

# mirror: Mirror writes of ingester, distributor, store-gateway, compactor, ruler and alertmanager to memberlist
#   expect: cortex_multikv_mirror_enabled is 1 for every client of the chosen rings
#   expect: memberlist holds the same members as dynamodb: id, address, state, zone, tokens
#   undo: Write the runtime block with mirror_enabled: false.
#   rolling back from after it: unmirror, settle, clear
ask mirror 'Mirror writes of ingester, distributor, store-gateway, compactor, ruler and alertmanager to memberlist'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -330,7 +330,7 @@
     anonymous: {ingestion_rate: 10000, max_global_series_per_user: 100000}
   multi_kv_config:
     primary: dynamodb
-    mirror_enabled: false
+    mirror_enabled: true
 
 # =============================================================================
 #  Components
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide

# switch: Switch ingester, distributor, store-gateway, compactor, ruler and alertmanager to memberlist by the runtime configuration
#   expect: cortex_multikv_primary_store names memberlist for every client of ingester, distributor, store-gateway, compactor, ruler and alertmanager
#   expect: every ring page shows the same members as before
#   undo: Write the runtime block with primary: dynamodb; removing the block would not take the switch back.
#   rolling back from after it: switch, unmirror, settle, clear
ask switch 'Switch ingester, distributor, store-gateway, compactor, ruler and alertmanager to memberlist by the runtime configuration'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -329,7 +329,7 @@
       ruler_max_rules_per_rule_group: 100
     anonymous: {ingestion_rate: 10000, max_global_series_per_user: 100000}
   multi_kv_config:
-    primary: dynamodb
+    primary: memberlist
     mirror_enabled: true
 
 # =============================================================================
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide

# unmirror: Stop mirroring ingester, distributor, store-gateway, compactor, ruler and alertmanager to dynamodb
#   expect: cortex_multikv_mirror_enabled is 0 for every client of the chosen rings
#   undo: Write the runtime block with mirror_enabled: true and wait until both stores are equal.
#   rolling back from after it: mirror, switch, unmirror, settle, clear
#   QUICK ROLLBACK ENDS HERE
ask unmirror 'Stop mirroring ingester, distributor, store-gateway, compactor, ruler and alertmanager to dynamodb'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -330,7 +330,7 @@
     anonymous: {ingestion_rate: 10000, max_global_series_per_user: 100000}
   multi_kv_config:
     primary: memberlist
-    mirror_enabled: true
+    mirror_enabled: false
 
 # =============================================================================
 #  Components
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide

# settle: Leave dynamodb: ingester, distributor, store-gateway, compactor, ruler and alertmanager on memberlist only
#   expect: every pod's /config shows `store: memberlist` for the chosen rings
#   expect: the multikv metrics are gone from every pod
#   expect: no pod of the older revision is left
#   alert: MimirIngesterRestarts will fire (warning): ingesters restart here for the second time since `both`; not where more than 30 min pass between the two, approvals included
#   undo: Full rollback: two rollouts and the switch between them.
#   rolling back from after it: both, mirror, switch, unmirror, settle, clear
ask settle 'Leave dynamodb: ingester, distributor, store-gateway, compactor, ruler and alertmanager on memberlist only'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -139,16 +139,6 @@
         unregister_on_shutdown: false     # zone by zone, tokens are kept
         zone_awareness_enabled: true
         final_sleep: 0s
-        kvstore:
-          store: multi
-          dynamodb:
-            region: eu-west-1
-            table_name: observability-dev-rings
-            puller_sync_time: 10s
-          multi:
-            primary: dynamodb
-            secondary: memberlist
-            mirror_enabled: false
       push_circuit_breaker: {enabled: false}
       instance_limits:
         max_ingestion_rate: 150000
@@ -160,16 +150,6 @@
       ring:
         heartbeat_period: 15s
         heartbeat_timeout: 1m
-        kvstore:
-          store: multi
-          dynamodb:
-            region: eu-west-1
-            table_name: observability-dev-rings
-            puller_sync_time: 10s
-          multi:
-            primary: dynamodb
-            secondary: memberlist
-            mirror_enabled: false
 
       # Two Prometheus replicas send the same series; the tracker is off until
       # they carry the labels `cluster` and `__replica__`.
@@ -190,16 +170,6 @@
         wait_stability_min_duration: 1m
         tokens_file_path: /data/tokens
         unregister_on_shutdown: false
-        kvstore:
-          store: multi
-          dynamodb:
-            region: eu-west-1
-            table_name: observability-dev-rings
-            puller_sync_time: 10s
-          multi:
-            primary: dynamodb
-            secondary: memberlist
-            mirror_enabled: false
 
     compactor:
       data_dir: "/data"
@@ -212,15 +182,6 @@
         # The prefix is Mimir's default; it is spelled out because a dashboard reads it.
         kvstore:
           prefix: collectors/      # keep the slash
-          store: multi
-          dynamodb:
-            region: eu-west-1
-            table_name: observability-dev-rings
-            puller_sync_time: 10s
-          multi:
-            primary: dynamodb
-            secondary: memberlist
-            mirror_enabled: false
         heartbeat_period: 15s
         heartbeat_timeout: 1m
         wait_stability_min_duration: 1m
@@ -235,23 +196,13 @@
           # indented by four: this block came from another file
           heartbeat_period: 15s
           heartbeat_timeout: 1m
-          kvstore:
-              store: multi
-              dynamodb:
-                  region: eu-west-1
-                  table_name: observability-dev-rings
-                  puller_sync_time: 10s
-              multi:
-                  primary: dynamodb
-                  secondary: memberlist
-                  mirror_enabled: false
 
     alertmanager:
       data_dir: '/data'
       enable_api: true
       external_url: /alertmanager
       fallback_config_file: /configs/alertmanager_fallback_config.yaml
-      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: multi, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}, multi: {primary: dynamodb, secondary: memberlist, mirror_enabled: false}}}
+      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2}
 
     query_scheduler:
       max_outstanding_requests_per_tenant: 1600
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide

# clear: Remove the runtime block
#   expect: /runtime_config shows no multi_kv_config on any pod
#   undo: Nothing to undo: no pod acts on it.
#   rolling back from after it: both, mirror, switch, unmirror, settle, clear
ask clear 'Remove the runtime block'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -279,9 +279,6 @@
       compactor_blocks_retention_period: 3y
       ruler_max_rules_per_rule_group: 100
     anonymous: {ingestion_rate: 10000, max_global_series_per_user: 100000}
-  multi_kv_config:
-    primary: memberlist
-    mirror_enabled: false
 
 # =============================================================================
 #  Components
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide
