"""Both stores side by side, ring by ring and pod by pod."""

from __future__ import annotations

from collections.abc import Iterator

from mimir_migrate.durations import clock_words
from mimir_migrate.model.events import Difference
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.scale import Scale
from mimir_migrate.screens.run_page.gate_views import sign_of
from mimir_migrate.screens.run_page.run_book import RunBook
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.rows import Row, cell
from mimir_migrate.widgets.text import Span, line, plain


def gate_store_rows(book: RunBook, signs: Glyphs, *, waiting: bool = False) -> list[Row]:
    """What the gate `stores-equal` found last, until every pod was asked for more; empty: nothing."""
    found = book.latest.get(Gate.STORES_EQUAL)
    if found is None:
        return []
    at, judged = found
    said = line(
        *((span.text, span.style) for span in (sign_of(judged.result, signs, waiting=waiting),)),
        f" stores-equal at {clock_words(at)} UTC: {judged.result.summary}",
    )
    rows = [Row(key="gate", wide=True, cells=(said,))]
    for number, each in enumerate(judged.result.evidence):
        shown = line((f"  {each.source}: ", "key"), each.detail)
        rows.append(Row(key=f"gate:{number}", wide=True, cells=(shown,)))
    more = "  Every pod and the tables are being asked: both stores, pod by pod, follow here."
    rows.append(Row(key="asking", wide=True, cells=(cell(more, "dim"),)))
    return rows


def store_rows(
    inspection: Inspection, rings: tuple[str, ...], signs: Glyphs, scale: Scale
) -> list[Row]:
    """Ring × pod × store: primary, mirror, members, and each difference by name."""
    from mimir_migrate.engine.compare import UnreadableStoreError, differences
    from mimir_migrate.plans import timing

    rows: list[Row] = []
    window = timing.gate_window(inspection, rings) or 1.0
    for ring in rings:
        both = _on_both(inspection, ring)
        problem = ""
        found: tuple[Difference, ...] = ()
        if both:
            try:
                found = differences(inspection, (ring,), window)
            except UnreadableStoreError as error:
                problem = str(error)
        rows.append(_ring_row(inspection, ring, len(found), problem, signs, both=both))
        for number, each in enumerate(found):
            where = _place_of(each)
            rows.append(
                Row(
                    key=f"{ring}:difference:{number}",
                    depth=1,
                    wide=True,
                    cells=(
                        line(
                            (f"{signs.bad} {each.member}", "bad"),
                            f" {each.kind} in {where}",
                            (f"  {each.words(scale).partition(' ')[2]}", "dim"),
                        ),
                    ),
                )
            )
        rows.extend(_pod_rows(inspection, ring))
    return rows


def _place_of(difference: Difference) -> str:
    """Where the member differs: the table has one content, memberlist one for each pod."""
    if not difference.pod:
        return difference.store
    if difference.store == "dynamodb":
        return f"dynamodb; the memberlist of {difference.pod} has it"
    return f"{difference.store} of {difference.pod}"


def _on_both(inspection: Inspection, ring: str) -> bool:
    summary = inspection.ring(ring)
    return summary is not None and any(state.is_multi for state in summary.states)


def _ring_row(
    inspection: Inspection, ring: str, count: int, problem: str, signs: Glyphs, *, both: bool
) -> Row:
    summary = inspection.ring(ring)
    items = inspection.table_items(ring)
    replicas = [
        len(view.memberlist)
        for pod in inspection.pods
        if (view := pod.ring(ring)) is not None and view.memberlist is not None
    ]
    primaries = " ".join(sorted(store.value for store in summary.primaries)) if summary else ""
    mirrors = sorted({"on" if flag else "off" for flag in summary.mirrors}) if summary else []
    if both and mirrors == ["off"]:
        # Nothing keeps them equal now, so differing is expected.
        verdict = (Span("mirroring is off", "dim"),)
    elif problem:
        verdict = (Span(f"{signs.unknown} {plain(problem)}", "unknown"),)
    elif count:
        verdict = (Span(f"{signs.bad} {count} differ", "bad"),)
    elif both:
        verdict = (Span(f"{signs.good} equal", "good"),)
    else:
        verdict = (Span("one store", "dim"),)
    return Row(
        key=ring,
        folds=True,
        cells=(
            cell(ring, "strong"),
            cell(primaries or signs.unknown),
            cell("/".join(mirrors) or "-"),
            cell(len(summary.members) if summary else 0),
            cell(_spread(replicas)),
            cell("-" if items is None else len(items.members)),
            verdict,
        ),
    )


def _spread(counts: list[int]) -> str:
    if not counts:
        return "-"
    return str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)}-{max(counts)}"


def _pod_rows(inspection: Inspection, ring: str) -> Iterator[Row]:
    for pod in inspection.pods:
        view = pod.ring(ring)
        if view is None or not view.enabled:
            continue
        flags = sorted({client.mirror_enabled for client in view.clients}, key=str)
        mirror = "/".join("?" if flag is None else "on" if flag else "off" for flag in flags)
        seen = len(view.members) if view.members is not None else None
        if seen is None and view.member_count is not None:
            seen = sum(view.member_count.values())
        yield Row(
            key=f"{ring}:{pod.pod.name}",
            depth=1,
            cells=(
                cell(pod.pod.name),
                cell(view.primary or "?"),
                cell(mirror or "-"),
                cell("-" if seen is None else seen),
                cell("-" if view.memberlist is None else len(view.memberlist)),
                cell(""),
                cell("" if pod.pod.ready else f"not Ready {pod.pod.waiting_reason}", "warn"),
            ),
        )
