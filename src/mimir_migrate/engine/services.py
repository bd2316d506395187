"""What a runner is handed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.findings import Finding
from mimir_migrate.model.plan import FactChange, Plan, Step
from mimir_migrate.plans.planner import Order
from mimir_migrate.ports import Changes, Journal, World


class Navigator(Protocol):
    """How one run looks at its cluster and plans what is left; nothing of it changes anything."""

    def inspect(self, rings: tuple[str, ...]) -> Inspection:
        """Inspect the cluster, with the stores of the given rings."""

    def plan(self, inspection: Inspection, order: Order, restore: tuple[FileEdit, ...]) -> Plan:
        """Plan from an inspection, with edits that restore earlier bytes."""

    def drift(self, plan: Plan, inspection: Inspection) -> tuple[FactChange, ...]:
        """What changed since a plan was made."""

    def findings(self, inspection: Inspection, order: Order) -> tuple[Finding, ...]:
        """What there is against going on, see `inspection.findings.against_going_on`."""

    def blast(self, step: Step) -> tuple[str, ...] | None:
        """What deploying a step's files would change besides configuration; None: cannot be told."""


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What a runner is handed."""

    world: World
    changes: Changes
    journal: Journal
    navigator: Navigator
    who: str
    """`user@host`."""
    host: str
    pid: int
    approve_all: bool = False
    gate_timeout: float = 1800.0
    keep_details: Callable[[BaseException, str], str] = lambda _error, _doing: ""
    """Writes down what is known of an error that nobody foresaw, and what was being done; the file's
    path, empty where it could not."""
    before_change: Callable[[], None] = lambda: None
    """Called right before each change, before the operator's requests are read."""
    adopted: bool = False
    """Whether the run was begun on another machine, so that its files are copies of their own here."""
    canonical: bool = False
    """Whether such a copy may be any other text: the canonical form is written into it then."""
    dry: bool = False
    """Whether the changes are recorders: then nothing happens, and no gate is waited for."""
