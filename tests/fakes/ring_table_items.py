"""Ring tables and their items for tests of the DynamoDB adapters."""

from __future__ import annotations

from mimir_migrate.adapters.aws.session import AwsClients
from mimir_migrate.documents.ring_items import encode_instance
from mimir_migrate.model.changes import TableSpec
from mimir_migrate.model.facts import Member, MemberState

INDEX_KEYS = {
    "AttributeDefinitions": [
        {"AttributeName": "metric_name", "AttributeType": "S"},
        {"AttributeName": "timestamp", "AttributeType": "N"},
    ],
    "KeySchema": [
        {"AttributeName": "metric_name", "KeyType": "HASH"},
        {"AttributeName": "timestamp", "KeyType": "RANGE"},
    ],
}


def spec(name: str, *, ttl: bool = False) -> TableSpec:
    return TableSpec(name=name, region="eu-west-1", ttl=ttl, tags={"team": "observability"})


def member(name: str, *, tokens: int = 128, version: int | None = 3) -> Member:
    return Member(
        id=name,
        address=f"10.0.0.1:{9000 + len(name)}",
        state=MemberState.ACTIVE,
        timestamp=1_795_337_609,
        registered_timestamp=1_795_337_524,
        tokens=tuple(range(1_000_000, 1_000_000 + tokens)),
        version=version,
    )


def put(clients: AwsClients, table: str, ring_key: str, one: Member) -> None:
    item = {
        "RingKey": {"S": ring_key},
        "InstanceKey": {"S": one.id},
        "Data": {"B": encode_instance(one)},
    }
    if one.version is not None:
        item["version"] = {"N": str(one.version)}
    clients.client("dynamodb").put_item(TableName=table, Item=item)
