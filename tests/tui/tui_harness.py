"""Drives the app without a terminal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import tui_story as story
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen
from tui_fakes import TARGET, FakeOperations

from mimir_migrate.app import MigrateApp
from mimir_migrate.model.plan import Plan
from mimir_migrate.model.stores import Store
from mimir_migrate.plans.planner import Order

WIDE, SMALL = (120, 36), (80, 24)
HUGE, TINY = (200, 50), (60, 20)
Script = Callable[[Pilot[Any], MigrateApp], Awaitable[None]]


def app_for(operations: FakeOperations, **options: Any) -> MigrateApp:
    """The app on operations that never change by themselves: the journal is read when asked for."""
    return MigrateApp(
        operations,  # type: ignore[arg-type]
        target=options.pop("target", TARGET),
        clock=lambda: operations.now,
        poll_seconds=options.pop("poll_seconds", 3600.0),
        **options,
    )


def drive(app: MigrateApp, script: Script, size: tuple[int, int] = SMALL) -> list[Any]:
    """Run the app and the script against it; the messages that were posted."""
    seen: list[Any] = []

    async def main() -> None:
        async with app.run_test(size=size, notifications=True, message_hook=seen.append) as pilot:
            await settle(pilot)
            await script(pilot, app)

    asyncio.run(main())
    return seen


FRAME = 0.02
"""Seconds in which Textual draws what has changed; what waits for a drawing comes after it."""


MOST_TURNS, DRAWN_AFTER = 1500, 50


async def settle(pilot: Pilot[Any], turns: int = 3) -> None:
    """Wait until the screen and everything in the background has come to rest."""
    quiet = 0
    for turn in range(MOST_TURNS):
        if quiet >= turns:
            return
        await pilot._wait_for_screen()
        running = [worker for worker in pilot.app.workers if not worker.is_finished]
        waiting = turn < DRAWN_AFTER and _drawing(pilot.app.screen)
        quiet = 0 if running or waiting else quiet + 1
        await asyncio.sleep(FRAME)
    raise AssertionError(
        f"no rest: {[w for w in pilot.app.workers if not w.is_finished]}, {pilot.app.screen}"
    )


async def follow(pilot: Any, app: Any) -> None:
    """Let the run's screen read the journal once more, whatever is in front of it."""
    page = next(screen for screen in app.screen_stack if hasattr(screen, "_follow"))
    page._status_at = 0.0
    page._follow()
    await settle(pilot)


def _drawing(screen: Screen[Any]) -> bool:
    """Whether something waits for the next drawing."""
    return bool(
        screen._callbacks
        or screen._dirty_widgets
        or screen._layout_required
        or screen._repaint_required
        or screen._recompose_required
    )


def send_key(app: MigrateApp, key: str) -> None:
    """Let the terminal send a key, without waiting for what comes of it."""
    letter = key if len(key) == 1 else _LETTERS.get(key)
    if letter == " ":
        key = "space"
    driver = app._driver
    assert driver is not None
    event = events.Key(_NAMES.get(key, key), letter)
    event.set_sender(app)
    driver.send_message(event)


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys one after the other, each once the one before was dealt with."""
    for key in keys:
        send_key(pilot.app, key)
        await settle(pilot)


async def type_text(pilot: Pilot[Any], text: str) -> None:
    """Type a text."""
    for letter in text:
        send_key(pilot.app, letter)
        await pilot._wait_for_screen()
    await settle(pilot)


_NAMES = {"-": "minus", ".": "full_stop", "/": "slash", "_": "underscore", "?": "question_mark"}
_LETTERS = {
    "space": " ",
    "slash": "/",
    "question_mark": "?",
    "minus": "-",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "exclamation_mark": "!",
    "equals_sign": "=",
    "vertical_line": "|",
    "full_stop": ".",
}


def screen_text(app: MigrateApp) -> str:
    """What is on the screen, as text."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in lines[:height])[
        : (width + 1) * height * 2
    ]


def picture(app: MigrateApp) -> str:
    """The screen as SVG, without what changes from one drawing to the next or is fetched."""
    svg = app.export_screenshot(title="mimir-migrate")
    svg = re.sub(r"terminal-\d+", "terminal", svg)
    svg = re.sub(r"\s*@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def a_plan(operations: FakeOperations) -> Plan:
    """A plan for all rings to DynamoDB."""
    return operations.plan(TARGET, Order(to=Store.DYNAMODB))


def with_run(
    operations: FakeOperations, events: list[Any], *, alive: bool = True, every: float = 1.0
) -> str:
    """Let a run's journal hold some events; the run's id."""
    operations.write(story.RUN, *events, every=every)
    if alive:
        operations.pids[story.RUN] = 4711
    operations.now = operations.journals[story.RUN][-1].at + 42
    return story.RUN


PICTURES = Path(__file__).parents[2] / "screens"
