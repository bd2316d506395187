"""Text from the world is drawn as it is and never parsed, wherever it comes from."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import tui_story as story
from tui_fakes import TARGET, FakeOperations
from tui_harness import SMALL, WIDE, a_plan, app_for, drive, press, screen_text, settle

from mimir_migrate.errors import BlockedError
from mimir_migrate.model.events import Held, WaitStarted
from mimir_migrate.model.facts import Evidence
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.widgets.text import content, plain

HOSTILE = "path [/etc/mimir] and [red]x"


def renamed(operations: FakeOperations) -> None:
    """Put the text wherever the world could: names, versions, reasons, values, findings."""
    facts = operations.facts
    pods = tuple(
        msgspec.structs.replace(
            each,
            pod=msgspec.structs.replace(each.pod, node=HOSTILE, waiting_reason=HOSTILE),
            unanswered=(*each.unanswered, *_unanswered()),
        )
        for each in facts.pods
    )
    operations.facts = msgspec.structs.replace(
        facts,
        pods=pods,
        identity=msgspec.structs.replace(facts.identity, server=HOSTILE, account=HOSTILE),
    )
    operations.extra_findings = (
        Finding(
            id="hostile",
            severity=Severity.WARNS,
            title=f"A finding about {HOSTILE}",
            evidence=(Evidence(source=HOSTILE, detail=HOSTILE),),
            fix=HOSTILE,
        ),
    )
    operations.values = operations.values.replace("team-a:", f"team-a: # {HOSTILE}")


def _unanswered() -> tuple[Any, ...]:
    from mimir_migrate.model.facts import Unanswered

    return (Unanswered(source=HOSTILE, reason=HOSTILE),)


@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["wide", "80x24"])
def test_every_screen_draws_hostile_text_as_it_is(size: tuple[int, int], tmp_path) -> None:
    """No markup error, no eaten word, on any of the seven screens."""
    operations = FakeOperations()
    plan = a_plan(operations)
    renamed(operations)
    steps = tuple(
        msgspec.structs.replace(step, title=HOSTILE, what=HOSTILE, way_back=f"open: {HOSTILE}")
        for step in plan.steps
    )
    bad = msgspec.structs.replace(
        plan, steps=steps, identity=msgspec.structs.replace(plan.identity, server=HOSTILE)
    )
    events = story.in_mirror(bad)
    operations.write(
        story.RUN,
        *events,
        WaitStarted(step="mirror", waiting_for=HOSTILE, bound=1.0),
        Held(step="mirror", reason=HOSTILE, hint=HOSTILE),
    )
    operations.pids[story.RUN] = 1
    target = msgspec.structs.replace(
        TARGET, aws=msgspec.structs.replace(TARGET.aws, profile=HOSTILE)
    )
    app = app_for(operations, target=target, folder=tmp_path, copies=tmp_path)
    seen: dict[str, bool] = {}

    async def script(pilot: Any, app: Any) -> None:
        async def look(name: str, *keys: str) -> None:
            await press(pilot, *keys)
            await settle(pilot)
            seen[name] = "[/etc/mimir]" in screen_text(app)

        await look("start")
        await look("edit", "tab", "end", "home", *["down"] * 6, "e")
        await look("inspect", "escape", "2", "tab", "enter")
        await look("pod", "escape", "escape", "enter", "space", "end")
        await press(pilot, "3", "p")
        app.session.plan = bad
        await look("plan", "4")
        await look("question", "s")
        await look("values", "escape", "5", "end", "y")
        app.session.run = story.RUN
        await look("run", "6")
        await look("log", "l")
        await look("stores", "d")
        await look("hand-over", "w")
        await look("report", "escape", "7")
        await look("error", "slash")
        await press(pilot, "escape")
        app.page.show_error(BlockedError(f"blocked by {HOSTILE}", hint=HOSTILE))
        app.notify(HOSTILE, markup=False)
        await look("error")

    drive(app, script, size)

    without = {name for name, found in seen.items() if not found}
    assert without <= {"edit", "stores", "question", "values"}
    assert {"run", "report", "error", "plan", "inspect", "hand-over"} <= set(seen) - without


def test_control_characters_never_reach_the_terminal() -> None:
    """An escape sequence in a pod's name would move the cursor of whoever looks at it."""
    assert plain("a\x1b[2Jb\x07c\u202ed\n\te") == "a\ufffd[2Jb\ufffdc\ufffdd  e"


def test_brackets_survive_in_labels() -> None:
    """A label keeps what looks like markup."""
    assert content(HOSTILE).plain == HOSTILE
