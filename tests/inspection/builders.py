"""What an inspection finds where all is well, read from pages, and ways to change one field of it.

The pages are the small cluster's or captured ones, so that rules are held to what is really read. Facts
that nobody has to read come from `release.release`; what changes a field is the same for both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import release
import small_cluster
from release import with_facts, with_workload  # noqa: F401 - tests take both from here

from mimir_migrate.inspection.inspect import inspect
from mimir_migrate.inspection.summary import summarize
from mimir_migrate.model.facts import Inspection, Member, PodFacts, PodRing, TableItems
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import KVConfig, StoreState
from mimir_migrate.model.target import KubernetesTarget, TableTarget, Target
from mimir_migrate.ports import Page

TARGET = Target(
    kubernetes=KubernetesTarget(namespace="observability", release="metrics"),
    dynamodb=TableTarget(table="rings", puller_sync_time="10s"),
)
_FOLDERS = {
    StoreState.MEMBERLIST: "1-memberlist",
    StoreState.MEMBERLIST_DYNAMODB: "2-multi-memberlist-primary",
    StoreState.DYNAMODB_MEMBERLIST: "3-multi-dynamodb-primary",
    StoreState.DYNAMODB: "4-dynamodb",
}
_TEN = "127.0.1."


@cache
def own(
    state: StoreState = StoreState.MEMBERLIST, product: Product = Product.CORTEX
) -> Inspection:
    """A healthy inspection of the small cluster with its ring table."""
    cluster = small_cluster.SmallCluster(product, state)
    cluster.dynamodb["rings"] = small_cluster.ring_table()
    return settled(inspect(cluster.world(), TARGET))


@cache
def captured(captures: Path, state: StoreState = StoreState.MEMBERLIST) -> Inspection:
    """An inspection of the captured pods, placed in the small cluster's Kubernetes."""
    cluster = small_cluster.SmallCluster(Product.CORTEX, state)
    cluster.dynamodb["rings"] = small_cluster.ring_table()
    folder = captures / _FOLDERS[state]
    cluster.pod_list = tuple(
        msgspec.structs.replace(
            pod,
            name=pod.name.removeprefix("metrics-"),
            ip=f"{_TEN}{number + 10}",
            gossips=True,
        )
        for number, pod in enumerate(cluster.pod_list)
    )
    for pod in cluster.pod_list:
        for file in (folder / pod.name).iterdir():
            cluster.answers[pod.name, path_of(file.name)] = page(file)
        cluster.answers[pod.name, "/config?mode=defaults"] = page(
            captures / "config-defaults.yaml"
        )
        cluster.answers[pod.name, "*"] = Page(status=404, content_type="text/plain", body=b"404")
    return settled(inspect(cluster.world(), TARGET))


def page(file: Path) -> Page:
    """A captured page."""
    return Page(status=200, content_type="text/plain", body=file.read_bytes())


def path_of(name: str) -> str:
    """The path of a captured file: `/` became `_`, `?` `__`, `=` `-`."""
    if name.startswith("memberlist__viewKey-"):
        key = name.removeprefix("memberlist__viewKey-").removesuffix("_format-json")
        return f"/memberlist?viewKey={key.replace('_', '/', 1)}&format=json"
    if name.startswith("config__mode-"):
        return f"/config?mode={name.removeprefix('config__mode-')}"
    if name.endswith("_ring"):
        return f"/{name.removesuffix('_ring')}/ring"
    return f"/{name}"


def settled(inspection: Inspection) -> Inspection:
    """With gossip settings that nothing is said against, and items for every ring."""
    names = {ring.ring for ring in inspection.rings if ring.movable and ring.enabled}

    def settle(facts: PodFacts) -> PodFacts:
        return msgspec.structs.replace(
            facts,
            gossip_config=msgspec.structs.replace(
                facts.gossip_config,
                rejoin_interval=60.0,
                join_members=("dns+metrics-gossip-ring:7946",),
            ),
            pod=msgspec.structs.replace(facts.pod, gossips=True),
        )

    changed = with_each(inspection, settle)
    return msgspec.structs.replace(
        changed,
        items=tuple(
            TableItems(table="rings", ring=name, ring_key=name, members=(), at=changed.at)
            for name in sorted(names)
        ),
    )


def name_of(inspection: Inspection, component: str, number: int = 0) -> str:
    """The name of one pod of a component."""
    return [facts.pod.name for facts in inspection.pods if component in facts.pod.targets][number]


def facts_of(inspection: Inspection, component: str, number: int = 0) -> PodFacts:
    """What one pod of a component answered."""
    return release.facts_of(inspection, name_of(inspection, component, number))


def with_pod(inspection: Inspection, component: str, number: int = 0, **fields: Any) -> Inspection:
    """With fields of one pod, as Kubernetes has it, changed."""
    return release.with_pod(inspection, name_of(inspection, component, number), **fields)


def with_view(
    inspection: Inspection, component: str, ring: str, number: int = 0, **fields: Any
) -> Inspection:
    """With fields of one pod's view of one ring changed."""
    return release.with_view(inspection, name_of(inspection, component, number), ring, **fields)


def with_every_view(inspection: Inspection, ring: str, **fields: Any) -> Inspection:
    """With fields of every pod's view of one ring changed."""

    def change(facts: PodFacts) -> PodFacts:
        rings = tuple(
            msgspec.structs.replace(view, **fields) if view.ring == ring else view
            for view in facts.rings
        )
        return msgspec.structs.replace(facts, rings=rings)

    return with_each(inspection, change)


def with_every_pod(inspection: Inspection, **fields: Any) -> Inspection:
    """With the same fields of every pod's facts changed."""
    return with_each(inspection, lambda facts: msgspec.structs.replace(facts, **fields))


def with_each(inspection: Inspection, change: Callable[[PodFacts], PodFacts]) -> Inspection:
    """With every pod's facts changed, and the summaries computed again."""
    pods = tuple(change(facts) for facts in inspection.pods)
    return msgspec.structs.replace(
        inspection, pods=pods, rings=summarize(inspection.product, pods)
    )


def view_of(inspection: Inspection, component: str, ring: str, number: int = 0) -> PodRing:
    """One pod's view of one ring."""
    view = facts_of(inspection, component, number).ring(ring)
    assert view is not None
    return view


def config_of(inspection: Inspection, component: str, ring: str) -> KVConfig:
    """One pod's configuration of one ring."""
    config = view_of(inspection, component, ring).config
    assert config is not None
    return config


def with_member(
    inspection: Inspection, component: str, ring: str, change: Callable[[Member], Member]
) -> Inspection:
    """With the first member that a pod's page shows changed."""
    members = view_of(inspection, component, ring).members
    assert members
    return with_view(inspection, component, ring, members=(change(members[0]), *members[1:]))


def with_items(
    inspection: Inspection, ring: str, *members: Member, earlier: tuple[Member, ...] | None = None
) -> Inspection:
    """With these items of one ring, and perhaps those of an earlier read."""
    changed = release.with_items(inspection, ring, members)
    before: tuple[TableItems, ...] = ()
    if earlier is not None:
        before = tuple(
            msgspec.structs.replace(each, members=earlier)
            for each in changed.items
            if each.ring == ring
        )
    return msgspec.structs.replace(changed, earlier_items=before)
