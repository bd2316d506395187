"""What can be asked of a run, when, and in which words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from mimir_migrate.model.events import GateResult, RunState, Verdict
from mimir_migrate.model.plan import Gate
from mimir_migrate.runs.stopping import stop_words
from mimir_migrate.runs.story import evidence_lines
from mimir_migrate.screens.modals.pick import PickModal
from mimir_migrate.screens.page import Page
from mimir_migrate.screens.run_page.run_book import RunBook
from mimir_migrate.screens.runs import (
    elsewhere,
    going_on,
    going_on_words,
    is_over,
    may_roll_back,
    why_not_resumed,
)
from mimir_migrate.widgets.text import Line, line, seconds_words
from mimir_migrate.words import placed

if TYPE_CHECKING:
    from mimir_migrate.runs.status import RunStatus

ASKED = frozenset({"approve", "hold", "stop", "roll_back", "resume", "override"})

TAKEN = {
    "approve": "The runner took your approval.",
    "go_on": "The runner continues.",
    "override": "The runner lets the gate pass once.",
}
"""What is said of a request that the runner took at once."""


class RunQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A question about a run."""

    title: str
    consequences: tuple[Line, ...]
    word: str = ""
    """What has to be typed; empty: `y` is enough."""
    confirm: str
    asks_reason: bool = False
    seen: int = 0
    """The number of the run's question or hold that this shows; an answer is for that one only."""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What was left for a runner, and is not in the journal yet."""

    action: str
    at: float
    """When."""
    seen: int
    """The number of the question or hold that it answers; 0: none."""
    leg: int
    """The number of the leg that was walked then."""
    runner: int | None
    """The runner's process then; None: there was none."""

    def words(self, now: float) -> str:
        """What was asked, and for how long its answer is waited for."""
        what = {
            "approve": "to make the step",
            "hold": "to hold",
            "go_on": "to continue",
            "stop": "to stop",
            "roll_back": "to roll back",
            "resume": "to resume",
            "override": "to let the gate pass once",
        }[self.action]
        return f"asked the runner {what}, waiting for its answer, {seconds_words(now - self.at)}"

    def is_told(self, status: RunStatus) -> bool:
        """Whether the journal shows what came of it."""
        match self.action:
            case "approve":
                return status.question is None or status.question.number != self.seen
            case "go_on" | "override":
                return status.hold != self.seen
            case "hold":
                return status.state is not RunState.RUNNING
            case "roll_back":
                return status.leg != self.leg or status.state is RunState.ROLLED_BACK
            case "resume":
                return status.leg != self.leg or status.runner_pid not in {None, self.runner}
            case _:
                return status.runner_pid is None


def impossible(action: str, status: RunStatus, held_gate: Gate | None) -> str:
    """Why the action means nothing for the run as it is now; empty: it does."""
    held = status.state is RunState.HELD
    if status.runner_host:
        return elsewhere(status)
    if action == "resume":
        return why_not_resumed(status)
    if action == "roll_back":
        return "" if may_roll_back(status) else "The run is rolled back already."
    if status.runner_pid is None or status.exit_code is not None:
        return f"No runner is at work on the run: it is {status.state.value}."
    if action == "approve" and status.question is None:
        return "Nothing waits for an approval now."
    if action == "hold" and held:
        waits = "waits for an approval" if status.approval_for else "is held"
        return f"The run {waits} already, and changes nothing meanwhile."
    if action == "override" and not (held and held_gate):
        return "No gate holds the run."
    return ""


def question(action: str, status: RunStatus, book: RunBook, now: float) -> RunQuestion:
    """The question before an action; what changes where a rollback leads asks for the release's name."""
    where = f"{status.release} in {status.namespace} of {status.cluster}"
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
                confirm="hold",
            )
        case "go_on" | "resume":
            title, words = going_on_words(status)
            return RunQuestion(
                title=title,
                consequences=words,
                confirm=going_on(status).lower(),
                seen=status.hold if action == "go_on" else 0,
            )
        case "stop":
            return RunQuestion(
                title=f"Stop the run {status.run}?",
                consequences=(
                    *(line(words) for words in stop_words(status)),
                    line("The run can be resumed or rolled back later."),
                    line(("Rollback ", "strong"), status.way_back),
                ),
                confirm="stop the run",
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
        case _:
            raise LookupError(f"no question is asked for {action}")


def void_because(action: str, seen: int, status: RunStatus) -> str:
    """Why an answer to an open question would be void now; empty: it stands.

    Args:
        action: What it would do.
        seen: The number of the question or hold that it answers; 0: none.
        status: Where the run stands now.
    """
    if action == "approve" and (status.question is None or status.question.number != seen):
        last = next((one for one in reversed(status.approvals) if one.question == seen), None)
        if last is not None:
            return f"{last.by} approved it meanwhile."
        return "This question was withdrawn meanwhile: an answer would be void. The log says why."
    if action in {"go_on", "override"} and seen and status.hold != seen:
        return "What this is about is over meanwhile: the run is not held by it any more."
    return ""


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
        title=f"Approve {placed(asked.step, asked.index, asked.of)}?",
        consequences=(
            *told,
            line(f"On {where}, account {status.account or 'unknown'}."),
            line(""),
            *(line(text) for text in evidence_lines(asked, now, status.scale)),
            line(""),
            line(("Your answer is for this question only.", "dim")),
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
            if status.awaits_word:
                return "Held; every gate passes by now: r continues, b rolls back.", "warn"
            if held_gate and "`continue`" in status.hint:
                return f"Held. {in_keys(status.hint)}", "warn"
            gate = f", ! lets {held_gate.value} pass once" if held_gate else ""
            # What the hint says of commands, the keys say already.
            hint = "" if status.hint.startswith("`continue`") else in_keys(status.hint)
            on = "continues" if status.runner_pid is not None else "resumes it"
            return f"Held. r {on}, b rolls back{gate}. {hint}".rstrip(), "warn"
        case RunState.RUNNING if status.stalled:
            return "STALLED: no progress. g says why; h holds, b rolls back.", "bad"
        case RunState.RUNNING:
            return _running_words(status, in_demo=in_demo)
        case RunState.DONE:
            return "Done. 7 shows the report; b would go back.", "good"
        case RunState.ROLLED_BACK:
            why = f"{status.reason[:1].upper()}{status.reason[1:]}"
            return f"Rolled back: 7 shows the report. {why}.", "good"
        case RunState.CLOSED:
            return f"Closed. 7 shows the report; b rolls back. {status.reason}", "warn"
        case state:
            return f"The run is {state.value}: r resumes it, b rolls back. {status.reason}", "bad"


def _running_words(status: RunStatus, *, in_demo: bool) -> tuple[str, str]:
    """What can be decided while a run goes on: nothing needs to be, but what fails may be reason enough."""
    failing = status.failing
    keys = "h holds, b rolls back."
    if not failing:
        closing = (
            "Leaving the demo ends this run." if in_demo else "Closing the app stops nothing."
        )
        return f"Nothing to decide now. {closing}", "good"
    first, *others = failing
    if first.gate is Gate.USERS_FINE and first.verdict is Verdict.FAIL:
        return f"Users' requests fail now; the run waits by itself. {keys}", "bad"
    more = f" and {len(others)} more" if others else ""
    return f"Waits for {first.gate.value}{more} by itself. {keys}", "good"


_KEYS = {
    "approve": "a",
    "continue": "r",
    "hold": "h",
    "override": "!",
    "resume": "r",
    "rollback": "b",
    "stop": "z",
}


def in_keys(hint: str) -> str:
    """A hint that names commands, with the keys that do the same here in their places."""
    return re.sub("`([a-z]+)(?: [^`]*)?`", lambda found: _KEYS.get(found[1], found[0]), hint)


def _asked_words(status: RunStatus, step: str) -> str:
    standing = status.question
    if standing is not None and standing.suspended:
        return f"{step} waits, suspended: {standing.suspended}. b rolls back."
    return f"{step} waits for you: a shows the evidence and approves, b rolls back."


def evidence_at(key: str, book: RunBook, verified: Sequence[GateResult]) -> str:
    """The evidence of the failing gate, or of the one line of it, that a row of the gates is about.

    Where the row is of no failing gate, that of the first one that fails; empty: none does.
    """
    found, number = failing_at(key, book, verified)
    if found is None:
        return ""
    lines = [f"{each.source}: {each.detail}" for each in found.evidence]
    if number is not None and number < len(lines):
        return lines[number]
    return "\n".join([found.summary, *lines])


def failing_at(
    key: str, book: RunBook, verified: Sequence[GateResult]
) -> tuple[GateResult | None, int | None]:
    """The failing gate that a row of the gates is about, and which line of its evidence; None: no line.

    Where the row is of no failing gate, the first one that fails; None: none does.
    """
    judged = {f"{when}:{gate.value}": one[1].result for (when, gate), one in book.judged.items()}
    judged |= {f"verify:{result.gate.value}": result for result in verified}
    failing = {name: one for name, one in judged.items() if one.verdict is not Verdict.PASS}
    name, _, number = key.rpartition(":") if key.count(":") > 1 else (key, "", "")
    found = failing.get(name) or failing.get(key) or next(iter(failing.values()), None)
    return found, int(number) if number.isdigit() and name in failing else None


def is_of_users(result: GateResult) -> bool:
    """Whether it tells what users lost: no pod stands behind that, their errors do."""
    return result.gate is Gate.USERS_FINE and result.verdict is Verdict.FAIL


def show_hand_over(page: Page) -> None:
    """Show the text for a chat."""
    from mimir_migrate.runs.handing_over import hand_over
    from mimir_migrate.screens.modals.text import TextModal

    status = page.session.status
    if status is not None:
        page.app.push_screen(TextModal("Hand over: C copies it", hand_over(status)))


def follow_newest(page: Page, *, unfinished: bool) -> None:
    """Follow the newest run, or the newest that is not over, where none is followed yet."""

    def found(runs: tuple[RunStatus, ...]) -> None:
        newest = next((run for run in runs if not (unfinished and is_over(run))), None)
        if newest is not None and not page.session.run:
            page.session.run, page.session.status = newest.run, newest
            page.show_now()

    page.in_background("runs", page.session.operations.runs, found, asked=False)


def pick_run(page: Page) -> None:
    """Choose another run to follow."""
    operations = page.session.operations

    def found(runs: tuple[RunStatus, ...]) -> None:
        offers = [
            (run.run, f"{run.state.value}, {run.release} {run.led}, by {run.by}") for run in runs
        ]
        page.app.push_screen(
            PickModal("Which run?", value=page.session.run, offers=offers, typed=False), picked
        )

    def picked(run: str | None) -> None:
        if run:
            page.session.run, page.session.status = run, None
            page.show_now()

    page.in_background("runs", operations.runs, found)
