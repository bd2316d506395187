"""An error that nobody foresaw draws no traceback: it ends the app in words, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from tui_fakes import FakeOperations
from tui_harness import app_for, drive, screen_text, settle

from mimir_migrate.cli import opening
from mimir_migrate.cli.guard import guarded
from mimir_migrate.errors import ExitCode

SECRET = "Planted8811-app"


def test_an_error_on_the_loop_ends_the_app_with_two_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    """The terminal is put back, and what was on the screen's stack is not shown, locals included."""
    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(tmp_path))
    app = app_for(FakeOperations())

    async def press(pilot: Any) -> None:
        def fail() -> None:
            secret = SECRET
            raise KeyError(f"password: {secret}")

        pilot.app.call_later(fail)
        await pilot.pause()

    run = app.run
    monkeypatch.setattr(app, "run", lambda: run(headless=True, auto_pilot=press))

    assert guarded(lambda: opening.draw(app), lambda: "the app") == ExitCode.FAILED
    said = capsys.readouterr()
    assert "the app: something that nobody foresaw went wrong (KeyError)" in said.err
    assert "Traceback" not in said.err + said.out
    assert SECRET not in said.err + said.out
    kept = "".join(path.read_text() for path in (tmp_path / "errors").iterdir())
    assert "in fail" in kept
    assert SECRET not in kept


def test_an_error_in_the_background_is_told_and_the_app_goes_on() -> None:
    """By its kind and the file with the details; its text may hold anything."""
    kept: list[str] = []

    def keep(error: BaseException, doing: str) -> str:
        kept.append(f"{type(error).__name__} in {doing}")
        return "/state/errors/1.log"

    async def script(pilot: Any, app: Any) -> None:
        def work() -> None:
            raise KeyError(f"password: {SECRET}")

        app.run_worker(work, thread=True, exit_on_error=False)
        await settle(pilot)
        text = screen_text(app)
        assert "KeyError" in text
        assert "/state/errors/1.log" in text
        assert SECRET not in text

    drive(app_for(FakeOperations(), keep_details=keep), script)
    assert kept == ["KeyError in the app"]


def test_an_error_in_what_a_key_asked_for_is_told_by_its_kind_too() -> None:
    """The dialog of an action has no more of its text than any other."""

    async def script(pilot: Any, app: Any) -> None:
        def work() -> None:
            raise KeyError(f"password: {SECRET}")

        app.page.in_background("look", work, lambda _: None)
        await settle(pilot)
        text = screen_text(app)
        assert "KeyError" in text
        assert "/state/errors/2.log" in text
        assert SECRET not in text

    drive(
        app_for(FakeOperations(), keep_details=lambda error, doing: "/state/errors/2.log"), script
    )
