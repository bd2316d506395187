"""Whether the pods of a service account get a role that may use the ring tables."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence

import msgspec

from mimir_migrate.documents.permissions import (
    POD_KMS_ACTIONS,
    account_of,
    partition_of,
    table_arn,
)
from mimir_migrate.documents.policies import Call, Statement, Verdict, applies, verdict
from mimir_migrate.documents.policy_conditions import Context
from mimir_migrate.documents.policy_text import OWN_REGION, unknown_in
from mimir_migrate.documents.terraform.facts import (
    RoleFact,
    TableFact,
    TerraformFacts,
)
from mimir_migrate.documents.terraform.role_trust import (
    POD_IDENTITY_ACTIONS,
    open_conditions,
    pod_identity,
    trusts_pods,
    trusts_token,
    why_not,
)
from mimir_migrate.documents.terraform.second_opinion import (
    Opinions,
    contradiction,
    settled,
    verdict_of,
)
from mimir_migrate.model.facts import Evidence, ServiceAccount
from mimir_migrate.model.findings import Finding, Severity

ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
"""The annotation that makes EKS hand a role to the pods of a service account."""

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
        )
        yield from _permissions(judged, asked, facts.tables, tables)


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
        evidence=(_from(role, "no condition on `:sub` narrows its trust policy"),),
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
        detail = f"{len(role.trust)} statements of its trust policy read"
    yield Finding(
        id="pod-identity-trust",
        severity=Severity.BLOCKS,
        title=title,
        evidence=(_from(role, detail or "its trust policy is not known"),),
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
                evidence=(_from(role, open_conditions(role) or _trusts(role)),),
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
                evidence=(_from(role, f"names {_trusts(role)}"),),
                fix=fix,
            )
            continue
        title = f"the role {role.name.value} trusts {_trusts(role)}, not {who}"
        yield Finding(
            id="irsa-wrong-namespace" if names else "irsa-wrong-service-account",
            severity=Severity.BLOCKS,
            title=title,
            evidence=(_from(role, f"names {_trusts(role)}"),),
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


# --- permissions ----------------------------------------------------------------------------------


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The pods that ask, and what for."""

    account: ServiceAccount
    namespace: str
    actions: Sequence[str]
    region: str
    second: Opinions = {}

    @property
    def who(self) -> str:
        """The service account with its namespace."""
        return f"{self.namespace}:{self.account.name}"

    def arn(self, table: str) -> str:
        """The ARN of a table as far as it is known."""
        role = self.account.role or ""
        return table_arn(
            table,
            region=self.region,
            account=account_of(role),
            partition=partition_of(self.region, role),
        )

    def context(self, role: RoleFact | None = None) -> Context:
        """What is known of the pods' calls, by condition key (AWS global condition keys).

        Args:
            role: By which they call; pod identity tags its sessions. None: any.
        """
        account = account_of(self.account.role or "")
        known = {
            "aws:requestedregion": self.region,
            "aws:principalaccount": account,
            "aws:resourceaccount": account,
            "aws:principalarn": self.account.role or "",
            "aws:securetransport": "true",
            "aws:viaawsservice": "false",
            "aws:principalisawsservice": "false",
            "aws:principaltype": "AssumedRole",
        }
        context: dict[str, tuple[str, ...]] = {
            key: (value,) for key, value in known.items() if value
        }
        # Sessions of pods carry neither.
        context["aws:multifactorauthpresent"] = ()
        context["aws:multifactorauthage"] = ()
        if role and pod_identity(role, self.namespace, self.account.name) is Verdict.ALLOWED:
            context["aws:principaltag/kubernetes-namespace"] = (self.namespace,)
            context["aws:principaltag/kubernetes-service-account"] = (self.account.name,)
        return context


def _permissions(
    role: RoleFact, asked: Asked, known: Sequence[TableFact], tables: Sequence[str]
) -> Iterator[Finding]:
    for name in dict.fromkeys(tables):
        table = next((one for one in known if one.name.known and one.name.value == name), None)
        arn = asked.arn(name)
        yield from _verdicts(role, asked, f"the table {name}", arn, asked.actions, "actions")
        if table is not None and table.kms_key:
            what = f"the key of the table {name}"
            yield from _verdicts(role, asked, what, table.kms_key, POD_KMS_ACTIONS, "kms")


def _verdict(role: RoleFact, action: str, arn: str, context: Context) -> Verdict:
    """What all policies of a role say; a policy that could not be read may allow, and may deny."""
    found = verdict(role.statements, action, arn, boundary=role.boundary, context=context)
    own = verdict(role.statements, action, arn, context=context)
    limit = Verdict.ALLOWED
    if role.boundary is not None:
        limit = verdict(role.boundary, action, arn, context=context)
    if Verdict.DENIED in {own, limit}:
        return Verdict.DENIED
    if own is Verdict.MISSING and not role.unread:
        return Verdict.MISSING
    if limit is Verdict.MISSING and not role.boundary_unread:
        return Verdict.MISSING
    return Verdict.UNKNOWN if role.unread or role.boundary_unread else found


def _verdicts(
    role: RoleFact,
    asked: Asked,
    what: str,
    arn: str,
    actions: Sequence[str],
    kind: str,
) -> Iterator[Finding]:
    context = asked.context(role)
    found = {action: _verdict(role, action, arn, context) for action in actions}
    contradictions = []
    for action, own in list(found.items()):
        simulation = asked.second.get((action, arn))
        if simulation is not None:
            contradictions.append(contradiction(own, simulation))
            found[action] = settled(own, verdict_of(simulation))
    said_twice = "; ".join(one for one in contradictions if one)
    if unknown_in(arn):
        # The key itself is not known: only a statement on every key is a sure yes.
        found = {
            action: Verdict.UNKNOWN if one is Verdict.MISSING and _mentions(role, action) else one
            for action, one in found.items()
        }
    denied = [action for action, one in found.items() if one is Verdict.DENIED]
    missing = [action for action, one in found.items() if one is Verdict.MISSING]
    unknown = [action for action, one in found.items() if one is Verdict.UNKNOWN]
    name = role.name.value
    if missing or denied:
        said = f"lacks {', '.join(missing)} on {what}" if missing else ""
        if denied:
            said += f"{' and ' if said else ''}is denied {', '.join(denied)} on {what}"
        yield Finding(
            id=f"iam-missing-{kind}",
            severity=Severity.BLOCKS,
            title=f"the role {name} of {asked.who} {said}",
            evidence=(_from(role, said_twice or _read(role, missing or denied, arn, context)),),
            fix=f"allow them on {arn}; `mimir-migrate rbac` prints the least policy",
        )
    if unknown:
        yield Finding(
            id=f"iam-unknown-{kind}",
            severity=Severity.BLOCKS,
            title=f"whether the role {name} of {asked.who} may {', '.join(unknown)} on {what} "
            "is unknown",
            evidence=(_from(role, said_twice or _why_open(role, unknown[0], arn, context)),),
            fix="give the output of `terraform show -json`",
            unknown=True,
        )


def _read(role: RoleFact, actions: Sequence[str], arn: str, context: Context) -> str:
    """How much was read, and whether it is the boundary that is in the way."""
    said = f"{len(role.statements)} statements of its policies read"
    if role.boundary is None:
        return said
    own = verdict(role.statements, actions[0], arn, context=context)
    if own is Verdict.ALLOWED:
        return f"{said}; its permissions boundary does not allow it"
    return f"{said}, and {len(role.boundary)} of its permissions boundary"


def _why_open(role: RoleFact, action: str, arn: str, context: Context) -> str:
    """The expressions on which the verdict hangs."""
    found = [*role.unread, *role.boundary_unread]
    for one in (*role.statements, *(role.boundary or ())):
        call = Call(action=action, resource=arn, context=context)
        if applies(one, call) is None:
            found.extend(_open_parts(one))
    return "; ".join(dict.fromkeys(found)) or "its policies hold what only Terraform computes"


def _open_parts(one: Statement) -> Iterator[str]:
    if one.doubt:
        yield one.doubt
    for text in (*one.actions, *one.not_actions, *one.resources, *one.not_resources):
        if unknown_in(text) and text != OWN_REGION:
            yield text
    for item in one.conditions:
        yield f"the condition {item.operator} {item.key} {', '.join(item.values)}".strip()


def _mentions(role: RoleFact, action: str) -> bool:
    return any(
        one.allows and any(fnmatch.fnmatch(action, pattern) for pattern in one.actions)
        for one in role.statements
    )


# --- which role -----------------------------------------------------------------------------------


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


def _from(role: RoleFact, detail: str) -> Evidence:
    return Evidence(source=f"{role.file} {role.address}", detail=detail)
