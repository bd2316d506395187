"""What a window has room for is shown: names stay in sight, boxes fit their text, columns share."""

from __future__ import annotations

from typing import Any

import pytest
import tui_story as story
import tui_world as world
from tui_fakes import FakeOperations
from tui_harness import TINY, WIDE, a_plan, app_for, drive, press, screen_text, with_run

from mimir_migrate.model.findings import Severity
from mimir_migrate.screens.inspect_page.finding_views import tally
from mimir_migrate.screens.inspect_page.matrix_views import matrix_of, with_legend
from mimir_migrate.screens.run_page.pane_views import pane_title
from mimir_migrate.widgets.diff import DiffView, aligned
from mimir_migrate.widgets.glyphs import UNICODE
from mimir_migrate.widgets.reader import Reader
from mimir_migrate.widgets.text import Span, text_of


def test_the_names_of_rings_stay_in_sight_when_the_matrix_is_scrolled_to_the_side() -> None:
    """In 60 cells the last components are reached with End, and each row still says which ring it is."""

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2")
        assert "ruler" not in screen_text(app).splitlines()[5]
        await press(pilot, "end")
        lines = screen_text(app).splitlines()
        assert next(line for line in lines if "compact" in line).split()[:2] == ["ring", "querier"]
        for ring in ("ingester", "store-gateway", "compactor", "ruler"):
            assert any(line[2:].startswith(ring) for line in lines)

    drive(app_for(FakeOperations()), script, TINY)


def test_a_pod_that_did_not_answer_counts_as_not_seeing_all() -> None:
    """Two rulers of which one is silent are not `1/1`, in a narrow window neither."""
    facts = world.inspection()
    silent = next(each.pod.name for each in facts.pods if each.pod.component == "ruler")
    table = matrix_of(world.inspection(silent=(silent,)), UNICODE)
    row = next(row for row in table.rows if row.key == "ruler")

    assert text_of(row.cells["ruler"]) == "?M 1/2"
    assert text_of(row.short["ruler"]) == "?M 1/2"


def test_a_legend_is_cut_at_an_entry_and_not_inside_one() -> None:
    """What does not fit whole is left out."""
    assert with_legend("16 pods", 100).endswith("n/n see all")
    assert with_legend("16 pods", 36) == "16 pods  M memberlist  D dynamodb"


def test_findings_are_tallied_as_they_are_read_aloud() -> None:
    """One blocks, two block, none blocks."""
    counts = {Severity.BLOCKS: 0, Severity.WARNS: 2, Severity.INFORMS: 1}
    assert tally(counts) == "none blocks, 2 warn, 1 informs"


def test_a_box_is_as_tall_as_its_text_and_a_long_text_leaves_room_for_its_buttons() -> None:
    """A hand-over of a few lines does not cover the screen; help that is longer scrolls."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "w")
        box = app.screen.query_one(".box").region
        assert box.height < 20
        await press(pilot, "escape", "question_mark")
        box, buttons = app.screen.query_one(".box").region, app.screen.query_one("#close").region
        assert box.height <= 0.9 * WIDE[1]
        assert box.contains_region(buttons)
        assert app.screen.query_one(Reader).max_scroll_y > 0

    drive(app_for(operations, run=story.RUN), script, WIDE)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [(20, 70, 49), (70, 20, 70), (20, 20, 59), (80, 80, 59), (20, 118, 39), (118, 20, 80)],
)
def test_a_side_of_a_difference_gives_what_it_does_not_need(
    left: int, right: int, expected: int
) -> None:
    """Half the room each, unless one needs more and the other one less."""
    view = DiffView(colours=lambda text: (Span(text),))
    view._needs = (left, right)
    assert view._left_width(119) == expected


def test_a_long_line_of_a_difference_is_whole_while_the_other_side_is_empty() -> None:
    """A table's name of 56 letters beside a short file, on a terminal of 120."""
    operations = FakeOperations()
    long = "table_name: " + "observability-" * 4

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "p", "5")
        app.page.query_one(DiffView).show(aligned("a: 1", f"a: 1\n{long}"), subject="x")
        await press(pilot, "n")
        assert long in screen_text(app)

    drive(app_for(operations), script, WIDE)


def test_panes_are_named_by_their_keys_where_their_names_have_no_room() -> None:
    """The one that is shown keeps its name."""
    assert pane_title("gates", None, 80) == "[g Gates]  = Stores   u Users   l Log "
    assert pane_title("gates", None, 32) == "[g Gates] = u l"


def test_a_pane_gets_the_room_of_the_steps_and_of_what_can_be_read_again() -> None:
    """At 60 by 20 the gates are read at full width; Escape brings the steps and the whole state back."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "6")
        assert "its steps" in screen_text(app)
        assert "Steps 2/7" in screen_text(app)
        await press(pilot, "g")
        shown = screen_text(app)
        assert "Steps 2/7" not in shown
        assert "its steps" not in shown
        assert "waits" in shown
        assert "rollback open" in shown
        assert "nothing-else-moves no rollout" in shown
        await press(pilot, "escape")
        assert "its steps" in screen_text(app)
        assert "Steps 2/7" in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, TINY)
