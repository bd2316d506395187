"""Each ring over all pods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from mimir_migrate.inspection.fold import RingFold, fold_ring
from mimir_migrate.model.facts import (
    Inspection,
    MemberState,
    PodFacts,
    PodRing,
    RingSummary,
    Unanswered,
)
from mimir_migrate.model.rings import Product, rings_of


def summarize(product: Product, pods: Sequence[PodFacts]) -> tuple[RingSummary, ...]:
    """Summarize every ring that a pod touches, in the product's order."""
    return tuple(
        _summary(fold_ring(ring, pods))
        for ring in rings_of(product)
        if any(facts.ring(ring.name) is not None for facts in pods)
    )


def settle_enabled(pods: Sequence[PodFacts]) -> tuple[PodFacts, ...]:
    """Decide whether a ring is on in pods that did not tell, by what the others say.

    All pods of a release share one configuration file. Where no other pod tells either, the ring
    counts as on, so that not knowing is seen.
    """
    told: dict[str, bool] = {}
    for facts in pods:
        for view in facts.rings:
            if view.config is not None:
                told[view.ring] = told.get(view.ring, False) or view.enabled
    return tuple(
        msgspec.structs.replace(
            facts,
            rings=tuple(
                msgspec.structs.replace(view, enabled=told.get(view.ring, True))
                if view.config is None
                else view
                for view in facts.rings
            ),
        )
        for facts in pods
    )


def _summary(fold: RingFold) -> RingSummary:
    ring = fold.ring
    return RingSummary(
        ring=ring.name,
        movable=ring.movable,
        left_because=ring.left_because,
        enabled=bool(fold.stands),
        states=fold.states,
        other_stores=fold.other_stores,
        primaries=fold.primaries,
        mirrors=fold.mirrors,
        pods=tuple(stand.pod for stand in fold.stands),
        members=_active_members(stand.view for stand in fold.stands),
        unknown=fold.unknown,
        inferred=fold.inferred,
        follows_runtime=ring.follows_runtime,
    )


def _active_members(views: Iterable[PodRing]) -> tuple[str, ...]:
    return tuple(
        sorted(
            {
                member.id
                for view in views
                for member in view.members or ()
                if member.state is MemberState.ACTIVE
            }
        )
    )


def redacted(seen: Inspection, redact: Callable[[str], str]) -> Inspection:
    """An inspection with secrets taken out of what it quotes of answers that could not be read."""

    def clean(unanswered: tuple[Unanswered, ...]) -> tuple[Unanswered, ...]:
        return tuple(
            msgspec.structs.replace(one, source=redact(one.source), reason=redact(one.reason))
            for one in unanswered
        )

    return msgspec.structs.replace(
        seen,
        unanswered=clean(seen.unanswered),
        pods=tuple(
            msgspec.structs.replace(facts, unanswered=clean(facts.unanswered))
            if facts.unanswered
            else facts
            for facts in seen.pods
        ),
    )
