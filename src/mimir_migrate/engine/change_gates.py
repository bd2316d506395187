"""The gates that see whether a change has reached every pod."""

from __future__ import annotations

from mimir_migrate.engine.gate_notes import GateContext, Notes
from mimir_migrate.model.events import GateResult
from mimir_migrate.model.facts import Inspection, PodFacts, PodRing, told_by
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.rings import ring_named
from mimir_migrate.model.stores import RuntimeBlock
from mimir_migrate.words import counted


def rollout_over(inspection: Inspection, context: GateContext) -> GateResult:
    """Every pod runs what was deployed last."""
    notes = Notes()
    revisions = {workload.name: workload for workload in inspection.workloads}
    for workload in inspection.workloads:
        source = f"{workload.kind} {workload.name}"
        if workload.observed_generation < workload.generation:
            notes.fail(source, "its controller has not seen the change yet")
        if workload.ready_replicas < workload.replicas:
            notes.fail(source, f"{workload.ready_replicas} of {workload.replicas} pods are Ready")
    for facts in inspection.pods:
        pod = facts.pod
        source = f"pod {pod.name}"
        if pod.terminating:
            notes.fail(source, "is terminating and alive until it is gone")
            continue
        owner = revisions.get(pod.owner)
        if owner is not None and owner.current_revision and pod.revision != owner.current_revision:
            notes.fail(
                source, f"is of the older revision {pod.revision}, not {owner.current_revision}"
            )
        if pod.node_lost:
            notes.fail(source, f"is on the lost node {pod.node}: it may still be running")
        if not pod.ready:
            notes.fail(source, f"is not Ready {pod.waiting_reason}".rstrip())
            continue
        newest = owner is not None and pod.revision == owner.current_revision != ""
        for view in facts.rings:
            if view.ring in context.states and view.enabled:
                _check_static(notes, facts, view, context, newest=newest)
    return notes.result(
        Gate.ROLLOUT_OVER,
        inspection,
        f"{counted(len(inspection.pods), 'pod is', 'pods are')} Ready with the wanted configuration, none is old",
    )


def _check_static(
    notes: Notes, facts: PodFacts, view: PodRing, context: GateContext, *, newest: bool
) -> None:
    """Hold a Ready pod's static configuration of a ring against what is wanted.

    One of the newest revision on another configuration started before its ConfigMap had come: no rollout
    brings it the new one.
    """
    wanted = context.states[view.ring]
    source = told_by(facts.pod.name, "/config")
    if view.config is None:
        notes.cannot_tell(source, f"no answer about the ring {view.ring}")
    elif view.state is not wanted:
        have = view.state.value if view.state else view.config.store
        restart = (
            "; it is Ready and of the newest revision, so it started with the earlier ConfigMap: "
            "restart this pod"
        )
        notes.fail(
            source,
            f"the ring {view.ring} is on {have}, wanted {wanted.value}"
            + (restart if newest else ""),
        )


def switch_followed(inspection: Inspection, context: GateContext) -> GateResult:
    """Every client reads the store, and mirrors, as the step wants it."""
    notes = Notes()
    clients = 0
    for facts in inspection.pods:
        if facts.pod.terminating:
            continue
        follows = False
        for view in facts.rings:
            if view.ring not in context.rings or not view.enabled:
                continue
            clients += _check_clients(notes, facts, view, context)
            ring = ring_named(inspection.product, view.ring)
            follows = follows or (ring is not None and ring.follows_runtime)
        if follows:
            _check_block(notes, facts, context)
    return notes.result(
        Gate.SWITCH_FOLLOWED,
        inspection,
        (f"all {clients} clients read " if clients != 1 else "the only client reads ")
        + ", ".join(sorted({store.value for store in context.primaries.values()}))
        + (", mirrored" if context.mirror else ", not mirrored"),
    )


def _check_clients(notes: Notes, facts: PodFacts, view: PodRing, context: GateContext) -> int:
    source = f"pod {facts.pod.name}"
    primary = context.primaries.get(view.ring)
    if view.config is None:
        notes.cannot_tell(f"{source} GET /config", f"no answer about the ring {view.ring}")
        return 0
    if view.config.store != "multi":
        if primary is not None and view.config.store != primary.value:
            notes.fail(source, f"the ring {view.ring} is on {view.config.store} only")
        return 1
    seen = {client.kv_name: client for client in view.clients}
    for name in view.expected_kv_names:
        client = seen.get(name)
        if client is None or client.primary is None or client.mirror_enabled is None:
            _check_inferred(notes, facts, view, name, context)
            continue
        if primary is not None and client.primary != primary.value:
            notes.fail(f"{source} {name}", f"reads {client.primary}, wanted {primary.value}")
        if client.mirror_enabled is not context.mirror:
            notes.fail(
                f"{source} {name}",
                f"mirroring is {_on(client.mirror_enabled)}, wanted {_on(context.mirror)}",
            )
    return len(view.expected_kv_names)


def _check_inferred(
    notes: Notes, facts: PodFacts, view: PodRing, name: str, context: GateContext
) -> None:
    """A client that the metrics are silent about, by what must be so.

    That is enough only for a rollback, and only while both stores are written: it misses nobody then,
    whichever it reads. On the way there, what is not known blocks.
    """
    source = told_by(facts.pod.name, "/metrics")
    told, primary = view.inferred, context.primaries.get(view.ring)
    silent = f"nothing about the client {name}"
    if told is None:
        notes.cannot_tell(source, silent)
        return
    follows = f"{silent}; by {told.source} it reads {told.primary}"
    if primary is not None and told.primary != primary.value:
        notes.fail(source, f"{follows}, wanted {primary.value}")
    elif not context.returning:
        notes.cannot_tell(source, follows)
    elif not context.mirror or not told.mirror_enabled:
        notes.cannot_tell(source, f"{follows}, which is not trusted while mirroring is off")


def _check_block(notes: Notes, facts: PodFacts, context: GateContext) -> None:
    source = told_by(facts.pod.name, "/runtime_config")
    if facts.runtime is None:
        notes.cannot_tell(source, "no answer")
        return
    if facts.runtime.reload_successful is False:
        notes.fail(source, "its last reload of the runtime configuration failed")
    wanted = context.runtime or RuntimeBlock()
    if facts.runtime.block != wanted:
        have = facts.runtime.block
        notes.fail(
            source,
            f"multi_kv_config {_block_words(have)}; wanted is one that {_block_words(wanted)}",
        )


def _on(flag: bool) -> str:
    return "on" if flag else "off"


def _block_words(block: RuntimeBlock) -> str:
    """What a runtime block says: `names memberlist and switches mirroring on`."""
    said = [f"names {block.primary}"] if block.primary else []
    if block.mirror_enabled is not None:
        said.append(f"switches mirroring {_on(block.mirror_enabled)}")
    return " and ".join(said) or "says nothing"
