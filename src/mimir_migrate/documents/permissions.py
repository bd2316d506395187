"""Which AWS permissions a ring table needs: the pods' ring client's, and this tool's own."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from mimir_migrate.model.rings import Product

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

ROLE_READS = (
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
)
"""What reading a role of the pods calls; the tool works without."""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement of an IAM policy.

    Actions and resources may hold `*` and `?`; a resource that could not be resolved still has its
    `${…}` in it.
    """

    allows: bool = True
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    conditional: bool = False
    """Whether it holds only under conditions."""


class Verdict(StrEnum):
    """Whether a set of policies allows a call."""

    ALLOWED = "allowed"
    MISSING = "missing"
    UNKNOWN = "unknown"


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


def role_policy() -> dict[str, Any]:
    """The policy with which this tool may read the pods' roles where Terraform does not tell."""
    return _policy("PodRoles", ["*"], ROLE_READS, ())


def table_arn(name: str, *, region: str = "", account: str = "", partition: str = "aws") -> str:
    """The ARN of a table; `*` stands for what is not known."""
    return f"arn:{partition}:dynamodb:{region or '*'}:{account or '*'}:table/{name}"


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


def read_policy(document: Any) -> tuple[Statement, ...]:
    """Read the statements of a policy document (the parsed JSON).

    What is no statement is left out; nothing is raised, a broken policy allows nothing.
    """
    if not isinstance(document, dict):
        return ()
    listed = document.get("Statement", [])
    return tuple(
        Statement(
            allows=one.get("Effect", "Allow") == "Allow",
            actions=_texts(one.get("Action")),
            not_actions=_texts(one.get("NotAction")),
            resources=_texts(one.get("Resource")),
            not_resources=_texts(one.get("NotResource")),
            conditional=bool(one.get("Condition")),
        )
        for one in (listed if isinstance(listed, list) else [listed])
        if isinstance(one, dict)
    )


def verdict(statements: Iterable[Statement], action: str, resource: str) -> Verdict:
    """Whether policies allow an action on a resource.

    Args:
        statements: All statements that apply to the role.
        action: E.g. `dynamodb:Query`.
        resource: An ARN; region and account may be `*` where they are not known.

    Returns:
        UNKNOWN where only a statement with a condition, or with a resource that could not be
        resolved, decides. A denial wins over everything.
    """
    allowed = Verdict.MISSING
    for one in statements:
        applies = _applies(one, action, resource)
        if applies is Verdict.MISSING:
            continue
        sure = applies is Verdict.ALLOWED and not one.conditional
        if not one.allows:
            if sure:
                return Verdict.MISSING
            allowed = Verdict.UNKNOWN if allowed is not Verdict.MISSING else allowed
        elif sure and allowed is not Verdict.ALLOWED:
            allowed = Verdict.ALLOWED
        elif allowed is Verdict.MISSING:
            allowed = Verdict.UNKNOWN
    return allowed


def _applies(one: Statement, action: str, resource: str) -> Verdict:
    """Whether a statement is about the action and the resource."""
    if one.not_actions:
        named = not any(_like(pattern, action) for pattern in one.not_actions)
    else:
        named = any(_like(pattern, action) for pattern in one.actions)
    if not named:
        return Verdict.MISSING
    if one.not_resources:
        covers = [_covers(pattern, resource) for pattern in one.not_resources]
        if Verdict.ALLOWED in covers:
            return Verdict.MISSING
        return Verdict.UNKNOWN if Verdict.UNKNOWN in covers else Verdict.ALLOWED
    covers = [_covers(pattern, resource) for pattern in one.resources]
    for found in (Verdict.ALLOWED, Verdict.UNKNOWN):
        if found in covers:
            return found
    return Verdict.MISSING


def _covers(pattern: str, resource: str) -> Verdict:
    """Compare ARNs field by field; a `*` in `resource` is a field that is not known."""
    if pattern in {"*", resource}:
        return Verdict.ALLOWED
    if pattern.startswith("${") and ":" not in pattern.rsplit("}", 1)[-1]:
        fits = _like(re.sub(r"\$\{[^}]*\}", "*", pattern), resource)
        return Verdict.UNKNOWN if fits else Verdict.MISSING
    written, asked = _fields(pattern), _fields(resource)
    if len(written) != len(asked):
        return Verdict.UNKNOWN if "${" in pattern else Verdict.MISSING
    unknown = False
    for field, value in zip(written, asked, strict=True):
        if "${" in field:
            # What stands around the unresolved part still has to fit.
            if not _like(re.sub(r"\$\{[^}]*\}", "*", field), value) and value != "*":
                return Verdict.MISSING
            # Regions and accounts are the deployment's own; a name is what the answer hangs on.
            unknown = unknown or field is written[-1]
        elif value != "*" and not _like(field, value, fold=False):
            return Verdict.MISSING
    return Verdict.UNKNOWN if unknown else Verdict.ALLOWED


def _fields(arn: str) -> list[str]:
    """Split an ARN at its colons, not at those inside `${…}`; the resource keeps its own."""
    parts = re.findall(r"(?:\$\{[^}]*\}|[^:])*(?::|$)", arn)
    fields = [part.removesuffix(":") for part in parts]
    if fields and fields[-1] == "" and not arn.endswith(":"):
        fields.pop()
    head = 5  # arn, partition, service, region, account; the rest is the resource
    return [*fields[:head], ":".join(fields[head:])] if len(fields) > head else fields


def _like(pattern: str, text: str, *, fold: bool = True) -> bool:
    """Match IAM's wildcards; `[` is no wildcard there. Actions do not heed case."""
    escaped = pattern.replace("[", "[[]")
    if fold:
        return fnmatch.fnmatchcase(text.lower(), escaped.lower())
    return fnmatch.fnmatchcase(text, escaped)


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(one) for one in (value if isinstance(value, list) else [value]))
