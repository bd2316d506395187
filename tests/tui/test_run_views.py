"""What the run screen makes of a journal."""

from __future__ import annotations

import tui_story as story
from tui_fakes import FakeOperations
from tui_harness import a_plan

from mimir_migrate.model.events import Recorded, StepStarted, Verdict
from mimir_migrate.model.plan import Gate
from mimir_migrate.screens.run_page.run_book import RunBook
from mimir_migrate.screens.run_page.run_views import gate_rows
from mimir_migrate.widgets.glyphs import UNICODE


def test_a_gate_before_and_after_a_change_is_shown_for_both() -> None:
    """What passed before the change still stands there when the same gate is judged after it."""
    plan = a_plan(FakeOperations())
    step = next(one for one in plan.steps if Gate.RING_HEALTHY in one.before and one.edits)
    events = [
        *story.begun(plan),
        StepStarted(step=step.id),
        story.gate(step, "before", Gate.RING_HEALTHY),
        story.gate(step, "after", Gate.RING_HEALTHY, Verdict.FAIL),
    ]
    book = RunBook()
    book.read([Recorded(seq=n, at=float(n), event=one) for n, one in enumerate(events, 1)])

    rows = {row.key: row for row in gate_rows(book, (), 0.0, UNICODE)}
    signs = {when: rows[f"{when}:ring-healthy"].cells[0][0].text for when in ("before", "after")}

    assert signs == {"before": "✓ pass", "after": "✗ fail"}
    assert "not yet" in rows["before:users-fine"].cells[0][0].text
