"""Writes files of the tool's own making: whole or not at all, and on disk when a function returns."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

from mimir_migrate.adapters.files import sync_folder, write_beside
from mimir_migrate.errors import UsageError

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What a file system says that has no hard links."""


_WHERE = "Look at the folder, the rights on it, and the room on its disk."


def write_new(path: str, content: bytes, *, executable: bool = False) -> None:
    """Write a file whole; one that stands there is replaced, its mode and owner kept.

    What is there and is not a file (`/dev/stdout`, a pipe) is written to; a link is followed.

    Raises:
        UsageError: It cannot be written; whatever file stood there still does.
    """
    target = Path(path)
    try:
        if _is_stream(target):
            target.write_bytes(content)
            return
        target = target.resolve()
        if target.exists():
            draft = write_beside(target, content, target.stat())
        else:
            draft = _draft(target, content, 0o777 if executable else 0o666)
        try:
            if executable:
                draft.chmod(draft.stat().st_mode | stat.S_IXUSR)
            draft.replace(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync_folder(target.parent)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"cannot write {path}: {_said(error)}", hint=_WHERE) from error


def create_new(path: str, content: bytes) -> None:
    """Write a file that is not there yet.

    Raises:
        UsageError: Something of that name is there, or it cannot be written.
    """
    try:
        put_new(Path(path), content)
    except FileExistsError as error:
        raise UsageError(
            f"{path} is there already, and this writes new files only",
            hint="Name another file, or move that one away.",
        ) from error
    except OSError as error:
        raise UsageError(f"cannot write {path}: {_said(error)}", hint=_WHERE) from error


def put_new(target: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file under a name that is free; whoever reads it sees all of it or nothing.

    Args:
        target: Where; its folder must exist.
        content: What is to be in it.
        mode: Its mode, less what the umask takes away.

    Raises:
        FileExistsError: Something of that name is there; it stays as it is.
        OSError: It cannot be written; nothing of it stays.
    """
    draft = _draft(target, content, mode)
    try:
        os.link(draft, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _write(target, content, mode)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(target.parent)


def _is_stream(target: Path) -> bool:
    """Whether it can be written to and never replaced: also where it leads to a file, as `> out` does."""
    return target.absolute().parts[1:2] in {("dev",), ("proc",)} or (
        target.exists() and not target.is_file()
    )


def _draft(target: Path, content: bytes, mode: int) -> Path:
    """The content under another name in the same folder."""
    draft = target.with_name(f".new-{secrets.token_hex(6)}")
    _write(draft, content, mode)
    return draft


def _write(target: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _said(error: OSError | RuntimeError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "its links go round in a circle"
