"""A runner that kills itself at a chosen change, or at a chosen event of its journal.

`MIMIR_MIGRATE_CRASH=before:7` or `after:7` is the seventh change, `before-event:7` or
`after-event:7` the seventh event that this process appends. Renewals of the lease are not counted:
they happen when time passes, so that counting them would make no number mean the same twice.

The product knows nothing of this: `crashing/sitecustomize.py`, which Python imports at its start where
PYTHONPATH has that folder, wraps the runner's ports before it begins.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mimir_migrate.adapters.clock import SystemClock
from mimir_migrate.engine.journals.passing import PassingJournal
from mimir_migrate.errors import UsageError
from mimir_migrate.model.changes import Change, Outcome, RenewLease
from mimir_migrate.model.events import Event, Recorded
from mimir_migrate.model.target import Target
from mimir_migrate.ports import Changes, Journal

VARIABLE = "MIMIR_MIGRATE_CRASH"
_FORM = re.compile(r"^(before|after)(-event)?:([1-9]\d*)$")


def kill_this_process() -> None:
    """End this process as a power cut would: no handler, no cleaning up."""
    os.kill(os.getpid(), signal.SIGKILL)


class CrashingChanges:
    """Implements `ports.Changes`: passes on to `inner`, and crashes at one change."""

    def __init__(
        self, inner: Changes, at: int, when: str, crash: Callable[[], None] = kill_this_process
    ) -> None:
        """`at` counts from 1; `when` is `before` or `after` the change was made."""
        self._inner = inner
        self._at = at
        self._when = when
        self._crash = crash
        self._lock = threading.Lock()
        self.count = 0
        """Changes that were asked for, renewals left out."""

    def perform(self, change: Change) -> Outcome:
        """Make the change, and crash where that is due."""
        if isinstance(change, RenewLease):
            return self._inner.perform(change)
        with self._lock:
            self.count += 1
            due = self.count == self._at
        if due and self._when == "before":
            self._crash()
        outcome = self._inner.perform(change)
        if due and self._when == "after":
            self._crash()
        return outcome


class CrashingJournal(PassingJournal):
    """Implements `ports.Journal`: passes on to `inner`, and crashes at one event."""

    def __init__(
        self, inner: Journal, at: int, when: str, crash: Callable[[], None] = kill_this_process
    ) -> None:
        """`at` counts from 1; `when` is `before` or `after` the event is on disk."""
        super().__init__(inner)
        self._at = at
        self._when = when
        self._crash = crash
        self.count = 0
        """Events that were appended through this one."""

    def append(self, event: Event) -> Recorded:
        """Write an event, and crash where that is due."""
        self.count += 1
        due = self.count == self._at
        if due and self._when == "before":
            self._crash()
        recorded = self._inner.append(event)
        if due and self._when == "after":
            self._crash()
        return recorded


def with_crash_points(
    changes: Changes, journal: Journal, environment: Mapping[str, str]
) -> tuple[Changes, Journal]:
    """Both as they are, or the one that `MIMIR_MIGRATE_CRASH` means wrapped.

    Raises:
        UsageError: The variable is set to something else.
    """
    wanted = environment.get(VARIABLE, "")
    if not wanted:
        return changes, journal
    match = _FORM.match(wanted)
    if match is None:
        raise UsageError(
            f"{VARIABLE}={wanted} is not a crash point",
            hint="it is before:N, after:N, before-event:N or after-event:N, a hook for tests",
        )
    when, event, number = match.groups()
    if event:
        return changes, CrashingJournal(journal, int(number), when)
    return CrashingChanges(changes, int(number), when), journal


def install(environment: Mapping[str, str]) -> None:
    """Wrap what the composition root makes for a runner of this process."""
    from mimir_migrate import bootstrap
    from mimir_migrate.adapters.recorder import RecordingChanges
    from mimir_migrate.engine.memory import MemoryJournal

    opened, made = bootstrap._Store.open_for_runner, bootstrap.changes_for

    def open_for_runner(self: Any, run: str) -> Any:
        return with_crash_points(RecordingChanges(), opened(self, run), environment)[1]

    def changes_for(target: Target, run: str) -> Changes:
        return with_crash_points(
            made(target, run), MemoryJournal(run, SystemClock()), environment
        )[0]

    bootstrap._Store.open_for_runner = open_for_runner  # type: ignore[method-assign]
    bootstrap.changes_for = changes_for


def variables(at: str) -> dict[str, str]:
    """What a process needs in its environment for the runners that it starts to die at `at`."""
    here = Path(__file__).parent
    folders = (str(here / "crashing"), str(here), os.environ.get("PYTHONPATH", ""))
    return {VARIABLE: at, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
