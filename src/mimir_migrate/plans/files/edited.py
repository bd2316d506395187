"""What somebody's edit of a values file comes to: whether it still says the same, and where not."""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.documents.yaml.meaning import differing_paths, meaning
from mimir_migrate.documents.yaml.positions import YamlError
from mimir_migrate.errors import MigrateError
from mimir_migrate.model.edits import FileEdit


def edited_paths(before: bytes, after: bytes) -> tuple[str, ...] | None:
    """Dotted paths at which two contents of a values file say something else to Helm.

    Empty: they differ in comments, order or layout only. None: Helm cannot read one of them, so that
    nothing can be said. Values are left out: they may be secret.
    """
    if before == after:
        return ()
    try:
        old, new = meaning(before), meaning(after)
    except YamlError:
        return None
    if len(old.documents) != len(new.documents):
        return ("the whole file",)
    found = [
        path
        for one, two in zip(old.documents, new.documents, strict=True)
        for path in differing_paths(one, two)
    ]
    if old.directives != new.directives:
        found.append("a template directive")
    return tuple(dict.fromkeys(found))


def remade(edits: Sequence[FileEdit], before: bytes, now: bytes) -> tuple[FileEdit, ...] | None:
    """Edits of one file, made in order from `before`, made again from `now`.

    None: one does not fit any more, or would come to say something else than it did.
    """
    found: list[FileEdit] = []
    for edit in edits:
        try:
            wanted = file_edits.apply(edit, before)
            after = file_edits.apply(edit, now)
        except MigrateError:
            return None
        if edited_paths(wanted, after) != ():
            return None
        found.append(file_edits.from_texts(edit.path, now, after, edit.notes))
        before, now = wanted, after
    return tuple(found)
