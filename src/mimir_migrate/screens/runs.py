"""Runs in words and rows, and the questions about a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mimir_migrate.model.events import RunState
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.rows import Row, cell
from mimir_migrate.widgets.text import Line, Span, line, plain, seconds_words
from mimir_migrate.words import joined

if TYPE_CHECKING:
    from mimir_migrate.runs.status import RunStatus

OVER = frozenset({RunState.DONE, RunState.ROLLED_BACK, RunState.CLOSED})


def is_over(status: RunStatus) -> bool:
    """Whether there is nothing to go on with."""
    return status.state in OVER


def elsewhere(status: RunStatus) -> str:
    """Why nothing can be asked here of a run whose runner is on another machine."""
    return (
        f"Its runner is on {status.runner_host}: say it there; where that machine is gone, "
        f"`mimir-migrate resume {status.run} --takeover`, or `rollback`, in a terminal."
    )


def why_not_resumed(status: RunStatus) -> str:
    """Why a run cannot be resumed now; empty: it can."""
    if status.approval_for:
        return "The run waits for an approval: a shows the evidence and approves."
    if status.runner_pid is not None and status.state is not RunState.HELD:
        return "A runner is at work on the run, and nothing holds it."
    if is_over(status):
        return f"The run is over: {status.state.value}."
    return ""


def going_on(status: RunStatus | None) -> str:
    """What going on with a run is called now: a runner that lives continues, one that is gone is resumed."""
    return "Resume" if status is None or status.runner_pid is None else "Continue"


def may_roll_back(status: RunStatus) -> bool:
    """Whether there is something to go back from."""
    return status.state is not RunState.ROLLED_BACK


def state_sign(status: RunStatus, signs: Glyphs) -> Span:
    """A run's state as a sign and a word."""
    sign, style = {
        RunState.RUNNING: (signs.now, "good"),
        RunState.HELD: (signs.held, "warn"),
        RunState.STOPPED: (signs.held, "warn"),
        RunState.FAILED: (signs.bad, "bad"),
        RunState.DEAD: (signs.bad, "bad"),
        RunState.DONE: (signs.good, "good"),
        RunState.ROLLED_BACK: (signs.good, ""),
        RunState.CLOSED: (signs.held, "dim"),
    }[status.state]
    asks = status.state is RunState.HELD and status.approval_for
    word = "waits for you" if asks else "STALLED" if status.stalled else status.state.value
    return Span(f"{sign} {word}", "bad" if status.stalled else style)


def run_row(status: RunStatus, signs: Glyphs, now: float) -> Row:
    """A run in a list."""
    step = status.step
    place = f"{step.id}, {step.index} of {step.of}" if step else "start"
    if is_over(status):
        said = f"{seconds_words(now - status.updated_at)} ago, by {status.by}"
    else:
        said = status.waiting_for or status.reason or status.way_back
    return Row(
        key=f"run:{status.run}",
        cells=(
            (state_sign(status, signs),),
            cell(f"{status.release} {_led(status, signs)}"),
            cell(place),
            cell(said, "dim"),
        ),
        words=f"{status.run} {status.namespace} {status.cluster} {' '.join(status.rings)}",
    )


def _led(status: RunStatus, signs: Glyphs) -> str:
    """Where the run led, and where it went back to."""
    stores = [status.asked_to, status.to] if status.purpose == "rollback" else [status.to]
    return " ".join(f"{signs.arrow} {store}" for store in dict.fromkeys(stores) if store)


def run_sections(
    runs: Sequence[RunStatus], signs: Glyphs, now: float
) -> tuple[list[Row], list[Row]]:
    """Unfinished runs, and those that are over."""
    rows = [(status, run_row(status, signs, now)) for status in runs]
    return (
        [row for status, row in rows if not is_over(status)],
        [row for status, row in rows if is_over(status)],
    )


def roll_back_words(status: RunStatus) -> tuple[Line, ...]:
    """What rolling a run back means."""
    return tuple(
        (Span(plain(text), style),)
        for text, style in (
            (f"Every ring of this run goes back to where it was: {joined(status.rings)}", ""),
            (f"on the release {status.release} in {status.namespace} of {status.cluster}.", ""),
            ("", ""),
            (f"Rollback {status.way_back}", "strong"),
            ("It is walked step by step, each behind its gates; it can be held like any run.", ""),
        )
    )


def going_on_words(status: RunStatus) -> tuple[str, tuple[Line, ...]]:
    """The question before a run goes on, and what that means."""
    if going_on(status) == "Resume":
        return f"Resume the run {status.run}?", resume_words(status)
    step = status.step.id if status.step else "the first step"
    where = f"{status.release} in {status.namespace} of {status.cluster}"
    return f"Let the run {status.run} continue?", (
        line(("Held because of: ", "dim"), status.waiting_for),
        line(f"The runner looks again and goes on with {step} on {where}."),
    )


def resume_words(status: RunStatus) -> tuple[Line, ...]:
    """What resuming a run means."""
    place = f"at the step {status.step.id}" if status.step else "before its first step"
    return tuple(
        (Span(plain(text), style),)
        for text, style in (
            (f"The run {status.run} is {status.state.value} {place}.", ""),
            ("A runner looks at the cluster first and plans what is left from what it finds.", ""),
            ("Steps that make a rollback longer still wait for an approval.", ""),
            ("", ""),
            (f"Rollback {status.way_back}", "strong"),
        )
    )
