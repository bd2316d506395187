"""Values files as they are read: bytes, text, documents, and the chart's values in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mimir_migrate.documents.values.evidence import POSSIBLE, is_raw
from mimir_migrate.documents.values.no_values import (
    not_there,
    nothing_found,
    refuse_doubtful,
    refuse_stranger,
)
from mimir_migrate.documents.values.root_names import root_name
from mimir_migrate.documents.values.roots import (
    ChartRoot,
    chart_roots,
    named_roots,
    part_of,
    title,
    whole,
)
from mimir_migrate.documents.values.shapes import Container, containers
from mimir_migrate.documents.yaml.data import to_data
from mimir_migrate.documents.yaml.meaning import BOM, text_of
from mimir_migrate.documents.yaml.positions import DuplicateKeyError, Node, Text, YamlError, parse
from mimir_migrate.errors import EditRefusedError, UsageError
from mimir_migrate.model.rings import Product

HINTS = {
    "duplicate-keys": "remove one of the two; YAML readers disagree on which of them counts",
    "not-yaml": "repair the file at that place",
    "template-directive": "edit the file by hand at that place, or move the ring's block out of the branch",
    "shared-alias": "write the ring's block out in place of the alias, so that it is the ring's own",
    "flag-override": "remove the flag from extraArgs and set the store in the configuration",
    "config-string": "move the ring's kvstore from mimir.config to mimir.structuredConfig",
    "no-chart-values": "is it the right file? It has to hold the values of mimir-distributed or of the "
    "cortex chart; where they are under a key, name it with --values-root; where they set nothing of the "
    "chart's own yet, say whose they are with --product mimir or --product cortex",
    "other-chart": "name the file with the values of mimir-distributed or of the cortex chart",
    "product-unsure": "say --product mimir or --product cortex if it is one of theirs",
    "encrypted": "decrypt the file, edit it, and encrypt it again (`sops edit` does both)",
    "second-document": "put the values into the first document of the file",
    "other-store": "bring the ring to memberlist first, by the product's own guide",
}
"""What the user can do about each class of refusal."""


class SourceFile(msgspec.Struct, frozen=True, kw_only=True):
    """A values file: its name as the operator gave it, and its content."""

    path: str
    content: bytes


class Parsed:
    """A content as it was parsed: nobody changes it, so it can be shared."""

    def __init__(self, content: bytes) -> None:
        self.text = text_of(content)
        # An empty file is one empty document.
        self.documents = parse(self.text) or [Node("scalar", 0, 0)]
        self.containers = list(containers(self.text, self.documents))


class Readings:
    """The contents that were parsed last, so that none of them is parsed again."""

    def __init__(self) -> None:
        self._known: dict[bytes, Parsed] = {}

    def of(self, content: bytes) -> Parsed:
        """A content, parsed.

        Raises:
            YamlError: It is not YAML in UTF-8.
        """
        found = self._known.pop(content, None) or Parsed(content)
        self._known[content] = found
        if len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        return found


_KEPT = 64
"""More contents than a plan has: a few files, each before and after up to seven steps."""


class Loaded:
    """One values file, read."""

    def __init__(self, file: SourceFile, readings: Readings) -> None:
        self.file = file
        self.readings = readings
        self.bom = len(BOM) if file.content.startswith(BOM) else 0
        self.text = Text(self._decoded())
        try:
            parsed = readings.of(file.content)
        except YamlError as error:
            raise self._unreadable(error) from error
        self.text, self.documents, self.containers = (
            parsed.text, parsed.documents, parsed.containers,
        )  # fmt: skip
        self.root: ChartRoot | None = None
        self.values: dict[str, Any] = {}

    def settle(self, root: ChartRoot | None) -> None:
        """Take `root` as the place of the chart's values."""
        self.root = root
        if root is None:
            return
        try:
            data = to_data(root.node)
        except YamlError as error:
            raise self.refusal(
                "not-yaml", error.problem, self._outer(root, error.offset)
            ) from error
        self.values = data if isinstance(data, dict) else {}

    def refusal(
        self, refusal: str, message: str, offset: int, *, hint: str = ""
    ) -> EditRefusedError:
        """The refusal of an edit, with its place in the file."""
        known = offset >= 0
        at = min(max(offset, 0), len(self.text.original))
        return EditRefusedError(
            message,
            path=self.file.path,
            refusal=refusal,
            line=self.text.line_of(at) + 1 if known else 0,
            column=self.text.column_of(at) + 1 if known else 0,
            hint=hint or HINTS[refusal],
        )

    def refusal_in(self, container: Container) -> Any:
        """Makes refusals of offsets in a container's text."""

        def refuse(refusal: str, message: str, offset: int, *, hint: str = "") -> EditRefusedError:
            if container.embedded is not None:
                offset = container.embedded.outer_offset(offset)
            return self.refusal(refusal, message, offset, hint=hint)

        return refuse

    def place(self, node: Node) -> tuple[int, int]:
        """Line and column, from 1, of a node of the chart's values."""
        offset = self._outer(self.root, node.start) if self.root else node.start
        return self.text.line_of(offset) + 1, self.text.column_of(offset) + 1

    def byte_offset(self, offset: int) -> int:
        """The place in the file's bytes of a place in its text."""
        return self.bom + len(self.text.original[:offset].encode("utf-8"))

    def _outer(self, root: ChartRoot, offset: int) -> int:
        embedded = root.container.embedded
        return embedded.outer_offset(offset) if embedded is not None else offset

    def _decoded(self) -> str:
        content = self.file.content[self.bom :]
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            before = content[: error.start]
            raise EditRefusedError(
                "this is not UTF-8 text",
                path=self.file.path,
                refusal="not-yaml",
                line=before.count(b"\n") + 1,
                column=error.start - (before.rfind(b"\n") + 1) + 1,
                hint="save the file as UTF-8",
            ) from error

    def _unreadable(self, error: YamlError) -> EditRefusedError:
        if isinstance(error, DuplicateKeyError):
            return self.refusal("duplicate-keys", error.problem, error.offset)
        return self.refusal("not-yaml", f"this is not YAML: {error.problem}", error.offset)


def rooted(each: Loaded) -> ChartRoot:
    """The chart's values of a file that has them.

    Raises:
        EditRefusedError: it has none.
    """
    if each.root is None:
        raise nothing_found(each)
    return each.root


def load(
    files: Sequence[SourceFile],
    *,
    product: Product | None = None,
    root: str = "",
    readings: Readings | None = None,
) -> tuple[list[Loaded], Product]:
    """Read values files in order of precedence and find the chart's values in each.

    Raises:
        EditRefusedError: a file cannot be read, no chart's values are found in any of them, or those
            that are found are another chart's.
    """
    known = readings or Readings()
    loaded = [Loaded(file, known) for file in files]
    if root:
        for each in loaded:
            each.settle(_named(each, root, product))
        if all(each.root is None for each in loaded):
            raise not_there(loaded[-1], root)
        refuse_doubtful(loaded, root, product)
    else:
        _search(loaded, product)
    found = [each.root for each in loaded if each.root is not None]
    best = max(found, key=lambda each: each.score)
    return loaded, product or best.product


def _named(each: Loaded, root: str, product: Product | None) -> ChartRoot | None:
    """The place that somebody named in a file; None: it has nothing there."""
    name = root_name(root)
    if name is None:
        raise UsageError(
            f"--values-root {root} cannot be read",
            hint='Join keys by dots, e.g. spec.values, spec[0].values, data."values.yaml".mimir.',
        )
    found = named_roots(each.text, each.documents, each.containers, name, product)
    if len(found) > 1:
        same = len({one.container.document for one in found}) == 1
        titles = [title(one, each.documents, quoted=same) for one in found]
        raise each.refusal(
            "no-chart-values",
            f"{root} names {len(found)} places, {' and '.join(titles)}",
            -1,
            hint=f"name one of them, e.g. --values-root '{titles[0]}'",
        )
    if found:
        refuse_stranger(each, found[0], root)
    if found and found[0].against:
        raise _doubted(each, found[0])
    return found[0] if found else None


def _search(loaded: Sequence[Loaded], product: Product | None) -> None:
    best: list[ChartRoot | None] = [_best(each, product) for each in loaded]
    known = [root for root in best if root is not None and not root.against]
    if not known and product is None:
        for each, root in zip(loaded, best, strict=True):
            if root is not None:
                raise _doubted(each, root)
        raise nothing_found(loaded[-1])
    settled = product or max(known, key=lambda root: root.score).product
    fitting = [
        root if root is not None and root.product is settled and not root.against else None
        for root in best
    ]
    keys = _umbrella_keys(loaded, fitting)
    for each, root in zip(loaded, fitting, strict=True):
        if keys and (root is None or root.score == POSSIBLE):
            each.settle(part_of(each.containers, keys, settled))
        else:
            each.settle(root or _best(each, settled) or _whole(each, settled))
    if all(each.root is None for each in loaded):
        raise nothing_found(loaded[-1])


def _umbrella_keys(loaded: Sequence[Loaded], roots: Sequence[ChartRoot | None]) -> tuple[str, ...]:
    """The keys down to the chart's values within those of an umbrella chart: the same in all files.

    Empty: it is not an umbrella chart.
    """
    found = [
        (each, root)
        for each, root in zip(loaded, roots, strict=True)
        if root is not None and root.score > POSSIBLE
    ]
    first = next(iter(found), None)
    for each, root in found:
        if first is not None and root.keys != first[1].keys:
            names = [title(one, of.documents) or "the top" for of, one in (first, (each, root))]
            raise each.refusal(
                "no-chart-values",
                f"the chart's values are at {names[1]} here and at {names[0]} in {first[0].file.path}, "
                "so the files are not of one release",
                (root.key or root.node).start if root.container.embedded is None else -1,
                hint="give the values files of one release only",
            )
    return first[1].keys if first is not None else ()


def _best(each: Loaded, product: Product | None) -> ChartRoot | None:
    """The likeliest place of the chart's values, one that is doubtful where there is no other."""
    roots = [
        root
        for container in each.containers
        for root in chart_roots(container, product=product, hint=each.file.path)
    ]
    roots.sort(key=lambda root: (bool(root.against), -root.score))
    sound = [root for root in roots if not root.against]
    if len(sound) > 1 and sound[0].score == sound[1].score:
        titles = [title(root, each.documents) or "the whole file" for root in sound[:2]]
        raise each.refusal(
            "no-chart-values",
            f"the chart's values could be {' and '.join(titles)}",
            -1,
            hint="name the one that is meant with --values-root",
        )
    if roots and not sound and roots[0].certain:
        raise _doubted(each, roots[0])
    return roots[0] if roots else None


def _whole(each: Loaded, product: Product) -> ChartRoot | None:
    """The file itself, where it is one document of plain values that say nothing of the chart."""
    plain = [c for c in each.containers if c.shape == "values"]
    if len(plain) != 1 or len(each.documents) != 1 or is_raw(plain[0].node):
        return None
    return whole(plain[0], product)


def _doubted(each: Loaded, root: ChartRoot) -> EditRefusedError:
    """The refusal of values that are another chart's, or may be."""
    node = root.key or root.node
    offset = node.start
    if root.container.embedded is not None:
        offset = root.container.embedded.outer_offset(offset)
    product = root.product.value
    if root.certain:
        message = f"these are not {product}'s values: {root.against}"
        return each.refusal("other-chart", message, offset)
    message = f"it is not sure that these are {product}'s values: {root.against}"
    return each.refusal("product-unsure", message, offset)
