"""`replay`: what a follower of a run saw, again, from its journal only."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence

from mimir_migrate.cli.colours import folded
from mimir_migrate.cli.options import narrate
from mimir_migrate.cli.telling import Story
from mimir_migrate.durations import moment_words
from mimir_migrate.errors import ExitCode, UsageError
from mimir_migrate.model.events import Recorded
from mimir_migrate.runs.waiting import took_words, waited_for_people
from mimir_migrate.words import counted


def replay(options: argparse.Namespace) -> int:
    """Tell a run's events in their rhythm."""
    from mimir_migrate.bootstrap import operations

    speed = options.speed
    if not (math.isfinite(speed) and speed >= 0):
        raise UsageError(
            f"--speed {speed:g} is not a speed",
            hint="Write how many seconds of the run pass in one; 0 prints all at once.",
        )
    work = operations()
    run = work.resolve(options.run)
    events = work.events(run)
    if events:
        seconds, waited = events[-1].at - events[0].at, waited_for_people(events)
        lasted = took_words(seconds, waited, work.status(run).scale)
        begun = moment_words(events[0].at)
        narrate(f"run {run}, begun {begun}, {counted(len(events), 'event')} over {lasted}")
    story = Story(as_json=options.json, say=_say)
    try:
        paced = speed if sys.stdout.isatty() else 0
        tell_in_rhythm(events, story.tell, speed=paced, sleep=work.clock.sleep)
    except KeyboardInterrupt:
        narrate("interrupted; the run is not touched")
        return ExitCode.INTERRUPTED
    return ExitCode.DONE


def _say(text: str, *, under: int | None = None) -> None:
    print(folded(text, sys.stdout, under=under), flush=True)


def tell_in_rhythm(
    events: Sequence[Recorded],
    tell: Callable[[Recorded], None],
    *,
    speed: float,
    sleep: Callable[[float], None],
) -> None:
    """Tell events one after the other, each as long after the last as it was, by `speed`.

    Args:
        events: In order.
        tell: What says one.
        speed: Seconds of the run in a second; 0: no waits.
        sleep: What waits, in seconds.
    """
    before: float | None = None
    for recorded in events:
        if before is not None and speed and recorded.at > before:
            sleep((recorded.at - before) / speed)
        before = recorded.at
        tell(recorded)
