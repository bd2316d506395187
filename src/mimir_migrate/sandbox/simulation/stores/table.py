"""The ring table as the simulated clients use it: members in, members out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from mimir_migrate.documents.ring_items import decode_instance, encode_instance
from mimir_migrate.errors import DocumentError
from mimir_migrate.model.facts import Member
from mimir_migrate.sandbox.interface import RingItems
from mimir_migrate.sandbox.simulation.host import HostClock, Ring


class TableAccess:
    """Encodes and decodes items, and remembers the exact tick of those that were written here.

    An item holds whole real seconds. At a high speed many heartbeats fall into one, so that their
    order would be lost; what was written by a simulated process keeps it.

    Args:
        clock: The simulation's clock.
        items: The table.
        versioned: Whether its items carry a version (the client of Cortex 1.20 and later).
        named: Whether its items hold the member's id in their data (Mimir's).
        before: Called with the pod's name before each request; raises what a fault makes of it.
        alter: Called with each member that is written; returns what reaches the table.
    """

    def __init__(
        self,
        clock: HostClock,
        items: RingItems,
        *,
        versioned: bool = True,
        named: bool = False,
        before: Callable[[str], None] = lambda _: None,
        alter: Callable[[Member], Member] = lambda member: member,
    ) -> None:
        self._clock = clock
        self._items = items
        self._versioned = versioned
        self._named = named
        self._before = before
        self._alter = alter
        self._known: dict[tuple[str, str, str], tuple[bytes, int, Member]] = {}

    def query(self, pod: str, table: str, ring_key: str) -> Ring:
        """The members of a ring; an item that cannot be decoded is passed over."""
        self._before(pod)
        found: Ring = {}
        for id_, (data, version) in self._items.query(table, ring_key).items():
            known = self._known.get((table, ring_key, id_))
            if known is not None and known[1] == version and known[0] == data:
                found[id_] = known[2]
                continue
            try:
                read = decode_instance(id_, data, version)
            except DocumentError:
                continue
            member = msgspec.structs.replace(
                read,
                timestamp=self._clock.from_real(read.timestamp),
                registered_timestamp=int(read.registered_timestamp * self._clock.speed),
            )
            self._known[table, ring_key, id_] = (data, version, member)
            found[id_] = member
        return found

    def write(
        self,
        pod: str,
        table: str,
        ring_key: str,
        put: Ring,
        delete: Sequence[str],
        read: Ring,
    ) -> None:
        """Put and delete members, each put on the condition that it is what `read` holds."""
        self._before(pod)
        encoded: dict[str, tuple[bytes, int]] = {}
        altered: Ring = {}
        for id_, member in put.items():
            written = altered[id_] = self._alter(member)
            before = read.get(id_)
            data = encode_instance(
                msgspec.structs.replace(
                    written,
                    timestamp=self._clock.real(written.timestamp),
                    registered_timestamp=self._clock.real(written.registered_timestamp),
                ),
                named=self._named,
            )
            encoded[id_] = (data, (before.version or 0) if before is not None else 0)
        self._items.write(table, ring_key, encoded, delete)
        for id_, (data, version) in encoded.items():
            next_version = version + 1 if self._versioned else 0
            member = msgspec.structs.replace(altered[id_], version=next_version)
            self._known[table, ring_key, id_] = (data, next_version, member)
        for id_ in delete:
            self._known.pop((table, ring_key, id_), None)
