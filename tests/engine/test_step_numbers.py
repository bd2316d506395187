"""Steps keep their numbers when a runner goes on with what an earlier one began."""

from __future__ import annotations

import pytest
from quick_world import QuickWorld

from mimir_migrate.engine.history import steps_behind
from mimir_migrate.errors import BlockedError
from mimir_migrate.model.events import Asked, Event, LegStarted, RequestKind, RunState, StepStarted
from mimir_migrate.model.plan import Plan
from mimir_migrate.operations.requests import Wish, request_of
from mimir_migrate.runs.report import to_text
from mimir_migrate.runs.status import RunStatus, status_of


def stopped_in(world: QuickWorld, plan: Plan, step: str) -> None:
    """Stop after a step, as somebody asked."""

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == step:
            world.heard = lambda _: None
            world.ask(RequestKind.STOP)

    world.heard = hear
    world.run(plan)


def status(world: QuickWorld, *, upto: int | None = None) -> RunStatus:
    return status_of("run-1", world.journal.events()[:upto], now=world.clock.now())


def legs(world: QuickWorld) -> list[LegStarted]:
    return [event for event in world.events() if isinstance(event, LegStarted)]


def test_after_a_resume_the_numbers_go_on() -> None:
    """Who approved step 3 of 4 is not asked about step 1 of 2 by the runner after that one."""
    world = QuickWorld()
    plan = world.start()
    stopped_in(world, plan, "both")
    world.run(plan, "resume")

    (asked, *_) = [event for event in world.events() if isinstance(event, Asked)]
    assert (asked.step, asked.index, asked.of) == ("swap", 3, 4)
    assert legs(world)[-1].behind == ("tables", "both")
    at_swap = next(
        place
        for place, event in enumerate(world.events(), 1)
        if isinstance(event, StepStarted) and event.step == "swap"
    )
    seen = status(world, upto=at_swap)
    assert seen.step is not None
    assert seen.step.words == "swap, step 3 of 4"
    assert seen.way_back_closes == "settle, step 4 of 4"
    report = to_text("run-1", world.journal.events())
    assert "swap" in report
    assert "3 of 4" in report


def test_a_rollback_has_numbers_of_its_own_and_they_go_on_too() -> None:
    """The way back is another way; a resume of it goes on with it."""
    world = QuickWorld()
    plan = world.start()
    stopped_in(world, plan, "both")
    world.run(plan, "rollback")
    whole = legs(world)[-1]

    assert whole.behind == ()
    assert min(whole.numbers().values()) == 1
    assert status(world).state is RunState.ROLLED_BACK


def test_what_comes_before_the_next_step_lies_behind_though_its_runner_died() -> None:
    """It was begun and what it leads to is observed, so it is not planned again: it still counts."""
    world = QuickWorld()
    plan = world.start()
    stopped_in(world, plan, "both")
    events = [
        recorded
        for recorded in world.journal.events()
        if getattr(recorded.event, "step", "") != "both"
    ]
    left = plan.steps[2:]

    assert steps_behind(events, left, back=False) == ("tables", "both")
    assert steps_behind(events, plan.steps[1:], back=False) == ("tables",)
    assert steps_behind(events, left, back=True) == ()


def test_an_approval_names_a_step_by_its_name_and_never_by_its_number() -> None:
    """Numbers are for people: of two plans of one run they may mean different steps."""
    world = QuickWorld()
    plan = world.start()
    stopped_in(world, plan, "both")
    refused: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, Asked):
            now = status_of("run-1", world.journal.events(), now=world.clock.now())
            for wrong in ("3", "4", "settle"):
                with pytest.raises(BlockedError, match="of swap, step 3 of 4, not of") as refusal:
                    request_of(now, Wish(kind=RequestKind.APPROVE, step=wrong), by="ana")
                refused.append(refusal.value.hint)
            right = request_of(now, Wish(kind=RequestKind.APPROVE, step="swap"), by="ana")
            world.heard = lambda _: None
            world.journal.leave(right)
            world.ask(RequestKind.STOP)

    world.heard = hear
    world.run(plan, "resume", approve_all=False)

    assert refused == ["Nothing was left for it. A step is named by its name: swap."] * 3
