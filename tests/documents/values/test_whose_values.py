"""Only values of mimir-distributed and of the cortex chart are edited; what says so, and what against it."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest
from wishes import edit, make_wanted, read

from mimir_migrate.documents.values.charts import ChartName
from mimir_migrate.documents.values.files import SourceFile, ValuesFiles
from mimir_migrate.errors import EditRefusedError
from mimir_migrate.model.rings import Product

COMPONENTS = """\
ingester: {replicas: 3}
distributor: {replicas: 2}
querier: {replicas: 2}
compactor: {replicas: 1}
gateway: {enabled: true}
"""
RING = "mimir: {structuredConfig: {ruler: {rule_path: /data}}}\n"


def flux(chart: str, values: str, version: str = "") -> str:
    head = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\nspec:\n"
    where = f"  chart: {{spec: {{chart: {chart}, version: '{version}'}}}}\n  values:\n"
    return head + where + indented(values, 4)


def argo(source: str, values: str) -> str:
    head = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: x}\nspec:\n  sources:\n"
    return (
        head
        + "    - ref: values\n    - "
        + source
        + "\n      helm:\n        valuesObject:\n"
        + indented(values, 10)
    )


def indented(text: str, columns: int) -> str:
    return "".join(" " * columns + line for line in text.splitlines(keepends=True))


OTHERS = {
    "Loki by Flux": (flux("loki-distributed", COMPONENTS), "other-chart"),
    "Loki by Flux with Mimir's block": (flux("loki", RING), "other-chart"),
    "Tempo by Argo": (argo("chart: tempo-distributed", COMPONENTS), "other-chart"),
    "Loki from a Git folder": (argo("path: charts/loki", RING), "other-chart"),
    "Loki from an OCI registry": (
        argo("repoURL: ghcr.io/grafana/helm-charts/loki\n      path: .", RING), "other-chart",
    ),
    "Mimir's chart with Cortex' block": (
        flux("mimir-distributed", "config: {limits: {}, blocks_storage: {}, server: {}}\n"), "other-chart",
    ),
    "the cortex chart with Mimir's block": (flux("cortex", RING), "other-chart"),
    "Mimir's block beside a key that is only Loki's": (
        RING + "indexGateway: {replicas: 1}\ningester: {replicas: 3}\n", "product-unsure",
    ),
    "Bitnami by name": (flux("bitnami/grafana-mimir", COMPONENTS), "other-chart"),
    "a chart reference to Loki": (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: metrics}\n"
        "spec: {url: oci://ghcr.io/grafana/helm-charts/loki, ref: {tag: 6.0.0}}\n---\n"
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: metrics}\nspec:\n"
        "  chartRef: {kind: OCIRepository, name: metrics}\n  values:\n" + indented(RING, 4),
        "other-chart",
    ),
    "k3s with Tempo": (
        "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nspec:\n  chart: grafana/tempo\n"
        "  valuesContent: |\n" + indented(RING, 4),
        "other-chart",
    ),
    "kustomize with Loki": (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nhelmCharts:\n"
        "  - name: loki\n    valuesInline:\n" + indented(RING, 6),
        "other-chart",
    ),
    "Crossplane with Loki": (
        "apiVersion: helm.crossplane.io/v1beta1\nkind: Release\nspec:\n  forProvider:\n"
        "    chart: {name: loki, version: 5.0.0}\n    values:\n" + indented(RING, 6),
        "other-chart",
    ),
    "Loki's image": ("image: {repository: docker.io/grafana/loki}\n" + RING, "other-chart"),
    "Tempo's image, as one word": ("image: grafana/tempo:2.4\n" + COMPONENTS, "other-chart"),
    "Mimir's image, Cortex' chart": (
        "image: {repository: quay.io/x/mimir}\nconfig: {limits: {}, blocks_storage: {}}\n", "other-chart",
    ),
    "Loki's own block": ("loki: {structuredConfig: {ingester: {}}}\n" + COMPONENTS, "other-chart"),
    "Tempo's own block": ("tempo: {structuredConfig: {}}\n" + COMPONENTS, "other-chart"),
    "Pyroscope's own block": ("pyroscope: {structuredConfig: {}}\n" + COMPONENTS, "other-chart"),
    "Bitnami by its keys": ("mimir: {configuration: 'a: b'}\n" + COMPONENTS, "other-chart"),
    "Bitnami's override": ("mimir: {overrideConfiguration: {a: {}}}\n" + COMPONENTS, "other-chart"),
    "nothing but components": (COMPONENTS, "product-unsure"),
    "Tempo by its name": ("nameOverride: tempo\nmetaMonitoring: {}\n" + COMPONENTS, "product-unsure"),
    "Tempo by a component": ("metricsGenerator: {}\nkubeVersionOverride: '1'\n" + COMPONENTS, "product-unsure"),
    "Tempo by a component's key": (
        "kubeVersionOverride: '1'\ningester: {config: {trace_idle_period: 10s}}\nquerier: {}\n",
        "product-unsure",
    ),
    "Loki in camel case": ("queryFrontend: {}\nenterprise: {}\n" + COMPONENTS, "product-unsure"),
    "Bitnami without its block": ("storeGateway: {replicaCount: 1}\n" + COMPONENTS, "product-unsure"),
    "a chart of an unknown name": (flux("observability", "store_gateway: {}\n" + COMPONENTS), "product-unsure"),
    "Cortex' chart with Loki's settings": (
        "config: {limits_config: {}, server: {}, ingester: {}}\n", "product-unsure",
    ),
    "Cortex' chart with Mimir's settings": (
        "config: {common: {}, limits: {}, server: {}}\n", "product-unsure",
    ),
    "settings that Loki has too": ("config: {auth_enabled: false, server: {}, memberlist: {}}\n", "product-unsure"),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERS)
def test_another_charts_values_are_not_edited(case: str) -> None:
    """The class says whether it is certain; a doubt names the flag that decides."""
    text, refusal = OTHERS[case]

    with pytest.raises(EditRefusedError) as refused:
        edit([file(text)], make_wanted("dynamodb"))

    assert refused.value.refusal == refusal
    assert ("--product" in refused.value.hint) is (refusal == "product-unsure")


@pytest.mark.parametrize(
    "case", [case for case, (_, found) in OTHERS.items() if found == "other-chart"]
)
def test_nobodys_word_makes_another_chart_mimirs(case: str) -> None:
    """What is certain is refused with `--product` as well."""
    product = Product.CORTEX if "Mimir's image" in case else Product.MIMIR

    with pytest.raises(EditRefusedError) as refused:
        edit([file(OTHERS[case][0])], make_wanted("dynamodb"), product=product)

    assert refused.value.refusal == "other-chart"


OURS = {
    "components and the product's word": (COMPONENTS, Product.MIMIR),
    "Tempo's name and the product's word": ("fullnameOverride: tempo\n" + COMPONENTS, Product.MIMIR),
    "a chart of an unknown name with Mimir's block": (flux("observability", RING), None),
    "a chart of an unknown name and the product's word": (flux("acme", "ruler: {}\n"), Product.MIMIR),
    "mimir-distributed in camel case": (flux("mimir-distributed", "storeGateway: {}\n" + RING), None),
    "mimir-distributed with its values alone": (flux("mimir-distributed", COMPONENTS), None),
    "an archive": (
        argo("chart: https://x/mimir-distributed-5.6.0.tgz", "ruler: {replicas: 1}\n"), None,
    ),
    "a template instead of a name": (argo("chart: '{{ .chart }}'", RING), None),
    "Mimir's block beside Loki's": ("loki: {structuredConfig: {}}\n" + RING, None),
    "Mimir's image from a mirror": (
        "image: {repository: registry.example.com/mirror/grafana/mimir}\n" + RING, None,
    ),
    "an image of a name of one's own": ("image: {repository: acme/metrics-store}\n" + RING, None),
    "an umbrella chart around several": (
        "loki: {singleBinary: {}}\ntempo: {}\nmimir-distributed: " + RING.replace("\n", "")
        .replace("mimir: {", "{mimir: {", 1) + "}\n", None,
    ),
    "a chart reference in the same file": (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: x}\n"
        "spec: {url: oci://ghcr.io/grafana/helm-charts/mimir-distributed, ref: {tag: 5.8.0}}\n---\n"
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\nspec:\n"
        "  chartRef: {kind: OCIRepository, name: x}\n  values:\n" + indented(COMPONENTS, 4), None,
    ),
    "Cortex by what only it has": ("config: {blocks_storage: {}, server: {}}\n", None),
    "Cortex by its chart's keys": ("config: {server: {}, memberlist: {}}\nuseConfigMap: true\n", None),
    "Cortex by its image": (
        "image: {repository: quay.io/cortexproject/cortex}\nconfig: {server: {}, memberlist: {}}\n", None,
    ),
    "Cortex by its chart's name": (flux("cortex-helm/cortex", "config: {server: {}}\n"), None),
}  # fmt: skip


@pytest.mark.parametrize("case", OURS)
def test_what_is_the_products_is_edited(case: str) -> None:
    """One thing that says so is enough where nothing certain speaks against it."""
    text, product = OURS[case]

    (made,) = edit([file(text)], make_wanted("dynamodb"), product=product)

    assert made.hunks


def test_a_folder_named_after_the_product_is_a_word_too() -> None:
    """Components alone are Mimir's in a folder of that name, and this program's name is none."""
    assert read([file(COMPONENTS, "apps/mimir/values.yaml")]).product is Product.MIMIR
    with pytest.raises(EditRefusedError):
        read([file(COMPONENTS, "/src/mimir-migrate/values.yaml")])
    with pytest.raises(EditRefusedError, match="path names another product"):
        read([file("metaMonitoring: {}\n" + COMPONENTS, "apps/tempo/values.yaml")])


def test_a_sure_file_settles_what_a_doubtful_one_is() -> None:
    """Files of one release are of one product."""
    made = edit([file(RING, "a.yaml"), file(COMPONENTS, "b.yaml")], make_wanted("dynamodb"))

    assert [each.path for each in made] == ["b.yaml"]


@pytest.mark.parametrize(
    ("version", "old"),
    [
        ("2.0.14", True), ("v2.1.0", True), ("2.x", True), ("2.*", True), ("~2.1", True), ("^2.1.0", True),
        ("<3.0.0", True), (">=2.0.0 <3.0.0", True), ("2.0.0 || 1.x", True), ("1.0 - 2.9", True),
        ("3.0.0", False), ("5.6.0", False), ("5.6.0-weekly.341", False), ("", False), ("*", False),
        (">=2.0.0", False), (">=2.0.0 <6", False), ("2.x || 5.x", False), ("<3.1.0", False), ("1 - 5", False),
        ("{{ .version }}", False),
    ],
)  # fmt: skip
def test_a_chart_without_structured_config_is_told_by_its_version(version: str, old: bool) -> None:
    """Only where every version that the constraint allows is too old."""
    assert ChartName(name="mimir-distributed", version=version).is_before_structured is old
    if version and "{" not in version:
        text = flux("mimir-distributed", RING, version)
        if old:
            with pytest.raises(EditRefusedError, match="before 3") as refused:
                edit([file(text)], make_wanted("dynamodb"))
            assert refused.value.refusal == "config-string"
        else:
            assert edit([file(text)], make_wanted("dynamodb"))


def test_an_old_image_is_pointed_out() -> None:
    """The image's tag hints at a chart that has no structuredConfig."""
    text = "image: {repository: grafana/mimir, tag: 2.0.0}\nmimir:\n  config: |\n    limits: {}\n"

    (made,) = edit([file(text)], make_wanted("dynamodb"))
    (newer,) = edit([file(text.replace("2.0.0", "2.16.1"))], make_wanted("dynamodb"))

    assert "image.tag is 2.0.0" in " ".join(made.notes)
    assert newer.notes == ()


def file(text: str, path: str = "values.yaml") -> SourceFile:
    return SourceFile(path=path, content=dedent(text).encode())


# ---- what wins over the values, and what guards them ------------------------------------------

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: mimir}}
spec:
  source:
    chart: mimir-distributed
    helm:
      {entry}
      valuesObject:
        mimir:
          structuredConfig:
            ruler: {{rule_path: /data}}
"""
WINS = (
    "parameters: [{name: mimir.structuredConfig.ruler.ring.kvstore.store, value: etcd}]",
    "parameters: [{name: mimir.structuredConfig.ruler.ring.kvstore, value: '{}'}]",
    "parameters: [{name: image.tag, value: x}, {name: mimir.structuredConfig.ruler, value: x}]",
    "parameters: [{name: 'mimir.structuredConfig.ruler.ring.kvstore.multi.primary', value: x}]",
    "parameters: [{name: 'ruler.extraArgs.ruler\\.ring\\.store', value: consul}]",
    "fileParameters: [{name: mimir.structuredConfig, path: x.yaml}]",
)


@pytest.mark.parametrize("entry", WINS)
def test_a_parameter_that_wins_is_refused_like_a_flag(entry: str) -> None:
    """Argo CD lays parameters over all values."""
    with pytest.raises(EditRefusedError, match="wins over") as refused:
        edit([file(APPLICATION.format(entry=entry))], make_wanted("dynamodb"))

    assert (refused.value.refusal, refused.value.line) == ("flag-override", 8)


def test_a_parameter_about_something_else_is_nobodys_business() -> None:
    """Another ring, another component and the image may be set there."""
    entry = "parameters: [{name: mimir.structuredConfig.ingester.ring.kvstore.store, value: x}, {name: a}]"

    assert edit([file(APPLICATION.format(entry=entry))], make_wanted("dynamodb"))
    with pytest.raises(EditRefusedError):
        edit([file(APPLICATION.format(entry=entry))], make_wanted("dynamodb", "ingester"))


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nspec:\n  chart: mimir-distributed\n"
        "  set: {mimir.structuredConfig.ruler.ring.kvstore.store: etcd}\n  valuesContent: |\n    "
        + RING,
        "apiVersion: helm.crossplane.io/v1beta1\nkind: Release\nspec:\n  forProvider:\n"
        "    set: [{name: mimir.structuredConfig.ruler.ring.kvstore.store, value: etcd}]\n"
        "    values:\n" + indented(RING, 6),
    ],
    ids=["k3s", "Crossplane"],
)
def test_what_other_manifests_set_wins_too(text: str) -> None:
    """Each in its own words."""
    with pytest.raises(EditRefusedError, match="set sets mimir"):
        edit([file(text)], make_wanted("dynamodb"))


CONFIG_MAP = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: v}\ndata:\n  values.yaml: |\n    " + RING
)
RELEASE = (
    "---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: m}\nspec:\n"
    "  chart: {spec: {chart: mimir-distributed}}\n  valuesFrom:\n"
    "    - {kind: ConfigMap, name: v}\n"
)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("    - {kind: Secret, name: s, targetPath: mimir.structuredConfig.ruler.ring.kvstore.store}\n", "later"),
        ("  values: {mimir: {structuredConfig: {ruler: {ring: {kvstore: {store: etcd}}}}}}\n", "spec.values"),
    ],
)  # fmt: skip
def test_a_release_that_lays_something_over_a_config_map_is_refused(more: str, why: str) -> None:
    """Flux takes the ConfigMap first, later entries next, and the release's own values last."""
    root = 'ConfigMap/v:data."values.yaml"'

    with pytest.raises(EditRefusedError, match=why) as refused:
        edit([file(CONFIG_MAP + RELEASE + more)], make_wanted("dynamodb"), root=root)

    assert refused.value.refusal == "flag-override"


def test_a_config_map_is_edited_with_a_word() -> None:
    """What a release elsewhere lays over it is not seen here."""
    (made,) = edit([file(CONFIG_MAP)], make_wanted("dynamodb"))

    assert "valuesFrom" in made.notes[0]


def test_other_texts_of_a_config_map_are_left_alone() -> None:
    """A script, a dashboard and the product's own configuration are not values."""
    text = CONFIG_MAP.replace(
        "data:\n",
        'data:\n  run.sh: |\n    if [ -z "$a" ]; then: }\n  mimir.yaml: |\n    target: all\n',
    )

    (made,) = edit([file(text)], make_wanted("dynamodb"))

    assert made.hunks[0].start > text.index("values.yaml")


SOPS = (
    "sops:\n  kms: []\n  lastmodified: '2024-01-01T00:00:00Z'\n"
    "  mac: ENC[AES256_GCM,data:x,iv:1,tag:2,type:str]\n"
)


@pytest.mark.parametrize(
    "text",
    [
        RING + SOPS,
        RING + SOPS + "  mac_only_encrypted: false\n",
        RING + SOPS + "  encrypted_regex: ^(password)$\n",
        '{"mimir": {"structuredConfig": {}}, "sops": {"mac": "ENC[x]", "version": "3.9"}}',
        CONFIG_MAP + SOPS,
        CONFIG_MAP.rstrip() + "\n" + indented(SOPS, 4),
    ],
    ids=["plain", "said so", "with a rule", "JSON", "around a ConfigMap", "inside a ConfigMap"],
)
def test_a_file_that_sops_guards_is_not_edited(text: str) -> None:
    """Its checksum covers plain values as well, unless it says otherwise."""
    with pytest.raises(EditRefusedError, match="SOPS") as refused:
        edit([file(text)], make_wanted("dynamodb"))

    assert refused.value.refusal == "encrypted"


def test_a_file_whose_checksum_covers_secrets_only_is_edited_with_a_word() -> None:
    """`mac_only_encrypted` leaves plain values free."""
    (made,) = edit([file(RING + SOPS + "  mac_only_encrypted: true\n")], make_wanted("dynamodb"))
    (other,) = edit([file(RING + "sops: {enabled: true}\n")], make_wanted("dynamodb"))

    assert "SOPS" in made.notes[0]
    assert other.notes == ()


def test_an_encrypted_ring_cannot_be_edited() -> None:
    """What a store is cannot be seen."""
    kvstore = "{ring: {kvstore: {store: 'ENC[AES256_GCM,data:x]'}}}"
    text = (
        f"mimir: {{structuredConfig: {{ruler: {kvstore}}}}}\n"
        + SOPS
        + "  mac_only_encrypted: true\n"
    )

    with pytest.raises(EditRefusedError, match="is encrypted"):
        edit([file(text)], make_wanted("dynamodb"))


@pytest.mark.parametrize("first", ["---\n# nothing\n---\n", "a: 1\n---\n", "---\n---\n"])
def test_values_that_helm_does_not_read_are_not_edited(first: str) -> None:
    """Helm 3 reads the first document only, an empty one included."""
    with pytest.raises(EditRefusedError, match="document 2") as refused:
        edit([file(first + RING)], make_wanted("dynamodb"))

    assert refused.value.refusal == "second-document"


def test_documents_behind_the_values_are_pointed_out() -> None:
    """Helm 4 lays them over the first."""
    (made,) = edit([file(RING + "---\nother: 1\n")], make_wanted("dynamodb"))
    (plain,) = edit([file("---\n" + RING + "---\n# end\n")], make_wanted("dynamodb"))

    assert "helm 4" in made.notes[0]
    assert plain.notes == ()


# ---- naming a place --------------------------------------------------------------------------

TWO = (
    flux("mimir-distributed", RING)
    + "---\n"
    + flux("mimir-distributed", RING).replace("name: x", "name: y")
)
ROOTS: dict[str, tuple[str, str, int]] = {
    "a list's item in brackets": ("spec[0].values", "spec:\n  - values:\n" + indented(RING, 6), 3),
    "a list's item as a word": ("spec.0.values", "spec:\n  - values:\n" + indented(RING, 6), 3),
    "a list of tasks": (
        '[1]."kubernetes.core.helm".values',
        "- name: a\n- kubernetes.core.helm:\n    values:\n" + indented(RING, 6), 4,
    ),
    "a key with dots, quoted": ('"values.prod"', "values.prod:\n" + indented(RING, 2), 2),
    "a key with dots, in other quotes": ("a.'b.c'", "a:\n  b.c:\n" + indented(RING, 4), 3),
    "a key with dots, not quoted": ("values.prod", "values.prod:\n" + indented(RING, 2), 2),
    "inside a text": ('data."values.yaml".x', "data:\n  values.yaml: |\n    x:\n" + indented(RING, 6), 4),
    "inside a text, as a whole": ("data.values", "data:\n  values: |\n" + indented(RING, 4), 3),
    "a Helmfile": (
        "releases[0].values[1]",
        "releases:\n  - name: m\n    chart: grafana/mimir-distributed\n    values:\n      - a.yaml\n"
        "      -\n" + indented(RING, 8), 7,
    ),
    "Crossplane": (
        "spec.forProvider.values",
        "apiVersion: helm.crossplane.io/v1beta1\nkind: Release\nspec:\n  forProvider:\n    values:\n"
        + indented(RING, 6), 6,
    ),
    "a generator of kustomize": (
        "valuesInline",
        "apiVersion: builtin\nkind: HelmChartInflationGenerator\nname: mimir-distributed\nvaluesInline:\n"
        + indented(RING, 2), 5,
    ),
    "a kind that is not known": (
        "spec.a.b", "apiVersion: acme.io/v1\nkind: Stack\nspec:\n  a:\n    b:\n" + indented(RING, 6), 6,
    ),
    "the second document by its name": ("y:spec.values", TWO, 14),
    "the second document by kind and name": ("HelmRelease/y:spec.values", TWO, 14),
    "the second document by its number": ("[1].spec.values", TWO, 14),
    "the first document by its number": ("[0].spec.values", TWO, 7),
}  # fmt: skip


@pytest.mark.parametrize("case", ROOTS)
def test_a_place_can_be_named(case: str) -> None:
    """Lists, keys with dots, texts inside texts, and one document of several."""
    root, text, line = ROOTS[case]

    (made,) = edit([file(text)], make_wanted("dynamodb"), root=root)

    assert text.encode().count(b"\n", 0, made.hunks[0].start) + 1 in {line, line + 1}


@pytest.mark.parametrize(
    ("root", "text"),
    [
        ("spec.values", TWO),
        (
            "a.b",
            "a.b: "
            + RING[:-1].replace("mimir: ", "{mimir: ")
            + "}\na: {b: {mimir: {config: ''}}}\n",
        ),
    ],
    ids=["two documents", "two readings of the dots"],
)
def test_an_ambiguous_place_is_refused(root: str, text: str) -> None:
    """The refusal names each of them, as it can be given."""
    with pytest.raises(EditRefusedError, match="names 2 places") as refused:
        edit([file(text)], make_wanted("dynamodb"), root=root)

    title = refused.value.hint.split("'")[1]
    assert edit([file(text)], make_wanted("dynamodb"), root=title)


def test_two_releases_of_a_file_are_both_named() -> None:
    """Nobody's word, no choice."""
    with pytest.raises(EditRefusedError, match=r"HelmRelease/x:\S+ and HelmRelease/y"):
        edit([file(TWO)], make_wanted("dynamodb"))


def test_the_evidence_counts_for_a_named_place_too() -> None:
    """A chart that the task names is still the chart."""
    text = "- kubernetes.core.helm:\n    chart_ref: grafana/loki\n    values:\n" + indented(
        RING, 6
    )

    with pytest.raises(EditRefusedError, match="chart loki"):
        edit([file(text)], make_wanted("dynamodb"), root='[0]."kubernetes.core.helm".values')


@pytest.mark.parametrize("root", ["a[", "[x]", "a..b", '"a', "a[0", "nothing.here", "[7].spec"])
def test_a_place_that_cannot_be_read_or_is_not_there_is_an_error_of_two_lines(root: str) -> None:
    """Never a traceback."""
    found: dict[str, Any] = {}
    with pytest.raises(Exception, match=r".+") as refused:
        edit([file(TWO)], make_wanted("dynamodb"), root=root)
    found["hint"] = getattr(refused.value, "hint", "")

    assert found["hint"]


@pytest.mark.parametrize(
    "text",
    [
        "- name: a\n- kubernetes.core.helm:\n    values:\n" + indented(RING, 6),
        "releases:\n  - name: m\n    values:\n      -\n" + indented(RING, 8),
        "apiVersion: acme.io/v1\nkind: Stack\nspec:\n  a.b:\n" + indented(RING, 4),
    ],
    ids=["tasks", "Helmfile", "another kind"],
)
def test_the_refusal_names_a_place_that_can_be_given(text: str) -> None:
    """Where values are seen that nobody vouches for, the hint has the words to do so."""
    with pytest.raises(EditRefusedError) as refused:
        edit([file(text)], make_wanted("dynamodb"))

    root = refused.value.hint.split("'")[1]
    assert edit([file(text)], make_wanted("dynamodb"), root=root)


PART = "  rollout_operator: {enabled: true}\n  ingester: {replicas: 3}\n"
SWITCH = "mimir:\n  enabled: true\n"


@pytest.mark.parametrize(
    ("text", "under"),
    [
        (SWITCH, ("mimir",)),
        (SWITCH + "loki: {enabled: true}\ntempo: {enabled: true}\n", ("mimir",)),
        (SWITCH + "  ruler: {replicas: 1}\nloki: {structuredConfig: {}}\n", ("mimir",)),
        ("metrics:\n" + PART, ("metrics",)),
        ("metrics:\n" + PART + "loki:\n  rollout_operator: {}\n  ingester: {}\n", ("metrics",)),
        (SWITCH + "ingester: {replicas: 3}\nstore_gateway: {}\n", ()),
        ("mimir:\n  config: 'a: b'\n  enabled: true\n", ()),
        ("metrics:\n" + PART + "store_gateway: {}\n", ()),
        (argo("chart: lgtm-distributed", SWITCH + "loki: {enabled: true}\n"), ("mimir",)),
    ],
)
def test_a_part_of_an_umbrella_chart_is_not_its_top(text: str, under: tuple[str, ...]) -> None:
    """At the top, where the umbrella chart has no such settings, the edit would have no effect."""
    before = ValuesFiles([file(text)], product=Product.MIMIR)

    after = before.after(before.edit(make_wanted("dynamodb")))

    found = after.view.root
    assert tuple(key for key in found if key in {"mimir", "metrics"}) == under
    assert after.structured[0]["ruler"]["ring"]["kvstore"]["store"] == "dynamodb"


def test_an_image_of_cortex_says_cortex() -> None:
    """With any setting under `config`, and no word of anybody."""
    text = (
        "image: {repository: quay.io/cortexproject/cortex}\nconfig: {ruler: {enable_api: true}}\n"
    )

    assert read([file(text)]).product is Product.CORTEX


@pytest.mark.parametrize(
    "written",
    ['"mimir:\\n  structuredConfig: {}\\n"', ">\n    mimir:\n\n      structuredConfig: {}\n"],
)
def test_the_key_of_a_text_is_named_whole(written: str) -> None:
    """Dots belong to it."""
    text = (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m}}\ndata:\n  values.yaml: {written}"
    )

    with pytest.raises(EditRefusedError) as refused:
        read([file(text)])

    assert "`values.yaml: |`" in refused.value.hint


UMBRELLA = "mimir-distributed:\n  mimir: {structuredConfig: {limits: {}}}\n"


@pytest.mark.parametrize(
    ("texts", "edited"),
    [
        ((UMBRELLA, "grafana: {enabled: true}\n"), 0),
        ((UMBRELLA, "global: {clusterDomain: x}\n", ""), 0),
        (("grafana: {enabled: true}\n", UMBRELLA), 1),
        ((UMBRELLA, "mimir-distributed: {ingester: {replicas: 3}}\n"), 1),
        (
            (
                UMBRELLA.replace("mimir-distributed", "metrics"),
                "metrics: {ingester: {replicas: 3}}\n",
            ),
            1,
        ),
        ((UMBRELLA, "mimir-distributed:\n"), 1),
    ],
)
def test_the_files_of_an_umbrella_chart_are_edited_at_its_part_only(
    texts: tuple[str, ...], edited: int
) -> None:
    """In the last file that has it: what stands at the top of another one is not Mimir's."""
    before = ValuesFiles([file(text, f"{number}.yaml") for number, text in enumerate(texts)])

    (made,) = before.edit(make_wanted("dynamodb"))

    assert made.path == f"{edited}.yaml"
    after = before.after([made])
    assert after.structured[0]["ruler"]["ring"]["kvstore"]["store"] == "dynamodb"
    assert set(after.loaded[edited].root.root) & {"mimir-distributed", "metrics"}


@pytest.mark.parametrize("product", [None, Product.MIMIR])
def test_files_that_have_the_values_at_different_places_are_refused(
    product: Product | None,
) -> None:
    """No release has both."""
    for texts in (
        (UMBRELLA, RING),
        (RING, UMBRELLA),
        (UMBRELLA, UMBRELLA.replace("mimir-", "b-")),
    ):
        with pytest.raises(EditRefusedError, match="not of one release"):
            read([file(text, f"{n}.yaml") for n, text in enumerate(texts)], product=product)
