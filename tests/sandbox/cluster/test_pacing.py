"""Time that keeps its order when the machine is busy, and moto's short way for the pods."""

from __future__ import annotations

import asyncio
import base64
import json
import threading

import pytest

from mimir_migrate.sandbox.aws.pod_requests import PodTables, is_known
from mimir_migrate.sandbox.pacing import PacedScheduler


def test_what_fell_due_during_a_pause_runs_in_order_at_its_own_time():
    """A blocked loop delays callbacks, but each sees the moment at which it was due."""

    async def run() -> list[tuple[str, float]]:
        clock = [1000.0]
        asyncio.get_running_loop().time = lambda: clock[0]
        scheduler = PacedScheduler()
        begin = scheduler.now()
        seen: list[tuple[str, float]] = []

        def beat(name: str, again: int) -> None:
            seen.append((name, round(scheduler.now() - begin, 3)))
            if again:
                scheduler.after(0.02, lambda: beat(name, again - 1))

        scheduler.after(0.02, lambda: beat("heartbeat", 4))
        scheduler.after(0.05, lambda: seen.append(("look", round(scheduler.now() - begin, 3))))
        clock[0] += 0.2
        scheduler.catch_up()
        return seen

    seen = asyncio.run(run())

    assert [name for name, _ in seen] == ["heartbeat"] * 2 + ["look"] + ["heartbeat"] * 3
    for (_, moment), due in zip(seen, (0.02, 0.04, 0.05, 0.06, 0.08, 0.1), strict=True):
        assert moment == pytest.approx(due, abs=0.005)


def test_callbacks_run_by_themselves_and_cancelled_ones_do_not():
    """Without `catch_up` the loop runs what is due; an earlier entry moves the alarm forward."""

    async def run() -> list[str]:
        scheduler = PacedScheduler()
        seen: list[str] = []
        over = asyncio.Event()
        scheduler.after(30.0, lambda: seen.append("late"))
        scheduler.after(0.01, lambda: seen.append("cancelled")).cancel()
        scheduler.after(0.02, lambda: seen.append("early"))
        scheduler.after(0.03, over.set)
        await asyncio.wait_for(over.wait(), 20)
        return seen

    assert asyncio.run(run()) == ["early"]


REGION = "eu-west-1"
AUTHORIZATION = f"AWS4-HMAC-SHA256 Credential=pod/20270115/{REGION}/dynamodb/aws4_request"


@pytest.fixture
def table():
    """A ring table of moto's, in a region of its own backend."""
    from moto.dynamodb.models import dynamodb_backends

    backend = dynamodb_backends["123456789012"][REGION]
    backend.tables.pop("rings", None)
    keys = (("RingKey", "HASH"), ("InstanceKey", "RANGE"))
    backend.create_table(
        "rings",
        schema=[{"AttributeName": name, "KeyType": role} for name, role in keys],
        attr=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        throughput=None,
        global_indexes=None,
        indexes=None,
        streams=None,
        billing_mode="PAY_PER_REQUEST",
        sse_specification=None,
        tags=[],
        deletion_protection_enabled=False,
        warm_throughput=None,
    )
    yield backend.tables["rings"]
    backend.tables.pop("rings", None)


def ask(operation: str, **body) -> tuple[int, dict]:
    status, answer = PodTables(threading.Lock()).answer(
        operation, json.dumps(body).encode(), AUTHORIZATION
    )
    return status, json.loads(answer)


def put(member: str, version: int, condition: str = "", **values) -> dict:
    data = {"B": base64.b64encode(b"tokens").decode()}
    key = {"RingKey": {"S": "collectors/ring"}, "InstanceKey": {"S": member}}
    entry = {"TableName": "rings", "Item": {**key, "Data": data, "version": {"N": str(version)}}}
    if condition:
        entry["ConditionExpression"] = condition
    if values:
        entry["ExpressionAttributeValues"] = {
            f":{name}": {"N": str(value)} for name, value in values.items()
        }
    return {"Put": entry}


ABSENT = "attribute_not_exists(version)"


def members() -> dict[str, str]:
    _, found = ask(
        "Query", TableName="rings", ExpressionAttributeValues={":k": {"S": "collectors/ring"}}
    )
    return {item["InstanceKey"]["S"]: item["version"]["N"] for item in found["Items"]}


def test_a_put_is_kept_where_its_condition_holds(table):
    """First only where there is none, then only on the version that was read."""
    assert ask("TransactWriteItems", TransactItems=[put("a", 1, ABSENT)])[0] == 200
    assert ask("TransactWriteItems", TransactItems=[put("a", 2, "version = :v", v=1)])[0] == 200

    assert members() == {"a": "2"}
    item = next(iter(next(iter(table.items.values())).values()))
    assert item.attrs["Data"].value == b"tokens"


def test_a_transaction_is_kept_whole_or_not_at_all(table):
    """One condition that does not hold cancels the other puts, too."""
    ask("TransactWriteItems", TransactItems=[put("a", 1, ABSENT)])

    both = [put("b", 1, ABSENT), put("a", 9, "version = :v", v=5)]
    status, answer = ask("TransactWriteItems", TransactItems=both)

    assert status == 400
    assert answer["__type"].endswith("TransactionCanceledException")
    codes = [reason["Code"] for reason in answer["CancellationReasons"]]
    assert codes == ["None", "ConditionalCheckFailed"]
    assert members() == {"a": "1"}


def test_the_requests_of_a_real_client_are_known(table):
    """Cortex asks with `KeyConditions`, and puts new and changed items under one condition."""
    either = f"{ABSENT} OR version = :v"
    assert ask("TransactWriteItems", TransactItems=[put("a", 1, either, v=0)])[0] == 200
    assert ask("TransactWriteItems", TransactItems=[put("a", 2, either, v=1)])[0] == 200
    assert ask("TransactWriteItems", TransactItems=[put("a", 3, either, v=1)])[0] == 400

    ring = {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "collectors/ring"}]}
    asked = {"TableName": "rings", "KeyConditions": {"RingKey": ring}}
    assert is_known("Query", asked)
    _, found = ask("Query", **asked)
    assert [item["version"]["N"] for item in found["Items"]] == ["2"]


def test_what_asks_otherwise_is_left_to_moto():
    """A prefix, a page, an operation that the short way does not have."""
    prefix = {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [{"S": "a"}]}
    assert not is_known("Query", {"KeyConditions": {"RingKey": prefix}})
    assert not is_known(
        "Query", {"ExpressionAttributeValues": {":a": {"S": "x"}, ":b": {"S": "y"}}}
    )
    assert not is_known("DeleteItem", {})


def test_a_batch_puts_and_deletes_without_a_condition(table):
    """As the client of Cortex 1.16 writes."""
    key = {"RingKey": {"S": "collectors/ring"}, "InstanceKey": {"S": "a"}}
    writes = [{"PutRequest": {"Item": put("a", 1)["Put"]["Item"]}}]
    ask("BatchWriteItem", RequestItems={"rings": writes})
    writes = [
        {"PutRequest": {"Item": put("b", 1)["Put"]["Item"]}},
        {"DeleteRequest": {"Key": key}},
    ]
    assert ask("BatchWriteItem", RequestItems={"rings": writes})[0] == 200
    assert members() == {"b": "1"}


def test_a_table_that_does_not_exist_is_named_as_dynamodb_does():
    """ResourceNotFoundException, as boto3 expects it."""
    status, answer = ask(
        "Query", TableName="nowhere", ExpressionAttributeValues={":k": {"S": "collectors/ring"}}
    )
    assert status == 400
    assert answer["__type"].endswith("ResourceNotFoundException")
