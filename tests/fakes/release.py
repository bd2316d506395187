"""A healthy release as an inspection shows it, in any state, and ways to change one field of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mimir_migrate.inspection.summary import summarize
from mimir_migrate.model.facts import (
    BuildInfo,
    Counters,
    Gossip,
    GossipConfig,
    GossipMember,
    Identity,
    Inspection,
    KVClient,
    Member,
    MemberState,
    Pod,
    PodFacts,
    PodRing,
    Release,
    RuntimeView,
    Table,
    TableItems,
    TableKey,
    Workload,
)
from mimir_migrate.model.rings import Product, Ring, rings_of
from mimir_migrate.model.stores import (
    DynamoDBSettings,
    KVConfig,
    RuntimeBlock,
    Store,
    StoreState,
)

NOW = 1_795_337_740.0
TABLE = "observability-dev-rings"
HEARTBEAT = 15.0
POLL = 10.0
RELOAD = 10.0
WINDOW = 2 * HEARTBEAT + POLL + RELOAD

SIZES = {
    "distributor": 2,
    "ingester": 3,
    "store-gateway": 2,
    "compactor": 2,
    "ruler": 2,
    "alertmanager": 2,
    "querier": 1,
}
STATEFUL = {"ingester", "store-gateway", "compactor", "alertmanager"}
ON = {
    Product.CORTEX: ("ingester", "store-gateway", "compactor", "ruler", "alertmanager"),
    Product.MIMIR: (
        "ingester",
        "distributor",
        "store-gateway",
        "compactor",
        "ruler",
        "alertmanager",
    ),
}
"""The rings that are on."""


def ring_table(name: str = TABLE) -> Table:
    """A table as it should be."""
    return Table(
        name=name,
        status="ACTIVE",
        keys=(
            TableKey(name="RingKey", role="HASH", type="S"),
            TableKey(name="InstanceKey", role="RANGE", type="S"),
        ),
        billing="PAY_PER_REQUEST",
        deletion_protection=True,
    )


def release(
    product: Product = Product.CORTEX,
    state: StoreState = StoreState.MEMBERLIST_DYNAMODB,
    *,
    states: Mapping[str, StoreState] | None = None,
    primaries: Mapping[str, Store] | None = None,
    mirror: bool = True,
    block: RuntimeBlock | None = None,
    tables: tuple[str, ...] = (TABLE,),
    at: float = NOW,
    revision: int = 1,
    sizes: Mapping[str, int] | None = None,
    on: tuple[str, ...] | None = None,
    pods: tuple[Pod, ...] | None = None,
) -> Inspection:
    """Everything healthy: all pods Ready, every ring complete in every store that holds it.

    Args:
        product: Which product.
        state: The static state of every ring that `states` does not name.
        states: Static states by ring.
        primaries: What is read by ring; left out: the static primary.
        mirror: Whether rings on both stores are mirrored.
        block: The runtime block that pods have loaded.
        tables: The tables that exist.
        at: When it was taken; counters grow with it.
        revision: Of the workloads and pods; pods of another one have other addresses.
        sizes: Pods of each component.
        on: The rings that are on.
        pods: The pods, where they are to look otherwise than those of `sizes`.
    """
    names = ON[product] if on is None else on
    of_ring = {name: (states or {}).get(name, state) for name in names}
    if pods is None:
        pods = _pods(product, sizes or SIZES, revision)
    facts = tuple(
        _facts(product, pod, pods, of_ring, primaries or {}, mirror=mirror, block=block, at=at)
        for pod in pods
    )
    return Inspection(
        at=at,
        identity=Identity(
            server="kubernetes.test:6443",
            cluster_uid="5d0f2c3e-uid-of-kube-system",
            namespace="observability",
            release=product.value,
            account="123456789012",
            region="eu-west-1",
        ),
        product=product,
        pods=facts,
        workloads=_workloads(product, sizes or SIZES, revision),
        release=Release(
            name=product.value,
            chart=product.value,
            chart_version="5.8.0",
            status="deployed",
            revision=revision,
        ),
        rings=summarize(product, facts),
        tables={name: ring_table(name) for name in tables} or {TABLE: None},
        items=tuple(
            TableItems(
                table=TABLE,
                ring=ring.name,
                ring_key=ring.ring_key(),
                members=members_of(ring, pods, at, version=7),
                at=at,
            )
            for ring in rings_of(product)
            if ring.name in of_ring and _holds(of_ring[ring.name], Store.DYNAMODB, mirror=mirror)
        ),
    )


def _holds(state: StoreState, store: Store, *, mirror: bool) -> bool:
    return state.primary is store or (state.secondary is store and mirror)


def _pods(product: Product, sizes: Mapping[str, int], revision: int) -> tuple[Pod, ...]:
    pods: list[Pod] = []
    for component, size in sizes.items():
        for number in range(size):
            pods.append(
                Pod(
                    name=f"{product.value}-{component}-{number}",
                    uid=f"{component}-{number}-{revision}",
                    ip=f"10.{revision % 200}.0.{len(pods) + 10}",
                    component=component,
                    targets=(component,),
                    image=f"example.test/{product.value}:1",
                    ready=True,
                    phase="Running",
                    created_at=NOW - 3600,
                    ready_since=NOW - 3560,
                    owner_kind="StatefulSet" if component in STATEFUL else "Deployment",
                    owner=f"{product.value}-{component}",
                    revision=f"r{revision}",
                    gossips=True,
                )
            )
    return tuple(pods)


def _workloads(product: Product, sizes: Mapping[str, int], revision: int) -> tuple[Workload, ...]:
    return tuple(
        Workload(
            kind="StatefulSet" if component in STATEFUL else "Deployment",
            name=f"{product.value}-{component}",
            component=component,
            replicas=size,
            ready_replicas=size,
            updated_replicas=size,
            generation=revision,
            observed_generation=revision,
            current_revision=f"r{revision}",
            surge=0 if component in STATEFUL else 1,
            config_checksum=f"checksum-{revision}",
        )
        for component, size in sizes.items()
    )


def members_of(
    ring: Ring, pods: tuple[Pod, ...], at: float, version: int | None = None
) -> tuple[Member, ...]:
    """A ring's members: one for each pod that writes it."""
    writers = {role.component for role in ring.roles if role.writes}
    return tuple(
        Member(
            id=pod.name,
            address=f"{pod.ip}:9095",
            state=MemberState.ACTIVE,
            timestamp=int(at) - 3,
            registered_timestamp=int(NOW) - 3500,
            zone="a",
            tokens=(1 + index, 101 + index, 201 + index),
            version=version,
        )
        for index, pod in enumerate(pods)
        if pod.component in writers
    )


def _facts(
    product: Product,
    pod: Pod,
    pods: tuple[Pod, ...],
    states: Mapping[str, StoreState],
    primaries: Mapping[str, Store],
    *,
    mirror: bool,
    block: RuntimeBlock | None,
    at: float,
) -> PodFacts:
    gossips = any(Store.MEMBERLIST in state.stores for state in states.values())
    dynamodb = any(Store.DYNAMODB in s.stores for s in states.values())
    grown = at - NOW + 100_000
    return PodFacts(
        pod=pod,
        build=BuildInfo(version="1.21.1", revision="a8c6358a"),
        rings=tuple(
            _view(ring, pod, pods, states[ring.name], primaries, mirror=mirror, at=at)
            for ring in rings_of(product)
            if ring.name in states and ring.role_of(pod.component)
        ),
        runtime=RuntimeView(
            file="/var/runtime.yaml",
            period=RELOAD,
            block=block or RuntimeBlock(),
            reload_successful=True,
        ),
        gossip=Gossip(
            running=gossips,
            members=tuple(
                GossipMember(name=f"{other.name}-1", ip=other.ip, alive=True) for other in pods
            )
            if gossips
            else (),
        ),
        lacking=(),
        gossip_config=GossipConfig(
            join_members=("dns+gossip-ring:7946",), rejoin_interval=60.0, cluster_label="x"
        ),
        counters=Counters(
            pushes=grown * 10,
            failed_pushes=0.0,
            queries=grown,
            failed_queries=0.0,
            rule_evaluations=grown,
            failed_rule_evaluations=0.0,
            requests=grown * 11,
            server_errors=0.0,
            dynamodb_requests=grown if dynamodb else 0.0,
            dynamodb_errors=0.0,
        ),
        started_at=pod.created_at,
        config_hash="c0ffee",
    )


def _view(
    ring: Ring,
    pod: Pod,
    pods: tuple[Pod, ...],
    state: StoreState,
    primaries: Mapping[str, Store],
    *,
    mirror: bool,
    at: float,
) -> PodRing:
    role = ring.role_of(pod.component)
    assert role is not None
    primary = primaries.get(ring.name, state.primary)
    members = members_of(ring, pods, at)
    uses_dynamodb = Store.DYNAMODB in state.stores
    return PodRing(
        ring=ring.name,
        component=pod.component,
        enabled=True,
        config=kv_config(state, mirror=mirror),
        heartbeat_period=HEARTBEAT,
        heartbeat_timeout=60.0,
        puller_sync_time=POLL if uses_dynamodb else None,
        clients=tuple(
            KVClient(
                kv_name=name,
                primary=primary.value,
                mirror_enabled=mirror,
                mirror_writes=1000.0 if mirror else 0.0,
                mirror_write_errors=0.0,
            )
            for name in role.kv_names
        )
        if state.is_multi
        else (),
        expected_kv_names=role.kv_names,
        writes=role.writes,
        page_served=role.serves_page,
        members=members if role.serves_page else None,
        member_count={"ACTIVE": len(members)} if role.members_name else None,
        memberlist=members if _holds(state, Store.MEMBERLIST, mirror=mirror) else None,
    )


def kv_config(state: StoreState, *, mirror: bool = True) -> KVConfig:
    """A ring's `kvstore` block in a state."""
    dynamodb = DynamoDBSettings(
        region="eu-west-1", table_name=TABLE, puller_sync_time="10s", ttl="0s"
    )
    if not state.is_multi:
        return KVConfig(
            store=state.value, dynamodb=dynamodb if state is StoreState.DYNAMODB else None
        )
    assert state.secondary is not None
    return KVConfig(
        store="multi",
        primary=state.primary.value,
        secondary=state.secondary.value,
        mirror_enabled=mirror,
        dynamodb=dynamodb,
    )


# --- changing one thing -----------------------------------------------------------------------


def with_facts(inspection: Inspection, name: str, /, **fields: Any) -> Inspection:
    """With fields of one pod's facts changed, and the summaries computed again."""
    pods = tuple(
        msgspec.structs.replace(facts, **fields) if facts.pod.name == name else facts
        for facts in inspection.pods
    )
    return msgspec.structs.replace(
        inspection, pods=pods, rings=summarize(inspection.product, pods)
    )


def facts_of(inspection: Inspection, name: str) -> PodFacts:
    """One pod's facts."""
    return next(facts for facts in inspection.pods if facts.pod.name == name)


def pod_of(inspection: Inspection, component: str, number: int = 0) -> str:
    """The name of one pod of a component."""
    return [f.pod.name for f in inspection.pods if f.pod.component == component][number]


def with_pod(inspection: Inspection, name: str, **fields: Any) -> Inspection:
    """With fields of one pod, as Kubernetes has it, changed."""
    pod = msgspec.structs.replace(facts_of(inspection, name).pod, **fields)
    return with_facts(inspection, name, pod=pod)


def with_view(inspection: Inspection, name: str, ring: str, **fields: Any) -> Inspection:
    """With fields of one pod's view of one ring changed."""
    rings = tuple(
        msgspec.structs.replace(view, **fields) if view.ring == ring else view
        for view in facts_of(inspection, name).rings
    )
    return with_facts(inspection, name, rings=rings)


def with_counters(inspection: Inspection, name: str, **fields: Any) -> Inspection:
    """With some of one pod's counters changed."""
    counters = facts_of(inspection, name).counters
    assert counters is not None
    return with_facts(inspection, name, counters=msgspec.structs.replace(counters, **fields))


def with_workload(inspection: Inspection, component: str, **fields: Any) -> Inspection:
    """With fields of one workload changed."""
    return msgspec.structs.replace(
        inspection,
        workloads=tuple(
            msgspec.structs.replace(each, **fields) if each.component == component else each
            for each in inspection.workloads
        ),
    )


def with_item(inspection: Inspection, ring: str, index: int, **fields: Any) -> Inspection:
    """With fields of one item of a ring in DynamoDB changed."""

    def change(items: TableItems) -> TableItems:
        members = list(items.members)
        members[index] = msgspec.structs.replace(members[index], **fields)
        return msgspec.structs.replace(items, members=tuple(members))

    return msgspec.structs.replace(
        inspection,
        items=tuple(change(each) if each.ring == ring else each for each in inspection.items),
    )


def with_items(inspection: Inspection, ring: str, members: tuple[Member, ...]) -> Inspection:
    """With these items of a ring in DynamoDB."""
    return msgspec.structs.replace(
        inspection,
        items=tuple(
            msgspec.structs.replace(each, members=members) if each.ring == ring else each
            for each in inspection.items
        ),
    )
