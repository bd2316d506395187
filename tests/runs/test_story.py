"""What an event says is said once: by the log, the report and the app in the same words."""

from __future__ import annotations

import pytest

from mimir_migrate.cli.telling import Story
from mimir_migrate.model.events import (
    ChangeFailed,
    Continued,
    EditsRemade,
    Event,
    GateJudged,
    GateOverridden,
    GateResult,
    GateWarned,
    Held,
    Recorded,
    RequestKind,
    RequestVoid,
    RunFinished,
    RunState,
    UsersFailed,
    Verdict,
)
from mimir_migrate.model.facts import Counters
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.scale import TRUE_TIME
from mimir_migrate.runs import report
from mimir_migrate.runs.report_document import Paragraph, to_text
from mimir_migrate.runs.story import told
from mimir_migrate.screens.run_page.run_book import log_line

RESULT = GateResult(gate=Gate.USERS_FINE, verdict=Verdict.PASS, summary="nobody lost anything")
EVENTS: tuple[Event, ...] = (
    ChangeFailed(step="swap", reason="helm ended with 1"),
    UsersFailed(step="swap", users=Counters(pushes=756, failed_pushes=12), worse=True),
    Held(step="swap", reason="no progress", hint="Look at the pods."),
    Continued(step="swap", by="ada@laptop", reason="looked"),
    GateJudged(step="swap", when="after", result=RESULT, good_samples=3, window=40.0),
    GateOverridden(step="swap", gate=Gate.USERS_FINE, by="ada@laptop", reason="a load test"),
    GateWarned(step="swap", result=RESULT),
    EditsRemade(step="swap", paths=("values.yaml",)),
    RequestVoid(kind=RequestKind.APPROVE, by="ada@laptop", why="it answers nothing"),
    RunFinished(state=RunState.DONE, reason="every chosen ring is on dynamodb", exit_code=0),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_log_report_and_app_say_an_event_in_the_same_words(
    event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what stands under it is in each of them too."""
    recorded = Recorded(seq=7, at=1000.0, event=event)
    said = told(recorded)

    Story(as_json=False).tell(recorded)
    log = capsys.readouterr().err
    row = to_text((Paragraph(report._words(recorded, TRUE_TIME)),))
    line = "".join(span.text for span in log_line(recorded))

    for words in (said.words, *said.more):
        assert words
        assert words in log
        assert words in row
        assert words in line


def test_an_end_s_state_is_said_once() -> None:
    """A reason that begins with it says both; another one stands behind it."""
    stopped = RunFinished(
        state=RunState.STOPPED, reason="stopped after the step, as ada@laptop asked", exit_code=130
    )
    failed = RunFinished(state=RunState.FAILED, reason="the deploy ended with 1", exit_code=1)

    said = [told(Recorded(seq=1, at=0.0, event=event)).words for event in (stopped, failed)]

    assert said == [
        "stopped after the step, as ada@laptop asked",
        "failed: the deploy ended with 1",
    ]
