"""What `status`, the hand-over, the report, a question and the app say of a run, in one wording."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from quick_world import QuickWorld

from mimir_migrate.cli.pictures import status_lines
from mimir_migrate.model.events import (
    Asked,
    Event,
    Held,
    Recorded,
    StepDone,
    WaitStarted,
)
from mimir_migrate.model.plan import Gate
from mimir_migrate.runs.handing_over import hand_over
from mimir_migrate.runs.report import render
from mimir_migrate.runs.status import RunStatus, status_of
from mimir_migrate.runs.story import evidence_lines
from mimir_migrate.screens.run_page.now_views import now_lines
from mimir_migrate.screens.run_page.run_book import RunBook
from mimir_migrate.widgets.glyphs import UNICODE
from mimir_migrate.widgets.text import text_of
from mimir_migrate.words import counted


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
    takes = "takes 1 step of its own: settle"
    quick = "stays quick until this run makes its step 4 of 4, settle"
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
    assert f"         takes {counted(len(back), 'step')} of its own: {', '.join(back)}" in lines


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
    found = [said for said in waits if "to stay good" in said]
    assert found
    for said in found:
        head, _, names = said.partition(": ")
        count = len(names.split(", "))
        assert head.startswith(f"{count} gate{'s' if count > 1 else ''} to stay good, ")
        assert head.endswith(" at most")
