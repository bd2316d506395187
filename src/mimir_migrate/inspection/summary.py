"""Each ring over all pods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from mimir_migrate.model.facts import (
    Inspection,
    MemberState,
    PodFacts,
    PodRing,
    RingSummary,
    Unanswered,
)
from mimir_migrate.model.rings import Product, Ring, rings_of
from mimir_migrate.model.stores import Store


def summarize(product: Product, pods: Sequence[PodFacts]) -> tuple[RingSummary, ...]:
    """Summarize every ring that a pod touches, in the product's order."""
    summaries = []
    for ring in rings_of(product):
        views = [(facts.pod.name, view) for facts in pods if (view := facts.ring(ring.name))]
        if views:
            summaries.append(_summary(ring, views))
    return tuple(summaries)


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


def _summary(ring: Ring, all_views: Sequence[tuple[str, PodRing]]) -> RingSummary:
    views = [(pod, view) for pod, view in all_views if view.enabled]
    return RingSummary(
        ring=ring.name,
        movable=ring.movable,
        left_because=ring.left_because,
        enabled=bool(views),
        states=tuple(
            sorted({view.state for _, view in views if view.state}, key=lambda each: each.position)
        ),
        other_stores=_other_stores(view for _, view in views),
        primaries=tuple(
            store for store in Store if any(view.primary == store.value for _, view in views)
        ),
        mirrors=tuple(
            flag
            for flag in (False, True)
            if any(
                client.mirror_enabled is flag
                for _, view in views
                if view.config and view.config.store == "multi"
                for client in view.clients
            )
        ),
        pods=tuple(pod for pod, _ in views),
        members=_active_members(view for _, view in views),
        unknown=tuple(pod for pod, view in views if _is_unknown(view)),
        hears_runtime=ring.hears_runtime,
    )


def _other_stores(views: Iterable[PodRing]) -> tuple[str, ...]:
    """Stores that are none of ours; another pair under `multi` reads `multi(primary,secondary)`."""
    found = set()
    for view in views:
        if view.config is not None and view.state is None:
            config = view.config
            pair = f"({config.primary},{config.secondary})" if config.store == "multi" else ""
            found.add(config.store + pair)
    return tuple(sorted(found))


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


def _is_unknown(view: PodRing) -> bool:
    """Whether the pod's configuration of the ring, or which store it reads, is not known."""
    return view.config is None or view.primary is None


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
