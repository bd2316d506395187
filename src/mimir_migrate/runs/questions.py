"""The question that a run waits with, and who approved which step: folded from its journal."""

from __future__ import annotations

import msgspec

from mimir_migrate.model.events import (
    Approved,
    Asked,
    QuestionSeenAgain,
    QuestionSuspended,
    QuestionWithdrawn,
    Recorded,
)
from mimir_migrate.words import placed

HINT = "`approve` makes the step, `rollback` goes back; `hold` and `stop` leave it unmade."


class OpenQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """The question that a run waits with."""

    number: int
    """The journal's number of its event: what an approval names."""
    asked: Asked
    """The step and the evidence; `seen_at` is when it was seen last."""
    suspended: str = ""
    """Why an approval is void now; empty: it stands."""


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A step that somebody approved."""

    step: str
    question: int
    by: str
    at: float
    beforehand: bool
    reason: str
    asked: Asked | None = None
    """What it was approved on."""


class QuestionFold:
    """Reads events of questions, one after the other."""

    def __init__(self) -> None:
        self.open: OpenQuestion | None = None
        self.approvals: list[Approval] = []
        self.waits_for = ""
        """What the run waits for after the last event; empty: what it waited for before."""

    def take(self, recorded: Recorded) -> bool:
        """Take an event; whether it was one of a question."""
        replace, standing = msgspec.structs.replace, self.open
        self.waits_for = ""
        match recorded.event:
            case Asked(step=step) as asked:
                self.open = OpenQuestion(number=recorded.seq, asked=asked)
                self.waits_for = f"an approval of {placed(step, asked.index, asked.of)}"
            case QuestionSuspended(why=why):
                self.open = replace(standing, suspended=why) if standing else None
            case QuestionSeenAgain():
                if standing is not None:
                    asked = replace(standing.asked, seen_at=recorded.at)
                    self.open = replace(standing, asked=asked, suspended="")
            case QuestionWithdrawn(why=why):
                self.open = None
                self.waits_for = f"the gates again, the question was withdrawn: {why}"
            case Approved() as approved:
                self.open = None
                self.waits_for = "the change to begin"
                self._approve(approved, recorded.at, standing)
            case _:
                return False
        return True

    def _approve(self, approved: Approved, at: float, standing: OpenQuestion | None) -> None:
        self.approvals.append(
            Approval(
                step=approved.step,
                question=approved.question,
                by=approved.by,
                at=at,
                beforehand=approved.beforehand,
                reason=approved.reason,
                asked=standing.asked if standing else None,
            )
        )
