"""Every shape that a values file comes in, with exactly the lines that an edit changes in it."""

from __future__ import annotations

import pytest
from wishes import edit, read

from mimir_migrate.documents import edits
from mimir_migrate.documents.values.files import SourceFile
from mimir_migrate.errors import EditRefusedError
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import DynamoDBSettings, RuntimeBlock

TABLE = DynamoDBSettings(table_name="rings")

# Each case is a diff: "-" and " " make the file, "+" and " " what it becomes.
SHAPES = {
    "plain": (
        "values",
        (),
        """
 mimir:
   structuredConfig:
     ruler:
       ring:
         heartbeat_period: 15s
+        kvstore:
+          store: dynamodb
+          dynamodb:
+            table_name: rings
     server: {}
""",
    ),
    "an umbrella chart": (
        "umbrella",
        ("mimir-distributed",),
        """
 mimir-distributed:
   mimir:
     structuredConfig:
       server: {}
+      ruler:
+        ring:
+          kvstore:
+            store: dynamodb
+            dynamodb:
+              table_name: rings
 grafana: {}
""",
    ),
    "an umbrella chart whose alias is mimir": (
        "umbrella",
        ("mimir",),
        """
 mimir:
   mimir:
-    structuredConfig: {}   # nothing yet
+    structuredConfig:   # nothing yet
+      ruler:
+        ring:
+          kvstore:
+            store: dynamodb
+            dynamodb:
+              table_name: rings
   ruler: {replicas: 2}
""",
    ),
    "an empty umbrella chart": (
        "umbrella",
        ("mimir-distributed",),
        """
 loki: {}
 mimir-distributed:   # defaults
+  mimir:
+    structuredConfig:
+      ruler:
+        ring:
+          kvstore:
+            store: dynamodb
+            dynamodb:
+              table_name: rings
 tempo: {}
""",
    ),
    "Flux behind another document": (
        "flux",
        ("spec", "values"),
        """
 apiVersion: source.toolkit.fluxcd.io/v1
 kind: OCIRepository
 metadata: {name: mimir}
 ---
 apiVersion: helm.toolkit.fluxcd.io/v2
 kind: HelmRelease
 spec:
   values:
     mimir:
       structuredConfig:
         ruler:
           ring:
             kvstore:
-              store: memberlist # for now
+              store: dynamodb # for now
+              dynamodb:
+                table_name: rings
   interval: 1h
""",
    ),
    "Argo CD with an object": (
        "argocd-values-object",
        ("spec", "source", "helm", "valuesObject"),
        """
 apiVersion: argoproj.io/v1alpha1
 kind: Application
 spec:
   source:
     chart: mimir-distributed
     helm:
       values: "ignored: true"
       valuesObject:
         ingester: {replicas: 3}
+        mimir:
+          structuredConfig:
+            ruler:
+              ring:
+                kvstore:
+                  store: dynamodb
+                  dynamodb:
+                    table_name: rings
   destination: {}
""",
    ),
    "Argo CD with a string in one of several sources": (
        "argocd-values-string",
        ("spec", "sources", "1", "helm", "values"),
        """
 apiVersion: argoproj.io/v1alpha1
 kind: Application
 spec:
   sources:
     - path: dashboards
     - chart: mimir-distributed
       helm:
         releaseName: mimir
         values: |
           mimir:
             structuredConfig:
               ruler:
                 ring:
                   heartbeat_period: 15s
+                  kvstore:
+                    store: dynamodb
+                    dynamodb:
+                      table_name: rings

               # the end
           ingester:
               replicas: 3
   destination: {}
""",
    ),
    "an ApplicationSet with a string": (
        "argocd-values-string",
        ("spec", "template", "spec", "source", "helm", "values"),
        """
 apiVersion: argoproj.io/v1alpha1
 kind: ApplicationSet
 spec:
   goTemplate: true
   template:
     metadata: {name: '{{.name}}'}
     spec:
       source:
         chart: '{{.chart}}'
         helm:
           values: |-
             mimir:
               structuredConfig:
                 memberlist:
                   join_members: ['{{ "{{" }} include "x" . {{ "}}" }}']
+                ruler:
+                  ring:
+                    kvstore:
+                      store: dynamodb
+                      dynamodb:
+                        table_name: rings
""",
    ),
    "a k3s HelmChart": (
        "k3s-string",
        ("spec", "valuesContent"),
        """
 apiVersion: helm.cattle.io/v1
 kind: HelmChart
 spec:
   chart: mimir-distributed
   valuesContent: |2
     mimir:
       structuredConfig:
         ruler:
-          ring: {}
+          ring:
+            kvstore:
+              store: dynamodb
+              dynamodb:
+                table_name: rings
""",
    ),
    "an umbrella chart inside Flux": (
        "flux, umbrella",
        ("spec", "values", "metrics"),
        """
 apiVersion: helm.toolkit.fluxcd.io/v2
 kind: HelmRelease
 spec:
   values:
     metrics:
       mimir:
         structuredConfig:
           server: {log_level: warn}
+          ruler:
+            ring:
+              kvstore:
+                store: dynamodb
+                dynamodb:
+                  table_name: rings
""",
    ),
    "a Terraform template": (
        "values",
        (),
        """
 mimir:
   structuredConfig:
     common:
 %{ if kms ~}
       kms_key_id: ${kms_key_id}
 %{ endif ~}
       region: ${aws_region}
       buckets: [${blocks}, "${join(",", rules)}"]
     ruler:
       ring:
         kvstore:
-          store: memberlist
+          store: dynamodb
+          dynamodb:
+            table_name: rings
     limits: ${jsonencode({ a = 1 })}
 ${indent(0, yamlencode(extra))}
""",
    ),
    "a Go template": (
        "values",
        (),
        """
 {{- $region := .Values.region }}
 {{/* a
      comment */}}
 mimir:
   structuredConfig:
     {{- with .Values.common }}
     common: {{ toYaml . | nindent 6 }}
     {{- end }}
     ruler:
       ring:
         instance_addr: {{ .Values.addr | quote }}
+        kvstore:
+          store: dynamodb
+          dynamodb:
+            table_name: rings
 {{ include "more" . }}
""",
    ),
    "flow mappings": (
        "values",
        (),
        """
-mimir: { structuredConfig: { ruler: { ring: { heartbeat_period: 15s } } } } # one line
+mimir: { structuredConfig: { ruler: { ring: { heartbeat_period: 15s, kvstore: { store: dynamodb, dynamodb: { table_name: rings } } } } } } # one line
 ruler: {replicas: 2}
""",
    ),
    "JSON": (
        "values",
        (),
        """
 {"mimir": {
   "structuredConfig": {
-    "ruler": {"ring": {"kvstore": {"store": "memberlist"}}}
+    "ruler": {"ring": {"kvstore": {"store": "dynamodb", "dynamodb": {"table_name": "rings"}}}}
   }
 }}
""",
    ),
    "anchors and merge keys beside the way": (
        "values",
        (),
        """
 defaults: &defaults {heartbeat_period: 15s, heartbeat_timeout: &minute 1m}
 mimir:
   structuredConfig:
     ruler:
       ring:
         <<: *defaults
+        kvstore:
+          store: dynamodb
+          dynamodb:
+            table_name: rings
     compactor: {sharding_ring: {<<: *defaults}}
 ruler: &component {replicas: 2}
 querier: *component
""",
    ),
    "odd indentation and comments": (
        "values",
        (),
        """
 mimir:
      # deep
      structuredConfig:
        ruler:
               ring:
                 #	tabs	in	here
                 heartbeat_period: 15s   # ok
                   # öfter
+                kvstore:
+                  store: dynamodb
+                  dynamodb:
+                    table_name: rings

     # back
      config: ~
""",
    ),
    "double quotes everywhere": (
        "values",
        (),
        """
 mimir:
   structuredConfig:
     server: {log_level: "info", log_format: "json"}
     ruler:
       ring:
         instance_interface_names: ["eth0"]
         instance_id: "a"
+        kvstore:
+          store: "dynamodb"
+          dynamodb:
+            table_name: "rings"
""",
    ),
    "a block scalar that keeps its blank lines": (
        "values",
        (),
        """
 mimir:
   structuredConfig:
     ruler:
+      ring:
+        kvstore:
+          store: dynamodb
+          dynamodb:
+            table_name: rings
       note: |+
         text

 # behind
""",
    ),
    "null on the way": (
        "values",
        (),
        """
 mimir:
   structuredConfig:
     ruler:
       # nothing is set here
-      ring: null # as yet
+      ring: # as yet
+        kvstore:
+          store: dynamodb
+          dynamodb:
+            table_name: rings
""",
    ),
    "document markers": (
        "values",
        (),
        """
 %YAML 1.1
 ---
 # values
 mimir:
   structuredConfig:
     server: {}
+    ruler:
+      ring:
+        kvstore:
+          store: dynamodb
+          dynamodb:
+            table_name: rings
 ...
""",
    ),
}


def sides(diff: str) -> tuple[str, str]:
    lines = diff.strip("\n").split("\n")
    before = [line[1:] for line in lines if not line.startswith("+")]
    after = [line[1:] for line in lines if not line.startswith("-")]
    return "\n".join(before) + "\n", "\n".join(after) + "\n"


@pytest.mark.parametrize("case", SHAPES)
def test_only_the_planned_lines_change(case, changed, wanted):
    """The file becomes exactly what the case says; where its values are is found and shown."""
    shape, root, diff = SHAPES[case]
    before, after = sides(diff)

    view = read([SourceFile(path="values.yaml", content=before.encode())])

    assert (view.shape, view.root) == (shape, root)
    assert changed(before, wanted("dynamodb", settings=TABLE)) == after


@pytest.mark.parametrize("case", SHAPES)
@pytest.mark.parametrize(
    "manner", ["windows", "byte order mark", "no final newline", "windows, no final newline"]
)
def test_bytes_around_the_text_stay(case, manner, wanted):
    """Line breaks, a byte order mark and a missing last line break are the file's own."""
    before, after = (side.encode() for side in sides(SHAPES[case][2]))
    if "windows" in manner:
        before, after = (side.replace(b"\n", b"\r\n") for side in (before, after))
    if manner == "byte order mark":
        before, after = (b"\xef\xbb\xbf" + side for side in (before, after))
    if "no final newline" in manner:
        before, after = (side.rstrip(b"\r\n") for side in (before, after))
    file = SourceFile(path="values.yaml", content=before)

    (made,) = edit([file], wanted("dynamodb", settings=TABLE))
    found = edits.apply(made, before)

    assert found == after
    assert edits.apply(edits.inverse(made), after) == before


def test_the_root_can_be_named(changed, wanted):
    """What is not found, or not the right one, is said by its keys."""
    text = "one: {mimir: {structuredConfig: {}}}\ntwo:\n  three:\n    mimir:\n"

    after = changed(text, wanted("dynamodb", settings=TABLE), root="two.three")

    assert after == (
        "one: {mimir: {structuredConfig: {}}}\ntwo:\n  three:\n    mimir:\n"
        "      structuredConfig:\n        ruler:\n          ring:\n            kvstore:\n"
        "              store: dynamodb\n              dynamodb:\n"
        "                table_name: rings\n"
    )


def test_a_root_that_is_not_there_is_refused(changed, wanted):
    """The name is not taken for a wish to make it."""
    with pytest.raises(EditRefusedError, match=r"nothing at spec\.values"):
        changed("mimir: {structuredConfig: {}}\n", wanted("dynamodb"), root="spec.values")


def test_an_empty_file_is_plain_values_once_the_product_is_known(wanted):
    """A file of comments alone holds values too, when somebody says of which chart."""
    file = SourceFile(path="extra.yaml", content=b"# nothing yet\n\n")

    (made,) = edit([file], wanted("dynamodb", settings=TABLE), product=Product.MIMIR)

    assert edits.apply(made, file.content).startswith(b"# nothing yet\nmimir:\n  structured")


def test_several_shapes_in_order(wanted):
    """Files of different shapes are merged, and the last one takes what is new."""
    plain = SourceFile(path="a.yaml", content=b"mimir: {structuredConfig: {server: {}}}\n")
    flux = SourceFile(
        path="b.yaml",
        content=b"apiVersion: v1\nkind: HelmRelease\nspec:\n  values:\n    ruler: {replicas: 2}\n",
    )
    wish = wanted("dynamodb", runtime=RuntimeBlock(primary="dynamodb", mirror_enabled=True))

    (made,) = edit([plain, flux], wish)

    assert made.path == "b.yaml"
    assert b"    runtimeConfig:\n      multi_kv_config:\n" in edits.apply(made, flux.content)


def test_another_product_in_the_file_is_left_alone(changed, wanted):
    """Blocks of other charts that look like rings, and stores that are no ring's, stay."""
    text = (
        "mimir:\n  structuredConfig:\n    index_gateway: {ring: {kvstore: {store: memberlist}}}\n"
        "    distributor: {ha_tracker: {kvstore: {store: etcd}}}\n"
        "loki: {ingester: {lifecycler: {ring: {kvstore: {store: inmemory}}}}}\n"
    )
    rings = read([SourceFile(path="v", content=text.encode())]).all_rings

    after = changed(text, wanted("dynamodb", *rings))

    assert "index_gateway: {ring: {kvstore: {store: memberlist}}}\n" in after
    assert "ha_tracker: {kvstore: {store: etcd}}" in after
    assert after.endswith(text.splitlines(keepends=True)[-1])
