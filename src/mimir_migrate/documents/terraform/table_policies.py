"""What a policy that a DynamoDB table has itself adds to the policies of a role.

Within one account either may allow a call and both may deny it (IAM user guide, "Policy evaluation logic";
DynamoDB developer guide, "Resource-based policies").
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mimir_migrate.documents.permissions import account_of
from mimir_migrate.documents.policies import Call, Principals, Statement, Verdict, applies
from mimir_migrate.documents.policy_text import (
    Truth,
    all_of,
    any_of,
    covers,
    like,
    negated,
    unknown_in,
)
from mimir_migrate.documents.terraform.facts import ResourcePolicyFact, RoleFact

_ACCOUNT = re.compile(r"\d{12}\Z")


def with_table_policy(
    own: Verdict, policy: ResourcePolicyFact, role: RoleFact, call: Call, role_arn: str
) -> Verdict:
    """The verdict of a role's policies and a table's together.

    Args:
        own: What the role's policies say of the call.
        policy: Of a table.
        role: Under which the call is made.
        call: By the role on a table.
        role_arn: As far as it is known; empty: only Terraform knows it.
    """
    about = covers(policy.table.value, call.resource)
    if about is False or own is Verdict.DENIED:
        return own
    denies, allows = (
        all_of((about, _one(policy, role, call, role_arn, allows=allows)))
        for allows in (False, True)
    )
    if denies:
        return Verdict.DENIED
    if own is Verdict.MISSING and allows is not False:
        own = Verdict.ALLOWED if allows else Verdict.UNKNOWN
    return Verdict.UNKNOWN if own is Verdict.ALLOWED and denies is None else own


def _one(
    policy: ResourcePolicyFact, role: RoleFact, call: Call, role_arn: str, *, allows: bool
) -> Truth:
    """Whether one of its statements of an effect is about the call."""
    found = [
        all_of((_is_named(one, role, role_arn), applies(one, call)))
        for one in policy.statements
        if one.allows is allows
    ]
    return any_of((*found, None) if policy.unread else found)


def _is_named(one: Statement, role: RoleFact, role_arn: str) -> Truth:
    if one.not_principals:
        return negated(_is_among(one.not_principals, role, role_arn, allows=one.allows))
    return _is_among(one.principals, role, role_arn, allows=one.allows)


def _is_among(
    principals: Sequence[Principals], role: RoleFact, role_arn: str, *, allows: bool
) -> Truth:
    return any_of(
        True
        if named.type == "*"
        else None
        if unknown_in(named.type)
        else named.type == "AWS"
        and any_of(_is(name, role, role_arn, allows=allows) for name in named.names)
        for named in principals
    )


def _is(name: str, role: RoleFact, role_arn: str, *, allows: bool) -> Truth:
    """Whether a principal of type AWS is the role."""
    if name in {"*", role_arn, f"${{{role.address}.arn}}"}:
        return True
    if _ACCOUNT.match(name) or name.endswith(":root"):
        if allows:
            # It leaves the allowing to the policies of the account's roles.
            return False
        account = account_of(name) or name
        own = account_of(role_arn)
        return None if not own or unknown_in(account) else account == own
    if ":assumed-role/" in name:
        # One session of a role; those of pods have names that nobody knows beforehand.
        return None if name.split("/")[1] == role.name.value or unknown_in(name) else False
    if role_arn:
        return like(name, role_arn, wild=False)
    if unknown_in(name) or not role.name.known:
        return None
    return name.rsplit("/", 1)[-1] == role.name.value
