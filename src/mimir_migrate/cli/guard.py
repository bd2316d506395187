"""The one net around every command: whatever nobody foresaw ends in two lines, never in a traceback."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

from mimir_migrate.errors import ExitCode, MigrateError
from mimir_migrate.words import sentence

_MACHINE = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EEXIST,
        errno.EISDIR,
        errno.ELOOP,
        errno.EMFILE,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
"""What the file system and its limits say."""


def guarded(work: Callable[[], int], doing: Callable[[], str]) -> int:
    """Do the work of a command and return its exit code, whatever happens in it.

    Args:
        work: The command.
        doing: Tells what is being done, in a few words.
    """
    try:
        return int(work())
    except MigrateError as error:
        explain(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.DONE)
    except OSError as error:
        if error.errno not in _MACHINE:
            say_unexpected(error, doing())
        else:
            say_of_the_machine(error, doing())
        return int(ExitCode.FAILED)
    except Exception as error:  # noqa: BLE001 - the net
        say_unexpected(error, doing())
        return int(ExitCode.FAILED)


def explain(error: MigrateError) -> None:
    """Say on stderr what was being done, what was found, and what to do next."""
    _say(f"mimir-migrate: {error.message}")
    if error.hint:
        _say(f"  -> {sentence(error.hint)}", under=_HINT)


def say_unexpected(error: BaseException, doing: str) -> None:
    """Say in two lines that something went wrong which nobody foresaw, and where the details are."""
    path = details_of(error, doing)
    _say(
        f"mimir-migrate: {doing}: something that nobody foresaw went wrong ({type(error).__name__})"
    )
    _say(
        f"  -> the details, with secrets taken out, are in {path}; please report it with them"
        if path
        else "  -> the details could not be written to the state folder; $MIMIR_MIGRATE_STATE names "
        "another"
    )


def say_of_the_machine(error: OSError, doing: str) -> None:
    """Say in two lines that a file or a disk of this machine stood in the way, and which."""
    path = details_of(error, doing)
    where = str(error.filename) if error.filename else "what it writes"
    _say(f"mimir-migrate: {doing}: {where}: {error.strerror}")
    _say(
        "  -> look at the path, its rights and the room on its disk, then run it again"
        + (f"; the details are in {path}" if path else "")
    )


def details_of(error: BaseException, doing: str) -> str:
    """Keep the details of an error in the state folder; the file's path, empty where that failed."""
    from mimir_migrate.adapters.unexpected import keep_details
    from mimir_migrate.settings import state_folder

    try:
        folder = state_folder()
    except Exception:  # noqa: BLE001 - there may be no home
        return ""
    return keep_details(error, doing, folder)


def install(doing: str) -> None:
    """Let what a thread, a destructor or a library says go the same way; for a process of its own.

    Libraries warn and log for those who write programs; what an operator has to know is said in words.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())
    ours = logging.getLogger("mimir_migrate")
    ours.addHandler(_Words())
    ours.propagate = False

    def in_thread(found: threading.ExceptHookArgs) -> None:
        if found.exc_value is not None and not issubclass(found.exc_type, SystemExit):
            say_unexpected(found.exc_value, doing)

    def outside(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        del trace
        if issubclass(kind, KeyboardInterrupt):
            print("interrupted", file=sys.stderr)
        else:
            say_unexpected(error, doing)

    def unraisable(found: Any) -> None:
        # Of no consequence to the work: kept, not said.
        if found.exc_value is not None:
            details_of(found.exc_value, doing)

    threading.excepthook = in_thread
    sys.excepthook = outside
    sys.unraisablehook = unraisable


class _Words(logging.Handler):
    """Says on stderr what this package has to say besides its results."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(f"mimir-migrate: {record.getMessage()}")


_HINT = 5
"""The column that a hint begins in."""


def _say(text: str, *, under: int | None = None) -> None:
    """One line on stderr with secrets taken out; signs that the terminal lacks are written as codes."""
    from mimir_migrate.adapters.redaction import Redactor
    from mimir_migrate.cli.colours import folded

    text = Redactor(os.environ).text(text)
    with contextlib.suppress(OSError, ValueError):
        text = folded(text, sys.stderr, under=under)
    try:
        print(text, file=sys.stderr, flush=True)
    except UnicodeEncodeError:
        print(text.encode("ascii", "backslashreplace").decode(), file=sys.stderr, flush=True)
    except (OSError, ValueError):  # nobody listens any more
        return
