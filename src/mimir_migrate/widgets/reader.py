"""A text to read: wrapped lines, drawn as they are scrolled to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from mimir_migrate.widgets.canvas import Canvas, width_of
from mimir_migrate.widgets.text import LastCell, Line, Span, cells, cut, text_of, wrap


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
        Binding("n", "find(1)", "Next", show=False),
        Binding("N", "find(-1)", "Previous", show=False),
    ]

    class Found(Message):
        """Words were looked for; `place` counts from 1, 0: they are nowhere."""

        def __init__(self, reader: Reader, words: str, place: int, of: int) -> None:
            super().__init__()
            self.reader = reader
            self.words = words
            self.place = place
            self.of = of

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002 - Textual's name
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
        self._starts: list[int] = []
        """The first wrapped line of each line."""
        self.filter = ""
        """Words that are looked for; empty: none are."""
        self._at = -1
        """The line that was found last."""

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
            self._wrapped, self._starts = [], []
            for spans in self._lines:
                self._starts.append(len(self._wrapped))
                self._wrapped += wrapped(spans, width, self.indent)
            extent = 1
        else:
            self._wrapped, self._starts = list(self._lines), list(range(len(self._lines)))
            extent = 1 if self.cuts else width_of(self._lines)
        self.set_extent(extent, len(self._wrapped))

    # Whoever scrolls away from the end is left there, also when the window changes.

    def action_scroll_up(self) -> None:
        self._to_end = False
        super().action_scroll_up()

    def action_page_up(self) -> None:
        self._to_end = False
        super().action_page_up()

    def action_scroll_home(self) -> None:
        self._to_end = False
        self.scroll_home(animate=False)

    # --- finding words -----------------------------------------------------------------------

    def set_filter(self, words: str) -> None:
        """Look for words, from what is seen on; empty: end that."""
        self.filter = words.strip().lower()
        self._at = -1
        if self.filter:
            top = round(self.scroll_offset.y)
            seen = [at for at, start in enumerate(self._starts) if start >= top]
            self._at = (seen[0] if seen else 0) - 1
            self.action_find(1)
        self.refresh()

    def action_find(self, by: int) -> None:
        """Go to the next line that holds the words, or to the one before; round the end."""
        if not self.filter:
            return
        held = [
            at for at, spans in enumerate(self._lines) if self.filter in text_of(spans).lower()
        ]
        if held:
            later = [at for at in held if at > self._at] if by > 0 else held
            earlier = held if by > 0 else [at for at in held if at < self._at]
            self._at = (later or held)[0] if by > 0 else (earlier or held)[-1]
            self._to_end = False
            self.seek(lambda: self._starts[self._at] if self._at < len(self._starts) else None)
        self.refresh()
        place = held.index(self._at) + 1 if held else 0
        self.post_message(self.Found(self, self.filter, place, len(held)))

    def _marked(self, spans: Line) -> Line:
        """The words that are looked for, drawn so that they stand out."""
        found: list[Span] = []
        for span in spans:
            rest = span.text
            while self.filter and (at := rest.lower().find(self.filter)) >= 0:
                end = at + len(self.filter)
                found += [
                    Span(rest[:at], span.style),
                    Span(rest[at:end], f"{span.style} found".strip()),
                ]
                rest = rest[end:]
            found.append(Span(rest, span.style))
        return tuple(found)

    def _begun(self, place: int, width: int) -> Line:
        """A wrapped line, or what it goes on from: what is seen of a text's end begins with a line's beginning."""
        at = bisect_right(self._starts, place) - 1
        if at < 0 or self._starts[at] == place:
            return self._wrapped[place]
        return cut(self._lines[at], width, self.signs.ellipsis)

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is seen."""
        width = self.scrollable_content_region.width or self.size.width
        scroll_x, scroll_y = self.scroll_offset
        place = scroll_y + y
        if not 0 <= place < len(self._wrapped):
            return self.blank(width)
        spans = self._wrapped[place]
        if self.follows and not y and self.is_vertical_scroll_end:
            spans = self._begun(place, width)
        if self.cuts:
            spans = cut(spans, width, self.signs.ellipsis)
        if self.filter:
            spans = self._marked(spans)
        strip = self.strip(spans)
        return strip.crop_extend(scroll_x, scroll_x + width, self.rich_style)


def wrapped(spans: Line, width: int, indent: int = 0) -> list[Line]:
    """A line as it is read in so many cells: what goes on of an item or a last cell stands below it."""
    text = text_of(spans)
    own = len(text) - len(text.lstrip(" "))
    if text.lstrip(" ")[:2] in {"- ", "* "}:
        own += 2
    for place, span in enumerate(spans):
        before = cells(text_of(spans[:place]))
        if isinstance(span, LastCell) and before <= width * 2 // 3:
            own = before
    return wrap(spans, width, indent=min(own + indent, max(0, width - 12))) or [()]
