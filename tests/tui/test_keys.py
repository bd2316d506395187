"""Keys say why they cannot be used, read-only refuses what writes, and Ctrl-C does what people expect."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import tui_story as story
from tui_fakes import TARGET, FakeOperations
from tui_harness import (
    SMALL,
    WIDE,
    a_plan,
    app_for,
    drive,
    follow,
    press,
    screen_text,
    type_text,
    with_run,
)

from mimir_migrate.errors import UsageError
from mimir_migrate.model.events import Held
from mimir_migrate.model.plan import Gate
from mimir_migrate.operations import RunOptions
from mimir_migrate.screens.actions import ACTIONS
from mimir_migrate.screens.modals.pick import relevance
from mimir_migrate.screens.modals.question import QuestionModal
from mimir_migrate.widgets.bars import KeysBar, WhereLine
from mimir_migrate.widgets.rows import RowList


def told(app: Any) -> list[str]:
    """The notices of the app."""
    return [note.message for note in app._notifications]


def test_a_key_that_cannot_be_used_says_why() -> None:
    """On each screen, in a sentence, and nothing else happens."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))
    said: dict[str, str] = {}

    async def script(pilot: Any, app: Any) -> None:
        for keys in (
            ("4", "s"),
            ("3", "p"),
            ("5", "n"),
            ("6", "a"),
            ("r",),
            ("exclamation_mark",),
        ):
            await press(pilot, *keys)
            said[keys[-1]] = told(app)[-1]

    drive(app_for(operations), script)

    assert said == {
        "s": "Start the run: There is no plan yet: 3 shows the choices, p makes a plan.",
        "p": "Plan: The cluster is not inspected yet: 2, then i.",
        "n": "Next: There is no difference to move in yet.",
        "a": "Approve: Nothing waits for an approval now.",
        "r": "Continue: A runner is at work on the run, and nothing holds it.",
        "exclamation_mark": "Override: No gate holds the run.",
    }
    assert operations.calls == []


def test_read_only_refuses_every_action_that_writes() -> None:
    """Whatever the state is, the key says that the app changes nothing, and the services refuse as well."""
    operations = FakeOperations()
    with_run(operations, story.up_to_switch(a_plan(operations)))
    places = {"start": "1", "plan": "4", "run": "6"}

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "p")
        for action in ACTIONS:
            if not action.writes:
                continue
            await press(pilot, places[action.place], action.key)
            assert not isinstance(app.screen, QuestionModal), action.id
            label = app.page.label(action.method, action.label)
            assert told(app)[-1] == (
                f"{label}: The app was started with --read-only, so it changes nothing."
            )
        assert "READ-ONLY" in screen_text(app)
        with pytest.raises(UsageError, match="--read-only"):
            app.session.operations.go_on(story.RUN, "rollback", RunOptions())

    drive(app_for(operations, read_only=True), script)

    assert operations.calls == []


@pytest.mark.parametrize("size", [(200, 50), (120, 40), SMALL, (60, 20)], ids=str)
def test_every_screen_says_where_it_works_and_on_which_run(size: tuple[int, int]) -> None:
    """Context, cluster, namespace, release, account, region and run, whole, on all seven screens."""
    operations = FakeOperations()
    run = with_run(operations, story.up_to_switch(a_plan(operations)))
    missing: dict[str, list[str]] = {}

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "6", "2")
        for place in "1234567":
            await press(pilot, place)
            text = "\n".join(app.screen.query_one(WhereLine)._lines)
            words = ["obs-dev", "observability", "mimir", "eu-west-1", run, "SIMULATION"]
            words.append(operations.facts.identity.account)
            if size[0] > 80:
                words.append(operations.facts.identity.server)
            missing[place] = [word for word in words if word not in text]

    drive(app_for(operations, in_demo=True, run=run), script, size)

    assert missing == {place: [] for place in "1234567"}


def test_rolling_back_stands_out_in_words_and_colour() -> None:
    """In the footer of a run that is at work, also at 80 columns."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        bar = app.screen.query_one(KeysBar)
        shown = {name: (label, loud) for _, name, label, _, loud in bar.keys()}  # noqa: SIM118
        assert shown["b"] == ("Roll back", True)
        assert shown["h"] == ("Hold", False)

    drive(app_for(operations, run=story.RUN), script)


def test_a_rollback_of_another_place_says_so_before_it_takes_the_name() -> None:
    """Where the target on the screen is another cluster's, the question shows both and the way."""
    operations = FakeOperations()
    plan = a_plan(operations)
    with_run(operations, story.in_mirror(plan))
    other = msgspec.structs.replace(
        TARGET, kubernetes=msgspec.structs.replace(TARGET.kubernetes, namespace="tracing")
    )

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "b")
        text = app.screen._told()
        assert "the run's namespace is observability, the target's here is tracing" in text
        assert "the run's cluster is" in text
        assert "rollouts" in text
        assert "gates included" in text
        await type_text(pilot, "mimir")
        await press(pilot, "enter")

    drive(app_for(operations, run=story.RUN, target=other), script, WIDE)

    assert operations.calls == [("go_on", story.RUN, "rollback")]


def test_resuming_a_held_run_answers_the_hold_that_was_shown() -> None:
    """`r` ends a hold of a living runner and starts one where there is none."""
    operations = FakeOperations()
    held = Held(step="mirror", reason="asked by ana@bastion", gate=Gate.STORES_EQUAL)
    with_run(operations, [*story.in_mirror(a_plan(operations)), held])

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "r", "y")

    drive(app_for(operations, run=story.RUN), script)

    assert operations.calls == [("ask", story.RUN, "continue", "", "")]
    assert operations.seen == [operations.status(story.RUN).hold]


def test_going_on_is_called_what_it_would_be_now() -> None:
    """A runner that lives continues; a run whose runner is gone is resumed; both by `r`."""
    operations = FakeOperations()
    held = Held(step="mirror", reason="asked by ana@bastion", gate=Gate.STORES_EQUAL)
    with_run(operations, [*story.in_mirror(a_plan(operations)), held])

    async def script(pilot: Any, app: Any) -> None:
        assert "r Continue" in screen_text(app)
        assert "r continues" in screen_text(app)
        await press(pilot, "r")
        assert "Continue (y)" in screen_text(app)
        await press(pilot, "escape", "1")
        app.page.query_one("#runs", RowList).move_to(f"run:{story.RUN}")
        assert "r Continue" in screen_text(app)
        await press(pilot, "r")
        assert f"Let the run {story.RUN} continue?" in screen_text(app)
        await press(pilot, "escape", "6")
        operations.pids.clear()
        await follow(pilot, app)
        assert "r Resume" in screen_text(app)
        await press(pilot, "r")
        assert "Resume (y)" in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_a_key_that_means_nothing_says_so_and_no_letter_of_a_field_does() -> None:
    """Once, in the line above the keys, until the next thing is said there."""

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "Z")
        assert "Z does nothing here; ? lists the keys" in screen_text(app)
        assert not app._notifications
        await press(pilot, "slash", "Z", "k")
        assert "k does nothing" not in screen_text(app)
        await press(pilot, "escape", "2")
        assert "does nothing" not in screen_text(app)
        await press(pilot, "j")
        assert "j does nothing" not in screen_text(app), "it moves the cursor"

    drive(app_for(FakeOperations()), script, WIDE)


def test_leaving_a_demo_is_asked_about_once_though_no_run_goes_on() -> None:
    """Its sandbox, and all that was done in it, goes with the app."""

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "ctrl+c")
        assert "The demo ends with the app" in screen_text(app)
        assert not app._exit
        await press(pilot, "ctrl+c")
        assert app._exit

    drive(app_for(FakeOperations(), in_demo=True), script, WIDE)


def test_a_plan_that_was_walked_is_not_offered_again() -> None:
    """`s` says which run was started with it, and that `p` plans again."""
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "p")
        await press(pilot, "s")
        await type_text(pilot, "mimir")
        await press(pilot, "enter", "4")
        assert "was started with this plan" in screen_text(app)
        await press(pilot, "s")
        assert app.page is not None, "no question is opened"
        await press(pilot, "p")
        assert "s starts the run" in screen_text(app)

    drive(app_for(operations), script, WIDE)


def test_ctrl_c_closes_a_question_then_asks_then_leaves() -> None:
    """A run that is at work goes on: nothing is asked of it."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "h", "ctrl+c")
        assert app.page.PLACE == "run"
        await press(pilot, "ctrl+c")
        assert "Ctrl-C leaves the app" in app.screen._note
        await press(pilot, "ctrl+c")
        assert app._exit

    drive(app_for(operations, run=story.RUN), script)

    assert operations.calls == []


def test_the_palette_shows_first_what_this_screen_can_do_and_what_fits_best() -> None:
    """A word that begins a name goes before one inside it, and before one in what is said of it."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "ctrl+p")
        rows = app.screen.query_one(RowList)
        assert rows.shown[0].key == "run.hold"
        await type_text(pilot, "roll")
        assert [row.key for row in rows.shown[:2]] == ["run.roll_back", "start.roll_back"]
        assert rows.key == "run.roll_back"

    drive(app_for(operations, run=story.RUN), script)

    assert relevance("hold", "h      Run: Hold", "") > relevance(
        "hold", "a      Run: A", "on hold"
    )
    assert relevance("nothing", "h      Run: Hold", "Change it") == 0


def test_the_command_for_a_row_is_copied_and_shown() -> None:
    """`c` gives the command for the run under the cursor, with names in place of capitals."""
    operations = FakeOperations()
    run = with_run(operations, story.in_mirror(a_plan(operations)))
    said: dict[str, str] = {}

    async def script(pilot: Any, app: Any) -> None:
        for place in "1234567":
            await press(pilot, place, "c")
            said[place] = told(app)[-1]

    drive(app_for(operations, target_file="/srv/o/target.toml"), script)

    target = "--target /srv/o/target.toml"
    assert said == {
        "1": f"Copied: mimir-migrate status {run}",
        "2": f"Copied: mimir-migrate inspect {target} --rings ingester",
        "3": f"Copied: mimir-migrate plan {target} --to dynamodb",
        "4": f"Copied: mimir-migrate plan {target} --to dynamodb --output plan.json",
        "5": f"Copied: mimir-migrate plan {target} --to dynamodb --output plan.md",
        "6": f"Copied: mimir-migrate status {run}",
        "7": f"Copied: mimir-migrate report {run}",
    }


def test_no_key_is_named_that_a_question_takes() -> None:
    """While something lies over a screen its keys do nothing, so the last line names none."""

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "p")
        page = app.screen
        assert "Start the run" in screen_text(app).splitlines()[-1]
        await press(pilot, "s")
        assert app.screen is not page
        assert screen_text(app).splitlines()[-1].strip() == ""
        await press(pilot, "escape")
        assert "Start the run" in screen_text(app).splitlines()[-1]

    drive(app_for(FakeOperations()), script, WIDE)


def test_the_cursor_of_a_list_that_has_not_the_keys_looks_different() -> None:
    """Without colours too it can be told which list the arrows move in."""

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2")
        assert sum("▌" in line for line in screen_text(app).splitlines()) == 1
        await press(pilot, "f")
        text = screen_text(app)
        findings = text[text.index("Findings") :]
        assert "▌" in findings
        assert "▏" in text[: text.index("Findings")]
        assert "▌" not in text[: text.index("Findings")]

    drive(app_for(FakeOperations()), script, WIDE)
