"""What was asked of a run is not forgotten when its runner dies, at whichever event that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgspec
import pytest
from quick_world import VALUES, Dead, QuickWorld
from small_values import SMALL
from virtual_world import Crash, VirtualWorld

from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import (
    Approved,
    Asked,
    ChangeIntended,
    Continued,
    Event,
    GateOverridden,
    Held,
    LegStarted,
    RequestKind,
    RequestVoid,
    RunFinished,
    RunnerStarted,
    RunStarted,
    RunState,
    StepDone,
    StepStarted,
    answers_of,
)
from mimir_migrate.model.facts import Counters, Inspection, PodFacts
from mimir_migrate.model.plan import Gate, Plan
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store
from mimir_migrate.runs.status import status_of

pytestmark = pytest.mark.usefixtures("brisk")

START = SMALL[Product.CORTEX]


def failing(seen: Inspection) -> Inspection:
    """Half of all pushes fail."""

    def spoil(facts: PodFacts) -> PodFacts:
        counters = facts.counters or Counters()
        half = (counters.pushes or 0.0) / 2
        return msgspec.structs.replace(
            facts, counters=msgspec.structs.replace(counters, failed_pushes=half)
        )

    return msgspec.structs.replace(seen, pods=tuple(spoil(facts) for facts in seen.pods))


def once(event: type, step: str, act: Callable[[], None], world: QuickWorld) -> None:
    """Do something when a step comes to such an event, the first time."""

    def hear(heard: Event) -> None:
        if isinstance(heard, event) and getattr(heard, "step", "") == step:
            world.heard = lambda _: None
            act()

    world.heard = hear


def asked_and_dead(at: int, *kinds: RequestKind) -> QuickWorld | None:
    """A run of which something is asked in the step `swap`, and whose runner dies `at` events later.

    Every second death is before the event is written. None: the runner did not die, or the request
    was answered before.
    """
    world = QuickWorld()
    plan = world.start()

    def ask() -> None:
        for kind in kinds:
            world.ask(kind)
        world.journal.dies_at, world.journal.written = at, bool(at % 2)
        world.heard = die_when_answered

    def die_when_answered(event: Event) -> None:
        if answers_of(event):
            raise Dead

    once(StepStarted, "swap", ask, world)
    died = world.run(plan) is None
    world.journal.dies_at, world.heard = 0, lambda _: None
    return world if died and world.journal.open_requests() else None


def plan_of(world: QuickWorld) -> Plan:
    """What the run began with."""
    return cast("RunStarted", world.events()[0]).plan


def after_death(world: QuickWorld) -> list[Event]:
    """The events of the last runner."""
    events = world.events()
    last = max(n for n, event in enumerate(events) if isinstance(event, RunnerStarted))
    return events[last:]


def deaths(*kinds: RequestKind, every: int = 1) -> list[QuickWorld]:
    """Deaths between the request and its answer, at every so many-th event; there are some."""
    found: list[QuickWorld] = []
    while (world := asked_and_dead(1 + every * len(found), *kinds)) is not None:
        found.append(world)
    assert found
    return found


@pytest.mark.parametrize("before", [(), (RequestKind.STOP,), (RequestKind.HOLD,)], ids=str)
def test_the_rollback_is_taken_by_the_next_runner(before: tuple[RequestKind, ...]) -> None:
    """`resume` turns round, as was asked, also where the operator asked to stop or hold before."""
    for world in deaths(*before, RequestKind.ROLLBACK):
        dead = status_of(
            "run-1",
            world.journal.events(),
            now=world.clock.now(),
            runner_alive=False,
            asked=world.journal.open_requests(),
        )
        assert dead.state is RunState.DEAD
        assert "olga@laptop asked to roll back" in dead.hint
        assert world.run(plan_of(world), "resume") == ExitCode.ROLLED_BACK
        legs = [event for event in after_death(world) if isinstance(event, LegStarted)]
        assert [leg.purpose for leg in legs] == ["rollback"]
        assert legs[0].answers
        assert world.ending().state is RunState.ROLLED_BACK
        assert world.files[VALUES] == world.running == START
        assert not world.journal.open_requests()


def test_a_hold_is_held_by_the_next_runner() -> None:
    """Nothing is changed until somebody says `continue`."""
    for world in deaths(RequestKind.HOLD):
        made = len(world.written)
        held: list[int] = []

        def go_on(event: Event, world: QuickWorld = world, held: list[int] = held) -> None:
            if isinstance(event, Held):
                held.append(len(world.written))
                world.clock.after(100.0, lambda: world.ask(RequestKind.CONTINUE))

        world.heard = go_on
        assert world.run(plan_of(world), "resume") == ExitCode.DONE
        assert held == [made]
        answers = [type(event) for event in after_death(world) if answers_of(event)]
        assert answers == [Held, Continued]


def test_a_stop_stops_the_next_runner_before_its_first_step() -> None:
    """It ends with who asked for it; `resume` then goes on."""
    for world in deaths(RequestKind.STOP, every=5):
        made = len(world.attempts)
        assert world.run(plan_of(world), "resume") == ExitCode.INTERRUPTED
        assert "olga@laptop" in world.ending().reason
        assert world.ending().answers
        assert not any(isinstance(event, ChangeIntended) for event in after_death(world))
        assert len(world.attempts) == made + 2, "more than the lease was touched"
        assert world.run(plan_of(world), "resume") == ExitCode.DONE


def test_an_override_is_used_once_however_often_the_runner_dies() -> None:
    """One that was not used yet waits for the next runner; a used one is used up."""
    used = []
    for at in range(2, 40, 3):
        world = QuickWorld()
        world.blast = ("Service mimir: port",)
        plan = world.start()
        world.ask(RequestKind.OVERRIDE, Gate.BLAST_RADIUS)
        world.journal.dies_at = at
        if world.run(plan) is not None:
            break
        world.journal.dies_at = 0
        left = bool(world.journal.open_requests())
        assert world.run(plan, "resume") == ExitCode.BLOCKED  # the next step's gate holds anyway
        overridden = [event for event in world.events() if isinstance(event, GateOverridden)]
        assert len(overridden) == 1
        assert (overridden[0] in after_death(world)) == left
        used.append(left)
    assert {True, False} <= set(used)


def test_an_approval_that_a_dead_runner_read_is_void() -> None:
    """Its question went with that runner: the next one asks its own, and only that one is answered."""
    world = QuickWorld()
    plan = world.start()

    def hear(event: Event) -> None:
        if isinstance(event, Asked):
            world.heard = lambda _: None
            world.ask(RequestKind.APPROVE)
            world.journal.dies_at, world.journal.written = 1, False

    world.heard = hear
    assert world.run(plan, approve_all=False) is None
    world.journal.dies_at = 0
    assert world.run(plan, "resume", approve_all=False) is ExitCode.BLOCKED
    later = after_death(world)
    (void,) = [event for event in later if isinstance(event, RequestVoid)]
    assert "gone" in void.why
    assert any(isinstance(event, Asked) for event in later)
    assert not any(isinstance(event, Approved) for event in later)


def test_a_rollback_that_died_before_it_was_planned_goes_on_backwards() -> None:
    """`rollback` was typed and its runner died at once: `resume` does not go forward."""
    world = QuickWorld()
    plan = world.start()
    once(StepDone, "both", lambda: setattr(world.journal, "dies_at", 1), world)
    assert world.run(plan) is None
    world.journal.dies_at, world.journal.written = 2, False
    assert world.run(plan, "rollback") is None
    world.journal.dies_at = 0
    assert world.run(plan, "resume") == ExitCode.ROLLED_BACK
    assert world.files[VALUES] == START


def test_the_rollback_asked_for_at_the_very_end_is_taken() -> None:
    """Between the last step and the end of the run: it does not end as done."""
    world = QuickWorld()
    plan = world.start()
    once(StepDone, plan.steps[-1].id, lambda: world.ask(RequestKind.ROLLBACK), world)
    assert world.run(plan) == ExitCode.ROLLED_BACK
    assert world.files[VALUES] == START


def test_what_a_run_that_ended_was_asked_is_over() -> None:
    """A run that stopped as asked does not stop again, nor hold for what came too late."""
    world = QuickWorld()
    plan = world.start()
    once(
        StepStarted,
        "swap",
        lambda: [world.ask(kind) for kind in (RequestKind.CONTINUE, RequestKind.STOP)],
        world,
    )
    assert world.run(plan) == ExitCode.INTERRUPTED
    assert not world.journal.open_requests()
    assert world.run(plan, "resume") == ExitCode.DONE


def test_a_continue_from_before_a_hold_does_not_end_it() -> None:
    """Users fail: the run is held until somebody says so who can have seen it."""
    world = QuickWorld()
    plan = world.start()
    world.ask(RequestKind.CONTINUE)

    def fail_users() -> None:
        world.spoil = failing
        world.heard = mend

    def mend(event: Event) -> None:
        if isinstance(event, Held):
            world.spoil = lambda seen: seen

    once(StepStarted, "swap", fail_users, world)
    assert world.run(plan) == ExitCode.BLOCKED
    assert world.ending().state is RunState.HELD
    held = next(event for event in world.events() if isinstance(event, Held))
    assert held.gate is Gate.USERS_FINE
    void = next(event for event in world.events() if isinstance(event, RequestVoid))
    assert void.kind is RequestKind.CONTINUE


def test_a_runner_that_wrote_its_last_event_is_asked_nothing() -> None:
    """Its process is there for a moment more: `rollback` waits for its end and begins another."""
    world = VirtualWorld(Product.CORTEX, START)
    run = world.migrate(Store.DYNAMODB, ("ruler",))
    looks = iter([4711, 4711])
    world.store.runner_pid = lambda _: next(looks, None)  # type: ignore[method-assign]
    world.rollback(run)
    assert world.ending(run).state is RunState.ROLLED_BACK
    assert world.values == START
    assert not world.store.journals[run].open_requests()


def test_in_virtual_time_the_rollback_is_taken_by_the_next_runner() -> None:
    """The real inspection, planner and gates: asked in the swap, dead at once, resumed, at the start."""
    world = VirtualWorld(Product.CORTEX, START)

    def ask_and_die(run: str, event: Event) -> None:
        if isinstance(event, ChangeIntended) and event.step == "swap":
            world.ask(run, RequestKind.ROLLBACK)
            world.listeners.clear()
            world.listeners.append(die)

    def die(run: str, event: Event) -> None:
        world.listeners.clear()
        raise Crash

    world.listeners.append(ask_and_die)
    run = world.migrate(Store.DYNAMODB, ("ruler",))
    assert not isinstance(world.events(run)[-1], RunFinished)
    assert "so does `resume`" in world.operations.status(run).hint
    planned = world.operations.dry_run_of(run, "resume")
    world.resume(run)
    assert world.ending(run).state is RunState.ROLLED_BACK
    assert world.ending(run).exit_code == ExitCode.ROLLED_BACK
    assert world.values == START
    assert not world.missed
    legs = [event.plan for event in world.events(run) if isinstance(event, LegStarted)]
    assert [step.id for step in planned.plan.steps] == [step.id for step in legs[-1].steps]
