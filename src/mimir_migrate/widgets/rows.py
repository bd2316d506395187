"""A list of rows: a table or a tree with a cursor, a filter, and a memory for what is unfolded.

Rows are known by their keys. New rows never move the cursor, the scroll, or what is unfolded.
"""

# Longer than 400 lines. One widget: what it draws rests on where its cursor and its scroll are.

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from textual import events
from textual.binding import Binding, BindingType
from textual.css.scalar import Unit
from textual.message import Message
from textual.strip import Strip

from mimir_migrate.widgets.canvas import Canvas
from mimir_migrate.widgets.row_lines import RowLines, laid_out
from mimir_migrate.widgets.text import Line, Span, cells, fit, plain, text_of, wrap

FILTER_ENDS = "Esc shows all"
GUTTER = 2
"""Cells before the first column, where the cursor's sign stands."""


_LEAST, _GROWN = 14, 10
"""Cells that a limited column keeps where there is no room, so that a growing one has so many."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column; `width` 0 takes what its cells need, `grows` takes what is left."""

    title: str = ""
    width: int = 0
    most: int = 0
    """At most so many cells; 0: as many as needed."""
    grows: bool = False
    right: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row; `depth` and `folds` make a tree of a flat list."""

    key: str
    cells: tuple[Line, ...]
    depth: int = 0
    folds: bool = False
    """Whether rows below it, of greater depth, are hidden until it is unfolded."""
    heading: bool = False
    """A heading is drawn over the whole width and the cursor skips it."""
    wide: bool = False
    """Whether its first cell is drawn over all columns."""
    words: str = ""
    """Further words that the filter finds it by."""
    brief: Line = ()
    """What its growing cell says where it would be cut otherwise."""


def cell(text: object, style: str = "") -> Line:
    """A cell of one span; the text may come from outside."""
    return (Span(plain(text), style),)


class RowMessage(Message):
    """A message about one row of a list."""

    def __init__(self, rows: RowList, key: str) -> None:
        super().__init__()
        self.rows = rows
        self.key = key

    @property
    def control(self) -> RowList:
        """The list that it is about."""
        return self.rows


class RowList(Canvas):
    """A table or a tree of rows with a cursor."""

    HELP = """\
**A list.** Arrows, Page Up/Down, Home and End move; Enter shows more of a row, Space or Right
unfolds it, Left folds it; `/` filters by any word in it, Escape ends that; `c` copies the command
that does or shows the same.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "jump(0)", "Top", show=False),
        Binding("end", "jump(-1)", "End", show=False),
        Binding("enter", "choose", "Show", show=False),
        Binding("space", "turn", "Unfold", show=False),
        Binding("right", "unfold(True)", "Unfold", show=False),
        Binding("left", "unfold(False)", "Fold", show=False),
    ]

    class Highlighted(RowMessage):
        """The cursor came to rest on another row."""

    class Chosen(RowMessage):
        """A row was chosen with Enter or by a click on the row under the cursor."""

    class Toggled(RowMessage):
        """Space was pressed on a row that does not fold."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        id: str | None = None,  # noqa: A002 - Textual's name
        classes: str | None = None,
        empty: str = "",
        header: bool = False,
        wraps: bool = True,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.wraps = wraps
        """Whether rows are wrapped as far as the window has room."""
        self.columns = tuple(columns)
        self.header = header and any(column.title for column in columns)
        self.empty = empty
        self._rows: tuple[Row, ...] = ()
        self._shown: tuple[Row, ...] = ()
        self._unfolded: set[str] = set()
        self._key = ""
        self._wanted: tuple[int, ...] = ()
        self._lines = RowLines()
        self._room = 0
        """Lines that were seen when it was laid out last."""
        self.filter = ""

    def on_mount(self) -> None:
        self._show(0)

    def on_resize(self, _event: events.Resize) -> None:
        top, at = round(self.scroll_offset.y), self._lines.first(self._place())
        was_seen = bool(self._key) and top <= at < top + self._room
        self._lay_out()
        if was_seen:
            self._keep_cursor(self._place())

    # --- what others set and read ------------------------------------------------------------

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, filtered and folded ones included."""
        return self._rows

    @property
    def shown(self) -> tuple[Row, ...]:
        """The rows that can be scrolled to now."""
        return self._shown

    @property
    def key(self) -> str:
        """The key of the row under the cursor; empty: none."""
        return self._key

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show other rows. The cursor stays on its row, or near where that row was."""
        fresh = tuple(rows)
        if fresh == self._rows:
            return
        old_place = self._place()
        self._rows = fresh
        self._wanted = self._measure()
        self._show(old_place)

    def unfold(self, key: str, *, open_: bool = True) -> None:
        """Unfold or fold a row."""
        (self._unfolded.add if open_ else self._unfolded.discard)(key)
        self._show(self._place())

    def set_filter(self, words: str) -> None:
        """Show only rows that hold every one of the words."""
        self.filter = words.strip().lower()
        self._show(self._place())

    def move_to(self, key: str) -> None:
        """Put the cursor on a row."""
        for place, row in enumerate(self._shown):
            if row.key == key and not row.heading:
                self._go(place)
                return

    # --- rows --------------------------------------------------------------------------------

    def _show(self, old_place: int) -> None:
        self._shown = tuple(self._visible())
        places = [place for place, row in enumerate(self._shown) if not row.heading]
        key = self._key
        if all(self._shown[place].key != key for place in places):
            near = min(places, key=lambda place: abs(place - old_place), default=None)
            self._key = "" if near is None else self._shown[near].key
        self._lay_out()
        if self._key != key:
            self.post_message(self.Highlighted(self, self._key))

    def _lay_out(self) -> None:
        """Wrap the rows where the window has room for them whole."""
        region = self.scrollable_content_region
        self._room = region.height
        told = bool(self.filter and self._shown)
        room = (self._most_lines(region.height) if self.wraps else 0) - self.header - told
        widths = self._widths(region.width)
        self._lines = laid_out(
            len(self._shown), room, lambda place: self._wrapped(place, widths, region.width)
        )
        self.set_extent(self._width(), len(self._lines.lines) + self.header + told)

    def _most_lines(self, height: int) -> int:
        """How many lines it can have: as many as are seen, or as it may grow to."""
        most = self.styles.max_height
        grows = self.styles.is_auto_height and most is not None and most.unit is Unit.CELLS
        return max(height, int(most.value)) if grows and most is not None else height

    def _wrapped(self, place: int, widths: list[int], width: int) -> Sequence[Line]:
        """The cell of a row that is drawn over what is left, wrapped."""
        row = self._shown[place]
        if row.heading:
            return ()
        if row.wide:
            return wrap(self._cell(row, 0), max(1, width - GUTTER), indent=2 * row.depth + 2)
        last = max((at for at, column in enumerate(self.columns) if column.grows), default=-1)
        if not 0 <= last < len(row.cells):
            return ()
        indent = 2 * row.depth + 2 if last == 0 and self._is_tree() else 0
        beside = last < len(self.columns) - 1
        return wrap(self._cell(row, last), widths[last] - beside, indent=indent)

    def _visible(self) -> list[Row]:
        if self.filter:
            words = self.filter.split()
            return [row for row in self._rows if not row.heading and _holds(row, words)]
        found: list[Row] = []
        hidden_below: int | None = None
        for row in self._rows:
            if hidden_below is not None and row.depth > hidden_below and not row.heading:
                continue
            hidden_below = None
            found.append(row)
            if row.folds and row.key not in self._unfolded:
                hidden_below = row.depth
        return found

    def _place(self) -> int:
        for place, row in enumerate(self._shown):
            if row.key == self._key:
                return place
        return 0

    def _measure(self) -> tuple[int, ...]:
        widths = [max(column.width, cells(column.title)) for column in self.columns]
        for row in self._rows:
            if row.heading or row.wide:
                continue
            for index, spans in enumerate(row.cells[: len(widths)]):
                if self.columns[index].width or self.columns[index].grows:
                    continue
                extra = 2 * row.depth + 2 if index == 0 and self._is_tree() else 0
                widths[index] = max(widths[index], cells(text_of(spans)) + extra)
        for index, column in enumerate(self.columns):
            if column.width:
                widths[index] = column.width
            elif column.most:
                widths[index] = min(widths[index], column.most)
        return tuple(widths)

    def _is_tree(self) -> bool:
        return any(row.folds or row.depth for row in self._rows)

    def _width(self) -> int:
        return 1 if any(column.grows for column in self.columns) else sum(self._widths(0)) + GUTTER

    def _widths(self, room: int) -> list[int]:
        wanted = list(self._wanted or self._measure())
        fixed = sum(
            width + 1
            for width, column in zip(wanted, self.columns, strict=True)
            if not column.grows
        )
        for index, column in enumerate(self.columns):
            if room and column.most and fixed + GUTTER + _GROWN > room:
                given = min(wanted[index] - _LEAST, fixed + GUTTER + _GROWN - room)
                wanted[index] -= max(0, given)
                fixed -= max(0, given)
        growing = [index for index, column in enumerate(self.columns) if column.grows]
        for index in growing:
            wanted[index] = max(4, (room - GUTTER - fixed) // len(growing))
        return [width + (0 if index in growing else 1) for index, width in enumerate(wanted)]

    # --- drawing -----------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is seen."""
        width = self.scrollable_content_region.width or self.size.width
        scroll_x, scroll_y = self.scroll_offset
        if self.header and y == 0:
            strip = self._header_strip(width + scroll_x)
        else:
            strip = self._line_strip(scroll_y + y - self.header, width + scroll_x)
        return strip.crop_extend(scroll_x, scroll_x + width, self.rich_style)

    def _header_strip(self, width: int) -> Strip:
        spans = [Span(" " * GUTTER)]
        for column, size in zip(self.columns, self._widths(width), strict=True):
            spans.append(Span(self._aligned(column.title, size, column), "dim strong"))
        return self.strip(tuple(spans))

    def _line_strip(self, line: int, width: int) -> Strip:
        if 0 <= line < len(self._lines.lines):
            return self._row_strip(*self._lines.lines[line], width)
        return self._row_strip(line - len(self._lines.lines) + len(self._shown), 0, width)

    def _row_strip(self, place: int, part: int, width: int) -> Strip:
        if not 0 <= place < len(self._shown):
            if place == 0 and not self._shown:
                said = (
                    f"nothing matches {self.filter!r}; {FILTER_ENDS}"
                    if self.filter
                    else self.empty
                )
                return self.strip((Span("  " + fit(said, width - 2), "dim"),))
            if place == len(self._shown) and self.filter:
                of = sum(not row.heading for row in self._rows)
                said = f"{place} of {of} rows match {self.filter!r}; {FILTER_ENDS}"
                return self.strip((Span("  " + fit(said, width - 2), "dim"),))
            return self.blank(width)
        row = self._shown[place]
        if row.heading:
            return self.strip((Span(fit(text_of(row.cells[0]), width), "dim strong"),))
        at_cursor = row.key == self._key
        spans = [Span(f"{self.cursor_sign if at_cursor else ' ':<{GUTTER}}")]
        parts = self._lines.parts[place] if place < len(self._lines.parts) else ()
        if row.wide:
            whole = Column(grows=True)
            spans.extend(self._cell_spans(row, 0, whole, max(0, width - GUTTER), parts, part))
            return self._base_strip(spans, place, width, at_cursor=at_cursor)
        last = max((at for at, column in enumerate(self.columns) if column.grows), default=-1)
        for index, (column, size) in enumerate(
            zip(self.columns, self._widths(width), strict=True)
        ):
            if part and index != last:
                spans.append(Span(" " * size))
                continue
            those = parts if index == last else ()
            spans.extend(self._cell_spans(row, index, column, size, those, part))
        return self._base_strip(spans, place, width, at_cursor=at_cursor)

    def _base_strip(self, spans: list[Span], place: int, width: int, *, at_cursor: bool) -> Strip:
        base = "cursor" if at_cursor else ""
        strip = self.strip(tuple(spans), base=base, meta={"row": place})
        return strip.extend_cell_length(width, self.look_of(base))

    def _cell(self, row: Row, index: int) -> Line:
        """A cell with the sign of a tree before it."""
        spans = row.cells[index] if index < len(row.cells) else ()
        if index != 0 or not self._is_tree():
            return spans
        sign = self.signs.leaf
        if row.folds:
            is_open = row.key in self._unfolded
            sign = self.signs.open if is_open else self.signs.folded
        return (Span("  " * row.depth + sign + " "), *spans)

    def _cell_spans(
        self,
        row: Row,
        index: int,
        column: Column,
        size: int,
        parts: Sequence[Line] = (),
        part: int = 0,
    ) -> list[Span]:
        last = column is self.columns[-1] or row.wide
        room = size if column.grows and last else size - 1
        spans = list(parts[part] if parts else self._cell(row, index))
        if not parts and row.brief and column.grows and cells(text_of(tuple(spans))) > room:
            spans = list(row.brief)
        if column.right:
            text = text_of(tuple(spans))
            style = spans[0].style if spans else ""
            return [Span(self._aligned(text, size, column), style)]
        found: list[Span] = []
        used = 0
        for span in spans:
            left = room - used
            if left <= 0:
                break
            text = span.text
            if cells(text) > left:
                text = fit(text, left, ellipsis=self.signs.ellipsis)
            found.append(Span(text, span.style))
            used += cells(text)
        found.append(Span(" " * (size - used)))
        return found

    def _aligned(self, text: str, size: int, column: Column) -> str:
        room = size if column.grows else size - 1
        shown = fit(text, room, ellipsis=self.signs.ellipsis)
        if column.right:
            shown = shown.rstrip(" ").rjust(room)
        return shown + " " * (size - room)

    # --- keys and mouse ----------------------------------------------------------------------

    def _go(self, place: int) -> None:
        self._key = self._shown[place].key
        self._keep_cursor(place)
        self.refresh()
        self.post_message(self.Highlighted(self, self._key))

    def _keep_cursor(self, place: int) -> None:
        height = self._lines.height(place)
        self.keep_visible(self._lines.first(place), height + self.header)

    def action_move(self, by: int) -> None:
        place = self._place() + by
        while 0 <= place < len(self._shown) and self._shown[place].heading:
            place += 1 if by > 0 else -1
        if 0 <= place < len(self._shown):
            self._go(place)
        elif by < 0:
            self.scroll_home(animate=False)

    def action_page(self, by: int) -> None:
        self._nearest(self._place() + by * max(1, self.scrollable_content_region.height - 1))

    def action_jump(self, to: int) -> None:
        self._nearest(0 if to == 0 else len(self._shown) - 1)

    def _nearest(self, wanted: int) -> None:
        places = [place for place, row in enumerate(self._shown) if not row.heading]
        if places:
            self._go(min(places, key=lambda place: abs(place - wanted)))

    def action_choose(self) -> None:
        if self._key:
            self.post_message(self.Chosen(self, self._key))

    def action_turn(self) -> None:
        row = self._row()
        if row is None:
            return
        if row.folds:
            self.unfold(row.key, open_=row.key not in self._unfolded)
        else:
            self.post_message(self.Toggled(self, row.key))

    def action_unfold(self, open_: bool) -> None:
        row = self._row()
        if row is not None and row.folds:
            self.unfold(row.key, open_=open_)
        elif row is not None and not open_:
            for place in range(self._place() - 1, -1, -1):
                if self._shown[place].depth < row.depth and not self._shown[place].heading:
                    self._go(place)
                    return

    def _row(self) -> Row | None:
        return next((row for row in self._shown if row.key == self._key), None)

    def on_click(self, event: events.Click) -> None:
        place = event.style.meta.get("row")
        if not isinstance(place, int) or not 0 <= place < len(self._shown):
            return
        again = self._shown[place].key == self._key
        self._go(place)
        if again:
            self.action_turn() if self._shown[place].folds else self.action_choose()


def _holds(row: Row, words: Sequence[str]) -> bool:
    text = " ".join([row.key, row.words, *(text_of(spans) for spans in row.cells)]).lower()
    return all(word in text for word in words)
