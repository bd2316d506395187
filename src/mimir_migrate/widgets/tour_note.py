"""The tour's note: what to look at, and which key is next."""

from __future__ import annotations

import re

from textual.content import Content
from textual.widget import Widget
from textual.widgets._toast import ToastRack

from mimir_migrate.widgets.text import Line, line, text_of, wrap

LOW = 30
"""Lines of a window below which the note is short."""
BELOW = 3
"""Lines that the next line and the keys take below the note."""


class TourNote(Widget):
    """A few lines over the last ones of a screen, as high as they need.

    Where the window is low they leave the room to what they are about: the title, one sentence, the next key.
    """

    DEFAULT_CSS = """
    TourNote {
        height: auto; max-height: 7; background: $primary 20%; color: $foreground; padding: 0 1;
    }
    """

    def __init__(self) -> None:
        super().__init__(id="tour")
        self._said: tuple[Line, ...] = ()
        self._short: tuple[Line, ...] = ()

    def say(self, title: str, look: str, following: str) -> None:
        """Show another stop."""
        first, last = line((title, "strong")), line(("Next: ", "accent"), (following, "strong"))
        said = (first, line(look), last)
        if said != self._said:
            self._said = said
            sentence = re.split(r"(?<=[.?!]) ", look, maxsplit=1)[0]
            self._short = (first, line(sentence), last)
            self.refresh(layout=True)

    def on_resize(self) -> None:
        self._lift_toasts(self.outer_size.height + BELOW)

    def on_unmount(self) -> None:
        self._lift_toasts(1)

    def _lift_toasts(self, rows: int) -> None:
        """Toasts stand above the note: its last line names the next key."""
        for rack in self.screen.query(ToastRack):
            rack.styles.margin = (0, 0, rows, 0)

    def render(self) -> Content:
        width = max(20, self.app.size.width - 2)
        low = self.app.size.height < LOW
        rows = [
            text_of(row)
            for each in (self._short if low else self._said)
            for row in wrap(each, width)
        ]
        return Content("\n".join(rows))
