"""Refusals where a file or a place that somebody named holds no values of the chart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from mimir_migrate.documents.values.evidence import has_mimir_block, is_raw
from mimir_migrate.documents.values.nodes import is_null
from mimir_migrate.documents.values.root_names import written
from mimir_migrate.documents.values.roots import ChartRoot, looks_like_values
from mimir_migrate.documents.values.shapes import Container
from mimir_migrate.documents.values.strangers import doubt_of, is_own_block, what_it_is
from mimir_migrate.documents.yaml.positions import Node, Text, YamlError, parse
from mimir_migrate.errors import EditRefusedError
from mimir_migrate.model.rings import Product

_SHOWN = 6
"""Keys that are enough to know a file by."""
_STYLES = {'"': "in quotes", "'": "in quotes", ">": "folded with `>`"}


class ReadFile(Protocol):
    """A values file as it was read."""

    documents: list[Node]
    containers: list[Container]
    root: ChartRoot | None

    def refusal(
        self, refusal: str, message: str, offset: int, *, hint: str = ""
    ) -> EditRefusedError:
        """The refusal of an edit, with its place in the file."""
        ...


def nothing_found(each: ReadFile) -> EditRefusedError:
    """The refusal of a file in which no chart's values were found."""
    closed = _text_of_values(each.documents)
    if closed is not None:
        keys, last, style, node = closed
        return each.refusal(
            "no-chart-values",
            f"the chart's values at {keys} are a text {style}, which cannot be edited line by line",
            node.start,
            hint=f"write them as a literal block (`{last}: |`) or, where the manifest has a place for it, "
            "as a mapping (`valuesObject` of Argo CD)",
        )
    if _is_empty(each):
        return each.refusal(
            "no-chart-values",
            "the file is empty, so nothing says whose values it is to hold",
            -1,
            hint="is it the right file? --product mimir or --product cortex says whose values it holds",
        )
    message = "no values of the mimir-distributed or the Cortex chart were found"
    other = next((said for each in each.documents if (said := what_it_is(each))), "")
    if other:
        message += f"; {other}"
    elif any(is_raw(container.node) for container in each.containers):
        message += "; this looks like the configuration file of Mimir or Cortex itself"
    elif not each.containers:
        message += f"; {_without_values(each.documents)}"
    place = _likely(each.documents)
    hint = f"name the place of the values, e.g. --values-root '{place}'" if place else ""
    if not hint and (other or not each.containers):
        hint = _FILE
    return each.refusal("no-chart-values", message, -1, hint=hint)


def _without_values(documents: Sequence[Node]) -> str:
    """What a file is in which there is no place for values."""
    if any(document.get("kind") for document in documents):
        return "this manifest holds no values of its own"
    if all(document.kind == "sequence" for document in documents):
        return "this is a list, and values are keys with what is set for them"
    return "this is a text, and values are keys with what is set for them"


def not_there(each: ReadFile, root: str) -> EditRefusedError:
    """The refusal of a name that leads to nothing."""
    tops = [key.value for document in each.documents for key, _ in document.entries]
    there = f"; at the top it has {', '.join(tops[:_SHOWN])}" + (", …" if tops[_SHOWN:] else "")
    empty = "the file is empty, so " if _is_empty(each) else ""
    return each.refusal(
        "no-chart-values",
        f"{empty}there is nothing at {root}" + (there if tops else ""),
        -1,
        hint="is it the right file? If it is, name the keys that lead to the chart's values there, or leave "
        "--values-root out to have them found",
    )


def refuse_stranger(each: ReadFile, root: ChartRoot, named: str) -> None:
    """Refuse a named place of a file that is obviously something else.

    Raises:
        EditRefusedError: With what the file is.
    """
    if other := what_it_is(each.documents[root.container.document], root.root):
        raise _not_values(each, root, named, other, _FILE)


def refuse_doubtful(loaded: Sequence[ReadFile], named: str, product: Product | None) -> None:
    """Refuse a named place that does not look like the chart's values in the files that have it.

    Where one of the files has values of the chart there, the others may set anything beside them.

    Raises:
        EditRefusedError: With what speaks against the place.
    """
    have_it = [(each, each.root) for each in loaded if each.root is not None]
    is_said = product is not None or any(root.spoken_for for _, root in have_it)
    for each, root in have_it:
        if root.spoken_for or _is_made_for_values(root):
            continue
        if is_own_block(root.root, root.node):
            why = "this is the chart's own block `mimir`, and its values begin one key above it"
            raise _not_values(
                each, root, named, why, "leave --values-root out, or name the key above `mimir`"
            )
        if not is_said and (why := doubt_of(root.root, root.node)):
            raise _not_values(each, root, named, why, _DOUBT)


_FILE = "is it the right file? Name the values file of the release"
_DOUBT = (
    f"{_FILE}, or another place in it; if it is the right place and sets nothing of the chart's own yet, "
    "say whose values they are with --product mimir or --product cortex"
)


def _not_values(
    each: ReadFile, root: ChartRoot, named: str, why: str, hint: str
) -> EditRefusedError:
    offset = (root.key or root.node).start if root.container.embedded is None else -1
    message = f"what is at {named} does not look like the chart's values: {why}"
    return each.refusal("no-chart-values", message, offset, hint=hint)


def _is_made_for_values(root: ChartRoot) -> bool:
    """Whether a manifest has the place for a chart's values and for nothing else, e.g. a HelmRelease's."""
    return not root.keys and root.container.shape not in _ANYTHING


_ANYTHING = frozenset({"configmap", "named", "secret", "string", "values"})
"""Shapes of places that may hold anything."""


def _is_empty(each: ReadFile) -> bool:
    return all(is_null(document) for document in each.documents)


# ---- where the values seem to be, for hints only ------------------------------------------------


def _likely(documents: Sequence[Node]) -> str:
    """A place that looks like the chart's values, as `--values-root` takes it; empty: there is none.

    It is for a hint only: what the place is part of is not known.
    """
    for number, document in enumerate(documents):
        for keys, node in _mappings(document):
            if keys and has_mimir_block(node):
                named = written(keys) if document.kind == "mapping" else _indexed(keys)
                return named if len(documents) == 1 else f"[{number}].{named}"
    return ""


def _text_of_values(documents: Sequence[Node]) -> tuple[str, str, str, Node] | None:
    """A text that holds what looks like the chart's values and is not a literal block: in quotes or folded.

    Returns:
        Its place as `--values-root` takes it, its key, how it is written, and its node; None: there is
        none.
    """
    for document in documents:
        for keys, node in _texts(document):
            try:
                inner = parse(Text(node.value), first_only=True)
            except YamlError:
                continue
            if inner and any(looks_like_values(below) for _, below in _mappings(inner[0])):
                return written(keys), keys[-1] if keys else "", _STYLES[node.style], node
    return None


def _texts(document: Node) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Texts of several lines that are not literal blocks."""
    for keys, node in _nodes(document, ()):
        if node.kind == "scalar" and node.style in _STYLES and "\n" in node.value:
            yield keys, node


def _indexed(keys: Sequence[str]) -> str:
    return f"[{keys[0]}]" + "".join(f".{written([key])}" for key in keys[1:])


def _mappings(document: Node) -> Iterator[tuple[tuple[str, ...], Node]]:
    return ((keys, node) for keys, node in _nodes(document, ()) if node.kind == "mapping")


def _nodes(node: Node, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Node]]:
    """A node and all below it, each with the keys and numbers that lead to it."""
    yield keys, node
    for key, value in node.entries:
        yield from _nodes(value, (*keys, key.value))
    for index, item in enumerate(node.items):
        yield from _nodes(item, (*keys, str(index)))
