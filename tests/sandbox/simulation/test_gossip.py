"""Memberlist: replicas, gossip that takes time, joining, and who is taken for dead."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from mimir_migrate.model.facts import Member, MemberState
from mimir_migrate.sandbox.simulation.host import Host, HostClock, Ring
from mimir_migrate.sandbox.simulation.scheduler import VirtualScheduler
from mimir_migrate.sandbox.simulation.stores.gossip import GossipNode, GossipSettings, Network

KEY = "collectors/ring"


class Gossip:
    """Some nodes on virtual time."""

    def __init__(self) -> None:
        self.scheduler = VirtualScheduler()
        self.clock = HostClock(self.scheduler, 1.0)
        self.network = Network(self.clock, random.Random(1))
        self.nodes: list[GossipNode] = []
        self.failures: list[str] = []

    def add(
        self,
        *,
        resolve: Callable[[], list[str]] | None = None,
        marks_left: bool = True,
        settings: GossipSettings | None = None,
    ) -> GossipNode:
        """Start one more node; by default it joins all that run."""
        number = len(self.nodes)
        host = Host(self.clock, random.Random(number), f"pod-{number}", f"10.0.0.{number + 1}")
        node = GossipNode(
            self.network,
            host,
            settings or GossipSettings(),
            resolve or (lambda: [one.host.ip for one in self.nodes if one.host.alive]),
            self.failures.append,
            marks_left=marks_left,
        )
        self.nodes.append(node)
        node.start()
        return node

    def kill(self, node: GossipNode) -> None:
        """End a process without a word."""
        node.host.alive = False
        node.stop()
        self.network.look_around()

    def member(self, id_: str, age: int = 0, state: MemberState = MemberState.ACTIVE) -> Member:
        """A member with a heartbeat of some seconds ago."""
        return Member(
            id=id_,
            address=f"{id_}:9095",
            state=state,
            timestamp=self.clock.ticks() - age,
            tokens=(1,),
        )


@pytest.fixture
def gossip() -> Gossip:
    """An empty network."""
    return Gossip()


def test_a_change_reaches_everybody_within_some_rounds(gossip: Gossip) -> None:
    """At once only the writer has it, within two seconds all do."""
    nodes = [gossip.add() for _ in range(15)]
    gossip.scheduler.run_for(2)
    nodes[3].write(KEY, {"a": gossip.member("a")})
    assert [bool(node.read(KEY)) for node in nodes].count(True) == 1
    gossip.scheduler.run_for(0.15)
    assert not all(node.read(KEY) for node in nodes)
    gossip.scheduler.run_for(2)
    assert all("a" in node.read(KEY) for node in nodes)


def test_a_new_node_gets_everything_when_it_joins(gossip: Gossip) -> None:
    """Joining exchanges the whole state; the others hear of the newcomer."""
    first = gossip.add()
    gossip.add()
    first.write(KEY, {"a": gossip.member("a")})
    gossip.scheduler.run_for(2)
    late = gossip.add()
    assert "a" in late.read(KEY)
    gossip.scheduler.run_for(2)
    assert all(len(node.peers) == 3 for node in gossip.nodes)


def test_the_newest_heartbeat_wins_and_left_wins_a_draw(gossip: Gossip) -> None:
    """Merging does not depend on the order that values arrive in."""
    node = gossip.add()
    old, new = {"a": gossip.member("a", age=5)}, {"a": gossip.member("a")}
    left = {"a": gossip.member("a", state=MemberState.LEFT)}
    orders: list[list[Ring]] = [[old, new, left], [left, old, new], [new, left, old]]
    for number, order in enumerate(orders):
        for value in order:
            node.merge(f"ring-{number}", value)
        assert node.store[f"ring-{number}"]["a"].state is MemberState.LEFT
    node.merge("ring", new)
    assert node.merge("ring", old) == {}


def left_marking(gossip: Gossip, *, marks_left: bool) -> None:
    """What a written value lacks becomes LEFT, without tokens, and is not read any more."""
    node, other = gossip.add(marks_left=marks_left), gossip.add()
    node.write(KEY, {"a": gossip.member("a"), "b": gossip.member("b")})
    gossip.scheduler.run_for(5)
    node.write(KEY, {"a": gossip.member("a")})
    gossip.scheduler.run_for(5)
    for one in (node, other):
        assert set(one.read(KEY)) == {"a"}
        assert one.store[KEY]["b"].state is MemberState.LEFT
        assert one.store[KEY]["b"].tokens == ()


def test_a_written_value_marks_what_it_lacks_left(gossip: Gossip) -> None:
    """The tombstone is gossiped like any change."""
    left_marking(gossip, marks_left=True)


def test_that_needs_the_left_marking(gossip: Gossip) -> None:
    """With the mechanism taken out, the same test fails."""
    with pytest.raises(AssertionError):
        left_marking(gossip, marks_left=False)


def test_a_gossiped_value_marks_nobody_left(gossip: Gossip) -> None:
    """Only values written locally say that somebody is gone."""
    node = gossip.add()
    node.write(KEY, {"a": gossip.member("a"), "b": gossip.member("b", age=3)})
    node.merge(KEY, {"b": gossip.member("b")})
    assert set(node.read(KEY)) == {"a", "b"}


def test_a_heartbeat_of_the_same_second_does_not_bring_back_who_left(gossip: Gossip) -> None:
    """A later one does."""
    node = gossip.add()
    node.write(KEY, {"a": gossip.member("a", age=4), "b": gossip.member("b")})
    node.write(KEY, {"b": gossip.member("b")})
    assert not node.write(KEY, {**node.read(KEY), "a": gossip.member("a")})
    gossip.scheduler.run_for(2)
    assert node.write(KEY, {**node.read(KEY), "a": gossip.member("a")})
    assert set(node.read(KEY)) == {"a", "b"}


def test_tombstones_are_dropped_after_their_time(gossip: Gossip) -> None:
    """LEFT members vanish from every replica after `left_ingesters_timeout`, and stay away."""
    nodes = [gossip.add() for _ in range(4)]
    nodes[0].write(KEY, {"a": gossip.member("a", age=3), "b": gossip.member("b", age=3)})
    nodes[0].write(KEY, {"b": gossip.member("b")})
    gossip.scheduler.run_for(200)
    assert all("a" in node.store[KEY] for node in nodes)
    gossip.scheduler.run_for(200)
    assert not any("a" in node.store[KEY] for node in nodes)


def test_with_nobody_to_resolve_a_node_starts_its_gossip_alone(gossip: Gossip) -> None:
    """That is not a failure to join; and without a rejoin interval it stays alone for ever."""
    gossip.add()
    strict = GossipSettings(abort_if_join_fails=True, abort_if_fast_join_fails=True)
    alone = gossip.add(resolve=list, settings=strict)
    gossip.scheduler.run_for(1000)
    assert [len(node.peers) for node in gossip.nodes] == [1, 1]
    assert alone.read(KEY) == {}
    assert gossip.failures == []


def test_a_node_that_nobody_answers_tries_again(gossip: Gossip) -> None:
    """It joins as soon as the address that it was given speaks gossip."""
    early = gossip.add(resolve=lambda: ["10.0.0.2"])
    gossip.scheduler.run_for(5)
    gossip.add()
    gossip.scheduler.run_for(20)
    assert len(early.peers) == 2


@pytest.mark.parametrize(
    ("settings", "within"),
    [
        (GossipSettings(abort_if_join_fails=True), 400.0),
        (GossipSettings(abort_if_fast_join_fails=True), 1.0),
    ],
)
def test_a_process_can_be_told_to_end_when_it_cannot_join(
    gossip: Gossip, settings: GossipSettings, within: float
) -> None:
    """After all tries, or with fast join after the first."""
    gossip.add(resolve=lambda: ["10.9.9.9"], settings=settings)
    gossip.scheduler.run_for(within)
    assert len(gossip.failures) == 1


def test_rejoining_heals_what_started_apart(gossip: Gossip) -> None:
    """With a rejoin interval a node that started alone finds the others later."""
    gossip.add()
    late: list[str] = []
    gossip.add(resolve=lambda: late, settings=GossipSettings(rejoin_interval=60))
    late.append("10.0.0.1")
    gossip.scheduler.run_for(70)
    assert [len(node.peers) for node in gossip.nodes] == [2, 2]


def test_another_cluster_label_is_another_cluster(gossip: Gossip) -> None:
    """Nodes of two labels do not join each other."""
    gossip.add(settings=GossipSettings(cluster_label="mimir"))
    gossip.add(settings=GossipSettings(cluster_label="loki"))
    gossip.scheduler.run_for(30)
    assert [len(node.peers) for node in gossip.nodes] == [1, 1]


def test_a_killed_node_is_suspected_and_then_buried(gossip: Gossip) -> None:
    """It stays listed for some seconds; one that says goodbye does not."""
    nodes = [gossip.add() for _ in range(5)]
    gossip.scheduler.run_for(2)
    gossip.kill(nodes[0])
    gossip.scheduler.run_for(3.5)
    assert all(node.peers[nodes[0].name].state == 1 for node in nodes[1:])
    gossip.scheduler.run_for(7)
    assert all(len(node.peers) == 4 for node in nodes[1:])
    nodes[1].leave()
    gossip.scheduler.run_for(1)
    assert all(len(node.peers) == 3 for node in nodes[2:])


def test_a_short_cut_heals_by_itself_and_a_long_one_does_not(gossip: Gossip) -> None:
    """The dead are gossiped to for half a minute; after that nobody looks for them."""
    nodes = [gossip.add() for _ in range(4)]
    gossip.scheduler.run_for(2)
    for number, (cut, whole) in enumerate(((20, True), (90, False))):
        gossip.network.block(number, frozenset(["pod-0"]))
        gossip.scheduler.run_for(cut)
        assert [len(node.peers) for node in nodes] == [1, 3, 3, 3]
        gossip.network.unblock(number)
        gossip.scheduler.run_for(10)
        assert (len(nodes[0].peers) == 4) is whole


def test_who_joins_during_a_cut_buries_whom_it_cannot_reach(gossip: Gossip) -> None:
    """A newcomer follows of nodes from others and finds out by itself that they do not answer."""
    nodes = [gossip.add() for _ in range(3)]
    gossip.scheduler.run_for(2)
    gossip.network.block(1, frozenset(["pod-0"]))
    late = gossip.add()
    gossip.scheduler.run_for(15)
    assert nodes[0].name not in late.peers
    assert len(late.peers) == 3
