"""The app on a cluster of its own: the monkey, the whole demo, and a real terminal."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_monkey import rampage
from textual.pilot import Pilot
from tui_harness import press, screen_text, settle, type_text

from mimir_migrate.adapters.clock import SystemClock
from mimir_migrate.app import MigrateApp
from mimir_migrate.bootstrap import operations
from mimir_migrate.model.events import RunState
from mimir_migrate.sandbox import commands
from mimir_migrate.sandbox.files import SandboxFile
from mimir_migrate.screens.run_page.run_questions import TAKEN
from mimir_migrate.settings import load_target

SPEED = 60.0
PATIENCE = 240.0
"""Seconds after which a test gives up on something that takes a few on an idle machine."""

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def state(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of journals that is this test's own."""
    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory) -> Iterator[tuple[SandboxFile, Path]]:
    """A Mimir cluster on memberlist, with a build that has a DynamoDB client."""
    folder = tmp_path_factory.mktemp("sandbox")
    yield commands.up(folder, product="mimir", stores="+dynamodb", speed=SPEED), folder
    commands.down(folder)


def app_on(where: Path, work: Any = None, **options: Any) -> MigrateApp:
    """The app on a sandbox, reading journals often."""
    target = load_target(str(where / "target.toml"), {})
    return MigrateApp(
        work or operations(), clock=SystemClock().now, target=target, poll_seconds=0.5, **options
    )


class ReadsOnce:
    """The real operations; what only reads and changes nothing is asked of the cluster once.

    Everything else, and all that could change something, goes through to the cluster each time.
    """

    def __init__(self) -> None:
        self._work = operations()
        self._known: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)

    def _once(self, what: str, ask: Callable[[], Any]) -> Any:
        if what not in self._known:
            self._known[what] = ask()
        return self._known[what]

    def look(self, *arguments: Any, progress: Any = None, **options: Any) -> Any:
        del progress
        key = f"look {arguments} {options}"
        return self._once(key, lambda: self._work.look(*arguments, **options))

    def plan(self, *arguments: Any, **options: Any) -> Any:
        key = f"plan {arguments} {options}"
        return self._once(key, lambda: self._work.plan(*arguments, **options))


def requests(sandbox: SandboxFile) -> list[dict[str, Any]]:
    """Requests that changed something at the sandbox's servers."""
    status, found = commands.HttpApi(sandbox).call_list("GET", "sandbox/requests")
    assert status == 200
    return found


async def wait_for(pilot: Pilot[Any], condition: Callable[[], object]) -> None:
    """Let the app go on until something is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, screen_text(pilot.app)
        await asyncio.sleep(0.2)
    await settle_followed(pilot)


async def settle_followed(pilot: Pilot[Any]) -> None:
    """Come to rest, as far as an app comes to rest that follows a journal."""
    for _ in range(4):
        await pilot._wait_for_screen()
        await asyncio.sleep(0.05)


async def tap(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys without waiting for what is followed."""
    from tui_harness import send_key

    for key in keys:
        send_key(pilot.app, key)
        await settle_followed(pilot)


def test_a_monkey_at_a_cluster_leaves_no_change_at_its_servers(sandbox, state, tmp_path) -> None:
    """1,000 keys and clicks: the sandbox's servers saw not one request that changes something."""
    made, folder = sandbox
    before = len(requests(made))
    app = app_on(folder, ReadsOnce(), folder=tmp_path, copies=tmp_path)

    async def main() -> set[str]:
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await settle(pilot)
            await press(pilot, "2", "3", "p")
            assert app.session.plan is not None
            return await rampage(pilot, app, _Nobody(), seed=11, presses=1000)  # type: ignore[arg-type]

    seen = asyncio.run(main())

    assert {"PlanScreen", "QuestionModal"} <= seen
    assert requests(made)[before:] == []


class _Nobody:
    """Stands where the fake counts calls; here the servers do."""

    calls: tuple[str, ...] = ()


def test_the_whole_demo_forward_by_keys_and_back_in_a_real_terminal(
    sandbox, state: Path, tmp_path
) -> None:
    """Start to report and quit in the middle; then back in tmux, where the connection is lost."""
    _, folder = sandbox
    values = folder / "values.yaml"
    bytes_before = values.read_bytes()
    run = asyncio.run(_forward(folder, tmp_path))
    assert operations().status(run).state is RunState.DONE
    assert values.read_bytes() != bytes_before

    if shutil.which("tmux") is None:
        pytest.skip("tmux is not here; the way forward was walked")
    _back_in_tmux(folder, state, tmp_path)

    assert operations().runs()[0].state is RunState.DONE
    assert values.read_bytes() == bytes_before
    watched = commands.status(folder)
    assert watched["observations"] > 0
    assert watched["lost_sight"] == 0


async def _forward(folder: Path, tmp_path: Path) -> str:
    app = app_on(folder, copies=tmp_path)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await settle(pilot)
        await press(pilot, "2")
        assert "16 pods" in screen_text(app)
        await press(pilot, "3", "p")
        await wait_for(pilot, lambda: app.session.plan is not None)
        await press(pilot, "5")
        assert "kvstore:" in screen_text(app)
        await press(pilot, "4", "s")
        await type_text(pilot, "mimir")
        await tap(pilot, "enter")
        await wait_for(pilot, lambda: app.session.status and app.session.status.approval_for)
        run = app.session.run
        await tap(pilot, "a")
        await type_into(pilot, "mimir")
        await tap(pilot, "enter", "q", "down", "enter")

    again = app_on(folder, copies=tmp_path)
    async with again.run_test(size=(120, 36), notifications=True) as pilot:
        await settle(pilot)
        await tap(pilot, "o")
        assert again.session.run == run
        await wait_for(
            pilot,
            lambda: again.session.status and again.session.status.approval_for == "unmirror",
        )
        await tap(pilot, "a")
        await type_into(pilot, "mimir")
        await tap(pilot, "enter")
        await wait_for(pilot, lambda: again.page and again.page.over)
        await tap(pilot, "7")
        await wait_for(pilot, lambda: f"Report of the run {run}: done" in screen_text(again))
    return run


async def type_into(pilot: Pilot[Any], text: str) -> None:
    """Type while a journal is followed."""
    await tap(pilot, *text)


class Terminal:
    """A tmux of this test's own."""

    def __init__(self, state: Path, folder: Path, socket: Path) -> None:
        self._tmux = ["tmux", "-S", str(socket)]
        environment = {**os.environ, "MIMIR_MIGRATE_STATE": str(state)}
        environment.pop("TMUX", None)
        app = f"exec {sys.executable} -m mimir_migrate --target {folder / 'target.toml'}"
        subprocess.run(
            [*self._tmux, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", app],
            check=True,
            env=environment,
        )

    def send(self, *keys: str) -> None:
        """Send keys as a keyboard would."""
        subprocess.run([*self._tmux, "send-keys", *keys], check=True)

    def screen(self) -> str:
        """What the terminal shows."""
        done = subprocess.run(
            [*self._tmux, "capture-pane", "-p"], capture_output=True, text=True, check=False
        )
        return done.stdout

    def wait(self, text: str) -> str:
        """Wait until the terminal shows a text."""
        end = time.monotonic() + PATIENCE
        while text not in (shown := self.screen()):
            assert time.monotonic() < end, f"no {text!r} in\n{shown}"
            time.sleep(0.2)
        return shown

    def wait_for_one(self, *texts: str) -> str:
        """Wait until the terminal shows one of several texts; which it is."""
        end = time.monotonic() + PATIENCE
        while True:
            shown = self.screen()
            if found := next((text for text in texts if text in shown), ""):
                return found
            assert time.monotonic() < end, f"none of {texts} in\n{shown}"
            time.sleep(0.1)

    def close(self) -> None:
        """Take the terminal away, as a lost connection does."""
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)


def _back_in_tmux(folder: Path, state: Path, tmp_path: Path) -> None:
    terminal = Terminal(state, folder, tmp_path / "tmux")
    try:
        terminal.wait("Past runs")
        terminal.send("2")
        terminal.wait("3 to see the choices")
        terminal.send("3")
        terminal.wait("dynamodb → memberlist")
        terminal.send("Tab", "Down", "Space")
        terminal.wait("static  three rollouts")
        terminal.send("p")
        terminal.wait("s starts the run")
        terminal.send("s")
        terminal.wait("To do it, type mimir here")
        terminal.send("mimir", "Enter")
        _approve(terminal)
        terminal.close()  # the connection is lost in the middle of the step
        terminal = Terminal(state, folder, tmp_path / "tmux-again")
        terminal.wait("Unfinished runs")
        terminal.send("o")
        _approve(terminal)
        terminal.wait("Done. 7 shows the report")
        terminal.send("7")
        shown = terminal.wait("Report of the run")
        assert all(len(line) <= 80 for line in shown.splitlines())
        terminal.send("q")
    finally:
        terminal.close()


def _approve(terminal: Terminal) -> None:
    """Approve what waits; a question that a bad sample suspended at that moment is answered again."""
    for _ in range(5):
        terminal.wait("waits for you: a shows")
        terminal.send("a")
        terminal.wait("To do it, type mimir here")
        terminal.send("mimir", "Enter")
        if terminal.wait_for_one(TAKEN["approve"], "Not done: ") == TAKEN["approve"]:
            return
    raise AssertionError("no approval was taken")
