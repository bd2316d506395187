"""One question by itself: a look, a clock and a desk; when it is asked, kept fresh, and gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import release as fake
from quick_world import FakeClock

from mimir_migrate.engine.asking.desk import Desk
from mimir_migrate.engine.asking.hold import HeldTooLongError, Holds, StopAskedError
from mimir_migrate.engine.asking.question import Questions, Subject
from mimir_migrate.engine.gate_wait import Checkpoint
from mimir_migrate.engine.memory import MemoryJournal
from mimir_migrate.errors import PlanStaleError
from mimir_migrate.model.events import (
    Approved,
    Asked,
    Continued,
    GateResult,
    Held,
    QuestionSeenAgain,
    QuestionSuspended,
    QuestionWithdrawn,
    Request,
    RequestKind,
    RequestVoid,
    Verdict,
)
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Duration, FactChange, Gate

SEEN = fake.release(sizes={"ruler": 1}, on=("ruler",))
GOOD = GateResult(gate=Gate.RING_HEALTHY, verdict=Verdict.PASS, summary="fine")
BAD = GateResult(gate=Gate.RING_HEALTHY, verdict=Verdict.FAIL, summary="a member is gone")
MOVED = FactChange(name="file values.yaml", before="a", after="b", matters=True)
BESIDE = FactChange(name="images", before="a", after="b", matters=False)
WINDOW = 30.0
AT = Checkpoint(
    step="swap",
    when="before",
    gates=(Gate.RING_HEALTHY,),
    window=WINDOW,
    context=lambda *_: None,  # type: ignore[arg-type,return-value]
)
ABOUT = Subject(
    index=3,
    of=4,
    title="Swap",
    duration=Duration(low=1.0, high=2.0, basis=""),
    rollback="10 s",
    back=("swap",),
    rings=("ruler",),
    beforehand="",
)


class Scene:
    """What a question needs, each part as a test puts it; it is the watch and the judge as well."""

    def __init__(self, limit: float = 1000.0) -> None:
        self.clock = FakeClock()
        self.journal = MemoryJournal("run-1", self.clock)
        self.desk = Desk(self.journal)
        self.seen: Inspection | None = SEEN
        self.results = [GOOD]
        self.overridden = False
        self.changed: tuple[FactChange, ...] = ()
        self.unasked = "the cluster does not answer"
        self.looks: list[float] = []
        self.files: list[float] = []
        self.attended: list[float] = []
        self.renewed = 0
        self.going_on: list[Checkpoint] = []
        self.refuses = False
        self.start = self.clock.now()
        holds = Holds(clock=self.clock, journal=self.journal, desk=self.desk, limit=limit)
        self.questions = Questions(self, self, holds, self._may_go_on)  # type: ignore[arg-type]

    # --- the watch and the judge

    def sample(self, at: Checkpoint) -> tuple[Inspection | None, list[GateResult]]:
        """A look, and what the gates make of it."""
        self.looks.append(self.now)
        return self.seen, self.results

    def standing(self, at: Checkpoint, results: list[GateResult]) -> list[GateResult]:
        """What did not pass."""
        return [one for one in results if one.verdict is not Verdict.PASS and not self.overridden]

    def attend_files(self, step: str) -> None:
        """The files are looked at."""
        self.files.append(self.now)

    def attend(self, step: str, window: float) -> None:
        """The files and the cluster are looked at while nothing is asked."""
        self.attended.append(self.now)

    def renew(self) -> None:
        """The lease."""
        self.renewed += 1

    def _may_go_on(self, at: Checkpoint) -> None:
        self.going_on.append(at)
        if self.refuses:
            raise PlanStaleError("otherwise")

    # --- the operator

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return round(self.clock.now() - self.start, 3)

    def after(self, seconds: float, **fields: object) -> None:
        """Later something is otherwise."""

        def put() -> None:
            for name, value in fields.items():
                setattr(self, name, value)

        self.clock.after(seconds, put)

    def ask_after(
        self, seconds: float, kind: RequestKind, by: str = "ana", **more: object
    ) -> None:
        """Later somebody asks something."""

        def leave() -> None:
            number = self.desk.question or self.desk.holding
            request = Request(kind=kind, by=by, run="run-1", **{"question": number, **more})
            self.journal.leave(request)

        self.clock.after(seconds, leave)

    def ask(self, at: Checkpoint = AT, **about: object) -> bool:
        """Ask the question."""
        return self.questions.ask(at, msgspec.structs.replace(ABOUT, **about))

    def of(self, kind: type[Any]) -> list[Any]:
        """Events of one kind."""
        found = [one.event for one in self.journal.events()]
        return [one for one in found if isinstance(one, kind)]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_yes_is_taken_after_one_more_look(scene: Scene) -> None:
    """With who said it and why; the journal names the question."""
    scene.ask_after(10, RequestKind.APPROVE, reason="go")
    assert scene.ask()
    (asked,) = scene.of(Asked)
    assert (asked.step, asked.index, asked.of, asked.title) == ("swap", 3, 4, "Swap")
    assert (asked.gates, asked.rollback, asked.back) == ((GOOD,), "10 s", ("swap",))
    assert (asked.stores, asked.pods) == (
        "ruler: both stores hold the same 1 member",
        "1 pod, all Ready: ruler 1",
    )
    assert (asked.seen_at, asked.duration) == (SEEN.at, ABOUT.duration)
    (approved,) = scene.of(Approved)
    assert (approved.step, approved.question, approved.by) == ("swap", 1, "ana")
    assert (approved.reason, approved.beforehand) == ("go", False)
    assert len(approved.answers) == 1
    assert not scene.journal.open_requests()
    assert len(scene.looks) == 2
    assert scene.looks[1] >= 10


def test_a_yes_from_the_start_answers_where_every_gate_passes(scene: Scene) -> None:
    """At once, by whoever gave it."""
    assert scene.ask(beforehand="olga")
    (approved,) = scene.of(Approved)
    assert (approved.by, approved.reason, approved.beforehand) == ("olga", "", True)
    assert (approved.answers, scene.looks) == ((), [0.0])


def test_a_yes_from_the_start_does_not_answer_for_a_gate_that_was_overridden(scene: Scene) -> None:
    """Somebody has to look at that."""
    other = msgspec.structs.replace(BAD, gate=Gate.USERS_FINE)
    scene.results, scene.overridden = [GOOD, other], True
    scene.ask_after(5, RequestKind.APPROVE)
    assert scene.ask(beforehand="olga")
    (approved,) = scene.of(Approved)
    assert (approved.by, approved.beforehand) == ("ana", False)


@pytest.mark.parametrize("fields", [{"seen": None}, {"results": [BAD]}])
def test_nothing_is_asked_on_a_bad_sample(scene: Scene, fields: dict[str, object]) -> None:
    """The gates are waited for again."""
    for name, value in fields.items():
        setattr(scene, name, value)
    assert scene.ask() is False
    assert scene.journal.events() == ()


def test_nothing_is_asked_on_ground_that_changed(scene: Scene) -> None:
    """Going on is refused before there is a question."""
    scene.changed, scene.refuses = (MOVED,), True
    with pytest.raises(PlanStaleError):
        scene.ask()
    assert scene.going_on == [AT]
    assert scene.journal.events() == ()


def test_the_cluster_is_looked_at_every_window_and_the_files_every_second(scene: Scene) -> None:
    """That the evidence holds is said once a minute; the lease is renewed all the while."""
    scene.ask_after(130, RequestKind.APPROVE)
    assert scene.ask()
    assert [round(at / WINDOW) for at in scene.looks] == [0, 1, 2, 3, 4, 4]
    assert scene.looks[1] == pytest.approx(30.0, abs=0.3)
    again = scene.of(QuestionSeenAgain)
    assert [(one.step, one.question, one.resumed) for one in again] == [("swap", 1, False)] * 2
    assert 100 <= len(scene.files) <= 130
    assert scene.renewed > 100
    assert scene.going_on == []


def test_a_bad_sample_suspends_the_question_until_a_good_one(scene: Scene) -> None:
    """An approval is void meanwhile; it is looked at more often; the number stays."""
    scene.after(1, results=[BAD])
    scene.ask_after(2, RequestKind.APPROVE)
    scene.after(5, results=[GOOD])
    scene.ask_after(20, RequestKind.APPROVE, "olga")
    assert scene.ask()
    (suspended,) = scene.of(QuestionSuspended)
    assert (suspended.question, suspended.why) == (1, "ring-healthy: a member is gone")
    (void,) = scene.of(RequestVoid)
    assert void.why == "the question was suspended: ring-healthy: a member is gone"
    (again,) = scene.of(QuestionSeenAgain)
    assert (again.question, again.resumed) == (1, True)
    assert scene.looks[1:3] == [pytest.approx(2.0, abs=0.3), pytest.approx(12.0, abs=0.5)]
    assert [one.by for one in scene.of(Approved)] == ["olga"]
    assert len(scene.of(Asked)) == 1


def test_a_cluster_that_does_not_answer_suspends_the_question(scene: Scene) -> None:
    """With why it could not be asked."""
    scene.after(1, seen=None, results=[])
    scene.after(32, seen=SEEN, results=[GOOD])
    scene.ask_after(50, RequestKind.APPROVE)
    assert scene.ask()
    assert [one.why for one in scene.of(QuestionSuspended)] == ["the cluster does not answer"]


def test_a_question_that_is_bad_for_a_window_is_withdrawn(scene: Scene) -> None:
    """Counted from the first bad sample in a row; nothing holds the run then."""
    scene.after(1, results=[BAD])
    assert scene.ask() is False
    (withdrawn,) = scene.of(QuestionWithdrawn)
    assert (withdrawn.step, withdrawn.question) == ("swap", 1)
    assert withdrawn.why == (
        "its gates were not good for a window: ring-healthy: a member is gone"
    )
    assert scene.now == pytest.approx(60.0, abs=1.0)
    assert scene.now == scene.looks[-1]
    assert scene.of(Held) == []
    assert len(scene.of(QuestionSuspended)) == 1
    assert scene.desk.question == 0


def test_a_good_sample_between_begins_the_window_again(scene: Scene) -> None:
    """It is withdrawn only after a whole window of bad ones."""
    for begin, end in ((1, 45), (75, 2000)):
        scene.after(begin, results=[BAD])
        scene.after(end, results=[GOOD])
    assert scene.ask() is False
    assert len(scene.of(QuestionSuspended)) == 2
    assert len(scene.of(QuestionSeenAgain)) == 1
    assert scene.now > 75 + WINDOW


def test_other_evidence_withdraws_the_question_and_the_next_says_what_differs(
    scene: Scene,
) -> None:
    """Within one leg and step; another step or leg is not compared with."""
    scene.after(1, seen=fake.with_pod(SEEN, "cortex-ruler-0", ready=False))
    assert scene.ask() is False
    told = "pods: 1 pod, all Ready: ruler 1 -> 1 pod, not Ready: cortex-ruler-0: ruler 1"
    assert [one.why for one in scene.of(QuestionWithdrawn)] == [f"its evidence changed: {told}"]
    scene.ask(beforehand="olga")
    scene.ask(msgspec.structs.replace(AT, step="settle"), beforehand="olga")
    scene.ask(msgspec.structs.replace(AT, step="settle"), beforehand="olga")
    scene.questions.begin_leg()
    scene.ask(msgspec.structs.replace(AT, step="settle"), beforehand="olga")
    numbers = [one.seq for one in scene.journal.events() if isinstance(one.event, Asked)]
    asked = scene.of(Asked)
    assert [one.instead_of for one in asked] == [0, numbers[0], 0, numbers[2], 0]
    assert [one.differs for one in asked] == [(), (told,), (), (), ()]


def test_a_suspended_question_whose_evidence_changed_does_not_stand_again(scene: Scene) -> None:
    """It is gone, and nothing says that it was seen again."""
    scene.after(29, results=[BAD])
    scene.after(35, results=[GOOD], seen=fake.with_pod(SEEN, "cortex-ruler-0", ready=False))
    assert scene.ask() is False
    assert len(scene.of(QuestionSuspended)) == len(scene.of(QuestionWithdrawn)) == 1
    assert scene.of(QuestionSeenAgain) == []


def test_a_file_that_changed_withdraws_the_question_within_two_seconds(scene: Scene) -> None:
    """The run is held by what matters until it is as it was, and the question can be asked again."""
    scene.after(3, changed=(MOVED, BESIDE))
    scene.after(60, changed=())
    assert scene.ask() is False
    (withdrawn,) = scene.of(QuestionWithdrawn)
    assert withdrawn.why == "what the plan rests on changed: file values.yaml"
    (held,) = scene.of(Held)
    assert held.reason == "changed since the plan was made: file values.yaml"
    assert (held.step, held.limit) == ("swap", 1000.0)
    at = {type(one.event): one.at - scene.start for one in scene.journal.events()}
    assert 3 <= at[QuestionWithdrawn] <= 5
    assert at[Held] == at[QuestionWithdrawn]
    assert 60 <= at[Continued] <= 61
    (over,) = scene.of(Continued)
    assert over.by == "everything is again what the plan rests on"
    assert len(scene.attended) > 100
    assert scene.going_on == []
    assert scene.desk.holding == 0


def test_what_changed_beside_what_matters_withdraws_nothing(scene: Scene) -> None:
    """A fact that does not matter is no reason."""
    scene.after(3, changed=(BESIDE,))
    scene.ask_after(10, RequestKind.APPROVE)
    assert scene.ask()
    assert scene.of(QuestionWithdrawn) == []


def test_ground_that_changed_is_told_before_gates_that_are_bad(scene: Scene) -> None:
    """At the look that both are seen in."""
    scene.after(29.9, changed=(MOVED,), results=[BAD])
    scene.after(80, changed=())
    scene.ask_after(29.95, RequestKind.APPROVE)
    assert scene.ask() is False
    assert [one.why for one in scene.of(QuestionWithdrawn)] == [
        "what the plan rests on changed: file values.yaml"
    ]
    assert scene.of(QuestionSuspended) == []
    assert [one.why for one in scene.of(RequestVoid)] == ["the question was withdrawn"]


def held_by_ground(limit: float = 1000.0) -> Scene:
    """A question that is withdrawn because a file changed."""
    scene = Scene(limit)
    scene.after(3, changed=(MOVED,))
    return scene


def test_going_on_over_what_changed_ends_with_what_a_new_plan_would_do() -> None:
    """`continue` of that hold; `stop` ends the runner, and so does the end of its patience."""
    scene = held_by_ground()
    scene.refuses = True
    scene.ask_after(20, RequestKind.CONTINUE)
    with pytest.raises(PlanStaleError):
        scene.ask()
    assert scene.going_on == [AT]
    scene = held_by_ground()
    scene.ask_after(20, RequestKind.STOP)
    with pytest.raises(StopAskedError):
        scene.ask()
    scene = held_by_ground(limit=50.0)
    with pytest.raises(
        HeldTooLongError, match=r"at the step swap: changed since the plan was made"
    ):
        scene.ask()
    assert 53 <= scene.now <= 56


@pytest.mark.parametrize(
    ("kind", "error"), [(RequestKind.STOP, StopAskedError), (RequestKind.HOLD, None)]
)
def test_stop_and_hold_are_heeded_while_a_question_stands(
    scene: Scene, kind: RequestKind, error: type[Exception] | None
) -> None:
    """A hold withdraws it, with who asked, and takes no look more."""
    scene.ask_after(10, kind, question=0)
    asking: Callable[[], bool] = scene.ask
    if error is not None:
        with pytest.raises(error):
            asking()
        return
    assert asking() is False
    assert [one.why for one in scene.of(QuestionWithdrawn)] == ["ana asked to hold"]
    assert scene.looks == [0.0]
    assert scene.now == pytest.approx(10.0, abs=0.3)
    assert scene.of(Held) == []


def test_nobody_who_answers_ends_the_runner() -> None:
    """After as long as a hold lasts."""
    scene = Scene(limit=100.0)
    with pytest.raises(HeldTooLongError, match="an approval of the step swap"):
        scene.ask()
    assert scene.now == pytest.approx(100.0, abs=1.0)
    assert scene.of(Approved) == []
