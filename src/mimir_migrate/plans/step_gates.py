"""Which gates stand before and after a stage's change."""

from __future__ import annotations

from mimir_migrate.model.plan import Gate, StepKind
from mimir_migrate.model.stores import Store
from mimir_migrate.plans.path import Stage


def gates_before(
    stage: Stage,
    *,
    to: Store,
    returning: bool,
    leaves: bool,
    judges_blast: bool,
    through_bridge: bool = False,
) -> tuple[Gate, ...]:
    """The gates before a stage's change.

    Args:
        stage: The stage.
        to: The store that the plan leads to.
        returning: Whether this is a rollback.
        leaves: Whether the stage leaves a copy of the ring standing still.
        judges_blast: Whether what the deploy would change besides can be known.
        through_bridge: Whether DynamoDB is reached through the ring bridge.
    """
    found: list[Gate] = []
    if not stage.begun and not returning:
        found += [Gate.RING_HEALTHY, Gate.NOTHING_ELSE_MOVES]
    if not returning:
        found.append(Gate.USERS_FINE)
    if stage.crossing and not stage.begun:
        found.append(Gate.STORES_EQUAL)
    if to is Store.MEMBERLIST and (stage.crossing or stage.id in {"unmirror", "settle"}):
        found.append(Gate.GOSSIP_WHOLE)
    if to is Store.DYNAMODB and stage.id in {"switch", "swap", "unmirror", "settle"}:
        found.append(Gate.PODS_REACH_DYNAMODB)
    if through_bridge and to is Store.DYNAMODB:
        found += _of_bridge(stage)
    leaving = stage.crossing or leaves or stage.id == "settle"
    if leaving and not stage.begun and not returning:
        found.append(Gate.WAY_BACK_OPEN)
    if stage.id == "unmirror" and not stage.begun and not returning:
        # The proof that the rollback was sound until it closes. Where some pods do not mirror
        # any more, or never did, the other store stands still already.
        found.append(Gate.STORES_EQUAL)
    if judges_blast:
        found.append(Gate.BLAST_RADIUS)
    return tuple(dict.fromkeys(found))


def _of_bridge(stage: Stage) -> list[Gate]:
    """What has to be so of the bridge before pods are given it, and before they read it."""
    gates = [Gate.BRIDGE_READY, Gate.BRIDGE_CONSISTENT, Gate.BRIDGE_HEADROOM]
    if stage.crossing:
        gates.append(Gate.MIRROR_CLEAN)
    if stage.id in {"switch", "swap", "unmirror", "settle"}:
        gates.append(Gate.HEARTBEAT_TIMEOUTS)
    return gates


def gates_after(stage: Stage) -> tuple[Gate, ...]:
    """The gates after it."""
    gates: list[Gate] = []
    if stage.kind is StepKind.ROLLOUT:
        gates.append(Gate.ROLLOUT_OVER)
    gates += [Gate.SWITCH_FOLLOWED, Gate.RING_HEALTHY]
    if stage.mirror and any(state.is_multi for state in stage.states.values()):
        gates.append(Gate.STORES_EQUAL)
    gates.append(Gate.USERS_FINE)
    return tuple(gates)
