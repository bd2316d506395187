"""The app: a face over `Operations`. It reads the journal and leaves requests in it.

A run lives in a runner process of its own; whatever happens to the app never stops it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from textual.actions import ActionParseResult
from textual.app import App, ScreenError
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.worker import Worker, WorkerState

from mimir_migrate.screens.actions import ACTIONS, Action, action_named, bindings_of
from mimir_migrate.screens.journey import SCREENS
from mimir_migrate.screens.session import Demo, Session, TargetFinder
from mimir_migrate.settings import state_folder
from mimir_migrate.widgets.glyphs import ASCII, UNICODE
from mimir_migrate.widgets.terminal import LOOK_EVERY, LastingDriver, is_there
from mimir_migrate.widgets.themes import THEMES, remembered_theme

if TYPE_CHECKING:
    from mimir_migrate.model.target import Target
    from mimir_migrate.operations import Operations
    from mimir_migrate.screens.page import Page
    from mimir_migrate.screens.tour.guide import Guide, Stage


class WholeCellScrollBar(ScrollBarRender):
    """A scroll bar without the eighths of a cell, which not every font and no ASCII set has."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


class MigrateApp(App[int]):
    """Walks an operator through a migration, from the first look to the report."""

    TITLE = "mimir-migrate"
    DEFAULT_MODE = "start"
    ENABLE_COMMAND_PALETTE = False
    # Seconds: what a toast says is short, and it covers rows that are read.
    NOTIFICATION_TIMEOUT = 3.0
    ALLOW_SELECT = False
    CSS_PATH: ClassVar[list[str | PurePath]] = ["screens/page.tcss", "screens/start.tcss"]
    CSS = """
    MigrateApp.-ascii Toast { border-left: ascii $foreground; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("app")]

    def __init__(
        self,
        operations: Operations,
        *,
        clock: Callable[[], float],
        target: Target | None = None,
        targets: TargetFinder | None = None,
        demo: Demo | None = None,
        in_demo: bool = False,
        stage: Stage | None = None,
        tour: bool = False,
        read_only: bool = False,
        target_file: str = "",
        ascii: bool = False,  # noqa: A002 - the name of the flag
        run: str = "",
        folder: Path | None = None,
        copies: Path | None = None,
        theme_file: Path | None = None,
        poll_seconds: float = 1.0,
        refresh_seconds: float = 60.0,
        keep_details: Callable[[BaseException, str], str] = lambda _error, _doing: "",
    ) -> None:
        """Make the app.

        Args:
            operations: What an operator can do; the commands use the same.
            clock: Seconds since the epoch.
            target: What is known of the target already.
            targets: Finds contexts, namespaces, releases and values files to offer.
            demo: Starts a sandbox and ends it; None: the demo is not offered.
            in_demo: Whether the app itself is opened on a demo, which ends with it.
            stage: The cluster of that demo, for its tour.
            tour: Whether the tour is offered at once.
            read_only: Whether nothing may be started, gone on with or asked of a run.
            target_file: The file that the target was read from; empty: none.
            ascii: Whether only ASCII signs are drawn.
            run: A run to follow from the start; empty: the journey begins at its beginning.
            folder: Where exports go; None: the working folder.
            copies: The folder of the file that every copied text is also written to; None: the
                folder of the journals.
            theme_file: Where the chosen theme is remembered; None: nowhere.
            poll_seconds: How often the journal of a followed run is read.
            refresh_seconds: How old an inspection that is looked at gets before it is made again.
            keep_details: Writes down what is known of an error that nobody foresaw; the file's path.
        """
        super().__init__()
        self.keep_details = keep_details
        ScrollBar.renderer = WholeCellScrollBar
        self.glyphs = ASCII if ascii else UNICODE
        self._leaving: Screen[Any] | None = None
        """The question whether to leave, where it was asked."""
        self._opened_on = stage
        self._offers_tour = tour
        self._guide: Guide | None = None
        self.copies = copies or state_folder()
        self.poll_seconds = poll_seconds
        self.refresh_seconds = refresh_seconds
        self.session = Session(
            operations,
            target=target,
            finder=targets,
            demo=demo,
            in_demo=in_demo,
            read_only=read_only,
            target_file=target_file,
            clock=clock,
            folder=folder,
            run=run,
        )
        for theme in THEMES:
            self.register_theme(theme)
        # Set without its watcher, and before anything is parsed: else every style is computed twice.
        self._theme_file = theme_file
        self.set_reactive(App.theme, remembered_theme(theme_file))
        self.stylesheet.set_variables(self.get_css_variables())
        if ascii:
            self.add_class("-ascii")
        for place, screen in SCREENS.items():
            self._modes[place] = lambda make=screen: make(self.session)  # type: ignore[misc]  # mypy does not type a lambda's default

    # --- coming and going --------------------------------------------------------------------

    def on_mount(self) -> None:
        if self.session.run:
            self.switch_mode("run")
        if self._offers_tour:
            self.call_after_refresh(self.offer_tour)
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            self.set_interval(LOOK_EVERY, self._look_for_the_terminal)
            # A closed terminal or a polite kill: leave as by Quit, so that the terminal is put
            # back. The runner is another process in a session of its own and never notices.
            for number in (signal.SIGHUP, signal.SIGTERM):
                loop.add_signal_handler(number, self.exit, 0)

    def _look_for_the_terminal(self) -> None:
        if not is_there():
            self.exit(0)

    def get_driver_class(self) -> type[Driver]:
        """Textual's driver, in the form that outlives its terminal long enough to leave."""
        found = super().get_driver_class()
        return LastingDriver if found is LinuxDriver else found

    def refresh_css(self, animate: bool = True) -> None:
        """Compute every style again, where the theme has changed since the screen got its styles.

        Textual also calls this for a screen that is shown for the first time, which was just given
        its styles; that costs as much as drawing it.
        """
        with contextlib.suppress(ScreenError):
            now, of_screen = self._css_update_count, self.screen._css_update_count  # noqa: SLF001 - Textual has no public way to it
            if of_screen in {-1, now}:
                self.screen._css_update_count = now  # noqa: SLF001 - Textual has no public way to it
            else:
                super().refresh_css(animate)

    def action_leave(self) -> None:
        from mimir_migrate.screens.acting.leaving import LEAVE, leaving_question

        self._leaving = leaving_question(self.session)
        if self._leaving is None:
            self.exit(0)
            return
        self.push_screen(self._leaving, lambda choice: self.exit(0) if choice == LEAVE else None)

    def action_interrupt(self) -> None:
        """Ctrl-C: close a question; elsewhere leave, at once where leaving was asked about already."""
        from mimir_migrate.screens.modals.modal import Modal

        screen = self.screen
        if screen is self._leaving:
            self.exit(0)
        elif isinstance(screen, Modal):
            screen.cancel()
        else:
            self.action_leave()

    async def action_quit(self) -> None:
        self.action_leave()

    # --- places ------------------------------------------------------------------------------

    def go(self, place: str) -> None:
        """Show one of the seven screens."""
        if self.current_mode != place:
            self.switch_mode(place)

    def action_go_start(self) -> None:
        self.go("start")

    def action_go_inspect(self) -> None:
        self.go("inspect")

    def action_go_choices(self) -> None:
        self.go("choices")

    def action_go_plan(self) -> None:
        self.go("plan")

    def action_go_values(self) -> None:
        self.go("values")

    def action_go_run(self) -> None:
        self.go("run")

    def action_go_report(self) -> None:
        self.go("report")

    # --- everywhere --------------------------------------------------------------------------

    @property
    def page(self) -> Page | None:
        """The screen of the journey that is in front; None while a question is over it."""
        from mimir_migrate.screens.page import page_in_front

        return page_in_front(self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # Behind a question the app's own keys are off, so that its field takes every letter.
        if action in _EVERYWHERE and self.page is None and action not in {"help", "interrupt"}:
            return False
        return super().check_action(action, parameters)

    def action_filter(self) -> None:
        if self.page is not None:
            self.page.start_filter()

    def action_copy(self) -> None:
        from mimir_migrate.screens.acting.copying import copy_text

        if self.page is not None:
            copy_text(self, self.page.text_to_copy())

    def action_copy_command(self) -> None:
        from mimir_migrate.screens.acting.copying import copy_command

        if self.page is not None:
            copy_command(self, self.page.command_to_copy())

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do an action; where a key's action cannot be done now, say why."""
        from mimir_migrate.screens.page import Page

        handled = await super().run_action(action, default_namespace, namespaces)
        if not handled and isinstance(action, str) and isinstance(default_namespace, Page):
            return self._say_why_not(default_namespace, action)
        return handled

    def _say_why_not(self, page: Page, method: str) -> bool:
        """Whether there was something to say."""
        found, why = action_named(page.PLACE, method), page.why_not(method)
        if found is not None and why:
            label = page.label(method, found.label)
            self.notify(f"{label}: {why}", severity="warning", markup=False)
        return bool(found is not None and why)

    @property
    def _stage(self) -> Stage | None:
        """The demo's cluster that is worked on; None: the work is on no demo."""
        session = self.session
        return session.demo if session.own is not None else self._opened_on

    def offer_tour(self) -> None:
        """Ask whether to take the demo's tour."""
        if self._stage is not None:
            from mimir_migrate.screens.tour.guide import Guide

            self._guide = Guide(self, self.session, self._stage)
            self._guide.watch()
            self._guide.offer()

    def on_page_shown(self) -> None:
        """The tour's note comes with the screen, not after it."""
        if self._guide is not None:
            self._guide.look()

    def end_tour(self) -> None:
        """The demo is left, and its tour with it."""
        if self._guide is not None:
            self._guide.end()
            self._guide.watch_no_more()
            self._guide = None

    def action_tour(self) -> None:
        if self._guide is not None and self._guide.goes_on:
            self._guide.end()
        elif self._guide is not None:
            self._guide.begin()
        elif self._stage is None:
            self.notify("The tour leads through a demo: m on 1 Start begins one.")
        else:
            self.offer_tour()

    def action_next_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        place = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(place + 1) % len(names)]
        self.notify(f"Theme: {self.theme}. F8 goes to the next.", markup=False)
        if self._theme_file is not None:
            with contextlib.suppress(OSError):  # a theme that is forgotten harms nobody
                self._theme_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._theme_file.write_text(self.theme, encoding="utf-8")

    def action_help(self) -> None:
        from mimir_migrate.screens.help_text import help_lines
        from mimir_migrate.screens.modals.text import TextModal

        if not isinstance(self.screen, TextModal):
            self.push_screen(TextModal("Help", help_lines(self.screen)))

    def action_palette(self) -> None:
        """Every action of every screen, this one's first; what is another screen's leads there."""
        page = self.page
        if page is None:
            return
        from mimir_migrate.screens.acting.palette import palette

        def chosen(name: str | None) -> None:
            action = next((action for action in ACTIONS if action.id == name), None)
            if action is not None:
                self.do(action)

        self.push_screen(palette(page), chosen)

    def do(self, action: Action) -> None:
        """Do an action from the palette."""
        if action.place == "app":
            getattr(self, f"action_{action.method}")()
            return
        self.go(action.place)
        self.call_after_refresh(self._do_there, action)

    def _do_there(self, action: Action) -> None:
        page = self.page
        if page is None or action.place != page.PLACE:
            return
        if self._say_why_not(page, action.method):
            return
        getattr(page, f"action_{action.method}")()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """An error that no screen expected is shown, and the app goes on."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.show_unforeseen(event.worker.error)

    def show_unforeseen(self, error: BaseException) -> None:
        """Show an error by its kind and where the details are: its own text may hold anything."""
        from mimir_migrate.screens.modals.text import TextModal

        path = self.keep_details(error, "the app")
        self.push_screen(
            TextModal(
                "Something that nobody foresaw went wrong inside the app",
                f"{type(error).__name__}. The app goes on, and a run is not touched by it."
                + (f"\nThe details, with secrets taken out, are in {path}" if path else ""),
            )
        )

    @property
    def failure(self) -> Exception | None:
        """What ended the app though nobody foresaw it."""
        return self._exception

    def _fatal_error(self) -> None:
        """End the app; whoever started it says what happened, and no traceback is drawn."""
        self._close_messages_no_wait()


_EVERYWHERE = frozenset(action.method for action in ACTIONS if action.place == "app")
