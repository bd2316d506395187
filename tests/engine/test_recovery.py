"""The runner's process dies anywhere: one command goes on, one goes back."""

from __future__ import annotations

from functools import cache

import pytest
import release as fake
from quick_world import VALUES, QuickWorld
from small_values import SMALL

from mimir_migrate.model.events import (
    ChangeDone,
    ChangeIntended,
    RunState,
    StepDone,
    StepStarted,
    WaitStarted,
)
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store

pytestmark = pytest.mark.usefixtures("brisk")

RINGS = ("ruler",)


@cache
def undisturbed() -> QuickWorld:
    """The run that nothing happens to."""
    world = QuickWorld()
    plan = world.start(rings=RINGS)
    assert world.run(plan) == 0
    return world


def points() -> list[int]:
    """The events at which a death tells something: around each change and step, and some between."""
    events = undisturbed().events()
    near = {
        number + shift
        for number, event in enumerate(events)
        if isinstance(event, ChangeIntended | ChangeDone | StepStarted)
        for shift in (0, 1)
    }
    return sorted((near | set(range(1, len(events), 7))) - {0})


def killed(at: int, *, written: bool) -> tuple[QuickWorld, bool]:
    """A run whose process dies at an event; whether it did."""
    world = QuickWorld()
    plan = world.start(rings=RINGS)
    world.journal.dies_at, world.journal.written = at, written
    died = world.run(plan) is None
    world.journal.dies_at = 0
    return world, died


def test_resume_from_every_point_ends_the_same() -> None:
    """Each change takes effect exactly once, in the same order, wherever the process died."""
    wanted = undisturbed().effects()
    for at in points():
        for written in (True, False):
            world, died = killed(at, written=written)
            assert died, at
            code = world.run(world.events()[0].plan, "resume")
            assert code == 0, (at, written, world.ending())
            assert world.ending().state is RunState.DONE
            assert world.effects() == wanted, (at, written)
            assert world.holder is None


@pytest.mark.parametrize("purpose", ["resume", "rollback"])
@pytest.mark.parametrize("rolling", [True, False])
def test_a_pod_that_says_too_little_in_a_rollout_is_looked_at_again(
    purpose: str, rolling: bool
) -> None:
    """It is just leaving; where nothing moves the run ends with what it lacks, as nobody will say it."""
    events = undisturbed().events()
    done = next(
        number
        for number, event in enumerate(events)
        if isinstance(event, StepDone) and event.step == "both"
    )
    world, _ = killed(done + 1, written=True)
    looks = 0

    def leaving(seen: Inspection) -> Inspection:
        nonlocal looks
        looks += 1
        if looks > 2:
            return seen
        seen = fake.with_view(seen, "cortex-ruler-0", "ruler", config=None)
        return fake.with_workload(seen, "ruler", updated_replicas=1) if rolling else seen

    world.spoil = leaving
    code = world.run(world.events()[0].plan, purpose)
    ended = world.ending()
    waited = [
        event
        for event in world.events()
        if isinstance(event, WaitStarted) and "stand still" in event.waiting_for
    ]
    assert (code, bool(waited)) == ((0, True) if rolling else (3, False)), ended
    if not rolling:
        assert "cortex-ruler-0 is Ready and did not say" in ended.reason


def test_rollback_from_every_point_gives_the_start() -> None:
    """The file's bytes are back, and what runs is what ran."""
    for number, at in enumerate(points()):
        world, _ = killed(at, written=bool(number % 2))
        code = world.run(world.events()[0].plan, "rollback")
        assert code == 0, (at, world.ending())
        assert world.ending().state is RunState.ROLLED_BACK
        assert world.files[VALUES] == SMALL[Product.CORTEX], at
        assert world.inspect() is not None
        assert world.running == SMALL[Product.CORTEX], at


def test_a_rollback_that_died_goes_on_backwards() -> None:
    """`resume` after a rollback that was killed does not turn round again."""
    world, _ = killed(len(undisturbed().events()) // 2, written=True)
    plan = world.events()[0].plan
    world.journal.dies_at = 8
    assert world.run(plan, "rollback") is None
    world.journal.dies_at = 0
    assert world.run(plan, "resume") == 6
    assert world.ending().state is RunState.ROLLED_BACK
    assert world.files[VALUES] == SMALL[Product.CORTEX]


def test_after_the_rollback_a_second_run_forward_succeeds() -> None:
    """Nothing of the first is in its way."""
    world, _ = killed(len(undisturbed().events()) // 2, written=True)
    world.run(world.events()[0].plan, "rollback")
    again = QuickWorld()
    again.files, again.deployed, again.running = world.files, world.deployed, world.running
    again.tables, again.revision = world.tables, world.revision
    assert again.run(again.start(Store.DYNAMODB, RINGS)) == 0
