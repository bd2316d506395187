"""The rollback that a plan carries: from every prefix of every path to the start, and nothing else."""

from __future__ import annotations

from functools import cache

import msgspec
import planning
import pytest
from small_values import SMALL

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.documents.values.files import SourceFile, ValuesFiles
from mimir_migrate.model.plan import BackStep, Plan, Step, StepKind, Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.plans.export import to_json, to_markdown, to_shell
from mimir_migrate.plans.rollback import back_names, same_way

BOTH = ("ingester", "ruler")
"""The rings that the small Cortex has switched on."""

WAYS = [
    (Product.MIMIR, (), Strategy.RUNTIME),
    (Product.MIMIR, (), Strategy.STATIC),
    (Product.MIMIR, ("ruler",), Strategy.AUTO),
    (Product.MIMIR, ("ruler",), Strategy.STATIC),
    (Product.CORTEX, BOTH, Strategy.AUTO),
    (Product.CORTEX, BOTH, Strategy.STATIC),
    (Product.CORTEX, ("ruler",), Strategy.AUTO),
    (Product.CORTEX, ("ingester",), Strategy.RUNTIME),
]
Files = tuple[SourceFile, ...]


@cache
def both_ways(
    product: Product, rings: tuple[str, ...], strategy: Strategy
) -> tuple[tuple[Plan, Files], tuple[Plan, Files]]:
    """A plan to DynamoDB and one to memberlist from its end, each with the files that it begins on."""
    start = (SourceFile(path=planning.example(product).path, content=SMALL[product]),)
    there = planning.plan(
        planning.start(product), Store.DYNAMODB, start, rings=rings, strategy=strategy
    )
    end = planning.walk(there, start)[-1]
    seen = planning.observed(product, there.steps[-1], files=end)
    back = planning.plan(seen, Store.MEMBERLIST, end, rings=rings, strategy=strategy)
    return (there, start), (back, end)


def prefixes(plan: Plan, files: Files) -> list[tuple[Step, Files]]:
    """Each step with the files after it."""
    return list(zip(plan.steps, planning.walk(plan, files), strict=True))


def restoring(plan: Plan, step: Step) -> tuple[file_edits.FileEdit, ...]:
    """What gives the bytes from before the plan back, from after a step."""
    upto = plan.steps[: plan.steps.index(step) + 1]
    made = [edit for one in upto for edit in one.edits]
    return tuple(file_edits.inverse(edit) for edit in reversed(made))


def the_rollback(step: Step) -> tuple[BackStep, ...]:
    """What the plan says."""
    assert step.back is not None, step.id
    return step.back


@pytest.mark.parametrize("direction", [0, 1], ids=["to dynamodb", "to memberlist"])
@pytest.mark.parametrize(("product", "rings", "strategy"), WAYS)
def test_from_every_prefix_it_is_what_the_planner_finds_there_and_ends_at_the_start(
    product: Product, rings: tuple[str, ...], strategy: Strategy, direction: int
) -> None:
    """The same steps as from the simulated state there; the start's states, block and bytes."""
    plan, start = both_ways(product, rings, strategy)[direction]
    for step, files in prefixes(plan, start):
        planned = the_rollback(step)
        found = planning.plan(
            planning.observed(product, step, files=files),
            plan.to.other,
            files,
            rings=rings,
            strategy=plan.strategy,
            restore=restoring(plan, step),
            returning=True,
        )
        assert same_way(planned, found.steps), (step.id, back_names(planned))
        assert all(one.title for one in planned)
        if step.kind is StepKind.TABLES:
            assert planned == ()
            continue
        home = planning.walk(found, files)[-1]
        assert home == start, step.id
        last = planned[-1]
        assert set(last.states.values()) == {StoreState.only(plan.to.other)}
        assert set(last.primaries.values()) == {plan.to.other}
        assert last.runtime is None


@pytest.mark.parametrize("direction", [0, 1], ids=["to dynamodb", "to memberlist"])
@pytest.mark.parametrize(("product", "rings", "strategy"), WAYS)
def test_a_store_is_taken_back_by_naming_it_never_by_removing_the_block(
    product: Product, rings: tuple[str, ...], strategy: Strategy, direction: int
) -> None:
    """While a ring has both stores, its next primary is written; the block goes once none has."""
    plan, start = both_ways(product, rings, strategy)[direction]
    for step, files in prefixes(plan, start):
        block, states, primaries = step.runtime, step.states, step.primaries
        for one in the_rollback(step):
            both = [ring for ring, state in states.items() if state.is_multi]
            if block is not None and one.runtime is None:
                assert not both, (step.id, one.id)
            if one.kind is StepKind.RUNTIME and one.crossing:
                assert one.runtime is not None
                assert one.runtime.primary == plan.to.other.value
                assert one.runtime.mirror_enabled is True
            if one.kind is StepKind.ROLLOUT and one.crossing:
                moved = [
                    ring for ring in one.primaries if one.primaries[ring] is not primaries[ring]
                ]
                assert moved
                assert all(one.states[ring] is StoreState.multi(plan.to.other) for ring in moved)
            block, states, primaries = one.runtime, one.states, one.primaries
        assert "clear" not in [one.id for one in the_rollback(step)[:-1]], step.id
        view = ValuesFiles(files, product=product).view
        assert view.runtime == step.runtime or not step.states


def test_a_short_rollback_ends_where_the_plan_says() -> None:
    """One switch or rollout until the step that closes it; from there on the whole path."""
    for way in WAYS:
        for plan, _ in both_ways(*way):
            closing = next(step for step in plan.steps if step.closes_way_back)
            for step in plan.steps[: plan.steps.index(closing)]:
                crossed = sum(one.crossing for one in the_rollback(step))
                assert "mirror" not in [one.id for one in the_rollback(step)], step.id
                assert crossed <= 2, step.id
            after = [one.id for one in the_rollback(closing)]
            assert after[0] in {"mirror", "both"}, after


def test_a_rollback_of_a_rollback_is_not_told() -> None:
    """What is walked back leads to the start already."""
    (plan, files), _ = both_ways(Product.CORTEX, ("ruler",), Strategy.AUTO)
    after = planning.walk(plan, files)[-1]
    seen = planning.observed(Product.CORTEX, plan.steps[-1], files=after)
    back = planning.plan(seen, Store.MEMBERLIST, after, rings=("ruler",), returning=True)
    assert all(step.back is None for step in back.steps)


def test_every_export_shows_it() -> None:
    """In the runbook, the script and the JSON; and where it closes before it does."""
    (plan, _), _ = both_ways(Product.MIMIR, (), Strategy.RUNTIME)
    closing = next(step for step in plan.steps if step.closes_way_back)
    runbook, script = to_markdown(plan), to_shell(plan)
    number = plan.steps.index(closing) + 1
    assert f"is open until `{closing.id}`, step {number}" in runbook.split("## 1.")[0]
    assert b'"back": [' in to_json(plan)
    for step in plan.steps:
        for one in the_rollback(step):
            assert f"`{one.id}` ({one.kind.value}): {one.title}" in runbook
        if step.back:
            assert f"rolling back from after it: {back_names(step.back)}" in script


def test_a_plan_to_memberlist_makes_no_table_that_dynamodb_does_not_tell_of() -> None:
    """Rings are in it: asking for it would close the rollback off a DynamoDB that is away."""
    (there, start), _ = both_ways(Product.MIMIR, (), Strategy.RUNTIME)
    end = planning.walk(there, start)[-1]
    seen = planning.observed(Product.MIMIR, there.steps[-1], files=end)
    away = msgspec.structs.replace(seen, tables={}, items=())

    back = planning.plan(away, Store.MEMBERLIST, end, rings=(), strategy=Strategy.RUNTIME)

    assert StepKind.TABLES not in {step.kind for step in back.steps}
