"""What a window has room for is shown: names stay in sight, boxes fit their text, columns share."""

from __future__ import annotations

from typing import Any

import pytest
import tui_story as story
import tui_world as world
from tui_fakes import FakeOperations
from tui_harness import (
    SMALL,
    TINY,
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
    Held,
    RunFinished,
    RunState,
    UsersFailed,
    Verdict,
    WaitStarted,
)
from mimir_migrate.model.findings import Severity
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.scale import TRUE_TIME
from mimir_migrate.model.stores import StoreState
from mimir_migrate.runs.status import status_of
from mimir_migrate.screens.inspect_page.finding_views import tally
from mimir_migrate.screens.inspect_page.matrix_views import matrix_of, with_legend
from mimir_migrate.screens.modals.pick import PickModal
from mimir_migrate.screens.plan_views import chosen_counted, rings_counted
from mimir_migrate.screens.run_page.now_views import now_lines
from mimir_migrate.screens.run_page.pane_views import pane_title
from mimir_migrate.screens.run_page.run_book import RunBook
from mimir_migrate.screens.run_page.store_views import store_rows
from mimir_migrate.widgets.bars import NextLine
from mimir_migrate.widgets.diff import DiffView, aligned
from mimir_migrate.widgets.glyphs import ASCII, UNICODE, Glyphs
from mimir_migrate.widgets.matrix import Matrix
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
        for ring in ("store-gateway", "compactor", "ruler"):
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
        assert "its own 3 steps" in screen_text(app)
        assert "Steps 2/7" in screen_text(app)
        await press(pilot, "g")
        shown = screen_text(app)
        assert "Steps 2/7" not in shown
        assert "its own 3 steps" not in shown
        assert "waits" in shown
        assert "rollback open" in shown
        assert "nothing-else-moves no rollout" in shown
        await press(pilot, "escape")
        assert "its own 3 steps" in screen_text(app)
        assert "Steps 2/7" in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, TINY)


def test_what_a_search_found_stands_there_as_long_as_it_is_on() -> None:
    """A run says something new each second; the search's keys are not talked over."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "6", "l", "slash")
        await type_text(pilot, "helm")
        await press(pilot, "enter")
        for _ in range(2):
            assert "that hold 'helm'. n goes to the next" in screen_text(app)
            await follow(pilot, app)
        await press(pilot, "escape")
        assert "that hold" not in screen_text(app)
        assert "Waits for stores-equal by itself" in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_stores_that_are_not_mirrored_are_not_said_to_differ() -> None:
    """Before mirroring begins the table is empty, and that is no trouble."""
    facts = world.inspection(StoreState.MEMBERLIST_DYNAMODB, mirror=False)
    rows = store_rows(facts, ("ruler",), UNICODE, TRUE_TIME)

    assert text_of(rows[0].cells[-1]) == "mirroring is off"


@pytest.mark.parametrize(("size", "rings"), [(TINY, 6), ((80, 18), 6)])
def test_every_ring_of_the_matrix_can_be_reached(size: tuple[int, int], rings: int) -> None:
    """In the lowest window the last ring comes into sight with the cursor on it."""

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2")
        matrix = app.page.query_one(Matrix)
        assert len(matrix.table.rows) == rings
        await press(pilot, "end")
        assert matrix.parent.region.contains_region(matrix.region)
        last = matrix.table.rows[-1].key
        assert any(line.startswith(f"▌ {last}") for line in screen_text(app).splitlines())

    drive(app_for(FakeOperations()), script, size)


def test_a_cell_without_pods_says_so() -> None:
    """A component that has nothing to do with a ring is not a list that is still to come."""

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "end")
        assert "no pod of ruler works with the ring alertmanager" in screen_text(app)

    drive(app_for(FakeOperations()), script, WIDE)


def test_a_run_that_just_began_is_not_said_to_be_without_a_runner() -> None:
    """Its runner takes a moment to start."""
    operations = FakeOperations()
    operations.write(story.RUN, *story.begun(a_plan(operations)))
    for number, told in ((1, "runner   starting"), (3, "runner   4711")):
        events = operations.events(story.RUN)[:number]
        book = RunBook()
        book.read(events)
        lines = now_lines(status_of(story.RUN, events, now=events[-1].at), book, UNICODE, 0.0)
        assert told in "\n".join(text_of(each) for each in lines)


def test_rows_of_the_steps_are_seen_however_much_there_is_to_say() -> None:
    """A held run in the smallest window: what can be read elsewhere makes room."""
    operations = FakeOperations()
    held = Held(step="mirror", reason="users-fine: users: failed pushes", gate=Gate.USERS_FINE)
    failed = UsersFailed(step="mirror", users=story.RATES, worse=True)
    with_run(operations, [*story.in_mirror(a_plan(operations)), failed, held])

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "6")
        shown = screen_text(app)
        assert "3 mirror" in shown
        for word in ("held ", "users ", "rollback open"):
            assert word in shown
        assert "this run's step" not in shown

    drive(app_for(operations, run=story.RUN), script, TINY)


def test_a_step_s_name_is_whole_beside_how_long_it_took() -> None:
    """At 80 columns, with the longest name and a long time."""
    operations = FakeOperations()
    plan = a_plan(operations)
    operations.write(story.RUN, *story.done(plan), every=151.0)

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "6")
        assert "5 unmirror ! 40 min 16 s" in " ".join(screen_text(app).split())

    drive(app_for(operations, run=story.RUN), script, SMALL)


def test_what_is_next_is_cut_with_a_sign_and_names_its_key_first() -> None:
    """A long reason does not push the key out of the line."""
    operations = FakeOperations()
    reason = (
        "everything is where it was before the run; the table " + "mimir-rings-" * 9 + " stays"
    )
    ended = RunFinished(state=RunState.ROLLED_BACK, reason=reason, exit_code=6)
    with_run(operations, [*story.in_mirror(a_plan(operations)), ended], alive=False)

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "6")
        said = app.page.query_one(NextLine).render().plain
        assert said.startswith(" Rolled back: 7 shows the report. Everything is")
        assert said.endswith("…")

    drive(app_for(operations, run=story.RUN), script, TINY)


def test_what_a_dialog_offers_is_whole_where_its_box_can_grow() -> None:
    """At 60 by 20 an offer's note takes a second line rather than an ellipsis."""
    offers = [("tour", "a few minutes: what to look at, and which key is next"), ("skip", "later")]

    async def script(pilot: Any, app: Any) -> None:
        app.push_screen(PickModal("Take the tour?", offers=offers, typed=False))
        await settle(pilot)
        assert "key is next" in screen_text(app)

    drive(app_for(FakeOperations()), script, TINY)


def test_keys_follow_a_runner_that_ended_without_a_word() -> None:
    """Nothing is written when a process is gone; hold and stop go with it."""
    operations = FakeOperations()
    ended = RunFinished(state=RunState.DONE, reason="done", exit_code=0)
    with_run(operations, [*story.in_mirror(a_plan(operations)), ended])

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "6")
        operations.pids.clear()
        await follow(pilot, app)
        assert "h Hold" not in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


@pytest.mark.parametrize("signs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_every_sign_means_one_thing(signs: Glyphs) -> None:
    """The cursor, a folded row and the step under way stand side by side, and are told apart."""
    names = [
        "good",
        "bad",
        "unknown",
        "warn",
        "note",
        "differ",
        "none",
        "now",
        "held",
        "todo",
        "cursor",
        "open",
        "folded",
    ]
    assert len({getattr(signs, name) for name in names}) == len(names)


@pytest.mark.parametrize("size", [TINY, SMALL, WIDE])
def test_how_long_a_plan_takes_is_whole_in_its_heading(size: tuple[int, int]) -> None:
    """Where there is no room for all, the strategy and the goal go first."""

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "p")
        heading = app.page.query_one("#steps-title")
        assert "…" not in heading.render().plain
        assert " s" in heading.render().plain

    drive(app_for(FakeOperations()), script, size)


def test_behind_users_that_fail_stand_their_errors_and_no_pod() -> None:
    """The key that shows what is behind a gate leads somewhere for every gate that it is offered for."""
    operations = FakeOperations()
    plan = a_plan(operations)
    step = next(one for one in plan.steps if one.crossing)
    failing = story.gate(step, "after", Gate.USERS_FINE, Verdict.FAIL)
    held = Held(step=step.id, reason="users-fine: users: failed pushes", gate=Gate.USERS_FINE)
    with_run(operations, [*story.begun(plan), *story.before(step), failing, held])

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "6", "i")
        assert "[u Users]" in screen_text(app)
        assert "This did not work" not in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_the_step_under_way_stays_in_sight_when_its_list_gets_lower() -> None:
    """What is told above it takes more lines, or the window less: the cursor's row is still seen."""
    operations = FakeOperations()
    plan = a_plan(operations)
    events = story.begun(plan)
    for step in plan.steps[:-1]:
        events += story.whole(step, plan)
    with_run(operations, [*events, *story.before(plan.steps[-1])])

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "6")
        assert "7 clear" in screen_text(app)
        await pilot.resize_terminal(80, 20)
        await settle(pilot)
        assert "7 clear" in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, SMALL)


def test_a_title_that_would_be_cut_counts_its_rings() -> None:
    """In 80 cells a step's row says what it does to how many rings; a wide window names them."""

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "p")
        await settle(pilot)
        rows = [
            line
            for line in screen_text(app).splitlines()
            if " rollout " in line or " runtime " in line
        ]
        narrow = pilot.app.size.width < 200
        assert (
            any("Give 6 rings both stores, memberlist stays primary" in row for row in rows)
            is narrow
        )
        assert any("Give ingester, distributor, " in row for row in rows) is not narrow
        assert [row for row in rows if "…" in row and " ends: " not in row] == []

    drive(app_for(FakeOperations()), script, SMALL)
    drive(app_for(FakeOperations()), script, (200, 50))


def test_only_a_row_of_names_is_counted() -> None:
    """Two rings are named, and a name that is a part of another word is none."""
    rings = ("ingester", "ruler", "store-gateway")

    assert rings_counted("Leave memberlist: ingester and ruler", rings) == (
        "Leave memberlist: ingester and ruler"
    )
    assert (
        rings_counted("Give ingester, ruler and store-gateway both", rings) == "Give 3 rings both"
    )
    assert rings_counted("Give ingesters, rulers and others both", rings) == (
        "Give ingesters, rulers and others both"
    )
    assert rings_counted("Remove the runtime block", ()) == "Remove the runtime block"


def test_the_chosen_rings_are_counted_in_the_log_and_named_where_a_leg_begins() -> None:
    """Six names in each line say nothing that the first one did not; some of them are named."""
    rings = ("ingester", "distributor", "ruler")
    row = "both stores hold the same 13 members of ingester, distributor, ruler"
    assert chosen_counted(row, rings) == (
        "both stores hold the same 13 members of all 3 chosen rings"
    )
    for other in ("of ingester and ruler", "of ingester, distributor, ruler-0", "of ruler"):
        assert chosen_counted(other, rings) == other
    operations = FakeOperations()
    plan = a_plan(operations)
    named = ", ".join(plan.rings)
    wait = WaitStarted(step="mirror", waiting_for=f"an answer of {named}", bound=60.0)
    with_run(operations, [*story.in_mirror(plan), wait])

    async def script(pilot: Any, app: Any) -> None:
        log = " ".join(app.page.query_one("#log", Reader).text.split())
        assert f"apply: {named} to" in log
        assert f"an answer of all {len(plan.rings)} chosen rings" in log
        assert f"an answer of {named}" not in log

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_a_box_is_as_high_as_what_it_offers() -> None:
    """No empty lines stand below the offers, nor is one cut when more are found later."""

    async def script(pilot: Any, app: Any) -> None:
        box = PickModal(
            "Which?", offers=[("one", "the first"), ("two", "the second")], typed=False
        )
        app.push_screen(box)
        await settle(pilot)
        parts = [each for each in box.query(".box > *") if each.display]
        assert box.query_one(".box").size.height == sum(each.outer_size.height for each in parts)
        box.offer([(f"name-{number}", "found later") for number in range(8)])
        await settle(pilot)
        assert box.query_one(".box").size.height == sum(each.outer_size.height for each in parts)
        assert "name-7" in screen_text(app)

    drive(app_for(FakeOperations()), script, SMALL)


def test_an_edit_s_number_is_not_taken_for_the_step_s() -> None:
    """`step 2 of 7` in the title, and below it which edit of that step; the last one names no next."""
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "p", "5")
        total = len(app.page.query_one(DiffView).diff.changes)
        assert total > 1
        shown = screen_text(app)
        assert f"Edit 1 of {total} of this step (n: next), " in shown
        assert "Change 1" not in shown
        await press(pilot, *["n"] * total)
        assert f"Edit {total} of {total} of this step, " in screen_text(app)

    drive(app_for(operations), script, WIDE)
