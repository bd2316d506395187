"""Whether the pods of a service account get a role that may use the ring tables."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence

from mimir_migrate.documents.permissions import ROLE_ANNOTATION
from mimir_migrate.documents.policies import Verdict
from mimir_migrate.documents.policy_text import like
from mimir_migrate.documents.terraform.facts import (
    AssociationFact,
    RoleFact,
    TerraformFacts,
)
from mimir_migrate.documents.terraform.role_permissions import Asked, evidence_of, permissions
from mimir_migrate.documents.terraform.role_trust import (
    POD_IDENTITY_ACTIONS,
    association,
    open_conditions,
    pod_identity,
    trusts_pods,
    trusts_token,
    why_not,
)
from mimir_migrate.documents.terraform.second_opinion import (
    Opinions,
)
from mimir_migrate.model.facts import Evidence, ServiceAccount
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.words import counted

_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::\d+:role/.")
_NOBODY = ("some-other-namespace", "some-other-service-account")
"""A service account that nobody has, to see whether a role lets everybody in."""


def role_findings(
    facts: TerraformFacts,
    account: ServiceAccount,
    namespace: str,
    tables: Sequence[str],
    actions: Sequence[str],
    region: str = "",
    second: Opinions | None = None,
) -> Iterator[Finding]:
    """Whether the pods of one service account get a role that may use the tables.

    Args:
        facts: What was read.
        account: The service account.
        namespace: Of the release.
        tables: Names of the ring tables.
        actions: What the ring's client calls.
        region: Of the tables; empty: not known, and not compared.
        second: What IAM's simulator says of the role that the account names; None: not asked.
    """
    who = f"{namespace}:{account.name}"
    ways = {
        id(role): (
            trusts_token(role, namespace, account.name),
            pod_identity(role, namespace, account.name),
        )
        for role in facts.roles
    }
    trusting = [role for role in facts.roles if Verdict.ALLOWED in ways[id(role)]]
    associated = [role for role in facts.roles if ways[id(role)][1] is not None]
    named = _named(facts.roles, account.role)
    away = _away(facts, namespace, account.name)
    if away and not any(ways[id(role)][1] is Verdict.ALLOWED for role in facts.roles):
        yield _association_elsewhere(away, who)
        return
    if account.role and not associated and _is_no_arn(account.role):
        yield _no_arn(account, who)
        return
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
    elsewhere = account.role and named is None and not is_placeholder(account.role)
    if account.role and elsewhere and trusting and not associated:
        yield _role_elsewhere(account.role, who, trusting)
        return
    role = _worked_under(named, associated, trusting, namespace, account.name)
    if role is None or role not in trusting:
        if role is not None and role in associated:
            yield from _pod_identity(role, account, namespace)
        else:
            yield from _no_trust(facts, role, account, namespace, ways)
    elif ways[id(role)][0] is Verdict.ALLOWED and (
        trusts_token(role, *_NOBODY) is Verdict.ALLOWED
    ):
        yield _everybody(role, who)
    judged = role or next(iter(_for_name(facts.roles, account.name)), None)
    if judged is not None:
        asked = Asked(
            account=account,
            namespace=namespace,
            actions=actions,
            region=region,
            second=second if judged is named and second else {},
            resource_policies=facts.resource_policies,
        )
        yield from permissions(judged, asked, facts.tables, tables)


def _is_no_arn(text: str) -> bool:
    return not is_placeholder(text) and not _ROLE_ARN.match(text)


def _no_arn(account: ServiceAccount, who: str) -> Finding:
    return Finding(
        id="irsa-annotation-wrong",
        severity=Severity.BLOCKS,
        title=f"the service account {who} names {account.role!r}, which is not the ARN of a role: its "
        "pods have no access to DynamoDB",
        evidence=(
            Evidence(
                source=f"serviceaccount {account.name}",
                detail=f"{ROLE_ANNOTATION}: {account.role}",
            ),
        ),
        fix=f"{ROLE_ANNOTATION}: arn:aws:iam::ACCOUNT:role/NAME in the values file's "
        "serviceAccount.annotations",
    )


def _worked_under(
    named: RoleFact | None,
    associated: Sequence[RoleFact],
    trusting: Sequence[RoleFact],
    namespace: str,
    name: str,
) -> RoleFact | None:
    """The role that the pods get: an association goes before the annotation (EKS' webhook)."""
    sure = [
        role
        for role in associated
        if any(one.association and association(one, namespace, name) for one in role.subjects)
    ]
    if sure and named not in sure:
        return next((role for role in sure if role in trusting), sure[0])
    return named or next(iter(associated or trusting), None)


def _away(facts: TerraformFacts, namespace: str, name: str) -> list[AssociationFact]:
    """Associations that give, or may give, the pods a role that these files do not make."""
    return [
        one
        for one in facts.associations
        if not one.is_here and association(one.subject, namespace, name) is not False
    ]


def _association_elsewhere(away: Sequence[AssociationFact], who: str) -> Finding:
    return Finding(
        id="irsa-role-missing",
        severity=Severity.WARNS,
        title=f"Terraform makes no role {away[0].role}, which an EKS pod identity association gives to "
        f"{who}",
        evidence=tuple(
            Evidence(source=f"{one.file} {one.address}", detail=f"role_arn is {one.role}")
            for one in away
        ),
        fix="show where that role is made, or give the output of `terraform show -json`",
        unknown=True,
    )


def _role_elsewhere(arn: str, who: str, trusting: Sequence[RoleFact]) -> Finding:
    names = ", ".join(role.name.value for role in trusting)
    return Finding(
        id="irsa-role-missing",
        severity=Severity.WARNS,
        title=f"Terraform makes no role {arn.rsplit('/', 1)[-1]}, which the service account {who} "
        "names",
        evidence=tuple(
            evidence_of(role, f"trusts {who}, and its pods work under {arn}") for role in trusting
        ),
        fix=f"{ROLE_ANNOTATION} with the ARN of {names}, or show where the other role is made",
        unknown=True,
    )


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


def _everybody(role: RoleFact, who: str) -> Finding:
    return Finding(
        id="irsa-trusts-everybody",
        severity=Severity.WARNS,
        title=f"the role {role.name.value} trusts every service account of its OIDC provider, "
        f"{who} among them",
        evidence=(evidence_of(role, "no condition on `:sub` narrows its trust policy"),),
        fix=f"a condition StringEquals on `:sub`: system:serviceaccount:{who}",
    )


def _pod_identity(role: RoleFact, account: ServiceAccount, namespace: str) -> Iterator[Finding]:
    """An association names the role, and EKS may not do with it what it has to do."""
    found = {
        action: trusts_pods(role, action, namespace, account.name)
        for action in POD_IDENTITY_ACTIONS
    }
    lacks = [action for action, one in found.items() if one in {Verdict.MISSING, Verdict.DENIED}]
    unknown = not lacks
    who = f"{namespace}:{account.name}"
    if unknown:
        title = f"whether the role {role.name.value} trusts EKS pod identity for {who} is unknown"
        open_ones = (open_conditions(role), *_open_associations(role))
        detail = "; ".join(text for text in open_ones if text)
    else:
        title = (
            f"the role {role.name.value} is associated with {who} and does not let "
            f"pods.eks.amazonaws.com {' and '.join(lacks)}: its pods get no credentials"
        )
        detail = f"{counted(len(role.trust), 'statement')} of its trust policy read"
    yield Finding(
        id="pod-identity-trust",
        severity=Severity.BLOCKS,
        title=title,
        evidence=(evidence_of(role, detail or "its trust policy is not known"),),
        fix="allow sts:AssumeRole and sts:TagSession to the service pods.eks.amazonaws.com in the "
        "role's trust policy",
        unknown=unknown,
    )


def _open_associations(role: RoleFact) -> Iterator[str]:
    for one in role.subjects:
        if one.association and (one.doubt or not one.known):
            yield f"association of {one.namespace}:{one.name}: {one.doubt or 'not known'}"


def _no_trust(
    facts: TerraformFacts,
    named: RoleFact | None,
    account: ServiceAccount,
    namespace: str,
    ways: dict[int, tuple[Verdict, Verdict | None]],
) -> Iterator[Finding]:
    who = f"{namespace}:{account.name}"
    fix = f"system:serviceaccount:{who} in the condition on `:sub` of the role's trust policy"
    maybe = [role for role in facts.roles if Verdict.UNKNOWN in ways[id(role)]]
    candidates = [named] if named else maybe or _for_name(facts.roles, account.name)
    for role in candidates:
        if ways[id(role)][0] is Verdict.UNKNOWN:
            yield Finding(
                id="irsa-trust-unknown",
                severity=Severity.BLOCKS,
                title=f"whether the role {role.name.value} trusts {who} is unknown",
                evidence=(evidence_of(role, open_conditions(role) or _trusts(role)),),
                fix="give the output of `terraform show -json`",
                unknown=True,
            )
            continue
        names = [one for one in role.subjects if fnmatch.fnmatchcase(account.name, one.name)]
        fits = any(fnmatch.fnmatchcase(namespace, one.namespace) for one in names)
        if fits:
            title = f"the role {role.name.value} does not let {who} in: "
            title += why_not(role, namespace, account.name)
            yield Finding(
                id="irsa-not-trusted",
                severity=Severity.BLOCKS,
                title=title,
                evidence=(evidence_of(role, f"names {_trusts(role)}"),),
                fix=fix,
            )
            continue
        title = f"the role {role.name.value} trusts {_trusts(role)}, not {who}"
        yield Finding(
            id="irsa-wrong-namespace" if names else "irsa-wrong-service-account",
            severity=Severity.BLOCKS,
            title=title,
            evidence=(evidence_of(role, f"names {_trusts(role)}"),),
            fix=fix,
        )
    if not candidates:
        unread = tuple(
            Evidence(source=one.split(": ", 1)[0], detail=one.split(": ", 1)[-1])
            for one in (() if facts.shown else facts.unread)
        )
        nobody = Evidence(source="terraform", detail="no role trusts that service account")
        yield Finding(
            id="irsa-role-missing",
            severity=Severity.WARNS,
            title=f"Terraform makes no role that {who} may take"
            + (", as far as it could be read" if unread else ""),
            evidence=(nobody, *unread),
            fix="make a role with the policy that `mimir-migrate rbac` prints, or show where it "
            "is made",
            unknown=bool(account.role) or bool(unread),
        )


# --- which role -----------------------------------------------------------------------------------


def _named(roles: Sequence[RoleFact], arn: str | None) -> RoleFact | None:
    """The role that an annotation names; None where these files do not make it."""
    if not arn or is_placeholder(arn):
        return None
    name = arn.rsplit("/", 1)[-1]
    surely = (role for role in roles if role.name.known and role.name.value == name)
    perhaps = (role for role in roles if _may_be(role, name))
    return next(surely, None) or next(perhaps, None)


def is_placeholder(text: str) -> bool:
    """Whether somebody else fills the text in: Terraform, the shell, Helm."""
    return "$" in text or "{{" in text


def _may_be(role: RoleFact, name: str) -> bool:
    """Whether a role whose name only Terraform knows may be the one of a name."""
    if role.goes_on:
        return name.startswith(role.name.value)
    return not role.name.known and like(role.name.value, name, wild=False) is not False


def _for_name(roles: Sequence[RoleFact], name: str) -> list[RoleFact]:
    """Roles that trust a service account of that name in whichever namespace."""
    return [
        role
        for role in roles
        if any(
            one.name in (name, "*") or (not one.known and "${" in one.name)
            for one in role.subjects
        )
        or role.trust_reason
    ]


def _trusts(role: RoleFact) -> str:
    return (
        ", ".join(f"{one.namespace}:{one.name}" for one in role.subjects) or "nobody that is known"
    )
