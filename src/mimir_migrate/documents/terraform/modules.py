"""A Terraform folder as the modules that it is made of, each with its own meaning of names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from mimir_migrate.documents.terraform.expressions import (
    Scope,
    Unresolved,
    parse,
    references,
    resolve,
    text_of,
    unquoted,
)
from mimir_migrate.errors import DocumentError

_META = frozenset({"source", "version", "count", "for_each", "providers", "depends_on"})
_DEEPEST = 16
"""Modules within modules; a folder that calls itself ends here."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A resource, data source or module call, once for each `for_each` entry."""

    kind: str
    """`resource`, `data` or `module`."""
    type: str
    """`aws_iam_role`; empty for a module."""
    name: str
    address: str
    file: str
    raw: Mapping[str, Any]
    scope: Scope

    @property
    def reference(self) -> str:
        """How other blocks of the module refer to it."""
        if self.kind == "module":
            return f"module.{self.name}"
        return f"{'data.' if self.kind == 'data' else ''}{self.type}.{self.name}"

    def get(self, key: str) -> Any:
        """A resolved argument; None where it is not set."""
        return resolve(self.raw[key], self.scope) if key in self.raw else None

    def blocks(self, key: str) -> tuple[Mapping[str, Any], ...]:
        """Nested blocks, resolved; those made by `dynamic` are not among them."""
        found = self.raw.get(key, [])
        listed = found if isinstance(found, list) else [found]
        resolved = [resolve(one, self.scope) for one in listed]
        return tuple(one for one in resolved if isinstance(one, Mapping))

    @property
    def dynamic(self) -> tuple[str, ...]:
        """Names of nested blocks that only Terraform unrolls."""
        return tuple(
            unquoted(name)
            for one in self.raw.get("dynamic", [])
            for name in one
            if name != "__is_block__"
        )

    def references(self, key: str) -> tuple[str, ...]:
        """What an argument refers to in this module."""
        return references(self.raw.get(key)) if key in self.raw else ()


class Module(msgspec.Struct, frozen=True, kw_only=True):
    """One module as it is called: the root, or a call of a folder that is at hand."""

    folder: str
    blocks: tuple[Block, ...]

    def of(self, kind: str, *types: str) -> Iterator[Block]:
        """Its blocks of one kind, of some types; without types all."""
        return (
            one for one in self.blocks if one.kind == kind and (not types or one.type in types)
        )


class _Folder(msgspec.Struct, frozen=True, kw_only=True):
    """The parsed files of one folder; entries are (file, raw)."""

    variables: dict[str, Any]
    tfvars: dict[str, Any]
    locals: dict[str, Any]
    blocks: tuple[tuple[str, str, str, str, Mapping[str, Any]], ...]
    """(kind, type, name, file, raw)"""


def read_modules(files: Mapping[str, str]) -> tuple[tuple[Module, ...], tuple[str, ...]]:
    """Read all modules of all roots, calls of folders that are at hand followed.

    Args:
        files: Text by path, relative to the Terraform folder, with `/` between parts.

    Returns:
        The modules, and what could not be read, with the reason: files, and folders of local
        modules that are not among the files.
    """
    folders, unread = _folders(files)
    called = {
        posixpath.normpath(posixpath.join(at, source))
        for at, folder in folders.items()
        for source in _local_sources(folder)
    }
    roots = sorted(at for at in folders if at not in called) or sorted(folders)
    modules: list[Module] = []
    for root in roots:
        _collect(root, "", {}, folders, modules, 0)
    absent = sorted(at for at in called if at not in folders)
    return tuple(modules), (*unread, *(f"{at}: this module's folder is not here" for at in absent))


def _folders(files: Mapping[str, str]) -> tuple[dict[str, _Folder], tuple[str, ...]]:
    parsed: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    unread = []
    for path, text in sorted(files.items()):
        if not path.endswith((".tf", ".tfvars")):
            continue
        try:
            document = parse(text, path)
        except DocumentError as error:
            unread.append(str(error))
            continue
        at = posixpath.normpath(posixpath.dirname(path) or ".")
        parsed.setdefault(at, []).append((path, document))
    return {at: _folder(documents) for at, documents in parsed.items()}, tuple(unread)


def _folder(documents: Sequence[tuple[str, dict[str, Any]]]) -> _Folder:
    variables: dict[str, Any] = {}
    tfvars: dict[str, Any] = {}
    local: dict[str, Any] = {}
    blocks = []
    for file, document in documents:
        if file.endswith(".tfvars"):
            # Others than these two are named on the command line, which nobody has seen.
            if posixpath.basename(file) == "terraform.tfvars" or file.endswith(".auto.tfvars"):
                tfvars.update(document)
            continue
        for one in document.get("variable", []):
            variables.update({unquoted(name): raw for name, raw in one.items()})
        for one in document.get("locals", []):
            local.update({unquoted(key): raw for key, raw in one.items() if key != "__is_block__"})
        for kind in ("resource", "data"):
            for one in document.get(kind, []):
                for type_name, named in one.items():
                    for name, raw in named.items():
                        blocks.append((kind, unquoted(type_name), unquoted(name), file, raw))
        for one in document.get("module", []):
            for name, raw in one.items():
                blocks.append(("module", "", unquoted(name), file, raw))
    return _Folder(variables=variables, tfvars=tfvars, locals=local, blocks=tuple(blocks))


def _local_sources(folder: _Folder) -> Iterator[str]:
    for kind, _, _, _, raw in folder.blocks:
        source = unquoted(str(raw.get("source", "")))
        if kind == "module" and is_local(source):
            yield source


def is_local(source: str) -> bool:
    """Whether a module's source is a folder beside the caller."""
    return source.startswith(("./", "../"))


def _collect(
    at: str,
    prefix: str,
    arguments: Mapping[str, Any],
    folders: Mapping[str, _Folder],
    modules: list[Module],
    depth: int,
) -> None:
    folder = folders[at]
    scope = Scope(variables=_variables(folder, arguments, root=not prefix), locals=folder.locals)
    blocks = tuple(_instances(folder, prefix, scope))
    modules.append(Module(folder=at, blocks=blocks))
    for block in blocks:
        source = text_of(block.get("source")) if block.kind == "module" else ""
        child = posixpath.normpath(posixpath.join(at, source))
        if is_local(source) and child in folders and depth < _DEEPEST:
            given = {key: block.get(key) for key in block.raw if key not in _META}
            _collect(child, f"{block.address}.", given, folders, modules, depth + 1)


def _variables(folder: _Folder, arguments: Mapping[str, Any], *, root: bool) -> dict[str, Any]:
    empty = Scope(variables={}, locals={})
    known = {
        name: resolve(raw["default"], empty)
        for name, raw in folder.variables.items()
        if isinstance(raw, Mapping) and "default" in raw
    }
    if root:
        known.update({name: resolve(raw, empty) for name, raw in folder.tfvars.items()})
    return known | dict(arguments)


def _instances(folder: _Folder, prefix: str, scope: Scope) -> Iterator[Block]:
    """Every block once for each entry of its `for_each`; those with a count of 0 are left out."""
    for kind, type_name, name, file, raw in folder.blocks:
        if "count" in raw and resolve(raw["count"], scope) == 0:
            continue
        label = f"module.{name}" if kind == "module" else f"{type_name}.{name}"
        address = f"{prefix}{'data.' if kind == 'data' else ''}{label}"
        for key, each in _entries(raw, scope):
            yield Block(
                kind=kind,
                type=type_name,
                name=name,
                address=f'{address}["{key}"]' if key else address,
                file=file,
                raw=raw,
                scope=each,
            )


def _entries(raw: Mapping[str, Any], scope: Scope) -> Iterator[tuple[str, Scope]]:
    entries = resolve(raw["for_each"], scope) if "for_each" in raw else None
    if isinstance(entries, list) and not any(isinstance(one, Unresolved) for one in entries):
        entries = {text_of(one): one for one in entries}
    if not isinstance(entries, dict):
        yield "", scope
        return
    for key, value in entries.items():
        yield key, msgspec.structs.replace(scope, each={"key": key, "value": value})
