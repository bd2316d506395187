"""What all seven screens have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast

from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import Screen
from textual.worker import get_current_worker

from mimir_migrate.durations import clock_words
from mimir_migrate.errors import MigrateError
from mimir_migrate.screens.actions import WRITING, actions_of
from mimir_migrate.screens.session import Session
from mimir_migrate.widgets.bars import JourneyBar, KeysBar, NextLine, WhereLine

if TYPE_CHECKING:
    from mimir_migrate.widgets.filter_box import FilterBox
    from mimir_migrate.widgets.matrix import Matrix
    from mimir_migrate.widgets.reader import Reader
    from mimir_migrate.widgets.rows import RowList

T = TypeVar("T")

ODD_KEY_STAYS = 4.0
"""Seconds for which it is said that a key does nothing."""
_POLL = 0.05
"""Seconds between two looks whether a screen that waits for a thread was closed."""


class Host(Protocol):
    """What screens ask of the app that shows them."""

    def go(self, place: str) -> None:
        """Show one of the seven screens."""

    def offer_tour(self) -> None:
        """Ask whether to take the demo's tour."""

    def end_tour(self) -> None:
        """The demo is left, and its tour with it."""

    def show_unforeseen(self, error: BaseException) -> None:
        """Show an error that nobody foresaw."""


class Page(Screen[None]):
    """A screen of the journey: its bars, its filter, and work in the background."""

    PLACE: ClassVar[str] = ""
    HIDES: ClassVar[frozenset[str]] = frozenset()
    """Actions that the footer leaves out, rather than dims, while they cannot be done."""
    OF_RUN: ClassVar[bool] = False
    """Whether the permanent line tells of the run rather than of the target."""
    CSS_PATH: ClassVar[list[str | PurePath]] = ["page.tcss"]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-high")]  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "escape", "Back", show=False),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._composed = False
        self._turns: dict[str, int] = {}
        self._troubles: dict[str, str] = {}
        """What the app tried by itself and could not do, by the kind of work; the newest try counts."""
        self._said, self._style = "", ""
        self._found: tuple[Reader, str, str] | None = None
        """The text that words are looked for in, what was found, and how that is said."""
        self._useless_key = ""
        """A key that means nothing here and was pressed a moment ago; empty: none was."""
        self._filter: FilterBox | None = None
        self._filtered: RowList | Matrix | Reader | None = None
        # Textual sets these after its first layout, and then lays everything out once more.
        size = self.app.size
        for breakpoints, extent in (
            (self.HORIZONTAL_BREAKPOINTS, size.width),
            (self.VERTICAL_BREAKPOINTS, size.height),
        ):
            name = max((least, name) for least, name in breakpoints if extent >= least)[1]
            self.add_class(name, update=False)

    @property
    def host(self) -> Host:
        """The app, by what screens may ask of it."""
        return cast("Host", self.app)  # Textual knows it as any app

    # --- composing ---------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield JourneyBar(self.PLACE)
        yield WhereLine()
        with Vertical(id="body"):
            yield from self.body()
        yield NextLine()
        yield KeysBar()

    def body(self) -> ComposeResult:
        """What is this screen's own."""
        raise NotImplementedError

    def on_mount(self) -> None:
        self._composed = True
        self.show_now()

    class Shown(Message):
        """This screen came to the front and is drawn."""

    def on_screen_resume(self) -> None:
        self.show_now()
        self.call_after_refresh(self.post_message, self.Shown())

    def show_now(self) -> None:
        """Draw everything from the session."""
        if not self._composed:
            return
        self.query_one(WhereLine).say(self.session.where(of_run=self.OF_RUN))
        self.refresh_page()
        self.refresh_bindings()

    def refresh_page(self) -> None:
        """Draw this screen's own parts from the session."""

    def say(self, text: str, style: str = "") -> None:
        """Say what to do next, and after it what the app could not do by itself meanwhile."""
        self._said, self._style = text, style
        if self._found is not None:
            reader, found, look = self._found
            if reader.filter and reader.is_on_screen:
                text, style = found, look
            else:
                self._found = None
        troubles = "".join(f" ({each})" for each in self.troubles)
        if self._useless_key:
            text, style = (
                f"{self._useless_key} does nothing here; ? lists the keys. {text}",
                "warn",
            )
        self.query_one(NextLine).say(text + troubles, style)

    def on_key(self, event: events.Key) -> None:
        """Say of a key that nothing here has a use for that it does nothing.

        A field keeps its letters to itself, so what arrives here was meant for the screen.
        """
        if not event.is_printable or not event.character or event.character.isspace():
            return
        known = {
            key for each in (*actions_of(self.PLACE), *actions_of("app")) for key in each.keys
        }
        if event.key in known or event.key in self.active_bindings:
            return
        odd = self._useless_key = event.character

        def over() -> None:
            if self._useless_key == odd:
                self._useless_key = ""
                self.say(self._said, self._style)

        self.set_timer(ODD_KEY_STAYS, over)
        self.say(self._said, self._style)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What the app could not do by itself, each thing once."""
        return tuple(dict.fromkeys(self._troubles.values()))

    # --- what can be done --------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        if not self._composed or not self.why_not(action):
            return True
        return False if action in self.HIDES else None

    def why_not(self, action: str) -> str:
        """Why an action of this screen cannot be done now, in a sentence; empty: it can."""
        if self.session.read_only and f"{self.PLACE}.{action}" in WRITING:
            return "The app was started with --read-only, so it changes nothing."
        return self.impossible(action)

    def label(self, action: str, usual: str) -> str:
        """What an action is called as things stand; `usual` is its name elsewhere."""
        del action
        return usual

    def impossible(self, action: str) -> str:
        """Why an action means nothing as things stand on this screen; empty: it does."""
        del action
        return ""

    # --- background work ---------------------------------------------------------------------

    def in_background(
        self,
        group: str,
        work: Callable[[], T],
        then: Callable[[T], None],
        failed: Callable[[MigrateError], None] | None = None,
        *,
        asked: bool = True,
    ) -> None:
        """Do blocking work in a thread; only the newest call of a group reports back.

        Args:
            group: What kind of work it is.
            work: The work.
            then: Is called with what came of it, on the app's own thread.
            failed: Is called with what did not work; None: it is shown.
            asked: Whether the operator asked for just this. What the app does by itself opens no
                dialog when it fails: a line says so until it works again.

        The thread cannot be killed. It is waited for in short turns, so that leaving the app never
        waits for a pod that does not answer.
        """
        turn = self._turns[group] = self._turns.get(group, 0) + 1

        def report(result: T | None, error: Exception | None) -> None:
            if self._turns.get(group) != turn or not self.is_mounted:
                return
            if error is None:
                self._troubles.pop(group, None)
                then(result)  # type: ignore[arg-type]  # there is a result where there is no error
            elif isinstance(error, MigrateError) and failed is not None:
                failed(error)
            elif not asked:
                at = clock_words(self.session.clock())
                self._troubles[group] = f"The look at {at} failed: {_brief(error)}"
                self.say(self._said, self._style)
            else:
                self.show_error(error)

        def job() -> None:
            worker = get_current_worker()
            box: list[tuple[T | None, Exception | None]] = []
            over = threading.Event()

            def inner() -> None:
                try:
                    box.append((work(), None))
                except Exception as error:  # noqa: BLE001 - shown to the operator, whatever it is
                    box.append((None, error))
                over.set()

            threading.Thread(target=inner, name=f"app-{group}", daemon=True).start()
            while not over.wait(_POLL):
                if worker.is_cancelled:
                    return
            if not worker.is_cancelled:
                self.from_thread(report, *box[0])

        self.run_worker(job, thread=True, group=group, exclusive=True, exit_on_error=False)

    def from_thread(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Call something on the app's own thread; nothing happens once the app has ended."""
        try:
            self.app.call_from_thread(call, *arguments)
        except RuntimeError:
            return  # the app is gone, and with it whoever wanted to know

    def busy(self, group: str) -> bool:
        """Whether work of a group is under way."""
        return any(
            worker.group == group and worker.node is self and not worker.is_finished
            for worker in self.app.workers
        )

    def show_error(self, error: Exception) -> None:
        """Show an error with what can be done about it; of one that nobody foresaw only its kind."""
        from mimir_migrate.screens.modals.text import TextModal

        if not isinstance(error, MigrateError):
            self.host.show_unforeseen(error)
            return
        text = f"{error.message}\n\n{error.hint}".strip()
        self.app.push_screen(TextModal("This did not work", text))

    # --- filter ------------------------------------------------------------------------------

    def list_to_filter(self) -> RowList | Matrix | Reader | None:
        """The list or text that `/` is about: the focused one, else the first list, else the text."""
        from mimir_migrate.widgets.matrix import Matrix
        from mimir_migrate.widgets.reader import Reader
        from mimir_migrate.widgets.rows import RowList

        if isinstance(self.focused, RowList | Matrix | Reader):
            return self.focused
        found = self.query(RowList)
        return found.first() if found else None

    def on_reader_found(self, event: Reader.Found) -> None:
        """Say which of the lines that hold the words is shown."""
        if not event.of:
            found = f"No line holds {event.words!r}. Esc ends the search.", "warn"
        else:
            said = f"Line {event.place} of {event.of} that hold {event.words!r}."
            found = f"{said} n goes to the next, N to the one before, Esc ends the search.", ""
        self._found = (event.reader, *found)
        self.say(self._said, self._style)

    def start_filter(self) -> None:
        """Open the filter for the focused list."""
        from mimir_migrate.widgets.filter_box import FilterBox

        target = self.list_to_filter()
        if target is None or self._filter is not None:
            return
        self._filter, self._filtered = FilterBox(target.filter), target
        self.mount(self._filter, before=self.query_one(NextLine))

    def on_filter_box_typed(self, event: FilterBox.Typed) -> None:
        """Filter as the words are typed."""
        if self._filtered is not None:
            self._filtered.set_filter(event.words)

    def on_filter_box_kept(self) -> None:
        """Go back to the list; what was typed goes on filtering it."""
        self._close_filter()

    def _close_filter(self) -> None:
        if self._filter is not None:
            self._filter.remove()
            self._filter = None
        if self._filtered is not None:
            self._filtered.focus()

    def action_escape(self) -> None:
        if self._filter is not None and self._filtered is not None:
            self._filtered.set_filter("")
            self._close_filter()
            self.say(self._said, self._style)
            return
        target = self.list_to_filter()
        if target is not None and target.filter:
            target.set_filter("")
            self.say(self._said, self._style)
            return
        self.step_back()

    def step_back(self) -> None:
        """What Escape means when no filter is open."""

    # --- copying -----------------------------------------------------------------------------

    def text_to_copy(self) -> str:
        """What `C` copies: the focused list or text."""
        from mimir_migrate.widgets.reader import Reader
        from mimir_migrate.widgets.rows import RowList

        focused = self.focused
        if isinstance(focused, Reader):
            return focused.text
        if isinstance(focused, RowList):
            from mimir_migrate.widgets.text import text_of

            return "\n".join(
                "  ".join(text_of(spans) for spans in row.cells).rstrip() for row in focused.shown
            )
        readers = self.query(Reader)
        return readers.first().text if readers else ""

    def command_to_copy(self) -> str:
        """What `c` copies: the command that does or shows the same as what is under the cursor."""
        from mimir_migrate.screens.acting.equivalents import command_for

        return command_for(self.PLACE, self.session, self.focused)

    @on(JourneyBar.Picked)
    def _go(self, event: JourneyBar.Picked) -> None:
        event.stop()
        self.host.go(event.place)


def page_in_front(app: App[Any]) -> Page | None:
    """The screen of the journey that an app shows; None while a question is over it."""
    return app.screen if isinstance(app.screen, Page) else None


def _brief(error: Exception) -> str:
    """An error in one line; of one that nobody foresaw only its kind, its text may hold anything."""
    if isinstance(error, MigrateError):
        return error.message.splitlines()[0].rstrip(".")
    return f"{type(error).__name__}, which nobody foresaw"
