"""The least permissions that a ring table needs, and whether policies give them."""

from __future__ import annotations

import pytest

from mimir_migrate.cli import run
from mimir_migrate.documents.cluster_rights import namespace_rules, secret_names
from mimir_migrate.documents.permissions import (
    account_of,
    cleaning_policy,
    partition_of,
    pod_actions,
    pod_policy,
    table_arn,
    tool_actions,
    tool_policy,
)
from mimir_migrate.documents.policies import Verdict, read_policy, verdict
from mimir_migrate.model.rings import Product
from mimir_migrate.model.target import CopyPlace, JournalTarget, KubernetesTarget, Target

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
    assert tool_policy([TABLE], creates=True) == tool_policy([TABLE], creates=True, ttl=False)
    assert tool_policy([TABLE], creates=True) != tool_policy([TABLE], creates=True, ttl=True)


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


def test_cleaning_takes_what_no_migration_needs() -> None:
    """Looking into a table, and removing its items and itself; never making one."""
    statements = read_policy(cleaning_policy([TABLE]))

    for action in ("DescribeTable", "Scan", "DeleteItem", "DeleteTable"):
        assert verdict(statements, f"dynamodb:{action}", TABLE) is Verdict.ALLOWED
    assert verdict(statements, "dynamodb:CreateTable", TABLE) is Verdict.MISSING
    assert verdict(statements, "dynamodb:Scan", table_arn("other")) is Verdict.MISSING


def test_a_customer_key_is_in_the_policy() -> None:
    """DynamoDB uses the key in the client's name."""
    key = "arn:aws:kms:eu-west-1:123456789012:key/abc"

    statements = read_policy(pod_policy([TABLE], pod_actions("1.21.1"), kms_keys=[key]))

    assert verdict(statements, "kms:Decrypt", key) is Verdict.ALLOWED
    assert verdict(statements, "kms:GenerateDataKey", key) is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("region", "role", "partition"),
    [
        ("eu-west-1", "", "aws"),
        ("us-gov-west-1", "arn:aws:iam::1:role/x", "aws-us-gov"),
        ("cn-north-1", "", "aws-cn"),
        ("", "arn:aws-cn:iam::1:role/x", "aws-cn"),
        ("", "", "*"),
        ("", "ring-role", "*"),
        ("", "x:aws:iam::1:role/x", "*"),
    ],
)
def test_the_partition_is_the_region_s(region: str, role: str, partition: str) -> None:
    """The region tells it, else the role's ARN; without either it is not known."""
    assert partition_of(region, role) == partition


def test_the_account_is_in_the_role_s_arn() -> None:
    """A name alone has none."""
    assert account_of("arn:aws:iam::123456789012:role/path/x") == "123456789012"
    assert account_of("x") == ""
    assert account_of("x:aws:iam::123456789012:role/x") == ""


def test_a_journal_that_is_kept_in_the_cluster_takes_its_secrets() -> None:
    """Those and no others, and only where it is kept there."""
    release = KubernetesTarget(namespace="metrics", release="mimir")

    def named(copy: CopyPlace) -> list[tuple[str, ...]]:
        target = Target(kubernetes=release, journal=JournalTarget(copy=copy))
        rules = namespace_rules(target, lease="x", revision=7)
        return [one.names for one in rules if "secrets" in one.resources and "update" in one.verbs]

    assert named(CopyPlace.NONE) == []
    assert named(CopyPlace.CLUSTER) == [secret_names("mimir")]


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("eusc-de-east-1", "aws-eusc"),
        ("", "aws"),
    ],
)
def test_a_table_is_in_the_partition_of_its_region(region: str, partition: str) -> None:
    """A policy that names another one allows nothing."""
    assert table_arn("rings", region=region).startswith(f"arn:{partition}:dynamodb:")


def test_what_rbac_prints_is_for_the_region_s_partition(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Pods of a cluster in China get a policy that allows them something."""
    flags = ("--namespace", "mimir", "--release", "mimir", "--table", "rings")

    assert run(["rbac", *flags, "--aws-region", "cn-north-1"]) == 0
    printed = capsys.readouterr().out
    assert "arn:aws-cn:dynamodb:cn-north-1:*:table/rings" in printed
    assert "arn:aws:dynamodb" not in printed
    assert run(["rbac", *flags, "--aws-region", "eusc-de-east-1"]) == 0
