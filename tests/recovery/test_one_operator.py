"""One operator at a time: who holds the lease, how a dead one's run goes on, and who lost it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from crash_matrix import QUICK, Trial
from virtual_world import VALUES, Crash, VirtualChanges, VirtualStore, VirtualWorld

from mimir_migrate.adapters.changes import RealChanges
from mimir_migrate.adapters.clock import SystemClock
from mimir_migrate.adapters.kubernetes.api import KubernetesApi
from mimir_migrate.adapters.kubernetes.lease import KubernetesLease
from mimir_migrate.errors import ExitCode, LeaseError
from mimir_migrate.model.changes import CreateTable, Deploy, LeaseClaim, Outcome, TableSpec
from mimir_migrate.model.events import (
    ChangeFailed,
    ChangeIntended,
    Event,
    RunFinished,
    RunState,
    StepStarted,
)
from mimir_migrate.operations import Operations, RunOptions
from mimir_migrate.plans.planner import Order
from mimir_migrate.settings import load_target

pytestmark = pytest.mark.usefixtures("brisk")

SCENARIO = QUICK[-1]
LEASE = 60.0
"""Seconds that a claim lasts after its last renewal."""


class OnDisk(dict[str, bytes]):
    """A world's files, read from the folder that the process stands in."""

    def __contains__(self, path: object) -> bool:
        return Path(str(path)).exists()

    def __getitem__(self, path: str) -> bytes:
        return Path(path).read_bytes()


class Parts:
    """What `RealChanges` changes a virtual world by; every call that gets so far is kept."""

    def __init__(self, world: VirtualWorld) -> None:
        self._world = world
        self._changes = VirtualChanges(world)
        self.made: list[str] = []

    def create_table(self, spec: TableSpec) -> Outcome:
        self.made.append("create_table")
        return self._changes.perform(CreateTable(table=spec))

    def deploy(self, change: Deploy, *, run: str, step: str) -> Outcome:
        self.made.append("deploy")
        return self._changes.perform(change)

    def take(self, claim: LeaseClaim, *, takeover: bool = False) -> Outcome:
        self._world.leases.take(claim)
        return Outcome(detail="taken")

    def renew(self, claim: LeaseClaim) -> Outcome:
        self._world.leases.renew(claim)
        return Outcome(detail="renewed")

    def release(self, claim: LeaseClaim) -> Outcome:
        self._world.leases.release(claim)
        return Outcome(detail="released")


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[VirtualWorld, Parts]:
    """A world whose changes pass the real narrow place."""
    monkeypatch.chdir(tmp_path)
    world = Trial(SCENARIO).world
    Path(VALUES).write_bytes(world.values)
    world.files.contents = OnDisk()
    parts = Parts(world)
    changes = RealChanges(tables=parts, leases=parts, deployments=parts, remains=parts)
    world.changes = changes  # type: ignore[assignment]
    return world, parts


def second_operator(world: VirtualWorld) -> tuple[Operations, VirtualStore]:
    """Somebody else in front of the same cluster, with journals of their own."""
    store = VirtualStore(world)
    environment = msgspec.structs.replace(
        world.operations._environment, store=store, who="otto@desk", host="desk", pid=99
    )
    return Operations(environment), store


def test_a_second_operator_is_refused_with_who_holds_it() -> None:
    """Holder, since when, which rings, which store, which step, and the way on; nothing is begun."""
    world = Trial(SCENARIO).world
    refused: list[LeaseError] = []

    def come(run: str, event: Event) -> None:
        if isinstance(event, ChangeIntended) and event.step == "swap" and not refused:
            plan = other.plan(world.target, order)
            with pytest.raises(LeaseError) as caught:
                other.start(plan, options=world.options)
            refused.append(caught.value)

    order = Order(to=SCENARIO.to, rings=SCENARIO.rings, strategy=SCENARIO.strategy)
    other, store = second_operator(world)
    world.listeners.append(come)
    run = world.migrate(SCENARIO.to, SCENARIO.rings, SCENARIO.strategy)
    assert world.ending(run).state is RunState.DONE
    error = refused[0]
    assert error.exit_code is ExitCode.LEASE
    for words in ("olga@laptop run-1", "since 20", "moving ruler to dynamodb", "step swap"):
        assert words in error.message, error.message
    assert "run-1" in error.hint
    assert store.journals == {}


def killed_in_the_swap(world: VirtualWorld) -> str:
    """A run whose runner dies right before the swap's first change, in possession of the lease."""

    def die(run: str, event: Event) -> None:
        if isinstance(event, ChangeIntended) and event.step == "swap":
            world.listeners.clear()
            raise Crash

    world.listeners.append(die)
    return world.migrate(SCENARIO.to, SCENARIO.rings, SCENARIO.strategy)


def test_a_killed_holder_is_recovered_with_one_command() -> None:
    """The lease still stands in a dead runner's name; `resume` is enough."""
    world = Trial(SCENARIO).world

    run = killed_in_the_swap(world)
    holder = world.leases.holder("mimir-migrate-cortex")
    assert holder is not None
    assert holder.run == run
    world.resume(run)
    assert world.ending(run).state is RunState.DONE
    assert world.leases.holder("mimir-migrate-cortex") is None
    assert not world.missed


def test_another_machines_dead_run_is_taken_over_with_one_command() -> None:
    """`apply` begins nothing and names `apply --takeover`, which then works; on its own machine `resume`."""
    world = Trial(SCENARIO).world

    run = killed_in_the_swap(world)
    world.sandbox.run_for(2 * LEASE)
    order = Order(to=SCENARIO.to, rings=SCENARIO.rings, strategy=SCENARIO.strategy)
    other, store = second_operator(world)
    plan = other.plan(world.target, order)
    for operations, way in (
        (other, "apply PLAN.json --takeover"),
        (world.operations, f"resume {run}"),
    ):
        with pytest.raises(LeaseError) as caught:
            operations.start(plan, options=world.options)
        assert caught.value.exit_code is ExitCode.LEASE
        assert "left the lease behind" in caught.value.message
        assert "step swap" in caught.value.message
        assert way in caught.value.hint
    assert store.journals == {}
    assert list(world.store.journals) == [run]
    took: list[bool] = []

    def spawn(name: str, purpose: str, options: RunOptions) -> int:
        took.append(options.takeover)
        other.work(name, purpose, options)
        return 99

    other = Operations(msgspec.structs.replace(other._environment, spawn=spawn))
    fresh = other.start(plan, options=msgspec.structs.replace(world.options, takeover=True))
    assert took == [True]
    ending = store.journals[fresh].events()[-1].event
    assert isinstance(ending, RunFinished)
    assert ending.state is RunState.DONE
    assert world.leases.holder("mimir-migrate-cortex") is None
    assert not world.missed


@pytest.mark.parametrize("kind", [CreateTable, Deploy])
def test_a_runner_that_lost_the_lease_refuses_its_next_change(
    real: tuple[VirtualWorld, Parts], kind: type
) -> None:
    """It was asleep and somebody took over: the change that it already wrote down is not made."""
    world, parts = real
    made: list[list[str]] = []
    before: list[bytes] = []

    def sleep_too_long(run: str, event: Event) -> None:
        if isinstance(event, ChangeIntended) and isinstance(event.change, kind) and not made:
            world.sandbox.run_for(120)  # longer than the lease lasts
            claim = world.leases._held["mimir-migrate-cortex"][0]
            world.leases.take(
                msgspec.structs.replace(claim, run="another", holder="otto@desk another 99")
            )
            made.append(list(parts.made))
            before.append(world.values)

    world.listeners.append(sleep_too_long)
    run = world.migrate(SCENARIO.to, SCENARIO.rings, SCENARIO.strategy)
    ending = world.ending(run)
    assert ending.exit_code == ExitCode.LEASE
    assert ending.state is RunState.STOPPED
    assert "another" in ending.reason
    assert parts.made == made[0]
    assert world.values == before[0]
    assert isinstance(world.events(run)[-2], ChangeFailed)
    holder = world.leases.holder("mimir-migrate-cortex")
    assert holder is not None
    assert holder.run == "another", "the lease of the other one was given away"


def test_a_runner_that_keeps_the_lease_makes_all(real: tuple[VirtualWorld, Parts]) -> None:
    """The world of the test above does end well where nobody takes over."""
    world, parts = real
    run = world.migrate(SCENARIO.to, SCENARIO.rings, SCENARIO.strategy)
    assert world.ending(run).state is RunState.DONE, world.ending(run)
    assert parts.made == ["create_table", "deploy", "deploy", "deploy"]


def in_step(operator: Any, step: str) -> bool:
    """Whether the newest run is at a step."""
    return any(
        isinstance(event, StepStarted) and event.step == step for event in operator.events()
    )


@pytest.mark.soak
def test_stopped_past_its_lease_taken_over_and_continued(
    cortex: Any, outside: Any, tmp_path: Path
) -> None:
    """SIGSTOP, another machine's run takes the lease, SIGCONT: the first one changes nothing more."""
    look = outside(cortex)
    cortex.call("apply", cortex.plan("dynamodb", "ruler"), "--yes", "--detach")
    cortex.wait(lambda: in_step(cortex, "both"))
    run, pid = cortex.run(), cortex.status()["runner_pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        journal = cortex.store.open(run)
        events = len(journal.events())
        target = load_target(cortex.target, {})
        time.sleep(LEASE + 1)
        lease = KubernetesLease(
            KubernetesApi.connect(target.kubernetes),
            target.kubernetes.namespace,
            SystemClock(),
            host="desk",
        )
        claim = LeaseClaim(
            name="mimir-migrate-cortex",
            holder="otto@desk another 99",
            run="another",
            store="dynamodb",
            rings=("ruler",),
            since=time.time(),
        )
        lease.take(claim, takeover=True)
        values = cortex.values.read_bytes()
        configuration = look.configuration()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert cortex.ending().exit_code == ExitCode.LEASE
    fresh = [recorded.event for recorded in journal.events(events)]
    assert isinstance(fresh[-1], RunFinished)
    assert cortex.values.read_bytes() == values
    assert look.configuration() == configuration
    assert look.lease() == "otto@desk another 99"
    lease.release(claim)
    cortex.call("rollback", "--yes", code=ExitCode.DONE)
    assert cortex.ending().state is RunState.ROLLED_BACK
