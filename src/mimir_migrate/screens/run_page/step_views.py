"""The legs' steps as a tree, each with its checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

from mimir_migrate.model.events import RunState
from mimir_migrate.model.scale import Scale
from mimir_migrate.runs.status import RunStatus
from mimir_migrate.runs.story import unfinished_words
from mimir_migrate.screens.run_page.run_book import Leg, RunBook, StepProgress, progress_of
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.rows import Row, cell
from mimir_migrate.widgets.text import (
    Span,
    plain,
)


def step_rows(book: RunBook, status: RunStatus, signs: Glyphs) -> list[Row]:
    """The legs' steps as a tree; below each its checkpoints."""
    rows: list[Row] = []
    legs = book.legs
    if not legs and book.started is not None:
        steps = progress_of(book.started.plan)
        legs = [Leg(purpose="apply", plan=book.started.plan, steps=steps)]
    for number, leg in enumerate(legs):
        last = number == len(legs) - 1
        steps = leg.steps if last else [each for each in leg.steps if each.started_at is not None]
        if len(legs) > 1:
            rows.append(Row(key=f"leg:{number}", cells=(cell(leg.purpose),), heading=True))
        for progress in steps:
            rows.extend(_step(number, progress, status, book, signs, last=last))
    return rows


def _step(
    leg: int,
    progress: StepProgress,
    status: RunStatus,
    book: RunBook,
    signs: Glyphs,
    *,
    last: bool,
) -> Iterator[Row]:
    step = progress.step
    here = last and step.id == book.step and progress.done_at is None
    if progress.done_at is not None:
        sign, style, word = signs.good, "good", spent_words(progress, status.scale)
    elif here:
        sign, style, word = _here(status, signs)
    elif progress.started_at is not None:
        sign, style, word = signs.differ, "warn", unfinished_words(changed=progress.changed)
    else:
        sign, style, word = signs.todo, "dim", ""
    mark = f" {signs.arrow}" if step.crossing else f" {signs.warn}" if step.closes_way_back else ""
    key = f"{leg}:{step.id}"
    yield Row(
        key=key,
        folds=bool(progress.checkpoints),
        cells=(
            (
                Span(f"{sign} ", style),
                Span(f"{progress.number} {plain(step.id)}", "" if style == "dim" else "strong"),
                Span(mark, "warn"),
            ),
            cell(word, style),
        ),
        words=step.title,
    )
    for number, (name, text, look) in enumerate(progress.checkpoints):
        yield Row(
            key=f"{key}:{number}",
            depth=1,
            wide=True,
            cells=((Span(f"{getattr(signs, name)} ", look), Span(plain(text))),),
        )


def spent_words(progress: StepProgress, scale: Scale) -> str:
    """How long a step took, without what it waited for somebody; *done* where its journal does not tell."""
    return "done" if progress.took is None else scale.words(progress.took)


def _here(status: RunStatus, signs: Glyphs) -> tuple[str, str, str]:
    match status.state:
        case RunState.HELD:
            return signs.held, "warn", "approve?" if status.approval_for else "held"
        case RunState.FAILED | RunState.DEAD:
            return signs.bad, "bad", status.state.value
        case RunState.STOPPED | RunState.CLOSED:
            return signs.held, "warn", status.state.value
        case _:
            return signs.now, "good", "STALLED" if status.stalled else "now"
