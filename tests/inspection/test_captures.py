"""The inspection understands what real pods answered, in every state of a migration."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from builders import page, path_of

from mimir_migrate.inspection.inspect import inspect
from mimir_migrate.model.facts import Inspection, Pod
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.ports import Page

pytestmark = pytest.mark.corpus
RINGS = {"ingester": 3, "store-gateway": 2, "compactor": 2, "ruler": 2, "alertmanager": 2}
STATES = {
    "1-memberlist": StoreState.MEMBERLIST,
    "2-multi-memberlist-primary": StoreState.MEMBERLIST_DYNAMODB,
    "3-multi-dynamodb-primary": StoreState.DYNAMODB_MEMBERLIST,
    "4-dynamodb": StoreState.DYNAMODB,
}


def inspected(small: ModuleType, captures: Path, folder: str) -> Inspection:
    """An inspection of the captured pods."""
    cluster = small.SmallCluster(sizes={})
    names = sorted(path.name for path in (captures / folder).iterdir() if path.is_dir())
    cluster.pod_list = tuple(
        Pod(
            name=name,
            uid=f"uid-{name}",
            ip=f"127.0.1.{10 + number}",
            image="cortex",
            targets=(name.rsplit("-", 1)[0],),
        )
        for number, name in enumerate(names)
    )
    for pod in cluster.pod_list:
        defaults = captures / "config-defaults.yaml"
        cluster.answers[pod.name, "/config?mode=defaults"] = page(defaults)
        for file in (captures / folder / pod.name).iterdir():
            cluster.answers[pod.name, path_of(file.name)] = page(file)
        cluster.answers[pod.name, "*"] = Page(status=404, content_type="text/plain", body=b"404")
    return inspect(cluster.world(), Target())


@pytest.mark.parametrize("folder", list(STATES))
def test_every_state_is_recognised(small: ModuleType, captures: Path, folder: str) -> None:
    """State, primary, mirror and members of all five rings, and nothing unanswered."""
    found = inspected(small, captures, folder)

    state = STATES[folder]
    assert found.product is Product.CORTEX
    for name, size in RINGS.items():
        ring = found.ring(name)
        assert ring is not None
        assert ring.state is state
        assert ring.primaries == (state.primary,)
        assert ring.mirrors == ((True,) if state.is_multi else ())
        assert len(ring.members) == size
        assert ring.unknown == ()
    assert [facts.unanswered for facts in found.pods] == [()] * len(found.pods)
    assert {offer.ring for offer in found.offers if "dynamodb" in offer.stores} >= set(RINGS)


def test_gossip_and_replicas_are_read(small: ModuleType, captures: Path) -> None:
    """Each gossiping pod lists all 14, and its replica holds the members the pages show."""
    found = inspected(small, captures, "3-multi-dynamodb-primary")

    ruler = next(facts for facts in found.pods if facts.pod.name == "ruler-0")
    assert ruler.gossip is not None
    assert len([member for member in ruler.gossip.members if member.alive]) == 14
    view = ruler.ring("ruler")
    assert view is not None
    assert {member.id for member in view.memberlist or ()} == {"ruler-0", "ruler-1"}
    assert view.clients[0].primary == Store.DYNAMODB.value
    assert view.clients[0].mirror_writes == 10


def test_on_dynamodb_alone_no_pod_gossips(small: ModuleType, captures: Path) -> None:
    """Memberlist is started by the first ring that uses it; then a pod says it has none."""
    found = inspected(small, captures, "4-dynamodb")

    assert not any(facts.gossip and facts.gossip.running for facts in found.pods)
