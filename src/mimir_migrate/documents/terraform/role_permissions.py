"""Whether a role allows on the ring tables what pods ask of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mimir_migrate.documents.permissions import (
    POD_KMS_ACTIONS,
    account_of,
    partition_of,
    table_arn,
)
from mimir_migrate.documents.policies import Call, Statement, Verdict, applies, both, verdict
from mimir_migrate.documents.policy_conditions import Context
from mimir_migrate.documents.policy_text import OWN_REGION, unknown_in
from mimir_migrate.documents.terraform.facts import (
    ResourcePolicyFact,
    RoleFact,
    TableFact,
)
from mimir_migrate.documents.terraform.role_trust import (
    pod_identity,
)
from mimir_migrate.documents.terraform.second_opinion import (
    Opinions,
    contradiction,
    settled,
    verdict_of,
)
from mimir_migrate.documents.terraform.table_policies import with_table_policy
from mimir_migrate.model.facts import Evidence, ServiceAccount
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.words import counted


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The pods that ask, and what for."""

    account: ServiceAccount
    namespace: str
    actions: Sequence[str]
    region: str
    second: Opinions = {}
    resource_policies: Sequence[ResourcePolicyFact] = ()

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

    def key_context(self, role: RoleFact, table: str) -> Context:
        """What is known of the calls to KMS that DynamoDB makes in the pods' name.

        Condition keys of AWS KMS, and "DynamoDB encryption at rest: usage notes".
        """
        account = account_of(self.account.role or "")
        suffix = _SUFFIXES.get(partition_of(self.region, self.account.role or ""))
        known = {
            "aws:viaawsservice": "true",
            "aws:calledvia": "dynamodb.amazonaws.com",
            "aws:calledviafirst": "dynamodb.amazonaws.com",
            "aws:calledvialast": "dynamodb.amazonaws.com",
            "kms:viaservice": f"dynamodb.{self.region}.{suffix}" if self.region and suffix else "",
            "kms:calleraccount": account,
            "kms:encryptioncontext:aws:dynamodb:tablename": table,
            "kms:encryptioncontext:aws:dynamodb:subscriberid": account,
        }
        return {
            **self.context(role),
            **{key: (value,) for key, value in known.items() if value},
        }


_SUFFIXES = {
    "aws": "amazonaws.com",
    "aws-us-gov": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
}
"""What names of services end with, by partition."""


def permissions(
    role: RoleFact, asked: Asked, known: Sequence[TableFact], tables: Sequence[str]
) -> Iterator[Finding]:
    """What a role does not allow on the tables that it is to use."""
    for name in dict.fromkeys(tables):
        table = next((one for one in known if one.name.known and one.name.value == name), None)
        arn = asked.arn(name)
        about = f"the table {name}"
        context = asked.context(role)
        yield from _verdicts(role, asked, about, arn, asked.actions, "actions", context)
        if table is not None and table.kms_key:
            what = f"the key of the table {name}"
            context = asked.key_context(role, name)
            yield from _verdicts(role, asked, what, table.kms_key, POD_KMS_ACTIONS, "kms", context)


def _verdict(role: RoleFact, asked: Asked, action: str, arn: str, context: Context) -> Verdict:
    """What all policies say: its own or the table's have to allow it, and its boundary too."""
    own = _opened(verdict(role.statements, action, arn, context), role.unread)
    call = Call(action=action, resource=arn, context=context)
    for one in asked.resource_policies:
        own = with_table_policy(own, one, role, call, asked.account.role or "")
    limit = Verdict.ALLOWED
    if role.boundary is not None:
        limit = verdict(role.boundary, action, arn, context)
    return both(own, _opened(limit, role.boundary_unread))


def _opened(found: Verdict, unread: Sequence[str]) -> Verdict:
    """A policy that could not be read may allow, and may deny; what is denied already stays so."""
    return Verdict.UNKNOWN if unread and found is not Verdict.DENIED else found


def _verdicts(
    role: RoleFact,
    asked: Asked,
    what: str,
    arn: str,
    actions: Sequence[str],
    kind: str,
    context: Context,
) -> Iterator[Finding]:
    found = {action: _verdict(role, asked, action, arn, context) for action in actions}
    contradictions = []
    for action, own in list(found.items()):
        simulation = asked.second.get((action, arn))
        if simulation is not None:
            contradictions.append(contradiction(own, simulation))
            found[action] = settled(own, verdict_of(simulation))
    said_twice = "; ".join(one for one in contradictions if one)
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
            evidence=(
                evidence_of(
                    role, said_twice or _read(role, asked, missing or denied, arn, context)
                ),
            ),
            fix=f"allow them on {arn}; `mimir-migrate rbac` prints the least policy",
        )
    if unknown:
        yield Finding(
            id=f"iam-unknown-{kind}",
            severity=Severity.BLOCKS,
            title=f"whether the role {name} of {asked.who} may {', '.join(unknown)} on {what} "
            "is unknown",
            evidence=(
                evidence_of(role, said_twice or _why_open(role, asked, unknown[0], arn, context)),
            ),
            fix="give the output of `terraform show -json`",
            unknown=True,
        )


def _read(role: RoleFact, asked: Asked, actions: Sequence[str], arn: str, context: Context) -> str:
    """How much was read, and whether it is the boundary that is in the way."""
    said = f"{counted(len(role.statements), 'statement')} of its policies read"
    call = Call(action=actions[0], resource=arn, context=context)
    for one in asked.resource_policies:
        found = with_table_policy(Verdict.ALLOWED, one, role, call, asked.account.role or "")
        if found is Verdict.DENIED:
            return f"{said}; the table's own policy {one.address} denies it"
    if role.boundary is None:
        return said
    own = verdict(role.statements, actions[0], arn, context)
    if own is Verdict.ALLOWED:
        return f"{said}; its permissions boundary does not allow it"
    return f"{said}, and {len(role.boundary)} of its permissions boundary"


def _why_open(role: RoleFact, asked: Asked, action: str, arn: str, context: Context) -> str:
    """The expressions on which the verdict hangs."""
    found = [*role.unread, *role.boundary_unread]
    for one in (*role.statements, *(role.boundary or ())):
        call = Call(action=action, resource=arn, context=context)
        if applies(one, call) is None:
            found.extend(_open_parts(one))
    call = Call(action=action, resource=arn, context=context)
    for policy in asked.resource_policies:
        one_verdict = with_table_policy(
            Verdict.ALLOWED, policy, role, call, asked.account.role or ""
        )
        if one_verdict is Verdict.UNKNOWN:
            found.extend((*policy.unread, f"the table's own policy {policy.address}"))
    if unknown_in(arn):
        found.append(arn)
    return "; ".join(dict.fromkeys(found)) or "its policies hold what only Terraform computes"


def _open_parts(one: Statement) -> Iterator[str]:
    if one.doubt:
        yield one.doubt
    for text in (*one.actions, *one.not_actions, *one.resources, *one.not_resources):
        if unknown_in(text) and text != OWN_REGION:
            yield text
    for item in one.conditions:
        yield f"the condition {item.operator} {item.key} {', '.join(item.values)}".strip()


def evidence_of(role: RoleFact, detail: str) -> Evidence:
    """A detail, with where the role stands."""
    return Evidence(source=f"{role.file} {role.address}", detail=detail)
