"""`runs --forget`: a dead run is closed, and nothing but its state changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from quick_world import QuickWorld

from mimir_migrate import cli
from mimir_migrate.adapters.clock import SystemClock
from mimir_migrate.adapters.identity import host
from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.errors import ExitCode, LeaseError, MigrateError, UnreachableError, UsageError
from mimir_migrate.model.changes import LeaseClaim
from mimir_migrate.model.events import Event, RunnerStarted, RunStarted, RunState, StepStarted
from mimir_migrate.operations import Environment, Operations

GONE = UnreachableError("GET leases: the API server does not answer")
HERE, THERE = "bastion", "desk"


class Leases:
    """A cluster that only says who holds the lease, or nothing at all."""

    def __init__(self, held: LeaseClaim | None, fails: MigrateError | None) -> None:
        self._held, self._fails = held, fails

    def lease(self, name: str) -> LeaseClaim | None:
        assert name == "mimir-migrate-cortex"
        if self._fails is not None:
            raise self._fails
        return self._held


class World:
    """What `forget` asks of a world."""

    def __init__(self, cluster: Leases) -> None:
        self.cluster = cluster


@pytest.fixture
def store(tmp_path: Path) -> JournalStore:
    return JournalStore(tmp_path / "state", redactor=Redactor({}))


def begun(store: JournalStore, *events: Event, at: str = HERE) -> str:
    """A run whose runner wrote this much and is gone."""
    run = store.new_run_id()
    plan = QuickWorld().start()
    with store.create(run) as journal:
        journal.append(RunStarted(run=run, by="olga", host=at, tool_version="0", plan=plan))
        journal.append(RunnerStarted(pid=7, host=at, by="olga", purpose="apply"))
        for event in events:
            journal.append(event)
    return run


def operator(
    store: JournalStore, *, held: LeaseClaim | None = None, fails: MigrateError | None = None
) -> Operations:
    """Somebody on the machine HERE."""

    def never(*_: Any) -> Any:
        raise AssertionError("closing a run changes nothing in the world")

    return Operations(
        Environment(
            store=store,
            clock=SystemClock(),
            world_for=lambda _: World(Leases(held, fails)),  # type: ignore[arg-type, return-value]
            changes_for=never,
            recorder=never,
            spawn=never,
            who="ana@bastion",
            host=HERE,
            pid=1,
        )
    )


def claim(run: str) -> LeaseClaim:
    """The lease of a living runner."""
    return LeaseClaim(
        name="mimir-migrate-cortex",
        holder="olga@desk",
        run=run,
        store="dynamodb",
        rings=("ruler",),
        since=1.0,
    )


def bytes_of(folder: Path) -> dict[str, str]:
    """A digest of every file."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_dead_run_of_a_cluster_that_is_gone_is_closed(store: JournalStore) -> None:
    """It no longer counts as unfinished; its events stay, and one says who closed it and where it was."""
    run = begun(store, StepStarted(step="both"))
    other = begun(store)
    work = operator(store, fails=GONE)
    before = work.events(run)
    with pytest.raises(UsageError, match="several runs are unfinished"):
        work.resolve("")

    assert work.forget(run[-9:]) == run

    status = work.status(run)
    assert status.state is RunState.CLOSED
    assert "closed by ana@bastion; it was dead at both, step 2 of" in status.reason
    assert list(work.events(run))[: len(before)] == list(before)
    assert work.resolve("") == other


def test_closing_deletes_nothing(store: JournalStore) -> None:
    """Every file of the state folder is still there, and the other run's is untouched."""
    run, other = begun(store), begun(store)
    before = bytes_of(store.folder)

    operator(store).forget(run)

    after = bytes_of(store.folder)
    assert set(before) <= set(after)
    assert before[f"{other}.db"] == after[f"{other}.db"]


def test_a_run_with_a_living_runner_is_not_closed(store: JournalStore) -> None:
    """Whoever holds the run's lock on this machine keeps it."""
    run = begun(store)
    lock = store.lock(run)
    try:
        with pytest.raises(LeaseError, match="already works on the run"):
            operator(store).forget(run)
    finally:
        lock.release()
    assert len(operator(store).events(run)) == 2


@pytest.mark.parametrize(
    ("at", "held", "fails", "closed"),
    [
        (HERE, True, None, False),
        (THERE, True, None, False),
        (HERE, False, None, True),
        (THERE, False, None, True),
        (HERE, False, GONE, True),
        (THERE, False, GONE, False),
    ],
)
def test_a_lease_that_lives_or_may_live_keeps_a_run_open(
    store: JournalStore, at: str, *, held: bool, fails: MigrateError | None, closed: bool
) -> None:
    """A lease of this run; and where nobody can ask for it, a runner on another machine."""
    run = begun(store, at=at)
    work = operator(store, held=claim(run) if held else None, fails=fails)
    if closed:
        work.forget(run)
    else:
        with pytest.raises(LeaseError):
            work.forget(run)
    assert (work.status(run).state is RunState.CLOSED) == closed
    store.lock(run).release()


def test_the_lease_of_another_run_does_not_keep_this_one_open(store: JournalStore) -> None:
    """Somebody else's run of the release goes on, and this one can be closed."""
    run = begun(store)
    work = operator(store, held=claim("20261122-103455-ffff"))
    work.forget(run)
    assert work.status(run).state is RunState.CLOSED


def test_a_run_that_is_over_is_not_closed_again(store: JournalStore) -> None:
    """Once is enough; the second time says that it is over."""
    run = begun(store)
    work = operator(store)
    work.forget(run)
    with pytest.raises(UsageError, match="is over: closed"):
        work.forget(run)
    assert len(work.events(run)) == 3


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """A command on a state folder of its own, with a kubeconfig that is gone."""
    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "gone"))

    def call(*words: str) -> tuple[int, str, str]:
        code = cli.run(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_the_command_closes_a_run_and_the_report_says_dead_before(
    store: JournalStore, command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """The report of a dead run begins "dead"; after `runs --forget` it begins "closed"."""
    run = begun(store, StepStarted(step="both"), at=host())

    _, report, _ = command("report", run)
    code, out, err = command("runs", "--forget", run, "--json")
    _, after, _ = command("report", run)
    _, page, _ = command("report", run, "--output", str(tmp_path / "r.html"))

    assert report.startswith(f"# Run {run}: dead\n")
    assert "its runner is gone without a word since" in report
    assert "- waited for the step's first look at the cluster" in report
    assert code == ExitCode.DONE, err
    assert json.loads(out)["state"] == "closed"
    assert f"closed the run {run}: closed by" in err
    assert after.startswith(f"# Run {run}: closed\n")
    assert page == ""
    assert f"Run {run}: closed" in (tmp_path / "r.html").read_text()
    assert msgspec.json.decode(command("runs", "--json")[1])["runs"][0]["state"] == "closed"
