"""The ring table in memory and in DynamoDB: what each generation of the ring client does to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mimir_migrate.sandbox.interface import (
    DeniedByDynamoDBError,
    MissingTableError,
    ObjectConflictError,
    RingItems,
    ThrottledError,
)
from mimir_migrate.sandbox.simulation.stores.items import BotoItems, MemoryItems

KEY = "collectors/ring"


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A DynamoDB client with a ring table."""
    import boto3
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        names = (("RingKey", "HASH"), ("InstanceKey", "RANGE"))
        client.create_table(
            TableName="rings",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name, _ in names
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.fixture(params=["memory", "boto"])
def items_of(request: pytest.FixtureRequest) -> Any:
    """Makes a table of a generation, in memory and in DynamoDB: both must behave the same."""
    if request.param == "memory":
        return lambda generation: MemoryItems(generation, ["rings"])
    client = request.getfixturevalue("dynamodb")
    return lambda generation: BotoItems(client, generation, freshness=0.0)


@pytest.mark.parametrize("generation", ["1.20", "master"])
def test_versions_count_up_and_guard_each_item(items_of: Any, generation: str) -> None:
    """A put needs the version that was read, and one that does not fit changes nothing."""
    items: RingItems = items_of(generation)
    items.write("rings", KEY, {"a": (b"1", 0), "b": (b"1", 0)}, [])
    items.write("rings", KEY, {"a": (b"2", 1)}, [])
    assert items.query("rings", KEY) == {"a": (b"2", 2), "b": (b"1", 1)}
    with pytest.raises(ObjectConflictError):
        items.write("rings", KEY, {"b": (b"3", 1), "a": (b"3", 1)}, ["c"])
    with pytest.raises(ObjectConflictError):
        items.write("rings", KEY, {"a": (b"3", 0)}, [])
    assert items.query("rings", KEY) == {"a": (b"2", 2), "b": (b"1", 1)}


def test_the_old_client_writes_without_versions(items_of: Any) -> None:
    """In the generation of 1.16 the last writer wins and items carry no version."""
    items: RingItems = items_of("1.16")
    items.write("rings", KEY, {"a": (b"new", 0)}, [])
    items.write("rings", KEY, {"a": (b"old", 7)}, [])
    assert items.query("rings", KEY) == {"a": (b"old", 0)}


@pytest.mark.parametrize("generation", ["1.16", "master"])
def test_deletes_need_no_version(items_of: Any, generation: str) -> None:
    """An item is deleted whatever its version; one that is not there is no error."""
    items: RingItems = items_of(generation)
    items.write("rings", KEY, {"a": (b"1", 0), "b": (b"1", 0)}, [])
    items.write("rings", KEY, {}, ["a", "nobody"])
    assert set(items.query("rings", KEY)) == {"b"}


def test_rings_are_apart_and_a_missing_table_is_an_error(items_of: Any) -> None:
    """Two keys do not see each other's items; a table that does not exist is named as such."""
    items: RingItems = items_of("master")
    items.write("rings", KEY, {"a": (b"1", 0)}, [])
    assert items.query("rings", "rulers/ring") == {}
    with pytest.raises(MissingTableError):
        items.query("other", KEY)
    with pytest.raises(MissingTableError):
        items.write("other", KEY, {"a": (b"1", 0)}, [])


def test_many_items_come_whole(items_of: Any) -> None:
    """More items than one batch or one page of an answer are all written and read."""
    items: RingItems = items_of("master")
    ring = {f"ingester-{number:03}": (b"x" * 20_000, 0) for number in range(60)}
    items.write("rings", KEY, ring, [])
    found = items.query("rings", KEY)
    assert {name: version for name, (_, version) in found.items()} == dict.fromkeys(ring, 1)


def test_the_item_has_the_attributes_of_the_ring_client(dynamodb: Any) -> None:
    """RingKey, InstanceKey, Data, version, and ttl only where one is asked for."""
    BotoItems(dynamodb, "master").write("rings", KEY, {"a": (b"1", 0)}, [])
    BotoItems(dynamodb, "master", ttl=60.0).write("rings", KEY, {"b": (b"1", 0)}, [])
    found = {item["InstanceKey"]["S"]: item for item in dynamodb.scan(TableName="rings")["Items"]}
    assert found["a"] == {
        "RingKey": {"S": KEY},
        "InstanceKey": {"S": "a"},
        "Data": {"B": b"1"},
        "version": {"N": "1"},
    }
    assert set(found["b"]) == {*found["a"], "ttl"}


def test_reads_are_used_again_while_they_are_fresh(dynamodb: Any) -> None:
    """Within the freshness one read serves all, own writes included; after it DynamoDB is asked."""
    now = [0.0]
    items = BotoItems(dynamodb, "master", freshness=1.0, clock=lambda: now[0])
    assert items.query("rings", KEY) == {}
    items.write("rings", KEY, {"a": (b"1", 0)}, [])
    BotoItems(dynamodb, "master").write("rings", KEY, {"b": (b"1", 0)}, [])
    assert set(items.query("rings", KEY)) == {"a"}
    now[0] = 1.5
    assert set(items.query("rings", KEY)) == {"a", "b"}


def test_a_failed_write_forgets_what_was_read(dynamodb: Any) -> None:
    """After a conflict the next read asks, so that a retry can succeed."""
    items = BotoItems(dynamodb, "master", freshness=100.0, clock=lambda: 0.0)
    items.query("rings", KEY)
    BotoItems(dynamodb, "master").write("rings", KEY, {"a": (b"1", 0)}, [])
    with pytest.raises(ObjectConflictError):
        items.write("rings", KEY, {"a": (b"2", 0)}, [])
    items.write("rings", KEY, {"a": (b"2", items.query("rings", KEY)["a"][1])}, [])
    assert items.query("rings", KEY)["a"] == (b"2", 2)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ProvisionedThroughputExceededException", ThrottledError),
        ("ThrottlingException", ThrottledError),
        ("AccessDeniedException", DeniedByDynamoDBError),
        ("ExpiredTokenException", DeniedByDynamoDBError),
        ("ResourceNotFoundException", MissingTableError),
    ],
)
def test_what_dynamodb_refuses_is_named(code: str, error: type[Exception]) -> None:
    """DynamoDB's error codes become the simulation's errors."""
    from botocore.exceptions import ClientError

    class Refusing:
        def query(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Query")

    with pytest.raises(error):
        BotoItems(Refusing()).query("rings", KEY)
