"""Settings inside a `mimir.config` string that the user has put in place of the chart's own.

The string is a Go template of YAML. It is never edited; what it sets is only looked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from mimir_migrate.documents.values.nodes import node_at
from mimir_migrate.documents.values.shapes import embed
from mimir_migrate.documents.yaml.positions import Node, Text, YamlError, parse

_ENTRY = re.compile(r"(?P<indent> *)(?P<key>[\w.-]+|\"[^\"]+\"|'[^']+'):(?:\s+(?P<value>.*))?$")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of the string: its text, and the offset in the values' text."""

    value: str
    offset: int


class ReplacedTemplate:
    """The string, read once."""

    def __init__(self, text: Text, key: Node, holder: Node) -> None:
        self._outer_offset: Callable[[int], int]
        if holder.style == "|":
            embedded = embed(text, key, holder)
            self._inner, self._outer_offset = embedded.text, embedded.outer_offset
        else:
            self._inner, self._outer_offset = Text(holder.value), lambda _: holder.start
        try:
            documents = parse(self._inner)
        except YamlError:
            documents = []
        self._document = documents[0] if len(documents) == 1 else None

    def setting(self, path: Sequence[str]) -> Setting | None:
        """What the string sets at `path`; None: nothing. A mapping's value is empty."""
        if self._document is None:
            found = self._scan(path)
        else:
            entry = node_at(self._document, path)
            found = (entry[1].resolved.value, entry[0].start) if entry else None
        if found is None:
            return None
        return Setting(value=found[0], offset=self._outer_offset(found[1]))

    def _scan(self, path: Sequence[str]) -> tuple[str, int] | None:
        """Find a path by indentation only: a template's branches need not be YAML together."""
        inner = self._inner
        stack: list[tuple[int, str]] = []
        for number in range(len(inner.line_starts)):
            line = inner.line_text(number).rstrip()
            match = _ENTRY.match(line)
            if not match:
                continue
            indent = len(match["indent"])
            while stack and stack[-1][0] >= indent:
                stack.pop()
            stack.append((indent, match["key"].strip("\"'")))
            if [key for _, key in stack] == list(path):
                value = (match["value"] or "").split(" #")[0].strip().strip("\"'")
                return value, inner.line_start(number) + indent
        return None
