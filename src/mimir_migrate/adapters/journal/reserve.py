"""Room on the disk that a runner keeps, so that a full disk does not stop it from saying why it ended."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

SIZE = 131_072
"""Bytes; the last event of a run has some kilobytes, and SQLite's log as much again for each page."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class Reserve:
    """A file beside a run's journal that holds nothing."""

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(f"{journal.name}-reserve")

    def keep(self) -> None:
        """Take the room; a disk without it is no reason to end anything."""
        try:
            with os.fdopen(os.open(self._path, _NEW, 0o600), "wb") as file:
                file.write(bytes(SIZE))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self.give_up()

    def give_up(self) -> None:
        """Let others have the room."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
