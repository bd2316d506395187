"""The deploy command of a dead runner still runs: the next runner waits for it, and says so."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from small_values import SMALL
from virtual_world import Crash, VirtualWorld

from mimir_migrate.errors import ExitCode
from mimir_migrate.model.changes import Deploy
from mimir_migrate.model.events import (
    ChangeIntended,
    Continued,
    Event,
    LegStarted,
    RequestKind,
    RunnerStarted,
    RunState,
    WaitStarted,
)
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store
from mimir_migrate.operations import Operations

pytestmark = pytest.mark.usefixtures("brisk")

SAID = "the deploy command of the runner that died still runs (pid 77)"


class Leftover:
    """A command that runs until a moment."""

    def __init__(self, world: VirtualWorld, until: float, looked: Callable[[], None]) -> None:
        self._world = world
        self._until = until
        self._looked = looked

    def left_running(self) -> str:
        self._looked()
        return SAID if self._world.clock.now() < self._until else ""


def dead_in_a_deploy(
    seconds: float, looked: Callable[[VirtualWorld], None] = lambda _: None
) -> VirtualWorld:
    """A run whose runner died while it deployed, and a command that goes on for so long."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])

    def die(run: str, event: Event) -> None:
        if isinstance(event, ChangeIntended) and isinstance(event.change, Deploy):
            world.listeners.clear()
            raise Crash

    world.listeners.append(die)
    world.migrate(Store.DYNAMODB, ("ruler",))
    environment = world.operations._environment
    ports = msgspec.structs.replace(
        environment.world_for(world.target),
        deploys=Leftover(world, world.clock.now() + seconds, lambda: looked(world)),
    )
    world.operations = Operations(msgspec.structs.replace(environment, world_for=lambda _: ports))
    return world


def last_runner(world: VirtualWorld) -> list[tuple[float, Event]]:
    """The times and events of the last runner."""
    recorded = world.store.journals["run-1"].events()
    last = max(n for n, one in enumerate(recorded) if isinstance(one.event, RunnerStarted))
    return [(one.at, one.event) for one in recorded[last:]]


def test_the_rollback_waits_for_it() -> None:
    """Why it waits is written down; it neither plans nor changes anything before the command ended."""
    world = dead_in_a_deploy(100.0)
    world.rollback("run-1")
    assert world.ending("run-1").state is RunState.ROLLED_BACK
    assert world.values == SMALL[Product.CORTEX]
    events = last_runner(world)
    kinds = [type(event) for _, event in events[:4]]
    assert kinds == [RunnerStarted, WaitStarted, Continued, LegStarted]
    wait = events[1][1]
    assert isinstance(wait, WaitStarted)
    assert wait.waiting_for == f"its end: {SAID}"
    assert events[2][0] - events[1][0] >= 99.0


def test_it_does_not_wait_for_ever() -> None:
    """After the gates' own patience the runner ends, with what to do; nothing was changed."""
    world = dead_in_a_deploy(1e6)
    world.resume("run-1")
    ending = world.ending("run-1")
    assert ending.state is RunState.HELD
    assert ending.exit_code == ExitCode.BLOCKED
    assert SAID in ending.reason
    assert "resume" in ending.reason
    assert not any(isinstance(event, ChangeIntended) for _, event in last_runner(world))


def test_who_asked_to_stop_is_heard_meanwhile() -> None:
    """`stop` ends the wait."""
    asked: list[bool] = []

    def stop(world: VirtualWorld) -> None:
        if len(asked) == 5:
            world.ask("run-1", RequestKind.STOP)
        asked.append(True)

    world = dead_in_a_deploy(1e6, stop)
    world.resume("run-1")
    assert world.ending("run-1").state is RunState.STOPPED
    assert world.ending("run-1").exit_code == ExitCode.INTERRUPTED
