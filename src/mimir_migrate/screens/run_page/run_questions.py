"""What can be asked of a run, when, and in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mimir_migrate.model.events import RunState
from mimir_migrate.model.plan import Gate
from mimir_migrate.screens.page import Page
from mimir_migrate.screens.modals.pick import PickModal
from mimir_migrate.screens.run_page.run_book import RunBook
from mimir_migrate.runs.story import evidence_lines
from mimir_migrate.screens.runs import (
    is_over,
    may_resume,
    may_roll_back,
    resume_words,
    roll_back_words,
)
from mimir_migrate.widgets.text import Line, line

if TYPE_CHECKING:
    from mimir_migrate.runs.status import RunStatus

ASKED = frozenset({"approve", "hold", "go_on", "stop", "roll_back", "resume", "override"})


class RunQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A question about a run."""

    title: str
    consequences: tuple[Line, ...]
    word: str
    confirm: str
    asks_reason: bool = False
    seen: int = 0
    """The number of the run's question or hold that this shows; an answer is for that one alone."""


def possible(action: str, status: RunStatus, held_gate: Gate | None) -> bool:
    """Whether the action means something for the run as it is now."""
    alive = status.runner_pid is not None
    held = status.state is RunState.HELD
    match action:
        case "approve":
            return alive and status.question is not None
        case "hold":
            return alive and not held
        case "go_on":
            return alive and held and not status.approval_for
        case "stop":
            return alive
        case "override":
            return alive and held and held_gate is not None
        case "resume":
            return may_resume(status)
        case _:
            return may_roll_back(status)


def question(action: str, status: RunStatus, book: RunBook, now: float) -> RunQuestion:
    """The question before an action; crossing and going back ask for the release's name."""
    where = f"{status.release} in {status.namespace} of {status.cluster}"
    step = status.step.id if status.step else "the first step"
    match action:
        case "approve":
            return _approve(status, book, where, now)
        case "hold":
            return RunQuestion(
                title=f"Hold the run {status.run}?",
                consequences=(
                    line(
                        "The runner finishes the change under way and then changes nothing more."
                    ),
                    line("Gates go on being judged; it goes on when you say so."),
                ),
                word="hold",
                confirm="hold",
            )
        case "go_on":
            return RunQuestion(
                title=f"Let the run {status.run} continue?",
                consequences=(
                    line(("Held because of: ", "dim"), status.waiting_for),
                    line(f"The runner looks again and goes on with {step} on {where}."),
                ),
                word=status.release,
                confirm="continue",
                seen=status.hold,
            )
        case "stop":
            return RunQuestion(
                title=f"Stop the run {status.run} after the step {step}?",
                consequences=(
                    line(
                        "The step under way is finished, its gates included; then the runner ends."
                    ),
                    line("The run can be resumed or rolled back later."),
                    line(("Rollback: ", "strong"), status.way_back),
                ),
                word="stop",
                confirm="stop after this step",
            )
        case "override":
            gate = book.held_gate.value if book.held_gate else ""
            return RunQuestion(
                title=f"Let the gate {gate} pass once?",
                consequences=(
                    line(("It says: ", "dim"), status.waiting_for),
                    line("The evidence of this moment and your reason are kept with the run."),
                ),
                word=status.release,
                confirm="override this gate once",
                asks_reason=True,
                seen=status.hold if status.held_gate is book.held_gate else 0,
            )
        case "resume":
            return RunQuestion(
                title=f"Resume the run {status.run}?",
                consequences=resume_words(status),
                word=status.release,
                confirm="resume",
            )
        case _:
            return RunQuestion(
                title=f"Roll the run {status.run} back?",
                consequences=roll_back_words(status),
                word=status.release,
                confirm="roll back",
            )


def _approve(status: RunStatus, book: RunBook, where: str, now: float) -> RunQuestion:
    """The run's own question with its evidence, bound to its number."""
    standing = status.question
    if standing is None:
        raise LookupError("no question stands")
    asked = standing.asked
    here = book.present()
    told = [line(asked.title)] + ([line(here.step.what)] if here else [])
    if standing.suspended:
        told.append(line(("Suspended now, an approval is void: ", "warn"), standing.suspended))
    return RunQuestion(
        title=f"Approve step {asked.index} of {asked.of}, {asked.step}?",
        consequences=(
            *told,
            line(f"On {where}, account {status.account or 'unknown'}."),
            line(""),
            *(line(text) for text in evidence_lines(asked, now)),
            line(""),
            line((f"This answers question {standing.number} and no other.", "dim")),
        ),
        word=status.release,
        confirm="approve",
        seen=standing.number,
    )


def next_words(
    status: RunStatus, held_gate: Gate | None = None, *, in_demo: bool = False
) -> tuple[str, str]:
    """What the operator can do now, and how that is meant; a demo's run ends with the demo."""
    if status.approval_for:
        step = status.approval_for
        return _asked_words(status, step), "warn"
    match status.state:
        case RunState.HELD:
            gate = f", o lets {held_gate.value} pass once" if held_gate else ""
            # What the hint says of commands, the keys say already.
            hint = "" if status.hint.startswith("`continue`") else status.hint
            return f"Held. c goes on, b rolls back{gate}. {hint}".rstrip(), "warn"
        case RunState.RUNNING if status.stalled:
            return "STALLED: no progress. g says why; h holds, b rolls back.", "bad"
        case RunState.RUNNING:
            closing = (
                "Leaving the demo ends this run." if in_demo else "Closing the app stops nothing."
            )
            return f"Nothing to decide now. {closing}", "good"
        case RunState.DONE:
            return "Done. 7 shows the report; b would go back.", "good"
        case RunState.ROLLED_BACK:
            return f"Rolled back: {status.reason}. 7 shows the report.", "good"
        case RunState.CLOSED:
            return f"Closed. 7 shows the report; b rolls back. {status.reason}", "warn"
        case state:
            return f"The run is {state.value}: r resumes it, b rolls back. {status.reason}", "bad"


def _asked_words(status: RunStatus, step: str) -> str:
    standing = status.question
    if standing is not None and standing.suspended:
        return f"{step} waits, suspended: {standing.suspended}. b rolls back."
    return f"{step} waits for you: a shows the evidence and approves, b rolls back."


def show_hand_over(page: Page) -> None:
    """Show the text for a chat."""
    from mimir_migrate.runs.handing_over import hand_over
    from mimir_migrate.screens.modals.text import TextModal

    status = page.session.status
    if status is not None:
        page.app.push_screen(TextModal("Hand over: y copies it", hand_over(status)))


def follow_newest(page: Page, *, unfinished: bool) -> None:
    """Follow the newest run, or the newest that is not over, where none is followed yet."""

    def found(runs: tuple[RunStatus, ...]) -> None:
        newest = next((run for run in runs if not (unfinished and is_over(run))), None)
        if newest is not None and not page.session.run:
            page.session.run, page.session.status = newest.run, newest
            page.show_now()

    page.in_background("runs", page.session.operations.runs, found)


def pick_run(page: Page) -> None:
    """Choose another run to follow."""
    operations = page.session.operations

    def found(runs: tuple[RunStatus, ...]) -> None:
        offers = [
            (run.run, f"{run.state.value}, {run.release} to {run.to}, by {run.by}") for run in runs
        ]
        page.app.push_screen(
            PickModal("Which run?", value=page.session.run, offers=offers, typed=False), picked
        )

    def picked(run: str | None) -> None:
        if run:
            page.session.run, page.session.status = run, None
            page.show_now()

    page.in_background("runs", operations.runs, found)
