"""What was typed and stands in no file, and what a screen's keys and numbers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tui_story as story
from textual.widgets import Input
from tui_fakes import FakeOperations
from tui_harness import (
    SMALL,
    WIDE,
    a_plan,
    app_for,
    drive,
    press,
    screen_text,
    settle,
    type_text,
    with_run,
)

from mimir_migrate.widgets.bars import Heading
from mimir_migrate.widgets.rows import RowList


async def type_namespace(pilot: Any, app: Any) -> None:
    """Type another namespace into the start screen's target."""
    rows = app.page.query_one("#target", RowList)
    rows.focus()
    rows.move_to("namespace")
    await press(pilot, "enter")
    app.screen.query_one(Input).value = ""
    await type_text(pilot, "elsewhere")
    await press(pilot, "enter")
    assert app.session.target.kubernetes.namespace == "elsewhere"


def test_a_typed_target_is_not_thrown_away_without_asking() -> None:
    """`q` asks first; staying keeps it."""

    async def script(pilot: Any, app: Any) -> None:
        await type_namespace(pilot, app)
        await press(pilot, "q")
        assert "stands in no file yet" in " ".join(screen_text(app).split())
        await press(pilot, "enter")
        assert app.session.target.kubernetes.namespace == "elsewhere"
        assert app._exit is False

    drive(app_for(FakeOperations()), script, WIDE)


@pytest.mark.parametrize("saved", [True, False], ids=["saved", "nothing typed"])
def test_nothing_is_asked_where_nothing_would_be_lost(saved: bool, tmp_path: Path) -> None:
    """What was saved is in its file."""

    async def script(pilot: Any, app: Any) -> None:
        if saved:
            await type_namespace(pilot, app)
            await press(pilot, "x", "enter")
            assert "elsewhere" in (tmp_path / "target.toml").read_text()
        await press(pilot, "q")
        assert app._exit is True

    drive(app_for(FakeOperations(), folder=tmp_path), script, WIDE)


def test_a_step_is_unfolded_by_enter_and_has_one_number_everywhere() -> None:
    """The plan's own number stands over the difference of the values file too."""
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "p")
        await settle(pilot)
        steps = app.page.query_one("#steps", RowList)
        steps.focus()
        before = len(steps.shown)
        await press(pilot, "enter")
        assert len(steps.shown) > before
        await press(pilot, "enter")
        assert len(steps.shown) == before
        plan = app.session.plan
        ids = [step.id for step in plan.steps]
        await press(pilot, "5")
        title = app.page.query_one("#title", Heading).title
        step = next(one.id for one in plan.steps if one.edits)
        assert title.startswith(f"{step}, step {ids.index(step) + 1} of {len(ids)}:")

    drive(app_for(operations), script, WIDE)


def test_what_a_run_took_says_what_is_counted() -> None:
    """What its two questions waited is beside it, and not in it."""
    operations = FakeOperations()
    with_run(operations, story.done(a_plan(operations)), alive=False)

    async def script(pilot: Any, app: Any) -> None:
        assert "and 2 s waiting for somebody" in " ".join(screen_text(app).split())
        assert "h Hold" not in screen_text(app)
        assert "z Stop" not in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_forms_of_an_export_are_told_apart_by_their_endings(tmp_path: Path) -> None:
    """However long the folder's name is."""
    operations = FakeOperations()
    with_run(operations, story.done(a_plan(operations)), alive=False)
    folder = tmp_path / ("a-folder-of-a-long-name-" * 4)
    folder.mkdir()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "7", "x")
        text = screen_text(app)
        for ending in (".md", ".html", ".json"):
            assert f"{story.RUN}{ending}" in text

    drive(app_for(operations, run=story.RUN, folder=folder), script, SMALL)
