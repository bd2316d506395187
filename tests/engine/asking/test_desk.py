"""The desk by itself: which request is taken, which is void and why, and what each event answers."""

from __future__ import annotations

import msgspec
import pytest
from one_question import ASKED
from quick_world import FakeClock

from mimir_migrate.engine.asking.desk import UNNUMBERED, Desk, RollbackAskedError, became_of
from mimir_migrate.engine.memory import MemoryJournal
from mimir_migrate.model.events import (
    Approved,
    Continued,
    Event,
    Held,
    QuestionWithdrawn,
    Request,
    RequestKind,
    RequestVoid,
    RunFinished,
    RunnerStarted,
    RunState,
)
from mimir_migrate.model.plan import Gate

STOP, HOLD, CONTINUE = RequestKind.STOP, RequestKind.HOLD, RequestKind.CONTINUE
APPROVE, OVERRIDE, ROLLBACK = RequestKind.APPROVE, RequestKind.OVERRIDE, RequestKind.ROLLBACK
HELD = Held(step="swap", reason="x")


class Table:
    """A desk, and what lies on it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.journal = MemoryJournal("run-1", self.clock)
        self.desk = Desk(self.journal)

    def leave(self, kind: RequestKind, by: str = "olga", **more: object) -> Request:
        """Leave a request for this run."""
        return self.journal.leave(Request(kind=kind, by=by, **{"run": "run-1", **more}))

    def read(self, kind: RequestKind, by: str = "olga", **more: object) -> Request:
        """Leave a request, and let the desk read."""
        request = self.leave(kind, by, **more)
        self.desk.read()
        return request

    @property
    def voided(self) -> list[RequestVoid]:
        """Requests that do not act."""
        found = [one.event for one in self.journal.events()]
        return [one for one in found if isinstance(one, RequestVoid)]

    @property
    def why(self) -> list[str]:
        """Who is told what."""
        return [f"{one.by}: {one.why}" for one in self.voided]


@pytest.fixture
def table() -> Table:
    return Table()


def test_nothing_stands_at_first(table: Table) -> None:
    """No question, no hold, no step, and nothing was asked."""
    desk = table.desk
    assert (desk.step, desk.question, desk.holding) == ("", 0, 0)
    assert (desk.stop, desk.hold, desk.go_on, desk.approvals) == (None, None, None, [])


def test_a_request_is_read_once(table: Table) -> None:
    """As long as no event answers it, the journal gives it again and again."""
    hold = table.read(HOLD)
    table.desk.read()
    assert table.desk.hold == hold
    assert table.why == []
    assert table.journal.open_requests() == (hold,)


def test_requests_for_another_run_and_without_one_are_void(table: Table) -> None:
    """And the ones behind them are still read."""
    table.leave(STOP, "ana", run="run-2")
    table.leave(STOP, "bo", run="")
    stop = table.read(STOP)
    assert table.why == ["ana: it is for run-2", f"bo: {UNNUMBERED}"]
    assert table.desk.stop == stop
    assert table.journal.open_requests() == (stop,)


def test_a_second_hold_is_void(table: Table) -> None:
    """The first one stands, and the second hears of it."""
    first = table.read(HOLD)
    table.read(HOLD, "ana")
    assert table.desk.hold == first
    assert table.why == ["ana: olga asked to hold already"]


@pytest.mark.parametrize(("standing", "named"), [(0, 0), (0, 4), (5, 0), (5, 4)])
def test_an_approval_of_what_does_not_stand_is_void(
    table: Table, standing: int, named: int
) -> None:
    """Only one that names the question which stands counts."""
    table.desk.question = standing
    table.read(APPROVE, question=named)
    assert table.desk.approvals == []
    assert table.why == ["olga: nothing waited for it"]


def test_approvals_of_the_question_are_kept_and_voided_in_their_order(table: Table) -> None:
    """Who was first is told first."""
    table.desk.question = 5
    requests = [table.read(APPROVE, by, question=5) for by in ("olga", "ana", "bo")]
    assert table.desk.approvals == requests
    table.desk.void_approvals("late")
    assert table.why == ["olga: late", "ana: late", "bo: late"]
    assert table.desk.approvals == []
    assert {one.kind for one in table.voided} == {APPROVE}
    assert {one.question for one in table.voided} == {5}
    assert table.journal.open_requests() == ()


def test_a_continue_is_for_the_hold_that_it_names(table: Table) -> None:
    """The second one is void with who was first; one for another hold with what became of that."""
    table.desk.held(7)
    first = table.read(CONTINUE, question=7)
    table.read(CONTINUE, "ana", question=7)
    table.read(CONTINUE, "bo", question=6)
    table.read(CONTINUE, "cy")
    assert table.desk.go_on == first
    assert table.why == [
        "ana: olga said so already",
        "bo: nothing waited for it",
        "cy: nothing waited for it",
    ]
    assert table.desk.continued() == (first.id,)
    assert table.desk.go_on is None
    assert table.desk.continued() == ()


def test_a_continue_takes_back_a_hold_that_is_not_open_yet(table: Table) -> None:
    """Both are answered by one event."""
    table.desk.at_step("swap")
    hold = table.read(HOLD)
    go_on = table.read(CONTINUE, "ana")
    assert table.desk.hold is None
    assert table.desk.go_on is None
    (event,) = [one.event for one in table.journal.events()]
    assert event == Continued(
        step="swap", by="ana", reason="before the run was held", answers=(hold.id, go_on.id)
    )


def test_a_continue_for_a_hold_that_is_over_takes_back_no_other(table: Table) -> None:
    """A number of a hold that is not open is not the hold that was asked for since."""
    hold = table.read(HOLD)
    table.read(CONTINUE, "ana", question=3)
    assert table.desk.hold == hold
    assert table.why == ["ana: nothing waited for it"]


def test_a_continue_where_nothing_is_held_is_void(table: Table) -> None:
    """Nothing waits for it."""
    table.read(CONTINUE)
    assert table.desk.go_on is None
    assert table.why == ["olga: nothing waited for it"]


def test_a_hold_beside_an_open_hold_is_not_taken_back_by_a_bare_continue(table: Table) -> None:
    """A continue without a number says nothing of the hold that is open."""
    hold = table.read(HOLD)
    table.desk.held(7)
    table.read(CONTINUE, "ana")
    assert table.desk.hold == hold
    assert table.why == ["ana: nothing waited for it"]


def test_an_override_lets_its_gate_pass_once(table: Table) -> None:
    """Only that gate, and only once."""
    table.desk.held(7)
    first = table.read(OVERRIDE, question=7, gate=Gate.USERS_FINE)
    other = table.read(OVERRIDE, question=7, gate=Gate.RING_HEALTHY)
    assert table.desk.override(Gate.STORES_EQUAL) is None
    assert table.desk.override(Gate.RING_HEALTHY) == other
    assert table.desk.override(Gate.USERS_FINE) == first
    assert table.desk.override(Gate.USERS_FINE) is None
    assert table.why == []


@pytest.mark.parametrize(
    ("holding", "step", "question", "named", "kept"),
    [
        (7, "swap", 7, "", True),
        (7, "swap", 7, "both", True),
        (7, "swap", 6, "swap", False),
        (0, "swap", 6, "", False),
        (0, "swap", 0, "swap", True),
        (0, "swap", 0, "both", False),
        (7, "swap", 0, "swap", True),
        (0, "swap", 0, "", True),
    ],
)
def test_an_override_is_for_a_hold_or_for_a_step(
    table: Table, holding: int, step: str, question: int, named: str, *, kept: bool
) -> None:
    """By its hold where it names one, else by its step; without either for whatever comes."""
    table.desk.at_step(step)
    table.desk.held(holding)
    table.read(OVERRIDE, question=question, step=named, gate=Gate.USERS_FINE)
    assert table.why == ([] if kept else ["olga: nothing waited for it"])
    assert (table.desk.override(Gate.USERS_FINE) is not None) is kept


def test_an_override_goes_with_its_hold(table: Table) -> None:
    """Once the hold is over it is void; what is for the step stays."""
    table.desk.at_step("swap")
    table.desk.held(7)
    table.read(OVERRIDE, question=7, gate=Gate.USERS_FINE)
    table.read(OVERRIDE, "ana", step="swap", gate=Gate.USERS_FINE)
    table.desk.held(0)
    assert table.desk.holding == 0
    assert table.why == ["olga: the run went on without it"]
    found = table.desk.override(Gate.USERS_FINE)
    assert found is not None
    assert found.by == "ana"


def test_an_override_goes_with_its_step(table: Table) -> None:
    """The next step begins without it."""
    table.desk.at_step("swap")
    table.read(OVERRIDE, step="swap", gate=Gate.USERS_FINE)
    table.desk.at_step("settle")
    assert table.desk.step == "settle"
    assert table.why == ["olga: the run went on without it"]
    assert table.desk.override(Gate.USERS_FINE) is None


def test_a_rollback_goes_before_everything(table: Table) -> None:
    """Who asked to stop, to hold or to go on before wants to go back now."""
    table.desk.held(7)
    table.read(STOP)
    table.read(HOLD)
    table.read(CONTINUE, question=7)
    with pytest.raises(RollbackAskedError, match="fear") as raised:
        table.read(ROLLBACK, "ana", reason="fear")
    assert raised.value.request.by == "ana"
    assert (table.desk.stop, table.desk.hold, table.desk.go_on) == (None, None, None)


def test_a_hold_that_changes_nothing_any_more_is_void(table: Table) -> None:
    """With the reason; without one there is nothing to say."""
    table.desk.drop_hold("over")
    assert table.why == []
    table.read(HOLD)
    table.desk.drop_hold("over")
    assert table.desk.hold is None
    assert table.why == ["olga: over"]


def test_a_void_request_is_told_with_what_it_was_for(table: Table) -> None:
    """Kind, step, question, and its id as the answer."""
    request = table.read(APPROVE, question=4, step="swap")
    (void,) = table.voided
    assert (void.kind, void.step, void.question) == (APPROVE, "swap", 4)
    assert void.answers == (request.id,)


def test_the_ids_of_nothing_are_none(table: Table) -> None:
    """An event that nobody asked for answers nothing."""
    one, two = table.read(STOP), table.read(STOP)
    assert table.desk.answered(one, None, two) == (one.id, two.id)
    assert table.desk.answered(None) == ()


def test_a_leg_back_answers_what_it_overtook(table: Table) -> None:
    """All but what was read after the request for it, and overrides, which no leg takes."""
    table.desk.question = table.desk.holding = 9
    approved = table.read(APPROVE, question=9)
    stopped = table.read(STOP)
    table.leave(OVERRIDE, question=9, gate=Gate.USERS_FINE)
    with pytest.raises(RollbackAskedError):
        table.read(ROLLBACK, "ana")
    back = table.journal.open_requests()[-1]
    later = table.read(STOP, "bo")
    assert table.desk.turned() == (approved.id, stopped.id, back.id)
    assert (table.desk.question, table.desk.holding, table.desk.approvals) == (0, 0, [])
    assert table.desk.stop == later
    assert table.desk.turned() == ()


def test_the_end_of_a_runner_answers_all_but_a_rollback(table: Table) -> None:
    """A rollback that was not begun is for the next runner."""
    stopped = table.read(STOP)
    answered = table.read(HOLD)
    table.desk.answered(answered)
    with pytest.raises(RollbackAskedError):
        table.read(ROLLBACK)
    assert table.desk.ended() == (stopped.id,)


APPROVED = Approved(step="swap", question=1, by="olga")
WITHDRAWN = QuestionWithdrawn(step="swap", question=1, why="it rains")
OVER = Continued(step="swap", by="olga")
ENDED = RunFinished(state=RunState.STOPPED, exit_code=3, reason="")
STARTED = RunnerStarted(by="olga", host="h", pid=1, purpose="resume")


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((), "nothing waited for it"),
        ((OVER,), "nothing waited for it"),
        ((ASKED,), "another question stands now"),
        ((HELD,), "another hold stands now"),
        ((ASKED, APPROVED), "olga approved it already, at "),
        ((HELD, ASKED, msgspec.structs.replace(APPROVED, question=2)), "another hold stands now"),
        ((ASKED, WITHDRAWN, APPROVED), "the question was withdrawn: it rains"),
        ((HELD, OVER), "the hold is over (olga)"),
        ((ASKED, OVER), "another question stands now"),
        ((HELD, ENDED), "the runner of that hold is gone"),
        ((ASKED, STARTED, APPROVED), "the runner of that question is gone"),
    ],
)
def test_what_became_of_a_question_or_a_hold(
    table: Table, events: tuple[Event, ...], words: str
) -> None:
    """The first event that closed it says so; events of other questions do not count."""
    for event in events:
        table.journal.append(event)
    assert became_of(table.journal.events(), 1).startswith(words)


def test_an_event_of_another_question_closes_nothing(table: Table) -> None:
    """An answer or a withdrawal is of the question that it names."""
    table.journal.append(ASKED)
    table.journal.append(Approved(step="swap", question=3, by="olga"))
    table.journal.append(QuestionWithdrawn(step="swap", question=3, why="it rains"))
    assert became_of(table.journal.events(), 1) == "another question stands now"
    assert became_of(table.journal.events(), 9) == "nothing waited for it"
