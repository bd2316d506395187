"""The narrow place: every change is written down, made under the lease, and written down again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec

from mimir_migrate.durations import spoken
from mimir_migrate.errors import DeniedError, LeaseError, MigrateError, UnreachableError
from mimir_migrate.model.changes import (
    Change,
    CreateTable,
    Deploy,
    LeaseClaim,
    Outcome,
    ReleaseLease,
    RenewLease,
    TakeLease,
    WriteFile,
)
from mimir_migrate.model.events import ChangeDone, ChangeFailed, ChangeIntended, WaitStarted
from mimir_migrate.model.plan import Plan, Step
from mimir_migrate.ports import Changes, Clock, Journal

RENEWALS_PER_LEASE = 3
"""A lease is renewed this often within its duration, so that one missed renewal loses nothing."""

PAUSES = (2.0, 5.0, 10.0)
"""Seconds before a change is made again whose far end gave no usable answer. Each change is safe to
repeat. Together they are well below the time that a lease lasts."""


class LeaseKeeper:
    """Holds the lease for a run and notices when it is lost."""

    def __init__(self, changes: Changes, clock: Clock, claim: LeaseClaim) -> None:
        self._changes = changes
        self._clock = clock
        self._claim = claim
        self._renewed_at = 0.0
        self._lost: LeaseError | None = None
        self._lock = threading.Lock()
        self.held = False

    def take(self, *, takeover: bool) -> Outcome:
        """Take the lease.

        Raises:
            LeaseError: Somebody else holds it.
        """
        self._claim = msgspec.structs.replace(self._claim, since=self._clock.now())
        outcome = self._changes.perform(TakeLease(claim=self._claim, takeover=takeover))
        self._renewed_at = self._clock.now()
        self.held = True
        return outcome

    def at_step(self, step: str) -> None:
        """Say in the lease which step is being walked: the next look at the cluster renews it."""
        if step != self._claim.step:
            self._renewed_at = 0.0
        self._claim = msgspec.structs.replace(self._claim, step=step)

    def renew_if_due(self) -> None:
        """Renew when a third of the duration has passed.

        An API server that does not answer is asked again the next time: without a lease nothing is
        changed, because each change renews it first.

        Raises:
            LeaseError: The lease was lost.
        """
        due = self._renewed_at + self._claim.duration / RENEWALS_PER_LEASE
        if self._clock.now() >= due:
            with suppress(UnreachableError, DeniedError):
                self.renew()

    def renew(self) -> None:
        """Renew now. The adapter renews once more before each change by itself.

        Raises:
            LeaseError: The lease was lost.
        """
        with self._lock:
            if self._lost is not None:
                raise self._lost
            try:
                self._changes.perform(RenewLease(claim=self._claim))
            except LeaseError as error:
                self._lost = error
                raise
            self._renewed_at = self._clock.now()

    def release(self) -> None:
        """Give the lease up, if it is held."""
        if self.held and self._lost is None:
            self._changes.perform(ReleaseLease(claim=self._claim))
        self.held = False

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew in the background while a change takes its time."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(self._claim.duration / RENEWALS_PER_LEASE):
                try:
                    self.renew()
                except LeaseError:
                    return
                except Exception:  # noqa: BLE001, S112 - it may be over before the lease is
                    continue

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


class Effects:
    """Makes changes for one run: intent, lease, change, outcome."""

    def __init__(
        self,
        changes: Changes,
        journal: Journal,
        keeper: LeaseKeeper,
        clock: Clock,
        *,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Make changes with these; `ready` raises what the operator asked for before each of them."""
        self._ready = ready
        self._changes = changes
        self._journal = journal
        self._keeper = keeper
        self._clock = clock

    def make(self, step: str, change: Change) -> Outcome:
        """Make one change of a step; one whose far end does not answer is made again some times.

        Raises:
            MigrateError: Whatever the adapter found; it is in the journal as a failed change.
            HoldAskedError: The operator asked to hold; nothing was touched.
            RollbackAskedError: The operator asked to roll back; nothing was touched.
        """
        for pause in PAUSES:
            try:
                return self._make(step, change)
            except UnreachableError as error:
                self._journal.append(
                    WaitStarted(
                        step=step,
                        waiting_for=f"another try in {spoken(pause)}: {error.message}",
                        bound=pause,
                    )
                )
                self._clock.sleep(pause)
        return self._make(step, change)

    def _make(self, step: str, change: Change) -> Outcome:
        self._ready()
        self._journal.append(ChangeIntended(step=step, change=change))
        try:
            with self._keeper.kept():
                outcome = self._changes.perform(change)
        except MigrateError as error:
            self._journal.append(
                ChangeFailed(step=step, reason=f"{error.message} {error.hint}".strip())
            )
            raise
        self._journal.append(ChangeDone(step=step, outcome=outcome))
        return outcome


def lease_name(release: str) -> str:
    """The name of the Lease that guards a release's rings."""
    return f"mimir-migrate-{release}"


def changes_of(step: Step, plan: Plan) -> Sequence[Change]:
    """The changes that a step makes, in order."""
    found: list[Change] = [CreateTable(table=table) for table in step.tables]
    found += [WriteFile(edit=edit) for edit in step.edits]
    if step.kind.deploys:
        target = plan.target
        found.append(
            Deploy(
                deploy=target.deploy,
                files=target.values.files,
                release=target.kubernetes.release,
                namespace=target.kubernetes.namespace,
                folder=target.folder,
                reason=step.id,
            )
        )
    return found
