"""A sandbox in virtual time whose API server, credentials and answers can fail the tool itself.

The sandbox's own faults meet the pods. Here those of the API server meet the tool, with what its
adapter makes of them (`tests/adapters/test_bad_days.py` holds the adapter to that).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from virtual_world import VirtualChanges, VirtualClock, VirtualWorld

from mimir_migrate.errors import ConflictError, DeniedError, LeaseError, UnreachableError
from mimir_migrate.model.changes import Change, CreateTable, Deploy, Outcome, WriteFile
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.kubernetes.api_faults import DroppedError
from mimir_migrate.sandbox.kubernetes.objects import ApiError

TRIES, LISTINGS, CONFLICTS = 4, 3, 5
"""How often the adapter asks, lists and writes before it gives up."""
_UNAUTHORIZED, _CONFLICT, _EXPIRED, _THROTTLED = 401, 409, 410, 429


class LossyChanges(VirtualChanges):
    """Makes changes; the answers to some of them are lost in a rollback."""

    def __init__(self, world: VirtualWorld) -> None:
        super().__init__(world)
        self.lose = 0
        """So many of the next answers are lost."""
        self.fuse: Callable[[Change, bool], None] = lambda change, made: None
        """Called before and after each change is made; may raise `Crash`."""

    def perform(self, change: Change) -> Outcome:
        self.fuse(change, False)
        outcome = super().perform(change)
        self.fuse(change, True)
        if self.lose and isinstance(change, CreateTable | WriteFile | Deploy):
            self.lose -= 1
            raise UnreachableError("the connection broke before the answer came")
        return outcome


class SkewedClock(VirtualClock):
    """This machine's clock, which may be ahead of the cluster's."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class FaultyWorld(VirtualWorld):
    """A `VirtualWorld` in which `api-*` and `credentials-expired` meet the tool as well."""

    delay = 0.0
    """Seconds that the API server takes for an answer."""

    changes: LossyChanges
    clock: SkewedClock

    def __init__(
        self,
        product: Product,
        values: bytes,
        *,
        seed: int = 1,
        tables: Sequence[str] = (),
        through_bridge: bool = False,
    ) -> None:
        super().__init__(product, values, seed=seed, tables=tables, through_bridge=through_bridge)
        self.changes = LossyChanges(self)
        self.clock.__class__ = SkewedClock

    def fail_if_told(self, part: str) -> None:
        super().fail_if_told(part)
        if self.delay:
            self.sandbox.run_for(self.delay)
        if part == "kubernetes":
            self._list()
        elif part == "changes":
            self._renew()

    def _list(self) -> None:
        for _ in range(LISTINGS - 1):
            try:
                return self._call("GET", "pods", versioned=True)
            except ConflictError:
                continue
        try:
            self._call("GET", "pods", versioned=True)
        except ConflictError as error:
            raise UnreachableError(error.message) from error

    def _renew(self) -> None:
        """Every change renews the lease first."""
        for _ in range(CONFLICTS):
            self._call("GET", "leases")
            try:
                return self._call("PUT", "leases")
            except ConflictError:
                continue
        raise LeaseError(
            "the lease is written by others all the time; it could not be renewed",
            hint="nothing is changed any more; `mimir-migrate resume` goes on",
        )

    def _call(self, method: str, path: str, *, versioned: bool = False) -> None:
        what = f"{method} {path} at kubernetes.test:6443"
        said = ""
        for _ in range(TRIES):
            try:
                self.sandbox.api_faults.meet(method, path, "python", versioned=versioned)
            except DroppedError:
                said = "Remote end closed connection without response"
                again = method == "GET"
            except ApiError as error:
                said = error.message
                if error.code == _UNAUTHORIZED:
                    hint = "log in to the cluster again; the credentials were not accepted"
                    raise DeniedError(f"{what}: {said}", hint=hint) from error
                if error.code in {_CONFLICT, _EXPIRED}:
                    raise ConflictError(f"{what}: {said}") from error
                again = error.code == _THROTTLED or method == "GET"
            else:
                return
            if not again:
                break
        raise UnreachableError(f"{what}: {said}", hint="ask again; see the API server's log")
