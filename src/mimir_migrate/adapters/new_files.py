"""Writes files of the tool's own making: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from mimir_migrate.errors import UsageError


def write_new(path: str, content: bytes) -> None:
    """Write a file whole; one that stands there is replaced.

    Raises:
        UsageError: It cannot be written; whatever stood there still does.
    """
    target = Path(path)
    try:
        descriptor, beside = tempfile.mkstemp(dir=target.absolute().parent, prefix=".new-")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(beside).chmod(0o666 & ~umask)
        Path(beside).replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(beside).unlink()
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def create_new(path: str, content: bytes) -> None:
    """Write a file that is not there yet.

    Raises:
        UsageError: Something of that name is there, or it cannot be written.
    """
    try:
        with Path(path).open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise UsageError(
            f"{path} is there already, and this writes new files only",
            hint="Name another file, or move that one away.",
        ) from error
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
