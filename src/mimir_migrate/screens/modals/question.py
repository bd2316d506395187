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

LOW = 30
"""Lines of a window below which nothing stands between two paragraphs."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator answered; `reason` is empty where none was asked for."""

    confirmed: bool
    reason: str = ""


class QuestionModal(Modal[Answer]):
    """Says what would happen, and does it once a word was typed, or for `y` where none is asked for.

    Cancel has the focus, so Enter cancels before anything was typed. Enter in the field confirms
    once the word is right; before that it says what the word is.
    """

    HELP = """\
**A question.** Where it asks for a word, type it and press Enter; where it does not, `y` is yes.
Escape and Ctrl-C cancel; so does Enter while Cancel has the focus.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("y", "yes", "Yes"),
    ]

    def __init__(
        self,
        title: str,
        consequences: Sequence[Line],
        *,
        word: str = "",
        confirm: str,
        asks_reason: bool = False,
    ) -> None:
        """Make it.

        Args:
            title: What is asked.
            consequences: What would happen.
            word: What has to be typed; empty: `y` is enough.
            confirm: What is done, in a few words.
            asks_reason: Whether a reason has to be typed as well.
        """
        super().__init__()
        self._title = title
        self._consequences = tuple(consequences)
        self.word = word
        self._confirm = confirm
        self._asks_reason = asks_reason
        self._void = ""
        """Why it cannot be answered any more; empty: it can."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(content(self._title), classes="title")
            with VerticalScroll(id="consequences"):
                yield Static(content(self._told()), id="told")
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
                    content(self._confirm if self.word else f"{self._confirm} (y)"),
                    id="confirm",
                    variant="warning",
                    compact=True,
                    disabled=bool(self.word),
                )

    def _told(self) -> str:
        low = self.app.size.height < LOW
        return "\n".join(text_of(each) for each in self._consequences if text_of(each) or not low)

    def _keys(self) -> str:
        if self._void:
            return "It cannot be answered any more. Escape closes it."
        if not self.word:
            return f"y: {self._confirm}. Escape or Enter cancels."
        return f"Enter: {self._confirm}, once the word is right. Escape cancels."

    def opened(self) -> None:
        self.query_one("#cancel", Button).focus()

    def tell(self, consequences: Sequence[Line]) -> None:
        """Say something else of what would happen: it changed while the question was read."""
        self._consequences = tuple(consequences)
        if self.is_mounted and self.query("#told"):
            self.query_one("#told", Static).update(content(self._told()))

    def void(self, why: str) -> None:
        """What it asks stands no longer: say why, and take no answer any more."""
        if self._void:
            return
        self._void = why
        self.tell((line((why, "bad")), line(""), *self._consequences))
        if self.is_mounted and self.query("#told"):
            self.query_one("#confirm", Button).disabled = True
            self.query_one("#keys", Static).update(content(self._keys()))
            self.query_one("#consequences").scroll_home(animate=False)

    @property
    def may_confirm(self) -> bool:
        """Whether everything that was asked for was typed."""
        return not self._missing()

    def _missing(self) -> str:
        """What is still to be typed; empty: nothing."""
        if self._void:
            return self._void
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
        self.query_one("#keys", Static).update(content(f"{self._missing()}. {self._keys()}"))

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
