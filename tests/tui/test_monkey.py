"""Two thousand keys and clicks start, approve, override and roll back nothing; only a typed word does."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
import tui_story as story
import tui_world as world
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input
from tui_fakes import FakeOperations
from tui_harness import SMALL, a_plan, app_for, drive, press, send_key, settle, with_run

from mimir_migrate.app import MigrateApp
from mimir_migrate.model.stores import StoreState
from mimir_migrate.screens import plan
from mimir_migrate.screens.acting import rolling_back
from mimir_migrate.screens.modals import question as question_modal
from mimir_migrate.screens.modals.question import Answer, QuestionModal
from mimir_migrate.screens.run_page import asking

PRESSES = 2000
"""At a cluster; with the fake fewer do, as they meet a run from the first one on."""
EVERY = 200
KEYS = [
    *"abcdefghijklmnoprstuvwxyz",
    *"1234567",
    *["enter"] * 8,
    *["tab"] * 3,
    *["down"] * 4,
    *["up"] * 2,
    *["left", "right", "space", "space", "escape", "escape", "end", "home", "pagedown"],
    *["slash", "question_mark", "ctrl+p", "f1", "f8", "backspace"],
    *["right_square_bracket", "left_square_bracket"],
]


def place_for_a_monkey() -> FakeOperations:
    """A held run that waits for an approval, a dead one, and a cluster to plan for."""
    operations = FakeOperations()
    made = a_plan(operations)
    with_run(operations, story.up_to_switch(made))
    operations.write("20261121-080000-dead", *story.in_mirror(made))
    operations.facts = world.inspection(StoreState.MEMBERLIST_DYNAMODB, mirror=True)
    return operations


async def rampage(
    pilot: Pilot[Any],
    app: MigrateApp,
    operations: FakeOperations,
    *,
    seed: int,
    presses: int = PRESSES,
    types_the_word: bool = False,
    until_written: bool = False,
) -> set[str]:
    """Press and click at random; the names of all screens that were seen."""
    chance = random.Random(seed)
    app.exit = lambda *_: None  # type: ignore[method-assign]  # a monkey that leaves is not a test
    seen: set[str] = set()
    for number in range(presses):
        if until_written and needing_a_word(operations):
            break
        screen = app.screen
        seen.add(type(screen).__name__)
        if number % EVERY == 0:  # chance alone is seldom where a run can be started
            for keys in (("escape", "escape", "4", "s"), ("escape", "6", "b")):
                await press(pilot, *keys)
                seen.add(type(app.screen).__name__)
            continue
        if types_the_word and isinstance(screen, QuestionModal):
            for field in screen.query(Input):
                field.value = screen.word if field.id == "word" else "because"
                field.focus()
            send_key(app, "enter" if screen.word else "y")
        elif chance.random() < 0.15:
            click(app, chance.randrange(app.size.width), chance.randrange(app.size.height))
        else:
            send_key(app, chance.choice(KEYS))
        if number % 8 == 7:
            await pilot._wait_for_screen()
        else:
            await asyncio.sleep(0)
    await settle(pilot)
    return seen


EASY = {"hold", "stop", "resume", "continue"}
"""What a key and `y` ask for: brakes, and what waits for the next approval anyway."""


def needing_a_word(operations: FakeOperations) -> list[tuple[str, ...]]:
    """What was asked for that takes a typed word."""
    return [call for call in operations.calls if not EASY & set(call)]


def click(app: MigrateApp, x: int, y: int) -> None:
    """A press and a release of the left button at a place of the screen."""
    for kind in (events.MouseDown, events.MouseUp):
        event = kind(
            widget=None, x=x, y=y, delta_x=0, delta_y=0, button=1,
            shift=False, meta=False, ctrl=False, screen_x=x, screen_y=y,
        )  # fmt: skip
        event.set_sender(app)
        app._driver.send_message(event)  # type: ignore[union-attr]


def let_loose(tmp_path: Any, **options: Any) -> tuple[FakeOperations, set[str]]:
    operations = place_for_a_monkey()
    seen: set[str] = set()

    async def script(pilot: Any, app: Any) -> None:
        seen.update(await rampage(pilot, app, operations, **options))

    drive(app_for(operations, folder=tmp_path, copies=tmp_path), script, SMALL)
    return operations, seen


def test_a_monkey_changes_nothing(tmp_path) -> None:
    """Keys and clicks over all screens ask for nothing that takes a word, though they meet questions."""
    operations, seen = let_loose(tmp_path, seed=7, presses=600)

    assert needing_a_word(operations) == []
    assert {
        "StartScreen", "InspectScreen", "ChoicesScreen", "PlanScreen",
        "ValuesScreen", "RunScreen", "ReportScreen", "QuestionModal",
    } <= seen  # fmt: skip


def test_the_same_monkey_writes_once_it_types_the_word(tmp_path) -> None:
    """The harness is able to write: what keeps the other monkey out is the word alone."""
    operations, _ = let_loose(tmp_path, seed=7, types_the_word=True, until_written=True)

    assert needing_a_word(operations)


class Hasty(QuestionModal):
    """A question in which Enter confirms, as it does in tools that people regret."""

    CSS_PATH = Path(question_modal.__file__).parent / "modal.tcss"

    def opened(self) -> None:
        super().opened()
        self.query_one("#word", Input).value = self.word

    def action_cancel(self) -> None:
        self.dismiss(Answer(confirmed=True))


def test_the_monkey_catches_a_question_that_enter_confirms(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were Enter to confirm, this test would see it."""
    for module in (plan, asking, rolling_back, question_modal):
        monkeypatch.setattr(module, "QuestionModal", Hasty)

    operations, _ = let_loose(tmp_path, seed=7, until_written=True)

    assert needing_a_word(operations)
