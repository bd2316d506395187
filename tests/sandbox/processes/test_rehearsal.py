"""The walk of a rehearsal: what passes, what does not, and what would be blocked."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mimir_migrate.model.facts import Identity
from mimir_migrate.model.plan import Duration, Plan, Step, StepKind, Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import TableTarget, Target
from mimir_migrate.sandbox import rehearsal
from mimir_migrate.sandbox.walking import Leg

GOOD = Leg(purpose="apply", exit_code=0, seconds=10.0, steps={"both": 5.0}, observations=100)


class FakeWalk:
    """Answers as a sandbox would on which the legs come out as told."""

    def __init__(self, legs=(GOOD, GOOD), plan=(0, ""), steps=("tables", "both")) -> None:
        self.legs = list(legs)
        self.plan = plan
        self.steps = steps
        self.asked: list[tuple[str, ...]] = []

    def run(self, *arguments: str) -> tuple[int, str]:
        self.asked.append(arguments)
        return self.plan if arguments[0] == "plan" else (0, "")

    def leg(self, *arguments: str) -> Leg:
        self.asked.append(arguments)
        return msgspec.structs.replace(self.legs.pop(0), purpose=arguments[0])

    def steps_of(self, _plan: Path) -> tuple[str, ...]:
        return self.steps


def plan(start: str = "memberlist", table: str = "rings-{ring}") -> Plan:
    step = Step(
        id="both",
        kind=StepKind.ROLLOUT,
        title="",
        what="",
        why="",
        duration=Duration(low=0, high=0, basis=""),
        undo="",
        way_back="",
    )
    return Plan(
        id="1",
        created_at=0.0,
        tool_version="0.2.0",
        target=Target(dynamodb=TableTarget(table=table)),
        identity=Identity(),
        product=Product.CORTEX,
        to=Store.DYNAMODB,
        rings=("ruler", "compactor"),
        strategy=Strategy.STATIC,
        start={"ruler": start, "compactor": "memberlist"},
        steps=(step,),
    )


def walk(fake: FakeWalk, tmp_path: Path):
    return rehearsal._walk(plan(), fake, tmp_path, lambda _text: None)


def test_it_walks_there_and_back_with_the_rings_goal_and_strategy_of_the_plan(tmp_path) -> None:
    """inspect, plan, apply, rollback, in that order."""
    fake = FakeWalk()
    steps, legs, blocked, why = walk(fake, tmp_path)
    assert [asked[0] for asked in fake.asked] == ["inspect", "plan", "apply", "rollback"]
    asked = fake.asked[1]
    assert asked[asked.index("--rings") + 1] == "ruler,compactor"
    assert asked[asked.index("--strategy") + 1] == "static"
    assert (steps, len(legs), blocked, why) == (("tables", "both"), 2, False, "")


def test_the_twin_is_planned_with_the_pace_of_the_plan(tmp_path: Path) -> None:
    """A plan that brings `min_ready_duration` is rehearsed with it; one that does not, without."""
    for pace in ("", "auto"):
        fake = FakeWalk()
        paced = plan()
        table = msgspec.structs.replace(paced.target.dynamodb, min_ready_duration=pace)
        target = msgspec.structs.replace(paced.target, dynamodb=table)
        rehearsal._walk(
            msgspec.structs.replace(paced, target=target), fake, tmp_path, lambda _text: None
        )
        assert ("--min-ready-duration" in fake.asked[1]) is bool(pace)


@pytest.mark.parametrize(
    ("fake", "blocked", "why"),
    [
        (FakeWalk(legs=[msgspec.structs.replace(GOOD, misses=3)]), False, "apply: 3 misses"),
        (
            FakeWalk(legs=[GOOD, msgspec.structs.replace(GOOD, exit_code=3, reason="held")]),
            False,
            "rollback: ended with 3: held",
        ),
        (
            FakeWalk(plan=(3, "asked\nmimir-migrate: the store is not offered\n  -> build it")),
            True,
            "the plan on the twin: the store is not offered",
        ),
        (
            FakeWalk(
                plan=(
                    3,
                    (
                        "mimir-migrate: no plan: 1 finding must be dealt with first; nothing was changed\n"
                        "[store-not-offered] The binary has no dynamodb for the ring of the ruler\n"
                        "    pod a: GET /config?mode=defaults: no block\n"
                    ),
                )
            ),
            True,
            (
                "the plan on the twin: "
                "[store-not-offered] The binary has no dynamodb for the ring of the ruler"
            ),
        ),
        (FakeWalk(plan=(1, "")), False, "the plan on the twin: no word"),
        (FakeWalk(steps=("tables",)), False, "the twin's plan has no step both"),
    ],
)
def test_it_does_not_pass_and_says_why(fake, blocked, why, tmp_path) -> None:
    """A miss, a leg that did not end well, a refusal, a plan that is another."""
    found = walk(fake, tmp_path)
    assert (found[2], found[3]) == (blocked, why)


def test_tables_are_there_where_a_ring_starts_with_them() -> None:
    """One each where the name says so; none for a release that has never seen DynamoDB."""
    assert rehearsal._tables(plan(start="dynamodb")) == ("rings-ruler",)
    assert rehearsal._tables(plan()) == ()
