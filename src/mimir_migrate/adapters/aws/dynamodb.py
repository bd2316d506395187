"""Ring tables in DynamoDB: read for the inspection and the gates, and made when asked to."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mimir_migrate.adapters.aws.session import AwsClients, code_of, translated
from mimir_migrate.documents.ring_items import HEAD_PARTITION, HEAD_SORT, decode_instance
from mimir_migrate.durations import spoken
from mimir_migrate.errors import (
    BlockedError,
    DeniedError,
    DocumentError,
    MigrateError,
    UnreachableError,
)
from mimir_migrate.model.changes import Outcome, TableSpec
from mimir_migrate.model.facts import Member, RingHead, Table, TableItems, TableKey
from mimir_migrate.model.ring_table import HASH_KEY, RANGE_KEY, TTL_ATTRIBUTE

_WAIT_SECONDS = 300.0
"""A new on-demand table is active within seconds; minutes mean that something is wrong."""
_POLL_SECONDS = 1.0


class DynamoDBTables:
    """Reads ring tables and their items (`ports.RingTables`) and makes ring tables."""

    def __init__(
        self,
        clients: AwsClients,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clients = clients
        self._now = now
        self._sleep = sleep

    def account(self) -> str:
        """The account that the credentials belong to; empty where STS does not tell."""
        try:
            with translated("asking STS for the account"):
                return str(self._clients.client("sts").get_caller_identity()["Account"])
        except (DeniedError, UnreachableError):
            return ""

    def region(self) -> str:
        """The region that is asked."""
        return self._clients.region

    def table(self, name: str) -> Table | None:
        """Describe one table.

        Raises:
            DeniedError: The credentials do not allow DescribeTable.
            UnreachableError: DynamoDB gave no usable answer.
        """
        return self._describe(name, "")

    def items(self, table: str, ring: str, ring_key: str) -> TableItems:
        """Read a ring's items with strong consistency, all pages.

        Raises:
            DeniedError: The credentials do not allow Query.
            UnreachableError: There is no such table, or DynamoDB gave no usable answer.
        """
        started = self._now()
        members: list[Member] = []
        undecodable: list[str] = []
        with translated(f"Query of {ring_key} in the table {self._named(table)}"):
            pages = (
                self._clients.client("dynamodb")
                .get_paginator("query")
                .paginate(
                    TableName=table,
                    ConsistentRead=True,
                    KeyConditionExpression=f"{HASH_KEY} = :ring",
                    ExpressionAttributeValues={":ring": {"S": ring_key}},
                )
            )
            for page in pages:
                for item in page["Items"]:
                    key = item[RANGE_KEY]["S"]
                    try:
                        members.append(member_of(key, item))
                    except DocumentError:
                        undecodable.append(key)
        return TableItems(
            table=table,
            ring=ring,
            ring_key=ring_key,
            members=tuple(members),
            at=started,
            undecodable=tuple(undecodable),
        )

    def head(self, table: str, ring: str, ring_key: str) -> RingHead | None:
        """Read whose a ring is that a ring bridge keeps, by the same Query as its items.

        Raises:
            DeniedError: The credentials do not allow Query.
            UnreachableError: There is no such table, or DynamoDB gave no usable answer.
        """
        key = HEAD_PARTITION + ring_key
        with translated(f"Query of {key} in the table {self._named(table)}"):
            found = self._clients.client("dynamodb").query(
                TableName=table,
                ConsistentRead=True,
                KeyConditionExpression=f"{HASH_KEY} = :ring AND {RANGE_KEY} = :head",
                ExpressionAttributeValues={":ring": {"S": key}, ":head": {"S": HEAD_SORT}},
            )
        for item in found["Items"]:
            return RingHead(
                ring=ring,
                table=table,
                ring_key=ring_key,
                cluster=str(item.get("cluster", {}).get("S", "")),
                format=str(item.get("format", {}).get("N", "")),
            )
        return None

    def is_empty(self, table: str) -> bool:
        """Whether a table holds no item at all, of whatever key.

        Raises:
            DeniedError: The credentials do not allow Scan.
            UnreachableError: There is no such table, or DynamoDB gave no usable answer.
        """
        with translated(f"Scan of the table {self._named(table)}"):
            found = self._clients.client("dynamodb").scan(
                TableName=table, ConsistentRead=True, Limit=1
            )
        return not found["Items"] and "LastEvaluatedKey" not in found

    def create_table(self, spec: TableSpec) -> Outcome:
        """Make a ring table and wait until it is active; safe to repeat.

        A table that is there with the right keys is kept as it is, apart from a TTL that is asked
        for and missing.

        Raises:
            BlockedError: A table of that name has other keys, or expires by another attribute.
            DeniedError: The credentials do not allow it.
            UnreachableError: DynamoDB gave no usable answer, or the table does not become active.
        """
        made = self._describe(spec.name, spec.region) is None and self._create(spec)
        table = self._active(spec)
        enabled = spec.ttl and self._expire(spec, table)
        what = f"table {spec.name} in {spec.region}"
        if made:
            return Outcome(detail=f"{what} is active{' and expires items' if enabled else ''}")
        if enabled:
            return Outcome(detail=f"{what} was there; it expires items by {TTL_ATTRIBUTE} now")
        return Outcome(detail=f"{what} was there with the right keys", already=True)

    def _create(self, spec: TableSpec) -> bool:
        """Ask for the table; False when somebody else asked first."""
        client = self._clients.client("dynamodb", region=spec.region)
        with translated(f"CreateTable of {self._named(spec.name, spec.region)}"):
            try:
                client.create_table(
                    TableName=spec.name,
                    AttributeDefinitions=[
                        {"AttributeName": HASH_KEY, "AttributeType": "S"},
                        {"AttributeName": RANGE_KEY, "AttributeType": "S"},
                    ],
                    KeySchema=[
                        {"AttributeName": HASH_KEY, "KeyType": "HASH"},
                        {"AttributeName": RANGE_KEY, "KeyType": "RANGE"},
                    ],
                    BillingMode="PAY_PER_REQUEST",
                    DeletionProtectionEnabled=spec.deletion_protection,
                    Tags=[{"Key": key, "Value": value} for key, value in spec.tags.items()],
                )
            except client.exceptions.ResourceInUseException:
                return False
        return True

    def _active(self, spec: TableSpec) -> Table:
        """Wait until the table is active and make sure that it is a ring table."""
        deadline = self._now() + _WAIT_SECONDS
        while True:
            table = self._describe(spec.name, spec.region)
            if table is not None and not table.is_ring_table:
                keys = ", ".join(f"{key.name} ({key.role}, {key.type})" for key in table.keys)
                raise BlockedError(
                    f"the table {self._named(spec.name, spec.region)} is there with other keys: "
                    f"{keys}",
                    hint=f"a ring table has {HASH_KEY} (HASH, S) and {RANGE_KEY} (RANGE, S): "
                    "choose another name",
                )
            if table is not None and table.status == "ACTIVE":
                return table
            if self._now() >= deadline:
                status = table.status if table else "not listed"
                raise UnreachableError(
                    f"the table {self._named(spec.name, spec.region)} is still {status} "
                    f"after {spoken(_WAIT_SECONDS)}",
                    hint="look at it in the AWS console; repeating is safe",
                )
            self._sleep(_POLL_SECONDS)

    def _expire(self, spec: TableSpec, table: Table) -> bool:
        """Turn the TTL on; False when it is on."""
        if table.ttl_attribute == TTL_ATTRIBUTE:
            return False
        where = self._named(spec.name, spec.region)
        if table.ttl_attribute:
            raise BlockedError(
                f"the table {where} expires items by {table.ttl_attribute!r}, "
                f"a ring table by {TTL_ATTRIBUTE!r}",
                hint="turn that TTL off first, or choose another table",
            )
        with translated(f"UpdateTimeToLive of {where}"):
            self._clients.client("dynamodb", region=spec.region).update_time_to_live(
                TableName=spec.name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE},
            )
        return True

    def _describe(self, name: str, region: str) -> Table | None:
        client = self._clients.client("dynamodb", region=region)
        with translated(f"DescribeTable of {self._named(name, region)}"):
            try:
                described = client.describe_table(TableName=name)["Table"]
            except client.exceptions.ResourceNotFoundException:
                return None
        attribute, known = self._time_to_live(client, name, region)
        return _table(described, attribute, known)

    def _time_to_live(self, client: Any, name: str, region: str) -> tuple[str, bool]:
        """The attribute that items expire by, and whether that could be found out."""
        try:
            with translated(f"DescribeTimeToLive of {self._named(name, region)}"):
                answer = client.describe_time_to_live(TableName=name)
        except MigrateError as error:
            # Not needed for anything but a warning, so a role without it can still work; and a
            # table that is being made or deleted has none yet.
            cause = error.__cause__
            missing = isinstance(cause, Exception) and code_of(cause) in {
                "ResourceNotFoundException",
                "ValidationException",
            }
            if isinstance(error, DeniedError) or missing:
                return "", False
            raise
        described = answer["TimeToLiveDescription"]
        on = described.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
        return (str(described.get("AttributeName", "")) if on else ""), True

    def _named(self, table: str, region: str = "") -> str:
        return f"{table} in {region or self._clients.region or 'an unknown region'}"


def member_of(key: str, item: dict[str, Any]) -> Member:
    """A member as its item has it.

    Raises:
        DocumentError: The item is not one that a ring client wrote.
    """
    data = item.get("Data", {}).get("B")
    if not isinstance(data, bytes):
        raise DocumentError("the item has no binary Data", path=f"ring item {key}")
    version = item.get("version", {}).get("N")
    try:
        lock = int(version) if version is not None else None
    except ValueError as error:
        raise DocumentError(f"its version is {version!r}", path=f"ring item {key}") from error
    return decode_instance(key, data, lock)


def _table(described: dict[str, Any], ttl_attribute: str, ttl_known: bool) -> Table:
    types = {
        one["AttributeName"]: one["AttributeType"] for one in described["AttributeDefinitions"]
    }
    return Table(
        name=described["TableName"],
        status=described["TableStatus"],
        keys=tuple(
            TableKey(
                name=key["AttributeName"],
                role=key["KeyType"],
                type=types.get(key["AttributeName"], ""),
            )
            for key in described["KeySchema"]
        ),
        # A table that was never on-demand has no summary.
        billing=described.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        deletion_protection=bool(described.get("DeletionProtectionEnabled", False)),
        ttl_attribute=ttl_attribute,
        ttl_known=ttl_known,
        kms_key=described.get("SSEDescription", {}).get("KMSMasterKeyArn", ""),
        arn=described.get("TableArn", ""),
    )
