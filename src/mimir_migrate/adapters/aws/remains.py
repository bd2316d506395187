"""What is left in DynamoDB: items are exported and deleted, empty tables deleted, each under conditions.

A delete of an item carries the whole `Data` and `version` that were exported as its condition, so
DynamoDB itself refuses it when anybody wrote meanwhile. A table has no such condition: it is looked
at right before, and neither a protection nor an item in it is ever taken away for it.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from mimir_migrate.adapters.aws.dynamodb import DynamoDBTables, member_of
from mimir_migrate.adapters.aws.session import AwsClients, translated
from mimir_migrate.adapters.new_files import put_new
from mimir_migrate.errors import BlockedError, DocumentError
from mimir_migrate.model.changes import DeleteItem, DeleteTable, ExportItems, ItemSeen, Outcome
from mimir_migrate.model.ring_table import HASH_KEY, RANGE_KEY
from mimir_migrate.words import counted

_Item = dict[str, Any]


class RingTableRemains:
    """Exports and deletes ring items, and deletes empty ring tables."""

    def __init__(self, clients: AwsClients) -> None:
        self._clients = clients
        self._tables = DynamoDBTables(clients)

    def export(self, change: ExportItems) -> Outcome:
        """Write items to a file that only the operator can read; safe to repeat.

        Raises:
            BlockedError: An item is otherwise than it was seen; nothing was written.
            DocumentError: The file cannot be written.
            DeniedError: The credentials do not allow Query.
            UnreachableError: DynamoDB gave no usable answer.
        """
        items = []
        for seen in change.items:
            item = self._read(change.table, change.region, change.ring_key, seen.instance)
            if item is None or not _is_as_seen(item, seen):
                raise BlockedError(
                    f"the item {seen.instance} of {change.ring_key} in {change.table} is not what "
                    f"was seen: {_now_words(item)}; nothing of it was exported or deleted",
                    hint="somebody uses it; look again with `mimir-migrate clean`",
                )
            items.append(item)
        content = _request_items(change.table, items)
        written = _write_private(change.path, content)
        count = counted(len(items), "item")
        return Outcome(
            detail=f"{count} of {change.ring_key} exported to {change.path}", already=not written
        )

    def delete_item(self, change: DeleteItem) -> Outcome:
        """Delete one item that is in its export as it is in the table; safe to repeat.

        Raises:
            BlockedError: It is otherwise than it was seen or exported; it stays.
            DocumentError: The export cannot be read.
            DeniedError: The credentials do not allow Query or DeleteItem.
            UnreachableError: DynamoDB gave no usable answer.
        """
        what = f"the item {change.item.instance} of {change.ring_key} in {change.table}"
        item = self._read(change.table, change.region, change.ring_key, change.item.instance)
        if item is None:
            return Outcome(detail=f"{what} was deleted already", already=True)
        if not _is_as_seen(item, change.item):
            raise _moved(what)
        if _as_json(item) not in _exported(change.export, change.table):
            raise BlockedError(
                f"{what} is not in {change.export} as it is in the table; it stays",
                hint="export it again with `mimir-migrate clean`",
            )
        client = self._clients.client("dynamodb", region=change.region)
        condition, values = "#d = :d", {":d": item["Data"]}
        names = {"#d": "Data", "#v": "version"}
        if "version" in item:
            condition, values = f"{condition} AND #v = :v", {**values, ":v": item["version"]}
        else:
            condition += " AND attribute_not_exists(#v)"
        with translated(f"DeleteItem of {change.item.instance} in the table {change.table}"):
            try:
                client.delete_item(
                    TableName=change.table,
                    Key={key: item[key] for key in (HASH_KEY, RANGE_KEY)},
                    ConditionExpression=condition,
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=values,
                )
            except client.exceptions.ConditionalCheckFailedException as error:
                raise _moved(what) from error
        return Outcome(detail=f"{what} is deleted")

    def delete_table(self, change: DeleteTable) -> Outcome:
        """Delete a ring table that is empty and not protected; safe to repeat.

        Raises:
            BlockedError: It is protected, holds items, or is not a ring table; it stays.
            DeniedError: The credentials do not allow DescribeTable, Scan or DeleteTable.
            UnreachableError: DynamoDB gave no usable answer.
        """
        what = f"the table {change.table} in {change.region}"
        if change.region != self._tables.region():
            raise BlockedError(
                f"{what} is in another region than {self._tables.region()}, which is asked; it stays"
            )
        table = self._tables.table(change.table)
        if table is None or table.status == "DELETING":
            return Outcome(detail=f"{what} was deleted already", already=True)
        if not table.is_ring_table:
            raise BlockedError(f"{what} does not have the keys of a ring table; it stays")
        if table.deletion_protection:
            raise BlockedError(
                f"{what} is protected against deletion; it stays",
                hint="this tool lifts no protection; whoever owns the table does",
            )
        if not self._tables.is_empty(change.table):
            raise BlockedError(
                f"{what} holds items; it stays",
                hint="see whose they are with `mimir-migrate clean`",
            )
        with translated(f"DeleteTable of {change.table}"):
            self._clients.client("dynamodb", region=change.region).delete_table(
                TableName=change.table
            )
        return Outcome(detail=f"{what} is being deleted")

    def _read(self, table: str, region: str, ring_key: str, instance: str) -> _Item | None:
        """One item with strong consistency; None: there is none."""
        with translated(f"Query of {ring_key} in the table {table}"):
            found: list[_Item] = self._clients.client("dynamodb", region=region).query(
                TableName=table,
                ConsistentRead=True,
                KeyConditionExpression=f"{HASH_KEY} = :ring AND {RANGE_KEY} = :instance",
                ExpressionAttributeValues={":ring": {"S": ring_key}, ":instance": {"S": instance}},
            )["Items"]
        return found[0] if found else None


def _is_as_seen(item: _Item, seen: ItemSeen) -> bool:
    try:
        member = member_of(seen.instance, item)
    except DocumentError:
        return False
    return (member.version, member.timestamp) == (seen.version, seen.timestamp)


def _now_words(item: _Item | None) -> str:
    return "it is gone" if item is None else "its version or its heartbeat has changed"


def _moved(what: str) -> BlockedError:
    return BlockedError(
        f"{what} was written since it was seen; it stays",
        hint="somebody uses it; look again with `mimir-migrate clean`",
    )


def _as_json(item: _Item) -> _Item:
    """An item as JSON has it: bytes in base64."""
    return {
        name: {
            kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for kind, value in attribute.items()
        }
        for name, attribute in item.items()
    }


def _request_items(table: str, items: list[_Item]) -> bytes:
    requests = [{"PutRequest": {"Item": _as_json(item)}} for item in items]
    return json.dumps({table: requests}, indent=1, sort_keys=True).encode() + b"\n"


def _exported(path: str, table: str) -> list[_Item]:
    try:
        document = json.loads(Path(path).read_bytes())
        return [request["PutRequest"]["Item"] for request in document[table]]
    except OSError as error:
        raise DocumentError(f"the export cannot be read: {error.strerror}", path=path) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DocumentError("the export does not hold what was exported", path=path) from error


def _write_private(path: str, content: bytes) -> bool:
    """Write a new file, on disk when this returns; False: it was there with this content.

    Raises:
        DocumentError: It cannot be written, or is there with another content.
    """
    file = Path(path)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file.exists() and file.read_bytes() == content:
            return False
        put_new(file, content, 0o600)
    except FileExistsError as error:
        raise DocumentError("it is there already, with another content", path=path) from error
    except OSError as error:
        raise DocumentError(f"cannot be written: {error.strerror}", path=path) from error
    return True
