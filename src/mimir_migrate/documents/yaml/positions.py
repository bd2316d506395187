"""YAML with the place of every part of it in the text.

Texts are read through events, which carry positions, anchors and aliases; libyaml reads them where
PyYAML was built with it, ruamel.yaml everywhere else. Offsets count characters of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, Literal

from mimir_migrate.documents.yaml.templates import mask

Kind = Literal["scalar", "mapping", "sequence", "alias"]

_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]+)*")
_MAX_DEPTH = 200
_VERSION = (1, 1)


class YamlError(Exception):
    """A text is not YAML. `offset` counts characters; -1: not known."""

    def __init__(self, problem: str, offset: int = -1) -> None:
        super().__init__(problem)
        self.problem = problem
        self.offset = offset


class DuplicateKeyError(YamlError):
    """A mapping holds a key twice."""

    def __init__(self, key: str, offset: int, first: int) -> None:
        super().__init__(f"the key {key!r} stands twice in one mapping", offset)
        self.key = key
        self.first = first


class Node:
    """One part of a YAML text: a scalar, a mapping, a sequence or an alias of one of them."""

    __slots__ = (
        "anchor",
        "end",
        "entries",
        "flow",
        "items",
        "kind",
        "shared",
        "start",
        "style",
        "tag",
        "target",
        "value",
    )

    def __init__(self, kind: Kind, start: int, end: int) -> None:
        self.kind: Kind = kind
        self.start = start
        """Offset of the first character, anchor and tag included."""
        self.end = end
        """Offset behind the last character of content."""
        self.anchor = ""
        self.tag = ""
        self.value = ""
        """A scalar's content as text."""
        self.style = ""
        """A scalar's style: empty for plain, `'`, `"`, `|` or `>`."""
        self.flow = False
        """Whether a collection is written with brackets."""
        self.entries = _NO_ENTRIES if kind != "mapping" else []
        self.items = _NO_ITEMS if kind != "sequence" else []
        self.target: Node = self
        """What an alias stands for; the node itself for everything else."""
        self.shared = False
        """Whether an alias stands for this node somewhere."""

    @property
    def resolved(self) -> Node:
        """What an alias stands for; itself for everything else."""
        return self.target

    def get(self, key: str) -> tuple[Node, Node] | None:
        """The entry of a mapping with that key, merge keys not followed; the last one wins."""
        for entry in reversed(self.entries):
            if entry[0].kind == "scalar" and entry[0].value == key:
                return entry
        return None


# Shared by all nodes that can hold nothing, of which a file has thousands.
_NO_ENTRIES: list[tuple[Node, Node]] = []
_NO_ITEMS: list[Node] = []


class Text:
    """A text, its template-free twin, and its lines."""

    def __init__(self, original: str) -> None:
        self.original = original
        self.masked = mask(original)
        """What `parse` reads; placeholders where the text is YAML as it stands, else all of a template."""
        self._starts: list[int] | None = None

    @property
    def line_starts(self) -> list[int]:
        """The offset of every line."""
        if self._starts is None:
            breaks = re.finditer(r"\r\n|\n|\r", self.original)
            self._starts = [0, *(match.end() for match in breaks)]
        return self._starts

    def line_of(self, offset: int) -> int:
        """The line that an offset is on, counted from 0."""
        return bisect_right(self.line_starts, offset) - 1

    def column_of(self, offset: int) -> int:
        """The column of an offset, counted from 0."""
        return offset - self.line_starts[self.line_of(offset)]

    def line_start(self, line: int) -> int:
        """The offset of a line; the end of the text behind the last one."""
        starts = self.line_starts
        return starts[line] if line < len(starts) else len(self.original)

    def line_text(self, line: int) -> str:
        """A line with its line break."""
        return self.original[self.line_start(line) : self.line_start(line + 1)]

    def value_start(self, node: Node) -> int:
        """Where a node's value begins behind its anchor and tag."""
        found = _PROPERTIES.match(self.original, node.start, node.end)
        return found.end() if found else node.start


def parse(text: Text, *, repeated: bool = False, first_only: bool = False) -> list[Node]:
    """Read every document of a text; an empty document is a null scalar.

    A text with placeholders is read as it stands where it is YAML, as Helm would read it: a writer of
    YAML may have folded a placeholder over two lines, and what looks like a directive may be part of
    a text or a comment. Else its template-free twin is read.

    Args:
        text: The text; which of the two readings was taken is left in `text.masked`.
        repeated: Take keys that stand twice, of which Helm takes the last, instead of refusing them.
        first_only: Read the first document only, as Helm 3 does, whatever stands behind it.

    Raises:
        YamlError: the text is not YAML.
        DuplicateKeyError: a mapping holds a key twice.
    """
    if text.masked.text is not text.original:
        masked = text.masked
        try:
            text.masked = masked.as_it_stands(text.original)
            return _documents(_Builder(text, plain=True, repeated=repeated), first_only)
        except YamlError:
            text.masked = masked
    return _documents(_Builder(text, plain=False, repeated=repeated), first_only)


def _documents(builder: _Builder, first_only: bool) -> list[Node]:
    for event in _events(builder.source):
        builder.take(event)
        if first_only and builder.documents:
            break
    return builder.documents


def _events(text: str) -> Iterator[Any]:
    """Parsing events with marks, from libyaml if it is there."""
    try:
        import yaml
        from yaml import CSafeLoader
    except ImportError:
        yield from _pure_events(text)
        return
    try:
        yield from yaml.parse(text, Loader=CSafeLoader)
    except yaml.YAMLError as error:
        raise _problem(error) from error


def _pure_events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    reader: Any = YAML(typ="safe", pure=True)
    try:
        yield from reader.parse(text)
    except YAMLError as error:
        raise _problem(error) from error


def _problem(error: Exception) -> YamlError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    offset = mark.index if mark is not None else getattr(error, "position", -1)
    return YamlError(str(problem).splitlines()[0], offset if isinstance(offset, int) else -1)


class _Builder:
    """Makes nodes of events, without recursion: nesting may be as deep as it likes."""

    def __init__(self, text: Text, *, plain: bool, repeated: bool) -> None:
        self.documents: list[Node] = []
        self.source = text.masked.text
        self._text = text
        self._plain = plain
        self._repeated = repeated
        self._anchors: dict[str, Node] = {}
        self._open: list[Node] = []
        self._keys: list[Node | None] = []

    def take(self, event: Any) -> None:
        """Add what an event says to the document that is open."""
        name = type(event).__name__
        if name == "ScalarEvent":
            self._place(self._scalar(event))
        elif name in {"MappingStartEvent", "SequenceStartEvent"}:
            self._open.append(self._collection(event, name))
            self._keys.append(None)
            if len(self._open) > _MAX_DEPTH:
                raise YamlError("the nesting is too deep", event.start_mark.index)
        elif name in {"MappingEndEvent", "SequenceEndEvent"}:
            self._close(event)
        elif name == "AliasEvent":
            self._place(self._alias(event))
        elif name == "DocumentStartEvent":
            self._anchors = {}
            if event.version and tuple(event.version) != _VERSION:
                raise YamlError("Helm reads YAML 1.1 only", event.start_mark.index)

    def _scalar(self, event: Any) -> Node:
        node = Node("scalar", event.start_mark.index, event.end_mark.index)
        node.value = event.value
        node.style = event.style or ""
        self._name(node, event)
        if node.style in {"|", ">"}:
            node.end = _block_end(self._text.original, node.start, node.end)
        text = self._text
        if text.masked.text is not text.original:
            span = slice(node.start, node.end)
            if text.original[span] != text.masked.text[span]:
                node.value = _original_value(text, node)
        return node

    def _collection(self, event: Any, name: str) -> Node:
        kind: Kind = "mapping" if name == "MappingStartEvent" else "sequence"
        node = Node(kind, event.start_mark.index, event.end_mark.index)
        node.flow = bool(event.flow_style)
        self._name(node, event)
        return node

    def _alias(self, event: Any) -> Node:
        node = Node("alias", event.start_mark.index, event.end_mark.index)
        target = self._anchors.get(event.anchor)
        if target is None:
            raise YamlError(f"the alias {event.anchor!r} has no anchor before it", node.start)
        if target in self._open:
            raise YamlError(f"the anchor {event.anchor!r} holds itself", node.start)
        target.shared = True
        node.target = target
        return node

    def _name(self, node: Node, event: Any) -> None:
        node.tag = str(event.tag or "")
        if event.anchor:
            node.anchor = event.anchor
            self._anchors[event.anchor] = node

    def _close(self, event: Any) -> None:
        node = self._open.pop()
        self._keys.pop()
        if node.flow:
            node.end = event.end_mark.index
        elif node.entries:
            node.end = max(node.entries[-1][0].end, node.entries[-1][1].end)
        elif node.items:
            node.end = max(node.items[-1].end, node.start + 1)
        if node.kind == "mapping" and not self._repeated:
            self._refuse_duplicates(node)
        self._place(node)

    def _refuse_duplicates(self, node: Node) -> None:
        """Keys that only one branch of a template has may stand in several branches."""
        block_at = self._text.masked.block_at
        seen: dict[tuple[str, tuple[int, ...]], int] = {}
        for key, _ in node.entries:
            if key.kind != "scalar" or key.value == "<<":
                continue
            name = (key.value, block_at(key.start))
            if name in seen:
                raise DuplicateKeyError(key.value, key.start, seen[name])
            seen[name] = key.start

    def _place(self, node: Node) -> None:
        if not self._open:
            self.documents.append(node)
            return
        parent = self._open[-1]
        if parent.kind == "sequence":
            parent.items.append(node)
            return
        key = self._keys[-1]
        if key is None:
            if self._plain and node.kind in {"mapping", "sequence"}:
                # `{{ x }}` is YAML, of a mapping whose key is a mapping; nobody means that.
                raise YamlError("a key is a list or a mapping", node.start)
            self._keys[-1] = node
        else:
            parent.entries.append((key, node))
            self._keys[-1] = None


def _block_end(text: str, start: int, end: int) -> int:
    """Behind the last character of a block scalar that is not a white space."""
    return start + len(text[start:end].rstrip())


def _original_value(text: Text, node: Node) -> str:
    """A scalar's content with its placeholders as they were."""
    raw = text.original[text.value_start(node) : node.end]
    if node.style == "'":
        return raw[1:-1].replace("''", "'")
    if node.style == '"':
        return raw[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if node.style in {"|", ">"}:
        return _unmasked_block(raw.replace("\r", "").split("\n")[1:], node.value)
    return raw


def _unmasked_block(lines: list[str], masked: str) -> str:
    """A block scalar's content: masking kept the length of every line, so their ends agree.

    A folded text has fewer lines than its source and stays masked; no values are kept in one.
    """
    contents = masked.split("\n")
    if len(contents) < len(lines):
        return masked
    unmasked = [
        line[max(len(line) - len(content), 0) :]
        for line, content in zip(lines, contents, strict=False)
    ]
    return "\n".join([*unmasked, *contents[len(lines) :]])
