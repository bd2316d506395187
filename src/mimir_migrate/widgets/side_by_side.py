"""Several things compared: a column each, the same questions down the side, answers wrapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from mimir_migrate.widgets.canvas import Canvas
from mimir_migrate.widgets.text import Line, Span, cells, fit, text_of, wrap


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One of the things: a title, and a line for each question that it has an answer to."""

    key: str
    title: str
    answers: dict[str, Line]


class SideBySide(Canvas):
    """Columns to read against each other; left and right move between them."""

    HELP = """\
**Side by side.** Left and right go from one choice to the next, up and down scroll; Enter or `t`
takes the choice: its rings are what will be planned.
"""
    DEFAULT_CSS = """
    SideBySide { scrollbar-gutter: stable; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "go(-1)", "Left", show=False),
        Binding("right", "go(1)", "Right", show=False),
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown", "page_down", "Page down", show=False),
        Binding("home", "scroll_home", "Top", show=False),
        Binding("end", "scroll_end", "End", show=False),
        Binding("enter,space", "choose", "Take", show=False),
    ]

    @dataclass
    class Highlighted(Message):
        """The cursor came to rest on another column."""

        key: str

    @dataclass
    class Chosen(Message):
        """A column was chosen."""

        key: str

    def __init__(self, *, id: str | None = None, empty: str = "") -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.empty = empty
        self.things: tuple[Compared, ...] = ()
        self.questions: tuple[str, ...] = ()
        self.notes: tuple[Line, ...] = ()
        self.key = ""
        self._lines: list[list[tuple[int, Line, str]]] = []
        """For each line its pieces: column from the left, spans, the key of the thing."""

    def show(
        self,
        things: tuple[Compared, ...],
        questions: tuple[str, ...],
        notes: tuple[Line, ...] = (),
        *,
        key: str = "",
    ) -> None:
        """Show other things; `notes` stand below over the whole width, `key` has the cursor at first."""
        if (things, questions, notes) == (self.things, self.questions, self.notes):
            return
        self.things, self.questions, self.notes = things, questions, notes
        if self.key not in {thing.key for thing in things}:
            self.key = key or (things[0].key if things else "")
        self._lay_out()

    def stand_on(self, key: str) -> None:
        """Put the cursor on a thing without telling anybody; empty: on none."""
        if key != self.key and (not key or key in {thing.key for thing in self.things}):
            self.key = key
            self.refresh()

    def on_resize(self, _event: events.Resize) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        self._lines = []
        if width <= 0 or not self.things:
            return
        label = max((cells(question) for question in self.questions), default=0) + 2
        room = max(10, (width - label) // len(self.things))
        self._add("", label, room, {thing.key: _title(thing.title) for thing in self.things})
        for question in self.questions:
            answers = {
                thing.key: thing.answers[question]
                for thing in self.things
                if question in thing.answers
            }
            if answers:
                self._add(question, label, room, answers)
        for note in self.notes:
            for part in wrap(note, width - 1, indent=2):
                self._lines.append([(0, part, "")])
        self.set_extent(1, len(self._lines))

    def _add(self, question: str, label: int, room: int, answers: dict[str, Line]) -> None:
        wrapped = {key: _wrapped(spans, room - 2) for key, spans in answers.items()}
        height = max(len(lines) for lines in wrapped.values())
        for number in range(height):
            said = (Span(question, "dim"),) if number == 0 and question else ()
            pieces: list[tuple[int, Line, str]] = [(0, said, "")]
            for place, thing in enumerate(self.things):
                lines = wrapped.get(thing.key, [])
                spans = lines[number] if number < len(lines) else ()
                pieces.append((label + place * room, spans, thing.key))
            self._lines.append(pieces)

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is seen."""
        width = self.scrollable_content_region.width or self.size.width
        place = self.scroll_offset.y + y
        if not 0 <= place < len(self._lines):
            if place == 0 and not self.things:
                return self.strip((Span("  " + fit(self.empty, width - 2), "dim"),))
            return self.blank(width)
        pieces = self._lines[place]
        strips: list[Strip] = []
        for number, (left, spans, key) in enumerate(pieces):
            end = pieces[number + 1][0] if number + 1 < len(pieces) else width
            here = bool(key) and key == self.key
            base = "cursor" if here else ""
            lead = Span(self.signs.bar if here else " ") if key else Span("")
            strips.append(
                self.strip((lead, *spans), base=base, meta={"thing": key}).crop_extend(
                    0, max(0, end - left), self.look_of(base)
                )
            )
        return Strip.join(strips).crop_extend(0, width, self.rich_style)

    def action_go(self, by: int) -> None:
        keys = [thing.key for thing in self.things]
        if keys:
            place = keys.index(self.key) if self.key in keys else -by
            self._to(keys[max(0, min(len(keys) - 1, place + by))])

    def _to(self, key: str) -> None:
        self.key = key
        self.refresh()
        self.post_message(self.Highlighted(key))

    def action_choose(self) -> None:
        if self.key:
            self.post_message(self.Chosen(self.key))

    def on_click(self, event: events.Click) -> None:
        key = event.style.meta.get("thing")
        if isinstance(key, str) and key in {thing.key for thing in self.things}:
            again = key == self.key
            self._to(key)
            if again:
                self.action_choose()

    @property
    def text(self) -> str:
        """Everything as text, for copying."""
        found = []
        for thing in self.things:
            found.append(thing.title)
            found += [
                f"  {question}: {text_of(thing.answers[question])}"
                for question in self.questions
                if question in thing.answers
            ]
        return "\n".join([*found, *(text_of(note) for note in self.notes)])


def _title(text: str) -> Line:
    return (Span(text, "strong"),)


def _wrapped(spans: Line, width: int) -> list[Line]:
    """Wrap an answer; a line break in it starts a new line."""
    found: list[Line] = []
    current: list[Span] = []
    for span in spans:
        parts = span.text.split("\n")
        for number, part in enumerate(parts):
            if number:
                found += wrap(tuple(current), width) or [()]
                current = []
            if part:
                current.append(Span(part, span.style))
    return found + (wrap(tuple(current), width) if current else [])
