"""What `status`, the hand-over, the report, a question and the app say of a run, in one wording."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import msgspec
import pytest
from quick_world import QuickWorld

from mimir_migrate.cli.pictures import status_lines
from mimir_migrate.cli.telling import Story
from mimir_migrate.model.events import (
    Asked,
    ChangeIntended,
    Event,
    GateJudged,
    GateResult,
    Held,
    LegStarted,
    Recorded,
    RunFinished,
    RunnerStarted,
    RunStarted,
    RunState,
    StepDone,
    StepStarted,
    UsersFailed,
    Verdict,
    WaitStarted,
)
from mimir_migrate.model.facts import Counters
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.scale import Scale
from mimir_migrate.model.target import SimulationTarget
from mimir_migrate.runs.floors import step_times
from mimir_migrate.runs.handing_over import hand_over
from mimir_migrate.runs.report import render
from mimir_migrate.runs.status import RunStatus, status_of
from mimir_migrate.runs.story import Tone, evidence_lines, question_words, told
from mimir_migrate.runs.waiting import took_words, waited_for_people
from mimir_migrate.screens.run_page.gate_views import gate_rows
from mimir_migrate.screens.run_page.now_views import now_lines
from mimir_migrate.screens.run_page.run_book import RunBook
from mimir_migrate.screens.run_page.step_views import step_rows
from mimir_migrate.screens.tour.stops import STOPS
from mimir_migrate.widgets.glyphs import UNICODE
from mimir_migrate.widgets.text import text_of


@cache
def _walked() -> tuple[Recorded, ...]:
    """A run to its end, with its question."""
    world = QuickWorld()
    world.run(world.start(), approve_all=False)
    return tuple(world.journal.events())


def _until(kind: type, count: int = 1) -> list[Recorded]:
    """The events up to the n-th of a kind."""
    events = _walked()
    places = [at for at, recorded in enumerate(events) if isinstance(recorded.event, kind)]
    return list(events[: places[count - 1] + 1])


def _with(events: Sequence[Recorded], *more: Event, every: float = 1.0) -> list[Recorded]:
    """The events, and more of them after so many seconds each."""
    last = events[-1]
    return [
        *events,
        *(
            Recorded(seq=last.seq + n, at=last.at + every * n, event=event)
            for n, event in enumerate(more, 1)
        ),
    ]


def _status(events: Sequence[Recorded], *, later: float = 0.0) -> RunStatus:
    return status_of("run-1", events, now=events[-1].at + later, runner_alive=True)


def _page(events: Sequence[Recorded], *, later: float = 0.0) -> str:
    """The Run screen's first lines."""
    book = RunBook()
    book.read(events)
    now = events[-1].at + later
    lines = now_lines(_status(events, later=later), book, UNICODE, now)
    return "\n".join(text_of(one) for one in lines)


def test_the_rollback_s_steps_and_the_run_s_own_cannot_be_taken_for_each_other() -> None:
    """Both have a step `settle`: each line says whose it is, in the same words wherever it stands."""
    events = _until(StepDone, 2)
    found = _status(events)
    assert found.way_back_steps == ("settle",)
    takes = "takes its own step: settle"
    quick = "quick until this run's step 4 of 4, settle"
    for said in (
        _page(events),
        "\n".join(status_lines(found, found.updated_at)),
        hand_over(found),
        render("run-1", events, ".txt"),
    ):
        assert takes in said
        assert quick in said
    question = _status(_until(Asked))
    assert question.question is not None
    back = question.question.asked.back
    assert back
    lines = evidence_lines(question.question.asked, question.updated_at)
    assert lines[1] == f"         takes its own {len(back)} steps: {', '.join(back)}"
    heads = [one.split(" ")[0] for one in lines if not one.startswith(" ")]
    assert heads[:2] == ["rollback", "takes"], "what is at risk is seen without scrolling"
    assert heads[-3:] == ["stores", "pods", "gates"]


def test_a_gate_that_held_the_run_and_passes_by_now_is_no_contradiction() -> None:
    """It is said that it did not pass, that it passes, what is still missing, and how long the hold lasts."""
    held = Held(step="both", reason="users-fine: users: failed pushes", gate=Gate.USERS_FINE)
    wait = WaitStarted(step="both", waiting_for="evidence: 1 of 3 good samples", bound=60.0)
    events = _with(_until(StepDone), held, wait, every=40.0)
    said = "users-fine did not pass; it passes by now and is judged on: 1 of 3 good samples"
    assert f"held     50 s so far: {said}" in _page(events, later=10.0)
    assert f"held:     {said}  (50 s so far)" in "\n".join(
        status_lines(_status(events, later=10.0), events[-1].at + 10.0)
    )
    other = WaitStarted(step="both", waiting_for="rollout-over: 2 pods are old", bound=60.0)
    assert "users-fine did not pass; now it waits for rollout-over" in _page(_with(events, other))


def test_what_gates_are_waited_for_begins_with_how_many_and_how_long() -> None:
    """One fact after the other: how many gates, for how long, which."""
    waits = [one.event.waiting_for for one in _walked() if isinstance(one.event, WaitStarted)]
    found = [said for said in waits if "without a break" in said]
    assert found
    for said in found:
        head, _, names = said.partition(": ")
        count = len(names.split(", "))
        assert head.startswith(f"{count} gate{'s' if count > 1 else ''} to be good for ")
        assert head.endswith(" s without a break")


SPEED, ANSWERED_AFTER = 60.0, 38.0


def _answered_late(speed: float) -> list[Recorded]:
    """A whole run whose question stood for 38 s of its operator's, on a cluster of a speed."""
    world = QuickWorld()
    world.run(world.start())
    found: list[Recorded] = []
    later = 0.0
    for recorded in world.journal.events():
        event = recorded.event
        if isinstance(event, RunStarted | LegStarted):
            simulated = msgspec.structs.replace(
                event.plan.target, simulation=SimulationTarget(speed=speed)
            )
            plan = msgspec.structs.replace(event.plan, target=simulated)
            event = msgspec.structs.replace(event, plan=plan)
        found.append(msgspec.structs.replace(recorded, at=recorded.at + later, event=event))
        if isinstance(event, Asked) and not later:
            later = ANSWERED_AFTER
    return found


def _took(events: Sequence[Recorded], step: str) -> float:
    """Seconds of a step without the 38 that its question stood."""
    began, ended = (
        next(one.at for one in events if isinstance(one.event, kind) and one.event.step == step)
        for kind in (StepStarted, StepDone)
    )
    return ended - began - ANSWERED_AFTER


@pytest.mark.parametrize("speed", [1.0, SPEED])
def test_what_somebody_let_wait_is_no_part_of_what_a_step_took(
    speed: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the app, the report, `status --follow` and its table of times; and it is never a simulation's time."""
    events = _answered_late(speed)
    asked = next(one.event.step for one in events if isinstance(one.event, Asked))
    took = Scale(speed).words(_took(events, asked))
    assert _took(events, asked) > 0

    page = _page(events)
    assert f"{asked} {took}" in page
    yours = "38 s" if speed == 1.0 else "38 s of your own time"
    assert f"         and {yours} waiting for somebody" in page
    book = RunBook()
    book.read(events)
    row = next(one for one in step_rows(book, _status(events), UNICODE) if one.key == f"0:{asked}")
    assert text_of(row.cells[1]) == took

    report = render("run-1", events, ".md")
    row_said = next(one for one in report.splitlines() if one.startswith(f"| `{asked}` |"))
    assert f" {took} | {yours} |" in row_said
    assert f", and {yours} waiting for somebody" in report
    whole = events[-1].at - events[0].at - ANSWERED_AFTER
    in_steps = sum(one.took for one in step_times(events))
    assert (
        f"took {Scale(speed).words(whole)}: {Scale(speed).words(in_steps)} in its steps, "
        f"{Scale(speed).words(whole - in_steps)} before and between them, and {yours} waiting"
    ) in report
    assert f"; {Scale(speed).words(whole - in_steps)} before and between them" in page
    assert ("are this machine's" in report) == (speed != 1.0)
    times = {one.step: one.took for one in step_times(events)}
    assert times[asked] == pytest.approx(_took(events, asked))

    story = Story(as_json=False)
    for recorded in events:
        story.tell(recorded)
    told_lines = capsys.readouterr().err
    assert f"{asked} done in {took}, and {yours} waiting for somebody" in told_lines


def test_a_simulation_s_clock_stands_while_somebody_is_waited_for() -> None:
    """The offsets of a report's events: a real cluster's are by the clock, a simulation's without waiting."""
    for speed, waited in ((1.0, ANSWERED_AFTER), (SPEED, 0.0)):
        events = _answered_late(speed)
        last = events[-1].at - events[0].at - ANSWERED_AFTER + waited
        assert f"| +{Scale(speed).words(last)} |" in render("run-1", events, ".md")


def test_the_time_without_a_runner_is_somebody_s() -> None:
    """A run that ended and is taken on an hour later did not take that hour."""
    over = RunFinished(state=RunState.STOPPED, reason="asked", exit_code=4)
    again = RunnerStarted(pid=1, host="h", by="b", purpose="resume")
    events = [Recorded(seq=1, at=0.0, event=over), Recorded(seq=2, at=3600.0, event=again)]
    assert waited_for_people(events) == 3600.0
    assert took_words(3660.0, 3600.0, Scale(SPEED)) == (
        "1 h, and 1 h of your own time waiting for somebody"
    )


def _judged(name: Gate, verdict: Verdict) -> GateJudged:
    return GateJudged(
        step="both",
        when="after",
        good_samples=0,
        window=40.0,
        result=GateResult(gate=name, verdict=verdict, summary="41 clients read memberlist"),
    )


def _gate_sign(events: Sequence[Recorded], name: Gate, *, later: float = 0.0) -> tuple[str, str]:
    """What stands before a gate on the Run screen, and its style."""
    book = RunBook()
    book.read(events)
    waiting = _status(events, later=later).waits_for_gates
    rows = gate_rows(book, (), 0.0, UNICODE, waiting=waiting)
    (span,) = next(row for row in rows if row.key == f"after:{name.value}").cells[0]
    return span.text, span.style


def test_a_gate_whose_change_is_on_its_way_is_not_yet_good_and_no_failure() -> None:
    """Within its time it is waited for; where it holds the run it failed; what users lost fails at once."""
    failing = _judged(Gate.SWITCH_FOLLOWED, Verdict.FAIL)
    wait = WaitStarted(step="both", waiting_for="switch-followed: 41 clients", bound=100.0)
    begun = _with(_until(StepStarted, 2), failing, wait)
    users = _with(begun, _judged(Gate.USERS_FINE, Verdict.FAIL))
    held = _with(begun, Held(step="both", reason="switch-followed: 41", gate=Gate.SWITCH_FOLLOWED))
    assert _gate_sign(begun, Gate.SWITCH_FOLLOWED) == ("○ not yet", "warn")
    assert _gate_sign(begun, Gate.STORES_EQUAL) == ("· to come", "dim")
    assert _gate_sign(users, Gate.USERS_FINE) == ("✗ fail", "bad")
    assert _gate_sign(held, Gate.SWITCH_FOLLOWED) == ("✗ fail", "bad")

    said = told(Recorded(seq=1, at=0.0, event=failing))
    assert (said.words, said.tone) == (
        "switch-followed not yet: 41 clients read memberlist",
        Tone.WARN,
    )
    assert "gate      not yet  switch-followed" in "\n".join(status_lines(_status(begun), 0.0))
    assert "gate      fail     switch-followed" in "\n".join(status_lines(_status(held), 0.0))
    assert "gate      fail     users-fine" in "\n".join(status_lines(_status(users), 0.0))
    late = _status(begun, later=101.0)
    assert late.stalled
    assert "gate      fail     switch-followed" in "\n".join(status_lines(late, 0.0))


def test_what_is_left_says_how_long_first_and_the_rest_below() -> None:
    """How long for what in one line; by what that is told and who is at work in another."""
    shown = _page(_until(StepStarted, 3)).splitlines()
    at = next(at for at, said in enumerate(shown) if said.startswith("left "))
    assert shown[at].endswith(" for 2 steps with their gates, besides approvals")
    assert shown[at + 1] == (
        "runner   4711, by olga@laptop; time left estimated from how 2 steps went"
    )


def test_a_step_that_a_rollback_left_says_whether_anything_of_it_was_made() -> None:
    """In the steps of the app and in the report: `not made` before its first change, `not finished` after it."""
    walked = _answered_late(1.0)
    plan = next(one.event.plan for one in walked if isinstance(one.event, LegStarted))
    step = "swap"
    for kind, said in ((StepStarted, "not made"), (ChangeIntended, "not finished")):
        end = next(
            at
            for at, one in enumerate(walked)
            if isinstance(one.event, kind) and one.event.step == step
        )
        events = walked[: end + 1]
        events = _with(events, LegStarted(purpose="rollback", plan=plan))
        book = RunBook()
        book.read(events)
        rows = {one.key: one for one in step_rows(book, _status(events), UNICODE)}
        assert text_of(rows[f"0:{step}"].cells[1]) == said
        row = next(
            one
            for one in render("run-1", events, ".md").splitlines()
            if one.startswith(f"| `{step}` |")
        )
        assert f" {said} |" in row


def test_what_a_simulation_s_users_lost_is_told_as_theirs() -> None:
    """A demo lets requests fail on purpose; of a real cluster the words have nothing behind them."""
    lost = Counters(pushes=756, failed_pushes=12)
    said = "12 of 756 pushes failed in the step both"
    for speed, marked in ((1.0, said), (SPEED, f"{said} (simulated users)")):
        begun = [one for one in _answered_late(speed) if one.seq <= _until(StepStarted, 2)[-1].seq]
        events = _with(begun, UsersFailed(step="both", users=lost, worse=True))
        status = _status(events)
        assert status.users_failed == (said,)
        for text in (
            "\n".join(status_lines(status, events[-1].at)),
            hand_over(status),
            _page(events),
            render("run-1", events, ".txt"),
        ):
            words = " ".join(text.split())
            assert marked in words
            assert ("(simulated users)" in words) == (speed != 1.0)


@pytest.mark.parametrize("stop", ["held", "report"])
def test_the_tour_says_that_its_fault_is_why_users_failed(stop: str) -> None:
    """It stays in every header to the end: nobody may take it for what a migration does."""
    (look,) = (one.look for one in STOPS if one.id == stop)
    assert "users failed" in look.lower()
    assert "the tour" in look.lower()


def test_a_question_s_number_is_told_to_nobody() -> None:
    """It is what an approval names, and in `--json`; to a person it says nothing."""
    events = _until(Asked)
    question = _status(events).question
    assert question is not None
    again = msgspec.structs.replace(question.asked, instead_of=question.number)
    number = f"question {question.number}"
    said = "\n".join(" ".join(one.split()) for one in status_lines(_status(events), 0.0))
    assert "question it was asked on this evidence" in said
    assert number not in said
    assert number not in question_words(again)
    assert "in place of the question before" in question_words(again)
