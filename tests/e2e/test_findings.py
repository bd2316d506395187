"""Each finding that a sandbox can be brought to, as `inspect --json` reports it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox import commands

TABLE = "observability-dev-mimir-rings"


def findings(operator, *arguments: str) -> dict[str, dict[str, Any]]:
    """What `inspect --json` finds, by id, the gravest of each."""
    answer = operator.call("inspect", "--target", operator.target, "--json", *arguments)
    document = answer.document
    assert document["schema"] == "mimir-migrate/1"
    assert {"rings", "findings", "choices"} <= set(document)
    found: dict[str, dict[str, Any]] = {}
    for finding in document["findings"]:
        assert finding["evidence"], finding["id"]
        assert finding["fix"], finding["id"]
        found.setdefault(finding["id"], finding)
    return found


def keys(first: str, second: str) -> dict[str, Any]:
    return {
        "KeySchema": [
            {"AttributeName": first, "KeyType": "HASH"},
            {"AttributeName": second, "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"} for name in (first, second)
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }


def test_tables(mimir, outside) -> None:
    """Absent, with the index table's keys, and written by another cluster that is alive."""
    look = outside(mimir)
    to = ("--to", "dynamodb", "--rings", "ruler")
    found = findings(mimir, *to, "--puller-sync-time", "10m")
    assert found["table-missing"]["severity"] == "informs"
    assert found["puller-sync-too-slow"]["severity"] == "blocks"

    look.dynamodb.create_table(TableName=TABLE, **keys("metric_name", "timestamp"))
    found = findings(mimir, *to)
    assert found["table-wrong-keys"]["severity"] == "blocks"
    assert "table-missing" not in found
    look.dynamodb.delete_table(TableName=TABLE)

    look.dynamodb.create_table(TableName=TABLE, **keys("RingKey", "InstanceKey"))
    mimir.inject("foreign-writer", ring="ruler", table=TABLE)
    found = findings(mimir, *to)
    assert found["table-in-use"]["severity"] == "blocks"
    mimir.clear()


def test_gossip_and_pods(mimir) -> None:
    """One pod that gossips with nobody, one at a wrong address, and one that stays when it should go."""
    [querier] = [name for name in _names(mimir) if "querier" in name]
    mimir.inject("gossip-blocked", pod=querier)
    mimir.inject("release-pending")
    mimir.wait(lambda: "gossip-broken" in findings(mimir))
    assert "release-pending" in findings(mimir)
    mimir.clear()

    mimir.inject("wrong-address", pod="mimir-ingester-0")
    mimir.wait(lambda: "ring-unhealthy" in findings(mimir, "--rings", "ingester"))
    mimir.clear()

    mimir.inject("old-pod-stays", component="ruler")
    mimir.inject("pod-evicted", component="ruler")
    found = findings(mimir)
    assert {"old-pods-alive", "rollout-in-progress"} & set(found)
    mimir.wait(lambda: "old-pods-alive" in findings(mimir))
    mimir.clear()


def _names(operator) -> list[str]:
    return [pod["name"] for pod in commands.status(operator.sandbox)["pods"]]


def test_values_that_were_not_deployed(mimir) -> None:
    """A setting that the release does not have, and a runtime block that nothing uses."""
    before = mimir.values.read_bytes()
    block = b"  multi_kv_config: {primary: memberlist, mirror_enabled: true}\n"
    mimir.values.write_bytes(
        before.replace(b"runtimeConfig:\n", b"runtimeConfig:\n" + block).replace(
            b"distributor: {replicas: 1}", b"distributor: {replicas: 2}"
        )
    )
    found = findings(mimir)
    mimir.values.write_bytes(before)
    assert found["values-differ-from-release"]["severity"] == "blocks"
    assert "runtime-block-left" in found


@pytest.fixture
def half_way(pool, tmp_path) -> Iterator[Any]:
    """A Mimir whose ingester ring is on both stores, the querier's flag against it, and no rejoining."""
    values = tmp_path / "values.yaml"
    text = pool.values(Product.MIMIR).replace(b"      rejoin_interval: 30s\n", b"")
    values.write_bytes(text)
    operator = pool.operator(tmp_path / "sandbox", tmp_path / "state")
    operator.call(
        *("edit", str(values), "--to", "memberlist+dynamodb", "--rings", "ingester"),
        *("--table", TABLE, "--region", "eu-west-1", "--in-place"),
    )
    flag = b'querier:\n  replicas: 1\n  extraArgs: {ingester.ring.multi.mirror-enabled: "false"}\n'
    values.write_bytes(values.read_bytes().replace(b"querier: {replicas: 1}\n", flag))
    commands.up(
        operator.sandbox, product="mimir", stores="+dynamodb", speed=60.0, values=str(values)
    )
    yield operator
    operator.leave()
    commands.down(operator.sandbox)


def test_half_way_and_flags(half_way) -> None:
    """An interrupted migration, pods that differ, a ring on `multi` that was not chosen, a flag."""
    found = findings(half_way, "--to", "dynamodb", "--rings", "ingester")
    assert "pods-disagree" in found
    assert "mixed-state" in found
    assert "flag-overrides-store" in found
    found = findings(half_way, "--to", "dynamodb", "--rings", "ruler")
    assert found["unchosen-multi-ring"]["rings"] == ["ingester"]
    found = findings(half_way, "--to", "memberlist", "--rings", "ingester")
    assert "rejoin_interval" in str(found["gossip-cannot-start"])


@pytest.fixture
def old_cortex(pool, tmp_path) -> Iterator[Any]:
    """A Cortex with an old client, whose pods have no runtime configuration."""
    values = tmp_path / "values.yaml"
    text = pool.values(Product.CORTEX).replace(b"    cluster_label: small\n", b"")
    start = text.index(b"  runtime_config:\n    file:")
    none = b'  runtime_config: {file: ""}\n'
    values.write_bytes(text[:start] + none + text[text.index(b"runtimeconfigmap:") :])
    operator = pool.operator(tmp_path / "sandbox", tmp_path / "state")
    commands.up(operator.sandbox, product="cortex", client="1.16", speed=60.0, values=str(values))
    yield operator
    operator.leave()
    commands.down(operator.sandbox)


def test_an_old_client_and_no_runtime_configuration(old_cortex) -> None:
    """The version is named with its bugs; the ring that is switched by runtime follows nothing."""
    found = findings(old_cortex, "--to", "dynamodb")
    assert "1.16" in str(found["store-client-version"])
    assert found["runtime-config-missing"]["severity"] == "blocks"
