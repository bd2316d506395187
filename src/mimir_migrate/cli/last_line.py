"""A line that stays the last one of the terminal while others are printed above it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator

_TO_THE_LEFT = "\r\x1b[K"
"""The cursor goes to the beginning of its line, and the line is wiped."""


class LastLine:
    """What stands at the end of what was said on stderr; nothing where no terminal shows that."""

    def __init__(self) -> None:
        self._text = ""

    def stay(self, text: str) -> None:
        """Keep a short text there; what does not fit into one line of the terminal is left out."""
        if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            self._text = text
            self._put(text[: shutil.get_terminal_size().columns - 1])

    def go(self) -> None:
        """Take it away."""
        if self._text:
            self._put("")
        self._text = ""

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Make room for something else."""
        text = self._text
        self.go()
        try:
            yield
        finally:
            if text:
                self.stay(text)

    def _put(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(_TO_THE_LEFT + text)
            sys.stderr.flush()


LAST_LINE = LastLine()
"""That of this process."""
