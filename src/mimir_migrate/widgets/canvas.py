"""A scrolling surface that is drawn line by line, so that ten thousand lines cost what is seen.

Nothing drawn here is ever parsed as markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as Colour
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mimir_migrate.widgets.glyphs import Glyphs, glyphs_of
from mimir_migrate.widgets.text import Line


class Paint(msgspec.Struct, frozen=True, kw_only=True):
    """One style: variables of the theme for text and ground, and attributes."""

    text: str = ""
    ground: str = ""
    bold: bool = False
    italic: bool = False


STYLES: dict[str, Paint] = {
    "good": Paint(text="text-success"),
    "bad": Paint(text="text-error", bold=True),
    "warn": Paint(text="text-warning"),
    "unknown": Paint(text="text-warning", italic=True),
    "dim": Paint(text="quiet"),
    "strong": Paint(bold=True),
    "accent": Paint(text="text-accent", bold=True),
    "key": Paint(text="text-primary"),
    "string": Paint(text="text-success"),
    "comment": Paint(text="quiet", italic=True),
    "added": Paint(ground="success-muted"),
    "removed": Paint(ground="error-muted"),
    "cursor": Paint(ground="primary-muted"),
    "found": Paint(text="background", ground="warning", bold=True),
    "focused": Paint(ground="cursor", bold=True),
}
"""Every style that a span may have, by name. They are no component classes of the stylesheet: those
are computed again for every widget at every change of focus, which a list of this kind need not pay."""


SEEK_AGAIN = 0.02
"""Seconds, about one drawing, after which a scroll that came too early is tried again."""


LEAST_CONTRAST = 4.5
"""Of text and ground: WCAG 2.1, 1.4.3, level AA."""
_LINEAR = 0.03928
"""Parts of a colour up to here are linear, by the same page's definition of luminance."""


def readable(style: Style) -> Style:
    """The style with its text taken towards white or black as far as it needs to be read on its ground."""
    if style.color is None or style.bgcolor is None:
        return style
    ground = Colour.from_rich_color(style.bgcolor)
    text = Colour.from_rich_color(style.color)
    away = ground.get_contrast_text(1.0)
    for tenth in range(11):
        mixed = text.blend(away, tenth / 10)
        if contrast(mixed, ground) >= LEAST_CONTRAST:
            return style + Style(color=mixed.rich_color) if tenth else style
    return style + Style(color=away.rich_color)


def contrast(text: Colour, ground: Colour) -> float:
    """The contrast of two colours, from 1 to 21."""
    one, other = sorted((_luminance(text), _luminance(ground)), reverse=True)
    return (one + 0.05) / (other + 0.05)


def _luminance(colour: Colour) -> float:
    """Relative luminance, see https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    red, green, blue = (
        part / 12.92 if part <= _LINEAR else ((part + 0.055) / 1.055) ** 2.4
        for part in colour.normalized
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class Canvas(ScrollView, can_focus=True):
    """Draws spans by their style's name, in the theme's colours."""

    DEFAULT_CSS = """
    Canvas {
        background: $surface;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._styles: dict[str, Style] = {}

    @property
    def signs(self) -> Glyphs:
        """The app's set of signs."""
        return glyphs_of(self)

    def notify_style_update(self) -> None:
        """Forget styles that came from another theme."""
        super().notify_style_update()
        self._styles.clear()

    def look_of(self, name: str) -> Style:
        """The style of that name; names joined by a space add up."""
        found = self._styles.get(name)
        if found is None:
            found = self.rich_style
            for part in name.split():
                found += self._painted(part)
            found = self._styles[name] = readable(found)
        return found

    def _painted(self, name: str) -> Style:
        if name == "cursor" and self.has_focus:
            name = "focused"
        paint, colours = STYLES[name], self.app.theme_variables
        return Style(
            color=colours.get(paint.text),
            bgcolor=colours.get(paint.ground),
            bold=paint.bold or None,
            italic=paint.italic or None,
        )

    @property
    def cursor_sign(self) -> str:
        """The sign beside the cursor's row: another one where the keys go."""
        return self.signs.cursor if self.has_focus else self.signs.rest

    def watch_has_focus(self, value: bool) -> None:
        """The cursor looks different where the keys go."""
        self._styles.clear()
        super().watch_has_focus(value)

    def strip(
        self, spans: Line, *, base: str = "", meta: dict[str, object] | None = None
    ) -> Strip:
        """Draw one line; `base` lies under every span."""
        segments = []
        for span in spans:
            style = self.look_of(f"{base} {span.style}".strip())
            if meta:
                style += Style.from_meta(meta)
            segments.append(Segment(span.text, style))
        return Strip(segments)

    def blank(self, width: int, base: str = "") -> Strip:
        """An empty line."""
        return Strip.blank(width, self.look_of(base))

    def set_extent(self, width: int, height: int) -> None:
        """Say how large the drawing is; the scroll stays where it is as far as it can."""
        self.virtual_size = Size(max(1, width), max(1, height))
        self.refresh()

    def seek(self, y: Callable[[], int | None], attempts: int = 20) -> None:
        """Scroll to a line as soon as the widget is laid out; before that a scroll comes to nothing.

        `y` is asked each time again: a narrower drawing has its lines elsewhere. None: nowhere.
        """
        wanted = y()
        if wanted is None:
            return
        wanted = max(0, min(wanted, self.max_scroll_y))
        self.scroll_to(y=wanted, animate=False, immediate=True)
        fits = self.virtual_size.height <= self.scrollable_content_region.height
        laid_out = self.size.height > 0 and (fits or self.max_scroll_y > 0)
        if attempts and not (laid_out and round(self.scroll_offset.y) == wanted):
            self.set_timer(SEEK_AGAIN, lambda: self.seek(y, attempts - 1))

    def keep_visible(self, y: int, height: int = 1) -> None:
        """Scroll as little as possible so that the line shows."""
        top = round(self.scroll_offset.y)
        room = max(1, self.scrollable_content_region.height)
        if y < top:
            self.scroll_to(y=y, animate=False, immediate=True)
        elif y + height > top + room:
            self.scroll_to(y=y + height - room, animate=False, immediate=True)


def width_of(lines: Iterable[Line]) -> int:
    """The widest line, in cells."""
    from mimir_migrate.widgets.text import cells

    return max((sum(cells(span.text) for span in spans) for spans in lines), default=0)
