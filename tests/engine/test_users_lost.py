"""What users lose in a rollout is said in plain sight, and somebody is asked before the next change."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
import release as fake
from quick_world import QuickWorld

from mimir_migrate.cli.pictures import status_lines
from mimir_migrate.engine.history import users_failed, users_lost
from mimir_migrate.engine.traffic import Tally, failed_words, worse_than_before
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import (
    Asked,
    ChangeDone,
    Event,
    GateJudged,
    RequestKind,
    StepStarted,
    UsersFailed,
    Verdict,
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
    (failed,) = of(world, UsersFailed)  # one at the old process, one at the new
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
