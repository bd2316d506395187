"""Leads through a demo: notes the stop, shows what to look at, and lets something go wrong on purpose."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from mimir_migrate.errors import MigrateError
from mimir_migrate.screens.page import Page
from mimir_migrate.screens.tour.stops import STOPS, Seen, Stop, furthest, next_words
from mimir_migrate.widgets.bars import NextLine
from mimir_migrate.widgets.tour_note import TourNote

if TYPE_CHECKING:
    from textual.timer import Timer

    from mimir_migrate.app import MigrateApp

EVERY = 0.5
"""Seconds between two looks at what the operator has come to."""
FAULT = "errors-5xx"
"""The fault that holds the run: users' requests fail, which no run goes past by itself."""


class Stage(Protocol):
    """The demo's cluster, as far as the tour does something to it."""

    def inject(self, fault: str) -> None:
        """Let something go wrong, or end every fault with `clear`.

        Raises:
            MigrateError: The sandbox does not answer.
        """

    def follow_line(self, run: str) -> str:
        """The line that follows a run from another terminal."""


class Guide:
    """The tour of one demo.

    Args:
        app: The app that it leads through.
        stage: The demo's cluster.
    """

    def __init__(self, app: MigrateApp, stage: Stage) -> None:
        self._app = app
        self._stage = stage
        self._at = 0
        self._was_held = False
        self._timer: Timer | None = None

    @property
    def goes_on(self) -> bool:
        """Whether the tour is under way."""
        return self._timer is not None

    def offer(self) -> None:
        """Ask whether to take the tour; Escape skips it."""
        from mimir_migrate.screens.modals.pick import PickModal

        self._app.push_screen(
            PickModal(
                "This is a cluster of its own on this machine. Take the guided tour?",
                offers=(
                    ("tour", "a few minutes: what to look at, and which key is next"),
                    ("skip", "look around without it; F9 begins it at any time"),
                ),
                note="It leads from the first look over the switch and a fault to the rollback.",
                typed=False,
            ),
            lambda choice: self.begin() if choice == "tour" else None,
        )

    def begin(self) -> None:
        """Take it up, where it was left."""
        if self._timer is None:
            self._timer = self._app.set_interval(EVERY, self.look)
            if self._at == 0 and self._app.page is not None and self._app.page.PLACE == "start":
                self._app.go("inspect")
            self._app.call_after_refresh(self.look)

    def end(self) -> None:
        """Leave it; the demo goes on, and a fault of the tour ends."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
            self._do("clear")
        for page in self._app.screen_stack:
            page.query(TourNote).remove()

    def look(self) -> None:
        """See what the operator has come to, and say what is next."""
        page = self._app.page
        if page is None or self._timer is None:
            return
        session = self._app.session
        seen = Seen(
            place=page.PLACE,
            looked=session.look is not None,
            planned=session.plan is not None and bool(session.plan.steps),
            status=session.status if session.run else None,
            was_held=self._was_held,
        )
        before, self._at = self._at, furthest(seen, self._at)
        stop = STOPS[self._at]
        if self._at != before:
            self._come_to(stop)
        self._was_held = self._was_held or (stop.id == "held" and seen.is_held)
        self._say(page, stop)

    def _come_to(self, stop: Stop) -> None:
        if stop.id == "fault":
            self._do(FAULT)
        elif stop.id in {"held", "rollback", "back", "report"}:
            self._do("clear")

    def _do(self, fault: str) -> None:
        """Inject in the background; a sandbox that does not answer is told and ends nothing."""

        def inject() -> None:
            try:
                self._stage.inject(fault)
            except MigrateError as error:
                self._app.call_from_thread(self._tell, f"The tour's fault failed: {error.message}")

        threading.Thread(target=inject, name="tour", daemon=True).start()

    def _tell(self, text: str) -> None:
        self._app.notify(text, severity="warning", markup=False)

    def _say(self, page: Page, stop: Stop) -> None:
        note = next(iter(page.query(TourNote)), None)
        if note is None:
            last = next(iter(page.query(NextLine)), None)
            if last is None:
                return  # the screen is not drawn yet; the next look finds it
            note = TourNote()
            page.mount(note, before=last)
        look = stop.look
        if stop.id == "run":
            look += (
                f" A second terminal follows it: {self._stage.follow_line(self._app.session.run)}"
            )
        note.say(
            f"Tour, {self._at + 1} of {len(STOPS)}. {stop.title}",
            look,
            f"{next_words(stop, page.PLACE)}   (F9 ends the tour)",
        )
