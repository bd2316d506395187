"""A hook is a shell command with a limit; what it says is bounded and without secrets."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mimir_migrate.adapters.hooks import CommandHooks
from mimir_migrate.adapters.kubernetes.lease import _is_alive
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.model.hooks import HookCall, HookPoint


def call(command: str, limit: float = 10.0) -> HookCall:
    return HookCall(
        point=HookPoint.APPROVAL,
        step="switch",
        command=command,
        limit=limit,
        facts={"MIMIR_MIGRATE_MESSAGE": "it's time; $(rm -rf /) `x`"},
    )


@pytest.fixture
def hooks(tmp_path: Path) -> CommandHooks:
    return CommandHooks(Redactor({"SLACK_TOKEN": "s3cr3t-s3cr3t"}), folder=str(tmp_path))


def test_it_runs_in_the_target_s_folder_with_the_facts(
    hooks: CommandHooks, tmp_path: Path
) -> None:
    """Text of the world reaches it as a variable's value and is no command."""
    done = hooks.run(call('printf %s "$MIMIR_MIGRATE_MESSAGE" > said; exit 3'))

    assert done.code == 3
    assert (tmp_path / "said").read_text() == "it's time; $(rm -rf /) `x`"


def test_what_it_says_is_kept_short_and_without_secrets(hooks: CommandHooks) -> None:
    """The end of both streams in one line."""
    done = hooks.run(call("seq 1 5000; echo token s3cr3t-s3cr3t; echo 'last words' >&2; exit 1"))

    assert done.tail.endswith("last words")
    assert len(done.tail) <= 400
    assert "s3cr3t" not in done.tail


def test_one_that_hangs_is_ended_with_its_children(hooks: CommandHooks, tmp_path: Path) -> None:
    """After its limit."""
    done = hooks.run(call("sh -c 'echo $$ > child; sleep 600' & sleep 600", limit=0.5))

    assert done.code is None
    child = int((tmp_path / "child").read_text())
    # Killed it is at once; whoever takes over orphans has to have buried it as well.
    for _ in range(500):
        if not _is_alive(child):
            break
        time.sleep(0.01)
    assert not _is_alive(child)


def test_one_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    """And raises nothing: it runs beside a run."""
    done = CommandHooks(Redactor({}), folder=str(tmp_path / "gone")).run(call("true"))

    assert done.code is None
    assert "there is no folder" in done.tail
