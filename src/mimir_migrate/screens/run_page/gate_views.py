"""The gates of the step that a run is at, and what `verify` said last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mimir_migrate.durations import clock_words
from mimir_migrate.model.events import GateResult, Verdict
from mimir_migrate.model.plan import Gate
from mimir_migrate.runs.rollouts import Rollout
from mimir_migrate.runs.story import NOT_YET, verdict_words
from mimir_migrate.screens.plan_views import rings_counted
from mimir_migrate.screens.run_page.rollout_views import rollout_rows
from mimir_migrate.screens.run_page.run_book import RunBook
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.rows import Row, cell
from mimir_migrate.widgets.text import Span, line
from mimir_migrate.words import counted

_VERDICTS = {Verdict.PASS: ("good", "good"), Verdict.FAIL: ("bad", "bad")}


def sign_of(result: GateResult, signs: Glyphs, *, waiting: bool = False) -> Span:
    """A gate's verdict as a sign and a word; `waiting`: whether the run only waits for it."""
    said = verdict_words(result, waiting=waiting)
    name, style = _VERDICTS.get(result.verdict, ("unknown", "unknown"))
    if said == NOT_YET:
        name, style = "todo", "warn"
    return Span(f"{getattr(signs, name)} {said}", style)


def gate_rows(
    book: RunBook,
    verified: tuple[GateResult, ...],
    verified_at: float,
    signs: Glyphs,
    rollout: Rollout | None = None,
    *,
    waiting: bool = False,
) -> list[Row]:
    """How far a rollout is, the present step's gates, then what `verify` said last.

    The side of the change that is judged now stands first. While a gate holds the run, what does not
    pass stands first on the side that it was judged on last.

    Args:
        book: The run.
        verified: What `verify` said last; empty: nothing.
        verified_at: When.
        signs: The signs to draw with.
        rollout: What was counted of the rollout under way; None: none is.
        waiting: Whether gates that do not pass are only waited for.
    """
    rows = rollout_rows(rollout, signs, over=book.rollout_over) if rollout is not None else []
    here = book.present()
    if here is not None:
        sides = [("before", here.step.before), ("after", here.step.after)]
        if leading(book).startswith("after"):
            sides.reverse()
        for when, gates in sides:
            if gates:
                title = f"{when.capitalize()} the change of {here.step.id}"
                rows.append(Row(key=when, cells=(cell(title),), heading=True))
            for gate in _in_order(book, when, gates):
                rows.extend(_gate(book, when, gate, signs, waiting=waiting))
    if verified:
        at = clock_words(verified_at)
        rows.append(
            Row(key="verify", cells=(cell(f"All gates as of {at} UTC (verify)"),), heading=True)
        )
        for result in verified:
            key = f"verify:{result.gate.value}"
            rows.extend(_result(key, result, signs, book.plan.rings if book.plan else (), note=""))
    return rows


def holding(book: RunBook) -> str:
    """The key of the row of the gate that holds the run; empty: none does, or it was not judged."""
    held = book.held_gate
    judged = {when: found[0] for (when, gate), found in book.judged.items() if gate is held}
    if held is None or not judged:
        return ""
    return f"{max(judged, key=lambda when: judged[when])}:{held.value}"


def leading(book: RunBook) -> str:
    """The key of the row that stands first: of the gate that holds the run, else of the side judged now."""
    here = book.present()
    if here is None:
        return ""
    if held := holding(book):
        return held
    if here.step.after and any(when == "after" for when, _ in book.judged):
        return f"after:{here.step.after[0].value}"
    return f"before:{here.step.before[0].value}" if here.step.before else ""


def _in_order(book: RunBook, when: str, gates: Sequence[Gate]) -> list[Gate]:
    """The gates as the plan has them; while one holds the run, those that do not pass first."""
    if book.held_gate is None:
        return list(gates)

    def place(gate: Gate) -> int:
        found = book.judged.get((when, gate))
        if found is None or found[1].result.verdict is Verdict.PASS:
            return 2
        return 0 if gate is book.held_gate else 1

    return sorted(gates, key=place)


def _gate(book: RunBook, when: str, gate: Gate, signs: Glyphs, *, waiting: bool) -> Iterator[Row]:
    found = book.judged.get((when, gate))
    key = f"{when}:{gate.value}"
    if found is None:
        yield Row(
            key=key,
            cells=(
                cell(f"{signs.none} to come", "dim"),
                cell(gate.value),
                cell(""),
            ),
        )
        return
    at, judged = found
    note = (
        f"{counted(judged.good_samples, 'good sample')} over {book.scale.words(judged.window)}, "
    )
    note = (note if judged.good_samples else "") + clock_words(at)
    rings = book.plan.rings if book.plan else ()
    yield from _result(key, judged.result, signs, rings, note=note, waiting=waiting)


def _result(
    key: str,
    result: GateResult,
    signs: Glyphs,
    rings: Sequence[str],
    *,
    note: str,
    waiting: bool = False,
) -> Iterator[Row]:
    yield Row(
        key=key,
        folds=bool(result.evidence),
        cells=(
            (sign_of(result, signs, waiting=waiting),),
            cell(result.gate.value),
            line(result.summary, (f"  {note}" if note else "", "dim")),
        ),
        brief=line(rings_counted(result.summary, rings)),
    )
    for number, evidence in enumerate(result.evidence):
        yield Row(
            key=f"{key}:{number}",
            depth=1,
            wide=True,
            cells=(line((f"{evidence.source}: ", "key"), evidence.detail),),
        )
