"""A runner that dies anywhere, in virtual time: one command goes on to the same end, one goes back."""

from __future__ import annotations

import os

import pytest
from crash_matrix import (
    QUICK,
    SCENARIOS,
    Scenario,
    Trial,
    die_and_resume,
    die_and_roll_back,
    die_twice,
    near_changes,
    points,
    sampled,
    undisturbed,
)
from small_values import SMALL

from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store

pytestmark = pytest.mark.usefixtures("brisk")

EVERY = int(os.environ.get("MIMIR_MIGRATE_MATRIX_EVERY", "1"))
"""`make soak` dies at each so many-th point, and always around the changes."""

LONG = [one for one in SCENARIOS if one.to is Store.MEMBERLIST]


def names(scenario: Scenario) -> str:
    """A test's id."""
    return scenario.name.replace(" ", "-")


def test_the_points_are_those_of_a_whole_run() -> None:
    """Every change of a plan and every event is counted; a run dies at each number once."""
    marks = undisturbed(QUICK[0])[0]
    changes = [mark.what for mark in marks if mark.kind == "change" and not mark.renewal]
    assert changes[0] == "TakeLease"
    assert changes[1] == "CreateTable"
    assert changes[-1] == "ReleaseLease"
    assert changes[2:-1] == ["WriteFile", "Deploy"] * ((len(changes) - 3) // 2)
    assert changes.count("Deploy") == 6
    assert any(mark.renewal for mark in marks)
    assert [mark.what for mark in marks].count("ChangeIntended") == len(changes) - 2
    assert marks[-1].what == "RunFinished"


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("scenario", QUICK, ids=names)
def test_resume_ends_the_same(scenario: Scenario, part: int) -> None:
    """A sample of the points around changes: the same end, each change in effect exactly once."""
    die_and_resume(scenario, sampled(near_changes(scenario), 3)[part])


@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize("scenario", QUICK, ids=names)
def test_rollback_gives_the_start(scenario: Scenario, part: int) -> None:
    """A sample of all points: the start, to the byte."""
    die_and_roll_back(scenario, sampled(points(scenario)[7:], 2)[part])


SAID = SMALL[Product.MIMIR].replace(
    b"    ruler:\n      ring:\n",
    b"    ruler:\n      ring:\n        kvstore: {store: memberlist}   # the default, and said all the same\n",
)
"""Taken back by a look at the cluster alone, the key would go: it says what is the default."""


@pytest.mark.parametrize("number", [0, 1])
def test_an_edit_that_nobody_noted_is_taken_back_to_the_byte(number: int) -> None:
    """The file was written and the runner died before it could say so."""
    scenario = QUICK[1]
    counted = Trial(scenario, SAID).apply().marks
    writes = [at for at, mark in enumerate(counted) if mark.what == "WriteFile"]
    trial = Trial(scenario, SAID)
    trial.apply(writes[number] + 1)
    assert trial.world.values != SAID
    trial.go_on("rollback")
    trial.check_rolled_back(f"after write {number}")
    assert trial.world.values == SAID


def test_died_before_its_runner_began() -> None:
    """The run is written down and nobody ever worked on it: both commands take it on."""
    die_and_resume(QUICK[-1], 0)
    die_and_roll_back(QUICK[-1], 0)


@pytest.mark.parametrize("scenario", LONG[1:3], ids=names)
def test_the_way_to_memberlist_survives_as_well(scenario: Scenario) -> None:
    """Once in the middle of it: gone on with."""
    near = near_changes(scenario)
    die_and_resume(scenario, near[2 * len(near) // 3])


def test_a_second_run_forward_finds_the_items_of_the_first() -> None:
    """Died in the middle, went back, and then the whole way."""
    scenario = next(one for one in QUICK if one.product is Product.CORTEX)
    near = near_changes(scenario)
    die_and_roll_back(scenario, near[2 * len(near) // 3], again=True)


def test_a_way_back_that_dies_goes_on_backwards() -> None:
    """`resume` does not turn round again."""
    near = near_changes(QUICK[-1])
    die_twice(QUICK[-1], near[len(near) // 2], 0.5)


def chosen(scenario: Scenario) -> list[int]:
    """The points of the long run."""
    every = set(points(scenario)[::EVERY]) if EVERY else set()
    return sorted(every | set(near_changes(scenario)))


@pytest.mark.soak
@pytest.mark.parametrize("scenario", SCENARIOS, ids=names)
def test_resume_from_every_point(scenario: Scenario) -> None:
    """Each point of the matrix once."""
    for at in chosen(scenario):
        die_and_resume(scenario, at)


@pytest.mark.soak
@pytest.mark.parametrize("scenario", SCENARIOS, ids=names)
def test_rollback_from_every_point(scenario: Scenario) -> None:
    """Each point of the matrix once, and after each fifth a second run forward."""
    for number, at in enumerate(chosen(scenario)):
        die_and_roll_back(scenario, at, again=number % 5 == 0)


@pytest.mark.soak
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=names)
def test_the_way_back_dies_as_well(scenario: Scenario, share: float) -> None:
    """From four points, each at another part of the way back."""
    for at in sampled(near_changes(scenario)[2:], 4):
        die_twice(scenario, at, share)
