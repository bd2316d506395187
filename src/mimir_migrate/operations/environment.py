"""What the operations are handed and give back: the ports, options and results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from mimir_migrate.documents.journal_copy import JournalCopy
from mimir_migrate.errors import (
    ExitCode,
)
from mimir_migrate.inspection.inspect import AT_ONCE
from mimir_migrate.model.changes import Change
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Choice, Finding
from mimir_migrate.model.plan import Plan
from mimir_migrate.model.target import Target
from mimir_migrate.ports import Changes, Clock, Files, Hooks, Journal, JournalCopies, World


class RunListing(Protocol):
    """One run as the state folder shows it."""

    @property
    def run(self) -> str:
        """Its id."""

    @property
    def unfinished(self) -> bool:
        """Whether there is something to go on with or to go back from."""


class RunStore(Protocol):
    """The journals of one user on one machine."""

    def new_run_id(self) -> str:
        """An id for a run that begins now."""

    def create(self, run: str) -> Journal:
        """Begin a run's journal."""

    def open(self, run: str) -> Journal:
        """Open a journal to read it and to leave requests in it."""

    def open_for_runner(self, run: str) -> Journal:
        """Open a journal to go on with the run."""

    def resolve(self, name: str) -> str:
        """The run that an unambiguous beginning of its id names."""

    def list_runs(self) -> Sequence[RunListing]:
        """All runs, the newest first."""

    def runner_pid(self, run: str) -> int | None:
        """The runner that works on the run on this machine now."""

    @property
    def folder(self) -> Path:
        """Where everything of it stands."""

    def adopt(self, copy: JournalCopy) -> bool:
        """Take another machine's run in from its copy; whether anything was new."""

    def adopted_events(self, run: str) -> int:
        """How many events of a run came from another machine; 0: it was begun here."""

    def cleanings(self) -> RunStore:
        """What `clean` removed: journals of their own, apart from those of runs."""

    def alone(self, run: str) -> AbstractContextManager[Journal]:
        """A run's journal to write in, while no runner of this machine can take the run on."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that touches the world."""

    store: RunStore
    clock: Clock
    world_for: Callable[[Target], World]
    changes_for: Callable[[Target, str], Changes]
    """The real changes for a target and a run."""
    recorder: Callable[[Files], tuple[Changes, Files, Callable[[], Sequence[Change]]]]
    """Changes that are recorded, files with the recorded edits, and what was recorded."""
    spawn: Callable[[str, str, RunOptions], int]
    """Start a runner process for a run and a purpose; its pid."""
    who: str
    host: str
    pid: int
    keep_details: Callable[[BaseException, str], str] = lambda _error, _doing: ""
    """Writes down what is known of an error that nobody foresaw; the file's path, or nothing."""
    redact: Callable[[str], str] = lambda text: text
    """Takes secrets out of text that came from a pod or a server and is to be shown."""
    hooks_for: Callable[[Target], Hooks] | None = None
    """Runs the target's hooks; None: none are run."""
    copies_for: Callable[[Target], JournalCopies] | None = None
    """Where a target's runs are kept besides this machine; None: nowhere."""
    records_beside: Callable[[str], Sequence[str]] = lambda _path: ()
    """The undo records beside a values file."""
    max_at_once: int = AT_ONCE
    """How many pods are asked at the same time."""


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a runner is to behave."""

    approve_all: bool = False
    gate_timeout: float = 1800.0
    takeover: bool = False
    canonical: bool = False
    """Of a run of another machine: whether a values file may be any other text."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a cluster: facts, what they mean, and the choices."""

    inspection: Inspection
    findings: tuple[Finding, ...]
    choices: tuple[Choice, ...]
    rings: tuple[str, ...]


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would do, in order."""

    plan: Plan
    changes: tuple[Change, ...]
    exit_code: ExitCode
    reason: str
