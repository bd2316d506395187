"""What IAM says of the role that pods work under."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from mimir_migrate.adapters.aws import AwsClients
from mimir_migrate.adapters.iam import RolePermissions
from mimir_migrate.documents.permissions import Verdict
from mimir_migrate.documents.terraform_facts import Subject
from mimir_migrate.errors import DeniedError, UnreachableError

TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/rings"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/x"},
            "Condition": {"StringEquals": {"x:sub": "system:serviceaccount:mimir:mimir"}},
        }
    ],
}


def policy(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": TABLE}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def role(clients: AwsClients) -> Any:
    name = f"pods-{uuid.uuid4().hex}"
    iam = clients.client("iam")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=name, PolicyName="x", PolicyDocument=policy("dynamodb:Query"))
    other = iam.create_policy(PolicyName=name, PolicyDocument=policy("dynamodb:PutItem"))
    iam.attach_role_policy(RoleName=name, PolicyArn=other["Policy"]["Arn"])
    return made["Role"]


def test_inline_and_attached_policies_count(clients: AwsClients, role: Any) -> None:
    """What is missing is told for each action."""
    found = RolePermissions(clients).verdicts(
        role["Arn"], ["dynamodb:Query", "dynamodb:PutItem", "dynamodb:DeleteItem"], TABLE
    )

    assert found == {
        "dynamodb:Query": Verdict.ALLOWED,
        "dynamodb:PutItem": Verdict.ALLOWED,
        "dynamodb:DeleteItem": Verdict.MISSING,
    }


def test_the_trust_is_read(clients: AwsClients, role: Any) -> None:
    """Namespace and name of the service accounts that it lets in."""
    found = RolePermissions(clients).trusts(role["Arn"])

    assert found == (Subject(namespace="mimir", name="mimir"),)


def test_a_role_that_may_not_be_read_is_unknown(
    clients: AwsClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operators often have no IAM permissions; that is no error."""

    class Denying:
        def client(self, service: str) -> Any:
            raise DeniedError(f"{service}: AccessDenied")

    permissions = RolePermissions(Denying())  # type: ignore[arg-type]

    assert permissions.verdicts("arn:aws:iam::1:role/x", ["dynamodb:Query"], TABLE) == {
        "dynamodb:Query": Verdict.UNKNOWN
    }
    assert permissions.trusts("arn:aws:iam::1:role/x") is None


def test_a_role_that_is_not_there_is_told(clients: AwsClients) -> None:
    """An annotation can name a role that was deleted."""
    with pytest.raises(UnreachableError, match="gone"):
        RolePermissions(clients).trusts("arn:aws:iam::123456789012:role/gone")
