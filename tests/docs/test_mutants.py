"""docs/mutants.md is held to the code without running a mutant."""

from __future__ import annotations

import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/mutants.md").read_text()
REASONS = tomllib.loads((ROOT / "scripts/mutation/justified.toml").read_text())
ROW = re.compile(r"^\| ([0-9a-f]{10}) \| `([^`]+)` `([^`]+)` \| .* \| (.+) \|$", re.MULTILINE)
FIGURES = re.compile(r"^\| (whole|drawn|all) \| ([\d |]+) \|$", re.MULTILINE)
SURVIVORS = [match.groups() for match in ROW.finditer(DOCUMENT)]


@cache
def mutants_of(module: str) -> frozenset[tuple[str, str]]:
    """The names of a module's mutants, each with its function."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from mutation.operators import mutants
        from mutation.scope import SOURCE
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    return frozenset(
        (one.id, one.function) for one in mutants(module, (SOURCE / module).read_text())
    )


@pytest.mark.parametrize("survivor", SURVIVORS, ids=lambda row: row[0])
def test_a_survivor_is_still_a_mutant_of_its_function(survivor: tuple[str, ...]) -> None:
    """Otherwise the code is another one: run `make mutants`, then `make mutants ARGS=--report`."""
    name, module, function, _ = survivor

    assert (name, function) in mutants_of(module)


def test_each_survivor_has_a_reason() -> None:
    """And each reason a survivor."""
    assert {name for name, *_ in SURVIVORS} == set(REASONS)
    assert all(reason == REASONS[name] for name, _, _, reason in SURVIVORS)


def test_the_figures_add_up() -> None:
    """What was run ended in one of three ways, and the rows are as many as the survivors."""
    rows = {name: [int(one) for one in row.split("|")] for name, row in FIGURES.findall(DOCUMENT)}

    assert [a + b for a, b in zip(rows["whole"], rows["drawn"], strict=True)] == rows["all"]
    for generated, chosen, run, killed, timed_out, survived in rows.values():
        assert generated >= chosen >= run == killed + timed_out + survived
    assert rows["all"][-1] == len(SURVIVORS)
