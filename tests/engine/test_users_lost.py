"""What users lose in a rollout is said in plain sight, and somebody is asked before the next change."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
import release as fake
from quick_world import QuickWorld

from mimir_migrate.cli.pictures import status_lines
from mimir_migrate.engine.history import users_failed, users_lost
from mimir_migrate.engine.tally import Tally
from mimir_migrate.engine.traffic import failed_words, worse_than_before
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import (
    Asked,
    ChangeDone,
    ChangeIntended,
    Event,
    GateJudged,
    Held,
    LegStarted,
    Recorded,
    RequestKind,
    StepDone,
    StepStarted,
    UsersFailed,
    Verdict,
    WayBackFound,
)
from mimir_migrate.model.facts import Counters, Inspection
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import StoreState
from mimir_migrate.runs.handing_over import hand_over
from mimir_migrate.runs.report import render
from mimir_migrate.runs.status import status_of

pytestmark = pytest.mark.usefixtures("brisk")

DISTRIBUTOR = "cortex-distributor-0"


def failing(number: float) -> Callable[[Inspection], Inspection]:
    """So many pushes have failed at the distributor since it started."""
    return lambda seen: fake.with_counters(seen, DISTRIBUTOR, failed_pushes=number)


def fail_at(world: QuickWorld, step: str, number: float) -> None:
    """Let pushes fail while a step's change is under way, too few to fail the gate."""
    at = ""

    def hear(event: Event) -> None:
        nonlocal at
        if isinstance(event, StepStarted):
            if at == step:
                world.spoil = lambda seen: seen  # the pods of the next rollout count from zero
            at = event.step
        if isinstance(event, ChangeDone) and at == step:
            world.spoil = failing(number)
        if isinstance(event, Asked):
            world.clock.after(20, lambda: world.ask(RequestKind.APPROVE))

    world.heard = hear


def of(world: QuickWorld, kind: type) -> list[Event]:
    """Events of one kind."""
    return [event for event in world.events() if isinstance(event, kind)]


def test_a_failed_push_is_said_wherever_somebody_looks() -> None:
    """The gate passed, for it is noise to it; log, status, hand-over and report say it all the same."""
    world = QuickWorld()
    fail_at(world, "both", 1.0)
    assert world.run(world.start()) is ExitCode.DONE
    judged = [e.result for e in of(world, GateJudged) if e.result.gate is Gate.USERS_FINE]
    assert not [result for result in judged if result.verdict is Verdict.FAIL]
    first, *_, failed = of(world, UsersFailed)  # one at the old process, one at the new
    assert (first.step, first.users.failed_pushes) == ("both", 1.0)
    assert (failed.step, failed.users.failed_pushes, failed.worse) == ("both", 2.0, True)
    events = world.journal.events()
    status = status_of("run-1", events, now=events[-1].at)
    (said,) = status.users_failed
    assert said.startswith("2 of ")
    assert said.endswith(" pushes failed in the step both")
    for text in (
        "\n".join(status_lines(status, events[-1].at)),
        hand_over(status),
        render("run-1", events, ".md"),
        render("run-1", events, ".html"),
    ):
        assert said in text


def test_after_a_rollout_in_which_users_failed_somebody_is_asked() -> None:
    """Beforehand approval does not cover the step after it, which asks and says what was lost."""
    world = QuickWorld()
    fail_at(world, "both", 1.0)
    assert world.run(world.start(), approve_all=True) is ExitCode.DONE
    asked = [event.step for event in of(world, Asked)]
    first = next(event for event in of(world, Asked) if event.step == "swap")
    assert "pushes failed in the step both" in first.title
    settle = [event for event in of(world, Asked) if event.step == "settle"]
    assert all("failed" not in event.title for event in settle)
    assert asked[0] == "swap"
    waited = of(world, Asked) and world.journal.open_requests() == ()
    assert waited


def test_nobody_who_is_not_there_lets_it_go_on() -> None:
    """With everything approved at the start and nobody to answer, it ends held before the next change."""
    world = QuickWorld()
    fail_at(world, "both", 1.0)
    heard = world.heard

    def deaf(event: Event) -> None:
        if not isinstance(event, Asked):
            heard(event)

    world.heard = deaf
    assert world.run(world.start(), approve_all=True) is ExitCode.BLOCKED
    assert world.ending().state.value == "held"


def test_without_failures_nothing_is_said() -> None:
    """And what was approved at the start stays approved."""
    world = QuickWorld()
    assert world.run(world.start(), approve_all=True) is ExitCode.DONE
    assert not of(world, UsersFailed)
    assert not users_failed(world.journal.events())
    assert users_lost(world.journal.events()) == ""


@pytest.mark.parametrize(
    ("users", "baseline", "worse"),
    [
        (Counters(pushes=1000.0, failed_pushes=1.0), None, True),
        (Counters(pushes=1000.0, failed_pushes=0.0), None, False),
        (
            Counters(pushes=1000.0, failed_pushes=9.0),
            Counters(pushes=1000.0, failed_pushes=5.0),
            False,
        ),
        (
            Counters(pushes=1000.0, failed_pushes=11.0),
            Counters(pushes=1000.0, failed_pushes=5.0),
            True,
        ),
        (
            Counters(queries=10.0, failed_queries=1.0),
            Counters(pushes=9.0, failed_pushes=9.0),
            True,
        ),
    ],
)
def test_more_than_the_baseline_lets_expect(
    users: Counters, baseline: Counters | None, worse: bool
) -> None:
    """A cluster in which some requests fail all day does not ask at each step."""
    assert worse_than_before(users, baseline) is worse


def test_failures_add_up_over_a_step() -> None:
    """Sample by sample; a sample in which a pod is silent is made good by the next."""
    tally = Tally()

    def at(seconds: float, failed: float, *, silent: bool = False) -> Inspection:
        seen = fake.release(Product.CORTEX, StoreState.MEMBERLIST, at=fake.NOW + seconds)
        seen = fake.with_counters(seen, DISTRIBUTOR, failed_pushes=failed)
        return fake.with_facts(seen, DISTRIBUTOR, counters=None) if silent else seen

    tally.take(at(0, 5))
    tally.begin()
    for sample in (at(10, 7), at(20, 8, silent=True), at(30, 12)):
        tally.take(sample)
    assert tally.users.failed_pushes == 7
    assert failed_words(tally.users).startswith("7 of ")
    tally.begin()
    tally.take(at(40, 12))
    assert failed_words(tally.users) == ""
    words = failed_words(msgspec.structs.replace(tally.users, failed_rule_evaluations=2.0))
    assert words.endswith(" rule evaluations failed")


def seen(seconds: float, failed: float | None, *, ready: bool = True) -> Inspection:
    """A release whose distributor has failed so many pushes; None: it does not tell."""
    found = fake.release(Product.CORTEX, StoreState.MEMBERLIST, at=fake.NOW + seconds)
    if failed is None:
        return fake.with_facts(found, DISTRIBUTOR, counters=None)
    found = fake.with_counters(found, DISTRIBUTOR, failed_pushes=failed)
    return found if ready else fake.with_pod(found, DISTRIBUTOR, ready=False)


def without_pod(inspection: Inspection, name: str) -> Inspection:
    """Once a pod is gone."""
    left = tuple(facts for facts in inspection.pods if facts.pod.name != name)
    return msgspec.structs.replace(inspection, pods=left)


def test_a_pod_that_is_being_stopped_is_counted_as_long_as_it_tells() -> None:
    """It is not Ready any more and answers users all the same."""
    tally = Tally()
    tally.take(seen(0, 5))
    tally.begin()
    assert tally.take(seen(5, 8, ready=False))
    assert not tally.take(without_pod(seen(10, 8), DISTRIBUTOR))
    assert tally.users.failed_pushes == 3


def test_a_silent_pod_keeps_nothing_of_the_others_from_being_counted() -> None:
    """While one is silent another fails a push and is gone before the silent one tells again."""
    other = "cortex-ruler-0"
    tally = Tally()
    tally.take(seen(0, 0))
    tally.begin()
    grown = fake.with_counters(seen(5, None), other, pushes=1.0, failed_pushes=1.0)
    tally.take(grown)
    tally.take(without_pod(seen(10, 2), other))
    assert tally.users.failed_pushes == 3


def test_failures_before_the_first_word_of_a_pod_are_nobodys() -> None:
    """A pod that was silent when the count began may have failed those a week ago."""
    tally = Tally()
    tally.take(seen(0, None))
    tally.begin()
    tally.take(seen(5, 40))
    tally.take(seen(10, 41))
    assert tally.users.failed_pushes == 1


def kept(tally: Tally) -> list[Recorded]:
    """What a journal has of a count."""
    event = StepStarted(step="both", counted=tally.kept())
    return [Recorded(seq=1, at=fake.NOW, event=event)]


def test_the_runner_after_one_that_was_killed_counts_on_from_what_that_one_kept() -> None:
    """Pushes that fail while no runner lives are in the report, also those of pods that came meanwhile."""
    tally = Tally()
    tally.take(seen(0, 5))
    after = Tally()
    after.go_on(kept(tally))
    assert after.take(seen(30, 9))
    assert after.users.failed_pushes == 4
    started_again = fake.with_facts(seen(30, 2), DISTRIBUTOR, started_at=fake.NOW + 20)
    after = Tally()
    after.go_on(kept(tally))
    after.take(started_again)
    assert after.users.failed_pushes == 2


def test_rules_that_failed_before_a_later_runner_looked_are_nobodys() -> None:
    """No journal keeps rules, so only those of a ruler that came meanwhile are counted whole."""

    def ruling(seconds: float, started_at: float) -> Inspection:
        only_rules = Counters(rule_evaluations=1206.0, failed_rule_evaluations=114.0)
        return fake.with_facts(
            seen(seconds, 5), "cortex-ruler-0", counters=only_rules, started_at=started_at
        )

    tally = Tally()
    tally.take(ruling(0, fake.NOW - 3600))
    after = Tally()
    after.go_on(kept(tally))
    assert not after.take(ruling(30, fake.NOW - 3600))
    after = Tally()
    after.go_on(kept(tally))
    assert after.take(ruling(30, fake.NOW + 20))
    assert after.users.failed_rule_evaluations == 114


def test_what_failed_between_two_runners_is_lost_in_the_step_of_the_first() -> None:
    """It goes on from what that one had said, and the step after it starts from nothing."""
    tally = Tally()
    tally.take(seen(0, 5))
    tally.begin()
    tally.take(seen(5, 7))
    said = UsersFailed(step="swap", users=tally.users, worse=True, counted=tally.kept())
    events = [
        Recorded(seq=1, at=fake.NOW, event=StepStarted(step="swap")),
        Recorded(seq=2, at=fake.NOW, event=said),
    ]
    after = Tally()
    assert after.go_on(events) == "swap"
    after.take(seen(60, 12))
    assert after.users.failed_pushes == 7
    assert after.go_on(events) == ""
    after.begin()
    after.take(seen(65, 12))
    assert not after.users.failed_pushes


def test_pushes_that_failed_while_no_runner_lived_are_said_by_the_next_one() -> None:
    """In the step that was under way, before anything else is planned; and the run asks before it goes on."""
    whole = QuickWorld()
    whole.run(whole.start())
    made = [n for n, e in enumerate(whole.events(), 1) if isinstance(e, ChangeDone)]
    both = [n for n in made if whole.events()[n - 1].step == "both"]
    world = QuickWorld()
    plan = world.start()
    world.journal.dies_at = both[-1]
    assert world.run(plan) is None
    world.journal.dies_at = 0
    world.spoil = failing(4)
    world.heard = lambda event: (
        world.clock.after(20, lambda: world.ask(RequestKind.APPROVE))
        if isinstance(event, Asked)
        else None
    )
    assert world.run(plan, "resume") is ExitCode.DONE
    events = world.events()
    first = next(n for n, event in enumerate(events) if isinstance(event, UsersFailed))
    assert (events[first].step, events[first].users.failed_pushes) == ("both", 4.0)
    assert [event for event in events[first:] if isinstance(event, LegStarted)]
    assert next(event.step for event in of(world, Asked)) in {"both", "swap"}


def test_what_failed_between_two_runners_is_held_against_what_was_usual_before_the_run() -> None:
    """Where pushes failed all along as often, what was approved at the start covers the next steps."""

    def usual(seen: Inspection) -> Inspection:
        pushes = seen.at - fake.NOW + 1000.0
        return fake.with_counters(seen, DISTRIBUTOR, pushes=pushes, failed_pushes=pushes / 2)

    def both_done(world: QuickWorld) -> int:
        done = [n for n, e in enumerate(world.events(), 1) if isinstance(e, ChangeDone)]
        return [n for n in done if world.events()[n - 1].step == "both"][-1]

    whole = QuickWorld()
    whole.spoil = usual
    whole.run(whole.start())
    world = QuickWorld()
    world.spoil = usual
    plan = world.start()
    world.journal.dies_at = both_done(whole)
    assert world.run(plan) is None
    world.journal.dies_at = 0
    assert world.run(plan, "resume") is ExitCode.DONE
    lost = of(world, UsersFailed)
    assert lost
    assert not [event for event in lost if event.worse]


def test_a_count_that_nobody_kept_begins_with_its_first_sample() -> None:
    """Journals of earlier versions keep none; rules are never kept, so they begin there too."""
    tally = Tally()
    tally.go_on([Recorded(seq=1, at=fake.NOW, event=StepStarted(step="both"))])
    assert not tally.take(seen(0, 7))
    ruled = fake.with_counters(seen(5, 7), "cortex-ruler-0", failed_rule_evaluations=50.0)
    tally = Tally()
    tally.take(ruled)
    after = Tally()
    after.go_on(kept(tally))
    assert not after.take(ruled)


def test_what_failed_in_a_step_that_does_not_end_is_said_all_the_same() -> None:
    """The rollback is asked for while its gates are waited for: the report has what users lost."""
    world = QuickWorld()
    fail_at(world, "both", 3.0)
    heard = world.heard

    def hear(event: Event) -> None:
        heard(event)
        if isinstance(event, ChangeDone) and event.step == "both" and not of(world, WayBackFound):
            world.clock.after(9, lambda: world.ask(RequestKind.ROLLBACK))

    world.heard = hear
    world.run(world.start())
    assert "both" not in {e.step for e in before_rollback(world) if isinstance(e, StepDone)}
    failed = [event for event in before_rollback(world) if isinstance(event, UsersFailed)]
    assert failed
    assert failed[-1].users.failed_pushes


def before_rollback(world: QuickWorld) -> list[Event]:
    """What is in the journal before the rollback was planned."""
    events = world.events()
    end = next(n for n, event in enumerate(events) if isinstance(event, WayBackFound))
    return events[:end]


def test_a_step_that_is_held_has_its_whole_total() -> None:
    """The last failures come too soon after a word on others to be said at once, and nothing fails later."""
    world = QuickWorld()
    asked: list[float] = []

    def more(seen: Inspection) -> Inspection:
        if not asked:
            asked.append(world.clock.now())
            world.ask(RequestKind.HOLD)
        return failing(5.0)(seen)

    def hear(event: Event) -> None:
        if isinstance(event, ChangeDone) and event.step == "both":
            world.spoil = failing(1.0)
        if isinstance(event, UsersFailed) and not asked:
            world.spoil = more

    world.heard = hear
    assert world.run(world.start()) is ExitCode.BLOCKED
    assert world.ending().state.value == "held"
    events = world.journal.events()
    held = next(n for n, one in enumerate(events) if isinstance(one.event, Held))
    before = [one.event for one in events[:held] if isinstance(one.event, UsersFailed)]
    assert before[-1].users.failed_pushes == 5.0
    (said,) = status_of("run-1", events, now=events[-1].at).users_failed
    last = of(world, UsersFailed)[-1]
    assert said.startswith(f"{last.users.failed_pushes:.0f} of ")


def test_a_total_that_was_not_said_in_time_is_said_by_a_later_sample() -> None:
    """Nothing fails any more by then, no process starts again, and the run waits for its gates."""
    world = QuickWorld()
    told: list[Event] = []

    def hear(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "both":
            world.spoil = failing(50.0)
        if isinstance(event, UsersFailed) and not told:
            world.spoil = failing(60.0)
        if not any(isinstance(one, ChangeIntended) for one in told):
            told.extend([event] if isinstance(event, UsersFailed) else [])
        if isinstance(event, ChangeIntended) and event.step == "both":
            told.append(event)

    world.heard = hear
    world.run(world.start())
    before = [event.users.failed_pushes for event in told if isinstance(event, UsersFailed)]
    assert before == [50.0, 60.0]


def test_a_step_that_a_later_runner_goes_on_with_has_one_total() -> None:
    """What failed before the first runner died, meanwhile, and after it; a rollback's is its own."""
    world = QuickWorld()
    fail_at(world, "both", 1.0)
    plan = world.start()
    heard = world.heard
    dying = []

    def hear(event: Event) -> None:
        heard(event)
        if isinstance(event, UsersFailed) and event.step == "both" and not dying:
            dying.append(event)
            world.journal.dies_at = 2
            world.spoil = failing(4.0)

    world.heard = hear
    assert world.run(plan) is None
    dead = status_of("run-1", world.journal.events(), now=world.clock.now()).users_failed
    assert [words.partition(" of ")[0] for words in dead] == ["1"]
    world.heard = heard
    assert world.run(plan, "resume") is ExitCode.DONE
    events = world.journal.events()
    by_leg: dict[int, float] = {}
    leg = 0
    for one in events:
        leg += isinstance(one.event, LegStarted)
        if isinstance(one.event, UsersFailed) and one.event.step == "both":
            by_leg[leg] = one.event.users.failed_pushes or 0.0
    assert len(by_leg) == 2
    said = [
        w
        for w in status_of("run-1", events, now=world.clock.now()).users_failed
        if w.endswith("both")
    ]
    assert [words.partition(" of ")[0] for words in said] == [f"{sum(by_leg.values()):.0f}"]
