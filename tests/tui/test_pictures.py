"""A picture of every screen, at 120×36, 80×24, 200×50 and 60×20; `MIMIR_MIGRATE_WRITE=1` writes them."""

from __future__ import annotations

import os
from typing import Any

import pytest
import tui_story as story
import tui_world as world
from tui_fakes import FakeOperations
from tui_harness import (
    HUGE,
    PICTURES,
    SMALL,
    TINY,
    WIDE,
    a_plan,
    app_for,
    drive,
    picture,
    press,
    settle,
    with_run,
)

from mimir_migrate.model.plan import Plan
from mimir_migrate.model.stores import Store, StoreState

SIZES = [WIDE, SMALL, HUGE, TINY]
FINISHED = "20261122-100440-03bd"
PACE = 5.0
"""Seconds from one event to the next: a step with gates of 50 s takes longer than those."""


class Album:
    """Takes pictures, and compares them with those in `screens/` or writes them."""

    def __init__(self, app: Any, size: tuple[int, int]) -> None:
        self.app = app
        self.ending = "" if size == WIDE else f"-{size[0]}x{size[1]}"
        self.write = os.environ.get("MIMIR_MIGRATE_WRITE") == "1"
        self.taken: list[str] = []
        self.different: list[str] = []

    def take(self, name: str) -> None:
        file = PICTURES / f"{name}{self.ending}.svg"
        now = picture(self.app)
        self.taken.append(file.name)
        if self.write:
            file.parent.mkdir(exist_ok=True)
            file.write_text(now, encoding="utf-8")
        elif not file.is_file() or file.read_text(encoding="utf-8") != now:
            self.different.append(file.name)


async def _rolls(
    pilot: Any, app: Any, album: Album, operations: FakeOperations, plan: Plan
) -> None:
    """A run in the middle of a rollout."""
    rolling = "20261122-100450-77c1"
    operations.write(rolling, *story.in_rollout(plan), every=PACE)
    operations.pids[rolling] = 4712
    operations.facts = world.half_rolled(operations.facts)
    app.session.run = rolling
    await press(pilot, "6", "g")
    app.page._count_pods()
    await settle(pilot)
    album.take("run-rollout")
    app.session.run = FINISHED


@pytest.mark.parametrize("size", SIZES, ids=["wide", "80x24", "200x50", "60x20"])
def test_every_screen_looks_as_its_picture(size: tuple[int, int]) -> None:
    """The whole way from the start to the report, photographed."""
    operations = FakeOperations()
    plan = a_plan(operations)
    run = with_run(operations, story.in_mirror(plan), every=PACE)
    operations.write(FINISHED, *story.done(plan), every=PACE)
    ruler = next(f.pod.name for f in operations.facts.pods if f.pod.component == "ruler")
    healthy, operations.facts = operations.facts, world.inspection(silent=(ruler,))
    app = app_for(operations)
    album = Album(app, size)

    async def script(pilot: Any, app: Any) -> None:
        album.take("start")
        await press(pilot, "2")
        album.take("inspect")
        await press(pilot, "tab", "enter")
        album.take("inspect-finding")
        await press(pilot, "escape", "escape", "end", "up", "enter")
        await press(pilot, "space", "down", "down", "space")
        album.take("inspect-pod")
        operations.facts = healthy
        await press(pilot, "i", "3")
        album.take("choices")
        await press(pilot, "p", "down")
        album.take("plan")
        await press(pilot, "s")
        album.take("question")
        await press(pilot, "escape", "5")
        album.take("values")
        app.session.run = run
        operations.facts = world.inspection(
            StoreState.MEMBERLIST_DYNAMODB, mirror=True, missing="mimir-alertmanager-0"
        )
        await press(pilot, "6")
        album.take("run")
        await press(pilot, "i")
        album.take("run-pod")
        await press(pilot, "escape")
        await press(pilot, "equals_sign", "end", "space")
        album.take("run-stores")
        await press(pilot, "w")
        album.take("hand-over")
        await press(pilot, "escape", "question_mark")
        album.take("help")
        operations.facts = world.inspection(
            StoreState.MEMBERLIST_DYNAMODB, primary=Store.DYNAMODB, mirror=True
        )
        await press(pilot, "escape", "2", "i")
        album.take("inspect-switched")
        await _rolls(pilot, app, album, operations, plan)
        await press(pilot, "7")
        await settle(pilot)
        album.take("report")

    drive(app, script, size)

    assert album.different == []
    assert len(album.taken) == 16
