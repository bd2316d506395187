"""The three views of an edit as they are called: text, paths, and what the values render to."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from mimir_migrate.cli import run

VALUES = """\
# a comment of somebody's
mimir:
  structuredConfig:
    ruler:
      rule_path: /data
      alertmanager_client:
        basic_auth_password: hunter2-Tr0ub4dor
runtimeConfig:
  overrides: {}
"""
HELM = """\
#!{python}
import json, sys
import yaml

words = sys.argv[1:]
assert words[0] == "template", words
assert words[words.index("--version") + 1] == "5.8.0", words
chart = {{}}
for file in [words[i + 1] for i, word in enumerate(words) if word == "-f"]:
    chart |= yaml.safe_load(open(file).read())
data = {{
    "mimir.yaml": yaml.safe_dump(chart["mimir"]["structuredConfig"]),
    "runtime.yaml": yaml.safe_dump(chart["runtimeConfig"]),
}}
print(json.dumps({{"kind": "ConfigMap", "metadata": {{"name": "config"}}, "data": data}}))
"""
EDIT = [
    *("--to", "memberlist+dynamodb", "--rings", "ruler", "--table", "rings"),
    *("--region", "eu-west-1", "--runtime-primary", "memberlist"),
]


@pytest.fixture
def values(tmp_path: Path) -> str:
    path = tmp_path / "values.yaml"
    path.write_text(VALUES)
    return str(path)


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that renders both configurations."""
    program = tmp_path / "bin" / "helm"
    program.parent.mkdir()
    program.write_text(HELM.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


def test_text_and_paths(values: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The diff of the file, and the same by setting; the file stays as it is."""
    assert run(["edit", values, *EDIT, "--diff"]) == 0
    diff = capsys.readouterr().out
    assert run(["edit", values, *EDIT, "--paths"]) == 0
    paths = capsys.readouterr().out

    assert "+          store: multi\n" in diff
    assert "mimir.structuredConfig.ruler.ring.kvstore.store: absent -> multi\n" in paths
    assert Path(values).read_text() == VALUES


def test_helm_renders_the_configuration_before_and_after(
    values: str, helm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both configurations, without a cluster; secrets beside the change are taken out."""
    words = ["--rendered", "--chart", "grafana/mimir-distributed", "--chart-version", "5.8.0"]

    assert run(["edit", values, *EDIT, *words]) == 0

    diff = capsys.readouterr().out
    assert "+++ ConfigMap/config: mimir.yaml\n" in diff
    assert "+      store: multi\n" in diff
    assert "+++ ConfigMap/config: runtime.yaml\n" in diff
    assert "+  primary: memberlist\n" in diff
    assert "a comment" not in diff
    assert "hunter2" not in diff


def test_a_command_of_the_target_renders_as_well(
    values: str, helm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`[deploy] template`, where helm is not what deploys; the JSON document holds all three views."""
    target = tmp_path / "target.toml"
    target.write_text(
        '[deploy]\nmethod = "command"\n'
        f"template = '{helm} template --version 5.8.0 -f \"$VALUES\"'\n"
    )

    assert run(["edit", values, *EDIT, "--rendered", "--target", str(target), "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert "+      store: multi\n" in document["rendered"]
    assert document["paths"]
    assert document["diff"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--chart"),
        (["--chart", "grafana/mimir-distributed"], "--chart-version"),
        (["--chart", "grafana/mimir-distributed", "--chart-version", "5.8.0"], "Install helm"),
    ],
)
def test_what_is_missing_to_render_is_told(
    values: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: str,
) -> None:
    """No chart, no version, no helm: each with what to do."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert run(["edit", values, *EDIT, "--rendered", *words]) == 2

    captured = capsys.readouterr()
    assert captured.out == ""
    assert told in captured.err


def test_a_target_that_cannot_render_is_told(
    values: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that deploys need not render."""
    target = tmp_path / "target.toml"
    target.write_text('[deploy]\nmethod = "command"\ncommand = "true"\nchart = "a/b"\n')

    assert run(["edit", values, *EDIT, "--rendered", "--target", str(target)]) == 2

    assert "[deploy] template" in capsys.readouterr().err
