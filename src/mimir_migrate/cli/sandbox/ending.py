"""How a demo ends when somebody ends it: all of it goes, and what is said of that is true of a demo."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

from mimir_migrate.cli.interrupts import Leaving
from mimir_migrate.cli.options import narrate

ENDS = Leaving(
    stopping="the demo stops after the present step, and ends; Ctrl-C again ends it at once",
    left="",
    held="the run {run} waits for somebody: {waiting}. Nobody can answer in a headless demo, so it ends here; "
    "in the app (`mimir-migrate demo`) you can",
)
"""What Ctrl-C does to a demo's run: its cluster ends with it, so there is nothing to come back to."""
_POLITE = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""How a process is asked to end, and what a closed terminal sends."""


@contextlib.contextmanager
def told_when_stopped(kept: str) -> Iterator[None]:
    """Say what became of a demo that was ended in the middle, once that is so.

    A closed terminal and a polite kill end it as Ctrl-C does.

    Args:
        kept: The folder whose files stay; empty: they go with it.
    """

    def end(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        raise KeyboardInterrupt

    try:
        with _handled(_POLITE, end):
            yield
    except KeyboardInterrupt:
        narrate(_gone_words(kept))
        raise


def _gone_words(kept: str) -> str:
    if kept:
        return f"the demo's cluster, and whatever run was left in it, are ended; its files stay in {kept}"
    return "everything of the demo is removed: its cluster, its files and its runs"


def values_words(*, same: bool, whole: bool, stays: bool = True) -> str:
    """What became of the values file; empty: it goes with the demo, and nothing was expected of it.

    Args:
        same: Whether it has the bytes that it had before.
        whole: Whether the run went there and back: only then they are expected.
        stays: Whether anybody can look at it afterwards.
    """
    if not whole and not stays:
        return ""
    if same:
        return "the values file is byte for byte what it was"
    if whole:
        return "the values file is NOT what it was"
    return "the values file stands where the run left it"


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let nothing that can be caught cut the end of a demo short: it would leave its processes behind."""

    def wait(signum: int, frame: FrameType | None) -> None:
        del frame
        if signum == signal.SIGINT:
            narrate("the demo is being removed; it takes a few seconds")

    with _handled((signal.SIGINT, *_POLITE), wait):
        yield


@contextlib.contextmanager
def _handled(numbers: tuple[Any, ...], handler: Any) -> Iterator[None]:
    """Have signals handled in this way; nothing is done outside the main thread: only that one may."""
    before: dict[Any, Any] = {}
    with contextlib.suppress(ValueError):
        for number in numbers:
            before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)
