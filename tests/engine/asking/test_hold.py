"""A hold by itself: how it opens, lasts and closes, and what the journal has of it."""

from __future__ import annotations

import pytest
from one_question import ASKED
from quick_world import FakeClock

from mimir_migrate.engine.asking.desk import Desk
from mimir_migrate.engine.asking.hold import (
    DEFAULT_HOLD,
    HeldTooLongError,
    Hold,
    Holds,
    StopAskedError,
)
from mimir_migrate.engine.memory import MemoryJournal
from mimir_migrate.model.events import (
    Approved,
    Continued,
    Held,
    QuestionWithdrawn,
    Request,
    RequestKind,
    RequestVoid,
)
from mimir_migrate.model.plan import Gate


class Held100:
    """A hold of the step `swap` that nobody has to come to for 100 s."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.journal = MemoryJournal("run-1", self.clock)
        self.desk = Desk(self.journal)
        self.holds = Holds(clock=self.clock, journal=self.journal, desk=self.desk, limit=100.0)
        self.hold: Hold = self.holds.at("swap")

    def ask(self, kind: RequestKind, **more: object) -> Request:
        """Leave a request, and let the desk read."""
        request = self.journal.leave(Request(kind=kind, by="olga", run="run-1", **more))
        self.desk.read()
        return request

    def events(self, kind: type) -> list[object]:
        """Events of one kind."""
        found = [one.event for one in self.journal.events()]
        return [one for one in found if isinstance(one, kind)]


@pytest.fixture
def world() -> Held100:
    return Held100()


def test_an_operator_s_hold_lasts_a_night() -> None:
    """Twelve hours, as the documents say."""
    assert DEFAULT_HOLD == 12 * 3600


def test_a_hold_that_is_not_open_ends_nobody(world: Held100) -> None:
    """However much time passes, and whatever was asked."""
    assert not world.hold.is_open
    world.ask(RequestKind.STOP)
    world.clock.sleep(1000)
    world.hold.last("x")
    assert world.hold.number == 0


def test_an_open_hold_has_its_event_s_number(world: Held100) -> None:
    """That is what `continue` names."""
    world.journal.append(Continued(step="both", by="olga"))
    world.hold.open(Held(step="swap", reason="x"))
    assert world.hold.is_open
    assert world.hold.number == world.desk.holding == 2
    assert world.desk.question == 0


def test_a_question_has_its_event_s_number(world: Held100) -> None:
    """That is what `approve` names; a question is no hold that `continue` ends."""
    assert world.hold.ask(ASKED) == 1
    assert world.hold.is_open
    assert (world.desk.question, world.desk.holding) == (1, 0)


def test_a_hold_lasts_as_long_as_it_says_or_as_holds_do(world: Held100) -> None:
    """To the second, and then the runner ends with what it waited for and how to go on."""
    world.hold.open(Held(step="swap", reason="x"))
    world.clock.sleep(100)
    world.hold.last("users")
    world.clock.sleep(1)
    with pytest.raises(
        HeldTooLongError, match=r"held for 1 min 41 s at the step swap: users"
    ) as end:
        world.hold.last("users")
    assert "resume" in end.value.hint
    other = Held100()
    other.hold.open(Held(step="swap", reason="x", limit=500.0))
    other.clock.sleep(500)
    other.hold.last("users")
    other.clock.sleep(1)
    with pytest.raises(HeldTooLongError):
        other.hold.last("users")


def test_a_question_lasts_as_long_as_holds_do(world: Held100) -> None:
    """Nobody answered: nothing is made or undone."""
    world.hold.ask(ASKED)
    world.clock.sleep(100)
    world.hold.last("an approval")
    world.clock.sleep(1)
    with pytest.raises(HeldTooLongError):
        world.hold.last("an approval")


def test_who_asks_to_stop_ends_an_open_hold(world: Held100) -> None:
    """At once."""
    world.hold.open(Held(step="swap", reason="x"))
    world.ask(RequestKind.STOP)
    with pytest.raises(StopAskedError):
        world.hold.last("users")


def test_a_hold_closes_with_who_went_on(world: Held100) -> None:
    """The event answers the `continue`, and what was meant for the hold alone is void."""
    world.hold.open(Held(step="swap", reason="x"))
    request = world.ask(RequestKind.CONTINUE, question=1)
    world.ask(RequestKind.OVERRIDE, question=1, gate=Gate.USERS_FINE)
    world.hold.close("olga")
    assert not world.hold.is_open
    assert world.events(Continued) == [Continued(step="swap", by="olga", answers=(request.id,))]
    assert world.desk.holding == 0
    (void,) = world.events(RequestVoid)
    assert isinstance(void, RequestVoid)
    assert void.kind is RequestKind.OVERRIDE
    world.clock.sleep(1000)
    world.hold.last("users")


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (Approved(step="swap", question=1, by="ana"), "ana approved it already"),
        (QuestionWithdrawn(step="swap", question=1, why="x"), "the question was withdrawn"),
    ],
)
def test_an_answered_question_voids_the_other_answers(
    world: Held100, event: Approved | QuestionWithdrawn, why: str
) -> None:
    """None lies in wait for the next question."""
    world.hold.ask(ASKED)
    world.ask(RequestKind.APPROVE, question=1)
    world.hold.answer(event)
    assert not world.hold.is_open
    assert world.events(type(event)) == [event]
    assert (world.desk.question, world.desk.approvals) == (0, [])
    (void,) = world.events(RequestVoid)
    assert isinstance(void, RequestVoid)
    assert void.why == why


@pytest.mark.parametrize("step", ["swap", ""])
def test_what_is_to_be_said_before_a_hold_is_said_before_it(world: Held100, step: str) -> None:
    """With its step, at a question as at a hold; before the first step there is nothing to say."""
    said: list[tuple[str, int]] = []
    world.holds.before_one = lambda of: said.append((of, len(world.journal.events())))
    world.holds.at(step).open(Held(step=step, reason="x"))
    world.holds.at(step).ask(ASKED)
    assert said == ([("swap", 0), ("swap", 1)] if step else [])
