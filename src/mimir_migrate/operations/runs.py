"""The runs of this user on this machine: their names, events and where each stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from mimir_migrate.durations import spoken
from mimir_migrate.engine.effects import lease_name
from mimir_migrate.engine.history import first_plan
from mimir_migrate.errors import (
    ExitCode,
    JournalError,
    LeaseError,
    MigrateError,
    UsageError,
)
from mimir_migrate.model.events import Recorded, RunFinished, RunnerStarted, RunState
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
                "no run was begun on this machine",
                hint="Was it begun on another machine? Then give the command there; status, report, resume "
                "and rollback also take it here with --target FILE, where the release keeps copies. "
                "Otherwise nothing was begun yet: `mimir-migrate apply plan.json` begins a run.",
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
                now=self._environment.clock.now(),
                runner_alive=alive,
                asked=journal.open_requests(),
            )
        except LookupError as error:
            raise JournalError(
                f"the journal of the run {run} holds no start", hint="Plan again."
            ) from error
        if pid is not None:
            return msgspec.structs.replace(status, runner_pid=pid)
        host = self._host_of(events) if status.runner_pid is not None else ""
        return msgspec.structs.replace(
            status, runner_host="" if host == self._environment.host else host
        )

    @staticmethod
    def _host_of(events: Sequence[Recorded]) -> str:
        """The machine of a run's last runner."""
        runners = (
            one.event.host for one in reversed(events) if isinstance(one.event, RunnerStarted)
        )
        return next(runners, "")

    def runs(
        self, unreadable: Callable[[MigrateError], None] = lambda _: None
    ) -> tuple[RunStatus, ...]:
        """Every run that can be read, the newest first; `unreadable` follows why one cannot be."""
        found = []
        for listing in self._environment.store.list_runs():
            try:
                found.append(self.status(listing.run))
            except MigrateError as error:
                unreadable(error)
        return tuple(found)

    def forget(self, run: str) -> str:
        """Close a run that nobody works on, wherever it stands; the run's id.

        Its journal stays, with one more event that says who closed it; the cluster and the files
        stay as they are.

        Raises:
            LeaseError: A runner works on it, or holds its lease; or that cannot be told, because it
                last worked on another machine and the cluster does not answer.
            UsageError: It is over.
        """
        run = self.resolve(run)
        environment = self._environment
        status = self.status(run)
        if status.state in {RunState.DONE, RunState.ROLLED_BACK, RunState.CLOSED}:
            raise UsageError(
                f"the run {run} is over: {status.state.value}",
                hint="It does not count as unfinished. Nothing was written.",
            )
        at = f" at {status.step.words}" if status.step else ""
        with environment.store.alone(run) as journal:
            self._refuse_leased(run, journal.events())
            journal.append(
                RunFinished(
                    state=RunState.CLOSED,
                    reason=f"closed by {environment.who}; it was {status.state.value}{at}, and the "
                    "cluster and the files were left as they were",
                    exit_code=ExitCode.BLOCKED,
                )
            )
        return run

    def _refuse_leased(self, run: str, events: Sequence[Recorded]) -> None:
        """Refuse to close a run whose runner may live: its lease tells, wherever it works."""
        plan = first_plan(events)
        try:
            cluster = self._environment.world_for(plan.target).cluster
            claim = cluster.lease(lease_name(plan.identity.release))
        except MigrateError as error:
            # No runner of this machine works on it, or the run could not have been locked.
            runners = [one.event.host for one in events if isinstance(one.event, RunnerStarted)]
            if not runners or runners[-1] == self._environment.host:
                return
            raise LeaseError(
                f"whether a runner on {runners[-1]} holds the lease of the run {run} cannot be "
                f"told: {error.message}",
                hint=f"Close it on {runners[-1]}, or from where the cluster answers.",
            ) from error
        if claim is not None and claim.run == run:
            raise LeaseError(
                f"the run {run} holds its lease: {claim.holder}",
                hint=f"A lease that nobody renews runs out after {spoken(claim.duration)}; then it can "
                "be closed.",
            )
