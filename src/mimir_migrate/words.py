"""Numbers with their nouns, steps with their numbers, names in a row."""

from __future__ import annotations

import re
from collections.abc import Sequence, Sized
from difflib import get_close_matches

_PLAIN_BEGIN = re.compile(r"[a-z]+[,:;]?(?=\s|\Z)")
_PLAIN_END = re.compile(r"(?:\A|\s)\(?[A-Za-z]+\)?\Z|`\Z")
"""A word, or something in backticks: behind a name, a path or a value a full stop could be taken for a part."""


def sentence(text: str) -> str:
    """A next step with a capital and a full stop, where it begins and ends with plain words."""
    if _PLAIN_BEGIN.match(text):
        text = text[0].upper() + text[1:]
    return f"{text}." if _PLAIN_END.search(text) else text


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 pod`, `3 pods`, `2 switches`; `many` where it is formed otherwise."""
    if number == 1:
        return f"1 {one}"
    return f"{number} {many or one + ('es' if one.endswith('ch') else 's')}"


def placed(step: str, index: int, of: int) -> str:
    """A step by its name, which stays the same in every plan, then its number: `switch, step 4 of 6`."""
    return f"{step}, step {index} of {of}"


def joined(names: Sequence[str], word: str = "and") -> str:
    """Names as they are read aloud: `ruler`, `ruler and compactor`, `ruler, compactor and ingester`."""
    if len(names) <= 1:
        return "".join(names)
    return ", ".join(names[:-1]) + f" {word} " + names[-1]


def form(things: Sized, one: str, many: str) -> str:
    """The form of a verb, or of a noun, that stands with so many: `ruler waits`, `ruler, compactor wait`."""
    return one if len(things) == 1 else many


def meant(given: str, allowed: Sequence[str]) -> str:
    """Which of the allowed words was meant, and which there are."""
    close = get_close_matches(given, allowed, n=1)
    said = f"Did you mean {close[0]}? " if close else ""
    return said + "There are: " + ", ".join(allowed) + "."
