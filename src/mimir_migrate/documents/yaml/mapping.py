"""Changes of settings in a YAML mapping, made in the text and nowhere else.

New lines follow the indentation, the quotes and the line breaks that the text has where they go;
what is not addressed is not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mimir_migrate.documents.yaml.changes import Replacement
from mimir_migrate.documents.yaml.data import find, scalar_data
from mimir_migrate.documents.yaml.deltas import REMOVE, Delta
from mimir_migrate.documents.yaml.places import (
    NoPlaceError,
    Places,
    common_branch,
    keeps_breaks,
)
from mimir_migrate.documents.yaml.positions import Node, Text
from mimir_migrate.documents.yaml.style import (
    block_lines,
    flow_text,
    habits,
    quote_near,
    scalar_text,
    step_near,
    walk,
)

Refuse = Callable[[str, str, int], Exception]
"""Makes the error of a refusal: class of the reason, message, offset in the text."""

_NEIGHBOURS = frozenset({"store", "multi", "dynamodb"})
"""Keys of a `kvstore` that belong together."""


class MappingEditor:
    """Collects the replacements that make a delta true in one mapping of a text."""

    def __init__(
        self, text: Text, document: Node, refuse: Refuse, *, keep_comments: bool = True
    ) -> None:
        self._text = text
        self._keep_comments = keep_comments
        self._refuse = refuse
        self._habits = habits(text, document)
        self._places = Places(text, common_branch(text, document))
        self.replacements: list[Replacement] = []
        self._flow_removed: dict[int, tuple[set[int], list[Replacement]]] = {}
        """By flow mapping: the positions of entries that go, and the replacements that take them."""

    def change_value(self, value: Node, delta: Delta, *, key: Node | None) -> None:
        """Make `delta` true in the chart's values, which may be empty as yet.

        Args:
            value: the values.
            delta: the change.
            key: the key of the values; None: they are the whole document.
        """
        if key is None and _is_null(value):
            lines = block_lines(delta, 0, self._habits.step, self._habits.quote)
            self._insert_lines(self._places.document_end(), lines)
        elif key is not None and (_is_null(value) or _is_empty(value)):
            self._same_branch(key, key.value)
            self._fill(Node("mapping", key.start, value.end), key, value, delta)
        else:
            self._change(value, delta, key=key, path="")

    def _change(self, holder: Node, delta: Delta, *, key: Node | None, path: str) -> None:
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
            for other, _ in holder.entries:
                if other.value == name:
                    self._same_branch(other, where)
            if wanted is REMOVE:
                self._remove(holder, entry_key, value, where)
            elif isinstance(wanted, Mapping):
                self._descend(holder, entry_key, value, wanted, where)
            else:
                self._replace(holder, entry_key, value, wanted, where)
        if inserts:
            self._insert(holder, inserts, key=key, path=path)

    # ---- guards -----------------------------------------------------------------------------

    def _guard(self, node: Node, path: str) -> None:
        shown = path or "the chart's values"
        if node.kind == "alias":
            raise self._refuse(
                "shared-alias",
                f"{shown} is an alias of the anchor &{node.target.anchor}, which others use too",
                node.start,
            )
        if node.shared:
            raise self._refuse(
                "shared-alias",
                f"{shown} carries the anchor &{node.anchor}, which is used elsewhere too",
                node.start,
            )

    def _merged(self, value: Node, wanted: Any, path: str) -> None:
        """An entry from a merge key can be covered by an own one, but not taken out."""
        if wanted is REMOVE or value.resolved.kind != "scalar":
            raise self._refuse(
                "shared-alias", f"{path} comes from a merge key that others share", value.start
            )

    def _same_branch(self, node: Node, path: str) -> None:
        if not self._places.in_branch(node):
            raise self._refuse(
                "template-directive",
                f"{path} stands in one branch of a template directive only",
                node.start,
            )

    def _no_directive(self, start: int, end: int, path: str) -> None:
        directive = self._text.masked.directive_between(start, end)
        if directive is not None:
            raise self._refuse(
                "template-directive", f"a template directive stands inside {path}", directive
            )

    # ---- existing entries -------------------------------------------------------------------

    def _descend(self, holder: Node, key: Node, value: Node, delta: Delta, path: str) -> None:
        if value.kind == "alias" or (value.kind == "mapping" and (value.entries or holder.flow)):
            self._change(value, delta, key=key, path=path)
            if value.entries and not value.flow and _empties(value, delta):
                # Without brackets nothing would be left of it but a null.
                colon = self._after_colon(key)
                self.replacements.append(Replacement(start=colon, end=colon, text=" {}"))
        elif _is_empty(value) or _is_null(value):
            self._guard(value, path)
            self._fill(holder, key, value, delta)
        else:
            raise self._refuse(
                "no-chart-values",
                f"{path} is not a mapping, so nothing can be set in it",
                value.start,
            )

    def _replace(self, holder: Node, key: Node, value: Node, wanted: Any, path: str) -> None:
        self._guard(value, path)
        self._no_directive(key.start, value.end, path)
        if value.kind != "scalar":
            raise self._refuse("no-chart-values", f"{path} is not a plain value", value.start)
        null = _is_null(value)
        quote = value.style if value.style in {"'", '"'} else ""
        if null:
            quote = quote_near(holder, self._habits)
        text = scalar_text(wanted, quote, flow=holder.flow)
        if null and not value.value:
            colon = self._after_colon(key)
            self.replacements.append(Replacement(start=colon, end=colon, text=f" {text}"))
            return
        if self._text.masked.touches(value.start, value.end):
            raise self._refuse(
                "template-directive",
                f"{path} is filled in by a template ({value.value})",
                value.start,
            )
        start = self._text.value_start(value)
        self.replacements.append(Replacement(start=start, end=value.end, text=text))

    def _fill(self, holder: Node, key: Node, value: Node, delta: Delta) -> None:
        """Put settings into an entry that is null or `{}`."""
        colon = self._after_colon(key)
        written = value.end > value.start
        content = self._text.value_start(value) if written else colon
        end = value.end if written else colon
        if holder.flow:
            text = ("" if content > colon else " ") + flow_text(
                delta, self._text, holder, self._habits
            )
            self.replacements.append(Replacement(start=content, end=end, text=text))
            return
        if written:
            # An anchor or a tag before the value stays.
            start = content if content > value.start else colon
            self.replacements.append(Replacement(start=start, end=end, text=""))
        step = self._habits.step
        column = self._text.column_of(key.start) + step
        lines = block_lines(delta, column, step, self._habits.quote)
        self._insert_lines(
            self._places.settled(self._text.line_of(max(end - 1, colon - 1))), lines
        )

    def _remove(self, holder: Node, key: Node, value: Node, path: str) -> None:
        for node in walk(value):
            if node.shared:
                raise self._refuse(
                    "shared-alias",
                    f"{path} holds the anchor &{node.anchor}, which is used elsewhere",
                    node.start,
                )
        if holder.flow:
            gone, earlier = self._flow_removed.setdefault(id(holder), (set(), []))
            gone.add(next(i for i, entry in enumerate(holder.entries) if entry[0] is key))
            for removal in earlier:
                self.replacements.remove(removal)
            earlier[:] = _flow_removals(holder, gone)
            self.replacements += earlier
            return
        text = self._text
        first = text.line_of(key.start)
        last = self._places.last_line(key, value)
        self._no_directive(text.line_start(first), text.line_start(last + 1), path)
        if text.original[text.line_start(first) : key.start].strip():
            raise self._refuse(
                "no-chart-values", f"{path} shares its line with something else", key.start
            )
        covered = {first} | {text.line_of(name.start) for name in _keys_of(value)}
        for node in walk(value):
            if node.kind in {"scalar", "alias"} or node.flow:
                covered |= set(range(text.line_of(node.start), self._places.line_at_end(node) + 1))
        # A null value may be placed behind its entry.
        whole = set(range(first, last + 1))
        covered = covered & whole if self._keep_comments else whole
        for run_start, run_end in _runs(covered):
            self.replacements.append(
                Replacement(
                    start=text.line_start(run_start),
                    end=text.line_start(run_end + 1),
                    text="",
                    whole_lines=True,
                )
            )

    # ---- new entries ------------------------------------------------------------------------

    def _insert(self, holder: Node, inserts: Delta, *, key: Node | None, path: str) -> None:
        if holder.flow:
            self._insert_flow(holder, inserts)
            return
        column = self._text.column_of(holder.entries[0][0].start)
        step = step_near(self._text, holder, key, self._habits)
        lines = block_lines(inserts, column, step, quote_near(holder, self._habits))
        try:
            self._insert_lines(self._line_before(holder, inserts, key), lines)
        except NoPlaceError as error:
            raise self._refuse(
                "template-directive",
                f"a template directive stands where {path or 'the setting'} is to be changed",
                error.offset,
            ) from error

    def _line_before(self, holder: Node, inserts: Delta, key: Node | None) -> int:
        """The line that new entries of a block mapping go below."""
        text = self._text
        close = bool(set(inserts) & _NEIGHBOURS)
        usable = [entry for entry in holder.entries if self._places.in_branch(entry[0])]
        related = [entry for entry in usable if close and entry[0].value in _NEIGHBOURS]
        candidates = related or usable
        for entry in reversed(candidates):
            if not keeps_breaks(text, entry[1]):
                close = bool(related) or entry is not candidates[-1]
                return self._places.behind(entry, holder, close=close)
        if key is not None:
            return self._places.settled(text.line_of(key.end))
        return self._places.settled(text.line_of(holder.entries[0][0].start) - 1)

    def _insert_flow(self, holder: Node, inserts: Delta) -> None:
        text = flow_text(inserts, self._text, holder, self._habits)
        if not holder.entries:
            start = self._text.value_start(holder)
            self.replacements.append(Replacement(start=start, end=holder.end, text=text))
            return
        key, value = holder.entries[-1]
        at = max(key.end, value.end)
        inner = text[1:-1].strip()
        self.replacements.append(Replacement(start=at, end=at, text=f", {inner}"))

    def _insert_lines(self, after: int, lines: Sequence[str]) -> None:
        """Insert lines below the line `after`; -1: at the very beginning."""
        text, line_break = self._text, self._habits.line_break
        at = text.line_start(after + 1)
        joined = line_break.join(lines)
        if at == len(text.original) and text.original and text.original[-1] not in "\r\n":
            change = Replacement(start=at, end=at, text=line_break + joined)
        else:
            change = Replacement(start=at, end=at, text=joined + line_break, whole_lines=True)
        self.replacements.append(change)

    def _after_colon(self, key: Node) -> int:
        return self._text.original.index(":", key.end) + 1


def _flow_removals(holder: Node, gone: set[int]) -> Iterator[Replacement]:
    """What takes the entries at these positions out, each run of neighbours at once."""
    entries = holder.entries
    first: int | None = None
    for number in range(len(entries) + 1):
        if number in gone:
            first = number if first is None else first
            continue
        if first is None:
            continue
        if number < len(entries):
            start, end = entries[first][0].start, entries[number][0].start
        else:
            end = max(node.end for node in entries[number - 1][:2])
            start = (
                max(node.end for node in entries[first - 1][:2]) if first else entries[0][0].start
            )
        yield Replacement(start=start, end=end, text="")
        first = None


def _is_null(node: Node) -> bool:
    return node.kind == "scalar" and scalar_data(node) is None


def _is_empty(node: Node) -> bool:
    return node.kind == "mapping" and not node.entries


def _empties(node: Node, delta: Delta) -> bool:
    """Whether a delta takes every entry out of a mapping."""
    return all(delta.get(key.value) is REMOVE for key, _ in node.entries) and all(
        wanted is REMOVE for wanted in delta.values()
    )


def _keys_of(node: Node) -> Iterator[Node]:
    for part in walk(node):
        for key, _ in part.entries:
            yield key


def _runs(lines: set[int]) -> Iterator[tuple[int, int]]:
    """Lines as runs of neighbours, first and last of each."""
    run: list[int] = []
    for line in sorted(lines):
        if run and line != run[-1] + 1:
            yield run[0], run[-1]
            run = []
        run.append(line)
    if run:
        yield run[0], run[-1]
