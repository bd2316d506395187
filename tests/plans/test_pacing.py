"""A rollout on DynamoDB leaves readers the time to see each ingester that restarted."""

from __future__ import annotations

import msgspec
import planning
import pytest
import release as fake

from mimir_migrate.documents.edits import inverse
from mimir_migrate.errors import BlockedError, UsageError
from mimir_migrate.inspection.pacing import pacing
from mimir_migrate.model.facts import Inspection, Workload
from mimir_migrate.model.plan import Plan
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.plans.planner import Order, applied, make_plan

NEEDED = fake.POLL + 2 * fake.HEARTBEAT
WHERE = {
    Product.MIMIR: ("ingester", "ring", "min_ready_duration"),
    Product.CORTEX: ("ingester", "lifecycler", "min_ready_duration"),
}


def waiting(product: Product, seconds: float | None, *, of_workload: float = 0.0) -> Inspection:
    """Every ring on memberlist; ingesters are Ready so long after they could be."""
    inspection = planning.start(product)
    pods = tuple(
        msgspec.structs.replace(
            facts,
            rings=tuple(
                msgspec.structs.replace(view, min_ready_duration=seconds)
                if view.ring == "ingester"
                else view
                for view in facts.rings
            ),
        )
        for facts in inspection.pods
    )
    workloads: tuple[Workload, ...] = tuple(
        msgspec.structs.replace(one, min_ready_seconds=of_workload)
        if one.component == "ingester"
        else one
        for one in inspection.workloads
    )
    return msgspec.structs.replace(inspection, pods=pods, workloads=workloads)


def target(product: Product, asked: str = "") -> Target:
    """A target that asks for a pace."""
    found = planning.target(product)
    table = msgspec.structs.replace(found.dynamodb, min_ready_duration=asked)
    return msgspec.structs.replace(found, dynamodb=table)


def planned(product: Product, inspection: Inspection, asked: str) -> Plan:
    """The plan to DynamoDB."""
    return make_plan(
        inspection,
        target(product, asked),
        Order(to=Store.DYNAMODB),
        (planning.example(product),),
        origin=planning.ORIGIN,
        blast_check=lambda *_: (),
    )


@pytest.mark.parametrize("product", list(Product))
def test_one_poll_and_two_heartbeats(product: Product) -> None:
    """The setting and the workload's minReadySeconds count together; nothing is said where it is enough."""
    rings = ("ingester", "ruler")
    found = pacing(waiting(product, 0.0), target(product), rings)
    assert found is not None
    assert (found.have, found.needed, found.path) == (0.0, NEEDED, WHERE[product])
    assert len(found.pods) == fake.SIZES["ingester"]
    assert pacing(waiting(product, NEEDED), target(product), rings) is None
    assert pacing(waiting(product, NEEDED - 1), target(product), rings) is not None
    half = waiting(product, NEEDED / 2, of_workload=NEEDED / 2)
    assert pacing(half, target(product), rings) is None
    assert pacing(waiting(product, 0.0), target(product), ("ruler",)) is None


@pytest.mark.parametrize("product", list(Product))
def test_the_first_rollout_sets_it_and_the_rollback_takes_it_back(product: Product) -> None:
    """As an edit of the values in the same rollout; the file's bytes come back with it."""
    files = (planning.example(product),)
    plan = planned(product, waiting(product, 0.0), "auto")
    both = next(step for step in plan.steps if step.id == "both")
    texts = applied(files, both.edits)
    said = [change for change in both.paths if change.path.endswith("min_ready_duration")]
    assert [change.after for change in said] == [f"{NEEDED:.0f}s"]
    assert "min_ready_duration" in both.diff
    for step in plan.steps[1:]:
        if step.id != "both":
            assert "min_ready_duration" not in "".join(
                line for line in step.diff.splitlines(keepends=True) if line[:1] in "+-"
            ), step.id
    undone = applied(texts, [inverse(edit) for edit in reversed(both.edits)])
    assert [file.content for file in undone] == [file.content for file in files]


@pytest.mark.parametrize(
    ("have", "asked", "written"),
    [(0.0, "", ""), (NEEDED, "auto", ""), (0.0, "auto", "40s"), (0.0, "2m", "2m")],
)
def test_only_where_it_is_asked_for_and_too_short(have: float, asked: str, written: str) -> None:
    """Left out, no plan writes it; what is long enough stays."""
    plan = planned(Product.CORTEX, waiting(Product.CORTEX, have), asked)
    found = [
        change.after
        for step in plan.steps
        for change in step.paths
        if change.path.endswith("min_ready_duration")
    ]
    assert found == ([written] if written else [])


def test_a_binary_without_the_key_is_never_given_it() -> None:
    """It would not start again: the finding names the workload's minReadySeconds, the plan is refused."""
    inspection = waiting(Product.CORTEX, None)
    found = pacing(inspection, target(Product.CORTEX), ("ingester",))
    assert found is not None
    assert found.path == ()
    with pytest.raises(BlockedError, match="does not have this setting"):
        planned(Product.CORTEX, inspection, "auto")


def test_what_is_no_duration_is_refused() -> None:
    """Before anything is planned."""
    with pytest.raises(UsageError, match="duration"):
        planned(Product.CORTEX, waiting(Product.CORTEX, 0.0), "soon")


def test_on_the_rollback_nothing_is_set() -> None:
    """Gossip brings a new address within a second."""
    inspection = fake.release(Product.CORTEX, StoreState.DYNAMODB)
    files = (planning.example(Product.CORTEX),)
    there = planning.walk(
        planning.plan(planning.start(Product.CORTEX), Store.DYNAMODB, files), files
    )
    plan = make_plan(
        inspection,
        target(Product.CORTEX, "auto"),
        Order(to=Store.MEMBERLIST),
        there[-1],
        origin=planning.ORIGIN,
        blast_check=lambda *_: (),
    )
    assert not [
        c for step in plan.steps for c in step.paths if c.path.endswith("min_ready_duration")
    ]
