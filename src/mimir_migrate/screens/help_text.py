"""Help for what is focused, every key, and the command that does the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from textual.screen import Screen
from textual.widget import Widget

from mimir_migrate.screens.actions import KEY_NAMES, Action, actions_of
from mimir_migrate.widgets.text import Line, line


def help_lines(screen: Screen[Any]) -> list[Line]:
    """The help of the focused widget, of its screen, and all keys that apply."""
    found: list[Line] = []
    focused = screen.focused
    for owner in (focused, screen):
        text = getattr(owner, "HELP", None) if isinstance(owner, Widget) else None
        if text:
            found += [*_paragraph(text), line("")]
    place = getattr(screen, "PLACE", "")
    if place:
        found += [line(("Keys of this screen", "accent")), *_keys(actions_of(place)), line("")]
    found += [line(("Keys everywhere", "accent")), *_keys(actions_of("app"))]
    found.append(line(("  tab     ", "key"), "From one part of the screen to the next"))
    found.append(line(("  esc     ", "key"), "Back: out of a filter, a detail, a question"))
    return found


def _paragraph(text: str) -> Iterator[Line]:
    """One paragraph of a help text; what stands between ** is strong, between ` a key."""
    parts = re.split(r"(\*\*|`)", " ".join(text.split()))
    styles = {"**": "strong", "`": "key"}
    found: list[tuple[str, str]] = []
    style = ""
    for part in parts:
        if part in styles:
            style = "" if style else styles[part]
        elif part:
            found.append((part, style))
    yield line(*found)


def _keys(actions: tuple[Action, ...]) -> Iterator[Line]:
    for action in actions:
        keys = " ".join(KEY_NAMES.get(key, key) for key in action.keys)
        yield line((f"  {keys:<7} ", "key"), action.help)
        yield line((f"          {action.command}", "dim"))
