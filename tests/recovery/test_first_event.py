"""A command that dies before it wrote the first event of a run leaves nothing that is in the way."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from quick_world import QuickWorld

from mimir_migrate.adapters.identity import host
from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.bootstrap import operations
from mimir_migrate.cli import following, run
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import RunFinished, RunStarted, RunState


@pytest.mark.parametrize(
    "words", [("status",), ("resume", "--yes"), ("rollback", "--yes"), ("report",)], ids=" ".join
)
def test_a_run_without_a_start_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    """Each command names the run and what to do next."""
    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(tmp_path / "state"))
    store = JournalStore(tmp_path / "state")
    name = store.new_run_id()
    store.create(name).close()
    assert run(words) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert f"{name} holds no start" in said
    assert "Plan again" in said


def test_a_runner_that_died_before_its_first_event_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who follows the run does not wait for ever; `status` says what to do."""
    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(tmp_path / "state"))
    world = QuickWorld()
    plan = world.start()
    store = JournalStore(tmp_path / "state", now=lambda: time.time() - 60)
    name = store.new_run_id()
    with store.create(name) as journal:
        journal.append(RunStarted(run=name, by="olga", host=host(), tool_version="0", plan=plan))
    assert run(("status", "--json")) == ExitCode.DONE
    found = json.loads(capsys.readouterr().out)
    assert found["state"] == "dead"
    assert f"resume {name}" in found["hint"]
    monkeypatch.setattr(following, "START_PATIENCE", 1.0)
    work = operations()
    options = {"after": 1, "as_json": False, "asks": False}
    assert following.follow(work, name, **options) == ExitCode.FAILED
    assert "ended and said nothing" in capsys.readouterr().err
    assert following.until_working(work, name, after=1) is ExitCode.FAILED
    assert "did not begin within 1 s" in capsys.readouterr().err


def test_a_runner_that_is_slow_to_start_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A resumed run counts as dead until its new runner wrote something; that can take its time."""
    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(tmp_path / "state"))
    plan = QuickWorld().start()
    store = JournalStore(tmp_path / "state", now=lambda: time.time() - 60)
    name = store.new_run_id()
    with store.create(name) as journal:
        journal.append(RunStarted(run=name, by="olga", host=host(), tool_version="0", plan=plan))
    monkeypatch.setattr(
        following, "START_PATIENCE", 20.0
    )  # a tenth of it is over before it begins

    def begin_late() -> None:
        time.sleep(3.0)
        with store.alone(name) as journal:
            over = RunFinished(state=RunState.DONE, reason="it did", exit_code=0)
            journal.append(over)

    runner = threading.Thread(target=begin_late)
    runner.start()
    work = operations()
    assert following.follow(work, name, after=1, as_json=False, asks=False) == ExitCode.DONE
    runner.join()
    assert "ended and said nothing" not in capsys.readouterr().err


def test_it_is_no_unfinished_run(tmp_path: Path) -> None:
    """So that a command without a name means the run that can be gone on with."""
    store = JournalStore(tmp_path / "state")
    store.create(store.new_run_id()).close()
    assert not any(found.unfinished for found in store.list_runs())
