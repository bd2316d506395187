"""Every finding has a case that passes, one that fails and one that is unknown.

Each case is a healthy inspection with one field changed. All run on the small cluster's facts and,
where they are present, on facts from captures of real pods.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import bridged
import msgspec
import pytest
import release as fake
import yaml

from mimir_migrate.documents.config.check import UnknownKey
from mimir_migrate.documents.network_policies import policy_from_json
from mimir_migrate.inspection.findings import RULES, blocks, judge, obvious_store
from mimir_migrate.inspection.question import ComponentFlag, ValuesFacts
from mimir_migrate.model.facts import (
    Autoscaler,
    Bridge,
    BuildInfo,
    Gossip,
    GossipMember,
    Inspection,
    Member,
    MemberState,
    PodFacts,
    Release,
    RingHead,
    RuntimeView,
    TableKey,
    Unanswered,
)
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.plan import Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState
from mimir_migrate.model.target import (
    DeployMethod,
    DeployTarget,
    TableTarget,
    Target,
    TerraformTarget,
)


class Given:
    """Inspections to start from, and the builders' ways to change them."""

    def __init__(self, build: ModuleType, captures: Path | None) -> None:
        self.build = build
        self._captures = captures

    def base(self, state: StoreState = StoreState.MEMBERLIST) -> Inspection:
        """A healthy Cortex in one state."""
        if self._captures is not None:
            return self.build.captured(self._captures, state)
        return self.build.own(state)

    def mimir(self, state: StoreState = StoreState.MEMBERLIST) -> Inspection:
        """A healthy Mimir; there are no captures of one."""
        return self.build.own(state, Product.MIMIR)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.build, name)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Facts, and what they are judged for."""

    inspection: Inspection
    to: Store | None = Store.DYNAMODB
    rings: tuple[str, ...] = ()
    target: Target | None = None
    values: ValuesFacts | None = None
    strategy: Strategy = Strategy.AUTO

    def findings(self, target: Target) -> tuple[Finding, ...]:
        return judge(
            self.inspection,
            target=self.target or target,
            to=self.to,
            rings=self.rings,
            values=self.values,
            strategy=self.strategy,
        )


Make = Callable[[Given], Case]


class Cases(msgspec.Struct, frozen=True, kw_only=True):
    """The cases of one finding; a reason in place of a case says why it cannot occur."""

    passes: tuple[Make, ...]
    fails: tuple[Make, ...] | str
    unknown: tuple[Make, ...] | str
    severity: Severity = Severity.BLOCKS


def with_policies(given: Given, *texts: str) -> Inspection:
    """A healthy inspection in a namespace with these policies."""
    policies = tuple(
        policy_from_json({"metadata": {"name": f"policy-{number}"}, **yaml.safe_load(text)})
        for number, text in enumerate(texts)
    )
    return msgspec.structs.replace(given.base(), policies=policies)


A, AB, BA, B = StoreState
SILENT = Unanswered(source="pod x GET /config?mode=diff", reason="timed out")
STRANGER = Member(
    id="stranger",
    address="172.31.0.9:9095",
    state=MemberState.ACTIVE,
    timestamp=1_795_337_000,
    tokens=(1,),
)


def changed(given: Inspection, **fields: Any) -> Inspection:
    """The inspection with top-level fields changed."""
    return msgspec.structs.replace(given, **fields)


def without_store(given: Inspection, store: str) -> Inspection:
    """The images offer all but one store."""
    return changed(
        given,
        offers=tuple(
            msgspec.structs.replace(offer, stores=tuple(set(offer.stores) - {store}))
            for offer in given.offers
        ),
    )


def with_version(g: Given, version: str) -> Inspection:
    """Every pod runs this version."""
    return g.with_every_pod(g.base(), build=BuildInfo(version=version, revision="a8c6358a"))


def with_args(g: Given, component: str, *args: str) -> Inspection:
    """One pod of a component has more arguments."""
    given = g.base()
    pod = g.facts_of(given, component).pod
    return g.with_pod(given, component, args=(*pod.args, *args))


def with_config(
    g: Given, given: Inspection, component: str, ring: str, **fields: Any
) -> Inspection:
    """One pod's kvstore of one ring differs."""
    config = msgspec.structs.replace(g.config_of(given, component, ring), **fields)
    return g.with_view(given, component, ring, config=config)


def with_clients(g: Given, given: Inspection, ring: str, **fields: Any) -> Inspection:
    """The clients of one ring on its first writer say something else."""
    view = g.view_of(given, ring, ring)
    clients = tuple(msgspec.structs.replace(client, **fields) for client in view.clients)
    return g.with_view(given, ring, ring, clients=clients)


def silent_about(g: Given, component: str, ring: str, state: StoreState = A) -> Inspection:
    """One pod did not tell its configuration of a ring."""
    return g.with_view(g.base(state), component, ring, config=None, clients=())


def with_gossip(g: Given, given: Inspection, change: Callable[[Gossip], Gossip]) -> Inspection:
    """One pod's memberlist page differs."""
    facts = g.facts_of(given, "ruler")
    assert facts.gossip is not None
    return g.with_facts(given, facts.pod.name, gossip=change(facts.gossip))


def with_gossip_config(
    g: Given, given: Inspection, *, everywhere: bool = True, **fields: Any
) -> Inspection:
    """The memberlist block differs, on every pod or on one."""
    only = g.name_of(given, "ruler")

    def change(facts: PodFacts) -> PodFacts:
        if not everywhere and facts.pod.name != only:
            return facts
        config = msgspec.structs.replace(facts.gossip_config, **fields)
        return msgspec.structs.replace(facts, gossip_config=config)

    changed_config: Inspection = g.with_each(given, change)
    return changed_config


def with_runtime(g: Given, given: Inspection, **fields: Any) -> Inspection:
    """Every pod has loaded another runtime configuration."""
    changed_runtime: Inspection = g.with_each(
        given,
        lambda facts: msgspec.structs.replace(
            facts, runtime=msgspec.structs.replace(facts.runtime, **fields)
        ),
    )
    return changed_runtime


def with_table(given: Inspection, **fields: Any) -> Inspection:
    """The ring table differs."""
    table = given.tables["rings"]
    assert table is not None
    return changed(given, tables={"rings": msgspec.structs.replace(table, **fields)})


def target(g: Given, **dynamodb: Any) -> Target:
    """The target with another table or another poll."""
    table = msgspec.structs.replace(g.TARGET.dynamodb, **dynamodb)
    return msgspec.structs.replace(g.TARGET, dynamodb=table)


def external(g: Given, method: DeployMethod = DeployMethod.EXTERNAL) -> Target:
    """The target with another way to deploy."""
    return msgspec.structs.replace(g.TARGET, deploy=DeployTarget(method=method))


def with_unexpected(inspection: Inspection, *names: str) -> Inspection:
    """The first pod's metrics show what nobody expects there."""
    first, *rest = inspection.pods
    return changed(inspection, pods=(msgspec.structs.replace(first, unexpected=names), *rest))


def with_lacking(g: Given, *settings: str) -> Inspection:
    """A release with a binary that lacks settings."""
    inspection = g.base()
    name = inspection.pods[0].pod.name
    return g.with_facts(inspection, name, lacking=settings)


def with_absent(g: Given, inspection: Inspection) -> Inspection:
    """The rulers' metrics lack a client of their ring."""
    return g.with_view(inspection, "ruler", "ruler", absent=('kv_name="ruler"',))


def healthy(g: Given) -> Case:
    """Nothing is wrong."""
    return Case(inspection=g.base())


def moved(member: Member, seconds: int) -> Member:
    """The member with a heartbeat some seconds later."""
    return msgspec.structs.replace(member, timestamp=member.timestamp + seconds)


CASES: dict[str, Cases] = {
    "store-not-offered": Cases(
        passes=(
            healthy,
            lambda g: Case(inspection=without_store(g.base(B), "dynamodb"), to=Store.MEMBERLIST),
        ),
        fails=(
            lambda g: Case(inspection=without_store(g.base(), "dynamodb")),
            lambda g: Case(inspection=without_store(g.base(), "multi")),
            lambda g: Case(inspection=without_store(g.mimir(), "dynamodb"), to=None),
        ),
        unknown=(
            lambda g: Case(inspection=changed(g.base(), offers=())),
            lambda g: Case(inspection=g.with_pod(g.base(), "ruler", image="cortex:other")),
        ),
    ),
    "store-client-version": Cases(
        passes=(
            lambda g: Case(inspection=with_version(g, "1.22.0")),
            lambda g: Case(
                inspection=g.with_every_pod(g.base(), build=BuildInfo(version="1.15.0")),
                to=Store.MEMBERLIST,
            ),
        ),
        fails=(
            lambda g: Case(inspection=with_version(g, "1.15.3")),
            lambda g: Case(inspection=with_version(g, "v1.14")),
        ),
        unknown=(lambda g: Case(inspection=g.with_every_pod(g.base(), build=None)),),
    ),
    "flag-overrides-store": Cases(
        passes=(
            lambda g: Case(inspection=with_args(g, "ruler", "-memberlist.bind-port=7946")),
            lambda g: Case(
                inspection=with_args(g, "ruler", "-ruler.ring.store=consul"), rings=("compactor",)
            ),
        ),
        fails=(
            lambda g: Case(inspection=with_args(g, "ruler", "-ruler.ring.store=memberlist")),
            lambda g: Case(inspection=with_args(g, "ingester", "-multi.primary=memberlist")),
            lambda g: Case(inspection=with_args(g, "ruler", "--ruler.ring.dynamodb.region=x")),
            lambda g: Case(
                inspection=g.base(),
                values=ValuesFacts(
                    equals_release=True,
                    flags=(ComponentFlag(component="ruler", flag="ruler.ring.store"),),
                ),
            ),
        ),
        unknown="the arguments come with the pods; without pods there is no inspection",
    ),
    "other-store": Cases(
        passes=(healthy, lambda g: Case(inspection=g.base(BA))),
        fails=(
            lambda g: Case(inspection=with_config(g, g.base(), "ruler", "ruler", store="consul")),
            lambda g: Case(
                inspection=with_config(g, g.base(AB), "ruler", "ruler", secondary="etcd")
            ),
        ),
        unknown=(lambda g: Case(inspection=silent_about(g, "ruler", "ruler")),),
    ),
    "ring-unhealthy": Cases(
        passes=(
            healthy,
            lambda g: Case(
                inspection=g.with_member(
                    g.base(),
                    "ruler",
                    "ruler",
                    lambda member: msgspec.structs.replace(member, state=MemberState.READONLY),
                )
            ),
        ),
        fails=(
            *(
                lambda g, state=state: Case(
                    inspection=g.with_member(
                        g.base(),
                        "ruler",
                        "ruler",
                        lambda member: msgspec.structs.replace(member, state=state),
                    )
                )
                for state in (
                    MemberState.UNHEALTHY,
                    MemberState.LEAVING,
                    MemberState.JOINING,
                    MemberState.PENDING,
                )
            ),
            lambda g: Case(
                inspection=g.with_member(
                    g.base(),
                    "ruler",
                    "ruler",
                    lambda member: msgspec.structs.replace(member, address="10.9.9.9:9095"),
                )
            ),
            lambda g: Case(
                inspection=g.with_member(
                    g.base(),
                    "ruler",
                    "ruler",
                    lambda member: msgspec.structs.replace(member, timestamp=0),
                )
            ),
            lambda g: Case(inspection=g.with_view(g.base(), "ruler", "ruler", members=())),
            lambda g: Case(
                inspection=g.with_view(
                    g.base(),
                    "querier",
                    "store-gateway",
                    member_count={"ACTIVE": 1, "UNHEALTHY": 1},
                )
            ),
        ),
        unknown=(
            lambda g: Case(
                inspection=g.with_every_view(
                    g.base(), "ruler", members=None, member_count=None, page_served=False
                )
            ),
        ),
    ),
    "pods-disagree": Cases(
        passes=(healthy, lambda g: Case(inspection=g.base(AB))),
        fails=(
            lambda g: Case(
                inspection=with_config(g, g.base(), "ruler", "ruler", store="dynamodb")
            ),
            lambda g: Case(inspection=with_clients(g, g.base(AB), "ruler", primary="dynamodb")),
            lambda g: Case(inspection=with_clients(g, g.base(AB), "ruler", mirror_enabled=False)),
            lambda g: Case(inspection=with_config(g, g.base(), "ruler", "ruler", prefix="mine/")),
            lambda g: Case(
                inspection=with_config(
                    g,
                    g.base(B),
                    "ruler",
                    "ruler",
                    dynamodb=msgspec.structs.replace(
                        g.config_of(g.base(B), "ruler", "ruler").dynamodb, table_name="other"
                    ),
                )
            ),
        ),
        unknown=(
            lambda g: Case(inspection=silent_about(g, "ruler", "ruler")),
            lambda g: Case(inspection=g.with_view(g.base(AB), "ruler", "ruler", clients=())),
        ),
    ),
    "rollout-in-progress": Cases(
        passes=(healthy,),
        fails=(
            lambda g: Case(inspection=g.with_workload(g.base(), "ruler", updated_replicas=1)),
            lambda g: Case(inspection=g.with_workload(g.base(), "ruler", ready_replicas=1)),
            lambda g: Case(inspection=g.with_workload(g.base(), "ruler", generation=2)),
            lambda g: Case(
                inspection=g.with_workload(
                    g.base(), "ingester", updated_replicas=0, update_strategy="OnDelete"
                )
            ),
        ),
        unknown=(
            lambda g: Case(inspection=g.with_workload(g.base(), "ruler", current_revision="")),
        ),
    ),
    "old-pods-alive": Cases(
        passes=(healthy,),
        fails=(
            lambda g: Case(inspection=g.with_pod(g.base(), "ruler", deleted_at=1.0)),
            lambda g: Case(inspection=g.with_pod(g.base(), "ruler", revision="ruler-0")),
            lambda g: Case(inspection=g.with_pod(g.base(), "ruler", node_lost=True)),
        ),
        unknown=(
            lambda g: Case(inspection=g.with_pod(g.base(), "ruler", owner="nobody")),
            lambda g: Case(inspection=g.with_pod(g.base(), "ruler", revision="")),
        ),
    ),
    "pod-unanswered": Cases(
        passes=(
            healthy,
            lambda g: Case(
                inspection=g.with_facts(
                    g.with_pod(g.base(), "ruler", deleted_at=1.0),
                    g.name_of(g.base(), "ruler"),
                    unanswered=(SILENT,),
                )
            ),
        ),
        fails="a question without an answer is unknown by its nature",
        unknown=(
            lambda g: Case(
                inspection=g.with_facts(
                    g.base(), g.name_of(g.base(), "ruler"), unanswered=(SILENT,)
                )
            ),
        ),
    ),
    "source-unanswered": Cases(
        passes=(healthy,),
        fails="a question without an answer is unknown by its nature",
        unknown=(
            lambda g: Case(
                inspection=changed(
                    g.base(), unanswered=(Unanswered(source="the AWS account", reason="expired"),)
                )
            ),
        ),
    ),
    "table-missing": Cases(
        passes=(
            healthy,
            lambda g: Case(inspection=changed(g.base(), tables={}), to=Store.MEMBERLIST),
        ),
        fails=(
            lambda g: Case(inspection=changed(g.base(AB), tables={"rings": None})),
            lambda g: Case(inspection=with_table(g.base(), status="DELETING")),
            lambda g: Case(inspection=g.base(), target=target(g, table="")),
            lambda g: Case(
                inspection=changed(g.base(), tables={"rings": None}),
                target=changed(g.TARGET, terraform=TerraformTarget(dir="terraform")),
            ),
        ),
        unknown=(
            lambda g: Case(inspection=changed(g.base(), tables={})),
            lambda g: Case(inspection=changed(g.base(B), tables={}), to=Store.MEMBERLIST),
        ),
    ),
    "table-wrong-keys": Cases(
        passes=(healthy, lambda g: Case(inspection=changed(g.base(), tables={"rings": None}))),
        fails=(
            lambda g: Case(
                inspection=with_table(
                    g.base(),
                    keys=(
                        TableKey(name="metric_name", role="HASH", type="S"),
                        TableKey(name="timestamp", role="RANGE", type="S"),
                    ),
                )
            ),
            lambda g: Case(
                inspection=with_table(
                    g.base(),
                    keys=(
                        TableKey(name="RingKey", role="HASH", type="S"),
                        TableKey(name="InstanceKey", role="RANGE", type="N"),
                    ),
                )
            ),
        ),
        unknown=(lambda g: Case(inspection=with_table(g.base(), keys=())),),
    ),
    "table-in-use": Cases(
        passes=(
            healthy,
            lambda g: Case(
                inspection=g.with_items(
                    g.base(), "ruler", *(g.view_of(g.base(), "ruler", "ruler").members or ())
                )
            ),
        ),
        fails=(
            lambda g: Case(
                inspection=g.with_items(
                    g.base(), "ruler", moved(STRANGER, 15), earlier=(STRANGER,)
                )
            ),
            lambda g: Case(inspection=g.with_items(g.base(), "ruler", STRANGER, earlier=())),
        ),
        unknown=(
            lambda g: Case(inspection=g.with_items(g.base(), "ruler", STRANGER)),
            lambda g: Case(inspection=changed(g.base(), items=())),
            lambda g: Case(
                inspection=changed(
                    g.base(),
                    items=tuple(
                        msgspec.structs.replace(items, undecodable=("x",))
                        for items in g.base().items
                    ),
                )
            ),
        ),
    ),
    "rollout-outruns-poll": Cases(
        passes=(
            lambda g: Case(
                inspection=g.with_every_view(g.base(), "ingester", min_ready_duration=40.0)
            ),
            lambda g: Case(
                inspection=g.with_every_view(
                    g.base(), "ingester", min_ready_duration=30.0, heartbeat_period=10.0
                )
            ),
            lambda g: Case(inspection=g.base(), rings=("ruler",)),
        ),
        fails=(
            lambda g: Case(
                inspection=g.with_every_view(g.base(), "ingester", min_ready_duration=0.0)
            ),
            lambda g: Case(
                inspection=g.with_every_view(
                    g.base(), "ingester", min_ready_duration=29.0, heartbeat_period=10.0
                )
            ),
            lambda g: Case(
                inspection=g.with_every_view(g.base(B), "ingester", min_ready_duration=None)
            ),
        ),
        unknown="It warns only, and a pod that does not tell is blocked by pod-unanswered already.",
        severity=Severity.WARNS,
    ),
    "puller-sync-too-slow": Cases(
        passes=(
            healthy,
            lambda g: Case(
                inspection=g.with_every_view(g.base(), "alertmanager", heartbeat_timeout=0.0),
                rings=("alertmanager",),
                target=target(g, puller_sync_time="10m"),
            ),
            lambda g: Case(
                inspection=g.base(), to=Store.MEMBERLIST, target=target(g, puller_sync_time="10m")
            ),
        ),
        fails=(
            lambda g: Case(inspection=g.base(), target=target(g, puller_sync_time="1m")),
            lambda g: Case(
                inspection=g.base(),
                values=ValuesFacts(equals_release=True, heartbeats={"ruler": (30.0, 60.0)}),
            ),
            lambda g: Case(inspection=g.with_every_view(g.base(), "ruler", heartbeat_period=25.0)),
            lambda g: Case(
                inspection=g.with_view(g.base(B), "ruler", "ruler", puller_sync_time=60.0)
            ),
        ),
        unknown=(
            lambda g: Case(inspection=g.base(), target=target(g, puller_sync_time="often")),
            lambda g: Case(inspection=g.with_every_view(g.base(), "ruler", heartbeat_period=None)),
            lambda g: Case(
                inspection=g.with_every_view(g.base(), "ruler", heartbeat_timeout=None)
            ),
        ),
    ),
    "runtime-config-missing": Cases(
        passes=(
            healthy,
            lambda g: Case(
                inspection=with_runtime(g, g.base(), file=""), rings=("ruler", "compactor")
            ),
        ),
        fails=(
            lambda g: Case(inspection=with_runtime(g, g.base(), file="")),
            lambda g: Case(inspection=with_runtime(g, g.mimir(), file=""), rings=("ruler",)),
            lambda g: Case(inspection=with_runtime(g, g.base(), reload_successful=False)),
        ),
        unknown=(lambda g: Case(inspection=g.with_every_pod(g.base(), runtime=None)),),
    ),
    "runtime-block-left": Cases(
        passes=(
            healthy,
            lambda g: Case(
                inspection=with_runtime(
                    g, g.base(AB), block=RuntimeBlock(primary="memberlist", mirror_enabled=True)
                )
            ),
        ),
        fails=(
            lambda g: Case(
                inspection=with_runtime(
                    g, g.base(AB), block=RuntimeBlock(primary="consul", mirror_enabled=True)
                )
            ),
        ),
        unknown=(lambda g: Case(inspection=g.with_every_pod(g.base(), runtime=None)),),
    ),
    "unchosen-multi-ring": Cases(
        passes=(
            healthy,
            lambda g: Case(inspection=g.mimir(AB)),
            lambda g: Case(inspection=g.base(AB), rings=("ingester",)),
            lambda g: Case(inspection=g.mimir(AB), rings=("ruler",), strategy=Strategy.STATIC),
        ),
        fails=(
            lambda g: Case(inspection=g.mimir(AB), rings=("ruler",)),
            lambda g: Case(
                inspection=with_config(
                    g,
                    g.mimir(),
                    "compactor",
                    "compactor",
                    store="multi",
                    primary="consul",
                    secondary="etcd",
                ),
                rings=("ruler",),
            ),
        ),
        unknown=(
            lambda g: Case(
                inspection=g.with_view(
                    g.mimir(), "compactor", "compactor", config=None, clients=()
                ),
                rings=("ruler",),
            ),
        ),
    ),
    "mixed-state": Cases(
        passes=(healthy, lambda g: Case(inspection=g.base(B), to=Store.MEMBERLIST)),
        fails=(
            lambda g: Case(inspection=g.base(AB)),
            lambda g: Case(
                inspection=g.with_every_view(
                    g.base(), "ruler", config=g.config_of(g.base(B), "ruler", "ruler")
                )
            ),
        ),
        unknown=(lambda g: Case(inspection=silent_about(g, "ruler", "ruler")),),
        severity=Severity.WARNS,
    ),
    "network-policy-closes": Cases(
        passes=(
            healthy,
            lambda g: Case(inspection=with_policies(g, "spec: {podSelector: {}, ingress: [{}]}")),
            lambda g: Case(
                inspection=with_policies(
                    g,
                    "spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}",
                )
            ),
        ),
        fails=(
            lambda g: Case(inspection=with_policies(g, "spec: {podSelector: {}}")),
            lambda g: Case(
                inspection=with_policies(
                    g,
                    "spec: {podSelector: {}, egress: [{ports: [{port: 8080}]}], ingress: [{}]}",
                )
            ),
        ),
        unknown="policies that cannot be read close nothing that is known; they only explain",
        severity=Severity.WARNS,
    ),
    "pods-asked-through-port-forward": Cases(
        passes=(healthy,),
        fails=(
            lambda g: Case(
                inspection=msgspec.structs.replace(g.base(), forwards_because="i/o timeout")
            ),
        ),
        unknown="it is the tool's own doing",
        severity=Severity.INFORMS,
    ),
    "gossip-broken": Cases(
        passes=(healthy, lambda g: Case(inspection=g.base(B), to=Store.MEMBERLIST)),
        fails=(
            lambda g: Case(
                inspection=with_gossip(
                    g,
                    g.base(),
                    lambda gossip: msgspec.structs.replace(gossip, members=gossip.members[1:]),
                )
            ),
            lambda g: Case(
                inspection=with_gossip(
                    g,
                    g.base(),
                    lambda gossip: msgspec.structs.replace(
                        gossip,
                        members=(
                            msgspec.structs.replace(gossip.members[0], alive=False),
                            *gossip.members[1:],
                        ),
                    ),
                )
            ),
            lambda g: Case(
                inspection=with_gossip(
                    g,
                    g.base(),
                    lambda gossip: msgspec.structs.replace(
                        gossip,
                        members=(
                            *gossip.members,
                            GossipMember(name="loki", ip="10.44.0.1", alive=True),
                        ),
                    ),
                )
            ),
            lambda g: Case(inspection=with_gossip(g, g.base(), lambda _: Gossip(running=False))),
        ),
        unknown=(
            lambda g: Case(
                inspection=g.with_facts(g.base(), g.name_of(g.base(), "ruler"), gossip=None)
            ),
            lambda g: Case(
                inspection=with_gossip(
                    g,
                    g.base(),
                    lambda gossip: msgspec.structs.replace(
                        gossip,
                        members=(
                            msgspec.structs.replace(
                                gossip.members[0], alive=False, unread=("State 7",)
                            ),
                            *gossip.members[1:],
                        ),
                    ),
                )
            ),
        ),
    ),
    "gossip-cannot-start": Cases(
        passes=(
            lambda g: Case(inspection=g.base(B), to=Store.MEMBERLIST),
            lambda g: Case(
                inspection=with_gossip_config(
                    g,
                    g.base(B),
                    join_members=tuple(facts.pod.ip for facts in g.base(B).pods),
                ),
                to=Store.MEMBERLIST,
            ),
        ),
        fails=(
            lambda g: Case(
                inspection=with_gossip_config(g, g.base(B), join_members=()), to=Store.MEMBERLIST
            ),
            lambda g: Case(
                inspection=with_gossip_config(g, g.base(B), join_members=("10.0.0.1:7946",)),
                to=Store.MEMBERLIST,
            ),
            lambda g: Case(
                inspection=with_gossip_config(g, g.base(B), bind_port=7947), to=Store.MEMBERLIST
            ),
            lambda g: Case(
                inspection=with_gossip_config(
                    g, g.base(B), everywhere=False, cluster_label="another"
                ),
                to=Store.MEMBERLIST,
            ),
            lambda g: Case(
                inspection=with_gossip_config(g, g.base(B), abort_if_cluster_join_fails=True),
                to=Store.MEMBERLIST,
            ),
        ),
        unknown=(
            lambda g: Case(
                inspection=g.with_facts(
                    g.base(B), g.name_of(g.base(B), "ruler"), gossip_config=None
                ),
                to=Store.MEMBERLIST,
            ),
        ),
    ),
    "autoscaler-present": Cases(
        passes=(healthy,),
        fails=(
            lambda g: Case(
                inspection=changed(
                    g.base(),
                    autoscalers=(
                        Autoscaler(name="q", target="Deployment/querier", current=2, desired=5),
                    ),
                )
            ),
        ),
        unknown=(
            lambda g: Case(
                inspection=changed(
                    g.base(),
                    unanswered=(Unanswered(source="Kubernetes autoscalers", reason="forbidden"),),
                )
            ),
        ),
    ),
    "gitops-owner": Cases(
        passes=(healthy,),
        fails=(
            lambda g: Case(inspection=g.with_workload(g.base(), "ruler", managed_by="argocd")),
            lambda g: Case(
                inspection=g.with_workload(g.base(), "ruler", managed_by="flux"),
                target=external(g, DeployMethod.COMMAND),
            ),
        ),
        unknown="the labels come with the workloads; without workloads there is no inspection",
    ),
    "manifests-unknown": Cases(
        passes=(
            healthy,
            lambda g: Case(inspection=g.base(), target=external(g)),
            lambda g: Case(
                inspection=g.base(),
                target=msgspec.structs.replace(
                    g.TARGET,
                    deploy=DeployTarget(method=DeployMethod.COMMAND, template="helmfile template"),
                ),
            ),
        ),
        fails=(lambda g: Case(inspection=g.base(), target=external(g, DeployMethod.COMMAND)),),
        unknown="it is about the target alone, which is always known",
        severity=Severity.WARNS,
    ),
    "release-pending": Cases(
        passes=(
            healthy,
            lambda g: Case(inspection=changed(g.base(), release=None)),
        ),
        fails=(
            lambda g: Case(
                inspection=changed(
                    g.base(), release=Release(name="metrics", status="pending-upgrade", revision=4)
                )
            ),
            lambda g: Case(
                inspection=changed(g.base(), release=Release(name="metrics", status="failed"))
            ),
        ),
        unknown=(
            lambda g: Case(
                inspection=changed(
                    g.base(),
                    release=None,
                    unanswered=(
                        Unanswered(source="the helm release's Secret", reason="forbidden"),
                    ),
                )
            ),
        ),
    ),
    "values-differ-from-release": Cases(
        passes=(
            healthy,
            lambda g: Case(inspection=g.base(), values=ValuesFacts(equals_release=True)),
            lambda g: Case(
                inspection=changed(g.base(), release=None),
                values=ValuesFacts(),
                target=external(g),
            ),
        ),
        fails=(
            lambda g: Case(
                inspection=g.base(),
                values=ValuesFacts(equals_release=False, differing=("ruler.replicas",)),
            ),
        ),
        unknown=(
            lambda g: Case(inspection=g.base(), values=ValuesFacts()),
            lambda g: Case(inspection=changed(g.base(), release=None), values=ValuesFacts()),
        ),
    ),
    "setting-not-known": Cases(
        passes=(
            healthy,
            lambda g: Case(
                inspection=with_lacking(g, "ruler.ring.kvstore.dynamodb.puller_sync_time"),
                rings=("ingester",),
            ),
        ),
        fails=(
            lambda g: Case(
                inspection=with_lacking(g, "ruler.ring.kvstore.dynamodb.puller_sync_time")
            ),
        ),
        unknown="an image that does not tell its defaults is source-unanswered",
    ),
    "unknown-keys": Cases(
        passes=(
            healthy,
            lambda g: Case(inspection=g.base(), values=ValuesFacts(equals_release=True)),
        ),
        fails=(
            lambda g: Case(
                inspection=g.base(),
                values=ValuesFacts(
                    equals_release=True,
                    unknown_keys=(
                        UnknownKey(
                            path=("query_frontend",),
                            document="config",
                            place=("values.yaml", 7, 3),
                            explanation="it is called `frontend`",
                            instead="`frontend`",
                        ),
                    ),
                ),
            ),
        ),
        unknown=(
            lambda g: Case(
                inspection=g.base(),
                values=ValuesFacts(equals_release=True, unchecked=("mimir@sha256:1",)),
            ),
        ),
    ),
    "unknown-ring-client": Cases(
        passes=(healthy, lambda g: Case(inspection=g.base(AB))),
        fails=(
            lambda g: Case(
                inspection=with_unexpected(
                    g.base(), 'kv_name="cache-ring"', 'cortex_ring_members{name="cache"}'
                )
            ),
        ),
        unknown="a pod that does not answer for its metrics is pod-unanswered",
        severity=Severity.WARNS,
    ),
    "absent-ring-client": Cases(
        passes=(
            healthy,
            lambda g: Case(inspection=g.base(AB)),
            # A pod that starts, or that ends, has no place in it.
            lambda g: Case(
                inspection=g.with_pod(with_absent(g, g.base(AB)), "ruler", ready=False)
            ),
            lambda g: Case(
                inspection=g.with_pod(with_absent(g, g.base(AB)), "ruler", deleted_at=1.0)
            ),
        ),
        fails=(lambda g: Case(inspection=with_absent(g, g.base(AB))),),
        unknown="a pod that does not answer for its metrics is pod-unanswered",
        severity=Severity.INFORMS,
    ),
    "ring-left": Cases(
        passes=(healthy,),
        fails=(
            lambda g: Case(
                inspection=g.with_view(g.base(), "distributor", "ha-tracker", enabled=True)
            ),
        ),
        unknown="a ring that stays is left alone, whatever is known of it",
        severity=Severity.INFORMS,
    ),
}


def on_bridge(
    change: Callable[[Inspection], Inspection] = lambda seen: seen, **bridge: Any
) -> Make:
    """A stock Mimir on memberlist that is to go through the ring bridge, with one thing changed."""

    def make(g: Given) -> Case:
        target = bridged.target(g.TARGET, **bridge)
        return Case(inspection=change(bridged.release(StoreState.MEMBERLIST)), target=target)

    return make


def no_token(make: Make) -> Make:
    """The case with a target that names no variable."""

    def without(g: Given) -> Case:
        case = make(g)
        assert case.target is not None
        bridge = msgspec.structs.replace(case.target.bridge, token_variable="")
        target = msgspec.structs.replace(case.target, bridge=bridge)
        return msgspec.structs.replace(case, target=target)

    return without


def head(cluster: str) -> Callable[[Inspection], Inspection]:
    """The ruler's ring, kept in the table for a cluster."""
    one = RingHead(
        ring="ruler", table=fake.TABLE, ring_key="rulers/ring", cluster=cluster, format="1"
    )
    return lambda seen: changed(seen, heads=(one,))


def started_for(cluster: str) -> Callable[[Inspection], Inspection]:
    return lambda seen: bridged.with_page(seen, 0, cluster=cluster)


def then(*changes: Callable[[Inspection], Inspection]) -> Callable[[Inspection], Inspection]:
    return lambda seen: functools.reduce(lambda one, change: change(one), changes, seen)


def ruler_pod(**fields: Any) -> Callable[[Inspection], Inspection]:
    return lambda seen: fake.with_pod(seen, "mimir-ruler-0", **fields)


def ruler_view(**fields: Any) -> Callable[[Inspection], Inspection]:
    return lambda seen: fake.with_view(seen, "mimir-ruler-0", "ruler", **fields)


def resting(*, without_block: bool = False) -> Make:
    """Rings that rest switched and still mirrored; one pod may lack the block."""

    def make(g: Given) -> Case:
        seen = bridged.release(
            primaries=dict.fromkeys(fake.ON[Product.MIMIR], Store.DYNAMODB),
            block=RuntimeBlock(primary="dynamodb", mirror_enabled=True),
        )
        if without_block:
            runtime = RuntimeView(file="/r.yaml", reload_successful=True)
            seen = fake.with_facts(seen, "mimir-ruler-0", runtime=runtime)
        return Case(inspection=seen, target=bridged.target(g.TARGET))

    return make


NAMES_ARE_READ = "the API server tells the names of variables, or no pod at all"
CASES |= {
    "runtime-block-missing": Cases(
        passes=(healthy, resting()),
        fails=(resting(without_block=True),),
        unknown="a pod that does not tell its runtime configuration is runtime-config-missing's",
    ),
    "bridge-for-cortex": Cases(
        passes=(healthy, on_bridge()),
        fails=(lambda g: Case(inspection=g.base(), target=bridged.target(g.TARGET)),),
        unknown="which product it is is always told, or nothing is inspected",
    ),
    "bridge-experimental": Cases(
        passes=(healthy,),
        fails=(on_bridge(),),
        unknown="it follows from the target, which is always known",
        severity=Severity.WARNS,
    ),
    "bridge-missing": Cases(
        passes=(healthy, on_bridge()),
        fails=(
            on_bridge(
                lambda seen: bridged.with_page(bridged.with_page(seen, 0, rings={}), 1, rings={})
            ),
        ),
        unknown=(on_bridge(lambda seen: changed(seen, bridge=Bridge(reason="forbidden"))),),
    ),
    "bridge-table-taken": Cases(
        passes=(healthy, on_bridge(head("observability-mimir"))),
        fails=(on_bridge(then(head("prod"), started_for("dev"))),),
        unknown="heads are asked for as items are; where they do not answer, table-in-use does not know",
    ),
    "bridge-other-table": Cases(
        passes=(
            healthy,
            on_bridge(),
            on_bridge(lambda s: bridged.with_page(s, 0, table=fake.TABLE)),
        ),
        fails=(on_bridge(lambda s: bridged.with_page(s, 0, table="elsewhere")),),
        unknown="a replica that does not say is bridge-missing's, and the gates wait for it",
    ),
    "heartbeat-timeout-short": Cases(
        passes=(healthy, on_bridge(), on_bridge(ruler_view(heartbeat_timeout=0.0))),
        fails=(on_bridge(ruler_view(heartbeat_timeout=60.0)),),
        unknown="the gate heartbeat-timeouts waits for pods that do not say theirs",
    ),
    "heartbeats-too-fast": Cases(
        passes=(healthy, on_bridge()),
        fails=(on_bridge(ruler_view(heartbeat_period=0.1)),),
        unknown="the gate bridge-headroom waits for pods that do not say their period",
    ),
    "bridge-behind-proxy": Cases(
        passes=(healthy, on_bridge()),
        fails=(on_bridge(ruler_pod(env=(bridged.TOKEN, "HTTP_PROXY"))),),
        unknown=NAMES_ARE_READ,
    ),
    "bridge-without-token": Cases(
        passes=(healthy, on_bridge()),
        fails=(no_token(on_bridge()),),
        unknown="it follows from the target, which is always known",
        severity=Severity.WARNS,
    ),
    "bridge-token-missing": Cases(
        passes=(healthy, on_bridge(), no_token(on_bridge(ruler_pod(env=(), args=())))),
        fails=(on_bridge(ruler_pod(args=("-target=ruler",))),),
        unknown=NAMES_ARE_READ,
    ),
}


def cases(kind: str) -> list[Any]:
    """Every case of one kind, by the finding it is about."""
    return [
        pytest.param(rule, make, id=f"{rule}-{number}")
        for rule, each in CASES.items()
        if not isinstance(getattr(each, kind), str)
        for number, make in enumerate(getattr(each, kind))
    ]


@pytest.fixture(params=["own", "captures"])
def given(request: pytest.FixtureRequest, build: ModuleType) -> Given:
    """Where the facts come from."""
    captures = request.getfixturevalue("captures") if request.param == "captures" else None
    return Given(build, captures)


@pytest.mark.parametrize(("rule", "make"), cases("passes"))
def test_says_nothing_when_all_is_well(given: Given, rule: str, make: Make) -> None:
    """A fact that is as it should be gives no finding."""
    found = [each for each in make(given).findings(given.TARGET) if each.id == rule]

    assert [each for each in found if each.severity is not Severity.INFORMS] == []


@pytest.mark.parametrize(("rule", "make"), cases("fails"))
def test_says_what_is_wrong(given: Given, rule: str, make: Make) -> None:
    """A changed fact gives the finding, with evidence and what to do next."""
    found = [each for each in make(given).findings(given.TARGET) if each.id == rule]

    certain = [each for each in found if not each.unknown]
    assert certain
    assert certain[0].severity is CASES[rule].severity
    assert certain[0].evidence
    assert all(evidence.source and evidence.detail for evidence in certain[0].evidence)
    assert certain[0].fix
    assert certain[0].title


@pytest.mark.parametrize(("rule", "make"), cases("unknown"))
def test_not_knowing_blocks(given: Given, rule: str, make: Make) -> None:
    """Where a fact is missing the finding says so and blocks like a failure."""
    found = [each for each in make(given).findings(given.TARGET) if each.id == rule]

    unknown = [each for each in found if each.unknown]
    assert unknown
    assert {each.severity for each in unknown} == {Severity.BLOCKS}
    assert unknown[0].evidence
    assert unknown[0].fix


def test_every_finding_has_its_three_cases() -> None:
    """Each has cases that pass, fail and are unknown, or says why one cannot occur."""
    assert set(CASES) == set(RULES)
    for rule, each in CASES.items():
        assert each.passes, rule
        for kind in (each.fails, each.unknown):
            assert len(kind) > 0, rule
            assert not isinstance(kind, str) or len(kind.split()) > 5, rule
        assert not (isinstance(each.fails, str) and isinstance(each.unknown, str)), rule


def test_a_healthy_cluster_has_nothing_that_blocks(given: Given) -> None:
    """In each state of a migration the way on is open."""
    for state in StoreState:
        to = Store.MEMBERLIST if state is B else Store.DYNAMODB
        found = judge(given.base(state), target=given.TARGET, to=to)

        assert [each for each in found if each.severity is Severity.BLOCKS] == []
        assert not blocks(found)


def test_the_gravest_comes_first(given: Given) -> None:
    """What blocks stands before what warns, and that before what informs."""
    inspection = given.with_pod(given.base(AB), "ruler", node_lost=True)

    found = judge(inspection, target=given.TARGET)

    severities = [list(Severity).index(each.severity) for each in found]
    assert severities == sorted(severities)
    assert len(set(severities)) == 3


def test_without_a_wish_the_obvious_move_is_judged(given: Given) -> None:
    """From memberlist to DynamoDB, and back once all are there."""
    rings = ("ingester", "ruler")

    assert obvious_store(given.base(A), rings) is Store.DYNAMODB
    assert obvious_store(given.base(AB), rings) is Store.DYNAMODB
    assert obvious_store(given.base(B), rings) is Store.MEMBERLIST


def test_left_over_items_warn_and_moving_ones_block(given: Given) -> None:
    """Only a heartbeat that advances is another live cluster's."""
    inspection = given.with_items(given.base(), "ruler", STRANGER, earlier=(STRANGER,))

    found = [
        each
        for each in judge(inspection, target=given.TARGET, to=Store.DYNAMODB)
        if each.id == "table-in-use"
    ]

    assert [each.severity for each in found] == [Severity.WARNS]
    assert "left over" in found[0].title


def test_what_is_left_over_of_several_rings_is_one_finding(given: Given) -> None:
    """After a rollback each ring has items left: one cause, with the rings and evidence of each."""
    inspection = given.base()
    for ring in (rings := ("ingester", "ruler")):
        inspection = given.with_items(inspection, ring, STRANGER)
    stand_still = tuple(each for each in inspection.items if each.ring in rings)
    inspection = msgspec.structs.replace(inspection, earlier_items=stand_still)

    found = [
        each
        for each in judge(inspection, target=given.TARGET, to=Store.DYNAMODB)
        if each.id == "table-in-use"
    ]

    assert [set(each.rings) for each in found] == [set(rings)]
    assert found[0].title == "2 items of 2 rings in rings are left over from before"
    assert len({evidence.source for evidence in found[0].evidence}) == 2


def test_polls_that_are_too_seldom_for_several_rings_are_one_finding(given: Given) -> None:
    """One setting is too long: one finding names every ring, with evidence of each."""
    case = Case(inspection=given.base(), target=target(given, puller_sync_time="10m"))

    found = [
        each
        for each in judge(case.inspection, target=case.target or given.TARGET, to=Store.DYNAMODB)
        if each.id == "puller-sync-too-slow"
    ]

    assert len(found) == 1
    assert len(found[0].rings) > 2
    for ring in found[0].rings:
        assert any(f"ring {ring}: " in piece.detail for piece in found[0].evidence)


def test_a_table_that_is_not_there_yet_only_informs(given: Given) -> None:
    """The plan makes it before anything points at it."""
    inspection = changed(given.base(), tables={"rings": None})

    found = judge(inspection, target=given.TARGET, to=Store.DYNAMODB)

    assert [each.severity for each in found if each.id == "table-missing"] == [Severity.INFORMS]


@pytest.mark.parametrize(
    ("version", "severity"),
    [
        ("1.15.3", Severity.BLOCKS),
        ("1.16.0", Severity.WARNS),
        ("1.19.1", Severity.WARNS),
        ("1.20.0", Severity.INFORMS),
        ("1.21.1", Severity.INFORMS),
        ("", Severity.INFORMS),
        ("1.22.0", None),
    ],
)
def test_the_client_is_judged_by_version(
    given: Given, version: str, severity: Severity | None
) -> None:
    """Each version by the bugs that it has; the empty one of a branch by its revision."""
    found = judge(with_version(given, version), target=given.TARGET, to=Store.DYNAMODB)

    severities = [each.severity for each in found if each.id == "store-client-version"]
    assert severities == ([severity] if severity else [])


def test_upstream_mimir_is_told_what_can_be_done_instead(given: Given) -> None:
    """The title names the image, the fix the alternatives, the evidence the page."""
    inspection = without_store(given.mimir(), "dynamodb")

    found = next(
        each
        for each in judge(inspection, target=given.TARGET, to=Store.DYNAMODB)
        if each.id == "store-not-offered"
    )

    assert "cortex:1.21.1 offers no dynamodb" in found.title
    assert "stay on memberlist" in found.fix
    assert "Cortex" in found.fix
    assert "/config?mode=defaults" in found.evidence[0].source


def test_a_client_that_is_not_there_is_not_judged(given: Given) -> None:
    """Upstream Mimir has no DynamoDB client to have bugs."""
    with_client = judge(given.mimir(), target=given.TARGET, to=Store.DYNAMODB)
    without = judge(
        without_store(given.mimir(), "dynamodb"), target=given.TARGET, to=Store.DYNAMODB
    )

    assert "store-client-version" in {each.id for each in with_client}
    assert "store-client-version" not in {each.id for each in without}


def test_a_rollback_that_gossip_would_close_warns_before_the_way_there(given: Given) -> None:
    """The same obstacle blocks the rollback and warns before the way there."""
    there = with_gossip_config(given, given.base(), join_members=("10.0.0.1:7946",))
    back = with_gossip_config(given, given.base(B), join_members=("10.0.0.1:7946",))

    def severity(inspection: Inspection, to: Store) -> set[Severity]:
        found = judge(inspection, target=given.TARGET, to=to)
        return {each.severity for each in found if each.id == "gossip-cannot-start"}

    assert severity(there, Store.DYNAMODB) == {Severity.WARNS}
    assert severity(back, Store.MEMBERLIST) == {Severity.BLOCKS}


@pytest.mark.parametrize("seed", ["dns+gossip:7946", "gossip:7946", "gossip", "dnssrv+gossip"])
def test_a_name_stands_for_all_pods(given: Given, seed: str) -> None:
    """A service's name resolves to every pod, in each form that join_members takes."""
    inspection = with_gossip_config(given, given.base(B), join_members=(seed,))

    found = judge(inspection, target=given.TARGET, to=Store.MEMBERLIST)

    assert [each for each in found if each.id == "gossip-cannot-start"] == []


def test_a_static_plan_needs_no_runtime_configuration(given: Given) -> None:
    """What blocks a runtime switch only informs when there is none."""
    inspection = with_runtime(given, given.base(), file="")

    found = judge(inspection, target=given.TARGET, to=Store.DYNAMODB, strategy=Strategy.STATIC)

    severities = [each.severity for each in found if each.id == "runtime-config-missing"]
    assert severities == [Severity.INFORMS]


def test_a_block_from_before_warns(given: Given) -> None:
    """No ring is on multi, yet a primary is named: the next multi would follow it."""
    block = RuntimeBlock(primary="dynamodb", mirror_enabled=False)
    inspection = with_runtime(given, given.base(), block=block)

    found = judge(inspection, target=given.TARGET, to=Store.DYNAMODB)

    left = [each for each in found if each.id == "runtime-block-left"]
    assert [each.severity for each in left] == [Severity.WARNS]
    assert "primary dynamodb, mirror_enabled false" in left[0].evidence[0].detail


def test_a_half_written_block_warns(given: Given) -> None:
    """A primary without mirror_enabled leaves the mirror as it happens to be."""
    inspection = with_runtime(given, given.base(AB), block=RuntimeBlock(primary="memberlist"))

    found = judge(inspection, target=given.TARGET, to=Store.DYNAMODB)

    left = [each for each in found if each.id == "runtime-block-left"]
    assert [each.severity for each in left] == [Severity.WARNS]


def test_an_autoscaler_at_rest_only_warns(given: Given) -> None:
    """It may move during a step; one that moves now blocks."""
    scaler = Autoscaler(name="q", target="Deployment/querier", current=2, desired=2)
    inspection = changed(given.base(), autoscalers=(scaler,))

    found = judge(inspection, target=given.TARGET, to=Store.DYNAMODB)

    assert [each.severity for each in found if each.id == "autoscaler-present"] == [Severity.WARNS]


def test_gitops_that_deploys_for_us_only_informs(given: Given) -> None:
    """With the method `external` Argo CD is who applies the change."""
    inspection = given.with_workload(given.base(), "ruler", managed_by="argocd")

    found = judge(inspection, target=external(given), to=Store.DYNAMODB)

    assert [each.severity for each in found if each.id == "gitops-owner"] == [Severity.INFORMS]


def test_evidence_is_bounded(given: Given) -> None:
    """A thousand observations are counted, not printed."""
    inspection = given.base()
    for facts in given.base().pods:
        for view in facts.rings:
            if view.members:
                inspection = given.with_every_view(inspection, view.ring, members=())

    found = judge(inspection, target=given.TARGET, to=Store.DYNAMODB)

    assert max(len(each.evidence) for each in found) <= 12


def test_another_runtime_view_of_one_pod_is_enough(given: Given) -> None:
    """One deaf pod of many is named."""
    name = given.name_of(given.base(), "ingester")
    inspection = given.with_facts(given.base(), name, runtime=RuntimeView(file=""))

    found = judge(inspection, target=given.TARGET, to=Store.DYNAMODB)

    deaf = next(each for each in found if each.id == "runtime-config-missing")
    assert deaf.pods == (name,)


def test_no_table_is_named_only_informs_when_nobody_asked_for_a_move(given: Given) -> None:
    """An inspection without a wish is not blocked by a table that was never named."""
    unnamed = msgspec.structs.replace(given.TARGET, dynamodb=TableTarget())

    asked = judge(given.base(), target=unnamed, to=Store.DYNAMODB)
    looked = judge(given.base(), target=unnamed)

    assert [each.severity for each in asked if each.id == "table-missing"] == [Severity.BLOCKS]
    assert [each.severity for each in looked if each.id == "table-missing"] == [Severity.INFORMS]


def test_a_pod_that_kept_an_earlier_configuration_is_named_with_what_to_do(given: Given) -> None:
    """Ready, of the newest revision and on the old ConfigMap: no rollout brings it the new one."""
    old = given.config_of(given.base(), "ingester", "ingester")
    inspection = given.with_view(given.base(AB), "ingester", "ingester", config=old)
    name = given.name_of(inspection, "ingester")

    found = judge(inspection, target=given.TARGET, to=Store.DYNAMODB, rings=("ingester",))

    (odd,) = [each for each in found if each.id == "pods-disagree" and not each.unknown]
    assert odd.fix.startswith(f"{name}: Ready, of the newest revision")
    assert "restart this pod" in odd.fix


def test_an_unknown_client_is_named_with_pod_and_metric(given: Given) -> None:
    """Whoever changes stores has to know whose it is; it blocks nothing."""
    inspection = with_unexpected(given.base(), 'cortex_ring_members{name="cache"}')

    (found,) = [
        each for each in judge(inspection, target=given.TARGET) if each.id == "unknown-ring-client"
    ]

    pod = inspection.pods[0].pod.name
    assert found.pods == (pod,)
    assert 'cortex_ring_members{name="cache"}' in found.title
    assert found.evidence[0].source == f"pod {pod} GET /metrics"
    assert found.severity is not Severity.BLOCKS


@pytest.mark.parametrize(
    ("release", "words"),
    [
        (
            Release(name="metrics", status="pending-upgrade", revision=4, over=2),
            ("pending-upgrade, over revision 2", "`helm rollback metrics 2 -n "),
        ),
        (
            Release(name="metrics", status="pending-install", revision=1),
            ("pending-install", "`helm history metrics -n "),
        ),
        (
            Release(name="metrics", status="failed", revision=3),
            ("status failed", "Deploy it again"),
        ),
    ],
    ids=["upgrade", "install", "failed"],
)
def test_a_release_that_is_pending_comes_with_its_repair(
    given: Given, release: Release, words: tuple[str, ...]
) -> None:
    """The exact command where a revision is known that was deployed."""
    case = Case(inspection=changed(given.base(), release=release))
    found = next(one for one in case.findings(given.TARGET) if one.id == "release-pending")
    text = f"{found.evidence[0].detail} {found.fix}"
    for word in words:
        assert word in text
