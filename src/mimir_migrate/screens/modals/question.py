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
from mimir_migrate.widgets.text import Line, content, text_of


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator answered; `reason` is empty where none was asked for."""

    confirmed: bool
    reason: str = ""


class ConfirmButton(Button, inherit_bindings=False):
    """A button that Enter does not press."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "press", "Press", show=False)]


class QuestionModal(Modal[Answer]):
    """Says what would happen, and does it only once a word was typed.

    Cancel has the focus. Enter cancels or does nothing; it never confirms. With the word typed,
    Ctrl+Y, a click on the button or Space on it confirms.
    """

    HELP = """\
**A question.** Nothing happens unless you type the word that it asks for and press Ctrl+Y. Escape
cancels; so does Enter while Cancel has the focus.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("ctrl+y", "confirm", "Confirm"),
    ]

    def __init__(
        self,
        title: str,
        consequences: Sequence[Line],
        *,
        word: str,
        confirm: str,
        asks_reason: bool = False,
    ) -> None:
        super().__init__()
        self._title = title
        self._consequences = tuple(consequences)
        self.word = word
        self._confirm = confirm
        self._asks_reason = asks_reason

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(content(self._title), classes="title")
            with VerticalScroll(id="consequences"):
                yield Static(content("\n".join(text_of(each) for each in self._consequences)))
            if self._asks_reason:
                yield Static(content("Why? It is kept with the run:"), classes="asks")
                yield Input(id="reason", compact=True, select_on_focus=False)
            yield Static(content(f"To do it, type {self.word} here:"), classes="asks")
            yield Input(id="word", compact=True, select_on_focus=False)
            yield Static(content(self._keys()), classes="keys", id="keys")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield ConfirmButton(
                    content(self._confirm),
                    id="confirm",
                    variant="warning",
                    compact=True,
                    disabled=True,
                )

    def _keys(self) -> str:
        return (
            f"Escape cancels. Ctrl+Y: {self._confirm}, once the word is typed. Enter never does."
        )

    def opened(self) -> None:
        self.query_one("#cancel", Button).focus()

    @property
    def may_confirm(self) -> bool:
        """Whether everything that was asked for was typed."""
        typed = self.query_one("#word", Input).value.strip()
        reasoned = not self._asks_reason or bool(self.query_one("#reason", Input).value.strip())
        return bool(self.word) and typed == self.word and reasoned

    def on_key(self, event: events.Key) -> None:
        """What is typed while Cancel has the focus goes where it is asked for.

        A field that has the focus keeps its keys to itself, so what arrives here was typed before
        the focus had come to it.
        """
        if not event.is_printable or not event.character:
            return
        if isinstance(self.focused, ConfirmButton) and event.key == "space":
            return
        field = self.focused if isinstance(self.focused, Input) else self.query(Input).first()
        field.focus()
        field.insert_text_at_cursor(event.character)
        event.stop()

    @on(Input.Changed)
    def _typed(self) -> None:
        self.query_one("#confirm", Button).disabled = not self.may_confirm

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.query_one("#keys", Static).update(content("Enter does nothing here. " + self._keys()))

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        self.dismiss(Answer(confirmed=False))

    @on(Button.Pressed, "#confirm")
    def action_confirm(self) -> None:
        if not self.may_confirm:
            return
        reason = self.query_one("#reason", Input).value.strip() if self._asks_reason else ""
        self.dismiss(Answer(confirmed=True, reason=reason))
