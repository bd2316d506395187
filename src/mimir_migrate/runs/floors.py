"""What the steps of a run took, beside the least that they can take, from its journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mimir_migrate.engine.dwell import HEARTBEATS
from mimir_migrate.model.events import (
    ChangeDone,
    ChangeIntended,
    GateJudged,
    LegStarted,
    Recorded,
    RunnerStarted,
    StepDone,
    StepStarted,
    Verdict,
)
from mimir_migrate.model.plan import Gate, StepKind
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.runs.waiting import Waits

GOAL = 1.25
"""How many times the sum of its floors a run's steps may take together."""

_SHOWS: dict[StepKind, Gate] = {
    StepKind.ROLLOUT: Gate.ROLLOUT_OVER,
    StepKind.RUNTIME: Gate.SWITCH_FOLLOWED,
}
"""The gate whose passing says that the last pod shows a step's change."""


class StepTime(msgspec.Struct, frozen=True, kw_only=True):
    """One step that is done. Seconds."""

    step: str
    took: float
    """From its start to its end, without the time that somebody was waited for."""
    change: float
    """From its first change until the last pod showed it: the rollout, or the runtime configuration."""
    floor: float
    """`change`, two heartbeats of the slowest chosen ring, and one poll."""


def step_times(events: Sequence[Recorded]) -> tuple[StepTime, ...]:
    """Every step that is done, in order; one whose journal does not tell its heartbeats is left out.

    A step that another runner carried on counts from where that one began it.
    """
    return tuple(_times(events))


def ratio(times: Sequence[StepTime]) -> float | None:
    """The sum of what steps took by the sum of their floors; None: nothing to compare."""
    floors = sum(time.floor for time in times)
    return sum(time.took for time in times) / floors if floors > 0 else None


def words_of(times: Sequence[StepTime], scale: Scale = TRUE_TIME) -> str:
    """One line on all of it."""
    found = ratio(times)
    if found is None:
        return ""
    took = scale.words(sum(time.took for time in times))
    floor = scale.words(sum(time.floor for time in times))
    return f"The steps took {took}, {found:.2f} times the least that they can take ({floor})."


class _Step:
    """A step that goes on."""

    def __init__(self, name: str, kind: StepKind | None, at: float, waited: float) -> None:
        self.name, self.kind, self.began = name, kind, at
        self.changed: float | None = None
        self.shown: float | None = None
        self.waited_before = waited

    def took(self, at: float, waited: float) -> float:
        return at - self.began - (waited - self.waited_before)

    def change(self) -> float:
        if self.changed is None or self.shown is None:
            return 0.0
        return max(0.0, self.shown - self.changed)


def _times(events: Sequence[Recorded]) -> Iterator[StepTime]:
    kinds: dict[str, StepKind] = {}
    here: _Step | None = None
    waits = Waits()
    for recorded in events:
        event, at = recorded.event, recorded.at
        waits.take(recorded)
        if isinstance(event, LegStarted):
            kinds = {step.id: step.kind for step in event.plan.steps}
        if isinstance(event, RunnerStarted):
            here = None
        if isinstance(event, StepStarted):
            here = _Step(event.step, kinds.get(event.step), at, waits.until(at))
        if here is None:
            continue
        if isinstance(event, StepDone) and event.step == here.name:
            yield from _done(here, event, here.took(at, waits.until(at)))
            here = None
        else:
            _take(here, recorded)


def _take(here: _Step, recorded: Recorded) -> None:
    event, at = recorded.event, recorded.at
    match event:
        case ChangeIntended() if here.changed is None:
            here.changed = at
        case ChangeDone():
            here.shown = at
        case GateJudged(when="after", result=result, good_samples=0):
            shows = here.kind is not None and _SHOWS.get(here.kind) is result.gate
            if shows and result.verdict is Verdict.PASS:
                here.shown = at
        case _:
            pass


def _done(here: _Step, event: StepDone, took: float) -> Iterator[StepTime]:
    if here.kind in {StepKind.TABLES, StepKind.BRIDGE}:
        yield StepTime(step=here.name, took=took, change=took, floor=took)
    elif event.heartbeat is not None:
        change = here.change()
        yield StepTime(
            step=here.name,
            took=took,
            change=change,
            floor=change + HEARTBEATS * event.heartbeat + event.poll,
        )
