"""Folders in the temporary folder: they go with who made them, and later where that process was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_OWNER = ".owner"
"""The file in it that its process holds locked as long as it lives, however it ends."""


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder that only this user can look into; it and all in it is removed afterwards.

    Args:
        prefix: What its name begins with: `abandoned` finds it by that, should this process be killed.
    """
    made = Path(tempfile.mkdtemp(prefix=f".{prefix}"))
    folder = made.with_name(made.name.removeprefix("."))
    descriptor = os.open(made / _OWNER, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        made.rename(folder)  # found by its name from here on, and locked since before
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def abandoned(prefix: str, *, for_at_least: float = 0.0) -> Iterator[Path]:
    """This user's folders whose process is not there any more; each is locked while it is looked at.

    Args:
        prefix: That of `temporary_folder`.
        for_at_least: Seconds that a folder must be old: what its process had started may use it still.
    """
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{prefix}*")):
        try:
            descriptor = os.open(folder / _OWNER, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # somebody else's, or being made or removed just now
            continue
        try:
            found = os.fstat(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if found.st_uid == os.getuid() and time.time() - found.st_mtime >= for_at_least:
                yield folder
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
