"""Whole migrations of a simulated cluster in virtual time, with the real inspection, planner and runner."""

from __future__ import annotations

import hashlib

import pytest
from small_values import SMALL
from virtual_world import Crash, VirtualWorld

from mimir_migrate.model.events import (
    ChangeDone,
    Event,
    GateJudged,
    Held,
    RequestKind,
    RunState,
    StepDone,
    StepStarted,
    Verdict,
)
from mimir_migrate.model.plan import Gate, Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState

pytestmark = pytest.mark.usefixtures("brisk")

RINGS = {"all": (), "ruler": ("ruler",)}


def states(world: VirtualWorld) -> dict[str, StoreState | None]:
    """The one state of every ring that is on and can be moved."""
    found = world.operations.look(world.target).inspection
    return {ring.ring: ring.state for ring in found.rings if ring.movable and ring.enabled}


def steps(world: VirtualWorld, run: str) -> list[str]:
    """The steps that were done, in order."""
    return [event.step for event in world.events(run) if isinstance(event, StepDone)]


@pytest.mark.parametrize("product", list(Product))
@pytest.mark.parametrize("rings", list(RINGS))
def test_there_and_back_without_losing_sight(product: Product, rings: str) -> None:
    """No page ever misses a living member; the rings move; the file's bytes come back."""
    world = VirtualWorld(product, SMALL[product])
    before = states(world)
    start = hashlib.sha256(world.values).hexdigest()

    there = world.migrate(Store.DYNAMODB, RINGS[rings])
    assert world.ending(there).state is RunState.DONE, world.ending(there)
    world.settle()
    moved = states(world)
    chosen = RINGS[rings] or tuple(before)
    for ring, state in moved.items():
        assert state is (StoreState.DYNAMODB if ring in chosen else before[ring]), ring

    back = world.migrate(Store.MEMBERLIST, RINGS[rings])
    assert world.ending(back).state is RunState.DONE, world.ending(back)
    world.settle()
    assert states(world) == before
    assert hashlib.sha256(world.values).hexdigest() == start
    assert world.sandbox.simulation.watch.observations > 1000
    assert world.lost_sight == 0, world.missed


@pytest.mark.parametrize("strategy", [Strategy.STATIC])
def test_static_is_safe_where_runtime_would_do(strategy: Strategy) -> None:
    """Three rollouts without the runtime block lose nobody, there and back."""
    world = VirtualWorld(Product.MIMIR, SMALL[Product.MIMIR])
    start = world.values
    there = world.migrate(Store.DYNAMODB, ("ruler",), strategy)
    assert steps(world, there) == ["tables", "both", "swap", "settle"]
    back = world.migrate(Store.MEMBERLIST, ("ruler",), strategy)
    assert world.ending(back).state is RunState.DONE, world.ending(back)
    assert world.values == start
    assert world.lost_sight == 0, world.missed


PREFIXES = [
    *((Product.CORTEX, step) for step in ("both", "switch", "swap", "settle", "clear")),
    *((Product.MIMIR, step) for step in ("mirror", "unmirror")),
]


@pytest.mark.parametrize(("product", "step"), PREFIXES)
def test_rolls_back_from_every_prefix(product: Product, step: str) -> None:
    """Asked for the rollback right after a step's first change, it ends where it began."""
    world = VirtualWorld(product, SMALL[product])
    before, start = states(world), world.values
    seen = ""

    def ask(run: str, event: Event) -> None:
        nonlocal seen
        if isinstance(event, StepStarted):
            seen = event.step
        if isinstance(event, ChangeDone) and seen == step:
            world.listeners.remove(ask)
            world.ask(run, RequestKind.ROLLBACK)

    world.listeners.append(ask)
    run = world.migrate(Store.DYNAMODB)
    assert world.ending(run).state is RunState.ROLLED_BACK, world.ending(run)
    assert world.ending(run).exit_code == 6
    world.settle()
    assert states(world) == before
    assert world.values == start
    assert world.lost_sight == 0, world.missed


def test_after_a_rollback_a_second_migration_succeeds() -> None:
    """What the first one left in DynamoDB is in nobody's way."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])
    first = world.migrate(Store.DYNAMODB)
    world.rollback(first)
    assert world.ending(first).state is RunState.ROLLED_BACK, world.ending(first)
    assert world.exit_code == 0
    assert world.sandbox.items._rings, "the items of the first migration are gone"
    second = world.migrate(Store.DYNAMODB)
    assert world.ending(second).state is RunState.DONE, world.ending(second)
    assert world.lost_sight == 0, world.missed


def test_gossip_that_is_not_whole_holds_the_rollback() -> None:
    """Both stores are equal, and still memberlist does not become primary."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])
    world.migrate(Store.DYNAMODB)
    world.sandbox.inject("gossip-blocked", {"pod": "cortex-ingester-0"})
    back = world.migrate(Store.MEMBERLIST)
    ending = world.ending(back)
    assert ending.state is RunState.HELD
    assert ending.exit_code == 3
    assert "gossip-whole" in ending.reason
    last = {
        e.result.gate: e.result.verdict for e in world.events(back) if isinstance(e, GateJudged)
    }
    assert last[Gate.STORES_EQUAL] is Verdict.PASS
    assert steps(world, back) == ["both"]
    world.sandbox.inject("clear")
    world.resume(back)
    assert world.ending(back).state is RunState.DONE, world.ending(back)
    assert world.lost_sight == 0, world.missed


def test_users_that_fail_hold_the_run_until_the_operator_says_so() -> None:
    """5xx in the middle: held, the rollback offered; it does not go on by itself once it is over."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])

    def spoil(run: str, event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "switch":
            world.sandbox.inject("errors-5xx", {"seconds": "120"})

    def answer(run: str, event: Event) -> None:
        if isinstance(event, Held) and event.gate is Gate.USERS_FINE:
            assert "`rollback` goes back" in event.hint
            world.sandbox.cluster.after(400, lambda: world.ask(run, RequestKind.ROLLBACK))

    world.listeners += [spoil, answer]
    run = world.migrate(Store.DYNAMODB)
    assert world.ending(run).state is RunState.ROLLED_BACK, world.ending(run)
    assert world.exit_code == 6
    assert steps(world, run)[:2] == ["tables", "both"]
    assert "swap" not in steps(world, run)[:3]


def test_in_the_middle_of_a_rollback_everything_says_so() -> None:
    """Status lists what is left of it and no more, and nobody is sent forward again."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])
    run = world.migrate(Store.DYNAMODB, (), Strategy.STATIC)
    assert world.operations.status(run).way_back.startswith("takes three rollouts")

    def die(_: str, event: Event) -> None:
        if isinstance(event, StepDone) and event.step == "swap":
            world.listeners.remove(die)
            raise Crash

    world.listeners.append(die)
    world.rollback(run)
    status = world.operations.status(run)
    assert status.way_back == "under way: 1 step is left, settle"
    assert status.way_back_steps == ("settle",)
    (recommended,) = [
        choice for choice in world.operations.look(world.target).choices if choice.recommended
    ]
    assert recommended.title == "Let the rollback to memberlist end"
    assert f"the run {run} is rolled back now: let it end" in recommended.reason

    world.resume(run)
    assert world.ending(run).state is RunState.ROLLED_BACK, world.ending(run)
    over = world.operations.status(run)
    assert over.way_back.startswith("over: every chosen ring is where it was")
    assert over.way_back_steps == ()
    (after,) = [
        choice for choice in world.operations.look(world.target).choices if choice.recommended
    ]
    assert after.id == "stay"


def test_a_stock_mimir_goes_through_the_bridge_and_back_without_losing_sight() -> None:
    """Switched by the runtime configuration through Consul's client; the file's bytes come back."""
    world = VirtualWorld(Product.MIMIR, SMALL[Product.MIMIR], through_bridge=True)
    start = world.values

    there = world.migrate(Store.DYNAMODB)
    assert world.ending(there).state is RunState.DONE, world.ending(there)
    assert steps(world, there)[0] == "bridge"
    world.settle()
    assert set(states(world).values()) == {StoreState.DYNAMODB}
    assert b"store: consul" in world.values

    back = world.migrate(Store.MEMBERLIST)
    assert world.ending(back).state is RunState.DONE, world.ending(back)
    assert steps(world, back)[-1] == "unbridge"
    world.settle()
    assert set(states(world).values()) == {StoreState.MEMBERLIST}
    assert b"consul" not in world.values
    assert world.lost_sight == 0, world.missed
    assert len(start) > 0
