"""Leads through a demo: notes the stop, shows what to look at, and lets something go wrong on purpose."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from mimir_migrate.durations import spoken
from mimir_migrate.errors import MigrateError
from mimir_migrate.model.scale import slower
from mimir_migrate.screens.page import Page, page_in_front
from mimir_migrate.screens.tour.stops import STOPS, Seen, Stop, furthest, next_words, numbered
from mimir_migrate.widgets.bars import NextLine
from mimir_migrate.widgets.tour_note import TourNote

if TYPE_CHECKING:
    from textual.app import App
    from textual.timer import Timer

    from mimir_migrate.screens.session import Session

EVERY = 0.25
"""Seconds between two looks at what the operator has come to."""
FAULT = "errors-5xx"
"""The fault that holds the run: users' requests fail, which no run goes past by itself."""


WATCHED_EVERY = 5.0
"""Seconds between two looks at whether the machine keeps up with its cluster."""
TOO_LATE = 0.5
"""Seconds of answering something small, after which a machine is busy. A window of gates, in which every pod
is asked several times, is 50 s of the cluster's time: at 60 times the speed less than a second."""
_IN_A_ROW = 2


class Stage(Protocol):
    """The demo's cluster, as far as the tour does something to it."""

    def inject(self, fault: str) -> None:
        """Let something go wrong, or end every fault with `clear`.

        Raises:
            MigrateError: The sandbox does not answer.
        """

    def follow_line(self, run: str) -> str:
        """The line that follows a run from another terminal."""

    def answers_after(self) -> float:
        """Ask the cluster something small: the seconds that it took to answer, or to be given up.

        Raises:
            MigrateError: It is not there, or did not answer.
        """


class Guide:
    """The tour of one demo.

    Args:
        app: The app that it leads through.
        session: What the app's screens share.
        stage: The demo's cluster.
    """

    def __init__(self, app: App[int], session: Session, stage: Stage) -> None:
        self._app = app
        self._session = session
        self._stage = stage
        self._at = 0
        self._was_held = self._saw_values = False
        self._timer: Timer | None = None
        self._watcher: Timer | None = None
        self._asking: threading.Thread | None = None
        self._slow = 0
        self.busy = ""
        """What is to be said of a machine that does not keep up; empty: it does."""

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
                note="You inspect, choose, plan, start, live through a fault, switch the rings, and roll all "
                "of it back.",
                typed=False,
            ),
            lambda choice: self.begin() if choice == "tour" else None,
        )

    def watch(self) -> None:
        """Look from time to time whether the machine keeps up with its cluster, tour or not."""
        self._watcher = self._app.set_interval(WATCHED_EVERY, self._look_at_machine)

    def watch_no_more(self) -> None:
        """The demo is left."""
        if self._watcher is not None:
            self._watcher.stop()

    def _look_at_machine(self) -> None:
        """Ask the cluster in the background, one question at a time."""
        if self._asking is not None and self._asking.is_alive():
            return

        def ask() -> None:
            with suppress(MigrateError):  # it is just starting, or ends: nothing to say
                self.answered(self._stage.answers_after())

        self._asking = threading.Thread(target=ask, name="demo-pace", daemon=True)
        self._asking.start()

    def answered(self, seconds: float) -> None:
        """The cluster answered after so long; once is chance, and twice in a row a machine that is too busy."""
        before, self._slow = self._slow, self._slow + 1 if seconds > TOO_LATE else 0
        scale = self._session.scale
        if self._slow >= _IN_A_ROW:
            self.busy = (
                f"This machine is too busy for this speed: the cluster answers after "
                f"{spoken(seconds)}, which are {scale.words(seconds)} of its own, and gates may hold because of it. "
                f"Wait until it is quieter{_or_slower(scale.factor)}."
            )
        elif not self._slow:
            self.busy = ""
        if self._slow == _IN_A_ROW and before < _IN_A_ROW:
            self._app.call_from_thread(self._tell, self.busy)

    def begin(self) -> None:
        """Take it up, where it was left."""
        if self._timer is None:
            self._timer = self._app.set_interval(EVERY, self.look)
            page = page_in_front(self._app)
            if self._at == 0 and page is not None and page.PLACE == "start":
                self._app.switch_mode("inspect")
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
        page = page_in_front(self._app)
        if page is None or self._timer is None:
            return
        session = self._session
        seen = Seen(
            place=page.PLACE,
            looked=session.look is not None,
            planned=session.plan is not None and bool(session.plan.steps),
            status=session.status if session.run else None,
            was_held=self._was_held,
            saw_values=self._saw_values,
        )
        before, self._at = self._at, furthest(seen, self._at)
        stop = STOPS[self._at]
        if self._at != before:
            self._come_to(stop)
        self._was_held = self._was_held or (stop.id == "held" and seen.is_held)
        self._saw_values = self._saw_values or stop.id == "values"
        self._say(page, stop)

    def _next(self, stop: Stop, page: Page) -> str:
        """The next key; none while the runner was asked already, or something else is asked."""
        session = self._session
        if session.asked and page.PLACE == "run":
            return f"nothing: {session.asked}"
        return next_words(stop, page.PLACE)

    def _come_to(self, stop: Stop) -> None:
        if stop.id == "fault":
            self._do(FAULT)
        elif stop.id in {"held", "rollback", "back", "over", "report"}:
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
        look = self.busy or stop.look
        if stop.id == "run" and not self.busy:
            look += f" A second terminal follows it: {self._stage.follow_line(self._session.run)}"
        note.say(
            f"Tour, {numbered(self._at)}. {stop.title}",
            look,
            f"{self._next(stop, page)}   (F9 ends the tour)",
        )


def _or_slower(factor: float) -> str:
    """What helps besides waiting: a lower speed than the present one, where there is one."""
    speed = slower(factor)
    if speed is None:
        return "; a lower speed would not help"
    return f", or leave with q and start it again with `mimir-migrate demo --speed {speed:g}`"
