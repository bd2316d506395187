"""Folders that were judged wrongly once, through the command, each with what is right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mimir_migrate.cli import run

FOUND = {"terraform-table-found"}
CASES: dict[str, tuple[set[str], int]] = {
    "tf-choice-between-arns": (FOUND, 0),
    "tf-count-in-parentheses": ({"terraform-table-missing"}, 0),
    "tf-override-keys": (FOUND, 0),
    "tf-override-name": ({"terraform-table-missing"}, 0),
    "tf-partition-govcloud": (FOUND, 0),
    "tf-permissions-boundary": (FOUND | {"iam-missing-actions"}, 3),
    "tf-pod-identity-module-policy-statements": (FOUND, 0),
    "tf-pod-identity-no-tagsession": (FOUND | {"pod-identity-trust"}, 3),
    "tf-pod-identity-trust-ec2": (FOUND | {"pod-identity-trust"}, 3),
    "tf-policy-other-region-and-account": (FOUND | {"iam-missing-actions"}, 3),
    "tf-table-awscc": ({"terraform-table-wrong-keys"}, 3),
    "tf-table-in-other-region": ({"terraform-table-elsewhere"}, 0),
    "tf-table-in-tf-json": (FOUND | {"terraform-table-unprotected"}, 0),
    "tf-table-in-unread-file": (FOUND, 0),
    "tf-table-module-wrappers": (FOUND, 0),
    "tf-trust-deny": (FOUND | {"irsa-not-trusted"}, 3),
    "tf-trust-heredoc-quotes": (FOUND, 0),
    "tf-trust-module-wildcard": (FOUND | {"irsa-not-trusted"}, 3),
    "tf-trust-stringequals-wildcard": (FOUND | {"irsa-not-trusted"}, 3),
    "tf-trust-without-sub": (FOUND | {"irsa-trusts-everybody"}, 0),
}


def arguments(folder: Path, *more: str, table: str = "rings") -> list[str]:
    region = "us-gov-west-1" if "govcloud" in folder.name else "eu-west-1"
    return [
        *("terraform", "--terraform", str(folder), "--namespace", "monitoring", "--table", table),
        *("--aws-region", region, "--service-account", "mimir=arn:aws:iam::1:role/x", *more),
    ]


@pytest.mark.corpus
@pytest.mark.parametrize("name", CASES)
def test_a_folder_that_was_judged_wrongly_is_judged_rightly(
    shared: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Findings and exit code."""
    code = run(arguments(shared / "cases" / name, "--json"))

    found = {one["id"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert (found, code) == CASES[name]


@pytest.mark.corpus
def test_every_folder_of_the_cases_is_among_them(shared: Path) -> None:
    """None is left out."""
    assert {path.name for path in (shared / "cases").glob("tf-*")} == set(CASES)


@pytest.mark.corpus
def test_an_overridden_name_is_the_name(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table of the override's name is found."""
    code = run(arguments(shared / "cases" / "tf-override-name", "--json", table="rings-two"))

    found = {one["id"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert (found, code) == (FOUND, 0)


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["tf-table-in-tf-json", "tf-table-in-unread-file"])
def test_no_second_table_is_written_where_there_is_one(
    shared: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In whichever file it stands."""
    new = tmp_path / "new.tf"

    assert run(arguments(shared / "cases" / name, "--output", str(new))) == 0

    assert not new.exists()
    assert "nothing to write" in capsys.readouterr().err


@pytest.mark.parametrize(
    "files",
    [
        {"main.tf": "", "tables.tf": "resource {{{"},
        {"main.tf": "", "tables.tf.json": "{"},
        {"main.tf": 'module "m" {\n  source = "../gone"\n}\n'},
        {
            "main.tf": 'variable "on" {}\nresource "aws_dynamodb_table" "t" {\n'
            '  count = var.on ? 1 : 0\n  name = "rings"\n  hash_key = "RingKey"\n'
            '  range_key = "InstanceKey"\n}\n'
        },
        {"main.tf": 'module "m" {\n  source = "us/tables/aws"\n  tables = ["rings"]\n}\n'},
    ],
)
def test_nothing_is_written_where_it_is_not_known_whether_the_table_is_made(
    tmp_path: Path, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A second table of that name would fail the apply, or take the first one's place."""
    folder = tmp_path / "terraform"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)

    assert run(arguments(folder, "--output", str(tmp_path / "new.tf"))) == 3

    assert not (tmp_path / "new.tf").exists()
    assert "nothing was written: whether Terraform makes the table rings is unknown" in (
        capsys.readouterr().err
    )
