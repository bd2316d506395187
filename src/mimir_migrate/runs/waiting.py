"""How long a run waited for somebody, told apart from what its steps took.

Nobody answers in a simulation's time: what people let wait is said in seconds of this machine's clock, and
what the cluster took by the scale of its target.
"""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.model.events import (
    Approved,
    Asked,
    Continued,
    Held,
    LegStarted,
    QuestionWithdrawn,
    Recorded,
    RunFinished,
    RunnerStarted,
    StepDone,
    StepStarted,
)
from mimir_migrate.model.scale import Scale

LEAST_BESIDES = 1.0
"""Seconds beside a run's steps, of its cluster's clock, from which they are told."""


class Waits:
    """Reads a run's events one after the other and adds up the time in which it waited for somebody.

    It did while a question or a hold stood, and from the end of one runner to the start of the next.
    """

    def __init__(self) -> None:
        self._total = 0.0
        self._since: float | None = None

    def take(self, recorded: Recorded) -> None:
        """Take an event."""
        match recorded.event:
            case Asked() | Held():
                self._since = recorded.at if self._since is None else self._since
            case RunFinished():
                self._end(recorded.at)
                self._since = recorded.at
            case (
                Approved()
                | Continued()
                | LegStarted()  # a rollback answers what stood as well
                | QuestionWithdrawn()
                | RunnerStarted()
            ):
                self._end(recorded.at)
            case _:
                pass

    def until(self, at: float) -> float:
        """Seconds of waiting up to a moment that is not before the last event."""
        return self._total + (at - self._since if self._since is not None else 0.0)

    def elapsed(self, began: float, at: float, scale: Scale) -> float:
        """Seconds since the run began, as its clock has them: a simulation's stands while somebody is waited for."""
        return at - began - (0.0 if scale.is_true else self.until(at))

    def _end(self, at: float) -> None:
        self._total, self._since = self.until(at), None


def waited_for_people(events: Sequence[Recorded]) -> float:
    """Seconds in which somebody was waited for, up to the last event."""
    waits = Waits()
    for recorded in events:
        waits.take(recorded)
    return waits.until(events[-1].at) if events else 0.0


def seconds_in_steps(events: Sequence[Recorded]) -> tuple[float, bool]:
    """Seconds of all finished steps without those that waited for somebody; and whether all that began are finished."""
    waits, total, whole = Waits(), 0.0, True
    began: float | None = None
    waited_before = 0.0
    for recorded in events:
        waits.take(recorded)
        match recorded.event:
            case StepStarted():
                whole = whole and began is None
                began, waited_before = recorded.at, waits.until(recorded.at)
            case StepDone() if began is not None:
                total += recorded.at - began - (waits.until(recorded.at) - waited_before)
                began = None
            case _:
                pass
    return total, whole and began is None


def waited_words(waited: float, scale: Scale, *, before: str = "") -> str:
    """How long somebody was waited for: `and 38 s waiting for somebody`; empty: not a second.

    Args:
        waited: Seconds.
        scale: How durations of the run's cluster, beside which it stands, are shown.
        before: What stands before it where there is something to say.
    """
    return f"{before}and {scale.own_words(waited)} waiting for somebody" if waited >= 1 else ""


def took_words(seconds: float, waited: float, scale: Scale) -> str:
    """What something took, and beside it what it waited: `6 min, and 38 s waiting for somebody`.

    In a simulation it is said that those are the operator's own: `and 38 s of your own time waiting …`.

    Args:
        seconds: From its start to its end.
        waited: How much of that somebody was waited for.
        scale: How durations of the run's cluster are shown.
    """
    worked = scale.words(max(0.0, seconds - waited))
    return worked + waited_words(waited, scale, before=", ")
