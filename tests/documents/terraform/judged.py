"""A folder with a ring table, a role and its policy, of which tests write one part in another way."""

from __future__ import annotations

from collections.abc import Mapping

from mimir_migrate.documents.terraform.findings import assess
from mimir_migrate.model.facts import ServiceAccount
from mimir_migrate.model.findings import Finding

PROVIDER = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
OIDC = f"arn:aws:iam::123456789012:oidc-provider/{PROVIDER}"
SUBJECT = "system:serviceaccount:monitoring:mimir"
ARN = "arn:aws:iam::123456789012:role/pods"

KEYS = """\
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "RingKey"
  range_key                   = "InstanceKey"
  deletion_protection_enabled = true
  attribute {
    name = "RingKey"
    type = "S"
  }
  attribute {
    name = "InstanceKey"
    type = "S"
  }
"""
TABLE = f'resource "aws_dynamodb_table" "rings" {{\n  name = "rings"\n{KEYS}}}\n'

ALLOW = 'Effect = "Allow", Action = "dynamodb:*", Resource = "*"'


def trust(
    condition: str = f'StringEquals = {{ "{PROVIDER}:sub" = "{SUBJECT}" }}',
    *,
    effect: str = "Allow",
    principal: str = f'{{ Federated = "{OIDC}" }}',
    action: str = '"sts:AssumeRoleWithWebIdentity"',
) -> str:
    """A statement of a trust policy."""
    written = f"Condition = {{ {condition} }}" if condition else ""
    return (
        f'{{ Effect = "{effect}", Action = {action}, Principal = {principal}'
        + (f", {written}" if written else "")
        + " }"
    )


def role(*trusts: str, more: str = "") -> str:
    """The role, with statements of its trust policy."""
    statements = ", ".join(trusts or (trust(),))
    return (
        'resource "aws_iam_role" "pods" {\n  name = "pods"\n'
        f"  assume_role_policy = jsonencode({{ Statement = [{statements}] }})\n{more}}}\n"
    )


def policy(*statements: str) -> str:
    """Its inline policy, of the insides of statements."""
    written = ", ".join(f"{{ {one} }}" for one in statements or (ALLOW,))
    return (
        'resource "aws_iam_role_policy" "rings" {\n  role = aws_iam_role.pods.id\n'
        f"  policy = jsonencode({{ Statement = [{written}] }})\n}}\n"
    )


def judged(
    *texts: str,
    files: Mapping[str, str] | None = None,
    region: str = "eu-west-1",
    account: str | None = ARN,
    table: str = "rings",
) -> dict[str, Finding]:
    """Findings by id, of files or of one file of these texts."""
    found = assess(
        files if files is not None else {"main.tf": "".join(texts)},
        show_json=None,
        tables=[table],
        namespace="monitoring",
        service_accounts=[ServiceAccount(name="mimir", role=account)],
        client_version="1.21.1",
        region=region,
    )
    return {one.id: one for one in found}


FINE = {"terraform-table-found"}
