"""Keeps the details of what nobody foresaw: a file of the state folder, with secrets taken out."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
import time
import traceback
from pathlib import Path

from mimir_migrate import __version__
from mimir_migrate.adapters.redaction import Redactor

FOLDER = "errors"
MOST_FILES = 50
"""Of the details that were kept before, the newest so many stay."""
_writing = threading.Lock()


def keep_details(error: BaseException, doing: str, folder: Path) -> str:
    """Write down what is known of an error that nobody foresaw.

    Args:
        error: What was raised.
        doing: What was being done, in a few words.
        folder: The state folder.

    Returns:
        The file's path (mode 0600); empty where it could not be written.
    """
    redactor = Redactor(os.environ)
    try:
        told = "".join(traceback.TracebackException.from_exception(error).format())
    except Exception:  # noqa: BLE001 - an error may fail at being told as well
        told = f"{type(error).__name__}, and it cannot be told\n"
    text = (
        f"mimir-migrate {__version__}, Python {platform.python_version()}, {sys.platform}\n"
        f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} pid {os.getpid()}\n"
        f"while: {doing}\n\n{told}"
    )
    content = redactor.text(text).encode("utf-8", "backslashreplace")
    with _writing, contextlib.suppress(OSError):
        place = folder / FOLDER
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = place / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}.log"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(content + b"\n")
        for old in sorted(place.glob("*.log"))[:-MOST_FILES]:
            old.unlink(missing_ok=True)
        return str(path)
    return ""
