"""The few questions that DynamoDB is asked, and what its answers mean for a write.

Everything that a ring's version rests on is read consistently. A write is one conditional put of the
head, or one transaction of the head and of the members whose shape changed; either way the head's
condition decides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from mimir_migrate.bridge.head import Head, head_item, head_key, read_head
from mimir_migrate.bridge.ring_value import Entry, read_item, write_item
from mimir_migrate.errors import MigrateError

Calls = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""One call of DynamoDB: boto3's name of the operation and its arguments; raises botocore's errors."""

MOST_MEMBERS: Final = 99
"""Members of one transaction: DynamoDB takes 100 actions, and one of them is the head."""
_KEYS: Final = 100
"""Keys of one BatchGetItem."""
_ROUNDS: Final = 5
"""How often a batch is asked for what it left out before that counts as no answer."""

_NOT_WRITTEN: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Codes after which nothing was written and the same write may be tried again
(DynamoDB's developer guide, "Error handling")."""


class AwayError(MigrateError):
    """The table did not answer; whether anything was written is not known."""


class BusyError(AwayError):
    """The table answered that it did nothing, and may do it later."""


class RefusedError(AwayError):
    """The table refuses: permissions, credentials, its name, its keys. Nothing was written."""


class HeadMovedError(MigrateError):
    """The head is not the one that the write builds on. Nothing was written."""


class ForeignWriterError(RefusedError):
    """A member's item is not the one that the head names: somebody else writes to this table."""


class Stored(msgspec.Struct, frozen=True):
    """A member as its item has it."""

    entry: Entry
    since: int
    """`version` of the item; 0 where it has none."""


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One version, to be written over another."""

    key: str
    over: int | None
    """Index of the version that it replaces; None: there is no head."""
    head: Head
    puts: Mapping[str, Entry] = {}
    """Members whose shape changed."""
    deletes: Sequence[str] = ()
    replaced: Mapping[str, int] | None = None
    """`version` that each changed member's item has to have now, members that are new left out; None:
    whatever is there is written over."""


class Table:
    """One table, for one cluster.

    Args:
        call: Makes a call.
        name: The table's.
        cluster: Name of the cluster whose rings it holds.
    """

    def __init__(self, call: Calls, name: str, cluster: str) -> None:
        self.name = name
        self.cluster = cluster
        self._call_raw = call

    async def heads(self, keys: Sequence[str]) -> dict[str, Head]:
        """The heads of rings, those that are there.

        Raises:
            AwayError: No answer.
            StorageRefusedError: A head that must not be served.
        """
        items = await self._batch([head_key(key) for key in keys])
        by_partition = {item["RingKey"]["S"]: item for item in items}
        found = {}
        for key in keys:
            item = by_partition.get(head_key(key)["RingKey"]["S"])
            if item is not None:
                found[key] = read_head(item, self.cluster)
        return found

    async def head(self, key: str) -> Head | None:
        """The head of one ring; None: there is none.

        Raises:
            AwayError: No answer.
            StorageRefusedError: It must not be served.
        """
        answer = await self._call(
            "get_item", {"TableName": self.name, "Key": head_key(key), "ConsistentRead": True}
        )
        item = answer.get("Item")
        return None if item is None else read_head(item, self.cluster)

    async def members(self, key: str, ids: Sequence[str]) -> dict[str, Stored]:
        """Some members of a ring, those that are there.

        Raises:
            AwayError: No answer.
            UnreadableValueError: An item holds no member.
        """
        items = await self._batch([_member_key(key, id_) for id_ in ids])
        return {
            id_: Stored(read_item(item.get("Data", {}).get("B", b""), id_), _version(item))
            for item in items
            for id_ in (item["InstanceKey"]["S"],)
        }

    async def versions(self, key: str) -> dict[str, int]:
        """`version` of every item of a ring, whoever wrote it.

        Raises:
            AwayError: No answer.
        """
        found: dict[str, int] = {}
        arguments: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "RingKey = :key",
            "ExpressionAttributeValues": {":key": {"S": key}},
            "ProjectionExpression": "InstanceKey, version",
            "ConsistentRead": True,
        }
        while True:
            answer = await self._call("query", arguments)
            for item in answer.get("Items", ()):
                found[item["InstanceKey"]["S"]] = _version(item)
            if "LastEvaluatedKey" not in answer:
                return found
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def write(self, write: Write) -> None:
        """Write a version, whole or not at all.

        Raises:
            HeadMovedError: The head is another one by now.
            ForeignWriterError: Somebody else wrote a member.
            AwayError: No answer, or a refusal; its classes say which.
        """
        head = {
            "TableName": self.name,
            "Item": head_item(write.key, write.head, self.cluster),
            **_still(write.over, "idx"),
        }
        if not write.puts and not write.deletes:
            await self._call("put_item", head)
            return
        actions: list[dict[str, Any]] = [{"Put": head}]
        for id_, entry in write.puts.items():
            item = {
                **_member_key(write.key, id_),
                "Data": {"B": write_item(entry)},
                "version": {"N": str(write.head.index)},
            }
            actions.append(
                {"Put": {"TableName": self.name, "Item": item, **_replaced(write, id_)}}
            )
        for id_ in write.deletes:
            key = _member_key(write.key, id_)
            actions.append(
                {"Delete": {"TableName": self.name, "Key": key, **_replaced(write, id_)}}
            )
        await self._call("transact_write_items", {"TransactItems": actions})

    async def _batch(self, keys: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for start in range(0, len(keys), _KEYS):
            wanted: Any = {
                self.name: {"Keys": list(keys[start : start + _KEYS]), "ConsistentRead": True}
            }
            for _ in range(_ROUNDS):
                answer = await self._call("batch_get_item", {"RequestItems": wanted})
                found += answer.get("Responses", {}).get(self.name, ())
                wanted = answer.get("UnprocessedKeys")
                if not wanted:
                    break
            else:
                raise BusyError(f"reading {self.name}: it leaves out items again and again")
        return found

    async def _call(self, operation: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return await self._call_raw(operation, arguments)
        except ClientError as error:
            raise self._meaning(operation, error) from error
        except (TimeoutError, BotoCoreError) as error:
            raise AwayError(
                f"{operation} on {self.name}: no answer ({type(error).__name__})"
            ) from error

    def _meaning(self, operation: str, error: Any) -> MigrateError:
        """What an answer of DynamoDB that is an error means for the call."""
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
        what = f"{operation} on {self.name}: {code}"
        if code == "ConditionalCheckFailedException":
            return HeadMovedError(what)
        if code == "TransactionCanceledException":
            return _cancelled(what, error.response.get("CancellationReasons", ()))
        if code in _NOT_WRITTEN:
            return BusyError(what)
        if status >= 500:  # noqa: PLR2004 - the server's own fault
            return AwayError(what)
        said = str(error.response.get("Error", {}).get("Message", ""))
        return RefusedError(
            f"{what}: {said}", hint="Check --table, --region and the bridge's IAM policy."
        )


def _cancelled(what: str, reasons: Sequence[Mapping[str, Any]]) -> MigrateError:
    """Why a transaction was not done; the head is its first action."""
    codes = [str(reason.get("Code", "None")) for reason in reasons]
    named = f"{what}: {', '.join(sorted({code for code in codes if code != 'None'}))}"
    if codes[:1] == ["ConditionalCheckFailed"]:
        return HeadMovedError(named)
    if set(codes) & {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}:
        return BusyError(named)
    if "ConditionalCheckFailed" in codes:
        return ForeignWriterError(
            f"{named}: an item of a member is not the one that this bridge wrote",
            hint="Only the bridge may write to its table. Whoever else does has to be ended first.",
        )
    return RefusedError(named)


def _member_key(key: str, id_: str) -> dict[str, Any]:
    return {"RingKey": {"S": key}, "InstanceKey": {"S": id_}}


def _version(item: Mapping[str, Any]) -> int:
    return int(item.get("version", {}).get("N", "0"))


def _still(version: int | None, attribute: str) -> dict[str, Any]:
    """The condition that an item is still what it was."""
    if version is None:
        return {"ConditionExpression": "attribute_not_exists(RingKey)"}
    return {
        "ConditionExpression": f"{attribute} = :was",
        "ExpressionAttributeValues": {":was": {"N": str(version)}},
    }


def _replaced(write: Write, id_: str) -> dict[str, Any]:
    if write.replaced is None:
        return {}
    return _still(write.replaced.get(id_), "version")
