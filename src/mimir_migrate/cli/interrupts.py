"""Ctrl-C while a run is followed: what it does, and what is said of it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Self

import msgspec

from mimir_migrate.cli.last_line import LAST_LINE
from mimir_migrate.cli.options import narrate
from mimir_migrate.errors import MigrateError
from mimir_migrate.model.events import RequestKind
from mimir_migrate.operations import Operations
from mimir_migrate.operations.requests import Wish

_Handler = Callable[[int, FrameType | None], object] | int | None


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a run that is not followed any more, in words."""

    stopping: str
    """After the first one, and in the terminal's last line until the run has stopped."""
    left: str
    """After the second one, with `{run}`; empty: whoever catches it has more to say."""
    held: str
    """Where it waits for somebody and nobody can answer here, with `{run}`, `{waiting}` and `{word}`, the
    command that answers."""


TO_ITSELF = Leaving(
    stopping="it stops after the present step, or where it waits; Ctrl-C leaves it to itself",
    left="left the run {run} to itself; `mimir-migrate status {run} --follow` follows it again",
    held="the run {run} waits for somebody: {waiting}; `mimir-migrate status {run}`, `{word} {run}`, "
    "`rollback {run}`",
)
"""A run of the operator's own: its runner is another process and lives on."""


class Interrupts:
    """Ctrl-C while a run is followed: it is counted, and heeded where nothing is half done.

    The first one asks the run to stop after its step, the second ends following it.

    Args:
        leaving: What is said of either.
    """

    def __init__(self, leaving: Leaving = TO_ITSELF) -> None:
        self.leaving = leaving
        self._count = 0
        self._heeded = 0
        self._typing = False
        self._by = ""
        self._before: _Handler = signal.SIG_DFL
        self._caught = False

    def __enter__(self) -> Self:
        with suppress(ValueError):  # not in the main thread: nobody presses Ctrl-C here
            self._before = signal.signal(signal.SIGINT, self._interrupt)
            self._caught = True
        return self

    def __exit__(self, *_: object) -> None:
        LAST_LINE.go()
        if self._caught:
            signal.signal(signal.SIGINT, self._before)

    @property
    def pressed(self) -> bool:
        """Whether there was one."""
        return self._count > 0

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        self._count += 1
        if self._typing:
            raise KeyboardInterrupt  # `input` would wait on

    def typed(self) -> str:
        """What the operator types; empty at the end of the input and at Ctrl-C."""
        with LAST_LINE.aside():
            self._typing = True
            try:
                return input("> ").strip()
            except (EOFError, KeyboardInterrupt):
                narrate("")
                return ""
            finally:
                self._typing = False

    def to_whom_asked(self, reason: str) -> str:
        """Why a run ended, as it is said to whoever asked it to stop from here."""
        return reason.replace(f"as {self._by} asked", "as you asked") if self._by else reason

    def heed(self, work: Operations, run: str, *, stops: bool) -> None:
        """Do what the Ctrl-C since the last time mean.

        Raises:
            KeyboardInterrupt: The run is not followed any more.
        """
        if self._count == self._heeded:
            return
        first, self._heeded = self._heeded == 0, self._count
        if not stops:
            raise KeyboardInterrupt
        if not first or self._count > 1:
            if self.leaving.left:
                narrate(self.leaving.left.format(run=run))
            raise KeyboardInterrupt
        try:
            self._by = work.ask(run, Wish(kind=RequestKind.STOP, reason="Ctrl-C")).request.by
        except MigrateError as error:
            narrate(f"could not ask it to stop: {error.message}")
            raise KeyboardInterrupt from error
        narrate(self.leaving.stopping)
        LAST_LINE.stay(self.leaving.stopping)
