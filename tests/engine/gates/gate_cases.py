"""Cases of every gate: a healthy inspection, and what changing one field of it comes to."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import release as fake

from mimir_migrate.engine.gate_notes import GateContext
from mimir_migrate.model.events import Verdict
from mimir_migrate.model.facts import (
    Autoscaler,
    Gossip,
    GossipMember,
    Inferred,
    Inspection,
    MemberState,
    Unanswered,
)
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.rings import Product, rings_of
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
MIRRORED = StoreState.MEMBERLIST_DYNAMODB
RINGS = ("ingester", "ruler")
INGESTER = "cortex-ingester-0"
RULER = "cortex-ruler-1"
QUERIER = "cortex-querier-0"

Change = Callable[[Inspection], Inspection]
Tune = Callable[[GateContext], GateContext]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One gate on one changed inspection."""

    gate: Gate
    name: str
    verdict: Verdict
    change: Change = lambda inspection: inspection
    tune: Tune = lambda context: context
    names: tuple[str, ...] = ()
    """What the summary or the evidence must name."""


def base() -> Inspection:
    """Everything healthy on both stores, mirrored."""
    return fake.release(Product.CORTEX, MIRRORED, block=BLOCK)


BLOCK = RuntimeBlock(primary="memberlist", mirror_enabled=True)


def context(inspection: Inspection) -> GateContext:
    """What the gates hold a healthy inspection against."""
    earlier = fake.release(Product.CORTEX, MIRRORED, block=BLOCK, at=fake.NOW - fake.WINDOW)
    return GateContext(
        rings=RINGS,
        window=fake.WINDOW,
        states=dict.fromkeys(RINGS, MIRRORED),
        primaries=dict.fromkeys(RINGS, Store.MEMBERLIST),
        mirror=True,
        runtime=BLOCK,
        reference=earlier,
        blast=(),
    )


def tuned(**fields: object) -> Tune:
    """A context with other fields."""
    return lambda context: msgspec.structs.replace(context, **fields)


def view(pod: str, ring: str, **fields: object) -> Change:
    """One pod's view of one ring."""
    return lambda inspection: fake.with_view(inspection, pod, ring, **fields)


def leaving(**fields: object) -> Change:
    """A ruler whose deletion was asked for, with fields of its view of its ring."""
    return lambda inspection: pod(RULER, deleted_at=fake.NOW - 5)(
        view(RULER, "ruler", **fields)(inspection)
    )


def pod(name: str, **fields: object) -> Change:
    """One pod as Kubernetes has it."""
    return lambda inspection: fake.with_pod(inspection, name, **fields)


def facts(name: str, **fields: object) -> Change:
    """One pod's facts."""
    return lambda inspection: fake.with_facts(inspection, name, **fields)


def counters(name: str, **fields: object) -> Change:
    """One pod's counters."""
    return lambda inspection: fake.with_counters(inspection, name, **fields)


def workload(component: str, **fields: object) -> Change:
    """One workload."""
    return lambda inspection: fake.with_workload(inspection, component, **fields)


def client(name: str, ring: str, **fields: object) -> Change:
    """The first KV client of one pod for one ring."""

    def change(inspection: Inspection) -> Inspection:
        found = fake.facts_of(inspection, name).ring(ring)
        assert found is not None
        first = msgspec.structs.replace(found.clients[0], **fields)
        return fake.with_view(inspection, name, ring, clients=(first, *found.clients[1:]))

    return change


def member(name: str, ring: str, index: int = 0, **fields: object) -> Change:
    """One member on one pod's page of a ring."""

    def change(inspection: Inspection) -> Inspection:
        found = fake.facts_of(inspection, name).ring(ring)
        assert found is not None
        assert found.members is not None
        members = list(found.members)
        members[index] = msgspec.structs.replace(members[index], **fields)
        return fake.with_view(inspection, name, ring, members=tuple(members))

    return change


def runtime(name: str, **fields: object) -> Change:
    """What one pod has loaded of its runtime configuration."""

    def change(inspection: Inspection) -> Inspection:
        found = fake.facts_of(inspection, name).runtime
        assert found is not None
        return fake.with_facts(inspection, name, runtime=msgspec.structs.replace(found, **fields))

    return change


def without_gossip_member(name: str, missing: str) -> Change:
    """One pod's gossip does not list another as alive."""

    def change(inspection: Inspection) -> Inspection:
        found = fake.facts_of(inspection, name).gossip
        assert found is not None
        ip = fake.facts_of(inspection, missing).pod.ip
        members = tuple(
            msgspec.structs.replace(one, alive=False) if one.ip == ip else one
            for one in found.members
        )
        return fake.with_facts(
            inspection, name, gossip=msgspec.structs.replace(found, members=members)
        )

    return change


def stranger(name: str) -> Change:
    """One pod's gossip lists somebody who is not a pod of the release."""

    def change(inspection: Inspection) -> Inspection:
        found = fake.facts_of(inspection, name).gossip
        assert found is not None
        members = (*found.members, GossipMember(name="loki-0", ip="10.9.9.9", alive=True))
        return fake.with_facts(
            inspection, name, gossip=msgspec.structs.replace(found, members=members)
        )

    return change


def with_clock_behind(inspection: Inspection) -> Inspection:
    """This machine's clock is ten minutes behind, and so the frozen table's items look young."""
    behind = fake.NOW - 600.0
    items = tuple(
        msgspec.structs.replace(
            each,
            at=behind,
            members=tuple(
                msgspec.structs.replace(one, timestamp=int(behind) - 3) for one in each.members
            ),
        )
        for each in inspection.items
    )
    return msgspec.structs.replace(inspection, at=behind, items=items)


def with_member_ahead(inspection: Inspection) -> Inspection:
    """One ingester's clock is ten minutes ahead, in both stores."""
    ahead = int(fake.NOW) + 600
    for facts in inspection.pods:
        seen = facts.ring("ingester")
        if seen is not None and seen.memberlist:
            members = tuple(
                msgspec.structs.replace(one, timestamp=ahead) if one.id == INGESTER else one
                for one in seen.memberlist
            )
            inspection = fake.with_view(inspection, facts.pod.name, "ingester", memberlist=members)
    return fake.with_item(inspection, "ingester", 0, timestamp=ahead)


def inspection_of(**fields: object) -> Change:
    """Fields of the inspection itself."""
    return lambda inspection: msgspec.structs.replace(inspection, **fields)


def release_status(status: str, over: int = 0) -> Change:
    """The helm release in another status, over a revision that was deployed."""

    def change(inspection: Inspection) -> Inspection:
        assert inspection.release is not None
        changed = msgspec.structs.replace(inspection.release, status=status, over=over)
        return msgspec.structs.replace(inspection, release=changed)

    return change


def case(gate: Gate, name: str, verdict: Verdict, *names: str, **fields: Change | Tune) -> Case:
    """A case in one line."""
    return Case(gate=gate, name=name, verdict=verdict, names=names, **fields)


def unmirrored_readers(inspection: Inspection) -> Inspection:
    """Pods that only read a ring have asked DynamoDB for nothing yet."""
    return fake.with_counters(inspection, QUERIER, dynamodb_requests=0.0)


COMPACTOR = "cortex-compactor-0"
TO_DYNAMODB = tuned(old_store=Store.MEMBERLIST)
TO_MEMBERLIST = tuned(old_store=Store.DYNAMODB)

CASES = (
    case(Gate.STORES_EQUAL, "both equal", PASS),
    case(
        Gate.STORES_EQUAL,
        "a token differs",
        FAIL,
        INGESTER,
        "tokens",
        change=lambda i: fake.with_item(i, "ingester", 0, tokens=(1, 2, 9)),
    ),
    case(
        Gate.STORES_EQUAL,
        "the items could not be read",
        UNKNOWN,
        "ingester",
        change=inspection_of(items=()),
    ),
    case(
        Gate.STORES_EQUAL,
        "a replica did not answer",
        UNKNOWN,
        INGESTER,
        change=view(INGESTER, "ingester", memberlist=None),
    ),
    case(
        Gate.STORES_EQUAL,
        "an item cannot be decoded",
        FAIL,
        "strange",
        change=lambda i: msgspec.structs.replace(
            i,
            items=tuple(
                msgspec.structs.replace(each, undecodable=("strange",)) for each in i.items
            ),
        ),
    ),
    case(
        Gate.STORES_EQUAL,
        "the table stands still while this machine's clock is behind",
        FAIL,
        "stale-heartbeat",
        change=with_clock_behind,
    ),
    case(
        Gate.STORES_EQUAL,
        "one member's clock is ahead",
        PASS,
        change=with_member_ahead,
    ),
    case(
        Gate.STORES_EQUAL,
        "a pod that is about to go does not answer any more",
        PASS,
        change=leaving(memberlist=None),
    ),
    case(
        Gate.STORES_EQUAL,
        "a pod that stays does not answer",
        UNKNOWN,
        RULER,
        change=view(RULER, "ruler", memberlist=None),
    ),
    case(
        Gate.STORES_EQUAL,
        "a pod that is about to go answers, and has lost a member",
        FAIL,
        RULER,
        "missing",
        change=leaving(memberlist=()),
    ),
    case(Gate.GOSSIP_WHOLE, "everybody sees everybody", PASS),
    case(
        Gate.GOSSIP_WHOLE,
        "one pod does not see another",
        FAIL,
        RULER,
        INGESTER,
        change=without_gossip_member(RULER, INGESTER),
    ),
    case(
        Gate.GOSSIP_WHOLE,
        "gossip is not running in a pod",
        FAIL,
        RULER,
        change=facts(RULER, gossip=Gossip(running=False)),
    ),
    case(Gate.GOSSIP_WHOLE, "a stranger is in it", FAIL, "10.9.9.9", change=stranger(RULER)),
    case(
        Gate.GOSSIP_WHOLE, "a pod did not answer", UNKNOWN, RULER, change=facts(RULER, gossip=None)
    ),
    case(
        Gate.GOSSIP_WHOLE,
        "no ring wants gossip",
        FAIL,
        change=lambda _: fake.release(Product.CORTEX, StoreState.DYNAMODB),
    ),
    case(Gate.ROLLOUT_OVER, "all pods are new and Ready", PASS),
    case(
        Gate.ROLLOUT_OVER,
        "an old pod is terminating",
        FAIL,
        RULER,
        "terminating",
        change=pod(RULER, deleted_at=fake.NOW - 5),
    ),
    case(
        Gate.ROLLOUT_OVER,
        "a pod is of an older revision",
        FAIL,
        RULER,
        "older revision",
        change=pod(RULER, revision="r0"),
    ),
    case(Gate.ROLLOUT_OVER, "a node is lost", FAIL, RULER, change=pod(RULER, node_lost=True)),
    case(
        Gate.ROLLOUT_OVER,
        "a pod is not Ready",
        FAIL,
        RULER,
        "CrashLoopBackOff",
        change=pod(RULER, ready=False, waiting_reason="CrashLoopBackOff"),
    ),
    case(
        Gate.ROLLOUT_OVER,
        "a controller has not seen the change",
        FAIL,
        "cortex-ruler",
        change=workload("ruler", generation=2),
    ),
    case(
        Gate.ROLLOUT_OVER,
        "a workload is short of pods",
        FAIL,
        "cortex-ruler",
        change=workload("ruler", ready_replicas=1),
    ),
    case(
        Gate.ROLLOUT_OVER,
        "a pod kept its configuration",
        FAIL,
        RULER,
        "memberlist",
        "it started with the earlier ConfigMap: restart this pod",
        change=view(RULER, "ruler", config=fake.kv_config(StoreState.MEMBERLIST)),
    ),
    case(
        Gate.ROLLOUT_OVER,
        "a pod does not show its configuration",
        UNKNOWN,
        RULER,
        change=view(RULER, "ruler", config=None),
    ),
    case(Gate.SWITCH_FOLLOWED, "every client follows", PASS),
    case(
        Gate.SWITCH_FOLLOWED,
        "one client reads the other store",
        FAIL,
        RULER,
        "ruler",
        change=client(RULER, "ruler", primary="dynamodb"),
    ),
    case(
        Gate.SWITCH_FOLLOWED,
        "one client does not mirror",
        FAIL,
        INGESTER,
        "mirroring is off",
        change=client(INGESTER, "ingester", mirror_enabled=False),
    ),
    case(
        Gate.SWITCH_FOLLOWED,
        "a pod is on one store only",
        FAIL,
        RULER,
        change=view(RULER, "ruler", config=fake.kv_config(StoreState.DYNAMODB), clients=()),
    ),
    case(
        Gate.SWITCH_FOLLOWED,
        "a pod has not loaded the block",
        FAIL,
        INGESTER,
        change=runtime(INGESTER, block=RuntimeBlock()),
    ),
    case(
        Gate.SWITCH_FOLLOWED,
        "a reload failed",
        FAIL,
        INGESTER,
        "reload",
        change=runtime(INGESTER, reload_successful=False),
    ),
    case(
        Gate.SWITCH_FOLLOWED,
        "a metric is missing",
        UNKNOWN,
        INGESTER,
        change=view(INGESTER, "ingester", clients=()),
    ),
    *(
        case(
            Gate.SWITCH_FOLLOWED,
            f"what a client reads is only inferred, {name}",
            verdict,
            *names,
            change=view(
                INGESTER,
                "ingester",
                clients=(),
                inferred=Inferred(
                    primary=primary, mirror_enabled=mirror, source="GET /runtime_config"
                ),
            ),
            tune=tuned(returning=returning),
        )
        for name, returning, primary, mirror, verdict, names in (
            (
                "on the way there",
                False,
                "memberlist",
                True,
                UNKNOWN,
                (INGESTER, "by GET /runtime"),
            ),
            ("in a rollback", True, "memberlist", True, PASS, ()),
            ("mirroring off", True, "memberlist", False, UNKNOWN, (INGESTER, "not trusted while")),
            ("the other store", True, "dynamodb", True, FAIL, (INGESTER, "wanted memberlist")),
        )
    ),
    case(
        Gate.SWITCH_FOLLOWED,
        "a metric is not a number",
        UNKNOWN,
        INGESTER,
        change=client(INGESTER, "ingester", mirror_enabled=None),
    ),
    case(
        Gate.SWITCH_FOLLOWED,
        "the runtime page did not answer",
        UNKNOWN,
        INGESTER,
        change=facts(INGESTER, runtime=None),
    ),
    case(Gate.RING_HEALTHY, "every view shows every member", PASS),
    case(
        Gate.RING_HEALTHY,
        "a member is leaving",
        FAIL,
        INGESTER,
        "LEAVING",
        change=member(RULER, "ingester", state=MemberState.LEAVING),
    ),
    case(
        Gate.RING_HEALTHY,
        "a view lacks a member",
        FAIL,
        INGESTER,
        change=member(RULER, "ingester", address="10.1.0.99:9095"),
    ),
    case(
        Gate.RING_HEALTHY,
        "a reader without a page counts too few",
        FAIL,
        QUERIER,
        change=view(QUERIER, "ingester", members=None, member_count={"ACTIVE": 2}),
    ),
    case(
        Gate.RING_HEALTHY,
        "a pod that touches the ring is not Ready",
        FAIL,
        QUERIER,
        change=pod(QUERIER, ready=False),
    ),
    case(
        Gate.RING_HEALTHY,
        "a page did not answer",
        UNKNOWN,
        "timed out",
        change=facts(RULER, unanswered=(Unanswered(source=f"pod {RULER}", reason="timed out"),)),
    ),
    case(
        Gate.RING_HEALTHY,
        "a pod of another ring did not answer",
        PASS,
        change=facts(COMPACTOR, unanswered=(Unanswered(source="x", reason="timed out"),)),
    ),
    case(Gate.PODS_REACH_DYNAMODB, "requests and no failures", PASS),
    case(
        Gate.PODS_REACH_DYNAMODB,
        "a pod that only reads has asked nothing yet",
        PASS,
        change=unmirrored_readers,
    ),
    case(
        Gate.PODS_REACH_DYNAMODB,
        "requests fail",
        FAIL,
        INGESTER,
        "3 failed",
        change=counters(INGESTER, dynamodb_errors=3.0),
    ),
    case(
        Gate.PODS_REACH_DYNAMODB,
        "a writer has made no request",
        UNKNOWN,
        INGESTER,
        change=counters(INGESTER, dynamodb_requests=0.0),
    ),
    case(
        Gate.PODS_REACH_DYNAMODB,
        "the metrics page did not answer",
        UNKNOWN,
        INGESTER,
        change=facts(INGESTER, counters=None),
    ),
    case(
        Gate.PODS_REACH_DYNAMODB,
        "nothing to compare with yet",
        UNKNOWN,
        tune=tuned(reference=None),
    ),
    case(
        Gate.PODS_REACH_DYNAMODB,
        "no pod has DynamoDB",
        UNKNOWN,
        change=lambda _: fake.release(Product.CORTEX, StoreState.MEMBERLIST),
    ),
    case(Gate.USERS_FINE, "nothing fails", PASS),
    case(
        Gate.USERS_FINE,
        "pushes fail",
        FAIL,
        "failed pushes",
        change=counters(INGESTER, failed_pushes=400.0),
    ),
    case(
        Gate.USERS_FINE,
        "queries fail",
        FAIL,
        "failed queries",
        change=counters(QUERIER, failed_queries=40.0),
    ),
    case(
        Gate.USERS_FINE,
        "rules fail",
        FAIL,
        "failed rule evaluations",
        change=counters(RULER, failed_rule_evaluations=40.0),
    ),
    case(
        Gate.USERS_FINE,
        "5xx",
        FAIL,
        "5xx",
        change=counters("cortex-distributor-0", server_errors=400.0),
    ),
    case(
        Gate.USERS_FINE,
        "a few failures in a thousand are noise",
        PASS,
        change=counters(INGESTER, failed_pushes=5.0),
    ),
    case(
        Gate.USERS_FINE,
        "a metrics page did not answer",
        UNKNOWN,
        RULER,
        change=facts(RULER, counters=None),
    ),
    case(
        Gate.USERS_FINE,
        "a process tells its requests no more",
        UNKNOWN,
        RULER,
        "requests",
        change=counters(RULER, requests=None, server_errors=None),
    ),
    case(Gate.USERS_FINE, "nothing to compare with yet", UNKNOWN, tune=tuned(reference=None)),
    case(Gate.NOTHING_ELSE_MOVES, "all is quiet", PASS),
    case(
        Gate.NOTHING_ELSE_MOVES,
        "an autoscaler is at it",
        FAIL,
        "hpa",
        change=inspection_of(
            autoscalers=(Autoscaler(name="hpa", target="Deployment/x", current=2, desired=3),)
        ),
    ),
    case(
        Gate.NOTHING_ELSE_MOVES,
        "a workload is rolling",
        FAIL,
        "cortex-ruler",
        change=workload("ruler", updated_replicas=1),
    ),
    case(
        Gate.NOTHING_ELSE_MOVES,
        "a pod is terminating",
        FAIL,
        RULER,
        change=pod(RULER, deleted_at=fake.NOW),
    ),
    case(
        Gate.NOTHING_ELSE_MOVES,
        "another deploy is pending",
        FAIL,
        "pending-upgrade",
        change=release_status("pending-upgrade"),
    ),
    case(
        Gate.NOTHING_ELSE_MOVES,
        "a helm died over a revision that was deployed",
        FAIL,
        "helm rollback",
        change=release_status("pending-upgrade", over=6),
    ),
    case(
        Gate.NOTHING_ELSE_MOVES,
        "the last deploy failed, and is over",
        PASS,
        change=release_status("failed"),
    ),
    case(
        Gate.NOTHING_ELSE_MOVES,
        "the autoscalers could not be asked",
        UNKNOWN,
        "autoscalers",
        change=inspection_of(
            unanswered=(Unanswered(source="Kubernetes autoscalers", reason="denied"),)
        ),
    ),
    case(Gate.BLAST_RADIUS, "configuration alone", PASS),
    case(
        Gate.BLAST_RADIUS,
        "an image would change",
        FAIL,
        "image",
        tune=tuned(blast=("Deployment/x: spec.template.spec.containers.0.image",)),
    ),
    case(Gate.BLAST_RADIUS, "cannot be rendered", UNKNOWN, tune=tuned(blast=None)),
    case(Gate.WAY_BACK_OPEN, "memberlist is complete and gossip whole", PASS, tune=TO_DYNAMODB),
    case(Gate.WAY_BACK_OPEN, "the table is complete", PASS, tune=TO_MEMBERLIST),
    case(
        Gate.WAY_BACK_OPEN,
        "a replica of the old store lacks a member",
        FAIL,
        RULER,
        "ruler",
        "missing",
        change=view(RULER, "ruler", memberlist=()),
        tune=TO_DYNAMODB,
    ),
    case(
        Gate.WAY_BACK_OPEN,
        "the old store's heartbeats are old",
        FAIL,
        "stale-heartbeat",
        change=inspection_of(at=fake.NOW + 2 * fake.WINDOW),
        tune=TO_DYNAMODB,
    ),
    case(
        Gate.WAY_BACK_OPEN,
        "gossip is not whole",
        FAIL,
        RULER,
        INGESTER,
        change=without_gossip_member(RULER, INGESTER),
        tune=TO_DYNAMODB,
    ),
    case(
        Gate.WAY_BACK_OPEN,
        "gossip does not matter where memberlist is not the old store",
        PASS,
        change=without_gossip_member(RULER, INGESTER),
        tune=TO_MEMBERLIST,
    ),
    case(
        Gate.WAY_BACK_OPEN,
        "an old store that stands still need not be complete",
        PASS,
        change=view(RULER, "ruler", memberlist=()),
        tune=tuned(old_store=Store.MEMBERLIST, old_store_live=False),
    ),
    case(
        Gate.WAY_BACK_OPEN,
        "gossip has to be whole even then",
        FAIL,
        RULER,
        change=without_gossip_member(RULER, INGESTER),
        tune=tuned(old_store=Store.MEMBERLIST, old_store_live=False),
    ),
    case(
        Gate.WAY_BACK_OPEN,
        "a replica could not be read",
        UNKNOWN,
        RULER,
        change=view(RULER, "ruler", memberlist=None),
        tune=TO_DYNAMODB,
    ),
    case(
        Gate.WAY_BACK_OPEN,
        "the items could not be read",
        UNKNOWN,
        "DynamoDB",
        change=inspection_of(items=()),
        tune=TO_MEMBERLIST,
    ),
    case(
        Gate.WAY_BACK_OPEN,
        "a pod's gossip is not known",
        UNKNOWN,
        RULER,
        change=facts(RULER, gossip=None),
        tune=TO_DYNAMODB,
    ),
)

MOVABLE = tuple(
    (product, ring.name)
    for product in Product
    for ring in rings_of(product)
    if ring.movable and any(role.writes for role in ring.roles)
)
"""Every ring that can be moved, of both products."""
