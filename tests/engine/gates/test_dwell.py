"""When the evidence of a gate is complete: each clause is needed, and time stays time where it has to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec
import pytest
import release as fake

from mimir_migrate.engine.dwell import AT_ONCE, BY_EVIDENCE, Dwell
from mimir_migrate.model.facts import Inspection, Member, MemberState, PodFacts, PodRing
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import StoreState

MIRRORED = StoreState.MEMBERLIST_DYNAMODB
RULER = "cortex-ruler-0"
GATES = tuple(sorted(BY_EVIDENCE))
STEP = fake.HEARTBEAT - 2.0
"""Seconds between two samples here: each shows the next heartbeat of everybody."""

Change = Callable[[int, Inspection], Inspection]
"""What is otherwise in the sample of a number, counted from 0."""


def samples(
    number: int, change: Change = lambda _, seen: seen, *, step: float = STEP
) -> list[Inspection]:
    """Good samples of a healthy cluster, in which time passes."""
    return [
        change(n, fake.release(Product.CORTEX, MIRRORED, at=fake.NOW + n * step))
        for n in range(number)
    ]


def dwelt(
    seen: Sequence[Inspection],
    gates: Collection[Gate] = GATES,
    *,
    rings: tuple[str, ...] = ("ruler",),
    bad: Sequence[Collection[Gate]] = (),
    window: float = 10_000.0,
) -> Dwell:
    """A checkpoint that saw the samples; `bad` are the gates that were not good, sample by sample."""
    found = Dwell(gates, rings, window)
    for number, inspection in enumerate(seen):
        found.see(inspection, inspection.at, bad[number] if number < len(bad) else ())
    return found


def lasting(seen: Sequence[Inspection]) -> float:
    """Seconds from the first sample to the last."""
    return seen[-1].at - seen[0].at


def in_view(
    pod: str, ring: str, change: Callable[[PodRing], PodRing]
) -> Callable[[Inspection], Inspection]:
    """One pod's view of one ring, changed."""

    def changed(seen: Inspection) -> Inspection:
        return msgspec.structs.replace(
            seen,
            pods=tuple(
                facts
                if facts.pod.name != pod
                else msgspec.structs.replace(
                    facts,
                    rings=tuple(
                        change(view) if view.ring == ring else view for view in facts.rings
                    ),
                )
                for facts in seen.pods
            ),
        )

    return changed


def beating(members: Sequence[Member], name: str, timestamp: int) -> tuple[Member, ...]:
    """Members of whom one sent its last heartbeat then."""
    return tuple(
        msgspec.structs.replace(member, timestamp=timestamp) if member.id == name else member
        for member in members
    )


def in_table(seen: Inspection, ring: str, name: str, timestamp: int) -> Inspection:
    """DynamoDB's items of a ring, with one member's last heartbeat."""
    return msgspec.structs.replace(
        seen,
        items=tuple(
            msgspec.structs.replace(items, members=beating(items.members, name, timestamp))
            if items.ring == ring
            else items
            for items in seen.items
        ),
    )


def newest(seen: Inspection) -> int:
    """The heartbeat that everybody has in a sample."""
    return int(seen.at) - 3


@pytest.mark.parametrize("gate", GATES)
def test_two_heartbeats_of_everybody_are_enough(gate: Gate) -> None:
    """Three samples, two heartbeats after the first: complete, and the window is not waited for."""
    seen = samples(3)
    assert lasting(seen) < fake.WINDOW
    assert dwelt(seen, (gate,)).missing() == ()


@pytest.mark.parametrize("gate", GATES)
def test_three_samples_at_least(gate: Gate) -> None:
    """However much two of them show."""
    assert dwelt(samples(2), (gate,)).missing() == ("2 of 3 good samples",)


@pytest.mark.parametrize("gate", [Gate.STORES_EQUAL])
def test_one_member_without_a_second_heartbeat_in_the_table(gate: Gate) -> None:
    """Named, with the ring and the store."""
    first = newest(samples(1)[0])

    def late(number: int, seen: Inspection) -> Inspection:
        return in_table(seen, "ruler", RULER, first + (1 if number else 0))

    found = dwelt(samples(3, late), (gate,)).missing()
    assert len(found) == 1
    assert f"ring ruler, dynamodb: 1 of 2 heartbeats of {RULER}" in found[0]


@pytest.mark.parametrize("gate", [Gate.STORES_EQUAL, Gate.GOSSIP_WHOLE, Gate.RING_HEALTHY])
def test_a_heartbeat_counts_in_memberlist_once_every_pod_has_it(gate: Gate) -> None:
    """One pod's replica stands still for one member: the store has not got its heartbeats."""
    stands = newest(samples(1)[0])

    def stuck(_: int, seen: Inspection) -> Inspection:
        return in_view(
            "cortex-ruler-1",
            "ruler",
            lambda view: msgspec.structs.replace(
                view, memberlist=beating(view.memberlist or (), RULER, stands)
            ),
        )(seen)

    found = dwelt(samples(3, stuck), (gate,)).missing()
    assert [f"memberlist: 0 of 2 heartbeats of {RULER}" in words for words in found] == [True]


@pytest.mark.parametrize("gate", [Gate.RING_HEALTHY, Gate.SWITCH_FOLLOWED])
def test_a_view_that_stands_still_is_no_proof(gate: Gate) -> None:
    """The pod asks DynamoDB all the while, its counters say so, and its view shows nothing new."""
    before = samples(1)[0]
    shown = fake.facts_of(before, RULER).ring("ruler")
    assert shown is not None

    def stuck(_: int, seen: Inspection) -> Inspection:
        return in_view(
            RULER, "ruler", lambda view: msgspec.structs.replace(view, members=shown.members)
        )(seen)

    found = dwelt(samples(3, stuck), (gate,)).missing()
    assert [f"the view of pod {RULER} has not moved on" in words for words in found] == [True]


def test_a_view_that_catches_up_with_what_was_there_before_is_no_proof() -> None:
    """A heartbeat that a store held at the first sample may have been read before the change."""
    start = newest(samples(1)[0])

    def behind(number: int, seen: Inspection) -> Inspection:
        return in_view(
            RULER,
            "ruler",
            lambda view: msgspec.structs.replace(
                view,
                members=tuple(
                    msgspec.structs.replace(member, timestamp=start - 20 + 10 * number)
                    for member in view.members or ()
                ),
            ),
        )(seen)

    found = dwelt(samples(3, behind), (Gate.RING_HEALTHY,)).missing()
    assert [f"the view of pod {RULER} has not moved on" in words for words in found] == [True]


def test_a_view_that_stopped_is_not_fresh() -> None:
    """It moved on once, and then not for two heartbeats and a poll."""
    shown = newest(samples(2)[1])

    def stopped(number: int, seen: Inspection) -> Inspection:
        return in_view(
            RULER,
            "ruler",
            lambda view: msgspec.structs.replace(
                view,
                members=tuple(
                    msgspec.structs.replace(member, timestamp=min(member.timestamp, shown))
                    for member in view.members or ()
                ),
            ),
        )(seen)

    seen = samples(7, stopped)
    ring = dwelt(seen, (Gate.RING_HEALTHY,))._rings["ruler"]
    assert list(ring.lacks(Gate.RING_HEALTHY)) == [
        f"ring ruler: the view of pod {RULER} has not moved on"
    ]
    assert not list(dwelt(seen[:5], (Gate.RING_HEALTHY,))._rings["ruler"].lacks(Gate.RING_HEALTHY))


def test_a_heartbeat_is_fresh_where_no_copy_had_it_before() -> None:
    """One pod's replica was ahead at the first sample: what the others get of it later is not new."""
    ahead = newest(samples(2)[1])

    def first(number: int, seen: Inspection) -> Inspection:
        if number:
            return seen
        return in_view(
            RULER,
            "ruler",
            lambda view: msgspec.structs.replace(
                view, memberlist=beating(view.memberlist or (), RULER, ahead)
            ),
        )(seen)

    (words,) = dwelt(samples(3, first), (Gate.GOSSIP_WHOLE,)).missing()
    assert f"1 of 2 heartbeats of {RULER}" in words


def test_a_member_that_left_a_store_is_not_waited_for() -> None:
    """Where the gates are good without it, nobody misses it."""
    gone = newest(samples(1)[0])

    def change(number: int, seen: Inspection) -> Inspection:
        extra = Member(
            id="old", address="10.9.9.9:9095", state=MemberState.ACTIVE, timestamp=gone - 60
        )
        if number > 1:
            return seen
        return msgspec.structs.replace(
            seen,
            items=tuple(
                msgspec.structs.replace(items, members=(*items.members, extra))
                if items.ring == "ruler"
                else items
                for items in seen.items
            ),
        )

    assert dwelt(samples(3, change), (Gate.STORES_EQUAL,)).missing() == ()


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("gate", GATES)
def test_a_ring_that_nobody_writes_has_nothing_to_show(gate: Gate, written: bool) -> None:
    """A component with no pods has no members; where a pod writes the ring, its heartbeats are missed."""

    def empty(_: int, seen: Inspection) -> Inspection:
        pods = tuple(
            msgspec.structs.replace(
                facts,
                rings=tuple(
                    msgspec.structs.replace(
                        view,
                        writes=written and view.writes,
                        members=None if view.members is None else (),
                        memberlist=(),
                    )
                    if view.ring == "ruler"
                    else view
                    for view in facts.rings
                ),
            )
            for facts in seen.pods
        )
        items = tuple(
            msgspec.structs.replace(items, members=()) if items.ring == "ruler" else items
            for items in seen.items
        )
        return msgspec.structs.replace(seen, pods=pods, items=items)

    assert bool(dwelt(samples(3, empty), (gate,)).missing()) is written


def counting(seen: Inspection) -> Inspection:
    """A reader that shows how many members the ruler's ring has, and no heartbeats."""
    return in_view(
        RULER,
        "ruler",
        lambda view: msgspec.structs.replace(view, members=None, member_count={"ACTIVE": 2}),
    )(seen)


def test_a_reader_that_shows_no_heartbeats_keeps_the_rings_window() -> None:
    """Complete once good samples span the window, and not before."""
    short = samples(4, lambda _, seen: counting(seen))
    assert lasting(short) < fake.WINDOW
    (words,) = dwelt(short, (Gate.RING_HEALTHY,)).missing()
    assert f"pod {RULER} shows no heartbeats" in words
    long = samples(5, lambda _, seen: counting(seen))
    assert lasting(long) >= fake.WINDOW
    assert dwelt(long, (Gate.RING_HEALTHY,)).missing() == ()


def test_a_ring_waits_for_its_own_heartbeats_and_never_for_anothers() -> None:
    """The ingester's ring beats once in two minutes; the ruler's is complete, reader by reader, long before."""

    def slow(_: int, seen: Inspection) -> Inspection:
        pods = tuple(
            msgspec.structs.replace(
                facts,
                rings=tuple(
                    msgspec.structs.replace(view, heartbeat_period=120.0)
                    if view.ring == "ingester"
                    else view
                    for view in facts.rings
                ),
            )
            for facts in counting(seen).pods
        )
        return msgspec.structs.replace(seen, pods=pods)

    found = dwelt(samples(5, slow), (Gate.RING_HEALTHY,), rings=("ruler", "ingester")).missing()
    assert not [words for words in found if "ruler" in words.split(":")[0]]


def other_pod(change: Callable[[PodFacts], PodFacts | None]) -> Callable[[Inspection], Inspection]:
    """A pod that has nothing to do with the ruler's ring, changed or taken away."""

    def changed(seen: Inspection) -> Inspection:
        pods = [
            change(facts) if facts.pod.name == "cortex-compactor-1" else facts
            for facts in seen.pods
        ]
        return msgspec.structs.replace(seen, pods=tuple(pod for pod in pods if pod is not None))

    return changed


LIVES: dict[str, Callable[[PodFacts], PodFacts | None]] = {
    "ends": lambda _: None,
    "is told to end": lambda facts: msgspec.structs.replace(
        facts, pod=msgspec.structs.replace(facts.pod, deleted_at=fake.NOW)
    ),
    "is restarted": lambda facts: msgspec.structs.replace(
        facts, pod=msgspec.structs.replace(facts.pod, restarts=1)
    ),
    "has a new process": lambda facts: msgspec.structs.replace(facts, started_at=fake.NOW),
    "is another": lambda facts: msgspec.structs.replace(
        facts, pod=msgspec.structs.replace(facts.pod, uid="new")
    ),
}


@pytest.mark.parametrize("life", list(LIVES))
@pytest.mark.parametrize("gate", GATES)
def test_evidence_is_void_when_a_pod(gate: Gate, life: str) -> None:
    """Any pod's start, end or restart: what was seen before it proves nothing."""
    changed = other_pod(LIVES[life])
    seen = samples(3, lambda number, one: changed(one) if number == 2 else one)
    assert dwelt(seen, (gate,)).missing()
    longer = samples(5, lambda number, one: changed(one) if number >= 2 else one)
    assert dwelt(longer, (gate,)).missing() == ()


@pytest.mark.parametrize("gate", GATES)
def test_a_start_time_that_was_not_told_is_no_restart(gate: Gate) -> None:
    """A metrics page that did not answer once says nothing about the process."""
    silent = other_pod(lambda facts: msgspec.structs.replace(facts, started_at=None))
    assert (
        dwelt(samples(3, lambda n, one: silent(one) if n == 1 else one), (gate,)).missing() == ()
    )


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("other", [Gate.ROLLOUT_OVER, Gate.USERS_FINE])
def test_any_bad_sample_voids_what_was_seen(gate: Gate, other: Gate) -> None:
    """Also where it was another gate that was not good."""
    seen = samples(5)
    assert dwelt(seen, (gate, other), bad=((), (), (other,))).good == 2
    found = dwelt(samples(6), (gate, Gate.ROLLOUT_OVER), bad=((), (), (), (Gate.ROLLOUT_OVER,)))
    assert found.missing() == ("2 of 3 good samples",)
    # Three good samples again, and in the first of them nobody's heartbeat is fresh.
    again = samples(6, step=fake.HEARTBEAT / 2)
    held = [
        msgspec.structs.replace(again[3], at=one.at) if n > 3 else one
        for n, one in enumerate(again)
    ]
    assert dwelt(held, (gate,), bad=((), (), (other,))).missing()


@pytest.mark.parametrize("gate", GATES)
def test_a_cluster_that_could_not_be_asked_voids_what_was_seen(gate: Gate) -> None:
    """Nobody knows what happened meanwhile."""
    found = dwelt(samples(3), (gate,))
    found.see(None, fake.NOW + 3 * STEP, ())
    assert found.missing() == ("0 of 3 good samples",)


@pytest.mark.parametrize("gate", GATES)
def test_evidence_is_void_after_two_heartbeats(gate: Gate) -> None:
    """A gap between two samples that is longer than that begins again."""
    gap = 2 * fake.HEARTBEAT + 1
    early = samples(3, step=7.0)
    assert dwelt(early, (gate,)).missing() == ()
    later = fake.release(Product.CORTEX, MIRRORED, at=early[-1].at + gap)
    assert dwelt([*early, later], (gate,)).missing()
    soon = fake.release(Product.CORTEX, MIRRORED, at=early[-1].at + gap - 2)
    assert dwelt([*early, soon], (gate,)).missing() == ()


@pytest.mark.parametrize("gate", [Gate.STORES_EQUAL, Gate.RING_HEALTHY, Gate.GOSSIP_WHOLE])
def test_a_member_that_stopped_is_not_fresh(gate: Gate) -> None:
    """It sent two heartbeats, and then none for more than two of its periods."""
    stopped = newest(samples(3)[-1])

    def silent(number: int, seen: Inspection) -> Inspection:
        if number < 3:
            return seen
        for pod in [facts.pod.name for facts in seen.pods]:
            seen = in_view(
                pod,
                "ruler",
                lambda view: msgspec.structs.replace(
                    view,
                    memberlist=beating(view.memberlist or (), RULER, stopped),
                    members=None
                    if view.members is None
                    else beating(view.members, RULER, stopped),
                ),
            )(seen)
        return in_table(seen, "ruler", RULER, stopped)

    seen = samples(7, silent)
    assert lasting(seen) > fake.WINDOW
    # The ring's window is over by then: what is asked here is the evidence.
    found = dwelt(seen, (gate,))
    told = list(found._rings["ruler"].lacks(gate))
    assert told
    assert all(f"{RULER} sent its last heartbeat too long ago" in words for words in told)


def test_left_members_send_nothing_and_are_not_waited_for() -> None:
    """A tombstone stays for five minutes after any rollout of a Deployment."""
    left = newest(samples(1)[0]) - 60

    def buried(_: int, seen: Inspection) -> Inspection:
        for pod in [facts.pod.name for facts in seen.pods]:
            seen = in_view(
                pod,
                "ruler",
                lambda view: msgspec.structs.replace(
                    view,
                    memberlist=(
                        *(view.memberlist or ()),
                        Member(
                            id="old",
                            address="10.9.9.9:9095",
                            state=MemberState.LEFT,
                            timestamp=left,
                        ),
                    ),
                ),
            )(seen)
        return seen

    assert dwelt(samples(3, buried)).missing() == ()


TIMED = sorted(set(Gate) - BY_EVIDENCE - AT_ONCE)


@pytest.mark.parametrize("gate", TIMED)
def test_a_gate_about_time_asks_for_its_window(gate: Gate) -> None:
    """Whatever rings show."""
    seen = samples(4)
    assert dwelt(seen, (gate,), window=lasting(seen) + 1).missing()
    assert dwelt(seen, (gate,), window=lasting(seen)).missing() == ()


def test_users_are_watched_while_pods_roll() -> None:
    """Their window begins with the change; it is not begun again when the last pod is Ready."""
    rolling = (Gate.ROLLOUT_OVER,)
    seen = samples(6)
    gates = (Gate.ROLLOUT_OVER, Gate.USERS_FINE, Gate.RING_HEALTHY)
    found = dwelt(seen, gates, bad=(rolling, rolling, rolling), window=lasting(seen))
    assert found.missing() == ()
    failing = (Gate.ROLLOUT_OVER, Gate.USERS_FINE)
    again = dwelt(seen, gates, bad=(rolling, failing, rolling), window=lasting(seen))
    assert [words.split(":")[0] for words in again.missing()] == [Gate.USERS_FINE.value]


def test_the_gates_that_end_by_evidence_are_these_four() -> None:
    """What users see, the soak and other movers stay windows of time."""
    assert {
        Gate.STORES_EQUAL,
        Gate.SWITCH_FOLLOWED,
        Gate.RING_HEALTHY,
        Gate.GOSSIP_WHOLE,
    } == BY_EVIDENCE
    assert {Gate.USERS_FINE, Gate.NOTHING_ELSE_MOVES} <= set(TIMED)


def test_one_sample_without_an_answer_is_not_enough_to_do_without_evidence() -> None:
    """Only where heartbeats could not come in as many samples in a row as a gate needs at least."""
    gates = (Gate.STORES_EQUAL,)
    found = Dwell(gates, ("ruler",), 10_000.0)
    for number, inspection in enumerate(samples(5, step=0.1)):
        found.see(inspection, inspection.at, (), gates if number >= 2 else ())
        assert bool(found.missing()) is (number < 4), number
