"""Findings: what the facts mean for a migration; and the choices side by side."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from mimir_migrate.model.facts import Evidence
from mimir_migrate.model.scale import TRUE_TIME, Scale


class Severity(StrEnum):
    """How a finding bears on going on."""

    BLOCKS = "blocks"
    WARNS = "warns"
    INFORMS = "informs"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing an operator should know before anything is changed."""

    id: str
    severity: Severity
    title: str
    """One sentence, with the names in it."""
    evidence: tuple[Evidence, ...] = ()
    fix: str = ""
    """What to do next."""
    rings: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    unknown: bool = False
    """Whether it says that something could not be found out; it blocks like a failure."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One of the roads open to the operator: stay, some rings, all rings."""

    id: str
    """`stay`, `some` or `all`."""
    title: str
    rings: tuple[str, ...]
    possible: bool
    goal: str = ""
    """The state in which a plan for it ends, as `plan --to` takes it; empty: nothing is planned."""
    why_not: str = ""
    rollouts: int = 0
    duration_low: float = 0.0
    duration_high: float = 0.0
    duration_basis: str = ""
    duration_fixed_low: float = 0.0
    """Of `duration_low`, see `model.plan.Duration`."""
    duration_fixed_high: float = 0.0
    duration_stops: float = 0.0
    visibility_delay: float = 0.0
    """Seconds until a ring change is seen by every pod."""
    visibility_measured: bool = False
    """Whether the delay was measured on a real cluster, and does not follow from what the pods report."""
    visibility_basis: str = ""
    cost_per_month: float | None = None
    """US dollars; None: unknown."""
    cost_basis: str = ""
    dependency: str = ""
    gains: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()
    recommended: bool = False
    reason: str = ""

    def delay_words(self, scale: Scale) -> str:
        """How late a ring change is seen, for a person."""
        return (TRUE_TIME if self.visibility_measured else scale).words(self.visibility_delay)

    def time_words(self, scale: Scale, *, brief: bool = False) -> str:
        """How long it takes, for a person; see `model.plan.Duration.words`."""
        return scale.range_words(
            self.duration_low,
            self.duration_high,
            fixed_low=self.duration_fixed_low,
            fixed_high=self.duration_fixed_high,
            stops=self.duration_stops,
            brief=brief,
        )
