"""How far a rollout is, as one line and as a bar for each component."""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.runs.rollouts import Rolled
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.rows import Row, cell
from mimir_migrate.widgets.text import (
    Line,
    line,
)
from mimir_migrate.words import counted


def rollout_line(rolled: Sequence[Rolled], signs: Glyphs) -> Line:
    """How far the rollout is, as one bar."""
    done, of = sum(each.done for each in rolled), sum(each.of for each in rolled)
    left = [f"{each.component} {each.done}/{each.of}" for each in rolled if each.done < each.of]
    return line(
        ("rollout  ", "dim"),
        (bar(done, of, 16, signs), "good"),
        f" {done} of {counted(of, 'pod')}",
        (f"; left: {', '.join(left)}" if left else "; all of the new revision", "dim"),
    )


def bar(done: int, of: int, width: int, signs: Glyphs) -> str:
    """A bar of so many cells, filled as far as something is done; full only when it is."""
    filled = width if done >= of else min(width - 1, done * width // of) if of else 0
    return signs.full * filled + signs.hollow * (width - filled)


def rollout_rows(rolled: Sequence[Rolled], signs: Glyphs) -> list[Row]:
    """A bar for each component."""
    if not rolled:
        return []
    rows = [
        Row(key="rollout", cells=(cell("The rollout, pods of the new revision"),), heading=True)
    ]
    for each in rolled:
        over = each.done >= each.of
        rows.append(
            Row(
                key=f"rollout:{each.component}",
                cells=(
                    cell(f"{signs.good if over else signs.now} {each.done} of {each.of}", "good"),
                    cell(each.component),
                    cell(bar(each.done, each.of, 16, signs), "good"),
                ),
            )
        )
    return rows
