"""The gates: each passes on a healthy cluster, and one changed field turns it."""

from __future__ import annotations

from collections import defaultdict

import away_cases
import bridge_cases
import gate_cases
import msgspec
import pytest
import release as fake
from gate_cases import MOVABLE, Case

from mimir_migrate.engine import gates
from mimir_migrate.engine.compare import differences, gaps
from mimir_migrate.engine.gate_notes import SHOWN, GateContext
from mimir_migrate.engine.gates import judge
from mimir_migrate.model.events import GateResult, Verdict
from mimir_migrate.model.facts import Inspection, Member, MemberState
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.rings import Product, ring_named
from mimir_migrate.model.stores import Store, StoreState

CASES = (*gate_cases.CASES, *bridge_cases.CASES, *away_cases.CASES)


def verdict_of(case: Case) -> GateResult:
    """The case's judgement."""
    inspection = gate_cases.base()
    context = case.tune(gate_cases.context(inspection))
    return judge(case.gate, case.change(inspection), context)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.gate.value}: {case.name}")
def test_one_field_decides(case: Case) -> None:
    """The verdict is the wanted one, and the result names what it is about."""
    result = verdict_of(case)
    assert result.verdict is case.verdict, result
    told = result.summary + " ".join(f"{e.source} {e.detail}" for e in result.evidence)
    for name in case.names:
        assert name in told
    assert result.summary
    assert bool(result.evidence) is (case.verdict is not Verdict.PASS)


def test_every_gate_has_cases_that_pass_fail_and_are_unknown() -> None:
    """Without all three a gate could answer anything."""
    found = defaultdict(set)
    for case in CASES:
        found[case.gate].add(case.verdict)
    assert found == {gate: set(Verdict) for gate in Gate}


@pytest.mark.parametrize("gate", list(Gate))
@pytest.mark.parametrize("lazy", list(Verdict))
def test_a_gate_that_always_answers_the_same_is_noticed(
    gate: Gate, lazy: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a gate's judge replaced some of the cases above come out wrong."""

    def answer(inspection: Inspection, context: GateContext) -> GateResult:
        return GateResult(gate=gate, verdict=lazy, summary="always")

    monkeypatch.setattr(gates, "_JUDGES", {**gates._JUDGES, gate: answer})
    wrong = [case for case in CASES if verdict_of(case).verdict is not case.verdict]
    assert wrong
    assert {case.gate for case in wrong} == {gate}


# --- the two stores, ring by ring ---------------------------------------------------------------


def complete(product: Product) -> Inspection:
    """Every movable ring of a product on both stores, equal."""
    names = tuple(name for of, name in MOVABLE if of is product)
    sizes = {**fake.SIZES, "querier": 2, "query-frontend": 1}
    for name in names:
        ring = ring_named(product, name)
        assert ring is not None
        for role in ring.roles:
            if role.writes:
                sizes.setdefault(role.component, 2)
    return fake.release(product, StoreState.MEMBERLIST_DYNAMODB, on=names, sizes=sizes)


COMPLETE = {product: complete(product) for product in Product}
CHANGES = {
    "missing": lambda members: members[1:],
    "extra": lambda members: (
        *members,
        msgspec.structs.replace(members[0], id="stranger", address="10.9.9.9:9095"),
    ),
    "address": lambda members: (
        msgspec.structs.replace(members[0], address="10.1.0.250:9095"),
        *members[1:],
    ),
    "state": lambda members: (
        msgspec.structs.replace(members[0], state=MemberState.LEAVING),
        *members[1:],
    ),
    "zone": lambda members: (msgspec.structs.replace(members[0], zone="b"), *members[1:]),
    "tokens": lambda members: (
        msgspec.structs.replace(members[0], tokens=(1, 2, 3_000_000_000)),
        *members[1:],
    ),
    "read-only": lambda members: (
        msgspec.structs.replace(members[0], read_only=True),
        *members[1:],
    ),
    "registered": lambda members: (
        msgspec.structs.replace(members[0], registered_timestamp=1),
        *members[1:],
    ),
    "stale-heartbeat": lambda members: (
        msgspec.structs.replace(members[0], timestamp=int(fake.NOW - fake.WINDOW) - 2),
        *members[1:],
    ),
    "dead-address": lambda members: (
        msgspec.structs.replace(members[0], address="10.1.0.250:9095"),
        *members[1:],
    ),
}
"""What can be wrong with one member of one store."""


@pytest.mark.parametrize("kind", list(CHANGES))
@pytest.mark.parametrize(("product", "ring"), MOVABLE)
@pytest.mark.parametrize("store", ["dynamodb", "memberlist"])
def test_one_wrong_member_is_found_and_named(
    product: Product, ring: str, store: str, kind: str
) -> None:
    """In either store, in every ring that can be moved, of both products."""
    healthy = COMPLETE[product]
    assert differences(healthy, (ring,), fake.WINDOW) == ()
    items = healthy.table_items(ring)
    assert items is not None
    changed: tuple[Member, ...] = CHANGES[kind](items.members)
    pod = ""
    if store == "dynamodb":
        spoilt = fake.with_items(healthy, ring, changed)
    else:
        views = [facts for facts in healthy.pods if facts.ring(ring) is not None]
        pod = views[-1].pod.name
        spoilt = fake.with_view(healthy, pod, ring, memberlist=changed)
    found = differences(spoilt, (ring,), fake.WINDOW)
    about = "stranger" if kind == "extra" else items.members[0].id
    wanted = "missing" if kind == "extra" else kind
    assert any(d.ring == ring and d.member == about and d.kind == wanted for d in found), found
    if kind == "stale-heartbeat":
        assert {d.store for d in found} == {store}
        assert {d.pod for d in found} == {pod}
    result = judge(Gate.STORES_EQUAL, spoilt, GateContext(rings=(ring,), window=fake.WINDOW))
    assert result.verdict is Verdict.FAIL
    assert about in " ".join(e.detail for e in result.evidence)
    other = next(name for of, name in MOVABLE if of is product and name != ring)
    assert differences(spoilt, (other,), fake.WINDOW) == ()


@pytest.mark.parametrize(("product", "ring"), MOVABLE)
def test_tombstones_do_not_count(product: Product, ring: str) -> None:
    """A LEFT member of an earlier pod in every replica is not a difference."""
    spoilt = COMPLETE[product]
    items = spoilt.table_items(ring)
    assert items is not None
    ghost = msgspec.structs.replace(
        items.members[0], id="gone", address="10.9.9.9:9095", state=MemberState.LEFT, timestamp=1
    )
    for facts in spoilt.pods:
        view = facts.ring(ring)
        if view is not None and view.memberlist is not None:
            spoilt = fake.with_view(
                spoilt, facts.pod.name, ring, memberlist=(*view.memberlist, ghost)
            )
    assert differences(spoilt, (ring,), fake.WINDOW) == ()


def test_heartbeats_are_whole_seconds() -> None:
    """A heartbeat as old as the window counts; two seconds more do not."""
    healthy = COMPLETE[Product.CORTEX]
    just = fake.with_item(healthy, "ruler", 0, timestamp=int(fake.NOW - fake.WINDOW))
    late = fake.with_item(healthy, "ruler", 0, timestamp=int(fake.NOW - fake.WINDOW) - 2)
    assert differences(just, ("ruler",), fake.WINDOW) == ()
    assert [d.kind for d in differences(late, ("ruler",), fake.WINDOW)] == ["stale-heartbeat"]


@pytest.mark.parametrize("store", list(Store))
def test_a_copy_is_as_old_as_it_was_when_it_was_read(store: Store) -> None:
    """An inspection that takes two windows ages no heartbeat; one that stood still then is seen all the same."""
    healthy = COMPLETE[Product.CORTEX]
    later = fake.NOW + 2 * fake.WINDOW
    newest = tuple(
        msgspec.structs.replace(
            each,
            at=later,
            members=tuple(
                msgspec.structs.replace(one, timestamp=int(later) - 5) for one in each.members
            ),
        )
        for each in healthy.items
    )
    slow = msgspec.structs.replace(
        healthy,
        items=newest,
        pods=tuple(msgspec.structs.replace(facts, at=fake.NOW + 1) for facts in healthy.pods),
    )

    assert differences(slow, ("ruler",), fake.WINDOW) == ()
    assert gaps(slow, ("ruler",), store, fake.WINDOW) == ()

    stale = fake.with_view(
        slow,
        "cortex-ruler-0",
        "ruler",
        memberlist=tuple(
            msgspec.structs.replace(one, timestamp=int(fake.NOW - fake.WINDOW) - 2)
            for one in (fake.facts_of(slow, "cortex-ruler-0").ring("ruler").memberlist or ())  # type: ignore[union-attr]
        ),
    )
    assert {one.kind for one in differences(stale, ("ruler",), fake.WINDOW)} == {"stale-heartbeat"}


@pytest.mark.parametrize("behind", [0.0, 300.0])
def test_a_clock_that_is_behind_hides_no_heartbeat_that_stands_still(behind: float) -> None:
    """Also where pods tell when they answered, by that clock."""
    healthy = COMPLETE[Product.CORTEX]
    skewed = msgspec.structs.replace(
        fake.with_item(healthy, "ruler", 0, timestamp=int(fake.NOW - 3 * fake.WINDOW)),
        at=fake.NOW - behind,
        items=tuple(
            msgspec.structs.replace(each, at=fake.NOW - behind)
            for each in fake.with_item(
                healthy, "ruler", 0, timestamp=int(fake.NOW - 3 * fake.WINDOW)
            ).items
        ),
        pods=tuple(msgspec.structs.replace(facts, at=fake.NOW - behind) for facts in healthy.pods),
    )

    assert [one.kind for one in differences(skewed, ("ruler",), fake.WINDOW)] == [
        "stale-heartbeat"
    ]


def test_evidence_is_cut_and_the_count_stands() -> None:
    """Hundreds of differences do not flood a journal."""
    healthy = COMPLETE[Product.CORTEX]
    items = healthy.table_items("ingester")
    assert items is not None
    many = tuple(
        msgspec.structs.replace(items.members[0], id=f"stranger-{number}") for number in range(200)
    )
    spoilt = fake.with_items(healthy, "ingester", (*items.members, *many))
    context = GateContext(rings=("ingester",), window=fake.WINDOW)
    result = judge(Gate.STORES_EQUAL, spoilt, context)
    assert len(result.evidence) <= SHOWN
    assert " more)" in result.summary


@pytest.mark.parametrize(
    ("began", "errors", "verdict"),
    [
        (-3600.0, 0.0, Verdict.UNKNOWN),
        (-3600.0, 40.0, Verdict.UNKNOWN),
        (-fake.WINDOW + 5, 0.0, Verdict.PASS),
        (-fake.WINDOW + 5, 40.0, Verdict.FAIL),
        (None, 0.0, Verdict.UNKNOWN),
    ],
)
def test_errors_count_from_the_window_on(
    began: float | None, errors: float, verdict: Verdict
) -> None:
    """Where a pod did not answer the sample that is compared with, only a process from since is known."""
    inspection = fake.with_counters(gate_cases.base(), "cortex-ruler-0", dynamodb_errors=errors)
    inspection = fake.with_facts(
        inspection, "cortex-ruler-0", started_at=None if began is None else fake.NOW + began
    )
    context = gate_cases.context(inspection)
    assert context.reference is not None
    silent = fake.with_facts(context.reference, "cortex-ruler-0", counters=None, started_at=None)
    result = judge(
        Gate.PODS_REACH_DYNAMODB, inspection, msgspec.structs.replace(context, reference=silent)
    )
    assert result.verdict is verdict, result
