"""What the folder's policies say and what IAM's simulator says, taken together."""

from __future__ import annotations

import itertools

import pytest
from judged import ARN, TABLE, policy, role

from mimir_migrate.documents.permissions import table_arn
from mimir_migrate.documents.policies import Verdict
from mimir_migrate.documents.terraform.folder import read_terraform
from mimir_migrate.documents.terraform.role_findings import role_findings
from mimir_migrate.documents.terraform.second_opinion import (
    contradiction,
    opinions,
    settled,
    verdict_of,
)
from mimir_migrate.model.facts import ServiceAccount
from mimir_migrate.model.findings import Finding
from mimir_migrate.ports import SimulatedAction

ARN_OF_TABLE = table_arn("rings", region="eu-west-1", account="123456789012")
READS = 'Effect = "Allow", Action = "dynamodb:Describe*", Resource = "*"'


def simulation(decision: str, *missing: str) -> SimulatedAction:
    return SimulatedAction(
        action="dynamodb:Query", resource=ARN_OF_TABLE, decision=decision, missing=missing
    )


def judged(written: str, *said: SimulatedAction, trust: str = "") -> dict[str, Finding]:
    facts = read_terraform({"main.tf": TABLE + (trust or role()) + written})
    found = role_findings(
        facts,
        ServiceAccount(name="mimir", role=ARN),
        "monitoring",
        ["rings"],
        ["dynamodb:Query"],
        "eu-west-1",
        opinions(said),
    )
    return {one.id: one for one in found}


@pytest.mark.parametrize(
    ("written", "said", "expected"),
    [
        (policy(), simulation("allowed"), []),
        (policy(), simulation("allowed", "aws:SourceVpce"), []),
        (policy(), simulation("explicitDeny"), ["iam-missing-actions"]),
        (policy(), simulation("explicitDeny", "aws:SourceVpce"), ["iam-missing-actions"]),
        (policy(), simulation("implicitDeny"), ["iam-unknown-actions"]),
        (policy(READS), simulation("allowed"), ["iam-unknown-actions"]),
        (policy(READS), simulation("implicitDeny"), ["iam-missing-actions"]),
        (
            policy('Effect = "Deny", Action = "*", Resource = "*"'),
            simulation("allowed"),
            ["iam-missing-actions"],
        ),
        (
            policy('Effect = "Allow", Action = "*", Resource = var.arn'),
            simulation("allowed"),
            [],
        ),
        (
            policy('Effect = "Allow", Action = "*", Resource = var.arn'),
            simulation("implicitDeny"),
            ["iam-missing-actions"],
        ),
        (
            policy('Effect = "Allow", Action = "*", Resource = var.arn'),
            simulation("allowed", "aws:SourceVpce"),
            ["iam-unknown-actions"],
        ),
    ],
)
def test_two_opinions_make_one_verdict(
    written: str, said: SimulatedAction, expected: list[str]
) -> None:
    """A denial from either side blocks; a contradiction is unknown."""
    assert list(judged(written, said)) == expected


def test_a_contradiction_is_shown_with_both_sides() -> None:
    """Who is right cannot be told from here."""
    evidence = judged(policy(), simulation("implicitDeny"))["iam-unknown-actions"].evidence[0]

    assert "dynamodb:Query: allowed by the policies that were read" in evidence.detail
    assert "implicitDeny by IAM's simulator" in evidence.detail


def test_what_only_the_simulator_denies_is_shown_with_both_sides() -> None:
    """The policies that were read allow it, so that nothing in them explains the verdict."""
    evidence = judged(policy(), simulation("explicitDeny"))["iam-missing-actions"].evidence[0]

    assert "allowed by the policies that were read" in evidence.detail
    assert "explicitDeny by IAM's simulator" in evidence.detail


def test_the_simulator_says_nothing_of_trust() -> None:
    """A role that does not let the pods in stays one, whatever it may do."""
    other = role().replace("monitoring:mimir", "other:mimir")

    assert list(judged(policy(), simulation("allowed"), trust=other)) == ["irsa-wrong-namespace"]


@pytest.mark.parametrize(("one", "other"), list(itertools.product(Verdict, Verdict)))
def test_no_pair_of_opinions_is_better_than_both(one: Verdict, other: Verdict) -> None:
    """Allowed takes one that allows and none that says no; it does not matter who says which."""
    found = settled(one, other)

    assert found is settled(other, one)
    assert (found is Verdict.ALLOWED) == (
        Verdict.ALLOWED in {one, other} and {one, other} <= {Verdict.ALLOWED, Verdict.UNKNOWN}
    )
    assert (found is Verdict.DENIED) == (Verdict.DENIED in {one, other})


def test_a_decision_that_nobody_documents_is_unknown() -> None:
    """It is not a yes."""
    assert verdict_of(simulation("perhaps")) is Verdict.UNKNOWN
    assert contradiction(Verdict.ALLOWED, simulation("perhaps")) == ""
