"""Choosing from what was found, or typing something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from mimir_migrate.screens.modals.modal import Modal
from mimir_migrate.widgets.rows import Column, Row, RowList, cell
from mimir_migrate.widgets.text import content


class PickModal(Modal[str | None]):
    """A field with offers below it; it changes nothing but what the app knows."""

    HELP = """\
**Choose or type.** What you type narrows the offers. Down goes to them, Enter takes what is typed
or the offer under the cursor, Escape leaves everything as it was.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("down", "offers", "Offers", show=False),
    ]

    def __init__(
        self,
        title: str,
        *,
        value: str = "",
        offers: Sequence[tuple[str, str]] = (),
        names: Mapping[str, str] | None = None,
        note: str = "",
        typed: bool = True,
        only_offers: bool = False,
        ranked: bool = False,
    ) -> None:
        """Make it.

        Args:
            title: What is asked for.
            value: What the field holds at first.
            offers: Values with what is said of each.
            names: What is shown in the place of a value.
            note: What is said below.
            typed: Whether there is a field at all.
            only_offers: Whether nothing but an offer can be taken.
            ranked: Whether what fits best what is typed stands first, rather than in its place.
        """
        super().__init__()
        self._names = names or {}
        self._title = title
        self._value = value
        self._offers = tuple(offers)
        self._note = note
        self._typed = typed
        self._only_offers = only_offers
        """Whether Enter takes the offer under the cursor rather than what is typed."""
        self._narrows = False
        self._ranked = ranked

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(content(self._title), classes="title")
            field = Input(value=self._value, id="typed", compact=True)
            field.display = self._typed
            yield field
            yield RowList(
                (Column(most=44), Column(grows=True)),
                id="offers",
                empty="nothing was found to offer",
            )
            yield Static(content(self._hint()), classes="keys", id="note")

    def _hint(self) -> str:
        said = "Enter takes it, Down goes to what was found, Escape leaves it as it was."
        if not self._typed:
            said = "Up and Down choose, Enter takes it, Escape changes nothing."
        elif self._only_offers:
            said = "Type a word of it; Enter takes the one under the cursor, Escape leaves."
        return f"{self._note}\n{said}".strip()

    def opened(self) -> None:
        self._fill()
        field = self.query_one("#typed", Input)
        offers = self.query_one(RowList)
        (field if self._typed else offers).focus()
        offers.move_to(self._value)

    def offer(self, offers: Sequence[tuple[str, str]], note: str = "") -> None:
        """Show what was found meanwhile."""
        self._offers, self._note = tuple(offers), note
        if self.query("#note"):
            self._fill()
            self.query_one("#note", Static).update(content(self._hint()))
            self.measure()

    def _fill(self) -> None:
        self._offer_rows(self._offers)

    def _offer_rows(self, offers: Sequence[tuple[str, str]]) -> None:
        self.query_one(RowList).set_rows(
            [
                Row(key=value, cells=(cell(self._names.get(value, value)), cell(note, "dim")))
                for value, note in offers
            ]
        )

    def _rank(self, words: str) -> None:
        """Show what fits the words, what fits best first and under the cursor."""
        scored = [
            (relevance(words, self._names.get(value, value), note), place, (value, note))
            for place, (value, note) in enumerate(self._offers)
        ]
        fitting = sorted((-score, place, offer) for score, place, offer in scored if score)
        offers = self.query_one(RowList)
        self._offer_rows([offer for _, _, offer in fitting])
        if fitting:
            offers.move_to(fitting[0][2][0])

    @on(Input.Changed, "#typed")
    def _narrow(self, event: Input.Changed) -> None:
        # The value that was there from the start is not a filter: everything is offered beside it.
        if event.value == self._value and not self._narrows:
            return
        self._narrows = True
        if self._ranked:
            self._rank(event.value)
            return
        self.query_one(RowList).set_filter(event.value.rpartition(",")[2])

    @on(Input.Submitted, "#typed")
    def _take_typed(self, event: Input.Submitted) -> None:
        if self._only_offers:
            self.dismiss(self.query_one(RowList).key or None)
        else:
            self.dismiss(event.value.strip())

    @on(RowList.Chosen)
    def _take_offer(self, event: RowList.Chosen) -> None:
        event.stop()
        self.dismiss(event.key)

    def action_offers(self) -> None:
        if isinstance(self.focused, Input):
            self.query_one(RowList).focus()

    def action_cancel(self) -> None:
        self.dismiss(None)


_WHOLE, _START, _WORD, _INSIDE, _SAID = 16, 8, 4, 2, 1
"""How much it tells that a word is the name, begins it, begins a word of it, is inside it, or is only
in what is said of it."""


def relevance(words: str, name: str, said: str) -> int:
    """How well an offer fits what was typed; 0: it does not, because a word is nowhere in it."""
    parts, label = words.lower().split(), " ".join(name.lower().split())
    after = label.rpartition(": ")[2] if ": " in label else label.partition(" ")[2]
    bare = after or label
    found = 0
    for part in parts:
        if part in {label, bare, label.partition(" ")[0]}:
            found += _WHOLE
        elif bare.startswith(part):
            found += _START
        elif any(word.startswith(part) for word in label.replace(":", " ").split()):
            found += _WORD
        elif part in label:
            found += _INSIDE
        elif part in said.lower():
            found += _SAID
        else:
            return 0
    return found or 1
