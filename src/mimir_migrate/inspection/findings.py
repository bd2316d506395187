"""Findings: every rule over the facts, the gravest first."""

from __future__ import annotations

import msgspec

from mimir_migrate.documents.config.settable import honest
from mimir_migrate.inspection.question import Question, Rule, ValuesFacts
from mimir_migrate.inspection.rules import bridge as rules_bridge
from mimir_migrate.inspection.rules import bridge_table as rules_bridge_table
from mimir_migrate.inspection.rules import clients as rules_clients
from mimir_migrate.inspection.rules import configuration as rules_configuration
from mimir_migrate.inspection.rules import deployers as rules_deployers
from mimir_migrate.inspection.rules import gossip as rules_gossip
from mimir_migrate.inspection.rules import network as rules_network
from mimir_migrate.inspection.rules import pods as rules_pods
from mimir_migrate.inspection.rules import rings as rules_rings
from mimir_migrate.inspection.rules import runtime as rules_runtime
from mimir_migrate.inspection.rules import stores as rules_stores
from mimir_migrate.inspection.rules import table_items as rules_table_items
from mimir_migrate.inspection.rules import tables as rules_tables
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.plan import Strategy
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import Target

RULES: dict[str, Rule] = {
    **rules_stores.RULES,
    **rules_rings.RULES,
    **rules_clients.RULES,
    **rules_pods.RULES,
    **rules_tables.RULES,
    **rules_table_items.RULES,
    **rules_runtime.RULES,
    **rules_gossip.RULES,
    **rules_network.RULES,
    **rules_deployers.RULES,
    **rules_configuration.RULES,
    **rules_bridge.RULES,
    **rules_bridge_table.RULES,
}
"""Every rule by the id of its findings."""

_ORDER = tuple(Severity)


def judge(
    inspection: Inspection,
    *,
    target: Target,
    to: Store | None = None,
    rings: tuple[str, ...] = (),
    values: ValuesFacts | None = None,
    strategy: Strategy = Strategy.AUTO,
    further: tuple[Finding, ...] = (),
) -> tuple[Finding, ...]:
    """Judge the facts for a move.

    Args:
        inspection: The facts.
        target: What the operator said about where to work.
        to: The wanted store; None: none was named, and the facts are judged for the obvious move,
            away from the store that the rings are on.
        rings: The chosen rings; empty: all that are on and can be moved.
        values: What the values files say; None: they were not read.
        strategy: How the plan is to switch.
        further: Findings from elsewhere, e.g. of the Terraform folder, which join the others.
    """
    offered = tuple(ring.ring for ring in inspection.rings if ring.movable and ring.enabled)
    chosen = tuple(ring for ring in offered if ring in rings) if rings else offered
    question = Question(
        inspection=inspection,
        target=target,
        to=obvious_store(inspection, chosen) if to is None else to,
        rings=chosen,
        asked=to is not None,
        strategy=strategy,
        values=values,
    )
    found = [finding for rule in RULES.values() for finding in rule(question)]
    unknown = inspection.lacking()
    every = [
        msgspec.structs.replace(finding, fix=honest(finding.fix, unknown)) if unknown else finding
        for finding in (*found, *further)
    ]
    return tuple(sorted(every, key=lambda finding: _ORDER.index(finding.severity)))


def obvious_store(inspection: Inspection, rings: tuple[str, ...]) -> Store:
    """Where the rings would go: to memberlist when all are on DynamoDB only, else to DynamoDB."""
    states = {ring.state for ring in inspection.rings if ring.ring in rings}
    return Store.MEMBERLIST if states == {StoreState.DYNAMODB} else Store.DYNAMODB


AGAINST_GOING_ON = frozenset(
    {
        "store-not-offered",
        "store-client-version",
        "flag-overrides-store",
        "other-store",
        "table-missing",
        "table-wrong-keys",
        "puller-sync-too-slow",
        "runtime-config-missing",
        "unchosen-multi-ring",
        "gossip-cannot-start",
        "gitops-owner",
        "setting-not-known",
        "unknown-keys",
        "values-differ-from-release",
    }
)
"""Findings that keep a run which stands halfway from going on, besides those of Terraform and IAM. The
others are what such a run looks like (a rollout that is not over, pods that disagree, a runtime block),
or what the gates wait for."""


def against_going_on(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """What blocks a run that stands halfway; what could not be found out is left to the gates."""
    return tuple(
        finding
        for finding in findings
        if finding.severity is Severity.BLOCKS
        and not finding.unknown
        and (
            finding.id in AGAINST_GOING_ON
            or finding.id.startswith(("terraform-", "iam-", "irsa-"))
        )
    )


def blocks(findings: tuple[Finding, ...]) -> bool:
    """Whether anything keeps the move from beginning."""
    return any(finding.severity is Severity.BLOCKS for finding in findings)
