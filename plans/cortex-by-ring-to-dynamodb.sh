#!/bin/sh
# Move ingester, store-gateway, compactor, ruler, alertmanager of the release cortex to dynamodb.
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

# both: Give ingester, store-gateway, compactor, ruler and alertmanager both stores, memberlist stays primary
#   expect: every pod's /config shows `store: multi` for the chosen rings
#   expect: cortex_multikv_primary_store names memberlist on every pod
#   expect: no pod of the older revision is left
#   alert: CortexKVStoreFailure may fire after 5 min (warning): only where DynamoDB refuses every request of a pod; `pods-reach-dynamodb` holds the run before that
#   undo: Deploy the values from before this step: one rollout.
#   rolling back from after it: settle, clear
ask both 'Give ingester, store-gateway, compactor, ruler and alertmanager both stores, memberlist stays primary'
patch --binary examples/values-cortex.yaml <<'END_OF_PATCH'
--- examples/values-cortex.yaml
+++ examples/values-cortex.yaml
@@ -53,7 +53,15 @@
         replication_factor: 3
         heartbeat_timeout: 1m
         kvstore:
-          store: "memberlist"   # quoted, as the chart does it
+          store: "multi"   # quoted, as the chart does it
+          multi:
+            primary: "memberlist"
+            secondary: "dynamodb"
+            mirror_enabled: true
+          dynamodb:
+            region: "eu-west-1"
+            table_name: "observability-dev-rings"
+            puller_sync_time: "10s"
   ingester_client:
     grpc_client_config: {max_recv_msg_size: 10485760, max_send_msg_size: 10485760}
 
@@ -71,7 +79,15 @@
       heartbeat_timeout: 1m
       replication_factor: 2
       kvstore:
-        store: memberlist
+        store: multi
+        multi:
+          primary: memberlist
+          secondary: dynamodb
+          mirror_enabled: true
+        dynamodb:
+          region: eu-west-1
+          table_name: observability-dev-rings
+          puller_sync_time: 10s
         # prefix: collectors/
 
   compactor:
@@ -81,7 +97,7 @@
     sharding_ring:
       heartbeat_period: 15s
       heartbeat_timeout: 1m
-      kvstore: {store: memberlist}      # in one line
+      kvstore: {store: multi, multi: {primary: memberlist, secondary: dynamodb, mirror_enabled: true}, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}      # in one line
 
   ruler:
     enable_sharding: true
@@ -96,7 +112,15 @@
         # the prefix is Cortex' default
         prefix: 'rulers/'
 
-        store: 'memberlist'
+        store: 'multi'
+        multi:
+          primary: 'memberlist'
+          secondary: 'dynamodb'
+          mirror_enabled: true
+        dynamodb:
+          region: 'eu-west-1'
+          table_name: 'observability-dev-rings'
+          puller_sync_time: '10s'
 
   alertmanager:
     enable_api: true
@@ -108,7 +132,15 @@
         heartbeat_period: 15s
         heartbeat_timeout: 1m
         kvstore:
-            store: memberlist
+            store: multi
+            multi:
+                primary: memberlist
+                secondary: dynamodb
+                mirror_enabled: true
+            dynamodb:
+                region: eu-west-1
+                table_name: observability-dev-rings
+                puller_sync_time: 10s
     cluster:
       listen_address: ""        # the ring does this now
 
@@ -170,6 +202,9 @@
         ingestion_rate: 150000
         max_global_series_per_user: 4000000    # they scrape everything
       payments: {ingestion_rate: 20000}
+    multi_kv_config:
+      primary: memberlist
+      mirror_enabled: true
 
 # ------------------------------------------------------------------------------
 # components
END_OF_PATCH
helm upgrade cortex cortex/cortex --version 5.8.0 --namespace observability --values examples/values-cortex.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=cortex --output wide

# switch: Switch ingester to dynamodb by the runtime configuration
#   expect: cortex_multikv_primary_store names dynamodb for every client of ingester
#   expect: every ring page shows the same members as before
#   undo: Write the runtime block with primary: memberlist; removing the block would not take the switch back.
#   rolling back from after it: switch, settle, clear
ask switch 'Switch ingester to dynamodb by the runtime configuration'
patch --binary examples/values-cortex.yaml <<'END_OF_PATCH'
--- examples/values-cortex.yaml
+++ examples/values-cortex.yaml
@@ -203,7 +203,7 @@
         max_global_series_per_user: 4000000    # they scrape everything
       payments: {ingestion_rate: 20000}
     multi_kv_config:
-      primary: memberlist
+      primary: dynamodb
       mirror_enabled: true
 
 # ------------------------------------------------------------------------------
END_OF_PATCH
helm upgrade cortex cortex/cortex --version 5.8.0 --namespace observability --values examples/values-cortex.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=cortex --output wide

# swap: Roll store-gateway, compactor, ruler and alertmanager over to dynamodb as primary
#   expect: every pod's /config shows dynamodb as primary
#   expect: cortex_multikv_primary_store names dynamodb on every pod
#   expect: both stores hold the same members
#   alert: CortexIngesterRestarts will fire (warning): ingesters restart here for the second time since `both`; not where more than 30 min pass between the two, approvals included
#   undo: Deploy the values from before this step (memberlist primary, mirrored): one rollout.
#   rolling back from after it: switch, swap, settle, clear
ask swap 'Roll store-gateway, compactor, ruler and alertmanager over to dynamodb as primary'
patch --binary examples/values-cortex.yaml <<'END_OF_PATCH'
--- examples/values-cortex.yaml
+++ examples/values-cortex.yaml
@@ -55,8 +55,8 @@
         kvstore:
           store: "multi"   # quoted, as the chart does it
           multi:
-            primary: "memberlist"
-            secondary: "dynamodb"
+            primary: "dynamodb"
+            secondary: "memberlist"
             mirror_enabled: true
           dynamodb:
             region: "eu-west-1"
@@ -81,8 +81,8 @@
       kvstore:
         store: multi
         multi:
-          primary: memberlist
-          secondary: dynamodb
+          primary: dynamodb
+          secondary: memberlist
           mirror_enabled: true
         dynamodb:
           region: eu-west-1
@@ -97,7 +97,7 @@
     sharding_ring:
       heartbeat_period: 15s
       heartbeat_timeout: 1m
-      kvstore: {store: multi, multi: {primary: memberlist, secondary: dynamodb, mirror_enabled: true}, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}      # in one line
+      kvstore: {store: multi, multi: {primary: dynamodb, secondary: memberlist, mirror_enabled: true}, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}      # in one line
 
   ruler:
     enable_sharding: true
@@ -114,8 +114,8 @@
 
         store: 'multi'
         multi:
-          primary: 'memberlist'
-          secondary: 'dynamodb'
+          primary: 'dynamodb'
+          secondary: 'memberlist'
           mirror_enabled: true
         dynamodb:
           region: 'eu-west-1'
@@ -134,8 +134,8 @@
         kvstore:
             store: multi
             multi:
-                primary: memberlist
-                secondary: dynamodb
+                primary: dynamodb
+                secondary: memberlist
                 mirror_enabled: true
             dynamodb:
                 region: eu-west-1
END_OF_PATCH
helm upgrade cortex cortex/cortex --version 5.8.0 --namespace observability --values examples/values-cortex.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=cortex --output wide

# settle: Leave memberlist: ingester, store-gateway, compactor, ruler and alertmanager on dynamodb only
#   expect: every pod's /config shows `store: dynamodb` for the chosen rings
#   expect: the multikv metrics are gone from every pod
#   expect: no pod of the older revision is left
#   alert: CortexGossipMembersMismatch cannot fire once the step is over: no pod gossips then, and memberlist_client_cluster_members_count is gone
#   alert: CortexGossipMembersMismatch may fire after 5 min (warning): pods that were replaced still count while new ones are up already
#   alert: CortexIngesterRestarts will fire (warning): ingesters restart here for the second time since `swap`; not where more than 30 min pass between the two, approvals included
#   undo: Full rollback: three rollouts.
#   rolling back from after it: both, switch, swap, settle, clear
#   QUICK ROLLBACK ENDS HERE
ask settle 'Leave memberlist: ingester, store-gateway, compactor, ruler and alertmanager on dynamodb only'
patch --binary examples/values-cortex.yaml <<'END_OF_PATCH'
--- examples/values-cortex.yaml
+++ examples/values-cortex.yaml
@@ -53,11 +53,7 @@
         replication_factor: 3
         heartbeat_timeout: 1m
         kvstore:
-          store: "multi"   # quoted, as the chart does it
-          multi:
-            primary: "dynamodb"
-            secondary: "memberlist"
-            mirror_enabled: true
+          store: "dynamodb"   # quoted, as the chart does it
           dynamodb:
             region: "eu-west-1"
             table_name: "observability-dev-rings"
@@ -79,11 +75,7 @@
       heartbeat_timeout: 1m
       replication_factor: 2
       kvstore:
-        store: multi
-        multi:
-          primary: dynamodb
-          secondary: memberlist
-          mirror_enabled: true
+        store: dynamodb
         dynamodb:
           region: eu-west-1
           table_name: observability-dev-rings
@@ -97,7 +89,7 @@
     sharding_ring:
       heartbeat_period: 15s
       heartbeat_timeout: 1m
-      kvstore: {store: multi, multi: {primary: dynamodb, secondary: memberlist, mirror_enabled: true}, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}      # in one line
+      kvstore: {store: dynamodb, dynamodb: {region: eu-west-1, table_name: observability-dev-rings, puller_sync_time: 10s}}      # in one line
 
   ruler:
     enable_sharding: true
@@ -112,11 +104,7 @@
         # the prefix is Cortex' default
         prefix: 'rulers/'
 
-        store: 'multi'
-        multi:
-          primary: 'dynamodb'
-          secondary: 'memberlist'
-          mirror_enabled: true
+        store: 'dynamodb'
         dynamodb:
           region: 'eu-west-1'
           table_name: 'observability-dev-rings'
@@ -132,11 +120,7 @@
         heartbeat_period: 15s
         heartbeat_timeout: 1m
         kvstore:
-            store: multi
-            multi:
-                primary: dynamodb
-                secondary: memberlist
-                mirror_enabled: true
+            store: dynamodb
             dynamodb:
                 region: eu-west-1
                 table_name: observability-dev-rings
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
@@ -186,9 +186,6 @@
         ingestion_rate: 150000
         max_global_series_per_user: 4000000    # they scrape everything
       payments: {ingestion_rate: 20000}
-    multi_kv_config:
-      primary: dynamodb
-      mirror_enabled: true
 
 # ------------------------------------------------------------------------------
 # components
END_OF_PATCH
helm upgrade cortex cortex/cortex --version 5.8.0 --namespace observability --values examples/values-cortex.yaml
kubectl --namespace observability get pods --selector app.kubernetes.io/instance=cortex --output wide
