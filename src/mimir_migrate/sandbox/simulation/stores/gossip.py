"""Memberlist: one replica for each process, gossip that takes time, and joining.

Sources: dskit's `kv/memberlist` and `ring/model.go` (`mergeWithTime`), hashicorp's memberlist, and
Cortex' defaults: gossip every 200 ms to three nodes, push/pull every 30 s, nodes that died are
gossiped to for 30 s more.
"""

# Longer than 400 lines. One protocol: what a node sends, merges and forgets is one set of rules.

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from mimir_migrate.sandbox.simulation.host import (
    LEFT,
    Host,
    HostClock,
    Repeating,
    Ring,
    without_left,
)

GOSSIP_INTERVAL: Final = 0.2
GOSSIP_NODES: Final = 3
PUSH_PULL_INTERVAL: Final = 30.0
GOSSIP_TO_DEAD: Final = 30.0
"""Seconds that a dead node is still gossiped to, so that it can refute its death."""
SUSPECTED_AFTER: Final = (1.0, 3.0)
DEAD_AFTER: Final = (5.0, 9.0)
"""Bounds of when a node that does not answer is suspected and declared dead (probes each second,
suspicion multiplied by 4 and the logarithm of the number of nodes)."""


class Peer(msgspec.Struct):
    """Another node as one node knows it. `state`: 0 alive, 1 suspect, as the page numbers them."""

    node: GossipNode
    state: int = 0


class GossipSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A process' `memberlist` block as far as the simulation acts on it. Seconds of product time."""

    joins: bool = True
    """Whether `join_members` names anybody."""
    cluster_label: str = ""
    port: int = 7946
    rejoin_interval: float = 0.0
    abort_if_join_fails: bool = False
    abort_if_fast_join_fails: bool = False
    min_join_backoff: float = 1.0
    max_join_backoff: float = 60.0
    max_join_retries: int = 10
    left_timeout: float = 300.0


class Network:
    """Who can talk to whom.

    Args:
        clock: The simulation's clock.
        rng: Randomness of delays.
    """

    def __init__(self, clock: HostClock, rng: random.Random) -> None:
        self.clock = clock
        self.rng = rng
        self.nodes: dict[str, GossipNode] = {}
        """Nodes that run, by IP."""
        self.cuts: dict[int, frozenset[str] | None] = {}
        """Active blocks by id: the pods cut off from all the others; None: everybody from everybody."""

    def reachable(self, one: GossipNode, other: GossipNode) -> bool:
        """Whether a packet gets through."""
        if one is other:
            return True
        if self.nodes.get(other.host.ip) is not other or self.nodes.get(one.host.ip) is not one:
            return False
        for cut in self.cuts.values():
            if cut is None or (one.host.name in cut) != (other.host.name in cut):
                return False
        return True

    def block(self, id_: int, pods: frozenset[str] | None) -> None:
        """Cut pods off from the others; None: everybody from everybody."""
        self.cuts[id_] = pods
        self.look_around()

    def unblock(self, id_: int) -> None:
        """Heal a cut: nodes that died less than half a minute ago find back, others only by rejoining."""
        self.cuts.pop(id_, None)
        for node in list(self.nodes.values()):
            node.hear_from_the_dead()

    def look_around(self) -> None:
        """Let every node probe those that it can no longer reach."""
        for node in list(self.nodes.values()):
            node.probe()


class GossipNode:
    """One process' memberlist: its replica of every key, and the nodes it knows.

    Args:
        network: The network it is in.
        host: Its process' clock and timers.
        settings: Its configuration.
        resolve: Gives the addresses to join.
        on_failure: Called with the reason where the process must end.
        marks_left: Whether a value written locally marks members that it lacks LEFT.
    """

    def __init__(
        self,
        network: Network,
        host: Host,
        settings: GossipSettings,
        resolve: Callable[[], Sequence[str]],
        on_failure: Callable[[str], None],
        *,
        marks_left: bool = True,
    ) -> None:
        self.network = network
        self.host = host
        self.settings = settings
        self.name = f"{host.name}-{host.rng.getrandbits(32):08x}"
        self.peers: dict[str, Peer] = {self.name: Peer(self)}
        self.store: dict[str, Ring] = {}
        self.versions: Counter[str] = Counter()
        """How often each key's value changed here, by key."""
        self.counters = dict.fromkeys(
            (
                "cas_attempts",
                "cas_successes",
                "cas_failures",
                "received",
                "pushes",
                "pulls",
                "invalid",
            ),
            0,
        )
        self._reached = -1
        self._resolve = resolve
        self._on_failure = on_failure
        self._marks_left = marks_left
        self._dead: dict[str, tuple[GossipNode, int]] = {}
        self._visible: dict[str, Ring] = {}
        self._watchers: dict[str, list[Callable[[], None]]] = {}
        self._probing: set[str] = set()

    # --- starting and stopping ------------------------------------------------------------------

    def start(self) -> None:
        """Come up and join. With nobody to resolve a process starts its gossip alone."""
        self.network.nodes[self.host.ip] = self
        Repeating(
            self.host,
            PUSH_PULL_INTERVAL,
            self._push_pull,
            first=self.host.rng.uniform(0.3, 1.0) * PUSH_PULL_INTERVAL,
        )
        if not self.settings.joins:
            return
        if self.settings.rejoin_interval > 0:
            Repeating(self.host, self.settings.rejoin_interval, self._rejoin)
        if self._join_resolved():
            return
        if self.settings.abort_if_fast_join_fails:
            self._on_failure("failed to fast-join the memberlist cluster at startup")
            return
        self._retry_join(0, self.settings.min_join_backoff)

    def leave(self) -> None:
        """Say goodbye: the others forget this node within some gossip rounds."""
        others = [peer.node for peer in self.peers.values() if peer.node is not self]
        self.stop()

        def forget() -> None:
            for node in others:
                node.peers.pop(self.name, None)

        self.host.clock.after(GOSSIP_INTERVAL * 2, forget)

    def stop(self) -> None:
        """Be gone without a word, as a killed process is."""
        if self.network.nodes.get(self.host.ip) is self:
            del self.network.nodes[self.host.ip]

    def _join_resolved(self) -> bool:
        """Join whoever resolves; False when there was somebody and nobody answered."""
        addresses = self._resolve()
        reached = 0
        for address in addresses:
            other = self.network.nodes.get(address)
            if (
                other is None
                or other.settings.cluster_label != self.settings.cluster_label
                or not self.network.reachable(self, other)
            ):
                continue
            reached += 1
            if other is not self:
                self._exchange(other)
        if reached != self._reached:
            said = "joined memberlist cluster" if reached else "joining memberlist cluster failed"
            level = "info" if reached else "warn"
            self.host.log.say(level, "memberlist_client.go", said, reached_nodes=reached)
        self._reached = reached
        return reached > 0 or not addresses

    def _rejoin(self) -> None:
        self._join_resolved()

    def _retry_join(self, tries: int, backoff: float) -> None:
        if tries >= self.settings.max_join_retries:
            if self.settings.abort_if_join_fails:
                self._on_failure("failed to join memberlist cluster on startup")
            return

        def again() -> None:
            if not self._join_resolved():
                self._retry_join(tries + 1, min(backoff * 2, self.settings.max_join_backoff))

        self.host.after(backoff, again)

    # --- who is there ---------------------------------------------------------------------------

    def meet(self, others: Iterable[GossipNode]) -> list[GossipNode]:
        """Learn of nodes; returns those that were not known, or were taken for dead."""
        new = []
        for other in others:
            known = self.peers.get(other.name)
            if known is not None and known.state == 0:
                continue
            if not other.host.alive:
                continue
            self._dead.pop(other.name, None)
            self.peers[other.name] = Peer(other)
            new.append(other)
        if any(not self.network.reachable(self, other) for other in new):
            self.probe()
        return new

    def probe(self) -> None:
        """Suspect and then bury peers that do not answer."""
        for name, peer in self.peers.items():
            if name in self._probing or self.network.reachable(self, peer.node):
                continue
            self._probing.add(name)
            self._watch_over(name, peer)

    def _watch_over(self, name: str, peer: Peer) -> None:
        def suspect() -> None:
            if self.peers.get(name) is peer and not self.network.reachable(self, peer.node):
                peer.state = 1

        def bury() -> None:
            self._probing.discard(name)
            if self.peers.get(name) is not peer:
                return
            if self.network.reachable(self, peer.node):
                peer.state = 0
                return
            del self.peers[name]
            self._dead[name] = (peer.node, self.host.clock.ticks())

        self.host.after(self.host.rng.uniform(*SUSPECTED_AFTER), suspect)
        self.host.after(self.host.rng.uniform(*DEAD_AFTER), bury)

    def hear_from_the_dead(self) -> None:
        """Find back those that were buried a moment ago and answer again."""
        now = self.host.clock.ticks()
        for name, (node, since) in list(self._dead.items()):
            if not node.host.alive:
                del self._dead[name]
            elif now - since <= GOSSIP_TO_DEAD and self.network.reachable(self, node):
                self._exchange(node)
        for peer in self.peers.values():
            if peer.state and self.network.reachable(self, peer.node):
                peer.state = 0

    def _exchange(self, other: GossipNode) -> None:
        """Push and pull: both know the union of nodes and of state afterwards, and tell the others."""
        mine = [peer.node for peer in self.peers.values()]
        theirs = [peer.node for peer in other.peers.values()]
        learnt = self.meet(theirs)
        told = other.meet(mine)
        self._introduce(learnt, mine)
        self._introduce(told, theirs)
        self.counters["pulls"] += 1
        self.counters["pushes"] += 1
        other.counters["pulls"] += 1
        other.counters["pushes"] += 1
        keys = set(self.store) | set(other.store)
        for key in sorted(keys):
            if key in other.store:
                self.receive(key, other.store[key], other)
            if key in self.store:
                other.receive(key, self.store[key], self)

    def _introduce(self, new: list[GossipNode], to: list[GossipNode]) -> None:
        if not new or len(to) <= 1:
            return

        def tell() -> None:
            for node in to:
                if node.host.alive and self.network.nodes.get(node.host.ip) is node:
                    node.meet(other for other in new if self.network.reachable(node, other))

        self.host.clock.after(self.host.rng.uniform(1, 2) * GOSSIP_INTERVAL, tell)

    def _push_pull(self) -> None:
        others = [
            peer.node
            for peer in self.peers.values()
            if peer.node is not self and self.network.reachable(self, peer.node)
        ]
        self._bury_old_tombstones()
        if others:
            self._exchange(self.host.rng.choice(others))

    # --- values ---------------------------------------------------------------------------------

    def read(self, key: str) -> Ring:
        """The ring without its tombstones; empty where there is no such key."""
        seen = self._visible.get(key)
        if seen is None:
            seen = self._visible[key] = without_left(self.store.get(key, {}))
        return seen

    def write(self, key: str, value: Ring) -> bool:
        """Merge a value that was written here (a CAS) and spread what changed; False: nothing did."""
        changed = self.merge(key, value, local=True)
        if not changed:
            return False
        self._spread(key, changed)
        return True

    def merge(self, key: str, incoming: Ring, *, local: bool = False) -> Ring:
        """Merge as dskit's `mergeWithTime` does; returns the members that changed.

        A newer timestamp wins; with equal ones LEFT wins. A value that was written locally marks
        members that it lacks LEFT, now.
        """
        mine = self.store.get(key)
        if mine is None:
            mine = {}
        changed: Ring = {}
        oldest = self.host.clock.ticks() - self.settings.left_timeout
        for id_, theirs in incoming.items():
            ours = mine.get(id_)
            if ours is None:
                if theirs.state is LEFT and theirs.timestamp < oldest:
                    continue
                changed[id_] = theirs
            elif theirs.timestamp > ours.timestamp or (
                theirs.timestamp == ours.timestamp
                and theirs.state is LEFT
                and ours.state is not LEFT
            ):
                changed[id_] = theirs
        if local and self._marks_left:
            for id_, ours in mine.items():
                if id_ not in incoming and ours.state is not LEFT:
                    changed[id_] = msgspec.structs.replace(
                        ours, state=LEFT, tokens=(), timestamp=self.host.ticks()
                    )
        if changed or key not in self.store:
            self.store[key] = {**mine, **changed}
            self.versions[key] += 1
            self._visible.pop(key, None)
            for watcher in tuple(self._watchers.get(key, ())):
                watcher()
        return changed

    def watch(self, key: str, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` whenever the value of a key changes; returns what ends that."""
        watchers = self._watchers.setdefault(key, [])
        watchers.append(changed)
        return lambda: watchers.remove(changed) if changed in watchers else None

    def _spread(self, key: str, changed: Ring) -> None:
        """Gossip a change: each interval some more nodes have heard of it."""
        peers = [peer.node for peer in self.peers.values() if peer.node is not self]
        self.host.rng.shuffle(peers)
        start, size, wave = 0, GOSSIP_NODES, 1
        while start < len(peers):
            batch = peers[start : start + size]
            delay = (wave - 1 + self.host.rng.random()) * GOSSIP_INTERVAL
            self.host.clock.after(delay, lambda batch=batch: self._deliver(key, changed, batch))  # type: ignore[misc]  # mypy does not type a lambda's default
            start += size
            size *= GOSSIP_NODES
            wave += 1

    def _deliver(self, key: str, changed: Ring, batch: list[GossipNode]) -> None:
        for node in batch:
            if self.network.reachable(self, node):
                node.receive(key, changed, self)

    def receive(self, key: str, incoming: Ring, sender: GossipNode) -> None:
        """Take in what another node gossips; pass it on to nodes that the sender does not know."""
        self.counters["received"] += 1
        changed = self.merge(key, incoming)
        if not changed or self.peers.keys() <= sender.peers.keys():
            return
        unknown = [p.node for name, p in self.peers.items() if name not in sender.peers]
        self.host.clock.after(GOSSIP_INTERVAL, lambda: self._deliver(key, changed, unknown))

    def _bury_old_tombstones(self) -> None:
        oldest = self.host.clock.ticks() - self.settings.left_timeout
        for key, ring in self.store.items():
            if any(m.state is LEFT and m.timestamp < oldest for m in ring.values()):
                self.store[key] = {
                    id_: m
                    for id_, m in ring.items()
                    if m.state is not LEFT or m.timestamp >= oldest
                }
