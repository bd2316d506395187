"""How a run looks at its cluster and plans what is left."""

from __future__ import annotations

from mimir_migrate.inspection.binaries import DefaultsCache
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Finding
from mimir_migrate.model.plan import FactChange, Plan, Step
from mimir_migrate.model.target import Target
from mimir_migrate.operations.planning import Planning, values_sources
from mimir_migrate.plans.files.blast import Remembering, other_changes
from mimir_migrate.plans.planner import Order, applied
from mimir_migrate.ports import World


class RunNavigator:
    """Looks and plans for one run, by the same code that the operator looks and plans with."""

    def __init__(self, planning: Planning, world: World, target: Target) -> None:
        self._planning = planning
        self._world = world
        self._target = target
        self._cache = DefaultsCache()
        self._render = Remembering(world.renderer.render)

    def inspect(self, rings: tuple[str, ...]) -> Inspection:
        """Inspect the cluster, with the stores of the given rings."""
        return self._planning.inspect(self._world, self._target, rings=rings, cache=self._cache)

    def plan(self, inspection: Inspection, order: Order, restore: tuple[FileEdit, ...]) -> Plan:
        """Plan from an inspection, with edits that restore earlier bytes."""
        return self._planning.planned(
            self._world, self._target, order, inspection, restore=restore
        )

    def drift(self, plan: Plan, inspection: Inspection) -> tuple[FactChange, ...]:
        """What changed since a plan was made."""
        return self._planning.drift(self._world, plan, inspection)

    def findings(self, inspection: Inspection, order: Order) -> tuple[Finding, ...]:
        """What there is against going on."""
        return self._planning.against_going_on(
            self._world, self._target, order, inspection, self._cache
        )

    def blast(self, step: Step) -> tuple[str, ...] | None:
        """What deploying a step's files would change besides; rendered once for the same files."""
        before = values_sources(self._world.files, self._target)
        return other_changes(self._render, before, applied(before, step.edits))
