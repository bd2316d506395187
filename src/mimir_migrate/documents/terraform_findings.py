"""What a Terraform folder means for a migration: tables, roles, trust and permissions."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from mimir_migrate.documents.permissions import (
    POD_KMS_ACTIONS,
    Verdict,
    pod_actions,
    table_arn,
    verdict,
)
from mimir_migrate.documents.terraform import read_terraform
from mimir_migrate.documents.terraform_facts import (
    RoleFact,
    Subject,
    TableFact,
    TerraformFacts,
)
from mimir_migrate.documents.terraform_show import merged, read_show
from mimir_migrate.model.facts import Evidence
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.rings import Product

ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
"""The annotation that makes EKS hand a role to the pods of a service account."""


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A service account of pods that touch a chosen ring."""

    name: str
    role: str | None = None
    """Its role annotation; empty: it has none; None: not known."""


def assess(
    files: Mapping[str, str],
    *,
    show_json: str | None,
    tables: Sequence[str],
    namespace: str,
    service_accounts: Sequence[ServiceAccount],
    client_version: str,
    product: Product = Product.CORTEX,
) -> tuple[Finding, ...]:
    """Answer for a whole folder.

    Args:
        files: Text by path, relative to the folder, see `read_terraform`.
        show_json: What `terraform show -json` printed; None: not given.
        tables: Names of the ring tables that are wanted.
        namespace: Of the release.
        service_accounts: Of every pod that touches a chosen ring.
        client_version: Of the ring's client, see `permissions.pod_actions`.
        product: Which product's build carries the client.

    Raises:
        DocumentError: `show_json` is not what Terraform prints. A file that cannot be read is a
            finding.
    """
    facts = read_terraform(files)
    if show_json is not None:
        facts = merged(facts, read_show(show_json))
    actions = pod_actions(client_version, product=product)
    return (
        *_unread(facts),
        *_deployers(facts),
        *table_findings(facts.tables, tables),
        *(
            finding
            for account in service_accounts
            for finding in role_findings(facts, account, namespace, tables, actions)
        ),
    )


def table_findings(found: Sequence[TableFact], wanted: Sequence[str]) -> Iterator[Finding]:
    """Which ring tables Terraform makes, with which keys and billing."""
    named = {table.name.value: table for table in found if table.name.known}
    unnamed = [table for table in found if not table.name.known]
    for name in dict.fromkeys(wanted):
        if name in named:
            yield from _wanted_table(named[name])
        else:
            yield _missing(name, unnamed)
    if all(name in named for name in wanted):
        return
    for table in unnamed:
        yield _name_unknown(table)
        if table.is_ring_table is False:
            yield _wrong_keys(table, Severity.WARNS)


def _missing(name: str, unnamed: Sequence[TableFact]) -> Finding:
    candidates = [table for table in unnamed if table.is_ring_table is not False]
    if candidates:
        return Finding(
            id="terraform-table-unknown",
            severity=Severity.WARNS,
            title=f"whether Terraform makes the table {name} is unknown: "
            f"{len(candidates)} tables have names that only Terraform computes",
            evidence=tuple(_of(table, table.name.reason) for table in candidates),
            fix="give the output of `terraform show -json`",
            unknown=True,
        )
    return Finding(
        id="terraform-table-missing",
        severity=Severity.WARNS,
        title=f"Terraform makes no table {name}",
        evidence=(Evidence(source="terraform", detail="no aws_dynamodb_table has that name"),),
        fix="the plan's first step makes it; as Terraform: write the file that is offered and "
        "apply it",
    )


def _wanted_table(table: TableFact) -> Iterator[Finding]:
    name = table.name.value
    if table.is_ring_table is False:
        yield _wrong_keys(table, Severity.BLOCKS)
        return
    if table.is_ring_table is None:
        yield Finding(
            id="terraform-keys-unknown",
            severity=Severity.WARNS,
            title=f"the keys of the table {name} are not known from the files",
            evidence=(_of(table, table.hash_key.reason or table.range_key.reason),),
            fix="give the output of `terraform show -json`",
            unknown=True,
        )
    else:
        yield Finding(
            id="terraform-table-found",
            severity=Severity.INFORMS,
            title=f"Terraform makes the ring table {name} "
            f"({table.billing.value or 'billing not known'})",
            evidence=(_of(table, "RingKey (hash) and InstanceKey (range)"),),
        )
    if table.billing.known and table.billing.value == "PROVISIONED":
        yield Finding(
            id="terraform-table-provisioned",
            severity=Severity.WARNS,
            title=f"the table {name} has provisioned capacity: heartbeats that it throttles make "
            "living members look dead",
            evidence=(_of(table, "billing_mode is PROVISIONED, or not set"),),
            fix='billing_mode = "PAY_PER_REQUEST"',
        )
    if table.deletion_protection is False:
        yield Finding(
            id="terraform-table-unprotected",
            severity=Severity.WARNS,
            title=f"the table {name} can be deleted by one call",
            evidence=(_of(table, "deletion_protection_enabled is not true"),),
            fix="deletion_protection_enabled = true",
        )


def _wrong_keys(table: TableFact, severity: Severity) -> Finding:
    keys = f"{table.hash_key.value} (hash)"
    if table.range_key.value:
        keys += f" and {table.range_key.value} (range)"
    return Finding(
        id="terraform-table-wrong-keys",
        severity=severity,
        title=f"{_called(table)} is no ring table: its keys are {keys}",
        evidence=(_of(table, keys),),
        fix="keys cannot be changed: make another table with RingKey (hash, S) and InstanceKey "
        "(range, S)",
    )


def _name_unknown(table: TableFact) -> Finding:
    return Finding(
        id="terraform-name-unknown",
        severity=Severity.WARNS,
        title=f"the name of the table {table.address} is unknown: {table.name.reason}",
        evidence=(_of(table, table.name.reason),),
        fix="give the output of `terraform show -json`",
        # Whatever its name is, a table with other keys is no ring table.
        unknown=table.is_ring_table is not False,
    )


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
            severity=Severity.WARNS,
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
                severity=Severity.WARNS,
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
            severity=Severity.WARNS,
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


def _called(table: TableFact) -> str:
    return f"the table {table.name.value if table.name.known else table.address}"


def _of(table: TableFact, detail: str) -> Evidence:
    return Evidence(source=f"{table.file} {table.address}", detail=detail)


def _from(role: RoleFact, detail: str) -> Evidence:
    return Evidence(source=f"{role.file} {role.address}", detail=detail)


def _deployers(facts: TerraformFacts) -> Iterator[Finding]:
    for one in facts.releases:
        if not re.search(r"\b(mimir|cortex)\b", f"{one.chart.value} {one.name.value}"):
            continue
        from_templates = f" from {', '.join(one.templates)}" if one.templates else ""
        yield Finding(
            id="terraform-deploys",
            severity=Severity.WARNS,
            title=f"Terraform deploys the helm release {one.name.value}{from_templates}: the next "
            "apply takes back what anything else deploys",
            evidence=(Evidence(source=f"{one.file} {one.address}", detail=one.chart.value),),
            fix='edit the template and deploy with Terraform: [deploy] method = "command"',
        )


def _unread(facts: TerraformFacts) -> Iterator[Finding]:
    if facts.unread:
        yield Finding(
            id="terraform-unread",
            severity=Severity.WARNS,
            title=f"{len(facts.unread)} parts of the Terraform folder could not be read",
            evidence=tuple(
                Evidence(source=one.split(": ", 1)[0], detail=one.split(": ", 1)[-1])
                for one in facts.unread
            ),
            fix="what stands in them is not known here; `terraform show -json` has it",
        )
