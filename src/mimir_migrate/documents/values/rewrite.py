"""One values file rewritten: the text changed in place, proved, and handed out as an edit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mimir_migrate.documents import edits
from mimir_migrate.documents.values.loaded import Loaded, rooted
from mimir_migrate.documents.values.nodes import node_at
from mimir_migrate.documents.values.roots import ChartRoot
from mimir_migrate.documents.yaml.changes import Replacement, ordered, replaced
from mimir_migrate.documents.yaml.data import to_data
from mimir_migrate.documents.yaml.deltas import Delta, at_keys, same, with_delta, with_value
from mimir_migrate.documents.yaml.mapping import MappingEditor
from mimir_migrate.documents.yaml.places import NoPlaceError, common_branch
from mimir_migrate.documents.yaml.positions import Node, Text, YamlError, parse
from mimir_migrate.model.edits import FileEdit


def rewrite(each: Loaded, delta: Delta, notes: Sequence[str]) -> FileEdit:
    """The edit that makes a delta of the chart's values true in a file.

    Raises:
        EditRefusedError: the edit cannot be made safely.
    """
    root = rooted(each)
    _refuse_indirect(each, root, each.documents[root.container.document])
    wrong = ""
    # A comment of a block that goes can end up inside a text above it; then it goes too.
    for keep_comments in (True, False):
        changes = _changes(each, root, delta, keep_comments=keep_comments)
        wrong = flaw(each, root, delta, replaced(each.text.original, changes))
        if not wrong:
            return _as_edit(each, changes, notes)
    raise each.refusal_in(root.container)("not-yaml", wrong, root.node.start)


def _changes(
    each: Loaded, root: ChartRoot, delta: Delta, *, keep_comments: bool
) -> list[Replacement]:
    container = root.container
    refuse = each.refusal_in(container)
    inner = each.documents[container.document] if container.embedded is None else container.node
    editor = MappingEditor(container.text, inner, refuse, keep_comments=keep_comments)
    try:
        editor.change_value(root.node, delta, key=root.key)
    except NoPlaceError as error:
        raise refuse(
            "template-directive",
            "a template directive stands where the edit is to be made",
            error.offset,
        ) from error
    changes = ordered(editor.replacements)
    if container.embedded is not None:
        changes = [container.embedded.to_outer(change) for change in changes]
    return changes


def _refuse_indirect(each: Loaded, root: ChartRoot, document: Node) -> None:
    """The way from the document to the chart's values must be nobody else's and unconditional."""
    branch = common_branch(each.text, document)
    for key, node in _on_the_way(document, root):
        if node.kind == "alias" or node.shared:
            raise each.refusal(
                "shared-alias", "the chart's values are shared by an alias", node.start
            )
        if each.text.masked.block_at(key.start) != branch:
            raise each.refusal(
                "template-directive",
                "the chart's values stand in one branch of a template directive only",
                key.start,
            )


def _on_the_way(document: Node, root: ChartRoot) -> Iterator[tuple[Node, Node]]:
    """Keys and values from the document down to the chart's values, in the file's own text."""
    keys = root.root if root.container.embedded is None else root.container.keys
    for length in range(1, len(keys) + 1):
        found = node_at(document, keys[:length])
        if found is None:
            break
        yield found


def _as_edit(each: Loaded, changes: Sequence[Replacement], notes: Sequence[str]) -> FileEdit:
    return edits.from_hunks(
        each.file.path,
        each.file.content,
        [
            (
                each.byte_offset(change.start),
                each.byte_offset(change.end),
                change.text.encode("utf-8"),
            )
            for change in ordered(changes)
        ],
        notes,
    )


def flaw(each: Loaded, root: ChartRoot, delta: Delta, after: str) -> str:
    """What is wrong with an edited text; empty: it is the file with the delta, and no more."""
    try:
        return _difference(each, root, delta, after)
    except YamlError as error:
        return f"the edited text could not be read: {error.problem}"


def _difference(each: Loaded, root: ChartRoot, delta: Delta, after: str) -> str:
    expected = [to_data(document) for document in each.documents]
    content = each.file.content[: each.bom] + after.encode("utf-8")
    # Whoever goes on from the edited file finds it parsed.
    found = [to_data(document) for document in each.readings.of(content).documents]
    number = root.container.document
    if root.container.embedded is None:
        expected[number] = with_delta(expected[number], root.root, delta)
    else:
        keys = root.container.keys
        string = at_keys(found[number], keys) if number < len(found) else None
        inside = _documents(str(string))
        intended = with_delta(to_data(root.container.node), root.keys, delta)
        if not same(inside, [intended]):
            return "the edited text would say something else"
        expected[number] = with_value(expected[number], keys, string)
    return "" if same(expected, found) else "the edit would change something else too"


def _documents(text: str) -> Sequence[Any]:
    return [to_data(document) for document in parse(Text(text)) or [Node("scalar", 0, 0)]]
