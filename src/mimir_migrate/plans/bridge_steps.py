"""The steps of a plan that are about the ring bridge itself, and what a plan says of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from mimir_migrate.errors import UsageError
from mimir_migrate.inspection.ring_tables import ring_keys
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Gate, Step, StepKind
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.plans import timing
from mimir_migrate.plans.path import Stage

EXPERIMENTAL = "Experimental: the ring bridge was run against stock Mimir and a stand-in for DynamoDB; never on AWS."
HONEST = (
    "It puts a service on the write path of every ring that reads it: while no replica of it answers, "
    "heartbeats stop, and once heartbeat_timeout is over every such ring is unhealthy at once. It is reached "
    "through Mimir's Consul client, whose deprecation upstream has proposed (grafana/mimir#2949). With a "
    "memberlist that works, stay there."
)


def refuse_needless_bridge(inspection: Inspection, target: Target) -> None:
    """Refuse a bridge where pods have a client of their own.

    Raises:
        UsageError: It is Cortex.
    """
    if target.through_bridge is not None and inspection.product is Product.CORTEX:
        raise UsageError(
            '[dynamodb] through = "bridge": Cortex has a DynamoDB client of its own',
            hint="Leave the entry and the section [bridge] out of the target.",
        )


def notes_of_bridge(target: Target, to: Store) -> tuple[str, ...]:
    """What a plan says of the bridge as a whole."""
    if target.through_bridge is None:
        return ()
    return (EXPERIMENTAL, HONEST) if to is Store.DYNAMODB else (EXPERIMENTAL,)


class BridgeSteps:
    """Proves that the bridge is there before rings are moved onto it, and that it is not needed after.

    Args:
        inspection: What was observed.
        target: Names the bridge; where it does not go through one, there are no such steps.
        rings: The chosen rings.
    """

    def __init__(self, inspection: Inspection, target: Target, rings: tuple[str, ...]) -> None:
        self._inspection = inspection
        self._target = target
        self._rings = rings
        self._through = target.through_bridge is not None

    def comes_first(self, moves: Sequence[Stage], to: Store) -> bool:
        """Whether pods are about to be given the bridge."""
        return self._through and to is Store.DYNAMODB and moves[0].id == "both"

    def goes_last(self, to: Store) -> bool:
        """Whether no ring is on the bridge once the chosen ones have left it."""
        return (
            self._through
            and to is Store.MEMBERLIST
            and not any(
                Store.DYNAMODB in state.stores
                for ring in self._inspection.rings
                if ring.ring not in self._rings and ring.enabled
                for state in ring.states
            )
        )

    def proof(self, observed: Mapping[str, Sequence[StoreState]]) -> Step:
        """The step that waits for the bridge; `observed` are the states of the chosen rings."""
        return Step(
            id="bridge",
            kind=StepKind.BRIDGE,
            title="Prove the ring bridge",
            what="Nothing is changed: whoever deploys the bridge deploys it now, if it is not there. Every "
            "replica is asked by its own pod's address for the chosen rings.",
            why="A pod that starts while the bridge does not answer ends itself at once, so the bridge comes "
            "before the first pod that names it.",
            states={
                ring: states[0] if states else StoreState.MEMBERLIST
                for ring, states in observed.items()
            },
            commands=(self._deploy_command(),),
            expected=(
                "two replicas or more, Ready, each serving every chosen ring",
                "no replica shows an older version than another one showed a second before",
                "each replica writes a number of its own, and every other one reads it",
            ),
            duration=timing.gates_duration(
                self._inspection, self._rings, scale=self._target.scale
            ),
            touches=("nothing: whoever deploys the bridge makes its objects",),
            undo="Nothing to undo.",
            way_back="Open: no pod names the bridge yet.",
            before=(),
            after=(Gate.BRIDGE_READY, Gate.BRIDGE_CONSISTENT, Gate.BRIDGE_HEADROOM),
        )

    def farewell(self, last: Step) -> Step:
        """The step that proves that the bridge is not used any more, after the `last` one."""
        return Step(
            id="unbridge",
            kind=StepKind.BRIDGE,
            title="Prove that nothing uses the ring bridge any more",
            what="Nothing is changed: no pod's configuration or runtime block names the bridge, and on every "
            "replica nobody asked for a ring for 2 min. It may be removed then, by whoever deployed it.",
            why="A pod that still read the bridge would lose its ring with it.",
            states=dict(last.states),
            primaries=dict(last.primaries),
            mirror=last.mirror,
            runtime=last.runtime,
            commands=self._remove_commands(),
            expected=("/rings of every replica shows no client of the last 2 min",),
            duration=timing.gates_duration(
                self._inspection, self._rings, scale=self._target.scale
            ),
            touches=("nothing: whoever deployed the bridge removes its objects",),
            undo="Nothing to undo: the bridge is where it was.",
            way_back="Needs more than a switch: every chosen ring is on memberlist only.",
            before=(),
            after=(Gate.BRIDGE_UNUSED,),
        )

    def _deploy_command(self) -> str:
        target, where = self._target, self._target.kubernetes
        keys = ring_keys(self._inspection.product, self._inspection.pods, self._rings)
        manifest = [
            "mimir-migrate",
            "bridge",
            "manifest",
            "--image",
            "IMAGE",
            "--name",
            target.bridge.name,
            "--namespace",
            where.namespace,
            "--table",
            target.dynamodb.table,
            "--region",
            target.aws.region,
            "--cluster",
            f"{where.namespace}-{where.release}",
            "--keys",
            ",".join(keys.values()),
            *([] if target.bridge.token_variable else ["--no-token"]),
            *(["--tls-secret", "SECRET"] if target.bridge.tls else []),
        ]
        return (
            f"{shlex.join(manifest)} | {shlex.join(['kubectl', *self._context(), 'apply'])} -f -"
        )

    def _remove_commands(self) -> tuple[str, ...]:
        name, namespace = self._target.bridge.name, self._target.kubernetes.namespace
        kinds = "deployment,service,serviceaccount,poddisruptionbudget,networkpolicy"
        kubectl = ["kubectl", *self._context()]
        return (
            shlex.join([*kubectl, "--namespace", namespace, "delete", kinds, name]),
            shlex.join([*kubectl, "delete", "priorityclass", f"{namespace}-{name}"]),
        )

    def _context(self) -> list[str]:
        where = self._target.kubernetes
        return [
            *(["--kubeconfig", where.kubeconfig] if where.kubeconfig else []),
            *(["--context", where.context] if where.context else []),
        ]
