"""IAM's simulator, by a stand-in that answers as AWS' API reference documents it.

It was not run on AWS, and moto does not have the operation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mimir_migrate.adapters.aws.iam import RolePermissions
from mimir_migrate.errors import DeniedError
from mimir_migrate.ports import SimulatedAction

ROLE = "arn:aws:iam::123456789012:role/team/pods"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/rings"
OTHER = "arn:aws:dynamodb:eu-west-1:123456789012:table/other"


class Simulator:
    """The one operation, in pages; it keeps what it was asked."""

    def __init__(self, *pages: dict[str, Any], refuses: bool = False) -> None:
        self.pages = pages
        self.refuses = refuses
        self.asked: dict[str, Any] = {}

    def client(self, service: str) -> Simulator:
        assert service == "iam"
        return self

    def get_paginator(self, operation: str) -> Simulator:
        assert operation == "simulate_principal_policy"
        return self

    def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        self.asked = arguments
        if self.refuses:
            error = {"Error": {"Code": "AccessDenied", "Message": "is not authorized"}}
            raise ClientError(error, "SimulatePrincipalPolicy")  # type: ignore[arg-type]
        yield from self.pages


def simulated(simulator: Simulator, resources: tuple[str, ...] = (TABLE,)) -> Any:
    permissions = RolePermissions(simulator)  # type: ignore[arg-type]
    context = {"aws:requestedregion": ("eu-west-1",), "aws:multifactorauthpresent": ()}
    return permissions.simulate(ROLE, ("dynamodb:Query",), resources, context)


def result(decision: str, **more: Any) -> dict[str, Any]:
    """An `EvaluationResult` for one resource."""
    specific = {"EvalResourceName": TABLE, "EvalResourceDecision": decision, **more}
    return {
        "EvalActionName": "dynamodb:Query",
        "EvalResourceName": "arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}",
        "EvalDecision": decision,
        "MatchedStatements": [],
        "MissingContextValues": [],
        "ResourceSpecificResults": [specific],
    }


def test_the_role_is_asked_for_by_its_arn_with_what_is_known() -> None:
    """A key that the pods' sessions do not have is not given."""
    simulator = Simulator({"EvaluationResults": [result("allowed")]})

    found = simulated(simulator)

    assert found == (SimulatedAction(action="dynamodb:Query", resource=TABLE, decision="allowed"),)
    assert simulator.asked["PolicySourceArn"] == ROLE
    assert [one["ContextKeyName"] for one in simulator.asked["ContextEntries"]] == [
        "aws:requestedregion"
    ]


@pytest.mark.parametrize("decision", ["allowed", "explicitDeny", "implicitDeny"])
def test_each_decision_is_taken_over(decision: str) -> None:
    """With the keys that it lacked."""
    answer = result(decision, MissingContextValues=["aws:SourceVpce"])

    (one,) = simulated(Simulator({"EvaluationResults": [answer]}))

    assert (one.decision, one.missing) == (decision, ("aws:SourceVpce",))


def test_an_answer_without_parts_is_about_the_one_resource() -> None:
    """As older answers were."""
    answer = {**result("allowed"), "EvalResourceName": TABLE}
    answer.pop("ResourceSpecificResults")

    (one,) = simulated(Simulator({"EvaluationResults": [answer]}))

    assert (one.resource, one.decision) == (TABLE, "allowed")
    assert simulated(Simulator({"EvaluationResults": [answer]}), (TABLE, OTHER)) == ()


@pytest.mark.parametrize(
    "detail",
    [
        {"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}},
        {"EvalDecision": "implicitDeny"},
    ],
)
def test_what_an_organization_does_not_allow_is_not_allowed(detail: dict[str, Any]) -> None:
    """Its service control policies are part of the simulation."""
    answer = {**result("allowed"), **detail}
    if "EvalDecision" in detail:
        answer = result(
            "allowed", PermissionsBoundaryDecisionDetail={"AllowedByPermissionsBoundary": False}
        )

    (one,) = simulated(Simulator({"EvaluationResults": [answer]}))

    assert one.decision == "implicitDeny"


def test_all_pages_count() -> None:
    """IAM answers in pages."""
    page = {"EvaluationResults": [result("allowed")]}

    assert len(simulated(Simulator(page, page))) == 2


def test_credentials_that_may_not_simulate_are_denied() -> None:
    """Whoever asks goes on without."""
    with pytest.raises(DeniedError, match="SimulatePrincipalPolicy of pods"):
        simulated(Simulator(refuses=True))
