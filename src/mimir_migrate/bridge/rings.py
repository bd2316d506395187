"""All rings of one bridge: begun, and read again and again so that other replicas' versions are seen."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from mimir_migrate.bridge.head import StorageRefusedError
from mimir_migrate.bridge.replica import Replica
from mimir_migrate.bridge.table import AwayError, RefusedError, Table
from mimir_migrate.errors import MigrateError

POLL: Final = 0.5
"""Seconds between two reads of all heads: what another replica wrote is seen within that."""
_PAUSE: Final = 1.0
_WORTH_SAYING: Final = 5.0
"Seconds; a call that is throttled or lost now and then is every day's business."
_log = logging.getLogger("mimir_migrate.bridge")


class Rings:
    """The rings that one bridge serves.

    Args:
        keys: Their keys; no other key is served.
        table: Where they lie.
        now: Seconds since the epoch.
    """

    def __init__(
        self, keys: Sequence[str], table: Table, now: Callable[[], float] = time.time
    ) -> None:
        self.replicas = {key: Replica(key, table, now) for key in keys}
        self.away_since: float | None = None
        """Since when the table is away; None: it answers."""
        self.table = table
        self._now = now
        self._said = False

    @property
    def begun(self) -> bool:
        """Whether every ring was read once."""
        return all(one.version is not None for one in self.replicas.values())

    async def begin(self) -> None:
        """Read every ring for the first time; wait for a table that is away.

        Raises:
            StorageRefusedError: The table holds what this bridge must not serve.
            RefusedError: The table refuses: its name, its keys, permissions.
        """
        for replica in self.replicas.values():
            while replica.version is None:
                try:
                    await replica.begin()
                except (StorageRefusedError, RefusedError):
                    raise
                except AwayError as error:
                    self._note_away(error)
                    await asyncio.sleep(_PAUSE)
        self._note_answer()

    async def poll_once(self) -> None:
        """Read all heads, and serve what is new."""
        floors = {key: one.index for key, one in self.replicas.items()}
        failed: MigrateError | None = None
        try:
            heads = await self.table.heads(list(self.replicas))
        except MigrateError as error:
            self._note_away(error)
            return
        for key, replica in self.replicas.items():
            try:
                await replica.adopt(heads.get(key), floors[key])
            except MigrateError as error:
                failed = error
        if failed is None:
            self._note_answer()
        else:
            self._note_away(failed)

    async def poll(self) -> None:
        """Read all heads for ever."""
        while True:
            await self.poll_once()
            await asyncio.sleep(POLL if self.away_since is None else _PAUSE)

    def drain(self) -> None:
        """Answer every watch that is held."""
        for replica in self.replicas.values():
            replica.drain()

    def _note_away(self, error: MigrateError) -> None:
        if self.away_since is None:
            self.away_since = self._now()
        if not self._said and self._now() - self.away_since >= _WORTH_SAYING:
            self._said = True
            _log.warning("the table has not answered for a while: %s", error)

    def _note_answer(self) -> None:
        if self._said:
            _log.warning("the table answers again")
        self.away_since, self._said = None, False
