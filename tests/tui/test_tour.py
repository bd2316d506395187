"""The guided tour: what it says where, how it is skipped, and what it does to the demo's cluster."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tui_story as story
from textual.widgets import Static
from tui_fakes import TARGET, FakeOperations
from tui_harness import SMALL, WIDE, a_plan, app_for, drive, press, screen_text, settle, with_run

from mimir_migrate.model.events import Approved, RunState
from mimir_migrate.model.target import SimulationTarget
from mimir_migrate.runs.questions import Approval
from mimir_migrate.screens.actions import ACTIONS
from mimir_migrate.screens.tour.stops import STOPS, Seen, furthest, next_words, numbered
from mimir_migrate.settings import load_target


class StageInMemory:
    """A demo's cluster that remembers what the tour did to it."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.took = 0.0

    def inject(self, fault: str) -> None:
        self.faults.append(fault)

    def follow_line(self, run: str) -> str:
        return f"mimir-migrate status {run} --follow"

    def answers_after(self) -> float:
        return self.took

    def wait(self, fault: str) -> None:
        """The tour injects in a thread of its own."""
        for _ in range(3000):
            if fault in self.faults:
                return
            time.sleep(0.01)
        raise AssertionError(self.faults)


YES = Approval(
    step="switch", question=9, by="ana@bastion", at=story.SEEN, beforehand=False, reason=""
)


async def noted(pilot: Any, app: Any, text: str) -> None:
    """Let the tour look again until its note says a text: screens are drawn when there is time."""
    for _ in range(100):
        if app._guide is not None:
            app._guide.look()
        await settle(pilot)
        if text in " ".join(screen_text(app).split()):
            return
    raise AssertionError(screen_text(app))


def status_of(operations: FakeOperations, events: list[Any]) -> Any:
    """The status of a run with some events."""
    return operations.status(with_run(operations, events))


def test_the_tour_comes_to_each_stop_in_its_order_and_never_goes_back() -> None:
    """From the first look to the report, whatever screen is in front in between."""
    operations = FakeOperations()
    plan = a_plan(operations)
    asked = status_of(operations, story.up_to_switch(plan))
    replace = msgspec.structs.replace
    approved = replace(
        asked,
        state=RunState.RUNNING,
        approval_for="",
        question=None,
        approvals=(YES,),
    )
    held = replace(approved, state=RunState.HELD, hold=7)
    switched = replace(
        approved, done_steps=(*approved.done_steps, "switch"), approval_for="unmirror"
    )
    back = replace(approved, purpose="rollback")
    walked = (
        Seen(place="inspect"),
        Seen(place="inspect", looked=True),
        Seen(place="choices", looked=True),
        Seen(place="plan", looked=True, planned=True),
        Seen(place="values", looked=True, planned=True),
        Seen(place="plan", looked=True, planned=True, saw_values=True),
        Seen(place="run", looked=True, planned=True, status=asked),
        Seen(place="run", looked=True, planned=True, status=approved),
        Seen(place="run", looked=True, planned=True, status=held),
        Seen(place="run", looked=True, planned=True, status=approved, was_held=True),
        Seen(place="run", looked=True, planned=True, status=switched, was_held=True),
        Seen(place="run", looked=True, planned=True, status=back, was_held=True),
        Seen(place="run", status=replace(back, state=RunState.ROLLED_BACK), was_held=True),
        Seen(place="report", status=replace(back, state=RunState.ROLLED_BACK), was_held=True),
    )
    at, ids = 0, []
    for seen in walked:
        at = furthest(seen, at)
        ids.append(STOPS[at].id)
    assert ids == [
        "inspect",
        "inspect",
        "choices",
        "plan",
        "values",
        "start",
        "approve",
        "fault",
        "held",
        "goes-on",
        "rollback",
        "back",
        "over",
        "report",
    ]


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.id)
def test_a_stop_is_led_to_from_anywhere(stop: Any) -> None:
    """From another screen the key that goes there is named first."""
    elsewhere = "start" if stop.place != "start" else "run"
    assert next_words(stop, elsewhere).split()[0].isdigit()
    assert next_words(stop, stop.place) == stop.next


def test_the_tour_is_offered_and_skipped_and_begun_later() -> None:
    """Escape leaves no note; F9 begins it, and ends it."""
    stage = StageInMemory()

    async def script(pilot: Any, app: Any) -> None:
        assert "Take the guided tour?" in screen_text(app)
        await press(pilot, "escape")
        assert "Tour," not in screen_text(app)
        await press(pilot, "f9")
        await noted(pilot, app, "Tour, 1 of")
        await press(pilot, "f9")
        assert "Tour, 1 of" not in screen_text(app)

    app = app_for(FakeOperations(), in_demo=True, stage=stage, tour=True)
    drive(app, script, size=SMALL)


def test_the_tour_says_which_key_is_next_on_each_screen_and_lets_something_go_wrong() -> None:
    """The note follows the operator; the fault comes once the switch was approved."""
    stage, operations = StageInMemory(), FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "enter", "2")
        for keys, shows in (
            (("3",), "p makes the plan"),
            (("p",), "5 shows what the plan does"),
            (("5",), "4 goes back to the plan"),
            (("4",), "s starts the run: type mimir"),
        ):
            await press(pilot, *keys)
            await noted(pilot, app, shows)
        asked = story.up_to_switch(a_plan(operations))
        run = with_run(
            operations, [*asked, Approved(step="switch", question=len(asked), by="ana")]
        )
        app.session.run, app.session.status = run, operations.status(run)
        app.go("run")
        await noted(pilot, app, "lets users' requests fail now")
        stage.wait("errors-5xx")

    app = app_for(operations, in_demo=True, stage=stage, tour=True)
    drive(app, script, size=WIDE)


@pytest.mark.parametrize(
    ("speed", "helps"),
    [
        (60.0, "demo --speed 30"),
        (6.0, "demo --speed 3"),
        (2.0, "Wait until it is quieter; a lower speed would not help"),
    ],
)
def test_a_machine_that_does_not_keep_up_is_said_and_what_helps(speed: float, helps: str) -> None:
    """Once is chance; a lower speed than the present one helps, and it is over when answers are quick again."""
    stage = StageInMemory()
    simulated = msgspec.structs.replace(TARGET, simulation=SimulationTarget(speed=speed))

    async def script(pilot: Any, app: Any) -> None:
        guide = app._guide

        async def asked(seconds: float) -> None:
            stage.took = seconds
            guide._look_at_machine()
            while guide._asking.is_alive():
                await settle(pilot, turns=1)
            await settle(pilot)

        await press(pilot, "enter")
        await asked(2.0)
        assert not guide.busy
        await asked(2.0)
        assert "too busy for this speed" in [note.message for note in app._notifications][-1]
        await noted(pilot, app, helps)
        await asked(0.01)
        assert not guide.busy

    app = app_for(FakeOperations(), target=simulated, in_demo=True, stage=stage, tour=True)
    drive(app, script, size=WIDE)


def test_without_a_demo_there_is_no_tour() -> None:
    """The key says where a demo is begun."""

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "f9")
        assert "m on 1 Start begins one" in [note.message for note in app._notifications][-1]

    drive(app_for(FakeOperations()), script)
    assert any(action.id == "app.tour" for action in ACTIONS)


def test_a_typed_target_is_saved_and_never_over_another_without_asking(tmp_path: Path) -> None:
    """What was typed into the start screen is what the file says; an existing file is asked about."""
    path = tmp_path / "target.toml"

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "x", "enter")
        assert load_target(str(path), {}).kubernetes == TARGET.kubernetes
        assert "# The cluster and the helm release in it." in path.read_text()
        path.write_text("# mine\n")
        await press(pilot, "x", "enter")
        asked = app.screen.query_one(".title", Static)
        assert "is there already" in str(asked.render())
        await press(pilot, "enter")
        assert path.read_text() == "# mine\n"
        await press(pilot, "x", "enter", "down", "enter")
        assert load_target(str(path), {}).kubernetes == TARGET.kubernetes

    drive(app_for(FakeOperations(), folder=tmp_path), script, size=WIDE)


def test_the_tour_turns_back_once_the_run_asks_for_the_step_after_the_switch() -> None:
    """What is next does not change while it is read: until the question is there the note says to wait."""
    operations = FakeOperations()
    plan = a_plan(operations)
    asked = status_of(operations, story.up_to_switch(plan))
    again = msgspec.structs.replace(
        asked, approval_for="unmirror", approvals=(YES,), done_steps=(*asked.done_steps, "switch")
    )
    not_yet = msgspec.structs.replace(again, approval_for="")
    waits = STOPS[furthest(Seen(place="run", status=not_yet, was_held=True), 0)]
    stop = STOPS[furthest(Seen(place="run", status=again, was_held=True), 0)]

    assert waits.id == "goes-on"
    assert stop.id == "rollback"
    assert "switch is done" in stop.title
    assert next_words(stop, "run").startswith("b rolls back")
    assert "going back is quick" in stop.look


def test_a_toast_leaves_the_next_key_of_the_tour_in_sight() -> None:
    """It stands above the note."""
    stage, operations = StageInMemory(), FakeOperations()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "enter", "2")
        await noted(pilot, app, "3 for the choices")
        app.notify("A toast of some length that would lie over the note of the tour", timeout=60)
        await settle(pilot)
        assert "A toast of some length" in screen_text(app)
        assert "what one answered) (F9 ends the tour)" in " ".join(screen_text(app).split())

    app = app_for(operations, in_demo=True, stage=stage, tour=True)
    drive(app, script, size=WIDE)


def test_the_tour_names_no_key_while_the_runner_was_asked_already() -> None:
    """It says what is waited for instead, so that nothing is asked twice."""
    stage, operations = StageInMemory(), FakeOperations()
    run = with_run(operations, story.up_to_switch(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "enter", "6")
        await noted(pilot, app, "Next: a shows the question")
        app.session.asked = "asked the runner to continue, waiting for its answer, 3 s"
        await noted(pilot, app, "Next: nothing: asked the runner to continue")

    app = app_for(operations, in_demo=True, stage=stage, tour=True, run=run)
    drive(app, script, size=WIDE)


def test_a_low_window_has_what_happens_in_a_sentence() -> None:
    """At 24 lines the note keeps the first sentence of what to look at."""
    stage = StageInMemory()

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "enter")
        await noted(pilot, app, "how many of its pods see every member")

    drive(app_for(FakeOperations(), in_demo=True, stage=stage, tour=True), script, size=SMALL)


def test_no_number_is_left_out_where_gates_pass_at_once() -> None:
    """A stop that may be over before anybody sees it has the number of the one before."""
    numbers = [int(numbered(at).split(" ")[0]) for at in range(len(STOPS))]
    seen = [number for stop, number in zip(STOPS, numbers, strict=True) if not stop.passing]

    assert seen == list(range(1, len(seen) + 1))
    assert numbered(len(STOPS) - 1) == f"{len(seen)} of {len(seen)}"
    assert numbers == sorted(numbers)


def test_a_window_of_thirty_lines_shows_steps_and_gates_beside_the_note() -> None:
    """What the note speaks of is in sight: the log below gives its room to it."""
    stage, operations = StageInMemory(), FakeOperations()
    run = with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "enter", "6")
        await noted(pilot, app, "Left the steps, right the gates")
        app.page._show()
        await settle(pilot)
        assert app.screen.query_one("#gates").size.height >= 5
        assert not app.screen.query_one("#lower").display

    drive(app_for(operations, in_demo=True, stage=stage, tour=True, run=run), script, (100, 30))

    async def high(pilot: Any, app: Any) -> None:
        await press(pilot, "6")
        await settle(pilot)
        assert app.screen.query_one("#lower").display

    drive(app_for(operations, run=run), high, (120, 40))
