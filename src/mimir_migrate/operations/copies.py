"""Runs of other machines, read from their copy in the cluster."""

from __future__ import annotations

import msgspec

from mimir_migrate.documents.journal_copy import decode, localised
from mimir_migrate.model.events import RunFinished, RunnerStarted
from mimir_migrate.model.target import Target
from mimir_migrate.operations.environment import Environment


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What the cluster's copy holds, and whether it is known here now."""

    run: str
    by: str
    """Who wrote it, as their machine names itself."""
    events: int
    left_out: int
    last_at: float


class Copies:
    """Reads copies and keeps what they hold among this machine's runs."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def fetch(self, target: Target) -> Fetched | None:
        """Take in the run that the target's release has a copy of; None: there is none.

        Raises:
            DocumentError: The copy cannot be understood, or is of another target.
            MigrateError: The cluster does not give it.
        """
        copies_for = self._environment.copies_for
        content = copies_for(target).read() if copies_for is not None else None
        if content is None:
            return None
        copy = decode(content)
        store = self._environment.store
        own = {listing.run for listing in store.list_runs()}
        if copy.run not in own or store.adopted_events(copy.run):
            here = localised(copy.events, target)
            store.adopt(msgspec.structs.replace(copy, events=here))
        return Fetched(
            run=copy.run,
            by=copy.by,
            events=len(copy.events),
            left_out=copy.left_out,
            last_at=copy.last_at,
        )

    def check(self, target: Target) -> None:
        """Ask whether a run of a target could keep its copy, where the target asks for one.

        Without it a run would end at its first change.

        Raises:
            DeniedError: A Secret may not be read, written or made.
            MigrateError: The cluster does not say.
        """
        copies_for = self._environment.copies_for
        if target.journal.in_cluster and copies_for is not None:
            copies_for(target).check()

    def is_only_copied(self, run: str) -> bool:
        """Whether all that this machine knows of a run came from a copy: no runner of it worked here.

        One that was refused the lease did not work.
        """
        store = self._environment.store
        adopted = store.adopted_events(run)
        if not adopted or store.runner_pid(run) is not None:
            return False
        own = store.open(run).events(adopted)
        return all(isinstance(one.event, RunnerStarted | RunFinished) for one in own)
