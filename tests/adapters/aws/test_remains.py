"""What is left in DynamoDB goes only as it was seen and exported; whatever moved meanwhile stays."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from ring_table_items import INDEX_KEYS, member, put, spec

from mimir_migrate.adapters.aws.dynamodb import DynamoDBTables
from mimir_migrate.adapters.aws.remains import RingTableRemains
from mimir_migrate.adapters.aws.session import AwsClients
from mimir_migrate.errors import BlockedError, DocumentError
from mimir_migrate.model.changes import DeleteItem, DeleteTable, ExportItems, ItemSeen
from mimir_migrate.model.facts import Member

KEY = "rulers/ring"
REGION = "eu-west-1"


@pytest.fixture
def remains(clients: AwsClients) -> RingTableRemains:
    return RingTableRemains(clients)


@pytest.fixture
def table(clients: AwsClients, table_name: str) -> str:
    """A ring table without protection that holds one member of the rulers' ring."""
    DynamoDBTables(clients, sleep=lambda _: None).create_table(spec(table_name))
    protect(clients, table_name, wanted=False)
    put(clients, table_name, KEY, member("ruler-0"))
    return table_name


def protect(clients: AwsClients, table: str, *, wanted: bool) -> None:
    client = clients.client("dynamodb")
    client.update_table(TableName=table, DeletionProtectionEnabled=wanted)


def seen_as(one: Member) -> ItemSeen:
    return ItemSeen(instance=one.id, version=one.version, timestamp=one.timestamp)


def export(table: str, path: Path, *members: Member) -> ExportItems:
    return ExportItems(
        table=table,
        region=REGION,
        ring_key=KEY,
        items=tuple(seen_as(one) for one in members),
        path=str(path),
    )


def delete(table: str, path: Path, one: Member) -> DeleteItem:
    return DeleteItem(
        table=table, region=REGION, ring_key=KEY, item=seen_as(one), export=str(path)
    )


def there(clients: AwsClients, table: str) -> list[str]:
    items = DynamoDBTables(clients).items(table, "ruler", KEY)
    return sorted(one.id for one in items.members)


@pytest.mark.parametrize("version", [3, None])
def test_an_item_is_exported_then_deleted_and_can_be_written_back_whole(
    clients: AwsClients,
    remains: RingTableRemains,
    table: str,
    tmp_path: Path,
    version: int | None,
) -> None:
    """The file is what `aws dynamodb batch-write-item` takes; each of the two may be repeated."""
    one = member("ruler-0", version=version)
    put(clients, table, KEY, one)
    path = tmp_path / "exports" / "run-1.json"

    assert not remains.export(export(table, path, one)).already
    assert remains.export(export(table, path, one)).already
    assert path.stat().st_mode & 0o077 == 0
    assert not remains.delete_item(delete(table, path, one)).already
    assert there(clients, table) == []
    assert remains.delete_item(delete(table, path, one)).already

    requests = json.loads(path.read_text())
    for request in requests[table]:
        request["PutRequest"]["Item"]["Data"]["B"] = base64.b64decode(
            request["PutRequest"]["Item"]["Data"]["B"]
        )
    clients.client("dynamodb").batch_write_item(RequestItems=requests)
    assert DynamoDBTables(clients).items(table, "ruler", KEY).members == (one,)


def test_an_item_that_moved_before_its_export_is_neither_exported_nor_deleted(
    clients: AwsClients, remains: RingTableRemains, table: str, tmp_path: Path
) -> None:
    """A heartbeat raises the version."""
    put(clients, table, KEY, member("ruler-0", version=4))

    with pytest.raises(BlockedError, match="not what was seen"):
        remains.export(export(table, tmp_path / "x.json", member("ruler-0", version=3)))
    assert not (tmp_path / "x.json").exists()


def test_an_item_that_moved_between_export_and_delete_stays(
    clients: AwsClients, remains: RingTableRemains, table: str, tmp_path: Path
) -> None:
    """Also where its version is what it was: the export would not hold what is there now."""
    path = tmp_path / "x.json"
    remains.export(export(table, path, member("ruler-0")))
    put(clients, table, KEY, member("ruler-0", version=4))
    with pytest.raises(BlockedError, match="written since"):
        remains.delete_item(delete(table, path, member("ruler-0")))
    put(clients, table, KEY, member("ruler-0", tokens=64))
    with pytest.raises(BlockedError, match=r"not in .* as it is in the table"):
        remains.delete_item(delete(table, path, member("ruler-0")))

    assert there(clients, table) == ["ruler-0"]


def test_a_write_in_the_last_moment_is_seen_by_dynamodb_itself(
    clients: AwsClients,
    remains: RingTableRemains,
    table: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The delete is conditional on what was read: whoever writes between read and delete wins."""
    path = tmp_path / "x.json"
    one = member("ruler-0")
    remains.export(export(table, path, one))
    client = clients.client("dynamodb", region=REGION)
    plain = client.delete_item

    def late(**call: object) -> object:
        put(clients, table, KEY, member("ruler-0", version=4))
        return plain(**call)

    monkeypatch.setattr(client, "delete_item", late)
    with pytest.raises(BlockedError, match="written since"):
        remains.delete_item(delete(table, path, one))
    assert there(clients, table) == ["ruler-0"]


def test_nothing_is_deleted_without_its_export(
    clients: AwsClients, remains: RingTableRemains, table: str, tmp_path: Path
) -> None:
    """A state folder that was cleared between the two."""
    with pytest.raises(DocumentError, match="cannot be read"):
        remains.delete_item(delete(table, tmp_path / "gone.json", member("ruler-0")))
    assert there(clients, table) == ["ruler-0"]


def test_an_empty_table_without_protection_is_deleted_once(
    clients: AwsClients, remains: RingTableRemains, table: str, tmp_path: Path
) -> None:
    """Repeating it is harmless."""
    change = DeleteTable(table=table, region=REGION)
    with pytest.raises(BlockedError, match="holds items"):
        remains.delete_table(change)
    path = tmp_path / "x.json"
    remains.export(export(table, path, member("ruler-0")))
    remains.delete_item(delete(table, path, member("ruler-0")))
    protect(clients, table, wanted=True)
    with pytest.raises(BlockedError, match="protected"):
        remains.delete_table(change)
    protect(clients, table, wanted=False)

    assert not remains.delete_table(change).already
    assert remains.delete_table(change).already


def test_a_table_of_another_schema_or_region_is_left(
    clients: AwsClients, remains: RingTableRemains, table_name: str
) -> None:
    """An index table of the same product, empty and unprotected."""
    client = clients.client("dynamodb")
    client.create_table(TableName=table_name, BillingMode="PAY_PER_REQUEST", **INDEX_KEYS)

    with pytest.raises(BlockedError, match="does not have the keys of a ring table"):
        remains.delete_table(DeleteTable(table=table_name, region=REGION))
    with pytest.raises(BlockedError, match="another region"):
        remains.delete_table(DeleteTable(table=table_name, region="us-east-1"))
    assert client.describe_table(TableName=table_name)
