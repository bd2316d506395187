"""A text over the screen: an error, help, a hand-over, what a dry run recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from mimir_migrate.screens.modals.modal import HIGH, Modal
from mimir_migrate.widgets.reader import Reader
from mimir_migrate.widgets.text import Line, content, line

MOST_OF_SCREEN = 0.9
"""Of the screen's height that the box takes at most."""
FRAME_LOW, FRAME = 4, 6
"""Lines of the box that are not the text's: border, title and buttons; without and with space between."""
LEAST = 3
"""Lines of a text that are shown in the lowest window."""


class TextModal(Modal[None]):
    """Shows a text to read and to copy."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("q", "close", "Quit"),
        Binding("C", "copy", "Copy text"),
    ]

    def __init__(self, title: str, text: str | Sequence[Line]) -> None:
        super().__init__()
        self._title = title
        self._lines = (
            tuple(line(part) for part in text.split("\n"))
            if isinstance(text, str)
            else tuple(text)
        )

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(content(self._title), classes="title")
            yield Reader()
            with Horizontal(classes="buttons"):
                yield Button("Copy (C)", id="copy", compact=True)
                yield Button("Close (esc)", id="close", compact=True)

    def opened(self) -> None:
        self.query_one(Reader).show(self._lines)
        self.query_one(Reader).focus()
        self._fit()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        """Be as tall as the text, and leave of a longer one as many lines as the screen has room for."""
        if self.is_mounted and self.query(Reader):
            low = self.size.height < HIGH
            rows = int(self.size.height * MOST_OF_SCREEN) - (FRAME_LOW if low else FRAME)
            self.query_one(Reader).set_styles(f"max-height: {max(LEAST, rows)};")

    @on(Button.Pressed, "#close")
    def action_close(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#copy")
    def action_copy(self) -> None:
        from mimir_migrate.screens.acting.copying import copy_text

        copy_text(self.app, self.query_one(Reader).text)
