"""Values mean what Helm says they mean: held to what Helm's own code made of hundreds of texts.

`tests/fixtures/helm-values.json` has what the PyPI package `helm-python-sdk`, which is Helm's own code,
made of every text of `helm_texts`. Where the package is installed (the extra `real`) it is asked again,
and `MIMIR_MIGRATE_WRITE=1` writes the record again.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helm_texts import OVERRIDES, texts
from wishes import read

from mimir_migrate.documents.values.files import SourceFile
from mimir_migrate.documents.values.ring_blocks import merged
from mimir_migrate.documents.yaml.meaning import differing_paths, meaning, read_values
from mimir_migrate.documents.yaml.positions import YamlError
from mimir_migrate.errors import DocumentError
from mimir_migrate.plans.files.edited import edited_paths
from mimir_migrate.sandbox.charts.values import load_values

RECORD = Path(__file__).parents[2] / "fixtures" / "helm-values.json"
ERROR = "error"
"""What stands for a text that Helm does not read."""


def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORD.read_text())
    return found


def ours(text: str) -> Any:
    try:
        return read_values(text.encode())
    except YamlError:
        return ERROR


def comparable(value: Any) -> Any:
    """Data with its kinds told apart; numbers as the record has them, which went through JSON."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return (type(value).__name__, value)
    if isinstance(value, int | float):
        return ("number", float(value))
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return {key: comparable(item) for key, item in value.items()}


def test_every_recorded_text_means_what_helm_made_of_it() -> None:
    """Scalars, keys, merges, anchors, documents and errors, each as Helm's own code has it."""
    record = recorded()["texts"]

    wrong = {
        text: (ours(text), found)
        for text, found in record.items()
        if comparable(ours(text)) != comparable(found)
    }

    assert list(record) == list(texts())
    # YAML of a mapping whose key is a mapping; here it is a template, which is deployed rendered.
    assert list(wrong) == ["a: {{ b }}\n"]
    assert sum(found != ERROR for found in record.values()) > 300


@pytest.fixture(scope="module")
def helm() -> Any:
    """Helm's own code; the test is skipped where it is not installed."""
    if importlib.util.find_spec("helm_python") is None:
        pytest.skip("helm-python-sdk is not installed (the extra `real`)")
    import helm_python

    return helm_python


def test_helm_itself_still_says_what_is_recorded(helm: Any, tmp_path: Path) -> None:
    """The record is what the installed Helm answers, of the files and of values over a chart's own."""
    found = {
        "texts": {text: asked(lambda text=text: helm.values_from_yaml(text)) for text in texts()},
        "overrides": [laid_over(helm, tmp_path, own, over) for own, over in OVERRIDES],
    }
    if os.environ.get("MIMIR_MIGRATE_WRITE"):
        RECORD.write_text(json.dumps(found, indent=0, sort_keys=False) + "\n")

    assert recorded() == found


def asked(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except Exception:  # noqa: BLE001
        return ERROR


def laid_over(helm: Any, folder: Path, own: Any, over: Any) -> Any:
    chart = folder / "chart"
    chart.mkdir(exist_ok=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: chart\nversion: 1.0.0\n")
    (chart / "values.yaml").write_text(json.dumps(own))
    with helm.Chart.load(chart) as loaded:
        return loaded.merge_values(over)


def test_a_null_takes_away_and_an_empty_block_does_not() -> None:
    """What Helm makes of values over a chart's own says which differences matter."""
    for (own, over), result in zip(OVERRIDES, recorded()["overrides"], strict=True):
        nothing = recorded()["overrides"][0] if own == OVERRIDES[0][0] else own
        differs = bool(tuple(differing_paths({}, over)))

        assert differs or result == nothing

    assert tuple(differing_paths({}, {"a": None})) == ("a",)
    assert tuple(differing_paths({}, {"a": {}})) == ()
    assert merged({"a": {"x": 1}}, {"a": None}) == {"a": None}


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ("flag: yes", 'flag: "yes"', ("flag",)),
        ("a: 0", "a: false", ("a",)),
        ("a: 1", "a: true", ("a",)),
        ("a: 010", "a: 10", ("a",)),
        ("a: 010", "a: 8", ()),
        ("a: 0o10", "a: 8", ()),
        ("a: yes", "a: true", ()),
        ("a: 1.0", "a: 1", ()),
        ("a: 1_000", "a: 1000", ()),
        ("a: 1", 'a: "1"', ("a",)),
        ("m: {1: a, 2: b}", "m: {1: a, 2: c}", ("m.2",)),
        ("m: {1: a}", 'm: {"1": a}', ()),
        ("m: {yes: a}", "m: {true: a}", ()),
        ("a: ~", "b: 1\na:", ("b",)),
        ("a: ~", "{}", ("a",)),
        ("a: {}", "{}", ()),
        ("a: 2001-01-01", "a: '2001-01-01'", ()),
        ("l: [1, 2]", "l: [1, true]", ("l",)),
        ("a: 9007199254740993", "a: 9007199254740992", ("a",)),
        ("a: 1\na: 2", "a: 2", ()),
        ("a: 1\na: 2", "a: 1", ("a",)),
        ("x: &x {b: 1}\nd: {b: 3, <<: *x}", "x: {b: 1}\nd: {b: 1}", ()),
        ("x: &x {b: 1}\nd: {b: 3, <<: *x}", "x: {b: 1}\nd: {b: 3}", ("d.b",)),
        ("a: 1\n---\nb: 1", "a: 1\n---\nb: 2", ("b",)),
        ("a: 1", "a: 1\n---\nb: 2", ("the whole file",)),
        ("{{- if .x }}\na: 1\n{{- end }}\nb: 2", "{{- if .x }}\na: 1\nb: 2\n{{- end }}",
         ("a template directive",)),
        ("a: 1\n{{- if .x }}\nb: 2\n{{- end }}", "# ours\na: 1\n{{- if .x }}\nb:  2\n{{- end }}", ()),
        ('a: "x\\n{{ .y }}"', "a: 'x\\n{{ .y }}'", ("a",)),
        ("a: [", "a: 1", None),
        ("a: .nan", "a: 1", None),
        ("~: 1", "a: 1", None),
        ("a: 0x_", "a: '0x_'", ()),
    ],
)  # fmt: skip
def test_a_change_of_meaning_is_one_to_helm(
    before: str, after: str, paths: tuple[str, ...] | None
) -> None:
    """Types are kept apart, and two spellings of one value are not a change."""
    assert edited_paths(before.encode(), after.encode()) == paths


def test_numbers_of_any_length_are_read() -> None:
    """Five thousand digits are text to Helm, as `0x_` is."""
    text = (
        f"mimir:\n  structuredConfig:\n    a: {'9' * 5000}\n    b: 0x_\n    c: -0x{'f' * 5000}\n"
    )

    assert read_values(text.encode())["mimir"]["structuredConfig"] == {
        "a": "9" * 5000, "b": "0x_", "c": "-0x" + "f" * 5000,
    }  # fmt: skip
    assert read([SourceFile(path="values.yaml", content=text.encode())]).rings["ruler"] is None


def test_the_sandbox_reads_values_by_the_same_rules() -> None:
    """Its charts see what Helm's would, and what Helm refuses has a place."""
    assert load_values(b"a: yes\nb: 010\n---\nc: 1\n", "v") == {"a": True, "b": 8}
    with pytest.raises(DocumentError, match="v:2:4"):
        load_values(b"a: 1\nb: .nan\n", "v")


def test_a_text_with_a_mark_in_front_means_the_same() -> None:
    """A byte order mark is not part of the first key."""
    assert meaning(b"\xef\xbb\xbfa: 1") == meaning(b"a: 1")
