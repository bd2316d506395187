"""Facts about a cluster that exists only here, as one inspection would find them."""

from __future__ import annotations

from mimir_migrate.model.facts import (
    BuildInfo,
    Counters,
    Evidence,
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
    RingSummary,
    RuntimeView,
    StoreOffer,
    Table,
    TableItems,
    TableKey,
    Unanswered,
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

NOW = 1_795_343_000.0
SIZES = {
    "distributor": 2,
    "ingester": 3,
    "querier": 2,
    "query-frontend": 1,
    "store-gateway": 3,
    "compactor": 1,
    "ruler": 2,
    "alertmanager": 2,
}
SIX = ("ingester", "distributor", "store-gateway", "compactor", "ruler", "alertmanager")
TABLE = "observability-dev-mimir-rings"
STATEFUL = {"ingester", "store-gateway", "compactor", "alertmanager"}


def inspection(
    state: StoreState = StoreState.MEMBERLIST,
    *,
    primary: Store | None = None,
    mirror: bool = False,
    sizes: dict[str, int] | None = None,
    rings: tuple[str, ...] = SIX,
    silent: tuple[str, ...] = (),
    at: float = NOW,
    table: bool = False,
    missing: str = "",
) -> Inspection:
    """Every pod in `state`; `silent` pods do not answer, and DynamoDB lacks the member `missing`."""
    sizes = SIZES if sizes is None else sizes
    pods = _pods(sizes, at)
    on = [ring for ring in rings_of(Product.MIMIR) if ring.name in rings]
    members = {ring.name: _members(ring, pods, at) for ring in on}
    read = primary or state.primary
    in_dynamodb = mirror or state is StoreState.DYNAMODB or read is Store.DYNAMODB
    items = tuple(
        TableItems(
            table=TABLE,
            ring=ring.name,
            ring_key=ring.ring_key(),
            at=at,
            members=tuple(m for m in members[ring.name] if m.id != missing) if in_dynamodb else (),
        )
        for ring in on
    )
    facts = tuple(
        _facts(pod, on, members, pods, state=state, read=read, mirror=mirror, silent=silent, at=at)
        for pod in pods
    )
    return Inspection(
        at=at,
        identity=Identity(
            server="7F3A91C0D2.gr7.eu-west-1.eks.amazonaws.com:443",
            cluster_uid="1f2e3d",
            namespace="observability",
            release="mimir",
            account="123456789012",
            region="eu-west-1",
        ),
        product=Product.MIMIR,
        pods=facts,
        workloads=_workloads(sizes),
        release=Release(
            name="mimir",
            chart="mimir-distributed",
            chart_version="5.8.0",
            app_version="2.17.1",
            status="deployed",
            revision=7,
        ),
        rings=_summaries(on, facts, members, state, read, mirror, silent),
        offers=tuple(
            StoreOffer(
                image="registry.example/mimir:2.17.1-dynamodb",
                ring=ring.name,
                stores=("consul", "dynamodb", "etcd", "multi"),
                evidence=Evidence(
                    source="pod mimir-distributor-1 GET /config?mode=defaults",
                    detail="a dynamodb block in the ring's kvstore",
                    at=at,
                ),
            )
            for ring in on
        ),
        tables={TABLE: _table() if table or in_dynamodb or state.is_multi else None},
        items=items if table or in_dynamodb or state.is_multi else (),
        unanswered=(),
    )


def _pods(sizes: dict[str, int], at: float) -> list[Pod]:
    found = []
    for order, (component, size) in enumerate(sizes.items()):
        for index in range(size):
            found.append(
                Pod(
                    name=f"mimir-{component}-{index}"
                    if component in STATEFUL
                    else f"mimir-{component}-6d9f7c4b8{order}-{index:03d}",
                    uid=f"uid-{component}-{index}",
                    ip=f"10.{10 + order}.{index // 250}.{index % 250 + 1}",
                    node=f"ip-10-0-{order}-{index % 7}.eu-west-1.compute.internal",
                    component=component,
                    targets=(component,),
                    zone=f"zone-{'abc'[index % 3]}" if component == "ingester" else "",
                    image="registry.example/mimir:2.17.1-dynamodb",
                    image_id="sha256:77aa",
                    ready=True,
                    phase="Running",
                    created_at=at - 86_400,
                    ready_since=at - 86_400 + 22 + index % 5,
                    owner_kind="StatefulSet" if component in STATEFUL else "Deployment",
                    owner=f"mimir-{component}",
                    revision="6d9f7c4b8",
                    http_port=8080,
                    gossips=True,
                )
            )
    return found


def _members(ring: Ring, pods: list[Pod], at: float) -> tuple[Member, ...]:
    writers = {role.component for role in ring.roles if role.writes}
    return tuple(
        Member(
            id=pod.name,
            address=f"{pod.ip}:9095",
            state=MemberState.ACTIVE,
            timestamp=int(at) - 3 - number % 9,
            registered_timestamp=int(at) - 86_000,
            zone=pod.zone,
            tokens=(number * 7 + 1, number * 11 + 2, number * 13 + 3),
        )
        for number, pod in enumerate(pods)
        if pod.component in writers
    )


def _config(state: StoreState, *, mirror: bool) -> KVConfig:
    dynamodb = DynamoDBSettings(region="eu-west-1", table_name=TABLE, puller_sync_time="10s")
    if not state.is_multi:
        return KVConfig(
            store=state.value,
            prefix="collectors/",
            dynamodb=dynamodb if state is StoreState.DYNAMODB else None,
        )
    secondary = state.secondary
    return KVConfig(
        store="multi",
        primary=state.primary.value,
        secondary=secondary.value if secondary else "",
        mirror_enabled=mirror,
        prefix="collectors/",
        dynamodb=dynamodb,
    )


def _facts(
    pod: Pod,
    on: list[Ring],
    members: dict[str, tuple[Member, ...]],
    pods: list[Pod],
    *,
    state: StoreState,
    read: Store,
    mirror: bool,
    silent: tuple[str, ...],
    at: float,
) -> PodFacts:
    quiet = pod.name in silent
    views = []
    for ring in on:
        role = ring.role_of(pod.component)
        if role is None:
            continue
        served = role.serves_page and not quiet
        views.append(
            PodRing(
                ring=ring.name,
                component=pod.component,
                enabled=True,
                config=None if quiet else _config(state, mirror=False),
                heartbeat_period=15.0,
                heartbeat_timeout=60.0,
                puller_sync_time=10.0 if state is not StoreState.MEMBERLIST else None,
                clients=tuple(
                    KVClient(
                        kv_name=name,
                        primary=read.value,
                        mirror_enabled=mirror,
                        mirror_writes=412.0 if role.writes and mirror else 0.0,
                        mirror_write_errors=0.0,
                    )
                    for name in role.kv_names
                )
                if state.is_multi and not quiet
                else (),
                expected_kv_names=role.kv_names,
                writes=role.writes,
                page_served=served,
                members=members[ring.name] if served else None,
                member_count=None if served or quiet else {"ACTIVE": len(members[ring.name])},
                memberlist=None if quiet or state is StoreState.DYNAMODB else members[ring.name],
            )
        )
    return PodFacts(
        pod=pod,
        build=BuildInfo(version="2.17.1", revision="9f0e1d2"),
        rings=tuple(views),
        runtime=None
        if quiet
        else RuntimeView(
            file="/var/mimir/runtime.yaml",
            block=RuntimeBlock(primary=read.value, mirror_enabled=mirror)
            if state.is_multi
            else RuntimeBlock(),
            reload_successful=True,
        ),
        gossip=None
        if quiet
        else Gossip(
            running=True,
            members=tuple(GossipMember(name=p.name, ip=p.ip, alive=True) for p in pods),
            keys=tuple(ring.ring_key() for ring in on),
        ),
        gossip_config=GossipConfig(
            join_members=("dns+mimir-gossip-ring.observability.svc:7946",),
            rejoin_interval=60.0,
            cluster_label="mimir-observability",
        ),
        counters=None
        if quiet
        else Counters(
            pushes=90_000.0,
            failed_pushes=9.0,
            queries=4_000.0,
            failed_queries=0.0,
            rule_evaluations=1_200.0,
            failed_rule_evaluations=0.0,
            requests=140_000.0,
            server_errors=12.0,
            dynamodb_requests=900.0,
            dynamodb_errors=0.0,
        ),
        started_at=at - 86_000,
        unanswered=(
            Unanswered(
                source=f"pod {pod.name} GET /config?mode=diff", reason="timed out after 10s"
            ),
        )
        if quiet
        else (),
    )


def _workloads(sizes: dict[str, int]) -> tuple[Workload, ...]:
    return tuple(
        Workload(
            kind="StatefulSet" if component in STATEFUL else "Deployment",
            name=f"mimir-{component}",
            component=component,
            replicas=size,
            ready_replicas=size,
            updated_replicas=size,
            generation=4,
            observed_generation=4,
            current_revision="6d9f7c4b8",
            surge=0 if component in STATEFUL else 1,
            termination_grace_seconds=60.0 if component in STATEFUL else 30.0,
            config_checksum="c0ffee",
        )
        for component, size in sizes.items()
    )


def _table() -> Table:
    return Table(
        name=TABLE,
        status="ACTIVE",
        keys=(
            TableKey(name="RingKey", role="HASH", type="S"),
            TableKey(name="InstanceKey", role="RANGE", type="S"),
        ),
        billing="PAY_PER_REQUEST",
        deletion_protection=True,
    )


def _summaries(
    on: list[Ring],
    facts: tuple[PodFacts, ...],
    members: dict[str, tuple[Member, ...]],
    state: StoreState,
    read: Store,
    mirror: bool,
    silent: tuple[str, ...],
) -> tuple[RingSummary, ...]:
    found = []
    names = {ring.name for ring in on}
    for ring in rings_of(Product.MIMIR):
        touching = [f.pod.name for f in facts if f.ring(ring.name) is not None]
        found.append(
            RingSummary(
                ring=ring.name,
                movable=ring.movable,
                left_because=ring.left_because,
                enabled=ring.name in names,
                states=(state,) if ring.name in names else (),
                primaries=(read,) if ring.name in names else (),
                mirrors=(mirror,) if ring.name in names and state.is_multi else (),
                pods=tuple(touching),
                members=tuple(member.id for member in members.get(ring.name, ())),
                unknown=tuple(name for name in touching if name in silent),
                hears_runtime=ring.hears_runtime,
            )
        )
    return tuple(found)
