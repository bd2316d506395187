"""What a Terraform folder means for a migration: its tables, its roles, who deploys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from mimir_migrate.documents.permissions import pod_actions
from mimir_migrate.documents.policy_text import like
from mimir_migrate.documents.terraform.facts import TableFact, TerraformFacts
from mimir_migrate.documents.terraform.folder import read_terraform
from mimir_migrate.documents.terraform.role_findings import role_findings
from mimir_migrate.documents.terraform.show import merged, read_show
from mimir_migrate.model.facts import Evidence, ServiceAccount
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.rings import Product
from mimir_migrate.words import counted


def assess(
    files: Mapping[str, str],
    *,
    show_json: str | None,
    tables: Sequence[str],
    namespace: str,
    service_accounts: Sequence[ServiceAccount],
    client_version: str,
    product: Product = Product.CORTEX,
    region: str = "",
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
        region: Where the tables are wanted; empty: not known, and not compared.

    Raises:
        DocumentError: `show_json` is not what Terraform prints. A file that cannot be read is a
            finding.
    """
    facts = folder_facts(files, show_json)
    actions = pod_actions(client_version, product=product)
    return (
        *folder_findings(facts, tables, region=region),
        *(
            finding
            for account in service_accounts
            for finding in role_findings(facts, account, namespace, tables, actions, region)
        ),
    )


def folder_facts(files: Mapping[str, str], show_json: str | None = None) -> TerraformFacts:
    """Everything that the files and, where it is given, `terraform show -json` say.

    Raises:
        DocumentError: `show_json` is not what Terraform prints.
    """
    facts = read_terraform(files)
    return facts if show_json is None else merged(facts, read_show(show_json))


def folder_findings(
    facts: TerraformFacts, tables: Sequence[str], *, region: str = ""
) -> Iterator[Finding]:
    """What a folder says besides roles: what could not be read, who deploys, the ring tables."""
    yield from _unread(facts)
    yield from _deployers(facts)
    yield from table_findings(facts, tables, region=region)


def table_findings(
    facts: TerraformFacts, wanted: Sequence[str], *, region: str = ""
) -> Iterator[Finding]:
    """Which ring tables Terraform makes, where, with which keys and billing."""
    named: dict[str, list[TableFact]] = {}
    for table in facts.tables:
        if table.name.known:
            named.setdefault(table.name.value, []).append(table)
    unnamed = [table for table in facts.tables if not table.name.known]
    for name in dict.fromkeys(wanted):
        if name in named:
            best = _best(named[name], region)
            if len({one.is_ring_table for one in best}) > 1:
                yield _which(name, best)
            else:
                yield from _wanted_table(best[0], region)
        else:
            yield _missing(name, unnamed, facts)
    if all(name in named for name in wanted):
        return
    for table in unnamed:
        yield _name_unknown(table)
        if table.is_ring_table is False:
            yield _wrong_keys(table, Severity.WARNS)


def _best(tables: Sequence[TableFact], region: str) -> list[TableFact]:
    """Of tables of one name those in the wanted region, that surely are made."""

    def rank(table: TableFact) -> tuple[bool, bool, bool]:
        elsewhere = bool(region) and not _is_in(table, region)
        return elsewhere, not table.region.known, bool(table.doubt)

    first = min(map(rank, tables))
    return [table for table in tables if rank(table) == first]


def _which(name: str, tables: Sequence[TableFact]) -> Finding:
    """Tables of one name in one region, as environments in folders of their own have them."""
    return Finding(
        id="terraform-keys-unknown",
        severity=Severity.BLOCKS,
        title=f"{counted(len(tables), 'table')} of the name {name} are made, and not all are ring tables",
        evidence=tuple(
            _of(
                table, f"its keys are {table.hash_key.value} and {table.range_key.value or 'none'}"
            )
            for table in tables
        ),
        fix="name the folder of this release's environment: [terraform] dir",
        unknown=True,
    )


def _missing(name: str, unnamed: Sequence[TableFact], facts: TerraformFacts) -> Finding:
    candidates = [
        table
        for table in unnamed
        if table.is_ring_table is not False
        and like(table.name.value or "${name}", name, wild=False) is not False
    ]
    # The name of a module's table is computed of its arguments in a way that nobody here knows.
    candidates += [
        table
        for table in unnamed
        if table.source and table.is_ring_table is not False and table not in candidates
    ]
    named_in = [one for one in facts.remote if name in one.texts and not facts.shown]
    evidence = (
        *(_of(table, table.name.reason) for table in candidates),
        *(() if facts.shown else _unread_evidence(facts)),
        *(
            Evidence(source=f"{one.file} {one.address}", detail=f"{one.source} is given {name!r}")
            for one in named_in
        ),
    )
    if evidence:
        said = []
        if candidates:
            said.append(
                "only Terraform computes the names of " + counted(len(candidates), "table")
            )
        if facts.unread and not facts.shown:
            said.append(f"{counted(len(facts.unread), 'part')} of the folder could not be read")
        if named_in:
            said.append(
                f"{named_in[0].address} is given that name, and what it makes is not known here"
            )
        return Finding(
            id="terraform-table-unknown",
            severity=Severity.WARNS,
            title=f"whether Terraform makes the table {name} is unknown: {'; '.join(said)}",
            evidence=evidence,
            fix="give the output of `terraform show -json`",
            unknown=True,
        )
    return Finding(
        id="terraform-table-missing",
        severity=Severity.WARNS,
        title=f"Terraform makes no table {name}",
        evidence=(
            Evidence(source="terraform", detail="no aws_dynamodb_table has that name"),
            *(
                Evidence(source=f"{one.file} {one.address}", detail=f"{one.source} is not here")
                for one in facts.remote
            ),
        ),
        fix="`mimir-migrate terraform --output ring-tables.tf` writes it as a new file (with an "
        "import block where the table is there); review and apply it",
    )


def _wanted_table(table: TableFact, region: str) -> Iterator[Finding]:
    name = table.name.value
    if table.doubt:
        yield Finding(
            id="terraform-table-unknown",
            severity=Severity.WARNS,
            title=f"whether Terraform makes the table {name} is unknown: {table.doubt}",
            evidence=(_of(table, table.doubt),),
            fix="give the output of `terraform show -json`",
            unknown=True,
        )
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
    elsewhere = _elsewhere(table, region)
    if elsewhere is not None:
        yield elsewhere
    elif table.is_ring_table and not table.doubt:
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


def _is_in(table: TableFact, region: str) -> bool:
    """Whether a table is made in a region, or replicated to it."""
    return table.region.value in {"", region} or any(
        one.known and one.value == region for one in table.replicas
    )


def _elsewhere(table: TableFact, region: str) -> Finding | None:
    """A table that is made in another region than it is wanted in; None: it is not, or nobody says."""
    name = table.name.value
    if region and table.region.known and _is_in(table, region):
        return None
    open_one = next((one for one in (table.region, *table.replicas) if not one.known), None)
    if open_one is not None and (region or open_one is table.region):
        return Finding(
            id="terraform-region-unknown",
            severity=Severity.WARNS,
            title=f"in which region Terraform makes the table {name} is unknown: {open_one.value}",
            evidence=(_of(table, open_one.reason),),
            fix="give the output of `terraform show -json`, or a default for the variable",
            unknown=True,
        )
    if not region:
        return None
    return Finding(
        id="terraform-table-elsewhere",
        severity=Severity.WARNS,
        title=f"Terraform makes the table {name} in {table.region.value}, and it is wanted in "
        f"{region}",
        evidence=(_of(table, f"its provider's region is {table.region.value}"),),
        fix=f"make it with a provider for {region}, or set [aws] region to {table.region.value}",
    )


def _wrong_keys(table: TableFact, severity: Severity) -> Finding:
    keys = f"{table.hash_key.value} (hash)"
    if table.range_key.value:
        keys += f" and {table.range_key.value} (range)"
    return Finding(
        id="terraform-table-wrong-keys",
        severity=severity,
        title=f"{_called(table)} is not a ring table: its keys are {keys}",
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
        # Whatever its name is, a table with other keys is not a ring table.
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


def _unread_evidence(facts: TerraformFacts) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(source=one.split(": ", 1)[0], detail=one.split(": ", 1)[-1])
        for one in facts.unread
    )


def _unread(facts: TerraformFacts) -> Iterator[Finding]:
    if facts.unread:
        yield Finding(
            id="terraform-unread",
            severity=Severity.WARNS,
            title=f"{counted(len(facts.unread), 'part')} of the Terraform folder could not be read",
            evidence=_unread_evidence(facts),
            fix="what stands in them is not known here; `terraform show -json` has it",
        )
