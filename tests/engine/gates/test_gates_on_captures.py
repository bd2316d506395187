"""The gates on what real pods answered, one field changed at a time."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path

import builders
import msgspec
import pytest
import release as fake

from mimir_migrate.documents.ring_items import decode_instance
from mimir_migrate.engine.gate_notes import GateContext
from mimir_migrate.engine.gates import judge
from mimir_migrate.model.events import Verdict
from mimir_migrate.model.facts import Autoscaler, Inspection, MemberState, TableItems, Unanswered
from mimir_migrate.model.plan import BRIDGE_GATES, Gate
from mimir_migrate.model.rings import Product, ring_named
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.plans.timing import gate_window

BOTH = StoreState.MEMBERLIST_DYNAMODB
FOLDERS = {
    StoreState.MEMBERLIST: "1-memberlist",
    BOTH: "2-multi-memberlist-primary",
    StoreState.DYNAMODB_MEMBERLIST: "3-multi-dynamodb-primary",
    StoreState.DYNAMODB: "4-dynamodb",
}
RULER, INGESTER = "ruler-0", "ingester-1"
OF_OTHERS = frozenset(Gate) - frozenset(BRIDGE_GATES)
"""No pod of these captures goes through a bridge; `bridge_cases` has what its gates say."""
Change = Callable[[Inspection], Inspection]


@cache
def captured(captures: Path, state: StoreState) -> Inspection:
    """The captured pods with the captured items, as of the youngest heartbeat."""
    seen: Inspection = builders.captured(captures, state)
    items = json.loads((captures / FOLDERS[state] / "dynamodb-items.json").read_text())
    found = []
    for name in rings_of(seen):
        ring = ring_named(Product.CORTEX, name)
        assert ring is not None
        members = tuple(
            decode_instance(
                item["InstanceKey"]["S"],
                base64.b64decode(item["Data"]["B"]),
                int(item["version"]["N"]),
            )
            for item in items
            if item["RingKey"]["S"] == ring.ring_key()
        )
        found.append(
            TableItems(table="rings", ring=name, ring_key=ring.ring_key(), members=members, at=0.0)
        )
    for name in rings_of(seen):
        seen = with_replicas(seen, name)
    times = [member.timestamp for each in found for member in each.members]
    at = float(max(times, default=int(seen.at)))
    return msgspec.structs.replace(
        seen,
        at=at,
        pods=tuple(msgspec.structs.replace(each, at=at) for each in seen.pods),
        items=tuple(msgspec.structs.replace(each, at=at) for each in found),
    )


def with_replicas(seen: Inspection, ring: str) -> Inspection:
    """Replicas were captured of one pod of each kind; the others are given the same."""
    views = {facts.pod.name: facts.ring(ring) for facts in seen.pods}
    known = next((view.memberlist for view in views.values() if view and view.memberlist), None)
    for name, view in views.items():
        if view is not None and view.memberlist == () and known:
            seen = fake.with_view(seen, name, ring, memberlist=known)
    return seen


def rings_of(seen: Inspection) -> tuple[str, ...]:
    """The rings that are on."""
    return tuple(ring.ring for ring in seen.rings if ring.movable and ring.enabled)


def context(seen: Inspection, state: StoreState, **fields: object) -> GateContext:
    """What the gates hold the captured state against."""
    rings = rings_of(seen)
    window = gate_window(seen, rings)
    assert window is not None
    made = GateContext(
        rings=rings,
        window=window,
        states=dict.fromkeys(rings, state),
        primaries=dict.fromkeys(rings, state.primary),
        mirror=state.is_multi,
        reference=msgspec.structs.replace(seen, at=seen.at - window),
        blast=(),
        old_store=state.primary,
    )
    return msgspec.structs.replace(made, **fields)


@pytest.mark.parametrize("state", list(StoreState))
def test_real_pods_pass(captures: Path, state: StoreState) -> None:
    """In each of the four states every gate that applies to it is good."""
    seen = captured(captures, state)
    without = {
        # What leads back from memberlist alone is nothing, so nothing is judged there.
        StoreState.MEMBERLIST: {
            Gate.STORES_EQUAL,
            Gate.PODS_REACH_DYNAMODB,
            Gate.WAY_BACK_OPEN,
        },
        StoreState.DYNAMODB: {Gate.STORES_EQUAL, Gate.GOSSIP_WHOLE},
    }
    for gate in OF_OTHERS - without.get(state, set()):
        result = judge(gate, seen, context(seen, state))
        assert result.verdict is Verdict.PASS, result


def view(pod: str, ring: str, **fields: object) -> Change:
    return lambda seen: fake.with_view(seen, pod, ring, **fields)


def facts(pod: str, **fields: object) -> Change:
    return lambda seen: fake.with_facts(seen, pod, **fields)


def counters(pod: str, **fields: object) -> Change:
    return lambda seen: fake.with_counters(seen, pod, **fields)


def first_member(pod: str, ring: str, **fields: object) -> Change:
    """The first member of one pod's page."""

    def change(seen: Inspection) -> Inspection:
        found = fake.facts_of(seen, pod).ring(ring)
        assert found is not None
        assert found.members
        first = msgspec.structs.replace(found.members[0], **fields)
        return fake.with_view(seen, pod, ring, members=(first, *found.members[1:]))

    return change


def first_client(pod: str, ring: str, **fields: object) -> Change:
    """The first KV client of one pod."""

    def change(seen: Inspection) -> Inspection:
        found = fake.facts_of(seen, pod).ring(ring)
        assert found is not None
        first = msgspec.structs.replace(found.clients[0], **fields)
        return fake.with_view(seen, pod, ring, clients=(first, *found.clients[1:]))

    return change


def lonely(pod: str) -> Change:
    """One pod's gossip has lost everybody."""

    def change(seen: Inspection) -> Inspection:
        found = fake.facts_of(seen, pod).gossip
        assert found is not None
        members = tuple(msgspec.structs.replace(one, alive=False) for one in found.members)
        return fake.with_facts(seen, pod, gossip=msgspec.structs.replace(found, members=members))

    return change


def pods_fail(seen: Inspection) -> Inspection:
    """A tenth of what was ever pushed has failed in the last window."""
    pod = "distributor-0"
    found = fake.facts_of(seen, pod).counters
    assert found is not None
    return fake.with_counters(
        seen, pod, requests=1000.0, server_errors=(found.server_errors or 0) + 500
    )


CASES: tuple[tuple[Gate, Verdict, Change, dict[str, object]], ...] = (
    (
        Gate.STORES_EQUAL,
        Verdict.FAIL,
        lambda seen: fake.with_item(seen, "ruler", 0, tokens=(1, 2, 3)),
        {},
    ),
    (
        Gate.STORES_EQUAL,
        Verdict.FAIL,
        lambda seen: fake.with_item(seen, "store-gateway", 1, timestamp=int(seen.at) - 120),
        {},
    ),
    (Gate.STORES_EQUAL, Verdict.UNKNOWN, view(RULER, "ruler", memberlist=None), {}),
    (Gate.GOSSIP_WHOLE, Verdict.FAIL, lonely(RULER), {}),
    (Gate.GOSSIP_WHOLE, Verdict.UNKNOWN, facts(RULER, gossip=None), {}),
    (
        Gate.ROLLOUT_OVER,
        Verdict.FAIL,
        lambda seen: fake.with_pod(seen, RULER, deleted_at=seen.at),
        {},
    ),
    (Gate.ROLLOUT_OVER, Verdict.UNKNOWN, view(RULER, "ruler", config=None), {}),
    (Gate.SWITCH_FOLLOWED, Verdict.FAIL, first_client(RULER, "ruler", primary="dynamodb"), {}),
    (Gate.SWITCH_FOLLOWED, Verdict.UNKNOWN, first_client(RULER, "ruler", primary=None), {}),
    (
        Gate.RING_HEALTHY,
        Verdict.FAIL,
        first_member(RULER, "ruler", state=MemberState.UNHEALTHY),
        {},
    ),
    (
        Gate.RING_HEALTHY,
        Verdict.UNKNOWN,
        facts(RULER, unanswered=(Unanswered(source=RULER, reason="timed out"),)),
        {},
    ),
    (Gate.PODS_REACH_DYNAMODB, Verdict.FAIL, counters(INGESTER, dynamodb_errors=1e6), {}),
    (Gate.PODS_REACH_DYNAMODB, Verdict.UNKNOWN, facts(INGESTER, counters=None), {}),
    (Gate.USERS_FINE, Verdict.FAIL, pods_fail, {}),
    (Gate.USERS_FINE, Verdict.UNKNOWN, facts(INGESTER, counters=None), {}),
    (
        Gate.NOTHING_ELSE_MOVES,
        Verdict.FAIL,
        lambda seen: msgspec.structs.replace(
            seen, autoscalers=(Autoscaler(name="hpa", target="x", current=1, desired=2),)
        ),
        {},
    ),
    (
        Gate.NOTHING_ELSE_MOVES,
        Verdict.UNKNOWN,
        lambda seen: msgspec.structs.replace(
            seen, unanswered=(Unanswered(source="Kubernetes autoscalers", reason="denied"),)
        ),
        {},
    ),
    (Gate.BLAST_RADIUS, Verdict.FAIL, lambda seen: seen, {"blast": ("Deployment/x: image",)}),
    (Gate.BLAST_RADIUS, Verdict.UNKNOWN, lambda seen: seen, {"blast": None}),
    (Gate.WAY_BACK_OPEN, Verdict.FAIL, lonely(RULER), {}),
    (
        Gate.WAY_BACK_OPEN,
        Verdict.FAIL,
        lambda seen: fake.with_item(seen, "ruler", 0, timestamp=int(seen.at) - 120),
        {"old_store": Store.DYNAMODB},
    ),
    (Gate.WAY_BACK_OPEN, Verdict.UNKNOWN, view(RULER, "ruler", memberlist=None), {}),
)


@pytest.mark.parametrize(
    ("gate", "verdict", "change", "fields"),
    CASES,
    ids=[f"{gate.value}-{verdict.value}-{n}" for n, (gate, verdict, *_) in enumerate(CASES)],
)
def test_one_field_of_a_capture_decides(
    captures: Path, gate: Gate, verdict: Verdict, change: Change, fields: dict[str, object]
) -> None:
    """Real answers with one thing wrong or missing."""
    seen = captured(captures, BOTH)
    result = judge(gate, change(seen), context(seen, BOTH, **fields))
    assert result.verdict is verdict, result


def test_every_gate_has_a_capture_that_fails_and_one_that_is_unknown() -> None:
    """Those that pass are all of them, see above."""
    found = defaultdict(set)
    for gate, verdict, *_ in CASES:
        found[gate].add(verdict)
    assert found == {gate: {Verdict.FAIL, Verdict.UNKNOWN} for gate in OF_OTHERS}
