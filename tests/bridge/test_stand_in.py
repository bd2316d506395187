"""The stand-in for DynamoDB answers as moto does; the head and a ring's value read back as they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import cramjam
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_dynamodb import MemoryDynamoDB
from moto import mock_aws

from mimir_migrate.bridge.head import Head, Mark, head_item, read_head
from mimir_migrate.bridge.ring_value import (
    Entry,
    RingValue,
    UnreadableValueError,
    read_item,
    read_value,
    write_item,
    write_value,
)
from mimir_migrate.documents.ring_items import decode_instance, encode_instance
from mimir_migrate.model.facts import Member, MemberState

TABLE = "rings"

keys = st.builds(
    lambda ring, id_: {"RingKey": {"S": ring}, "InstanceKey": {"S": id_}},
    st.sampled_from(["collectors/ring", "bridge:collectors/ring"]),
    st.sampled_from(["a", "b", "c", "head"]),
)
numbers = st.integers(1, 3).map(lambda number: {"N": str(number)})
conditions = st.one_of(
    st.just({}),
    st.just({"ConditionExpression": "attribute_not_exists(RingKey)"}),
    st.builds(
        lambda name, value: {
            "ConditionExpression": f"{name} = :was",
            "ExpressionAttributeValues": {":was": value},
        },
        st.sampled_from(["version", "idx"]),
        numbers,
    ),
)
items = st.builds(
    lambda key, name, number, size: {**key, name: number, "Data": {"B": b"x" * size}},
    keys,
    st.sampled_from(["version", "idx"]),
    numbers,
    st.sampled_from([1, 900, 300_000]),
)
puts = st.builds(lambda item, more: {"TableName": TABLE, "Item": item, **more}, items, conditions)
deletes = st.builds(lambda key, more: {"TableName": TABLE, "Key": key, **more}, keys, conditions)
actions = st.one_of(
    st.builds(lambda put: {"Put": put}, puts), st.builds(lambda one: {"Delete": one}, deletes)
)
calls = st.one_of(
    st.tuples(st.just("put_item"), puts),
    st.tuples(
        st.just("transact_write_items"),
        st.lists(actions, min_size=1, max_size=4).map(lambda some: {"TransactItems": some}),
    ),
    st.tuples(
        st.just("get_item"),
        keys.map(lambda key: {"TableName": TABLE, "Key": key, "ConsistentRead": True}),
    ),
    st.tuples(
        st.just("batch_get_item"),
        st.lists(keys, min_size=1, max_size=4).map(
            lambda some: {"RequestItems": {TABLE: {"Keys": some, "ConsistentRead": True}}}
        ),
    ),
    st.tuples(
        st.just("query"),
        st.builds(
            lambda ring, more: {
                "TableName": TABLE,
                "KeyConditionExpression": "RingKey = :key",
                "ExpressionAttributeValues": {":key": {"S": ring}},
                **more,
            },
            st.sampled_from(["collectors/ring", "nobody"]),
            st.sampled_from([{}, {"Limit": 2}, {"ProjectionExpression": "InstanceKey, version"}]),
        ),
    ),
)


@pytest.fixture(scope="module")
def moto() -> Iterator[Any]:
    """A client of moto."""
    with mock_aws():
        yield boto3.client(
            "dynamodb",
            region_name="eu-west-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )


def _empty(client: Any) -> None:
    if TABLE in client.list_tables()["TableNames"]:
        client.delete_table(TableName=TABLE)
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "RingKey", "KeyType": "HASH"},
            {"AttributeName": "InstanceKey", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("RingKey", "InstanceKey")
        ],
    )


def _asked(client: Any, operation: str, arguments: Mapping[str, Any]) -> Any:
    """What an answer is made of that the bridge looks at; every page of a query."""
    pages = []
    while True:
        try:
            if isinstance(client, MemoryDynamoDB):
                answer = client.perform(operation, arguments)
            else:
                answer = getattr(client, operation)(**arguments)
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])  # type: ignore[typeddict-item]
            return (
                error.response["Error"]["Code"],
                [reason.get("Code", "None") for reason in reasons],
            )
        found = answer.get("Items") or answer.get("Responses", {}).get(TABLE, [])
        found = sorted(found, key=lambda item: item.get("InstanceKey", {}).get("S", ""))
        pages.append((answer.get("Item"), found, answer.get("LastEvaluatedKey")))
        if "LastEvaluatedKey" not in answer:
            return pages
        arguments = {**arguments, "ExclusiveStartKey": answer["LastEvaluatedKey"]}


@settings(deadline=None, max_examples=40)
@given(st.lists(calls, min_size=1, max_size=12))
def test_the_stand_in_answers_as_moto_does(moto: Any, asked: list[tuple[str, Any]]) -> None:
    """Conditions, transactions with their reasons, batches, and pages of queries."""
    _empty(moto)
    ours = MemoryDynamoDB(TABLE)

    for operation, arguments in asked:
        assert _asked(ours, operation, arguments) == _asked(moto, operation, arguments)


def test_pages_of_a_query_end_where_motos_do(moto: Any) -> None:
    """A ring of more than a megabyte."""
    _empty(moto)
    ours = MemoryDynamoDB(TABLE)
    for client in (ours, moto):
        for number in range(9):
            item = {
                "RingKey": {"S": "ring"},
                "InstanceKey": {"S": str(number)},
                "Data": {"B": b"x" * 250_000},
            }
            _asked(client, "put_item", {"TableName": TABLE, "Item": item})
    query = {
        "TableName": TABLE,
        "KeyConditionExpression": "RingKey = :key",
        "ExpressionAttributeValues": {":key": {"S": "ring"}},
    }

    pages = _asked(ours, "query", query)

    assert len(pages) > 1
    assert pages == _asked(moto, "query", query)


def test_a_table_that_is_not_there_is_told_of_alike(moto: Any) -> None:
    """By its code."""
    asked = {"TableName": "nowhere", "Key": {"RingKey": {"S": "a"}, "InstanceKey": {"S": "b"}}}

    assert _asked(MemoryDynamoDB(), "get_item", asked) == _asked(moto, "get_item", asked)


# --- what is stored ------------------------------------------------------------------------------

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
beats = st.integers(-(2**63), 2**63 - 1)


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(names, st.tuples(st.integers(0, 2**53), beats), max_size=8),
    st.integers(1, 2**53),
    st.binary(max_size=20),
    st.booleans(),
)
def test_a_head_reads_back_as_it_was(
    marks: dict[str, tuple[int, int]], index: int, rest: bytes, exists: bool
) -> None:
    """Whatever its members' heartbeats are."""
    head = Head(
        index=index,
        changed=index,
        exists=exists,
        flags=7,
        rest=rest,
        writer=b"12345678",
        members={id_: Mark(since, beat % 2**40) for id_, (since, beat) in marks.items()},
    )

    assert read_head(head_item("ring", head, "one"), "one") == head


def test_what_a_newer_client_writes_comes_back_whole() -> None:
    """Fields that nobody here knows, of a member and of the ring, and the member's own heartbeat."""
    member = b"\x0a\x011\x10\x2a\x18\x01\x32\x02\x05\x06\xf2\x3f\x03new"
    desc = (
        b"\x0a" + bytes([4 + len(member) + 1]) + b"\x0a\x01a\x12" + bytes([len(member)]) + member
    )
    body = bytes(cramjam.snappy.compress_raw(desc + b"\xfa\x3f\x03abc"))

    value = read_value(body)

    assert value.members["a"].beat == 42
    assert value.rest == b"\xfa\x3f\x03abc"
    written = bytes(cramjam.snappy.decompress_raw(write_value(value)))
    assert sorted(written) == sorted(desc + b"\xfa\x3f\x03abc")
    assert read_value(write_value(value)) == value


@pytest.mark.parametrize("beat", [0, 1, 127, 128, 1_790_000_000, 2**62, -1])
def test_an_item_is_one_that_every_reader_of_cortex_items_reads(beat: int) -> None:
    """The member's fields, its heartbeat included."""
    member = Member(
        id="ingester-0",
        address="10.0.0.1:9095",
        state=MemberState.LEAVING,
        timestamp=beat,
        tokens=(1, 300),
        zone="a",
        registered_timestamp=2,
        version=5,
    )
    entry = read_item(encode_instance(member), "ingester-0")

    assert entry.beat == beat
    assert decode_instance("ingester-0", write_item(entry), 5) == member


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a block",
        cramjam.snappy.compress_raw(b"\x0a\x02\x0a\x05"),
        write_value(RingValue({"": Entry(b"", 1)})),
        write_value(RingValue({"x" * 1025: Entry(b"", 1)})),
        write_value(RingValue({"x": Entry(b"\x0a\x80\x80\x18" + b"x" * 393_216, 1)})),
        b"\xff\xff\xff\xff\x0f",
    ],
    ids=["empty", "no block", "cut off", "no name", "long name", "large member", "claims much"],
)
def test_a_value_that_cannot_be_stored_is_refused(body: bytes) -> None:
    """With words, before anything is written."""
    with pytest.raises(UnreadableValueError):
        read_value(bytes(body))
