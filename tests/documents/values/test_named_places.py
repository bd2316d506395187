"""A place that somebody names is edited only where it can be the chart's values; what else it is, is said."""

from __future__ import annotations

import pytest
from wishes import edit, make_wanted

from mimir_migrate.documents import edits
from mimir_migrate.documents.values.files import SourceFile
from mimir_migrate.errors import EditRefusedError
from mimir_migrate.model.rings import Product

COMPOSE = """\
name: metrics
services:
  mimir:
    image: acme/mimir:2.14
    command: [-config.file=/etc/mimir.yaml]
  store_gateway: {build: .}
  query_frontend: {image: acme/mimir}
x-common: {restart: always}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: mimir}
spec:
  replicas: 1
  template:
    spec:
      containers: [{name: mimir, image: acme/mimir, config: {server: {}}}]
"""
LIST = "apiVersion: v1\nkind: List\nitems:\n- " + DEPLOYMENT.replace("\n", "\n  ").rstrip() + "\n"
OWN = "mimir:\n  structuredConfig:\n    ruler: {rule_path: /data}\n"
SAYS_COMPOSE = r"this is a Docker Compose file"
SAYS_DEPLOYMENT = r"this is a Kubernetes manifest of kind Deployment"

STRANGERS = {
    "a Compose file": (COMPOSE, "services", SAYS_COMPOSE),
    "a service of a Compose file": (COMPOSE, "services.mimir", SAYS_COMPOSE),
    "a Compose file's own extension": (COMPOSE, "x-common", SAYS_COMPOSE),
    "a Deployment": (DEPLOYMENT, "spec", SAYS_DEPLOYMENT),
    "a container of a Deployment": (DEPLOYMENT, "spec.template.spec.containers[0]", SAYS_DEPLOYMENT),
    "a Deployment in a list of objects": (LIST, "items[0].spec.template.spec", SAYS_DEPLOYMENT),
    "a policy": (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nspec: {podSelector: {}}\n", "spec",
        "manifest of kind NetworkPolicy",
    ),
    "the chart's own block": (OWN, "mimir", "begin one key above"),
}  # fmt: skip
DOUBTFUL = {
    "a key of something else": ("acme: {replicas: 3}\n" + OWN, "acme"),
    "another subchart of an umbrella chart": (
        "grafana: {ingress: {enabled: true}, image: {tag: '11'}}\nmimir-distributed:\n  image: {tag: r1}\n",
        "grafana",
    ),
    "a resource of somebody's own kind": (
        "apiVersion: acme.io/v1\nkind: Stack\nspec: {size: 3}\n", "spec",
    ),
    "a settings file in a ConfigMap": (
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  app.yaml: |\n    debug: true\n", 'data."app.yaml"',
    ),
    "the product's own configuration": ("conf:\n  limits: {}\n  server: {}\n", "conf"),
}  # fmt: skip
TAKEN = {
    "a subchart with an image only": ("mimir-distributed: {image: {tag: r1}}\n", "mimir-distributed"),
    "a subchart with a key that nobody knows": ("mimir_distributed: {acme: 1}\n", "mimir_distributed"),
    "a part of another name with a component": ("obs: {ruler: {replicas: 3}}\n", "obs"),
    "a part that is only switched on": ("obs: {enabled: true}\n", "obs"),
    "a part that is empty": ("obs:\n", "obs"),
    "a part with an empty mapping": ("obs: {}\n", "obs"),
    "a part that is named for what it is": ("lgtm-metrics: {image: {tag: r1}}\n", "lgtm-metrics"),
    "a HelmRelease that does not tell its chart": (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  values: {acme: 1}\n", "spec.values",
    ),
    "values in a ConfigMap": (
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  values.yaml: |\n    ruler: {replicas: 3}\n",
        'data."values.yaml"',
    ),
}  # fmt: skip


def file(text: str, path: str = "values.yaml") -> SourceFile:
    return SourceFile(path=path, content=text.encode())


@pytest.mark.parametrize("product", [None, *Product])
@pytest.mark.parametrize("case", STRANGERS)
def test_what_is_obviously_something_else_is_named_and_not_edited(
    case: str, product: Product | None
) -> None:
    """Nobody's word makes a Compose service or a pod's specification the chart's values."""
    text, root, said = STRANGERS[case]

    with pytest.raises(EditRefusedError, match=said) as refused:
        edit([file(text)], make_wanted("dynamodb"), root=root, product=product)

    assert refused.value.refusal == "no-chart-values"
    assert "--product" not in refused.value.hint


@pytest.mark.parametrize("case", DOUBTFUL)
def test_a_place_without_a_key_of_the_chart_takes_somebodys_word(case: str) -> None:
    """The refusal asks first whether it is the right file; `--product` says that it is."""
    text, root = DOUBTFUL[case]

    with pytest.raises(EditRefusedError, match="does not look like") as refused:
        edit([file(text)], make_wanted("dynamodb"), root=root)

    assert refused.value.refusal == "no-chart-values"
    assert refused.value.hint.startswith("is it the right file?")
    assert "--product mimir" in refused.value.hint
    assert edit([file(text)], make_wanted("dynamodb"), root=root, product=Product.MIMIR)


@pytest.mark.parametrize("case", TAKEN)
def test_a_place_that_can_be_the_charts_is_edited(case: str) -> None:
    """It is empty, named as the chart is, made for values, or has a key of the chart."""
    text, root = TAKEN[case]

    (made,) = edit([file(text)], make_wanted("dynamodb"), root=root)

    assert b"structuredConfig" in edits.apply(made, text.encode())


def test_one_file_with_the_charts_values_vouches_for_the_others() -> None:
    """What a second file of the release overrides there may be anything."""
    base = file("obs:\n  mimir: {structuredConfig: {}}\n", "base.yaml")
    over = file("obs: {acme: 1}\n", "over.yaml")

    (made,) = edit([base, over], make_wanted("dynamodb"), root="obs")

    assert made.path in {"base.yaml", "over.yaml"}
    with pytest.raises(EditRefusedError, match="Compose"):
        edit(
            [base, file("services: {obs: {image: x}}\n")], make_wanted("dynamodb"), root="services"
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (COMPOSE, SAYS_COMPOSE),
        (DEPLOYMENT, SAYS_DEPLOYMENT),
        ("apiVersion: v2\nname: x\nversion: 1.0.0\n", "Chart.yaml"),
        ("- a\n- b\n", "this is a list"),
        ("hello there\n", "this is a text"),
        ("", "the file is empty"),
        ("# nothing yet\n", "the file is empty"),
        ("loki: {auth_enabled: false}\n", "were found"),
    ],
    ids=["compose", "manifest", "chart", "list", "text", "empty", "comments", "values"],
)
def test_the_refusal_says_what_the_file_is_and_asks_whether_it_is_the_right_one(
    text: str, said: str
) -> None:
    """Nobody is led to name some key of a file that holds no values."""
    with pytest.raises(EditRefusedError, match=said) as refused:
        edit([file(text)], make_wanted("dynamodb"))

    assert refused.value.hint.startswith("is it the right file?")


def test_a_compose_file_is_not_taken_for_values_by_the_products_name() -> None:
    """`--product` says whose values a file holds, not that a file of something else holds any."""
    with pytest.raises(EditRefusedError, match=SAYS_COMPOSE):
        edit([file(COMPOSE)], make_wanted("dynamodb"), product=Product.MIMIR)


WORKFLOWS = {
    "GitHub": "name: CI\non: {push: {branches: [main]}}\njobs:\n  build: {runs-on: x, steps: []}\n",
    "GitHub without a name": "on: push\njobs: {build: {runs-on: x}}\n",
    "GitLab": "stages: [build]\nvariables: {A: b}\nbuild-mimir: {stage: build, script: [make]}\n",
    "Azure": "trigger: [main]\npool: {vmImage: x}\njobs: [{job: build, steps: []}]\n",
    "Azure with stages": "trigger: [main]\nstages: [{stage: build, jobs: []}]\n",
}


@pytest.mark.parametrize("case", WORKFLOWS)
@pytest.mark.parametrize("product", [None, Product.MIMIR], ids=["found", "said"])
def test_a_ci_workflow_is_not_taken_for_values(case: str, product: Product | None) -> None:
    """Neither by what is in it nor by the product's name."""
    with pytest.raises(EditRefusedError, match="this is a CI workflow") as refused:
        edit([file(WORKFLOWS[case])], make_wanted("dynamodb"), product=product)

    assert "--product" not in refused.value.hint


@pytest.mark.parametrize(
    "keys",
    ["name: x\njobs: {a: 1}\nmimir-distributed:\n", "on: true\nstages: [a]\nmimir-distributed:\n"],
)
def test_an_umbrella_chart_with_keys_of_a_workflow_is_none(keys: str) -> None:
    """`name`, `jobs` and `stages` are keys that any chart may have."""
    inside = OWN.replace("\n", "\n  ").rstrip()

    assert edit([file(f"{keys}  {inside}\n")], make_wanted("dynamodb"))


def test_values_with_services_of_their_own_are_no_compose_file() -> None:
    """`services` is a key that any chart may have."""
    text = "services: {web: {image: x}}\n" + OWN

    assert edit([file(text)], make_wanted("dynamodb"))


def test_a_name_that_leads_nowhere_is_answered_with_what_is_there() -> None:
    """Whoever has just given `--values-root` is not told to give it."""
    with pytest.raises(
        EditRefusedError, match="nothing at foo; at the top it has bar, mimir"
    ) as r:
        edit([file("bar: 1\n" + OWN)], make_wanted("dynamodb"), root="foo")

    assert r.value.hint.startswith("is it the right file?")
