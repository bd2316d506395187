"""The Run screen goes with the run: the cursor, what lies under a question, and how long it waits."""

from __future__ import annotations

from typing import Any

import tui_story as story
from tui_fakes import FakeOperations
from tui_harness import WIDE, a_plan, app_for, drive, press, screen_text, settle, with_run

from mimir_migrate.model.events import Held, StepDone, StepStarted
from mimir_migrate.screens.modals.question import QuestionModal
from mimir_migrate.widgets.reader import Reader
from mimir_migrate.widgets.rows import RowList


async def follow(pilot: Any, app: Any) -> None:
    """Let the run's screen read the journal once more, whatever is in front of it."""
    page = next(screen for screen in app.screen_stack if hasattr(screen, "_follow"))
    page._status_at = 0.0
    page._follow()
    await settle(pilot)


def test_the_cursor_goes_with_the_step_until_it_is_moved_and_comes_back_for_a_key() -> None:
    """Nobody has to look for the step under way, and nobody loses the row that is read."""
    operations = FakeOperations()
    plan = a_plan(operations)
    with_run(operations, story.in_mirror(plan))
    ids = [step.id for step in plan.steps]
    after = ids[ids.index("mirror") + 1]
    last = ids[ids.index("mirror") + 2]

    async def script(pilot: Any, app: Any) -> None:
        steps = app.page.query_one("#steps", RowList)
        assert steps.key == "0:mirror"
        operations.write(story.RUN, StepDone(step="mirror"), StepStarted(step=after))
        await follow(pilot, app)
        assert steps.key == f"0:{after}"
        await press(pilot, "home")
        operations.write(story.RUN, StepDone(step=after), StepStarted(step=last))
        await follow(pilot, app)
        assert steps.key == f"0:{ids[0]}"
        assert ". to now" in screen_text(app)
        await press(pilot, "full_stop")
        assert steps.key == f"0:{last}"

    drive(app_for(operations, run=story.RUN), script)


def test_what_lies_under_a_question_stays_live() -> None:
    """While somebody reads a question, the run's picture behind it goes on."""
    operations = FakeOperations()
    plan = a_plan(operations)
    with_run(operations, story.in_mirror(plan))

    async def script(pilot: Any, app: Any) -> None:
        page = app.page
        await press(pilot, "h")
        assert isinstance(app.screen, QuestionModal)
        operations.write(story.RUN, Held(step="mirror", reason="a new reason to wait"))
        await follow(pilot, app)
        assert isinstance(app.screen, QuestionModal)
        assert "a new reason to wait" in page.query_one("#now", Reader).text
        assert "a new reason to wait" in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_how_long_a_hold_and_an_approval_wait_yet_is_counted_down() -> None:
    """The runner ends where nobody answers; until when is said, and gets less."""
    operations = FakeOperations()
    plan = a_plan(operations)
    held = Held(step="mirror", reason="asked by ana@bastion", limit=600.0)
    with_run(operations, [*story.in_mirror(plan), held])
    at = operations.journals[story.RUN][-1].at
    said: list[str] = []

    async def script(pilot: Any, app: Any) -> None:
        for spent in (10.0, 70.0, 700.0):
            operations.now = at + spent
            await follow(pilot, app)
            text = app.page.query_one("#now", Reader).text
            said.append(next(one for one in text.splitlines() if one.startswith("until")))

    drive(app_for(operations, run=story.RUN), script)

    assert [one.split(",")[0].split(None, 1)[1] for one in said] == [
        "9 min 50 s left to answer",
        "8 min 50 s left to answer",
        "the time to answer is over",
    ]
