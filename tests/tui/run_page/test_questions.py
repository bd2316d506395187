"""A question shows what it is answered on: all of it by keys, as it is now, and not while it is void."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import tui_story as story
from tui_fakes import FakeOperations
from tui_harness import (
    SMALL,
    WIDE,
    a_plan,
    app_for,
    drive,
    follow,
    press,
    screen_text,
    settle,
    type_text,
    with_run,
)

from mimir_migrate.model.events import (
    Approved,
    QuestionSeenAgain,
    QuestionSuspended,
    StepDone,
    StepStarted,
)
from mimir_migrate.operations import DryRun
from mimir_migrate.screens.acting import rolling_back
from mimir_migrate.screens.modals.question import QuestionModal


def asked() -> FakeOperations:
    """A run that waits for the approval of its switch."""
    operations = FakeOperations()
    with_run(operations, story.up_to_switch(a_plan(operations)))
    return operations


@pytest.mark.parametrize(("size", "pages"), [(WIDE, 0), (SMALL, 1)])
def test_what_is_decided_on_is_in_sight_or_one_key_away(size: tuple[int, int], pages: int) -> None:
    """What the step takes and how it is undone stand there from the moment on that it opens."""
    operations = asked()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "a")
        seen = screen_text(app)
        assert "takes    " in seen
        assert ("PageDown" in seen) == bool(pages)
        await press(pilot, *["pagedown"] * pages)
        seen += screen_text(app)
        for part in (
            "stores   ",
            "takes    ",
            "rollback ",
            "Your answer is for this question only.",
        ):
            assert part in seen

    drive(app_for(operations, run=story.RUN), script, size)


def test_a_question_is_read_by_keys_while_its_word_is_typed() -> None:
    """The arrows and the pages move the evidence from the field as well, and the word stays."""
    operations = asked()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "a")
        shown = app.screen.query_one("#consequences")
        await type_text(pilot, "mim")
        await press(pilot, "down")
        assert shown.scroll_offset.y == 1
        assert "1 line above" in screen_text(app)
        await press(pilot, "pagedown", "pagedown", "pagedown")
        assert shown.scroll_offset.y == shown.max_scroll_y
        assert "more line" not in screen_text(app)
        await press(pilot, "pageup", "pageup", "pageup", "up")
        assert shown.scroll_offset.y == 0
        assert app.screen.query_one("#word").value == "mim"

    drive(app_for(operations, run=story.RUN), script, (60, 20))


def test_a_suspended_question_takes_no_answer_until_it_is_seen_again() -> None:
    """The word is typed and does nothing, and the dialog says why; then it counts without typing it again."""
    operations = asked()
    number = operations.journals[story.RUN][-1].seq

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "a")
        why = "stores-equal: ring ingester is late"
        operations.write(story.RUN, QuestionSuspended(step="switch", question=number, why=why))
        await follow(pilot, app)
        await type_text(pilot, "mimir")
        await press(pilot, "enter")
        assert isinstance(app.screen, QuestionModal)
        assert app.screen.query_one("#confirm").disabled
        seen = " ".join(screen_text(app).split())
        assert "cannot be answered while it is suspended" in seen
        assert why in seen
        operations.write(story.RUN, QuestionSeenAgain(step="switch", question=number))
        await follow(pilot, app)
        assert not app.screen.query_one("#confirm").disabled
        assert "while it is suspended" not in screen_text(app)
        await press(pilot, "enter")

    drive(app_for(operations, run=story.RUN), script, WIDE)

    assert [call[2] for call in operations.calls if call[0] == "ask"] == ["approve"]


def test_a_question_says_how_old_its_evidence_is_by_now() -> None:
    """Half a minute later it says half a minute more."""
    operations = asked()
    operations.now = story.SEEN + 19

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "a")
        assert "(seen 19 s ago)" in screen_text(app)
        operations.now += 30
        await follow(pilot, app)
        assert "(seen 49 s ago)" in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


class SlowlyLooking(FakeOperations):
    """A cluster that takes its time until it is known what a rollback would walk."""

    def __init__(self) -> None:
        super().__init__()
        self.answers_now = threading.Event()

    def dry_run_of(self, run: str, purpose: str) -> DryRun:
        self.answers_now.wait(30)
        return super().dry_run_of(run, purpose)


def test_a_rollback_takes_its_word_only_once_what_it_would_walk_is_shown() -> None:
    """Before that Enter says what is waited for; what was typed stays, and Enter takes it afterwards."""
    operations = SlowlyLooking()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await pilot.press("b")
        await pilot.pause()
        assert isinstance(app.screen, QuestionModal)
        rows = app.screen.query_one("#told").size.height
        await pilot.press(*"mimir", "enter")
        assert isinstance(app.screen, QuestionModal), "a word typed too early does nothing yet"
        assert app.screen.query_one("#word").value == "mimir"
        assert app.screen.query_one("#confirm").disabled
        assert "Wait: the cluster is asked what it would walk" in screen_text(app)
        operations.answers_now.set()
        await settle(pilot)
        assert app.screen.query_one("#told").size.height == rows, "nothing jumps under the hand"
        assert "Enter: roll back, once the word is right" in screen_text(app)
        assert operations.calls == []
        await press(pilot, "enter")

    drive(app_for(operations, run=story.RUN), script, WIDE)

    assert operations.calls == [("go_on", story.RUN, "rollback")]


def test_a_question_of_a_rollback_goes_with_the_run() -> None:
    """A run that goes on while it is asked for is looked at again: nobody confirms another place's steps."""
    operations = FakeOperations()
    plan = a_plan(operations)
    with_run(operations, story.in_mirror(plan))
    looks: list[int] = []
    dry_run_of = operations.dry_run_of

    def looked(run: str, purpose: str) -> DryRun:
        looks.append(len(operations.journals[run]))
        return dry_run_of(run, purpose)

    operations.dry_run_of = looked

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "b")
        await settle(pilot)
        assert looks == [len(operations.journals[story.RUN])]
        operations.write(story.RUN, StepDone(step="mirror"), StepStarted(step="switch"))
        await follow(pilot, app)
        for _ in range(40):
            await pilot.pause(0.05)
            if len(looks) == 2:
                break
        assert looks[1] > looks[0]
        for _ in range(40):
            await pilot.pause(0.05)
            if "it is looked up again" not in screen_text(app):
                break
        assert "it is looked up again" not in screen_text(app)
        assert not app.screen.waits

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_a_cluster_that_does_not_answer_keeps_no_rollback_shut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a while it can be asked for, and says that nobody knows yet what it would walk."""
    monkeypatch.setattr(rolling_back, "PATIENCE", 0.05)
    operations = SlowlyLooking()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await pilot.press("b")
        while app.screen.waits:
            await pilot.pause(0.05)
        assert "What it would walk is not known after" in screen_text(app)
        await pilot.press(*"mimir", "enter")
        operations.answers_now.set()
        await settle(pilot)

    drive(app_for(operations, run=story.RUN), script, WIDE)

    assert operations.calls == [("go_on", story.RUN, "rollback")]


def test_stopping_says_what_becomes_of_the_step_that_waits_for_its_approval() -> None:
    """It is not made; once somebody approves it under the open dialog, the dialog says the other thing."""
    operations = asked()
    number = operations.journals[story.RUN][-1].seq

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "z")
        seen = " ".join(screen_text(app).split())
        assert "switch waits for its approval and is not made: the runner ends now" in seen
        assert "is finished" not in seen
        operations.write(story.RUN, Approved(step="switch", question=number, by="ana@bastion"))
        await follow(pilot, app)
        seen = " ".join(screen_text(app).split())
        assert "The step switch is finished, its changes and its gates included" in seen
        assert "is not made" not in seen
        await press(pilot, "escape")

    drive(app_for(operations, run=story.RUN), script, WIDE)

    assert operations.calls == []
