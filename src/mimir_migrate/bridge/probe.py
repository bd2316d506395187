"""What proves a replica: writes and reads of its own, beside the rings, seen by every other replica.

The replicas of a bridge are the members of a ring of their own, under a key that no client is served.
Each reads it and writes its own number over what it read, every few seconds, through the very rules that
rings go through; `/rings` shows which number it was acknowledged last, and which ones of the others it has
read. A replica that writes to another table, or reads an old one, or may read and not write, shows other
numbers than its peers do, before a pod depends on it.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from mimir_migrate.bridge.replica import Replica
from mimir_migrate.bridge.ring_value import Entry, RingValue, write_value
from mimir_migrate.bridge.table import Table
from mimir_migrate.bridge.versions import Version, next_index
from mimir_migrate.errors import MigrateError

KEY: Final = "bridge-probe"
"""The ring of the replicas: members under this partition key, its head under a head's."""
EVERY: Final = 2.0
"""Seconds between two probes of a replica: a read unit and a write unit each."""
FORGOTTEN: Final = 600_000
"""Milliseconds after which a replica that writes no more is left out by the others."""
MOST: Final = 64
"""Replicas that are kept at most, so that one which starts again and again does not fill the ring."""
_SHORT: Final = 0.1
"""Seconds, at least, before a write that met another replica's is tried again; as much again at random."""


def own_name() -> str:
    """This process's name among the replicas: its pod's, and something drawn for each start."""
    host = os.environ.get("HOSTNAME") or socket.gethostname()
    return f"{host}-{os.urandom(3).hex()}"


class Probe:
    """One replica's probe.

    Args:
        name: The replica's, of this start.
        table: Where the rings lie.
        now: Seconds since the epoch.
    """

    def __init__(self, name: str, table: Table, now: Callable[[], float] = time.time) -> None:
        self.name = name
        self._now = now
        self._replica = Replica(KEY, table, now)
        self._drawn = 0
        """The highest number that was sent, acknowledged or not."""
        self._written, self._written_at = 0, 0.0
        self._read: Mapping[str, int] = {}
        self._read_at = 0.0
        self._problem = ""

    @property
    def age(self) -> float | None:
        """Seconds since a write of this replica was acknowledged; None: none was yet."""
        return self._now() - self._written_at if self._written else None

    def page(self) -> dict[str, object]:
        """What `/rings` shows of it, as `model.facts.BridgeProbe` reads it."""
        return {
            "name": self.name,
            "written": self._written,
            "written_at": self._written_at,
            "read": self._read,
            "read_at": self._read_at,
            "problem": self._problem,
        }

    async def work(self) -> None:
        """Probe for ever; what goes wrong is shown, and nothing else depends on it."""
        while True:
            pause = EVERY
            try:
                if not await self.once():
                    pause = _SHORT * (1 + random.random())  # noqa: S311 - not a secret
            except MigrateError as error:
                self._problem = error.message
            await asyncio.sleep(pause)

    async def once(self) -> bool:
        """Read all replicas' numbers, and write the next one of this replica over them.

        Returns:
            Whether it was written; False: another replica was quicker.

        Raises:
            MigrateError: The table is away, or whether it was written is not known.
        """
        if self._replica.version is None:
            await self._replica.begin()
        began = self._now()
        seen = await self._replica.get()
        self._read = {id_: entry.beat for id_, entry in seen.entries.items()}
        self._read_at = began
        number = next_index(max(self._drawn, self._read.get(self.name, 0)), self._now())
        self._drawn = number
        over = seen.index if seen.head.exists else 0
        value = write_value(RingValue({**self._kept(seen), self.name: Entry(b"", number)}))
        if not await self._replica.put(over, value):
            return False
        self._written, self._written_at, self._problem = number, self._now(), ""
        return True

    def _kept(self, seen: Version) -> dict[str, Entry]:
        """The other replicas that wrote lately; a number is at least the time at which it was drawn."""
        oldest = int(self._now() * 1000) - FORGOTTEN
        others = {
            id_: entry
            for id_, entry in seen.entries.items()
            if id_ != self.name and entry.beat >= oldest
        }
        newest = sorted(others, key=lambda id_: others[id_].beat, reverse=True)
        return {id_: others[id_] for id_ in newest[: MOST - 1]}
