"""Changes of settings in a YAML mapping, made in the text and nowhere else.

A change is a nested dictionary: text or a boolean sets a scalar, a dictionary goes into a mapping,
`REMOVE` takes an entry out. New lines follow the indentation, the quotes and the line breaks that
the text has where they go.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from mimir_migrate.documents.text_changes import Replacement
from mimir_migrate.documents.yaml_positions import Node, Text, find, scalar_data


class _Remove:
    """The type of `REMOVE`."""

    def __repr__(self) -> str:
        return "REMOVE"


REMOVE: Final = _Remove()

Delta = Mapping[str, Any]
Refuse = Callable[[str, str, int], Exception]
"""Makes the error of a refusal: class of the reason, message, offset in the text."""

_SAFE = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./+-]*\Z")
_PLACEHOLDER = re.compile(r"\$\{[A-Za-z0-9_.]+\}\Z")
_NEIGHBOURS = ("store", "multi", "dynamodb")
"""Keys of a `kvstore` that belong together."""
_MOSTLY = 0.6
"""A quote is the file's own when more than this share of its plain words carry it."""


def pruned(data: Any, delta: Delta) -> dict[str, Any]:
    """The delta without what changes nothing, and with mappings that it empties removed whole."""
    settings = data if isinstance(data, dict) else {}
    result: dict[str, Any] = {}
    for key, wanted in delta.items():
        if wanted is REMOVE:
            if key in settings:
                result[key] = REMOVE
        elif isinstance(wanted, Mapping):
            inner = pruned(settings.get(key), wanted)
            if inner:
                emptied = isinstance(settings.get(key), dict) and not applied(settings[key], inner)
                result[key] = REMOVE if emptied else inner
        elif key not in settings or not _same(settings[key], wanted):
            result[key] = wanted
    return result


def applied(data: Any, delta: Delta) -> dict[str, Any]:
    """The data after the delta, by the same rules as the text."""
    result = dict(data) if isinstance(data, dict) else {}
    for key, wanted in delta.items():
        if wanted is REMOVE:
            result.pop(key, None)
        elif isinstance(wanted, Mapping):
            result[key] = applied(result.get(key), wanted)
        else:
            result[key] = wanted
    return result


def _same(found: Any, wanted: Any) -> bool:
    return type(found) is type(wanted) and bool(found == wanted)


class MappingEditor:
    """Collects the replacements that make a delta true in one mapping of a text."""

    def __init__(self, text: Text, document: Node, refuse: Refuse) -> None:
        self._text = text
        self._refuse = refuse
        self._base_block = _common_block(text, document)
        self._step, self._quote = _habits(text, document)
        self._break = _line_break(text)
        self.replacements: list[Replacement] = []

    def change_value(self, value: Node, delta: Delta, *, key: Node | None, path: str) -> None:
        """Make `delta` true in `value`, the value of `key`, which may be null as yet."""
        if key is None and value.kind == "scalar" and _is_null(value):
            lines = self._lines(delta, 0, self._step, self._quote)
            self._insert_lines(self._document_end(), lines)
        elif key is not None and (_is_null(value) or _is_empty(value)):
            self._same_branch(key, key.value)
            self._fill(Node("mapping", key.start, value.end), key, value, delta)
        else:
            self.change(value, delta, key=key, path=path)

    def change(self, holder: Node, delta: Delta, *, key: Node | None, path: str) -> None:
        """Make `delta` true in `holder`, the value of `key` (None: the document itself)."""
        self._guard(holder, path)
        inserts: dict[str, Any] = {}
        for name, wanted in delta.items():
            where = f"{path}.{name}" if path else name
            found = find(holder, name)
            if found is None:
                if wanted is not REMOVE:
                    inserts[name] = wanted
                continue
            entry_key, value, merged = found
            if merged:
                self._merged(value, wanted, where)
                inserts[name] = wanted
                continue
            self._same_branch(entry_key, where)
            if wanted is REMOVE:
                self._remove(holder, entry_key, value, where)
            elif isinstance(wanted, Mapping):
                self._descend(holder, entry_key, value, wanted, where)
            else:
                self._replace(holder, entry_key, value, wanted, where)
        if inserts:
            self._insert(holder, inserts, key=key)

    # ---- guards -----------------------------------------------------------------------------

    def _guard(self, node: Node, path: str) -> None:
        if node.kind == "alias":
            raise self._refuse(
                "shared-alias",
                f"{path} is an alias of the anchor &{node.target.anchor}, which others use too",
                node.start,
            )
        if node.shared:
            raise self._refuse(
                "shared-alias",
                f"{path} carries the anchor &{node.anchor}, which is used elsewhere too",
                node.start,
            )

    def _merged(self, value: Node, wanted: Any, path: str) -> None:
        """An entry that came in by a merge key can be covered by an own one, if that is whole."""
        if wanted is REMOVE or value.resolved.kind != "scalar":
            raise self._refuse(
                "shared-alias", f"{path} comes from a merge key that others share", value.start
            )

    def _same_branch(self, node: Node, path: str) -> None:
        if self._text.masked.block_at(node.start) != self._base_block:
            raise self._refuse(
                "template-directive",
                f"{path} stands in one branch of a template directive only",
                node.start,
            )

    def _no_directive(self, start: int, end: int, path: str) -> None:
        directive = self._text.masked.directive_between(start, end)
        if directive:
            raise self._refuse(
                "template-directive",
                f"a template directive stands inside {path}",
                directive.start,
            )

    # ---- changes ----------------------------------------------------------------------------

    def _descend(self, holder: Node, key: Node, value: Node, delta: Delta, path: str) -> None:
        if value.kind == "alias" or (value.kind == "mapping" and (value.entries or holder.flow)):
            self.change(value, delta, key=key, path=path)
        elif value.kind == "mapping" or _is_null(value):
            self._guard(value, path)
            self._fill(holder, key, value, delta)
        else:
            raise self._refuse(
                "no-chart-values",
                f"{path} is no mapping, so nothing can be set in it",
                value.start,
            )

    def _replace(self, holder: Node, key: Node, value: Node, wanted: Any, path: str) -> None:
        self._guard(value, path)
        self._no_directive(key.start, value.end, path)
        quote = value.style if value.style in {"'", '"'} else ""
        if not quote and (value.kind != "scalar" or _is_null(value)):
            quote = self._quote_near(holder)
        text = _scalar(wanted, quote, flow=holder.flow)
        if _is_null(value) and value.value == "":
            after_colon = self._after_colon(key)
            self.replacements.append(
                Replacement(start=after_colon, end=after_colon, text=f" {text}")
            )
            return
        if value.kind != "scalar":
            raise self._refuse("no-chart-values", f"{path} is no plain value", value.start)
        start = self._text.value_start(value)
        self.replacements.append(Replacement(start=start, end=value.end, text=text))

    def _fill(self, holder: Node, key: Node, value: Node, delta: Delta) -> None:
        """Put settings into an entry that is null or `{}`."""
        start = self._after_colon(key)
        written = value.end > value.start
        if holder.flow:
            text = " " + self._flow(delta, holder)
            end = value.end if written else start
            self.replacements.append(Replacement(start=start, end=end, text=text))
            return
        if written:
            tail = self._text.value_start(value)
            begin = start if tail <= start + 1 or value.start == tail else value.start
            keep = self._text.original[begin:tail].rstrip() if value.start != tail else ""
            gap = " " + keep.strip() if keep.strip() else ""
            self.replacements.append(Replacement(start=start, end=value.end, text=gap))
        column = self._text.column_of(key.start)
        lines = self._lines(delta, column + self._step, self._step, self._quote)
        after = self._text.line_of(max(value.end - 1, key.end) if written else key.end)
        self._insert_lines(after, lines)

    def _remove(self, holder: Node, key: Node, value: Node, path: str) -> None:
        for node in _walk(value):
            if node.shared:
                raise self._refuse(
                    "shared-alias",
                    f"{path} holds the anchor &{node.anchor}, which is used elsewhere",
                    node.start,
                )
        if holder.flow:
            self.replacements.append(self._flow_removal(holder, key))
            return
        first = self._text.line_of(key.start)
        last = self._last_line(key, value)
        self._no_directive(self._text.line_start(first), self._text.line_start(last + 1), path)
        if self._text.original[self._text.line_start(first) : key.start].strip():
            raise self._refuse(
                "no-chart-values", f"{path} shares its line with something else", key.start
            )
        covered = {first}
        for node in _walk(value):
            if node.kind in {"scalar", "alias"} or node.flow:
                covered |= set(range(self._text.line_of(node.start), self._line_at_end(node) + 1))
        for name in _keys_of(value):
            covered.add(self._text.line_of(name.start))
        for run_start, run_end in _runs(covered & set(range(first, last + 1))):
            self.replacements.append(
                Replacement(
                    start=self._text.line_start(run_start),
                    end=self._text.line_start(run_end + 1),
                    text="",
                    whole_lines=True,
                )
            )

    def _flow_removal(self, holder: Node, key: Node) -> Replacement:
        position = next(i for i, entry in enumerate(holder.entries) if entry[0] is key)
        value = holder.entries[position][1]
        if position + 1 < len(holder.entries):
            return Replacement(start=key.start, end=holder.entries[position + 1][0].start, text="")
        if position:
            before_key, before_value = holder.entries[position - 1]
            return Replacement(
                start=max(before_key.end, before_value.end),
                end=max(key.end, value.end),
                text="",
            )
        return Replacement(start=key.start, end=max(key.end, value.end), text="")

    def _insert(self, holder: Node, inserts: Delta, *, key: Node | None) -> None:
        if holder.flow:
            self._insert_flow(holder, inserts)
            return
        if not holder.entries:
            lines = self._lines(inserts, 0, self._step, self._quote)
            self._insert_lines(self._document_end(), lines)
            return
        column = self._text.column_of(holder.entries[0][0].start)
        step = self._step_near(holder, column, key)
        lines = self._lines(inserts, column, step, self._quote_near(holder))
        entry = self._entry_before(holder, inserts)
        if entry is None:
            above = key.end if key is not None else holder.entries[0][0].start
            line = self._text.line_of(above) - (0 if key is not None else 1)
            self._insert_lines(line, lines)
            return
        if _keeps_breaks(self._text, entry[1]):
            self._insert_lines(self._text.line_of(holder.entries[0][0].start) - 1, lines)
            return
        last = self._last_line(*entry)
        if entry is holder.entries[-1] and not set(inserts) & set(_NEIGHBOURS):
            last = self._behind_comments(last, column)
        self._insert_lines(last, lines)

    def _entry_before(self, holder: Node, inserts: Delta) -> tuple[Node, Node] | None:
        """The entry that the new ones follow; None: they come first."""
        block_at = self._text.masked.block_at
        usable = [e for e in holder.entries if block_at(e[0].start) == self._base_block]
        if set(inserts) & set(_NEIGHBOURS):
            related = [entry for entry in usable if entry[0].value in _NEIGHBOURS]
            if related:
                return related[-1]
        return usable[-1] if usable else None

    def _insert_flow(self, holder: Node, inserts: Delta) -> None:
        if not holder.entries:
            start = self._text.value_start(holder)
            text = self._flow(inserts, holder)
            self.replacements.append(Replacement(start=start, end=holder.end, text=text))
            return
        key, value = holder.entries[-1]
        at = max(key.end, value.end)
        inner = self._flow(inserts, holder)[1:-1].strip()
        self.replacements.append(Replacement(start=at, end=at, text=f", {inner}"))

    # ---- places -----------------------------------------------------------------------------

    def _after_colon(self, key: Node) -> int:
        return self._text.original.index(":", key.end) + 1

    def _line_at_end(self, node: Node) -> int:
        return self._text.line_of(max(node.start, node.end - 1))

    def _last_line(self, key: Node, value: Node) -> int:
        return max(self._text.line_of(key.end), self._line_at_end(value))

    def _behind_comments(self, line: int, column: int) -> int:
        """The last of the comment lines right below that belong to a mapping at `column`."""
        text = self._text
        if column == 0:
            return self._document_end(line)
        while line + 1 < len(text.line_starts):
            body = text.line_text(line + 1)
            stripped = body.lstrip(" ")
            if not stripped.startswith("#") or len(body) - len(stripped) < column:
                break
            line += 1
        return line

    def _document_end(self, line: int = -1) -> int:
        """The last line of the document that says something, comments included."""
        text = self._text
        last = line
        while line + 1 < len(text.line_starts):
            body = text.line_text(line + 1)
            if text.masked.directive_between(
                text.line_start(line + 1), text.line_start(line + 2)
            ) or body.startswith(("---", "...")):
                break
            line += 1
            if body.strip():
                last = line
        return last

    def _insert_lines(self, after: int, lines: Sequence[str]) -> None:
        """Insert lines below the line `after`; -1: at the very beginning."""
        text = self._text
        at = text.line_start(after + 1)
        joined = self._break.join(lines)
        if at == len(text.original) and text.original and text.original[-1] not in "\r\n":
            change = Replacement(start=at, end=at, text=self._break + joined)
        else:
            change = Replacement(start=at, end=at, text=joined + self._break, whole_lines=True)
        self.replacements.append(change)

    # ---- style ------------------------------------------------------------------------------

    def _step_near(self, holder: Node, column: int, key: Node | None) -> int:
        for _, value in holder.entries:
            if value.kind == "mapping" and not value.flow and value.entries:
                step = self._text.column_of(value.entries[0][0].start) - column
                if step > 0:
                    return step
        if key is not None:
            step = column - self._text.column_of(key.start)
            if step > 0:
                return step
        return self._step

    def _quote_near(self, holder: Node) -> str:
        styles = {
            value.style
            for _, value in holder.entries
            if value.kind == "scalar" and isinstance(scalar_data(value), str)
        }
        return styles.pop() if len(styles) == 1 and styles <= {"", "'", '"'} else self._quote

    def _lines(self, delta: Delta, column: int, step: int, quote: str) -> list[str]:
        lines: list[str] = []
        margin = " " * column
        for key, wanted in delta.items():
            if wanted is REMOVE:
                continue
            if isinstance(wanted, Mapping):
                lines.append(f"{margin}{key}:")
                lines += self._lines(wanted, column + step, step, quote)
            else:
                lines.append(f"{margin}{key}: {_scalar(wanted, quote, flow=False)}")
        return lines

    def _flow(self, delta: Delta, holder: Node) -> str:
        """A flow mapping, padded and quoted as `holder` is."""
        pad = " " if self._text.original[holder.start : holder.end].startswith("{ ") else ""
        keys = [key for key, _ in holder.entries]
        key_quote = '"' if keys and all(key.style == '"' for key in keys) else ""
        quote = key_quote or self._quote_near(holder)
        return _flow_text(delta, quote, key_quote, pad)


def _flow_text(delta: Delta, quote: str, key_quote: str, pad: str) -> str:
    parts: list[str] = []
    for key, wanted in delta.items():
        if wanted is REMOVE:
            continue
        value = (
            _flow_text(wanted, quote, key_quote, pad)
            if isinstance(wanted, Mapping)
            else _scalar(wanted, quote, flow=True)
        )
        parts.append(f"{key_quote}{key}{key_quote}: {value}")
    return "{" + pad + ", ".join(parts) + pad + "}"


def _scalar(value: str | bool, quote: str, *, flow: bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if quote == "'" and "\n" not in value:
        return "'" + value.replace("'", "''") + "'"
    if not quote and _plain_is_safe(value, flow=flow):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _plain_is_safe(value: str, *, flow: bool) -> bool:
    if _PLACEHOLDER.match(value):
        return not flow
    probe = Node("scalar", 0, 0)
    probe.value = value
    return bool(_SAFE.match(value)) and isinstance(scalar_data(probe), str)


def _is_null(node: Node) -> bool:
    return node.kind == "scalar" and scalar_data(node) is None


def _is_empty(node: Node) -> bool:
    return node.kind == "mapping" and not node.entries


def _walk(node: Node) -> Iterator[Node]:
    """The node and everything in it, aliases not followed."""
    yield node
    for _, value in node.entries:
        yield from _walk(value)
    for item in node.items:
        yield from _walk(item)


def _keys_of(node: Node) -> Iterator[Node]:
    for part in _walk(node):
        for key, _ in part.entries:
            yield key


def _runs(lines: set[int]) -> Iterator[tuple[int, int]]:
    """Lines as runs of neighbours."""
    start = previous = None
    for line in sorted(lines):
        if previous is None or line != previous + 1:
            if start is not None and previous is not None:
                yield start, previous
            start = line
        previous = line
    if start is not None and previous is not None:
        yield start, previous


def _keeps_breaks(text: Text, node: Node) -> bool:
    """Whether a node ends with a block scalar that keeps the blank lines behind it (`|+`)."""
    while node.entries or node.items:
        node = node.entries[-1][1] if node.entries else node.items[-1]
    header = text.original[text.value_start(node) : node.end].split("\n", 1)[0]
    return node.style in {"|", ">"} and "+" in header.split("#")[0]


def _common_block(text: Text, document: Node) -> tuple[int, ...]:
    """The control blocks that enclose everything in the document."""
    blocks = [text.masked.block_at(key.start) for key, _ in document.entries]
    if not blocks:
        return ()
    common: list[int] = []
    for level in zip(*blocks, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return tuple(common)


def _habits(text: Text, document: Node) -> tuple[int, str]:
    """The document's usual indentation step and quote."""
    steps: Counter[int] = Counter()
    quotes: Counter[str] = Counter()
    for node in _walk(document):
        if node.kind != "mapping" or node.flow or not node.entries:
            continue
        column = text.column_of(node.entries[0][0].start)
        for _, value in node.entries:
            if value.kind == "mapping" and not value.flow and value.entries:
                steps[text.column_of(value.entries[0][0].start) - column] += 1
            elif value.kind == "scalar" and _SAFE.match(value.value):
                if isinstance(scalar_data(value), str) and value.style in {"", "'", '"'}:
                    quotes[value.style] += 1
    step = steps.most_common(1)[0][0] if steps else 2
    total = sum(quotes.values())
    quote = next((q for q in ("'", '"') if total and quotes[q] / total > _MOSTLY), "")
    return max(step, 1), quote


def _line_break(text: Text) -> str:
    windows = text.original.count("\r\n")
    return "\r\n" if windows and windows * 2 > text.original.count("\n") else "\n"
