"""The simulated pods' own requests to DynamoDB, answered from moto's tables by a short way.

Ring clients poll and write all the time, and moto's general machinery takes 10 to 20 ms for each of
their requests, more than the sandbox's two cores have. The three operations of the ring client are done
here on the very tables that moto serves to everybody else.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

OPERATIONS: Final = frozenset({"Query", "TransactWriteItems", "BatchWriteItem"})
"""What the ring client asks, besides deletes of its own that go through these as well."""
_SCOPE = re.compile(r"Credential=[^/]+/\d+/([\w-]+)/")
_ACCOUNT: Final = "123456789012"
"""moto's account."""
_CONDITION = re.compile(r"^version = (:\w+)$")
_ABSENT: Final = "attribute_not_exists(version)"
_EITHER: Final = f"{_ABSENT} OR "
"""How a real client begins its one condition for new and for changed items."""
_TYPE: Final = "com.amazonaws.dynamodb.v20120810#"


class _RefusedError(Exception):
    def __init__(self, kind: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.answer = {"__type": f"{_TYPE}{kind}", "message": message, **more}


class PodTables:
    """moto's tables, for the operations of the ring client.

    Args:
        lock: Held by whoever reads or writes them.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def answer(self, operation: str, body: bytes, authorization: str) -> tuple[int, bytes]:
        """The status and the body of the answer to one request."""
        scope = _SCOPE.search(authorization)
        asked = json.loads(body)
        with self._lock:
            try:
                found = self._do(operation, asked, scope[1] if scope else "eu-west-1")
            except _RefusedError as error:
                return 400, json.dumps(error.answer).encode()
        return 200, json.dumps(found).encode()

    def _do(self, operation: str, asked: Mapping[str, Any], region: str) -> dict[str, Any]:
        if operation == "Query":
            return self._query(asked, region)
        if operation == "TransactWriteItems":
            return self._transact(asked["TransactItems"], region)
        for name, writes in asked["RequestItems"].items():
            table = _table(name, region)
            for write in writes:
                _write(table, write.get("PutRequest"), write.get("DeleteRequest"))
        return {"UnprocessedItems": {}}

    def _query(self, asked: Mapping[str, Any], region: str) -> dict[str, Any]:
        """All items of one ring; a ring of any size is one page here."""
        table = _table(asked["TableName"], region)
        key = _ring_key(asked) or {}
        items = [
            {name: value.to_json() for name, value in item.attrs.items()}
            for item in table.items.get(_typed(key), {}).values()
        ]
        return {"Items": items, "Count": len(items), "ScannedCount": len(items)}

    def _transact(self, writes: Sequence[Mapping[str, Any]], region: str) -> dict[str, Any]:
        """All of them, or none where a condition does not hold."""
        reasons = []
        for write in writes:
            put = write.get("Put")
            holds = put is None or _holds(_table(put["TableName"], region), put)
            reasons.append({"Code": "None" if holds else "ConditionalCheckFailed"})
        if any(reason["Code"] != "None" for reason in reasons):
            codes = ", ".join(reason["Code"] for reason in reasons)
            raise _RefusedError(
                "TransactionCanceledException",
                "Transaction cancelled, please refer cancellation reasons for specific reasons "
                f"[{codes}]",
                CancellationReasons=reasons,
            )
        for write in writes:
            put, delete = write.get("Put"), write.get("Delete")
            name = (put or delete or {})["TableName"]
            _write(_table(name, region), put, delete)
        return {}


def is_known(operation: str, asked: Mapping[str, Any]) -> bool:
    """Whether a request is one of those that are answered here; moto answers every other."""
    if operation == "Query":
        return _ring_key(asked) is not None and "ExclusiveStartKey" not in asked
    return operation in OPERATIONS


def _ring_key(asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The partition key that a query asks for; None: it asks otherwise.

    Simulated clients write an expression, the clients of Cortex the older `KeyConditions`.
    """
    if "KeyConditions" in asked:
        condition = asked["KeyConditions"].get("RingKey") or {}
        if len(asked["KeyConditions"]) != 1 or condition.get("ComparisonOperator") != "EQ":
            return None
        found: Mapping[str, Any] = condition["AttributeValueList"][0]
        return found
    values = list((asked.get("ExpressionAttributeValues") or {}).values())
    return values[0] if len(values) == 1 else None


def _table(name: str, region: str) -> Any:
    from moto.dynamodb.models import dynamodb_backends

    table = dynamodb_backends[_ACCOUNT][region].tables.get(name)
    if table is None:
        raise _RefusedError(
            "ResourceNotFoundException", "Requested resource not found", resource=name
        )
    return table


def _typed(value: Mapping[str, Any]) -> Any:
    from moto.dynamodb.models.dynamo_type import DynamoType

    return DynamoType(dict(value))


def _holds(table: Any, put: Mapping[str, Any]) -> bool:
    """Whether a put's condition, of the two kinds that the ring client has, holds."""
    condition = put.get("ConditionExpression", "")
    if not condition:
        return True
    item = put["Item"]
    ring = table.items.get(_typed(item["RingKey"]), {})
    there = ring.get(_typed(item["InstanceKey"]))
    version = there.attrs.get("version") if there is not None else None
    if condition.startswith(_EITHER):
        if version is None:
            return True
        condition = condition.removeprefix(_EITHER)
    if condition == _ABSENT:
        return version is None
    matched = _CONDITION.match(condition)
    if matched is None:
        raise _RefusedError("ValidationException", f"a condition of another kind: {condition}")
    wanted = put["ExpressionAttributeValues"][matched[1]]["N"]
    return version is not None and str(version.value) == wanted


def _write(table: Any, put: Mapping[str, Any] | None, delete: Mapping[str, Any] | None) -> None:
    if put is not None:
        table.put_item(
            {name: _stored(value) for name, value in put["Item"].items()}, overwrite=True
        )
    if delete is not None:
        key = delete["Key"]
        table.delete_item(_typed(key["RingKey"]), _typed(key["InstanceKey"]))


def _stored(value: Mapping[str, Any]) -> dict[str, Any]:
    """A value as moto keeps it: binary as bytes."""
    if "B" in value:
        return {"B": base64.b64decode(value["B"])}
    return dict(value)
