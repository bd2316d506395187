"""What a runner plans from what it observes, and what it says where that is otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.engine.gates import stands_still
from mimir_migrate.engine.ground import Ground
from mimir_migrate.engine.history import edits_made, inverses, rollback_planned
from mimir_migrate.engine.services import Services
from mimir_migrate.errors import MigrateError, PlanStaleError
from mimir_migrate.model.events import Recorded, WayBackFound
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Plan
from mimir_migrate.plans.facts import FactChange, compare, facts_after, stale_words
from mimir_migrate.plans.planner import Order
from mimir_migrate.plans.position import NotToldError
from mimir_migrate.plans.refusals import refuse_going_on
from mimir_migrate.plans.rollback import same_way

IDENTITY = frozenset({"cluster", "namespace", "release", "aws account", "aws region", "product"})
"""Names of the facts that say where a plan is for."""


class MovedMeanwhileError(Exception):
    """What was planned from, or was to be planned from, was a moment of a rollout that goes on."""

    def __init__(self, error: MigrateError) -> None:
        super().__init__(error.message)
        self.error = error
        """What is to be said where it does not come to an end."""


class Replanning:
    """Plans again for one run, from what is observed."""

    def __init__(self, services: Services, plan: Plan) -> None:
        self._services = services
        self._plan = plan

    def planned(self, inspection: Inspection, *, back: bool) -> Plan:
        """The plan from what is observed now, for the way that the run goes.

        What blocks a plan blocks going on as well; a rollback is open whatever was found.

        Raises:
            MovedMeanwhileError: A pod does not say enough while a rollout is under way, such as one that is
                just leaving: it is to be looked at again, and is not an end.
            MigrateError: There is no plan.
        """
        try:
            return self._planned(inspection, back=back)
        except NotToldError as error:
            if stands_still(inspection):
                raise
            raise MovedMeanwhileError(error) from error

    def _planned(self, inspection: Inspection, *, back: bool) -> Plan:
        plan = self._plan
        made = inverses(
            edits_made(self._services.journal.events(), self._services.world.files.read)
        )
        restore = made
        if not back:
            # The plan's own restoring edits fit the files as they were before this run's edits.
            restore = (*made, *plan.restore) if plan.restore else ()
        order = Order(
            to=plan.to.other if back else plan.to,
            goal=None if back else plan.goal,
            rings=plan.rings,
            strategy=plan.strategy,
            returning=back,
        )
        if not back:
            refuse_going_on(self._services.navigator.findings(inspection, order))
        return self._services.navigator.plan(inspection, order, restore)

    def refuse_elsewhere(self, inspection: Inspection) -> None:
        """A run ends where it began: the kubeconfig or the credentials may name another place now."""
        moved = [
            f"{change.name}: {change.before} -> {change.after}"
            for change in self._services.navigator.drift(self._plan, inspection)
            if change.name in IDENTITY and change.before and change.after
        ]
        if moved:
            raise PlanStaleError(
                "the run began elsewhere; this is not the same: " + "; ".join(moved),
                hint="Nothing was changed. Name the context and the credentials that it began with.",
            )

    def compared(self, found: Plan, earlier: Sequence[Recorded]) -> WayBackFound:
        """The rollback that was asked for, beside the one that the plan said from here."""
        step, planned = rollback_planned(earlier)
        same = planned is not None and same_way(planned, found.steps)
        changes: tuple[FactChange, ...] = ()
        if step is not None and not same:
            led_to = msgspec.structs.replace(found, facts=facts_after(step, self._plan.facts))
            changes = compare(led_to, found.facts)
        return WayBackFound(
            step=step.id if step else "",
            planned=None if planned is None else tuple(one.id for one in planned),
            found=tuple(one.id for one in found.steps),
            same=same,
            changes=tuple(change for change in changes if change.before is not None),
        )

    def stale(
        self,
        ground: Ground,
        step: str,
        changes: tuple[FactChange, ...],
        inspection: Inspection,
        *,
        back: bool,
        under_way: bool,
    ) -> PlanStaleError:
        """Why a step may not begin: each fact, and what the new plan would be."""
        ids = [one.id for one in ground.plan.steps]
        try:
            fresh = ", ".join(one.id for one in self._planned(inspection, back=back).steps)
        except MigrateError as error:
            fresh = f"none: {error.message}"
        return PlanStaleError(
            f"the cluster or a file changed before the step {step}:\n"
            + stale_words(
                changes,
                left=ids[ids.index(step) :],
                fresh=fresh or "nothing is left to do",
            ),
            hint=(
                "This step is under way. " if under_way else "Nothing of this step was changed. "
            )
            + "`resume` plans again from what is there now; `rollback` goes back.",
        )
