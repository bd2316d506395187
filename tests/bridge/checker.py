"""Writers and watchers at random replicas, and what none of them may ever see.

Each write of a writer has a number of its own, which is its member's heartbeat. So every version that
anybody is shown says which writes it holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from bridge_world import CALM, STORM, GoneError, Node, Weather, World
from virtual_loop import run_virtually

from mimir_migrate.bridge.replica import Replica
from mimir_migrate.bridge.ring_value import Entry, RingValue, read_value, write_value
from mimir_migrate.bridge.versions import Version
from mimir_migrate.errors import MigrateError


class ViolationError(AssertionError):
    """Somebody saw what nobody may see."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the checker."""

    seed: int
    operations: int = 400
    writers: int = 8
    watchers: int = 12
    weather: Weather = STORM
    kills: bool = True
    outages: bool = True


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did; the violations it raises."""

    operations: int
    acknowledged: int
    refused: int
    unclear: int
    versions: int
    watched: int
    torn: int


class Book:
    """What was seen, by everybody."""

    def __init__(self) -> None:
        self.versions: dict[int, dict[str, tuple[bytes, int]]] = {}
        self.highest = 0
        self.refused: set[tuple[str, int]] = set()

    def saw(self, version: Version) -> None:
        """Note a version; the same index must always show the same ring."""
        shown = {
            id_: (one.shape, one.beat)
            for id_, one in read_value(write_value(version.value)).members.items()
        }
        before = self.versions.setdefault(version.index, shown)
        if before != shown:
            raise ViolationError(f"version {version.index} was shown in two ways")
        self.highest = max(self.highest, version.index)
        for id_, (_, number) in shown.items():
            if (id_, number) in self.refused:
                raise ViolationError(
                    f"write {number} of {id_} was answered false and is in the ring"
                )

    def judge(self) -> None:
        """Over all versions in their order: no member ever goes back to an earlier write."""
        last: dict[str, int] = {}
        for index in sorted(self.versions):
            for id_, (_, number) in self.versions[index].items():
                if number < last.get(id_, 0):
                    raise ViolationError(
                        f"{id_} went back from write {last[id_]} to {number} at {index}"
                    )
                last[id_] = number


class Checker:
    """One run."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.world = World(case.seed)
        self.world.calls.weather = case.weather
        self.book = Book()
        self.left = case.operations
        self.acknowledged = self.unclear = self.watched = 0

    async def run(self) -> Result:
        self.world.start()
        work = [self._writer(f"m{number}") for number in range(self.case.writers)]
        background = [self._watcher() for _ in range(self.case.watchers)]
        background += [self._looker(node) for node in self.world.nodes]
        if self.case.kills:
            background.append(self._killer())
        if self.case.outages:
            background.append(self._outages())
        tasks = [asyncio.create_task(one) for one in background]
        try:
            async with asyncio.TaskGroup() as group:
                writers = [group.create_task(one) for one in work]
                watching = group.create_task(self._until(tasks, writers))
            del watching
        except* ViolationError as found:
            raise found.exceptions[0] from None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        torn = sum(node.replica.tally["torn"] for node in self.world.nodes)
        await self._at_the_end()
        self.world.stop()
        self.book.judge()
        return Result(
            operations=self.case.operations,
            acknowledged=self.acknowledged,
            refused=len(self.book.refused),
            unclear=self.unclear,
            versions=len(self.book.versions),
            watched=self.watched,
            torn=torn,
        )

    async def _until(
        self, tasks: list[asyncio.Task[None]], writers: list[asyncio.Task[None]]
    ) -> None:
        """Wait for the writers; what a watcher found ends everything at once."""
        waiting: set[asyncio.Task[None]] = {*tasks, *writers}
        while not all(task.done() for task in writers):
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    # --- who asks --------------------------------------------------------------------------------

    async def _writer(self, id_: str) -> None:
        draw = self.world.draw
        number = 0
        held: int | None = None
        """The write of this writer that the ring holds; None: it is not in the ring."""
        open_: list[tuple[int | None, int]] = []
        """Writes of which it does not know, with the index that each was to be written over."""
        while self.left > 0:
            self.left -= 1
            try:
                seen = await self._get()
            except (GoneError, MigrateError):
                await asyncio.sleep(0.2)
                continue
            mine = seen.entries.get(id_)
            shown = None if mine is None else mine.beat
            if shown != held and shown not in [one for one, _ in open_]:
                raise ViolationError(
                    f"{id_} read {shown} of itself and expected {held} or {open_}"
                )
            held = shown
            number += 1
            members = dict(seen.entries)
            leaves = shown is not None and draw.random() < 0.1
            if leaves:
                del members[id_]
            else:
                reshaped = mine is None or draw.random() < 0.4
                shape = b"\x3a\x06%06d" % number if reshaped else mine.shape  # type: ignore[union-attr]
                members[id_] = Entry(shape, number)
            wanted = None if leaves else number
            base = seen.index if seen.head.exists else 0
            open_ = [one for one in open_ if one[1] >= base]
            answer = await self._put(base, write_value(RingValue(members)))
            if answer is True:
                self.acknowledged += 1
                held, open_ = wanted, []
            elif answer is False:
                self.book.refused.add((id_, number))
            else:
                self.unclear += 1
                open_.append((wanted, base))
            await asyncio.sleep(draw.random() * 0.3)

    async def _get(self) -> Version:
        """A read for a compare-and-set; nobody was shown a newer version before it began."""
        floor = self.book.highest
        found = await self.world.any().ask(Replica.get)
        if found.index < floor:
            raise ViolationError(f"a read was answered {found.index} after {floor} had been shown")
        self.book.saw(found)
        return found

    async def _put(self, base: int, body: bytes) -> bool | None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await self.world.any().ask(lambda replica: replica.put(base, body))
        except (GoneError, MigrateError):
            return None
        finally:
            if loop.time() - began > 20:
                raise ViolationError("a write was held for longer than its client waits")

    async def _watcher(self) -> None:
        index = 0
        while True:
            node = self.world.any()
            try:
                if index == 0:
                    found: Version | None = await node.ask(Replica.known)
                else:
                    asked = index
                    found = await node.ask(lambda replica: replica.watch(asked, 10.0))  # noqa: B023
            except GoneError:
                await asyncio.sleep(0.5)
                continue
            except MigrateError as error:
                if index:
                    raise ViolationError(f"a watch was answered with an error: {error}") from error
                continue
            if found is not None:
                if found.index <= index:
                    raise ViolationError(f"a watch went from {index} to {found.index}")
                index = found.index
                self.watched += 1
                self.book.saw(found)
            await asyncio.sleep(self.world.draw.random() * 0.5)

    async def _looker(self, node: Node) -> None:
        """What a replica has in mind, looked at all the time: it never goes back while it lives."""
        replica, index = node.replica, 0
        while True:
            if node.replica is not replica:
                replica, index = node.replica, 0
            if replica.index < index:
                raise ViolationError(f"a replica went from {index} back to {replica.index}")
            index = replica.index
            await asyncio.sleep(0.05)

    # --- what happens to them --------------------------------------------------------------------

    async def _killer(self) -> None:
        draw = self.world.draw
        while True:
            await asyncio.sleep(draw.uniform(2, 12))
            node = draw.choice(self.world.nodes)
            node.kill()
            await asyncio.sleep(draw.uniform(0, 3))
            node.start()

    async def _outages(self) -> None:
        draw = self.world.draw
        while True:
            await asyncio.sleep(draw.uniform(20, 60))
            self.world.calls.away = True
            await asyncio.sleep(draw.uniform(1, 10))
            self.world.calls.away = False

    async def _at_the_end(self) -> None:
        """Calm again: both replicas show one ring."""
        self.world.calls.weather = CALM
        self.world.calls.away = False
        for node in self.world.nodes:
            if not node.up:
                node.start()
        await asyncio.sleep(20)
        for node in self.world.nodes:
            self.book.saw(await node.ask(Replica.get))


def check(case: Case) -> Result:
    """Run the checker.

    Raises:
        ViolationError: Somebody saw what nobody may see.
    """
    return run_virtually(Checker(case).run())


def first_violation(
    cases: list[Case], run: Callable[[Case], object] = check
) -> ViolationError | None:
    """The first violation among some runs; None where all are clean."""
    for case in cases:
        try:
            run(case)
        except ViolationError as found:
            return found
    return None


__all__ = ["Case", "Checker", "Node", "Result", "ViolationError", "check", "first_violation"]
