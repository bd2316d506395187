"""What a gate is given, and how it collects what it sees."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mimir_migrate.model.events import GateResult, Verdict
from mimir_migrate.model.facts import Counters, Evidence, Inspection
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState

SHOWN = 20
"""How many pieces of evidence a result carries at most; the summary has the whole count."""


class GateContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate holds the inspection against."""

    rings: tuple[str, ...]
    window: float
    """Seconds, see `plans.timing.gate_window`."""
    scale: Scale = TRUE_TIME
    """How the durations in a result's words are shown. A judgement rests on it only where what pods do is held
    against a time that no pod tells, because it is known of real clusters: see decision 0008."""
    states: Mapping[str, StoreState] = {}
    primaries: Mapping[str, Store] = {}
    mirror: bool = False
    runtime: RuntimeBlock | None = None
    baseline: Counters | None = None
    reference: Inspection | None = None
    """An inspection at least a window older: counters are compared with it."""
    blast: tuple[str, ...] | None = None
    """What a deploy would change besides configuration; None: not rendered."""
    old_store: Store | None = None
    """The store that the rollback leads to; None: nothing leads back."""
    old_store_live: bool = True
    """Whether the old store is still written, so that it has to be complete; after mirroring was
    taken out it stands still and the rollback mirrors again first."""
    to_memberlist: bool = False
    """Whether the run leads to memberlist, so that what is left behind need not be complete any more."""
    returning: bool = False
    """Whether the step is one of a rollback, which what is only inferred must not make impossible."""


class Notes:
    """Collects what a gate saw; unknown outweighs fail only where nothing failed."""

    def __init__(self) -> None:
        self.failed: list[Evidence] = []
        self.unknown: list[Evidence] = []

    def fail(self, source: str, detail: str) -> None:
        """What is not as it should be."""
        self.failed.append(Evidence(source=source, detail=detail))

    def cannot_tell(self, source: str, detail: str) -> None:
        """What is not known."""
        self.unknown.append(Evidence(source=source, detail=detail))

    def result(
        self, gate: Gate, inspection: Inspection, good: str, *, at_once: bool = False
    ) -> GateResult:
        """The judgement; `good` says what is so where nothing was found."""
        found = self.failed or self.unknown
        if self.failed:
            verdict = Verdict.FAIL
        else:
            verdict = Verdict.UNKNOWN if self.unknown else Verdict.PASS
        first = found[0] if found else None
        summary = good if first is None else f"{first.source}: {first.detail}"
        if len(found) > 1:
            summary += f" (and {len(found) - 1} more)"
        return GateResult(
            gate=gate,
            verdict=verdict,
            summary=summary,
            evidence=tuple(found[:SHOWN]),
            at=inspection.at,
            at_once=at_once,
        )
