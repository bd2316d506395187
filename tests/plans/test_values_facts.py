"""What values files say of the keys in them, and what an edit changes in what they render to."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from mimir_migrate.documents.values import files as values
from mimir_migrate.documents.values.files import SourceFile
from mimir_migrate.model.rings import Product
from mimir_migrate.plans.files.rendered import configuration_diff, configuration_texts
from mimir_migrate.plans.values_facts import values_facts
from mimir_migrate.sandbox.simulation.defaults import default_values

KNOWS = {"multitenancy_enabled": True, "querier": {"timeout": "2m"}, "limits": {"rate": 1}}
OLDER = {"multitenancy_enabled": True, "querier": {"size": 1}, "limits": {"rate": 1}}
TEXT = "mimir:\n  structuredConfig:\n    querier:\n      timeout: 1m\n      colour: red\n"
FILE = SourceFile(path="values.yaml", content=TEXT.encode())


def facts(file: SourceFile = FILE, **fields: Any) -> Any:
    return values_facts(
        values.ValuesFiles((file,), product=Product.MIMIR),
        release=None,
        **fields,
    )


def test_keys_that_any_running_binary_does_not_know_are_told() -> None:
    """Each once, with its place; during an upgrade the older binary counts as well."""
    found = facts(binaries={"new": KNOWS, "old": OLDER})

    assert [(key.dotted, key.place) for key in found.unknown_keys] == [
        ("querier.colour", ("values.yaml", 5, 7)),
        ("querier.timeout", ("values.yaml", 4, 7)),
    ]
    assert found.unchecked == ()


def test_an_image_that_did_not_answer_is_unchecked() -> None:
    """What the others know says nothing of it."""
    found = facts(binaries={"new": KNOWS, "silent": None})

    assert found.unchecked == ("silent",)
    assert [key.dotted for key in found.unknown_keys] == ["querier.colour"]


def test_a_template_is_checked_as_it_is_deployed() -> None:
    """The keys are those of the rendering, the places those of the template."""
    found = facts(
        rendered=TEXT.replace("timeout: 1m", "size: 3").encode(),
        binaries={"new": KNOWS},
    )

    assert [(key.dotted, key.place) for key in found.unknown_keys] == [
        ("querier.size", None),
        ("querier.colour", ("values.yaml", 5, 7)),
    ]


def test_what_the_chart_renders_is_checked_as_well() -> None:
    """A template of the user's own in `mimir.config` can set keys that no values file shows."""
    rendered = "querier:\n  timeout: 1m\n  colour: red\nquery_frontend: {}\n"
    found = facts(
        manifests=(
            manifest("ConfigMap", "mimir.yaml", rendered),
            manifest("ConfigMap", "runtime.yaml", "overrides: {}\nlimits: {}\n"),
        ),
        binaries={"new": KNOWS},
    )

    assert [(key.document, key.dotted, key.place) for key in found.unknown_keys] == [
        ("config", "querier.colour", ("values.yaml", 5, 7)),
        ("config", "query_frontend", None),
        ("runtime", "limits", None),
    ]


@pytest.mark.parametrize("product", Product)
def test_the_simulated_binaries_know_what_the_examples_set(product: Product, root: Path) -> None:
    """A sandbox that blocks its own values would help nobody."""
    name = "values.yaml" if product is Product.MIMIR else "values-cortex.yaml"
    file = SourceFile(path=name, content=(root / "examples" / name).read_bytes())
    page: dict[str, Any] = {}
    for path, value in default_values(product, "", frozenset({"dynamodb"})).items():
        at = page
        for key in path[:-1]:
            at = at.setdefault(key, {})
        at[path[-1]] = value

    found = values_facts(
        values.ValuesFiles((file,), product=product),
        release=None,
        binaries={"simulated": page},
    )

    assert found.unknown_keys == ()


def manifest(kind: str, key: str, text: str, *, field: str = "data") -> dict[str, object]:
    encoded = kind == "Secret" and field == "data"
    content = base64.b64encode(text.encode()).decode() if encoded else text
    return {"kind": kind, "metadata": {"name": "mimir-config"}, field: {key: content}}


@pytest.mark.parametrize(
    ("kind", "field"), [("ConfigMap", "data"), ("Secret", "data"), ("Secret", "stringData")]
)
def test_the_rendered_configuration_is_compared_as_text(kind: str, field: str) -> None:
    """Wherever a chart keeps it, encoded or not."""
    before = (manifest(kind, "mimir.yaml", "a: 1\nb: 2\n", field=field),)
    after = (manifest(kind, "mimir.yaml", "a: 1\nb: 3", field=field),)

    lines = configuration_diff(before, after).splitlines()

    assert lines[0] == f"--- {kind}/mimir-config: mimir.yaml"
    assert lines[-3:] == [" a: 1", "-b: 2", "+b: 3"]
    assert configuration_diff(before, before) == ""


def test_only_configuration_is_compared() -> None:
    """Dashboards, rules and Secrets of something else are none of it."""
    others = (
        manifest("ConfigMap", "dashboard.json", "{}"),
        manifest("Secret", "password", "x"),
        {"kind": "Deployment", "metadata": {"name": "x"}, "data": {"mimir.yaml": "a: 1"}},
    )

    assert configuration_texts(others) == {}
