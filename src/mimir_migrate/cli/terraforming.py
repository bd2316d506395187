"""`terraform`: what a Terraform folder says of ring tables and roles, and the file with what it lacks."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mimir_migrate.cli.needed import refuse_lacking
from mimir_migrate.cli.options import narrate, print_findings, print_json, rings_from, target_from
from mimir_migrate.errors import BlockedError, ExitCode, MigrateError, UsageError

if TYPE_CHECKING:
    from mimir_migrate.documents.terraform.facts import TerraformFacts
    from mimir_migrate.documents.terraform.write import RingTable
    from mimir_migrate.model.facts import ServiceAccount
    from mimir_migrate.model.findings import Finding
    from mimir_migrate.model.rings import Product
    from mimir_migrate.model.target import Target


def assess_folder(options: argparse.Namespace) -> int:
    """Print what the folder says; with `--output` write what it lacks as a new file.

    Raises:
        MigrateError: The folder cannot be read, the target lacks an entry, or the file is there.
    """
    from mimir_migrate.adapters.terraform_files import read_folder, read_shown
    from mimir_migrate.documents.terraform.findings import assess, folder_facts
    from mimir_migrate.model.rings import Product

    target = target_from(options)
    refuse_lacking(options, target, "terraform", "namespace", "table")
    if target.through_bridge is not None:
        raise UsageError(
            'the target says [dynamodb] through = "bridge": Mimir\'s pods need no right then',
            hint="`mimir-migrate bridge manifest --terraform` prints the bridge's table and policy; `inspect` "
            "judges the folder's tables and the bridge's service account.",
        )
    product = Product(options.product)
    files = read_folder(target.terraform.dir)
    shown = _shown(options.show_json) if options.show_json else read_shown(target.terraform.dir)
    tables = _tables(target, product, rings_from(options))
    accounts = _accounts(options.service_account, target, product)
    found = assess(
        files,
        show_json=shown,
        tables=tables,
        namespace=target.kubernetes.namespace,
        service_accounts=accounts,
        client_version=options.client_version,
        product=product,
        region=target.aws.region,
    )
    written = ""
    if options.output:
        facts = folder_facts(files, shown)
        written = _write(options, target, facts, files, tables, accounts, found)
    _print(found, options, written)
    stops = any(finding.severity.value == "blocks" or finding.unknown for finding in found)
    return ExitCode.BLOCKED if stops else ExitCode.DONE


def _print(found: Sequence[Finding], options: argparse.Namespace, written: str) -> None:
    if options.json:
        import msgspec

        print_json({"findings": msgspec.to_builtins(list(found)), "written": written or None})
    else:
        print_findings(found)
        if not found:
            narrate("the folder says nothing of these tables and service accounts")


def _shown(path: str) -> str:
    from mimir_migrate.adapters.files import DiskFiles

    return DiskFiles().read(path).decode("utf-8", "replace")


def _tables(target: Target, product: Product, rings: Sequence[str]) -> tuple[str, ...]:
    from mimir_migrate.model.rings import ring_named, rings_of, unknown_ring

    for name in rings:
        if ring_named(product, name) is None:
            raise unknown_ring(name, product)
    names = rings or [ring.name for ring in rings_of(product) if ring.movable]
    return tuple(dict.fromkeys(target.dynamodb.table_for(name) for name in names))


# --- service accounts ----------------------------------------------------------------------------


def _accounts(
    named: Sequence[str], target: Target, product: Product
) -> tuple[ServiceAccount, ...]:
    """The service accounts of the pods: as named, else as the values files make them."""
    from mimir_migrate.model.facts import ServiceAccount

    if named:
        found = []
        for one in named:
            name, equals, role = one.partition("=")
            if not name:
                raise UsageError(
                    f"--service-account {one!r} names no service account",
                    hint="NAME, NAME=ROLE_ARN, or NAME= for one without a role annotation",
                )
            found.append(ServiceAccount(name=name, role=role if equals else None))
        return tuple(found)
    if target.values.files:
        return _accounts_in_values(target, product)
    narrate(
        "note: no role is judged; name the pods' service accounts (--service-account NAME=ROLE_ARN) "
        "or the values files (--values FILE)"
    )
    return ()


def _accounts_in_values(target: Target, product: Product) -> tuple[ServiceAccount, ...]:
    from mimir_migrate.adapters.files import DiskFiles
    from mimir_migrate.documents.values.accounts import service_accounts
    from mimir_migrate.documents.values.files import SourceFile, ValuesFiles

    disk = DiskFiles()
    files = [SourceFile(path=path, content=disk.read(path)) for path in target.values.files]
    chart = ValuesFiles(files, product=product, root=target.values.root).values
    found = service_accounts(chart, product, target.kubernetes.release)
    if not found:
        narrate("note: no role is judged: the values name no service account; give --release")
    return found


# --- writing -------------------------------------------------------------------------------------


def _write(
    options: argparse.Namespace,
    target: Target,
    facts: TerraformFacts,
    files: Mapping[str, str],
    tables: Sequence[str],
    accounts: Sequence[ServiceAccount],
    found: Sequence[Finding],
) -> str:
    """Write the tables that Terraform does not make, and the policy on all; the file's path.

    Empty where nothing is missing.
    """
    from mimir_migrate.adapters.new_files import create_new
    from mimir_migrate.documents.permissions import pod_actions, table_arn
    from mimir_migrate.documents.terraform.write import labels_taken, terraform_file
    from mimir_migrate.model.rings import Product

    if Path(options.output).suffix != ".tf":
        raise UsageError(
            f"--output {options.output}: the name must end with .tf",
            hint=f"For example --output {Path(options.output).stem or 'ring-tables'}.tf.",
        )
    _refuse_unknown(found)
    there = {table.name.value for table in facts.tables if table.name.known}
    missing = [name for name in tables if name not in there]
    lacks = any(one.id == "iam-missing-actions" for one in found)
    if not missing and not lacks:
        narrate(
            "nothing to write: Terraform makes every table, and no permission is known to lack"
        )
        return ""
    refuse_lacking(options, target, "aws-region")
    text = terraform_file(
        [_ring_table(name, target) for name in missing],
        actions=pod_actions(options.client_version, product=Product(options.product)),
        role=_role(facts, accounts, target.kubernetes.namespace),
        taken=labels_taken(files),
        made=[table_arn(name, region=target.aws.region) for name in tables if name in there],
    )
    create_new(options.output, text.encode())
    narrate(f"wrote {options.output}: review it, then `terraform plan` and `terraform apply`")
    return str(options.output)


def _refuse_unknown(found: Sequence[Finding]) -> None:
    unknown = [one for one in found if one.id == "terraform-table-unknown"]
    if unknown:
        raise BlockedError(
            "nothing was written: " + "; ".join(one.title for one in unknown),
            hint="give --show-json FILE, the output of `terraform show -json`, which has the names",
        )


def _ring_table(name: str, target: Target) -> RingTable:
    from mimir_migrate.adapters.aws.dynamodb import DynamoDBTables
    from mimir_migrate.adapters.aws.session import AwsClients
    from mimir_migrate.documents.terraform.write import RingTable
    from mimir_migrate.model.changes import TableSpec

    spec = TableSpec(
        name=name,
        region=target.aws.region,
        ttl=bool(target.dynamodb.ttl),
        tags={"managed-by": "terraform"},
    )
    try:
        existing = DynamoDBTables(AwsClients(target.aws)).table(name)
    except MigrateError as error:
        narrate(
            f"note: whether the table {name} exists is unknown, so no import block is written for "
            f"it: {error}"
        )
        existing = None
    return RingTable(spec=spec, existing=existing)


def _role(facts: TerraformFacts, accounts: Sequence[ServiceAccount], namespace: str) -> str:
    """The role of the pods that the folder makes; empty where it makes none.

    That is the one which their service accounts name, else one that trusts them, else one that
    trusts accounts of that name in another namespace.
    """
    roles = [role for role in facts.roles if role.name.known]
    named = {account.role.rsplit("/", 1)[-1] for account in accounts if account.role}
    if named:
        return next((role.name.value for role in roles if role.name.value in named), "")
    names = {account.name for account in accounts}
    for exact in (True, False):
        for role in roles:
            for one in role.subjects:
                if one.name in names and (one.namespace == namespace or not exact):
                    return role.name.value
    return ""
