"""What a Terraform folder means for a migration: its tables, its roles, who deploys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from mimir_migrate.documents.permissions import pod_actions
from mimir_migrate.documents.terraform.facts import TableFact, TerraformFacts
from mimir_migrate.documents.terraform.folder import read_terraform
from mimir_migrate.documents.terraform.role_findings import role_findings
from mimir_migrate.documents.terraform.show import merged, read_show
from mimir_migrate.model.facts import Evidence, ServiceAccount
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.rings import Product


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
    facts = folder_facts(files, show_json)
    actions = pod_actions(client_version, product=product)
    return (
        *folder_findings(facts, tables),
        *(
            finding
            for account in service_accounts
            for finding in role_findings(facts, account, namespace, tables, actions)
        ),
    )


def folder_facts(files: Mapping[str, str], show_json: str | None = None) -> TerraformFacts:
    """Everything that the files and, where it is given, `terraform show -json` say.

    Raises:
        DocumentError: `show_json` is not what Terraform prints.
    """
    facts = read_terraform(files)
    return facts if show_json is None else merged(facts, read_show(show_json))


def folder_findings(facts: TerraformFacts, tables: Sequence[str]) -> Iterator[Finding]:
    """What a folder says besides roles: what could not be read, who deploys, the ring tables."""
    yield from _unread(facts)
    yield from _deployers(facts)
    yield from table_findings(facts.tables, tables)


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
        fix="`mimir-migrate terraform --output ring-tables.tf` writes it as a new file (with an "
        "import block where the table is there); review and apply it",
    )


def _wanted_table(table: TableFact) -> Iterator[Finding]:
    name = table.name.value
    if table.is_ring_table is False:
        yield _wrong_keys(table, Severity.BLOCKS)
        return
    if table.is_ring_table is None:
        yield Finding(
            id="terraform-keys-unknown",
            severity=Severity.BLOCKS,
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


def _called(table: TableFact) -> str:
    return f"the table {table.name.value if table.name.known else table.address}"


def _of(table: TableFact, detail: str) -> Evidence:
    return Evidence(source=f"{table.file} {table.address}", detail=detail)


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
