"""What steps take, beside the least that they can take: gates do not cost more than rollouts."""

from __future__ import annotations

import msgspec
import pytest
from small_values import SMALL
from virtual_world import VirtualWorld

from mimir_migrate.model.changes import Deploy, Outcome
from mimir_migrate.model.events import (
    ChangeDone,
    ChangeIntended,
    Continued,
    Event,
    GateJudged,
    GateResult,
    Held,
    LegStarted,
    Recorded,
    RunState,
    StepDone,
    StepStarted,
    Verdict,
)
from mimir_migrate.model.plan import Gate, Plan, Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store
from mimir_migrate.runs.floors import GOAL, ratio, step_times, words_of
from mimir_migrate.runs.report import render


def beating(product: Product, beat: str) -> bytes:
    """Values with heartbeats of 5 s, or the chart's own: the ingester's 2 m, the others' 1 m."""
    values, usual = SMALL[product], b"heartbeat_period: 10s"
    if beat == "5s":
        return values.replace(usual, b"heartbeat_period: 5s")
    slow = values.replace(usual, b"heartbeat_period: 2m", 1)
    return slow.replace(usual, b"heartbeat_period: 1m").replace(
        b"heartbeat_timeout: 1m", b"heartbeat_timeout: 10m"
    )


def walked(product: Product, beat: str, strategy: Strategy) -> VirtualWorld:
    """A world in which every ring was moved to DynamoDB, with samples as often as they are taken."""
    world = VirtualWorld(product, beating(product, beat))
    world.options = msgspec.structs.replace(world.options, gate_timeout=7200.0)
    world.target = msgspec.structs.replace(
        world.target,
        dynamodb=msgspec.structs.replace(
            world.target.dynamodb, puller_sync_time="5s" if beat == "5s" else "10s"
        ),
    )
    run = world.migrate(Store.DYNAMODB, (), strategy)
    assert world.ending(run).state is RunState.DONE, world.ending(run)
    assert world.lost_sight == 0, world.missed
    return world


def check(world: VirtualWorld) -> None:
    """The sum of the steps against the sum of their floors, and the report that says so."""
    events = world.store.journals["run-1"].events()
    times = step_times(events)
    done = [r.event.step for r in events if isinstance(r.event, StepDone)]
    assert [time.step for time in times] == done
    found = ratio(times)
    assert found is not None
    assert 1 <= found <= GOAL, times
    report = render("run-1", events, ".md")
    assert words_of(times) in report
    assert f"{found:.2f} times the least that they can take" in report


def test_gates_cost_little_more_than_the_least() -> None:
    """Static, three rollouts, heartbeats of 5 s."""
    check(walked(Product.CORTEX, "5s", Strategy.STATIC))


WALKS = [
    *((product, beat, Strategy.AUTO) for product in Product for beat in ("5s", "the chart's own")),
    (Product.CORTEX, "the chart's own", Strategy.STATIC),
]


@pytest.mark.soak
@pytest.mark.parametrize(("product", "beat", "strategy"), WALKS)
def test_gates_cost_little_more_than_the_least_whatever_the_heartbeats(
    product: Product, beat: str, strategy: Strategy
) -> None:
    """Both products, every ring, by the runtime configuration where it reaches one."""
    check(walked(product, beat, strategy))


def journal(world: VirtualWorld, plan: Plan, *timed: tuple[float, Event]) -> list[Recorded]:
    """Events at their times, after the start of a leg."""
    events: list[tuple[float, Event]] = [(0.0, LegStarted(purpose="apply", plan=plan)), *timed]
    return [
        Recorded(seq=number, at=at, event=event) for number, (at, event) in enumerate(events, 1)
    ]


def judged(gate: Gate, verdict: Verdict, good: int = 0, when: str = "after") -> GateJudged:
    """A judgement of one gate."""
    result = GateResult(gate=gate, verdict=verdict, summary="")
    return GateJudged(step="both", when=when, result=result, good_samples=good, window=1.0)


def test_the_floor_of_a_step_is_its_change_two_heartbeats_and_a_poll() -> None:
    """The change lasts until the last pod shows it; the time that somebody was waited for does not count."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])
    plan = world.plan(Store.DYNAMODB, ("ruler",))
    deploy = Deploy(
        deploy=plan.target.deploy, files=(), release="r", namespace="n", folder="", reason="both"
    )
    events = journal(
        world,
        plan,
        (10.0, StepStarted(step="both")),
        (20.0, Held(step="both", reason="approval", approval=True)),
        (120.0, Continued(step="both", by="olga")),
        (125.0, ChangeIntended(step="both", change=deploy)),
        (130.0, ChangeDone(step="both", outcome=Outcome(detail="done"))),
        (131.0, judged(Gate.ROLLOUT_OVER, Verdict.FAIL)),
        (160.0, judged(Gate.ROLLOUT_OVER, Verdict.PASS)),
        (161.0, judged(Gate.ROLLOUT_OVER, Verdict.FAIL)),
        (185.0, judged(Gate.ROLLOUT_OVER, Verdict.PASS)),
        (186.0, judged(Gate.SWITCH_FOLLOWED, Verdict.PASS)),
        (220.0, judged(Gate.ROLLOUT_OVER, Verdict.PASS, good=9)),
        (220.0, StepDone(step="both", heartbeat=10.0, poll=5.0)),
    )
    (found,) = step_times(events)
    assert found.took == 220 - 10 - 100
    assert found.change == 185 - 125
    assert found.floor == 60 + 2 * 10 + 5
    assert ratio((found,)) == 110 / 85
    assert "1.29 times" in words_of((found,))


def test_a_step_whose_heartbeats_are_not_known_is_left_out() -> None:
    """Journals of an earlier version do not tell; nothing is made up."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])
    plan = world.plan(Store.DYNAMODB, ("ruler",))
    events = journal(world, plan, (1.0, StepStarted(step="both")), (9.0, StepDone(step="both")))
    assert step_times(events) == ()
    assert words_of(()) == ""
