"""Text for the screen: outside text made plain, lengths in cells, durations in words."""

from __future__ import annotations

import re

import msgspec
from rich.cells import cell_len, set_cell_size
from textual.content import Content

from mimir_migrate.durations import spoken

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Control characters, line separators and characters that turn the direction of writing: any of
them in outside text could move the cursor of a terminal or hide what a name really is."""

_HOUR, _DAY = 3600, 86400


class Span(msgspec.Struct, frozen=True, gc=False):
    """Some text in one of the styles that `canvas.STYLES` names.

    A large list has hundreds of thousands; as none is in a cycle, the garbage collector, which would
    stop the screen for 0.2 s at a time, is told to leave them out (`gc=False`).
    """

    text: str
    style: str = ""


class LastCell(Span, frozen=True, gc=False):
    """The last cell of a table's row: where it is wrapped it goes on below itself."""


Line = tuple[Span, ...]


def plain(text: object) -> str:
    """Text from outside without what a terminal would act on; a tab and a line break are spaces."""
    return _CONTROL.sub(_harmless, str(text))


def _harmless(match: re.Match[str]) -> str:
    return " " if match[0] in "\t\n\r" else "\N{REPLACEMENT CHARACTER}"


def content(text: object) -> Content:
    """Outside text for a label: never read as markup."""
    return Content("\n".join(plain(line) for line in str(text).split("\n")))


def line(*parts: str | tuple[str, str]) -> Line:
    """A line of spans: a string by itself has no style, a pair is text and style."""
    return tuple(
        Span(plain(part)) if isinstance(part, str) else Span(plain(part[0]), part[1])
        for part in parts
    )


def text_of(spans: Line) -> str:
    """The text of a line without its styles."""
    return "".join(span.text for span in spans)


def cells(text: str) -> int:
    """How many cells of a terminal the text takes."""
    return cell_len(text)


def fit(text: str, width: int, *, ellipsis: str = "…") -> str:
    """The text in exactly `width` cells, cut with an ellipsis where it is longer."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    mark = ellipsis[:width]
    return set_cell_size(text, width - len(mark)) + mark


def fit_middle(text: str, width: int, *, ellipsis: str = "…") -> str:
    """The text in at most `width` cells; the middle is left out, as both ends of a name tell."""
    if cell_len(text) <= width:
        return text
    if width <= len(ellipsis):
        return text[:width]
    room = width - len(ellipsis)
    head = (room + 1) // 2
    tail = room - head
    return text[:head] + ellipsis + (text[-tail:] if tail else "")


def cut(spans: Line, width: int, ellipsis: str = "…") -> Line:
    """A line in at most `width` cells, with an ellipsis where it is longer."""
    if sum(cell_len(span.text) for span in spans) <= width:
        return spans
    found: list[Span] = []
    room = width - len(ellipsis)
    for span in spans:
        if room <= 0:
            break
        text = span.text if cell_len(span.text) <= room else set_cell_size(span.text, room)
        found.append(Span(text, span.style))
        room -= cell_len(text)
    return (*found, Span(ellipsis, found[-1].style if found else ""))


def wrap(spans: Line, width: int, *, indent: int = 0) -> list[Line]:
    """Break a line at spaces so that it fits; continuation lines are indented."""
    width = max(width, indent + 8)
    if sum(cell_len(span.text) for span in spans) <= width:
        return [spans]
    found: list[Line] = []
    row: list[Span] = []
    used = 0
    for word, style in _words(spans):
        size = cell_len(word)
        if used + len_without_end(word) > width and used > (indent if found else 0):
            found.append(tuple(row))
            row, used = ([Span(" " * indent)] if indent else []), indent
            word = word.lstrip(" ")  # noqa: PLW2901 - what is left of the word
        if len_without_end(word) <= width - used:
            word = word[: len(word.rstrip(" ")) + max(0, width - used - len_without_end(word))]  # noqa: PLW2901 - what is left of the word
        size = cell_len(word)
        while size > width - used and size:
            take = _breaks_at(word, max(1, width - used))
            row.append(Span(set_cell_size(word, take), style))
            found.append(tuple(row))
            row, used = ([Span(" " * indent)] if indent else []), indent
            word = word[take:]  # noqa: PLW2901 - what is left of the word
            size = cell_len(word)
        if word:
            row.append(Span(word, style))
            used += size
    if row and text_of(tuple(row)).strip():
        found.append(tuple(row))
    return found


_JOINTS = "./,:=-_"


def _breaks_at(word: str, room: int) -> int:
    """Where a word that is too long is broken: after a sign that joins its parts, else where it must."""
    if cell_len(word) <= room:
        return room
    at = max(word.rfind(sign, 0, room) for sign in _JOINTS) + 1
    return at if at > 0 else room


def len_without_end(word: str) -> int:
    """Cells of a word without the spaces after it, which may hang over the edge."""
    return cell_len(word.rstrip(" "))


def _words(spans: Line) -> list[tuple[str, str]]:
    return [
        (word, span.style) for span in spans for word in re.findall(r" *[^ ]+ *| +", span.text)
    ]


def seconds_words(seconds: float) -> str:
    """A duration in two units at most: `0.3 s`, `42 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`."""
    if seconds < _DAY:
        return spoken(max(0.0, seconds))
    days, rest = divmod(round(seconds), _DAY)
    return f"{days} d {rest // _HOUR} h" if rest >= _HOUR else f"{days} d"
