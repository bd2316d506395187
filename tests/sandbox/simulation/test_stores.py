"""What writes do to the two stores: versions, deletes, and mirroring."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mimir_migrate.model.facts import Member, MemberState
from mimir_migrate.sandbox.interface import MissingTableError, ThrottledError
from mimir_migrate.sandbox.simulation.host import Host, HostClock, Ring
from mimir_migrate.sandbox.simulation.scheduler import VirtualScheduler
from mimir_migrate.sandbox.simulation.stores.dynamodb import DynamoDBClient, find_difference
from mimir_migrate.sandbox.simulation.stores.gossip import GossipNode, GossipSettings, Network
from mimir_migrate.sandbox.simulation.stores.items import MemoryItems
from mimir_migrate.sandbox.simulation.stores.kv import KVError, MemberlistClient, Meter
from mimir_migrate.sandbox.simulation.stores.multi import MultiClient
from mimir_migrate.sandbox.simulation.stores.table import TableAccess

KEY = "collectors/ring"


class Stores:
    """One process' memberlist and DynamoDB clients."""

    def __init__(self, generation: str = "master", speed: float = 1.0, **multi: Any) -> None:
        self.scheduler = VirtualScheduler()
        self.clock = HostClock(self.scheduler, speed)
        self.items = MemoryItems(generation)
        self.table = TableAccess(self.clock, self.items, versioned=generation != "1.16")
        self.generation = generation
        self.host = Host(self.clock, random.Random(1), "pod", "10.0.0.1")
        self.node = GossipNode(
            Network(self.clock, random.Random(1)),
            self.host,
            GossipSettings(),
            list,
            lambda _: None,
            marks_left=multi.pop("marks_left", True),
        )
        self.meter = Meter("ingester-lifecycler")
        self.dynamodb = self.client(deletes=multi.pop("deletes", True))
        self.memberlist = MemberlistClient(self.node, self.meter, "primary")
        self.multi = MultiClient(
            self.host,
            {"memberlist": self.memberlist, "dynamodb": self.dynamodb},
            primary=multi.pop("primary", "memberlist"),
            mirrors=True,
            meter=self.meter,
            **multi,
        )

    def client(self, *, deletes: bool = True) -> DynamoDBClient:
        """A DynamoDB client."""
        return DynamoDBClient(
            self.host,
            self.table,
            table="rings",
            puller_sync_time=5.0,
            generation=self.generation,
            meter=self.meter,
            role="secondary",
            deletes=deletes,
        )

    def member(self, id_: str, age: int = 0) -> Member:
        """A member with a heartbeat of some seconds ago."""
        return Member(
            id=id_,
            address=f"{id_}:9095",
            state=MemberState.ACTIVE,
            timestamp=self.clock.ticks() - age,
            tokens=(1, 2),
        )

    def write(self, client: Any, *ids: str, age: int = 0, once: bool = False) -> list[Any]:
        """CAS a whole ring; returns what came of it, once time has passed."""
        seen: list[Any] = []
        ring: Ring = {id_: self.member(id_, age) for id_ in ids}
        client.cas(KEY, lambda _: ring, lambda error, _: seen.append(error), once=once)
        self.scheduler.run_for(30)
        return seen


def test_a_mirrored_write_copies_the_whole_ring() -> None:
    """What is written to the primary stands in the secondary too, members of others included."""
    stores = Stores()
    assert stores.write(stores.multi, "a", "b") == [None]
    assert set(stores.node.read(KEY)) == set(stores.dynamodb.get(KEY)) == {"a", "b"}
    assert (stores.multi.mirror_writes, stores.multi.mirror_errors) == (1, 0)


def test_a_write_of_nothing_is_not_mirrored() -> None:
    """A callback that returns nothing leaves both stores alone and counts no attempt."""
    stores = Stores()
    stores.write(stores.memberlist, "a")
    stores.multi.cas(KEY, lambda _: None, lambda *_: None)
    stores.scheduler.run_for(5)
    assert stores.multi.mirror_writes == 0
    assert stores.dynamodb.get(KEY) == {}


def test_a_failed_write_is_not_mirrored() -> None:
    """The secondary gets what the primary took, and nothing else."""
    stores = Stores(primary="dynamodb")
    stores.items.failure = ThrottledError()
    (error,) = stores.write(stores.multi, "a")
    assert isinstance(error, KVError)
    assert stores.multi.mirror_writes == 0
    assert stores.node.read(KEY) == {}


def test_a_failing_mirror_is_counted_and_told_to_nobody() -> None:
    """The caller follows of the primary alone; an attempt is an attempt."""
    stores = Stores()
    stores.items.failure = MissingTableError("rings")
    assert stores.write(stores.multi, "a") == [None]
    assert (stores.multi.mirror_writes, stores.multi.mirror_errors) == (1, 1)


def test_a_mirrored_write_that_changes_nothing_counts_as_an_error() -> None:
    """Both stores refuse a value that they hold already; so such errors can be benign."""
    stores = Stores()
    stores.write(stores.dynamodb, "a")
    stores.write(stores.multi, "a", age=60)
    assert stores.multi.mirror_errors == 1


def mirrored_delete(stores: Stores) -> None:
    """A member that the mirrored value lacks is gone from DynamoDB."""
    stores.write(stores.dynamodb, "a", "b")
    stores.write(stores.multi, "a")
    assert set(stores.dynamodb.get(KEY)) == {"a"}


def mirrored_left(stores: Stores) -> None:
    """A member that the mirrored value lacks is LEFT in memberlist."""
    stores.write(stores.memberlist, "a", "b")
    stores.write(stores.multi, "a")
    assert set(stores.node.read(KEY)) == {"a"}
    assert stores.node.store[KEY]["b"].state is MemberState.LEFT


def mirrored_copy(stores: Stores) -> None:
    """A write stands in both stores."""
    stores.write(stores.multi, "a")
    assert set(stores.node.read(KEY)) == set(stores.dynamodb.get(KEY)) == {"a"}


MECHANISMS = [
    (mirrored_delete, {"deletes": False}, {}),
    (mirrored_left, {"marks_left": False}, {"primary": "dynamodb"}),
    (mirrored_copy, {"mirroring_works": False}, {}),
]


@pytest.mark.parametrize(("mechanism", "_out", "arguments"), MECHANISMS)
def test_mirrored_writes_do_what_the_products_do(
    mechanism: Any, _out: Any, arguments: Any
) -> None:
    """DynamoDB deletes what the value lacks, memberlist marks it LEFT, both take what it holds."""
    mechanism(Stores(**arguments))


@pytest.mark.parametrize(("mechanism", "out", "arguments"), MECHANISMS)
def test_each_of_that_needs_its_mechanism(mechanism: Any, out: Any, arguments: Any) -> None:
    """With the mechanism taken out, the same test fails."""
    with pytest.raises(AssertionError):
        mechanism(Stores(**arguments, **out))


def test_an_older_heartbeat_does_not_replace_a_newer_one() -> None:
    """Since Cortex 1.16 a lagging mirror cannot take a heartbeat back, but it can delete."""
    stores = Stores()
    current = {"a": stores.member("a"), "b": stores.member("b")}
    put, delete = find_difference(
        current, {"a": stores.member("a", age=9), "c": stores.member("c")}
    )
    assert (set(put), delete) == ({"c"}, ["b"])


def test_the_switch_moves_reads_writes_and_watches() -> None:
    """After a switch the new primary is read and written first; the old one is the mirror."""
    stores = Stores()
    seen: list[set[str]] = []
    stores.write(stores.dynamodb, "only-in-dynamodb")
    stores.multi.watch(KEY, lambda ring: seen.append(set(ring)))
    stores.multi.hear("dynamodb", None)
    stores.scheduler.run_for(1)
    assert seen == [{"only-in-dynamodb"}]
    assert set(stores.multi.get(KEY)) == {"only-in-dynamodb"}
    stores.write(stores.memberlist, "only-in-memberlist")
    assert {"only-in-memberlist"} not in seen


@pytest.mark.parametrize("primary", ["", "consul"])
def test_a_primary_that_is_not_there_changes_nothing(primary: str) -> None:
    """An empty or unknown primary, and a mirror that is not said, are passed over."""
    stores = Stores()
    stores.multi.hear(primary, None)
    assert (stores.multi.primary, stores.multi.mirrors) == ("memberlist", True)
    stores.multi.hear(primary, mirror_enabled=False)
    assert (stores.multi.primary, stores.multi.mirrors) == ("memberlist", False)


@pytest.mark.parametrize(
    ("generation", "survives", "conflicts"),
    [("1.16", True, 0), ("1.20", False, 1), ("master", True, 1)],
)
def test_two_writes_of_one_item_at_once(generation: str, survives: bool, conflicts: int) -> None:
    """1.16: the last writer wins; 1.20: a conflict fails the write; master: it is made again."""
    stores = Stores(generation)
    other = stores.client()
    stores.write(stores.dynamodb, "a", age=9)
    results: dict[str, Any] = {}
    for number, client in enumerate((stores.dynamodb, other)):
        client.cas(
            KEY,
            lambda _: {"a": stores.member("a")},
            lambda error, _, name=str(number): results.update({name: error}),
        )
    stores.scheduler.run_for(10)
    assert stores.meter.conflicts == conflicts
    failed = [error for error in results.values() if error is not None]
    assert (not failed) is survives


def test_polls_see_changes_after_the_puller_sync_time() -> None:
    """A watched key is read at once and then once in every period; an error keeps the last view."""
    stores = Stores()
    seen: list[set[str]] = []
    stores.dynamodb.watch(KEY, lambda ring: seen.append(set(ring)))
    stores.scheduler.run_for(1)
    stores.client().cas(KEY, lambda _: {"a": stores.member("a")}, lambda *_: None)
    stores.scheduler.run_for(3)
    assert seen == [set()]
    stores.scheduler.run_for(2)
    assert seen == [set(), {"a"}]
    stores.items.failure = ThrottledError()
    stores.scheduler.run_for(20)
    assert seen == [set(), {"a"}]
    assert stores.meter.dynamodb["Query", "4xx"] == 4


def test_a_fast_clock_keeps_the_order_of_what_it_wrote() -> None:
    """Heartbeats within one real second replace each other; items show whole real seconds."""
    stores = Stores(speed=30.0)
    moments = []
    for _ in range(3):
        stores.dynamodb.cas(KEY, lambda _: {"a": stores.member("a")}, lambda *_: None)
        stores.scheduler.run_for(0.1)
        moments.append(stores.dynamodb.get(KEY)["a"].timestamp)
    assert moments == sorted(set(moments))
    ((data, _),) = stores.items.query("rings", KEY).values()
    fresh = TableAccess(stores.clock, stores.items)
    read = fresh.query("pod", "rings", KEY)["a"]
    assert stores.clock.real(read.timestamp) == int(stores.scheduler.now())
    assert read.timestamp >= moments[-1]
    assert data


def test_an_item_that_is_no_member_is_passed_over() -> None:
    """Rubbish in the table does not end the process."""
    stores = Stores()
    stores.items.write("rings", KEY, {"rubbish": (b"\xff\xff", 0)}, [])
    stores.write(stores.dynamodb, "a")
    assert set(stores.dynamodb.get(KEY)) == {"a"}
