"""The difference of two texts: side by side where there is room, unified where there is not."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from itertools import takewhile
from typing import ClassVar

import msgspec
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from mimir_migrate.widgets.canvas import Canvas
from mimir_migrate.widgets.text import Line, Span, cells, cut, text_of

SIDE_BY_SIDE_FROM = 100
"""Cells from which two columns of a values file can be read beside each other."""


NUMBERED = 7
"""Cells before the text of a line: its number and its sign."""


class DiffRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of both texts; the numbers count from 1, 0 where that side has no such line."""

    left: str = ""
    right: str = ""
    left_number: int = 0
    right_number: int = 0
    changed: bool = False


class DiffRows(msgspec.Struct, frozen=True, kw_only=True):
    """Both texts aligned, with the place of each change."""

    rows: tuple[DiffRow, ...] = ()
    changes: tuple[int, ...] = ()
    """Index of the first row of each change."""


def aligned(before: str, after: str) -> DiffRows:
    """Align two texts line by line."""
    old, new = before.splitlines(), after.splitlines()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    rows: list[DiffRow] = []
    changes: list[int] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            rows += [
                DiffRow(left=text, right=text, left_number=i1 + n + 1, right_number=j1 + n + 1)
                for n, text in enumerate(old[i1:i2])
            ]
            continue
        changes.append(len(rows))
        for n in range(max(i2 - i1, j2 - j1)):
            has_left, has_right = n < i2 - i1, n < j2 - j1
            rows.append(
                DiffRow(
                    left=old[i1 + n] if has_left else "",
                    right=new[j1 + n] if has_right else "",
                    left_number=i1 + n + 1 if has_left else 0,
                    right_number=j1 + n + 1 if has_right else 0,
                    changed=True,
                )
            )
    return DiffRows(rows=tuple(rows), changes=tuple(changes))


class DiffView(Canvas):
    """Shows two texts, highlighted, with keys from change to change."""

    HELP = """\
**The difference.** `n` and `N` go to the next and the previous change, `|` changes between side by
side and unified; arrows scroll. Nothing is written before a run's step writes it.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("left", "scroll_left", "Left", show=False),
        Binding("right", "scroll_right", "Right", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown,space", "page_down", "Page down", show=False),
        Binding("home", "scroll_home", "Top", show=False),
        Binding("end", "scroll_end", "End", show=False),
    ]

    def __init__(
        self,
        *,
        colours: Callable[[str], Line],
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(id=id)
        self._colours = colours
        self.diff = DiffRows()
        self.change = 0
        """Index of the change that was gone to."""
        self.unified: bool | None = None
        """Whether the operator chose the unified form; None: by width."""
        self._lines: list[tuple[str, Line]] = []
        self._starts: list[int] = []
        self._needs = (0, 0)
        """Cells that the widest line of the change needs on the left side, and on the right one; of lines
        that are the same, either side tells."""
        self._subject = ""

    @property
    def side_by_side(self) -> bool:
        """Which form is drawn now."""
        if self.unified is not None:
            return not self.unified
        return self.size.width >= SIDE_BY_SIDE_FROM

    def show(self, diff: DiffRows, *, subject: str) -> None:
        """Show another difference, from its first change on."""
        if diff == self.diff and subject == self._subject:
            return
        self.diff, self._subject = diff, subject
        self.change = 0
        self._lay_out()
        self.seek(self._change_line)

    def toggle(self) -> None:
        """Change between the two forms."""
        self.unified = self.side_by_side
        self._lay_out()
        self.go_to_change(self.change)

    def go_to_change(self, number: int) -> None:
        """Scroll to a change, a few lines of what stands before it included."""
        if not self.diff.changes:
            return
        self.change = max(0, min(number, len(self.diff.changes) - 1))
        self._measure()
        self.refresh()
        self.seek(self._change_line)

    def _change_line(self) -> int | None:
        return max(0, self._starts[self.change] - 3) if self._starts else None

    def on_resize(self, _event: events.Resize) -> None:
        self._lay_out()
        self.seek(self._change_line)

    # --- laying out --------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._lines, self._starts = [], []
        if self.side_by_side:
            self._lines = [("", ()) for _ in self.diff.rows]
            self._starts = list(self.diff.changes)
            self._measure()
            self.set_extent(1, len(self.diff.rows))
            return
        starts = set(self.diff.changes)
        index = 0
        rows = self.diff.rows
        while index < len(rows):
            if index in starts:
                self._starts.append(len(self._lines))
            if not rows[index].changed:
                self._lines.append(
                    ("", self._unified_line(" ", rows[index].right_number, rows[index].right))
                )
                index += 1
                continue
            end = index
            while end < len(rows) and rows[end].changed and (end == index or end not in starts):
                end += 1
            block = rows[index:end]
            self._lines += [
                ("removed", self._unified_line("-", row.left_number, row.left))
                for row in block
                if row.left_number
            ]
            self._lines += [
                ("added", self._unified_line("+", row.right_number, row.right))
                for row in block
                if row.right_number
            ]
            index = end
        widest = max((cells(text_of(spans)) for _, spans in self._lines), default=1)
        self.set_extent(widest, len(self._lines))

    def _measure(self) -> None:
        """Measure the change that was gone to."""
        start = self.diff.changes[self.change] if self.diff.changes else len(self.diff.rows)
        change = list(takewhile(lambda row: row.changed, self.diff.rows[start:]))
        self._needs = (
            NUMBERED + max((cells(row.left) for row in change), default=0),
            NUMBERED + max((cells(row.right) for row in change), default=0),
        )

    def _unified_line(self, sign: str, number: int, text: str) -> Line:
        return (Span(f"{number:>4} ", "dim"), Span(f"{sign} "), *self._colours(text))

    # --- drawing -----------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is seen."""
        width = self.scrollable_content_region.width or self.size.width
        scroll_x, scroll_y = self.scroll_offset
        place = scroll_y + y
        if not 0 <= place < len(self._lines):
            return self.blank(width)
        if self.side_by_side:
            return self._pair(self.diff.rows[place], width)
        base, spans = self._lines[place]
        strip = self.strip(spans, base=base).extend_cell_length(
            scroll_x + width, self.look_of(base)
        )
        return strip.crop_extend(scroll_x, scroll_x + width, self.look_of(base))

    def _pair(self, row: DiffRow, width: int) -> Strip:
        here = self._left_width(width - 1)
        left = self._side(row.left_number, row.left, "-", "removed", here, changed=row.changed)
        right = self._side(
            row.right_number, row.right, "+", "added", width - 1 - here, changed=row.changed
        )
        return Strip.join([left, self.strip((Span(self.signs.bar, "dim"),)), right])

    def _left_width(self, room: int) -> int:
        """Half of the room; what one side does not need goes to the side that needs more, up to a third."""
        half, least = room // 2, room // 3
        left, right = self._needs
        if right > room - half:
            return max(room - right, min(left, half), least)
        return min(left, room - max(right, least)) if left > half else half

    def _side(
        self, number: int, text: str, sign: str, base: str, width: int, *, changed: bool
    ) -> Strip:
        if not number:
            return self.blank(width)
        under = base if changed else ""
        spans: Line = (
            Span(f"{number:>4} ", "dim"),
            Span(f"{sign if changed else ' '} "),
            *self._colours(text),
        )
        spans = cut(spans, width, self.signs.ellipsis)
        return self.strip(spans, base=under).crop_extend(0, width, self.look_of(under))
