"""A question after which something outside the app may change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input, Static

from mimir_migrate.screens.modals.modal import Modal
from mimir_migrate.widgets.text import Line, content, line, text_of
from mimir_migrate.words import counted

LOW = 30
"""Lines of a window below which nothing stands between two paragraphs."""
BORDER = 2
"""Lines of the box's own border."""
LEAST = 3
"""Lines of what would happen that are shown however low the window is."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator answered; `reason` is empty where none was asked for."""

    confirmed: bool
    reason: str = ""


class QuestionModal(Modal[Answer]):
    """Says what would happen, and does it once a word was typed, or for `y` where none is asked for.

    Where a word is asked for the keys go to its field from the start, also while something is still being
    found out: Enter confirms once all is shown and the word is right, and says before that what is
    missing. Where none is, Cancel has the focus, so Enter cancels.
    """

    HELP = """\
**A question.** Where it asks for a word, type it and press Enter; where it does not, `y` is yes.
Escape and Ctrl-C cancel; so does Enter where no word is asked for. What does not fit is shown by
PageDown, PageUp and the arrows, wherever the focus is.
"""
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("y", "yes", "Yes"),
        Binding("down", "read(1)", "Further", show=False),
        Binding("up", "read(-1)", "Back", show=False),
        Binding("pagedown", "read_page(1)", "A page further", show=False),
        Binding("pageup", "read_page(-1)", "A page back", show=False),
    ]

    def __init__(
        self,
        title: str,
        consequences: Sequence[Line],
        *,
        word: str = "",
        confirm: str,
        asks_reason: bool = False,
        waits_for: str = "",
    ) -> None:
        """Make it.

        Args:
            title: What is asked.
            consequences: What would happen.
            word: What has to be typed; empty: `y` is enough.
            confirm: What is done, in a few words.
            asks_reason: Whether a reason has to be typed as well.
            waits_for: What has to be known before it can be answered; empty: all is.
        """
        super().__init__()
        self._title = title
        self._consequences = tuple(consequences)
        self.word = word
        self._confirm = confirm
        self._asks_reason = asks_reason
        self._waits_for = waits_for
        """What is still being found out, so that nothing can be answered yet; empty: nothing is."""
        self._void = ""
        """Why it cannot be answered any more; empty: it can."""
        self._suspended = ""
        """Why an answer would be void now, though not for good; empty: it would not."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(content(self._title), classes="title")
            with VerticalScroll(id="consequences", can_focus=False):
                yield Static(content(self._told()), id="told")
            yield Static(id="more")
            if self._asks_reason:
                yield Static(content("Why? It is kept with the run:"), classes="asks")
                yield Input(id="reason", compact=True, select_on_focus=False)
            if self.word:
                yield Static(content(f"To do it, type {self.word} here:"), classes="asks")
                yield Input(id="word", compact=True, select_on_focus=False)
            yield Static(content(self._keys()), classes="keys", id="keys")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(
                    content(self._confirm_title()),
                    id="confirm",
                    variant="warning",
                    compact=True,
                    disabled=bool(self.word or self._suspended or self._waits_for),
                )

    def _confirm_title(self) -> str:
        """The button's title, which begins as the other one's does."""
        title = self._confirm[:1].upper() + self._confirm[1:]
        return title if self.word else f"{title} (y)"

    def _told(self) -> str:
        low = self.app.size.height < LOW
        return "\n".join(text_of(each) for each in self._consequences if text_of(each) or not low)

    def _keys(self) -> str:
        if self._void:
            return "It cannot be answered any more. Escape closes it."
        if self._suspended:
            return "It cannot be answered while it is suspended. Escape closes it."
        if self._waits_for:
            typed = " What is typed stays." if self.word else ""
            return f"Wait: {self._waits_for}; then it can be answered.{typed} Escape cancels."
        if not self.word:
            return f"y: {self._confirm}. Escape or Enter cancels."
        return f"Enter: {self._confirm}, once the word is right. Escape cancels."

    def opened(self) -> None:
        (next(iter(self.query(Input)), None) or self.query_one("#cancel", Button)).focus()
        # It may have become known while this was composed.
        self.query_one("#told", Static).update(content(self._told()))
        self._redraw_keys()
        self.watch(self.query_one("#consequences"), "scroll_y", self._say_more, init=False)
        self.call_after_refresh(self._fit)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    # --- what does not fit -------------------------------------------------------------------

    def _fit(self) -> None:
        """Give what would happen every row that nothing else needs, and say what is out of sight."""
        if not self.is_mounted or not self.query("#told"):
            return
        shown, more = self.query_one("#consequences"), self.query_one("#more")
        needs = self.query_one("#told").size.height
        others = sum(
            each.outer_size.height
            for each in self.query_one(".box").children
            if each.display and each is not shown and each is not more
        )
        free = self.size.height - others - BORDER
        more.display = needs > free
        rows = max(LEAST, free - more.display)
        shown.set_styles(f"max-height: {rows};")
        self.call_after_refresh(self._say_more)

    def _say_more(self) -> None:
        """Say how many lines are out of sight, and which keys show them."""
        if not self.is_mounted or not self.query("#told"):
            return
        shown = self.query_one("#consequences")
        above = int(shown.scroll_offset.y)
        below = max(0, self.query_one("#told").size.height - above - shown.size.height)
        if below and above:
            said = f"{below} more: PageDown; {counted(above, 'line')} above: PageUp"
        elif below:
            said = f"{counted(below, 'more line')}: PageDown or Down"
        else:
            said = f"{counted(above, 'line')} above: PageUp or Up" if above else ""
        self.query_one("#more", Static).update(content(said))

    def action_read(self, lines: int) -> None:
        shown = self.query_one("#consequences")
        shown.scroll_relative(y=lines, animate=False)

    def action_read_page(self, pages: int) -> None:
        shown = self.query_one("#consequences")
        shown.scroll_relative(y=pages * max(1, shown.size.height - 1), animate=False)

    # --- what changes while it is read -------------------------------------------------------

    def tell(self, consequences: Sequence[Line]) -> None:
        """Say something else of what would happen: it changed while the question was read."""
        before, self._consequences = self._consequences, tuple(consequences)
        if self._consequences != before and self.is_mounted and self.query("#told"):
            self.query_one("#told", Static).update(content(self._told()))
            self.call_after_refresh(self._fit)

    def known(self, consequences: Sequence[Line]) -> None:
        """What was waited for is known: show it, and take an answer from now on."""
        self._waits_for = ""
        self.tell(consequences)
        self._redraw_keys()

    def _redraw_keys(self) -> None:
        """Say which keys answer it by now, and whether it can be answered."""
        if self.is_mounted and self.query("#keys"):
            self.query_one("#confirm", Button).disabled = not self.may_confirm
            self.query_one("#keys", Static).update(content(self._keys()))

    def suspend(self, why: str) -> None:
        """Take no answer as long as one would be void.

        Args:
            why: Why it would be; empty: it would not, and answers are taken again.
        """
        if self._void or why == self._suspended:
            return
        began = bool(why) and not self._suspended
        self._suspended = why
        self._redraw_keys()
        if began and self.is_mounted and self.query("#told"):
            self.query_one("#consequences").scroll_home(animate=False)

    def void(self, why: str) -> None:
        """What it asks stands no longer: say why, and take no answer any more."""
        if self._void:
            return
        self._void = why
        self.tell((line((why, "bad")), line(""), *self._consequences))
        self._redraw_keys()
        if self.is_mounted and self.query("#told"):
            self.query_one("#consequences").scroll_home(animate=False)

    @property
    def waits(self) -> bool:
        """Whether something that it shows is still being found out."""
        return bool(self._waits_for)

    @property
    def may_confirm(self) -> bool:
        """Whether everything that was asked for was typed."""
        return not self._missing()

    def _missing(self) -> str:
        """What is still to be typed; empty: nothing."""
        if self._void or self._suspended:
            return self._void or f"Suspended: {self._suspended}"
        if self._waits_for:
            return f"Wait: {self._waits_for}"
        if self._asks_reason and not self.query_one("#reason", Input).value.strip():
            return "A reason is missing: it is kept with the run."
        if not self.word:
            return ""
        typed = self.query_one("#word", Input).value.strip()
        if typed == self.word:
            return ""
        return f"{typed!r} is not it: the word is {self.word}" if typed else f"Type {self.word}"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return not self.word if action == "yes" else True

    def on_key(self, event: events.Key) -> None:
        """What is typed while Cancel has the focus goes where it is asked for.

        A field that has the focus keeps its keys to itself, so what arrives here was typed before
        the focus had come to it.
        """
        fields = self.query(Input)
        if not fields or not event.is_printable or not event.character:
            return
        if isinstance(self.focused, Button) and event.key == "space":
            return
        field = self.focused if isinstance(self.focused, Input) else fields.first()
        field.focus()
        field.insert_text_at_cursor(event.character)
        event.stop()

    @on(Input.Changed)
    def _typed(self) -> None:
        self.query_one("#confirm", Button).disabled = not self.may_confirm

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        if self.may_confirm:
            self.action_confirm()
            return
        if event.input.id == "reason" and event.value.strip():
            self.query_one("#word", Input).focus()
        if not self._void and not self._suspended:
            said = self._keys() if self._waits_for else f"{self._missing()}. {self._keys()}"
            self.query_one("#keys", Static).update(content(said))

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        self.dismiss(Answer(confirmed=False))

    def cancel(self) -> None:
        self.action_cancel()

    def action_yes(self) -> None:
        self.action_confirm()

    @on(Button.Pressed, "#confirm")
    def action_confirm(self) -> None:
        if not self.may_confirm:
            return
        reason = self.query_one("#reason", Input).value.strip() if self._asks_reason else ""
        self.dismiss(Answer(confirmed=True, reason=reason))
