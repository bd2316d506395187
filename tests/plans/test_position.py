"""Where the rings stand: what is not known, or is none of the four states, refuses a plan and says why."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
import release as fake

from mimir_migrate.errors import BlockedError, UsageError
from mimir_migrate.model.facts import Inspection, RuntimeView
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import KVConfig, RuntimeBlock, Store, StoreState
from mimir_migrate.plans.position import choose_rings, position_of

RING = "ingester"
BOTH = StoreState.MEMBERLIST_DYNAMODB
SEEN = fake.release(Product.MIMIR, BOTH)
POD = fake.pod_of(SEEN, RING)
IN_FILE = {RING: fake.kv_config(BOTH)}


def with_view(**fields: object) -> Inspection:
    """The first ingester says something else of its ring."""
    return fake.with_view(SEEN, POD, RING, **fields)


def reading(store: str) -> Inspection:
    """The first ingester's metrics name another primary."""
    (view,) = (each for each in fake.facts_of(SEEN, POD).rings if each.ring == RING)
    return with_view(
        clients=tuple(msgspec.structs.replace(client, primary=store) for client in view.clients)
    )


def silent_about_what_it_reads() -> Inspection:
    """No metrics of a client, and no runtime configuration that was surely loaded."""
    return fake.with_facts(with_view(clients=()), POD, runtime=RuntimeView())


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (lambda: with_view(config=None), "is Ready and did not say which store its ring ingester"),
        (
            lambda: with_view(config=KVConfig(store="consul")),
            "the ring ingester is on consul in the pod mimir-ingester-0",
        ),
        (
            lambda: with_view(
                config=KVConfig(store="multi", primary="consul", secondary="memberlist")
            ),
            r"on multi \(consul and memberlist\) in the pod mimir-ingester-0",
        ),
        (silent_about_what_it_reads, "its metrics do not say which one is primary"),
        (lambda: reading("etcd"), "the ring ingester reads etcd in the pod mimir-ingester-0"),
    ],
    ids=["silent", "another store", "another pair", "no primary", "reads another"],
)
def test_a_ready_pod_that_stands_nowhere_on_the_path_is_refused_by_name(
    seen: Callable[[], Inspection], words: str
) -> None:
    """With what it says, so that it can be looked at; nothing is planned around it."""
    with pytest.raises(BlockedError, match=words) as caught:
        position_of(seen(), (RING,), IN_FILE, None)
    assert caught.value.hint


def test_a_pod_that_is_not_ready_and_says_nothing_hides_no_position() -> None:
    """A rollout that hangs must be open to being taken back; a Ready one beside it is still asked."""
    hanging = fake.with_pod(with_view(config=None, clients=()), POD, ready=False)
    found = position_of(hanging, (RING,), IN_FILE, None)
    assert found == position_of(SEEN, (RING,), IN_FILE, None)
    quiet = fake.with_pod(silent_about_what_it_reads(), POD, ready=False)
    assert position_of(quiet, (RING,), IN_FILE, None) == found


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (KVConfig(store="etcd"), "put the ring ingester on etcd"),
        (
            KVConfig(store="multi", primary="memberlist", secondary="consul"),
            r"put the ring ingester on multi \(memberlist and consul\)",
        ),
    ],
    ids=["store", "pair"],
)
def test_values_that_lead_off_the_path_are_refused(config: KVConfig, words: str) -> None:
    """A restart of every pod would lead there, whatever pods say now."""
    with pytest.raises(BlockedError, match=words):
        position_of(SEEN, (RING,), {RING: config}, None)


@pytest.mark.parametrize("config", [None, KVConfig(store="")], ids=["no block", "no store"])
def test_values_that_say_nothing_mean_the_product_s_default(config: KVConfig | None) -> None:
    """Memberlist, in which a restart would end."""
    (found,) = position_of(SEEN, (RING,), {RING: config}, None).rings
    assert found.states == {BOTH, StoreState.MEMBERLIST}
    assert found.primaries == {Store.MEMBERLIST}


def test_the_files_runtime_block_counts_for_rings_that_follow_it() -> None:
    """A restart of every pod would load it; on one store only there is nothing to choose."""
    block = RuntimeBlock(primary="dynamodb", mirror_enabled=False)
    (found,) = position_of(SEEN, (RING,), IN_FILE, block).rings
    assert found.primaries == {Store.MEMBERLIST, Store.DYNAMODB}
    assert found.mirrors == {True, False}
    (alone,) = position_of(
        SEEN, (RING,), {RING: fake.kv_config(StoreState.MEMBERLIST)}, block
    ).rings
    assert alone.primaries == {Store.MEMBERLIST}
    assert alone.mirrors == {True}


def test_the_block_counts_as_set_and_as_loaded_by_who_has_it() -> None:
    """An empty one in the files is none; one that a single pod still has is loaded."""
    nothing = position_of(SEEN, (RING,), IN_FILE, RuntimeBlock())
    assert (nothing.block, nothing.block_loaded) == (None, False)
    view = fake.facts_of(SEEN, POD).runtime
    assert view is not None
    loaded = msgspec.structs.replace(view, block=RuntimeBlock(primary="memberlist"))
    left = position_of(fake.with_facts(SEEN, POD, runtime=loaded), (RING,), IN_FILE, None)
    assert left.block_loaded


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("ring", "mimir has no ring named 'ring'"),
        ("query-scheduler", "it is switched off in this cluster's configuration"),
        ("ha-tracker", "the ring ha-tracker cannot be moved: "),
    ],
)
def test_only_rings_that_are_there_and_can_be_moved_are_chosen(asked: str, words: str) -> None:
    """Named with the reason, and what could be asked for instead."""
    with pytest.raises(UsageError, match=words):
        choose_rings(SEEN, (RING, asked))


def test_rings_are_chosen_in_the_order_of_the_product() -> None:
    """However they were asked for; all that can be moved where none was."""
    assert choose_rings(SEEN, ("ruler", RING)) == (RING, "ruler")
    assert choose_rings(SEEN, ()) == fake.ON[Product.MIMIR]
