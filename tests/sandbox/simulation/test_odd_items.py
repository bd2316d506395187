"""Odd moments of real ingesters that keep their ring in DynamoDB, and the same ones simulated.

Taken from a Cortex of a8c6358a and a Mimir of May 2025 with a client, two ingesters on loopback with a
heartbeat of 1 s and three tokens each; the addresses are others.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from captured import shape

from mimir_migrate.documents.ring_items import decode_instance, encode_instance
from mimir_migrate.inspection.pages.ring import ring_members
from mimir_migrate.model.facts import Member, MemberState
from mimir_migrate.model.rings import Product

FIXTURES = Path(__file__).parents[2] / "fixtures" / "odd_moments"
LIFE = "one ingester, from its first item to its last"
TABLE, RING = "rings", "collectors/ring"
SWITCHED = "switched without a mirror, the ring"


def real(product: Product) -> dict[str, Any]:
    """What real ingesters wrote and answered, by moment."""
    found: dict[str, Any] = json.loads((FIXTURES / f"{product.value}-items.json").read_text())
    return found


def life(product: Product) -> list[tuple[Member, bytes]]:
    """The items of a real ingester, each with its data, in the order of their writing."""
    found = []
    for item in real(product)[LIFE]:
        data = base64.b64decode(item["Data"])
        found.append((decode_instance(item["InstanceKey"], data, int(item["version"])), data))
    return found


def settings(product: Product, *, unregisters: bool) -> dict[str, Any]:
    """Three tokens, a short life, and whether an ingester takes itself out at its end."""
    path = "ingester__lifecycler" if product is Product.CORTEX else "ingester__ring"
    slow = {f"{path}__join_after": "2s"} if product is Product.CORTEX else {}
    return {
        f"{path}__num_tokens": 3,
        f"{path}__observe_period": "2s",
        f"{path}__unregister_on_shutdown": unregisters,
        **slow,
    }


@pytest.mark.parametrize("product", list(Product))
def test_items_of_a_whole_life_are_read_and_written_back_byte_for_byte(product: Product) -> None:
    """PENDING without tokens, JOINING, ACTIVE and LEAVING with them; Mimir's name their member."""
    states = [member.state for member, _ in life(product)]
    assert states == [
        MemberState.PENDING,
        MemberState.JOINING,
        MemberState.ACTIVE,
        MemberState.LEAVING,
    ]
    for member, data in life(product):
        assert encode_instance(member, named=product is Product.MIMIR) == data
        assert member.unread == ()
        assert len(member.tokens) == (0 if member.state is MemberState.PENDING else 3)


@pytest.mark.parametrize("product", list(Product))
@pytest.mark.parametrize("unregisters", [False, True])
def test_a_simulated_ingester_writes_the_same_items(
    tiny_cluster: Any, configured: Any, product: Product, unregisters: bool
) -> None:
    """The same states in the same order with the same fields; then LEAVING for good, or nothing: never LEFT."""
    config = configured(product, "dynamodb", **settings(product, unregisters=unregisters))
    cluster = tiny_cluster(product, config, replicas={"ingester": 2})
    name = "ingester-1"
    written: list[Member] = []

    def look() -> dict[str, Any]:
        items: dict[str, Any] = cluster.items.query(TABLE, RING)
        if name in items:
            data, version = items[name]
            member = decode_instance(name, data, version)
            assert encode_instance(member, named=product is Product.MIMIR) == data
            if not written or written[-1].state is not member.state:
                written.append(member)
        return items

    for _ in range(600):
        cluster.run(0.1)
        look()
        if cluster.all_ready():
            break
    process = cluster.processes[name]
    cluster.simulation.stop(name, process.spec.uid)
    items = {}
    for _ in range(400):
        cluster.run(0.1)
        items = look()
    there = life(product)
    assert [one.state for one in written] == [member.state for member, _ in there]
    assert [len(one.tokens) for one in written] == [len(member.tokens) for member, _ in there]
    left = real(product)["after it unregistered"]  # the other one of the two
    assert len(items) == (len(left) if unregisters else 2)
    assert (name in items) is not unregisters


def test_a_switch_to_a_store_that_nobody_wrote_shows_nobody(
    tiny_cluster: Any, configured: Any
) -> None:
    """Real pages say `"shards": null` until the next heartbeats; a pod that was Ready stays it."""
    said = real(Product.MIMIR)
    page = said[SWITCHED]
    assert list(ring_members(page["body"].encode())) == []
    config = configured(Product.MIMIR, "memberlist+dynamodb", mirror=False, puller_sync_time="1s")
    cluster = tiny_cluster(Product.MIMIR, config, replicas={"ingester": 2})
    cluster.settle()
    process = cluster.processes["ingester-0"]
    cluster.runtime = "multi_kv_config: {primary: dynamodb, mirror_enabled: false}\n"
    shown = []
    for _ in range(300):
        cluster.run(0.1)
        answer = process.get(page["path"], "application/json")
        shown.append((answer.status, shape(answer.body)))
    assert (page["status"], shape(page["body"].encode())) in shown
    assert process.ready
    final = process.get(page["path"], "application/json").body
    assert len(ring_members(final)) == 2
