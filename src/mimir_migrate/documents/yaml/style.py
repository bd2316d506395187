"""How a text writes its YAML: indentation, quotes, line breaks; and new settings in that manner."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from mimir_migrate.documents.yaml.data import scalar_data
from mimir_migrate.documents.yaml.deltas import REMOVE, Delta
from mimir_migrate.documents.yaml.positions import Node, Text

_SAFE = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./+-]*\Z")
_PLACEHOLDER = re.compile(r"\$\{[A-Za-z0-9_.]+\}\Z")
_QUOTES = ("'", '"')
_MOSTLY = 0.6
_FEW = 2
"""A quote is the file's own when more words than this, and more than the share above, carry it."""


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """What a document does most of the time."""

    step: int
    """Columns that a mapping is indented below its key."""
    quote: str
    """Around words that need none; empty: plain."""
    line_break: str


def habits(text: Text, document: Node) -> Habits:
    """The habits of a document."""
    steps: Counter[int] = Counter()
    quotes: Counter[str] = Counter()
    for node in walk(document):
        if node.kind != "mapping" or node.flow or not node.entries:
            continue
        column = text.column_of(node.entries[0][0].start)
        for _, value in node.entries:
            if value.kind == "mapping" and not value.flow and value.entries:
                steps[text.column_of(value.entries[0][0].start) - column] += 1
            elif _is_word(value):
                quotes[value.style] += 1
    step = steps.most_common(1)[0][0] if steps else 2
    enough = max(_MOSTLY * quotes.total(), _FEW)
    quote = next((each for each in _QUOTES if quotes[each] > enough), "")
    windows = text.original.count("\r\n")
    line_break = "\r\n" if windows * 2 > text.original.count("\n") else "\n"
    return Habits(step=max(step, 1), quote=quote, line_break=line_break)


def _is_word(node: Node) -> bool:
    return (
        node.kind == "scalar"
        and node.style in {"", *_QUOTES}
        and bool(_SAFE.match(node.value))
        and isinstance(scalar_data(node), str)
    )


def step_near(text: Text, holder: Node, key: Node | None, usual: Habits) -> int:
    """The indentation below entries of a mapping, as its neighbourhood has it."""
    column = text.column_of(holder.entries[0][0].start)
    for _, value in holder.entries:
        if value.kind == "mapping" and not value.flow and value.entries:
            step = text.column_of(value.entries[0][0].start) - column
            if step > 0:
                return step
    above = column - text.column_of(key.start) if key is not None else 0
    return above if above > 0 else usual.step


def quote_near(holder: Node, usual: Habits) -> str:
    """The quote of a mapping's own texts where they agree."""
    styles = {
        value.style
        for _, value in holder.entries
        if value.kind == "scalar" and isinstance(scalar_data(value), str)
    }
    agreed = len(styles) == 1 and styles <= {"", *_QUOTES}
    return styles.pop() if agreed else usual.quote


def block_lines(delta: Delta, column: int, step: int, quote: str) -> list[str]:
    """The settings of a delta as lines, without line breaks."""
    lines: list[str] = []
    margin = " " * column
    for key, wanted in delta.items():
        if wanted is REMOVE:
            continue
        if isinstance(wanted, Mapping):
            lines.append(f"{margin}{key}:")
            lines += block_lines(wanted, column + step, step, quote)
        else:
            lines.append(f"{margin}{key}: {scalar_text(wanted, quote, flow=False)}")
    return lines


def flow_text(delta: Delta, text: Text, holder: Node, usual: Habits) -> str:
    """The settings of a delta as a flow mapping, padded and quoted as `holder` is."""
    pad = " " if text.original[holder.start : holder.end].startswith("{ ") else ""
    keys = [key for key, _ in holder.entries]
    key_quote = '"' if keys and all(key.style == '"' for key in keys) else ""
    return _flow(delta, key_quote or quote_near(holder, usual), key_quote, pad)


def _flow(delta: Delta, quote: str, key_quote: str, pad: str) -> str:
    parts: list[str] = []
    for key, wanted in delta.items():
        if wanted is REMOVE:
            continue
        value = (
            _flow(wanted, quote, key_quote, pad)
            if isinstance(wanted, Mapping)
            else scalar_text(wanted, quote, flow=True)
        )
        parts.append(f"{key_quote}{key}{key_quote}: {value}")
    return "{" + pad + ", ".join(parts) + pad + "}"


def scalar_text(value: str | bool, quote: str, *, flow: bool) -> str:
    """A value as YAML, with that quote unless it cannot be."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if quote == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if not quote and _plain_is_safe(value, flow=flow):
        return value
    return msgspec.json.encode(value).decode()


def _plain_is_safe(value: str, *, flow: bool) -> bool:
    if _PLACEHOLDER.match(value):
        return not flow
    probe = Node("scalar", 0, 0)
    probe.value = value
    return bool(_SAFE.match(value)) and isinstance(scalar_data(probe), str)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything in it, keys left out, aliases not followed."""
    yield node
    for _, value in node.entries:
        yield from walk(value)
    for item in node.items:
        yield from walk(item)
