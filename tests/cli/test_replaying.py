"""`replay`: the follower's lines again, with their times, from the journal only."""

from __future__ import annotations

import hashlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from quick_world import QuickWorld

from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.cli import run as call
from mimir_migrate.cli.afterwards.replaying import tell_in_rhythm
from mimir_migrate.cli.telling import Story
from mimir_migrate.model.events import Held, Recorded

RUN = "20260101-000000-aaaa"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with the journal of one run that reached its end."""
    world = QuickWorld()
    world.run(world.start())
    folder = tmp_path / "state"
    times = iter([recorded.at for recorded in world.journal.events()])
    store = JournalStore(folder, now=lambda: next(times, 0.0))
    store._make_folders()
    from mimir_migrate.adapters.journal import file as journal_file
    from mimir_migrate.adapters.journal.sqlite import SqliteJournal

    path = store.runs_folder / f"{RUN}.db"
    journal_file.create_file(path, RUN, 0.0)
    with SqliteJournal(
        path, writing=True, redactor=store._redactor, now=lambda: next(times)
    ) as journal:
        for recorded in world.journal.events():
            journal.append(recorded.event)
    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(folder))
    return folder


def test_it_says_what_a_follower_was_told_and_touches_nothing(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Line for line, with the same times; the journal's bytes stay, and no request is left."""
    path = state / "runs" / f"{RUN}.db"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    followed: list[str] = []
    with JournalStore(state).open(RUN) as journal:
        story = Story(as_json=False, say=lambda text, **_: followed.append(text))
        for recorded in journal.events():
            story.tell(recorded)
        left = journal.open_requests()

    assert call(["replay"]) == 0

    assert capsys.readouterr().out == "".join(f"{line}\n" for line in followed)
    assert any("swap done in" in line for line in followed)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    with JournalStore(state).open(RUN) as journal:
        assert journal.open_requests() == left


@pytest.mark.parametrize(("speed", "factor"), [(1.0, 1.0), (60.0, 1 / 60), (0.0, 0.0)])
def test_waits_are_scaled(state: Path, speed: float, factor: float) -> None:
    """What took an hour takes a minute at 60."""
    with JournalStore(state).open(RUN) as journal:
        events = journal.events()
    waits: list[float] = []
    told: list[int] = []

    tell_in_rhythm(events, lambda one: told.append(one.seq), speed=speed, sleep=waits.append)

    assert told == [one.seq for one in events]
    assert sum(waits) == pytest.approx((events[-1].at - events[0].at) * factor)


@pytest.mark.parametrize("speed", ["-1", "nan", "inf"])
def test_what_is_no_speed_is_refused(
    state: Path, speed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to write."""
    assert call(["replay", f"--speed={speed}"]) == 2
    assert "0 prints all at once" in capsys.readouterr().err


def test_ctrl_c_in_a_terminal_ends_it_without_a_traceback(state: Path) -> None:
    """Whenever it comes after the first line; the exit code is that of an interruption."""
    end, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mimir_migrate", "replay", "--speed", "0.001"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(terminal)
    said = b""
    while b"begun" not in said:
        said += os.read(end, 4096)
    process.send_signal(signal.SIGINT)
    try:
        while chunk := os.read(end, 4096):
            said += chunk
    except OSError:  # the terminal is gone with the process
        pass
    os.close(end)
    assert process.wait() == 130
    assert b"interrupted" in said
    assert b"Traceback" not in said


def test_a_hint_stands_below_the_words_that_it_is_about() -> None:
    """It begins in the column in which the rest of a long line goes on."""
    said: list[tuple[str, int | None]] = []
    story = Story(as_json=False, say=lambda text, *, under=None: said.append((text, under)))

    story.tell(Recorded(seq=1, at=5.0, event=Held(step="switch", reason="why", hint="what next")))

    (text, under), *_ = said
    words, hint = text.split("\n")
    assert words.endswith("why")
    assert len(hint) - len(hint.lstrip(" ")) == under
    assert hint.strip() == "what next"
