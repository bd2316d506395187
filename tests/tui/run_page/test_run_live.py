"""The Run screen goes with the run: the cursor, what lies under a question, and how long it waits."""

from __future__ import annotations

import re
from typing import Any

import msgspec
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

from mimir_migrate.errors import UnreachableError
from mimir_migrate.model.events import (
    Approved,
    Continued,
    GateJudged,
    GateOverridden,
    GateResult,
    Held,
    LegStarted,
    QuestionSuspended,
    QuestionWithdrawn,
    Recorded,
    RequestKind,
    RequestVoid,
    StepDone,
    StepStarted,
    Verdict,
    WaitStarted,
)
from mimir_migrate.model.facts import Evidence
from mimir_migrate.model.plan import Gate, Plan, StepKind
from mimir_migrate.screens.modals.question import QuestionModal
from mimir_migrate.screens.run_page.gate_views import gate_rows
from mimir_migrate.screens.run_page.run_book import RunBook
from mimir_migrate.widgets.glyphs import UNICODE
from mimir_migrate.widgets.reader import Reader
from mimir_migrate.widgets.rows import RowList
from mimir_migrate.widgets.text import text_of


def test_the_cursor_goes_with_the_step_until_it_is_moved_and_comes_back_for_a_key() -> None:
    """Nobody has to look for the step under way, and nobody loses the row that is read."""
    operations = FakeOperations()
    plan = a_plan(operations)
    with_run(operations, story.in_mirror(plan))
    ids = [step.id for step in plan.steps]
    after = ids[ids.index("mirror") + 1]
    last = ids[ids.index("mirror") + 2]

    async def script(pilot: Any, app: Any) -> None:
        steps = app.page.query_one("#steps", RowList)
        assert steps.key == "0:mirror"
        operations.write(story.RUN, StepDone(step="mirror"), StepStarted(step=after))
        await follow(pilot, app)
        assert steps.key == f"0:{after}"
        await press(pilot, "home")
        operations.write(story.RUN, StepDone(step=after), StepStarted(step=last))
        await follow(pilot, app)
        assert steps.key == f"0:{ids[0]}"
        assert ". to now" in screen_text(app)
        await press(pilot, "full_stop")
        assert steps.key == f"0:{last}"

    drive(app_for(operations, run=story.RUN), script)


def test_what_lies_under_a_question_stays_live() -> None:
    """While somebody reads a question, the run's picture behind it goes on."""
    operations = FakeOperations()
    plan = a_plan(operations)
    with_run(operations, story.in_mirror(plan))

    async def script(pilot: Any, app: Any) -> None:
        page = app.page
        await press(pilot, "h")
        assert isinstance(app.screen, QuestionModal)
        operations.write(story.RUN, Held(step="mirror", reason="a new reason to wait"))
        await follow(pilot, app)
        assert isinstance(app.screen, QuestionModal)
        assert "a new reason to wait" in page.query_one("#now", Reader).text
        assert "a new reason to wait" in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (QuestionWithdrawn, "This question was withdrawn meanwhile"),
        (Approved, "ben@laptop approved it meanwhile"),
    ],
)
def test_a_question_that_is_over_says_so_while_it_is_read(event: type, said: str) -> None:
    """Whoever types the word into it is told before, and nothing is left for the runner."""
    operations = FakeOperations()
    plan = a_plan(operations)
    with_run(operations, story.up_to_switch(plan))
    number = operations.journals[story.RUN][-1].seq
    more = {"why": "its gates were bad"} if event is QuestionWithdrawn else {"by": "ben@laptop"}

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "a")
        assert isinstance(app.screen, QuestionModal)
        assert said not in " ".join(screen_text(app).split())
        operations.write(story.RUN, event(step="switch", question=number, **more))
        await follow(pilot, app)
        assert said in " ".join(screen_text(app).split())
        await type_text(pilot, "mimir")
        await press(pilot, "enter")
        assert isinstance(app.screen, QuestionModal)
        assert not app.screen.may_confirm

    drive(app_for(operations, run=story.RUN), script, WIDE)

    assert not [call for call in operations.calls if call[0] == "ask"]


def test_a_question_that_is_suspended_says_so_while_it_is_read() -> None:
    """An approval is void as long as it is; the dialog shows it without being opened again."""
    operations = FakeOperations()
    plan = a_plan(operations)
    with_run(operations, story.up_to_switch(plan))
    number = operations.journals[story.RUN][-1].seq

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "a")
        bad = QuestionSuspended(step="switch", question=number, why="users-fine: too many failed")
        operations.write(story.RUN, bad)
        await follow(pilot, app)
        assert "Suspended now, an approval is void: users-fine" in " ".join(
            screen_text(app).split()
        )

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_the_cursor_follows_from_the_first_step_on() -> None:
    """Before the runner has begun, the row that the cursor stands on is nobody's choice."""
    operations = FakeOperations()
    plan = a_plan(operations)
    with_run(operations, story.begun(plan))

    async def script(pilot: Any, app: Any) -> None:
        assert ". to now" not in screen_text(app)
        operations.write(
            story.RUN,
            StepStarted(step=plan.steps[0].id),
            StepDone(step=plan.steps[0].id),
            StepStarted(step=plan.steps[1].id),
        )
        await follow(pilot, app)
        assert app.page.query_one("#steps", RowList).key == f"0:{plan.steps[1].id}"

    drive(app_for(operations, run=story.RUN), script)


def test_after_a_resume_steps_have_the_numbers_that_they_had() -> None:
    """What was approved as step 4 is not shown as step 2 by the runner after that one."""
    operations = FakeOperations()
    plan = a_plan(operations)
    left = msgspec.structs.replace(plan, steps=plan.steps[2:])
    behind = tuple(step.id for step in plan.steps[:2])
    step, of = left.steps[1], len(plan.steps)
    with_run(
        operations,
        [
            *story.begun(plan),
            LegStarted(purpose="resume", plan=left, behind=behind),
            StepStarted(step=left.steps[0].id),
            StepDone(step=left.steps[0].id),
            StepStarted(step=step.id),
        ],
    )

    async def script(pilot: Any, app: Any) -> None:
        assert f"{step.id}, step 4 of {of}" in app.page.query_one("#now", Reader).text
        rows = {
            row.key: text_of(row.cells[0]) for row in app.page.query_one("#steps", RowList).rows
        }
        assert f"4 {step.id}" in rows[f"1:{step.id}"]

    drive(app_for(operations, run=story.RUN), script)


def test_how_long_a_hold_and_an_approval_wait_yet_is_counted_down() -> None:
    """The runner ends where nobody answers; until when is said, and gets less."""
    operations = FakeOperations()
    plan = a_plan(operations)
    held = Held(step="mirror", reason="asked by ana@bastion", limit=600.0)
    with_run(operations, [*story.in_mirror(plan), held])
    at = operations.journals[story.RUN][-1].at
    said: list[str] = []

    async def script(pilot: Any, app: Any) -> None:
        for spent in (10.0, 70.0, 700.0):
            operations.now = at + spent
            await follow(pilot, app)
            text = app.page.query_one("#now", Reader).text
            said.append(next(one for one in text.splitlines() if one.startswith("until")))

    drive(app_for(operations, run=story.RUN), script)

    assert [one.split(";")[0].split(None, 1)[1] for one in said] == [
        "9 min 50 s left to answer",
        "8 min 50 s left to answer",
        "the time to answer is over",
    ]


def test_a_rollout_is_counted_in_pods_with_a_bar_by_component() -> None:
    """Pods of the newest revision that are Ready, of all; the bar is full only when all are."""
    operations = FakeOperations()
    plan = a_plan(operations)
    step = next(one for one in plan.steps if one.kind is StepKind.ROLLOUT)
    with_run(operations, story.in_rollout(plan))
    operations.facts = world.half_rolled(operations.facts)

    async def script(pilot: Any, app: Any) -> None:
        app.page._count_pods()
        await settle(pilot)
        text = app.page.query_one("#now", Reader).text
        assert "5 of 16 pods; left: alertmanager 0/2" in text
        rows = {row.key: row for row in app.page.query_one("#gates", RowList).rows}
        assert text_of(rows["rollout:ingester"].cells[2]) == "░" * 16
        assert text_of(rows["rollout:querier"].cells[2]) == "█" * 16
        operations.write(story.RUN, StepDone(step=step.id))
        await follow(pilot, app)
        assert "pods; left" not in app.page.query_one("#now", Reader).text

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_a_rollout_that_nobody_has_seen_yet_is_not_shown_as_done() -> None:
    """In its first second every pod is of the newest revision that Kubernetes knows: the one before."""
    operations = FakeOperations()
    plan = a_plan(operations)
    step = next(one for one in plan.steps if one.kind is StepKind.ROLLOUT)
    with_run(operations, story.in_rollout(plan))

    async def script(pilot: Any, app: Any) -> None:
        async def said() -> str:
            app.page._count_pods()
            await settle(pilot)
            text: str = app.page.query_one("#now", Reader).text
            return next((one for one in text.splitlines() if one.startswith("rollout")), "")

        assert "nothing of it is seen yet" in await said()
        rows = [row.key for row in app.page.query_one("#gates", RowList).rows]
        assert not any(key.startswith("rollout:") for key in rows)
        operations.facts = world.half_rolled(whole := operations.facts)
        assert "5 of 16 pods" in await said()
        operations.facts = whole
        assert "16 of 16 pods; all of the new revision" in await said()
        # What was counted of one rollout says nothing of the next.
        operations.write(story.RUN, StepDone(step=step.id), *story.in_rollout(plan)[1:])
        await follow(pilot, app)
        text = app.page.query_one("#now", Reader).text
        assert not any(one.startswith("rollout") for one in text.splitlines())
        assert "nothing of it is seen yet" in await said()
        operations.write(story.RUN, story.gate(step, "after", Gate.ROLLOUT_OVER))
        await follow(pilot, app)
        assert "16 of 16 pods; all of the new revision" in await said()

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_one_key_shows_the_pod_behind_a_failing_gate() -> None:
    """Its answer, its events and its log; the gate under the cursor counts, else the first that fails."""
    operations = FakeOperations()
    plan = a_plan(operations)
    ruler = next(f.pod.name for f in operations.facts.pods if f.pod.component == "ruler")
    failing = story.gate(
        next(s for s in plan.steps if s.id == "mirror"), "after", Gate.RING_HEALTHY
    )
    bad = msgspec.structs.replace(
        failing,
        good_samples=0,
        result=GateResult(
            gate=Gate.RING_HEALTHY,
            verdict=Verdict.FAIL,
            summary=f"{ruler}: not Ready",
            evidence=(Evidence(source=f"pod {ruler} GET /ring", detail="timed out"),),
        ),
    )
    events = [
        one
        for one in story.in_mirror(plan)
        if not (isinstance(one, GateJudged) and one.result.gate is Gate.STORES_EQUAL)
    ]
    with_run(operations, [*events, bad])

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "i")
        shown = app.screen.query_one(Reader).text
        for part in (
            "503",
            "Readiness probe failed",
            "ring is not whole",
            "Its answer to GET /ready",
        ):
            assert part in shown

    drive(app_for(operations, run=story.RUN), script, WIDE)

    assert f"pod {ruler} GET /ring: timed out" in operations.looked_into[0]


def test_a_finished_run_says_what_it_took_in_all_and_step_by_step() -> None:
    """At its end, in place of what is left."""
    operations = FakeOperations()
    plan = a_plan(operations)
    with_run(operations, story.done(plan), alive=False)

    async def script(pilot: Any, app: Any) -> None:
        text = app.page.query_one("#now", Reader).text
        took = next(one for one in text.splitlines() if one.startswith("took"))
        for step in plan.steps:
            assert f"{step.id} " in took
        assert "min" in took or " s" in took
        assert "left  " not in text

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_a_gate_before_and_after_a_change_is_shown_for_both() -> None:
    """What passed before the change still stands there when the same gate is judged after it."""
    plan = a_plan(FakeOperations())
    step = next(one for one in plan.steps if Gate.RING_HEALTHY in one.before and one.edits)
    events = [
        *story.begun(plan),
        StepStarted(step=step.id),
        story.gate(step, "before", Gate.RING_HEALTHY),
        story.gate(step, "after", Gate.RING_HEALTHY, Verdict.FAIL),
    ]
    book = RunBook()
    book.read([Recorded(seq=n, at=float(n), event=one) for n, one in enumerate(events, 1)])

    rows = {row.key: row for row in gate_rows(book, (), 0.0, UNICODE)}
    signs = {when: rows[f"{when}:ring-healthy"].cells[0][0].text for when in ("before", "after")}

    assert signs == {"before": "✓ pass", "after": "✗ fail"}
    assert "to come" in rows["before:users-fine"].cells[0][0].text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            UnreachableError("asking the API server: it did not answer in time"),
            "asking the API server: it did not answer in time",
        ),
        (KeyError("password: Planted8811"), "KeyError, which nobody foresaw"),
    ],
)
def test_a_look_that_nobody_asked_for_fails_in_a_line_and_not_in_a_dialog(
    error: Exception, said: str
) -> None:
    """However often it is tried; a key that asks for it gets its dialog, and a good look ends the line."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        page = app.page
        await press(pilot, "u")
        operations.failing["look"] = error
        for _ in range(2):
            operations.now += 20
            page._look_again()
            await settle(pilot)
            assert app.screen is page
        seen = " ".join(screen_text(app).split())
        assert seen.count(said) == 1
        assert "Planted8811" not in seen
        await follow(pilot, app)
        assert said in " ".join(screen_text(app).split())
        await press(pilot, "equals_sign")
        assert app.screen is not page
        await press(pilot, "escape")
        del operations.failing["look"]
        operations.now += 20
        page._look_again()
        await settle(pilot)
        assert said not in " ".join(screen_text(app).split())

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_what_the_runner_was_asked_is_said_until_its_journal_tells_what_came_of_it() -> None:
    """At once, with how long it waits already: nobody presses a key twice."""
    operations = FakeOperations()
    held = Held(step="mirror", reason="users failed", gate=Gate.USERS_FINE)
    with_run(operations, [*story.in_mirror(a_plan(operations)), held])

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "r", "y")
        assert "Asked the runner to continue, waiting for its answer, 0 s" in screen_text(app)
        operations.now += 7
        await follow(pilot, app)
        assert "waiting for its answer, 7 s" in screen_text(app)
        assert app.session.asked
        operations.write(story.RUN, Continued(step="mirror", by="ana@bastion"))
        await follow(pilot, app)
        assert "waiting for its answer" not in screen_text(app)
        assert not app.session.asked
        await press(pilot, "b")
        await type_text(pilot, "mimir")
        await press(pilot, "enter")
        assert "Asked the runner to roll back, waiting for its answer" in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_what_the_runner_refused_is_not_waited_for() -> None:
    """Its reason is said, and the next thing to do stands there again."""
    operations = FakeOperations()
    held = Held(step="mirror", reason="users failed", gate=Gate.USERS_FINE)
    with_run(operations, [*story.in_mirror(a_plan(operations)), held])
    void = RequestVoid(
        step="mirror", kind=RequestKind.CONTINUE, by="ana", why="it is another hold"
    )
    operations.answers = [Recorded(seq=99, at=operations.now, event=void)]

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "r", "y")
        assert "Not done: it is another hold" in " ".join(screen_text(app).split())
        assert "waiting for its answer" not in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_a_run_that_waits_for_its_operator_is_not_stalled() -> None:
    """Its gates are judged on while it is held; that they take long is nobody's fault."""
    operations = FakeOperations()
    held = Held(step="mirror", reason="users failed", gate=Gate.USERS_FINE)
    wait = WaitStarted(step="mirror", waiting_for="evidence: 1 of 3 good samples", bound=50.0)
    with_run(operations, [*story.in_mirror(a_plan(operations)), held, wait])
    operations.now += 1000

    async def script(pilot: Any, app: Any) -> None:
        assert "evidence: 1 of 3 good samples" in screen_text(app)
        assert "STALLED" not in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


def held_by_users(plan: Plan) -> list[Any]:
    """A switch whose change is made, held by what users saw after it."""
    step = next(one for one in plan.steps if one.crossing)
    return [
        *story.begun(plan),
        *story.before(step),
        *story.change(step, plan),
        *(story.gate(step, "after", name) for name in step.after),
        story.gate(step, "after", Gate.USERS_FINE, Verdict.FAIL),
        Held(step=step.id, reason="users-fine: users: failed pushes", gate=Gate.USERS_FINE),
    ]


def test_the_gate_that_holds_the_run_stands_first_as_it_was_judged_last() -> None:
    """Not as it was before the change; the cursor is on it, and comes back with the step's key."""
    operations = FakeOperations()
    with_run(operations, held_by_users(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        gates = app.page.query_one("#gates", RowList)
        assert [row.key for row in gates.shown[:2]] == ["after", "after:users-fine"]
        assert "fail" in text_of(gates.shown[1].cells[0])
        assert gates.key == "after:users-fine"
        assert gates.scroll_offset.y == 0
        await press(pilot, "g", "end", "full_stop")
        assert gates.key == "after:users-fine"

    drive(app_for(operations, run=story.RUN), script)


def test_the_panes_of_stores_and_users_say_what_is_known_and_when_there_is_more() -> None:
    """What the gates found last stands there at once; the second look is announced."""
    operations = FakeOperations()
    with_run(operations, held_by_users(a_plan(operations)))
    operations.failing["look"] = UnreachableError("the cluster does not answer")

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "equals_sign", "escape")
        stores = {row.key: row for row in app.page.query_one("#stores", RowList).shown}
        assert "both stores hold the same 13 members" in text_of(stores["gate"].cells[0])
        assert "pod by pod, follow here" in text_of(stores["asking"].cells[0])
        assert "Every pod and the tables" in screen_text(app)
        await press(pilot, "u")
        assert "20 s apart, to tell; the first is under way" in screen_text(app)
        del operations.failing["look"]
        operations.now += 20
        app.page._look_again()
        await settle(pilot)
        assert "the next follows within 20 s" in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_a_hint_that_names_commands_names_keys_in_the_app() -> None:
    """The line above the keys speaks of keys."""
    operations = FakeOperations()
    hint = (
        "Once users are fine again, `continue` goes on; `override users-fine --reason TEXT` lets it pass "
        "this once, `rollback` goes back."
    )
    held = Held(step="mirror", reason="users failed", gate=Gate.USERS_FINE, hint=hint)
    with_run(operations, [*story.in_mirror(a_plan(operations)), held])

    async def script(pilot: Any, app: Any) -> None:
        said = "Held. Once users are fine again, r goes on; ! lets it pass this once, b goes back."
        assert said in " ".join(screen_text(app).split())

    drive(app_for(operations, run=story.RUN), script, WIDE)


def failing_users(step: str) -> GateJudged:
    """Users' requests fail above what is allowed."""
    said = "users: failed pushes: 2420, 100.00% of all (baseline 0.00%, allowed 0.10%)"
    result = GateResult(gate=Gate.USERS_FINE, verdict=Verdict.FAIL, summary=said)
    return GateJudged(step=step, when="after", result=result, good_samples=0, window=50.0)


def test_the_last_line_says_that_users_requests_fail_and_what_can_be_done() -> None:
    """While nobody is asked: rolling back is what whoever is on call decides; once it is over, no more."""
    operations = FakeOperations()
    plan = a_plan(operations)
    with_run(operations, [*story.in_mirror(plan), failing_users("mirror")])
    step = next(one for one in plan.steps if one.id == "mirror")

    async def script(pilot: Any, app: Any) -> None:
        said = "Users' requests fail now; the run waits by itself. h holds, b rolls back."
        assert said in screen_text(app)
        assert "Nothing to decide" not in screen_text(app)
        operations.write(story.RUN, story.gate(step, "after", Gate.USERS_FINE))
        await follow(pilot, app)
        said = "Waits for stores-equal by itself. h holds, b rolls back."
        assert said in screen_text(app)
        operations.write(story.RUN, story.gate(step, "after", Gate.STORES_EQUAL))
        await follow(pilot, app)
        assert "Nothing to decide now. Closing the app stops nothing." in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, SMALL)


def test_a_gate_that_somebody_let_pass_is_not_waited_for() -> None:
    """The last line does not go on naming it."""
    operations = FakeOperations()
    let_pass = GateOverridden(
        step="mirror", gate=Gate.STORES_EQUAL, by="ana@bastion", reason="seen", when="after"
    )
    with_run(operations, [*story.in_mirror(a_plan(operations)), let_pass])

    async def script(pilot: Any, app: Any) -> None:
        assert "Nothing to decide now. Closing the app stops nothing." in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_why_a_run_is_held_is_not_cut_where_two_lines_hold_it() -> None:
    """The line that explains the hold gets a second one."""
    operations = FakeOperations()
    why = (
        "users-fine: users: failed pushes: 2120, 85.48% of all (baseline 0.00%, allowed 0.10%); "
        "rule evaluations: 12, 3.00% of all (baseline 0.00%, allowed 0.10%)"
    )
    held = Held(step="mirror", reason=why, gate=Gate.USERS_FINE)
    with_run(operations, [*story.in_mirror(a_plan(operations)), held])

    async def script(pilot: Any, app: Any) -> None:
        await settle(pilot)
        assert f"42 s so far: {why}" in " ".join(screen_text(app).split())

    drive(app_for(operations, run=story.RUN), script, WIDE)


def test_how_long_is_waited_is_read_at_any_width() -> None:
    """The time stands before what is waited for: the end of a line is what is cut."""
    operations = FakeOperations()
    why = f"users-fine: {'pushes of one tenant and another, ' * 6}and so on"
    held = Held(step="mirror", reason=why, gate=Gate.USERS_FINE)
    with_run(operations, [*story.in_mirror(a_plan(operations)), held])

    async def script(pilot: Any, app: Any) -> None:
        await settle(pilot)
        assert "held     42 s so far: users-fine" in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, TINY)


def test_a_gate_s_evidence_that_has_no_room_counts_the_rings_instead_of_being_cut() -> None:
    """At 120 columns what a gate found is read to its end: six rings' names are six rings."""
    operations = FakeOperations()
    plan = a_plan(operations)
    rings = ", ".join(plan.rings)
    assert len(plan.rings) > 2
    passed = GateJudged(
        step="mirror",
        when="after",
        good_samples=3,
        window=50.0,
        result=GateResult(
            gate=Gate.STORES_EQUAL,
            verdict=Verdict.PASS,
            summary=f"both stores hold the same 13 members of {rings}",
        ),
    )
    with_run(operations, [*story.in_mirror(plan), passed])

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "g")
        assert f"the same 13 members of {len(plan.rings)} rings" in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, WIDE)


@pytest.mark.parametrize("height", range(26, 36))
def test_the_log_begins_with_the_beginning_of_a_line(height: int) -> None:
    """However many rows it has: a line that begins above it is shown by its beginning, and cut."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))
    last = WaitStarted(step="mirror", waiting_for="a pod, " * 30 + "and no more", bound=60.0)
    operations.write(story.RUN, last)

    async def script(pilot: Any, app: Any) -> None:
        await press(pilot, "l")
        await follow(pilot, app)
        log = app.page.query_one("#log", Reader)
        assert log.is_vertical_scroll_end
        shown = [log.render_line(y).text for y in range(log.scrollable_content_region.height)]
        assert re.match(r"[0-9]{2}:[0-9]{2}:[0-9]{2} ", shown[0])
        assert shown[-1].rstrip().endswith("and no more")
        assert len(shown) > 1

    drive(app_for(operations, run=story.RUN), script, (64, height))


def test_what_is_judged_now_stands_first_among_the_gates() -> None:
    """In a low window the gates after a change are in sight once they are judged, and the cursor is there."""
    operations = FakeOperations()
    with_run(operations, story.in_mirror(a_plan(operations)))

    async def script(pilot: Any, app: Any) -> None:
        await settle(pilot)
        text = screen_text(app)
        assert text.index("After the change of mirror") < text.index("Before the change of mirror")
        assert app.screen.query_one("#gates").key.startswith("after:")
        assert "missing" in text

    drive(app_for(operations, run=story.RUN), script, SMALL)


def test_the_bars_of_a_rollout_stay_in_sight_while_its_gates_are_judged() -> None:
    """In a low window the cursor is led to the gates only once the rollout is over."""
    operations = FakeOperations()
    plan = a_plan(operations)
    step = next(one for one in plan.steps if one.kind is StepKind.ROLLOUT)
    with_run(operations, story.in_rollout(plan))
    operations.facts = world.half_rolled(operations.facts)

    async def script(pilot: Any, app: Any) -> None:
        app.page._count_pods()
        await settle(pilot)
        judged = story.gate(step, "after", Gate.SWITCH_FOLLOWED, Verdict.FAIL)
        operations.write(story.RUN, judged)
        await follow(pilot, app)
        await settle(pilot)
        gates = app.page.query_one("#gates", RowList)
        assert gates.scroll_offset.y == 0
        assert "The rollout, pods of the new revision" in screen_text(app)

    drive(app_for(operations, run=story.RUN), script, SMALL)
