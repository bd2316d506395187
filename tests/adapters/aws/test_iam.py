"""What IAM says of the role that pods work under."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from mimir_migrate.adapters.aws.iam import RolePermissions
from mimir_migrate.adapters.aws.session import AwsClients
from mimir_migrate.documents.policies import Verdict, read_policy, verdict
from mimir_migrate.documents.terraform.facts import Subject
from mimir_migrate.documents.terraform.roles import subjects_of
from mimir_migrate.errors import UnreachableError

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


def test_a_role_is_read_with_its_trust_and_all_its_policies(
    clients: AwsClients, role: Any
) -> None:
    """Inline and attached policies count, and so do the service accounts that it lets in."""
    found = RolePermissions(clients).policies(role["Arn"])

    statements = [one for document in found.policies for one in read_policy(document)]
    verdicts = {
        action: verdict(statements, f"dynamodb:{action}", TABLE)
        for action in ("Query", "PutItem", "DeleteItem")
    }
    assert verdicts == {
        "Query": Verdict.ALLOWED,
        "PutItem": Verdict.ALLOWED,
        "DeleteItem": Verdict.MISSING,
    }
    assert list(subjects_of(read_policy(found.trust))) == [
        Subject(namespace="mimir", name="mimir")
    ]


def test_a_role_that_is_not_there_is_told(clients: AwsClients) -> None:
    """An annotation can name a role that was deleted."""
    with pytest.raises(UnreachableError, match="gone"):
        RolePermissions(clients).policies("arn:aws:iam::123456789012:role/gone")
