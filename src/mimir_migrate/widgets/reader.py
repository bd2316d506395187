"""A text to read: wrapped lines, drawn as they are scrolled to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from mimir_migrate.widgets.canvas import Canvas, width_of
from mimir_migrate.widgets.text import Line, cut, text_of, wrap


class Reader(Canvas):
    """Lines of spans, wrapped at the edge. A new text of the same subject keeps the scroll."""

    HELP = """\
**A text.** Arrows, Page Up/Down, Home and End scroll; `/` finds words in it, `n` and
`N` go on; `C` copies it.
"""

    DEFAULT_CSS = """
    Reader { scrollbar-gutter: stable; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown,space", "page_down", "Page down", show=False),
        Binding("home", "scroll_home", "Top", show=False),
        Binding("end", "scroll_end", "End", show=False),
    ]

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
        wraps: bool = True,
        follows: bool = False,
        cuts: bool = False,
        indent: int = 0,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.wraps = wraps and not cuts
        self.follows = follows
        """Whether the end is kept in sight, as long as nobody scrolled away from it."""
        self.cuts = cuts
        """Whether a line that is too long ends in an ellipsis."""
        self.indent = indent
        self._lines: tuple[Line, ...] = ()
        self._wrapped: list[Line] = []
        self._wrapped_at = -1
        self._subject = ""
        self._to_end = False

    @property
    def text(self) -> str:
        """The whole text, unwrapped."""
        return "\n".join(text_of(spans) for spans in self._lines)

    def show(self, lines: Sequence[Line], *, subject: str = "") -> None:
        """Show a text; another subject than before is read from its top."""
        fresh = tuple(lines)
        if fresh == self._lines and subject == self._subject:
            return
        other = subject != self._subject
        at_end = other or self.is_vertical_scroll_end
        self._lines, self._subject = fresh, subject
        self._wrapped_at = -1
        self._rewrap()
        self._to_end = self.follows and at_end
        if self._to_end:
            self.seek(self._end)
        elif other:
            self.scroll_home(animate=False)

    def on_resize(self, _event: events.Resize) -> None:
        self._rewrap()
        if self._to_end:
            self.seek(self._end)

    def _end(self) -> int | None:
        return self.virtual_size.height if self._to_end else None

    def _rewrap(self) -> None:
        width = self.scrollable_content_region.width
        if width <= 0 or width == self._wrapped_at:
            return
        self._wrapped_at = width
        if self.wraps:
            self._wrapped = [
                part for spans in self._lines for part in _wrapped(spans, width, self.indent)
            ]
            extent = 1
        else:
            self._wrapped = list(self._lines)
            extent = 1 if self.cuts else width_of(self._lines)
        self.set_extent(extent, len(self._wrapped))

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is seen."""
        width = self.scrollable_content_region.width or self.size.width
        scroll_x, scroll_y = self.scroll_offset
        place = scroll_y + y
        if not 0 <= place < len(self._wrapped):
            return self.blank(width)
        spans = self._wrapped[place]
        if self.cuts:
            spans = cut(spans, width, self.signs.ellipsis)
        strip = self.strip(spans)
        return strip.crop_extend(scroll_x, scroll_x + width, self.rich_style)


def _wrapped(spans: Line, width: int, indent: int) -> list[Line]:
    text = text_of(spans)
    own = len(text) - len(text.lstrip(" "))
    if text.lstrip(" ")[:2] in {"- ", "* "}:
        own += 2
    return wrap(spans, width, indent=min(own + indent, max(0, width - 12))) or [()]
