"""The pods behind a cell as a tree, down to what each of them answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mimir_migrate.durations import read_duration
from mimir_migrate.model.facts import Inspection, Member, MemberState, PodFacts, PodRing
from mimir_migrate.model.rings import ring_named
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.screens.inspect_page.matrix_views import (
    is_switched,
    members_seen,
    reads_words,
    sees_all,
    state_words,
)
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.rows import Row, cell
from mimir_migrate.widgets.text import Line, Span, plain
from mimir_migrate.words import counted


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
    seen = members_seen(view)
    if view.config is None or not pod.pod.ready:
        sign, style = signs.unknown, "unknown"
    elif seen is None or sees_all(view, members):
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
    yield from _store_rows(base, pod, view)
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


def _store_rows(base: str, pod: PodFacts, view: PodRing) -> Iterator[Row]:
    """Which store the pod reads and mirrors to, by its metrics and by its runtime configuration."""
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
            key=f"{base}:config:{name}",
            depth=2,
            cells=(cell(f"{name}:", "key"), cell(value or '""')),
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
