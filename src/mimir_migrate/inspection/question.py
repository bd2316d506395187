"""What findings are judged on: the facts, and what the operator wants to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest

import msgspec

from mimir_migrate.documents.config.check import UnknownKey
from mimir_migrate.model.facts import Evidence, Inspection, PodFacts, PodRing, RingSummary
from mimir_migrate.model.findings import Finding
from mimir_migrate.model.plan import Strategy
from mimir_migrate.model.rings import Ring, ring_named
from mimir_migrate.model.stores import RuntimeBlock, Store
from mimir_migrate.model.target import Target

SHOWN = 12
"""So many pieces of evidence a finding carries at most; its title has the whole count."""


class ComponentFlag(msgspec.Struct, frozen=True, kw_only=True):
    """A command-line flag that a values file adds to a component (`extraArgs`)."""

    component: str
    flag: str
    """Without its dashes, e.g. `ingester.ring.store`."""
    place: str = ""
    """File and line."""


class ValuesFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the values files say, as far as findings depend on it. None: unknown."""

    runtime: RuntimeBlock | None = None
    """The `multi_kv_config` in the files; None: they have none."""
    flags: tuple[ComponentFlag, ...] = ()
    equals_release: bool | None = None
    """Whether the files, as deployed, are what the release was deployed with."""
    differing: tuple[str, ...] = ()
    """Paths that differ between the files and the release."""
    heartbeats: dict[str, tuple[float, float]] = {}
    """Heartbeat period and timeout of each ring in the configuration that the files render to,
    in seconds; empty where they cannot be rendered here."""
    unknown_keys: tuple[UnknownKey, ...] = ()
    """Keys that the files set and that a binary that runs does not know."""
    unchecked: tuple[str, ...] = ()
    """Images that did not tell what they know, so that the keys were not checked against them."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """The facts, and the move that they are judged for."""

    inspection: Inspection
    target: Target
    to: Store
    rings: tuple[str, ...]
    """The chosen rings, which are on and can be moved."""
    asked: bool = True
    """Whether the operator named `to`; else it is the obvious direction."""
    strategy: Strategy = Strategy.AUTO
    values: ValuesFacts | None = None
    """None: the values files were not read."""

    @property
    def at(self) -> float:
        """When the facts were taken."""
        return self.inspection.at

    def ring(self, name: str) -> Ring:
        """One of the product's rings, which every name in `rings` is."""
        ring = ring_named(self.inspection.product, name)
        if ring is None:
            raise KeyError(name)
        return ring

    def views(self, rings: Iterable[str] | None = None) -> Iterator[tuple[PodFacts, PodRing]]:
        """Every pod's view of the chosen rings, or of `rings`, where the ring is on."""
        wanted = set(self.rings if rings is None else rings)
        for facts in self.inspection.pods:
            for view in facts.rings:
                if view.enabled and view.ring in wanted:
                    yield facts, view

    def untold(self, summary: RingSummary) -> tuple[str, ...]:
        """The pods that did not tell about a ring, but for those that are about to go anyway."""
        return tuple(name for name in summary.unknown if name not in self._leaving)

    @property
    def _leaving(self) -> frozenset[str]:
        return frozenset(facts.pod.name for facts in self.inspection.pods if facts.pod.terminating)

    def evidence(self, source: str, detail: str) -> Evidence:
        """A piece of evidence as of this inspection."""
        return Evidence(source=source, detail=detail, at=self.at)


Rule = Callable[[Question], Iterable[Finding]]


def shown(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """The first pieces of evidence, as many as are worth reading."""
    return tuple(evidence)[:SHOWN]


def shown_of_each(groups: Iterable[Iterable[Evidence]]) -> tuple[Evidence, ...]:
    """The first piece of each group, then the second of each, as many as are worth reading."""
    rows = zip_longest(*groups)
    return shown(dict.fromkeys(piece for row in rows for piece in row if piece is not None))


def listed(names: Iterable[str], *, at_most: int = 6) -> str:
    """Names joined by commas, the rest counted."""
    unique = list(dict.fromkeys(names))
    text = ", ".join(unique[:at_most])
    rest = len(unique) - at_most
    return f"{text} and {rest} more" if rest > 0 else text
