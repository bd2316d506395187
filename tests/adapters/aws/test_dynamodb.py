"""Ring tables behind a DynamoDB API: what is read, what is made, and what is refused."""

from __future__ import annotations

import socket

import pytest
from ring_table_items import INDEX_KEYS, member, put, spec

from mimir_migrate.adapters.aws.dynamodb import DynamoDBTables
from mimir_migrate.adapters.aws.session import AwsClients, as_own_error
from mimir_migrate.bridge.head import FORMAT, Head, head_item
from mimir_migrate.errors import BlockedError, DeniedError, UnreachableError, UsageError
from mimir_migrate.model.target import AwsTarget


@pytest.fixture
def tables(clients: AwsClients) -> DynamoDBTables:
    return DynamoDBTables(clients, now=lambda: 1000.0, sleep=lambda _: None)


def test_a_made_table_is_a_ring_table(tables: DynamoDBTables, table_name: str) -> None:
    """On-demand, protected, tagged, with the ring client's keys and without a TTL."""
    outcome = tables.create_table(spec(table_name))

    table = tables.table(table_name)
    assert not outcome.already
    assert table is not None
    assert table.is_ring_table
    assert (table.status, table.billing) == ("ACTIVE", "PAY_PER_REQUEST")
    assert (table.deletion_protection, table.ttl_attribute) == (True, "")
    assert table.arn.endswith(f":table/{table_name}")


def test_the_tags_of_a_made_table_are_on_it(
    tables: DynamoDBTables, clients: AwsClients, table_name: str
) -> None:
    """Somebody who finds the table in the console sees whose it is."""
    tables.create_table(spec(table_name))

    arn = clients.client("dynamodb").describe_table(TableName=table_name)["Table"]["TableArn"]
    tags = clients.client("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "team", "Value": "observability"}]


def test_making_a_table_twice_is_safe(tables: DynamoDBTables, table_name: str) -> None:
    """A run that died after the call finds the table and goes on."""
    tables.create_table(spec(table_name, ttl=True))

    again = tables.create_table(spec(table_name, ttl=True))

    assert again.already


def test_a_ttl_is_on_only_where_asked_for(tables: DynamoDBTables, table_name: str) -> None:
    """The TTL is added to a table that is there when it is asked for, and counts as a change."""
    tables.create_table(spec(table_name))

    outcome = tables.create_table(spec(table_name, ttl=True))

    table = tables.table(table_name)
    assert table is not None
    assert (outcome.already, table.ttl_attribute) == (False, "ttl")


def test_a_table_with_other_keys_is_refused(
    tables: DynamoDBTables, clients: AwsClients, table_name: str
) -> None:
    """An index table of the same name is neither used nor touched."""
    clients.client("dynamodb").create_table(
        TableName=table_name, BillingMode="PAY_PER_REQUEST", **INDEX_KEYS
    )

    with pytest.raises(BlockedError, match="metric_name"):
        tables.create_table(spec(table_name))

    table = tables.table(table_name)
    assert table is not None
    assert not table.is_ring_table


def test_a_table_that_expires_by_another_attribute_is_refused(
    tables: DynamoDBTables, clients: AwsClients, table_name: str
) -> None:
    """DynamoDB has one TTL attribute for a table; changing it is the owner's decision."""
    tables.create_table(spec(table_name))
    clients.client("dynamodb").update_time_to_live(
        TableName=table_name,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
    )

    with pytest.raises(BlockedError, match="expires"):
        tables.create_table(spec(table_name, ttl=True))


def test_no_table_is_none(tables: DynamoDBTables, table_name: str) -> None:
    """Absent is an answer, not an error."""
    assert tables.table(table_name) is None


def test_items_of_one_ring_come_back_as_members(
    tables: DynamoDBTables, clients: AwsClients, table_name: str
) -> None:
    """Members of the asked ring, with their versions; another ring's items stay out."""
    tables.create_table(spec(table_name))
    mine = [member("ingester-0"), member("ingester-1", version=None)]
    for one in mine:
        put(clients, table_name, "collectors/ring", one)
    put(clients, table_name, "collectors/compactor", member("compactor-0"))

    items = tables.items(table_name, "ingester", "collectors/ring")

    assert (items.members, items.undecodable, items.at) == (tuple(mine), (), 1000.0)


def test_a_ring_larger_than_one_page_is_read_whole(
    tables: DynamoDBTables, clients: AwsClients, table_name: str
) -> None:
    """DynamoDB answers 1 MB at a time; members on later pages are members too."""
    tables.create_table(spec(table_name))
    for number in range(6):
        put(clients, table_name, "collectors/ring", member(f"store-{number}", tokens=60_000))
    first = clients.client("dynamodb").query(
        TableName=table_name,
        KeyConditionExpression="RingKey = :ring",
        ExpressionAttributeValues={":ring": {"S": "collectors/ring"}},
    )

    items = tables.items(table_name, "ingester", "collectors/ring")

    assert "LastEvaluatedKey" in first
    assert [one.id for one in items.members] == [f"store-{number}" for number in range(6)]


def test_an_item_that_is_no_member_is_named(
    tables: DynamoDBTables, clients: AwsClients, table_name: str
) -> None:
    """One broken item does not hide the others, and is not dropped in silence."""
    tables.create_table(spec(table_name))
    put(clients, table_name, "collectors/ring", member("ingester-0"))
    for key, data in (("broken", {"B": b"junk"}), ("text", {"S": "junk"})):
        clients.client("dynamodb").put_item(
            TableName=table_name,
            Item={
                "RingKey": {"S": "collectors/ring"},
                "InstanceKey": {"S": key},
                "Data": data,
            },
        )

    items = tables.items(table_name, "ingester", "collectors/ring")

    assert [one.id for one in items.members] == ["ingester-0"]
    assert items.undecodable == ("broken", "text")


def test_items_of_no_table_name_the_table_and_region(
    tables: DynamoDBTables, table_name: str
) -> None:
    """The operator reads which table was asked for, and where."""
    with pytest.raises(UnreachableError, match=f"collectors/ring in the table {table_name} in eu"):
        tables.items(table_name, "ingester", "collectors/ring")


def test_the_account_is_told(tables: DynamoDBTables) -> None:
    """The account stands in the plan, so that nobody applies it to another one."""
    assert tables.account() == "123456789012"
    assert tables.region() == "eu-west-1"


@pytest.mark.usefixtures("clients")
def test_a_closed_port_is_unreachable_and_no_botocore_error() -> None:
    """What cannot be reached says what was asked; botocore's exception stops here."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        target = AwsTarget(region="eu-west-1", endpoint_url=url)
        closed = DynamoDBTables(AwsClients(target, attempts=1))

        with pytest.raises(UnreachableError, match="DescribeTable of rings in eu-west-1"):
            closed.table("rings")
        assert closed.account() == ""


def test_no_region_is_wrong_use(clients: AwsClients, aws_endpoint: str) -> None:
    """A target without a region anywhere is told how to name one."""
    nowhere = DynamoDBTables(AwsClients(AwsTarget(endpoint_url=aws_endpoint)))

    with pytest.raises(UsageError) as caught:
        nowhere.table("rings")

    assert "--aws-region" in caught.value.hint


def test_a_profile_that_is_not_there_is_wrong_use(clients: AwsClients) -> None:
    """The message names the profile."""
    with pytest.raises(UsageError, match="observability"):
        DynamoDBTables(AwsClients(AwsTarget(profile="observability"))).table("rings")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDeniedException", DeniedError),
        ("ExpiredTokenException", DeniedError),
        ("ThrottlingException", UnreachableError),
        ("InternalServerError", UnreachableError),
    ],
)
def test_a_refusal_is_told_from_a_failure(code: str, kind: type[Exception]) -> None:
    """Asking again helps against throttling and not against a missing permission."""
    from botocore.exceptions import ClientError

    error = ClientError({"Error": {"Code": code, "Message": "why"}}, "Query")

    own = as_own_error(error, "Query of rings")

    assert type(own) is kind
    assert "Query of rings" in str(own)
    assert code in str(own)


def test_no_credential_reaches_a_message() -> None:
    """Signatures and key ids that AWS puts into its answers are taken out."""
    from botocore.exceptions import ClientError

    said = "Credential=AKIAIOSFODNN7EXAMPLE/20261122 Signature=abcdef AKIAIOSFODNN7EXAMPLE"
    messages = [
        str(
            as_own_error(ClientError({"Error": {"Code": code, "Message": said}}, "Query"), "Query")
        )
        for code in ("SignatureDoesNotMatch", "AccessDeniedException", "ValidationException")
    ]

    assert not [text for text in messages if "AKIA" in text or "abcdef" in text]


def test_whose_ring_a_bridge_keeps_is_read_from_its_head(
    tables: DynamoDBTables, clients: AwsClients, table_name: str
) -> None:
    """As the bridge itself writes it; a ring without a head is no bridge's."""
    tables.create_table(spec(table_name))
    head = Head(index=7, changed=7, exists=True)
    clients.client("dynamodb").put_item(
        TableName=table_name, Item=head_item("collectors/ring", head, "prod")
    )

    found = tables.head(table_name, "ingester", "collectors/ring")

    assert found is not None
    assert (found.ring, found.cluster, found.format) == ("ingester", "prod", str(FORMAT))
    assert tables.head(table_name, "ruler", "rulers/ring") is None
