"""A healthy release as the screens show it: what is long, odd and many on them looks as on real ones.

The facts are those of `release.release`; here pods get names, nodes, zones and ages as real ones have them,
members their own heartbeats and tokens, and some pods may be silent.
"""

from __future__ import annotations

import msgspec
import release as fake
from release import ring_table

from mimir_migrate.inspection.summary import summarize
from mimir_migrate.model.facts import (
    BuildInfo,
    Counters,
    Evidence,
    Gossip,
    GossipConfig,
    GossipMember,
    Identity,
    Inspection,
    Member,
    Pod,
    PodFacts,
    PodRing,
    Release,
    RingSummary,
    RuntimeView,
    StoreOffer,
    TableItems,
    Unanswered,
)
from mimir_migrate.model.rings import Product, Ring, rings_of
from mimir_migrate.model.stores import KVConfig, RuntimeBlock, Store, StoreState

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
SIX = fake.ON[Product.MIMIR]
TABLE = "observability-dev-mimir-rings"
IMAGE = "registry.example/mimir:2.17.1-dynamodb"
COUNTERS = Counters(
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
)


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
    healthy = fake.release(
        Product.MIMIR,
        state,
        primaries=dict.fromkeys(rings, read),
        mirror=mirror,
        block=RuntimeBlock(primary=read.value, mirror_enabled=mirror) if state.is_multi else None,
        at=at,
        sizes=sizes,
        on=rings,
        pods=pods,
    )
    facts = tuple(
        _silenced(each) if each.pod.name in silent else each
        for each in (_dressed(each, pods, members, on, state, at) for each in healthy.pods)
    )
    in_dynamodb = mirror or state is StoreState.DYNAMODB or read is Store.DYNAMODB
    has_table = table or in_dynamodb or state.is_multi
    return msgspec.structs.replace(
        healthy,
        identity=Identity(
            server="7F3A91C0D2.gr7.eu-west-1.eks.amazonaws.com:443",
            cluster_uid="1f2e3d",
            namespace="observability",
            release="mimir",
            account="123456789012",
            region="eu-west-1",
        ),
        pods=facts,
        workloads=tuple(
            msgspec.structs.replace(
                one,
                generation=4,
                observed_generation=4,
                current_revision="6d9f7c4b8",
                termination_grace_seconds=60.0 if one.kind == "StatefulSet" else 30.0,
                config_checksum="c0ffee",
            )
            for one in healthy.workloads
        ),
        release=Release(
            name="mimir",
            chart="mimir-distributed",
            chart_version="5.8.0",
            app_version="2.17.1",
            status="deployed",
            revision=7,
        ),
        rings=_summaries(facts),
        offers=tuple(_offer(ring, at) for ring in on),
        tables={TABLE: ring_table(TABLE) if has_table else None},
        items=tuple(
            TableItems(
                table=TABLE,
                ring=ring.name,
                ring_key=ring.ring_key(),
                at=at,
                members=tuple(one for one in members[ring.name] if one.id != missing)
                if in_dynamodb
                else (),
            )
            for ring in on
        )
        if has_table
        else (),
    )


def half_rolled(seen: Inspection) -> Inspection:
    """The same cluster in the middle of a rollout: five of its sixteen pods are of the newest revision."""
    new = {"querier", "query-frontend", "distributor"}

    def turned(facts: PodFacts) -> PodFacts:
        pod = facts.pod
        ready = pod.name != "mimir-ingester-0"
        revision = pod.revision if pod.component in new else "older"
        return msgspec.structs.replace(
            facts, pod=msgspec.structs.replace(pod, revision=revision, ready=ready)
        )

    return msgspec.structs.replace(seen, pods=tuple(turned(facts) for facts in seen.pods))


def _pods(sizes: dict[str, int], at: float) -> tuple[Pod, ...]:
    found = []
    for order, (component, size) in enumerate(sizes.items()):
        is_stateful = component in fake.STATEFUL
        for index in range(size):
            found.append(
                Pod(
                    name=f"mimir-{component}-{index}"
                    if is_stateful
                    else f"mimir-{component}-6d9f7c4b8{order}-{index:03d}",
                    uid=f"uid-{component}-{index}",
                    ip=f"10.{10 + order}.{index // 250}.{index % 250 + 1}",
                    node=f"ip-10-0-{order}-{index % 7}.eu-west-1.compute.internal",
                    component=component,
                    targets=(component,),
                    zone=f"zone-{'abc'[index % 3]}" if component == "ingester" else "",
                    image=IMAGE,
                    image_id="sha256:77aa",
                    ready=True,
                    phase="Running",
                    created_at=at - 86_400,
                    ready_since=at - 86_400 + 22 + index % 5,
                    owner_kind="StatefulSet" if is_stateful else "Deployment",
                    owner=f"mimir-{component}",
                    revision="6d9f7c4b8",
                    http_port=8080,
                    gossips=True,
                )
            )
    return tuple(found)


def _members(ring: Ring, pods: tuple[Pod, ...], at: float) -> tuple[Member, ...]:
    """The healthy members, their heartbeats some seconds apart."""
    numbers = {pod.name: number for number, pod in enumerate(pods)}
    zones = {pod.name: pod.zone for pod in pods}
    return tuple(
        msgspec.structs.replace(
            one,
            timestamp=int(at) - 3 - numbers[one.id] % 9,
            registered_timestamp=int(at) - 86_000,
            zone=zones[one.id],
            tokens=tuple(
                numbers[one.id] * step + first for first, step in ((1, 7), (2, 11), (3, 13))
            ),
        )
        for one in fake.members_of(ring, pods, at)
    )


def _dressed(
    facts: PodFacts,
    pods: tuple[Pod, ...],
    members: dict[str, tuple[Member, ...]],
    on: list[Ring],
    state: StoreState,
    at: float,
) -> PodFacts:
    """With what a real release of this size says of itself."""
    assert facts.runtime is not None
    return msgspec.structs.replace(
        facts,
        build=BuildInfo(version="2.17.1", revision="9f0e1d2"),
        rings=tuple(_view(view, members[view.ring], state) for view in facts.rings),
        runtime=RuntimeView(
            file="/var/mimir/runtime.yaml", block=facts.runtime.block, reload_successful=True
        ),
        gossip=Gossip(
            running=True,
            members=tuple(GossipMember(name=pod.name, ip=pod.ip, alive=True) for pod in pods),
            keys=tuple(ring.ring_key() for ring in on),
        ),
        gossip_config=GossipConfig(
            join_members=("dns+mimir-gossip-ring.observability.svc:7946",),
            rejoin_interval=60.0,
            cluster_label="mimir-observability",
        ),
        counters=COUNTERS,
        started_at=at - 86_000,
        lacking=None,
        config_hash="",
    )


def _view(view: PodRing, members: tuple[Member, ...], state: StoreState) -> PodRing:
    assert view.config is not None
    return msgspec.structs.replace(
        view,
        config=_config(view.config),
        clients=tuple(
            msgspec.structs.replace(
                client, mirror_writes=412.0 if view.writes and client.mirror_enabled else 0.0
            )
            for client in view.clients
        ),
        members=members if view.page_served else None,
        member_count=None if view.page_served else {"ACTIVE": len(members)},
        memberlist=None if state is StoreState.DYNAMODB else members,
    )


def _config(config: KVConfig) -> KVConfig:
    """The static configuration: the mirror is the runtime configuration's to switch."""
    dynamodb = config.dynamodb and msgspec.structs.replace(
        config.dynamodb, table_name=TABLE, ttl=""
    )
    return msgspec.structs.replace(
        config,
        prefix="collectors/",
        mirror_enabled=False if config.store == "multi" else config.mirror_enabled,
        dynamodb=dynamodb,
    )


def _silenced(facts: PodFacts) -> PodFacts:
    """A pod that did not answer in time."""
    return msgspec.structs.replace(
        facts,
        rings=tuple(
            msgspec.structs.replace(
                view,
                config=None,
                clients=(),
                page_served=False,
                members=None,
                member_count=None,
                memberlist=None,
            )
            for view in facts.rings
        ),
        runtime=None,
        gossip=None,
        counters=None,
        unanswered=(
            Unanswered(
                source=f"pod {facts.pod.name} GET /config?mode=diff", reason="timed out after 10s"
            ),
        ),
    )


def _offer(ring: Ring, at: float) -> StoreOffer:
    return StoreOffer(
        image=IMAGE,
        ring=ring.name,
        stores=("consul", "dynamodb", "etcd", "multi"),
        evidence=Evidence(
            source="pod mimir-distributor-1 GET /config?mode=defaults",
            detail="a dynamodb block in the ring's kvstore",
            at=at,
        ),
    )


def _summaries(facts: tuple[PodFacts, ...]) -> tuple[RingSummary, ...]:
    """Every ring of the product, also those that no pod has."""
    found = {one.ring: one for one in summarize(Product.MIMIR, facts)}
    return tuple(
        found.get(ring.name)
        or RingSummary(
            ring=ring.name,
            movable=ring.movable,
            left_because=ring.left_because,
            enabled=False,
            follows_runtime=ring.follows_runtime,
        )
        for ring in rings_of(Product.MIMIR)
    )
