"""A plan as a tree of steps, and a step to read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mimir_migrate.model.plan import Plan, Step, StepKind
from mimir_migrate.model.scale import Scale
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.rows import Row, cell
from mimir_migrate.widgets.text import Line, Span, line, plain
from mimir_migrate.widgets.yaml_colours import coloured
from mimir_migrate.words import counted

_KINDS = {
    StepKind.TABLES: "tables",
    StepKind.ROLLOUT: "rollout",
    StepKind.RUNTIME: "runtime",
    StepKind.BRIDGE: "bridge",
}


def step_rows(plan: Plan, signs: Glyphs) -> list[Row]:
    """Steps as a tree: below each its gates and its changes."""
    rows: list[Row] = []
    for number, step in enumerate(plan.steps, 1):
        rows.append(
            Row(
                key=step.id,
                folds=True,
                cells=(
                    (Span(f"{number} {plain(step.id)}"),),
                    cell(_KINDS[step.kind], "dim"),
                    (*_mark(step, signs), *cell(step.title)),
                ),
                words=step.what,
                brief=(
                    *_mark(step, signs, brief=True),
                    *cell(rings_counted(step.title, plan.rings)),
                ),
            )
        )
        rows.extend(_below(step, signs, plan.target.scale))
    return rows


def _mark(step: Step, signs: Glyphs, *, brief: bool = False) -> Line:
    if step.crossing:
        return (Span(f"{signs.arrow} " if brief else f"{signs.arrow} switches: ", "warn"),)
    if step.closes_way_back:
        return (Span(f"{signs.warn} quick rollback ends: ", "warn"),)
    return ()


def rings_counted(title: str, rings: Sequence[str]) -> str:
    """A text with its first row of three or more rings' names as their number."""
    if not rings:
        return title
    names = _any_of(rings)
    row = rf"\b(?:{names})(?:(?:, | and )(?:{names})){{2,}}\b"
    return re.sub(
        row, lambda found: counted(len(re.split(", | and ", found[0])), "ring"), title, count=1
    )


def chosen_counted(text: str, rings: Sequence[str]) -> str:
    """A text with each row of the names of all rings as `all 6 chosen rings`; other rows stay as they are.

    Args:
        text: What is said.
        rings: The rings that were chosen; of fewer than three the names are not longer.
    """
    if len(rings) < LEAST_COUNTED:
        return text
    names = _any_of(rings)

    def short(found: re.Match[str]) -> str:
        whole = set(re.split(", | and ", found[0])) == set(rings)
        return f"all {len(rings)} chosen rings" if whole else found[0]

    return re.sub(rf"\b(?:{names})(?:(?:, | and )(?:{names}))+(?![-\w])", short, text)


def _any_of(rings: Sequence[str]) -> str:
    """A pattern of any of the names, the longest first: one may begin as another does."""
    return "|".join(re.escape(name) for name in sorted(rings, key=len, reverse=True))


LEAST_COUNTED = 3
"""So many rings' names are longer than their number."""


def _below(step: Step, signs: Glyphs, scale: Scale) -> Iterator[Row]:
    for gate in step.before:
        yield _leaf(step, f"before:{gate.value}", "only if", gate.value)
    for table in step.tables:
        yield _leaf(step, f"table:{table.name}", "create", f"table {table.name}")
    for edit in step.edits:
        yield _leaf(
            step, f"edit:{edit.path}", "edit", f"{edit.path}, {counted(len(edit.hunks), 'place')}"
        )
    if step.kind.deploys:
        yield _leaf(step, "deploy", "deploy", step.duration.words(scale, brief=True))
    for gate in step.after:
        yield _leaf(step, f"after:{gate.value}", "until", gate.value)
    del signs


def _leaf(step: Step, key: str, label: str, text: str) -> Row:
    return Row(key=f"{step.id}/{key}", depth=1, cells=(cell(label, "dim"), cell(""), cell(text)))


def step_lines(step: Step, scale: Scale) -> list[Line]:
    """A step to read: what, why, the change, by hand, what will be seen, time, the rollback."""
    found = [line((step.title, "strong"))]
    if step.crossing:
        found.append(
            line(("This step switches the primary store; it waits for approval.", "warn"))
        )
    elif step.closes_way_back:
        found.append(line(("Quick rollback ends with it; it waits for approval.", "warn")))
    found += _part("What", [step.what])
    found += _part("Why", [step.why])
    if step.before:
        gates = ", ".join(gate.value for gate in step.before)
        found += _part("Only if these gates pass", [gates])
    if step.paths:
        found += [line(""), line(("The change", "accent"))]
        for path in step.paths:
            before = "absent" if path.before is None else path.before
            after = "absent" if path.after is None else path.after
            found.append(line("  ", (path.path, "key")))
            found.append(line(f"    {before}", (" becomes ", "dim"), after))
    if step.diff:
        found += [line(""), line(("As a diff", "accent"))]
        found += [diff_line(text) for text in step.diff.splitlines()]
    found += _part("What will be seen", [f"- {text}" for text in step.expected])
    if step.after:
        found += _part("Until these gates pass", [", ".join(gate.value for gate in step.after)])
    found += _part("Time", [f"{step.duration.words(scale)}: {step.duration.basis}"])
    found += _part("What it touches", [f"- {text}" for text in step.touches])
    found += _part("How it is undone", [step.undo])
    found += _part("Rollback afterwards", [step.way_back])
    for place, back in enumerate(step.back or (), 1):
        found.append(line(f"  {place} ", (back.id, "key"), f" ({back.kind.value}): {back.title}"))
    found += [line(""), line(("By hand", "accent"))]
    for command in step.commands:
        found += [line(f"  {text}") for text in command.splitlines()]
    return found


def _part(title: str, texts: list[str]) -> list[Line]:
    return [line(""), line((title, "accent")), *(line(text) for text in texts)]


def diff_line(text: str) -> Line:
    """One line of a unified diff."""
    sign, rest = text[:1], text[1:]
    if text.startswith(("+++", "---", "@@")):
        return line((text, "dim"))
    style = {"+": "added", "-": "removed"}.get(sign, "")
    spans = (Span(f"{sign or ' '} "), *coloured(rest))
    return tuple(Span(span.text, f"{style} {span.style}".strip()) for span in spans)
