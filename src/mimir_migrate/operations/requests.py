"""What an operator asks of a living runner: made from what was seen, left, and waited for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate import __version__
from mimir_migrate.durations import clock_words
from mimir_migrate.errors import BlockedError
from mimir_migrate.model.events import (
    Recorded,
    Request,
    RequestKind,
    RequestVoid,
    RunFinished,
    RunState,
    answers_of,
)
from mimir_migrate.model.plan import Gate
from mimir_migrate.runs.status import RunStatus
from mimir_migrate.words import placed

WITHOUT_NUMBERS = "0.1.0"
"""The version whose runners know requests by kind only."""

ANSWERED_WITHIN = 10.0
"""Seconds that a command waits for the runner's answer to what it left."""

_ANY_VERSION = frozenset({RequestKind.HOLD, RequestKind.STOP, RequestKind.ROLLBACK})
"""What every runner takes: each is safe whatever it was meant for."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator asks for."""

    kind: RequestKind
    reason: str = ""
    gate: Gate | None = None
    step: str = ""
    """For an approval: the step that is meant; empty: the one that waits."""
    seen: int = 0
    """The number of the question or hold that was on the operator's screen; 0: the one that stands."""
    seconds: float = 0.0
    """For a hold: how long it may last; 0: as long as one does by default."""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was left for a run."""

    run: str
    request: Request


def request_of(status: RunStatus, wish: Wish, *, by: str) -> Request:
    """The request that says what it answers.

    Raises:
        BlockedError: Nothing waits for it, or the runner is of another version.
    """
    if status.runner_version != __version__ and status.runner_version:
        if wish.kind not in _ANY_VERSION:
            raise BlockedError(
                f"`{wish.kind.value}` is not left for the run {status.run}: its runner is of version "
                f"{status.runner_version}, this is {__version__}, and what it asks may mean something else",
                hint=f"Say it with mimir-migrate {status.runner_version}; or `stop` here, and `resume` "
                "goes on with this version. `hold`, `stop` and `rollback` are taken by every version.",
            )
        if status.runner_version == WITHOUT_NUMBERS:
            return Request(kind=wish.kind, by=by, reason=wish.reason)
    return Request(
        kind=wish.kind,
        by=by,
        reason=wish.reason,
        gate=wish.gate,
        run=status.run,
        leg=status.leg,
        step=status.step.id if status.step else "",
        question=_answered(status, wish),
        seconds=wish.seconds,
    )


def _answered(status: RunStatus, wish: Wish) -> int:
    """The number of what a request answers; 0: it stands on its own."""
    match wish.kind:
        case RequestKind.APPROVE:
            return _question(status, wish)
        case RequestKind.CONTINUE:
            if not (wish.seen or status.hold or status.hold_asked):
                raise BlockedError(
                    f"the run {status.run} is not held: {doing(status)}",
                    hint="Nothing was left for it.",
                )
            return wish.seen or status.hold
        case RequestKind.OVERRIDE:
            return wish.seen or (status.hold if status.held_gate is wish.gate else 0)
        case _:
            return 0


def _question(status: RunStatus, wish: Wish) -> int:
    if wish.seen:
        return wish.seen
    if status.question is None:
        said = f"nothing waits for an approval in the run {status.run}: {doing(status)}"
        if status.approvals:
            last = status.approvals[-1]
            said += f"; {last.by} approved {last.step} at {clock_words(last.at)}"
        raise BlockedError(said, hint="Nothing was left for it.")
    asked = status.question.asked
    if wish.step and wish.step != asked.step:
        raise BlockedError(
            f"the run {status.run} waits for an approval of "
            f"{placed(asked.step, asked.index, asked.of)}, not of {wish.step}",
            hint=f"Nothing was left for it. A step is named by its name: {asked.step}.",
        )
    return status.question.number


def doing(status: RunStatus) -> str:
    """What a run does, for whoever asked for something that it does not wait for."""
    place = f", {status.step.words}" if status.step else ""
    if status.reason:
        return f"it is {status.state.value}{place}: {status.reason.splitlines()[0]}"
    waits = f": {status.waits.removeprefix('held: ')}" if status.waits else ""
    word = "held" if status.state is RunState.HELD else "at work"
    return f"it is {word}{place}{waits}"


def answer_in(events: Sequence[Recorded], request: Request) -> Recorded | None:
    """The event that answers a request; None: none does yet."""
    return next((one for one in events if request.id in answers_of(one.event)), None)


def refusal(answer: Recorded | None) -> str:
    """Why a request did not act, in words; empty: it did."""
    if answer is None:
        return "left, not answered: its runner may be in the middle of something"
    match answer.event:
        case RequestVoid(why=why):
            return why
        case RunFinished(reason=reason):
            return f"its runner ended first: {reason}"
        case _:
            return ""
