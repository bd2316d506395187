"""The app's own themes. They are set by name, so that no environment variable changes them."""

from __future__ import annotations

import contextlib
from pathlib import Path

from textual.theme import Theme

DARK = Theme(
    name="mimir-migrate",
    primary="#5B8DEF",
    secondary="#7FB6C9",
    accent="#E5C07B",
    warning="#E5A84B",
    error="#E5677A",
    success="#6CC28B",
    foreground="#DDE3EA",
    background="#12161C",
    surface="#171C23",
    panel="#222A34",
    dark=True,
    variables={"quiet": "#8E9AA8", "cursor": "#0055AF"},
)

LIGHT = Theme(
    name="mimir-migrate-light",
    primary="#2457B8",
    secondary="#2F6F84",
    accent="#7A5200",
    warning="#8A5A00",
    error="#B3202F",
    success="#1D6B3A",
    foreground="#1A2027",
    background="#F6F7F9",
    surface="#FFFFFF",
    panel="#E4E8EE",
    dark=False,
    variables={"quiet": "#5B6672", "cursor": "#9DBBF0"},
)

CONTRAST = Theme(
    name="mimir-migrate-contrast",
    primary="#7FB2FF",
    secondary="#9FE3FF",
    accent="#FFE066",
    warning="#FFB000",
    error="#FF7A7A",
    success="#5CFF9D",
    foreground="#FFFFFF",
    background="#000000",
    surface="#000000",
    panel="#1C1C1C",
    dark=True,
    variables={"quiet": "#C4CCD6", "cursor": "#0B4FA0"},
)

THEMES = (DARK, LIGHT, CONTRAST)


def remembered_theme(file: Path | None) -> str:
    """The theme that was chosen last, where it is still one of ours; else the dark one."""
    if file is not None:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            name = file.read_text(encoding="utf-8").strip()
            if name in {theme.name for theme in THEMES}:
                return name
    return DARK.name
