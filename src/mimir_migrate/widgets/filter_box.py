"""The line in which the words of a filter are typed."""

from __future__ import annotations

from textual.message import Message
from textual.widgets import Input


class FilterBox(Input):
    """Tells what is typed as it is typed; it is there only while it is used."""

    DEFAULT_CSS = """
    FilterBox {
        height: 1; border: none; background: $primary 25%; color: $foreground;
        & > .input--placeholder { color: $foreground; }
    }
    """

    class Typed(Message):
        """Other words stand in it."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class Kept(Message):
        """Enter was pressed: the filter stays, the line goes."""

    def __init__(self, words: str) -> None:
        super().__init__(
            value=words,
            placeholder="words to find; Enter keeps them, Esc ends it",
            compact=True,
        )

    def on_mount(self) -> None:
        self.focus()

    def watch_value(self, value: str) -> None:
        """Tell the screen."""
        self.post_message(FilterBox.Typed(value))

    async def action_submit(self) -> None:
        self.post_message(FilterBox.Kept())
