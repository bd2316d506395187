"""What a plain run leaves in the journal and at the cluster, edge by edge."""

from __future__ import annotations

import msgspec
import pytest
import release as fake
from quick_world import QuickWorld

from mimir_migrate.engine import traffic
from mimir_migrate.engine.dwell import Dwell
from mimir_migrate.engine.gate_notes import Notes
from mimir_migrate.engine.tally import Tally
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.changes import CreateTable, TakeLease
from mimir_migrate.model.events import (
    BaselineTaken,
    ChangeIntended,
    Counted,
    Event,
    Held,
    Recorded,
    RequestKind,
    RequestVoid,
    StepDone,
    StepStarted,
    WaitStarted,
    WayBackFound,
)
from mimir_migrate.model.plan import Gate

pytestmark = pytest.mark.usefixtures("brisk")


def of(world: QuickWorld, kind: type) -> list[Event]:
    """Events of one kind."""
    return [event for event in world.events() if isinstance(event, kind)]


def test_a_run_takes_the_lease_from_nobody_and_gives_it_back() -> None:
    """Each step's end has what its least time rests on; what gates wait for is said."""
    world = QuickWorld()
    assert world.run(world.start()) is ExitCode.DONE
    assert [one.takeover for one in world.attempts if isinstance(one, TakeLease)] == [False]
    assert world.holder is None
    done = of(world, StepDone)
    assert all(one.heartbeat for one in done)
    said = [one for one in of(world, WaitStarted) if one.waiting_for.startswith("evidence: ")]
    assert said
    assert all(one.bound > 0 for one in said)
    lonely = [one.waiting_for for one in said if "(and 0 more)" in one.waiting_for]
    assert lonely == []
    assert len(of(world, BaselineTaken)) == 1


def test_a_gate_shows_twenty_pieces_of_evidence() -> None:
    """The summary has the whole count."""
    notes = Notes()
    for number in range(21):
        notes.fail(f"pod {number}", "x")
    result = notes.result(Gate.RING_HEALTHY, fake.release(), "fine")
    assert len(result.evidence) == 20
    assert result.summary == "pod 0: x (and 20 more)"


def test_no_baseline_is_taken_once_something_was_changed() -> None:
    """What users see in the middle of a migration is not what they saw before it."""
    world = QuickWorld()
    plan = world.start()
    tables = next(one for one in plan.steps if one.id == "tables")
    world.journal.append(StepStarted(step="tables"))
    world.journal.append(ChangeIntended(step="tables", change=CreateTable(table=tables.tables[0])))
    assert world.run(plan, "resume") is ExitCode.DONE
    assert of(world, BaselineTaken) == []


def test_a_second_hold_does_not_hold_what_is_held_already() -> None:
    """It is void, and one `continue` is enough."""
    world = QuickWorld()
    plan = world.start()

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "both":
            world.ask(RequestKind.HOLD)
        if isinstance(event, Held):
            world.clock.after(5, lambda: world.ask(RequestKind.HOLD))
            world.clock.after(10, lambda: world.ask(RequestKind.CONTINUE))

    world.heard = hear
    assert world.run(plan) is ExitCode.DONE
    assert len(of(world, Held)) == 1
    assert [one.why for one in of(world, RequestVoid)] == ["the run is held already"]


def test_a_rollback_before_the_first_step_is_compared_with_nothing() -> None:
    """The plan says that nothing leads back from there."""
    world = QuickWorld()
    plan = world.start()
    world.run(plan, "rollback")
    (found,) = of(world, WayBackFound)
    assert (found.step, found.planned, found.changes) == ("", (), ())


def test_pods_without_a_uid_are_told_apart_by_their_names() -> None:
    """What they counted before is theirs."""
    before = fake.release(sizes={"distributor": 2, "ingester": 1}, on=("ingester",))
    after = fake.release(
        sizes={"distributor": 2, "ingester": 1}, on=("ingester",), at=fake.NOW + 10
    )
    usual = traffic.deltas(before, after)
    assert usual is not None
    for name in ("cortex-distributor-0", "cortex-distributor-1"):
        before = fake.with_pod(before, name, uid="")
        after = fake.with_pod(after, name, uid="")
    assert traffic.deltas(before, after) == usual


def test_a_counter_that_a_pod_does_not_tell_adds_nothing() -> None:
    """Neither at first nor later."""
    silent = fake.release(sizes={"distributor": 1}, on=())
    name = "cortex-distributor-0"
    silent = fake.with_counters(silent, name, failed_pushes=None, pushes=None)
    later = msgspec.structs.replace(silent, at=silent.at + 10)
    tally = Tally()
    assert tally.take(silent) is False
    assert tally.take(later) is False
    assert tally.users.pushes is None
    again = fake.with_facts(later, name, started_at=later.at)
    assert tally.take(again) is False
    assert tally.users.failed_pushes is None


def test_a_pod_that_was_silent_before_a_runner_died_is_still_not_counted() -> None:
    """What it counted until it told for the first time nobody knows."""
    seen = fake.release(sizes={"distributor": 1}, on=())
    key = fake.facts_of(seen, "cortex-distributor-0").pod.uid
    begun = StepStarted(step="swap", counted={key: Counted(silent=True)})
    tally = Tally()
    assert tally.go_on([Recorded(seq=1, at=0.0, event=begun)]) == "swap"
    assert tally.take(seen) is False
    assert not tally.users.pushes


def test_a_gate_that_is_true_at_once_is_not_waited_for() -> None:
    """Three good samples are enough of it, however short ago the first was."""
    seen = fake.release()
    dwell = Dwell((Gate.ROLLOUT_OVER,), (), 1000.0)
    for second in range(3):
        dwell.see(seen, fake.NOW + second, ())
    assert dwell.missing() == ()
