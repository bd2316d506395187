"""The runs of this user on this machine: their names, events and where each stands."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from mimir_migrate.errors import (
    JournalError,
    MigrateError,
    UsageError,
)
from mimir_migrate.model.events import Recorded
from mimir_migrate.operations.environment import Environment
from mimir_migrate.runs.status import RunStatus, status_of


class Runs:
    """Finds runs and reads their journals."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def resolve(self, name: str) -> str:
        """The run that `name` means; empty: the only unfinished one, else the newest.

        Raises:
            UsageError: There is none, or several unfinished ones and none was named.
        """
        if name:
            return self._environment.store.resolve(name)
        runs = list(self._environment.store.list_runs())
        unfinished = [listing for listing in runs if listing.unfinished]
        if len(unfinished) > 1:
            names = ", ".join(listing.run for listing in unfinished)
            raise UsageError(
                f"several runs are unfinished: {names}", hint="Name the one that is meant."
            )
        if not runs:
            raise UsageError(
                "there is no run yet",
                hint="`mimir-migrate plan --output plan.json` and `apply plan.json` begin one.",
            )
        return (unfinished or runs)[0].run

    def events(self, run: str, after: int = 0) -> Sequence[Recorded]:
        """A run's events."""
        return self._environment.store.open(run).events(after)

    def status(self, run: str) -> RunStatus:
        """Where a run stands.

        Raises:
            JournalError: Its journal cannot be read.
        """
        # Asked before the events are read: a runner that is gone by then has written all of its own.
        pid = self._environment.store.runner_pid(run)
        journal = self._environment.store.open(run)
        events = journal.events()
        started_here = any(
            getattr(recorded.event, "host", "") == self._environment.host for recorded in events
        )
        alive = pid is not None if started_here else None
        try:
            status = status_of(
                run,
                events,
                now=time.time(),
                runner_alive=alive,
                asked=journal.open_requests(),
            )
        except LookupError as error:
            raise JournalError(
                f"the journal of the run {run} holds no start", hint="Plan anew."
            ) from error
        return msgspec.structs.replace(status, runner_pid=pid) if pid is not None else status

    def runs(
        self, unreadable: Callable[[MigrateError], None] = lambda _: None
    ) -> tuple[RunStatus, ...]:
        """Every run that can be read, the newest first; `unreadable` hears why one cannot be."""
        found = []
        for listing in self._environment.store.list_runs():
            try:
                found.append(self.status(listing.run))
            except MigrateError as error:
                unreadable(error)
        return tuple(found)
