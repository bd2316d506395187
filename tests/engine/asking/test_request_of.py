"""What a request names, and why one that did not act did not."""

from __future__ import annotations

import msgspec
import pytest
from quick_world import QuickWorld

from mimir_migrate import __version__
from mimir_migrate.errors import BlockedError
from mimir_migrate.model.events import (
    Approved,
    Asked,
    Continued,
    Recorded,
    Request,
    RequestKind,
    RequestVoid,
    RunFinished,
    RunState,
)
from mimir_migrate.model.plan import Gate
from mimir_migrate.operations.requests import Wish, answer_in, doing, refusal, request_of
from mimir_migrate.runs.status import RunStatus, status_of

CONTINUE, APPROVE, OVERRIDE = RequestKind.CONTINUE, RequestKind.APPROVE, RequestKind.OVERRIDE


@pytest.fixture(scope="module")
def plain() -> RunStatus:
    """A run whose plan was made and which nobody works on yet."""
    world = QuickWorld()
    world.start()
    return status_of("run-1", world.journal.events(), now=world.clock.now())


@pytest.fixture(scope="module")
def asking_world() -> QuickWorld:
    """A run that asks at its third step."""
    world = QuickWorld()
    plan = world.start()
    seen: list[RunStatus] = []

    def hear(event: object) -> None:
        if isinstance(event, Asked):
            seen.append(status_of("run-1", world.journal.events(), now=world.clock.now()))

    world.heard = hear
    world.run(plan, approve_all=False)
    world.statuses = seen  # type: ignore[attr-defined]
    return world


def replaced(status: RunStatus, **fields: object) -> RunStatus:
    """The status with something otherwise."""
    return msgspec.structs.replace(status, **fields)


def of(status: RunStatus, kind: RequestKind, **more: object) -> Request:
    """The request for a wish."""
    return request_of(status, Wish(kind=kind, **more), by="olga")


def test_a_continue_names_the_hold_that_was_seen_or_that_stands(plain: RunStatus) -> None:
    """What was on the screen counts before what stands by now."""
    held = replaced(plain, hold=7)
    assert of(held, CONTINUE).question == 7
    assert of(held, CONTINUE, seen=5).question == 5
    assert of(plain, CONTINUE, seen=5).question == 5
    assert of(replaced(plain, hold_asked="ana"), CONTINUE).question == 0
    with pytest.raises(BlockedError, match="the run run-1 is not held: it is ") as refused:
        of(plain, CONTINUE)
    assert refused.value.hint == "Nothing was left for it."


def test_an_override_names_the_hold_of_its_gate_only(plain: RunStatus) -> None:
    """A hold by another gate is not what it is for."""
    held = replaced(plain, hold=7, held_gate=Gate.USERS_FINE)
    assert of(held, OVERRIDE, gate=Gate.USERS_FINE).question == 7
    assert of(held, OVERRIDE, gate=Gate.RING_HEALTHY).question == 0
    assert of(held, OVERRIDE, gate=Gate.RING_HEALTHY, seen=5).question == 5


def test_an_approval_names_the_question_that_was_seen_or_that_stands(
    plain: RunStatus, asking_world: QuickWorld
) -> None:
    """And says what the run does where none stands."""
    (status,) = asking_world.statuses  # type: ignore[attr-defined]
    assert status.question is not None
    assert of(status, APPROVE).question == status.question.number
    assert of(status, APPROVE, step="swap").question == status.question.number
    assert of(status, APPROVE, seen=3).question == 3
    assert of(plain, APPROVE, seen=3).question == 3
    with pytest.raises(
        BlockedError, match="waits for an approval of swap, step 3 of 4, not of settle"
    ):
        of(status, APPROVE, step="settle")
    with pytest.raises(BlockedError, match="nothing waits for an approval in the run run-1") as no:
        of(plain, APPROVE)
    assert "approved" not in no.value.message


@pytest.mark.parametrize("kind", [RequestKind.STOP, RequestKind.HOLD, RequestKind.ROLLBACK])
def test_what_stands_on_its_own_names_nothing(plain: RunStatus, kind: RequestKind) -> None:
    """But the run, the leg and the step that it was at."""
    request = of(replaced(plain, hold=7, leg=4), kind, reason="why", seconds=5.0, seen=3)
    assert (request.question, request.run, request.leg, request.step) == (0, "run-1", 4, "")
    assert (request.reason, request.seconds, request.by) == ("why", 5.0, "olga")


def test_a_request_names_the_step_that_the_run_was_at(asking_world: QuickWorld) -> None:
    """So that it is void in another one."""
    (status,) = asking_world.statuses  # type: ignore[attr-defined]
    assert of(status, RequestKind.STOP).step == "swap"
    assert of(replaced(status, runner_version=__version__), APPROVE).step == "swap"
    assert of(replaced(status, runner_version=""), APPROVE).step == "swap"


def test_what_a_run_does_is_said(plain: RunStatus, asking_world: QuickWorld) -> None:
    """Where it ended, what it waits for, or that it works."""
    (status,) = asking_world.statuses  # type: ignore[attr-defined]
    working = replaced(plain, state=RunState.RUNNING, reason="", waiting_for="")
    assert doing(working) == "it is at work"
    assert doing(replaced(working, state=RunState.HELD)) == "it is held"
    assert doing(replaced(working, waiting_for="users")) == "it is at work: waits for users"
    assert doing(replaced(working, state=RunState.DONE, reason="over\nand out")) == (
        "it is done: over"
    )
    assert doing(replaced(status, reason="", waiting_for="x")) == (
        "it is held, swap, step 3 of 4: waits for x"
    )


def test_the_answer_of_a_request_is_the_event_that_has_its_id() -> None:
    """The first of them; None while there is none."""
    request = Request(kind=APPROVE, by="olga", id="b")
    other = Continued(step="swap", by="x", answers=("a",))
    answer = Approved(step="swap", question=1, by="olga", answers=("a", "b"))
    events = [Recorded(seq=1, at=0.0, event=other), Recorded(seq=2, at=0.0, event=answer)]
    assert answer_in(events, request) is events[1]
    assert answer_in(events[:1], request) is None


def test_why_a_request_did_not_act() -> None:
    """It was void, or its runner ended, or nobody has read it; else it did act."""

    def said(event: object) -> str:
        return refusal(Recorded(seq=1, at=0.0, event=event))  # type: ignore[arg-type]

    void = RequestVoid(kind=APPROVE, by="olga", why="too late", step="", question=0, answers=())
    assert said(void) == "too late"
    ended = RunFinished(state=RunState.STOPPED, reason="stopped", exit_code=6)
    assert said(ended) == "its runner ended first: stopped"
    assert said(Approved(step="swap", question=1, by="olga")) == ""
    assert refusal(None).startswith("left, not answered")
