"""Values files as commands get them: their paths in variables, or private copies of contents."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


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

    The copies keep their files' names, each in a folder of its own.
    """
    with tempfile.TemporaryDirectory(prefix="mimir-migrate-") as folder:
        copies = []
        for number, (path, content) in enumerate(contents.items(), start=1):
            copy = Path(folder) / str(number) / (Path(path).name or "values.yaml")
            copy.parent.mkdir(mode=0o700)
            descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            copies.append(str(copy))
        yield tuple(copies)
