"""A command that dies before it wrote the first event of a run leaves nothing that is in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from mimir_migrate.adapters.journal_store import JournalStore
from mimir_migrate.cli import run
from mimir_migrate.errors import ExitCode


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
    assert "Plan anew" in said


def test_it_is_no_unfinished_run(tmp_path: Path) -> None:
    """So that a command without a name means the run that can be gone on with."""
    store = JournalStore(tmp_path / "state")
    store.create(store.new_run_id()).close()
    assert store.unfinished() == ()
    assert store.latest_unfinished() is None
