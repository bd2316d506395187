"""An inspection as a matrix, as rows of findings, and as a tree down to each pod's own answer."""

# Longer than 400 lines. The panes of one screen, a function each.

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mimir_migrate.durations import read_duration
from mimir_migrate.inspection.causes import Cause
from mimir_migrate.model.facts import Inspection, Member, MemberState, PodFacts, PodRing
from mimir_migrate.model.findings import Finding, Severity
from mimir_migrate.model.rings import ring_named
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.model.stores import StoreState
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.matrix import MatrixRow, MatrixTable
from mimir_migrate.widgets.rows import Row, cell
from mimir_migrate.widgets.text import Line, Span, line, plain
from mimir_migrate.words import counted

SHORT_STATE = {
    StoreState.MEMBERLIST: "M",
    StoreState.MEMBERLIST_DYNAMODB: "M+d",
    StoreState.DYNAMODB_MEMBERLIST: "D+m",
    StoreState.DYNAMODB: "D",
}
"""The primary's letter is a capital, the second store's a small one."""

SWITCHED = "*"
"""Stands after a state whose order of the two stores is not the configuration's."""

LEGEND = "M memberlist  D dynamodb  capital: read  n/n see all"

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


# --- the matrix ------------------------------------------------------------------------------


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
        cells = {
            component: cells_of(found, set(ring.members), signs)
            for component, found in views.items()
        }
        rows.append(
            MatrixRow(
                key=ring.ring,
                name=(Span(ring.ring, "" if ring.movable else "dim"),),
                cells={component: both[0] for component, both in cells.items()},
                short={component: both[1] for component, both in cells.items()},
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
    observers = [(pod, view) for pod, view in views if _sees(view) is not None]
    whole = sum(1 for _, view in observers if _sees_all(view, members))
    state = signs.differ if len(known) > 1 else next(iter(known), "")
    count = f" {whole}/{len(observers)}" if observers else f" {signs.none}"
    primaries = {view.primary for _, view in views if view.config is not None}
    if state == signs.differ or len(primaries) > 1 or whole < len(observers):
        sign, style = signs.bad, "bad"
    elif unknown:
        sign, style = signs.unknown, "unknown"
    else:
        sign, style = signs.good, "good"
    brief = "" if observers and whole == len(observers) else count
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


def _sees(view: PodRing) -> int | None:
    if view.members is not None:
        return sum(1 for member in view.members if member.state is MemberState.ACTIVE)
    if view.member_count is not None:
        return view.member_count.get("ACTIVE", 0)
    return None


def _sees_all(view: PodRing, members: set[str]) -> bool:
    if view.members is not None:
        shown = {member.id for member in view.members if member.state is MemberState.ACTIVE}
        return members <= shown
    return (_sees(view) or 0) >= len(members)


# --- findings --------------------------------------------------------------------------------

_ORDER = {Severity.BLOCKS: 0, Severity.WARNS: 1, Severity.INFORMS: 2}


def finding_rows(causes: Sequence[Cause], signs: Glyphs) -> list[Row]:
    """Findings, blockers first; below each what hangs on it."""
    rows: list[Row] = []
    for cause in sorted(causes, key=lambda cause: _ORDER[cause.finding.severity]):
        below = len(cause.hanging)
        more = f" ({counted(below, 'finding')} more because of it)" if below else ""
        rows.append(_finding_row(cause.finding, signs, more=more, folds=bool(below)))
        rows += [_finding_row(finding, signs, depth=1) for finding in cause.hanging]
    return rows


def finding_key(finding: Finding) -> str:
    """What a finding is known by from one inspection to the next."""
    return f"finding:{finding.id}:{','.join(finding.rings)}:{','.join(finding.pods)}"


def _finding_row(
    finding: Finding, signs: Glyphs, *, more: str = "", folds: bool = False, depth: int = 0
) -> Row:
    sign, style = {
        Severity.BLOCKS: (signs.bad, "bad"),
        Severity.WARNS: (signs.warn, "warn"),
        Severity.INFORMS: (signs.note, ""),
    }[finding.severity]
    word = "unknown" if finding.unknown else finding.severity.value
    return Row(
        key=finding_key(finding),
        depth=depth,
        folds=folds,
        cells=(cell(f"{sign} {word}", style), line(finding.title, (more, "dim"))),
        words=f"{finding.id} {' '.join(finding.rings)} {' '.join(finding.pods)}",
    )


def finding_lines(finding: Finding, signs: Glyphs, hanging: Sequence[Finding] = ()) -> list[Line]:
    """A finding to read: what, evidence, what to do, and what hangs on it."""
    found = [line((finding.title, "strong")), line("")]
    if finding.fix:
        found += [line(("What to do", "accent")), line(finding.fix), line("")]
    found.append(line(("Evidence", "accent")))
    for evidence in finding.evidence:
        found.append(line((f"{signs.arrow} {evidence.source}", "key")))
        found += [line(f"  {part}") for part in evidence.detail.split("\n")]
    if not finding.evidence:
        found.append(line(("none was needed", "dim")))
    found += [line(""), line(("id ", "dim"), finding.id)]
    if finding.rings:
        found.append(line(("rings ", "dim"), ", ".join(finding.rings)))
    if finding.pods:
        found.append(line(("pods ", "dim"), ", ".join(finding.pods)))
    if hanging:
        found += [line(""), line(("Not known because of it", "accent"))]
        found += [line(f"- {each.title}") for each in hanging]
    return found


# --- details of a cell -----------------------------------------------------------------------


def detail_rows(
    inspection: Inspection,
    ring: str,
    component: str,
    signs: Glyphs,
    now: float,
    scale: Scale = TRUE_TIME,
) -> list[Row]:
    """The pods behind a cell as a tree, down to what each of them answered."""
    rows: list[Row] = []
    summary = inspection.ring(ring)
    for pod in inspection.pods:
        view = pod.ring(ring)
        if view is None or not view.enabled:
            continue
        if component and (pod.pod.component or "other") != component:
            continue
        rows.append(_pod_row(pod, view, set(summary.members if summary else ()), signs))
        rows.extend(_answers(inspection, pod, view, signs, now, scale))
    items = inspection.table_items(ring)
    if items is not None:
        key = f"table:{ring}"
        text = f"{counted(len(items.members), 'item')} in DynamoDB {items.table}, key {items.ring_key}"
        rows.append(Row(key=key, cells=(cell(text), ()), folds=bool(items.members)))
        rows.extend(_member_rows(key, items.members, 1, now, signs, scale))
    if summary is not None and summary.left_because:
        rows.append(
            Row(key="left", cells=(cell(f"left where it is: {summary.left_because}", "dim"),))
        )
    return [msgspec.structs.replace(row, cells=(_one_line(row.cells),)) for row in rows]


def _one_line(cells: tuple[Line, ...]) -> Line:
    """The label and what it says beside each other: names of pods differ too much for columns."""
    label, said = cells[0], cells[1] if len(cells) > 1 else ()
    return (*label, Span("  "), *said) if said else label


def _pod_row(pod: PodFacts, view: PodRing, members: set[str], signs: Glyphs) -> Row:
    seen = _sees(view)
    if view.config is None or not pod.pod.ready:
        sign, style = signs.unknown, "unknown"
    elif seen is None or _sees_all(view, members):
        sign, style = signs.good, "good"
    else:
        sign, style = signs.bad, "bad"
    words = [state_words(view), f"reads {reads_words(view)}"]
    if is_switched(view):
        words[1] += " since a runtime switch"
    words.append("no page of this ring" if seen is None else f"sees {seen} of {len(members)}")
    if not pod.pod.ready:
        words.append("not Ready " + pod.pod.waiting_reason)
    return Row(
        key=f"pod:{pod.pod.name}:{view.ring}",
        cells=((Span(f"{sign} ", style), Span(plain(pod.pod.name))), cell(", ".join(words))),
        folds=True,
    )


def _answers(
    inspection: Inspection,
    pod: PodFacts,
    view: PodRing,
    signs: Glyphs,
    now: float,
    scale: Scale,
) -> Iterator[Row]:
    base = f"pod:{pod.pod.name}:{view.ring}"
    yield Row(
        key=f"{base}:where",
        depth=1,
        cells=(cell("pod"), cell(f"{pod.pod.ip} on {pod.pod.node or 'unknown node'}")),
    )
    yield from _config_rows(inspection, base, view, scale)
    for client in view.clients:
        mirror = {True: "on", False: "off", None: "unknown"}[client.mirror_enabled]
        errors = f", {client.mirror_write_errors:.0f} failed" if client.mirror_write_errors else ""
        writes = f", {client.mirror_writes:.0f} mirrored" if client.mirror_writes else ""
        said = f"primary {client.primary or 'unknown'}, mirror {mirror}{writes}{errors}"
        yield Row(
            key=f"{base}:kv:{client.kv_name}",
            depth=1,
            cells=(cell(f"GET /metrics {client.kv_name}"), cell(said)),
        )
    if view.inferred is not None:
        yield Row(
            key=f"{base}:inferred",
            depth=1,
            cells=(
                cell(f"GET /metrics {', '.join(view.inferred.clients)}"),
                cell(
                    f"not told; by {view.inferred.source} it reads {view.inferred.primary}", "warn"
                ),
            ),
        )
    if pod.runtime is not None:
        block = pod.runtime.block
        mirror = {True: "on", False: "off", None: "not said"}[block.mirror_enabled]
        said = f"primary {block.primary or 'not said'}, mirror {mirror}"
        yield Row(
            key=f"{base}:runtime",
            depth=1,
            cells=(
                cell("GET /runtime_config"),
                cell(f"multi_kv_config: {said}" if block.is_set else "no multi_kv_config"),
            ),
        )
    for name, members in (("page", view.members), ("memberlist", view.memberlist)):
        if members is None:
            continue
        key = f"{base}:{name}"
        where = "the ring's page" if name == "page" else "its replica of memberlist"
        yield Row(
            key=key,
            depth=1,
            folds=bool(members),
            cells=(cell(where), cell(counted(len(members), "member"))),
        )
        yield from _member_rows(key, members, 2, now, signs, scale)
    for number, question in enumerate(pod.unanswered):
        yield Row(
            key=f"{base}:no:{number}",
            depth=1,
            cells=(
                cell(f"{signs.unknown} {question.source}", "unknown"),
                cell(question.reason, "unknown"),
            ),
        )


def _config_rows(inspection: Inspection, base: str, view: PodRing, scale: Scale) -> Iterator[Row]:
    config = view.config
    if config is None:
        yield Row(
            key=f"{base}:config", depth=1, cells=(cell("GET /config"), cell("no answer", "bad"))
        )
        return
    ring = ring_named(inspection.product, view.ring)
    path = ".".join(ring.path) if ring else "kvstore"
    yield Row(
        key=f"{base}:config", depth=1, folds=True, cells=(cell("GET /config"), cell(f"{path}:"))
    )
    said = [("store", config.store)]
    if config.store == "multi":
        said += [
            ("multi.primary", config.primary),
            ("multi.secondary", config.secondary),
            ("multi.mirror_enabled", str(config.mirror_enabled).lower()),
        ]
    if config.prefix is not None:
        said.append(("prefix", config.prefix))
    if config.dynamodb is not None:
        said += [
            ("dynamodb.region", config.dynamodb.region),
            ("dynamodb.table_name", config.dynamodb.table_name),
            ("dynamodb.puller_sync_time", _written(config.dynamodb.puller_sync_time, scale)),
            ("dynamodb.ttl", config.dynamodb.ttl),
        ]
    said += [
        ("heartbeat_period", _seconds(view.heartbeat_period, scale)),
        ("heartbeat_timeout", _seconds(view.heartbeat_timeout, scale)),
    ]
    for name, value in said:
        yield Row(
            key=f"{base}:config:{name}", depth=2, cells=(cell(f"{name}:", "key"), cell(value))
        )


def _seconds(value: float | None, scale: Scale) -> str:
    return "unknown" if value is None else scale.words(value)


def _written(text: str, scale: Scale) -> str:
    """A duration as a page writes it; of a simulation, what it stands for."""
    value = read_duration(text)
    return text if scale.is_true or value is None else scale.words(value)


def _member_rows(
    base: str,
    members: Sequence[Member],
    depth: int,
    now: float,
    signs: Glyphs,
    scale: Scale,
) -> Iterator[Row]:
    for member in members:
        good = member.state is MemberState.ACTIVE
        age = scale.words(max(0.0, now - member.timestamp))
        zone = f" zone {member.zone}" if member.zone else ""
        unread = f", not read: {', '.join(member.unread)}" if member.unread else ""
        yield Row(
            key=f"{base}:{member.id}",
            depth=depth,
            cells=(
                (
                    Span(f"{signs.good if good else signs.warn} ", "good" if good else "warn"),
                    Span(plain(member.id)),
                ),
                cell(
                    f"{member.state.value} {member.address}{zone} "
                    f"{counted(len(member.tokens), 'token')}, heartbeat {age} ago{unread}"
                ),
            ),
        )
