"""A sandbox at 60 times the speed reads like one in real time: texts are compared, numbers are not touched."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from functools import cache

import msgspec
import pytest
from small_values import SMALL
from virtual_world import VirtualWorld

from mimir_migrate.cli.pictures import print_look, print_plan, status_lines
from mimir_migrate.model.events import GateJudged, WaitStarted
from mimir_migrate.model.plan import Plan
from mimir_migrate.model.rings import Product
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.model.stores import Store
from mimir_migrate.model.target import SimulationTarget, TableTarget
from mimir_migrate.operations import Look
from mimir_migrate.plans import costs
from mimir_migrate.plans.choices import choices
from mimir_migrate.plans.export import to_markdown
from mimir_migrate.plans.planner import Order
from mimir_migrate.runs.report import to_markdown as report
from mimir_migrate.sandbox.furnishing import puller_sync_time
from mimir_migrate.screens.choices_views import compared
from mimir_migrate.widgets.glyphs import UNICODE

SPEED = 60.0
_STARTED = 30.0
"""Seconds that each pod's start is made to have taken: Kubernetes rounds them to whole seconds, which are
minutes at this speed."""
_GRACE = 120.0
"""The same of each pod's grace period."""
_LEAK = re.compile(r"\b[0-9.]+ ?ms\b|\b0\.[0-9]+ ?s\b")
"""What scaled time that got out looks like: nothing in a real cluster of these settings takes so little."""


@cache
def _looked(speed: float) -> tuple[VirtualWorld, Look, Plan]:
    world = VirtualWorld(Product.MIMIR, SMALL[Product.MIMIR], speed=speed)
    poll = puller_sync_time(speed) if speed != 1 else "10s"
    world.target = msgspec.structs.replace(
        world.target,
        dynamodb=TableTarget(table=world.target.dynamodb.table, puller_sync_time=poll),
        simulation=SimulationTarget(speed=speed),
    )
    look = world.operations.look(world.target, to=Store.DYNAMODB)
    return world, look, world.operations.plan(world.target, Order(to=Store.DYNAMODB))


def _with_starts(look: Look, world: VirtualWorld, speed: float) -> Look:
    """The look with pods that all took as long to start, in the cluster's own seconds."""
    pods = tuple(
        msgspec.structs.replace(
            pod,
            pod=msgspec.structs.replace(
                pod.pod, created_at=1000.0, ready_since=1000.0 + _STARTED / speed, restarts=0
            ),
        )
        for pod in look.inspection.pods
    )
    workloads = tuple(
        msgspec.structs.replace(one, termination_grace_seconds=_GRACE / speed)
        for one in look.inspection.workloads
    )
    inspection = msgspec.structs.replace(look.inspection, pods=pods, workloads=workloads)
    offered = choices(inspection, world.target, look.findings)
    return msgspec.structs.replace(look, inspection=inspection, choices=offered)


def _printed_look(speed: float) -> str:
    world, look, _ = _looked(speed)
    written = io.StringIO()
    with redirect_stdout(written):
        print_look(_with_starts(look, world, speed), world.target.scale)
    return written.getvalue()


def _without_marks(text: str) -> str:
    """The text without what says that it is simulated, its line breaks, and the chance in pods' names."""
    flat = re.sub(r"-[a-z0-9]{8,10}-[a-z0-9]{5}\b", "-POD", " ".join(text.split()))
    return re.sub(r"SIMULATION ×60: .*? own (?=plan|RING|1\.)", "", flat)


def test_choices_and_findings_read_as_in_real_time() -> None:
    """The same words, durations and costs, with the mark as the only difference."""
    fast, true = _printed_look(SPEED), _printed_look(1.0)
    assert "SIMULATION ×60" in fast
    assert "SIMULATION" not in true
    assert "USD a month" in " ".join(true.split())
    assert _without_marks(fast) == _without_marks(true)


def test_columns_of_the_choices_screen_read_as_in_real_time() -> None:
    """The app's columns are made of the same scale."""
    columns = []
    for speed in (SPEED, 1.0):
        world, look, _ = _looked(speed)
        found = _with_starts(look, world, speed)
        columns.append([compared(one, UNICODE, world.target.scale) for one in found.choices])
    assert columns[0] == columns[1]


def test_steps_of_a_plan_read_as_in_real_time() -> None:
    """Steps that start no pod take exactly the same words; no step tells a fraction of a second."""
    fast, true = (_looked(speed)[2] for speed in (SPEED, 1.0))
    for one, other in zip(fast.steps, true.steps, strict=True):
        assert (one.title, one.what, one.why, one.way_back) == (
            other.title,
            other.what,
            other.why,
            other.way_back,
        )
        if one.kind.value != "rollout":
            assert one.duration.basis == other.duration.basis
            assert one.duration.words(Scale(SPEED)) == other.duration.words(TRUE_TIME)
    for text in (to_markdown(fast), _printed_plan(fast)):
        assert "SIMULATION ×60" in text
        prose = re.sub(
            r"```.*?```|^ +\| .*?$|puller_sync_time: \S+", "", text, flags=re.DOTALL | re.MULTILINE
        )
        assert not _LEAK.findall(prose)


def _printed_plan(plan: Plan) -> str:
    written = io.StringIO()
    with redirect_stdout(written):
        print_plan(plan)
    return written.getvalue()


def test_numbers_of_a_plan_stay_those_of_the_pods() -> None:
    """What waits and judges is never scaled: the plan holds what the pods report."""
    fast, true = (_looked(speed)[2] for speed in (SPEED, 1.0))
    mirror, other = (
        next(step for step in plan.steps if step.id == "mirror") for plan in (fast, true)
    )
    assert mirror.duration.low == pytest.approx(other.duration.low / SPEED, rel=0.01)
    assert fast.target.dynamodb.puller_sync_time == "167ms"


def test_a_run_its_status_and_its_report_read_in_true_time() -> None:
    """Waits, gates, the status and the report tell minutes where the sandbox took seconds."""
    world = _looked(SPEED)[0]
    run = world.apply(world.operations.plan(world.target, Order(to=Store.DYNAMODB)))
    events = world.operations.events(run)
    said = [one.event.waiting_for for one in events if isinstance(one.event, WaitStarted)]
    assert any("without a break" in text for text in said)
    texts = [
        *said,
        report(run, events),
        *status_lines(world.operations.status(run), world.clock.now()),
    ]
    assert not _LEAK.findall(re.sub(r"puller_sync_time: \S+", "", "\n".join(texts)))
    assert "SIMULATION ×60" in report(run, events)
    windows = [one.event.window for one in events if isinstance(one.event, GateJudged)]
    assert max(windows) < 20, "the journal's numbers are the sandbox's own"


def test_a_ring_that_is_too_large_for_a_key_is_refused_by_its_true_rates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What DynamoDB takes is real: a simulation is neither refused for its speed, nor told its own rates."""

    def why_not(limit: float) -> tuple[str, str]:
        monkeypatch.setattr(costs, "KEY_READ_LIMIT", limit)
        said = []
        for speed in (1.0, SPEED):
            world, look, _ = _looked(speed)
            found = choices(look.inspection, target=world.target, findings=look.findings)
            said.append(next(one for one in found if one.id == "all").why_not)
        return said[0], said[1]

    true, simulated = why_not(0.01)
    assert "read units a second of one partition key" in true
    assert simulated == true
    assert why_not(costs.KEY_READ_LIMIT * 1000) == ("", "")


def test_the_mark_says_how_exact_the_times_are() -> None:
    """A whole second of Kubernetes is a minute at this speed: plans of two demos differ by some."""
    assert "told to the second, here 1 min" in Scale(SPEED).note
    assert "told to the second, here 6 s" in Scale(6.0).note
    assert TRUE_TIME.note == ""
