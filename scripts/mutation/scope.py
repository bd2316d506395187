"""Which modules are mutated, and which of their mutants are run, in which order."""

from __future__ import annotations

import random
from pathlib import Path

from mutation.operators import Mutant, mutants

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/mimir_migrate"

SEED = 20261128
DRAWN = 300
"""So many mutants are drawn of what is not run whole."""

WHOLE_SETS = (
    "engine/asking/*.py",
    "engine/ground.py",
    "operations/requests.py",
    "documents/permissions.py",
    "documents/terraform/role_permissions.py",
    "documents/policies.py",
    "documents/policy_conditions.py",
    "documents/cluster_rights.py",
)
"""What is run whole, and first: desk and approval, the ground a plan rests on, permissions."""
SAMPLED = (
    "engine/*.py",
    "operations/*.py",
    "documents/policy_text.py",
    "documents/terraform/*.py",
    "documents/terraform/language/*.py",
)
"""What the rest is drawn from."""

TESTS = (
    "tests/documents/terraform",
    "tests/documents/test_permissions.py",
    "tests/documents/test_policies.py",
    "tests/documents/test_cli_rbac.py",
    "tests/engine",
    "tests/recovery/test_forget.py",
    "tests/recovery/test_leftover.py",
    "tests/recovery/test_one_operator.py",
    "tests/recovery/test_requests.py",
    "tests/recovery/test_watching.py",
    "tests/cli/test_cleaning.py",
    "tests/cli/test_following.py",
    "tests/cli/test_going_back.py",
    "tests/inspection/test_terraform.py",
    "tests/runs",
)
"""The tests that may kill a mutant: those that need no process, no terminal and no real cluster."""


def texts() -> dict[str, str]:
    """The text of each module that is mutated, those that are run whole first."""
    names = dict.fromkeys(_modules(WHOLE_SETS) + _modules(SAMPLED))
    return {name: (SOURCE / name).read_text() for name in names}


def all_mutants(modules: dict[str, str]) -> tuple[list[Mutant], list[Mutant]]:
    """The mutants of the modules that are run whole, and those of the others."""
    whole = set(_modules(WHOLE_SETS))
    first: list[Mutant] = []
    rest: list[Mutant] = []
    for name, text in modules.items():
        (first if name in whole else rest).extend(mutants(name, text))
    return first, rest


def chosen(first: list[Mutant], rest: list[Mutant]) -> list[Mutant]:
    """The mutants to run: all of the first, module by module, then those that are drawn of the rest."""
    return first + drawn(rest, DRAWN)


def drawn(rest: list[Mutant], count: int) -> list[Mutant]:
    """The same ones for as long as their functions are as they are: the lowest by a seeded number each.

    A draw from a list would be another one after each change of any module.
    """
    return sorted(rest, key=lambda one: random.Random(f"{SEED}{one.id}").random())[:count]  # noqa: S311


def _modules(patterns: tuple[str, ...]) -> list[str]:
    return [
        str(path.relative_to(SOURCE))
        for pattern in patterns
        for path in sorted(SOURCE.glob(pattern))
    ]
