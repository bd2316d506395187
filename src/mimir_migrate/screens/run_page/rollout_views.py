"""How far a rollout is, as bars."""

from __future__ import annotations

from mimir_migrate.runs.rollouts import Rollout
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.rows import Row, cell
from mimir_migrate.widgets.text import Line, line
from mimir_migrate.words import counted


def rollout_line(rollout: Rollout, signs: Glyphs, *, over: bool) -> Line:
    """How far the rollout is, as one bar; none as long as nothing of it was seen.

    Args:
        rollout: What was counted so far.
        signs: The signs to draw with.
        over: Whether the gate `rollout-over` passed after the change.
    """
    done, of = rollout.done, rollout.of
    if not (rollout.begun or over):
        known = f"; {counted(of, 'pod')}, all of the newest revision that Kubernetes knows"
        return line(("rollout  ", "dim"), "nothing of it is seen yet", (known, "dim"))
    left = [
        f"{each.component} {each.done}/{each.of}" for each in rollout.parts if each.done < each.of
    ]
    return line(
        ("rollout  ", "dim"),
        (bar(done, of, 16, signs), "good"),
        f" {done} of {counted(of, 'pod')}",
        (f"; left: {', '.join(left)}" if left else "; all of the new revision", "dim"),
    )


def rollout_rows(rollout: Rollout, signs: Glyphs, *, over: bool) -> list[Row]:
    """A bar for each component; none as long as nothing of the rollout was seen."""
    if not (rollout.begun or over):
        return []
    rows = [
        Row(key="rollout", cells=(cell("The rollout, pods of the new revision"),), heading=True)
    ]
    for each in rollout.parts:
        full = each.done >= each.of
        rows.append(
            Row(
                key=f"rollout:{each.component}",
                cells=(
                    cell(f"{signs.good if full else signs.now} {each.done} of {each.of}", "good"),
                    cell(each.component),
                    cell(bar(each.done, each.of, 16, signs), "good"),
                ),
            )
        )
    return rows


def bar(done: int, of: int, width: int, signs: Glyphs) -> str:
    """A bar of so many cells, filled as far as something is done; full only when it is."""
    filled = width if done >= of else min(width - 1, done * width // of) if of else 0
    return signs.full * filled + signs.hollow * (width - filled)
