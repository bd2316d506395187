"""Replacements in a text, made by position, and what they come to in the file's bytes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.documents.yaml.positions import Text


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """Characters from `start` to `end` replaced by `text`.

    `whole_lines` says that both offsets are starts of lines (or the end of the text) and that
    `text` is made of whole lines.
    """

    start: int
    end: int
    text: str
    whole_lines: bool = False


def ordered(replacements: Sequence[Replacement]) -> list[Replacement]:
    """By place; at one place insertions come first, in the order in which they were made."""
    return sorted(replacements, key=lambda change: (change.start, change.end))


def replaced(text: str, replacements: Sequence[Replacement]) -> str:
    """The text after all replacements, which must not overlap."""
    pieces: list[str] = []
    at = 0
    for change in ordered(replacements):
        if change.start < at:
            raise ValueError(f"overlapping replacements at {change.start}")
        pieces += (text[at : change.start], change.text)
        at = change.end
    pieces.append(text[at:])
    return "".join(pieces)


class Embedded:
    """A literal block scalar of an outer text, seen as a text of its own."""

    def __init__(self, outer: Text, first_line: int, last_line: int, indent: int) -> None:
        self._indent = indent
        self._outer_starts: list[int] = []
        self._cuts: list[int] = []
        lines: list[str] = []
        for line in range(first_line, last_line + 1):
            content = outer.line_text(line)
            body = content.rstrip("\r\n")
            cut = min(indent, len(body))
            self._outer_starts.append(outer.line_start(line))
            self._cuts.append(cut)
            lines.append(content[cut:])
        self._outer_end = outer.line_start(last_line + 1)
        self.text = Text("".join(lines))

    def outer_offset(self, offset: int) -> int:
        """The place in the outer text of a place in this one."""
        line = self.text.line_of(offset)
        if line >= len(self._outer_starts):
            return self._outer_end
        return self._outer_starts[line] + self._cuts[line] + self.text.column_of(offset)

    def to_outer(self, change: Replacement) -> Replacement:
        """The replacement that does the same in the outer text."""
        margin = " " * self._indent
        if change.whole_lines:
            lines = change.text.splitlines(keepends=True)
            return Replacement(
                start=self._outer_line(change.start),
                end=self._outer_line(change.end),
                text="".join(_indented(line, margin) for line in lines),
                whole_lines=True,
            )
        return Replacement(
            start=self.outer_offset(change.start),
            end=self.outer_offset(change.end),
            text=change.text.replace("\n", "\n" + margin),
        )

    def _outer_line(self, offset: int) -> int:
        if offset >= len(self.text.original):
            return self._outer_end
        return self._outer_starts[self.text.line_of(offset)]


def _indented(line: str, margin: str) -> str:
    return margin + line if line.strip() else line
