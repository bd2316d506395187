"""Rows of a list are wrapped where the window has room for them."""

from __future__ import annotations

import pytest

from mimir_migrate.widgets.row_lines import laid_out
from mimir_migrate.widgets.text import Span


@pytest.mark.parametrize(
    ("needed", "height", "given"),
    [
        ((1, 3, 1), 5, (1, 3, 1)),
        ((9, 2, 2), 6, (1, 2, 2)),
        ((2, 2, 2), 4, (2, 1, 1)),
        ((3, 3), 1, (1, 1)),
    ],
)
def test_as_few_rows_as_can_be_are_cut(
    needed: tuple[int, ...], height: int, given: tuple[int, ...]
) -> None:
    """One long row does not take the room that makes several others whole."""
    lines = laid_out(
        len(needed), height, lambda place: [(Span(str(n)),) for n in range(needed[place])]
    )
    assert tuple(lines.height(place) for place in range(len(needed))) == given
    assert len(lines.lines) <= max(height, len(needed))
