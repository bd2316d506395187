"""`rbac`: manifests that can be applied once the operator's group stands in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mimir_migrate.cli import run


def printed(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[dict[str, Any], str]:
    assert run(["rbac", "--namespace", "metrics", "--release", "mimir", *more]) == 0
    text = capsys.readouterr().out
    found = [each for each in yaml.safe_load_all(text) if each]
    return {each["kind"]: each for each in found}, text


def test_nothing_is_allowed_that_is_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """Lists and pages are read, one Lease is written, and no ConfigMap or Service is touched."""
    manifests, _ = printed(capsys, "--revision", "7")

    rules = manifests["Role"]["rules"]
    verbs: dict[str, set[str]] = {}
    for rule in rules:
        for resource in rule["resources"]:
            verbs.setdefault(resource, set()).update(rule["verbs"])
    assert verbs == {
        "pods": {"list"},
        "pods/proxy": {"get"},
        "pods/portforward": {"create"},
        "secrets": {"get"},
        "statefulsets": {"list"},
        "deployments": {"list"},
        "replicasets": {"list"},
        "horizontalpodautoscalers": {"list"},
        "networkpolicies": {"list"},
        "leases": {"create", "get", "update"},
    }
    (named,) = [rule for rule in rules if "update" in rule["verbs"]]
    assert named["resourceNames"] == ["mimir-migrate-mimir"]


def test_service_accounts_are_read_only_where_a_terraform_folder_is_judged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Their annotations are compared with what the folder says."""
    manifests, _ = printed(capsys, "--revision", "7", "--terraform", "terraform")

    assert ["serviceaccounts"] in [rule["resources"] for rule in manifests["Role"]["rules"]]


def test_two_namespaces_are_read_from_outside(capsys: pytest.CaptureFixture[str]) -> None:
    """The release's own, and the one whose id is the cluster's."""
    manifests, _ = printed(capsys, "--revision", "7")

    (rule,) = manifests["ClusterRole"]["rules"]
    assert (rule["resources"], rule["verbs"]) == (["namespaces"], ["get"])
    assert rule["resourceNames"] == ["kube-system", "metrics"]


def test_the_release_s_secrets_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The present revision's and those of the next thirty deploys."""
    manifests, _ = printed(capsys, "--revision", "7")

    (rule,) = [one for one in manifests["Role"]["rules"] if one["resources"] == ["secrets"]]
    assert rule["verbs"] == ["get"]
    assert rule["resourceNames"] == [
        f"sh.helm.release.v1.mimir.v{number}" for number in range(7, 38)
    ]


def test_listing_the_secrets_is_a_choice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for, or where nobody knows the revision, which is said."""
    monkeypatch.setenv("KUBECONFIG", "/nowhere/kubeconfig")
    chosen, _ = printed(capsys, "--list-secrets")
    assert run(["rbac", "--namespace", "metrics", "--release", "mimir"]) == 0
    unknown = capsys.readouterr()

    (rule,) = [one for one in chosen["Role"]["rules"] if one["resources"] == ["secrets"]]
    assert rule["verbs"] == ["get", "list"]
    assert "resourceNames" not in rule
    assert "present revision is not known" in unknown.err
    assert '"list"' in unknown.out


def test_what_is_not_said_is_asked_in_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Namespace, release, table and region, in this order; without a terminal it says what it took."""
    answers = iter(["metrics", "m", "rings", "eu-west-1"])
    monkeypatch.setattr("mimir_migrate.cli.permissions.is_terminal", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    assert run(["rbac", "--revision", "3"]) == 0
    asked = capsys.readouterr()
    monkeypatch.setattr("mimir_migrate.cli.permissions.is_terminal", lambda: False)
    assert run(["rbac", "--revision", "3"]) == 0
    silent = capsys.readouterr()

    assert "namespace: metrics" in asked.out
    assert "sh.helm.release.v1.m.v3" in asked.out
    assert "arn:aws:dynamodb:eu-west-1:*:table/rings" in asked.out
    assert "no namespace is named" in silent.err
    assert "no release is named" in silent.err


def test_letting_iam_simulate_is_optional(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a policy of its own."""
    _, text = printed(capsys, "--revision", "7")

    before = text.split("iam:SimulatePrincipalPolicy")[0]
    assert "# Optional" in before.splitlines()[-9]


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


def test_what_clean_needs_is_printed_only_when_it_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No migration deletes anything."""
    _, without = printed(capsys, "--revision", "7")
    _, text = printed(capsys, "--revision", "7", "--clean")

    pods = without.index("# IAM policy of the pods' role")
    assert "dynamodb:DeleteItem" not in without[:pods]
    assert "dynamodb:DeleteTable" not in without
    assert {"dynamodb:DeleteItem", "dynamodb:DeleteTable", "dynamodb:Scan"} <= set(
        text.replace('"', " ").replace(",", " ").split()
    )


def test_a_journal_s_copy_takes_four_named_secrets_and_no_right_to_create_any(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Whoever may create Secrets may have a token of any service account made."""
    target = tmp_path / "target.toml"
    target.write_text('[journal]\ncopy = "cluster"\n')
    manifests, text = printed(capsys, "--revision", "7", "--target", str(target))

    names = [f"mimir-migrate-mimir-{number}" for number in range(4)]
    rules = [one for one in manifests["Role"]["rules"] if one["resources"] == ["secrets"]]
    assert {"verbs": ["get", "update"], "resourceNames": names}.items() <= rules[1].items()
    assert all("create" not in one["verbs"] for one in rules)
    secrets = [one for one in yaml.safe_load_all(text) if one and one["kind"] == "Secret"]
    assert [one["metadata"]["name"] for one in secrets] == names
    assert all("data" not in one for one in secrets)
    _, without = printed(capsys, "--revision", "7")
    assert "kind: Secret" not in without
