"""When a gate's evidence is complete: what was seen since the last change, and what is still missing.

Four gates are about rings, and a ring says by itself when it was seen for long enough: once each of its
members has sent two heartbeats to the store that matters, and each reader's view of it has moved on. They
end then. A reader that shows no heartbeats of a ring, only a count of its members, keeps the ring's window.
The other gates are about time: they ask for good samples over a window, whatever rings do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from mimir_migrate.model.facts import Inspection, Member, MemberState, PodRing
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.model.stores import Store
from mimir_migrate.plans import timing

GOOD_SAMPLES = 3
"""Good samples in a row that a gate asks for at least, besides its evidence or its window."""

HEARTBEATS = 2
"""Heartbeats of each member that have to be seen after the first sample: a single one may have been on its
way when the world was changed."""

BY_EVIDENCE = frozenset(
    {Gate.STORES_EQUAL, Gate.SWITCH_FOLLOWED, Gate.RING_HEALTHY, Gate.GOSSIP_WHOLE}
)
"""Gates that end when the evidence of every chosen ring is complete."""

AT_ONCE = frozenset({Gate.ROLLOUT_OVER, Gate.BLAST_RADIUS})
"""Gates about what Kubernetes or a file says: true or not at each sample, so the samples are enough. They
never stand without one of the others."""


class Dwell:
    """What a checkpoint has seen of its gates, sample by sample.

    Args:
        gates: The gates of the checkpoint.
        rings: The chosen rings; where there are none every gate is about time.
        window: Seconds that the good samples of a gate about time span.
        scale: How durations are said.
    """

    def __init__(
        self,
        gates: Collection[Gate],
        rings: Collection[str],
        window: float,
        scale: Scale = TRUE_TIME,
    ) -> None:
        self._gates = tuple(gates)
        self._window = window
        self._scale = scale
        self._rings = {ring: _RingSeen(ring, window) for ring in rings}
        self._since: dict[Gate, float] = {}
        """Since when each gate has been good."""
        self._all_good_since: float | None = None
        self._pods: dict[str, tuple[object, ...]] = {}
        self._at_once: dict[Gate, int] = {}
        """By gate whose evidence cannot come: the samples in a row of which that is so."""
        self._at = 0.0
        self.good = 0
        """Samples in a row in which every gate was good."""

    def see(
        self,
        inspection: Inspection | None,
        at: float,
        bad: Collection[Gate],
        at_once: Collection[Gate] = (),
    ) -> None:
        """Take a sample in.

        Args:
            inspection: What was seen; None: the cluster could not be asked.
            at: When, seconds since the epoch.
            bad: The gates that were not good in it.
            at_once: The gates whose evidence cannot come: good samples are enough.
        """
        self._at = at
        self._at_once = {gate: self._at_once.get(gate, 0) + 1 for gate in at_once}
        for gate in self._gates:
            if gate in bad or inspection is None:
                self._since.pop(gate, None)
            else:
                self._since.setdefault(gate, at)
        if inspection is None or bad:
            self.good, self._all_good_since = 0, None
            for ring in self._rings.values():
                ring.void()
            return
        self.good += 1
        if self._all_good_since is None:
            self._all_good_since = at
        pods = _lives(inspection)
        if not _same_lives(self._pods, pods):
            for ring in self._rings.values():
                ring.void()
        self._pods = pods
        for ring in self._rings.values():
            ring.see(inspection)

    def missing(self) -> tuple[str, ...]:
        """What the gates still lack, in words; empty: all of them have been good for long enough."""
        if self.good < GOOD_SAMPLES or self._all_good_since is None:
            return (f"{self.good} of {GOOD_SAMPLES} good samples",)
        found: dict[str, None] = {}
        for gate in self._gates:
            for words in self._lacks(gate):
                found.setdefault(words)
        return tuple(found)

    def lasted(self, gate: Gate) -> float:
        """Seconds that a gate has been good for, up to the last sample."""
        if gate in BY_EVIDENCE or gate in AT_ONCE:
            since = self._all_good_since
        else:
            since = self._since.get(gate)
        return 0.0 if since is None else self._at - since

    def _lacks(self, gate: Gate) -> Iterator[str]:
        # One sample in which a store did not answer is not enough to do without its heartbeats.
        if gate in AT_ONCE or self._at_once.get(gate, 0) >= GOOD_SAMPLES:
            return
        if gate not in BY_EVIDENCE or not self._rings:
            lasted = self.lasted(gate)
            if lasted < self._window:
                yield f"{gate.value}: good for {self._of(lasted, self._window)}"
            return
        lasted = self.lasted(gate)
        for ring in self._rings.values():
            if lasted < ring.window:
                for words in ring.lacks(gate):
                    yield f"{words} ({self._of(lasted, ring.window)})"

    def _of(self, lasted: float, window: float) -> str:
        return f"{self._scale.words(lasted)} of {self._scale.words(window)}"


class _RingSeen:
    """What was seen of one ring since its evidence was last void."""

    def __init__(self, ring: str, window: float) -> None:
        self._ring = ring
        self._whole = window
        self.window = window
        """Seconds after which the ring needs no further evidence: its own window, never another's."""
        self._heartbeat = self._poll = 0.0
        self._first: dict[str, int] | None = None
        """Each member's newest heartbeat anywhere in the first sample; None: there was none yet."""
        self._at = self._pause = 0.0
        self._beats: dict[Store, dict[str, _Beats]] = {}
        self._views: dict[str, _View] = {}
        """By reader with a page of the ring."""
        self._silent: tuple[str, ...] = ()
        """Readers that only count members."""
        self._read: frozenset[Store] = frozenset()
        """The stores that are read."""
        self._items_told = True
        """Whether DynamoDB's items could be read: where a gate passes without them, it needs no heartbeats there."""
        self._written = True
        """Whether some pod writes the ring: with no member there is nothing to be seen of it."""

    def void(self) -> None:
        """Forget everything: it proves nothing about what is there now."""
        self._first, self._silent = None, ()
        self._beats, self._views = {}, {}

    def see(self, inspection: Inspection) -> None:
        """Take a good sample in."""
        self._pause = inspection.at - self._at
        if self._first is not None and self._pause > HEARTBEATS * self._heartbeat:
            self.void()
        self._at = inspection.at
        views = dict(_views(inspection, self._ring))
        if self._first is None:
            self._pace(inspection)
            self._pause = 0.0
            self._first = _newest(inspection, self._ring)
        for store, newest in _copies(inspection, self._ring):
            before = self._beats.get(store, {})
            for member, timestamp in newest.items():
                beats = before.setdefault(member, _Beats(self._first.get(member, 0)))
                beats.see(timestamp, self._at)
            self._beats[store] = {member: before[member] for member in newest}
        for pod, view in views.items():
            if view.members is not None:
                self._views.setdefault(pod, _View()).see(view.members, self._first, self._at)
        self._silent = tuple(pod for pod, view in views.items() if view.members is None)
        self._read = frozenset(_stores_read(inspection, self._ring))
        self._items_told = inspection.table_items(self._ring) is not None
        self._written = any(view.writes for _, view in inspection.staying(self._ring))

    def _pace(self, inspection: Inspection) -> None:
        rings = (self._ring,)
        self.window = timing.gate_window(inspection, rings) or self._whole
        self._heartbeat = timing.longest_heartbeat(inspection, rings) or 0.0
        self._poll = timing.longest_poll(inspection, rings)

    def lacks(self, gate: Gate) -> Iterator[str]:
        """What one gate lacks of this ring."""
        if not self._written and not any(self._beats.values()):
            return
        for store in self._stores_of(gate):
            if not self._beats.get(store):
                yield f"ring {self._ring}: no heartbeats are seen in {store.value}"
            for member, beats in self._beats.get(store, {}).items():
                yield from self._lacks_of(store, member, beats)
        if gate in {Gate.SWITCH_FOLLOWED, Gate.RING_HEALTHY}:
            yield from self._standing_views()

    def _stores_of(self, gate: Gate) -> Collection[Store]:
        """The stores that matter to the gate."""
        if gate is Gate.STORES_EQUAL and self._items_told:
            return tuple(Store)
        if gate in {Gate.STORES_EQUAL, Gate.GOSSIP_WHOLE}:
            return (Store.MEMBERLIST,)
        return self._read or tuple(Store)

    def _lacks_of(self, store: Store, member: str, beats: _Beats) -> Iterator[str]:
        where = f"ring {self._ring}, {store.value}"
        if beats.number < HEARTBEATS:
            yield f"{where}: {beats.number} of {HEARTBEATS} heartbeats of {member}"
        elif self._at - beats.at > HEARTBEATS * self._heartbeat + self._pause:
            yield f"{where}: {member} sent its last heartbeat too long ago"

    def _standing_views(self) -> Iterator[str]:
        late = HEARTBEATS * self._heartbeat + self._poll + self._pause
        for pod, view in self._views.items():
            if view.at is None or self._at - view.at > late:
                yield f"ring {self._ring}: the view of pod {pod} has not moved on"
        for pod in self._silent:
            yield f"ring {self._ring}: pod {pod} shows no heartbeats, only how many members there are"


class _Beats:
    """Heartbeats of one member in one copy of a ring."""

    def __init__(self, newest: int) -> None:
        self._newest = newest
        self.number = 0
        self.at = 0.0
        """When the last one was seen."""

    def see(self, timestamp: int, at: float) -> None:
        """Count what is newer than all before."""
        if timestamp > self._newest:
            self._newest, self.at = timestamp, at
            self.number += 1


class _View:
    """One reader's view of a ring."""

    def __init__(self) -> None:
        self._newest = 0
        self.at: float | None = None
        """When it last moved on; None: not since the first sample."""

    def see(self, members: Collection[Member], first: Mapping[str, int], at: float) -> None:
        """Whether it shows a heartbeat that nobody had seen before, and then newer ones."""
        newest = max((member.timestamp for member in members), default=0)
        if self.at is None:
            moved = any(member.timestamp > first.get(member.id, 0) for member in members)
        else:
            moved = newest > self._newest
        if moved:
            self.at = at
        self._newest = max(newest, self._newest)


def _copies(inspection: Inspection, ring: str) -> Iterator[tuple[Store, dict[str, int]]]:
    """Each store's copy of the ring, as each member's newest heartbeat.

    Memberlist has as many copies as pods; a heartbeat is in it once it is in all of them.
    """
    configured = {name for _, view in inspection.staying(ring) for name in view.stores}
    items = inspection.table_items(ring)
    if items is not None and Store.DYNAMODB.value in configured:
        yield Store.DYNAMODB, _heartbeats(items.members)
    replicas = [
        _heartbeats(view.memberlist or ())
        for _, view in inspection.staying(ring)
        if Store.MEMBERLIST.value in view.stores
    ]
    if replicas:
        members = set().union(*replicas)
        yield (
            Store.MEMBERLIST,
            {member: min(one.get(member, 0) for one in replicas) for member in members},
        )


def _heartbeats(members: Collection[Member]) -> dict[str, int]:
    return {
        member.id: member.timestamp for member in members if member.state is not MemberState.LEFT
    }


def _views(inspection: Inspection, ring: str) -> Iterator[tuple[str, PodRing]]:
    """Every reader's view of the ring, by pod."""
    for facts, view in inspection.staying(ring):
        if view.members is not None or view.member_count is not None:
            yield facts.pod.name, view


def _stores_read(inspection: Inspection, ring: str) -> Iterator[Store]:
    for _, view in inspection.staying(ring):
        if view.primary in {store.value for store in Store}:
            yield Store(view.primary)


def _newest(inspection: Inspection, ring: str) -> dict[str, int]:
    """Each member's newest heartbeat in whatever shows the ring."""
    items = inspection.table_items(ring)
    found: dict[str, int] = {}
    shown = [items.members] if items is not None else []
    for _, view in inspection.staying(ring):
        shown += [view.memberlist or (), view.members or ()]
    for members in shown:
        for member in members:
            found[member.id] = max(member.timestamp, found.get(member.id, 0))
    return found


def _lives(inspection: Inspection) -> dict[str, tuple[object, ...]]:
    """Every pod that lives, with what changes when its process starts again."""
    return {
        facts.pod.uid or facts.pod.name: (facts.pod.restarts, facts.started_at)
        for facts in inspection.pods
        if not facts.pod.terminating
    }


def _same_lives(
    before: Mapping[str, tuple[object, ...]], now: Mapping[str, tuple[object, ...]]
) -> bool:
    """Whether no pod started, ended or was restarted; a start time that was not told is not a restart."""
    if not before:
        return True
    return before.keys() == now.keys() and all(
        one == two or None in {one, two}
        for uid in now
        for one, two in zip(before[uid], now[uid], strict=True)
    )
