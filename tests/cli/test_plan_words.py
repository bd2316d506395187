"""What `plan` prints: where it is for at the top, all of it in one line at the end."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mimir_migrate.cli.looking import tell_files
from mimir_migrate.cli.parsing.examples import EXAMPLES
from mimir_migrate.cli.pictures import plan_summary, print_plan
from mimir_migrate.model.plan import Plan
from mimir_migrate.plans.export import from_json

PLANS = Path(__file__).parents[2] / "plans"


def plan(name: str) -> Plan:
    return from_json((PLANS / f"{name}.json").read_bytes(), path=name)


def test_it_begins_with_the_place_and_ends_with_the_sum(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Cluster, namespace, release, account and region; steps, rollouts, time, what it makes."""
    made = plan("mimir-runtime-to-dynamodb")
    print_plan(made)

    lines = capsys.readouterr().out.splitlines()
    for part in (made.identity.release, made.identity.namespace, made.identity.server):
        assert part in lines[0]
    assert "account" in lines[0]
    tail = " ".join(line.strip() for line in lines[-3:])
    assert f"{len(made.steps)} steps; 2 rollouts; " in tail
    assert "makes 1 table" in tail
    assert "quick rollback until " in tail


def test_a_plan_that_closes_nothing_says_so() -> None:
    """The whole of it can be taken back quickly."""
    made = plan("mimir-runtime-to-dynamodb")
    short = msgspec.structs.replace(made, steps=made.steps[:2])
    assert plan_summary(short).endswith("quick rollback to the end.")
    assert "1 rollout;" in plan_summary(short)


def test_the_end_says_where_the_files_are_and_what_comes_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """After all that was printed, where somebody looks; a plan without a step is not to be applied."""
    tell_files(["my plan.json", "plan.md"], any_step=True)
    tell_files(["plan.md"], any_step=True)
    tell_files(["plan.md"], any_step=False)

    said = capsys.readouterr().err.splitlines()
    assert said == [
        "wrote my plan.json, plan.md",
        "next: mimir-migrate apply 'my plan.json'",
        "wrote plan.md",
        "next: the same with `--output plan.json`, then mimir-migrate apply plan.json",
        "wrote plan.md",
    ]


def test_the_bridge_shows_how_its_manifest_is_made() -> None:
    """Both of its commands have an example in its own help."""
    assert any(" bridge manifest " in example for example in EXAMPLES["bridge"])
