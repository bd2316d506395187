"""The least permissions that a ring table needs, and whether policies give them."""

from __future__ import annotations

import pytest

from mimir_migrate.documents.permissions import (
    Statement,
    Verdict,
    pod_actions,
    pod_policy,
    read_policy,
    table_arn,
    tool_actions,
    tool_policy,
    verdict,
)
from mimir_migrate.model.rings import Product

TABLE = table_arn("rings")


@pytest.mark.parametrize(
    ("version", "product", "actions"),
    [
        ("1.16.0", Product.CORTEX, {"Query", "BatchWriteItem", "DeleteItem"}),
        ("1.19.1", Product.CORTEX, {"Query", "BatchWriteItem", "DeleteItem"}),
        ("1.20.0", Product.CORTEX, {"Query", "PutItem", "DeleteItem"}),
        ("v1.21.1", Product.CORTEX, {"Query", "PutItem", "DeleteItem"}),
        ("master-a8c6358a", Product.CORTEX, {"Query", "PutItem", "DeleteItem"}),
        ("", Product.CORTEX, {"Query", "PutItem", "DeleteItem", "BatchWriteItem"}),
        ("2.17.0", Product.MIMIR, {"Query", "PutItem", "DeleteItem", "BatchWriteItem"}),
    ],
)
def test_pods_need_what_their_client_calls(
    version: str, product: Product, actions: set[str]
) -> None:
    """The client changed its calls with 1.20; one that nobody knows may make any of them."""
    assert set(pod_actions(version, product=product)) == {f"dynamodb:{one}" for one in actions}


def test_the_tool_needs_more_only_for_what_it_makes() -> None:
    """Reading is enough where Terraform makes the tables."""
    reads = set(tool_actions(creates=False, ttl=True))

    assert not {one for one in reads if "Create" in one or "Update" in one}
    assert set(tool_actions(creates=True)) - reads == {
        "dynamodb:CreateTable",
        "dynamodb:TagResource",
    }
    assert "dynamodb:UpdateTimeToLive" in tool_actions(creates=True, ttl=True)


def test_a_written_policy_allows_what_it_is_for_and_nothing_else() -> None:
    """The policies that are offered pass the check that is made of policies."""
    for policy, actions in (
        (pod_policy([TABLE], pod_actions("1.21.1")), pod_actions("1.21.1")),
        (tool_policy([TABLE], creates=True), tool_actions(creates=True)),
    ):
        statements = read_policy(policy)
        assert {verdict(statements, one, TABLE) for one in actions} == {Verdict.ALLOWED}
        assert verdict(statements, "dynamodb:Scan", TABLE) is Verdict.MISSING
        assert verdict(statements, actions[0], table_arn("other")) is Verdict.MISSING


def test_a_customer_key_is_in_the_policy() -> None:
    """DynamoDB uses the key in the client's name."""
    key = "arn:aws:kms:eu-west-1:123456789012:key/abc"

    statements = read_policy(pod_policy([TABLE], pod_actions("1.21.1"), kms_keys=[key]))

    assert verdict(statements, "kms:Decrypt", key) is Verdict.ALLOWED
    assert verdict(statements, "kms:GenerateDataKey", key) is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("*", Verdict.ALLOWED),
        ("arn:aws:dynamodb:eu-west-1:123456789012:table/rings", Verdict.ALLOWED),
        ("arn:aws:dynamodb:*:*:table/ri*", Verdict.ALLOWED),
        ("arn:aws:dynamodb:${var.region}:${data.x.y.account_id}:table/rings", Verdict.ALLOWED),
        ("arn:aws:dynamodb:eu-west-1:1:table/${var.name}", Verdict.UNKNOWN),
        ("arn:aws:dynamodb:eu-west-1:1:table/${var.env}-rings-x", Verdict.MISSING),
        ("${local.table_arn}", Verdict.UNKNOWN),
        ("${local.table_arn}/index/*", Verdict.MISSING),
        ("arn:aws:dynamodb:eu-west-1:1:table/other", Verdict.MISSING),
        ("arn:aws:dynamodb:eu-west-1:1:table/Rings", Verdict.MISSING),
        ("arn:aws:dynamodb:eu-west-1:1:table/rings/index/*", Verdict.MISSING),
        ("arn:aws:s3:::rings", Verdict.MISSING),
    ],
)
def test_a_resource_covers_a_table_or_not(resource: str, expected: Verdict) -> None:
    """Names decide; what Terraform alone can compute is unknown and no yes."""
    statements = [Statement(actions=("dynamodb:*",), resources=(resource,))]

    assert verdict(statements, "dynamodb:Query", TABLE) is expected


def test_a_key_that_only_terraform_knows_is_itself() -> None:
    """A statement on the very expression that the table names covers it."""
    key = "${aws_kms_key.own.arn}"
    own = [Statement(actions=("kms:Decrypt",), resources=(key,))]
    other = [Statement(actions=("kms:Decrypt",), resources=("${aws_kms_key.other.arn}",))]

    assert verdict(own, "kms:Decrypt", key) is Verdict.ALLOWED
    assert verdict(other, "kms:Decrypt", key) is Verdict.UNKNOWN


def test_a_denial_wins() -> None:
    """Whatever else allows it, in whichever order."""
    allow = Statement(actions=("DynamoDB:query",), resources=("*",))
    deny = Statement(allows=False, not_actions=("s3:*",), resources=("*",))

    assert verdict([allow], "dynamodb:Query", TABLE) is Verdict.ALLOWED
    assert verdict([allow, deny], "dynamodb:Query", TABLE) is Verdict.MISSING
    assert verdict([deny, allow], "dynamodb:Query", TABLE) is Verdict.MISSING


def test_a_condition_makes_it_unknown() -> None:
    """Nobody but IAM knows whether the condition holds."""
    allow = Statement(actions=("dynamodb:Query",), resources=("*",), conditional=True)

    assert verdict([allow], "dynamodb:Query", TABLE) is Verdict.UNKNOWN
