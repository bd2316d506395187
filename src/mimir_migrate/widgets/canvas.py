"""A scrolling surface that is drawn line by line, so that ten thousand lines cost what is seen.

Nothing drawn here is ever parsed as markup.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mimir_migrate.widgets.glyphs import Glyphs, glyphs_of
from mimir_migrate.widgets.text import Line

STYLES = (
    "good",
    "bad",
    "warn",
    "unknown",
    "dim",
    "strong",
    "accent",
    "key",
    "string",
    "comment",
    "added",
    "removed",
    "cursor",
    "found",
)
"""Names of styles that a span may have."""


class Canvas(ScrollView, can_focus=True):
    """Draws spans by their style's name, in the theme's colours."""

    COMPONENT_CLASSES = {f"canvas--{name}" for name in STYLES}  # noqa: RUF012
    DEFAULT_CSS = """
    Canvas {
        background: $surface;
        color: $foreground;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 1;
        scrollbar-gutter: auto;
        & > .canvas--good { color: $text-success; }
        & > .canvas--bad { color: $text-error; text-style: bold; }
        & > .canvas--warn { color: $text-warning; }
        & > .canvas--unknown { color: $text-warning; text-style: italic; }
        & > .canvas--dim { color: $quiet; }
        & > .canvas--strong { text-style: bold; }
        & > .canvas--accent { color: $text-accent; text-style: bold; }
        & > .canvas--key { color: $text-primary; }
        & > .canvas--string { color: $text-success; }
        & > .canvas--comment { color: $quiet; text-style: italic; }
        & > .canvas--added { background: $success-muted; }
        & > .canvas--removed { background: $error-muted; }
        & > .canvas--cursor { background: $primary-muted; }
        & > .canvas--found { text-style: underline; }
    }
    Canvas:focus > .canvas--cursor { background: $primary-darken-3; text-style: bold; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
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
                found += self.get_component_rich_style(f"canvas--{part}", partial=True)
            self._styles[name] = found
        return found

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
