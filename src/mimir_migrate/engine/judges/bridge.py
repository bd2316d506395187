"""The gates about the ring bridge. Where a target does not go through one, none of them applies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mimir_migrate.engine.gate_notes import GateContext, Notes
from mimir_migrate.inspection.ring_tables import ring_keys
from mimir_migrate.inspection.rules.bridge import MOST_A_SECOND, heartbeats_a_second
from mimir_migrate.model.events import GateResult
from mimir_migrate.model.facts import (
    Bridge,
    BridgePage,
    BridgeReplica,
    Inspection,
    PodRing,
    told_by,
)
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.stores import Store
from mimir_migrate.target_check import LEAST_HEARTBEAT_TIMEOUT
from mimir_migrate.words import counted

FEWEST_REPLICAS = 2
"""With only one, its restart is an outage of every ring."""
SEEN_WITHIN = 1.0
"""Seconds after which a replica shows what another one has shown; replicas read the table each 0.5 s."""
UNUSED_FOR = 120.0
"""True seconds without a request after which an address counts as gone: a client's watch asks at least each
10 s, and each 60 s after errors."""


def bridge_ready(inspection: Inspection, context: GateContext) -> GateResult:
    """`bridge-ready`: each replica serves every ring, none behind what another showed a second before."""
    notes = Notes()
    pages = dict(pages_of(notes, inspection.bridge))
    keys = ring_keys(inspection.product, inspection.pods, context.rings)
    for name, page in pages.items():
        if page.table_is_away:
            notes.fail(name, "its table does not answer it")
        for ring, key in keys.items():
            if key not in page.rings:
                notes.fail(name, f"does not serve the ring {ring} ({key}, see its --keys)")
    staying = inspection.bridge.staying if inspection.bridge else ()
    for replica in staying:
        if not replica.pod.ready:
            notes.fail(source_of(replica), "is not Ready")
    if staying and len(staying) < FEWEST_REPLICAS:
        notes.fail("ring bridge", "has one replica, whose restart is an outage of every ring")
    _never_behind(notes, inspection, context, pages, keys)
    return notes.result(
        Gate.BRIDGE_READY,
        inspection,
        f"{counted(len(pages), 'replica')} of the ring bridge show the same versions of "
        f"{', '.join(context.rings)}",
    )


def _never_behind(
    notes: Notes,
    inspection: Inspection,
    context: GateContext,
    pages: Mapping[str, BridgePage],
    keys: Mapping[str, str],
) -> None:
    """Hold each replica against what any of them showed a second ago."""
    earlier = context.reference
    if earlier is None or earlier.bridge is None or inspection.at - earlier.at < SEEN_WITHIN:
        notes.cannot_tell("ring bridge", "the first sample is taken, the next is compared with it")
        return
    for ring, key in keys.items():
        before = earlier.bridge.newest(key)
        for name, page in pages.items():
            now = page.rings.get(key)
            if before is not None and now is not None and now.index < before.index:
                notes.fail(
                    name,
                    f"shows version {now.index} of the ring {ring}; a replica showed {before.index} before",
                )


def bridge_headroom(inspection: Inspection, context: GateContext) -> GateResult:
    """`bridge-headroom`: no ring sends more heartbeats than the bridge carries."""
    notes = Notes()
    most = 0.0
    for ring in context.rings:
        members, rate = heartbeats_a_second(inspection, ring)
        if not members:
            continue
        if rate is None:
            notes.cannot_tell(f"ring {ring}", "no pod says how often its members send heartbeats")
            continue
        most = max(most, rate)
        if rate > MOST_A_SECOND:
            notes.fail(
                f"ring {ring}",
                f"{counted(members, 'member')} send {rate:.1f} heartbeats a second, more than the "
                f"{MOST_A_SECOND:g} that the ring bridge carries",
            )
    keys = ring_keys(inspection.product, inspection.pods, context.rings)
    for replica in inspection.bridge.staying if inspection.bridge else ():
        for ring, key in keys.items():
            seen = replica.page.rings.get(key) if replica.page is not None else None
            if seen is not None and seen.heartbeats_per_second > MOST_A_SECOND:
                notes.fail(
                    source_of(replica),
                    f"saw {seen.heartbeats_per_second:.1f} heartbeats a second of the ring {ring} in the "
                    "last minute",
                )
    return notes.result(
        Gate.BRIDGE_HEADROOM,
        inspection,
        f"no ring sends more than {most:.1f} heartbeats a second; the bridge carries {MOST_A_SECOND:g}",
    )


def heartbeat_timeouts(inspection: Inspection, context: GateContext) -> GateResult:
    """`heartbeat-timeouts`: every pod waits long enough for heartbeats of every ring on the bridge."""
    notes = Notes()
    asked = 0
    for ring in context.rings:
        for facts, view in inspection.staying(ring):
            source = told_by(facts.pod.name, f"/config, ring {ring}")
            timeout = view.heartbeat_timeout
            asked += 1
            if timeout is None:
                if not facts.leaves_without(view.config):
                    notes.cannot_tell(source, "does not say its heartbeat_timeout")
            elif timeout and context.scale.seconds(timeout) < LEAST_HEARTBEAT_TIMEOUT:
                notes.fail(
                    source,
                    f"heartbeat_timeout {context.scale.words(timeout)}; the ring bridge needs 4 min, or a "
                    "short outage of it makes every member unhealthy",
                )
    if not asked:
        notes.cannot_tell("pods", "no pod has a chosen ring")
    return notes.result(
        Gate.HEARTBEAT_TIMEOUTS,
        inspection,
        f"{counted(asked, 'view')} of {', '.join(context.rings)}: each waits 4 min or more for heartbeats",
    )


def mirror_clean(inspection: Inspection, context: GateContext) -> GateResult:
    """`mirror-clean`: no mirrored write failed since a window ago."""
    notes = Notes()
    if context.reference is None:
        notes.cannot_tell("counters", "the first sample is taken, the next is compared with it")
        return notes.result(Gate.MIRROR_CLEAN, inspection, "")
    earlier = {facts.pod.uid or facts.pod.name: facts for facts in context.reference.pods}
    told = 0
    for ring in context.rings:
        for facts, view in inspection.staying(ring):
            if not view.writes or view.state is None or not view.state.is_multi:
                continue
            old = earlier.get(facts.pod.uid or facts.pod.name)
            same = old is not None and old.started_at == facts.started_at
            before = _errors(old.ring(ring)) if old is not None and same else {}
            for client in view.clients:
                source = told_by(facts.pod.name, f"/metrics, {client.kv_name}")
                if client.mirror_write_errors is None:
                    notes.cannot_tell(source, "does not count failed mirrored writes")
                    continue
                told += 1
                grown = client.mirror_write_errors - before.get(client.kv_name, 0.0)
                if same and client.kv_name not in before:
                    notes.cannot_tell(source, "did not count failed mirrored writes before")
                elif grown > 0:
                    notes.fail(
                        source,
                        f"{counted(round(grown), 'mirrored write')} failed in the last window",
                    )
    if not told and not notes.unknown:
        notes.cannot_tell("pods", "no pod that writes a chosen ring mirrors it")
    return notes.result(
        Gate.MIRROR_CLEAN,
        inspection,
        f"{counted(told, 'client')} mirrored without a failed write in the last window",
    )


def _errors(view: PodRing | None) -> dict[str, float]:
    if view is None:
        return {}
    return {
        client.kv_name: client.mirror_write_errors
        for client in view.clients
        if client.mirror_write_errors is not None
    }


def pods_poll_bridge(inspection: Inspection, context: GateContext) -> GateResult:
    """`pods-reach-dynamodb` through the bridge: each pod asked a replica for its rings in the last window."""
    notes = Notes()
    pages = dict(pages_of(notes, inspection.bridge))
    keys = ring_keys(inspection.product, inspection.pods, context.rings)
    asked = 0
    for facts in inspection.pods:
        if facts.pod.terminating:
            continue
        rings = [view.ring for view in facts.rings if view.ring in keys and asks_dynamodb(view)]
        if not rings:
            continue
        asked += 1
        source = f"pod {facts.pod.name} ({facts.pod.ip})"
        seen = [
            (page.now - client.last, client.keys)
            for page in pages.values()
            if (client := page.clients.get(facts.pod.ip)) is not None
        ]
        lately = [of for age, of in seen if age <= context.window]
        lacking = [ring for ring in rings if not any(keys[ring] in of for of in lately)]
        if not lacking:
            continue
        if not notes.unknown:
            notes.fail(source, f"asked no replica for {', '.join(lacking)} in the last window")
    if not asked:
        notes.cannot_tell("pods", "no pod reads or writes a chosen ring through the bridge")
    return notes.result(
        Gate.PODS_REACH_DYNAMODB,
        inspection,
        f"{counted(asked, 'pod')} asked the ring bridge for their rings in the last window",
    )


def asks_dynamodb(view: PodRing) -> bool:
    """Whether the pod's client makes requests: it reads DynamoDB, or writes and mirrors to it.

    A pod that only reads a ring asks its secondary store for nothing, so before the switch nothing
    can be told of it.
    """
    if not view.enabled or view.config is None:
        return False
    if Store.DYNAMODB.value not in {view.config.store, view.config.primary, view.config.secondary}:
        return False
    if view.primary != Store.MEMBERLIST.value:
        return True
    return view.writes and any(client.mirror_enabled is not False for client in view.clients)


def bridge_unused(inspection: Inspection, context: GateContext) -> GateResult:
    """`bridge-unused`: nothing names the bridge, and on every replica nobody asked it for 2 min.

    A replica that started less than 2 min ago has not seen enough to say so.
    """
    notes = Notes()
    for facts in inspection.pods:
        for view in facts.rings:
            if view.enabled and view.config is None and not facts.leaves_without(view.config):
                notes.cannot_tell(told_by(facts.pod.name, "/config"), f"ring {view.ring}: unknown")
            elif view.config is not None and view.config.through_bridge:
                notes.fail(
                    told_by(facts.pod.name, "/config"), f"ring {view.ring} names the bridge"
                )
        runtime = facts.runtime
        if runtime is None and not facts.leaves_without(runtime):
            notes.cannot_tell(told_by(facts.pod.name, "/runtime_config"), "no usable answer")
        elif runtime is not None and runtime.block.primary == Store.DYNAMODB.value:
            notes.fail(told_by(facts.pod.name, "/runtime_config"), "its block names the bridge")
    replicas = 0
    if inspection.bridge is not None and not inspection.bridge.replicas:
        if inspection.bridge.reason:
            notes.cannot_tell("ring bridge", inspection.bridge.reason)
    else:
        replicas = _quiet(notes, inspection.bridge, context)
    return notes.result(
        Gate.BRIDGE_UNUSED,
        inspection,
        f"no pod names the ring bridge, and nobody asked {counted(replicas, 'replica')} of it for 2 min",
    )


def _quiet(notes: Notes, bridge: Bridge | None, context: GateContext) -> int:
    """How many replicas were looked at."""
    count = 0
    for name, page in pages_of(notes, bridge):
        count += 1
        if context.scale.seconds(page.now - page.started) < UNUSED_FOR:
            notes.cannot_tell(name, "started less than 2 min ago: before that it saw nothing")
        for address, client in page.clients.items():
            if context.scale.seconds(page.now - client.last) < UNUSED_FOR:
                ago = context.scale.words(max(0.0, page.now - client.last))
                notes.fail(name, f"{address} asked for {', '.join(client.keys)} {ago} ago")
    return count


def pages_of(notes: Notes, bridge: Bridge | None) -> Iterator[tuple[str, BridgePage]]:
    """The pages of all replicas that stay, by their source; what is not known is noted."""
    if bridge is None:
        notes.cannot_tell("ring bridge", "it was not looked at")
        return
    if bridge.reason:
        notes.cannot_tell("ring bridge", bridge.reason)
        return
    if not bridge.staying:
        notes.fail("ring bridge", "no replica of it is there")
    for replica in bridge.staying:
        if replica.page is None:
            notes.cannot_tell(source_of(replica), replica.reason or "no answer")
        else:
            yield source_of(replica), replica.page


def source_of(replica: BridgeReplica) -> str:
    """What evidence names as the source of a replica's page."""
    return f"bridge pod {replica.pod.name} GET /rings"
