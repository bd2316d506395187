"""One formula says how long things take, whoever is asked."""

from __future__ import annotations

import msgspec
import planning
import pytest
import release as fake

from mimir_migrate.durations import spoken
from mimir_migrate.model.plan import Duration, StepKind, together
from mimir_migrate.model.rings import Product
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.plans.choices import choices
from mimir_migrate.plans.timing import floor_of_gates, rollout_duration, step_duration, time_left

WAYS = [(product, to) for product in Product for to in Store]


@pytest.mark.parametrize(("product", "to"), WAYS)
def test_a_choice_takes_as_long_as_its_plan(product: Product, to: Store) -> None:
    """From every place on the way what is offered is what a plan from there says."""
    here = (
        planning.start(product)
        if to is Store.DYNAMODB
        else fake.release(product, StoreState.DYNAMODB)
    )
    files = (planning.example(product),)
    if to is Store.MEMBERLIST:
        files = planning.walk(
            planning.plan(planning.start(product), Store.DYNAMODB, files), files
        )[-1]
    plan = planning.plan(here, to, files)
    target = planning.target(product)
    texts = planning.walk(plan, files)
    walked = 0
    for number, step in enumerate(plan.steps):
        offered = choices(here, target)[-1]
        if offered.title.endswith(to.value):
            left = planning.plan(here, to, files).steps
            walked += 1
            assert offered.rollouts == sum(one.kind is StepKind.ROLLOUT for one in left), step.id
            assert offered.duration_low == pytest.approx(sum(one.duration.low for one in left))
            assert offered.duration_high == pytest.approx(sum(one.duration.high for one in left))
        files = texts[number]
        here = planning.observed(product, step, files=files)
    assert walked >= (len(plan.steps) - 1 if to is Store.DYNAMODB else 1)


def test_a_step_takes_its_change_and_its_gates() -> None:
    """At least two heartbeats of the slowest chosen ring and one poll; at most two windows."""
    inspection = fake.release(Product.CORTEX, StoreState.MEMBERLIST_DYNAMODB)
    found = step_duration(inspection, ("ruler",), rollout=False)
    assert found.low == 2 * fake.HEARTBEAT + fake.POLL == floor_of_gates(inspection, ("ruler",))
    assert found.high == 90 + fake.RELOAD + 2 * fake.WINDOW
    soaked = step_duration(inspection, ("ruler",), rollout=False, soak=1)
    assert (soaked.low, soaked.high) == (found.low + fake.WINDOW, found.high + fake.WINDOW)


def test_what_is_left_is_less_what_a_step_has_taken() -> None:
    """A step that takes longer than it should is taken to end now; nothing left is not a time."""
    files = (planning.example(Product.CORTEX),)
    first, second = (
        msgspec.structs.replace(step, duration=Duration(low=low, high=high, basis=""))
        for step, low, high in zip(
            planning.plan(planning.start(Product.CORTEX), Store.DYNAMODB, files).steps[:2],
            (10.0, 100.0),
            (20.0, 200.0),
            strict=True,
        )
    )
    ranges = [
        (left.low, left.high)
        for spent in (0.0, 15.0, 999.0)
        if (left := time_left((first, second), spent=spent)) is not None
    ]
    assert ranges == [(110.0, 220.0), (100.0, 205.0), (100.0, 200.0)]
    assert time_left(()) is None


def test_a_rollout_says_what_is_usual_first_and_then_the_worst_case() -> None:
    """The one formula has both: they differ by the grace periods that pods may use up, and by nothing else."""
    inspection = fake.release(Product.CORTEX, StoreState.MEMBERLIST)
    found = rollout_duration(inspection)
    at_once = msgspec.structs.replace(
        inspection,
        workloads=tuple(
            msgspec.structs.replace(one, termination_grace_seconds=0.0)
            for one in inspection.workloads
        ),
    )

    assert found.stops > 0
    assert found.high - found.stops == rollout_duration(at_once).high
    assert rollout_duration(at_once).stops == 0
    usual, worst = spoken(found.high - found.stops), spoken(found.high)
    assert found.words(TRUE_TIME) == (
        f"about {usual} where pods stop at once, up to {worst} where each takes its whole grace period"
    )
    assert found.words(TRUE_TIME, brief=True) == f"about {usual}, at most {worst}"
    twice = together((found, found))
    assert twice.stops == 2 * found.stops
    assert twice.words(Scale(60.0), brief=True).startswith(
        f"about {spoken(120 * (found.high - found.stops))}"
    )


def test_what_no_cluster_tells_is_not_scaled_in_the_usual_figure_either() -> None:
    """The kubelet's period is a real one in a simulation too."""
    mixed = Duration(low=10.0, high=130.0, basis="", fixed_high=90.0, stops=20.0)

    assert (
        mixed.words(Scale(10.0), brief=True)
        == f"about {spoken(20 * 10 + 90)}, at most {spoken(40 * 10 + 90)}"
    )
