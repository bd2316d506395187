"""Files on the operator's disk: read, and written in one piece or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mimir_migrate.adapters.given_files import next_step
from mimir_migrate.adapters.redaction import learn_from
from mimir_migrate.documents import edits
from mimir_migrate.errors import DocumentError, FileChangedError
from mimir_migrate.model.edits import FileEdit

_DRAFT = ".mimir-migrate-new"
"""How the names of contents end that are not in place yet."""


class DiskFiles:
    """Implements `ports.Files`. Paths are absolute, or relative to the process's folder."""

    def read(self, path: str) -> bytes:
        """The content; raises `DocumentError` when it cannot be read."""
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise DocumentError(
                f"cannot be read: {_said(error)}",
                path=path,
                hint=next_step(error),
            ) from error
        learn_from(content.decode("utf-8", "replace"))
        return content

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return Path(path).is_file()


def apply_edit(edit: FileEdit) -> bool:
    """Make an edit on disk; whether anything was written (not where the file is edited already).

    Raises:
        DocumentError: The file cannot be read or written.
        EditRefusedError: The edit's places are not found in it.
        FileChangedError: It is not what the edit was made for, or changed meanwhile.
    """
    content = DiskFiles().read(edit.path)
    found = edits.sha256(content)
    if found == edit.after_sha256:
        return False
    if found != edit.before_sha256:
        raise FileChangedError(
            f"{edit.path} is not what the edit was made for: its sha256 is {found[:12]}…, "
            f"the edit was made for {edit.before_sha256[:12]}…",
            hint="see what changed it, then plan again",
        )
    after = edits.apply(edit, content)
    write_atomically(edit.path, after, found)
    return True


def write_atomically(path: str, content: bytes, expected_sha256: str) -> None:
    """Replace a file's content in one piece; whoever reads it sees the old or the new one, whole.

    The new content is on disk under another name in the same folder before it takes the file's name.
    Mode and owner stay. A symbolic link stays a link: its target is replaced.

    Args:
        path: The file, which must exist.
        content: What is to be in it.
        expected_sha256: What the file's content was when it was read.

    Raises:
        DocumentError: It is not a file, or it or its folder cannot be written.
        FileChangedError: Its content is not `expected_sha256` any more.
    """
    target = _target(path)
    try:
        with _locked(target):
            before = target.stat()
            _refuse_read_only(path, target)
            _refuse_changed(path, target, expected_sha256)
            _clear_drafts(target)
            draft = write_beside(target, content, before)
            try:
                # Once more, with nothing left to do but the rename.
                _refuse_changed(path, target, expected_sha256)
                draft.replace(target)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            sync_folder(target.parent)
    except OSError as error:
        raise DocumentError(
            f"cannot be written: {_said(error)}",
            path=path,
            hint="look at the rights on the file and its folder, and at the free space",
        ) from error


def _target(path: str) -> Path:
    """The file behind a path, symbolic links followed."""
    try:
        target = Path(path).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        said = _said(error) if isinstance(error, OSError) else "its links go round in a circle"
        raise DocumentError(
            f"cannot be written: {said}", path=path, hint="Look at the path and its links."
        ) from error
    if not target.is_file():
        raise DocumentError(
            "cannot be written: it is not a regular file", path=path, hint="Name a file."
        )
    return target


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Keep other processes of this tool, and editors that ask, from writing meanwhile."""
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Where the file system has no locks, the hash is the guard that is left.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _refuse_read_only(path: str, target: Path) -> None:
    """A file that is marked read-only is somebody's wish, though its folder would allow a rename."""
    if not stat.S_IMODE(target.stat().st_mode) & 0o222 or not os.access(target, os.W_OK):
        raise DocumentError(
            "cannot be written: it is read-only",
            path=path,
            hint="make it writable if it is meant to be edited here",
        )


def _refuse_changed(path: str, target: Path, expected: str) -> None:
    found = edits.sha256(target.read_bytes())
    if found != expected:
        raise FileChangedError(
            f"{path} was changed since it was read: its sha256 was {expected[:12]}… "
            f"and is {found[:12]}…; nothing was written",
            hint="see what changed it, then do this again",
        )


def _clear_drafts(target: Path) -> None:
    """Remove what a writer that was killed left; a living one would hold the lock."""
    for draft in target.parent.iterdir():
        if draft.name.startswith(f".{target.name}.") and draft.name.endswith(_DRAFT):
            draft.unlink(missing_ok=True)


def write_beside(target: Path, content: bytes, like: os.stat_result) -> Path:
    """Write `content` to a new file beside the target, with its mode, owner and attributes.

    It is on disk when this returns.
    """
    descriptor, name = tempfile.mkstemp(
        prefix=f".{target.name}.", suffix=_DRAFT, dir=target.parent
    )
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
            _copy_attributes(target, file.fileno())
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _copy_attributes(source: Path, descriptor: int) -> None:
    """Take over access lists and labels; a file system without them, or one that refuses, is fine."""
    with contextlib.suppress(OSError):
        for name in os.listxattr(source):
            with contextlib.suppress(OSError):
                os.setxattr(descriptor, name, os.getxattr(source, name))


def sync_folder(folder: Path) -> None:
    """Have the disk keep a folder's entries, e.g. a rename in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _said(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
