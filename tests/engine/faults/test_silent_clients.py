"""Pods whose metrics are silent about a client: a run may hold, and going back stays possible."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from quick_world import PRODUCT, QuickWorld

from mimir_migrate.errors import ExitCode
from mimir_migrate.inspection.fold import with_inference
from mimir_migrate.inspection.summary import summarize
from mimir_migrate.model.events import GateJudged, LegStarted, RollbackJudged, StepDone, Verdict
from mimir_migrate.model.facts import Inspection, PodFacts, RuntimeView
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.rings import ring_named
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState
from mimir_migrate.runs.status import status_of

RING = "ingester"


def silent(
    component: str, load: Callable[[RuntimeView], RuntimeView] = lambda runtime: runtime
) -> Callable[[Inspection], Inspection]:
    """An inspection in which a component's metrics say nothing of its client of the ring."""
    ring = ring_named(PRODUCT, RING)
    assert ring is not None

    def hidden(facts: PodFacts) -> PodFacts:
        view = facts.ring(RING)
        if facts.pod.component != component or view is None:
            return facts
        runtime = load(
            msgspec.structs.replace(
                facts.runtime or RuntimeView(), file="runtime.yaml", reload_successful=True
            )
        )
        bare = with_inference(msgspec.structs.replace(view, clients=()), ring, runtime)
        others = tuple(one for one in facts.rings if one.ring != RING)
        return msgspec.structs.replace(facts, rings=(bare, *others))

    def spoil(inspection: Inspection) -> Inspection:
        pods = tuple(hidden(facts) for facts in inspection.pods)
        return msgspec.structs.replace(
            inspection, pods=pods, rings=summarize(inspection.product, pods)
        )

    return spoil


def test_a_run_that_a_silent_client_holds_can_be_rolled_back() -> None:
    """The way first mirrors and writes the primary out, and only then leaves the second store."""
    world = QuickWorld()
    world.spoil = silent("querier")
    plan = world.start(rings=(RING,))

    held = world.run(plan)
    back = world.run(plan, "rollback")

    assert held is not ExitCode.DONE
    assert back is ExitCode.DONE
    leg = [event for event in world.events() if isinstance(event, LegStarted)][-1]
    assert [step.id for step in leg.plan.steps] == ["mirror", "settle", "clear"]
    assert leg.plan.steps[0].runtime == RuntimeBlock(primary="memberlist", mirror_enabled=True)
    view = world.inspect().ring(RING)
    assert view is not None
    assert view.states == (StoreState.MEMBERLIST,)
    assert world.files["values.yaml"] == QuickWorld().files["values.yaml"]


def test_going_on_from_the_second_store_waits_for_equal_stores() -> None:
    """A rollback after the switch mirrors, is proven equal, switches, and leaves while it mirrors."""
    world = QuickWorld()
    plan = world.start(rings=(RING,))
    world.heard = lambda event: (
        setattr(world, "spoil", silent("querier"))
        if isinstance(event, StepDone) and event.step == "switch"
        else None
    )
    assert world.run(plan) is not ExitCode.DONE

    assert world.run(plan, "rollback") is ExitCode.DONE

    events = world.events()
    start = max(number for number, event in enumerate(events) if isinstance(event, LegStarted))
    leg = events[start]
    assert isinstance(leg, LegStarted)
    assert [step.id for step in leg.plan.steps] == ["mirror", "switch", "settle", "clear"]
    equal = [
        event.step
        for event in events[start:]
        if isinstance(event, GateJudged)
        and event.result.gate is Gate.STORES_EQUAL
        and event.result.verdict is Verdict.PASS
    ]
    assert equal[0] == "mirror"


def test_where_inferences_differ_status_does_not_call_going_back_open() -> None:
    """One pod says that it has loaded another block than the others read by."""
    world = QuickWorld()
    world.spoil = silent("querier")
    plan = world.start(rings=(RING,))
    other = RuntimeBlock(primary=Store.DYNAMODB.value, mirror_enabled=True)
    world.heard = lambda event: (
        setattr(
            world,
            "spoil",
            silent("querier", lambda view: msgspec.structs.replace(view, block=other)),
        )
        if isinstance(event, StepDone | GateJudged) and event.step == "both"
        else None
    )

    world.run(plan)

    judged = [event for event in world.events() if isinstance(event, RollbackJudged)]
    assert judged
    assert "differs between pods" in judged[-1].blocked
    status = status_of("run-1", world.journal.events(), now=world.clock.now())
    assert status.way_back.startswith("closed: ")
    assert status.way_back_steps is None

    assert world.run(plan, "rollback") is ExitCode.BLOCKED
    status = status_of("run-1", world.journal.events(), now=world.clock.now())
    assert status.way_back.startswith("closed: ")
