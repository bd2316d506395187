"""The heading of the Run screen's panes."""

from __future__ import annotations

from mimir_migrate.durations import clock_words
from mimir_migrate.widgets.text import cells

PANE_TITLES = {"gates": "g Gates", "stores": "= Stores", "users": "u Users", "log": "l Log"}
"""Each pane's key and name."""
HEADING_FRAME = 4
"""Cells of a heading that are not its title."""


def pane_title(current: str, at: float | None, width: int) -> str:
    """The panes with their keys, the one that is shown in brackets; where there is no room, its name only.

    Args:
        current: The pane that is shown.
        at: When what it shows was seen; None: it is not said.
        width: Cells of the heading; 0: not known yet.
    """
    seen = f"  {clock_words(at)}" if at is not None else ""
    whole = " ".join(
        f"[{text}]" if name == current else f" {text} " for name, text in PANE_TITLES.items()
    )
    if not width or cells(whole + seen) + HEADING_FRAME <= width:
        return whole + seen
    return " ".join(
        f"[{text}]" if name == current else text[0] for name, text in PANE_TITLES.items()
    )
