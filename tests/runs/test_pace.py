"""What is left of a run gets narrower by what its steps took, and stays within what was planned."""

from __future__ import annotations

import msgspec
from quick_world import QuickWorld

from mimir_migrate.model.plan import Duration, Step, StepKind
from mimir_migrate.runs.pace import Pace
from mimir_migrate.runs.run_fold import RunFold


def steps_of(low: float, high: float) -> list[Step]:
    """Two rollouts of a range, from a plan."""
    step = next(one for one in QuickWorld().start().steps if one.kind is StepKind.ROLLOUT)
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
    assert after.basis == "1 step, gates included, by how 1 step went; approvals come on top"


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
