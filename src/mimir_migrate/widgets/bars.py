"""What stands on every screen: the journey, where the work is, headings, and what to do next."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mimir_migrate.widgets.glyphs import glyphs_of
from mimir_migrate.widgets.text import cells, fit, fit_middle, plain

PLACES = ("start", "inspect", "choices", "plan", "values", "run", "report")
"""The screens in the order of the journey."""


class JourneyBar(Widget):
    """The seven places; the one that is shown stands in brackets."""

    DEFAULT_CSS = """
    JourneyBar {
        height: 1; background: $primary 30%; color: $foreground;
        & > .journey--here { text-style: bold reverse; }
        & > .journey--name { color: $text-muted; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"journey--here", "journey--name"}

    class Picked(Message):
        """A place was clicked."""

        def __init__(self, place: str) -> None:
            super().__init__()
            self.place = place

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place

    def render_line(self, y: int) -> Strip:
        """Draw the bar."""
        from rich.segment import Segment
        from rich.style import Style

        del y
        base = self.rich_style
        here = self.get_component_rich_style("journey--here")
        name = self.get_component_rich_style("journey--name")
        segments = []
        width = self.size.width
        if width >= _NAMED:
            segments.append(Segment(" mimir-migrate ", name))
        for number, place in enumerate(PLACES, 1):
            at = place == self._place
            title = place.capitalize() if at or width >= _WHOLE else place.capitalize()[:_SHORT]
            text = f"[{number} {title}]" if at else f" {number} {title} "
            style = (here if at else base) + Style.from_meta({"place": place})
            segments.append(Segment(text, style))
            if width >= _WHOLE:
                segments.append(Segment(" ", base))
        return Strip(segments).crop_extend(0, self.size.width, base)

    def on_click(self, event: Click) -> None:
        place = event.style.meta.get("place")
        if place in PLACES:
            self.post_message(self.Picked(place))


_NAMED = 95
"""From this width on there is room for the tool's name."""
_WHOLE, _SHORT = 73, 4
"""From this width on there is room for the names of all places; below it for their first letters."""


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Which cluster, account and run the work is about; empty: not known yet."""

    context: str = ""
    cluster: str = ""
    namespace: str = ""
    release: str = ""
    account: str = ""
    region: str = ""
    run: str = ""
    way_back: str = ""
    simulation: str = ""
    """What marks a cluster that is simulated; empty: it is real."""
    read_only: bool = False


class WhereLine(Widget):
    """The permanent lines: context, cluster, namespace, release, account, region, run, rollback."""

    DEFAULT_CSS = """
    WhereLine {
        height: 1; background: $panel; color: $foreground;
        &.-two { height: 2; }
        &.-three { height: 3; }
        & > .where--mark { text-style: bold reverse; color: $text-warning; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"where--mark"}

    def __init__(self) -> None:
        super().__init__()
        self.where = Where()
        self._lines: list[str] = [""]

    def say(self, where: Where) -> None:
        """Show another place."""
        if where != self.where:
            self.where = where
            self._lay_out()

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        self._lines = _packed(self._parts(), self.app.size.width, glyphs_of(self).ellipsis)
        self.set_class(len(self._lines) == _MOST_LINES - 1, "-two")
        self.set_class(len(self._lines) == _MOST_LINES, "-three")
        self.refresh()

    def marks(self) -> list[str]:
        """What has to be known before anything else."""
        marks = ["READ-ONLY"] if self.where.read_only else []
        return marks + ([plain(self.where.simulation)] if self.where.simulation else [])

    def _parts(self) -> list[tuple[str, str]]:
        signs, where = glyphs_of(self), self.where
        return [
            *(("", mark) for mark in self.marks()),
            ("context", plain(where.context) or "not chosen"),
            ("cluster", plain(where.cluster) or "not asked yet"),
            ("namespace", plain(where.namespace) or signs.unknown),
            ("release", plain(where.release) or signs.unknown),
            ("account", plain(where.account) or "unknown"),
            ("region", plain(where.region) or "unknown"),
            ("run", plain(where.run) or "none"),
            *((("rollback", plain(where.way_back)),) if where.way_back else ()),
        ]

    def render(self) -> Content:
        text = Content("\n".join(self._lines))
        mark = self.get_visual_style("where--mark")
        for each in self.marks():
            place = text.plain.find(each)
            if place >= 0:
                text = text.stylize(mark, place, place + len(each))
        return text


_MOST_LINES = 3
"""Lines that the place may take."""
_BRIEF = {"context": "ctx", "namespace": "ns", "account": "acct"}
"""Names where there is no room for whole ones."""


def _packed(parts: list[tuple[str, str]], width: int, ellipsis: str) -> list[str]:
    """The parts in as few lines as hold them whole.

    Where the lines do not hold them, names are abbreviated, then the server's name, which its context
    stands for, is cut in the middle; where that is not enough, the rollback, which the run's own screen
    tells, is left out.
    """
    brief = [(_BRIEF.get(name, name), value) for name, value in parts]
    cut, short = _server_in(brief, 24, ellipsis), _server_in(brief, _LEAST, ellipsis)
    told = [part for part in short if part[0] != "rollback"]
    lines = _in_lines(parts, width)
    for those in (brief, cut, short, told):
        if len(lines) <= _MOST_LINES and all(cells(_said(each)) <= width for each in lines):
            break
        lines = _in_lines(those, width)
    shared = [part for each in lines[_MOST_LINES - 1 :] for part in each]
    lines = [*lines[: _MOST_LINES - 1], shared] if shared else lines
    return [_joined(each, width, ellipsis) for each in lines]


def _server_in(parts: list[tuple[str, str]], most: int, ellipsis: str) -> list[tuple[str, str]]:
    return [
        (name, fit_middle(value, most, ellipsis=ellipsis) if name == "cluster" else value)
        for name, value in parts
    ]


def _in_lines(parts: list[tuple[str, str]], width: int) -> list[list[tuple[str, str]]]:
    lines: list[list[tuple[str, str]]] = [[]]
    for part in parts:
        if lines[-1] and cells(_said([*lines[-1], part])) > width:
            lines.append([])
        lines[-1].append(part)
    return lines


def _said(parts: list[tuple[str, str]]) -> str:
    return " " + "   ".join(f"{name} {value}".strip() for name, value in parts)


def _joined(parts: list[tuple[str, str]], width: int, ellipsis: str) -> str:
    """The parts beside each other; the longest values are shortened until they fit."""
    values = [value for _, value in parts]
    fixed = cells(_said([(name, "") for name, _ in parts])) + sum(bool(name) for name, _ in parts)
    while fixed + sum(cells(value) for value in values) > width:
        longest = max(range(len(values)), key=lambda index: cells(values[index]))
        if cells(values[longest]) <= _LEAST:
            break
        last = longest == len(values) - 1
        shorter = cells(values[longest]) - 1
        values[longest] = (
            fit(parts[longest][1], shorter, ellipsis=ellipsis)
            if last
            else fit_middle(parts[longest][1], shorter, ellipsis=ellipsis)
        )
    text = _said([(name, value) for (name, _), value in zip(parts, values, strict=True)])
    return fit(text, width, ellipsis=ellipsis)


_LEAST = 10
"""Cells that no value is shortened below."""


class Heading(Widget):
    """A title over a part of a screen, drawn out to the edge."""

    DEFAULT_CSS = """
    Heading {
        height: 1; width: 1fr; color: $text-primary; background: $surface;
        text-style: bold;
    }
    """

    def __init__(self, title: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.title = title
        self._shorter: tuple[str, ...] = ()

    def say(self, title: str, *shorter: str) -> None:
        """Show another title; of shorter ones the first that fits where the whole does not."""
        if (title, shorter) != (self.title, self._shorter):
            self.title, self._shorter = title, shorter
            self.refresh()

    def render(self) -> Content:
        signs = glyphs_of(self)
        width = self.size.width
        texts = [
            f"{signs.rule}{signs.rule} {plain(each)} " for each in (self.title, *self._shorter)
        ]
        text = next((each for each in texts if cells(each) <= width), texts[-1])
        return Content(fit(text, min(width, cells(text)), ellipsis=signs.ellipsis)).append(
            signs.rule * max(0, width - cells(text))
        )


class NextLine(Widget):
    """One line that always says what to do next, or what is missing."""

    DEFAULT_CSS = """
    NextLine {
        height: 1; background: $panel; color: $foreground;
        &.-good { color: $text-success; }
        &.-bad { color: $text-error; }
        &.-warn { color: $text-warning; }
        &.-tall { height: 2; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.said = ""

    def say(self, text: str, style: str = "") -> None:
        """Say something else; `style` is good, bad, warn or nothing."""
        self.said = plain(text)
        for name in ("good", "bad", "warn"):
            self.set_class(name == style, f"-{name}")
        self._grow()
        self.refresh()

    def on_resize(self) -> None:
        self._grow()

    def _grow(self) -> None:
        width = self.size.width
        self.set_class(bool(width) and cells(self.said) + 1 > width, "-tall")

    def render(self) -> Content:
        width = max(1, self.size.width - 1)
        first, *rest = _halves(self.said, width)
        # What the first line could not take to its end is missing on the second one.
        second = [
            fit(each, min(width, cells(each)), ellipsis=glyphs_of(self).ellipsis) for each in rest
        ]
        return Content("\n".join(f" {part}" for part in (first, *second)))


def _halves(text: str, width: int) -> list[str]:
    if cells(text) <= width:
        return [text]
    cut = text.rfind(" ", 0, width + 1)
    cut = cut if cut > 0 else width
    return [text[:cut], text[cut:].lstrip(" ")]


class KeysBar(Widget):
    """The keys that apply now; what has no room is left out whole, never cut.

    Drawn as one line: a widget for each key, as Textual's own footer has, costs a pass over the
    stylesheet for each of them whenever a key begins or ceases to apply.
    """

    DEFAULT_CSS = """
    KeysBar {
        height: 1; background: $panel; color: $foreground;
        & > .keys--key { color: $text-accent; text-style: bold; }
        & > .keys--off { color: $text-muted; }
        & > .keys--loud { color: $text-error; text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys--key", "keys--off", "keys--loud"}
    LOUD: ClassVar[frozenset[str]] = frozenset({"roll_back"})
    """Actions whose name stands out while they can be done."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def keys(self) -> list[tuple[str, str, str, bool, bool]]:
        """Key, name, what it does, whether it can be done and stands out, as far as there is room.

        None while something lies over the screen: that says which keys it has, and takes all others.
        """
        if self.app.screen is not self.screen:
            return []
        found: list[tuple[str, str, str, bool, bool]] = []
        seen: set[str] = set()
        used = 0
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not binding.show or binding.action in seen:
                continue
            seen.add(binding.action)
            name = self.app.get_key_display(binding)
            label = self._label(binding.action, binding.description)
            used += cells(name) + cells(label) + 2
            if used > self.size.width:
                break
            loud = binding.action in self.LOUD
            found.append((binding.key, name, label, active.enabled, loud))
        return found

    def _label(self, action: str, usual: str) -> str:
        """What the screen calls an action now."""
        of_screen = getattr(self.screen, "label", None)
        return str(of_screen(action, usual)) if callable(of_screen) else usual

    def render_line(self, y: int) -> Strip:
        """Draw the bar."""
        from rich.segment import Segment
        from rich.style import Style

        del y
        base = self.rich_style
        key_style = self.get_component_rich_style("keys--key")
        off = self.get_component_rich_style("keys--off")
        segments = []
        loud = self.get_component_rich_style("keys--loud")
        for key, name, label, enabled, is_loud in self.keys():
            meta = Style.from_meta({"key": key})
            named = loud if is_loud else base
            segments.append(Segment(name, (key_style if enabled else off) + meta))
            segments.append(Segment(f" {label} ", (named if enabled else off) + meta))
        return Strip(segments).crop_extend(0, self.size.width, base)

    def on_click(self, event: Click) -> None:
        key = event.style.meta.get("key")
        if isinstance(key, str):
            self.app.simulate_key(key)
