"""A demo's cluster: started and ended, by the command or from within the app."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mimir_migrate.adapters.temporary import abandoned, temporary_folder
from mimir_migrate.cli.extras import refuse_missing
from mimir_migrate.cli.options import narrate
from mimir_migrate.cli.sandbox.ending import undisturbed
from mimir_migrate.durations import spoken
from mimir_migrate.errors import CommandError, MigrateError
from mimir_migrate.settings import STATE, load_target, state_folder

if TYPE_CHECKING:
    from mimir_migrate.model.target import Target
    from mimir_migrate.operations import Operations

DYNAMODB_STORE = "+dynamodb"
PREFIX = "mimir-migrate-demo-"
STATE_IN_FOLDER = "state"
"""Where a demo's journals stand in its folder: never among the operator's own."""


def commands() -> Any:
    """The sandbox's commands.

    Raises:
        UsageError: The sandbox's extra is not installed.
    """
    refuse_missing("sandbox", "a sandbox on this machine")
    from mimir_migrate.sandbox import commands

    return commands


@contextlib.contextmanager
def log_kept(folder: Path, keep_in: Path) -> Iterator[None]:
    """Keep the log of a sandbox that did not come up: its own folder may be removed with it.

    Args:
        folder: The sandbox's folder.
        keep_in: Where a copy goes.

    Raises:
        MigrateError: What the start raised, with the place of the copy.
    """
    try:
        yield
    except MigrateError as error:
        log = folder / "sandbox.log"
        if not log.is_file():
            raise
        kept = keep_in / f"sandbox-{time.strftime('%Y%m%d-%H%M%S')}.log"
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(log, kept)
        raise MigrateError(error.message, hint=f"Its log is kept as {kept}.") from error


def end_demo(folder: Path) -> None:
    """End a demo: runners first, which nothing would ever tell that their cluster is gone."""
    from mimir_migrate.bootstrap import end_runners

    with undisturbed():
        for run in end_runners(folder / STATE_IN_FOLDER):
            narrate(f"the demo's run {run} was ended with its sandbox")
        commands().down(folder)


def end_abandoned(progress: Callable[[str], None]) -> None:
    """End and remove what demos of this user left whose own process was killed.

    Args:
        progress: Is told of each.
    """
    for folder in abandoned(PREFIX):
        progress(f"a demo that was killed left {folder}: it is ended and removed")
        with contextlib.suppress(MigrateError):  # it had not come far
            end_demo(folder)
        shutil.rmtree(folder, ignore_errors=True)


def speed_for(asked: float | None, progress: Callable[[str], None], *, through: str = "") -> float:
    """How fast a demo's cluster is to live: as asked for, else as this machine keeps up with.

    Args:
        asked: `--speed`; None: it was left out.
        progress: Is told what was chosen, and why.
        through: `bridge`: its processes live in real time, and pods must not outrun them.
    """
    if asked is not None:
        progress(f"speed {asked:g}, as asked for: a second stands for {spoken(asked)}")
        return asked
    from mimir_migrate.sandbox.calibration import calibrate

    found = calibrate(through_bridge=bool(through))
    progress(found.words)
    return found.speed


def follow_line(state: Path, run: str = "") -> str:
    """The line that follows a demo's run from another terminal.

    Args:
        state: The folder of the demo's journals.
        run: The run; empty: the newest one.
    """
    program = Path(sys.argv[0])
    on_path = shutil.which(program.name) == str(program.absolute())
    name = program.name if on_path else str(program.absolute())
    words = [f"{STATE}={shlex.quote(str(state))}", shlex.quote(name), "status"]
    return " ".join([*words, *([run] if run else []), "--follow"])


class DemoStage:
    """A demo's cluster for the tour.

    Args:
        folder: The demo's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def inject(self, fault: str) -> None:
        """Let something go wrong, or end every fault with `clear`."""
        commands().inject(self._folder, fault, {})

    def follow_line(self, run: str) -> str:
        """The line that follows a run from another terminal."""
        return follow_line(self._folder / STATE_IN_FOLDER, run)

    def answers_after(self) -> float:
        """Ask the cluster something small: the seconds that it took to answer, or to be given up."""
        began = time.monotonic()
        with contextlib.suppress(CommandError):  # no answer at all is a late one
            commands().status(self._folder)
        return time.monotonic() - began


class DemoOnRequest:
    """A demo that the app starts and ends; whatever is left of it ends when the app does.

    Its journals stand in its own folder, so none of its runs is ever among the operator's.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._held = contextlib.ExitStack()
        """What removes the folder."""
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def start(self, progress: Callable[[str], None]) -> tuple[Target, Operations]:
        """Start it, or tell of it again: its target, and what can be done on it.

        Raises:
            MigrateError: It did not come up, or the sandbox's extra is not installed.
        """
        from mimir_migrate.bootstrap import operations

        with self._lock:
            place = self._folder
            if place is None:
                end_abandoned(progress)
                with contextlib.ExitStack() as held:
                    place = held.enter_context(temporary_folder(PREFIX))
                    self._begin(place, progress)
                    self._held = held.pop_all()
                self._folder = place
            return load_target(str(place / "target.toml"), {}), operations(place / STATE_IN_FOLDER)

    def _begin(self, place: Path, progress: Callable[[str], None]) -> None:
        progress("Measuring for two seconds how fast a demo may be here…")
        speed = speed_for(None, progress)
        progress(
            f"Starting a simulated Mimir cluster on this machine, {speed:g} times as fast as "
            "a real one; about ten seconds…"
        )
        with log_kept(place, state_folder() / "logs"):
            commands().up(place, product="mimir", stores=DYNAMODB_STORE, speed=speed)

    def end(self) -> None:
        """End its runner and its sandbox, and remove its folder; one that is starting is awaited."""
        with self._lock:
            folder, self._folder = self._folder, None
            if folder is not None:
                with undisturbed(), self._held:
                    end_demo(folder)

    def inject(self, fault: str) -> None:
        """Let something go wrong in it; nothing where none was started."""
        if self._folder is not None:
            DemoStage(self._folder).inject(fault)

    def answers_after(self) -> float:
        """Ask its cluster something small: the seconds that it took to answer, or to be given up."""
        return self._stage.answers_after()

    def follow_line(self, run: str) -> str:
        """The line that follows a run of it from another terminal."""
        return self._stage.follow_line(run)

    @property
    def _stage(self) -> DemoStage:
        return DemoStage(self._folder or Path())

    def __exit__(self, *_: object) -> None:
        self.end()
