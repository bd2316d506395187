#!/bin/sh
# Move ruler of the release mimir to dynamodb.
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

# both: Give ruler both stores, memberlist stays primary
#   expect: every pod's /config shows `store: multi` for the chosen rings
#   expect: cortex_multikv_primary_store names memberlist on every pod
#   expect: no pod of the older revision is left
#   undo: Deploy the values from before this step: one rollout.
#   rolling back from after it: settle, clear
ask both 'Give ruler both stores, memberlist stays primary'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -196,6 +196,16 @@
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
@@ -279,6 +289,9 @@
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

# mirror: Mirror writes of ruler to dynamodb
#   expect: cortex_multikv_mirror_enabled is 1 for every client of the chosen rings
#   expect: dynamodb holds the same members as memberlist: id, address, state, zone, tokens
#   alert: MimirKVStoreFailure may fire after 5 min (critical): only where DynamoDB refuses every request of a pod; `pods-reach-dynamodb` holds the run before that
#   undo: Write the runtime block with mirror_enabled: false.
#   rolling back from after it: unmirror, settle, clear
ask mirror 'Mirror writes of ruler to dynamodb'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -291,7 +291,7 @@
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

# switch: Switch ruler to dynamodb by the runtime configuration
#   expect: cortex_multikv_primary_store names dynamodb for every client of ruler
#   expect: every ring page shows the same members as before
#   undo: Write the runtime block with primary: memberlist; removing the block would not take the switch back.
#   rolling back from after it: switch, unmirror, settle, clear
ask switch 'Switch ruler to dynamodb by the runtime configuration'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -290,7 +290,7 @@
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

# unmirror: Stop mirroring ruler to memberlist
#   expect: cortex_multikv_mirror_enabled is 0 for every client of the chosen rings
#   undo: Write the runtime block with mirror_enabled: true and wait until both stores are equal.
#   rolling back from after it: mirror, switch, unmirror, settle, clear
#   QUICK ROLLBACK ENDS HERE
ask unmirror 'Stop mirroring ruler to memberlist'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -291,7 +291,7 @@
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

# settle: Leave memberlist: ruler on dynamodb only
#   expect: every pod's /config shows `store: dynamodb` for the chosen rings
#   expect: the multikv metrics are gone from every pod
#   expect: no pod of the older revision is left
#   alert: MimirIngesterRestarts will fire (warning): ingesters restart here for the second time since `both`; not where more than 30 min pass between the two, approvals included
#   undo: Full rollback: two rollouts and the switch between them.
#   rolling back from after it: both, mirror, switch, unmirror, settle, clear
ask settle 'Leave memberlist: ruler on dynamodb only'
patch --binary examples/values.yaml <<'END_OF_PATCH'
--- examples/values.yaml
+++ examples/values.yaml
@@ -197,11 +197,7 @@
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
@@ -285,9 +285,6 @@
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
