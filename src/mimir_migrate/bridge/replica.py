"""One ring as one replica of the bridge has it: the rules that make several replicas one store.

1. Every version is one conditional write of the head; its index never goes back.
2. A version is served only if every member's item is the one that the head names.
3. A read for a compare-and-set asks the table, and asks it after the read was asked for.
4. `True` is answered only for a change that is in the table.
5. A watch is never answered with an index below its own.
6. The table away: watches wait, reads and writes are held.
7. Nothing is answered before the first consistent read.

Each has a test that turns red without it (tests/bridge/test_rules.py).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from mimir_migrate.bridge.head import Head, StorageRefusedError
from mimir_migrate.bridge.pace import MOST_A_SECOND, Pace
from mimir_migrate.bridge.ring_value import read_value
from mimir_migrate.bridge.table import (
    AwayError,
    BusyError,
    ForeignWriterError,
    HeadMovedError,
    RefusedError,
    Table,
    Write,
)
from mimir_migrate.bridge.versions import Version, assembled, lifts_of, matches, writes_of
from mimir_migrate.errors import MigrateError

HELD: Final = 15.0
"""Seconds that a read or a write waits for a table that is away; Mimir's client waits 20 s."""
SHOWN: Final = 10.0
"""Seconds after which a watch is told of heartbeats; of anything else it is told at once."""
AHEAD: Final = 60_000
"""Milliseconds that a client's index may be ahead of the clock and still be one that we gave."""
_TRIES: Final = 20
"""Reads of head and members until they match."""
_SURE: Final = 3
"""Reads in a row that found other items under the very same head: nobody was just writing."""
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


class TooFastError(MigrateError):
    """A ring has more heartbeats than whole-value compare-and-set carries."""


class NotKnownError(MigrateError):
    """Whether a change was written is not known."""


class Replica:
    """One ring.

    Args:
        key: Its key.
        table: Where it lies.
        now: Seconds since the epoch.
    """

    def __init__(self, key: str, table: Table, now: Callable[[], float] = time.time) -> None:
        self.key = key
        self.tally = Counter[str]()
        """How often what happened, for the metrics: torn, conflicts, lifted."""
        self.pace = Pace(now)
        self.draining = False
        self._table = table
        self._now = now
        self._version: Version | None = None
        self._begun = asyncio.Event()
        self._writing = asyncio.Lock()
        self._changed = asyncio.Event()
        self._reading: asyncio.Task[Version] | None = None
        self._next_read: asyncio.Task[Version] | None = None

    @property
    def version(self) -> Version | None:
        """The newest version that is known; None before the first consistent read."""
        return self._version

    @property
    def index(self) -> int:
        """Its index; 0 before the first consistent read."""
        return 0 if self._version is None else self._version.index

    # --- what clients ask ------------------------------------------------------------------------

    async def get(self) -> Version:
        """The newest version in the table, for a compare-and-set.

        Raises:
            AwayError: The table was away for as long as a read is held.
        """
        try:
            async with asyncio.timeout(HELD):
                await self._begun.wait()
                return await self._newest()
        except TimeoutError as error:
            raise AwayError(f"reading {self.key}: the table was away for {HELD:.0f} s") from error

    async def known(self) -> Version:
        """The newest version that this replica knows.

        Raises:
            AwayError: There was no first consistent read for as long as a read is held.
        """
        try:
            async with asyncio.timeout(HELD):
                await self._begun.wait()
        except TimeoutError as error:
            raise AwayError(f"reading {self.key}: the table has not answered yet") from error
        assert self._version is not None  # noqa: S101 - `_begun` says so
        return self._version

    async def watch(self, index: int, wait: float) -> Version | None:
        """A version above an index, as soon as there is one that changed more than heartbeats.

        Args:
            index: The newest that the client has seen.
            wait: Seconds.

        Returns:
            The version; None where there is none above `index` in time, or the table is away.
        """
        try:
            async with asyncio.timeout(min(wait, SHOWN)):
                await self._begun.wait()
                if index > self.index and not self.draining:
                    with suppress(MigrateError):  # then it waits for what this replica will see
                        await self._reach(index)
                while not self.draining and (
                    self._version is None or self._version.head.changed <= index
                ):
                    await self._changed.wait()
        except TimeoutError:
            pass
        version = self._version
        return version if version is not None and version.index > index else None

    async def put(self, index: int, body: bytes, flags: int = 0) -> bool:
        """Write a value over the version that it builds on.

        Args:
            index: That version's index; 0: the ring does not exist.
            body: The value.
            flags: Consul's flags of the key.

        Returns:
            Whether it was written; False: another version is there.

        Raises:
            UnreadableValueError: The value is not a ring.
            TooFastError: A member more is one too many.
            AwayError: The table was away for as long as a write is held.
            NotKnownError: It may be written or not.
        """
        wanted = read_value(body)
        try:
            async with asyncio.timeout(HELD):
                await self._begun.wait()
                async with self._writing:
                    if index > self.index:
                        await self._newest()
                    base = self._version
                    assert base is not None  # noqa: S101 - `_begun` says so
                    if index != (base.index if base.head.exists else 0):
                        self.tally["conflicts"] += 1
                        return False
                    self._refuse_too_fast(base, len(wanted.members.keys() - base.entries.keys()))
                    for write, made in writes_of(self.key, base, wanted, flags, self._now):
                        if not await self._commit(write):
                            self.tally["conflicts"] += 1
                            return False
                        self._publish(made)
                    return True
        except TimeoutError as error:
            raise AwayError(f"writing {self.key}: the table was away for {HELD:.0f} s") from error

    # --- what the bridge does by itself ----------------------------------------------------------

    async def begin(self) -> None:
        """Read the ring for the first time; make its head where there is none.

        Raises:
            AwayError: The table is away.
            StorageRefusedError: It holds what this bridge must not serve.
        """
        looked: Head | None = None
        same = 0
        for _ in range(_TRIES):
            head = await self._table.head(self.key)
            named = {} if head is None else {i: mark.since for i, mark in head.members.items()}
            there = await self._table.versions(self.key)
            if there == named:
                await self.adopt(head, 0)
                return
            # Another replica may have written between the two reads; its head is another one then.
            same = same + 1 if head == looked else 0
            looked = head
            if same == _SURE:
                raise self._not_ours(sorted(there.keys() - named.keys()))
            await asyncio.sleep(_FIRST_PAUSE)
        raise AwayError(f"reading {self.key}: its members never matched its head")

    def _not_ours(self, extra: list[str]) -> StorageRefusedError:
        return StorageRefusedError(
            f"reading the ring {self.key}: the table has items of it that "
            + (f"no head names, e.g. {extra[0]!r}" if extra else "its head does not name so"),
            hint="Somebody else writes, or wrote, to this table. End that and remove the ring's items, "
            "or give the bridge a table of its own.",
        )

    async def adopt(self, head: Head | None, floor: int) -> Version:
        """Serve what a consistent read of the head found.

        Args:
            head: What was found.
            floor: The index that was known when the read began: less than that is a table that lost
                versions.

        Raises:
            AwayError: The members could not be read, or never matched their head.
        """
        for _ in range(_TRIES):
            if head is None or head.index < floor:
                head = await self._lift(head, floor)
            known = self._version
            if known is not None and head.index <= known.index:
                return known
            shapes = {} if known is None else {i: one.shape for i, one in known.entries.items()}
            marks = {} if known is None else known.head.members
            wanted = [
                id_
                for id_, mark in head.members.items()
                if id_ not in marks or marks[id_].since != mark.since
            ]
            stored = await self._table.members(self.key, wanted) if wanted else {}
            if all(matches(head.members[id_], stored.get(id_)) for id_ in wanted):
                shapes |= {id_: one.entry.shape for id_, one in stored.items()}
                return self._publish(assembled(head, shapes))
            self.tally["torn"] += 1
            floor = max(floor, self.index)
            head = await self._table.head(self.key)
        raise AwayError(f"reading {self.key}: its members never matched its head")

    def drain(self) -> None:
        """Answer every watch that is held, and hold none any more."""
        self.draining = True
        self._changed.set()

    # --- how -------------------------------------------------------------------------------------

    def _publish(self, version: Version) -> Version:
        """Serve a version, unless a newer one is served already; what is served then."""
        before = self._version
        if before is not None and version.index <= before.index:
            return before
        self._version = version
        self.pace.note({} if before is None else before.head.members, version.head.members)
        self._begun.set()
        if before is None or version.head.changed > before.index:
            self._changed.set()
            if not self.draining:
                self._changed = asyncio.Event()
        return version

    async def _newest(self) -> Version:
        """Read the table consistently, again and again while it is away.

        Whoever asks while a read is under way waits for the next one: a read answers only for what was
        written before it began. That one is shared.
        """
        pause = _FIRST_PAUSE
        while True:
            if self._next_read is None:
                self._next_read = asyncio.create_task(self._read_after(self._reading))
                self._next_read.add_done_callback(_seen)
            try:
                return await asyncio.shield(self._next_read)
            except AwayError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _read_after(self, before: asyncio.Task[Version] | None) -> Version:
        if before is not None:
            await asyncio.wait([before])
        self._reading, self._next_read = self._next_read, None
        floor = self.index
        return await self.adopt(await self._table.head(self.key), floor)

    async def _reach(self, index: int) -> None:
        """Read what a client has seen elsewhere; a table that lost it is lifted above it."""
        found = await self._newest()
        if found.index < index <= self._now() * 1000 + AHEAD:
            head = await self._table.head(self.key)
            await self.adopt(head, index)

    async def _lift(self, head: Head | None, floor: int) -> Head:
        """Bring a table that lost versions, or has none yet, above `floor`; the head that is there then."""
        for write, _ in lifts_of(self.key, head, self._version, floor, self._now):
            try:
                if not await self._commit(write):
                    break
            except NotKnownError:  # whatever was written, another replica is further
                break
            self.tally["lifted"] += 1
        found = await self._table.head(self.key)
        if found is None:
            raise AwayError(f"reading {self.key}: its head is gone again")
        return found

    async def _commit(self, write: Write) -> bool:
        """Write, until it is known whether it was written.

        A write whose answer is lost is tried again as it is: if the first was done, or is done later,
        only one of them can meet the head's condition.

        Raises:
            NotKnownError: The head has moved on, and whether over this write cannot be told.
        """
        pause, unclear = _FIRST_PAUSE, False
        while True:
            try:
                await self._table.write(write)
            except HeadMovedError:
                return unclear and await self._was_ours(write)
            except ForeignWriterError:
                raise
            except (BusyError, RefusedError):
                pass
            except AwayError:
                unclear = True
            else:
                return True
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _was_ours(self, write: Write) -> bool:
        while True:
            try:
                head = await self._table.head(self.key)
            except AwayError:
                await asyncio.sleep(_LONGEST_PAUSE)
                continue
            if head is None or head.index < write.head.index:
                return False
            if head.index == write.head.index:
                return head.writer == write.head.writer
            raise NotKnownError(f"writing {self.key}: whether it was written cannot be told")

    def _refuse_too_fast(self, base: Version, more: int) -> None:
        rate = self.pace.rate()
        if more and base.entries and rate > MOST_A_SECOND:
            raise TooFastError(
                f"{self.key}: {rate:.1f} heartbeats a second over the last minute "
                f"({len(base.entries)} members); the bridge carries {MOST_A_SECOND:.0f}, so no member "
                "more is taken",
                hint="Give the ring a longer heartbeat_period (and heartbeat_timeout).",
            )


def _seen(read: asyncio.Task[Version]) -> None:
    """Nobody may be left to be told of a read's error; asyncio would complain of that."""
    if not read.cancelled():
        read.exception()
