"""Asks IAM, where it may be asked, what a role of pods is allowed and whom it trusts. Read only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from mimir_migrate.adapters.aws import AwsClients, translated
from mimir_migrate.documents.permissions import Statement, Verdict, read_policy, verdict
from mimir_migrate.documents.terraform_facts import Subject
from mimir_migrate.documents.terraform_iam import subjects_of
from mimir_migrate.errors import DeniedError
from mimir_migrate.ports import RolePolicies


class RolePermissions:
    """What IAM says of roles. The operator often may not ask: unknown then, and no error."""

    def __init__(self, clients: AwsClients) -> None:
        self._clients = clients

    def verdicts(self, role_arn: str, actions: Sequence[str], resource: str) -> dict[str, Verdict]:
        """Whether a role's own policies allow actions on a resource.

        Boundaries, policies of the organisation and of the resource itself are not looked at.

        Args:
            role_arn: As the service account's annotation names it.
            actions: E.g. `dynamodb:Query`.
            resource: An ARN.

        Returns:
            UNKNOWN for every action where the credentials may not read the role.

        Raises:
            UnreachableError: IAM gave no usable answer, or there is no such role.
        """
        try:
            statements = tuple(self._statements(_name(role_arn)))
        except DeniedError:
            return dict.fromkeys(actions, Verdict.UNKNOWN)
        return {action: verdict(statements, action, resource) for action in actions}

    def trusts(self, role_arn: str) -> tuple[Subject, ...] | None:
        """Service accounts that a role lets in; None where the credentials may not read it.

        Raises:
            UnreachableError: IAM gave no usable answer, or there is no such role.
        """
        name = _name(role_arn)
        try:
            with translated(f"GetRole of {name}"):
                role = self._clients.client("iam").get_role(RoleName=name)["Role"]
        except DeniedError:
            return None
        return tuple(subjects_of(_document(role["AssumeRolePolicyDocument"])))

    def policies(self, role_arn: str) -> RolePolicies:
        """The role's trust policy and all its own policies, inline and attached.

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
        )

    def _statements(self, role: str) -> Iterator[Statement]:
        for document in self._documents(role):
            yield from read_policy(document)

    def _documents(self, role: str) -> Iterator[Any]:
        client = self._clients.client("iam")
        with translated(f"reading the policies of the role {role}"):
            for name in _pages(client, "list_role_policies", "PolicyNames", role):
                inline = client.get_role_policy(RoleName=role, PolicyName=name)
                yield _document(inline["PolicyDocument"])
            for one in _pages(client, "list_attached_role_policies", "AttachedPolicies", role):
                arn = one["PolicyArn"]
                newest = client.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
                version = client.get_policy_version(PolicyArn=arn, VersionId=newest)
                yield _document(version["PolicyVersion"]["Document"])


def _pages(client: Any, operation: str, key: str, role: str) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(RoleName=role):
        yield from page[key]


def _name(role_arn: str) -> str:
    """The role's name, without the path that may stand before it."""
    return role_arn.rsplit("/", 1)[-1]


def _document(value: Any) -> Any:
    """A policy as parsed JSON; botocore parses it, an endpoint that is not AWS may leave it quoted."""
    return json.loads(unquote(value)) if isinstance(value, str) else value
