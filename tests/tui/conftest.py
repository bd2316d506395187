"""What the tests of the app share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_blinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cursor that blinks by the wall clock makes every picture a matter of luck."""
    from textual.widgets import Input

    monkeypatch.setattr(Input, "_toggle_cursor", lambda self: None)


@pytest.fixture(autouse=True)
def steady_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's terminal says must not change what is drawn."""
    for name in ("NO_COLOR", "TMUX", "STY", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
