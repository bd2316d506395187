"""`terraform` as it is called: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from mimir_migrate.cli import run
from mimir_migrate.documents.permissions import ROLE_ANNOTATION
from mimir_migrate.documents.terraform.folder import read_terraform

ROLE = """\
resource "aws_iam_role" "pods" {
  name = "pods"
  assume_role_policy = jsonencode({
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/x" }
      Condition = { StringEquals = { "x:sub" = "system:serviceaccount:mimir:mimir" } }
    }]
  })
}
"""
ARN = "arn:aws:iam::123456789012:role/pods"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a role and no table, and no AWS account at hand."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "terraform"
    root.mkdir()
    (root / "main.tf").write_text(ROLE)
    return root


def arguments(folder: Path, *more: str, account: str = f"mimir={ARN}") -> list[str]:
    words = ["terraform", "--terraform", str(folder), "--namespace", "mimir", "--table", "rings"]
    words += ["--aws-region", "eu-west-1", *more]
    return [*words, "--service-account", account] if account else words


def identifiers(text: str) -> list[str]:
    return [finding["id"] for finding in json.loads(text)["findings"]]


def test_what_is_missing_is_written_and_then_nothing_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file holds the table and the policy of the role; with it the folder is complete."""
    new = folder / "rings.tf"

    assert run(arguments(folder, "--json")) == 3
    assert identifiers(capsys.readouterr().out) == [
        "terraform-table-missing",
        "iam-missing-actions",
    ]

    assert run(arguments(folder, "--output", str(new))) == 3
    assert "no import block" in capsys.readouterr().err
    facts = read_terraform({"main.tf": ROLE, "rings.tf": new.read_text()})
    assert [table.name.value for table in facts.tables] == ["rings"]
    assert 'role       = "pods"' in new.read_text()

    assert run(arguments(folder, "--json")) == 0
    assert identifiers(capsys.readouterr().out) == ["terraform-table-found"]


def test_a_file_that_is_there_is_never_written_to(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither replaced nor added to."""
    there = folder / "main.tf"

    assert run(arguments(folder, "--output", str(there))) == 2

    assert there.read_text() == ROLE
    assert "is there already" in capsys.readouterr().err


def test_only_the_policy_is_written_where_only_that_is_missing(
    folder: Path, tmp_path: Path
) -> None:
    """The table stands in the folder already; the policy names it by its ARN."""
    run(arguments(folder, "--output", str(folder / "rings.tf")))
    text = (folder / "rings.tf").read_text()
    (folder / "rings.tf").write_text(text[: text.index('data "aws_iam_policy_document"')])
    new = tmp_path / "policy.tf"

    assert run(arguments(folder, "--output", str(new))) == 3

    assert "aws_dynamodb_table" not in new.read_text()
    assert "arn:aws:dynamodb:eu-west-1:*:table/rings" in new.read_text()
    shutil.copy(new, folder / "policy.tf")
    assert run(arguments(folder)) == 0


def test_nothing_is_written_where_a_table_may_be_there_under_a_computed_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise Terraform would make it twice."""
    (folder / "table.tf").write_text(
        'resource "aws_dynamodb_table" "x" {\n  name      = module.label.id\n'
        '  hash_key  = "RingKey"\n  range_key = "InstanceKey"\n}\n'
    )
    new = folder / "rings.tf"

    assert run(arguments(folder, "--output", str(new))) == 3

    assert not new.exists()
    assert "--show-json" in capsys.readouterr().err


def test_shown_state_tells_computed_names(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--show-json` FILE is read besides the folder."""
    table = {
        "address": "aws_dynamodb_table.x",
        "type": "aws_dynamodb_table",
        "values": {
            "name": "rings",
            "hash_key": "RingKey",
            "range_key": "InstanceKey",
            "billing_mode": "PAY_PER_REQUEST",
            "deletion_protection_enabled": True,
        },
    }
    shown = tmp_path / "shown.json"
    shown.write_text(
        json.dumps({"format_version": "1.0", "values": {"root_module": {"resources": [table]}}})
    )

    run(arguments(folder, "--json", "--show-json", str(shown)))

    assert "terraform-table-found" in identifiers(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("annotations", "finding"),
    [
        ("{}", "irsa-annotation-missing"),
        (f"{{{ROLE_ANNOTATION}: {ARN}}}", "iam-missing-actions"),
    ],
)
def test_the_values_tell_the_service_account_and_its_role(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    annotations: str,
    finding: str,
) -> None:
    """Where none is named by hand."""
    values = tmp_path / "values.yaml"
    values.write_text(
        f"serviceAccount:\n  name: mimir\n  annotations: {annotations}\n"
        "mimir:\n  structuredConfig:\n    querier: {timeout: 1m}\n"
    )

    assert run(arguments(folder, "--json", "--values", str(values), account="")) == 3

    assert finding in identifiers(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("account", "finding"),
    [("mimir=", "irsa-annotation-missing"), ("mimir", "irsa-annotation-unknown")],
)
def test_no_annotation_is_not_the_same_as_an_unknown_one(
    folder: Path, capsys: pytest.CaptureFixture[str], account: str, finding: str
) -> None:
    """Both end with 3."""
    assert run(arguments(folder, "--json", account=account)) == 3

    assert finding in identifiers(capsys.readouterr().out)


def test_what_the_target_lacks_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder, the namespace and the table are all that it takes."""
    assert run(["terraform", "--terraform", str(tmp_path)]) == 2

    error = capsys.readouterr().err
    assert "--namespace" in error
    assert "--table" in error


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_terraform_itself_finds_nothing_to_format(folder: Path) -> None:
    """`terraform fmt -check` ends with 0 only where it would change nothing."""
    new = folder / "rings.tf"
    run(arguments(folder, "--output", str(new)))

    done = subprocess.run(
        ["terraform", "fmt", "-check", "-diff", str(new)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
