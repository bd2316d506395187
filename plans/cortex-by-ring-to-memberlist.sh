#!/bin/sh
# Move ingester, store-gateway, compactor, ruler, alertmanager of the release cortex to memberlist.
# It changes nothing before each question is answered with the step's name, and checks no
# gate: look at what is expected after every step before going on.
set -eu
ask() {
    printf "\n%s\nType %s to go on: " "$2" "$1"
    read -r answer
    [ "$answer" = "$1" ] || { echo "stopped before $1"; exit 1; }
}

# both: Give ingester, store-gateway, compactor, ruler and alertmanager both stores, dynamodb stays primary
#   expect: every pod's /config shows `store: multi` for the chosen rings
#   expect: cortex_multikv_primary_store names dynamodb on every pod
#   expect: no pod of the older revision is left
#   alert: CortexGossipMembersMismatch may fire after 5 min (warning): pods that were replaced still count while new ones are up already
#   undo: Deploy the values from before this step: one rollout.
#   rolling back from after it: settle, clear
ask both 'Give ingester, store-gateway, compactor, ruler and alertmanager both stores, dynamodb stays primary'
patch --binary examples/values-cortex.yaml <<'END_OF_PATCH'
--- examples/values-cortex.yaml
+++ examples/values-cortex.yaml
@@ -53,11 +53,15 @@
         replication_factor: 3
         heartbeat_timeout: 1m
         kvstore:
-          store: "dynamodb"   # quoted, as the chart does it
+          store: "multi"   # quoted, as the chart does it
           dynamodb:
             region: "eu-west-1"
             table_name: "observability-dev-rings"
             puller_sync_time: "10s"
+          multi:
+            primary: "dynamodb"
+            secondary: "memberlist"
+            mirror_enabled: true
   ingester_client:
     grpc_client_config: {max_recv_msg_size: 10485760, max_send_msg_size: 10485760}
 
@@ -75,11 +79,15 @@
       heartbeat_timeout: 1m
       replication_factor: 2
       kvstore:
-        store: dynamodb
+        store: multi
         dynamodb:
           region: eu-west-1
           table_name: observability-dev-rings
           puller_sync_time: 10s
+        multi:
+          primary: dynamodb
+          secondary: memberlist
+          mirror_enabled: true
         # prefix: collectors/
 
   compactor:
@@ -89,7 +97,7 @@
     sharding_ring:
       heartbeat_period: 15s
       heartbeat_timeout: 1m
-      kvstore: {store: dynamodb, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}      # in one line
+      kvstore: {store: multi, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}, multi: {primary: dynamodb, secondary: memberlist, mirror_enabled: true}}      # in one line
 
   ruler:
     enable_sharding: true
@@ -104,11 +112,15 @@
         # the prefix is Cortex' default
         prefix: 'rulers/'
 
-        store: 'dynamodb'
+        store: 'multi'
         dynamodb:
           region: 'eu-west-1'
           table_name: 'observability-dev-rings'
           puller_sync_time: '10s'
+        multi:
+          primary: 'dynamodb'
+          secondary: 'memberlist'
+          mirror_enabled: true
 
   alertmanager:
     enable_api: true
@@ -120,11 +132,15 @@
         heartbeat_period: 15s
         heartbeat_timeout: 1m
         kvstore:
-            store: dynamodb
+            store: multi
             dynamodb:
                 region: eu-west-1
                 table_name: observability-dev-rings
                 puller_sync_time: 10s
+            multi:
+                primary: dynamodb
+                secondary: memberlist
+                mirror_enabled: true
     cluster:
       listen_address: ""        # the ring does this now
 
@@ -186,6 +202,9 @@
         ingestion_rate: 150000
         max_global_series_per_user: 4000000    # they scrape everything
       payments: {ingestion_rate: 20000}
+    multi_kv_config:
+      primary: dynamodb
+      mirror_enabled: true
 
 # ------------------------------------------------------------------------------
 # components
END_OF_PATCH
helm upgrade cortex cortex/cortex --version 5.8.0 --namespace observability --values examples/values-cortex.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=cortex --output wide

# switch: Switch ingester to memberlist by the runtime configuration
#   expect: cortex_multikv_primary_store names memberlist for every client of ingester
#   expect: every ring page shows the same members as before
#   undo: Write the runtime block with primary: dynamodb; removing the block would not take the switch back.
#   rolling back from after it: switch, settle, clear
ask switch 'Switch ingester to memberlist by the runtime configuration'
patch --binary examples/values-cortex.yaml <<'END_OF_PATCH'
--- examples/values-cortex.yaml
+++ examples/values-cortex.yaml
@@ -203,7 +203,7 @@
         max_global_series_per_user: 4000000    # they scrape everything
       payments: {ingestion_rate: 20000}
     multi_kv_config:
-      primary: dynamodb
+      primary: memberlist
       mirror_enabled: true
 
 # ------------------------------------------------------------------------------
END_OF_PATCH
helm upgrade cortex cortex/cortex --version 5.8.0 --namespace observability --values examples/values-cortex.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=cortex --output wide

# swap: Roll store-gateway, compactor, ruler and alertmanager over to memberlist as primary
#   expect: every pod's /config shows memberlist as primary
#   expect: cortex_multikv_primary_store names memberlist on every pod
#   expect: both stores hold the same members
#   alert: CortexGossipMembersMismatch may fire after 5 min (warning): pods that were replaced still count while new ones are up already
#   alert: CortexIngesterRestarts will fire (warning): ingesters restart here for the second time since `both`; not where more than 30 min pass between the two, approvals included
#   undo: Deploy the values from before this step (dynamodb primary, mirrored): one rollout.
#   rolling back from after it: switch, swap, settle, clear
ask swap 'Roll store-gateway, compactor, ruler and alertmanager over to memberlist as primary'
patch --binary examples/values-cortex.yaml <<'END_OF_PATCH'
--- examples/values-cortex.yaml
+++ examples/values-cortex.yaml
@@ -59,8 +59,8 @@
             table_name: "observability-dev-rings"
             puller_sync_time: "10s"
           multi:
-            primary: "dynamodb"
-            secondary: "memberlist"
+            primary: "memberlist"
+            secondary: "dynamodb"
             mirror_enabled: true
   ingester_client:
     grpc_client_config: {max_recv_msg_size: 10485760, max_send_msg_size: 10485760}
@@ -85,8 +85,8 @@
           table_name: observability-dev-rings
           puller_sync_time: 10s
         multi:
-          primary: dynamodb
-          secondary: memberlist
+          primary: memberlist
+          secondary: dynamodb
           mirror_enabled: true
         # prefix: collectors/
 
@@ -97,7 +97,7 @@
     sharding_ring:
       heartbeat_period: 15s
       heartbeat_timeout: 1m
-      kvstore: {store: multi, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}, multi: {primary: dynamodb, secondary: memberlist, mirror_enabled: true}}      # in one line
+      kvstore: {store: multi, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}, multi: {primary: memberlist, secondary: dynamodb, mirror_enabled: true}}      # in one line
 
   ruler:
     enable_sharding: true
@@ -118,8 +118,8 @@
           table_name: 'observability-dev-rings'
           puller_sync_time: '10s'
         multi:
-          primary: 'dynamodb'
-          secondary: 'memberlist'
+          primary: 'memberlist'
+          secondary: 'dynamodb'
           mirror_enabled: true
 
   alertmanager:
@@ -138,8 +138,8 @@
                 table_name: observability-dev-rings
                 puller_sync_time: 10s
             multi:
-                primary: dynamodb
-                secondary: memberlist
+                primary: memberlist
+                secondary: dynamodb
                 mirror_enabled: true
     cluster:
       listen_address: ""        # the ring does this now
END_OF_PATCH
helm upgrade cortex cortex/cortex --version 5.8.0 --namespace observability --values examples/values-cortex.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=cortex --output wide

# settle: Leave dynamodb: ingester, store-gateway, compactor, ruler and alertmanager on memberlist only
#   expect: every pod's /config shows `store: memberlist` for the chosen rings
#   expect: the multikv metrics are gone from every pod
#   expect: no pod of the older revision is left
#   alert: CortexGossipMembersMismatch may fire after 5 min (warning): pods that were replaced still count while new ones are up already
#   alert: CortexIngesterRestarts will fire (warning): ingesters restart here for the second time since `swap`; not where more than 30 min pass between the two, approvals included
#   undo: Full rollback: three rollouts.
#   rolling back from after it: both, switch, swap, settle, clear
#   QUICK ROLLBACK ENDS HERE
ask settle 'Leave dynamodb: ingester, store-gateway, compactor, ruler and alertmanager on memberlist only'
patch --binary examples/values-cortex.yaml <<'END_OF_PATCH'
--- examples/values-cortex.yaml
+++ examples/values-cortex.yaml
@@ -53,15 +53,7 @@
         replication_factor: 3
         heartbeat_timeout: 1m
         kvstore:
-          store: "multi"   # quoted, as the chart does it
-          dynamodb:
-            region: "eu-west-1"
-            table_name: "observability-dev-rings"
-            puller_sync_time: "10s"
-          multi:
-            primary: "memberlist"
-            secondary: "dynamodb"
-            mirror_enabled: true
+          store: "memberlist"   # quoted, as the chart does it
   ingester_client:
     grpc_client_config: {max_recv_msg_size: 10485760, max_send_msg_size: 10485760}
 
@@ -79,15 +71,7 @@
       heartbeat_timeout: 1m
       replication_factor: 2
       kvstore:
-        store: multi
-        dynamodb:
-          region: eu-west-1
-          table_name: observability-dev-rings
-          puller_sync_time: 10s
-        multi:
-          primary: memberlist
-          secondary: dynamodb
-          mirror_enabled: true
+        store: memberlist
         # prefix: collectors/
 
   compactor:
@@ -97,7 +81,7 @@
     sharding_ring:
       heartbeat_period: 15s
       heartbeat_timeout: 1m
-      kvstore: {store: multi, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}, multi: {primary: memberlist, secondary: dynamodb, mirror_enabled: true}}      # in one line
+      kvstore: {store: memberlist}      # in one line
 
   ruler:
     enable_sharding: true
@@ -112,15 +96,7 @@
         # the prefix is Cortex' default
         prefix: 'rulers/'
 
-        store: 'multi'
-        dynamodb:
-          region: 'eu-west-1'
-          table_name: 'observability-dev-rings'
-          puller_sync_time: '10s'
-        multi:
-          primary: 'memberlist'
-          secondary: 'dynamodb'
-          mirror_enabled: true
+        store: 'memberlist'
 
   alertmanager:
     enable_api: true
@@ -132,15 +108,7 @@
         heartbeat_period: 15s
         heartbeat_timeout: 1m
         kvstore:
-            store: multi
-            dynamodb:
-                region: eu-west-1
-                table_name: observability-dev-rings
-                puller_sync_time: 10s
-            multi:
-                primary: memberlist
-                secondary: dynamodb
-                mirror_enabled: true
+            store: memberlist
     cluster:
       listen_address: ""        # the ring does this now
 
END_OF_PATCH
helm upgrade cortex cortex/cortex --version 5.8.0 --namespace observability --values examples/values-cortex.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=cortex --output wide

# clear: Remove the runtime block
#   expect: /runtime_config shows no multi_kv_config on any pod
#   undo: Nothing to undo: no pod acts on it.
#   rolling back from after it: both, switch, swap, settle, clear
ask clear 'Remove the runtime block'
patch --binary examples/values-cortex.yaml <<'END_OF_PATCH'
--- examples/values-cortex.yaml
+++ examples/values-cortex.yaml
@@ -170,9 +170,6 @@
         ingestion_rate: 150000
         max_global_series_per_user: 4000000    # they scrape everything
       payments: {ingestion_rate: 20000}
-    multi_kv_config:
-      primary: memberlist
-      mirror_enabled: true
 
 # ------------------------------------------------------------------------------
 # components
END_OF_PATCH
helm upgrade cortex cortex/cortex --version 5.8.0 --namespace observability --values examples/values-cortex.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=cortex --output wide
