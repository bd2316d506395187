"""A stand-in for DynamoDB in memory: the calls that the bridge makes, answered as moto answers them.

`tests/bridge/test_stand_in.py` holds it to moto over conditions, transactions, cancellation reasons
and paging.
"""

# ruff: noqa: N803 - arguments are named as boto3 names them
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

PAGE = 1_000_000
"""Bytes of items on one page of a Query, as moto counts; DynamoDB's 1 MB."""
MOST_ACTIONS = 100
MOST_KEYS = 100

Item = dict[str, Any]
Key = tuple[str, str]


class MemoryDynamoDB:
    """Tables whose keys are RingKey and InstanceKey.

    Args:
        tables: Their names.
    """

    def __init__(self, *tables: str) -> None:
        self.tables: dict[str, dict[Key, Item]] = {name: {} for name in tables}
        self.calls = 0
        self.units = {"read": 0.0, "written": 0.0}
        """Consumed units, by DynamoDB's rules: 4 KB a read, 1 KB a write, twice in transactions."""

    def perform(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call, at once.

        Raises:
            ClientError: As boto3 raises it.
        """
        self.calls += 1
        answer: dict[str, Any] = getattr(self, f"_{operation}")(operation, **arguments)
        return answer

    def _get_item(
        self, operation: str, TableName: str, Key: Item, ConsistentRead: bool = False
    ) -> dict[str, Any]:
        item = self._table(operation, TableName).get(_key(Key))
        self.units["read"] += -(-_size(item or {}) // 4096) or 1
        return {} if item is None else {"Item": dict(item)}

    def _batch_get_item(self, operation: str, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, list[Item]] = {}
        for name, wanted in RequestItems.items():
            keys = [_key(key) for key in wanted["Keys"]]
            if len(keys) > MOST_KEYS:
                raise _error(operation, "ValidationException", "too many keys")
            if len(set(keys)) < len(keys):
                raise _error(
                    operation,
                    "ValidationException",
                    "Provided list of item keys contains duplicates",
                )
            table = self._table(operation, name)
            found[name] = [dict(table[key]) for key in keys if key in table]
            self.units["read"] += sum(-(-_size(item) // 4096) for item in found[name])
        return {"Responses": found, "UnprocessedKeys": {}}

    def _query(
        self,
        operation: str,
        TableName: str,
        KeyConditionExpression: str,
        ExpressionAttributeValues: Mapping[str, Any],
        ProjectionExpression: str = "",
        ConsistentRead: bool = False,
        ExclusiveStartKey: Item | None = None,
        Limit: int = 0,
    ) -> dict[str, Any]:
        table = self._table(operation, TableName)
        value = KeyConditionExpression.removeprefix("RingKey = ")
        wanted = ExpressionAttributeValues[value]["S"]
        after = _key(ExclusiveStartKey)[1] if ExclusiveStartKey else ""
        items: list[Item] = []
        size, more = 0, False
        for key in sorted(key for key in table if key[0] == wanted and key[1] > after):
            size += _size(table[key])
            if items and (len(items) == Limit or size > PAGE):
                more = True
                break
            items.append(table[key])
        self.units["read"] += -(-sum(_size(item) for item in items) // 4096) or 1
        names = [one.strip() for one in ProjectionExpression.split(",") if one]
        answer: dict[str, Any] = {
            "Items": [
                {name: item[name] for name in names or item if name in item} for item in items
            ]
        }
        if more:
            answer["LastEvaluatedKey"] = {
                one: items[-1][one] for one in ("RingKey", "InstanceKey")
            }
        return answer

    def _put_item(self, operation: str, TableName: str, Item: Item, **condition: Any) -> Item:
        table = self._table(operation, TableName)
        if not _holds(table.get(_key(Item)), **condition):
            raise _error(
                operation, "ConditionalCheckFailedException", "The conditional request failed"
            )
        table[_key(Item)] = dict(Item)
        self.units["written"] += -(-_size(Item) // 1024)
        return {}

    def _delete_item(self, operation: str, TableName: str, Key: Item) -> Item:
        self._table(operation, TableName).pop(_key(Key), None)
        return {}

    def _transact_write_items(
        self, operation: str, TransactItems: list[Mapping[str, Any]]
    ) -> Item:
        if len(TransactItems) > MOST_ACTIONS:
            raise _error(operation, "ValidationException", "too many actions")
        keys = [
            (action["TableName"], _key(action.get("Item") or action["Key"]))
            for one in TransactItems
            for action in one.values()
        ]
        if len(set(keys)) < len(keys):
            raise _error(
                operation,
                "ValidationException",
                "Transaction request cannot include multiple operations on one item",
            )
        codes = []
        for one, (name, key) in zip(TransactItems, keys, strict=True):
            (action,) = one.values()
            condition = {
                what: action[what]
                for what in ("ConditionExpression", "ExpressionAttributeValues")
                if what in action
            }
            held = _holds(self._table(operation, name).get(key), **condition)
            codes.append("None" if held else "ConditionalCheckFailed")
        if set(codes) != {"None"}:
            raise _error(
                operation,
                "TransactionCanceledException",
                "Transaction cancelled, please refer cancellation reasons for specific reasons "
                f"[{', '.join(codes)}]",
                CancellationReasons=[{"Code": code} for code in codes],
            )
        for one, (name, key) in zip(TransactItems, keys, strict=True):
            ((kind, action),) = one.items()
            if kind == "Put":
                self.tables[name][key] = dict(action["Item"])
                self.units["written"] += 2 * -(-_size(action["Item"]) // 1024)
            else:
                self.units["written"] += 2 * -(-_size(self.tables[name].pop(key, {})) // 1024)
        return {}

    def _table(self, operation: str, name: str) -> dict[Key, Item]:
        if name not in self.tables:
            raise _error(operation, "ResourceNotFoundException", "Requested resource not found")
        return self.tables[name]


def _holds(
    item: Item | None,
    ConditionExpression: str = "",
    ExpressionAttributeValues: Mapping[str, Any] | None = None,
) -> bool:
    """Whether a condition of the two kinds that the bridge writes holds for an item."""
    if not ConditionExpression:
        return True
    absent = re.fullmatch(r"attribute_not_exists\((\w+)\)", ConditionExpression)
    if absent:
        return absent[1] not in (item or {})
    name, value = ConditionExpression.split(" = ")
    wanted: Any = (ExpressionAttributeValues or {})[value]
    return bool((item or {}).get(name) == wanted)


def _key(item: Mapping[str, Any]) -> Key:
    return item["RingKey"]["S"], item["InstanceKey"]["S"]


def _size(item: Mapping[str, Any]) -> int:
    return sum(len(name) + len(text) for name, value in item.items() for text in value.values())


def _error(operation: str, code: str, message: str, **more: Any) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400},
        **more,
    }
    return ClientError(response, operation)
