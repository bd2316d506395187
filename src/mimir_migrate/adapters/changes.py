"""The one place through which this tool changes the world.

Every change but those of the lease itself is made only by a process that holds the lease at that
moment: the API server is asked first, so a runner that was asleep while somebody took over stops
here.
"""

from __future__ import annotations

import threading
from typing import Protocol

from mimir_migrate.adapters import files
from mimir_migrate.adapters.undo_records import remove_record
from mimir_migrate.errors import LeaseError
from mimir_migrate.model.changes import (
    Change,
    CreateTable,
    DeleteItem,
    DeleteTable,
    Deploy,
    ExportItems,
    LeaseClaim,
    Outcome,
    ReleaseLease,
    RemoveFile,
    RenewLease,
    TableSpec,
    TakeLease,
    WriteFile,
    describe,
)
from mimir_migrate.model.edits import FileEdit


class Tables(Protocol):
    """Makes DynamoDB tables."""

    def create_table(self, spec: TableSpec) -> Outcome:
        """Make a table and wait until it is active; safe to repeat."""


class Remains(Protocol):
    """Exports and deletes what is left in DynamoDB."""

    def export(self, change: ExportItems) -> Outcome:
        """Write items to a new file; safe to repeat."""

    def delete_item(self, change: DeleteItem) -> Outcome:
        """Delete one exported item that is still what was seen; safe to repeat."""

    def delete_table(self, change: DeleteTable) -> Outcome:
        """Delete an empty ring table without protection; safe to repeat."""


class Leases(Protocol):
    """Takes and gives up the lease."""

    def take(self, claim: LeaseClaim, *, takeover: bool = False) -> Outcome:
        """Claim it; raises `LeaseError` when somebody else holds it."""

    def renew(self, claim: LeaseClaim) -> Outcome:
        """Prolong it; raises `LeaseError` when it is lost."""

    def release(self, claim: LeaseClaim) -> Outcome:
        """Give it up."""


class Deployments(Protocol):
    """Brings values files to the cluster."""

    def deploy(self, change: Deploy, *, run: str, step: str) -> Outcome:
        """Do it, or say who must; safe to repeat."""


class RealChanges:
    """Implements `ports.Changes` on the world. Safe to use from several threads."""

    def __init__(
        self, *, tables: Tables, leases: Leases, deployments: Deployments, remains: Remains
    ) -> None:
        self._tables = tables
        self._remains = remains
        self._leases = leases
        self._deployments = deployments
        self._lock = threading.Lock()
        self._claim: LeaseClaim | None = None

    def perform(self, change: Change) -> Outcome:
        """Make the change and return what was observed; safe to repeat.

        Raises:
            LeaseError: This process does not hold the lease, or somebody else does.
            MigrateError: The change could not be made; the message says what was found.
        """
        match change:
            case TakeLease(claim=claim, takeover=takeover):
                outcome = self._leases.take(claim, takeover=takeover)
                self._remember(claim)
                return outcome
            case RenewLease(claim=claim):
                outcome = self._leases.renew(claim)
                self._remember(claim)
                return outcome
            case ReleaseLease(claim=claim):
                outcome = self._leases.release(claim)
                self._remember(None)
                return outcome
        claim = self._assured(change)
        match change:
            case CreateTable(table=table):
                return self._tables.create_table(table)
            case WriteFile(edit=edit):
                return _write(edit)
            case Deploy():
                return self._deployments.deploy(change, run=claim.run, step=claim.step)
            case ExportItems():
                return self._remains.export(change)
            case DeleteItem():
                return self._remains.delete_item(change)
            case DeleteTable():
                return self._remains.delete_table(change)
            case RemoveFile(path=path, sha256=sha256):
                return remove_record(path, sha256)

    def _assured(self, change: Change) -> LeaseClaim:
        """Make sure that the lease is held at this moment."""
        with self._lock:
            claim = self._claim
        if claim is None:
            raise LeaseError(
                f"will not {describe(change)}: no lease was taken",
                hint="take the lease first: it keeps a second operator out",
            )
        self._leases.renew(claim)
        return claim

    def _remember(self, claim: LeaseClaim | None) -> None:
        with self._lock:
            self._claim = claim


def _write(edit: FileEdit) -> Outcome:
    if files.apply_edit(edit):
        return Outcome(detail=f"{edit.path} is edited (sha256 {edit.after_sha256[:12]}…)")
    return Outcome(detail=f"{edit.path} was edited already", already=True)
