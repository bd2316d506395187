"""Which line of a list shows which part of which row: rows are wrapped where there is room for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from mimir_migrate.widgets.text import Line

MOST_WRAPPED = 300
"""Rows above which none is wrapped: they would not all fit anyway."""


class RowLines(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of a list, each the number of a row and of one of its parts."""

    lines: tuple[tuple[int, int], ...] = ()
    parts: tuple[tuple[Line, ...], ...] = ()
    """For each row what its wrapped cell says, line by line; empty: it is drawn whole on one line."""

    def first(self, row: int) -> int:
        """The first line of a row."""
        return next((at for at, (place, _) in enumerate(self.lines) if place == row), row)

    def height(self, row: int) -> int:
        """How many lines a row takes."""
        return max(1, len(self.parts[row])) if row < len(self.parts) else 1


def laid_out(count: int, height: int, wrapped: Callable[[int], Sequence[Line]]) -> RowLines:
    """The lines of so many rows in a window of so many lines.

    Args:
        count: How many rows there are.
        height: How many lines are seen.
        wrapped: A row's cell, wrapped; one line where it needs no more.

    Returns:
        Rows wrapped whole as long as all rows are seen then, those that need least room first, so that as
        few as can be are cut; the others on one line each.
    """
    if not 0 < count <= min(height, MOST_WRAPPED):
        return RowLines(lines=tuple((place, 0) for place in range(count)))
    spare = height - count
    parts = [tuple(wrapped(place)) for place in range(count)]
    for place in sorted(range(count), key=lambda place: len(parts[place])):
        more = max(0, len(parts[place]) - 1)
        if more > spare:
            parts[place] = ()
        else:
            spare -= more
    lines = tuple(
        (place, part) for place, those in enumerate(parts) for part in range(max(1, len(those)))
    )
    return RowLines(lines=lines, parts=tuple(parts))
