"""Hooks: they are told what happens, may hold a run before a change, and keep nothing from going on."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping

import msgspec
import pytest
from quick_world import QuickWorld

from mimir_migrate.engine.journals.hooked import LONGEST_FACT, HookedJournal, _Running, hook_words
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import (
    Asked,
    ChangeDone,
    ChangeIntended,
    Continued,
    Event,
    Held,
    HookRan,
    LegStarted,
    RequestKind,
    RunFinished,
    RunState,
    StepDone,
    StepStarted,
)
from mimir_migrate.model.hooks import HookCall, HookPoint, HookResult, OnFailure
from mimir_migrate.model.target import HooksTarget
from mimir_migrate.ports import Journal

pytestmark = pytest.mark.usefixtures("brisk")

ALL = {point.value: f"tell {point.value}" for point in HookPoint}


class FakeHooks:
    """Hooks that end as told, some only when they are let go."""

    def __init__(self, codes: Mapping[HookPoint, int | None] | None = None) -> None:
        self.codes = dict(codes or {})
        self.calls: list[HookCall] = []
        self.hanging: set[HookPoint] = set()
        self.go = threading.Event()
        self.journal: HookedJournal | None = None

    @property
    def running(self) -> list[_Running]:
        """Those that have not been told of yet."""
        return self.journal._running if self.journal else []

    def run(self, call: HookCall) -> HookResult:
        self.calls.append(call)
        if call.point in self.hanging:
            self.go.wait(30)
        code = self.codes.get(call.point, 0)
        return HookResult(code=code, seconds=0.1, tail="it is Friday" if code else "")

    def points(self) -> list[tuple[str, str]]:
        return [(call.point.value, call.step) for call in self.calls]


def hooked(
    hooks: FakeHooks, on_failure: OnFailure = OnFailure.IGNORE, **commands: str
) -> QuickWorld:
    """A world whose runner has these hooks."""
    world = QuickWorld()
    entries = HooksTarget(**(commands or ALL), on_failure=on_failure)
    world.target = msgspec.structs.replace(world.target, hooks=entries)
    world.start()
    wrap(world, hooks, entries)
    return world


def wrap(world: QuickWorld, hooks: FakeHooks, entries: HooksTarget) -> None:
    """Have the next runner's journal set off hooks."""

    def around(journal: Journal) -> Journal:
        hooks.journal = HookedJournal(journal, hooks, entries, limit=5.0)
        return hooks.journal

    world.around = around


def run(world: QuickWorld, purpose: str = "apply", **how: bool) -> ExitCode | None:
    from mimir_migrate.engine.history import first_plan

    return world.run(first_plan(world.journal.events()), purpose, **how)


def of(world: QuickWorld, *kinds: type) -> list[Event]:
    return [event for event in world.events() if isinstance(event, kinds)]


def test_each_hook_is_run_when_its_time_comes() -> None:
    """Every step's begin and end, every question, the end of the run; failure only where something failed."""
    hooks = FakeHooks()
    world = hooked(hooks)
    assert run(world) is ExitCode.DONE

    steps = [event.step for event in of(world, StepDone)]
    told = hooks.points()
    assert [step for point, step in told if point == "gate_wait"] == steps
    assert [step for point, step in told if point == "step_done"] == steps
    assert [step for point, step in told if point == "approval"] == [
        event.step for event in of(world, Asked)
    ]
    assert told[-1][0] == "end"
    assert "failure" not in [point for point, _ in told]
    ran = of(world, HookRan)
    assert len(ran) == len(told)
    assert isinstance(world.events()[-1], RunFinished)


def test_a_hook_is_told_where_and_what_in_bounded_single_lines() -> None:
    """Variables of its environment, all of them facts that stand in the journal."""
    hooks = FakeHooks()
    world = hooked(hooks)
    run(world)

    facts = next(one.facts for one in hooks.calls if one.point is HookPoint.APPROVAL)
    assert facts["MIMIR_MIGRATE_RELEASE"] == "cortex"
    assert facts["MIMIR_MIGRATE_STEP"] == "swap"
    assert facts["MIMIR_MIGRATE_STEP_NUMBER"] == "3/4"
    assert facts["MIMIR_MIGRATE_SWITCHES"] == "yes"
    assert facts["MIMIR_MIGRATE_MESSAGE"].startswith(
        "mimir-migrate run-1, cortex in observability"
    )
    end = hooks.calls[-1].facts
    assert end["MIMIR_MIGRATE_STATE"] == "done"
    for call in hooks.calls:
        assert all(value.isprintable() or not value for value in call.facts.values())
        assert all(len(value) <= LONGEST_FACT for value in call.facts.values())


def test_hooks_that_fail_are_journaled_and_change_nothing() -> None:
    """`ignore` is the default."""
    hooks = FakeHooks(dict.fromkeys(HookPoint, 3))
    world = hooked(hooks)
    assert run(world) is ExitCode.DONE

    assert {event.code for event in of(world, HookRan)} == {3}
    assert not of(world, Held)
    assert "ended with exit code 3" in hook_words(of(world, HookRan)[0])


@pytest.mark.parametrize("code", [1, None])
def test_a_failing_hook_holds_the_run_before_the_change_and_continue_goes_on(
    code: int | None,
) -> None:
    """A change calendar that says no: nothing of the step was changed by then."""
    hooks = FakeHooks({HookPoint.GATE_WAIT: code})
    world = hooked(hooks, OnFailure.HOLD, gate_wait="calendar")
    held: list[str] = []

    def heard(event: Event) -> None:
        if isinstance(event, Held):
            changed = [one.step for one in of(world, ChangeIntended) if one.step == event.step]
            assert not changed
            held.append(event.step)
            world.clock.after(1.0, lambda: world.ask(RequestKind.CONTINUE))

    world.heard = heard
    assert run(world) is ExitCode.DONE
    assert held == [event.step for event in of(world, StepStarted)]
    assert all(
        event.reason.startswith("the hook gate_wait asked to hold") for event in of(world, Held)
    )


def test_a_hook_that_has_not_ended_holds_before_the_change_and_lets_go_by_itself() -> None:
    """The watch goes on meanwhile: the lease is renewed, and the run needs nobody."""
    hooks = FakeHooks()
    hooks.hanging = {HookPoint.GATE_WAIT}
    world = hooked(hooks, OnFailure.HOLD, gate_wait="calendar")

    def let_go() -> None:
        hooks.go.set()
        until(lambda: all(one.result for one in hooks.running))

    def heard(event: Event) -> None:
        if isinstance(event, Held):
            world.clock.after(120.0, let_go)

    world.heard = heard
    assert run(world) is ExitCode.DONE
    (held,) = of(world, Held)
    assert "has not ended yet" in held.reason
    assert "the hook gate_wait" in {event.by for event in of(world, Continued)}


def test_a_hook_that_hangs_stops_nothing_where_it_may_not_hold() -> None:
    """And at the end it is waited for no longer than its limit."""
    hooks = FakeHooks()
    hooks.hanging = {HookPoint.GATE_WAIT}
    world = hooked(hooks, gate_wait="sleep 1000")

    def heard(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == "settle":
            hooks.go.set()

    world.heard = heard
    assert run(world) is ExitCode.DONE
    assert not of(world, Held)


def test_no_hook_stands_in_the_way_of_a_rollback() -> None:
    """Whatever it says, and however long it takes."""
    hooks = FakeHooks(dict.fromkeys(HookPoint, 1))
    world = hooked(hooks)
    assert run(world) is ExitCode.DONE
    hooks.hanging = {HookPoint.STEP_DONE}
    hooks.go.set()
    wrap(world, hooks, HooksTarget(**ALL, on_failure=OnFailure.HOLD))
    before = len(of(world, Held))

    assert run(world, "rollback") is ExitCode.DONE
    assert len(of(world, Held)) == before
    assert of(world, RunFinished)[-1].state is RunState.ROLLED_BACK
    assert any(call.facts["MIMIR_MIGRATE_PURPOSE"] == "rollback" for call in hooks.calls)


def test_no_word_of_a_hook_stands_between_a_change_and_its_outcome() -> None:
    """What took place is read from there after an interruption."""
    hooks = FakeHooks()
    world = hooked(hooks)
    run(world)

    events = world.events()
    for event, following in itertools.pairwise(events):
        if isinstance(event, ChangeIntended):
            assert isinstance(following, ChangeDone)


def test_a_failed_change_and_a_failed_run_are_told() -> None:
    """With the reason."""
    hooks = FakeHooks()
    world = hooked(hooks)
    world.fail_deploys = 100
    assert run(world) is ExitCode.FAILED

    failures = [one for one in hooks.calls if one.point is HookPoint.FAILURE]
    assert failures
    assert failures[-1].facts["MIMIR_MIGRATE_STATE"] == "failed"
    assert failures[-1].facts["MIMIR_MIGRATE_REASON"]


def test_a_resumed_run_knows_its_step_and_leg() -> None:
    """A hook of the second runner is told what the first one began."""
    hooks = FakeHooks()
    world = hooked(hooks)
    world.fail_deploys = 100
    run(world)
    world.fail_deploys = 0
    wrap(world, hooks, HooksTarget(**ALL))
    assert run(world, "resume") is ExitCode.DONE
    assert len(of(world, LegStarted)) == 2
    assert hooks.calls[-1].facts["MIMIR_MIGRATE_RINGS"] == "ruler"


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)
