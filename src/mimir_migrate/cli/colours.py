"""Colour for what a person reads in a terminal; none where anything else reads."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import TextIO

_CODES: Mapping[str, str] = {
    "heading": "1",
    "good": "32",
    "warn": "33",
    "bad": "31",
    "add": "32",
    "remove": "31",
    "dim": "2",
}
_OF_VERDICT: Mapping[str, str] = {
    "pass": "good",
    "fail": "bad",
    "unknown": "warn",
    "blocks": "bad",
    "warns": "warn",
    "informs": "dim",
}
_PLAIN_WIDTH = 100
_WIDEST = 160
"""Columns beyond which sentences are hard to read, whatever the terminal has."""


def is_coloured() -> bool:
    """Whether stdout is a terminal that wants colour."""
    wanted = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return wanted and sys.stdout.isatty()


def paint(text: str, role: str) -> str:
    """A text in the colour of its role, where there is colour."""
    return f"\x1b[{_CODES[role]}m{text}\x1b[0m" if is_coloured() and text else text


def verdict(word: str) -> str:
    """A verdict or a severity in its colour; spaces around it stay outside."""
    return paint(word, _OF_VERDICT.get(word.strip().lower(), "dim"))


def diff_line(line: str) -> str:
    """One line of a unified diff."""
    if line.startswith(("+++", "---", "@@")):
        return paint(line, "dim")
    if line.startswith("+"):
        return paint(line, "add")
    return paint(line, "remove") if line.startswith("-") else line


def print_diff(diff: str) -> None:
    """Print a unified diff: to a terminal in colour, to anything else byte for byte."""
    if not is_coloured():
        print(diff, end="")
        return
    for line in diff.splitlines():
        print(diff_line(plain(line)))


def plain(text: str) -> str:
    """Text from the world without what would steer the terminal that shows it."""
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" else f"\\x{ord(sign):02x}" for sign in text
    )


def one_line(text: str) -> str:
    """Somebody else's name or command as one line: no sign of it moves the terminal's cursor."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def width() -> int:
    """Columns that sentences are wrapped to."""
    if not sys.stdout.isatty():
        return _PLAIN_WIDTH
    return max(40, min(_WIDEST, shutil.get_terminal_size().columns))


def folded(text: str, stream: TextIO, *, under: int | None = None) -> str:
    """A text for somebody who reads it in a terminal: no line is broken inside a word.

    Elsewhere it stays as it is, one line of the program a line of the file.

    Args:
        text: Lines.
        stream: Where it is printed.
        under: Column that the rest of a long line begins in; left out: two after its first sign, and
            lines that are set in by four, as commands to copy are, stay whole.
    """
    if not stream.isatty():
        return text
    columns = max(40, shutil.get_terminal_size().columns)
    lines = []
    for line in text.split("\n"):
        own = len(line) - len(line.lstrip(" ")) + 2
        hanging = " " * min(own if under is None else max(own, under), columns // 2)
        lines += (
            textwrap.wrap(
                line,
                columns,
                subsequent_indent=hanging,
                break_long_words=False,
                break_on_hyphens=False,
                drop_whitespace=True,
            )
            if len(line) > columns and not (under is None and line.startswith("    "))
            else [line]
        )
    return "\n".join(lines)
