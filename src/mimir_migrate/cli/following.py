"""Following a run: plain lines as its journal grows, and the questions it waits with."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType

from mimir_migrate.cli.options import narrate
from mimir_migrate.durations import format_duration
from mimir_migrate.engine.history import warned_words, way_back_words
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.changes import describe
from mimir_migrate.model.events import (
    BaselineTaken,
    ChangeDone,
    ChangeFailed,
    ChangeIntended,
    Continued,
    EditsRemade,
    FactsChanged,
    GateJudged,
    GateOverridden,
    GateWarned,
    Held,
    LegStarted,
    Recorded,
    RequestKind,
    RunFinished,
    RunnerStarted,
    StepDone,
    StepStarted,
    WaitStarted,
    WayBackFound,
)
from mimir_migrate.model.plan import SCHEMA, Plan, change_words
from mimir_migrate.operations import Operations

PAUSE = 0.2
"""Seconds between two looks at the journal."""

START_PATIENCE = 60.0
"""Seconds until a runner that was started must have written its first event."""


def follow(
    work: Operations,
    run: str,
    *,
    after: int,
    as_json: bool,
    asks: bool,
    exits: bool = True,
    stops: bool = True,
) -> int:
    """Print what happens until the run ends or waits for somebody.

    Args:
        work: The operations.
        run: The run's id.
        after: Events up to this number are known already.
        as_json: One line of JSON on stdout for each event, else words on stderr.
        asks: Whether approvals can be asked for here.
        exits: Whether the exit code is that of the run.
        stops: Whether the first Ctrl-C asks the run to stop; who only watches leaves it alone.
    """
    story = _Story(as_json=as_json)
    began = time.monotonic()
    with _first_interrupt_stops(work, run) if stops else nullcontext():
        while True:
            fresh = work.events(run, after)
            for recorded in fresh:
                after = recorded.seq
                began = time.monotonic()
                story.tell(recorded)
                match recorded.event:
                    case RunFinished(exit_code=code) if recorded is fresh[-1]:
                        return code if exits else ExitCode.DONE
                    case Held(approval=True, step=step) if asks:
                        _ask(work, run, step, story.release)
                    case Held() if exits and not asks and _still_held(work, run):
                        narrate(
                            f"the run {run} is held and waits for somebody: "
                            f"`mimir-migrate status {run}`, `continue {run}`, `rollback {run}`"
                        )
                        return ExitCode.BLOCKED
                    case _:
                        pass
            if time.monotonic() - began > START_PATIENCE / 10 and _is_dead(work, run):
                narrate(_gone(run))
                return ExitCode.FAILED if exits else ExitCode.DONE
            time.sleep(PAUSE)


def until_working(work: Operations, run: str, *, after: int) -> ExitCode:
    """Wait until the runner holds the lease, or ended."""
    began = time.monotonic()
    while time.monotonic() - began < START_PATIENCE:
        for recorded in work.events(run, after):
            after = recorded.seq
            match recorded.event:
                case LegStarted() | Continued():
                    return ExitCode.DONE
                case RunFinished(exit_code=code, reason=reason):
                    narrate(reason)
                    return ExitCode(code)
                case _:
                    pass
        if time.monotonic() - began > START_PATIENCE / 10 and _is_dead(work, run):
            narrate(_gone(run))
            return ExitCode.FAILED
        time.sleep(PAUSE)
    narrate(f"the runner did not begin within {format_duration(START_PATIENCE)}")
    return ExitCode.FAILED


def _gone(run: str) -> str:
    return (
        f"the runner of {run} is gone without a word: "
        f"`mimir-migrate resume {run}` goes on, `rollback {run}` goes back"
    )


def _still_held(work: Operations, run: str) -> bool:
    return work.status(run).state.value == "held"


def _is_dead(work: Operations, run: str) -> bool:
    return work.status(run).state.value == "dead"


def _ask(work: Operations, run: str, step: str, release: str) -> None:
    narrate(f"Type the release's name ({release}) to make the step {step}; `back` goes back.")
    answer = input("> ").strip()
    if answer == release:
        work.ask(run, RequestKind.APPROVE)
    elif answer == "back":
        work.ask(run, RequestKind.ROLLBACK)
    else:
        narrate(
            f"not approved; it waits on: `mimir-migrate approve {run}` or `rollback {run}` from "
            "any terminal"
        )


@contextmanager
def _first_interrupt_stops(work: Operations, run: str) -> Iterator[None]:
    """The first Ctrl-C asks the run to stop after its step, the second leaves it alone."""
    asked = False

    def interrupt(signum: int, frame: FrameType | None) -> None:
        nonlocal asked
        del signum, frame
        if asked:
            narrate(f"left the run {run} to itself; `mimir-migrate status {run} --follow` returns")
            raise KeyboardInterrupt
        asked = True
        try:
            work.ask(run, RequestKind.STOP, reason="Ctrl-C")
        except Exception as error:  # a signal handler must not end the program
            narrate(f"could not ask it to stop: {error}")
            raise KeyboardInterrupt from error
        narrate("it stops after the present step; Ctrl-C again leaves it to itself")

    try:
        before = signal.signal(signal.SIGINT, interrupt)
    except ValueError:  # not in the main thread: nobody presses Ctrl-C here
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Story:
    """Tells events in words, or as lines of JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._began: float | None = None
        self._leg: Plan | None = None
        self._step_began = 0.0
        self.release = ""

    def tell(self, recorded: Recorded) -> None:
        """One event."""
        self._began = self._began or recorded.at
        if isinstance(recorded.event, LegStarted):
            self._leg = recorded.event.plan
            self.release = recorded.event.plan.identity.release
        if self._as_json:
            import msgspec

            document = {"schema": SCHEMA, **msgspec.to_builtins(recorded)}
            sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
            sys.stdout.flush()
        words = self._words(recorded)
        if words:
            narrate(f"{recorded.at - self._began:7.1f}s  {words}")

    def _words(self, recorded: Recorded) -> str:
        match recorded.event:
            case RunnerStarted(pid=pid, purpose=purpose):
                return f"runner {pid} takes the run on ({purpose})"
            case LegStarted(plan=plan, purpose=purpose):
                names = ", ".join(step.id for step in plan.steps) or "nothing"
                return f"{purpose}: {', '.join(plan.rings)} to {plan.to.value}; steps: {names}"
            case BaselineTaken(seconds=seconds):
                return f"baseline of what users see taken over {seconds:.1f}s"
            case StepStarted(step=step):
                self._step_began = recorded.at
                return f"step {self._place(step)}"
            case WaitStarted(waiting_for=what):
                return f"  waits for {what}"
            case GateJudged(result=result, good_samples=good, window=window) if good:
                return (
                    f"  gate {result.gate.value} passed: {result.summary} "
                    f"({good} samples over {window:.1f}s)"
                )
            case ChangeIntended(change=change):
                return f"  {describe(change)}"
            case ChangeDone(outcome=outcome):
                return f"    done: {outcome.detail}"
            case ChangeFailed(reason=reason):
                return f"    FAILED: {reason}"
            case StepDone(step=step):
                took = f" in {recorded.at - self._step_began:.1f}s" if self._step_began else ""
                return f"step {step} done{took}"
            case Held(reason=reason, hint=hint, approval=approval):
                kind = "APPROVAL AWAITED" if approval else "HELD"
                return f"  {kind}: {reason}\n            {hint}"
            case Continued(by=by):
                return f"  goes on ({by})"
            case GateOverridden(gate=gate, by=by, reason=reason):
                return f"  gate {gate.value} OVERRIDDEN by {by}: {reason}"
            case FactsChanged(changes=changes) if changes:
                told = "".join(f"\n            {change_words(one, short=True)}" for one in changes)
                return f"  CHANGED since the plan was made; going on is refused:{told}"
            case FactsChanged():
                return "  everything is again what the plan rests on"
            case EditsRemade(paths=paths):
                return (
                    f"  {', '.join(paths)} was edited and says the same; the edits were made anew"
                )
            case GateWarned(result=result):
                return f"  {warned_words(result)}"
            case WayBackFound() as found:
                return f"  {way_back_words(found)}"
            case RunFinished(state=state, reason=reason):
                return f"{state.value}: {reason}"
            case _:
                return ""

    def _place(self, name: str) -> str:
        steps = self._leg.steps if self._leg else ()
        for index, step in enumerate(steps, 1):
            if step.id == name:
                return f"{index}/{len(steps)} {name}: {step.title}"
        return name
