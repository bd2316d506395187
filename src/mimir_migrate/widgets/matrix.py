"""A table with a cursor that moves over cells: rings down, components across."""

from __future__ import annotations

from itertools import accumulate
from typing import ClassVar

import msgspec
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from mimir_migrate.widgets.canvas import Canvas
from mimir_migrate.widgets.rows import FILTER_ENDS
from mimir_migrate.widgets.text import Line, Span, cells, fit, text_of


class MatrixRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row: its name, and a cell for each column that it has one in."""

    key: str
    name: Line
    cells: dict[str, Line]
    short: dict[str, Line] = {}
    """What a cell says where the window is too narrow; it may lack what is as it should be."""


class MatrixTable(msgspec.Struct, frozen=True, kw_only=True):
    """What a matrix shows; `columns` are keys with the titles, long and short."""

    columns: tuple[tuple[str, str, str], ...] = ()
    rows: tuple[MatrixRow, ...] = ()
    corner: str = ""
    notes: tuple[str, ...] = ()
    """Lines below the rows that say what a sign in them means."""


Drawn = tuple[list[str], tuple[MatrixRow, ...], list[int]]
"""Titles, rows and the columns' widths as the window has room for them."""


class CellMessage(Message):
    """A message about one cell of a matrix."""

    def __init__(self, matrix: Matrix, row: str, column: str) -> None:
        super().__init__()
        self.matrix = matrix
        self.row = row
        self.column = column

    @property
    def control(self) -> Matrix:
        """The matrix that it is about."""
        return self.matrix


class Matrix(Canvas):
    """Rings × components; the cursor stays on its cell when other data come."""

    HELP = """\
**The matrix.** Arrows move from cell to cell; Enter shows the pods behind a cell, down to what each
of them answered.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "go(-1, 0)", "Up", show=False),
        Binding("down,j", "go(1, 0)", "Down", show=False),
        Binding("left", "go(0, -1)", "Left", show=False),
        Binding("right", "go(0, 1)", "Right", show=False),
        Binding("home", "go(-999, -999)", "First", show=False),
        Binding("end", "go(999, 999)", "Last", show=False),
        Binding("enter", "choose", "Show", show=False),
    ]

    class Highlighted(CellMessage):
        """The cursor came to rest on another cell."""

    class Chosen(CellMessage):
        """A cell was chosen."""

    def __init__(self, *, id: str | None = None, empty: str = "") -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.table = MatrixTable()
        self.empty = empty
        self.cursor = ("", "")
        """The row's key and the column's; an empty column is the row's name."""
        self.filter = ""
        self._drawn: Drawn = ([], (), [])

    def set_table(self, table: MatrixTable) -> None:
        """Show other data; the cursor stays on its cell if that still is."""
        if table == self.table:
            return
        self.table = table
        self._settle()

    def set_filter(self, words: str) -> None:
        """Show only rows that hold every one of the words."""
        self.filter = words.strip().lower()
        self._settle()

    @property
    def shown(self) -> tuple[MatrixRow, ...]:
        """The rows that the filter lets through."""
        if not self.filter:
            return self.table.rows
        words = self.filter.split()
        return tuple(
            row
            for row in self.table.rows
            if all(
                word
                in " ".join([text_of(row.name), *(text_of(c) for c in row.cells.values())]).lower()
                for word in words
            )
        )

    def _settle(self) -> None:
        rows, columns = self.shown, self._columns()
        row, column = self.cursor
        if rows and row not in {each.key for each in rows}:
            row = rows[0].key
        if column not in {"", *columns}:
            column = ""
        if (row, column) != self.cursor:
            self.cursor = (row, column)
            self.post_message(self.Highlighted(self, row, column))
        self._drawn = self._fitted()
        width = self._first() + sum(self._drawn[2])
        self.set_extent(width, len(rows) + 1 + len(self._notes()))

    def _notes(self) -> tuple[str, ...]:
        if not self.shown:
            return ()
        if not self.filter:
            return self.table.notes
        told = f"{len(self.shown)} of {len(self.table.rows)} rows match {self.filter!r}"
        return (*self.table.notes, f"{told}; {FILTER_ENDS}")

    def _columns(self) -> list[str]:
        return [key for key, _, _ in self.table.columns]

    def _first(self) -> int:
        names = [cells(text_of(row.name)) for row in self.table.rows]
        return 2 + max([cells(self.table.corner), *names]) + 1

    def _fitted(self) -> Drawn:
        """Long where everything fits, else short titles, else short cells too."""
        room = self.scrollable_content_region.width or self.size.width
        rows = self.shown
        narrow = tuple(
            msgspec.structs.replace(row, cells={**row.cells, **row.short}) for row in rows
        )
        long = [title for _, title, _ in self.table.columns]
        short = [title for _, _, title in self.table.columns]
        for titles, those in ((long, rows), (short, rows)):
            widths = self._widths(titles, those)
            if self._first() + sum(widths) <= room:
                return titles, those, widths
        return short, narrow, self._widths(short, narrow)

    def _widths(self, titles: list[str], rows: tuple[MatrixRow, ...]) -> list[int]:
        return [
            max(
                [
                    cells(title),
                    *(cells(text_of(row.cells[key])) for row in rows if key in row.cells),
                ]
            )
            + 1
            for title, key in zip(titles, self._columns(), strict=True)
        ]

    def on_resize(self, _event: events.Resize) -> None:
        self._settle()

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is seen; the rows' names do not scroll away to the side."""
        width = self.scrollable_content_region.width or self.size.width
        scroll_y = self.scroll_offset.y
        rows = self._drawn[1]
        if y == 0:
            return self._scrolled(self._header(), width)
        if 0 <= (place := scroll_y + y - 1) < len(rows):
            return self._scrolled(self._row(place), width)
        if rows and 0 <= (line := place - len(rows)) < len(self._notes()):
            return self._note(self._notes()[line], width)
        if y == 1 and not rows:
            said = f"nothing matches {self.filter!r}; {FILTER_ENDS}" if self.filter else self.empty
            return self._note(said, width)
        return self.blank(width)

    def _scrolled(self, strip: Strip, width: int) -> Strip:
        """A line with its name, then the columns from where the window is scrolled to."""
        first, scrolled = min(self._first(), width), round(self.scroll_offset.x)
        starts = accumulate(self._drawn[2], initial=0)
        # Half a column says nothing: its place stays empty.
        cut = next((start for start in starts if start >= scrolled), scrolled) - scrolled
        columns = strip.crop_extend(
            first + scrolled + cut, first + scrolled + max(cut, width - first), self.rich_style
        )
        parts = [strip.crop_extend(0, first, self.rich_style), self.blank(cut), columns]
        return Strip.join(parts).crop_extend(0, width, self.rich_style)

    def _note(self, text: str, width: int) -> Strip:
        shown = fit("  " + text, width, ellipsis=self.signs.ellipsis)
        return self.strip((Span(shown, "dim"),))

    def _header(self) -> Strip:
        if not self.table.rows:
            return self.strip(())
        titles, _, widths = self._drawn
        spans = [Span(fit("  " + self.table.corner, self._first()), "dim strong")]
        for title, width in zip(titles, widths, strict=True):
            spans.append(Span(fit(title, width, ellipsis=self.signs.ellipsis), "dim strong"))
        return self.strip(tuple(spans))

    def _row(self, place: int) -> Strip:
        _, rows, widths = self._drawn
        row = rows[place]
        at_row = row.key == self.cursor[0]
        strips = [
            self._cell(
                (Span(f"{self.cursor_sign if at_row else ' '} "), *row.name),
                self._first(),
                here=at_row and not self.cursor[1],
                meta={"row": place, "column": ""},
            )
        ]
        for key, width in zip(self._columns(), widths, strict=True):
            strips.append(
                self._cell(
                    row.cells.get(key, (Span(self.signs.none, "dim"),)),
                    width,
                    here=at_row and key == self.cursor[1],
                    meta={"row": place, "column": key},
                )
            )
        return Strip.join(strips)

    def _cell(self, spans: Line, width: int, *, here: bool, meta: dict[str, object]) -> Strip:
        base = "cursor" if here else ""
        used = sum(cells(span.text) for span in spans)
        padded = (*spans, Span(" " * max(0, width - used)))
        return self.strip(padded, base=base, meta=meta).crop_extend(0, width, self.look_of(base))

    def action_go(self, down: int, right: int) -> None:
        rows, columns = self.shown, ["", *self._columns()]
        if not rows:
            return
        row = next((i for i, each in enumerate(rows) if each.key == self.cursor[0]), 0)
        column = columns.index(self.cursor[1]) if self.cursor[1] in columns else 0
        row = min(len(rows) - 1, max(0, row + down))
        column = min(len(columns) - 1, max(0, column + right))
        self._to(row, rows[row].key, columns[column])

    def _to(self, place: int, row: str, column: str) -> None:
        self.cursor = (row, column)
        self.keep_visible(place, 2)
        self._keep_column_visible(column)
        self.refresh()
        self.post_message(self.Highlighted(self, row, column))

    def _keep_column_visible(self, column: str) -> None:
        """Scroll to the side as little as possible so that the column shows whole."""
        columns, widths = self._columns(), self._drawn[2]
        if column not in columns:
            return
        at = columns.index(column)
        left, width = sum(widths[:at]), widths[at]
        room = self.scrollable_content_region.width - self._first()
        scrolled = round(self.scroll_offset.x)
        if left < scrolled:
            self.scroll_to(x=left, animate=False, immediate=True)
        elif left + width > scrolled + room:
            self.scroll_to(x=left + width - room, animate=False, immediate=True)

    def action_choose(self) -> None:
        if self.cursor[0]:
            self.post_message(self.Chosen(self, *self.cursor))

    def on_click(self, event: events.Click) -> None:
        place, column = event.style.meta.get("row"), event.style.meta.get("column")
        rows = self.shown
        if not isinstance(place, int) or not isinstance(column, str) or place >= len(rows):
            return
        again = self.cursor == (rows[place].key, column)
        self._to(place, rows[place].key, column)
        if again:
            self.action_choose()
