"""The question before the app is left, where something goes on or goes away with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mimir_migrate.screens.modals.pick import PickModal

if TYPE_CHECKING:
    from mimir_migrate.screens.session import Session

LEAVE = "leave"
"""The answer that leaves."""


def leaving_question(session: Session) -> PickModal | None:
    """What is asked before the app is left; None: nothing is lost and nothing goes on."""
    if session.active:
        return _beside_a_run(session)
    if session.in_demo:
        return _with_the_demo()
    return _with_a_typed_target() if session.typed else None


def _beside_a_run(session: Session) -> PickModal:
    name = session.status.run if session.status else ""
    title = f"The run {name} goes on without the app."
    goes_on = f"`mimir-migrate` or `status {name} --follow` shows it again"
    note = "To stop the run, stay and press z on 6 Run."
    if session.in_demo:
        title = f"The demo ends with the app, and its run {name} with it."
        goes_on = "the sandbox is removed"
        note = "No cluster of yours is touched by it."
    return _question(title, "go on in the app", goes_on, note)


def _with_the_demo() -> PickModal:
    """A sandbox takes half a minute to start, and what was done in it is nowhere else."""
    return _question(
        "The demo ends with the app: its sandbox, its runs and their reports.",
        "go on in the app; x on 7 Report saves a report elsewhere",
        "the sandbox is removed",
        "No cluster of yours is touched by it.",
    )


def _with_a_typed_target() -> PickModal:
    """Entries of the target that stand in no file are not thrown away without a word."""
    return _question(
        "The target that was typed here stands in no file yet.",
        "go on in the app; x on 1 Start saves it",
        "what was typed is gone",
    )


def _question(title: str, stay: str, leave: str, note: str = "") -> PickModal:
    return PickModal(
        title,
        offers=(("stay", stay), (LEAVE, leave)),
        note=f"{note} Ctrl-C leaves the app at once.".lstrip(),
        typed=False,
    )
