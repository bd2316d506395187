"""What changes the world goes through one narrow place, and a dry run has none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from crash_matrix import QUICK, Trial
from small_values import SMALL
from virtual_world import VirtualWorld

from mimir_migrate.cli import run
from mimir_migrate.model.changes import (
    Change,
    CreateTable,
    Deploy,
    ReleaseLease,
    RenewLease,
    TakeLease,
    WriteFile,
)
from mimir_migrate.model.events import (
    ChangeDone,
    ChangeIntended,
    Event,
    RequestKind,
    RunState,
    StepDone,
)
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store
from mimir_migrate.operations import Operations
from mimir_migrate.sandbox.kubernetes.objects import ObjectStore
from mimir_migrate.sandbox.simulation.scheduler import VirtualScheduler
from mimir_migrate.sandbox.simulation.stores.items import MemoryItems

pytestmark = pytest.mark.usefixtures("brisk")


class Touched:
    """What of the cluster and of DynamoDB was changed by somebody who is not simulated."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inside: list[str] = []
        self.outside: list[str] = []
        self.making_a_change: Callable[[], bool] = lambda: False
        self._simulated = 0
        for owner, name in (
            *((ObjectStore, name) for name in ("create", "replace", "patch", "mutate")),
            *((ObjectStore, name) for name in ("delete", "remove", "replace_status")),
            (MemoryItems, "write"),
        ):
            monkeypatch.setattr(owner, name, self._noted(owner, name))
        monkeypatch.setattr(VirtualScheduler, "run_until", self._run_until())

    def _noted(self, owner: type, name: str) -> Callable[..., Any]:
        real = getattr(owner, name)

        def noted(of: object, *arguments: Any, **options: Any) -> Any:
            if not self._simulated:
                place = self.inside if self.making_a_change() else self.outside
                place.append(f"{owner.__name__}.{name} {arguments[:3]}")
            return real(of, *arguments, **options)

        return noted

    def _run_until(self) -> Callable[..., None]:
        real = VirtualScheduler.run_until

        def run_until(of: VirtualScheduler, moment: float) -> None:
            self._simulated += 1
            try:
                real(of, moment)
            finally:
                self._simulated -= 1

        return run_until


@pytest.mark.parametrize("scenario", [QUICK[0], QUICK[-1]], ids=lambda one: one.product.value)
def test_nothing_is_touched_outside_a_change(
    scenario: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plan, dry run, apply, roll back, verify: each write falls into the span of a `perform`."""
    trial = Trial(scenario)
    touched = Touched(monkeypatch)
    mortal = trial.watched()
    touched.making_a_change = lambda: mortal.depth > 0
    operations = trial.world.operations
    order = (scenario.to, scenario.rings, scenario.strategy)
    plan = trial.world.plan(*order)
    operations.dry_run(plan)
    assert touched.inside == []
    run = trial.world.apply(plan)
    operations.dry_run_of(run, "rollback")
    operations.verify(trial.world.target)
    there = len(touched.inside)
    trial.world.rollback(run)
    assert trial.world.ending(run).state is RunState.ROLLED_BACK
    assert there
    assert len(touched.inside) > there
    assert touched.outside == []


def test_a_write_outside_a_change_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above would notice: a deploy that nobody wrote down."""
    trial = Trial(QUICK[-1])
    touched = Touched(monkeypatch)
    trial.world.sandbox.run_for(60)
    assert touched.outside == []
    trial.world.sandbox.deploy([trial.world.values])
    assert touched.outside


def test_what_is_meant_is_on_disk_before_and_what_was_seen_after() -> None:
    """When a change begins, its intent is the journal's last word; its outcome comes after it ended."""
    trial = Trial(QUICK[-1])
    world = trial.world
    real, made = world.changes.perform, []

    def perform(change: Change) -> Any:
        said = [event for event in world.events("run-1") if isinstance(event, ChangeIntended)]
        if isinstance(change, CreateTable | WriteFile | Deploy):
            assert isinstance(world.events("run-1")[-1], ChangeIntended)
            assert said[-1].change == change
            made.append(change)
        return real(change)

    world.changes.perform = perform  # type: ignore[method-assign]
    world.migrate(trial.scenario.to, trial.scenario.rings, trial.scenario.strategy)
    events = world.events("run-1")
    after = [
        events[number + 1] for number, one in enumerate(events) if isinstance(one, ChangeIntended)
    ]
    assert len(made) == len(after) == 7
    assert all(isinstance(event, ChangeDone) for event in after)


def calls(changes: list[Change]) -> list[Change]:
    """Changes in order, without renewals; of the lease's only that they are there."""
    found: list[Change] = []
    for change in changes:
        if isinstance(change, TakeLease | ReleaseLease):
            claim = msgspec.structs.replace(change.claim, holder="", run="", since=0.0, step="")
            found.append(msgspec.structs.replace(change, claim=claim))
        elif not isinstance(change, RenewLease):
            found.append(change)
    return found


class Watched:
    """A world that notices everything that outlives a process."""

    def __init__(self, product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = VirtualWorld(product, SMALL[product])
        self.touched = Touched(monkeypatch)
        self.asked: list[Change] = []
        real = self.world.changes.perform

        def perform(change: Change) -> Any:
            self.asked.append(change)
            return real(change)

        self.world.changes.perform = perform  # type: ignore[method-assign]

    def trace(self) -> tuple[object, ...]:
        """Changes when anything was done, written or remembered."""
        return (
            len(self.asked),
            len(self.touched.inside) + len(self.touched.outside),
            {run: len(journal.events()) for run, journal in self.world.store.journals.items()},
            dict(self.world.files.contents),
            set(self.world.tables),
            self.world.leases.holder(f"mimir-migrate-{self.world.sandbox.file.release}"),
        )

    def compare(self, dry: Callable[[], Any], real: Callable[[], object]) -> None:
        """A dry run leaves no trace, and lists what the real one then asks for."""
        before = self.trace()
        listed = list(dry().changes)
        assert self.trace() == before
        self.asked.clear()
        real()
        assert calls(listed) == calls(self.asked)
        assert len(listed) > 2


@pytest.mark.parametrize("product", list(Product))
def test_a_dry_run_lists_what_the_real_run_asks_for(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`apply`, `resume` after a stop, and `rollback`: the same calls in the same order."""
    watched = Watched(product, monkeypatch)
    world = watched.world
    rings = ("ruler",)

    def stop(run: str, event: Event) -> None:
        if isinstance(event, StepDone) and event.step == "both":
            world.ask(run, RequestKind.STOP)

    plan = world.plan(Store.DYNAMODB, rings)
    watched.compare(lambda: world.operations.dry_run(plan), lambda: world.apply(plan))
    watched.compare(
        lambda: world.operations.dry_run_of("run-1", "rollback"), lambda: world.rollback("run-1")
    )
    assert any(isinstance(change, CreateTable) for change in watched.world.changes.performed)
    again = world.plan(Store.DYNAMODB, rings)
    world.listeners.append(stop)
    run = world.apply(again)
    world.listeners.clear()
    assert world.ending(run).state is RunState.STOPPED
    watched.compare(lambda: world.operations.dry_run_of(run, "resume"), lambda: world.resume(run))
    assert world.ending(run).state is RunState.DONE


def test_a_dry_run_is_handed_nothing_that_could_change_anything() -> None:
    """Neither the real changes, nor a new journal, nor a runner are made for one."""

    def refuse(*_: object) -> Any:
        raise AssertionError("a dry run asked for it")

    world = Trial(QUICK[-1]).world
    plan = world.plan(Store.DYNAMODB, ("ruler",))
    run = world.apply(plan)
    again = world.plan(Store.MEMBERLIST, ("ruler",))
    environment = world.operations._environment
    for name in ("create", "open_for_runner"):
        setattr(world.store, name, refuse)
    operations = Operations(msgspec.structs.replace(environment, changes_for=refuse, spawn=refuse))
    assert len(operations.dry_run(again).changes) > 2
    assert len(operations.dry_run_of(run, "rollback").changes) > 2
    assert len(operations.dry_run_of(run, "resume").changes) == 2  # only the lease: it is done


def folder_hash(folder: Path) -> dict[str, str]:
    """Names, contents and modes of everything in a folder."""
    return {
        str(path): f"{path.stat().st_mode:o} {path.stat().st_mtime_ns} "
        + (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in (folder, *sorted(folder.rglob("*")))
    }


@pytest.mark.parametrize("writing", [("--in-place",), ("--output", "OTHER")])
def test_a_dry_run_of_an_edit_leaves_the_folder_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], writing: tuple[str, ...]
) -> None:
    """`edit --dry-run` shows the paths and writes neither file nor undo record; without it, both."""
    place = tmp_path / "values.yaml"
    place.write_bytes(SMALL[Product.CORTEX])
    words = [
        *("edit", str(place), "--to", "dynamodb", "--rings", "ruler"),
        *("--table", "rings", "--region", "eu-west-1", "--paths"),
        *(str(tmp_path / "other.yaml") if word == "OTHER" else word for word in writing),
    ]
    before = folder_hash(tmp_path)
    assert run([*words, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "ruler.ring.kvstore.store: " in shown
    assert folder_hash(tmp_path) == before
    assert run(words) == 0
    assert folder_hash(tmp_path) != before
    assert capsys.readouterr().out == shown
