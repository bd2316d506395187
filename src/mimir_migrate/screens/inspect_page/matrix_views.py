"""An inspection as a matrix: rings × components, each cell what its pods say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mimir_migrate.model.facts import Inspection, MemberState, PodFacts, PodRing
from mimir_migrate.model.stores import StoreState
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.matrix import MatrixRow, MatrixTable
from mimir_migrate.widgets.text import Line, Span, cells, plain

SHORT_STATE = {
    StoreState.MEMBERLIST: "M",
    StoreState.MEMBERLIST_DYNAMODB: "M+d",
    StoreState.DYNAMODB_MEMBERLIST: "D+m",
    StoreState.DYNAMODB: "D",
}
"""The primary's letter is a capital, the second store's a small one."""

SWITCHED = "*"
"""Stands after a state whose order of the two stores is not the configuration's."""

LEGEND = ("M memberlist", "D dynamodb", "capital: read", "n/n see all")
"""What the letters and numbers of a cell mean; what is needed least stands last."""

_NOT_KNOWN = "?"

_SHORT_COMPONENT = {
    "alertmanager": "alert",
    "compactor": "compact",
    "distributor": "distrib",
    "ingester": "ingest",
    "overrides-exporter": "overr",
    "querier": "querier",
    "query-frontend": "front",
    "query-scheduler": "sched",
    "ruler": "ruler",
    "store-gateway": "store-g",
    "usage-tracker": "usage",
}


def with_legend(title: str, room: int) -> str:
    """A title and as many whole entries of the legend as so many cells have room for."""
    for entry in LEGEND:
        longer = f"{title}  {entry}"
        if cells(longer) > room:
            break
        title = longer
    return title


def matrix_of(inspection: Inspection, signs: Glyphs) -> MatrixTable:
    """Rings × components."""
    present = {pod.pod.component or "other" for pod in inspection.pods}
    components = sorted(present, key=_component_order)
    rows = []
    for ring in inspection.rings:
        if not ring.enabled:
            continue
        views: dict[str, list[tuple[PodFacts, PodRing]]] = {}
        for pod in inspection.pods:
            view = pod.ring(ring.ring)
            if view is not None and view.enabled:
                views.setdefault(pod.pod.component or "other", []).append((pod, view))
        if not views and not ring.movable:
            continue
        both = {
            component: cells_of(found, set(ring.members), signs)
            for component, found in views.items()
        }
        rows.append(
            MatrixRow(
                key=ring.ring,
                name=(Span(ring.ring, "" if ring.movable else "dim"),),
                cells={component: found[0] for component, found in both.items()},
                short={component: found[1] for component, found in both.items()},
            )
        )
    return MatrixTable(
        columns=tuple(
            (component, component, _SHORT_COMPONENT.get(component, component[:7]))
            for component in components
        ),
        rows=tuple(rows),
        corner="ring",
        notes=tuple(_notes(inspection)),
    )


def _notes(inspection: Inspection) -> Iterator[str]:
    """What the cells have no room for: who switched, and whether the second store is written."""
    views = [
        (ring.ring, view)
        for ring in inspection.rings
        if ring.enabled
        for pod in inspection.pods
        if (view := pod.ring(ring.ring)) is not None and view.enabled and view.state is not None
    ]
    if any(is_switched(view) for _, view in views):
        yield (f"{SWITCHED} switched by the runtime configuration, not by the values")
    on_both = {ring for ring, view in views if view.state is not None and view.state.is_multi}
    off = {
        ring
        for ring, view in views
        if ring in on_both and any(client.mirror_enabled is False for client in view.clients)
    }
    if off:
        which = "" if off == on_both else f" for {', '.join(sorted(off))}"
        yield f"mirroring is off{which}: the small letter is not written"


def _component_order(component: str) -> tuple[int, str]:
    first = ("distributor", "ingester", "querier", "query-frontend", "store-gateway")
    return (first.index(component) if component in first else len(first), component)


def cells_of(
    views: Sequence[tuple[PodFacts, PodRing]], members: set[str], signs: Glyphs
) -> tuple[Line, Line]:
    """A cell, long and short: a sign, the store state, and how many of the pods see all members.

    A difference and an unknown outweigh what agrees. The short one leaves the count out where every
    pod that can see does.
    """
    states = {state_words(view) for _, view in views}
    known = states - {_NOT_KNOWN}
    unknown = sum(
        1
        for pod, view in views
        if view.config is None or not pod.pod.ready or _hides_primary(view)
    )
    observers = [(pod, view) for pod, view in views if members_seen(view) is not None]
    whole = sum(1 for _, view in observers if sees_all(view, members))
    # A pod that did not answer would show the ring as its neighbours do: it counts as not seeing all.
    silent = sum(1 for _, view in views if view.config is None and members_seen(view) is None)
    of = len(observers) + silent if observers else 0
    state = signs.differ if len(known) > 1 else next(iter(known), "")
    count = f" {whole}/{of}" if observers else f" {signs.none}"
    primaries = {view.primary for _, view in views if view.config is not None}
    if state == signs.differ or len(primaries) > 1 or whole < len(observers):
        sign, style = signs.bad, "bad"
    elif unknown:
        sign, style = signs.unknown, "unknown"
    else:
        sign, style = signs.good, "good"
    brief = "" if observers and whole == of else count
    return (Span(f"{sign}{state}{count}", style),), (Span(f"{sign}{state}{brief}", style),)


def state_words(view: PodRing) -> str:
    """The store state of a ring on one pod, short; the store that is read is the capital."""
    if view.config is None:
        return _NOT_KNOWN
    if view.state is None:
        return plain(view.config.store)[:6] or _NOT_KNOWN
    if is_switched(view):
        return SHORT_STATE[StoreState.multi(view.state.primary.other)] + SWITCHED
    return SHORT_STATE[view.state]


def is_switched(view: PodRing) -> bool:
    """Whether the pod reads the store that its configuration names second."""
    state = view.state
    return state is not None and state.is_multi and view.primary == state.primary.other.value


def _hides_primary(view: PodRing) -> bool:
    """Whether the pod is on two stores and its metrics do not say, or not as one, which it reads."""
    on_both = view.state is not None and view.state.is_multi
    told = view.primary is not None or view.inferred is not None
    return on_both and bool(view.expected_kv_names) and not told


def reads_words(view: PodRing) -> str:
    """Which store a pod reads, and that it is inferred where it is."""
    if view.primary is None and view.inferred is not None:
        return f"{view.inferred.primary} (inferred)"
    return view.primary or "unknown"


def members_seen(view: PodRing) -> int | None:
    """How many ACTIVE members a pod sees; None: it has no page of the ring and counts none."""
    if view.members is not None:
        return sum(1 for member in view.members if member.state is MemberState.ACTIVE)
    if view.member_count is not None:
        return view.member_count.get("ACTIVE", 0)
    return None


def sees_all(view: PodRing, members: set[str]) -> bool:
    """Whether a pod sees every member of a ring: by name, or by number where it only counts them."""
    if view.members is not None:
        shown = {member.id for member in view.members if member.state is MemberState.ACTIVE}
        return members <= shown
    return (members_seen(view) or 0) >= len(members)
