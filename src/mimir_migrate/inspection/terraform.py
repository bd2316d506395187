"""What the target's Terraform folder and IAM say of the tables and of the roles of the pods."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import msgspec

from mimir_migrate.documents.bridge_manifest import BRIDGE_ACTIONS
from mimir_migrate.documents.permissions import pod_actions
from mimir_migrate.documents.policies import read_policy
from mimir_migrate.documents.terraform.facts import RoleFact, TerraformFacts, Text
from mimir_migrate.documents.terraform.findings import folder_facts, folder_findings
from mimir_migrate.documents.terraform.role_findings import role_findings
from mimir_migrate.documents.terraform.role_parts import subjects_of
from mimir_migrate.documents.terraform.role_permissions import Asked
from mimir_migrate.documents.terraform.second_opinion import Opinions, opinions
from mimir_migrate.errors import MigrateError
from mimir_migrate.inspection.ring_tables import ring_tables
from mimir_migrate.model.facts import Evidence, Inspection, PodFacts, ServiceAccount
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.target import DeployMethod, Target
from mimir_migrate.ports import World

_OWN_CREDENTIALS = "AWS_ACCESS_KEY_ID"
"""A variable of pods that use neither the role of a service account nor one of their node."""


def terraform_findings(
    world: World, inspection: Inspection, target: Target, *, rings: Sequence[str]
) -> tuple[Finding, ...]:
    """Judge the folder for a move of `rings` to DynamoDB.

    Args:
        world: The ports; where it has no Terraform, nothing is judged.
        inspection: The facts, for the pods, their service accounts and the version of their client.
        target: Whose folder is read; without one nothing is judged.
        rings: The chosen rings.

    Returns:
        Findings about tables, service accounts, roles and who deploys. What the folder cannot tell
        of a role is asked of IAM, where the credentials at hand may ask it.
    """
    if not target.terraform.dir or world.terraform is None:
        return ()
    try:
        text = world.terraform.read(target.terraform.dir)
        facts = folder_facts(text.files, text.shown)
    except MigrateError as error:
        return (_unreadable(inspection, target, error),)
    tables = _tables(inspection, target, rings)
    found = [
        finding
        for finding in folder_findings(facts, tables, region=target.aws.region)
        if not _told_by_dynamodb(finding, inspection, tables)
    ]
    actions = pod_actions(_client_version(inspection), product=inspection.product)
    accounts = _accounts(world, inspection, rings)
    if target.through_bridge is not None:
        # Mimir's pods need no right at all then.
        actions, accounts = BRIDGE_ACTIONS, _bridge_accounts(world, target)
    for account in accounts:
        judged = _role_findings(world, facts, account, target, tables, actions)
        found.extend(one for one in judged if one not in found)
    return tuple(_dated(_with_deploy(finding, target), inspection.at) for finding in found)


def _with_deploy(finding: Finding, target: Target) -> Finding:
    """Who deploys is a warning only where the target says that helm does."""
    if finding.id != "terraform-deploys" or target.deploy.method is DeployMethod.HELM:
        return finding
    return msgspec.structs.replace(
        finding,
        severity=Severity.INFORMS,
        fix=f'Nothing to do where [deploy] method = "{target.deploy.method.value}" is that apply.',
    )


def _unreadable(inspection: Inspection, target: Target, error: MigrateError) -> Finding:
    return Finding(
        id="terraform-unread",
        severity=Severity.BLOCKS,
        title="The Terraform folder that the target names cannot be read",
        evidence=(Evidence(source=target.terraform.dir, detail=str(error), at=inspection.at),),
        fix=error.hint or "Check [terraform] dir, or leave it out.",
        unknown=True,
    )


def _tables(inspection: Inspection, target: Target, rings: Sequence[str]) -> tuple[str, ...]:
    places = ring_tables(inspection.product, inspection.pods, target)
    return tuple(dict.fromkeys(place.table for place in places if place.ring in rings))


def _told_by_dynamodb(finding: Finding, inspection: Inspection, tables: Sequence[str]) -> bool:
    """Whether the tables themselves answered what the files leave open."""
    if finding.id != "terraform-keys-unknown":
        return False
    there = [inspection.tables.get(name) for name in tables]
    return all(table is not None and table.is_ring_table for table in there)


def _client_version(inspection: Inspection) -> str:
    """The version that all pods run; empty where they differ or do not say."""
    versions = {facts.build.version for facts in inspection.pods if facts.build is not None}
    return versions.pop() if len(versions) == 1 else ""


def _accounts(
    world: World, inspection: Inspection, rings: Sequence[str]
) -> Iterator[ServiceAccount]:
    """The service accounts of pods that touch a chosen ring and get no credentials otherwise."""
    names = {
        facts.pod.service_account or "default"
        for facts in inspection.pods
        if _touches(facts, rings) and _OWN_CREDENTIALS not in facts.pod.env
    }
    try:
        known = {account.name: account for account in world.cluster.service_accounts()}
    except MigrateError:
        known = {}
    for name in sorted(names):
        yield known.get(name, ServiceAccount(name=name))


def _bridge_accounts(world: World, target: Target) -> Iterator[ServiceAccount]:
    """The service account of the ring bridge, where there is one already."""
    with contextlib.suppress(MigrateError):
        for account in world.cluster.service_accounts():
            if account.name == target.bridge.name:
                yield account


def _touches(facts: PodFacts, rings: Sequence[str]) -> bool:
    return any(view.enabled and view.ring in rings for view in facts.rings)


def _role_findings(
    world: World,
    facts: TerraformFacts,
    account: ServiceAccount,
    target: Target,
    tables: Sequence[str],
    actions: Sequence[str],
) -> tuple[Finding, ...]:
    namespace = target.kubernetes.namespace
    region = target.aws.region
    second = _simulated(world, account, target, tables, actions)
    found = tuple(role_findings(facts, account, namespace, tables, actions, region, second))
    if account.role and any(finding.unknown for finding in found):
        told = _asked(world, account.role)
        if told is not None:
            others = tuple(role for role in facts.roles if role.name != told.name)
            with_it = msgspec.structs.replace(facts, roles=(told, *others))
            return tuple(
                role_findings(with_it, account, namespace, tables, actions, region, second)
            )
    return found


def _simulated(
    world: World,
    account: ServiceAccount,
    target: Target,
    tables: Sequence[str],
    actions: Sequence[str],
) -> Opinions | None:
    """What IAM's simulator says of the pods' role; None where it may not be asked."""
    if world.roles is None or not account.role or not target.aws.region:
        return None
    asked = Asked(
        account=account,
        namespace=target.kubernetes.namespace,
        actions=actions,
        region=target.aws.region,
    )
    arns = [asked.arn(name) for name in tables]
    try:
        return opinions(world.roles.simulate(account.role, actions, arns, asked.context()))
    except MigrateError:
        return None


def _asked(world: World, role_arn: str) -> RoleFact | None:
    """The role as IAM has it; None where it may not be asked or does not tell."""
    if world.roles is None:
        return None
    try:
        documents = world.roles.policies(role_arn)
    except MigrateError:
        return None
    trust = read_policy(documents.trust)
    return RoleFact(
        address=role_arn,
        file="IAM",
        name=Text(role_arn.rsplit("/", 1)[-1]),
        subjects=tuple(subjects_of(trust)),
        trust=trust,
        boundary=None if documents.boundary is None else read_policy(documents.boundary),
        statements=tuple(
            statement for document in documents.policies for statement in read_policy(document)
        ),
    )


def _dated(finding: Finding, at: float) -> Finding:
    evidence = tuple(msgspec.structs.replace(one, at=at) for one in finding.evidence)
    return msgspec.structs.replace(finding, evidence=evidence)
