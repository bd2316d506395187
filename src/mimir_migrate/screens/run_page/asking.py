"""What the Run screen asks of a run's runner: the question in front, and what was left and not answered yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mimir_migrate.model.events import RequestKind
from mimir_migrate.screens.acting.rolling_back import ask_to_roll_back
from mimir_migrate.screens.modals.question import QuestionModal
from mimir_migrate.screens.run_page import run_questions as questions

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from mimir_migrate.errors import MigrateError
    from mimir_migrate.model.plan import Gate
    from mimir_migrate.runs.status import RunStatus
    from mimir_migrate.screens.modals.question import Answer
    from mimir_migrate.screens.page import Page
    from mimir_migrate.screens.run_page.run_book import RunBook

_KINDS = {
    "approve": RequestKind.APPROVE,
    "hold": RequestKind.HOLD,
    "go_on": RequestKind.CONTINUE,
    "stop": RequestKind.STOP,
    "override": RequestKind.OVERRIDE,
}


REFUSED_FOR = 10.0
"""Seconds for which it is told why something was not done."""


class Asking:
    """Asks first, then leaves it for the runner, and knows what became of it.

    Args:
        page: The screen that asks.
        redraw: Draws the screen again.
        follow: Reads the journal once more.
    """

    def __init__(
        self, page: Page, *, redraw: Callable[[], None], follow: Callable[[], None]
    ) -> None:
        self._page, self._redraw, self._follow = page, redraw, follow
        self._open: tuple[QuestionModal, str, int] | None = None
        """The question that was opened last, what it would do, and the number of what it answers."""
        self._left: questions.Left | None = None
        """What was left for the runner, and is not in the journal yet."""

    def ask(self, action: str, book: RunBook) -> None:
        """Put the question before an action; it is left for the runner once that is answered."""
        page, status = self._page, self._page.session.status
        if status is None or page.why_not(action):
            return
        if action == "resume" and status.runner_pid is not None:
            action = "go_on"
        question = questions.question(action, status, book, page.session.clock())
        run = status.run
        gate = book.held_gate if action == "override" else None

        def answered(answer: Answer | None) -> None:
            if answer is not None and answer.confirmed:
                self._leave(action, run, answer.reason, question.seen, gate)

        modal = QuestionModal(
            question.title,
            question.consequences,
            word=question.word,
            confirm=question.confirm,
            asks_reason=question.asks_reason,
        )
        self._open = (modal, action, question.seen)
        if action == "approve" and status.question is not None:
            modal.suspend(status.question.suspended)
        page.app.push_screen(modal, answered)

    def roll_back(self) -> None:
        """Put the question before a rollback, with what it would walk."""
        status = self._page.session.status
        if status is None:
            return
        run = status.run

        def answered(answer: Answer | None) -> None:
            if answer is not None and answer.confirmed:
                self._leave("roll_back", run, "", 0)

        ask_to_roll_back(self._page, status, answered)

    def read(self, status: RunStatus) -> None:
        """See in the journal whether what was left is answered; before the screen is drawn."""
        if self._left is not None and self._left.is_told(status):
            self.forget()

    def tell(self, status: RunStatus, book: RunBook) -> None:
        """Say in an open question what became of what it asks while it was read."""
        if self._open is None or self._page.app.screen is not self._open[0]:
            return
        modal, action, seen = self._open
        if why := questions.void_because(action, seen, status):
            modal.void(why)
        elif action in {"approve", "stop"}:
            asked = questions.question(action, status, book, self._page.session.clock())
            modal.tell(asked.consequences)
        if action == "approve" and not why:
            modal.suspend(status.question.suspended if status.question else "")

    def words(self, now: float) -> str:
        """What was left and is not answered yet, and for how long; empty: nothing."""
        if self._left is not None:
            self._page.session.asked = self._left.words(now)
        return self._page.session.asked if self._left is not None else ""

    def forget(self) -> None:
        """Nothing is waited for any more, or another run is looked at."""
        self._left, self._page.session.asked = None, ""

    def _leave(
        self, action: str, run: str, reason: str, seen: int, gate: Gate | None = None
    ) -> None:
        """Leave it for the runner, and say so from now on until the journal tells what came of it."""
        status = self._page.session.status
        if status is not None:
            self._left = questions.Left(
                action=action,
                at=self._page.session.clock(),
                seen=seen,
                leg=status.leg,
                runner=status.runner_pid,
            )
        self._redraw()
        self._page.in_background(
            "ask",
            lambda: self._answer(action, run, reason, seen, gate),
            self._answered,
            self._refused,
        )

    def _answer(self, action: str, run: str, reason: str, seen: int, gate: Gate | None) -> str:
        """Leave it; what the runner made of it, in a sentence, as far as it answered at once."""
        from mimir_migrate.operations import RunOptions
        from mimir_migrate.operations.requests import Wish, refusal

        operations = self._page.session.operations
        if action in {"resume", "roll_back"}:
            purpose = "rollback" if action == "roll_back" else "resume"
            operations.go_on(run, purpose, RunOptions())
            return ""
        kind = _KINDS[action]
        left = operations.ask(run, Wish(kind=kind, reason=reason, gate=gate, seen=seen))
        if kind in {RequestKind.HOLD, RequestKind.STOP}:
            return ""
        answer = operations.answer(left)
        if answer is None:
            return ""
        why = refusal(answer)
        return f"Not done: {why}." if why else questions.TAKEN[action]

    def _answered(self, said: str) -> None:
        refused = said.startswith("Not done")
        if refused:
            self.forget()
            self._redraw()
        if said:
            severity: SeverityLevel = "warning" if refused else "information"
            seconds = REFUSED_FOR if refused else None
            self._page.app.notify(said, markup=False, severity=severity, timeout=seconds)
        self._follow()

    def _refused(self, error: MigrateError) -> None:
        self.forget()
        self._redraw()
        self._page.show_error(error)
