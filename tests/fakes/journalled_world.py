"""A sandbox in virtual time whose operator's journals are real SQLite files in a state folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from virtual_world import VirtualWorld

from mimir_migrate.adapters.journal.sqlite import SqliteJournal
from mimir_migrate.adapters.journal.store import JournalStore
from mimir_migrate.adapters.redaction import Redactor
from mimir_migrate.model.events import Event, Recorded, RequestKind
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.rings import Product
from mimir_migrate.operations import Operations, RunOptions
from mimir_migrate.operations.requests import Wish


class HeardFile:
    """A runner's journal that the world's listeners hear; one of them may raise `Crash`."""

    def __init__(self, inner: SqliteJournal, world: JournalledWorld) -> None:
        self._inner = inner
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def append(self, event: Event) -> Recorded:
        recorded = self._inner.append(event)
        self._world.hear(self._inner.run, event)
        return recorded


class FileStore(JournalStore):
    """The state folder of one operator. What was opened is closed when a runner ends."""

    def __init__(self, folder: Path, world: JournalledWorld) -> None:
        super().__init__(folder, redactor=Redactor({}), now=world.clock.now)
        self._world = world
        self._opened: list[SqliteJournal] = []

    def create(self, run: str) -> Any:
        return self._heard(super().create(run))

    def open(self, run: str) -> SqliteJournal:
        return self._remember(super().open(run))

    def open_for_runner(self, run: str) -> Any:
        return self._heard(super().open_for_runner(run))

    def close(self) -> None:
        """Close every journal, as the end of a process does."""
        while self._opened:
            self._opened.pop().close()

    def _remember(self, journal: SqliteJournal) -> SqliteJournal:
        self._opened.append(journal)
        return journal

    def _heard(self, journal: SqliteJournal) -> HeardFile:
        # Nobody cuts the power here, and waiting for the disk is half of a run's time.
        journal._connection.execute("PRAGMA synchronous = OFF")
        return HeardFile(self._remember(journal), self._world)


class JournalledWorld(VirtualWorld):
    """A virtual world with its journals on disk.

    Args:
        product: Which product runs.
        deployed: The values that are deployed.
        folder: The state folder.
        how: What `VirtualWorld` takes besides.
    """

    def __init__(self, product: Product, deployed: bytes, folder: Path, **how: Any) -> None:
        super().__init__(product, deployed, **how)
        self.store: Any = FileStore(folder, self)
        self.operations = Operations(
            msgspec.structs.replace(self.operations._environment, store=self.store)
        )

    def events(self, run: str) -> list[Event]:
        """What the run's journal holds."""
        found = [recorded.event for recorded in self.store.open(run).events()]
        if self.store.runner_pid(run) is None:
            self.store.close()
        return found

    def ask(self, run: str, kind: RequestKind, gate: Gate | None = None) -> None:
        """Ask something of the runner that is at work, as a command does."""
        self.operations.ask(run, Wish(kind=kind, reason="test", gate=gate))

    def _spawn(self, run: str, purpose: str, options: RunOptions) -> int:
        lock = self.store.lock(run)
        try:
            return super()._spawn(run, purpose, options)
        finally:
            self.store.close()
            lock.release()
