"""Many runs in virtual time under random schedules: faults, churn, lost answers, kills of the runner."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator

import pytest
from brisk_world import brisk as quickly
from schedule_figures import figures
from schedules import ENDINGS, FAULTS, Trial, draw, walk

from mimir_migrate.model.events import RunState
from mimir_migrate.model.stores import StoreState
from mimir_migrate.sandbox.simulation import watch

SEEDS = int(os.environ.get("MIMIR_MIGRATE_SEEDS", "200"))
"""Schedules walked by `make test`."""
BRIDGED = 4
"""Of these through the ring bridge, each of which takes longer."""
SOAKED = int(os.environ.get("MIMIR_MIGRATE_SOAK_SEEDS", "1000"))
REPLAYED = os.environ.get("MIMIR_MIGRATE_SEED", "")
"""The seed to walk again."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without what makes a run slow and not different; the sandbox looks every other second."""
    monkeypatch.setattr(watch, "PERIOD", 2.0)
    usual = gc.get_threshold()
    gc.set_threshold(200_000, 20, 20)
    with quickly():
        yield
    gc.set_threshold(*usual)


def judge(trial: Trial) -> None:
    """Hold what came of a schedule against what it says.

    It ends done or rolled back once its faults are over, and truly so: every chosen ring is where the
    ending says, its members are pods of the release, and the values file is what it was where it went
    back. Before, each runner ended with a reason. Nobody is lost but by the schedule itself.
    """
    story = trial.story()
    assert trial.endings, story
    assert all(ending.reason for ending in trial.endings), story
    last = trial.endings[-1]
    assert not trial.lost, (trial.lost, story)
    assert last.state in ENDINGS, story
    goal = StoreState.only(trial.plan.to if last.state is RunState.DONE else trial.plan.to.other)
    seen = trial.world.operations.look(trial.world.target).inspection
    now = {ring.ring: ring.state for ring in seen.rings if ring.ring in trial.plan.rings}
    assert now == dict.fromkeys(trial.plan.rings, goal), story
    addresses = {facts.pod.ip for facts in seen.pods}
    shown = {
        member.ip
        for facts in seen.pods
        for view in facts.rings
        for member in (view.members or ())
        if view.ring in trial.plan.rings
    }
    assert shown <= addresses, story
    if last.state is RunState.ROLLED_BACK:
        assert trial.world.values == trial.start, story
    before = trial.world.lost_sight
    trial.world.sandbox.run_for(60)
    assert trial.world.lost_sight == before, f"the rings are split in the end\n{story}"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_schedule(seed: int) -> None:
    """It ends done or rolled back, and nobody is lost."""
    judge(walk(seed))


@pytest.mark.parametrize("seed", range(BRIDGED))
def test_random_schedule_through_the_bridge(seed: int) -> None:
    """The same of a stock Mimir, whose bridge is dead or without its table for a while as well."""
    judge(walk(seed, through_bridge=True))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10_000, 10_000 + SOAKED // 4))
def test_many_random_schedules_through_the_bridge(seed: int) -> None:
    """With many more seeds."""
    judge(walk(seed, through_bridge=True))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10_000, 10_000 + SOAKED))
def test_many_random_schedules(seed: int) -> None:
    """The same with many more seeds."""
    judge(walk(seed))


@pytest.mark.skipif(not REPLAYED, reason="MIMIR_MIGRATE_SEED names no seed")
def test_a_schedule_replayed() -> None:
    """The one seed that is looked into."""
    judge(walk(int(REPLAYED), through_bridge="MIMIR_MIGRATE_THROUGH_BRIDGE" in os.environ))


def test_a_schedule_is_the_same_for_its_seed() -> None:
    """So that a failing seed can be looked into."""
    first, second = walk(8), walk(8)
    assert first.story() == second.story()
    assert first.world.values == second.world.values


def test_the_figures_count_what_came_of_each() -> None:
    """As `python tests/engine/schedule_figures.py` prints them for docs/proofs.md."""
    trial = walk(8)
    assert figures([trial, trial]) == (
        f"2 seeds of {len(FAULTS)} faults: 2 {trial.endings[-1].state.value}, "
        f"{2 * trial.killed} runners killed, 0 members lost"
    )


def test_every_fault_is_drawn_again_and_again() -> None:
    """By the seeds of `make test`, in both directions of both products."""
    schedules = [draw(seed) for seed in range(200)]
    drawn = Counter(fault.name for schedule in schedules for fault in schedule.faults)
    assert set(drawn) == set(FAULTS)
    assert min(drawn.values()) >= 5, drawn
    assert len({(one.product, one.to, one.rings, one.back) for one in schedules}) == 16
    killed = Counter(kill.change for one in schedules for kill in one.kills if kill)
    assert min(killed[True], killed[False]) > 50
