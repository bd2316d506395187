"""The errors this package raises on purpose, and the exit code that each one ends a command with."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit code means; scripts rely on it."""

    DONE = 0
    """Done, or nothing to do."""
    FAILED = 1
    """A step failed."""
    USAGE = 2
    """Wrong use, or a file that cannot be read."""
    BLOCKED = 3
    """Blocked or held: a finding or gate that is fail or unknown, or an edit that was refused."""
    LEASE = 4
    """Another run holds the lease, or this one lost it."""
    STALE = 5
    """The plan is stale, or the cluster drifted."""
    ROLLED_BACK = 6
    """`apply` or `resume` ended by rolling back."""
    INTERRUPTED = 130
    """Interrupted; the journal says where."""


class MigrateError(Exception):
    """Base of every error this package raises on purpose.

    The message says what was being done, to what, and what was found; `hint` says what to do next.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MigrateError):
    """The command was called in a way that cannot work."""

    exit_code = ExitCode.USAGE


class DocumentError(MigrateError):
    """A file cannot be read as what it is meant to be.

    `line` and `column` count from 1; 0 means that the place is not known.
    """

    exit_code = ExitCode.USAGE

    def __init__(
        self, message: str, *, path: str, line: int = 0, column: int = 0, hint: str = ""
    ) -> None:
        place = f"{path}:{line}:{column}" if line else path
        super().__init__(f"{place}: {message}", hint=hint)
        self.reason = message
        self.path = path
        self.line = line
        self.column = column


class EditRefusedError(DocumentError):
    """A file can be read but not edited safely; `refusal` is the class of the reason."""

    exit_code = ExitCode.BLOCKED

    def __init__(
        self,
        message: str,
        *,
        path: str,
        refusal: str,
        line: int = 0,
        column: int = 0,
        hint: str = "",
    ) -> None:
        super().__init__(message, path=path, line=line, column=column, hint=hint)
        self.refusal = refusal


class FileChangedError(MigrateError):
    """A file is not what it was when it was read, so writing it would lose somebody's change."""

    exit_code = ExitCode.STALE


class BlockedError(MigrateError):
    """A finding or a gate does not let the work go on."""

    exit_code = ExitCode.BLOCKED


class UnreachableError(MigrateError):
    """A pod, the API server or AWS did not give a usable answer; asking again may help."""

    exit_code = ExitCode.FAILED


class DeniedError(MigrateError):
    """The credentials at hand do not allow the call."""

    exit_code = ExitCode.FAILED


class LeaseError(MigrateError):
    """Another run holds the lease, or this run lost it."""

    exit_code = ExitCode.LEASE


class ConflictError(MigrateError):
    """The object was changed by somebody else between reading and writing it."""

    exit_code = ExitCode.STALE


class PlanStaleError(MigrateError):
    """The plan rests on facts that are no longer true."""

    exit_code = ExitCode.STALE


class JournalError(MigrateError):
    """A journal cannot be read or does not add up."""

    exit_code = ExitCode.USAGE


class CommandError(MigrateError):
    """A program that was started ended with an error.

    `stderr` is the end of what it said, with secrets taken out.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, returncode: int, stderr: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.returncode = returncode
        self.stderr = stderr


class InterruptedRunError(MigrateError):
    """The operator stopped the work; the journal says where."""

    exit_code = ExitCode.INTERRUPTED
