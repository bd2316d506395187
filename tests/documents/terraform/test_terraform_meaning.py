"""Expressions have the value that Terraform gives them: held to what it made of hundreds.

`tests/fixtures/terraform-values.json` has what `terraform console` 1.11.4 made of every expression of
`terraform_calls`, as JSON; null where it refuses. Where Terraform is installed it is asked again, and
`MIMIR_MIGRATE_WRITE=1` writes the record again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from terraform_calls import EXPRESSIONS, VARIABLES

from mimir_migrate.documents.terraform.language.expressions import Unresolved, known, text_of
from mimir_migrate.documents.terraform.modules import read_modules

VERSION = "1.11.4"
RECORD = Path(__file__).parents[2] / "fixtures" / "terraform-values.json"
EVERYTHING = EXPRESSIONS + VARIABLES
NOT_EVALUATED = (
    "depends on the types of both sides",
    "is not evaluated here",
    "the format %g",
    "characters that are made of several",
    "more digits than are kept",
    "a template directive",
)
NEGATIVE_ZERO = {"-0", 'tonumber("-0")'}
"""Zero has no sign here, and nothing of a table or a role has such a number."""
"""Reasons for which this reader has no value where Terraform has one, and says so."""


def written(asked_for: str) -> str:
    """A file whose `local.v` is an expression, or a variable's value by its type and default."""
    kind, is_variable, default = asked_for.partition(" := ")
    if not is_variable:
        return f"locals {{\n  v = {asked_for}\n}}\n"
    variable = f'variable "v" {{\n  type    = {kind}\n  default = {default}\n}}\n'
    return f"{variable}locals {{\n  v = var.v\n}}\n"


def ours(expression: str) -> Any:
    text = f"{written(expression)}locals {{\n  x = jsonencode(local.v)\n}}\n"
    (module,), _ = read_modules({"main.tf": text})
    found = module.local("v")
    return module.local("x") if known(found) else found


def recorded() -> dict[str, str | None]:
    found: dict[str, str | None] = json.loads(RECORD.read_text())
    return found


def test_no_expression_is_given_another_value_than_terraforms() -> None:
    """Each has Terraform's value to the letter, or none with the reason; none is refused without need."""
    record = recorded()
    wrong = {}
    for expression, wanted in record.items():
        found = ours(expression)
        if not isinstance(found, Unresolved):
            # A value that is null is left out by the package, as one is that Terraform refuses.
            if text_of(found) != (wanted or "null") and expression not in NEGATIVE_ZERO:
                wrong[expression] = (text_of(found), wanted)
        elif wanted is not None and not any(one in found.reason for one in NOT_EVALUATED):
            wrong[expression] = (found.reason, wanted)

    assert wrong == {}
    assert list(record) == EVERYTHING


def test_what_is_only_not_evaluated_here_is_not_called_wrong() -> None:
    """`try` and `can` take a value for failed only where Terraform does."""
    failed = {
        expression
        for expression, wanted in recorded().items()
        if wanted is not None and getattr(ours(expression), "failed", False)
    }

    assert failed == set()


@pytest.fixture(scope="module")
def terraform() -> None:
    """The Terraform that was asked; another version may refuse or take more."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    said = subprocess.run(
        ["terraform", "version", "-json"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "CHECKPOINT_DISABLE": "1"},
    )
    if f'"terraform_version": "{VERSION}"' not in said.stdout:
        pytest.skip(f"the installed terraform is not {VERSION}")


@pytest.mark.usefixtures("terraform")
@pytest.mark.parametrize(
    "some", [25, pytest.param(len(EVERYTHING), marks=pytest.mark.soak)], ids=["some", "all"]
)
def test_terraform_itself_still_says_what_is_recorded(some: int, tmp_path: Path) -> None:
    """The record is what the installed Terraform answers."""
    if os.environ.get("MIMIR_MIGRATE_WRITE"):
        found = {one: asked(one, tmp_path) for one in EVERYTHING}
        RECORD.write_text(json.dumps(found, indent=0, ensure_ascii=False) + "\n")
    record = recorded()

    for expression in random.sample(EVERYTHING, some):
        assert (expression, asked(expression, tmp_path)) == (expression, record[expression])


def asked(expression: str, folder: Path) -> str | None:
    """What `terraform console` says; None where it refuses, or shows no value."""
    (folder / "main.tf").write_text(written(expression))
    said = subprocess.run(
        ["terraform", "console"],
        input="jsonencode(local.v)\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "CHECKPOINT_DISABLE": "1", "HOME": str(folder)},
    )
    if said.returncode or not said.stdout.startswith('"'):
        return None
    found: str = json.loads(said.stdout)
    return found
