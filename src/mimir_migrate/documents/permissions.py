"""Which AWS permissions a ring table needs: the pods' ring client's, and this tool's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mimir_migrate.model.rings import Product

ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
"""The annotation that makes EKS hand a role to the pods of a service account."""

_BEFORE_1_20 = ("dynamodb:Query", "dynamodb:BatchWriteItem", "dynamodb:DeleteItem")
_SINCE_1_20 = ("dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem")
"""Cortex's DynamoDB client: batches until 1.19, transactions since 1.20.0. A transaction is allowed
by the actions of the writes in it and has none of its own."""

POD_KMS_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
"""What a client of a table with a customer key must be allowed on that key; DynamoDB calls KMS in the
client's name."""

TOOL_READS = ("dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:Query")
"""What the inspection and the gates call."""

TOOL_CREATES = ("dynamodb:CreateTable", "dynamodb:TagResource")
"""What making a table takes besides; CreateTable with tags checks both."""

TOOL_EXPIRES = ("dynamodb:UpdateTimeToLive",)
"""Only where a TTL is asked for."""

TOOL_CLEANS = ("dynamodb:Scan", "dynamodb:DeleteItem", "dynamodb:DeleteTable")
"""What `clean --remove` calls besides; a look needs Scan, to tell whether a table is empty."""

ROLE_READS = (
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
)
"""What reading a role of the pods calls; the tool works without."""


_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "us-isof-": "aws-iso-f",
    "eu-isoe-": "aws-iso-e",
    "eusc-": "aws-eusc",
}
"""By the beginning of a region's name (AWS general reference, ARNs; botocore's partitions)."""


def pod_actions(version: str, *, product: Product = Product.CORTEX) -> tuple[str, ...]:
    """The DynamoDB actions that a pod's ring client calls.

    Args:
        version: From `cortex_build_info`; empty or a branch's name where nobody knows.
        product: A Mimir build's version does not tell whose client it carries.

    Returns:
        For a client that is not known, the actions of every client.
    """
    match = re.match(r"v?(\d+)\.(\d+)\.", version)
    if product is Product.CORTEX and match:
        return _SINCE_1_20 if (int(match[1]), int(match[2])) >= (1, 20) else _BEFORE_1_20
    if product is Product.CORTEX and re.match(r"(master|main)\b", version):
        return _SINCE_1_20
    return (*_SINCE_1_20, "dynamodb:BatchWriteItem")


def tool_actions(*, creates: bool, ttl: bool = False) -> tuple[str, ...]:
    """The DynamoDB actions that this tool calls itself.

    Args:
        creates: Whether it makes tables through the API.
        ttl: Whether a TTL is asked for.
    """
    return (
        *TOOL_READS,
        *(TOOL_CREATES if creates else ()),
        *(TOOL_EXPIRES if creates and ttl else ()),
    )


def pod_policy(
    tables: Sequence[str], actions: Sequence[str], *, kms_keys: Sequence[str] = ()
) -> dict[str, Any]:
    """The least policy for the role of the pods.

    Args:
        tables: ARNs of the ring tables.
        actions: See `pod_actions`.
        kms_keys: ARNs of the tables' customer keys.
    """
    return _policy("RingTables", tables, actions, kms_keys)


def tool_policy(
    tables: Sequence[str], *, creates: bool, ttl: bool = False, kms_keys: Sequence[str] = ()
) -> dict[str, Any]:
    """The least policy for whoever runs this tool.

    Naming the account (`sts:GetCallerIdentity`) needs no permission.

    Args:
        tables: ARNs of the ring tables.
        creates: Whether it makes tables through the API.
        ttl: Whether a TTL is asked for.
        kms_keys: ARNs of the tables' customer keys.
    """
    return _policy("RingTables", tables, tool_actions(creates=creates, ttl=ttl), kms_keys)


def cleaning_policy(tables: Sequence[str]) -> dict[str, Any]:
    """The policy with which `clean` may remove what is left of ring tables; no migration needs it.

    Args:
        tables: ARNs of the ring tables.
    """
    return _policy("RingTableRemains", tables, (*TOOL_READS, *TOOL_CLEANS), ())


def role_policy() -> dict[str, Any]:
    """The policy with which this tool may read the pods' roles where Terraform does not tell."""
    return _policy("PodRoles", ["*"], ROLE_READS, ())


def simulation_policy() -> dict[str, Any]:
    """The policy with which this tool may let IAM simulate what the pods' role may do."""
    return _policy("PodRoleSimulation", ["*"], ("iam:SimulatePrincipalPolicy",), ())


def table_arn(name: str, *, region: str = "", account: str = "", partition: str = "") -> str:
    """The ARN of a table; `*` stands for what is not known.

    Args:
        name: Of the table.
        region: Where it is; empty: not known.
        account: Whose it is; empty: not known.
        partition: Of AWS; empty: the region's, and that of most where no region is known, for IAM takes
            no policy with a `*` there.
    """
    partition = partition or (partition_of(region) if region else "aws")
    return f"arn:{partition}:dynamodb:{region or '*'}:{account or '*'}:table/{name}"


def partition_of(region: str, role_arn: str = "") -> str:
    """The AWS partition of a region, else of a role's ARN; `*` where neither tells."""
    for prefix, partition in _PARTITIONS.items():
        if region.startswith(prefix):
            return partition
    if region:
        return "aws"
    match role_arn.split(":"):
        case ["arn", partition, *_]:
            return partition
        case _:
            return "*"


def account_of(role_arn: str) -> str:
    """The account in an ARN; empty where there is none."""
    match role_arn.split(":"):
        case ["arn", _, _, _, account, _, *_]:
            return account
        case _:
            return ""


def _policy(
    sid: str, tables: Sequence[str], actions: Sequence[str], kms_keys: Sequence[str]
) -> dict[str, Any]:
    statements = [
        {
            "Sid": sid,
            "Effect": "Allow",
            "Action": sorted(actions),
            "Resource": sorted(tables),
        }
    ]
    if kms_keys:
        statements.append(
            {
                "Sid": f"{sid}Key",
                "Effect": "Allow",
                "Action": sorted(POD_KMS_ACTIONS),
                "Resource": sorted(kms_keys),
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}
