"""Following a run: plain lines as its journal grows, and the questions it waits with."""

from __future__ import annotations

import msgspec

from mimir_migrate.cli.interrupts import Interrupts, Leaving
from mimir_migrate.cli.options import narrate
from mimir_migrate.cli.telling import Story, asked_words
from mimir_migrate.durations import spoken
from mimir_migrate.errors import ExitCode, MigrateError
from mimir_migrate.model.events import (
    Approved,
    Asked,
    Continued,
    Held,
    LegStarted,
    QuestionWithdrawn,
    Recorded,
    RequestKind,
    RunFinished,
    RunnerStarted,
    WaitStarted,
)
from mimir_migrate.operations import Operations
from mimir_migrate.operations.requests import Wish, refusal
from mimir_migrate.ports import Clock
from mimir_migrate.runs.questions import OpenQuestion
from mimir_migrate.words import placed

PAUSE = 0.2
"""Seconds between two looks at the journal."""

ANSWERS_ITSELF_WITHIN = 1.0
"""Seconds within which a runner answers a question that was approved beforehand."""

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
    interrupts: Interrupts | None = None,
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
        interrupts: What counts Ctrl-C, where it means something else than leaving the run to itself.
    """
    story = Story(as_json=as_json)
    waits = _Waits(work.clock)
    if after and asks and (status := work.status(run)).question is not None:
        # It was asked before this began to follow.
        waits.stands(status.question.number)
        narrate(asked_words(status.question.asked, work.clock.now(), status.scale))
    began = work.clock.now()
    patience = START_PATIENCE
    with interrupts or Interrupts() as pressed:
        while True:
            pressed.heed(work, run, stops=stops)
            fresh = work.events(run, after)
            for recorded in fresh:
                after = recorded.seq
                began, patience = work.clock.now(), START_PATIENCE / 10
                story.tell(recorded if as_json else _to_whom_asked(recorded, pressed))
                waits.take(recorded)
                if isinstance(recorded.event, RunFinished) and recorded is fresh[-1]:
                    return recorded.event.exit_code if exits else ExitCode.DONE
            question = waits.question(work, run)
            if question is not None and asks:
                while _ask(work, run, question, story.release, pressed):
                    pass
            elif exits and not asks and (question is not None or waits.is_held(work, run)):
                narrate(_held_words(work, run, pressed.leaving))
                return ExitCode.BLOCKED
            if work.clock.now() - began > patience and _is_dead(work, run):
                narrate(_gone(work, run))
                return ExitCode.FAILED if exits else ExitCode.DONE
            work.clock.sleep(PAUSE)


def _to_whom_asked(recorded: Recorded, pressed: Interrupts) -> Recorded:
    if not isinstance(recorded.event, RunFinished):
        return recorded
    replace = msgspec.structs.replace
    reason = pressed.to_whom_asked(recorded.event.reason)
    return replace(recorded, event=replace(recorded.event, reason=reason))


class _Waits:
    """Whether the run waits for somebody, as of the events that were read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._question = 0
        self._held = False
        self._since = 0.0

    def stands(self, number: int) -> None:
        """A question stands already."""
        self._question = number

    def take(self, recorded: Recorded) -> None:
        """Take an event."""
        match recorded.event:
            case Asked():
                self._question, self._since = recorded.seq, self._clock.now()
            case Held():
                self._held = True
            case Approved() | QuestionWithdrawn():
                self._question = 0
            case Continued() | RunnerStarted():
                self._held, self._question = False, 0
            case _:
                pass

    def question(self, work: Operations, run: str) -> OpenQuestion | None:
        """The question that waits for an answer here, once; one that the runner answers itself is none."""
        if not self._question or work.clock.now() - self._since < ANSWERS_ITSELF_WITHIN:
            return None
        standing = work.status(run).question
        if standing is None or standing.number != self._question or standing.suspended:
            return None
        self._question = 0
        return standing

    def is_held(self, work: Operations, run: str) -> bool:
        """Whether a hold that was read is still one."""
        if not self._held:
            return False
        self._held = False
        status = work.status(run)
        return status.state.value == "held" and status.question is None


def until_working(work: Operations, run: str, *, after: int) -> ExitCode:
    """Wait until the runner holds the lease, or ended."""
    began = work.clock.now()
    heard = False
    while work.clock.now() - began < START_PATIENCE:
        for recorded in work.events(run, after):
            after, heard = recorded.seq, True
            match recorded.event:
                case LegStarted() | Continued():
                    return ExitCode.DONE
                case WaitStarted(waiting_for=what):
                    # It holds the lease by now, and what it waits for can take long.
                    narrate(f"the runner works on it; it waits for {what}")
                    return ExitCode.DONE
                case RunFinished(exit_code=code, reason=reason):
                    narrate(reason)
                    return ExitCode(code)
                case _:
                    pass
        if heard and work.clock.now() - began > START_PATIENCE / 10 and _is_dead(work, run):
            narrate(_gone(work, run))
            return ExitCode.FAILED
        work.clock.sleep(PAUSE)
    narrate(f"the runner did not begin within {spoken(START_PATIENCE)}")
    return ExitCode.FAILED


def _gone(work: Operations, run: str) -> str:
    said = (
        f"the runner of {run} ended and said nothing: "
        f"`mimir-migrate resume {run}` goes on, `rollback {run}` goes back"
    )
    if work.status(run).scale.is_true:
        return said
    return f"{said}. A demo that was left takes its cluster and this run with it"


def _held_words(work: Operations, run: str, leaving: Leaving) -> str:
    status = work.status(run)
    word = "approve" if status.question is not None else "continue"
    return leaving.held.format(run=run, waiting=status.waiting_for, word=word)


def _is_dead(work: Operations, run: str) -> bool:
    return work.status(run).state.value == "dead"


def _ask(
    work: Operations, run: str, question: OpenQuestion, release: str, interrupts: Interrupts
) -> bool:
    """Put a question to whoever follows; what is typed answers this one and no other.

    Returns:
        Whether what was typed is not an answer, so that it has to be asked again.
    """
    asked = question.asked
    narrate(
        f"Type the release's name ({release}) to make {placed(asked.step, asked.index, asked.of)}; "
        "`back` rolls back."
    )
    answer = interrupts.typed()
    wish = {
        release: Wish(kind=RequestKind.APPROVE, seen=question.number),
        "back": Wish(kind=RequestKind.ROLLBACK),
    }.get(answer)
    if wish is None and answer:
        narrate(f"'{answer}' is not it, and nothing was approved.")
        return True
    if wish is None:
        narrate(
            f"not approved; it goes on waiting: `mimir-migrate approve {run}` or `rollback {run}` from "
            "any terminal"
        )
        return False
    try:
        left = work.ask(run, wish)
    except MigrateError as error:
        narrate(f"not approved: {error.message}")
        return False
    if wish.kind is RequestKind.APPROVE and (why := refusal(work.answer(left))):
        narrate(f"not approved: {why}")
    return False
