"""Settings inside a `mimir.config` string that the user has put in place of the chart's own.

The string is a Go template of YAML. It is never edited; what it sets is only looked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from mimir_migrate.documents.shapes import embed, node_at
from mimir_migrate.documents.yaml_positions import Node, Text, YamlError, parse

_ENTRY = re.compile(r"(?P<indent> *)(?P<key>[\w.-]+|\"[^\"]+\"|'[^']+'):(?:\s+(?P<value>.*))?$")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of the string: its text, and the offset in the values file's text."""

    value: str
    offset: int


def setting_in(text: Text, key: Node, holder: Node, path: Sequence[str]) -> Setting | None:
    """What the string sets at `path`; None: nothing. A mapping's value is empty."""
    if holder.style == "|":
        embedded = embed(text, key, holder)
        inner, outer_offset = embedded.text, embedded.outer_offset
    else:
        inner, outer_offset = Text(holder.value), lambda _: holder.start
    try:
        documents = parse(inner)
    except YamlError:
        found = _scan(inner, path)
    else:
        entry = node_at(documents[0], path) if documents else None
        found = (entry[1].value, entry[0].start) if entry else None
    return Setting(value=found[0], offset=outer_offset(found[1])) if found else None


def _scan(inner: Text, path: Sequence[str]) -> tuple[str, int] | None:
    """Find a path by indentation alone, for strings whose branches make no YAML together."""
    stack: list[tuple[int, str]] = []
    for number in range(len(inner.line_starts)):
        line = inner.line_text(number).rstrip()
        match = _ENTRY.match(line)
        if not match or line.lstrip().startswith(("#", "{{")):
            continue
        indent = len(match["indent"])
        while stack and stack[-1][0] >= indent:
            stack.pop()
        stack.append((indent, match["key"].strip("\"'")))
        if [key for _, key in stack] == list(path):
            return (match["value"] or "").split(" #")[0].strip(), inner.line_start(number) + indent
    return None
