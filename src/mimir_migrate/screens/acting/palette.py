"""The palette: every action of every screen, with why one cannot be done now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mimir_migrate.screens.actions import ACTIONS
from mimir_migrate.screens.modals.pick import PickModal

if TYPE_CHECKING:
    from mimir_migrate.screens.actions import Action
    from mimir_migrate.screens.page import Page


def palette(page: Page) -> PickModal:
    """Every action, what the screen in front can do first; its answer is the id of one."""
    return PickModal(
        "Every action; the command after it does the same",
        offers=[
            (action.id, _told(action, page))
            for action in sorted(ACTIONS, key=lambda action: _far(action, page))
            if action.id != "app.palette"
        ],
        names={action.id: action.name for action in ACTIONS},
        only_offers=True,
        ranked=True,
    )


def _far(action: Action, page: Page) -> int:
    """How far an action is from what the screen in front can do now."""
    if action.place == page.PLACE:
        return 2 if page.why_not(action.method) else 0
    return 1 if action.place == "app" else 3


def _told(action: Action, page: Page) -> str:
    """What is said of an action in the palette; of one that cannot be done, why."""
    why = page.why_not(action.method) if action.place == page.PLACE else ""
    return f"not now: {why}" if why else f"{action.help} ({action.command})"
