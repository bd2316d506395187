"""What a dry run is made of: changes are written down in order, and none is made.

`RecordingChanges` holds nothing that could touch the world, so it cannot.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from mimir_migrate.documents import edits
from mimir_migrate.model.changes import (
    Change,
    Outcome,
    WriteFile,
    describe,
)
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.ports import Files


class RecordingChanges:
    """Implements `ports.Changes` without a way to change anything."""

    def __init__(self) -> None:
        self._changes: list[Change] = []

    @property
    def changes(self) -> Sequence[Change]:
        """Every change that was asked for, in order."""
        return tuple(self._changes)

    def perform(self, change: Change) -> Outcome:
        """Write the change down."""
        self._changes.append(change)
        return Outcome(detail=f"dry run: would {describe(change)}")


class OverlayFiles:
    """Implements `ports.Files`: files as they would be after the recorded edits."""

    def __init__(self, files: Files, recorder: RecordingChanges) -> None:
        self._files = files
        self._recorder = recorder

    def read(self, path: str) -> bytes:
        """The content with every recorded edit of the file made.

        Raises:
            DocumentError: The file cannot be read, or an edit does not fit it.
        """
        content = self._files.read(path)
        for edit in self._edits(path):
            if edits.sha256(content) != edit.after_sha256:
                content = edits.apply(edit, content)
        return content

    def exists(self, path: str) -> bool:
        """Whether there is such a file; edits neither make nor remove one."""
        return self._files.exists(path)

    def _edits(self, path: str) -> list[FileEdit]:
        wanted = os.path.realpath(path)
        return [
            change.edit
            for change in self._recorder.changes
            if isinstance(change, WriteFile) and os.path.realpath(change.edit.path) == wanted
        ]
