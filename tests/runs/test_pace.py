"""What is left of a run gets narrower by what its steps took, and stays within what was planned."""

from __future__ import annotations

from functools import cache

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st
from quick_world import QuickWorld

from mimir_migrate.model.plan import Duration, Step, StepKind
from mimir_migrate.model.scale import Scale
from mimir_migrate.runs.pace import Pace
from mimir_migrate.runs.run_fold import RunFold


@cache
def a_rollout() -> Step:
    """One of a plan."""
    return next(one for one in QuickWorld().start().steps if one.kind is StepKind.ROLLOUT)


def steps_of(low: float, high: float) -> list[Step]:
    """Two rollouts of a range, from a plan."""
    step = a_rollout()
    duration = Duration(low=low, high=high, basis="")
    return [msgspec.structs.replace(step, id=name, duration=duration) for name in ("one", "two")]


def test_a_step_of_a_kind_tells_how_the_next_one_will_go() -> None:
    """A range of one to fifty becomes one of one to two."""
    one, two = steps_of(20.0, 1000.0)
    pace = Pace()
    before = pace.left([two])
    pace.took(one, 100.0)

    after = pace.left([two])

    assert before is not None
    assert (before.low, before.high) == (20.0, 1000.0)
    assert after is not None
    assert (round(after.low), round(after.high)) == (75, 150)
    assert (
        after.basis == "1 step with its gates, besides approvals; estimated from how 1 step went"
    )


def test_what_is_expected_stays_within_what_was_planned() -> None:
    """A step that took longer than planned does not let the next one take longer than its own range."""
    one, two = steps_of(20.0, 40.0)
    pace = Pace()
    pace.took(one, 900.0)

    after = pace.left([two], spent=10.0)

    assert after is not None
    assert (after.low, after.high) == (20.0, 30.0)


def test_time_that_the_run_waited_for_its_operator_is_not_the_step_s() -> None:
    """A whole run on a cluster in memory: nothing of its pace comes from a question that stood."""
    world = QuickWorld()
    world.run(world.start())
    fold = RunFold()
    for recorded in world.journal.events():
        fold.take(recorded)

    assert fold.pace._shares
    assert fold.eta(world.clock.now()) is None


@given(
    low=st.floats(0, 1000),
    wide=st.floats(0, 5000),
    fixed_low=st.floats(0, 1000),
    fixed_wide=st.floats(0, 5000),
    took=st.floats(0, 8000),
    spent=st.floats(0, 8000),
    factor=st.sampled_from([1.0, 6.0, 25.0, 60.0]),
)
@example(
    low=2.0, wide=0.0, fixed_low=0.0, fixed_wide=6.0, took=0.0, spent=0.0, factor=25.0
)  # a step that ends at once says nothing about seconds that are planned to be few
def test_the_ends_never_change_places_in_a_simulation_either(
    low: float,
    wide: float,
    fixed_low: float,
    fixed_wide: float,
    took: float,
    spent: float,
    factor: float,
) -> None:
    """Seconds that a simulation does not shorten stand beside those that it does."""
    one, two = steps_of(low, low + wide)
    scale = Scale(factor)
    fixed = Duration(
        low=low + fixed_low,
        high=low + wide + fixed_low + fixed_wide,
        basis="",
        fixed_low=fixed_low,
        fixed_high=fixed_low + fixed_wide,
    )
    planned = scale.ends(
        fixed.low, fixed.high, fixed_low=fixed.fixed_low, fixed_high=fixed.fixed_high
    )
    one, two = (msgspec.structs.replace(step, duration=fixed) for step in (one, two))
    pace = Pace()
    pace.took(one, took)

    left = pace.left([two], spent=spent)

    assert left is not None
    ends = scale.ends(left.low, left.high, fixed_low=left.fixed_low, fixed_high=left.fixed_high)
    assert 0 <= ends[0] <= ends[1] + 1e-6 * factor
    assert ends[1] <= planned[1] + 1e-6 * factor
