#!/bin/sh
# Move ingester, distributor, store-gateway, compactor, ruler, alertmanager of the release mimir to dynamodb.
# It changes nothing before each question is answered with the step's name, and checks no
# gate: look at what is expected after every step before going on.
set -eu
ask() {
    printf "\n%s\nType %s to go on: " "$2" "$1"
    read -r answer
    [ "$answer" = "$1" ] || { echo "stopped before $1"; exit 1; }
}

# tables: Create the ring table observability-dev-rings
#   expect: DescribeTable answers ACTIVE with RingKey (HASH) and InstanceKey (RANGE)
#   undo: A rollback deletes nothing: the table observability-dev-rings stays, with what the pods wrote into it and protected from deletion. On demand that costs next to nothing; delete it by hand once no pod names it.
ask tables 'Create the ring table observability-dev-rings'
aws dynamodb create-table --table-name observability-dev-rings --billing-mode PAY_PER_REQUEST --attribute-definitions AttributeName=RingKey,AttributeType=S AttributeName=InstanceKey,AttributeType=S --key-schema AttributeName=RingKey,KeyType=HASH AttributeName=InstanceKey,KeyType=RANGE --deletion-protection-enabled --region eu-west-1
aws dynamodb wait table-exists --table-name observability-dev-rings --region eu-west-1

# both: Give ingester, distributor, store-gateway, compactor, ruler and alertmanager both stores, memberlist stays primary
#   expect: every pod's /config shows `store: multi` for the chosen rings
#   expect: cortex_multikv_primary_store names memberlist on every pod
#   expect: no pod of the older revision is left
#   undo: Deploy the values from before this step: one rollout.
#   rolling back from after it: settle, clear
ask both 'Give ingester, distributor, store-gateway, compactor, ruler and alertmanager both stores, memberlist stays primary'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -139,6 +139,16 @@
         unregister_on_shutdown: false     # zone by zone, tokens are kept
         zone_awareness_enabled: true
         final_sleep: 0s
+        kvstore:
+          store: multi
+          multi:
+            primary: memberlist
+            secondary: dynamodb
+            mirror_enabled: false
+          dynamodb:
+            region: eu-west-1
+            table_name: observability-dev-rings
+            puller_sync_time: 10s
       push_circuit_breaker: {enabled: false}
       instance_limits:
         max_ingestion_rate: 150000
@@ -150,6 +160,16 @@
       ring:
         heartbeat_period: 15s
         heartbeat_timeout: 1m
+        kvstore:
+          store: multi
+          multi:
+            primary: memberlist
+            secondary: dynamodb
+            mirror_enabled: false
+          dynamodb:
+            region: eu-west-1
+            table_name: observability-dev-rings
+            puller_sync_time: 10s
 
       # Two Prometheus replicas send the same series; the tracker is off until
       # they carry the labels `cluster` and `__replica__`.
@@ -170,6 +190,16 @@
         wait_stability_min_duration: 1m
         tokens_file_path: /data/tokens
         unregister_on_shutdown: false
+        kvstore:
+          store: multi
+          multi:
+            primary: memberlist
+            secondary: dynamodb
+            mirror_enabled: false
+          dynamodb:
+            region: eu-west-1
+            table_name: observability-dev-rings
+            puller_sync_time: 10s
 
     compactor:
       data_dir: "/data"
@@ -182,6 +212,15 @@
         # The prefix is Mimir's default; it is spelled out because a dashboard reads it.
         kvstore:
           prefix: collectors/      # keep the slash
+          store: multi
+          multi:
+            primary: memberlist
+            secondary: dynamodb
+            mirror_enabled: false
+          dynamodb:
+            region: eu-west-1
+            table_name: observability-dev-rings
+            puller_sync_time: 10s
         heartbeat_period: 15s
         heartbeat_timeout: 1m
         wait_stability_min_duration: 1m
@@ -196,13 +235,23 @@
           # indented by four: this block came from another file
           heartbeat_period: 15s
           heartbeat_timeout: 1m
+          kvstore:
+              store: multi
+              multi:
+                  primary: memberlist
+                  secondary: dynamodb
+                  mirror_enabled: false
+              dynamodb:
+                  region: eu-west-1
+                  table_name: observability-dev-rings
+                  puller_sync_time: 10s
 
     alertmanager:
       data_dir: '/data'
       enable_api: true
       external_url: /alertmanager
       fallback_config_file: /configs/alertmanager_fallback_config.yaml
-      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2}
+      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: multi, multi: {primary: memberlist, secondary: dynamodb, mirror_enabled: false}, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}}
 
     query_scheduler:
       max_outstanding_requests_per_tenant: 1600
@@ -279,6 +328,9 @@
       compactor_blocks_retention_period: 3y
       ruler_max_rules_per_rule_group: 100
     anonymous: {ingestion_rate: 10000, max_global_series_per_user: 100000}
+  multi_kv_config:
+    primary: memberlist
+    mirror_enabled: false
 
 # =============================================================================
 #  Components
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide

# mirror: Mirror writes of ingester, distributor, store-gateway, compactor, ruler and alertmanager to dynamodb
#   expect: cortex_multikv_mirror_enabled is 1 for every client of the chosen rings
#   expect: dynamodb holds the same members as memberlist: id, address, state, zone, tokens
#   alert: MimirKVStoreFailure may fire after 5 min (critical): only where DynamoDB refuses every request of a pod; `pods-reach-dynamodb` holds the run before that
#   undo: Write the runtime block with mirror_enabled: false.
#   rolling back from after it: unmirror, settle, clear
ask mirror 'Mirror writes of ingester, distributor, store-gateway, compactor, ruler and alertmanager to dynamodb'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -330,7 +330,7 @@
     anonymous: {ingestion_rate: 10000, max_global_series_per_user: 100000}
   multi_kv_config:
     primary: memberlist
-    mirror_enabled: false
+    mirror_enabled: true
 
 # =============================================================================
 #  Components
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide

# switch: Switch ingester, distributor, store-gateway, compactor, ruler and alertmanager to dynamodb by the runtime configuration
#   expect: cortex_multikv_primary_store names dynamodb for every client of ingester, distributor, store-gateway, compactor, ruler and alertmanager
#   expect: every ring page shows the same members as before
#   undo: Write the runtime block with primary: memberlist; removing the block would not take the switch back.
#   rolling back from after it: switch, unmirror, settle, clear
ask switch 'Switch ingester, distributor, store-gateway, compactor, ruler and alertmanager to dynamodb by the runtime configuration'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -329,7 +329,7 @@
       ruler_max_rules_per_rule_group: 100
     anonymous: {ingestion_rate: 10000, max_global_series_per_user: 100000}
   multi_kv_config:
-    primary: memberlist
+    primary: dynamodb
     mirror_enabled: true
 
 # =============================================================================
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide

# unmirror: Stop mirroring ingester, distributor, store-gateway, compactor, ruler and alertmanager to memberlist
#   expect: cortex_multikv_mirror_enabled is 0 for every client of the chosen rings
#   undo: Write the runtime block with mirror_enabled: true and wait until both stores are equal.
#   rolling back from after it: mirror, switch, unmirror, settle, clear
#   QUICK ROLLBACK ENDS HERE
ask unmirror 'Stop mirroring ingester, distributor, store-gateway, compactor, ruler and alertmanager to memberlist'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -330,7 +330,7 @@
     anonymous: {ingestion_rate: 10000, max_global_series_per_user: 100000}
   multi_kv_config:
     primary: dynamodb
-    mirror_enabled: true
+    mirror_enabled: false
 
 # =============================================================================
 #  Components
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide

# settle: Leave memberlist: ingester, distributor, store-gateway, compactor, ruler and alertmanager on dynamodb only
#   expect: every pod's /config shows `store: dynamodb` for the chosen rings
#   expect: the multikv metrics are gone from every pod
#   expect: no pod of the older revision is left
#   alert: MimirGossipMembersTooHigh cannot fire once the step is over: no pod gossips then, and memberlist_client_cluster_members_count is gone
#   alert: MimirGossipMembersTooLow cannot fire once the step is over: no pod gossips then, and memberlist_client_cluster_members_count is gone
#   alert: MimirGossipMembersMismatch cannot fire once the step is over: no pod gossips then, and memberlist_client_cluster_members_count is gone
#   alert: MimirIngesterRestarts will fire (warning): ingesters restart here for the second time since `both`; not where more than 30 min pass between the two, approvals included
#   undo: Full rollback: two rollouts and the switch between them.
#   rolling back from after it: both, mirror, switch, unmirror, settle, clear
ask settle 'Leave memberlist: ingester, distributor, store-gateway, compactor, ruler and alertmanager on dynamodb only'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -140,11 +140,7 @@
         zone_awareness_enabled: true
         final_sleep: 0s
         kvstore:
-          store: multi
-          multi:
-            primary: memberlist
-            secondary: dynamodb
-            mirror_enabled: false
+          store: dynamodb
           dynamodb:
             region: eu-west-1
             table_name: observability-dev-rings
@@ -161,11 +157,7 @@
         heartbeat_period: 15s
         heartbeat_timeout: 1m
         kvstore:
-          store: multi
-          multi:
-            primary: memberlist
-            secondary: dynamodb
-            mirror_enabled: false
+          store: dynamodb
           dynamodb:
             region: eu-west-1
             table_name: observability-dev-rings
@@ -191,11 +183,7 @@
         tokens_file_path: /data/tokens
         unregister_on_shutdown: false
         kvstore:
-          store: multi
-          multi:
-            primary: memberlist
-            secondary: dynamodb
-            mirror_enabled: false
+          store: dynamodb
           dynamodb:
             region: eu-west-1
             table_name: observability-dev-rings
@@ -212,11 +200,7 @@
         # The prefix is Mimir's default; it is spelled out because a dashboard reads it.
         kvstore:
           prefix: collectors/      # keep the slash
-          store: multi
-          multi:
-            primary: memberlist
-            secondary: dynamodb
-            mirror_enabled: false
+          store: dynamodb
           dynamodb:
             region: eu-west-1
             table_name: observability-dev-rings
@@ -236,11 +220,7 @@
           heartbeat_period: 15s
           heartbeat_timeout: 1m
           kvstore:
-              store: multi
-              multi:
-                  primary: memberlist
-                  secondary: dynamodb
-                  mirror_enabled: false
+              store: dynamodb
               dynamodb:
                   region: eu-west-1
                   table_name: observability-dev-rings
@@ -251,7 +231,7 @@
       enable_api: true
       external_url: /alertmanager
       fallback_config_file: /configs/alertmanager_fallback_config.yaml
-      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: multi, multi: {primary: memberlist, secondary: dynamodb, mirror_enabled: false}, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}}
+      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: dynamodb, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}}
 
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
@@ -308,9 +308,6 @@
       compactor_blocks_retention_period: 3y
       ruler_max_rules_per_rule_group: 100
     anonymous: {ingestion_rate: 10000, max_global_series_per_user: 100000}
-  multi_kv_config:
-    primary: dynamodb
-    mirror_enabled: false
 
 # =============================================================================
 #  Components
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide
