"""A plan: ordered steps from the observed state of the chosen rings to the wanted one."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from mimir_migrate.model.changes import TableSpec
from mimir_migrate.model.edits import FileEdit, PathChange
from mimir_migrate.model.facts import Identity
from mimir_migrate.model.findings import Finding
from mimir_migrate.model.rings import Product
from mimir_migrate.model.scale import Scale
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState
from mimir_migrate.model.target import Target

SCHEMA = "mimir-migrate/1"


class Strategy(StrEnum):
    """How the primary store is switched in the middle of the path."""

    AUTO = "auto"
    """Ring by ring in the best way that ring has."""
    STATIC = "static"
    """By three rollouts, without the runtime configuration."""
    RUNTIME = "runtime"
    """By the runtime configuration; refused where a chosen ring does not follow it."""


class StepKind(StrEnum):
    """What a step does to the world."""

    TABLES = "tables"
    ROLLOUT = "rollout"
    """A change of the static configuration: every pod restarts."""
    RUNTIME = "runtime"
    """A change of the runtime configuration: no pod restarts."""
    BRIDGE = "bridge"
    """Nothing is changed here: somebody else brings the ring bridge or takes it away, and gates prove
    that it may be relied on, or is not any more."""

    @property
    def deploys(self) -> bool:
        """Whether the step deploys values, so that pods are otherwise after it."""
        return self in {StepKind.ROLLOUT, StepKind.RUNTIME}


class Gate(StrEnum):
    """The checks that a run passes through, by name."""

    STORES_EQUAL = "stores-equal"
    GOSSIP_WHOLE = "gossip-whole"
    ROLLOUT_OVER = "rollout-over"
    SWITCH_FOLLOWED = "switch-followed"
    RING_HEALTHY = "ring-healthy"
    PODS_REACH_DYNAMODB = "pods-reach-dynamodb"
    USERS_FINE = "users-fine"
    NOTHING_ELSE_MOVES = "nothing-else-moves"
    BLAST_RADIUS = "blast-radius"
    WAY_BACK_OPEN = "way-back-open"
    BRIDGE_READY = "bridge-ready"
    BRIDGE_CONSISTENT = "bridge-consistent"
    BRIDGE_HEADROOM = "bridge-headroom"
    HEARTBEAT_TIMEOUTS = "heartbeat-timeouts"
    MIRROR_CLEAN = "mirror-clean"
    BRIDGE_UNUSED = "bridge-unused"


BRIDGE_GATES = (
    Gate.BRIDGE_READY,
    Gate.BRIDGE_CONSISTENT,
    Gate.BRIDGE_HEADROOM,
    Gate.HEARTBEAT_TIMEOUTS,
    Gate.MIRROR_CLEAN,
    Gate.BRIDGE_UNUSED,
)
"""Gates that judge nothing where no ring goes through the ring bridge."""


class PlanFact(msgspec.Struct, frozen=True, kw_only=True):
    """One fact that the plan rests on; a changed one that matters makes the plan stale."""

    name: str
    value: str
    matters: bool = True
    why: str = ""


class FactChange(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that is not what it was when the plan was made; None: it is no longer told."""

    name: str
    before: str | None
    after: str | None
    matters: bool
    why: str = ""


_SHORT = 12
"""Digits of a checksum that a line of a status shows."""


def change_words(change: FactChange, *, short: bool = False) -> str:
    """A changed fact as one line: old, new, and whether it matters."""
    before, after = (
        _shortened(change.name, value) if short else value
        for value in (change.before, change.after)
    )
    bears = change.why or "it matters"
    if not change.matters:
        bears = f"does not matter: {change.why}" if change.why else "does not matter"
    return f"{change.name}: {before or 'not told'} -> {after or 'not told'}  ({bears})"


def _shortened(name: str, value: str | None) -> str | None:
    return value[:_SHORT] if value and name.startswith("file ") else value


class Duration(msgspec.Struct, frozen=True, kw_only=True):
    """A range of seconds and what it was computed from."""

    low: float
    high: float
    basis: str
    fixed_low: float = 0.0
    """What of `low` the cluster does not tell, but is known of real ones: the kubelet's period, AWS. A
    simulation does not shorten it."""
    fixed_high: float = 0.0
    """The same of `high`."""
    stops: float = 0.0
    """What of `high` pods take that do not stop before their whole grace period is over."""

    def words(self, scale: Scale, *, brief: bool = False) -> str:
        """For a person: `1 min to 2 min 17 s`; of rollouts what is usual first, then the worst case.

        Args:
            scale: How durations of the cluster are shown.
            brief: Whether there is little room: `about 12 min, at most 1 h 20 min`.
        """
        return scale.range_words(
            self.low,
            self.high,
            fixed_low=self.fixed_low,
            fixed_high=self.fixed_high,
            stops=self.stops,
            brief=brief,
        )


def together(durations: Iterable[Duration], basis: str = "") -> Duration:
    """Durations one after the other, as one."""
    parts = tuple(durations)
    return Duration(
        low=sum(part.low for part in parts),
        high=sum(part.high for part in parts),
        basis=basis,
        fixed_low=sum(part.fixed_low for part in parts),
        fixed_high=sum(part.fixed_high for part in parts),
        stops=sum(part.stops for part in parts),
    )


class Chance(StrEnum):
    """Whether an alert fires."""

    WILL = "will"
    MAY = "may"
    ENDS = "ends"
    """It cannot fire any more: what it looks at is gone."""


class StepAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert of the product's own mixin that a step can set off."""

    name: str
    chance: Chance
    why: str
    pending: float = 0.0
    """Seconds that it must hold before the alert fires."""
    severity: str = ""
    """`warning` or `critical`."""


class BackStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a rollback, computed by the planner from what is true where it begins."""

    id: str
    kind: StepKind
    title: str
    crossing: bool = False
    states: dict[str, StoreState] = {}
    """The static state of each chosen ring after the step."""
    primaries: dict[str, Store] = {}
    mirror: bool = False
    runtime: RuntimeBlock | None = None
    """The runtime block that the step writes; None: there is none afterwards."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step: a change, and the gates before and after it."""

    id: str
    kind: StepKind
    title: str
    what: str
    why: str
    crossing: bool = False
    """Whether a primary store changes with this step."""
    states: dict[str, StoreState] = {}
    """The static state of each chosen ring after the step."""
    primaries: dict[str, Store] = {}
    """The store that each chosen ring's pods read after the step."""
    mirror: bool = False
    """Whether writes of the chosen rings are mirrored after the step."""
    runtime: RuntimeBlock | None = None
    """The runtime block in the values after the step; None: there is none."""
    tables: tuple[TableSpec, ...] = ()
    edits: tuple[FileEdit, ...] = ()
    diff: str = ""
    """The edits as a unified diff."""
    paths: tuple[PathChange, ...] = ()
    commands: tuple[str, ...] = ()
    """What does the same by hand, in order."""
    expected: tuple[str, ...] = ()
    """What is expected to be seen afterwards."""
    duration: Duration
    touches: tuple[str, ...] = ()
    undo: str
    """How the step is undone."""
    way_back: str
    """Whether rolling back is open after the step, and what it takes."""
    closes_way_back: bool = False
    """Whether the rollback needs more after this step than a switch of the primary store."""
    back: tuple[BackStep, ...] | None = None
    """The steps from after this one to the start, in order; empty: there is nothing to take back.
    None: the plan is of a version that did not say."""
    alerts: tuple[StepAlert, ...] = ()
    """Known alerts that will or may fire in the step, or end with it."""
    soak: int = 0
    """Gate windows to watch before the step's change is made."""
    begun: bool = False
    """Whether the change is under way already: it is carried on, not begun."""
    before: tuple[Gate, ...] = ()
    after: tuple[Gate, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The whole plan, with everything needed to apply it and to notice that it went stale."""

    schema: str = SCHEMA
    id: str
    created_at: float
    tool_version: str
    target: Target
    identity: Identity
    product: Product
    to: Store
    """Where the rings go; a rollback leads to the other store."""
    goal: StoreState | None = None
    """The state on both stores, mirrored, in which the plan ends; None: on `to` only."""
    rings: tuple[str, ...]
    strategy: Strategy
    start: dict[str, str]
    """The observed state of each chosen ring, in words."""
    steps: tuple[Step, ...]
    facts: tuple[PlanFact, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Those that did not block."""
    restore: tuple[FileEdit, ...] = ()
    """Edits that give back the bytes from before an earlier run of ours, in order; empty: none."""
    notes: tuple[str, ...] = ()

    @property
    def end(self) -> StoreState:
        """The state in which every chosen ring is to end."""
        return self.goal or StoreState.only(self.to)
