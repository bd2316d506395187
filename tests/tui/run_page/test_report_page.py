"""The report on the screen: its tables have heads, and their columns stand below each other."""

from __future__ import annotations

from mimir_migrate.screens.report import markdown_lines
from mimir_migrate.widgets.reader import wrapped
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


def test_a_long_cell_of_a_reports_table_goes_on_below_itself() -> None:
    """What a step does is never read as the name of a step: it stays in its column."""
    table = (
        "| step | what |\n|---|---|\n| both | Give ingester, ruler and compactor both stores |\n"
    )

    shown = [text_of(each) for spans in markdown_lines(table) for each in wrapped(spans, 30)]

    assert shown[:3] == [
        "step  what",
        "both  Give ingester, ruler and",
        "      compactor both stores",
    ]
