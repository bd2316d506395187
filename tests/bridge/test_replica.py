"""One ring in one or two replicas: what clients are told when the table is slow, away, lost or not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from bridge_world import CLUSTER, EPOCH, KEY, TABLE, Calls, Node, Weather, World
from virtual_loop import run_virtually

from mimir_migrate.bridge import replica as replicas
from mimir_migrate.bridge import versions
from mimir_migrate.bridge.head import StorageRefusedError, head_item
from mimir_migrate.bridge.replica import HELD, SHOWN, Replica, TooFastError
from mimir_migrate.bridge.ring_value import Entry, RingValue, write_value
from mimir_migrate.bridge.rings import Rings
from mimir_migrate.bridge.table import AwayError, ForeignWriterError, Table


def ring(**beats: int) -> bytes:
    """A value with members whose shape is their name."""
    return write_value(
        RingValue(
            {id_: Entry(b"\x0a\x02" + id_.encode()[:2], beat) for id_, beat in beats.items()}
        )
    )


def in_world(work: Callable[[World], Awaitable[None]], replicas: int = 2) -> None:
    """Run something in a world whose replicas have begun."""

    async def run() -> None:
        world = World(1, replicas)
        world.start()
        for node in world.nodes:
            await node.ask(Replica.known)
        try:
            await work(world)
        finally:
            world.stop()

    run_virtually(run())


def elapsed() -> float:
    return asyncio.get_running_loop().time()


async def put(node: Node, body: bytes) -> bool:
    """Write over whatever is there."""
    found = await node.ask(Replica.get)
    index = found.index if found.head.exists else 0
    return await node.ask(lambda replica: replica.put(index, body))


def test_a_ring_that_nobody_wrote_is_not_there_and_has_an_index() -> None:
    """As in Consul: 404 with an index, and only a write over nothing is taken."""

    async def work(world: World) -> None:
        first = world.nodes[0].replica
        found = await first.get()
        assert not found.head.exists
        assert found.index > 0
        assert await first.put(found.index, ring(aa=1)) is False
        assert await first.put(0, ring(aa=1)) is True
        assert await first.put(0, ring(aa=2)) is False

    in_world(work)


def test_a_change_reaches_a_watch_at_the_other_replica_at_once() -> None:
    """Within a poll; a heartbeat waits until the watch ends."""

    async def work(world: World) -> None:
        one, other = world.nodes
        await put(one, ring(aa=1))
        seen = (await other.ask(Replica.get)).index
        watch = asyncio.create_task(other.replica.watch(seen, 30.0))
        await asyncio.sleep(0.1)
        began = elapsed()
        await put(one, ring(aa=1, bb=1))
        found = await watch
        assert found is not None
        assert set(found.entries) == {"aa", "bb"}
        assert elapsed() - began < 1.0

        watch = asyncio.create_task(other.replica.watch(found.index, 30.0))
        await asyncio.sleep(0.1)
        began = elapsed()
        await put(one, ring(aa=2, bb=1))
        beat = await watch
        assert beat is not None
        assert beat.entries["aa"].beat == 2
        assert elapsed() - began > SHOWN - 1.0

    in_world(work)


def test_with_the_table_away_watches_wait_and_writes_are_held() -> None:
    """A write that is held is done when the table is back, unless that takes too long."""

    async def work(world: World) -> None:
        node = world.nodes[0]
        await put(node, ring(aa=1))
        index = node.replica.index
        world.calls.away = True
        held = asyncio.create_task(node.replica.put(index, ring(aa=2)))
        read = asyncio.create_task(node.replica.get())
        assert await node.replica.watch(index, 10.0) is None
        assert not held.done()
        world.calls.away = False
        assert await held is True
        assert (await read).index >= index
        world.calls.away = True
        began = elapsed()
        with pytest.raises(AwayError):
            await node.replica.put(node.replica.index, ring(aa=3))
        assert elapsed() - began == pytest.approx(HELD, abs=1.0)

    in_world(work)


@pytest.mark.parametrize("lost", ["everything", "the last writes"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_table_that_lost_versions_never_makes_an_index_go_back(
    lost: str, restarted: bool
) -> None:
    """A replica that lives writes again what it knows; where none does, members come back by themselves."""

    async def work(world: World) -> None:
        one, other = world.nodes
        await put(one, ring(aa=1, bb=1))
        kept = dict(world.storage.tables[TABLE])
        await put(other, ring(aa=2, cc=1))
        await asyncio.sleep(1)
        seen = (await one.ask(Replica.get)).index
        for node in world.nodes:
            if restarted:
                node.kill()
        world.storage.tables[TABLE] = {} if lost == "everything" else kept
        await asyncio.sleep(1)
        for node in world.nodes:
            if restarted:
                node.start()

        watched = await one.ask(lambda replica: replica.watch(seen, 10.0))
        found = [await node.ask(Replica.get) for node in world.nodes]

        assert found[0] == found[1]
        assert found[0].index > seen
        assert watched is None or watched.index > seen
        if not restarted:
            assert {id_: entry.beat for id_, entry in found[0].entries.items()} == {
                "aa": 2,
                "cc": 1,
            }
        assert await put(one, ring(aa=3)) is True

    in_world(work)


def test_the_clock_keeps_indexes_from_going_back_where_nobody_remembers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without it, a table that was lost while no replica lived starts again at 1."""

    async def first_index_after_loss(world: World) -> tuple[int, int]:
        one, other = world.nodes
        await put(one, ring(aa=1))
        before = one.replica.index
        for node in (one, other):
            node.kill()
        world.storage.tables[TABLE] = {}
        await asyncio.sleep(1)
        one.start()
        return before, (await one.ask(Replica.known)).index

    async def rises(world: World) -> None:
        before, after = await first_index_after_loss(world)
        assert after > before

    async def falls(world: World) -> None:
        before, after = await first_index_after_loss(world)
        assert after <= before

    in_world(rises)
    monkeypatch.setattr(versions, "next_index", lambda over, _: over + 1)
    in_world(falls)


def test_more_members_than_a_transaction_takes_are_written_in_several() -> None:
    """As when gossip's whole ring is mirrored for the first time; and removed again."""
    many = {f"{number:04}": 7 for number in range(250)}

    async def work(world: World) -> None:
        one, other = world.nodes
        assert await put(one, ring(**many)) is True
        assert {i: e.beat for i, e in (await other.ask(Replica.get)).entries.items()} == many
        assert await put(other, ring(aa=1)) is True
        assert set((await one.ask(Replica.get)).entries) == {"aa"}
        assert {key[1] for key in world.storage.tables[TABLE]} == {"head", "aa"}

    in_world(work)


def test_a_heartbeat_writes_one_small_item() -> None:
    """And no member's."""

    async def work(world: World) -> None:
        node = world.nodes[0]
        beats = {f"ingester-zone-a-{number}": 1_790_000_000 + number for number in range(100)}
        await put(node, ring(**beats))
        before = world.storage.units["written"]
        await put(node, ring(**{**beats, "ingester-zone-a-7": 1_790_000_222}))
        assert world.storage.units["written"] - before <= 2

    in_world(work)


def test_a_drain_answers_every_watch() -> None:
    """So that no client meets a closed connection and backs off."""

    async def work(world: World) -> None:
        node = world.nodes[0]
        index = node.replica.index
        watches = [asyncio.create_task(node.replica.watch(index, 10.0)) for _ in range(3)]
        await asyncio.sleep(0.1)
        began = elapsed()
        node.rings.drain()
        assert await asyncio.gather(*watches) == [None] * 3
        assert await node.replica.watch(index, 10.0) is None
        assert elapsed() == began
        assert await node.replica.put(0, ring(aa=1)) is True

    in_world(work)


def test_a_ring_that_is_too_fast_takes_no_member_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are there go on; the error has the figure."""

    async def work(world: World) -> None:
        node = world.nodes[0]
        members = {f"m{number}": 1 for number in range(60)}
        await put(node, ring(**members))
        for beat in range(2, 20):
            await put(node, ring(**dict.fromkeys(members, beat)))
        with pytest.raises(TooFastError, match=r"1[0-9]\.\d heartbeats a second .*60 members"):
            await put(node, ring(**members, more=1))
        assert await put(node, ring(**dict.fromkeys(members, 30))) is True

    in_world(work)


def test_somebody_else_who_writes_to_the_table_is_told_of() -> None:
    """Its items are never written over, and a bridge that starts refuses to serve them."""

    async def work(world: World) -> None:
        node = world.nodes[0]
        await put(node, ring(aa=1))
        item = world.storage.tables[TABLE][KEY, "aa"]
        world.storage.tables[TABLE][KEY, "aa"] = {**item, "version": {"N": "7"}}
        with pytest.raises(ForeignWriterError):
            await put(node, write_value(RingValue({"aa": Entry(b"\x3a\x01z", 9)})))
        node.kill()

        rings = Rings([KEY], Table(world.calls, TABLE, CLUSTER))
        with pytest.raises(StorageRefusedError, match="head does not name so"):
            await rings.begin()
        world.storage.tables[TABLE] = {(KEY, "aa"): item}
        with pytest.raises(StorageRefusedError, match=r"no head names, e\.g\. 'aa'"):
            await Rings(["other", KEY], Table(world.calls, TABLE, CLUSTER)).begin()

    in_world(work, replicas=1)


def test_a_replica_begins_while_another_writes_all_the_time() -> None:
    """What changes between its reads is not taken for somebody else's."""

    async def work(world: World) -> None:
        one, other = world.nodes
        for node in (one, other):
            node.kill()
        quick = Calls(world.storage, world.draw)
        quick.weather = Weather(latency=0.0)
        world.calls.weather = Weather(latency=0.5)
        writer = Replica(KEY, Table(quick, TABLE, CLUSTER), lambda: EPOCH + elapsed())
        await writer.begin()
        other.start()
        for number in range(600):
            index = writer.index if writer.version and writer.version.head.exists else 0
            shape = b"\x3a\x04%04d" % number
            assert await writer.put(index, write_value(RingValue({"aa": Entry(shape, 1)})))
            await asyncio.sleep(0.05)
        await asyncio.sleep(5)
        assert await other.ask(Replica.get) == writer.version

    in_world(work)


@pytest.mark.parametrize("what", ["cluster", "format", "head"])
def test_a_head_that_is_not_ours_is_not_served(what: str) -> None:
    """Another cluster's, one in a format of another release, one that cannot be read."""

    async def work(world: World) -> None:
        await put(world.nodes[0], ring(aa=1))
        item = dict(head_item(KEY, world.nodes[0].replica.version.head, CLUSTER))  # type: ignore[union-attr]
        item[what] = {"cluster": {"S": "two"}, "format": {"N": "2"}, "head": {"B": b"?"}}[what]
        world.storage.tables[TABLE][f"bridge:{KEY}", "head"] = item
        with pytest.raises(StorageRefusedError, match=r"two|format is 2|cannot be unpacked"):
            await Rings([KEY], Table(world.calls, TABLE, CLUSTER)).begin()

    in_world(work, replicas=1)


def test_holding_is_what_carries_writes_over_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no time to hold them, a write that meets an outage of 5 s fails."""
    outcomes = []

    async def work(world: World) -> None:
        node = world.nodes[0]
        await put(node, ring(aa=1))
        world.calls.away = True
        asyncio.get_running_loop().call_later(5.0, setattr, world.calls, "away", False)
        try:
            outcomes.append(await node.replica.put(node.replica.index, ring(aa=2)))
        except AwayError:
            outcomes.append(False)

    in_world(work)
    monkeypatch.setattr(replicas, "HELD", 1.0)
    in_world(work)

    assert outcomes == [True, False]
