"""The simulated Consul client, held to what dskit's does: tries, sleeps, watches, index rules."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from memory_consul import MemoryConsul

from mimir_migrate.model.facts import Member, MemberState
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.interface import PodPhase
from mimir_migrate.sandbox.simulation.host import Host, HostClock, Ring
from mimir_migrate.sandbox.simulation.scheduler import VirtualScheduler
from mimir_migrate.sandbox.simulation.stores.consul import (
    ConsulClient,
    ConsulSettings,
    next_index,
)
from mimir_migrate.sandbox.simulation.stores.kv import KVError, Meter
from mimir_migrate.sandbox.simulation.stores.multi import MultiClient
from mimir_migrate.sandbox.simulation.stores.ring_values import RingValues
from mimir_migrate.sandbox.simulation.stores.wire import Answer

KEY = "collectors/ring"
FEW = {"distributor": 1, "ingester": 2, "store-gateway": 2, "ruler": 1}


class Pod:
    """One pod's client, and the Consul that it asks."""

    def __init__(self, speed: float = 1.0, seed: int = 1, **settings: Any) -> None:
        self.scheduler = VirtualScheduler()
        self.clock = HostClock(self.scheduler, speed)
        self.consul = MemoryConsul(self.scheduler)
        self.values = RingValues(self.clock)
        self.host = Host(self.clock, random.Random(seed), "pod", "10.0.0.1")
        self.meter = Meter("ingester-lifecycler")
        self.client = self.make(**settings)

    def make(self, mirror_timeout: float = 0.0, **settings: Any) -> ConsulClient:
        """A client."""
        return ConsulClient(
            self.host,
            self.consul,
            self.values,
            ConsulSettings(host="ring-bridge:8500", **settings),
            self.meter,
            "primary",
            mirror_timeout,
        )

    def member(self, id_: str) -> Member:
        """A member with a heartbeat of now."""
        return Member(
            id=id_,
            address=f"{id_}:9095",
            state=MemberState.ACTIVE,
            timestamp=self.clock.ticks(),
            registered_timestamp=self.clock.ticks() - 7,
            zone="a",
            tokens=(1, 2),
        )

    def ring(self, *ids: str) -> Ring:
        """A ring."""
        return {id_: self.member(id_) for id_ in ids}

    def cas(self, client: Any = None, *ids: str) -> list[tuple[KVError | None, Ring | None]]:
        """Begin a write of members; what comes of it is in the list later."""
        over: list[tuple[KVError | None, Ring | None]] = []

        def change(ring: Ring) -> Ring:
            return {**ring, **self.ring(*(ids or ("a",)))}

        (client or self.client).cas(KEY, change, lambda error, value: over.append((error, value)))
        return over

    def watch(self) -> list[set[str]]:
        """Watch; what is handed to the ring is in the list."""
        seen: list[set[str]] = []
        self.client.watch(KEY, lambda ring: seen.append(set(ring)))
        return seen

    def times(self, method: str = "GET") -> list[float]:
        """When requests were sent, seconds of the scheduler."""
        return [at for at, _, request in self.consul.asked if request.method == method]

    def write(self, *ids: str) -> int:
        """Somebody else writes a ring."""
        return self.consul.write(KEY, self.values.encode(self.ring(*ids)))


def test_a_write_reads_without_parameters_and_puts_on_the_index_it_read() -> None:
    """GET, then PUT with `cas`: 0 where the key is not there, its index where it is."""
    pod = Pod()
    over = pod.cas()
    pod.scheduler.run_for(1)
    index = pod.consul.index
    later = pod.cas(None, "b")
    pod.scheduler.run_for(1)
    sent = [(r.method, r.query) for _, _, r in pod.consul.asked]
    assert sent == [
        ("GET", ()),
        ("PUT", (("cas", "0"),)),
        ("GET", ()),
        ("PUT", (("cas", str(index)),)),
    ]
    assert over[0][0] is None
    assert pod.values.decode(pod.consul.values[KEY][1]) == later[0][1]
    assert set(later[0][1] or ()) == {"a", "b"}


def test_a_write_is_tried_ten_times_with_one_sleep() -> None:
    """One random sleep of less than `cas_retry_delay`, the same before each of the tries 2 to 10."""
    pod = Pod()
    pod.consul.refuses_writes = 99
    over = pod.cas()
    pod.scheduler.run_for(30)
    gets = pod.times()
    sleeps = {round(b - a, 4) for a, b in pairwise(gets)}
    assert len(gets) == 10
    assert len(sleeps) == 1
    assert 0 < sleeps.pop() < 1.1
    assert str(over[0][0]) == f"failed to CAS {KEY}"


@pytest.mark.parametrize("answer", [Answer(status=500), Answer(status=0), Answer(status=429)])
def test_an_error_is_a_try(answer: Answer) -> None:
    """500, 429 and a refused connection use up one try; the next one is a whole one."""
    pod = Pod()
    pod.consul.says = [answer] * 3
    over = pod.cas()
    pod.scheduler.run_for(30)
    assert over[0][0] is None
    assert len(pod.times()) == 4


def test_a_watch_asks_at_most_once_a_second() -> None:
    """However often the ring changes, one request a second, and the newest value at last."""
    pod = Pod()
    seen = pod.watch()
    for turn in range(50):
        pod.write("a", f"b{turn}")
        pod.scheduler.run_for(0.1)
    pod.scheduler.run_for(2)
    gaps = [b - a for a, b in pairwise(pod.times())]
    assert all(gap >= 1.0 - 1e-6 for gap in gaps[1:])
    assert seen[-1] == {"a", "b49"}
    assert len(seen) <= 8


def test_a_watch_that_finds_nothing_new_is_held_ten_seconds() -> None:
    """`wait=10000ms` and the index; what comes back with the same index is not handed on."""
    pod = Pod()
    pod.write("a")
    seen = pod.watch()
    pod.scheduler.run_for(35)
    assert seen == [{"a"}]
    first, *later = [request.query for _, _, request in pod.consul.asked]
    assert first == (("stale", ""), ("wait", "10000ms"))
    assert set(later) == {(("stale", ""), ("wait", "10000ms"), ("index", str(pod.consul.index)))}
    assert len(later) == 4


def test_waits_shrink_with_the_speed() -> None:
    """At 10 times the speed a watch is held for a second, and the client gives up after two."""
    pod = Pod(speed=10)
    pod.watch()
    pod.scheduler.run_for(5)
    _, _, request = pod.consul.asked[-1]
    assert ("wait", "1000ms") in request.query
    assert request.timeout == 2.0


def test_a_watch_sleeps_longer_and_longer_after_errors_and_a_success_resets_it() -> None:
    """1 to 2 s, 2 to 4 s, … up to 60 s; after one success again 1 to 2 s."""
    pod = Pod()
    pod.write("a")
    pod.consul.lives = False
    pod.watch()
    pod.scheduler.run_for(400)
    sleeps = [b - a for a, b in pairwise(pod.times())]
    for number, (least, most) in enumerate([(1, 2), (2, 4), (4, 8), (8, 16), (16, 32)]):
        assert least <= sleeps[number] <= most + 0.1
    assert all(32 <= sleep <= 60.1 for sleep in sleeps[5:])
    pod.consul.lives = True
    pod.scheduler.run_for(70)
    pod.consul.lives = False
    before = len(pod.times())
    pod.scheduler.run_for(14)
    again = [b - a for a, b in pairwise(pod.times()[before:])]
    assert again[0] <= 2.1


@pytest.mark.parametrize(
    ("before", "said", "then"),
    [
        (0, 0, (1, False)),
        (7, 0, (1, False)),
        (7, 6, (0, False)),
        (7, 7, (7, True)),
        (7, 9, (9, False)),
    ],
)
def test_the_index_rules(before: int, said: int, then: tuple[int, bool]) -> None:
    """`checkLastIndex`: 0 counts as 1, lower is a reset to 0, equal is passed over."""
    assert next_index(before, said) == then


def test_a_lower_index_hands_on_the_older_value_and_begins_from_nothing() -> None:
    """A reset: the older value is handed to the ring, and the next request has no index."""
    pod = Pod()
    pod.write("a", "b")
    seen = pod.watch()
    pod.scheduler.run_for(1)
    pod.consul.index = 5
    pod.write("a")
    pod.scheduler.run_for(12)
    assert seen[:2] == [{"a", "b"}, {"a"}]
    indexes = [dict(request.query).get("index") for _, _, request in pod.consul.asked]
    assert indexes.count(None) == 2


def test_not_there_is_an_empty_ring_and_no_error() -> None:
    """404 is answered to a read as a ring without members, and to a watch with nothing."""
    pod = Pod()
    found: list[Any] = []
    pod.client.read(KEY, lambda error, ring: found.append((error, ring)))
    seen = pod.watch()
    pod.scheduler.run_for(15)
    assert found == [(None, {})]
    assert seen == []


def test_the_token_goes_along() -> None:
    """`acl_token` is sent; another one is refused, which is an error of the read."""
    pod = Pod(token="right")
    pod.consul.token = "right"
    assert pod.cas() == []
    pod.scheduler.run_for(1)
    assert KEY in pod.consul.values
    found: list[Any] = []
    pod.make(token="wrong").read(KEY, lambda error, _: found.append(str(error)))
    pod.scheduler.run_for(1)
    assert found == ["Unexpected response code: 403 (Permission denied)"]


class Mirrored:
    """A `multi` client whose secondary is Consul."""

    def __init__(self) -> None:
        self.pod = Pod()
        self.primary = self.pod.make()
        self.other = MemoryConsul(self.pod.scheduler)
        self.primary._wire = self.other
        self.multi = MultiClient(
            self.pod.host,
            {"memberlist": self.primary, "consul": self.pod.make(mirror_timeout=2.0)},
            primary="memberlist",
            mirrors=True,
            meter=self.pod.meter,
        )


def test_a_mirrored_write_has_two_seconds_and_is_only_counted_where_it_fails() -> None:
    """The write itself is good; the mirror's failure is one of the error counter."""
    world = Mirrored()
    world.pod.consul.latency = 5.0
    over = world.pod.cas(world.multi)
    world.pod.scheduler.run_for(1.9)
    assert over == []
    world.pod.scheduler.run_for(12)
    assert over[0][0] is None
    assert (world.multi.mirror_writes, world.multi.mirror_errors) == (1, 1)
    assert KEY in world.other.values
    assert KEY not in world.pod.consul.values


def test_the_tick_of_a_heartbeat_survives_a_value_that_holds_whole_seconds() -> None:
    """At a high speed many heartbeats fall into one real second; their order is kept."""
    pod = Pod(speed=30)
    pod.scheduler.run_for(0.51)
    first = pod.ring("a")
    pod.scheduler.run_for(0.1)
    assert pod.values.decode(pod.values.encode(first)) == first
    unknown = RingValues(pod.clock).decode(pod.values.encode(first))["a"]
    assert first["a"].timestamp <= unknown.timestamp <= pod.clock.ticks()


def test_a_mirrored_write_is_the_whole_ring() -> None:
    """What the secondary had besides is gone: the ring as this pod sees it is written over it."""
    world = Mirrored()
    world.pod.write("somebody-else")
    world.pod.cas(world.multi, "a")
    world.pod.scheduler.run_for(5)
    assert set(world.pod.values.decode(world.pod.consul.values[KEY][1])) == {"a"}
    assert world.multi.mirror_errors == 0


def consul_of(cluster: Any) -> MemoryConsul:
    """The Consul that the pods of a cluster ask, put there before they boot."""
    consul = MemoryConsul(cluster.scheduler)
    cluster.simulation.wire = consul
    return consul


def test_pods_on_consul_see_each_other(tiny_cluster: Any, configured: Any) -> None:
    """A whole Mimir on `store: consul`: every page shows every member, and nobody is lost sight of."""
    cluster = tiny_cluster(Product.MIMIR, configured(Product.MIMIR, "consul"), replicas=FEW)
    consul = consul_of(cluster)
    cluster.settle()
    cluster.run(120)
    assert cluster.lost == 0
    assert cluster.simulation.watch.observations > 500
    assert {"collectors/ring", "collectors/distributor"} <= set(consul.values)
    assert cluster.processes["ingester-0"].gossip is None


def test_an_error_at_the_start_ends_the_process(tiny_cluster: Any, configured: Any) -> None:
    """With nobody there a pod crashes within seconds; one that runs only ages."""
    cluster = tiny_cluster(Product.MIMIR, configured(Product.MIMIR, "consul"), replicas=FEW)
    consul = consul_of(cluster)
    cluster.settle()
    consul.lives = False
    cluster.run(20)
    late = cluster.launch("ruler-7")
    cluster.run(10)
    assert late.phase is PodPhase.CRASHED
    assert "unable to initialise ring state" in late.crash_reason
    assert cluster.processes["ruler-0"].phase is PodPhase.RUNNING


def test_a_consul_that_is_away_for_long_makes_every_member_unhealthy(
    tiny_cluster: Any, configured: Any
) -> None:
    """Past `heartbeat_timeout` every ring is lost; the watches come back up to a minute late."""
    cluster = tiny_cluster(Product.MIMIR, configured(Product.MIMIR, "consul"), replicas=FEW)
    consul = consul_of(cluster)
    cluster.settle()
    consul.lives = False
    cluster.run(30)
    assert cluster.lost == 0
    cluster.run(40)
    assert cluster.lost > 0
    consul.lives = True
    cluster.run(90)
    lost = cluster.lost
    cluster.run(60)
    assert cluster.lost == lost


def test_there_and_back_by_the_runtime_switch_nothing_is_lost(
    tiny_cluster: Any, configured: Any
) -> None:
    """memberlist, mirrored, switched to `consul`, mirrored the other way, consul, and back again."""
    cluster = tiny_cluster(Product.MIMIR, configured(Product.MIMIR, "memberlist"), replicas=FEW)
    consul = consul_of(cluster)
    cluster.settle()
    assert cluster.rollout(configured(Product.MIMIR, "memberlist+consul"))
    cluster.run(60)
    cluster.runtime = "multi_kv_config: {primary: consul, mirror_enabled: true}\n"
    cluster.run(60)
    client = cluster.processes["ingester-0"].clients["ingester", "ingester-lifecycler"]
    assert client.multi.primary == "consul"
    page = cluster.processes["ingester-0"].get("/metrics", "").body.decode()
    assert 'cortex_multikv_primary_store{kv_name="ingester-lifecycler",store="consul"} 1' in page
    assert 'type="consul"' in page
    assert cluster.rollout(configured(Product.MIMIR, "consul+memberlist"))
    cluster.runtime = "multi_kv_config: {mirror_enabled: false}\n"
    cluster.run(30)
    assert cluster.rollout(configured(Product.MIMIR, "consul"))
    cluster.run(60)
    cluster.runtime = "overrides: {}\n"
    assert cluster.rollout(configured(Product.MIMIR, "consul+memberlist"))
    cluster.run(60)
    cluster.runtime = "multi_kv_config: {primary: memberlist, mirror_enabled: true}\n"
    cluster.run(60)
    assert cluster.rollout(configured(Product.MIMIR, "memberlist"))
    cluster.run(60)
    assert cluster.lost == 0
    assert consul.counts["PUT"] > 50
