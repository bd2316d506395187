"""A rollback says what it leaves: the table, its items and its protection."""

from __future__ import annotations

import pytest
from quick_world import Dead, QuickWorld

from mimir_migrate.errors import ExitCode
from mimir_migrate.model.changes import CreateTable
from mimir_migrate.model.events import ChangeDone, ChangeIntended, Event, RequestKind, StepStarted
from mimir_migrate.runs.handing_over import brief, hand_over
from mimir_migrate.runs.report import render
from mimir_migrate.runs.status import status_of

pytestmark = pytest.mark.usefixtures("brisk")

LEFT = "with what the pods wrote into it and protected from deletion"


def rolled_back(world: QuickWorld, *, dies: bool = False) -> QuickWorld:
    """A run that was taken back from the step `swap`; with `dies` its runner died making the table."""
    plan = world.start()

    def hear(event: Event) -> None:
        if dies and isinstance(event, ChangeIntended) and isinstance(event.change, CreateTable):
            world.heard = lambda _: None
            raise Dead
        if isinstance(event, StepStarted) and event.step == "swap":
            world.heard = lambda _: None
            world.ask(RequestKind.ROLLBACK)

    world.heard = hear
    code = world.run(plan)
    if dies:
        assert code is None
        world.run(plan, "rollback")
    return world


def test_the_end_the_status_and_the_report_name_the_table_that_stays() -> None:
    """Not "everything is where it was" and no more: a table that did not exist does."""
    world = rolled_back(QuickWorld())
    [table] = world.tables
    events = world.journal.events()
    status = status_of("run-1", events, now=world.clock.now())

    for said in (world.ending().reason, brief(status), hand_over(status)):
        assert f"the table {table} stays, {LEFT}" in said
    report = render("run-1", events, ".md")
    assert "## What is left" in report
    assert f"delete-table --table-name {table}" in report
    assert "--no-deletion-protection-enabled" in report
    assert "it is empty" not in report


def test_a_table_that_was_there_before_is_not_said_to_be_left() -> None:
    """Only what the run made."""
    world = QuickWorld()
    world.start()
    tables = [step.tables[0].name for step in world.start().steps if step.tables]
    world = QuickWorld()
    world.tables = tables
    world = rolled_back(world)

    assert world.ending().reason == "everything is where it was before the run"
    assert "What is left" not in render("run-1", world.journal.events(), ".md")


def test_a_table_that_may_have_been_made_is_named() -> None:
    """The runner died before it knew, so that the table may be there."""
    world = rolled_back(QuickWorld(), dies=True)

    assert not any(isinstance(event, ChangeDone) for event in world.events()[:4])
    assert f"stays, {LEFT}" in world.ending().reason


def test_the_plan_says_that_the_table_stays_as_it_is_then() -> None:
    """Its undo does not promise an empty table."""
    world = QuickWorld()
    step = next(step for step in world.start().steps if step.tables)
    assert f"the table {step.tables[0].name} stays, {LEFT}" in step.undo
    assert "empty" not in step.undo
    assert world.run(world.start()) is ExitCode.DONE
    assert "stays" not in world.ending().reason
