"""The simulation is held to what was measured on running Cortex pods.

The order of what is lost sight of: a straight switch most, the documented runtime procedure on Cortex
less, and in every ring but the ingester's; the procedures of this tool nothing.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from mimir_migrate.model.rings import Product

SEEDS = range(20)
PODS = {
    "distributor": 1,
    "ingester": 3,
    "store-gateway": 3,
    "compactor": 3,
    "ruler": 3,
    "alertmanager": 3,
}
OTHER_RINGS = ("store-gateway", "compactor", "ruler", "alertmanager")
FORWARD = ("memberlist+dynamodb", "dynamodb+memberlist", "dynamodb")
BACK = ("dynamodb+memberlist", "memberlist+dynamodb", "memberlist")


@pytest.fixture
def start(tiny_cluster: Any, configured: Any) -> Any:
    """Starts a settled cluster on memberlist."""

    def started(product: Product, seed: int = 0, **arguments: Any) -> Any:
        state = arguments.pop("state", "memberlist")
        changes = arguments.pop("changes", {})
        cluster = tiny_cluster(
            product,
            configured(product, state, **changes),
            **{"seed": seed, "replicas": PODS, **arguments},
        )
        assert cluster.until(cluster.all_ready), cluster.not_ready()
        cluster.run(30)
        return cluster

    return started


@pytest.fixture
def roll(configured: Any) -> Any:
    """Rolls a cluster to a state and looks at it for a while."""

    def rolled(cluster: Any, state: str, after: float = 30.0, **changes: Any) -> None:
        assert cluster.rollout(configured(cluster.product, state, **changes)), cluster.not_ready()
        cluster.run(after)

    return rolled


@pytest.fixture
def switch() -> Any:
    """Writes the runtime block and gives the pods time."""

    def switched(cluster: Any, primary: str, *, mirror: bool) -> None:
        cluster.runtime = (
            f"multi_kv_config: {{primary: {primary}, mirror_enabled: {str(mirror).lower()}}}\n"
        )
        cluster.run(30)

    return switched


@pytest.mark.parametrize("seed", SEEDS)
def test_straight_more_than_documented_more_than_none(
    start: Any, roll: Any, switch: Any, seed: int
) -> None:
    """On Cortex, as measured: straight > the documented runtime procedure > 0 = three rollouts."""
    straight = start(Product.CORTEX, seed)
    roll(straight, "dynamodb")

    documented = start(Product.CORTEX, seed)
    roll(documented, "memberlist+dynamodb", mirror=False)
    switch(documented, "memberlist", mirror=True)
    switch(documented, "dynamodb", mirror=True)
    switch(documented, "dynamodb", mirror=False)
    assert documented.lost == 0
    roll(documented, "dynamodb")

    ours = start(Product.CORTEX, seed)
    for state in FORWARD:
        roll(ours, state)

    assert straight.lost > documented.lost > 0
    assert (ours.lost, ours.simulation.status()["missed"]) == (0, {})
    assert ours.simulation.watch.observations > 5000
    assert documented.lost_in("ingester") == 0
    assert {ring: documented.lost_in(ring) > 0 for ring in OTHER_RINGS} == dict.fromkeys(
        OTHER_RINGS, True
    )


@pytest.mark.parametrize("client", ["1.16", "1.20", "master"])
def test_there_and_back_with_every_client(start: Any, roll: Any, client: str) -> None:
    """Six rollouts, the rollback over a table with stale items included: nothing is lost sight of."""
    cluster = start(Product.CORTEX, client=client)
    for state in (*FORWARD, *BACK, *FORWARD):
        roll(cluster, state)
    assert (cluster.lost, cluster.simulation.status()["missed"]) == (0, {})


@pytest.mark.parametrize("seed", range(3))
def test_by_ring_on_cortex(start: Any, roll: Any, switch: Any, seed: int) -> None:
    """The ingester's ring by runtime, the others by rollouts: nothing is lost sight of."""
    cluster = start(Product.CORTEX, seed)
    cluster.runtime = "multi_kv_config: {primary: memberlist, mirror_enabled: true}\n"
    roll(cluster, "memberlist+dynamodb")
    switch(cluster, "dynamodb", mirror=True)
    roll(cluster, "dynamodb+memberlist")
    roll(cluster, "dynamodb")
    assert (cluster.lost, cluster.simulation.status()["missed"]) == (0, {})


@pytest.mark.parametrize("seed", range(3))
def test_by_runtime_on_mimir(start: Any, roll: Any, switch: Any, seed: int) -> None:
    """Every hash ring of Mimir follows the runtime file: there and back, nothing is lost sight of."""
    cluster = start(Product.MIMIR, seed)
    for old, new in (("memberlist", "dynamodb"), ("dynamodb", "memberlist")):
        cluster.runtime = f"multi_kv_config: {{primary: {old}, mirror_enabled: false}}\n"
        roll(cluster, f"{old}+{new}", mirror=False)
        switch(cluster, old, mirror=True)
        cluster.run(60)
        switch(cluster, new, mirror=True)
        switch(cluster, new, mirror=False)
        roll(cluster, new)
        cluster.runtime = "overrides: {}\n"
        cluster.run(30)
    assert (cluster.lost, cluster.simulation.status()["missed"]) == (0, {})


@pytest.mark.parametrize("seed", range(2))
def test_restarts_at_rest_lose_nothing(start: Any, roll: Any, seed: int) -> None:
    """Between two rollouts pods may be killed, crash and restart: who lives is seen by all."""
    chance = random.Random(seed)
    cluster = start(Product.CORTEX, seed)
    for state in FORWARD:
        roll(cluster, state)
        for _ in range(4):
            name = chance.choice(sorted(cluster.processes))
            old = cluster.processes[name]
            if chance.random() < 0.5:
                cluster.simulation.kill(name, old.spec.uid)
            else:
                cluster.simulation.inject("restart", {"pod": name})
            cluster.launch(name)
            cluster.run(chance.uniform(1, 60))
        assert cluster.until(cluster.all_ready), cluster.not_ready()
        cluster.run(40)
    assert (cluster.lost, cluster.simulation.status()["missed"]) == (0, {})


def test_without_mirroring_the_static_procedure_splits(start: Any, roll: Any) -> None:
    """The three rollouts stand on the mirror: taken out of the simulation, they lose sight."""
    cluster = start(Product.CORTEX, without=frozenset({"mirroring"}))
    for state in FORWARD:
        roll(cluster, state)
    assert cluster.lost > 0


def test_one_seed_address_and_no_rejoining_splits_the_rollback(start: Any, roll: Any) -> None:
    """Pods that start their gossip while the seed restarts stay apart, with all of them Ready.

    Each one's own store is complete all the while (mirrored writes put the whole ring there) as long
    as DynamoDB is the primary; only the lists of alive nodes tell.
    """
    changes = {"memberlist__rejoin_interval": "0s"}
    cluster = start(Product.CORTEX, state="dynamodb", changes=changes, seeds=1)
    roll(cluster, "dynamodb+memberlist", **changes)
    assert cluster.lost == 0
    for state in ("memberlist+dynamodb", "memberlist"):
        roll(cluster, state, **changes)
    lost = cluster.lost
    assert lost > 0
    assert cluster.all_ready()
    cluster.run(120)
    assert cluster.lost > lost
    counts = {len(process.gossip.peers) for process in cluster.processes.values()}
    assert max(counts) < len(cluster.processes)


def test_rejoining_makes_the_same_rollback_whole(start: Any, roll: Any) -> None:
    """With a rejoin interval gossip is one cluster again before a minute is over."""
    cluster = start(Product.CORTEX, state="dynamodb", seeds=1)
    for state in BACK:
        roll(cluster, state, after=90)
    lost = cluster.lost
    cluster.run(120)
    assert cluster.lost == lost
    assert {len(process.gossip.peers) for process in cluster.processes.values()} == {
        len(cluster.processes)
    }


def test_the_runtime_switch_moves_the_ingester_ring_alone_on_cortex(
    start: Any, roll: Any, switch: Any
) -> None:
    """As the metrics of real pods said: the table holds one of five rings, and nothing fails."""
    cluster = start(Product.CORTEX)
    roll(cluster, "memberlist+dynamodb", mirror=False)
    switch(cluster, "memberlist", mirror=True)
    switch(cluster, "dynamodb", mirror=True)
    keys = ("collectors/ring", "collectors/store-gateway", "collectors/compactor", "rulers/ring")
    assert [len(cluster.items.query("rings", key)) for key in keys] == [3, 0, 0, 0]
    assert cluster.all_ready()
    assert cluster.lost == 0
