"""`edit --check` as it is called: which keys it lists, against what, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mimir_migrate.cli import run

WRONG = """\
mimir:
  structuredConfig:
    query_frontend:
      results_cache:
        backend: memcached
    querier:
      max_concurrent: 4
      metadata_cache:
        backend: memcached
    ruler:
      ring:
        kvstore:
          store: dynamodb
          memberlist: {}
runtimeConfig:
  overrides:
    a-tenant:
      ingestion_rate: 1
      ingestion_rates: 2
"""
MORE = """\
mimir:
  structuredConfig:
    limits:
      max_concurrent: 8
    querier:
      max_concurrent: 16
"""


@pytest.fixture
def values(tmp_path: Path) -> Path:
    path = tmp_path / "values.yaml"
    path.write_text(WRONG)
    return path


def test_every_wrong_key_is_listed_with_its_place_and_what_to_write(
    values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order of the file, runtime configuration after the structured one; exit 3."""
    assert run(["edit", str(values), "--check", "--product-version", "2.17.1"]) == 3

    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    told = [line.removeprefix(f"{values}:").split(": ")[:2] for line in lines[::2]]
    assert told == [
        ["3:5", "query_frontend"],
        ["8:7", "querier.metadata_cache"],
        ["14:11", "ruler.ring.kvstore.memberlist"],
        ["19:7", "overrides.a-tenant.ingestion_rates"],
    ]
    instead = [line.strip() for line in lines[1::2]]
    assert all(line.startswith("-> ") for line in instead)
    assert "`frontend`" in instead[0]
    assert "overrides.a-tenant.ingestion_rate`" in instead[3]
    assert "Mimir 2.17" in captured.err


def test_files_are_checked_as_they_are_deployed_together(
    values: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys of every file count, each with the file that sets it."""
    more = tmp_path / "more.yaml"
    more.write_text(MORE)

    assert run(["edit", str(values), str(more), "--check", "--json"]) == 3

    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "mimir-migrate/1"
    places = {".".join(one["path"]): one["place"][0] for one in document["unknown"]}
    assert places["limits.max_concurrent"] == str(more)
    assert places["querier.metadata_cache"] == str(values)
    assert "querier.max_concurrent" not in places


def test_nothing_wrong_ends_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No key on stdout, and against what it was checked on stderr."""
    path = tmp_path / "values.yaml"
    path.write_text("mimir:\n  structuredConfig:\n    querier:\n      max_concurrent: 4\n")

    assert run(["edit", str(path), "--check"]) == 0

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "checked against Mimir 3.0" in captured.err


def test_a_saved_page_is_what_the_binary_knows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A build of one's own knows what its own page shows, and no more."""
    page = tmp_path / "defaults.yaml"
    page.write_text("multitenancy_enabled: true\nquerier:\n  own_setting: 1\n")
    path = tmp_path / "values.yaml"
    path.write_text(
        "mimir:\n  structuredConfig:\n    querier: {own_setting: 2, max_concurrent: 4}\n"
    )

    assert run(["edit", str(path), "--check", "--defaults", str(page)]) == 3

    listed = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in listed[::2]] == ["querier.max_concurrent"]


def test_a_page_of_the_other_product_is_refused(
    values: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise nearly every key would look wrong."""
    page = tmp_path / "defaults.yaml"
    page.write_text("auth_enabled: true\ningester:\n  lifecycler: {num_tokens: 128}\n")

    assert run(["edit", str(values), "--check", "--defaults", str(page)]) == 2

    assert "Cortex's" in capsys.readouterr().err


def test_the_version_that_the_values_deploy_is_checked_against(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`image.tag` names a release, unless it is left to a template or to the chart."""
    path = tmp_path / "values.yaml"
    for tag, told in {"2.12.0": "Mimir 2.12", "${tag}": "Mimir 3.0", '""': "Mimir 3.0"}.items():
        path.write_text(
            f"image:\n  tag: {tag}\nmimir:\n  structuredConfig:\n    querier:\n      timeout: 1m\n"
        )

        assert run(["edit", str(path), "--check"]) == 0

        assert told in capsys.readouterr().err


def test_a_template_of_the_user_s_own_is_not_called_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `mimir.config` renders to is not known without the chart."""
    path = tmp_path / "values.yaml"
    path.write_text(
        "mimir:\n  config: |\n    {{ if true }}\n    index_gateway: {}\n    {{ end }}\n"
    )

    run(["edit", str(path), "--check"])

    assert "is not checked" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["9.9.0", "a-branch"])
def test_a_version_without_a_list_is_unknown(
    values: Path, capsys: pytest.CaptureFixture[str], version: str
) -> None:
    """It is not taken for another version; unknown ends like wrong."""
    assert run(["edit", str(values), "--check", "--product-version", version]) == 3

    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"unknown: no list of the keys of mimir {version}" in captured.err
    assert "--defaults" in captured.err


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (
            "values.yaml",
            (
                "index_gateway index_gateway.dynamodb.consistent_read "
                "index_gateway.dynamodb.max_retries index_gateway.dynamodb.backoff query_frontend "
                "query_frontend.results_cache.redis querier.metadata_cache "
                "querier.metadata_cache.redis limits.max_query_length"
            ),
        ),
        (
            "values.template.yaml",
            (
                "index_gateway index_gateway.dynamodb.consistent_read "
                "index_gateway.dynamodb.max_retries index_gateway.dynamodb.backoff "
                "index_gateway.dynamodb.max_idle_conns index_gateway.dynamodb.max_open_conns "
                "index_gateway.dynamodb.conn_max_lifetime query_frontend "
                "query_frontend.results_cache.redis querier.metadata_cache "
                "querier.metadata_cache.redis ruler.ruler_storage limits.max_concurrent "
                "limits.max_query_length"
            ),
        ),
    ],
)
def test_the_reference_cluster_is_told_every_wrong_key(
    shared: Path, capsys: pytest.CaptureFixture[str], name: str, wrong: str
) -> None:
    """Each with its line and with what to write instead."""
    path = shared / "corpus" / "reference-cluster" / "k8s" / "base" / "mimir" / name

    assert run(["edit", str(path), "--check", "--json"]) == 3

    unknown = json.loads(capsys.readouterr().out)["unknown"]
    assert [".".join(one["path"]) for one in unknown] == wrong.split()
    assert all(one["place"][1] > 0 and one["instead"] for one in unknown)
