"""Where new lines go in a text: below which line, and inside which template branch."""

from __future__ import annotations

from mimir_migrate.documents.yaml.positions import Node, Text


class NoPlaceError(Exception):
    """No line is left that belongs to the same template branch."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"no place behind offset {offset}")
        self.offset = offset


class Places:
    """The lines of a text that new entries can follow."""

    def __init__(self, text: Text, branch: tuple[int, ...]) -> None:
        self._text = text
        self._branch = branch

    def in_branch(self, node: Node) -> bool:
        """Whether a node stands in the branch that the whole document stands in."""
        return self._text.masked.block_at(node.start) == self._branch

    def last_line(self, key: Node, value: Node) -> int:
        """The last line of an entry."""
        return max(self._text.line_of(key.end), self.line_at_end(value))

    def line_at_end(self, node: Node) -> int:
        """The last line of a node."""
        return self._text.line_of(max(node.start, node.end - 1))

    def behind(self, entry: tuple[Node, Node], holder: Node, *, close: bool) -> int:
        """The line that new entries of `holder` go below when they follow `entry`.

        Args:
            entry: the entry they follow.
            holder: the mapping they become part of.
            close: right behind the entry, even if comments of the mapping follow.

        Raises:
            NoPlaceError: everything behind the entry belongs to a template branch.
        """
        line = self.last_line(*entry)
        if not close and entry is holder.entries[-1]:
            column = self._text.column_of(holder.entries[0][0].start)
            line = self._behind_comments(line, column)
        return self.settled(line)

    def settled(self, line: int) -> int:
        """The line, or the end of the template branch that it is in."""
        text = self._text
        while text.masked.block_at(text.line_start(line + 1)) != self._branch:
            line += 1
            if line >= len(text.line_starts):
                raise NoPlaceError(len(text.original))
            if not self._is_aside(line):
                raise NoPlaceError(text.line_start(line))
        return line

    def document_end(self, line: int = -1) -> int:
        """The last line of the document that says something, comments included."""
        text = self._text
        last = line
        while line + 1 < len(text.line_starts):
            body = text.line_text(line + 1)
            if self._has_directive(line + 1) or body.startswith(("---", "...")):
                break
            line += 1
            if body.strip():
                last = line
        return last

    def _behind_comments(self, line: int, column: int) -> int:
        """The last of the comment lines right below that belong to a mapping at `column`."""
        if column == 0:
            return self.document_end(line)
        text = self._text
        while line + 1 < len(text.line_starts):
            body = text.line_text(line + 1)
            stripped = body.lstrip(" ")
            indent = len(body) - len(stripped)
            if not stripped.startswith("#") or indent < column or self._has_directive(line + 1):
                break
            line += 1
        return line

    def _has_directive(self, line: int) -> bool:
        text = self._text
        start, end = text.line_start(line), text.line_start(line + 1)
        return text.masked.directive_between(start, end) is not None

    def _is_aside(self, line: int) -> bool:
        """Whether a line is blank, a comment or a directive."""
        start, end = self._text.line_start(line), self._text.line_start(line + 1)
        body = self._text.masked.text[start:end].strip()
        return not body or body.startswith("#")


def keeps_breaks(text: Text, node: Node) -> bool:
    """Whether lines behind a node would change it.

    That is so of a block scalar that keeps the blank lines behind it (`|+`), and of one that ends with
    the text and has no line break there as yet.
    """
    while node.entries or node.items:
        node = node.entries[-1][1] if node.entries else node.items[-1]
    if node.style not in {"|", ">"}:
        return False
    header = text.original[text.value_start(node) : node.end].split("\n", 1)[0].split("#")[0]
    open_end = node.end == len(text.original.rstrip(" \t")) and "-" not in header
    return "+" in header or open_end


def common_branch(text: Text, document: Node) -> tuple[int, ...]:
    """The template branches that enclose everything in the document."""
    branches = [text.masked.block_at(key.start) for key, _ in document.entries]
    if not branches:
        return ()
    common: list[int] = []
    for level in zip(*branches, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return tuple(common)
