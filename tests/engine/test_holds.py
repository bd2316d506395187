"""Holds: before every change, whichever it is; for how long; and what a hold that nobody came for says."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
import release as fake
from quick_world import VALUES, QuickWorld, asking

from mimir_migrate.engine.asking.hold import DEFAULT_HOLD
from mimir_migrate.engine.asking.standing import standing_words
from mimir_migrate.engine.gate_wait import WORD_AWAITED
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.changes import Change, CreateTable, Deploy, Outcome, WriteFile
from mimir_migrate.model.events import (
    Approved,
    Asked,
    ChangeIntended,
    Continued,
    Event,
    Held,
    LegStarted,
    QuestionWithdrawn,
    RequestKind,
    RequestVoid,
    RunState,
    StepDone,
    StepStarted,
    WaitStarted,
)
from mimir_migrate.model.facts import Counters, Inspection, PodFacts
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import DeployMethod
from mimir_migrate.operations.requests import Wish
from mimir_migrate.runs.status import status_of
from mimir_migrate.screens.run_page.run_questions import next_words

pytestmark = pytest.mark.usefixtures("brisk")

RULER = "cortex-ruler-0"


def of(world: QuickWorld, kind: type) -> list[Event]:
    """Events of one kind."""
    return [event for event in world.events() if isinstance(event, kind)]


def hold(world: QuickWorld, seconds: float = 0.0) -> None:
    """Somebody asks to hold."""
    wish = Wish(kind=RequestKind.HOLD, reason="lunch", seconds=seconds)
    world.journal.leave(asking(world.journal, wish, world.clock.now()))


def once(world: QuickWorld, event: type, step: str, act: Callable[[], None]) -> None:
    """Act at such an event of a step, the first time."""
    acted: list[str] = []

    def hear(heard: Event) -> None:
        if isinstance(heard, event) and getattr(heard, "step", "") == step and not acted:
            acted.append(step)
            act()

    world.heard = hear


def continuing(world: QuickWorld, after: float = 300.0) -> None:
    """Whoever is at the run says `continue` some time after each hold began."""
    heard = world.heard

    def hear(event: Event) -> None:
        heard(event)
        if isinstance(event, Held):
            world.clock.after(after, lambda: world.ask(RequestKind.CONTINUE))

    world.heard = hear


def order(world: QuickWorld) -> list[str]:
    """Holds and changes in their order."""
    found: list[str] = []
    for event in world.events():
        match event:
            case Held():
                found.append("held")
            case Continued():
                found.append("continued")
            case ChangeIntended(change=change):
                found.append(type(change).__name__)
            case _:
                pass
    return found


def test_a_table_is_not_made_under_a_hold() -> None:
    """Its step has no gates; the hold comes before its change all the same."""
    world = QuickWorld()
    plan = world.start()
    once(world, StepStarted, "tables", lambda: hold(world))
    continuing(world)
    assert world.run(plan) is ExitCode.DONE
    assert order(world)[:3] == ["held", "continued", "CreateTable"]


def test_a_deploy_is_not_made_under_a_hold() -> None:
    """Asked for while the file is written: held between the file and its deploy."""
    world = QuickWorld()
    plan = world.start()
    perform = world.perform

    def performing(change: Change) -> Outcome:
        if isinstance(change, WriteFile) and not of(world, Held):
            hold(world)
        return perform(change)

    world.perform = performing  # type: ignore[method-assign]
    continuing(world)
    assert world.run(plan) is ExitCode.DONE
    assert order(world)[:5] == ["CreateTable", "WriteFile", "held", "continued", "Deploy"]
    assert not [event for event in world.events() if type(event).__name__ == "FactsChanged"]


def test_a_hold_is_kept_where_somebody_else_deploys() -> None:
    """`method = "external"`: the files are not written under a hold."""
    world = QuickWorld()
    deploy = msgspec.structs.replace(world.target.deploy, method=DeployMethod.EXTERNAL)
    world.target = msgspec.structs.replace(world.target, deploy=deploy)
    plan = world.start()
    once(world, StepStarted, "both", lambda: hold(world))
    continuing(world)
    assert world.run(plan) is ExitCode.DONE
    assert order(world)[:3] == ["CreateTable", "held", "continued"]


def test_gates_and_the_question_come_again_after_a_hold() -> None:
    """What was approved before the hold was approved before the hold."""
    world = QuickWorld()
    plan = world.start()
    once(world, Approved, "swap", lambda: hold(world))
    continuing(world)
    assert world.run(plan) is ExitCode.DONE
    steps = [event.step for event in of(world, Asked)]
    assert steps == ["swap", "swap", "settle"]


def test_a_hold_at_a_question_withdraws_it() -> None:
    """Nobody can approve past a hold."""
    world = QuickWorld()
    plan = world.start()
    once(world, Asked, "swap", lambda: hold(world))
    assert world.run(plan, approve_all=False) is ExitCode.BLOCKED
    (withdrawn,) = of(world, QuestionWithdrawn)
    assert "asked to hold" in withdrawn.why
    assert [event.step for event in of(world, StepDone)] == ["tables", "both"]


@pytest.mark.parametrize(("seconds", "lasts"), [(0.0, DEFAULT_HOLD), (3600.0, 3600.0)])
def test_a_hold_ends_the_runner_and_changes_nothing(seconds: float, lasts: float) -> None:
    """After its time: exit 3, the lease given up, where the rings stand and that it is safe."""
    world = QuickWorld()
    plan = world.start()
    once(world, StepStarted, "swap", lambda: hold(world, seconds))
    assert world.run(plan) is ExitCode.BLOCKED
    (held,) = of(world, Held)
    assert held.limit == lasts
    ending = world.ending()
    assert ending.state is RunState.HELD
    assert "ruler is on memberlist+dynamodb" in ending.reason
    assert "safe to stay so" in ending.reason
    assert world.holder is None
    assert [event.step for event in of(world, StepDone)] == ["tables", "both"]
    times = [one.at for one in world.journal.events() if isinstance(one.event, Held)]
    assert lasts <= world.journal.events()[-1].at - times[0] <= lasts + 60


def test_a_switch_that_stands_halfway_is_no_state_to_stay_in() -> None:
    """Pods of one ring read different stores: no scaling, no drains, no other deploy."""
    seen = QuickWorld().inspect(("ruler",))
    assert "safe to stay so" in standing_words(seen, ("ruler",))
    rings = tuple(
        msgspec.structs.replace(
            ring,
            states=frozenset({StoreState.MEMBERLIST_DYNAMODB, StoreState.DYNAMODB_MEMBERLIST}),
            primaries=frozenset(Store),
        )
        if ring.ring == "ruler"
        else ring
        for ring in seen.rings
    )
    words = standing_words(msgspec.structs.replace(seen, rings=rings), ("ruler",))
    assert "no scaling, no drains, no other deploy" in words
    assert "read: dynamodb and memberlist" in words
    assert "no scaling" in standing_words(None, ("ruler",))


def test_rings_that_stand_alike_are_counted() -> None:
    """One by one they are named only where they differ."""
    seen = fake.release(sizes={"ingester": 3, "ruler": 2}, on=("ingester", "ruler"))
    alike = standing_words(seen, ("ingester", "ruler"))
    assert alike.startswith("Left as it is: every chosen ring is on ")
    moved = fake.release(
        sizes={"ingester": 3, "ruler": 2}, on=("ingester", "ruler"), state=StoreState.MEMBERLIST
    )
    rings = (seen.ring("ingester"), moved.ring("ruler"))
    halves = msgspec.structs.replace(seen, rings=tuple(one for one in rings if one is not None))
    apart = standing_words(halves, ("ingester", "ruler"))
    assert "ingester is on " in apart
    assert "ruler is on memberlist" in apart


def test_a_hold_that_is_taken_back_before_it_began_holds_nothing() -> None:
    """`continue` while the rollout under way is waited for."""
    world = QuickWorld()
    plan = world.start()

    def both() -> None:
        hold(world)
        world.ask(RequestKind.CONTINUE)

    perform = world.perform

    def performing(change: Change) -> Outcome:
        if isinstance(change, Deploy) and len(world.deployed) == 1:
            both()
        return perform(change)

    world.perform = performing  # type: ignore[method-assign]
    assert world.run(plan) is ExitCode.DONE
    assert not of(world, Held)
    (continued,) = of(world, Continued)
    assert len(continued.answers) == 2


def test_a_continue_ends_the_hold_that_was_seen_and_no_later_one() -> None:
    """Left twice for one hold: the second is void, and the next hold waits for its own."""
    world = QuickWorld()
    plan = world.start()
    held: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step in {"both", "swap"}:
            hold(world)
        if isinstance(event, Held):
            held.append(event.step)
            if len(held) == 1:
                world.ask(RequestKind.CONTINUE)
                world.ask(RequestKind.CONTINUE)

    world.heard = hear
    assert world.run(plan) is ExitCode.BLOCKED
    assert held == ["both", "swap"]
    (void,) = of(world, RequestVoid)
    assert void.kind is RequestKind.CONTINUE
    assert len(of(world, Continued)) == 1


def half_of_pushes_fail(seen: Inspection) -> Inspection:
    """Users are answered with errors on every second push."""

    def failing(facts: PodFacts) -> PodFacts:
        counters = facts.counters or Counters()
        half = (counters.pushes or 0.0) / 2
        return msgspec.structs.replace(
            facts, counters=msgspec.structs.replace(counters, failed_pushes=half)
        )

    return msgspec.structs.replace(seen, pods=tuple(failing(one) for one in seen.pods))


def test_a_hold_names_the_gate_that_needs_the_operator() -> None:
    """Users fail while a rollout is not over: `users-fine` needs a word, and is named."""
    world = QuickWorld()
    plan = world.start()

    def spoil(seen: Inspection) -> Inspection:
        return fake.with_workload(half_of_pushes_fail(seen), "ruler", ready_replicas=0)

    once(world, StepStarted, "swap", lambda: setattr(world, "spoil", spoil))
    assert world.run(plan) is ExitCode.BLOCKED
    held = of(world, Held)[-1]
    assert held.gate is Gate.USERS_FINE
    assert "`continue` goes on" in held.hint


def test_an_override_of_failing_users_is_a_word_as_well() -> None:
    """Nobody has to say `continue` besides."""
    world = QuickWorld()
    plan = world.start()

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "both":
            world.spoil = half_of_pushes_fail
        if isinstance(event, Held) and event.gate is Gate.USERS_FINE:
            world.ask(RequestKind.OVERRIDE, Gate.USERS_FINE)
            world.spoil = lambda seen: seen

    world.heard = hear
    world.run(plan)
    assert "both" in [event.step for event in of(world, StepDone)]


def test_a_hold_whose_gates_are_good_says_that_it_waits_for_somebody_and_for_nothing_else() -> (
    None
):
    """No count of samples stands there as if something were still missing; it is said once."""
    world = QuickWorld()
    plan = world.start()

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "both":
            world.spoil = half_of_pushes_fail
        if isinstance(event, Held) and event.gate is Gate.USERS_FINE:
            world.spoil = lambda seen: seen

    world.heard = hear
    assert world.run(plan) is ExitCode.BLOCKED
    said = [one.waiting_for for one in of(world, WaitStarted)]
    assert said[-1] == WORD_AWAITED
    assert said.count(WORD_AWAITED) == 1
    events = world.journal.events()
    last = max(at for at, one in enumerate(events) if isinstance(one.event, WaitStarted))
    found = status_of("run-1", events[: last + 1], now=events[last].at, runner_alive=True)
    assert found.waits == (
        "held: users-fine did not pass; every gate passes by now, and the run goes on once "
        "somebody says so"
    )
    assert found.awaits_word
    words, tone = next_words(found, Gate.USERS_FINE)
    assert (words, tone) == ("Held; every gate passes by now: r continues, b rolls back.", "warn")
    earlier = status_of("run-1", events[:last], now=events[last].at, runner_alive=True)
    assert next_words(earlier, Gate.USERS_FINE)[0].startswith("Held. Once users are fine again, r")


def test_a_rollback_asked_for_between_the_file_and_its_deploy_comes_before_the_deploy() -> None:
    """The change that was about to be made is not made any more."""
    world = QuickWorld()
    start = world.files[VALUES]
    plan = world.start()
    perform = world.perform

    def performing(change: Change) -> Outcome:
        if isinstance(change, WriteFile) and not world.written:
            world.ask(RequestKind.ROLLBACK)
        return perform(change)

    world.perform = performing  # type: ignore[method-assign]
    assert world.run(plan) is ExitCode.ROLLED_BACK
    assert [leg.purpose for leg in of(world, LegStarted)] == ["apply", "rollback"]
    assert world.files[VALUES] == start
    assert world.running == start
    assert CreateTable in {type(change) for change in world.attempts}
