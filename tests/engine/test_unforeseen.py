"""What nobody foresaw ends a run like a failure: in the journal, without the lease, and it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from quick_world import QuickWorld

from mimir_migrate.errors import ExitCode
from mimir_migrate.model.changes import Change, Deploy, Outcome, ReleaseLease, RenewLease
from mimir_migrate.model.events import RunFinished, RunState
from mimir_migrate.model.facts import Inspection

pytestmark = pytest.mark.usefixtures("brisk")


class StillRunning:
    """Deploys of this machine, of which one lives on."""

    def left_running(self) -> str:
        return "the deploy command of the runner that died still runs (pid 7)"


class Unasked:
    """Nobody can tell what lives on."""

    def left_running(self) -> str:
        raise KeyError("deploys")


class BeganToRun:
    """What `then` says of deploys, once there is one."""

    def __init__(self, then: Callable[[], Any]) -> None:
        self._then = then

    def left_running(self) -> str:
        found = self._then()
        return str(found.left_running()) if found else ""


def breaking(world: QuickWorld, kind: type, error: Exception, *, times: int = 1) -> None:
    """Let the next changes of a kind end in an error that is none of this package's."""
    perform, left = world.perform, [times]

    def broken(change: Change) -> Outcome:
        if isinstance(change, kind) and left[0]:
            left[0] -= 1
            raise error
        return perform(change)

    world.perform = broken  # type: ignore[method-assign]


def ending(world: QuickWorld) -> RunFinished:
    """The last event."""
    last = world.events()[-1]
    assert isinstance(last, RunFinished)
    return last


@pytest.mark.parametrize(
    "error", [KeyError("x"), RecursionError(), MemoryError(), ZeroDivisionError("token: abc")]
)
def test_an_error_in_a_change_is_journalled_and_the_run_goes_on(error: Exception) -> None:
    """FAILED with what it was, exit 1, the lease given up; a resume ends the run."""
    world = QuickWorld()
    plan = world.start()
    breaking(world, Deploy, error)

    assert world.run(plan) is ExitCode.FAILED
    said = ending(world)
    assert said.state is RunState.FAILED
    assert type(error).__name__ in said.reason
    assert "token: abc" not in said.reason
    assert "`resume` goes on" in said.reason
    assert world.holder is None

    assert world.run(plan, "resume") is ExitCode.DONE
    assert ending(world).state is RunState.DONE


def test_an_error_in_a_look_is_journalled_as_well() -> None:
    """A page that nobody thought of, in the middle of a gate."""
    world = QuickWorld()
    plan = world.start()
    looks = [0]

    def spoil(seen: Inspection) -> Inspection:
        looks[0] += 1
        if looks[0] == 6:
            raise AttributeError("members")
        return seen

    world.spoil = spoil

    assert world.run(plan) is ExitCode.FAILED
    assert "AttributeError" in ending(world).reason
    assert world.holder is None
    assert world.run(plan, "resume") is ExitCode.DONE


@pytest.mark.parametrize("deploys", [StillRunning(), Unasked()])
def test_while_a_deploy_still_runs_the_lease_is_kept(deploys: Any) -> None:
    """As after a runner that was killed: it runs out by itself, and nobody comes in meanwhile."""
    world = QuickWorld()
    plan = world.start()
    perform = world.perform

    def broken(change: Change) -> Outcome:
        if isinstance(change, Deploy):
            world.deploys = deploys
            raise KeyError("x")
        return perform(change)

    world.perform = broken  # type: ignore[method-assign]
    world.deploys = BeganToRun(lambda: world.deploys is deploys and deploys)

    assert world.run(plan) is ExitCode.FAILED
    said = ending(world)
    assert world.holder is not None
    assert "The lease is kept until it runs out" in said.reason
    assert "/state/errors/1.log" in said.reason
    assert world.kept == [f"KeyError in the run {world.journal.run}"]


def test_a_lease_that_cannot_be_given_up_does_not_hide_the_end() -> None:
    """The end is in the journal whatever the release meets."""
    world = QuickWorld()
    breaking(world, ReleaseLease, KeyError("metadata"))

    assert world.run(world.start()) is ExitCode.DONE
    assert "runs out by itself" in ending(world).reason


def test_the_lease_is_renewed_on_after_an_odd_answer() -> None:
    """One renewal that met something odd does not end the renewing of a long deploy."""
    import threading

    from mimir_migrate.engine.effects import LeaseKeeper
    from mimir_migrate.model.changes import LeaseClaim

    world, renewed = QuickWorld(), threading.Event()
    claim = LeaseClaim(
        name="l", holder="me", run=world.journal.run, store="dynamodb", rings=(), duration=0.03
    )
    count = [0]

    class Odd:
        def perform(self, change: Change) -> Outcome:
            if isinstance(change, RenewLease):
                count[0] += 1
                if count[0] == 1:
                    raise KeyError("spec")
                renewed.set()
            return Outcome(detail="done")

    with LeaseKeeper(Odd(), world.clock, claim).kept():
        assert renewed.wait(20)


def test_a_rollback_has_the_net_as_well() -> None:
    """The net is around every purpose, not only the first."""
    world = QuickWorld()
    plan = world.start()
    assert world.run(plan) is ExitCode.DONE
    breaking(world, Deploy, KeyError("x"))

    assert world.run(plan, "rollback") is ExitCode.FAILED
    assert ending(world).state is RunState.FAILED
    assert world.run(plan, "resume") in {ExitCode.DONE, ExitCode.ROLLED_BACK}
    assert ending(world).state is RunState.ROLLED_BACK
