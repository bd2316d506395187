"""The real chart, rendered by Helm's own code, as a sandbox deploys it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mimir_migrate.errors import CommandError, UsageError
from mimir_migrate.sandbox.charts import helm
from mimir_migrate.sandbox.charts.helm import chart_facts, render_with_helm

CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-config}
data: {mimir.yaml: {{ .Values.mimir | toYaml | quote }}}
"""
HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: smoke-test, annotations: {helm.sh/hook: test}}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: it}
"""


@pytest.fixture
def chart(tmp_path: Path) -> str:
    """A small chart with what a real one has besides workloads."""
    folder = tmp_path / "mimir-distributed"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(
        "apiVersion: v2\nname: mimir-distributed\nversion: 5.8.0\nappVersion: r341\n"
    )
    (folder / "templates" / "config.yaml").write_text(CONFIG)
    (folder / "templates" / "more.yaml").write_text(HOOK)
    (folder / "templates" / "NOTES.txt").write_text("Thanks: for installing\n  it\n")
    return str(folder)


def test_what_the_cluster_has_is_rendered_and_the_rest_is_named(chart: str) -> None:
    """Hooks, monitors and notes are no objects of a sandbox."""
    pytest.importorskip("helm_python")
    found = render_with_helm(
        chart, {"mimir": {"a": 1}}, name="m", namespace="ns", kinds={"ConfigMap": ""}
    )
    (one,) = found.manifests
    assert one["metadata"] == {"name": "m-config", "namespace": "ns"}
    assert one["data"] == {"mimir.yaml": "a: 1"}
    assert found.left_out == ("ConfigMap smoke-test", "ServiceMonitor it")


def test_a_chart_that_helm_refuses_is_said_with_helms_words(chart: str) -> None:
    """Not a traceback of the library."""
    pytest.importorskip("helm_python")
    (Path(chart) / "templates" / "bad.yaml").write_text('{{ fail "no bucket" }}')
    with pytest.raises(CommandError, match="no bucket"):
        render_with_helm(chart, {}, name="m", namespace="ns", kinds={})


def test_a_chart_is_named_by_its_own_words(chart: str) -> None:
    """And by what renders it."""
    pytest.importorskip("helm_python")
    facts = chart_facts(chart)
    assert (facts.name, facts.version, facts.app_version) == ("mimir-distributed", "5.8.0", "r341")
    assert facts.by == "helm-python-sdk"


def test_without_a_chart_or_without_helm_it_says_what_is_missing(
    chart: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is started."""
    with pytest.raises(UsageError, match="cannot be read"):
        chart_facts(str(tmp_path / "nowhere"))
    monkeypatch.setitem(__import__("sys").modules, "helm_python", None)
    monkeypatch.setattr(helm.shutil, "which", lambda _name: None)
    with pytest.raises(UsageError, match="rendered by Helm itself"):
        helm._renderer()
