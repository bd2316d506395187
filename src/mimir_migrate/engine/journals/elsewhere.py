"""A run that was begun on another machine: this machine's copies of its files are brought to where they were."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mimir_migrate.documents.edits import apply, from_texts, sha256
from mimir_migrate.engine.history import edits_made
from mimir_migrate.engine.services import Services
from mimir_migrate.errors import BlockedError, EditRefusedError, FileChangedError
from mimir_migrate.model.changes import WriteFile
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.events import FilesBroughtUp, Recorded


def bring_files_up(services: Services) -> None:
    """Of a run of another machine: make its edits in this machine's copies of the files.

    The bytes are the run's then, and the rollback is as exact as there. Nothing is deployed by it.

    Raises:
        BlockedError: A file is neither what the run found nor what it made of it.
    """
    if not services.adopted:
        return
    missing = edits_missing(
        services.journal.events(), services.world.files.read, canonical=services.canonical
    )
    if missing:
        services.journal.append(FilesBroughtUp(edits=missing))
        for edit in missing:
            services.changes.perform(WriteFile(edit=edit))


def edits_missing(
    events: Sequence[Recorded], read: Callable[[str], bytes], *, canonical: bool = False
) -> tuple[FileEdit, ...]:
    """The edits of the run that this machine's copies lack, in order; made, the bytes are the run's.

    Args:
        events: All of the run's events.
        read: Gives a file's content.
        canonical: Whether a file that is neither as before nor as after is taken as well: the edits
            are made around what is otherwise in it, and where that cannot be done it stays as it is,
            for the plan to write the canonical form into.

    Raises:
        BlockedError: A file is neither what it was before one of the run's edits nor after the last.
        MigrateError: A file cannot be read.
    """
    by_path: dict[str, list[FileEdit]] = {}
    for edit in edits_made(events, read):
        by_path.setdefault(edit.path, []).append(edit)
    missing: list[FileEdit] = []
    for path, made in by_path.items():
        found = sha256(read(path))
        if found == made[-1].after_sha256:
            continue
        start = next(
            (n for n in reversed(range(len(made))) if made[n].before_sha256 == found), None
        )
        if start is not None:
            missing += made[start:]
        elif canonical:
            missing += _around(path, made, read(path))
        else:
            raise BlockedError(
                f"{path} is another file than the run's: its sha256 is {found[:12]}…, the run found "
                f"{made[0].before_sha256[:12]}… and its last edit led to {made[-1].after_sha256[:12]}…",
                hint="Get the file as it was before the run or after its last edit; or --canonical "
                "goes on with this one, and writes the canonical form instead of the bytes from before",
            )
    return tuple(missing)


def _around(path: str, made: Sequence[FileEdit], content: bytes) -> tuple[FileEdit, ...]:
    """The edits that still fit a file which is otherwise too, as one; none where no place is found."""
    for start in range(len(made)):
        after = content
        try:
            for edit in made[start:]:
                after = apply(edit, after)
        except (EditRefusedError, FileChangedError):
            continue
        return (from_texts(path, content, after),)
    return ()
