"""Whole migrations through real replicas while their table throttles, or is slow."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_values import MIMIR

from mimir_migrate.bootstrap import operations
from mimir_migrate.model.events import GateOverridden, Held, RunState, StepDone, StepStarted
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
        if not injected and any(isinstance(one, StepStarted) for one in events):
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
