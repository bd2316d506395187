"""Values files read and edited: which store every ring is set to, and the edit that changes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.documents.config.kv_blocks import CONSUL, kv_config, runtime_block
from mimir_migrate.documents.values.editing import Editing, Wanted
from mimir_migrate.documents.values.loaded import HINTS, Loaded, Readings, SourceFile, load
from mimir_migrate.documents.values.nodes import node_at
from mimir_migrate.documents.values.ring_blocks import (
    CONFIG_PATHS,
    RUNTIME_BLOCK,
    RUNTIME_PATHS,
    at_path,
    kvstore_path,
    merged,
)
from mimir_migrate.documents.values.strangers import foreign_keys
from mimir_migrate.documents.yaml.deltas import same
from mimir_migrate.errors import EditRefusedError, FileChangedError, UsageError
from mimir_migrate.model.edits import FileEdit, PathChange
from mimir_migrate.model.rings import Product, Ring, rings_of
from mimir_migrate.model.stores import BridgeSettings, KVConfig, RuntimeBlock

__all__ = [
    "SourceFile",
    "ValuesFiles",
    "ValuesView",
    "Wanted",
    "undo",
]


class ValuesView(msgspec.Struct, frozen=True, kw_only=True):
    """What values files say about rings, merged in order of precedence."""

    product: Product
    root: tuple[str, ...]
    """Keys down to the chart's values in the last file that has them."""
    shape: str
    """`values`, `umbrella`, `flux`, `argocd-values-object`, `argocd-values-string`, …"""
    rings: dict[str, KVConfig | None]
    """Each ring's `kvstore` as literally set; None: nothing is set."""
    runtime: RuntimeBlock | None
    places: dict[str, tuple[str, int]]
    """Each ring that is set: file and line."""
    all_rings: tuple[str, ...] = ()
    """The rings that `all` stands for: those that can be moved and that the files switch on, leave
    at their default of on, or set a store for. Others may not be known to the binary."""


class ValuesFiles:
    """Values files in order of precedence, read once: the last of them wins.

    Args:
        files: The files.
        product: The product they are for; None: found.
        root: The place of the chart's values, as `--values-root` names it; empty: found.
        readings: Contents that were parsed already; left out: none.
        bridge: Where DynamoDB is reached through the ring bridge: `consul` with its host is DynamoDB then.

    Raises:
        EditRefusedError: A file cannot be read, no chart's values are found, or they are another's.
    """

    def __init__(
        self,
        files: Sequence[SourceFile],
        *,
        product: Product | None = None,
        root: str = "",
        readings: Readings | None = None,
        bridge: BridgeSettings | None = None,
    ) -> None:
        self.files = tuple(files)
        self.bridge = bridge
        self._root = root
        self._readings = readings or Readings()
        self.loaded, self.product = load(
            self.files, product=product, root=root, readings=self._readings
        )

    @cached_property
    def values(self) -> dict[str, Any]:
        """The chart's values that the files set, merged."""
        return _merged_values(self.loaded)

    @cached_property
    def view(self) -> ValuesView:
        """What the files say about rings."""
        return _view(self.loaded, self.product, self.values, self.bridge)

    @property
    def foreign(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each file with its keys, where no file has one of the chart's; empty: one has, or none has keys."""
        found = [
            (each.file.path, foreign_keys(each.root.root, each.root.node), each.root.node)
            for each in self.loaded
            if each.root is not None
        ]
        if any(not names and node.resolved.entries for _, names, node in found):
            return ()
        return tuple((path, names) for path, names, _ in found if names)

    @property
    def structured(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The configuration and the runtime configuration that the files set."""
        config = at_path(self.values, CONFIG_PATHS[self.product])
        runtime = at_path(self.values, RUNTIME_PATHS[self.product])
        return (
            config if isinstance(config, dict) else {},
            runtime if isinstance(runtime, dict) else {},
        )

    def having(self, files: Sequence[SourceFile]) -> ValuesFiles:
        """Other contents, read by the same rules; what is the same is not parsed again."""
        return ValuesFiles(
            files,
            product=self.product,
            root=self._root,
            readings=self._readings,
            bridge=self.bridge,
        )

    def after(self, edits: Sequence[FileEdit]) -> ValuesFiles:
        """The files with edits made."""
        return self.having(_after(edits, self.files)) if edits else self

    def edit(self, wanted: Wanted, *, original: Sequence[FileEdit] = ()) -> tuple[FileEdit, ...]:
        """The edits after which the files say exactly what is wanted; files that stay are left out.

        A setting is changed where it stands, in the file of highest precedence that has it; what no
        file has goes into the last one. `original` are the undo records of earlier edits, in the
        order in which they are to be applied: where they lead to what is wanted, the bytes from
        before come back; where they do not fit any more, the canonical form is written.

        Raises:
            EditRefusedError: The edit cannot be made safely; `refusal` names the class of the reason.
            UsageError: A ring is not known, or settings of DynamoDB are missing.
        """
        restored = _restored(original, self.files)
        if restored is None:
            return Editing(self.loaded, self.product, wanted).edits()
        before = self.after(restored)
        if Editing(before.loaded, self.product, wanted).satisfied() and self._differs_in(
            before, wanted
        ):
            return restored
        return Editing(self.loaded, self.product, wanted, before=before.loaded).edits()

    def _differs_in(self, before: ValuesFiles, wanted: Wanted) -> bool:
        """Whether going back to `before` would change no ring that nobody asked for."""
        paths = [
            kvstore_path(self.product, ring)
            for ring in rings_of(self.product)
            if ring.name not in wanted.states
        ]
        if wanted.keep_runtime:
            paths.append((*RUNTIME_PATHS[self.product], RUNTIME_BLOCK))
        return all(
            same(at_path(self.values, path), at_path(before.values, path)) for path in paths
        )

    def changes_to(self, other: ValuesFiles) -> tuple[PathChange, ...]:
        """Every setting of the chart's values that is otherwise in other files, paths with dots."""
        old, new = dict(_flat(self.values)), dict(_flat(other.values))
        paths = [*old, *(path for path in new if path not in old)]
        return tuple(
            PathChange(path=path, before=old.get(path), after=new.get(path))
            for path in paths
            if old.get(path) != new.get(path)
        )

    def place(self, path: Sequence[str]) -> tuple[str, int, int] | None:
        """File, line and column of the key at a path of the chart's values, numbers for list items.

        The file of highest precedence that has it counts; None: no file has it.
        """
        return _place(self.loaded, path)

    def refuse_other_stores(
        self, rings: Sequence[str], bridge: BridgeSettings | None = None
    ) -> None:
        """Refuse to edit rings whose files name a store that is neither memberlist nor DynamoDB.

        From such a store to another in one deploy, pods lose sight of each other. A plan is refused
        for the same reason. Consul at the bridge's host *is* DynamoDB; any other is somebody else's.

        Args:
            rings: Their names.
            bridge: Where DynamoDB is reached through the ring bridge.

        Raises:
            EditRefusedError: A ring names one; placeholders, which may stand for any, are left out.
        """
        for name in rings:
            config = self.view.rings.get(name)
            other = _other_store(config) if config is not None else None
            if other is None or (
                other == CONSUL and bridge is not None and bridge.is_at(self._host(name))
            ):
                continue
            path, line = self.view.places.get(name, (self.files[-1].path, 0))
            raise EditRefusedError(
                f"the ring {name} is on {other}, which this tool does not move",
                path=path,
                refusal="other-store",
                line=line,
                column=1 if line else 0,
                hint=HINTS["other-store"],
            )

    def _host(self, name: str) -> str:
        """`consul.host` of a ring, as the files set it."""
        path = next(
            kvstore_path(self.product, ring)
            for ring in rings_of(self.product)
            if ring.name == name
        )
        return str(at_path(self.values, (*path, CONSUL, "host")) or "")


_MOVED = frozenset({"memberlist", "dynamodb"})


def _other_store(config: KVConfig) -> str | None:
    other = next((store for store in config.stores if store not in _MOVED), None)
    return None if other is None or "$" in other or "{{" in other else other


def _restored(
    original: Sequence[FileEdit], files: Sequence[SourceFile]
) -> tuple[FileEdit, ...] | None:
    """The edits that the undo records come to; None: there are none, or they fit no more."""
    if not original:
        return None
    try:
        return undo(original, files)
    except (EditRefusedError, FileChangedError):
        return None


def undo(edits: Sequence[FileEdit], files: Sequence[SourceFile]) -> tuple[FileEdit, ...]:
    """The edits that take records back on the files as they are now.

    Unrelated changes made since are kept.

    Raises:
        EditRefusedError: a place is not the only one of its kind any more.
        FileChangedError: what is to be taken back is no longer there.
        UsageError: a record is for none of the files.
    """
    contents = {file.path: file.content for file in files}
    for record in edits:
        path = _path_of(record, files)
        contents[path] = file_edits.apply(
            msgspec.structs.replace(record, path=path), contents[path]
        )
    changed = [file for file in files if contents[file.path] != file.content]
    return tuple(
        file_edits.from_texts(file.path, file.content, contents[file.path]) for file in changed
    )


def _place(loaded: Sequence[Loaded], path: Sequence[str]) -> tuple[str, int, int] | None:
    for each in reversed(loaded):
        if each.root is None:
            continue
        found = node_at(each.root.node.resolved, path)
        if found:
            return (each.file.path, *each.place(found[0]))
    return None


def _view(
    loaded: Sequence[Loaded],
    product: Product,
    values: dict[str, Any],
    bridge: BridgeSettings | None,
) -> ValuesView:
    config = at_path(values, CONFIG_PATHS[product])
    rooted = next(each.root for each in reversed(loaded) if each.root is not None)
    runtime = at_path(values, (*RUNTIME_PATHS[product], RUNTIME_BLOCK))
    rings: dict[str, KVConfig | None] = {}
    places: dict[str, tuple[str, int]] = {}
    for ring in rings_of(product):
        path = kvstore_path(product, ring)
        block = at_path(values, path)
        rings[ring.name] = (
            kv_config(block, bridge) if isinstance(block, Mapping) and block else None
        )
        place = _place(loaded, (*path, "store")) or _place(loaded, path)
        if place and rings[ring.name] is not None:
            places[ring.name] = place[:2]
    return ValuesView(
        product=product,
        root=rooted.root,
        shape=rooted.shape,
        rings=rings,
        runtime=runtime_block(runtime, bridge) if isinstance(runtime, Mapping) else None,
        places=places,
        all_rings=tuple(
            ring.name
            for ring in rings_of(product)
            if ring.movable and (_is_on(ring, config) or _sets_store(rings[ring.name]))
        ),
    )


def _is_on(ring: Ring, config: Any) -> bool:
    return all(at_path(config, when.path) in when.values for when in ring.enabled_when)


def _sets_store(config: KVConfig | None) -> bool:
    return config is not None and bool(config.store)


def _merged_values(loaded: Sequence[Loaded]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for each in loaded:
        values = merged(values, each.values)
    return values


def _after(edits: Sequence[FileEdit], files: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
    by_path = {each.path: each for each in edits}
    return tuple(
        SourceFile(path=file.path, content=file_edits.apply(by_path[file.path], file.content))
        if file.path in by_path
        else file
        for file in files
    )


def _path_of(record: FileEdit, files: Sequence[SourceFile]) -> str:
    """Which of the files a record is for; a single file may have another name by now."""
    name = record.path.replace("\\", "/").rsplit("/", 1)[-1]
    exact = [file.path for file in files if file.path == record.path]
    named = [
        file.path for file in files if file.path.replace("\\", "/").rsplit("/", 1)[-1] == name
    ]
    for candidates in (exact, named, [file.path for file in files]):
        if len(candidates) == 1:
            return candidates[0]
    raise UsageError(
        f"the undo record is for {record.path}, which is none of the files named",
        hint="name the file that was edited",
    )


def _flat(data: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            yield from _flat(value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list) and data:
        for index, value in enumerate(data):
            yield from _flat(value, f"{path}.{index}")
    else:
        yield path, _shown(data)


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
