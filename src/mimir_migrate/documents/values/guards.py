"""What makes an edit of values useless or harmful although the values themselves are fine.

Something else wins over the place (parameters of a manifest), the file is guarded by a checksum (SOPS),
Helm does not read the document, or the chart is too old for the setting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from mimir_migrate.documents.values.loaded import Loaded, rooted
from mimir_migrate.documents.values.nodes import is_null, node_at, text_at
from mimir_migrate.documents.yaml.positions import Node

_ENCRYPTED = re.compile(r"ENC\[")
_SET_KEYS = ("parameters", "fileParameters", "set", "setString", "set_values")
"""Keys beside a manifest's values, on the way to them, whose entries win over the values."""
_PARAMETER_HINT = "take the entry away there, or set the store in it"


class Winner(msgspec.Struct, frozen=True, kw_only=True):
    """A setting beside the values that wins over them, as `helm --set` does."""

    path: tuple[str, ...]
    """Keys from the chart's values down."""
    title: str
    key: Node


def winners(each: Loaded) -> Iterator[Winner]:
    """Every setting of the file's manifest that wins over its values."""
    root = rooted(each)
    node = each.documents[root.container.document]
    for key in (*root.container.keys, ""):
        for name in _SET_KEYS if node.kind == "mapping" else ():
            found = node.get(name)
            for setting, at in _settings(found[1].resolved) if found else ():
                path = _set_path(setting)
                if path[: len(root.keys)] == root.keys:
                    title = f"{name} sets {setting}"
                    yield Winner(path=path[len(root.keys) :], title=title, key=at)
        entry = node_at(node, (key,))
        if entry is None:
            return
        node = entry[1].resolved


def _settings(node: Node) -> Iterator[tuple[str, Node]]:
    """Names of settings: keys of a mapping, `name` of list items, or `name=value`."""
    for key, _ in node.entries:
        yield key.value, key
    for item in node.items:
        inside = item.resolved
        name = text_at(inside, "name") if inside.kind == "mapping" else inside.value
        yield (name or text_at(inside, "value")).split("=")[0], item


def _set_path(setting: str) -> tuple[str, ...]:
    """The path of `helm --set`: joined by dots, those inside a key behind a backslash."""
    parts = re.split(r"(?<!\\)\.", re.sub(r"\[\d+\].*", "", setting))
    return tuple(part.replace("\\.", ".") for part in parts)


def refuse_winners(
    each: Loaded, places: Sequence[tuple[str, ...]], flags: Sequence[str], what: str
) -> None:
    """Refuse an edit of places that something in the manifest sets too.

    Args:
        each: The file.
        places: Paths from the chart's values that the edit changes, with what is below them.
        flags: Flags that would win over the edit, without their dash.
        what: What is edited, for the message.

    Raises:
        EditRefusedError: Something wins.
    """
    for winner in winners(each):
        path = winner.path
        over = any(_overlap(path, place) for place in places)
        flagged = path[1:2] == ("extraArgs",) and path[-1].lstrip("-") in flags
        if over or flagged:
            raise each.refusal(
                "flag-override",
                f"{winner.title}, which wins over these values for {what}",
                winner.key.start,
                hint=_PARAMETER_HINT,
            )


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def refuse_unreadable_change(each: Loaded) -> None:
    """Refuse an edit that breaks the file for whoever reads it, or that nobody reads.

    Raises:
        EditRefusedError: SOPS would find the file changed, or Helm ignores the document.
    """
    root = rooted(each)
    container = root.container
    for document in (*each.documents, container.node):
        block = document.get("sops") if document.kind == "mapping" else None
        if block is None or not _is_sops(block[1].resolved):
            continue
        if text_at(block[1].resolved, "mac_only_encrypted").lower() != "true":
            raise each.refusal(
                "encrypted",
                "SOPS guards this file with a checksum over its plain values too (sops.mac), so an "
                "edit here makes it unreadable for SOPS",
                block[0].start if container.embedded is None else -1,
            )
    if container.shape == "values" and container.document > 0:
        raise each.refusal(
            "second-document",
            f"the values are in document {container.document + 1} of the file, and helm 3 reads the "
            "first one only",
            root.node.start,
        )


def _is_sops(block: Node) -> bool:
    return block.kind == "mapping" and bool(block.get("mac") or block.get("lastmodified"))


def refuse_encrypted(each: Loaded, path: Sequence[str]) -> None:
    """Refuse a change below a path whose values are encrypted, which cannot be read here.

    Raises:
        EditRefusedError: There is an encrypted value.
    """
    found = node_at(rooted(each).node.resolved, path)
    for node in _scalars(found[1].resolved) if found else ():
        if _ENCRYPTED.match(node.value):
            raise each.refusal_in(rooted(each).container)(
                "encrypted",
                f"{'.'.join(path)} is encrypted, so it cannot be edited here",
                node.start,
            )


def _scalars(node: Node) -> Iterator[Node]:
    if node.kind == "scalar":
        yield node
    for _, value in node.entries:
        yield from _scalars(value.resolved)
    for item in node.items:
        yield from _scalars(item.resolved)


def refuse_old_chart(each: Loaded) -> None:
    """Refuse `mimir.structuredConfig` for a chart that does not have it.

    Raises:
        EditRefusedError: The manifest names such a version.
    """
    chart = rooted(each).container.chart
    if chart.is_before_structured:
        raise each.refusal_in(rooted(each).container)(
            "config-string",
            f"the manifest names {chart.name} {chart.version}, and charts before 3.0.0 have no "
            "mimir.structuredConfig",
            rooted(each).node.start,
            hint="bring the release to a chart from 3.0.0 on first, or edit mimir.config by hand",
        )


def remarks(each: Loaded) -> Iterator[str]:
    """What the operator should know of the place that is edited."""
    root = rooted(each)
    document = each.documents[root.container.document]
    if root.container.shape == "values":
        others = [
            number
            for number, other in enumerate(each.documents)
            if number != root.container.document and not is_null(other)
        ]
        if others:
            yield (
                "the file holds further documents; helm 3 reads the first one only, helm 4 lays the "
                "others over it"
            )
    sops = document.get("sops") if document.kind == "mapping" else None
    if sops is not None and _is_sops(sops[1].resolved):
        yield (
            "the file is encrypted by SOPS and the new settings are plain text; try `sops --decrypt` "
            "before you deploy"
        )
    if _old_image(root.node.resolved):
        yield (
            f"image.tag is {text_at(root.node.resolved, 'image', 'tag')}: charts of that time (before "
            "3.0.0) have no mimir.structuredConfig, so with such a chart the edit has no effect"
        )
    yield from _values_from(each, document)


_STRUCTURED_SINCE = (2, 2)
"""The version of Mimir that came with mimir-distributed 3.0.0, the first with structuredConfig."""


def _old_image(values: Node) -> bool:
    match = re.match(r"v?(\d+)\.(\d+)", text_at(values, "image", "tag"))
    block = node_at(values, ("mimir", "structuredConfig"))
    old = bool(match) and tuple(map(int, match.groups())) < _STRUCTURED_SINCE if match else False
    return old and block is None and bool(values.get("mimir"))


def _values_from(each: Loaded, document: Node) -> Iterator[str]:
    """Values that Flux or Crossplane take from elsewhere."""
    root = rooted(each)
    own = node_at(document, ("spec", "valuesFrom")) or node_at(
        document, ("spec", "forProvider", "valuesFrom")
    )
    if own and own[1].resolved.items:
        names = ", ".join(
            text_at(item, "name") or text_at(item, "configMapKeyRef", "name") or "another place"
            for item in own[1].resolved.items
        )
        yield f"valuesFrom brings values from {names} too, which are not looked at here"
    if root.container.shape in {"configmap", "secret"}:
        yield (
            "the values stand in a ConfigMap or Secret: a HelmRelease lays its own `values`, and later "
            "entries of `valuesFrom`, over them"
        )


def refuse_covering_release(each: Loaded, places: Sequence[tuple[str, ...]]) -> None:
    """Refuse an edit of a ConfigMap where a HelmRelease of the same file sets the same over it.

    Raises:
        EditRefusedError: A HelmRelease wins.
    """
    root = rooted(each)
    if root.container.shape not in {"configmap", "secret"}:
        return
    name = text_at(each.documents[root.container.document], "metadata", "name")
    for document in each.documents:
        sources = node_at(document, ("spec", "valuesFrom"))
        items = sources[1].resolved.items if sources else []
        positions = [i for i, item in enumerate(items) if text_at(item, "name") == name]
        if not positions:
            continue
        values = node_at(document, ("spec", "values"))
        for place in places:
            found = node_at(values[1].resolved, (*root.keys, *place)) if values else None
            if found:
                raise each.refusal(
                    "flag-override",
                    f"the HelmRelease sets {'.'.join((*root.keys, *place))} in spec.values, which "
                    "wins over this ConfigMap",
                    found[0].start,
                    hint="name its values with --values-root, e.g. HelmRelease/NAME:spec.values",
                )
        for item in items[positions[-1] + 1 :]:
            target = _set_path(text_at(item, "targetPath"))
            if any(_overlap(target, (*root.keys, *place)) for place in places if target[0]):
                raise each.refusal(
                    "flag-override",
                    f"a later entry of valuesFrom sets {'.'.join(target)}, which wins over this "
                    "ConfigMap",
                    item.start,
                    hint=_PARAMETER_HINT,
                )
