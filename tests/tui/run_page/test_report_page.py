"""The report on the screen: its tables have heads, and their columns stand below each other."""

from __future__ import annotations

from mimir_migrate.screens.report import markdown_lines
from mimir_migrate.widgets.text import text_of

TEXT = """\
## Steps

| step | number | took | what |
| --- | --- | --- | --- |
| `mirror` | 3 of 7 | 41 s | Mirror writes |
| `switch` | 4 of 7 | 2 min | Switch to a\\|b |

after
"""


def test_a_table_has_its_head_and_its_columns_below_each_other() -> None:
    """Which figure is which can be told; a bar inside a cell is no border."""
    shown = [text_of(one) for one in markdown_lines(TEXT)]

    assert shown[2:] == [
        "step    number  took   what",
        "mirror  3 of 7  41 s   Mirror writes",
        "switch  4 of 7  2 min  Switch to a|b",
        "",
        "after",
        "",
    ]
