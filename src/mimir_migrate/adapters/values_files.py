"""Values files as commands get them: their paths in variables, or private copies of contents."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from mimir_migrate.adapters.temporary import abandoned, temporary_folder

_PREFIX: Final = "mimir-migrate-values-"
_READ_FOR: Final = 86_400.0
"""Seconds; a deploy that outlives the process that began it still reads its copies."""


def variables(paths: Sequence[str]) -> dict[str, str]:
    """The environment that tells a command which values files are meant.

    `VALUES` has all paths with spaces between, in order of precedence, the last wins: with one file
    it is that file. `VALUES_1`, `VALUES_2`, … have one each, for paths with spaces in them.
    """
    found = {"VALUES": " ".join(paths)}
    for number, path in enumerate(paths, start=1):
        found[f"VALUES_{number}"] = path
    return found


@contextlib.contextmanager
def private_copies(contents: Mapping[str, bytes]) -> Iterator[tuple[str, ...]]:
    """Write contents (path → content, in order) where only this user can read them, for a while.

    The copies keep their files' names, each in a folder of its own. Those of a process that was killed
    are removed on the way, once no deploy that it began can read them any more.
    """
    for left in abandoned(_PREFIX, for_at_least=_READ_FOR):
        shutil.rmtree(left, ignore_errors=True)
    with temporary_folder(_PREFIX) as folder:
        copies = []
        for number, (path, content) in enumerate(contents.items(), start=1):
            copy = folder / str(number) / (Path(path).name or "values.yaml")
            copy.parent.mkdir(mode=0o700)
            descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            copies.append(str(copy))
        yield tuple(copies)
