"""The gates: each judges one inspection and answers pass, fail or unknown, with its evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mimir_migrate.documents.pending_release import release_repair
from mimir_migrate.engine import traffic
from mimir_migrate.engine.change_gates import rollout_over, switch_followed
from mimir_migrate.engine.compare import UNREADABLE, UnreadableStoreError, differences, gaps
from mimir_migrate.engine.gate_notes import GateContext, Notes
from mimir_migrate.engine.judges import escape
from mimir_migrate.engine.judges.bridge import (
    asks_dynamodb,
    bridge_headroom,
    bridge_ready,
    bridge_unused,
    heartbeat_timeouts,
    mirror_clean,
    pods_poll_bridge,
)
from mimir_migrate.engine.judges.bridge_probe import bridge_consistent
from mimir_migrate.inspection.gossip import gossip_notes, gossiping
from mimir_migrate.model.events import GateResult, Verdict
from mimir_migrate.model.facts import (
    Inspection,
    MemberState,
    PodFacts,
    PodRing,
    Workload,
    told_by,
)
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.stores import Store
from mimir_migrate.words import counted

_MOVERS = frozenset({"Kubernetes autoscalers", "the helm release's Secret"})
"""What an inspection calls the sources that tell who else moves something."""


_AT_REST = frozenset({"deployed", "failed"})
"""States of a helm release in which no helm is at work on it; the next upgrade goes over either."""


def judge(gate: Gate, inspection: Inspection, context: GateContext) -> GateResult:
    """Judge one gate on one inspection."""
    return _JUDGES[gate](inspection, context)


def _stores_equal(inspection: Inspection, context: GateContext) -> GateResult:
    notes = Notes()
    unasked = escape.why_not_asked(inspection, context.rings)
    escapes = bool(unasked) and context.to_memberlist
    try:
        found = (
            tuple(escape.lost_on_the_way(inspection, context.rings, context.window))
            if escapes
            else differences(inspection, context.rings, context.window)
        )
    except UnreadableStoreError as error:
        because = f": {unasked}" if inspection.bridge and unasked and not escapes else ""
        notes.cannot_tell("stores", f"{error}{because}")
        found = ()
    if escapes and escape.stands_still(inspection, found):
        notes.fail("stores", f"{unasked}, and {escape.STANDS_STILL}")
    for difference in found:
        where = f"{difference.store} of pod {difference.pod}" if difference.pod else "dynamodb"
        tell = notes.cannot_tell if difference.kind == UNREADABLE else notes.fail
        tell(
            f"ring {difference.ring}, {where}",
            f"{difference.member}: {difference.words(context.scale)}",
        )
    if escapes:
        return notes.result(
            Gate.STORES_EQUAL,
            inspection,
            f"{unasked}, so the stores are not compared; each pod's gossip has everybody whom it shows of "
            f"{', '.join(context.rings)}",
            at_once=escape.at_once(inspection, context.rings),
        )
    members = sum(len(items.members) for items in inspection.items if items.ring in context.rings)
    return notes.result(
        Gate.STORES_EQUAL,
        inspection,
        f"both stores hold the same {counted(members, 'member')} of {', '.join(context.rings)}",
    )


def _gossip_whole(inspection: Inspection, context: GateContext) -> GateResult:
    notes = Notes()
    for note in gossip_notes(inspection.pods):
        (notes.cannot_tell if note.unknown else notes.fail)(note.source, note.detail)
    expected = gossiping(inspection.pods)
    if not expected:
        notes.fail("gossip", "no pod runs it")
    return notes.result(
        Gate.GOSSIP_WHOLE,
        inspection,
        f"each of {counted(len(expected), 'gossiping pod')} sees all others alive",
        # Heartbeats that the primary store does not acknowledge are not mirrored: gossip shows no new ones.
        at_once=context.to_memberlist and escape.at_once(inspection, context.rings),
    )


def _ring_healthy(inspection: Inspection, context: GateContext) -> GateResult:
    notes = Notes()
    observers = 0
    for ring in context.rings:
        wanted = {
            facts.pod.ip: facts.pod.name
            for facts in inspection.pods
            if (view := facts.ring(ring)) is not None
            and view.enabled
            and view.writes
            and facts.pod.ready
            and not facts.pod.terminating
        }
        for facts in inspection.pods:
            view = facts.ring(ring)
            if view is None or not view.enabled or facts.pod.terminating:
                continue
            if not facts.pod.ready:
                notes.fail(f"pod {facts.pod.name}", f"is not Ready {facts.pod.waiting_reason}")
                continue
            observers += _check_view(notes, facts, view, wanted)
    for missing in inspection.pods:
        if missing.unanswered and any(missing.ring(ring) for ring in context.rings):
            for question in missing.unanswered:
                notes.cannot_tell(question.source, question.reason)
    return notes.result(
        Gate.RING_HEALTHY,
        inspection,
        f"{counted(observers, 'view')} of {', '.join(context.rings)}, each with every member ACTIVE",
    )


def _check_view(notes: Notes, facts: PodFacts, view: PodRing, wanted: Mapping[str, str]) -> int:
    source = f"pod {facts.pod.name}, ring {view.ring}"
    healthy = {MemberState.ACTIVE, MemberState.READONLY}
    if view.members is not None:
        shown = {member.ip for member in view.members if member.state in healthy}
        unread = {member.ip for member in view.members if member.unread}
        for member in view.members:
            if member.unread:
                notes.cannot_tell(source, f"of {member.id} it says {', '.join(member.unread)}")
            elif member.state not in healthy and member.state is not MemberState.LEFT:
                notes.fail(source, f"{member.id} is {member.state.value}")
        for ip, name in wanted.items():
            if ip not in shown | unread:
                notes.fail(source, f"does not show {name} ({ip}) ACTIVE")
        for member in view.members:
            if member.state in healthy and member.ip not in wanted:
                notes.fail(
                    source, f"shows {member.id} at {member.address}, which is not a Ready pod"
                )
        return 1
    if view.member_count is not None:
        active = view.member_count.get("ACTIVE", 0) + view.member_count.get("READONLY", 0)
        if active != len(wanted):
            notes.fail(source, f"counts {active} ACTIVE members of {len(wanted)}")
        return 1
    return 0


def _pods_reach_dynamodb(inspection: Inspection, context: GateContext) -> GateResult:
    if inspection.bridge is not None:
        return pods_poll_bridge(inspection, context)
    notes = Notes()
    asked = 0
    earlier = {
        facts.pod.uid or facts.pod.name: facts
        for facts in (context.reference.pods if context.reference else ())
    }
    for facts in inspection.pods:
        if facts.pod.terminating or not _asks_dynamodb(facts, context.rings):
            continue
        asked += 1
        source = told_by(facts.pod.name, "/metrics")
        if facts.counters is None:
            notes.cannot_tell(source, "no answer")
            continue
        requests, errors = facts.counters.dynamodb_requests, facts.counters.dynamodb_errors
        if not requests:
            notes.cannot_tell(source, "its DynamoDB client has made no request yet")
            continue
        old = earlier.get(facts.pod.uid or facts.pod.name)
        before = 0.0  # a process that began since the reference counts from its start
        if old is not None and old.counters is not None and old.started_at == facts.started_at:
            before = old.counters.dynamodb_errors or 0.0
        elif context.reference is None or not _began_since(facts, old, context.reference):
            notes.cannot_tell(source, "the first sample is taken, the next is compared with it")
            continue
        fresh = (errors or 0.0) - before
        if fresh > 0:
            notes.fail(
                source, f"{counted(round(fresh), 'failed request')} to DynamoDB in the last window"
            )
    if not asked:
        notes.cannot_tell("pods", "no pod reads or writes DynamoDB for a chosen ring")
    return notes.result(
        Gate.PODS_REACH_DYNAMODB,
        inspection,
        f"{counted(asked, 'pod')} made requests to DynamoDB and none failed in the last window",
    )


def _began_since(facts: PodFacts, old: PodFacts | None, reference: Inspection) -> bool:
    """Whether the pod's process began after a sample, in which it did not answer or was not there."""
    if old is None or old.counters is not None:
        return True
    return facts.started_at is not None and facts.started_at >= reference.at


def _asks_dynamodb(facts: PodFacts, rings: tuple[str, ...]) -> bool:
    """Whether the pod's client makes requests of DynamoDB for one of the rings."""
    return any(view.ring in rings and asks_dynamodb(view) for view in facts.rings)


def _users_fine(inspection: Inspection, context: GateContext) -> GateResult:
    notes = Notes()
    if context.reference is None:
        notes.cannot_tell("counters", "the first sample is taken, the next is compared with it")
    else:
        grown = traffic.deltas(context.reference, inspection)
        if grown is None:
            silent = [
                facts.pod.name
                for facts in inspection.pods
                if facts.pod.ready and facts.counters is None
            ]
            for name in silent:
                notes.cannot_tell(told_by(name, "/metrics"), "no answer")
        else:
            over = context.scale.words(inspection.at - context.reference.at)
            for complaint in traffic.complaints(grown, context.baseline, over=over):
                notes.fail("users", complaint)
            for pod, counter in traffic.uncounted(context.reference, inspection):
                notes.cannot_tell(
                    told_by(pod, "/metrics"), f"it told its {counter} before and does not now"
                )
    return notes.result(
        Gate.USERS_FINE, inspection, "pushes, queries and rules fail no more than before the run"
    )


def stands_still(inspection: Inspection) -> bool:
    """Whether no workload is rolling and no pod is terminating."""
    return not any(map(_is_rolling, inspection.workloads)) and not any(
        facts.pod.terminating for facts in inspection.pods
    )


def _is_rolling(workload: Workload) -> bool:
    return (
        workload.observed_generation < workload.generation
        or workload.updated_replicas < workload.replicas
        or workload.ready_replicas < workload.replicas
    )


def _nothing_else_moves(inspection: Inspection, context: GateContext) -> GateResult:
    del context
    notes = Notes()
    for scaler in inspection.autoscalers:
        if scaler.current != scaler.desired:
            notes.fail(
                f"autoscaler {scaler.name}",
                f"takes {scaler.target} from {scaler.current} to {scaler.desired} pods",
            )
    for workload in inspection.workloads:
        if _is_rolling(workload):
            notes.fail(f"{workload.kind} {workload.name}", "is rolling")
    for facts in inspection.pods:
        if facts.pod.terminating:
            notes.fail(f"pod {facts.pod.name}", "is terminating")
    for question in inspection.unanswered:
        if question.source in _MOVERS:
            notes.cannot_tell(question.source, question.reason)
    release = inspection.release
    if release is not None and release.status not in _AT_REST:
        found = f"its revision {release.revision} is {release.status}"
        if release.pending:
            repair = release_repair(release.name, inspection.identity.namespace, release.over)
            found += f"; where its helm died: {repair}"
        notes.fail(f"release {release.name}", found)
    return notes.result(
        Gate.NOTHING_ELSE_MOVES, inspection, "no rollout, scaling or other deploy is under way"
    )


def _blast_radius(inspection: Inspection, context: GateContext) -> GateResult:
    notes = Notes()
    if context.blast is None:
        notes.cannot_tell("rendering", "the values cannot be rendered here ([deploy] template)")
    else:
        for other in context.blast:
            notes.fail("rendering", f"would also change {other}")
    return notes.result(
        Gate.BLAST_RADIUS,
        inspection,
        "the deploy changes the configuration, the runtime configuration and checksums only",
    )


def _rollback_open(inspection: Inspection, context: GateContext) -> GateResult:
    old = context.old_store
    if old is None:
        return Notes().result(Gate.WAY_BACK_OPEN, inspection, "nothing leads back from here")
    notes = Notes()
    rings = tuple(ring for ring in context.rings if _has(inspection, ring, old))
    if context.old_store_live:
        try:
            found = gaps(inspection, rings, old, context.window)
        except UnreadableStoreError as error:
            notes.cannot_tell("the old store", str(error))
            found = ()
        for gap in found:
            where = f"{gap.store} of pod {gap.pod}" if gap.pod else gap.store
            tell = notes.cannot_tell if gap.kind == UNREADABLE else notes.fail
            tell(f"ring {gap.ring}, {where}", f"{gap.member}: {gap.words(context.scale)}")
    if old is Store.MEMBERLIST:
        gossip = _gossip_whole(inspection, context)
        tell = notes.fail if gossip.verdict is Verdict.FAIL else notes.cannot_tell
        for evidence in gossip.evidence:
            tell(evidence.source, evidence.detail)
    good = f"{old.value} is complete and live for {', '.join(rings)}"
    if not context.old_store_live:
        good = (
            f"{old.value} stands still since mirroring was taken out; the rollback mirrors again"
        )
    if old is Store.MEMBERLIST:
        good += ", and gossip is whole"
    return notes.result(Gate.WAY_BACK_OPEN, inspection, good)


def _has(inspection: Inspection, ring: str, store: Store) -> bool:
    """Whether some pod has the store configured for the ring."""
    return any(
        view.enabled and view.state is not None and store in view.state.stores
        for pod in inspection.pods
        if (view := pod.ring(ring)) is not None
    )


_JUDGES: Mapping[Gate, Callable[[Inspection, GateContext], GateResult]] = {
    Gate.STORES_EQUAL: _stores_equal,
    Gate.GOSSIP_WHOLE: _gossip_whole,
    Gate.ROLLOUT_OVER: rollout_over,
    Gate.SWITCH_FOLLOWED: switch_followed,
    Gate.RING_HEALTHY: _ring_healthy,
    Gate.PODS_REACH_DYNAMODB: _pods_reach_dynamodb,
    Gate.USERS_FINE: _users_fine,
    Gate.NOTHING_ELSE_MOVES: _nothing_else_moves,
    Gate.BLAST_RADIUS: _blast_radius,
    Gate.WAY_BACK_OPEN: _rollback_open,
    Gate.BRIDGE_READY: bridge_ready,
    Gate.BRIDGE_CONSISTENT: bridge_consistent,
    Gate.BRIDGE_HEADROOM: bridge_headroom,
    Gate.HEARTBEAT_TIMEOUTS: heartbeat_timeouts,
    Gate.MIRROR_CLEAN: mirror_clean,
    Gate.BRIDGE_UNUSED: bridge_unused,
}
