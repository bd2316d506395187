"""Settings that no binary knows are found before they crash-loop every pod."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mimir_migrate.documents.config.check import UnknownKey, check
from mimir_migrate.documents.config.keys import KnownKeys, known_from_defaults, known_named
from mimir_migrate.model.rings import Product

PAGE = """\
auth_enabled: true
limits: {ingestion_rate: 25000, ruler_external_labels: {}, max_query_length: 0s}
querier: {max_concurrent: 20}
frontend: {results_cache: {backend: ""}, max_outstanding_per_tenant: 100}
ingester: {lifecycler: {ring: {kvstore: {store: consul, dynamodb: {region: "", table_name: ""}}}},
  instance_limits: {max_series: 0}}
ruler: {ring: {kvstore: {store: consul}}}
blocks_storage: {bucket_store: {metadata_cache: {backend: "", memcached: {addresses: ""}}}}
"""


def unknown(
    config: Mapping[str, Any],
    runtime: Mapping[str, Any] | None = None,
    known: KnownKeys | None = None,
) -> dict[str, UnknownKey]:
    found = check(config, runtime or {}, known or known_from_defaults(PAGE), locate=lambda _: None)
    return {one.dotted: one for one in found}


def mimir(version: str) -> KnownKeys:
    known = known_named(Product.MIMIR, version)
    assert known is not None
    return known


def test_known_settings_pass() -> None:
    """A configuration that sets only what the page lists has nothing wrong with it."""
    config = {
        "limits": {"ingestion_rate": 1, "ruler_external_labels": {"any": {"thing": 1}}},
        "ruler": {"ring": {"kvstore": {"store": "memberlist"}}},
    }

    assert unknown(config) == {}


def test_a_misspelt_setting_is_offered_in_its_own_block() -> None:
    """The closest key of the same block is what was meant, most of the time."""
    found = unknown({"limits": {"ingestion_rates": 1}})

    assert found["limits.ingestion_rates"].suggestion == "limits.ingestion_rate"


def test_a_setting_in_the_wrong_block_is_offered_where_it_belongs() -> None:
    """A key that exists once elsewhere is offered there."""
    found = unknown({"querier": {"max_outstanding_per_tenant": 1}})

    assert list(found) == ["querier.max_outstanding_per_tenant"]
    one = found["querier.max_outstanding_per_tenant"]
    assert one.suggestion == "frontend.max_outstanding_per_tenant"
    assert one.suggestion in one.instead


def test_a_block_where_a_value_belongs_is_found() -> None:
    """What is written below a plain setting is as unknown as any other key."""
    assert list(unknown({"querier": {"max_concurrent": {"queries": 1}}})) == [
        "querier.max_concurrent.queries"
    ]


def test_the_place_is_asked_for_with_the_document() -> None:
    """The same path can stand in both documents; the caller is told which one is meant."""
    asked: list[tuple[str, ...]] = []

    def locate(path: tuple[str, ...]) -> tuple[str, int, int]:
        asked.append(path)
        return ("values.yaml", len(asked), 1)

    found = check({"nope": 1}, {"nope": 2}, known_from_defaults(PAGE), locate=locate)

    assert asked == [("config", "nope"), ("runtime", "nope")]
    assert [one.place for one in found] == [("values.yaml", 1, 1), ("values.yaml", 2, 1)]


@pytest.mark.parametrize(
    ("dotted", "words"),
    [
        ("index_gateway", "Loki"),
        ("query_frontend", "`frontend`"),
        ("querier.metadata_cache", "blocks_storage.bucket_store.metadata_cache"),
        ("ruler.ruler_storage", "top level"),
        ("limits.max_concurrent", "querier.max_concurrent"),
        ("limits.max_query_length", "max_total_query_length"),
        ("ingester.ring.kvstore.memberlist", "top level"),
        ("ingester.ring.kvstore.dynamodb", "no release of Mimir"),
    ],
)
def test_well_known_wrong_settings_are_explained(dotted: str, words: str) -> None:
    """Each of them says why, and what to write instead."""
    config: dict[str, Any] = {}
    at = config
    *above, last = dotted.split(".")
    for key in above:
        at = at.setdefault(key, {})
    at[last] = {"some": "thing"}

    one = unknown(config, known=mimir("3.0"))[dotted]

    assert words in one.explanation + one.instead
    assert one.with_it == ("some",)


@pytest.mark.parametrize(
    "name",
    [
        "consistent_read",
        "max_retries",
        "backoff",
        "max_idle_conns",
        "max_open_conns",
        "conn_max_lifetime",
    ],
)
def test_settings_of_other_dynamodb_clients_are_explained(name: str) -> None:
    """A ring's client takes a region, a table and two durations."""
    kvstore = {"store": "dynamodb", "dynamodb": {"region": "eu-west-1", name: 1}}

    found = unknown({"ingester": {"lifecycler": {"ring": {"kvstore": kvstore}}}})

    (one,) = found.values()
    assert one.dotted.endswith(f"kvstore.dynamodb.{name}")
    assert "puller_sync_time" in one.instead


def test_what_is_wrong_in_a_moved_block_is_told_too() -> None:
    """Moving `query_frontend` to `frontend` must not end in the next crash loop."""
    config = {"query_frontend": {"results_cache": {"backend": "x", "redis": {"endpoint": "y"}}}}

    found = unknown(config, known=mimir("3.0"))

    assert list(found) == ["query_frontend", "query_frontend.results_cache.redis"]
    redis = found["query_frontend.results_cache.redis"]
    assert "Mimir 3.0" in redis.explanation
    assert "frontend.results_cache.memcached" in redis.instead


def test_runtime_keys_are_checked_by_what_they_stand_for() -> None:
    """Tenants are free, their limits and the switch are not."""
    runtime = {
        "overrides": {"team-a": {"ingestion_rate": 1, "ingestion_rat": 2}, "team-b": None},
        "multi_kv_config": {"primary": "memberlist", "mirror_enabled": True, "secondary": "x"},
        "ingester_limits": {"max_series": 1, "max_serie": 1},
        "override": {},
        "limits": {},
    }

    found = unknown({}, runtime)

    assert {path: one.suggestion for path, one in found.items()} == {
        "overrides.team-a.ingestion_rat": "overrides.team-a.ingestion_rate",
        "multi_kv_config.secondary": "",
        "ingester_limits.max_serie": "",
        "override": "overrides",
        "limits": "",
    }
    assert {one.document for one in found.values()} == {"runtime"}


def test_the_old_streaming_switch_is_known_until_mimir_3() -> None:
    """A runtime key that left with a release is found against that release alone."""
    runtime = {"ingester_stream_chunks_when_using_blocks": True}

    assert unknown({}, runtime, mimir("2.17")) == {}
    assert list(unknown({}, runtime, mimir("3.0"))) == list(runtime)


def test_hard_overrides_are_known_since_cortex_1_21() -> None:
    """Their limits are checked like every tenant's."""
    runtime = {"hard_overrides": {"team": {"ingestion_rate": 1, "rate": 2}}}
    before, since = (known_named(Product.CORTEX, version) for version in ("1.20", "1.21.0"))

    assert list(unknown({}, runtime, before)) == ["hard_overrides"]
    assert list(unknown({}, runtime, since)) == ["hard_overrides.team.rate"]


keys = st.sampled_from(["limits", "ruler", "ring", "kvstore", "store", "ingestion_rate", "x", "1"])
trees = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=3), st.lists(st.integers(), max_size=2)),
    lambda below: st.dictionaries(keys, below, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(keys, trees), st.dictionaries(keys, trees))
def test_removing_what_is_listed_leaves_nothing_wrong(
    config: dict[str, Any], runtime: dict[str, Any]
) -> None:
    """The list is complete: a configuration without the listed keys passes."""
    known = known_from_defaults(PAGE)
    for one in check(config, runtime, known, locate=lambda _: None):
        at: Any = config if one.document == "config" else runtime
        for key in one.path[:-1]:
            at = at.get(key, {}) if isinstance(at, dict) else {}
        if isinstance(at, dict):
            at.pop(one.path[-1], None)

    assert check(config, runtime, known, locate=lambda _: None) == ()


@pytest.mark.corpus
def test_every_wrong_key_of_the_reference_cluster_is_listed(shared: Path) -> None:
    """Its values and its template, against the release that its helmfile installs."""
    folder = shared / "corpus" / "reference-cluster" / "k8s" / "base" / "mimir"
    found = {}
    for name in ("values.yaml", "values.template.yaml"):
        values = YAML(typ="safe", pure=True).load((folder / name).read_text())
        config = values["mimir"]["structuredConfig"]
        found[name] = list(unknown(config, known=mimir("2.10")))

    both = [
        "index_gateway",
        "index_gateway.dynamodb.consistent_read",
        "index_gateway.dynamodb.max_retries",
        "index_gateway.dynamodb.backoff",
    ]
    queries = [
        "query_frontend",
        "query_frontend.results_cache.redis.timeout",
        "querier.metadata_cache",
        "querier.metadata_cache.redis.timeout",
    ]
    assert found["values.yaml"] == [*both, *queries, "limits.max_query_length"]
    assert found["values.template.yaml"] == [
        *both,
        "index_gateway.dynamodb.max_idle_conns",
        "index_gateway.dynamodb.max_open_conns",
        "index_gateway.dynamodb.conn_max_lifetime",
        *queries,
        "ruler.ruler_storage",
        "limits.max_concurrent",
        "limits.max_query_length",
    ]


@pytest.mark.corpus
def test_what_runs_passes(shared: Path) -> None:
    """No false alarm: what real pods were started with is all known to their binary."""
    captures = shared / "captures"
    cortex = known_named(Product.CORTEX, "a8c6358a")
    assert cortex is not None
    own = {
        Product.CORTEX: cortex,
        Product.MIMIR: known_from_defaults(
            (captures / "mimir-config-defaults-2.17.yaml").read_text(), product=Product.MIMIR
        ),
    }
    pages = sorted(captures.glob("*/*/config__mode-diff"))
    runtimes = sorted(captures.glob("*/*/runtime_config"))
    yaml = YAML(typ="safe", pure=True)

    found = {}
    for page in (*pages[::7], *runtimes[::7]):
        folder = page.relative_to(captures).parts[0]
        known = own[Product.MIMIR if folder.startswith("mimir") else Product.CORTEX]
        loaded = yaml.load(page.read_text())
        if not isinstance(loaded, dict):
            continue
        config, runtime = ({}, loaded) if page.name == "runtime_config" else (loaded, {})
        if "-ddb-" in folder:
            config = without_client(config)
        found[str(page)] = list(unknown(config, runtime, known))

    assert len(found) > 20
    assert {path: keys for path, keys in found.items() if keys} == {}


def without_client(config: Any) -> Any:
    """A configuration without what a build with a DynamoDB client adds to the stock one."""
    if not isinstance(config, dict):
        return config
    return {key: without_client(value) for key, value in config.items() if key != "dynamodb"}
