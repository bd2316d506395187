"""Asks IAM, where it may be asked, what a role of pods is allowed and whom it trusts. Read only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from mimir_migrate.adapters.aws.session import AwsClients, translated
from mimir_migrate.ports import RolePolicies, SimulatedAction


class RolePermissions:
    """Implements `ports.Roles`."""

    def __init__(self, clients: AwsClients) -> None:
        self._clients = clients

    def policies(self, role_arn: str) -> RolePolicies:
        """The role's trust policy, its boundary and all its own policies, inline and attached.

        Policies of the organisation and of what is used are not looked at.

        Args:
            role_arn: As the service account's annotation names it.

        Raises:
            DeniedError: The credentials may not read the role.
            UnreachableError: IAM gave no usable answer, or there is no such role.
        """
        name = _name(role_arn)
        with translated(f"GetRole of {name}"):
            role = self._clients.client("iam").get_role(RoleName=name)["Role"]
        return RolePolicies(
            trust=_document(role["AssumeRolePolicyDocument"]),
            policies=tuple(self._documents(name)),
            boundary=self._boundary(name, role),
        )

    def simulate(
        self,
        role_arn: str,
        actions: Sequence[str],
        resources: Sequence[str],
        context: Mapping[str, tuple[str, ...]],
    ) -> tuple[SimulatedAction, ...]:
        """What IAM's simulator says: identity policies, boundary and SCPs, never the trust policy.

        Args:
            role_arn: As the service account's annotation names it.
            actions: E.g. `dynamodb:Query`.
            resources: ARNs.
            context: Values by condition key; a key without values is left out.

        Raises:
            DeniedError: The credentials may not simulate.
            UnreachableError: IAM gave no usable answer, or there is no such role.
        """
        entries = [
            {"ContextKeyName": key, "ContextKeyValues": list(values), "ContextKeyType": "string"}
            for key, values in context.items()
            if values
        ]
        with translated(f"SimulatePrincipalPolicy of {_name(role_arn)}"):
            pages = self._clients.client("iam").get_paginator("simulate_principal_policy")
            return tuple(
                one
                for page in pages.paginate(
                    PolicySourceArn=role_arn,
                    ActionNames=list(actions),
                    ResourceArns=list(resources),
                    ContextEntries=entries,
                )
                for result in page["EvaluationResults"]
                for one in _simulations(result, resources)
            )

    def _boundary(self, name: str, role: Any) -> Any:
        arn = (role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
        if not arn:
            return None
        with translated(f"reading the permissions boundary of the role {name}"):
            return self._managed(arn)

    def _documents(self, role: str) -> Iterator[Any]:
        client = self._clients.client("iam")
        with translated(f"reading the policies of the role {role}"):
            for name in _pages(client, "list_role_policies", "PolicyNames", role):
                inline = client.get_role_policy(RoleName=role, PolicyName=name)
                yield _document(inline["PolicyDocument"])
            for one in _pages(client, "list_attached_role_policies", "AttachedPolicies", role):
                yield self._managed(one["PolicyArn"])

    def _managed(self, arn: str) -> Any:
        client = self._clients.client("iam")
        newest = client.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        version = client.get_policy_version(PolicyArn=arn, VersionId=newest)
        return _document(version["PolicyVersion"]["Document"])


def _simulations(result: Any, resources: Sequence[str]) -> Iterator[SimulatedAction]:
    """One for each resource; the result itself speaks of an ARN's form since IAM answers so."""
    each = result.get("ResourceSpecificResults") or ()
    for one in each:
        yield _simulation(
            result, str(one.get("EvalResourceName", "")), one.get("EvalResourceDecision"), one
        )
    if not each and len(resources) == 1:
        yield _simulation(result, resources[0], result.get("EvalDecision"), result)


def _simulation(result: Any, resource: str, decision: Any, detail: Any) -> SimulatedAction:
    boundary = detail.get("PermissionsBoundaryDecisionDetail") or {}
    organization = result.get("OrganizationsDecisionDetail") or {}
    allowed = boundary.get("AllowedByPermissionsBoundary", True) and organization.get(
        "AllowedByOrganizations", True
    )
    said = str(decision or "")
    return SimulatedAction(
        action=str(result.get("EvalActionName", "")),
        resource=resource,
        decision="implicitDeny" if said == "allowed" and not allowed else said,
        missing=tuple(map(str, detail.get("MissingContextValues") or ())),
    )


def _pages(client: Any, operation: str, key: str, role: str) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(RoleName=role):
        yield from page[key]


def _name(role_arn: str) -> str:
    """The role's name, without the path that may stand before it."""
    return role_arn.rsplit("/", 1)[-1]


def _document(value: Any) -> Any:
    """A policy as parsed JSON; botocore parses it, an endpoint that is not AWS may leave it quoted."""
    return json.loads(unquote(value)) if isinstance(value, str) else value
