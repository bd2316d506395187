"""What somebody's edit of a values file comes to: whether it still says the same, and where not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.errors import MigrateError
from mimir_migrate.model.edits import FileEdit


def edited_paths(before: bytes, after: bytes) -> tuple[str, ...] | None:
    """Dotted paths at which two contents of a values file say something else.

    Empty: they differ in comments, order or layout alone. None: one is no YAML, so that nothing can be
    said. Values are left out: they may be secret.
    """
    if before == after:
        return ()
    trees = _tree(before), _tree(after)
    if trees[0] is _UNREADABLE or trees[1] is _UNREADABLE:
        return None
    return tuple(dict.fromkeys(differing_paths(*trees)))


_UNREADABLE = object()


def _tree(content: bytes) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return list(YAML(typ="safe", pure=True).load_all(content.decode()))
    except (YAMLError, UnicodeDecodeError):
        return _UNREADABLE


def differing_paths(ours: Any, theirs: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Dotted paths at which two trees differ; an empty block and an absent one are the same."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*map(str, ours), *map(str, theirs)}):
            yield from differing_paths(ours.get(key), theirs.get(key), (*path, key))
    elif _documents(path, ours, theirs):
        for one, two in zip(ours, theirs, strict=True):
            yield from differing_paths(one, two, path)
    elif ours != theirs and not _both_empty(ours, theirs):
        yield ".".join(path) or "the whole file"


def _documents(path: tuple[str, ...], ours: Any, theirs: Any) -> bool:
    """Whether these are the documents of two files."""
    return (
        not path
        and isinstance(ours, list)
        and isinstance(theirs, list)
        and len(ours) == len(theirs)
    )


def _both_empty(ours: Any, theirs: Any) -> bool:
    """Whether one is an empty block and the other is absent: helm drops what is null."""
    return ours in (None, {}) and theirs in (None, {})


def remade(edits: Sequence[FileEdit], before: bytes, now: bytes) -> tuple[FileEdit, ...] | None:
    """Edits of one file, made in order from `before`, made anew from `now`.

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
