"""Whole migrations through real replicas while their table throttles or is slow, and off dead ones."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_values import MIMIR

from mimir_migrate.bootstrap import operations
from mimir_migrate.engine import traffic
from mimir_migrate.model.events import (
    ChangeDone,
    GateOverridden,
    Held,
    RunState,
    StepDone,
    StepStarted,
)
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.operations import Operations, RunOptions
from mimir_migrate.plans.planner import Order
from mimir_migrate.sandbox import commands
from mimir_migrate.sandbox.bridging.setup import TOKEN_SECRET, TOKEN_VARIABLE
from mimir_migrate.settings import STATE, load_target

SPEED = 6.0
LIMIT = 1200.0
"""Real seconds that one way may take on a busy machine."""
TOKEN_FOR_PODS = f"""\
global:
  extraEnv:
    - name: {TOKEN_VARIABLE}
      valueFrom: {{secretKeyRef: {{name: {TOKEN_SECRET}, key: token}}}}
""".encode()
CLEARED = 180.0
"""Real seconds after which a fault that holds the run is taken away."""

pytestmark = pytest.mark.soak


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A sandbox of a small stock Mimir on memberlist, and its bridge."""
    if sys.platform != "linux":
        pytest.skip("processes of the bridge as pods need Linux")
    folder = tmp_path / "sandbox"
    values = tmp_path / "small.yaml"
    values.write_bytes(MIMIR + TOKEN_FOR_PODS)
    monkeypatch.setenv(STATE, str(tmp_path / "state"))
    commands.up(folder, through="bridge", speed=SPEED, values=str(values))
    yield folder
    commands.down(folder)


def walked(
    work: Operations, folder: Path, order: Order, fault: str, arguments: dict[str, str]
) -> dict[str, Any]:
    """Walk one way with a fault from the first rollout on; where it holds the run, it ends after a while."""
    target = load_target(str(folder / "target.toml"), {})
    run = work.start(work.plan(target, order), options=RunOptions(approve_all=True))
    began = time.monotonic()
    injected = cleared = 0.0
    while time.monotonic() - began < LIMIT:
        events = [one.event for one in work.events(run)]
        now = time.monotonic()
        if fault and not injected and any(isinstance(one, StepStarted) for one in events):
            commands.inject(folder, fault, arguments)
            injected = now
        held = [one for one in events if isinstance(one, Held)]
        if held and not cleared and now - injected > CLEARED:
            commands.inject(folder, "clear", {})
            cleared = now
        if work.status(run).state in {RunState.DONE, RunState.FAILED, RunState.HELD}:
            break
        time.sleep(1.0)
    commands.inject(folder, "clear", {})
    events = [one.event for one in work.events(run)]
    return {
        "state": work.status(run).state,
        "steps": [one.step for one in events if isinstance(one, StepDone)],
        "held": [one.reason[:160] for one in events if isinstance(one, Held)],
        "overridden": [one for one in events if isinstance(one, GateOverridden)],
        "seconds": round(time.monotonic() - began),
        "cleared": bool(cleared),
        "run": run,
    }


@pytest.mark.parametrize(
    ("fault", "arguments"),
    [
        ("bridge-storage-throttled", {"part": "0.3"}),
        ("bridge-storage-slow", {"milliseconds": "100"}),
    ],
)
def test_a_table_that_throttles_or_is_slow_costs_time_and_nobody(
    place: Path, fault: str, arguments: dict[str, str]
) -> None:
    """There, switched and mirrored, and back: done, without an override, and nobody out of sight."""
    work = operations()
    there = walked(
        work,
        place,
        Order(to=Store.DYNAMODB, goal=StoreState.DYNAMODB_MEMBERLIST),
        fault,
        arguments,
    )
    back = walked(work, place, Order(to=Store.MEMBERLIST), fault, arguments)
    watched = commands.status(place)
    print(fault, there, back, watched["observations"], watched["lost_sight"])

    assert there["state"] is RunState.DONE, there
    assert there["steps"] == ["bridge", "both", "mirror", "switch"]
    assert back["state"] is RunState.DONE, back
    assert not there["overridden"] + back["overridden"]
    assert watched["observations"] > 1000
    assert watched["lost_sight"] == 0


def test_replicas_that_are_all_dead_cost_no_write_and_are_left_by_a_rollback(place: Path) -> None:
    """With timeouts of 10 min: dead for 2 min, back, and dead for good while the run is taken back."""
    target_file = place / "target.toml"
    target_file.write_text(target_file.read_text().replace('timeout = "4m"', 'timeout = "10m"'))
    target = load_target(str(target_file), {})
    work = operations()
    order = Order(to=Store.DYNAMODB, goal=StoreState.DYNAMODB_MEMBERLIST)
    there = walked(work, place, order, "", {})
    assert there["state"] is RunState.DONE, there

    before = work.look(target).inspection
    commands.inject(place, "bridge-away", {"seconds": "120"})
    time.sleep((120 + 120) / SPEED)
    grown = traffic.deltas(before, work.look(target).inspection)
    assert grown is not None
    assert grown.pushes > 100
    assert (grown.failed_pushes, grown.failed_queries) == (0, 0)

    commands.inject(place, "bridge-away", {})
    time.sleep(60 / SPEED)
    number = len(work.events(there["run"]))
    asked = time.time()
    work.go_on(there["run"], "rollback", RunOptions(approve_all=True))
    began = time.monotonic()
    while time.monotonic() - began < LIMIT:
        if work.status(there["run"]).state in {RunState.ROLLED_BACK, RunState.HELD}:
            break
        time.sleep(1.0)
    told = work.events(there["run"])[number:]
    edited = next(one.at for one in told if isinstance(one.event, ChangeDone))
    watched = commands.status(place)
    print(
        f"{grown.pushes:.0f} pushes; edited after {edited - asked:.0f} s, all after "
        f"{told[-1].at - asked:.0f} s",
        watched["observations"],
        watched["lost_sight"],
    )
    assert work.status(there["run"]).state is RunState.ROLLED_BACK
    assert not [one for one in told if isinstance(one.event, Held | GateOverridden)]
    assert watched["lost_sight"] == 0
