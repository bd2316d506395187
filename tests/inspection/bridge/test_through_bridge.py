"""Rings on Consul at the bridge's host are on DynamoDB for everything that judges; no other Consul is."""

from __future__ import annotations

from types import ModuleType

import msgspec
import pytest

from mimir_migrate.documents.config.kv_blocks import (
    OWN_CLIENT,
    kv_config,
    runtime_block,
    spelled_block,
)
from mimir_migrate.inspection.inspect import inspect
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import BridgeSettings, RuntimeBlock, Store, StoreState
from mimir_migrate.model.target import (
    BridgeTarget,
    KubernetesTarget,
    TableTarget,
    Target,
    Through,
)

NATIVELY = Target(
    kubernetes=KubernetesTarget(namespace="observability", release="metrics"),
    dynamodb=TableTarget(table="rings"),
)
THROUGH = msgspec.structs.replace(
    NATIVELY,
    dynamodb=TableTarget(table="rings", through=Through.BRIDGE),
    bridge=BridgeTarget(service="ring-bridge.observability.svc"),
)
HOST = "ring-bridge.observability.svc:8500"
BRIDGE = BridgeSettings(host=HOST, namespace="observability")


def seen(small: ModuleType, state: StoreState, target: Target, *, host: str = HOST) -> Inspection:
    cluster = small.SmallCluster(Product.MIMIR, state)
    cluster.consul = host
    cluster.stores = ("consul", "etcd", "multi")
    cluster.runtime = b"multi_kv_config: {primary: consul, mirror_enabled: true}\n"
    cluster.dynamodb["rings"] = small.Table(name="rings", keys=small.RING_TABLE_KEYS)
    return inspect(cluster.world(), target)


@pytest.mark.parametrize("state", list(StoreState))
def test_every_state_is_read_as_one_of_dynamodb(small: ModuleType, state: StoreState) -> None:
    """Static state, what is read, what is mirrored, the runtime block, and what binaries offer."""
    found = seen(small, state, THROUGH)

    ring = found.ring("ingester")
    assert ring is not None
    assert (ring.state, ring.other_stores) == (state, ())
    assert ring.primaries == (state.primary,)
    assert {facts.runtime.block.primary for facts in found.pods if facts.runtime} == {"dynamodb"}
    assert {offer.stores for offer in found.offers} == {
        ("dynamodb", "etcd", "inmemory", "memberlist", "multi")
    }
    table = found.table_items("ingester")
    assert table is not None
    assert table.table == "rings"
    views = [view for facts in found.pods for view in facts.rings if view.ring == "ingester"]
    assert {view.config.through_bridge for view in views if view.config} == {
        Store.DYNAMODB in state.stores
    }


@pytest.mark.parametrize(
    ("target", "host"), [(NATIVELY, HOST), (THROUGH, "consul:8500"), (THROUGH, "localhost:8500")]
)
def test_any_other_consul_is_somebody_elses_store(
    small: ModuleType, target: Target, host: str
) -> None:
    """Without the target's word, or at another host."""
    ring = seen(small, StoreState.MEMBERLIST_DYNAMODB, target, host=host).ring("ingester")

    assert ring is not None
    assert (ring.states, ring.other_stores) == ((), ("multi(memberlist,consul)",))


def test_a_ring_on_the_pods_own_client_is_another_store_beside_the_bridge(
    small: ModuleType,
) -> None:
    """Two writers of one table in two ways would delete each other's members."""
    found = inspect(small.SmallCluster(Product.MIMIR, StoreState.DYNAMODB).world(), THROUGH)

    ring = found.ring("ingester")
    assert ring is not None
    assert (ring.state, ring.other_stores) == (None, (OWN_CLIENT,))


def test_a_binary_without_a_consul_client_offers_no_dynamodb(small: ModuleType) -> None:
    """Also where it has a DynamoDB client of its own: that is not how it is to be reached."""
    cluster = small.SmallCluster(Product.MIMIR)
    cluster.stores = ("dynamodb", "multi")

    found = inspect(cluster.world(), THROUGH)

    assert all("dynamodb" not in offer.stores for offer in found.offers)


def test_values_and_blocks_are_understood_and_written_alike() -> None:
    """The file's `kvstore`, and the runtime block in both directions."""
    block = {
        "store": "multi",
        "multi": {"primary": "consul", "secondary": "memberlist", "mirror_enabled": True},
        "consul": {"host": "ring-bridge:8500"},
        "dynamodb": {"table_name": "old"},
    }
    config = kv_config(block, BRIDGE)
    assert config.state is StoreState.DYNAMODB_MEMBERLIST
    assert (config.consul_host, config.through_bridge) == ("ring-bridge:8500", True)
    assert config.dynamodb is None
    assert kv_config(block).state is None

    said = RuntimeBlock(primary="dynamodb", mirror_enabled=True)
    written = spelled_block(said, BRIDGE)
    assert written == RuntimeBlock(primary="consul", mirror_enabled=True)
    assert runtime_block({"primary": "consul", "mirror_enabled": True}, BRIDGE) == said
    assert runtime_block({"primary": "dynamodb"}, BRIDGE).primary == OWN_CLIENT
    assert spelled_block(said, None) is said
