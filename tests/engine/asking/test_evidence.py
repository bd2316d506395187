"""The evidence of a question, and where a run leaves the rings, in words."""

from __future__ import annotations

import msgspec
import release as fake

from mimir_migrate.engine.asking.question_evidence import differing, pods_words, stores_words
from mimir_migrate.engine.asking.standing import standing_words
from mimir_migrate.model.events import Asked, GateResult, Verdict
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Duration, Gate
from mimir_migrate.model.stores import Store, StoreState

SIZES = {"ingester": 5, "ruler": 2}
RULERS = ("cortex-ruler-0", "cortex-ruler-1")


def seen(**more: object) -> Inspection:
    """Seven pods, the rings of two kinds."""
    return fake.release(sizes=SIZES, on=("ingester", "ruler"), **more)


def unready(inspection: Inspection, count: int) -> Inspection:
    """The first ingesters are not Ready."""
    for number in range(count):
        inspection = fake.with_pod(inspection, f"cortex-ingester-{number}", ready=False)
    return inspection


def test_pods_are_counted_by_component() -> None:
    """In the order of their names; what ends is none of them."""
    assert pods_words(seen()) == "7 pods, all Ready: ingester 5, ruler 2"
    ends = fake.with_pod(seen(), "cortex-ruler-0", deleted_at=1.0, ready=False)
    assert pods_words(ends) == "6 pods, all Ready: ingester 5, ruler 1"
    one = fake.release(sizes={"ruler": 1}, on=("ruler",))
    assert pods_words(one) == "1 pod, all Ready: ruler 1"


def test_pods_that_are_not_ready_are_named_up_to_three() -> None:
    """The others are counted."""
    names = "cortex-ingester-0, cortex-ingester-1, cortex-ingester-2"
    counted = "ingester 5, ruler 2"
    assert pods_words(unready(seen(), 1)) == f"7 pods, not Ready: cortex-ingester-0: {counted}"
    assert pods_words(unready(seen(), 3)) == f"7 pods, not Ready: {names}: {counted}"
    assert pods_words(unready(seen(), 5)) == f"7 pods, not Ready: {names} and 2 more: {counted}"


def test_stores_that_hold_the_same_are_counted() -> None:
    """All rings in one line; those of which they do not stand for themselves."""
    assert stores_words(seen(), ("ingester", "ruler"), fake.WINDOW) == (
        "both stores hold the same members: ingester 5, ruler 2"
    )
    late = fake.with_item(seen(), "ruler", 0, timestamp=int(fake.NOW) - 3600)
    assert stores_words(late, ("ruler", "ingester"), fake.WINDOW).startswith(
        "ingester: both stores hold the same 5 members; ruler: 1 difference between the stores"
    )
    one = fake.release(sizes={"ruler": 1}, on=("ruler",))
    assert (
        stores_words(one, ("ruler",), fake.WINDOW) == "ruler: both stores hold the same 1 member"
    )


def test_a_ring_on_one_store_has_nothing_to_compare() -> None:
    """Neither has one that is not there."""
    one = seen(state=StoreState.MEMBERLIST)
    assert stores_words(one, ("ruler",), fake.WINDOW) == "ruler: one store is in use"
    assert stores_words(seen(), ("nobody",), fake.WINDOW) == "nobody: one store is in use"


def test_a_ring_of_which_one_pod_is_on_both_stores_is_compared() -> None:
    """In the middle of a rollout the pods differ."""
    halfway = fake.with_view(
        seen(), RULERS[0], "ruler", config=fake.kv_config(StoreState.MEMBERLIST)
    )
    assert stores_words(halfway, ("ruler",), fake.WINDOW) == (
        "ruler: both stores hold the same 2 members"
    )


def test_stores_that_cannot_be_read_are_not_known_to_be_the_same() -> None:
    """With what could not be read."""
    blind = msgspec.structs.replace(seen(), items=())
    words = stores_words(blind, ("ruler",), fake.WINDOW)
    assert words.startswith("ruler: not known whether both stores hold the same (the items of")


def test_differences_are_named_up_to_three() -> None:
    """With the pod where it is a pod's own copy; the others are counted."""
    without = fake.with_view(seen(), RULERS[0], "ruler", memberlist=())
    words = stores_words(without, ("ruler",), fake.WINDOW)
    assert words.startswith("ruler: 4 differences between the stores: ")
    assert words.endswith(" and 1 more")
    assert f"missing in memberlist of {RULERS[0]}" in words
    one = fake.with_items(seen(), "ruler", ())
    empty = fake.release(sizes={"ruler": 1}, on=("ruler",))
    late = fake.with_item(empty, "ruler", 0, timestamp=int(fake.NOW) - 3600)
    assert stores_words(late, ("ruler",), fake.WINDOW) == (
        f"ruler: 1 difference between the stores: {RULERS[0]} stale-heartbeat in dynamodb"
    )
    assert "differences between the stores" in stores_words(one, ("ruler",), fake.WINDOW)


def test_three_differences_are_all_named() -> None:
    """And nothing is counted besides."""
    late = seen()
    for number in range(3):
        late = fake.with_item(late, "ingester", number, timestamp=int(fake.NOW) - 3600)
    words = stores_words(late, ("ingester",), fake.WINDOW)
    assert words.startswith("ingester: 3 differences between the stores: ")
    assert " more" not in words


def asked(**fields: object) -> Asked:
    """A question."""
    plain = Asked(
        step="swap",
        index=1,
        of=2,
        title="",
        gates=(gate(Gate.RING_HEALTHY),),
        stores="same",
        pods="2 pods",
        seen_at=0.0,
        duration=Duration(low=0.0, high=0.0, basis=""),
        rollback="10 s",
        back=None,
    )
    return msgspec.structs.replace(plain, **fields)


def gate(name: Gate, verdict: Verdict = Verdict.PASS, summary: str = "") -> GateResult:
    """A gate's answer."""
    return GateResult(gate=name, verdict=verdict, summary=summary)


def test_what_differs_between_two_questions_is_told_old_and_new() -> None:
    """Stores, pods, the rollback and each gate's verdict; a summary or a time is no difference."""
    before = asked()
    assert (
        differing(before, asked(seen_at=5.0, gates=(gate(Gate.RING_HEALTHY, summary="x"),))) == ()
    )
    now = asked(
        stores="other",
        pods="3 pods",
        rollback="20 s",
        gates=(gate(Gate.RING_HEALTHY, Verdict.FAIL), gate(Gate.USERS_FINE)),
    )
    assert differing(before, now) == (
        "stores: same -> other",
        "pods: 2 pods -> 3 pods",
        "rolling back: 10 s -> 20 s",
        f"ring-healthy: pass -> {Verdict.FAIL.value}",
        "users-fine: not judged -> pass",
    )


def test_where_a_run_leaves_the_rings_is_said_of_each() -> None:
    """Safe only where every ring has one state and one store that is read."""
    both = ("ingester", "ruler")
    words = standing_words(seen(), both)
    assert words.startswith(
        "Left as it is: every chosen ring is on memberlist+dynamodb. Every pod"
    )
    assert standing_words(seen(), (*both, "nobody")).startswith(
        "Where the rings stand was not seen"
    )
    assert standing_words(None, both).startswith("Where the rings stand was not seen")
    silent = tuple(msgspec.structs.replace(ring, states=()) for ring in seen().rings)
    unseen = msgspec.structs.replace(seen(), rings=silent)
    assert standing_words(unseen, both).startswith("Where the rings stand was not seen")
    halfway = fake.with_view(
        seen(), RULERS[0], "ruler", config=fake.kv_config(StoreState.MEMBERLIST)
    )
    words = standing_words(halfway, both)
    assert "ruler is on memberlist and memberlist+dynamodb" in words
    assert "do not stay so" in words


def test_pods_that_read_from_two_stores_are_not_left_so() -> None:
    """With which stores they read."""
    clients = fake.facts_of(seen(), RULERS[0]).rings[-1].clients
    other = tuple(msgspec.structs.replace(one, primary=Store.DYNAMODB.value) for one in clients)
    words = standing_words(fake.with_view(seen(), RULERS[0], "ruler", clients=other), ("ruler",))
    assert "ruler is on memberlist+dynamodb (read: dynamodb and memberlist)" in words
    assert "do not stay so" in words
    assert "(read:" not in standing_words(seen(), ("ruler",))
