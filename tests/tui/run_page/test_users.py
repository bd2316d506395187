"""What users lose, and how long ago: a fault that is over is not shown as present."""

from __future__ import annotations

from typing import Any

import msgspec
import tui_story as story
import tui_world as world
from tui_fakes import FakeOperations
from tui_harness import (
    WIDE,
    a_plan,
    app_for,
    drive,
    follow,
    press,
    screen_text,
    settle,
    with_run,
)

from mimir_migrate.model.events import (
    Held,
    RunFinished,
    RunState,
    StepDone,
    UsersFailed,
    WaitStarted,
)
from mimir_migrate.model.facts import Counters, Inspection
from mimir_migrate.model.plan import Gate
from mimir_migrate.widgets.reader import Reader

LOST = Counters(pushes=1000.0, failed_pushes=400.0)


def counted(at: float, pushes: float, failed: float) -> Inspection:
    """The cluster after so many pushes, of which some failed."""
    seen = world.inspection(at=at)
    counters = Counters(pushes=pushes, failed_pushes=failed)
    pods = tuple(
        msgspec.structs.replace(one, counters=counters if number == 0 else Counters(pushes=0.0))
        for number, one in enumerate(seen.pods)
    )
    return msgspec.structs.replace(seen, pods=pods)


def test_the_last_failure_has_its_true_age_and_nothing_is_called_now() -> None:
    """Its age grows though the look is the same; once `users-fine` passed since, it is over."""
    operations = FakeOperations()
    step = next(one for one in a_plan(operations).steps if one.id == "mirror")
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        async def look(inspection: Inspection) -> str:
            operations.facts, operations.now = inspection, inspection.at
            app.page._compare(asked=False)
            app.page._looked_at = float("inf")  # no further look by itself
            await settle(pilot)
            text: str = app.page.query_one("#users", Reader).text
            return " ".join(text.split())

        start = operations.now + 100
        await press(pilot, "u")
        assert "Last failure: none was seen in this run." in await look(counted(start, 0.0, 0.0))
        said = await look(counted(start + 20, 100.0, 85.0))
        assert "Last failure seen 0 s ago" in said
        assert "UTC, by a look of this screen." in said
        assert "Last look: this screen's own, " in said
        assert ", of the 20 s before it." in said
        assert "too many" in said
        assert "now" not in said.lower()
        operations.now += 240
        app.page._show()
        said = " ".join(app.page.query_one("#users", Reader).text.split())
        assert "Last failure seen 4 min ago" in said
        operations.write(story.RUN, story.gate(step, "after", Gate.USERS_FINE), every=5000.0)
        operations.now = operations.journals[story.RUN][-1].at
        await follow(pilot, app)
        said = " ".join(app.page.query_one("#users", Reader).text.split())
        assert "too many" not in said
        assert "over: users-fine passed since" in said

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_what_the_runner_saw_failing_counts_and_a_total_that_is_said_again_does_not() -> None:
    """The journal's own events have the time; the same total once more is no new failure."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))
    failed = UsersFailed(step="mirror", users=LOST, worse=True)
    operations.write(story.RUN, failed)
    seen_at = operations.journals[story.RUN][-1].at
    again = msgspec.structs.replace(failed, users=LOST)
    operations.write(story.RUN, again, every=100.0)
    operations.now = seen_at + 160

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "u")
        said = " ".join(app.page.query_one("#users", Reader).text.split())
        assert "Failures counted last 2 min 40 s ago" in said
        assert "UTC, by the run's own samples." in said

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_a_hold_names_its_gate_also_once_it_waits_for_something_else() -> None:
    """The fault is over and good samples are waited for: why the run is held is still said, and asked about."""
    operations = FakeOperations()
    held = Held(step="mirror", reason="users-fine: users: failed pushes", gate=Gate.USERS_FINE)
    wait = WaitStarted(step="mirror", waiting_for="evidence: 1 of 3 good samples", bound=60.0)
    with_run(operations, [*story.in_mirror(a_plan(operations)), held, wait])
    said = "users-fine did not pass; it passes by now and is judged on: 1 of 3 good samples"

    async def script(pilot: Any, app: Any) -> None:
        assert said in " ".join(app.page.query_one("#now", Reader).text.split())
        await press(pilot, "r")
        assert f"Held because of: {said}" in " ".join(screen_text(app).split())

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_what_users_lost_says_how_long_ago_and_the_end_leaves_no_key_that_does_nothing() -> None:
    """An old loss stands in every later step; a runner that said its last word is not asked to hold."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))
    operations.write(story.RUN, UsersFailed(step="mirror", users=LOST, worse=True))
    seen_at = operations.journals[story.RUN][-1].at
    operations.now = seen_at + 300

    async def script(pilot: Any, app: Any) -> None:
        await follow(pilot, app)
        said = " ".join(app.page.query_one("#now", Reader).text.split())
        assert "failed: at least " in said
        assert "in the step mirror, counted 5 min ago" in said
        assert "h Hold" in screen_text(app)
        operations.write(story.RUN, StepDone(step="mirror"))
        await follow(pilot, app)
        said = " ".join(app.page.query_one("#now", Reader).text.split())
        assert "in the step mirror" in said
        assert "at least" not in said, "the count of a step that is over is whole"
        end = RunFinished(state=RunState.DONE, reason="every ring is on dynamodb", exit_code=0)
        operations.write(story.RUN, end)
        await follow(pilot, app)
        assert "h Hold" not in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)
