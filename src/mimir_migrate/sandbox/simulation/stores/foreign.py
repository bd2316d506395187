"""Another live cluster that writes to the same table and ring."""

from __future__ import annotations

from typing import Final

from mimir_migrate.model.facts import Member, MemberState
from mimir_migrate.sandbox.interface import (
    DeniedByDynamoDBError,
    MissingTableError,
    ObjectConflictError,
    ThrottledError,
)
from mimir_migrate.sandbox.simulation.host import HostClock
from mimir_migrate.sandbox.simulation.stores.table import TableAccess

_HEARTBEAT: Final = 15.0
_MEMBERS: Final = 2


class ForeignWriter:
    """Two members of another cluster that heartbeat into a ring.

    Args:
        clock: The simulation's clock.
        table: The table.
        name: Its name.
        ring_key: The ring's key.
        wipes: Whether its writes lack this cluster's members, and so delete them.
    """

    def __init__(
        self, clock: HostClock, table: TableAccess, name: str, ring_key: str, *, wipes: bool
    ) -> None:
        self._clock = clock
        self._table = table
        self._name = name
        self._ring_key = ring_key
        self._wipes = wipes
        self._on = True
        self._beat()

    def stop(self) -> None:
        """Stop; what it wrote stays."""
        self._on = False

    def _beat(self) -> None:
        if not self._on:
            return
        self._clock.after(_HEARTBEAT, self._beat)
        now = self._clock.ticks()
        try:
            ring = self._table.query("foreign", self._name, self._ring_key)
            put = {
                f"foreign-{number}": Member(
                    id=f"foreign-{number}",
                    address=f"10.99.0.{number + 1}:9095",
                    state=MemberState.ACTIVE,
                    timestamp=now,
                    registered_timestamp=now,
                    tokens=(7 + number, 2**31 + number),
                )
                for number in range(_MEMBERS)
            }
            delete = [id_ for id_ in ring if id_ not in put] if self._wipes else []
            self._table.write("foreign", self._name, self._ring_key, put, delete, ring)
        except (ThrottledError, DeniedByDynamoDBError, MissingTableError, ObjectConflictError):
            return
