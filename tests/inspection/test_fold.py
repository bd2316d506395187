"""A ring over all pods: what metrics say comes first, and what is inferred is known as such."""

from __future__ import annotations

import msgspec
import pytest

from mimir_migrate.errors import BlockedError
from mimir_migrate.inspection.fold import RingFold, fold_ring, with_inference
from mimir_migrate.inspection.summary import summarize
from mimir_migrate.model.facts import (
    Identity,
    Inspection,
    KVClient,
    Pod,
    PodFacts,
    PodRing,
    RuntimeView,
)
from mimir_migrate.model.rings import Product, Ring, ring_named
from mimir_migrate.model.stores import KVConfig, RuntimeBlock, Store, StoreState
from mimir_migrate.plans.position import position_of

AB = KVConfig(store="multi", primary="memberlist", secondary="dynamodb", mirror_enabled=False)


def following() -> Ring:
    """A ring that follows the runtime configuration."""
    ring = ring_named(Product.MIMIR, "query-scheduler")
    assert ring is not None
    return ring


def not_following() -> Ring:
    """A ring that does not."""
    ring = ring_named(Product.CORTEX, "ruler")
    assert ring is not None
    return ring


def view(ring: Ring, *clients: KVClient, expected: tuple[str, ...] = ("one",)) -> PodRing:
    """A pod's view on both stores, memberlist first."""
    return PodRing(
        ring=ring.name,
        component="querier",
        enabled=True,
        config=AB,
        clients=clients,
        expected_kv_names=expected,
    )


def loaded(
    primary: str = "", *, mirror: bool | None = None, good: bool | None = True
) -> RuntimeView:
    """What a pod says it has loaded."""
    return RuntimeView(
        file="/r.yaml",
        block=RuntimeBlock(primary=primary, mirror_enabled=mirror),
        reload_successful=good,
    )


def told(name: str, primary: str, *, mirror: bool = True) -> KVClient:
    """A client whose metrics are there."""
    return KVClient(kv_name=name, primary=primary, mirror_enabled=mirror)


@pytest.mark.parametrize(
    ("runtime", "primary", "mirror", "source"),
    [
        (loaded("dynamodb", mirror=True), "dynamodb", True, "GET /runtime_config"),
        (loaded("dynamodb"), "dynamodb", False, "GET /runtime_config"),
        (loaded(mirror=True), "memberlist", True, "GET /runtime_config"),
        (loaded(), "memberlist", False, "GET /config"),
        (RuntimeView(), "memberlist", False, "GET /config"),
    ],
)
def test_a_silent_client_reads_what_the_loaded_block_says(
    runtime: RuntimeView, primary: str, mirror: bool, source: str
) -> None:
    """Else what the static configuration says."""
    inferred = with_inference(view(following()), following(), runtime).inferred

    assert inferred is not None
    assert (inferred.primary, inferred.mirror_enabled) == (primary, mirror)
    assert (inferred.source, inferred.clients) == (source, ("one",))


@pytest.mark.parametrize(
    "runtime", [None, loaded("dynamodb", good=False), loaded("dynamodb", good=None)]
)
def test_nothing_is_inferred_from_a_block_that_may_not_be_loaded(
    runtime: RuntimeView | None,
) -> None:
    """A pod whose last reload failed, or that does not say, may read either."""
    assert with_inference(view(following()), following(), runtime).inferred is None


def test_a_ring_that_does_not_follow_the_runtime_configuration_reads_its_static_primary() -> None:
    """Whatever block the pod has loaded."""
    inferred = with_inference(
        view(not_following()), not_following(), loaded("dynamodb", mirror=True)
    ).inferred

    assert inferred is not None
    assert (inferred.primary, inferred.source) == ("memberlist", "GET /config")


def test_what_metrics_say_is_not_inferred() -> None:
    """Nor is anything of a client that nobody expects."""
    full = view(following(), told("one", "dynamodb"))

    assert with_inference(full, following(), loaded("memberlist")).inferred is None


def cluster(*views: PodRing, ring: Ring | None = None) -> tuple[RingFold, Inspection]:
    """Ready pods with these views."""
    product = Product.MIMIR if ring is None else Product.CORTEX
    pods = tuple(
        PodFacts(pod=pod(f"querier-{number}"), rings=(one,)) for number, one in enumerate(views)
    )
    found = Inspection(
        at=0.0, identity=Identity(), product=product, pods=pods, rings=summarize(product, pods)
    )
    return fold_ring(ring or following(), pods), found


def pod(name: str) -> Pod:
    """A Ready pod."""
    return Pod(name=name, ready=True)


def test_a_missing_client_does_not_make_the_position_unknown() -> None:
    """It is inferred, and the position says so."""
    silent = with_inference(view(following()), following(), loaded("dynamodb", mirror=True))
    fold, found = cluster(silent, view(following(), told("one", "dynamodb")))

    (ring,) = position_of(found, ("query-scheduler",), {}, None).rings

    assert fold.inferred == ("querier-0",)
    assert fold.unknown == ()
    assert ring.inferred
    assert Store.DYNAMODB in ring.primaries


def test_an_unexpected_client_changes_nothing() -> None:
    """The ring is judged by the clients that it is known to have."""
    one = view(following(), told("one", "memberlist"))
    facts = PodFacts(pod=pod("querier-0"), rings=(one,), unexpected=('kv_name="who-knows"',))

    assert fold_ring(following(), (facts,)).primaries == (Store.MEMBERLIST,)


def test_inferences_that_differ_between_pods_hold() -> None:
    """No way is safe: nobody knows which members whom would lose."""
    one = with_inference(view(following()), following(), loaded("dynamodb", mirror=True))
    two = view(following(), told("one", "memberlist"))
    fold, found = cluster(one, two)

    assert fold.contradicts
    with pytest.raises(BlockedError, match="differs between pods") as caught:
        position_of(found, ("query-scheduler",), {}, None)
    assert "querier-0 dynamodb (inferred)" in str(caught.value)


def test_pods_that_say_themselves_that_they_differ_are_a_switch_under_way() -> None:
    """Metrics that differ are carried on from, as ever."""
    fold, found = cluster(
        view(following(), told("one", "dynamodb")), view(following(), told("one", "memberlist"))
    )

    assert not fold.contradicts
    (ring,) = position_of(found, ("query-scheduler",), {}, None).rings
    assert ring.primaries == set(Store)


def test_a_rollout_of_a_ring_without_runtime_contradicts_nothing() -> None:
    """Its static configuration is what it reads, so half a rollout is known to be one."""
    swapped = msgspec.structs.replace(AB, primary="dynamodb", secondary="memberlist")
    old = with_inference(view(not_following()), not_following(), None)
    new = with_inference(
        msgspec.structs.replace(view(not_following()), config=swapped), not_following(), None
    )
    fold, _ = cluster(old, new, ring=not_following())

    assert not fold.contradicts
    assert fold.primaries == (Store.MEMBERLIST, Store.DYNAMODB)
    assert fold.states == (StoreState.MEMBERLIST_DYNAMODB, StoreState.DYNAMODB_MEMBERLIST)


@pytest.mark.parametrize("leaves", [True, False])
def test_a_silent_pod_hides_the_position_unless_it_is_about_to_go(leaves: bool) -> None:
    """Kubernetes still calls a pod Ready while it ends; what says nothing and stays is unknown."""
    known = view(not_following(), told("one", "memberlist"))
    fold, found = cluster(
        known, msgspec.structs.replace(known, config=None, clients=()), ring=not_following()
    )
    first, silent = found.pods
    if leaves:
        ending = msgspec.structs.replace(silent.pod, deleted_at=1.0)
        silent = msgspec.structs.replace(silent, pod=ending)
    pods = (first, silent)
    found = msgspec.structs.replace(found, pods=pods)
    fold = fold_ring(not_following(), pods)

    assert [stand.observes for stand in fold.stands] == [True, not leaves]
    if leaves:
        (ring,) = position_of(found, ("ruler",), {"ruler": AB}, None).rings
        assert Store.MEMBERLIST in ring.primaries
    else:
        with pytest.raises(BlockedError, match="querier-1"):
            position_of(found, ("ruler",), {"ruler": AB}, None)


def test_a_pod_that_is_about_to_go_and_answers_is_seen() -> None:
    """It reads a store as long as it runs."""
    one = view(not_following(), told("one", "memberlist"))
    other = view(not_following(), told("one", "dynamodb"))
    _, found = cluster(one, other, ring=not_following())
    first, second = found.pods
    ending = msgspec.structs.replace(
        second, pod=msgspec.structs.replace(second.pod, deleted_at=1.0)
    )

    fold = fold_ring(not_following(), (first, ending))

    assert fold.stands[1].observes
    assert set(fold.primaries) == {Store.MEMBERLIST, Store.DYNAMODB}
