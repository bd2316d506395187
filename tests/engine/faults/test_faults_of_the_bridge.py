"""Every replica of the ring bridge dies while rings read it: rolling back is open, and nobody is lost."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest
from small_values import SMALL
from virtual_bridge import VirtualBridge
from virtual_world import TABLE, VirtualWorld

from mimir_migrate.engine import traffic
from mimir_migrate.model.events import (
    ChangeDone,
    Event,
    GateJudged,
    GateOverridden,
    Held,
    RequestKind,
    RunState,
    StepStarted,
    Verdict,
)
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.plans.planner import Order

pytestmark = pytest.mark.usefixtures("brisk")
Strike = Callable[[VirtualBridge], None]


def die(bridge: VirtualBridge) -> None:
    """Every replica is killed, and none starts again."""
    bridge.lives = False


def lose_table(bridge: VirtualBridge) -> None:
    """The replicas live, and their table does not answer them."""
    bridge.table_away_since = bridge.scheduler.now()


def switched(timeout: str = "4m", seed: int = 1) -> tuple[VirtualWorld, VirtualBridge, str]:
    """A stock Mimir whose rings are switched to the bridge and still mirrored."""
    world = VirtualWorld(Product.MIMIR, SMALL[Product.MIMIR], seed=seed, through_bridge=True)
    bridge = world.bridge
    assert bridge is not None
    world.target = bridge.through(world.target, TABLE, timeout)
    run = world.apply(
        world.operations.plan(
            world.target, Order(to=Store.DYNAMODB, goal=StoreState.DYNAMODB_MEMBERLIST)
        )
    )
    assert world.ending(run).state is RunState.DONE, world.ending(run)
    world.settle()
    return world, bridge, run


def since(world: VirtualWorld, run: str, number: int) -> list[tuple[float, Event]]:
    """What a run wrote since it had so many events, with the times."""
    return [(one.at, one.event) for one in world.store.journals[run].events()[number:]]


@pytest.mark.parametrize(
    ("strike", "after"),
    [
        (die, 100.0),
        pytest.param(die, 5.0, marks=pytest.mark.soak),
        (lose_table, 5.0),
        pytest.param(lose_table, 100.0, marks=pytest.mark.soak),
    ],
)
def test_a_rollback_needs_no_word_of_a_bridge_that_is_dead(strike: Strike, after: float) -> None:
    """No override, no hold: the switch is edited once three samples were good, and all come home."""
    world, bridge, run = switched()
    start = SMALL[Product.MIMIR]
    before = len(world.events(run))
    strike(bridge)
    world.clock.sleep(after)
    began = world.clock.now()

    world.rollback(run)

    assert world.ending(run).state is RunState.ROLLED_BACK, world.ending(run)
    assert world.exit_code == 0
    told = since(world, run, before)
    assert not [event for _, event in told if isinstance(event, Held | GateOverridden)]
    edited = next(at for at, event in told if isinstance(event, ChangeDone))
    assert edited - began <= 30
    world.settle()
    assert world.values == start
    assert world.lost_sight == 0, world.missed


def test_a_dead_bridge_is_left_also_where_members_are_unhealthy_by_age_already() -> None:
    """An outage beyond heartbeat_timeout: what a pod shows UNHEALTHY, gossip cannot show less."""
    world, bridge, run = switched("4m")
    die(bridge)
    world.clock.sleep(330)
    before = len(world.events(run))

    world.rollback(run)

    assert world.ending(run).state is RunState.ROLLED_BACK, world.ending(run)
    told = since(world, run, before)
    assert not [event for _, event in told if isinstance(event, GateOverridden)]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 40))]
)
def test_a_bridge_that_dies_in_the_middle_of_the_switch_is_left_again(seed: int) -> None:
    """Some pods read it already, some do not; the run waits, and the operator asks to roll back."""
    draw = random.Random(seed)
    world = VirtualWorld(Product.MIMIR, SMALL[Product.MIMIR], seed=seed + 1, through_bridge=True)
    bridge = world.bridge
    assert bridge is not None
    dies, asked = draw.uniform(0, 60), draw.uniform(5, 60)

    def strike(run: str, event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "switch":
            world.listeners.remove(strike)
            world.sandbox.cluster.after(dies, lambda: die(bridge))
            world.sandbox.cluster.after(dies + asked, lambda: world.ask(run, RequestKind.ROLLBACK))

    world.listeners.append(strike)
    run = world.migrate(Store.DYNAMODB)

    assert world.ending(run).state is RunState.ROLLED_BACK, world.ending(run)
    assert not [one for one in world.events(run) if isinstance(one, GateOverridden)]
    world.settle()
    assert world.values == SMALL[Product.MIMIR]
    assert world.lost_sight == 0, world.missed


def test_gossip_that_is_not_whole_holds_a_rollback_off_a_dead_bridge() -> None:
    """What gates are there for is not given up with the bridge's word."""
    world, bridge, run = switched("10m")
    world.sandbox.inject("gossip-blocked", {"pod": "mimir-ingester-0"})
    world.clock.sleep(240)
    die(bridge)
    before = len(world.events(run))
    world.options = msgspec.structs.replace(world.options, gate_timeout=60.0)

    world.rollback(run)

    assert world.ending(run).state is RunState.HELD, world.ending(run)
    told = [event for _, event in since(world, run, before)]
    assert not [event for event in told if isinstance(event, ChangeDone)]
    judged = {one.result.gate: one.result.verdict for one in told if isinstance(one, GateJudged)}
    assert judged[Gate.GOSSIP_WHOLE] is Verdict.FAIL
    assert world.lost_sight == 0, world.missed


def test_the_way_there_waits_for_a_bridge_that_is_dead_and_says_so() -> None:
    """Nobody is moved onto it; the hold names what is the matter."""
    world = VirtualWorld(Product.MIMIR, SMALL[Product.MIMIR], through_bridge=True)
    bridge = world.bridge
    assert bridge is not None

    def strike(_: str, event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "switch":
            die(bridge)

    world.listeners.append(strike)
    run = world.migrate(Store.DYNAMODB)

    assert world.ending(run).state is RunState.HELD
    judged = {
        one.result.gate: one.result
        for one in world.events(run)
        if isinstance(one, GateJudged) and one.step == "switch"
    }
    assert judged[Gate.STORES_EQUAL].verdict is Verdict.UNKNOWN
    assert "no replica of the ring bridge answers" in judged[Gate.STORES_EQUAL].summary
    assert world.lost_sight == 0, world.missed


def test_all_replicas_away_for_two_minutes_cost_no_write_where_timeouts_are_long() -> None:
    """10 min: no failed push or query, nobody out of sight, also after the replicas are back."""
    world, bridge, _ = switched("10m")
    before = world.inspect()
    die(bridge)
    world.clock.sleep(120)
    bridge.lives = True
    world.clock.sleep(180)  # a watch that met an error sleeps for up to a minute

    grown = traffic.deltas(before, world.inspect())

    assert grown is not None
    assert grown.pushes > 1000
    assert (grown.failed_pushes, grown.failed_queries) == (0, 0)
    assert world.lost_sight == 0, world.missed


@pytest.mark.soak
def test_an_outage_that_outlasts_the_timeout_fails_writes() -> None:
    """Five and a half minutes with timeouts of 4 min: the world above can tell the difference."""
    world, bridge, _ = switched("4m")
    before = world.inspect()
    die(bridge)
    world.clock.sleep(330)

    grown = traffic.deltas(before, world.inspect())

    assert grown is not None
    assert grown.failed_pushes is not None
    assert grown.failed_pushes > 0
    assert world.lost_sight > 0
