"""What a demo starts ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.bootstrap import end_runners
from mimir_migrate.cli.sandbox.demo_cluster import DemoOnRequest, end_abandoned, end_demo

RUNNER = """
import signal, sys, time
from pathlib import Path
from mimir_migrate.adapters.journal.store import JournalStore
if sys.argv[3] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
store = JournalStore(Path(sys.argv[1]))
journal = store.create(sys.argv[2])
from mimir_migrate.model.events import RunFinished, RunState, WaitStarted
journal.append(WaitStarted(step="both", waiting_for="the rollout", bound=60))
if sys.argv[3] == "over":
    journal.append(RunFinished(state=RunState.ROLLED_BACK, reason="over", exit_code=0))
held = store.lock(sys.argv[2])
print("works", flush=True)
time.sleep(600)
"""


def a_runner(state: Path, run: str, kind: str = "") -> subprocess.Popen[str]:
    """A process that works on a run, as far as anybody can tell from outside."""
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(state), run, kind], stdout=subprocess.PIPE, text=True
    )
    assert runner.stdout is not None
    assert runner.stdout.readline() == "works\n"
    return runner


def test_every_runner_of_a_demo_ends_and_none_of_the_operator_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the runners of that state folder are ended, also one that does not listen.

    A run that was over before is not said to have been cut short.
    """
    monkeypatch.setattr("mimir_migrate.adapters.runner_process._ENDS_WITHIN", 1.0)
    run = JournalStore(tmp_path).new_run_id()
    mine = a_runner(tmp_path / "own", run)
    demos = [a_runner(tmp_path / "demo", run[:-1] + "0")]
    demos.append(a_runner(tmp_path / "demo", run[:-1] + "1", "deaf"))
    demos.append(a_runner(tmp_path / "demo", run[:-1] + "2", "over"))
    try:
        ended = end_runners(tmp_path / "demo")

        assert sorted(ended) == [run[:-1] + "0", run[:-1] + "1"]
        assert [each.wait(10) for each in demos] == [
            -signal.SIGTERM,
            -signal.SIGKILL,
            -signal.SIGTERM,
        ]
        assert mine.poll() is None
        assert JournalStore(tmp_path / "own").runner_pid(run) == mine.pid
    finally:
        for each in (mine, *demos):
            each.kill()
            each.communicate()


class CommandsInMemory:
    """The sandbox's commands; its cluster exists only here."""

    def __init__(self) -> None:
        self.up_in: list[Path] = []
        self.log: list[str] = []

    def up(self, folder: Path, **_: object) -> None:
        self.up_in.append(folder)
        (folder / "target.toml").write_text('[kubernetes]\nnamespace = "demo"\n')

    def down(self, folder: Path) -> None:
        assert folder.is_dir(), "the folder went before the sandbox"
        self.log.append("down")


def test_a_demo_keeps_its_journals_in_its_own_folder_and_takes_all_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator's state folder is never touched; runner, sandbox and folder end with the demo."""
    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(tmp_path / "own"))
    commands = CommandsInMemory()
    monkeypatch.setattr("mimir_migrate.cli.sandbox.demo_cluster.commands", lambda: commands)

    with DemoOnRequest() as demo:
        target, work = demo.start(lambda _: None)
        again, _ = demo.start(lambda _: None)
        (folder,) = commands.up_in
        runner = a_runner(folder / "state", "20261122-090000-dddd")
        assert target == again
        assert target.kubernetes.namespace == "demo"
        assert work.resolve("dddd") == "20261122-090000-dddd"

    assert runner.wait(10) == -signal.SIGTERM
    runner.communicate()
    assert commands.log == ["down"]
    assert not folder.exists()
    assert not (tmp_path / "own").exists()


def test_nothing_that_can_be_caught_cuts_a_demo_s_end_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is impatient presses Ctrl-C again, or closes the terminal: the sandbox would live on."""

    class Impatient(CommandsInMemory):
        def down(self, folder: Path) -> None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(os.getpid(), number)
            super().down(folder)

    commands = Impatient()
    monkeypatch.setattr("mimir_migrate.cli.sandbox.demo_cluster.commands", lambda: commands)
    before = signal.getsignal(signal.SIGINT)

    end_demo(tmp_path)

    assert commands.log == ["down"]
    assert signal.getsignal(signal.SIGINT) is before
    assert "the demo is being removed" in capsys.readouterr().err


def test_what_a_killed_demo_left_goes_when_the_next_one_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runner and its sandbox are ended first; a demo that lives is left alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    commands = CommandsInMemory()
    monkeypatch.setattr("mimir_migrate.cli.sandbox.demo_cluster.commands", lambda: commands)
    began = """
import sys, time
from mimir_migrate.adapters.temporary import temporary_folder
with temporary_folder("mimir-migrate-demo-") as folder:
    print(folder, flush=True)
    time.sleep(600)
"""
    killed, living = (
        subprocess.Popen(
            [sys.executable, "-c", began],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        for _ in range(2)
    )
    try:
        assert killed.stdout is not None
        assert living.stdout is not None
        left, kept = (Path(each.stdout.readline().strip()) for each in (killed, living))
        runner = a_runner(left / "state", "20261122-090000-eeee")
        killed.kill()
        killed.wait()
        said: list[str] = []

        end_abandoned(said.append)

        assert runner.wait(10) == -signal.SIGTERM
        runner.communicate()
        assert commands.log == ["down"]
        assert not left.exists()
        assert kept.is_dir()
        assert [str(left) in line for line in said] == [True]
    finally:
        for each in (killed, living):
            each.kill()
            each.communicate()
