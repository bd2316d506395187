"""All gates' checks at one moment, against what the cluster itself says it is meant to be."""

from __future__ import annotations

from collections import Counter

import msgspec

from mimir_migrate.engine.compare import UnreadableStoreError, differences
from mimir_migrate.engine.gate_notes import GateContext
from mimir_migrate.engine.gates import judge
from mimir_migrate.inspection.fold import fold_ring
from mimir_migrate.model.events import Difference, GateResult, Verdict
from mimir_migrate.model.facts import Inspection, RingSummary
from mimir_migrate.model.plan import BRIDGE_GATES, SCHEMA, Gate
from mimir_migrate.model.rings import rings_of
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.model.stores import RuntimeBlock, Store
from mimir_migrate.plans import timing


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What `verify` answers."""

    schema: str = SCHEMA
    ok: bool
    window: float
    checks: tuple[GateResult, ...]
    differences: tuple[Difference, ...]
    skipped: dict[str, str]
    """Gates that do not apply to the present state, with the reason. Those of the ring bridge are left
    out where no ring goes through it."""


def verify(
    earlier: Inspection,
    inspection: Inspection,
    rings: tuple[str, ...],
    scale: Scale = TRUE_TIME,
) -> Verification:
    """Judge every gate that applies to the state the rings are in.

    `earlier` is an inspection from before, for counters to be compared with; `scale` is for the words.
    """
    window = timing.gate_window(inspection, rings) or 1.0
    summaries = [ring for ring in inspection.rings if ring.ring in rings]
    folds = {
        ring.name: fold_ring(ring, inspection.pods)
        for ring in rings_of(inspection.product)
        if ring.name in rings
    }
    both = [ring.ring for ring in summaries if any(state.is_multi for state in ring.states)]
    mirrored = any(True in ring.mirrors for ring in summaries)
    context = GateContext(
        rings=rings,
        window=window,
        scale=scale,
        states={name: state for name, fold in folds.items() if (state := fold.usual_state)},
        primaries={name: store for name, fold in folds.items() if (store := fold.usual_primary)},
        mirror=mirrored,
        runtime=_usual_block(inspection),
        reference=earlier,
        blast=(),
    )
    skipped = {
        Gate.BLAST_RADIUS: "nothing is about to be deployed",
        Gate.WAY_BACK_OPEN: "no step is about to leave a store",
    }
    on_memberlist = [ring for ring in summaries if _uses(ring, Store.MEMBERLIST)]
    on_dynamodb = [ring for ring in summaries if _uses(ring, Store.DYNAMODB)]
    if not both:
        skipped[Gate.STORES_EQUAL] = "no chosen ring is on both stores"
    elif not mirrored:
        skipped[Gate.STORES_EQUAL] = "mirroring is off, so the second store stands still"
    if not on_memberlist:
        skipped[Gate.GOSSIP_WHOLE] = "no chosen ring is on memberlist"
    if not on_dynamodb:
        skipped[Gate.PODS_REACH_DYNAMODB] = "no chosen ring is on dynamodb"
    through = inspection.bridge is not None
    if through and not on_dynamodb:
        others = (gate for gate in BRIDGE_GATES if gate is not Gate.BRIDGE_UNUSED)
        skipped |= dict.fromkeys(others, "no chosen ring is on dynamodb")
    if through and on_dynamodb:
        skipped[Gate.BRIDGE_UNUSED] = "rings are on it"
    if through and on_dynamodb and (not both or not mirrored):
        skipped[Gate.MIRROR_CLEAN] = "nothing is mirrored"
    applying = [gate for gate in Gate if through or gate not in BRIDGE_GATES]
    checks = tuple(judge(gate, inspection, context) for gate in applying if gate not in skipped)
    found: tuple[Difference, ...] = ()
    if Gate.STORES_EQUAL not in skipped:
        try:
            found = differences(inspection, tuple(both), window)
        except UnreadableStoreError:
            found = ()  # the gate's own result says what could not be read
    return Verification(
        ok=all(check.verdict is Verdict.PASS for check in checks),
        window=window,
        checks=checks,
        differences=found,
        skipped={gate.value: reason for gate, reason in skipped.items()},
    )


def _uses(ring: RingSummary, store: Store) -> bool:
    return any(store in state.stores for state in ring.states)


def _usual_block(inspection: Inspection) -> RuntimeBlock | None:
    blocks = Counter(
        (pod.runtime.block.primary, pod.runtime.block.mirror_enabled)
        for pod in inspection.pods
        if pod.runtime is not None and pod.runtime.block.is_set
    )
    if not blocks:
        return None
    (primary, mirror), _ = blocks.most_common(1)[0]
    return RuntimeBlock(primary=primary, mirror_enabled=mirror)
