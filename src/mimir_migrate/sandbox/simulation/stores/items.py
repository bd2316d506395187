"""The ring table: in memory for tests in virtual time, or DynamoDB through boto3.

Three generations of the ring client write differently (Cortex' tags): `1.16` writes without a
version, the last writer wins; `1.20` and `master` put each item on the condition that its `version`
is the one that was read, all puts of a write in transactions.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mimir_migrate.sandbox.interface import (
    DeniedByDynamoDBError,
    MissingTableError,
    ObjectConflictError,
    ThrottledError,
)

Items = dict[str, tuple[bytes, int]]

UNVERSIONED: Final = "1.16"
GENERATIONS: Final = (UNVERSIONED, "1.20", "master")
_BATCH: Final = 25
"""Items of one batch or transaction as the ring client cuts them."""


class MemoryItems:
    """A table in memory, with versions and with faults.

    Args:
        client: The generation of the ring client.
        tables: Names of the tables that exist; None: every name does.
    """

    def __init__(self, client: str = "master", tables: Sequence[str] | None = None) -> None:
        self._versioned = client != UNVERSIONED
        self._tables = None if tables is None else set(tables)
        self._rings: dict[tuple[str, str], Items] = {}
        self.failure: Exception | None = None
        """Raised by every request while it is set."""
        self.reads = 0
        self.writes = 0
        self.conflicts = 0

    def query(self, table: str, ring_key: str) -> Mapping[str, tuple[bytes, int]]:
        """Items of one ring."""
        self._answer(table)
        self.reads += 1
        return dict(self._rings.get((table, ring_key), {}))

    def write(
        self,
        table: str,
        ring_key: str,
        put: Mapping[str, tuple[bytes, int]],
        delete: Sequence[str],
    ) -> None:
        """Put and delete; all puts or none of them."""
        self._answer(table)
        self.writes += 1
        ring = self._rings.setdefault((table, ring_key), {})
        if self._versioned:
            for id_, (_, version) in put.items():
                if ring.get(id_, (b"", 0))[1] != version:
                    self.conflicts += 1
                    raise ObjectConflictError(id_)
        for id_, (data, version) in put.items():
            ring[id_] = (data, version + 1 if self._versioned else 0)
        for id_ in delete:
            ring.pop(id_, None)

    def _answer(self, table: str) -> None:
        if self.failure is not None:
            raise self.failure
        if self._tables is not None and table not in self._tables:
            raise MissingTableError(table)


class BotoItems:
    """DynamoDB through boto3.

    Every simulated process asks through one object, and each request costs the sandbox a good part of
    a millisecond; so reads younger than `freshness` are answered from the last one (the ring client's
    reads are eventually consistent anyway), and own writes are seen at once.

    Args:
        client: A boto3 client of `dynamodb`.
        generation: The generation of the ring client.
        ttl: Seconds after which items expire; 0: they do not.
        freshness: Real seconds that a read is used again; 0: every read asks.
        clock: Real seconds, monotonic.
    """

    def __init__(
        self,
        client: Any,
        generation: str = "master",
        *,
        ttl: float = 0.0,
        freshness: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._versioned = generation != UNVERSIONED
        self._ttl = ttl
        self._freshness = freshness
        self._clock = clock
        self._lock = threading.Lock()
        self._read: dict[tuple[str, str], tuple[float, Items]] = {}

    def query(self, table: str, ring_key: str) -> Mapping[str, tuple[bytes, int]]:
        """Items of one ring, all pages of the answer."""
        with self._lock:
            known = self._read.get((table, ring_key))
            if known is not None and self._clock() - known[0] < self._freshness:
                return dict(known[1])
            found: Items = {}
            arguments: dict[str, Any] = {
                "TableName": table,
                "KeyConditionExpression": "RingKey = :key",
                "ExpressionAttributeValues": {":key": {"S": ring_key}},
            }
            while True:
                answer = self._call(self._client.query, arguments)
                for item in answer.get("Items", ()):
                    version = int(item.get("version", {}).get("N", "0"))
                    data = bytes(item.get("Data", {}).get("B", b""))
                    found[item["InstanceKey"]["S"]] = (data, version)
                if "LastEvaluatedKey" not in answer:
                    break
                arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
            self._read[table, ring_key] = (self._clock(), found)
            return dict(found)

    def write(
        self,
        table: str,
        ring_key: str,
        put: Mapping[str, tuple[bytes, int]],
        delete: Sequence[str],
    ) -> None:
        """Put and delete as the generation does; a failed write forgets what was read."""
        with self._lock:
            try:
                if self._versioned:
                    self._write_versioned(table, ring_key, put, delete)
                else:
                    self._write_unversioned(table, ring_key, put, delete)
            except Exception:
                self._read.pop((table, ring_key), None)
                raise
            known = self._read.get((table, ring_key))
            if known is None:
                return
            for id_, (data, version) in put.items():
                known[1][id_] = (data, version + 1 if self._versioned else 0)
            for id_ in delete:
                known[1].pop(id_, None)

    def _write_versioned(
        self,
        table: str,
        ring_key: str,
        put: Mapping[str, tuple[bytes, int]],
        delete: Sequence[str],
    ) -> None:
        changes: list[dict[str, Any]] = []
        for id_, (data, version) in put.items():
            entry: dict[str, Any] = {
                "TableName": table,
                "Item": {**self._item(ring_key, id_, data), "version": {"N": str(version + 1)}},
            }
            if version:
                entry["ConditionExpression"] = "version = :v"
                entry["ExpressionAttributeValues"] = {":v": {"N": str(version)}}
            else:
                entry["ConditionExpression"] = "attribute_not_exists(version)"
            changes.append({"Put": entry})
        changes += [{"Delete": {"TableName": table, "Key": _key(ring_key, id_)}} for id_ in delete]
        for start in range(0, len(changes), _BATCH):
            batch = changes[start : start + _BATCH]
            self._call(self._client.transact_write_items, {"TransactItems": batch})

    def _write_unversioned(
        self,
        table: str,
        ring_key: str,
        put: Mapping[str, tuple[bytes, int]],
        delete: Sequence[str],
    ) -> None:
        changes: list[dict[str, Any]] = [
            {"PutRequest": {"Item": self._item(ring_key, id_, data)}}
            for id_, (data, _) in put.items()
        ]
        changes += [{"DeleteRequest": {"Key": _key(ring_key, id_)}} for id_ in delete]
        for start in range(0, len(changes), _BATCH):
            batch = {table: changes[start : start + _BATCH]}
            self._call(self._client.batch_write_item, {"RequestItems": batch})

    def _item(self, ring_key: str, id_: str, data: bytes) -> dict[str, Any]:
        item: dict[str, Any] = {**_key(ring_key, id_), "Data": {"B": data}}
        if self._ttl:
            item["ttl"] = {"N": str(int(time.time() + self._ttl))}
        return item

    def _call(self, method: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """Call boto3 and name what went wrong in the simulation's terms."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return method(**arguments)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise _named(code, str(error)) from error
        except BotoCoreError as error:
            raise ThrottledError(str(error)) from error


def _key(ring_key: str, id_: str) -> dict[str, Any]:
    return {"RingKey": {"S": ring_key}, "InstanceKey": {"S": id_}}


def _named(code: str, text: str) -> Exception:
    if code == "ResourceNotFoundException":
        return MissingTableError(text)
    if code in {"TransactionCanceledException", "ConditionalCheckFailedException"}:
        return ObjectConflictError(text)
    if code in {"AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"}:
        return DeniedByDynamoDBError(text)
    return ThrottledError(text)
