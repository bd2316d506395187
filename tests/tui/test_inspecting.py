"""What was seen: grouped by cause, with its age, asked again by itself; and choices that never surprise."""

from __future__ import annotations

import threading
from typing import Any

import tui_story as story
import tui_world as world
from textual.widgets import ContentSwitcher
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
    with_run,
)

from mimir_migrate.errors import UnreachableError
from mimir_migrate.model.events import StepDone, StepStarted
from mimir_migrate.model.stores import Store
from mimir_migrate.screens.modals.pick import PickModal
from mimir_migrate.widgets.bars import Heading
from mimir_migrate.widgets.matrix import Matrix
from mimir_migrate.widgets.reader import Reader
from mimir_migrate.widgets.rows import RowList
from mimir_migrate.widgets.side_by_side import SideBySide
from mimir_migrate.widgets.text import text_of


def title(app: Any, name: str = "matrix-title") -> str:
    """One of the page's headings."""
    return app.page.query_one(f"#{name}", Heading).title


def silent_ruler() -> FakeOperations:
    """A cluster with one pod that does not answer."""
    facts = world.inspection()
    ruler = next(each.pod.name for each in facts.pods if each.pod.component == "ruler")
    return FakeOperations(world.inspection(silent=(ruler,)))


def test_a_silent_pod_is_one_finding_that_unfolds_to_what_hangs_on_it() -> None:
    """The count says what has to be mended, and the text names what is not known because of it."""

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "tab")
        findings = app.page.query_one("#findings", RowList)
        blocking = [row for row in findings.shown if "unknown" in text_of(row.cells[0])]
        assert len(blocking) == 1
        assert "9 findings more because of it" in text_of(blocking[0].cells[1])
        assert title(app, "findings-title").startswith("Findings: 1 block")
        await press(pilot, "space")
        assert sum(row.depth for row in findings.shown) == 9
        await press(pilot, "enter")
        assert "Not known because of it" in app.page.query_one("#finding", Reader).text

    drive(app_for(silent_ruler()), script)


def test_how_old_an_inspection_is_is_shown_and_it_is_made_again_by_itself() -> None:
    """The cursor, what is unfolded and what is read stay where they are."""
    operations = silent_ruler()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "right", "tab", "space", "down", "down")
        page = app.page
        findings, matrix = page.query_one("#findings", RowList), page.query_one(Matrix)
        before = (findings.key, frozenset(findings._unfolded), matrix.cursor)
        operations.now += 30
        page._age()
        await settle(pilot)
        assert (operations.looks, "30 s old" in title(app)) == (1, True)
        operations.now += 40
        operations.facts = world.inspection(
            silent=(page._shown.findings[0].pods[0],), at=operations.now
        )
        page._age()
        await settle(pilot)
        assert operations.looks == 2
        assert "just now" in title(app)
        assert (findings.key, frozenset(findings._unfolded), matrix.cursor) == before
        assert page.query_one(ContentSwitcher).current == "finding"

    drive(app_for(operations), script)


def test_where_asking_again_fails_what_was_seen_stays_with_its_age() -> None:
    """No dialog comes by itself; the title says why it is old."""
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2")
        operations.failing["look"] = UnreachableError("the API server timed out")
        operations.now += 70
        app.page._age()
        await settle(pilot)
        assert "not refreshed: the API server timed out" in title(app)
        assert app.page.query_one(Matrix).table.rows

    drive(app_for(operations), script, WIDE)


def test_what_was_seen_before_the_run_changed_something_is_not_shown_as_present() -> None:
    """It says that it is old and is being read again, at once; Choices says it too."""
    operations, answer = FakeOperations(), threading.Event()
    answer.set()
    operations.before_look = lambda: answer.wait(60) and None
    plan = a_plan(operations)
    with_run(operations, story.begun(plan))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "6")
        operations.write(story.RUN, StepStarted(step="mirror"), StepDone(step="mirror"), every=1e3)
        operations.now = operations.journals[story.RUN][-1].at + 100
        await follow(pilot, app)
        await press(pilot, "3")
        assert "before the run's last change: 2 reads it again" in screen_text(app)
        looks = operations.looks
        answer.clear()
        await pilot.press("2")
        await pilot.pause()
        said = " ".join(screen_text(app).split())
        assert "from before the run's last change: being read again" in title(app)
        assert "What stands here is from before the run's last change" in said
        operations.facts = world.inspection(at=operations.now)
        answer.set()
        await settle(pilot)
        assert "just now" in title(app)
        assert "being read again" not in screen_text(app)
        assert operations.looks == looks + 1

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_choices_hears_when_an_inspection_ends() -> None:
    """Whoever went on to Choices meanwhile sees them come."""
    operations, answer = FakeOperations(), threading.Event()
    operations.before_look = lambda: answer.wait(60) and None

    async def script(pilot: Any, app: Any) -> None:
        app.action_go_inspect()
        await pilot._wait_for_screen()
        app.action_go_choices()
        await pilot._wait_for_screen()
        await pilot.pause(0.2)
        assert "being inspected" in screen_text(app)
        answer.set()
        await settle(pilot)
        assert len(app.page.query_one(SideBySide).things) == 3

    drive(app_for(operations), script)


def test_what_is_under_the_cursor_is_what_would_be_planned() -> None:
    """Moving the cursor changes the order below; on Stay nothing is planned, whatever key is pressed."""
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3")
        table, order = app.page.query_one(SideBySide), app.page.query_one("#order", RowList)
        assert (table.key, app.session.staying, app.session.rings) == ("all", False, ())
        await press(pilot, "left")
        assert (table.key, app.session.rings) == ("some", ("ruler",))
        await press(pilot, "left")
        assert (table.key, app.session.staying) == ("stay", True)
        assert [row.key for row in order.rows] == ["stay"]
        await press(pilot, "enter", "p", "4", "p")
        assert app.session.plan is None
        await press(pilot, "3", "right", "right", "p")
        assert app.session.plan is not None

    drive(app_for(operations), script)


def test_enter_never_turns_the_direction_round() -> None:
    """It is chosen by name, and Enter twice leaves it as it is."""
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "tab")
        assert app.page.query_one("#order", RowList).key == "to"
        await press(pilot, "enter")
        assert isinstance(app.screen, PickModal)
        await press(pilot, "enter")
        assert app.session.to is Store.DYNAMODB
        await press(pilot, "enter", "up", "enter")
        assert app.session.to is Store.MEMBERLIST

    drive(app_for(operations), script, SMALL)
