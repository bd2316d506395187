"""Goals on both stores: switched and still mirrored, or mirrored and not switched."""

from __future__ import annotations

import bridged
import planning
import pytest
import release as fake
import yaml

from mimir_migrate.cli.sandbox.rehearsing import refuse_other_plans
from mimir_migrate.documents.values.files import SourceFile
from mimir_migrate.errors import BlockedError, UsageError
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Plan, Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.plans.path import direction
from mimir_migrate.plans.planner import Order, make_plan

SWITCHED = StoreState.DYNAMODB_MEMBERLIST
MIRRORED = StoreState.MEMBERLIST_DYNAMODB
MIMIR, CORTEX = Product.MIMIR, Product.CORTEX
FOLLOWS = {
    MIMIR: frozenset(fake.ON[MIMIR]),
    CORTEX: frozenset({"ingester"}),
}
"""The rings that follow the runtime configuration."""


def towards(goal: StoreState, seen: Inspection) -> Store:
    return direction(goal, (store for ring in seen.rings for store in ring.primaries))


def plan(
    seen: Inspection,
    goal: StoreState,
    files: tuple[SourceFile, ...],
    *,
    target: Target | None = None,
    strategy: Strategy = Strategy.AUTO,
    rings: tuple[str, ...] = (),
) -> Plan:
    return make_plan(
        seen,
        target or planning.target(seen.product),
        Order(to=towards(goal, seen), goal=goal, strategy=strategy, rings=rings),
        files,
        origin=planning.ORIGIN,
        blast_check=lambda *_: (),
    )


def alone(product: Product, store: Store) -> tuple[Inspection, tuple[SourceFile, ...]]:
    """Every ring on one store, and the files that say so."""
    files = (planning.example(product),)
    if store is Store.MEMBERLIST:
        return planning.start(product, tables=(fake.TABLE,)), files
    there, _ = planning.forth_and_back(product)
    return fake.release(product, StoreState.DYNAMODB), planning.walk(there, files)[-1]


def ids(made: Plan) -> list[str]:
    return [step.id for step in made.steps]


def block(files: tuple[SourceFile, ...], product: Product) -> object:
    values = yaml.safe_load(files[0].content)
    if product is CORTEX:
        values = (values.get("runtimeconfigmap") or {}).get("runtime_config") or {}
    else:
        values = values.get("runtimeConfig") or {}
    return values.get("multi_kv_config")


@pytest.mark.parametrize(
    ("product", "strategy", "steps"),
    [
        (MIMIR, Strategy.AUTO, ["both", "mirror", "switch"]),
        (MIMIR, Strategy.STATIC, ["both", "swap"]),
        (CORTEX, Strategy.AUTO, ["both", "switch", "swap"]),
        (CORTEX, Strategy.STATIC, ["both", "swap"]),
    ],
)
def test_switched_and_still_mirrored(
    product: Product, strategy: Strategy, steps: list[str]
) -> None:
    """The plan ends before mirroring does; rings that do not follow the block say it statically."""
    seen, files = alone(product, Store.MEMBERLIST)

    made = plan(seen, SWITCHED, files, strategy=strategy)

    assert ids(made) == steps
    assert (made.to, made.goal, made.end) == (Store.DYNAMODB, SWITCHED, SWITCHED)
    last = made.steps[-1]
    assert set(last.primaries.values()) == {Store.DYNAMODB}
    assert last.mirror
    static = SWITCHED if last.id == "swap" else MIRRORED
    assert set(last.states.values()) == {static}
    expected = {"primary": "dynamodb", "mirror_enabled": True}
    said = block(planning.walk(made, files)[-1], product)
    assert said == (None if strategy is Strategy.STATIC else expected)


@pytest.mark.parametrize(
    ("product", "strategy", "steps"),
    [
        (MIMIR, Strategy.AUTO, ["both", "mirror"]),
        (MIMIR, Strategy.STATIC, ["both"]),
        (CORTEX, Strategy.AUTO, ["both"]),
    ],
)
def test_mirrored_and_not_switched(product: Product, strategy: Strategy, steps: list[str]) -> None:
    """No step of it changes what is read."""
    seen, files = alone(product, Store.MEMBERLIST)

    made = plan(seen, MIRRORED, files, strategy=strategy)

    assert ids(made) == steps
    assert made.to is Store.DYNAMODB
    assert not any(step.crossing for step in made.steps)
    assert set(made.steps[-1].primaries.values()) == {Store.MEMBERLIST}
    assert made.steps[-1].mirror


@pytest.mark.parametrize("product", [MIMIR, CORTEX])
@pytest.mark.parametrize("goal", [SWITCHED, MIRRORED])
def test_from_dynamodb_alone(product: Product, goal: StoreState) -> None:
    """`dynamodb+memberlist` adds memberlist and stays; `memberlist+dynamodb` switches as well."""
    seen, files = alone(product, Store.DYNAMODB)

    made = plan(seen, goal, files)

    last = made.steps[-1]
    assert made.to is Store.MEMBERLIST
    assert set(last.primaries.values()) == {goal.primary}
    assert last.mirror
    assert all(state.is_multi for state in last.states.values())
    assert any(step.crossing for step in made.steps) is (goal is MIRRORED)


@pytest.mark.parametrize("product", [MIMIR, CORTEX])
@pytest.mark.parametrize("store", list(Store))
@pytest.mark.parametrize("goal", [SWITCHED, MIRRORED])
def test_a_goal_that_is_reached_needs_nothing_more(
    product: Product, store: Store, goal: StoreState
) -> None:
    """From each step of the way the rest of it is planned, and at its end nothing."""
    seen, files = alone(product, store)
    made = plan(seen, goal, files)
    for number, step in enumerate(made.steps):
        texts = planning.walk(made, files)[number]
        here = planning.observed(product, step, files=texts)
        assert ids(plan(here, goal, texts)) == ids(made)[number + 1 :]


@pytest.mark.parametrize("product", [MIMIR, CORTEX])
def test_from_the_goal_every_other_end_is_open(product: Product) -> None:
    """On to DynamoDB alone, and back to memberlist."""
    seen, files = alone(product, Store.MEMBERLIST)
    made = plan(seen, SWITCHED, files)
    texts = planning.walk(made, files)[-1]
    here = planning.observed(product, made.steps[-1], files=texts)

    on = planning.plan(here, Store.DYNAMODB, texts)
    back = planning.plan(here, Store.MEMBERLIST, texts)

    assert ids(on)[-2:] == ["settle", "clear"]
    assert ids(back)[-2:] == ["settle", "clear"]
    assert back.steps[0].crossing


def test_a_mirror_that_was_turned_off_is_turned_on_again() -> None:
    """After `unmirror` on the way to DynamoDB alone."""
    seen, files = alone(MIMIR, Store.MEMBERLIST)
    there = planning.plan(seen, Store.DYNAMODB, files)
    at = ids(there).index("unmirror")
    texts = planning.walk(there, files)[at]
    here = planning.observed(MIMIR, there.steps[at], files=texts)

    made = plan(here, SWITCHED, texts)

    assert ids(made) == ["mirror"]
    assert made.steps[0].runtime == RuntimeBlock(primary="dynamodb", mirror_enabled=True)


def test_rings_at_both_ends_are_not_brought_together_at_once() -> None:
    """One on DynamoDB alone, the others on memberlist: there is no one block for both."""
    states = {"ruler": StoreState.DYNAMODB}
    seen = fake.release(CORTEX, StoreState.MEMBERLIST, states=states)
    there, _ = planning.forth_and_back(CORTEX, ("ruler",))
    files = planning.walk(there, (planning.example(CORTEX),))[-1]
    with pytest.raises(BlockedError, match="left memberlist already"):
        plan(seen, SWITCHED, files)


def test_through_the_bridge_the_block_names_consul() -> None:
    """And the plan ends without `unbridge`: the rings stay on it."""
    target = bridged.target(planning.target(MIMIR), heartbeat_timeout="4m")
    files = (planning.example(MIMIR),)

    made = plan(bridged.release(StoreState.MEMBERLIST), SWITCHED, files, target=target)

    assert ids(made) == ["bridge", "both", "mirror", "switch"]
    said = block(planning.walk(made, files)[-1], MIMIR)
    assert said == {"primary": "consul", "mirror_enabled": True}
    switched = bridged.release(
        MIRRORED,
        primaries=dict.fromkeys(fake.ON[MIMIR], Store.DYNAMODB),
        block=RuntimeBlock(primary="dynamodb", mirror_enabled=True),
    )
    back = plan(switched, MIRRORED, planning.walk(made, files)[-1], target=target)
    assert ids(back) == ["switch"]


def test_a_twin_walks_none_of_them() -> None:
    """It would walk another way, and say that the plan passed."""
    seen, files = alone(MIMIR, Store.MEMBERLIST)
    with pytest.raises(UsageError, match="ends on dynamodb"):
        refuse_other_plans(plan(seen, SWITCHED, files))
    refuse_other_plans(planning.plan(seen, Store.DYNAMODB, files))
    target = bridged.target(planning.target(MIMIR), heartbeat_timeout="4m")
    through = plan(bridged.release(StoreState.MEMBERLIST), SWITCHED, files, target=target)
    with pytest.raises(UsageError, match="ring bridge"):
        refuse_other_plans(through)
