"""One walk, and at each of its places a child process in which the runner dies there.

A child has everything as it is at that place, so that nobody has to walk up to it again, and what it
does to its copy is nobody else's business. One child lives at a time; whoever wants more of them starts
another walk in another process.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import time
import traceback
import warnings
from collections.abc import Callable

import msgspec

LONGEST = 600.0
"""Seconds that a child may take; it needs about one."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one death."""

    scenario: str
    points: int
    """How many the scenario has."""
    at: int
    """The point."""
    then: str
    """What was done after it."""
    where: str
    """The point in words."""
    replay: str
    """The command that replays it alone."""
    kills: int = 1
    lost: int = 0
    """How often a page did not show a living member."""
    problem: str = ""
    """What was not as wanted; empty: all was."""
    seconds: float = 0.0
    """CPU seconds after the death."""

    def __str__(self) -> str:
        return f"{self.where}, then {self.then}\n{self.problem}\nalone: {self.replay}"


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """One death that is wanted."""

    outcome: Outcome
    """What comes of it where all is as wanted."""
    go_on: Callable[[], list[Outcome]]
    """What is done and checked after it; what came of further deaths meanwhile."""
    lost: Callable[[], int]
    """How often a page did not show a living member until now."""


Visit = Callable[[Death | None], bool]
"""Called at each place with the death that is wanted there; True: the runner dies here."""


class Forked:
    """A walk whose runner dies in children.

    Args:
        walk: Walks, and asks the `Visit` that it is given at each place.
        hear: Told what came of each death, once it is known.
    """

    def __init__(
        self,
        walk: Callable[[Visit], None],
        hear: Callable[[list[Outcome]], None] = lambda _: None,
    ) -> None:
        self._walk = walk
        self._hear = hear
        self._origin = os.getpid()
        self._outcomes: list[Outcome] = []
        self._death: Death | None = None
        """In a child: its own."""
        self._telling = -1
        """In a child: where it tells what came of it."""

    def outcomes(self) -> list[Outcome]:
        """Walk once; what came of each death."""
        collects = gc.isenabled()
        gc.collect()
        gc.freeze()  # a collection would touch, and so copy, the memory that the children share
        gc.disable()
        problem = ""
        try:
            self._walk(self._visit)
        except BaseException:
            if self._death is None:
                raise
            problem = traceback.format_exc()
        finally:
            if os.getpid() == self._origin:
                gc.unfreeze()
                if collects:
                    gc.enable()
        if self._death is not None:
            self._end(self._death, problem)
        return self._outcomes

    def _visit(self, death: Death | None) -> bool:
        if death is None or self._death is not None:
            return False
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            # A worker of pytest-xdist has a thread that takes its orders; a child has no use for it.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            self._death, self._telling = death, writing
            return True
        os.close(writing)
        found = _told_by(child, reading, death.outcome)
        self._hear(found)
        self._outcomes += found
        return False

    def _end(self, death: Death, problem: str) -> None:
        """What a child does after its death; the process ends here."""
        began = time.process_time()
        further: list[Outcome] = []
        try:
            if not problem:
                further = death.go_on()
        except BaseException:  # noqa: BLE001 - whatever it is, the parent has to hear of it
            problem = traceback.format_exc()
        seconds = time.process_time() - began
        own = msgspec.structs.replace(
            death.outcome, problem=problem, seconds=seconds, lost=death.lost()
        )
        left = msgspec.json.encode([own, *further])
        while left:
            left = left[os.write(self._telling, left) :]
        os._exit(0)


def _told_by(child: int, reading: int, wanted: Outcome) -> list[Outcome]:
    """What a child told until it ended."""
    told, end = b"", time.monotonic() + LONGEST
    try:
        while select.select([reading], [], [], max(0.0, end - time.monotonic()))[0]:
            part = os.read(reading, 65_536)
            if not part:
                break
            told += part
        else:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(reading)
        _, status = os.waitpid(child, 0)
    try:
        return msgspec.json.decode(told, type=list[Outcome])
    except msgspec.DecodeError:
        problem = f"the child ended with the status {status} and told {told[-500:]!r}"
        return [msgspec.structs.replace(wanted, problem=problem)]
