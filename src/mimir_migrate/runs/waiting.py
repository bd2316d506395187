"""How long a run waited for somebody, told apart from what its steps took.

Nobody answers in a simulation's time: what people let wait is said in seconds of this machine's clock, and
what the cluster took by the scale of its target.
"""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.durations import spoken
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
)
from mimir_migrate.model.scale import Scale


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


def took_words(seconds: float, waited: float, scale: Scale) -> str:
    """What something took, and beside it what it waited: `6 min, and 38 s waiting for somebody`.

    Args:
        seconds: From its start to its end.
        waited: How much of that somebody was waited for.
        scale: How durations of the run's cluster are shown.
    """
    worked = scale.words(max(0.0, seconds - waited))
    return f"{worked}, and {spoken(waited)} waiting for somebody" if waited >= 1 else worked
