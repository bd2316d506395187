"""How `--values-root` names the place of the chart's values.

The keys are joined by dots: `spec.values`, `spec[0].values` or `spec.0.values` for items of lists,
`data."values.yaml".mimir` for keys with dots in them. `NAME:` before the keys chooses a document by its
`metadata.name`, `KIND/NAME:` by its kind too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

_DOCUMENT = re.compile(r"([\w./-]+):(?=.)")
_PART = re.compile(
    r"\.?(?:\[(?P<index>\d+)\]|\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<plain>[^.\[\"']+))"
)
_SIMPLE = re.compile(r"[\w/@-]+\Z")


class Part(msgspec.Struct, frozen=True):
    """One key of a name, or a number of a list's item."""

    text: str
    plain: bool
    """Written without quotes, so that it may be a part of a key with dots."""


class RootName(msgspec.Struct, frozen=True, kw_only=True):
    """What `--values-root` says."""

    document: str = ""
    """`NAME` or `KIND/NAME` of the document; empty: any."""
    parts: tuple[Part, ...] = ()


def root_name(text: str) -> RootName | None:
    """Read a root as somebody writes it; None: it cannot be read."""
    document = _DOCUMENT.match(text)
    at = document.end() if document else 0
    parts: list[Part] = []
    while at < len(text):
        match = _PART.match(text, at)
        if match is None or match.end() == at:
            return None
        named = [match["double"], match["single"], match["index"]]
        quoted = next((each for each in named if each is not None), None)
        parts.append(Part(match["plain"], True) if quoted is None else Part(quoted, False))
        at = match.end()
    return RootName(document=document.group(1) if document else "", parts=tuple(parts))


def written(keys: Sequence[str], *, quoted: bool = False) -> str:
    """Keys as `--values-root` takes them; all in quotes where dots could be read in two ways."""
    return ".".join(key if _SIMPLE.match(key) and not quoted else f'"{key}"' for key in keys)
