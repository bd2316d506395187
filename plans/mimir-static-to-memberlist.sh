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
#   rolling back from after it: settle
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
+            mirror_enabled: true
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
+            mirror_enabled: true
 
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
+            mirror_enabled: true
 
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
+            mirror_enabled: true
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
+                  mirror_enabled: true
 
     alertmanager:
       data_dir: '/data'
       enable_api: true
       external_url: /alertmanager
       fallback_config_file: /configs/alertmanager_fallback_config.yaml
-      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: dynamodb, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}}
+      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: multi, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}, multi: {primary: dynamodb, secondary: memberlist, mirror_enabled: true}}}
 
     query_scheduler:
       max_outstanding_requests_per_tenant: 1600
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide

# swap: Roll ingester, distributor, store-gateway, compactor, ruler and alertmanager over to memberlist as primary
#   expect: every pod's /config shows memberlist as primary
#   expect: cortex_multikv_primary_store names memberlist on every pod
#   expect: both stores hold the same members
#   alert: MimirIngesterRestarts will fire (warning): ingesters restart here for the second time since `both`; not where more than 30 min pass between the two, approvals included
#   undo: Deploy the values from before this step (dynamodb primary, mirrored): one rollout.
#   rolling back from after it: swap, settle
ask swap 'Roll ingester, distributor, store-gateway, compactor, ruler and alertmanager over to memberlist as primary'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -146,8 +146,8 @@
             table_name: observability-dev-rings
             puller_sync_time: 10s
           multi:
-            primary: dynamodb
-            secondary: memberlist
+            primary: memberlist
+            secondary: dynamodb
             mirror_enabled: true
       push_circuit_breaker: {enabled: false}
       instance_limits:
@@ -167,8 +167,8 @@
             table_name: observability-dev-rings
             puller_sync_time: 10s
           multi:
-            primary: dynamodb
-            secondary: memberlist
+            primary: memberlist
+            secondary: dynamodb
             mirror_enabled: true
 
       # Two Prometheus replicas send the same series; the tracker is off until
@@ -197,8 +197,8 @@
             table_name: observability-dev-rings
             puller_sync_time: 10s
           multi:
-            primary: dynamodb
-            secondary: memberlist
+            primary: memberlist
+            secondary: dynamodb
             mirror_enabled: true
 
     compactor:
@@ -218,8 +218,8 @@
             table_name: observability-dev-rings
             puller_sync_time: 10s
           multi:
-            primary: dynamodb
-            secondary: memberlist
+            primary: memberlist
+            secondary: dynamodb
             mirror_enabled: true
         heartbeat_period: 15s
         heartbeat_timeout: 1m
@@ -242,8 +242,8 @@
                   table_name: observability-dev-rings
                   puller_sync_time: 10s
               multi:
-                  primary: dynamodb
-                  secondary: memberlist
+                  primary: memberlist
+                  secondary: dynamodb
                   mirror_enabled: true
 
     alertmanager:
@@ -251,7 +251,7 @@
       enable_api: true
       external_url: /alertmanager
       fallback_config_file: /configs/alertmanager_fallback_config.yaml
-      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: multi, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}, multi: {primary: dynamodb, secondary: memberlist, mirror_enabled: true}}}
+      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: multi, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}, multi: {primary: memberlist, secondary: dynamodb, mirror_enabled: true}}}
 
     query_scheduler:
       max_outstanding_requests_per_tenant: 1600
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide

# settle: Leave dynamodb: ingester, distributor, store-gateway, compactor, ruler and alertmanager on memberlist only
#   expect: every pod's /config shows `store: memberlist` for the chosen rings
#   expect: the multikv metrics are gone from every pod
#   expect: no pod of the older revision is left
#   alert: MimirIngesterRestarts will fire (warning): ingesters restart here for the second time since `swap`; not where more than 30 min pass between the two, approvals included
#   undo: Full rollback: three rollouts.
#   rolling back from after it: both, swap, settle
#   QUICK ROLLBACK ENDS HERE
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
-            primary: memberlist
-            secondary: dynamodb
-            mirror_enabled: true
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
-            primary: memberlist
-            secondary: dynamodb
-            mirror_enabled: true
 
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
-            primary: memberlist
-            secondary: dynamodb
-            mirror_enabled: true
 
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
-            primary: memberlist
-            secondary: dynamodb
-            mirror_enabled: true
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
-                  primary: memberlist
-                  secondary: dynamodb
-                  mirror_enabled: true
 
     alertmanager:
       data_dir: '/data'
       enable_api: true
       external_url: /alertmanager
       fallback_config_file: /configs/alertmanager_fallback_config.yaml
-      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: multi, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}, multi: {primary: memberlist, secondary: dynamodb, mirror_enabled: true}}}
+      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2}
 
     query_scheduler:
       max_outstanding_requests_per_tenant: 1600
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide
