"""A runner that is killed from outside: the run goes on to the same end, or back to the start."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mimir_migrate.adapters.kubernetes.lease import _is_alive
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import ChangeDone, RunFinished, RunState, StepDone
from mimir_migrate.sandbox import commands

FORWARD = {
    "mimir": ("tables", "both", "mirror", "switch", "unmirror", "settle", "clear"),
    "cortex": ("tables", "both", "switch", "swap", "settle", "clear"),
}
BACK = {
    "mimir": ("both", "mirror", "switch", "unmirror", "settle", "clear"),
    "cortex": ("both", "switch", "swap", "settle", "clear"),
}


def begun(operator, step: str, after: int = 0) -> bool:
    """Whether a step has made its first change since."""
    events = operator.events(after)
    return any(isinstance(event, ChangeDone) and event.step == step for event in events)


def kill_in(operator, step: str) -> bool:
    """Kill the runner once the step has made its first change; False when the run ended before."""
    after = len(operator.events()) - 1

    def now() -> bool:
        return begun(operator, step, after) or ended(operator)

    operator.wait(now)
    if ended(operator):
        return False
    operator.kill_runner()
    status = operator.status()
    assert status["state"] == "dead"
    assert status["runner_pid"] is None
    assert f"resume {operator.run()}" in status["hint"]
    return True


def ended(operator) -> bool:
    return isinstance(operator.events()[-1], RunFinished)


def on_their_way(operator, outside, forward: tuple[str, ...], back: tuple[str, ...]) -> None:
    """Forward with a kill in each of some steps, and back with a kill in each of others."""
    look = outside(operator)
    start = look.everything()
    lost = commands.status(operator.sandbox)["lost_sight"]
    operator.call("apply", operator.plan("dynamodb"), "--yes", "--detach")
    for step in forward:
        assert kill_in(operator, step), step
        operator.call("resume", "--yes", "--detach")
    assert operator.ending().state is RunState.DONE
    assert set().union(*look.stores().values()) == {"dynamodb"}
    assert look.lease() is None
    done = {event.step for event in operator.events() if isinstance(event, StepDone)}
    # A step whose rollout was over before the run was resumed is not walked again.
    assert set(FORWARD[look.product]) - set(forward) <= done

    operator.call("rollback", "--yes", "--detach")
    for step in back:
        assert kill_in(operator, step), step
        operator.call("resume", "--yes", "--detach")
    assert operator.ending().state is RunState.ROLLED_BACK
    assert look.everything() == start
    assert commands.status(operator.sandbox)["lost_sight"] == lost


@pytest.mark.soak
@pytest.mark.soak
def test_killed_in_two_steps_and_resumed(mimir, outside) -> None:
    """Once while the rings get their second store, once in the switch back: the same ends."""
    on_their_way(mimir, outside, ("both",), ("switch",))


def back_from(operator, outside, step: str) -> None:
    """Killed in a step, `rollback` brings everything back to the start, and nobody lost sight."""
    look = outside(operator)
    start = look.everything()
    lost = commands.status(operator.sandbox)["lost_sight"]
    operator.call("apply", operator.plan("dynamodb"), "--yes", "--detach")
    assert kill_in(operator, step), step
    assert look.lease() is not None
    answer = operator.call("rollback", "--yes", code=ExitCode.DONE)
    assert "everything is where it was before the run" in answer.err
    assert operator.ending().state is RunState.ROLLED_BACK
    assert look.everything() == start
    assert commands.status(operator.sandbox)["lost_sight"] == lost


def test_a_dead_process_that_nobody_reaped_is_dead() -> None:
    """Where nobody reaps it, a killed runner's entry stays; its Lease can be taken all the same."""
    begun = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert _is_alive(begun.pid)
    begun.kill()
    os.waitid(os.P_PID, begun.pid, os.WEXITED | os.WNOWAIT)  # dead, and not reaped
    assert not _is_alive(begun.pid)
    begun.communicate()


@pytest.mark.soak
@pytest.mark.soak
def test_killed_in_the_switch_and_rolled_back(cortex, outside) -> None:
    """The runtime switch was written and perhaps not heard yet: the rollback is walked all the same."""
    back_from(cortex, outside, "switch")


@pytest.mark.soak
@pytest.mark.parametrize("operator", ["mimir", "cortex"], indirect=True)
def test_killed_in_every_step_and_resumed(operator, outside) -> None:
    """Each step of a run forward is interrupted once, then each of the rollback."""
    product = commands.status(operator.sandbox)["product"]
    on_their_way(operator, outside, FORWARD[product], BACK[product])


@pytest.mark.soak
@pytest.mark.parametrize(
    ("operator", "step"),
    [(product, step) for product, steps in FORWARD.items() for step in steps],
    indirect=["operator"],
)
def test_killed_in_a_step_and_rolled_back(operator, outside, step: str) -> None:
    """From each step there is a rollback to the start."""
    back_from(operator, outside, step)
