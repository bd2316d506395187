"""`rbac`: manifests that can be applied once the operator's group stands in them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from mimir_migrate.cli import run


def printed(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[dict[str, Any], str]:
    assert run(["rbac", "--namespace", "metrics", "--release", "mimir", *more]) == 0
    text = capsys.readouterr().out
    found = [each for each in yaml.safe_load_all(text) if each]
    return {each["kind"]: each for each in found}, text


def test_everything_that_is_read_is_allowed_and_nothing_else_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Service accounts are read for their role; the Lease alone is written."""
    manifests, _ = printed(capsys)

    rules = manifests["Role"]["rules"]
    verbs = {resource: rule["verbs"] for rule in rules for resource in rule["resources"]}
    assert verbs["serviceaccounts"] == ["get", "list"]
    writing = {
        resource
        for rule in rules
        for resource in rule["resources"]
        if not set(rule["verbs"]) <= {"get", "list"}
    }
    assert writing == {"leases"}


@pytest.mark.parametrize(
    ("binding", "role"), [("RoleBinding", "Role"), ("ClusterRoleBinding", "ClusterRole")]
)
def test_each_role_is_bound_to_whom_the_operator_fills_in(
    capsys: pytest.CaptureFixture[str], binding: str, role: str
) -> None:
    """The placeholder cannot be taken for a group that exists."""
    manifests, _ = printed(capsys)

    bound = manifests[binding]
    assert bound["roleRef"]["kind"] == role
    assert bound["roleRef"]["name"] == manifests[role]["metadata"]["name"]
    assert [subject["name"] for subject in bound["subjects"]] == ["REPLACE-WITH-YOUR-GROUP"]


def test_tables_are_not_made_where_terraform_makes_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Then the tool needs no permission for it."""
    _, with_api = printed(capsys)
    _, with_terraform = printed(capsys, "--terraform", "terraform")

    assert "dynamodb:CreateTable" in with_api
    assert "dynamodb:CreateTable" not in with_terraform
    assert "iam:GetRole" in with_terraform
