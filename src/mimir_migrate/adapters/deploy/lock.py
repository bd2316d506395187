"""Tells whether a deploy command still runs whose runner died.

The command and all that it starts inherit a descriptor of a locked file. The system gives the lock up
when the last of them is gone, so that no process number has to be believed. A runner that lives gives
it up as soon as its command ended: what that left in the background is not waited for.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mimir_migrate import decoding
from mimir_migrate.errors import BlockedError, MigrateError

_TRIES = 10
_PAUSE = 0.02
"""Seconds; whoever looks holds the lock for a moment."""


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the file while a command runs."""

    run: str
    step: str
    since: float
    pid: int = 0
    """The command's, which leads a process group of its own; 0: it was not known yet."""


class DeployMark:
    """A deploy command that is about to start, or runs."""

    def __init__(self, descriptor: int, note: _Note) -> None:
        self.descriptor = descriptor
        """To be inherited by the command."""
        self._note = note
        self.write(note)

    def began(self, pid: int) -> None:
        """Note the command's process."""
        self.write(msgspec.structs.replace(self._note, pid=pid))

    def write(self, note: _Note | None) -> None:
        """Put a note into the file; None: nothing."""
        content = msgspec.json.encode(note) if note is not None else b""
        os.ftruncate(self.descriptor, len(content))
        os.pwrite(self.descriptor, content, 0)


class DeployLock:
    """The lock of one release's deploys on this machine, for one operator's state folder.

    Args:
        folder: The state folder.
        server: The API server, as `Cluster.server` has it.
        namespace: The release's.
        release: Its name.
    """

    def __init__(self, folder: Path, *, server: str, namespace: str, release: str) -> None:
        place = hashlib.sha256(f"{server}\n{namespace}\n{release}".encode()).hexdigest()[:12]
        self._path = folder / "deploys" / f"{place}.lock"

    def left_running(self) -> str:
        """Which deploy command still runs though nobody waits for it; empty: none.

        Not to be asked while this process deploys.
        """
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return _told(_read(descriptor))
        else:
            return ""
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def held(self, run: str, step: str) -> Iterator[DeployMark]:
        """Hold the lock while a command runs that inherits the mark's descriptor.

        Raises:
            BlockedError: A command of a dead runner still runs.
            MigrateError: The file cannot be written.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise MigrateError(
                f"cannot use {self._path}: {error.strerror}",
                hint="MIMIR_MIGRATE_STATE names another folder for journals and locks",
            ) from error
        try:
            if not _locked_soon(descriptor):
                raise BlockedError(
                    _told(_read(descriptor)),
                    hint="wait until it ended, or end it; then `mimir-migrate resume`",
                )
            mark = DeployMark(descriptor, _Note(run=run, step=step, since=time.time()))
            unforeseen = False
            try:
                yield mark
            except Exception as error:
                # The command may still run; then it holds the lock on, as after a runner that died.
                unforeseen = not isinstance(error, MigrateError)
                raise
            finally:
                if not unforeseen:
                    mark.write(None)
                    fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)


def _locked_soon(descriptor: int) -> bool:
    for _ in range(_TRIES):
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_PAUSE)
    return False


def _read(descriptor: int) -> _Note | None:
    try:
        return decoding.decode(os.pread(descriptor, 4096, 0), _Note)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def _told(note: _Note | None) -> str:
    if note is None:
        return "the deploy command of a runner that died still runs"
    since = time.strftime("%H:%M:%S UTC", time.gmtime(note.since))
    pid = f"pid {note.pid}" if note.pid else "its pid was not noted"
    return (
        f"the deploy command of the runner that died still runs ({pid}, since {since}, for the run "
        f"{note.run}, step {note.step})"
    )
