"""The command that does or shows the same as what is under the cursor of a screen."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mimir_migrate.flags import FLAGS, LISTS
from mimir_migrate.model.target import Target
from mimir_migrate.screens.session import entry_of
from mimir_migrate.widgets.matrix import Matrix
from mimir_migrate.widgets.rows import RowList

if TYPE_CHECKING:
    from textual.widget import Widget

    from mimir_migrate.screens.session import Session

PROGRAM = "mimir-migrate"
_EMPTY = Target()


def target_words(session: Session) -> list[str]:
    """The target as words of a command: the file that it is read from, else its entries as flags."""
    if session.target_file:
        return ["--target", session.target_file]
    found: list[str] = []
    for entry, (section, key, _) in FLAGS.items():
        value = getattr(getattr(session.target, section), key)
        if entry in LISTS:
            for one in value:
                found += [f"--{entry}", str(one)]
        elif value and entry_of(session.target, entry) != entry_of(_EMPTY, entry):
            found += [f"--{entry}", entry_of(session.target, entry)]
    return found


def plan_words(session: Session) -> list[str]:
    """`plan` for what is chosen."""
    words = ["plan", *target_words(session), "--to", session.end.value]
    if session.rings:
        words += ["--rings", ",".join(session.rings)]
    if session.strategy.value != "auto":
        words += ["--strategy", session.strategy.value]
    return words


def command_for(place: str, session: Session, focused: Widget | None) -> str:
    """The command for the row under the cursor, ready to be pasted into a shell.

    Args:
        place: The screen, as its `PLACE` names it.
        session: What the screens share.
        focused: The list or the matrix that has the cursor; None: nothing has.
    """
    return shlex.join([PROGRAM, *_words(place, session, focused)])


def _words(place: str, session: Session, focused: Widget | None) -> list[str]:
    key = focused.key if isinstance(focused, RowList) else ""
    run = [session.run] if session.run else []
    match place:
        case "start":
            return _of_start(session, key)
        case "inspect":
            ring = focused.cursor[0] if isinstance(focused, Matrix) else ""
            rings = ["--rings", ring] if ring else []
            return ["inspect", *target_words(session), *rings]
        case "choices":
            return plan_words(session)
        case "plan":
            return [*plan_words(session), "--output", "plan.json"]
        case "values":
            return [*plan_words(session), "--output", "plan.md"]
        case "run":
            return _of_run(session, focused.id if focused else "", key, run)
        case _:
            return ["report", *run]


def _of_start(session: Session, key: str) -> list[str]:
    if key.startswith("run:"):
        return ["status", key.removeprefix("run:")]
    if key == "demo":
        return ["demo"]
    return ["inspect", *target_words(session)]


def _of_run(session: Session, focused: str | None, key: str, run: list[str]) -> list[str]:
    if focused == "stores" or key.startswith("verify"):
        return ["verify", *target_words(session)]
    if focused in {"log", "log-below"}:
        return ["status", *run, "--follow"]
    return ["status", *run]
