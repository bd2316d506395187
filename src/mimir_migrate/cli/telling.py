"""A run's events as lines, in words or as JSON."""

from __future__ import annotations

import sys
from typing import Protocol

from mimir_migrate.cli.options import narrate
from mimir_migrate.model.events import (
    Asked,
    GateJudged,
    LegStarted,
    QuestionSeenAgain,
    Recorded,
    RunStarted,
    StepDone,
    StepStarted,
)
from mimir_migrate.model.plan import SCHEMA
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.runs.story import evidence_lines, question_words, told
from mimir_migrate.runs.waiting import Waits, took_words
from mimir_migrate.words import placed

_WORDS = 13
"""The column that the words of an event begin in."""
_UNDER = "\n    "
"""Before what stands under an event; in a story it goes below the rest of the event's own lines."""


def asked_words(asked: Asked, now: float, scale: Scale = TRUE_TIME) -> str:
    """A question and its evidence."""
    said = question_words(asked).removeprefix("approval awaited")
    told = "".join(f"{_UNDER}{line}" for line in evidence_lines(asked, now, scale))
    return f"APPROVAL AWAITED{said}: {asked.title}{told}"


class Say(Protocol):
    """Prints a line; what does not fit goes on under it, from a column on."""

    def __call__(self, text: str, *, under: int | None = None) -> None:
        """Print it."""


class Story:
    """Tells events in words, or as lines of JSON."""

    def __init__(self, *, as_json: bool, say: Say = narrate) -> None:
        self._as_json = as_json
        self._say = say
        self._began: float | None = None
        self._leg: LegStarted | None = None
        self._step_began = self._waited_before = 0.0
        self._waits = Waits()
        self.release = ""
        self._scale = TRUE_TIME
        self._marked = False

    def tell(self, recorded: Recorded) -> None:
        """One event."""
        self._began = self._began or recorded.at
        self._waits.take(recorded)
        if isinstance(recorded.event, RunStarted | LegStarted):
            self._scale = recorded.event.plan.target.scale
        if isinstance(recorded.event, LegStarted):
            self._leg = recorded.event
            self.release = recorded.event.plan.identity.release
        if self._as_json:
            import msgspec

            document = {"schema": SCHEMA, **msgspec.to_builtins(recorded)}
            sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
            sys.stdout.flush()
        words = self._words(recorded)
        if words:
            self._mark()
            indent = 2 if words.startswith("  ") else 0
            under = _WORDS + indent + 2
            words = words.replace(_UNDER, "\n" + " " * under)
            since = self._waits.elapsed(self._began, recorded.at, self._scale)
            said = f"{self._scale.words(since):>11}  {words}"
            self._say(said, under=under)

    def _mark(self) -> None:
        """Say once that the times are a simulation's."""
        if self._scale.note and not self._marked:
            self._marked = True
            self._say(self._scale.note)

    def _words(self, recorded: Recorded) -> str:
        """An event for whoever follows; empty: it is nothing new."""
        match recorded.event:
            case RunStarted() | QuestionSeenAgain(resumed=False) | GateJudged(good_samples=0):
                return ""
            case StepStarted(step=step):
                self._step_began = recorded.at
                self._waited_before = self._waits.until(recorded.at)
                return self._place(step)
            case StepDone(step=step):
                waited = self._waits.until(recorded.at) - self._waited_before
                took = took_words(recorded.at - self._step_began, waited, self._scale)
                return f"{step} done" + (f" in {took}" if self._step_began else "")
            case Asked() as asked:
                return f"  {asked_words(asked, recorded.at, self._scale)}"
            case event:
                said = told(recorded, self._scale)
                indent = "  " if getattr(event, "step", "") else ""
                return indent + _UNDER.join((said.words, *said.more))

    def _place(self, name: str) -> str:
        leg = self._leg
        for step in leg.plan.steps if leg else ():
            if leg and step.id == name:
                return f"{placed(name, leg.numbers()[name], leg.of)}: {step.title}"
        return name
