"""A runner that dies anywhere, in virtual time: one command goes on to the same end, one goes back."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec
import pytest
from brisk_world import LONG_LEASE, brisk
from crash_matrix import (
    BRIDGED,
    EVERY,
    SCENARIOS,
    START,
    Mark,
    Scenario,
    Trial,
    points,
    undisturbed,
)
from deaths import (
    AGAIN,
    BACK_DIES,
    RESUME,
    ROLLBACK,
    Places,
    check,
    die,
    nowhere,
    table,
    write_down,
    written_down,
)
from forked import Outcome

from mimir_migrate.model.plan import Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Migrations in virtual time that take a moment, with few renewals of the lease."""
    with brisk(LONG_LEASE):
        yield


SHORT = [
    one
    for one in SCENARIOS
    if (one.product, one.strategy)
    in {(Product.MIMIR, Strategy.AUTO), (Product.CORTEX, Strategy.STATIC)}
]
"""Both products, both strategies, both directions, and between them every kind of step."""


def names(scenario: Scenario) -> str:
    """A test's id."""
    return scenario.name.replace(" ", "-")


def test_the_points_are_those_of_a_whole_run() -> None:
    """Every change of a plan and every event is counted; a run dies at each number once."""
    marks = undisturbed(SHORT[0])[0]
    changes = [mark.what for mark in marks if mark.kind == "change" and not mark.renewal]
    assert changes[0] == "TakeLease"
    assert changes[-1] == "ReleaseLease"
    assert changes[1:-1] == ["WriteFile", "Deploy"] * ((len(changes) - 2) // 2)
    assert changes.count("Deploy") == 6
    assert any(mark.renewal for mark in marks)
    assert [mark.what for mark in marks].count("ChangeIntended") == len(changes) - 2
    assert marks[-1].what == "RunFinished"


PARTS = 2
"""So many tests share the points of a scenario, and so do the workers."""


def each_once(scenario: Scenario, at: int) -> str:
    """What follows a death here: mostly the shorter way to an end, each sixteenth time the longer."""
    if at % 80 == 25:
        return AGAIN
    goes_on = at >= len(points(scenario)) / 2
    return RESUME if goes_on is (at // PARTS % 16 != 3) else ROLLBACK


def dies_in_the_rollback(at: int) -> Places:
    """Now and then the rollback dies as well, once."""
    return (lambda place: place == at // 4) if at // PARTS % 10 == 5 else nowhere


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", SHORT, ids=names)
def test_every_point_once(scenario: Scenario, part: int) -> None:
    """The runner dies at each point, and one command leads to the end or to the start."""
    mine = points(scenario)[part::PARTS]
    outcomes = die(
        scenario,
        lambda at: (each_once(scenario, at),) if at in mine else (),
        dies_in_the_rollback,
    )
    check(outcomes)
    assert [one.at for one in outcomes if one.then != BACK_DIES] == list(mine)


def test_points_of_a_migration_through_the_bridge() -> None:
    """The same at each thirtieth point of one through the ring bridge; `make soak` has all of them."""
    mine = points(BRIDGED)[7::30]
    outcomes = die(
        BRIDGED,
        lambda at: (RESUME if at % 2 else ROLLBACK,) if at in mine else (),
        lambda _: nowhere,
    )
    check(outcomes)
    assert [one.at for one in outcomes] == list(mine)
    assert len(mine) > 3


@pytest.mark.parametrize("number", [0, 1])
def test_an_edit_that_nobody_noted_is_taken_back_to_the_byte(number: int) -> None:
    """The file was written and the runner died before it could say so."""
    scenario = next(
        one
        for one in SCENARIOS
        if (one.product, one.strategy, one.to) == (Product.MIMIR, Strategy.STATIC, Store.DYNAMODB)
    )
    writes = 0
    trial = Trial(scenario)

    def dies(_: int, mark: Mark) -> bool:
        nonlocal writes
        after = writes > number
        writes += mark.what == "WriteFile"
        return after

    trial.apply(dies)
    assert trial.world.values != START[Product.MIMIR]
    trial.go_on("rollback")
    trial.check_rolled_back(f"after write {number}")
    assert trial.world.values == START[Product.MIMIR]


def test_what_is_not_as_wanted_is_named_and_can_be_replayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A runner that rolls back by doing nothing is found out, at each point and on each way."""
    scenario = SHORT[-1]
    last = len(points(scenario)) - 1

    def do_harm(trial: Trial, *_: object) -> None:
        trial.world.sandbox.simulation.watch.missed["ruler a b"] = 7

    monkeypatch.setattr(Trial, "go_on", do_harm)
    found = die(
        scenario, lambda at: (RESUME, ROLLBACK) if at in {5, last} else (), lambda _: nowhere
    )
    assert [(one.at, one.then) for one in found] == [
        (at, then) for at in (5, last) for then in (RESUME, ROLLBACK)
    ]
    assert all("AssertionError" in one.problem for one in found)
    assert [one.lost for one in found] == [7] * 4
    with pytest.raises(AssertionError) as told:
        check(found)
    assert f"point 5 of {last + 1}: after " in str(told.value)
    assert f"deaths.py '{scenario.name}' 5 resume" in str(told.value)


def test_a_child_that_says_nothing_is_not_as_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, or out of memory: no answer is no good answer."""
    monkeypatch.setattr(Trial, "go_on", lambda *_: os._exit(9))
    found = die(SHORT[-1], lambda at: (RESUME,) if at == 5 else (), lambda _: nowhere)
    assert ["the child ended" in one.problem for one in found] == [True]


def test_the_table_counts_points_kills_and_what_was_as_wanted() -> None:
    """One row for each scenario and continuation, and one for all."""
    one = Outcome(scenario="a", points=9, at=1, then="resume", where="", replay="")
    lines = [
        msgspec.json.encode(msgspec.structs.replace(one, **change))
        for change in (
            {},
            {"at": 2},
            {"then": "rollback", "kills": 2, "lost": 3},
            {"problem": "no"},
        )
    ]
    assert list(table(lines))[2:] == [
        "| a | 9 | resume | 2 | 3 | 0 | 2 |",
        "| a | 9 | rollback | 1 | 2 | 3 | 1 |",
        "| all | 9 |  | 2 | 5 | 3 | 3 |",
    ]


def test_a_long_run_goes_on_where_it_was_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the file has as wanted is not done again; what is not, or of another walk, is."""
    monkeypatch.setenv("MIMIR_MIGRATE_MATRIX", str(tmp_path / "matrix.jsonl"))
    scenario = SHORT[-1]
    assert written_down(scenario) == set()
    one = Outcome(
        scenario=scenario.name,
        points=len(points(scenario)),
        at=3,
        then=RESUME,
        where="",
        replay="",
    )
    for change in ({}, {"at": 4, "problem": "no"}, {"at": 5, "points": 1}, {"scenario": "a"}):
        write_down([msgspec.structs.replace(one, **change)])
    assert written_down(scenario) == {(3, RESUME)}


def everything(at: int) -> Collection[str]:
    """What `make soak` does after a death at each point; each fifth time it goes forward again."""
    return (RESUME, AGAIN if at % 5 == 0 else ROLLBACK)


def now_and_then(at: int) -> Places:
    """From each sixteenth point the rollback dies at each sixteenth of its places, shifted."""
    return (lambda place: place % 16 == at // 16 % 16) if at % 16 == 3 else nowhere


@pytest.mark.soak
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("scenario", EVERY, ids=names)
def test_the_whole_matrix(scenario: Scenario, part: int) -> None:
    """Each point with each command, and the rollback dies as well."""
    done = written_down(scenario)
    check(
        die(
            scenario,
            lambda at: [
                then for then in everything(at) if at % 4 == part and (at, then) not in done
            ],
            now_and_then,
        )
    )
