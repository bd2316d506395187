"""Whether the pods of a service account get a role that may use the ring tables."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence

from mimir_migrate.documents.permissions import (
    POD_KMS_ACTIONS,
    Verdict,
    table_arn,
    verdict,
)
from mimir_migrate.documents.terraform.facts import (
    RoleFact,
    Subject,
    TableFact,
    TerraformFacts,
)
from mimir_migrate.model.facts import Evidence, ServiceAccount
from mimir_migrate.model.findings import Finding, Severity

ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
"""The annotation that makes EKS hand a role to the pods of a service account."""


def role_findings(
    facts: TerraformFacts,
    account: ServiceAccount,
    namespace: str,
    tables: Sequence[str],
    actions: Sequence[str],
) -> Iterator[Finding]:
    """Whether the pods of one service account get a role that may use the tables.

    Args:
        facts: What was read.
        account: The service account.
        namespace: Of the release.
        tables: Names of the ring tables.
        actions: What the ring's client calls.
    """
    who = f"{namespace}:{account.name}"
    trusting = [
        role
        for role in facts.roles
        if any(_is(one, namespace, account.name) for one in role.subjects)
    ]
    associated = [
        role
        for role in trusting
        if any(one.association and _is(one, namespace, account.name) for one in role.subjects)
    ]
    named = _named(facts.roles, account.role)
    if account.role == "" and not associated:
        yield _no_annotation(account, who, trusting or _for_name(facts.roles, account.name))
    elif account.role is None and not associated:
        yield Finding(
            id="irsa-annotation-unknown",
            severity=Severity.BLOCKS,
            title=f"whether the service account {who} has a role is unknown",
            evidence=(Evidence(source=f"serviceaccount {who}", detail="could not be read"),),
            fix=f"kubectl -n {namespace} get serviceaccount {account.name} -o yaml",
            unknown=True,
        )
    role = named or next(iter(associated or trusting), None)
    if role is None or role not in trusting:
        yield from _no_trust(facts.roles, role, account, namespace)
    judged = role or next(iter(_for_name(facts.roles, account.name)), None)
    if judged is not None:
        yield from _permissions(judged, who, facts.tables, tables, actions)


def _no_annotation(account: ServiceAccount, who: str, candidates: Sequence[RoleFact]) -> Finding:
    role = candidates[0].name.value if candidates else "ROLE"
    return Finding(
        id="irsa-annotation-missing",
        severity=Severity.BLOCKS,
        title=f"the service account {who} has no role: its pods have no access to DynamoDB",
        evidence=(
            Evidence(
                source=f"serviceaccount {account.name}",
                detail=f"no annotation {ROLE_ANNOTATION}, and no pod identity association",
            ),
        ),
        fix=f"serviceAccount.annotations in the values file: {ROLE_ANNOTATION}: "
        f"arn:aws:iam::ACCOUNT:role/{role}",
    )


def _no_trust(
    roles: Sequence[RoleFact], named: RoleFact | None, account: ServiceAccount, namespace: str
) -> Iterator[Finding]:
    who = f"{namespace}:{account.name}"
    fix = f"system:serviceaccount:{who} in the condition on `:sub` of the role's trust policy"
    candidates = [named] if named else _for_name(roles, account.name)
    for role in candidates:
        if role.trust_reason or any(not one.known for one in role.subjects):
            yield Finding(
                id="irsa-trust-unknown",
                severity=Severity.BLOCKS,
                title=f"whether the role {role.name.value} trusts {who} is unknown",
                evidence=(_from(role, role.trust_reason or _trusts(role)),),
                fix="give the output of `terraform show -json`",
                unknown=True,
            )
            continue
        wrong_name = not any(fnmatch.fnmatchcase(account.name, one.name) for one in role.subjects)
        yield Finding(
            id="irsa-wrong-service-account" if wrong_name else "irsa-wrong-namespace",
            severity=Severity.BLOCKS,
            title=f"the role {role.name.value} trusts {_trusts(role)}, not {who}",
            evidence=(_from(role, f"trusts {_trusts(role)}"),),
            fix=fix,
        )
    if not candidates:
        yield Finding(
            id="irsa-role-missing",
            severity=Severity.WARNS,
            title=f"Terraform makes no role that {who} may take",
            evidence=(Evidence(source="terraform", detail="no role trusts that service account"),),
            fix="make a role with the policy that `mimir-migrate rbac` prints, or show where it "
            "is made",
            unknown=bool(account.role),
        )


def _permissions(
    role: RoleFact,
    who: str,
    known: Sequence[TableFact],
    tables: Sequence[str],
    actions: Sequence[str],
) -> Iterator[Finding]:
    for name in dict.fromkeys(tables):
        table = next((one for one in known if one.name.known and one.name.value == name), None)
        yield from _verdicts(role, who, f"the table {name}", table_arn(name), actions, "actions")
        if table is not None and table.kms_key:
            yield from _verdicts(
                role, who, f"the key of the table {name}", table.kms_key, POD_KMS_ACTIONS, "kms"
            )


def _verdicts(
    role: RoleFact, who: str, what: str, arn: str, actions: Sequence[str], kind: str
) -> Iterator[Finding]:
    found = {action: verdict(role.statements, action, arn) for action in actions}
    if "${" in arn:
        # The key itself is not known: only a statement on every key is a sure yes.
        found = {
            action: Verdict.UNKNOWN if one is Verdict.MISSING and _mentions(role, action) else one
            for action, one in found.items()
        }
    missing = [action for action, one in found.items() if one is Verdict.MISSING]
    unknown = [action for action, one in found.items() if one is Verdict.UNKNOWN]
    if missing and role.unread:
        unknown, missing = [*unknown, *missing], []
    if missing:
        yield Finding(
            id=f"iam-missing-{kind}",
            severity=Severity.BLOCKS,
            title=f"the role {role.name.value} of {who} lacks {', '.join(missing)} on {what}",
            evidence=(_from(role, f"{len(role.statements)} statements of its policies read"),),
            fix=f"allow them on {arn}; `mimir-migrate rbac` prints the least policy",
        )
    if unknown:
        why = "; ".join(role.unread) or "; ".join(_open_resources(role, unknown))
        yield Finding(
            id=f"iam-unknown-{kind}",
            severity=Severity.BLOCKS,
            title=f"whether the role {role.name.value} of {who} may {', '.join(unknown)} on {what} "
            "is unknown",
            evidence=(_from(role, why),),
            fix="give the output of `terraform show -json`",
            unknown=True,
        )


def _open_resources(role: RoleFact, actions: Sequence[str]) -> Iterator[str]:
    """Resources of statements on these actions that the files do not tell."""
    seen = set()
    for one in role.statements:
        if any(fnmatch.fnmatch(action, pattern) for action in actions for pattern in one.actions):
            for resource in one.resources:
                if ("${" in resource or one.conditional) and resource not in seen:
                    seen.add(resource)
                    yield f"{resource}{' under a condition' if one.conditional else ''}"


def _mentions(role: RoleFact, action: str) -> bool:
    return any(
        one.allows and any(fnmatch.fnmatch(action, pattern) for pattern in one.actions)
        for one in role.statements
    )


def _is(subject: Subject, namespace: str, name: str) -> bool:
    return fnmatch.fnmatchcase(namespace, subject.namespace) and fnmatch.fnmatchcase(
        name, subject.name
    )


def _named(roles: Sequence[RoleFact], arn: str | None) -> RoleFact | None:
    """The role that an annotation names; None where these files do not make it."""
    if not arn:
        return None
    name = arn.rsplit("/", 1)[-1]
    return next((role for role in roles if role.name.known and role.name.value == name), None)


def _for_name(roles: Sequence[RoleFact], name: str) -> list[RoleFact]:
    """Roles that trust a service account of that name in whichever namespace."""
    return [
        role
        for role in roles
        if any(one.name == name or (not one.known and "${" in one.name) for one in role.subjects)
        or role.trust_reason
    ]


def _trusts(role: RoleFact) -> str:
    return (
        ", ".join(f"{one.namespace}:{one.name}" for one in role.subjects) or "nobody that is known"
    )


def _from(role: RoleFact, detail: str) -> Evidence:
    return Evidence(source=f"{role.file} {role.address}", detail=detail)
