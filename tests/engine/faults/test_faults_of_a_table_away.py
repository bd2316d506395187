"""DynamoDB goes away for good while rings read it natively: what a rollback to memberlist does, and says."""

from __future__ import annotations

import random

import msgspec
import pytest
from small_values import SMALL
from virtual_world import VirtualWorld

from mimir_migrate.errors import DeniedError, MigrateError, UnreachableError
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

MIMIR, CORTEX = Product.MIMIR, Product.CORTEX
PATIENT = SMALL[MIMIR].replace(b"heartbeat_timeout: 1m", b"heartbeat_timeout: 10m")
THROTTLED = UnreachableError("Query of a ring: ThrottlingException")
CUT = UnreachableError("Query of a ring: Could not connect to the endpoint URL")
REFUSED = DeniedError("Query of a ring: ExpiredTokenException", hint="log in again")


def go_away(world: VirtualWorld, says: MigrateError) -> None:
    """Neither pods nor this tool get an answer any more."""
    world.sandbox.inject("dynamodb-throttled", {})
    world.failing["dynamodb"] = says


def switched(product: Product, values: bytes = b"", seed: int = 1) -> tuple[VirtualWorld, str]:
    """Rings on DynamoDB, still mirrored, with gossip warm."""
    world = VirtualWorld(product, values or SMALL[product], seed=seed)
    order = Order(to=Store.DYNAMODB, goal=StoreState.DYNAMODB_MEMBERLIST)
    run = world.apply(world.operations.plan(world.target, order))
    assert world.ending(run).state is RunState.DONE, world.ending(run)
    world.settle()
    return world, run


def since(world: VirtualWorld, run: str, number: int) -> list[Event]:
    """What a run wrote since it had so many events."""
    return world.events(run)[number:]


@pytest.mark.parametrize(
    ("says", "after"),
    [
        (THROTTLED, 100.0),
        pytest.param(CUT, 5.0, marks=pytest.mark.soak),
        pytest.param(REFUSED, 200.0, marks=pytest.mark.soak),
    ],
)
def test_a_rollback_of_mimir_needs_no_word_of_dynamodb(says: MigrateError, after: float) -> None:
    """No override and no hold: pods' gossip has everybody whom they show, and none is lost."""
    world, run = switched(MIMIR, PATIENT)
    before = len(world.events(run))
    go_away(world, says)
    world.clock.sleep(after)

    world.rollback(run)

    assert world.ending(run).state is RunState.ROLLED_BACK, world.ending(run)
    assert not [one for one in since(world, run, before) if isinstance(one, Held | GateOverridden)]
    world.settle()
    assert world.values == PATIENT
    assert world.lost_sight == 0, world.missed


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 30))]
)
def test_dynamodb_that_goes_away_in_the_middle_of_the_switch_is_left_again(seed: int) -> None:
    """Some pods read it already, some do not; the run waits, and the operator asks to roll back."""
    draw = random.Random(seed)
    world = VirtualWorld(MIMIR, PATIENT, seed=seed + 1)
    goes, asked = draw.uniform(0, 60), draw.uniform(5, 60)

    def strike(run: str, event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "switch":
            world.listeners.remove(strike)
            world.sandbox.cluster.after(goes, lambda: go_away(world, THROTTLED))
            world.sandbox.cluster.after(goes + asked, lambda: world.ask(run, RequestKind.ROLLBACK))

    world.listeners.append(strike)
    run = world.migrate(Store.DYNAMODB)

    assert world.ending(run).state is RunState.ROLLED_BACK, world.ending(run)
    assert not [one for one in world.events(run) if isinstance(one, GateOverridden)]
    world.settle()
    assert world.values == PATIENT
    assert world.lost_sight == 0, world.missed


def test_a_rollback_is_open_where_members_are_unhealthy_by_age_already() -> None:
    """An outage beyond heartbeat_timeout: users fail, so this is when the rollback is needed most."""
    world, run = switched(MIMIR)
    go_away(world, THROTTLED)
    world.clock.sleep(100)
    assert world.lost_sight > 0

    world.rollback(run)

    assert world.ending(run).state is RunState.ROLLED_BACK, world.ending(run)
    assert not [one for one in world.events(run) if isinstance(one, GateOverridden)]
    world.settle()
    lost = world.lost_sight
    world.settle()
    assert world.lost_sight == lost


@pytest.mark.parametrize("product", [MIMIR, pytest.param(CORTEX, marks=pytest.mark.soak)])
def test_a_tool_that_dynamodb_refuses_rolls_back_where_pods_are_well(product: Product) -> None:
    """Gossip is mirrored all the time: what the tool cannot read is not needed."""
    world, run = switched(product)
    world.failing["dynamodb"] = REFUSED

    world.rollback(run)

    assert world.ending(run).state is RunState.ROLLED_BACK, world.ending(run)
    assert not [one for one in world.events(run) if isinstance(one, GateOverridden)]
    world.settle()
    assert world.values == SMALL[product]
    assert world.lost_sight == 0, world.missed


def test_a_rollback_of_cortex_is_held_while_dynamodb_is_away_and_says_why() -> None:
    """Their ring does not age, gossip does: the hold names both, and when to override which gate."""
    world, run = switched(CORTEX)
    before = len(world.events(run))
    go_away(world, THROTTLED)
    world.clock.sleep(100)
    world.options = msgspec.structs.replace(world.options, gate_timeout=60.0)

    world.rollback(run)

    assert world.ending(run).state is RunState.HELD, world.ending(run)
    told = since(world, run, before)
    assert not [one for one in told if isinstance(one, ChangeDone)]
    judged = {one.result.gate: one.result for one in told if isinstance(one, GateJudged)}
    assert judged[Gate.STORES_EQUAL].verdict is Verdict.FAIL
    for words in ("nobody is out of sight as long as no pod restarts", "Wait for DynamoDB"):
        assert words in judged[Gate.STORES_EQUAL].summary
    assert "override stores-equal" in world.ending(run).reason
    assert world.lost_sight == 0, world.missed


@pytest.mark.soak
def test_what_the_hold_says_of_an_override_on_cortex_is_so() -> None:
    """Members are out of sight from the switch until they write into memberlist, and no longer."""
    world, run = switched(CORTEX)
    go_away(world, THROTTLED)
    world.clock.sleep(100)

    def override(_: str, event: Event) -> None:
        if isinstance(event, Held) and event.gate is Gate.STORES_EQUAL:
            world.sandbox.cluster.after(
                5, lambda: world.ask(run, RequestKind.OVERRIDE, Gate.STORES_EQUAL)
            )

    world.listeners.append(override)
    world.rollback(run)

    assert world.ending(run).state is RunState.ROLLED_BACK, world.ending(run)
    assert world.lost_sight > 0
    world.settle()
    lost = world.lost_sight
    world.settle()
    assert world.lost_sight == lost
