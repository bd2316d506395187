"""What all screens over a screen have in common."""

from __future__ import annotations

import contextlib
from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.css.query import NoMatches
from textual.screen import ModalScreen

T = TypeVar("T")

HIGH = 30
"""Lines from which there is room for empty ones between the parts of a box."""


class Modal(ModalScreen[T]):
    """A screen over a screen that is dismissed once, however fast the keys come.

    Textual's own `dismiss` takes away whatever is in front; a second Escape that is dealt with
    after the first one would take the screen below.
    """

    CSS_PATH = "modal.tcss"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (HIGH, "-high")]  # noqa: RUF012 - as Textual declares it

    def on_mount(self) -> None:
        # A screen that was left before it was drawn has nothing in it to be filled.
        with contextlib.suppress(NoMatches):
            self.opened()
        self.measure()

    def measure(self) -> None:
        """Give the box the height that its parts have once they are drawn: it was measured before that."""
        self.call_after_refresh(self.call_after_refresh, self._measure)

    def _measure(self) -> None:
        for part in self.query(".box > *"):
            part.refresh(layout=True)

    def opened(self) -> None:
        """Fill what was composed; not called where the screen was left before it was drawn."""

    def cancel(self) -> None:
        """Leave it as if it had not been opened; Ctrl-C does."""
        self.dismiss(None)

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Leave with a result, if this screen is still in front."""
        if self.app.screen is not self:
            return AwaitComplete()
        return super().dismiss(result)
