"""Odd moments of real rulers (Cortex a8c6358a, Mimir of May 2025), and the same ones simulated.

The answers were taken on loopback with a heartbeat of 1 s and are kept as they were, with other
addresses and three tokens each.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from captured import shape

from mimir_migrate.inspection.pages.memberlist import gossip_of, replica_members
from mimir_migrate.inspection.pages.reading import UnreadablePageError
from mimir_migrate.inspection.pages.ring import ring_members
from mimir_migrate.model.facts import MemberState
from mimir_migrate.model.rings import Product

FIXTURES = Path(__file__).parents[2] / "fixtures" / "odd_moments"
FIRST = "first second, its own ring"
EMPTY = "a ring without members"
GRACE = "in its grace, "
LEFT = "after it left, the "


def real(product: Product) -> dict[str, Any]:
    """What real rulers answered, by moment."""
    found: dict[str, Any] = json.loads((FIXTURES / f"{product.value}.json").read_text())
    return found


def members(product: Product, moment: str) -> list[tuple[str, MemberState, tuple[str, ...]]]:
    """A ring page of a moment, as the inspection reads it."""
    page = real(product)[moment]["body"].encode()
    return [(one.id, one.state, one.unread) for one in ring_members(page)]


def test_a_pod_in_its_first_second_is_read() -> None:
    """Cortex' ruler is ACTIVE at once and ready; Mimir's is JOINING and answers 503."""
    assert members(Product.CORTEX, FIRST) == [("ruler-1", MemberState.ACTIVE, ())]
    assert members(Product.MIMIR, FIRST) == [("ruler-1", MemberState.JOINING, ())]
    assert real(Product.MIMIR)["first second, its own /ready"]["status"] == 503


@pytest.mark.parametrize("product", list(Product))
def test_an_empty_ring_and_a_tombstone_are_read(product: Product) -> None:
    """No members; LEFT by name and by number; the page shows it no more, and gossip has one node."""
    assert members(product, EMPTY) == []
    value = replica_members(real(product)[LEFT + "value in memberlist"]["body"].encode())
    assert [(one.id, one.state, one.unread) for one in value] == [
        ("ruler-1", MemberState.ACTIVE, ()),
        ("ruler-2", MemberState.LEFT, ()),
    ]
    assert [one[0] for one in members(product, LEFT + "ring of the other")] == ["ruler-1"]
    nodes = gossip_of(real(product)[LEFT + "nodes"]["body"].encode()).members
    assert [node.alive for node in nodes] == [True]


def test_a_pod_in_its_grace_is_read() -> None:
    """Mimir's ruler is LEAVING while it goes; Cortex' is taken out at once."""
    moment = GRACE + "the ring of the other"
    assert members(Product.MIMIR, moment)[1] == ("ruler-2", MemberState.LEAVING, ())
    assert [one[0] for one in members(Product.CORTEX, moment)] == ["ruler-1"]


@pytest.mark.parametrize("product", list(Product))
def test_the_simulation_shows_the_same_moments(
    tiny_cluster: Any, configured: Any, product: Product
) -> None:
    """Statuses, words, fields and the spelling of states in each moment."""
    cluster = tiny_cluster(product, configured(product, "memberlist"), replicas={"ruler": 2})
    cluster.settle()
    one, two = cluster.processes["ruler-0"], cluster.processes["ruler-1"]
    said = real(product)

    def same(moment: str, process: Any) -> None:
        answer = process.get(said[moment]["path"], "application/json")
        assert answer.status == said[moment]["status"], moment
        assert shape(answer.body) == shape(said[moment]["body"].encode()), moment

    same(EMPTY, one)
    cluster.simulation.stop(two.spec.name, two.spec.uid)
    ready = two.get("/ready", "*/*")
    assert (ready.status, ready.body.decode()) == (
        said[GRACE + "/ready"]["status"],
        said[GRACE + "/ready"]["body"],
    )
    statuses = {
        each["status"]
        for each in json.loads(two.get("/services", "application/json").body)["services"]
    }
    assert statuses == {
        each["status"] for each in json.loads(said[GRACE + "its services"]["body"])["services"]
    }
    cluster.run(20)
    same(LEFT + "ring of the other", one)
    same(LEFT + "value in memberlist", one)
    same(LEFT + "nodes", one)


def test_a_simulated_ruler_of_mimir_joins_before_it_is_active(
    tiny_cluster: Any, configured: Any
) -> None:
    """And says so on its own page while `/ready` is 503."""
    seen: dict[Product, set[tuple[int, str]]] = {}
    for product in Product:
        cluster = tiny_cluster(product, configured(product, "memberlist"), replicas={"ruler": 1})
        process = cluster.processes["ruler-0"]
        for _ in range(200):
            cluster.run(0.05)
            page = process.get("/ruler/ring", "application/json")
            if page.status == 200 and page.body[:1] == b"{":
                ready = process.get("/ready", "*/*").status
                for shard in json.loads(page.body)["shards"] or ():
                    seen.setdefault(product, set()).add((ready, shard["state"]))
    assert (503, "JOINING") in seen[Product.MIMIR]
    assert not any(state == "JOINING" for _, state in seen[Product.CORTEX])


READERS = {
    "the ring of the other": ring_members,
    "ring of the other": ring_members,
    "its own ring": ring_members,
    "a ring without members": ring_members,
    "the value in memberlist": replica_members,
    "value in memberlist": replica_members,
    "nodes": lambda body: gossip_of(body).members,
}


@pytest.mark.parametrize("product", list(Product))
def test_a_real_page_that_is_cut_anywhere_is_unread_or_whole(product: Product) -> None:
    """Never a ring with fewer members: what is cut off would be a member that nobody misses."""
    cut = 0
    for moment, said in real(product).items():
        reader = next((one for name, one in READERS.items() if moment.endswith(name)), None)
        if reader is None or said["body"][:1] != "{":
            continue
        body = said["body"].encode()
        whole = reader(body)
        for end in range(len(body)):
            try:
                found = reader(body[:end])
            except UnreadablePageError:
                cut += 1
                continue
            assert found == whole, (moment, end)
    assert cut > 1000
