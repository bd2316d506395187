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
#   alert: MimirKVStoreFailure may fire after 5 min (critical): only where DynamoDB refuses every request of a pod; `pods-reach-dynamodb` holds the run before that
#   undo: Deploy the values from before this step: one rollout.
#   rolling back from after it: settle
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
+            mirror_enabled: true
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
+            mirror_enabled: true
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
+            mirror_enabled: true
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
+            mirror_enabled: true
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
+                  mirror_enabled: true
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
+      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: multi, multi: {primary: memberlist, secondary: dynamodb, mirror_enabled: true}, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}}
 
     query_scheduler:
       max_outstanding_requests_per_tenant: 1600
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide

# swap: Roll ingester, distributor, store-gateway, compactor, ruler and alertmanager over to dynamodb as primary
#   expect: every pod's /config shows dynamodb as primary
#   expect: cortex_multikv_primary_store names dynamodb on every pod
#   expect: both stores hold the same members
#   alert: MimirIngesterRestarts will fire (warning): ingesters restart here for the second time since `both`; not where more than 30 min pass between the two, approvals included
#   undo: Deploy the values from before this step (memberlist primary, mirrored): one rollout.
#   rolling back from after it: swap, settle
ask swap 'Roll ingester, distributor, store-gateway, compactor, ruler and alertmanager over to dynamodb as primary'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -142,8 +142,8 @@
         kvstore:
           store: multi
           multi:
-            primary: memberlist
-            secondary: dynamodb
+            primary: dynamodb
+            secondary: memberlist
             mirror_enabled: true
           dynamodb:
             region: eu-west-1
@@ -163,8 +163,8 @@
         kvstore:
           store: multi
           multi:
-            primary: memberlist
-            secondary: dynamodb
+            primary: dynamodb
+            secondary: memberlist
             mirror_enabled: true
           dynamodb:
             region: eu-west-1
@@ -193,8 +193,8 @@
         kvstore:
           store: multi
           multi:
-            primary: memberlist
-            secondary: dynamodb
+            primary: dynamodb
+            secondary: memberlist
             mirror_enabled: true
           dynamodb:
             region: eu-west-1
@@ -214,8 +214,8 @@
           prefix: collectors/      # keep the slash
           store: multi
           multi:
-            primary: memberlist
-            secondary: dynamodb
+            primary: dynamodb
+            secondary: memberlist
             mirror_enabled: true
           dynamodb:
             region: eu-west-1
@@ -238,8 +238,8 @@
           kvstore:
               store: multi
               multi:
-                  primary: memberlist
-                  secondary: dynamodb
+                  primary: dynamodb
+                  secondary: memberlist
                   mirror_enabled: true
               dynamodb:
                   region: eu-west-1
@@ -251,7 +251,7 @@
       enable_api: true
       external_url: /alertmanager
       fallback_config_file: /configs/alertmanager_fallback_config.yaml
-      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: multi, multi: {primary: memberlist, secondary: dynamodb, mirror_enabled: true}, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}}
+      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: multi, multi: {primary: dynamodb, secondary: memberlist, mirror_enabled: true}, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}}
 
     query_scheduler:
       max_outstanding_requests_per_tenant: 1600
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
#   alert: MimirIngesterRestarts will fire (warning): ingesters restart here for the second time since `swap`; not where more than 30 min pass between the two, approvals included
#   undo: Full rollback: three rollouts.
#   rolling back from after it: both, swap, settle
#   QUICK ROLLBACK ENDS HERE
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
-            primary: dynamodb
-            secondary: memberlist
-            mirror_enabled: true
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
-            primary: dynamodb
-            secondary: memberlist
-            mirror_enabled: true
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
-            primary: dynamodb
-            secondary: memberlist
-            mirror_enabled: true
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
-            primary: dynamodb
-            secondary: memberlist
-            mirror_enabled: true
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
-                  primary: dynamodb
-                  secondary: memberlist
-                  mirror_enabled: true
+              store: dynamodb
               dynamodb:
                   region: eu-west-1
                   table_name: observability-dev-rings
@@ -251,7 +231,7 @@
       enable_api: true
       external_url: /alertmanager
       fallback_config_file: /configs/alertmanager_fallback_config.yaml
-      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: multi, multi: {primary: dynamodb, secondary: memberlist, mirror_enabled: true}, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}}
+      sharding_ring: {heartbeat_period: 15s, heartbeat_timeout: 1m, replication_factor: 2, kvstore: {store: dynamodb, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}}
 
     query_scheduler:
       max_outstanding_requests_per_tenant: 1600
END_OF_PATCH
helm upgrade mimir grafana/mimir-distributed --version 5.8.0 --namespace observability --values examples/values.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=mimir --output wide
