"""A step's question: asked on evidence, kept fresh, and passed only by an answer to that very question."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import ClassVar

import msgspec
import pytest
import release as fake
from quick_world import Dead, QuickWorld, asking

from mimir_migrate import __version__
from mimir_migrate.errors import BlockedError, ExitCode
from mimir_migrate.model.events import (
    Approved,
    Asked,
    ChangeIntended,
    Event,
    GateOverridden,
    Held,
    LegStarted,
    QuestionSeenAgain,
    QuestionSuspended,
    QuestionWithdrawn,
    Recorded,
    Request,
    RequestKind,
    RequestVoid,
    RunFinished,
    RunnerStarted,
    RunState,
    StepDone,
    StepStarted,
    Verdict,
    answers_of,
)
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Gate
from mimir_migrate.operations.requests import Wish, request_of
from mimir_migrate.runs import report
from mimir_migrate.runs.status import RunStatus, status_of

pytestmark = pytest.mark.usefixtures("brisk")

RULER = "cortex-ruler-0"
ASKS = ("swap", "settle")
"""The steps of the quick world's plan that ask."""


def of(world: QuickWorld, kind: type) -> list[Event]:
    """Events of one kind."""
    return [event for event in world.events() if isinstance(event, kind)]


def recorded(world: QuickWorld, kind: type) -> list[Recorded]:
    """The same with their numbers and times."""
    return [one for one in world.journal.events() if isinstance(one.event, kind)]


def now(world: QuickWorld) -> RunStatus:
    """Where the run stands."""
    journal = world.journal
    return status_of(
        "run-1", journal.events(), now=world.clock.now(), asked=journal.open_requests()
    )


def blind(seen: Inspection) -> Inspection:
    """A pod's page lacks every member."""
    return fake.with_view(seen, RULER, "ruler", members=())


def at_questions(world: QuickWorld, *acts: Callable[[int], None]) -> None:
    """Act at the first question, the second, …; each act gets the question's number."""
    left = list(acts)

    def hear(event: Event) -> None:
        if isinstance(event, Asked) and left:
            left.pop(0)(world.journal.events()[-1].seq)

    world.heard = hear


def approve(world: QuickWorld, after: float = 20.0) -> Callable[[int], None]:
    """Approve a question some time after it was asked."""
    return lambda number: world.clock.after(after, lambda: world.ask(RequestKind.APPROVE))


def test_the_question_has_its_evidence() -> None:
    """Every gate's verdict, the stores compared with their time, the pods, the time, the rollback."""
    world = QuickWorld()
    plan = world.start()
    world.run(plan, approve_all=False)
    (asked,) = of(world, Asked)
    step = next(one for one in plan.steps if one.id == "swap")
    assert (asked.step, asked.index, asked.of) == ("swap", 3, 4)
    assert {result.gate for result in asked.gates} == set(step.before)
    assert {result.verdict for result in asked.gates} == {Verdict.PASS}
    assert asked.stores == "ruler: both stores hold the same 2 members"
    assert "7 pods, all Ready: " in asked.pods
    assert "ingester 3" in asked.pods
    assert asked.duration == step.duration
    assert asked.rollback == step.way_back
    assert asked.back == tuple(one.id for one in step.back or ())
    (number,) = [one.seq for one in recorded(world, Asked)]
    assert asked.seen_at == recorded(world, Asked)[0].at
    assert now(world).state is RunState.HELD
    assert number


def test_an_approval_that_is_given_twice_approves_one_step() -> None:
    """The second one is void, with who was first; the next step asks for an answer of its own."""
    world = QuickWorld()
    plan = world.start()

    def twice(number: int) -> None:
        for by in ("olga@laptop", "ana@bastion"):
            wish = Wish(kind=RequestKind.APPROVE)
            world.journal.leave(asking(world.journal, wish, world.clock.now(), by))

    at_questions(world, twice)
    assert world.run(plan, approve_all=False) is ExitCode.BLOCKED
    (approved,) = of(world, Approved)
    assert (approved.step, approved.by) == ("swap", "olga@laptop")
    (void,) = of(world, RequestVoid)
    assert (void.by, void.kind) == ("ana@bastion", RequestKind.APPROVE)
    assert "olga@laptop approved it already" in void.why
    assert [event.step for event in of(world, StepDone)] == ["tables", "both", "swap"]
    assert not world.journal.open_requests()


def test_an_approval_before_anything_is_asked_is_void() -> None:
    """It does not lie in wait for the next question."""
    world = QuickWorld()
    plan = world.start()
    world.journal.leave(Request(kind=RequestKind.APPROVE, by="olga@laptop", run="run-1"))
    assert world.run(plan, approve_all=False) is ExitCode.BLOCKED
    (void,) = of(world, RequestVoid)
    assert "nothing waited" in void.why
    assert not of(world, Approved)


def test_requests_that_do_not_say_what_they_answer_are_void() -> None:
    """Those of version 0.1.0, whatever they ask."""
    world = QuickWorld()
    plan = world.start()
    for kind in RequestKind:
        world.journal.leave(
            Request(kind=kind, by="olga@laptop", reason="old", gate=Gate.USERS_FINE)
        )
    assert world.run(plan) is ExitCode.DONE
    assert [event.kind for event in of(world, RequestVoid)] == list(RequestKind)
    assert [leg.purpose for leg in of(world, LegStarted)] == ["apply"]


def test_a_bad_sample_suspends_the_question_and_an_approval_is_void_then() -> None:
    """The number stays; once the gates are good again it stands again and can be approved."""
    world = QuickWorld()
    plan = world.start()

    def spoil(number: int) -> None:
        world.spoil = blind
        world.ask(RequestKind.APPROVE)

    def heal(event: Event) -> None:
        if isinstance(event, QuestionSuspended):
            world.clock.after(5, lambda: setattr(world, "spoil", lambda seen: seen))
        if isinstance(event, QuestionSeenAgain) and event.resumed:
            world.ask(RequestKind.APPROVE)
        if isinstance(event, Asked):
            spoil(0) if event.step == "swap" else world.ask(RequestKind.APPROVE)

    world.heard = heal
    assert world.run(plan, approve_all=False) is ExitCode.DONE
    asked = [one.seq for one in recorded(world, Asked)]
    assert len(asked) == 2
    (suspended,) = of(world, QuestionSuspended)
    assert suspended.question == asked[0]
    assert "ring-healthy" in suspended.why
    (void,) = of(world, RequestVoid)
    assert "suspended" in void.why
    assert [event.question for event in of(world, Approved)] == asked
    assert not of(world, QuestionWithdrawn)


def test_a_question_that_is_bad_for_a_window_is_withdrawn() -> None:
    """What answers it is void; the gates are waited for, and another question is asked."""
    world = QuickWorld()
    plan = world.start()
    first: list[Request] = []

    def spoil(number: int) -> None:
        wish = Wish(kind=RequestKind.APPROVE)
        first.append(asking(world.journal, wish, world.clock.now()))
        world.spoil = blind
        world.clock.after(100, lambda: setattr(world, "spoil", lambda seen: seen))

    def late(number: int) -> None:
        world.journal.leave(first[0])
        world.clock.after(50, lambda: world.ask(RequestKind.APPROVE))

    at_questions(world, spoil, late)
    assert world.run(plan, approve_all=False) is ExitCode.BLOCKED
    (withdrawn,) = of(world, QuestionWithdrawn)
    numbers = [one.seq for one in recorded(world, Asked) if one.event.step == "swap"]
    assert withdrawn.question == numbers[0] == first[0].question
    (void,) = of(world, RequestVoid)
    assert "withdrawn" in void.why
    (approved,) = of(world, Approved)
    assert approved.question == numbers[1]
    second = [event for event in of(world, Asked) if event.step == "swap"][1]
    assert second.instead_of == numbers[0]


def test_evidence_that_changes_in_content_withdraws_the_question() -> None:
    """A pod more than was shown: the new question says what differs, and the old yes is void."""
    world = QuickWorld()
    plan = world.start()

    def another(seen: Inspection) -> Inspection:
        querier = next(one for one in seen.pods if one.pod.component == "querier")
        pod = msgspec.structs.replace(querier.pod, name="cortex-querier-b")
        return msgspec.structs.replace(
            seen, pods=(*seen.pods, msgspec.structs.replace(querier, pod=pod))
        )

    at_questions(world, lambda _: setattr(world, "spoil", another), approve(world))
    world.run(plan, approve_all=False)
    (withdrawn,) = of(world, QuestionWithdrawn)
    assert "7 pods, all Ready" in withdrawn.why
    first, second = (event for event in of(world, Asked) if event.step == "swap")
    assert first.differs == ()
    assert any("pods: " in words and "querier 2" in words for words in second.differs)
    assert [event.step for event in of(world, Approved)] == ["swap"]


def test_the_gates_are_looked_at_once_more_between_the_approval_and_the_change() -> None:
    """Bad in that moment: nothing is changed, however good the last sample was."""
    world = QuickWorld()
    plan = world.start()

    def spoil_and_approve(number: int) -> None:
        world.spoil = blind
        world.ask(RequestKind.APPROVE)

    at_questions(world, spoil_and_approve)
    assert world.run(plan, approve_all=False) is ExitCode.BLOCKED
    assert not of(world, Approved)
    assert of(world, RequestVoid)
    assert [event.step for event in of(world, StepDone)] == ["tables", "both"]


def test_what_was_approved_at_the_start_is_asked_and_answered_with_evidence() -> None:
    """`--yes`: the journal has the question, its evidence and who answered it beforehand."""
    world = QuickWorld()
    assert world.run(world.start()) is ExitCode.DONE
    assert [event.step for event in of(world, Asked)] == list(ASKS)
    approved = of(world, Approved)
    assert [(one.step, one.by, one.beforehand) for one in approved] == [
        ("swap", "olga@laptop", True),
        ("settle", "olga@laptop", True),
    ]
    text = report.to_markdown("run-1", world.journal.events())
    assert "approved beforehand at start" in text
    assert "both stores hold the same 2 members" in text
    assert "went on" not in text


def test_what_was_approved_at_the_start_does_not_cover_a_gate_that_was_overridden() -> None:
    """`--yes` answers only when every gate passes; somebody has to look at this one."""
    world = QuickWorld()
    plan = world.start()

    def pending(seen: Inspection) -> Inspection:
        release = msgspec.structs.replace(seen.release, status="pending-upgrade")
        return msgspec.structs.replace(seen, release=release)

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "swap":
            world.spoil = pending
            world.ask(RequestKind.OVERRIDE, Gate.NOTHING_ELSE_MOVES)

    world.heard = hear
    assert world.run(plan) is ExitCode.BLOCKED
    (override,) = of(world, GateOverridden)
    assert (override.step, override.when) == ("swap", "before")
    (asked,) = of(world, Asked)
    bad = [one.gate for one in asked.gates if one.verdict is not Verdict.PASS]
    assert bad == [Gate.NOTHING_ELSE_MOVES]
    assert not of(world, Approved)


def test_an_override_for_a_step_is_void_once_the_step_is_over() -> None:
    """It was for that occurrence and does not lie in wait for another."""
    world = QuickWorld()
    plan = world.start()

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "both":
            world.ask(RequestKind.OVERRIDE, Gate.NOTHING_ELSE_MOVES)

    world.heard = hear
    assert world.run(plan) is ExitCode.DONE
    assert not of(world, GateOverridden)
    (void,) = of(world, RequestVoid)
    assert (void.kind, void.step) == (RequestKind.OVERRIDE, "both")


def test_the_report_says_who_approved_which_step_when() -> None:
    """In its own table and in the story."""
    world = QuickWorld()
    at_questions(world, approve(world), approve(world))
    assert world.run(world.start(), approve_all=False) is ExitCode.DONE
    text = report.to_markdown("run-1", world.journal.events())
    assert "## Approvals" in text
    assert "approved swap: olga@laptop, " in text
    assert "| swap | olga@laptop: because |" in text
    status = now(world)
    assert [(one.step, one.by) for one in status.approvals] == [
        ("swap", "olga@laptop"),
        ("settle", "olga@laptop"),
    ]


def test_a_request_is_refused_where_nothing_waits_for_it() -> None:
    """With what the run does and who approved; nothing is left for the runner."""
    world = QuickWorld()
    at_questions(world, approve(world), approve(world))
    world.run(world.start(), approve_all=False)
    with pytest.raises(BlockedError, match=r"it is done.*olga@laptop approved settle at"):
        request_of(now(world), Wish(kind=RequestKind.APPROVE), by="ana@bastion")
    with pytest.raises(BlockedError, match="is not held"):
        request_of(now(world), Wish(kind=RequestKind.CONTINUE), by="ana@bastion")


def test_an_approval_of_another_step_is_refused() -> None:
    """`approve --step settle` while `swap` waits."""
    world = QuickWorld()
    seen: list[RunStatus] = []
    at_questions(world, lambda _: seen.append(now(world)))
    world.run(world.start(), approve_all=False)
    with pytest.raises(
        BlockedError, match="waits for an approval of swap, step 3 of 4, not of settle"
    ):
        request_of(seen[0], Wish(kind=RequestKind.APPROVE, step="settle"), by="ana@bastion")
    request = request_of(seen[0], Wish(kind=RequestKind.APPROVE, step="swap"), by="ana@bastion")
    (leg,) = recorded(world, LegStarted)
    (asked,) = recorded(world, Asked)
    assert (request.run, request.leg, request.step, request.question) == (
        "run-1",
        leg.seq,
        "swap",
        asked.seq,
    )


@pytest.mark.parametrize("version", ["0.1.0", "9.9.9"])
def test_a_runner_of_another_version_takes_what_is_safe_only(version: str) -> None:
    """`approve` names the version; `hold`, `stop` and `rollback` are left in the runner's form."""
    world = QuickWorld()
    seen: list[RunStatus] = []
    at_questions(world, lambda _: seen.append(now(world)))
    world.run(world.start(), approve_all=False)
    assert seen[0].runner_version == __version__
    other = msgspec.structs.replace(seen[0], runner_version=version)
    for kind in (RequestKind.APPROVE, RequestKind.CONTINUE, RequestKind.OVERRIDE):
        with pytest.raises(BlockedError, match=version):
            request_of(other, Wish(kind=kind, gate=Gate.USERS_FINE), by="ana@bastion")
    for kind in (RequestKind.HOLD, RequestKind.STOP, RequestKind.ROLLBACK):
        request = request_of(other, Wish(kind=kind, reason="why"), by="ana@bastion")
        assert (request.kind, request.by, request.reason) == (kind, "ana@bastion", "why")
        assert bool(request.run) == (version != "0.1.0")


# --- at random ----------------------------------------------------------------------------------


class Chance:
    """Two operators who ask at random, gates that flap, and runners that die: the same for its seed."""

    WEIGHTS: ClassVar = {
        RequestKind.APPROVE: 24,
        RequestKind.CONTINUE: 12,
        RequestKind.HOLD: 4,
        RequestKind.OVERRIDE: 4,
        RequestKind.STOP: 1,
        RequestKind.ROLLBACK: 1,
    }

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.world = QuickWorld()
        self.plan = self.world.start()
        self.seen: list[Request] = []
        """What was once right to ask, asked again at any time later."""
        self.flapping = self.rng.choice((0.0, 0.1, 1.0))
        """How often a sample is bad; 1: every other one, as if it followed the runner's own looks."""
        self.was_bad = False
        self.world.heard = self.hear
        self.world.spoil = self.look

    def look(self, seen: Inspection) -> Inspection:
        """Now and then a sample is bad, and somebody asks in that very instant."""
        if self.rng.random() < 0.05:
            self.ask()
        self.was_bad = not self.was_bad and self.rng.random() < self.flapping * self.steady()
        return blind(seen) if self.was_bad else seen

    def steady(self) -> float:
        """Gates that flap at each sample do so while a question stands: before it none would be asked."""
        if self.flapping < 1:
            return 1.0
        events = self.world.journal.events()
        questions = Asked | Approved | QuestionWithdrawn
        last = next((one.event for one in reversed(events) if isinstance(one.event, questions)), 0)
        return float(isinstance(last, Asked))

    def hear(self, event: Event) -> None:
        """At some events, those of questions above all, somebody asks, or the runner dies."""
        questions = Asked | QuestionSuspended | QuestionWithdrawn | QuestionSeenAgain | Held
        often = 0.5 if isinstance(event, questions) else 0.02
        if self.rng.random() < often:
            self.ask()
        if isinstance(event, Asked) and self.rng.random() < 0.5:
            for _ in range(self.rng.randint(1, 2)):
                self.world.clock.after(self.rng.uniform(0, 40), self.ask)
        if self.rng.random() < 0.01:
            raise Dead

    def ask(self) -> None:
        """One of two operators asks something, for what stands or for what stood once."""
        world, rng = self.world, self.rng
        by = rng.choice(("olga@laptop", "ana@bastion"))
        if self.seen and rng.random() < 0.4:
            world.journal.leave(msgspec.structs.replace(rng.choice(self.seen), by=by))
            return
        kind = rng.choices(
            (*RequestKind,),
            weights=[self.WEIGHTS[kind] for kind in RequestKind],
        )[0]
        wish = Wish(kind=kind, reason="x", gate=Gate.RING_HEALTHY, seconds=200.0)
        request = asking(world.journal, wish, world.clock.now(), by)
        self.seen.append(request)
        world.journal.leave(request)

    def walk(self) -> None:
        """One runner after the other, until the run is over or there were enough."""
        for purpose in ("apply", *["resume"] * 5):
            ended = self.world.run(self.plan, purpose, approve_all=False)
            if ended in {ExitCode.DONE, ExitCode.ROLLED_BACK}:
                return


def check_answers(world: QuickWorld) -> set[str]:
    """No step that asks was changed without an answer to its question; each request has one answer.

    Returns:
        What came about, so that a test can tell that its schedules reach everything.
    """
    standing: tuple[int, str] | None = None
    suspended = under_way = rolling_back = False
    approved = ""
    asks: set[str] = set()
    answered: list[str] = []
    reached: set[str] = set()
    for one in world.journal.events():
        event = one.event
        reached.add(type(event).__name__)
        answered += answers_of(event)
        match event:
            case LegStarted(purpose="rollback", answers=answers):
                # No step of a rollback asks, so somebody has to have asked for the rollback itself.
                assert answers or rolling_back
                rolling_back = True
                reached.add("rolled back")
                asks, standing, approved, under_way = set(), None, "", False
            case LegStarted(plan=plan):
                # A step that a dead runner had begun is carried on, and no longer asks.
                assert not rolling_back, "a rollback turned round by itself"
                asks = {one.id for one in plan.steps if one.crossing or one.closes_way_back}
                standing, approved, under_way = None, "", False
            case RunnerStarted() | StepStarted():
                standing, approved, under_way = None, "", False
            case Asked(step=step):
                assert standing is None
                standing, suspended, approved = (one.seq, step), False, ""
            case QuestionSuspended(question=number):
                assert standing is not None
                assert number == standing[0]
                suspended = True
            case QuestionSeenAgain(resumed=True):
                suspended = False
            case QuestionWithdrawn():
                standing = None
            case Held() if not under_way:
                # Whatever was answered before a hold is asked again after it.
                approved = ""
            case Approved(step=step, question=number, answers=answers):
                assert standing == (number, step)
                assert not suspended
                assert len(answers) == 1
                approved, standing = step, None
            case RunFinished(state=RunState.STOPPED):
                reached.add("stopped")
            case ChangeIntended(step=step) if step in asks:
                assert approved == step, one.seq
                under_way = True
            case _:
                pass
    assert len(answered) == len(set(answered)), "a request was answered twice"
    return reached


def test_no_step_that_asks_is_passed_without_an_answer_to_its_question() -> None:
    """Whoever asks what and when, whatever flaps, and whoever dies."""
    reached: set[str] = set()
    done = 0
    for seed in range(25):
        chance = Chance(seed)
        chance.walk()
        try:
            reached |= check_answers(chance.world)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        done += "settle" in [event.step for event in of(chance.world, StepDone)]
    wanted = {"Approved", "RequestVoid", "QuestionSuspended", "QuestionWithdrawn", "Continued"}
    assert wanted | {"rolled back", "stopped"} <= reached
    assert done, "no schedule came to the end"


@pytest.mark.soak
@pytest.mark.parametrize("block", range(20))
def test_no_step_that_asks_is_passed_in_many_more_schedules(block: int) -> None:
    """The same, a hundred at a time."""
    for seed in range(1000 + 100 * block, 1100 + 100 * block):
        chance = Chance(seed)
        chance.walk()
        check_answers(chance.world)
