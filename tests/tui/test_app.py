"""The app walks an operator through a migration, and does nothing that was not asked for."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import tui_story as story
import tui_world as world
from textual.widgets import Button, Input
from tui_fakes import TARGET, FakeOperations
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

from mimir_migrate.errors import BlockedError, PlanStaleError, UnreachableError
from mimir_migrate.model.events import (
    Continued,
    Held,
    QuestionWithdrawn,
    Recorded,
    RequestKind,
    RequestVoid,
    RunFinished,
    RunState,
    StepDone,
)
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.screens.acting.copying import clipboard_sequence
from mimir_migrate.screens.modals.question import QuestionModal
from mimir_migrate.widgets.bars import NextLine
from mimir_migrate.widgets.matrix import Matrix
from mimir_migrate.widgets.reader import Reader
from mimir_migrate.widgets.rows import RowList
from mimir_migrate.widgets.text import text_of


def said(app: Any) -> str:
    """What the screen says to do next."""
    return app.screen.query_one(NextLine).said


def test_the_whole_way_from_the_start_to_the_report() -> None:
    """Start, inspect, choose, plan, values, run, approve, done, report."""
    operations = FakeOperations()
    seen: list[str] = []

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "enter")
        seen.append(app.page.PLACE)
        await press(pilot, "3", "p")
        seen.append(app.page.PLACE)
        await press(pilot, "5")
        assert "multi_kv_config" in app.page.text_to_copy() or "kvstore" in screen_text(app)
        await press(pilot, "4", "s")
        await type_text(pilot, "mimir")
        await press(pilot, "enter")
        seen.append(app.page.PLACE)
        plan = app.session.plan
        operations.write(app.session.run, *story.up_to_switch(plan)[1:])
        app.page._follow()
        await settle(pilot)
        assert "switch waits for you" in said(app)
        await press(pilot, "a")
        await type_text(pilot, "mimir")
        await press(pilot, "enter")
        operations.write(app.session.run, *story.done(plan)[len(story.up_to_switch(plan)) :])
        del operations.pids[app.session.run]
        app.page._follow()
        await settle(pilot)
        assert said(app).startswith("Done.")
        await press(pilot, "7")
        seen.append(app.page.PLACE)
        assert "done" in screen_text(app)

    drive(app_for(operations), script)

    run = operations.calls[0][1]
    assert seen == ["inspect", "plan", "run", "report"]
    assert operations.calls == [("start", run), ("ask", run, "approve", "", "")]


def test_a_new_sitting_shows_the_unfinished_run_first() -> None:
    """Whoever comes back finds the run where it is, one key away."""
    operations = FakeOperations()
    run = with_run(operations, story.up_to_switch(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        assert app.page.query_one("#runs", RowList).key == f"run:{run}"
        await press(pilot, "o")
        assert app.page.PLACE == "run"
        assert "4 of 7" in screen_text(app)

    drive(app_for(operations), script)


class DemoInMemory:
    """A demo whose cluster exists only here."""

    def __init__(self) -> None:
        self.operations = FakeOperations()
        self.target = msgspec.structs.replace(
            TARGET, kubernetes=msgspec.structs.replace(TARGET.kubernetes, context="sandbox")
        )
        self.ended = 0

    def start(self, progress: Callable[[str], None]) -> tuple[Target, FakeOperations]:
        progress("Starting…")
        return self.target, self.operations

    def end(self) -> None:
        self.ended += 1

    def inject(self, fault: str) -> None:
        raise UnreachableError(f"no {fault} here")

    def answers_after(self) -> float:
        return 0.0

    def follow_line(self, run: str) -> str:
        return f"mimir-migrate status {run} --follow"


def test_a_demo_has_runs_of_its_own_and_is_ended_when_it_is_left() -> None:
    """In the demo no run of the operator's shows and none of the demo's does afterwards."""
    operations, demo = FakeOperations(), DemoInMemory()
    mine = with_run(operations, story.in_mirror(a_plan(operations)), alive=False)

    async def script(pilot: Any, app: Any) -> None:
        def runs() -> set[str]:
            rows = app.page.query_one("#runs", RowList).rows
            return {row.key for row in rows if row.key.startswith("run:")}

        assert runs() == {f"run:{mine}"}
        await press(pilot, "m", "escape", "1")
        assert runs() == set()
        assert app.session.target == demo.target
        demo.operations.write("20261122-090000-dddd", *story.in_mirror(a_plan(operations)))
        await press(pilot, "2", "1")
        assert runs() == {"run:20261122-090000-dddd"}
        await press(pilot, "m", "enter")
        assert (demo.ended, app.session.in_demo) == (0, True)
        await press(pilot, "m", "down", "enter")
        assert (demo.ended, app.session.in_demo) == (1, False)
        assert runs() == {f"run:{mine}"}
        assert app.session.target == TARGET

    drive(app_for(operations, demo=demo), script)

    assert demo.operations.looks == 1
    assert operations.calls == demo.operations.calls == []


def test_leaving_the_app_says_that_a_demo_s_run_ends_with_it() -> None:
    """A run on a real cluster goes on; one in a demo cannot."""
    said_so = []
    for in_demo in (False, True):
        operations = FakeOperations()
        run = with_run(operations, story.in_mirror(a_plan(operations)))

        async def script(pilot: Any, app: Any) -> None:
            await press(pilot, "q")
            said_so.append(screen_text(app))

        drive(app_for(operations, run=run, in_demo=in_demo), script, size=WIDE)

    assert "goes on without the app" in said_so[0]
    assert "The demo ends with the app" in said_so[1]


@pytest.mark.parametrize(("key", "shows"), [("6", "step 3 of 7"), ("7", "mirror")])
def test_whoever_goes_straight_to_run_or_report_sees_the_newest_run(key: str, shows: str) -> None:
    """Nobody has to look for the one run that is under way."""
    operations = FakeOperations()
    run = with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, key)
        assert app.session.run == run
        assert shows in screen_text(app)

    drive(app_for(operations), script)


def test_the_target_is_asked_for_and_what_is_missing_is_said() -> None:
    """The readiness line names what is missing until nothing is."""
    operations = FakeOperations()
    bare = msgspec.structs.replace(
        TARGET, kubernetes=msgspec.structs.replace(TARGET.kubernetes, release="")
    )

    class Finder:
        def offers(self, entry: str, target: Target) -> tuple[str, ...]:
            return ("loki", "mimir") if entry == "release" else ()

    async def script(pilot: Any, app: Any) -> None:
        assert said(app) == "Missing: release. e gives the entry under the cursor below."
        await press(pilot, "e")
        assert "2 found" in screen_text(app)
        await press(pilot, "down", "down", "enter")
        assert said(app).startswith("Ready.")
        assert app.session.target.kubernetes.release == "mimir"

    drive(app_for(operations, target=bare, targets=Finder()), script)


def test_enter_confirms_a_question_once_the_word_is_right_and_never_cancels_it() -> None:
    """Before that it says the word, whether nothing or something else was typed."""
    operations = FakeOperations()
    with_run(operations, story.up_to_switch(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "6", "a")
        assert isinstance(app.screen, QuestionModal)
        assert app.screen.focused.id == "word"
        await press(pilot, "enter")
        assert isinstance(app.screen, QuestionModal)
        assert "Type mimir." in screen_text(app)
        await type_text(pilot, "mimi")
        await press(pilot, "enter")
        assert isinstance(app.screen, QuestionModal)
        assert "'mimi' is not it: the word is mimir" in screen_text(app)
        assert operations.calls == []
        await type_text(pilot, "r")
        await press(pilot, "enter")

    drive(app_for(operations, run=story.RUN), script)

    assert [call[2] for call in operations.calls] == ["approve"]


def test_a_dialog_shows_the_evidence_and_answers_the_question_that_it_shows() -> None:
    """The question goes while the dialog is open and another one stands: what is said is for the old
    one, and that it is void is told."""
    operations = FakeOperations()
    plan = a_plan(operations)
    run = with_run(operations, story.up_to_switch(plan))
    first = operations.status(run).question
    step = next(one for one in plan.steps if one.crossing)

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "6", "a")
        shown = "\n".join(text_of(each) for each in app.screen._consequences)
        assert "both stores hold the same 2 members" in shown
        assert "12 pods, all Ready" in shown
        operations.write(
            run,
            QuestionWithdrawn(step=step.id, question=first.number, why="its evidence changed"),
            story.approval(step),
        )
        await settle(pilot)
        void = RequestVoid(
            kind=RequestKind.APPROVE,
            by="ana@bastion",
            why="the question was withdrawn: its evidence changed",
            answers=("request-1",),
        )
        operations.answers.append(Recorded(seq=99, at=operations.now, event=void))
        await type_text(pilot, "mimir")
        await press(pilot, "enter")
        await settle(pilot)
        told = [note.message for note in app._notifications]
        assert any("withdrawn: its evidence changed" in message for message in told), told

    drive(app_for(operations, run=run), script)

    assert operations.status(run).question.number != first.number
    assert operations.seen == [first.number]


@pytest.mark.parametrize("typed", ["", "mimi", "Mimir", "mimir2", "yes"])
def test_only_the_release_s_own_name_starts_a_run(typed: str) -> None:
    """Anything but the name leaves the question open and the cluster alone."""
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "p", "s")
        await type_text(pilot, typed)
        await press(pilot, "enter")
        if typed:
            assert isinstance(app.screen, QuestionModal)
            assert app.screen.query_one("#confirm", Button).disabled

    drive(app_for(operations), script)

    assert operations.calls == []


@pytest.mark.parametrize(
    ("key", "word", "call"),
    [
        ("h", "y", ("ask", story.RUN, "hold", "", "")),
        ("z", "y", ("ask", story.RUN, "stop", "", "")),
        ("b", "mimir", ("go_on", story.RUN, "rollback")),
    ],
)
def test_what_is_asked_of_a_running_run_reaches_its_runner(
    key: str, word: str, call: tuple[str, ...]
) -> None:
    """Hold and stop take a key and y, rolling back the release's name."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, key)
        await type_text(pilot, word)
        if len(word) > 1:
            await press(pilot, "enter")

    drive(app_for(operations, run=story.RUN), script)

    assert operations.calls == [call]


def test_a_gate_is_overridden_by_name_with_a_typed_reason_alone() -> None:
    """Without a reason the word is not enough; with one, gate and reason reach the runner."""
    operations = FakeOperations()
    plan = a_plan(operations)
    from mimir_migrate.model.plan import Gate

    held = Held(step="mirror", reason="stores-equal: missing", gate=Gate.STORES_EQUAL)
    with_run(operations, [*story.in_mirror(plan), held])

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "exclamation_mark")
        app.screen.query_one("#word", Input).value = "mimir"
        app.screen.query_one("#word", Input).focus()
        await press(pilot, "enter")
        assert operations.calls == []
        app.screen.query_one("#reason", Input).value = "seen by eye"
        await press(pilot, "enter")

    drive(app_for(operations, run=story.RUN), script)

    assert operations.calls == [("ask", story.RUN, "override", "seen by eye", "stores-equal")]


@pytest.mark.parametrize(
    ("state", "keys"),
    [
        (RunState.STOPPED, {"resume", "roll_back"}),
        (RunState.FAILED, {"resume", "roll_back"}),
        (RunState.DONE, {"roll_back"}),
        (RunState.ROLLED_BACK, set()),
    ],
)
def test_a_run_that_has_ended_offers_what_still_makes_sense(
    state: RunState, keys: set[str]
) -> None:
    """The footer shows the keys that apply now, and no others."""
    operations = FakeOperations()
    ended = RunFinished(state=state, reason="it ended", exit_code=0)
    with_run(operations, [*story.in_mirror(a_plan(operations)), ended], alive=False)
    asked = {"approve", "hold", "stop", "roll_back", "resume", "override"}
    offered: set[str] = set()

    async def script(pilot: Any, app: Any) -> None:
        offered.update(
            active.binding.action
            for active in app.screen.active_bindings.values()
            if active.enabled
        )

    drive(app_for(operations, run=story.RUN), script)

    assert offered & asked == keys


def test_refreshing_moves_neither_cursor_nor_scroll_nor_what_is_unfolded() -> None:
    """200 refreshes with other data later, the operator still looks at the same row."""
    operations = FakeOperations()
    plan = a_plan(operations)
    with_run(operations, story.in_mirror(plan))

    async def script(pilot: Any, app: Any) -> None:
        steps = app.page.query_one("#steps", RowList)
        steps.focus()
        await press(pilot, "home", "down", "space")
        before = (steps.key, frozenset(steps._unfolded), steps.scroll_offset)
        for number in range(200):
            operations.write(
                story.RUN,
                Held(step="mirror", reason=f"reason {number}"),
                Continued(step="mirror", by="ana"),
            )
            app.page._got((story.RUN, operations.events(story.RUN), operations.status(story.RUN)))
        await settle(pilot)
        assert (steps.key, frozenset(steps._unfolded), steps.scroll_offset) == before
        log = app.page.query_one("#log")
        assert "reason 199" in log.text

    drive(app_for(operations, run=story.RUN), script)


def test_inspecting_again_keeps_the_cell_and_the_pods_that_are_unfolded() -> None:
    """Another inspection draws other facts under the same cursor."""
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "right", "right", "enter", "space", "down", "down")
        matrix, details = app.page.query_one(Matrix), app.page.query_one("#details", RowList)
        before = (matrix.cursor, details.key, frozenset(details._unfolded))
        assert before[2]
        operations.facts = world.inspection(at=world.NOW + 60)
        await press(pilot, "i")
        assert operations.looks == 2
        assert (matrix.cursor, details.key, frozenset(details._unfolded)) == before

    drive(app_for(operations), script)


def test_a_cell_unfolds_down_to_what_a_pod_answered() -> None:
    """The store, the members and what did not answer are shown pod by pod."""
    operations = FakeOperations(
        world.inspection(StoreState.MEMBERLIST_DYNAMODB, silent=("mimir-ingester-1",))
    )

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "right", "right", "enter", "end", "home", "space")
        text = "\n".join(
            " ".join(text_of(cell) for cell in row.cells)
            for row in app.page.query_one("#details", RowList).rows
        )
        assert "multi.primary:  memberlist" in text
        assert "GET /metrics ingester-lifecycler  primary memberlist, mirror off" in text
        assert "timed out after 10s" in text

    drive(app_for(operations), script)


def test_the_filter_hides_rows_and_escape_brings_them_back() -> None:
    """`/` narrows the list that has the focus."""
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        target = app.page.query_one("#target", RowList)
        target.focus()
        everything = len(target.shown)
        await press(pilot, "slash")
        await type_text(pilot, "eu-west")
        assert [row.key for row in target.shown] == ["aws-region"]
        await press(pilot, "escape")
        assert len(target.shown) == everything

    drive(app_for(operations), script)


def test_a_blocked_plan_shows_why_and_what_to_do() -> None:
    """No plan is an answer: the findings that block stand where the plan would."""
    operations = FakeOperations()
    operations.failing["plan"] = BlockedError("no plan: a ring is split", hint="Mend it first.")

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "p")
        assert app.page.PLACE == "plan"
        assert "a ring is split" in screen_text(app)
        assert "Mend it first." in screen_text(app)
        assert app.page.check_action("start_run", ()) is None

    drive(app_for(operations), script)


def test_a_stale_plan_is_refused_with_the_facts_that_changed() -> None:
    """Starting says what is not as it was, and nothing is started."""
    operations = FakeOperations()
    operations.failing["start"] = PlanStaleError(
        "the plan is stale; since it was made this changed:\n    images: 1 -> 2",
        hint="Plan again.",
    )

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "p", "s")
        await type_text(pilot, "mimir")
        await press(pilot, "enter")
        assert "images: 1 -> 2" in screen_text(app)

    drive(app_for(operations), script)

    assert operations.calls == []


def test_an_inspection_that_fails_says_so_and_can_be_made_again() -> None:
    """An API server that does not answer is an error on the screen, not the end of the app."""
    operations = FakeOperations()
    operations.failing["look"] = UnreachableError("the API server timed out", hint="VPN?")

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2")
        assert "the API server timed out" in screen_text(app)
        operations.failing.clear()
        await press(pilot, "escape", "i")
        assert "16 pods" in screen_text(app)

    drive(app_for(operations), script)


def test_leaving_while_pods_are_asked_does_not_wait_for_them() -> None:
    """A pod that does not answer keeps nobody in the app."""
    operations = FakeOperations()
    answer = threading.Event()
    operations.before_look = lambda: answer.wait(60) and None

    async def script(pilot: Any, app: Any) -> None:
        app.action_go_inspect()
        await pilot._wait_for_screen()
        app.exit(0)

    drive(app_for(operations), script)

    assert not answer.is_set()
    answer.set()


def test_quitting_while_a_run_is_active_asks_and_stops_nothing() -> None:
    """The first choice is to stay; leaving leaves no request behind."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "q")
        assert "goes on without the app" in screen_text(app)
        await press(pilot, "enter")
        assert app.page.PLACE == "run"
        await press(pilot, "q", "down", "enter")
        assert app._exit

    drive(app_for(operations, run=story.RUN), script)

    assert operations.calls == []


def test_the_stores_are_compared_pod_by_pod_with_the_difference_by_name() -> None:
    """A member that DynamoDB lacks is named, under its ring."""
    operations = FakeOperations(
        world.inspection(
            StoreState.MEMBERLIST_DYNAMODB, mirror=True, missing="mimir-alertmanager-0"
        )
    )
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "equals_sign")
        rows = app.page.query_one("#stores", RowList).rows
        said = {row.key: " ".join(text_of(cell) for cell in row.cells) for row in rows}
        assert "3 differ" in said["alertmanager"]
        assert "equal" in said["ingester"]
        assert "mimir-alertmanager-0 missing in dynamodb" in said["alertmanager:difference:0"]
        assert "memberlist on" in said["ingester:mimir-ingester-0"]

    drive(app_for(operations, run=story.RUN), script)


def test_a_silent_gate_is_called_stalled_and_the_time_left_is_a_range() -> None:
    """What waits longer than its bound is STALLED, never nearly done."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))
    operations.now += 1000

    async def script(pilot: Any, app: Any) -> None:
        assert "STALLED" in screen_text(app)
        assert " to " in screen_text(app).split("left ")[1].split(",")[0]

    drive(app_for(operations, run=story.RUN), script)


def test_the_users_errors_stand_beside_their_baseline() -> None:
    """Failures before the run, what is allowed, and what two looks show now."""
    operations = FakeOperations(
        world.inspection(StoreState.MEMBERLIST_DYNAMODB, mirror=True, table=True)
    )
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "equals_sign")
        operations.facts = world.inspection(
            StoreState.MEMBERLIST_DYNAMODB, mirror=True, table=True, at=world.NOW + 30
        )
        await press(pilot, "equals_sign", "u")
        text = screen_text(app)
        assert re.search(r"failed +baseline +allowed +last look", text)
        assert re.search(r"pushes +\d", text)
        assert "0.01%" in text
        assert "of the 30 s before it" in text

    drive(app_for(operations, run=story.RUN), script)


def test_taking_some_rings_plans_for_them_alone() -> None:
    """The chosen rings, direction and strategy are what the plan is made for."""
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "left", "t", "down", "space", "p")
        plan = app.session.plan
        assert plan.rings == ("ruler",)
        assert plan.strategy.value == "static"
        assert plan.to is Store.DYNAMODB

    drive(app_for(operations), script)


def test_a_plan_is_exported_in_the_form_that_the_name_ends_with(tmp_path) -> None:
    """Markdown, JSON and shell; another ending is refused."""
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2", "3", "p")
        for ending in (".md", ".json", ".sh", ".doc"):
            await press(pilot, "x")
            app.screen.query_one(Input).value = str(tmp_path / f"plan{ending}")
            await press(pilot, "enter")
        assert "names no form" in app.screen.query_one(Reader).text

    drive(app_for(operations, folder=tmp_path), script)

    assert {file.name for file in tmp_path.iterdir()} == {"plan.md", "plan.json", "plan.sh"}
    assert (tmp_path / "plan.md").read_text().startswith("# Move ingester")


def test_copying_also_writes_a_file_for_the_user_alone(tmp_path) -> None:
    """No terminal says whether it took the text, so it also stands in a file."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "w", "C")

    drive(app_for(operations, run=story.RUN, copies=tmp_path / "state"), script)

    file = tmp_path / "state" / "copied.txt"
    assert "rollback open" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_copy_is_wrapped_for_the_multiplexer_it_goes_through() -> None:
    """tmux and screen swallow the sequence unless it is passed through."""
    bare = clipboard_sequence("hi", {})
    tmux = clipboard_sequence("hi", {"TMUX": "/tmp/tmux"})

    assert bare == "\x1b]52;c;aGk=\x07"
    assert tmux.endswith("\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\")
    assert clipboard_sequence("hi", {"STY": "1"}) == f"\x1bP{bare}\x1b\\"


def test_the_palette_leads_to_an_action_of_another_screen() -> None:
    """Every action can be found by a word of it."""
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "ctrl+p")
        await type_text(pilot, "choices")
        await press(pilot, "enter")
        assert app.page.PLACE == "choices"

    drive(app_for(operations), script)


@pytest.mark.parametrize("size", [WIDE, SMALL, (60, 20)], ids=["wide", "80x24", "60x20"])
def test_the_ascii_set_draws_ascii_alone(size: tuple[int, int]) -> None:
    """A terminal without Unicode shows every screen and question."""
    operations = FakeOperations()
    run = with_run(operations, story.in_mirror(a_plan(operations)))
    wrong: dict[str, set[str]] = {}

    async def script(pilot: Any, app: Any) -> None:
        app.session.run = run
        for keys in (
            ("1",), ("e",), ("escape", "2"), ("enter",), ("3",), ("p",), ("s",), ("escape", "5"),
            ("6",), ("equals_sign",), ("l",), ("w",), ("escape", "7"), ("question_mark",),
        ):  # fmt: skip
            await press(pilot, *keys)
            found = {letter for letter in screen_text(app) if ord(letter) > 126}
            if found:
                wrong[keys[-1]] = found

    drive(app_for(operations, ascii=True), script, size)

    assert wrong == {}


def test_without_colour_the_cursor_and_the_states_can_still_be_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """NO_COLOR leaves grey alone; signs and words carry the meaning."""
    monkeypatch.setenv("NO_COLOR", "1")
    operations = FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "2")
        text = screen_text(app)
        assert "▌ ingester" in text
        assert "✓M 3/3" in text
        assert any(type(each).__name__ == "Monochrome" for each in app._filters)

    drive(app_for(operations), script)


def test_the_theme_is_the_app_s_own_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A theme from the environment would change every picture and could hide a warning."""
    monkeypatch.setenv("TEXTUAL_THEME", "nord")

    assert app_for(FakeOperations()).theme == "mimir-migrate"


def test_a_step_that_is_done_shows_how_long_it_took_and_what_was_proven() -> None:
    """Each step unfolds to its checkpoints."""
    operations = FakeOperations()
    plan = a_plan(operations)
    with_run(operations, [*story.in_mirror(plan), StepDone(step="mirror")])

    async def script(pilot: Any, app: Any) -> None:
        rows = {row.key: row for row in app.page.query_one("#steps", RowList).rows}
        assert text_of(rows["0:both"].cells[1]).endswith("s")
        below = [text_of(row.cells[0]) for key, row in rows.items() if key.startswith("0:both:")]
        assert any("rollout-over passed" in text for text in below)

    drive(app_for(operations, run=story.RUN), script)
