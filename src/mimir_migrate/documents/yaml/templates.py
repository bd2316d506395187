"""Template text inside YAML: Terraform, Go, Jinja and environment placeholders.

A template is made readable as YAML without moving a single character: a line that is nothing but
directives becomes a comment line, and a placeholder inside a line becomes a word of the same
length. What was there can be read back from the original text at the same positions.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

import msgspec

_GO = r"\{\{(?:\"(?:[^\"\\]|\\.)*\"|`[^`]*`|[^}\"`]|\}(?!\}))*\}\}"
_TERRAFORM_CONTROL = r"%\{[^{}\n]*(?:\{[^{}\n]*\}[^{}\n]*)*\}"
_PLACEHOLDER = r"\$\{[^{}\n]*(?:\{[^{}\n]*\}[^{}\n]*)*\}"
_JINJA = r"\{%[^\n]*?%\}"
_MARKS = re.compile(f"{_GO}|{_TERRAFORM_CONTROL}|{_PLACEHOLDER}|{_JINJA}")
_LEAD = re.compile(r"(?:\{\{-?|%\{~?|\{%-?)\s*(?:/\*|([A-Za-z_]+))?")

_OPENS = {"if", "range", "with", "define", "block", "for", "unless"}
_ELSE = {"else", "elif", "elsif"}
_CLOSES = {"end", "endif", "endfor"}


class Directive(msgspec.Struct, frozen=True, kw_only=True):
    """A line, or lines, of nothing but template directives."""

    start: int
    end: int
    text: str


class Masked(msgspec.Struct, frozen=True, kw_only=True):
    """A text made readable as YAML, of the same length as the original."""

    text: str
    spans: tuple[tuple[int, int], ...] = ()
    """Where placeholders stand inside lines, sorted."""
    directives: tuple[Directive, ...] = ()
    """Lines that were made comments, sorted."""
    controls: tuple[int, ...] = ()
    """Where control words (`if`, `end`, …) stand, on lines of their own or not; sorted."""
    block_starts: tuple[int, ...] = ()
    """Where the set of open control blocks changes, sorted."""
    blocks: tuple[tuple[int, ...], ...] = ()
    """Which control blocks are open from each of those places on."""

    def as_it_stands(self, original: str) -> Masked:
        """Only the placeholders of a text that is YAML without any masking."""
        lines = ((each.start, each.end) for each in self.directives)
        return Masked(text=original, spans=tuple(sorted((*self.spans, *lines))))

    def touches(self, start: int, end: int) -> bool:
        """Whether a placeholder stands between two offsets."""
        position = bisect_left(self.spans, (start, 0))
        if position and self.spans[position - 1][1] > start:
            return True
        return position < len(self.spans) and self.spans[position][0] < end

    def block_at(self, offset: int) -> tuple[int, ...]:
        """The control blocks (`if`, `for`, …) that are open at an offset, outermost first."""
        position = bisect_right(self.block_starts, offset)
        return self.blocks[position - 1] if position else ()

    def directive_between(self, start: int, end: int) -> int | None:
        """The place of the first directive line or control word between two offsets."""
        lines = [each.start for each in self.directives if start <= each.start < end]
        words = [each for each in self.controls if start <= each < end]
        return min([*lines, *words], default=None)


def mask(text: str) -> Masked:
    """Make a template readable as YAML, character for character."""
    if "{{" not in text and "%{" not in text and "${" not in text and "{%" not in text:
        return Masked(text=text)
    pieces: list[str] = []
    spans: list[tuple[int, int]] = []
    directives: list[Directive] = []
    controls: list[tuple[int, int, str]] = []
    at = 0
    for match in _MARKS.finditer(text):
        start, end = match.span()
        pieces.append(text[at:start])
        word = match.group()
        if (keyword := _keyword(word)) and not _in_comment(text, start):
            controls.append((start, end, keyword))
        if _alone(text, start, end):
            directives.append(Directive(start=start, end=end, text=word))
            pieces.append(_commented(word))
        else:
            spans.append((start, end))
            pieces.append(_blanked(word, comment=_in_comment(text, start)))
        at = end
    pieces.append(text[at:])
    return Masked(
        text="".join(pieces),
        spans=tuple(spans),
        directives=tuple(directives),
        controls=tuple(start for start, _, _ in controls),
        block_starts=tuple(end for _, end, _ in controls),
        blocks=_blocks([keyword for _, _, keyword in controls]),
    )


def _keyword(word: str) -> str:
    if word.startswith("$"):
        return ""
    found = _LEAD.match(word)
    keyword = (found.group(1) or "") if found else ""
    return keyword if keyword in _OPENS | _ELSE | _CLOSES else ""


def _in_comment(text: str, offset: int) -> bool:
    """Whether a comment began earlier on the line; what it quotes directs nothing."""
    line = text[text.rfind("\n", 0, offset) + 1 : offset]
    return line.lstrip().startswith("#") or " #" in line


def _alone(text: str, start: int, end: int) -> bool:
    """Whether only spaces and other placeholders stand beside it on its lines."""
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    line_end = next((i for i in range(end, len(text)) if text[i] in "\r\n"), len(text))
    beside = text[line_start:start] + text[end:line_end]
    return not beside.strip() or not _MARKS.sub("", beside).strip()


def _blanked(word: str, *, comment: bool) -> str:
    """A placeholder as a word; where it goes on below, the next line stays indented as it was."""
    if comment and "\n" in word:
        first, rest = word.split("\n", 1)
        return re.sub(r"[^\r]", "x", first) + "\n" + _commented(rest)
    return re.sub(r"(\n[ \t]*)?[^\r\n]", lambda found: (found[1] or "") + "x", word)


def _commented(word: str) -> str:
    """The directive as comment text of the same length, each of its lines a comment."""
    return re.sub(r"(^|(?<=\n))([ \t]*)[^ \t\r\n]", r"\1\2#", word)


def _blocks(keywords: list[str]) -> tuple[tuple[int, ...], ...]:
    stack: list[int] = []
    blocks: list[tuple[int, ...]] = []
    for number, keyword in enumerate(keywords, start=1):
        if keyword not in _OPENS and stack:
            stack.pop()
        if keyword not in _CLOSES:
            stack.append(number)
        blocks.append(tuple(stack))
    return tuple(blocks)
