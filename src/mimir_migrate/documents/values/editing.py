"""One edit of values files: which setting goes into which file, made in the text and proved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from mimir_migrate.documents.config.kv_blocks import CONSUL
from mimir_migrate.documents.values import guards
from mimir_migrate.documents.values.loaded import Loaded, rooted
from mimir_migrate.documents.values.nodes import node_at
from mimir_migrate.documents.values.replaced_template import ReplacedTemplate, Setting
from mimir_migrate.documents.values.rewrite import rewrite
from mimir_migrate.documents.values.ring_blocks import (
    CONFIG_PATHS,
    RUNTIME_BLOCK,
    RUNTIME_PATHS,
    at_path,
    is_set,
    kvstore_path,
    merged,
    nested,
    override_flags,
    ring_leaves,
    runtime_leaves,
    sets_store,
    unneeded,
)
from mimir_migrate.documents.yaml.data import find
from mimir_migrate.documents.yaml.deltas import REMOVE, pruned
from mimir_migrate.documents.yaml.positions import Node
from mimir_migrate.errors import UsageError
from mimir_migrate.model.edits import FileEdit
from mimir_migrate.model.rings import Product, Ring, ring_named, unknown_ring
from mimir_migrate.model.stores import (
    BridgeSettings,
    DynamoDBSettings,
    RuntimeBlock,
    StoreState,
)

CANONICAL_NOTE = (
    "memberlist was written in its canonical form; without the undo record of the edit that left "
    "it, the bytes from before are not known"
)
EXTERNAL_NOTE = (
    "useExternalConfig is true: the chart does not render this configuration, so the edit has no "
    "effect until the external one is changed too"
)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the values files are to say."""

    states: dict[str, StoreState]
    """The state of each ring to be set, by the ring's name; others stay as they are."""
    mirror: bool = False
    """`multi.mirror_enabled` of the rings on two stores."""
    dynamodb: dict[str, DynamoDBSettings] = {}
    """By the ring's name; needed for every state but memberlist."""
    bridge: BridgeSettings | None = None
    """Where DynamoDB is reached through the ring bridge; None: natively."""
    runtime: RuntimeBlock | None = None
    """The block `multi_kv_config` of the runtime configuration; None: none is wanted."""
    config: dict[tuple[str, ...], str] = {}
    """Further settings of the configuration, by their keys."""
    keep_runtime: bool = False
    """Whether the runtime block stays as it is."""


class Editing:
    """Finds the deltas of every file and turns them into edits."""

    def __init__(
        self,
        loaded: Sequence[Loaded],
        product: Product,
        wanted: Wanted,
        *,
        before: Sequence[Loaded] | None = None,
    ) -> None:
        self._loaded = [each for each in loaded if each.root is not None]
        self._product = product
        self._wanted = wanted
        self._before = before
        self._values = [each.values for each in self._loaded]
        self._deltas: list[dict[str, Any]] = [{} for _ in self._loaded]
        self._notes: list[str] = []
        self._template: ReplacedTemplate | None = None

    def satisfied(self) -> bool:
        """Whether the files say what is wanted already."""
        self._collect()
        return not any(self._pruned())

    def edits(self) -> tuple[FileEdit, ...]:
        """The edits of the files that change."""
        self._collect()
        changed = [
            (each, delta)
            for each, delta in zip(self._loaded, self._pruned(), strict=True)
            if delta
        ]
        if changed and self._flag("useExternalConfig") is True:
            self._notes.append(EXTERNAL_NOTE)
        for each, _ in changed:
            guards.refuse_unreadable_change(each)
        return tuple(
            rewrite(each, delta, (*self._notes, *guards.remarks(each))) for each, delta in changed
        )

    def _pruned(self) -> list[dict[str, Any]]:
        keep = CONFIG_PATHS[self._product]
        return [
            pruned(values, delta, keep)
            for values, delta in zip(self._values, self._deltas, strict=True)
        ]

    def _collect(self) -> None:
        for name, state in self._wanted.states.items():
            ring = ring_named(self._product, name)
            if ring is None:
                raise unknown_ring(name, self._product)
            self._ring(ring, state)
        for where, value in self._wanted.config.items():
            path = (*CONFIG_PATHS[self._product], *where)
            deltas = self._deltas_for(path[:-1], {(path[-1],): value}, ())
            self._deltas = [
                merged(mine, more) for mine, more in zip(self._deltas, deltas, strict=True)
            ]
        if not self._wanted.keep_runtime:
            self._runtime()

    # ---- rings ------------------------------------------------------------------------------

    def _ring(self, ring: Ring, state: StoreState) -> None:
        path = kvstore_path(self._product, ring)
        settings = self._wanted.dynamodb.get(ring.name)
        bridge = self._wanted.bridge
        if state is not StoreState.MEMBERLIST and settings is None and bridge is None:
            raise UsageError(
                f"no DynamoDB table is named for the ring {ring.name}",
                hint="say --table, --region and --puller-sync-time, or write them to target.toml",
            )
        leaves = ring_leaves(state, mirror=self._wanted.mirror, dynamodb=settings, bridge=bridge)
        deltas = self._deltas_for(path, leaves, unneeded(state, bridge))
        if state is StoreState.MEMBERLIST:
            self._memberlist(ring, path, deltas)
        changes = [
            pruned(values, delta) for values, delta in zip(self._values, deltas, strict=True)
        ]
        if not any(changes):
            return
        canonical = state is StoreState.MEMBERLIST and self._before is None
        if canonical and CANONICAL_NOTE not in self._notes:
            self._notes.append(CANONICAL_NOTE)
        flags = override_flags(ring, bridge)
        self._refuse_flags(ring, flags)
        self._refuse_replaced_template(ring, path)
        self._refuse_guarded(changes, (path,), flags, f"the ring {ring.name}")
        for each, change in zip(self._loaded, changes, strict=True):
            if change:
                guards.refuse_encrypted(each, path)
                guards.refuse_old_chart(each)
        self._deltas = [
            merged(mine, more) for mine, more in zip(self._deltas, deltas, strict=True)
        ]

    def _memberlist(self, ring: Ring, path: tuple[str, ...], deltas: list[dict[str, Any]]) -> None:
        """Say memberlist only where the product would not take it by itself."""
        explicit = ring.default_store != StoreState.MEMBERLIST.value
        below = self._template_setting((*ring.path, "store"))
        if below is not None and below.value != StoreState.MEMBERLIST.value:
            explicit = True
        if self._before is not None:
            explicit = explicit or any(
                is_set(each.values, (*path, "store")) for each in self._before
            )
        present = [is_set(values, (*path, "store")) for values in self._values]
        effective = self._effective((*path, "store"))
        if explicit or effective == StoreState.MEMBERLIST.value:
            if not any(present) and below is not None and not explicit:
                return
            return
        for position, delta in enumerate(deltas):
            holder = at_path(delta, path)
            if isinstance(holder, dict):
                holder.pop("store", None)
            if present[position]:
                deltas[position] = merged(delta, nested((*path, "store"), REMOVE))

    def _deltas_for(
        self,
        path: tuple[str, ...],
        leaves: dict[tuple[str, ...], Any],
        removed: Sequence[str],
    ) -> list[dict[str, Any]]:
        deltas: list[dict[str, Any]] = [{} for _ in self._values]
        home = self._home(path)
        for leaf, value in leaves.items():
            where = (*path, *leaf)
            setters = [i for i, values in enumerate(self._values) if is_set(values, where)]
            if value is REMOVE:
                for position in setters:
                    deltas[position] = merged(deltas[position], nested(where, REMOVE))
                continue
            position = setters[-1] if setters else self._reachable(home, where)
            if leaf[0] == "dynamodb" and _is_placeholder(at_path(self._values[position], where)):
                continue
            deltas[position] = merged(deltas[position], nested(where, value))
        for key in removed:
            for position, values in enumerate(self._values):
                if is_set(values, (*path, key)):
                    deltas[position] = merged(deltas[position], nested((*path, key), REMOVE))
        return deltas

    def _home(self, path: tuple[str, ...]) -> int:
        """The file of highest precedence in which the setting lives; else the last one."""
        for position in reversed(range(len(self._values))):
            if sets_store(at_path(self._values[position], path)):
                return position
        return len(self._values) - 1

    def _reachable(self, home: int, path: tuple[str, ...]) -> int:
        """A later file that sets something on the way to null or to a value hides the home."""
        for position in reversed(range(home + 1, len(self._values))):
            for length in range(1, len(path)):
                holder = path[:length]
                if is_set(self._values[position], holder) and not isinstance(
                    at_path(self._values[position], holder), dict
                ):
                    return position
        return home

    def _effective(self, path: tuple[str, ...]) -> Any:
        values: dict[str, Any] = {}
        for each in self._values:
            values = merged(values, each)
        return at_path(values, path)

    def _flag(self, name: str) -> Any:
        return self._effective((name,))

    # ---- what the edit would not reach ------------------------------------------------------

    def _refuse_flags(self, ring: Ring, flags: Sequence[str]) -> None:
        for each in reversed(self._loaded):
            for component, flag, key in _extra_args(each):
                if flag in flags:
                    raise each.refusal_in(rooted(each).container)(
                        "flag-override",
                        f"{component}.extraArgs sets -{flag}, which wins over the configuration "
                        f"of the ring {ring.name}",
                        key.start,
                    )

    def _refuse_guarded(
        self,
        changes: Sequence[dict[str, Any]],
        places: Sequence[tuple[str, ...]],
        flags: Sequence[str],
        what: str,
    ) -> None:
        """Whatever file the change is in, every file's manifest may win over it."""
        if not any(changes):
            return
        for each in reversed(self._loaded):
            guards.refuse_winners(each, places, flags, what)
            guards.refuse_covering_release(each, places)

    def _refuse_replaced_template(self, ring: Ring, path: tuple[str, ...]) -> None:
        if any(is_set(values, (*path, "store")) for values in self._values):
            return
        keys = ("store", "multi", "dynamodb", *((CONSUL,) if self._wanted.bridge else ()))
        for key in keys:
            setting = self._template_setting((*ring.path, key))
            if setting is None:
                continue
            each = self._template_file()
            if each is not None:
                raise each.refusal_in(rooted(each).container)(
                    "config-string",
                    f"the ring {ring.name} is set inside the mimir.config string "
                    f"({'.'.join((*ring.path, key))})",
                    setting.offset,
                )

    def _template_file(self) -> Loaded | None:
        """The file whose `mimir.config` string counts."""
        for each in reversed(self._loaded):
            found = node_at(rooted(each).node.resolved, ("mimir", "config"))
            if found and found[1].resolved.kind == "scalar" and found[1].resolved.value:
                return each
        return None

    def _template_setting(self, path: tuple[str, ...]) -> Setting | None:
        if self._template is None:
            self._template = self._read_template()
        return self._template.setting(path) if self._template is not None else None

    def _read_template(self) -> ReplacedTemplate | None:
        each = self._template_file() if self._product is Product.MIMIR else None
        found = node_at(rooted(each).node.resolved, ("mimir", "config")) if each else None
        if each is None or found is None:
            return None
        return ReplacedTemplate(rooted(each).container.text, found[0], found[1].resolved)

    # ---- the runtime block ------------------------------------------------------------------

    def _runtime(self) -> None:
        path = (*RUNTIME_PATHS[self._product], RUNTIME_BLOCK)
        block = self._wanted.runtime
        if block is None or not block.is_set:
            removed = [
                nested(path, REMOVE) if is_set(values, path) else {} for values in self._values
            ]
            self._refuse_guarded(removed, (path,), (), "the runtime block")
            self._deltas = [
                merged(mine, more) for mine, more in zip(self._deltas, removed, strict=True)
            ]
            return
        deltas = self._deltas_for(path, runtime_leaves(block), ())
        changed = any(
            pruned(values, delta) for values, delta in zip(self._values, deltas, strict=True)
        )
        if changed and self._product is Product.CORTEX:
            self._refuse_foreign_runtime()
        self._refuse_guarded([{"": changed}] if changed else [], (path,), (), "the runtime block")
        self._deltas = [
            merged(mine, more) for mine, more in zip(self._deltas, deltas, strict=True)
        ]

    def _refuse_foreign_runtime(self) -> None:
        path = ("runtimeconfigmap", "create")
        if self._effective(path) is not False:
            return
        for each in reversed(self._loaded):
            found = node_at(rooted(each).node.resolved, path)
            if found:
                raise each.refusal_in(rooted(each).container)(
                    "no-chart-values",
                    "runtimeconfigmap.create is false, so the runtime configuration is kept "
                    "outside these values",
                    found[0].start,
                )


def _is_placeholder(value: Any) -> bool:
    """Whether a template fills the value in; what it stands for is the user's to say."""
    return isinstance(value, str) and ("$" in value or "{{" in value)


def _extra_args(each: Loaded) -> Iterator[tuple[str, str, Node]]:
    """Every flag of every component's extraArgs: component, flag without dash, its node."""
    for component, block in rooted(each).node.resolved.entries:
        entry = find(block.resolved, "extraArgs") if block.resolved.kind == "mapping" else None
        if entry is None:
            continue
        arguments = entry[1].resolved
        for key, _ in arguments.entries:
            yield component.value, key.value.lstrip("-"), key
        for item in arguments.items:
            flag = item.resolved.value.lstrip("-").split("=")[0]
            yield component.value, flag, item
