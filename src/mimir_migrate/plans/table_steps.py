"""The step of a plan that makes the ring tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mimir_migrate.errors import BlockedError
from mimir_migrate.model.changes import TableSpec
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Step, StepKind
from mimir_migrate.model.stores import Store, StoreState
from mimir_migrate.model.target import Target
from mimir_migrate.plans import timing
from mimir_migrate.plans.hand import commands_for
from mimir_migrate.plans.texts import tables_stay
from mimir_migrate.words import form


class TableSteps:
    """Makes what is missing, unless somebody else does.

    Args:
        inspection: Which tables there are.
        target: Where they are to be, and whether Terraform makes them.
        to: The store that the plan leads to.
    """

    def __init__(self, inspection: Inspection, target: Target, to: Store) -> None:
        self._inspection = inspection
        self._target = target
        self._to = to

    def step(
        self, names: Sequence[str], observed: Mapping[str, Sequence[StoreState]]
    ) -> Step | None:
        """The step; None: nothing is missing, or it is not this plan's to make.

        Args:
            names: The tables.
            observed: The states of the chosen rings, which it leaves as they are.

        Raises:
            BlockedError: One is missing that Terraform makes.
        """
        missing = tuple(
            TableSpec(
                name=name,
                region=self._target.aws.region,
                ttl=bool(self._target.dynamodb.ttl),
                tags={"managed-by": "mimir-migrate", "cluster": self._inspection.identity.release},
            )
            for name in names
            if self._is_missing(name)
        )
        if not missing or not self._makes(missing):
            return None
        named = ", ".join(table.name for table in missing)
        return Step(
            id="tables",
            kind=StepKind.TABLES,
            title=f"Create the ring table {named}",
            what="Creates it with on-demand billing, the keys RingKey and InstanceKey, and deletion "
            "protection"
            + (
                ", with items expiring by their attribute ttl."
                if self._target.dynamodb.ttl
                else "."
            ),
            why=(
                "The ring bridge never creates its table, and does not serve without it."
                if self._target.through_bridge
                else "Mimir and Cortex never create tables: a pod that points at a missing one cannot "
                "register itself."
            ),
            states={
                ring: states[0] if states else StoreState.MEMBERLIST
                for ring, states in observed.items()
            },
            tables=missing,
            commands=commands_for("tables", self._target, tables=missing),
            expected=("DescribeTable answers ACTIVE with RingKey (HASH) and InstanceKey (RANGE)",),
            duration=timing.table_duration(),
            touches=(f"DynamoDB in {self._target.aws.region or 'the default region'}",),
            undo=tables_stay(missing),
            way_back="Open: nothing points at the table yet.",
            before=(),
            after=(),
        )

    def _is_missing(self, name: str) -> bool:
        """Whether a table has to be made.

        Towards memberlist one that DynamoDB does not tell of counts as there: asking for it would close the
        rollback off a DynamoDB that is away.
        """
        tables = self._inspection.tables
        if name not in tables and self._to is Store.MEMBERLIST:
            return False
        return tables.get(name) is None

    def _makes(self, missing: tuple[TableSpec, ...]) -> bool:
        """Whether a step makes the tables; where Terraform does, none may go round it."""
        if not self._target.terraform.dir:
            return True
        if self._to is Store.MEMBERLIST:
            return False
        names = [table.name for table in missing]
        raise BlockedError(
            f"no plan: {', '.join(names)} {form(names, 'does', 'do')} not exist, and the target's [terraform] dir says that Terraform "
            "makes the tables",
            hint="`mimir-migrate bridge manifest --terraform` prints the table and the bridge's policy; "
            "review it, run `terraform apply`, then plan again."
            if self._target.through_bridge
            else "`mimir-migrate terraform --output ring-tables.tf` writes what is missing as a new "
            "file; review it, run `terraform apply`, then plan again.",
        )
