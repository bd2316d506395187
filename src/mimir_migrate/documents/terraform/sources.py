"""The files of a folder put together as Terraform does: overrides, JSON, OpenTofu's own files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from mimir_migrate.documents.terraform.language.hcl import read_body
from mimir_migrate.documents.terraform.language.json_syntax import read_json_body
from mimir_migrate.documents.terraform.language.syntax import Block, Body, Literal, Node
from mimir_migrate.errors import DocumentError
from mimir_migrate.words import counted

_CONFIGURATION = re.compile(r"\.(tf|tofu)(\.json)?$")
_TFVARS = re.compile(r"(^terraform\.tfvars|\.auto\.tfvars)(\.json)?$")
_LABELS = {"resource": 2, "data": 2, "module": 1, "variable": 1, "output": 1}

Key = tuple[str, str, str]
"""(kind, type, name); the type is empty but for resources and data sources."""


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """The blocks of one folder, overrides put in."""

    at: str
    variables: dict[str, Body] = {}
    values: dict[str, Node] = {}
    """Of the tfvars files that Terraform reads by itself; the last that sets one wins."""
    locals: dict[str, Node] = {}
    outputs: dict[str, Body] = {}
    providers: tuple[tuple[str, Body], ...] = ()
    """(name, body), with the alias within the body."""
    blocks: dict[Key, tuple[str, Body]] = {}
    """File and body of each resource, data source and module call."""


def read_folders(files: Mapping[str, str]) -> tuple[dict[str, Folder], tuple[str, ...]]:
    """Read every folder that has Terraform files in it.

    Returns:
        The folders by path, and what could not be read, with the reason.
    """
    by_folder: dict[str, dict[str, str]] = {}
    for path, text in sorted(files.items()):
        name = posixpath.basename(path)
        if _CONFIGURATION.search(name) or _TFVARS.search(name):
            at = posixpath.normpath(posixpath.dirname(path) or ".")
            by_folder.setdefault(at, {})[path] = text
    unread: list[str] = []
    return {at: _folder(at, texts, unread) for at, texts in by_folder.items()}, tuple(unread)


def _folder(at: str, texts: Mapping[str, str], unread: list[str]) -> Folder:
    chosen = [path for path in texts if not _hidden_by_tofu(path, texts)]
    configuration = [path for path in chosen if _CONFIGURATION.search(path)]
    folder = Folder(at=at)
    providers: dict[tuple[str, str], Body] = {}
    for path in sorted(configuration, key=lambda one: (_is_override(one), one)):
        body = _read(path, texts[path], unread)
        if body is not None:
            _add(folder, path, body, unread, overrides=_is_override(path))
            for name, one in _providers(body):
                key = (name, literal(one, "alias"))
                there = providers.get(key)
                providers[key] = merged(there, one) if there else one
    values: dict[str, Node] = {}
    for path in sorted((one for one in chosen if one not in configuration), key=_tfvars_rank):
        values.update(_tfvars(path, texts[path], unread))
    named = tuple((name, body) for (name, _), body in providers.items())
    return msgspec.structs.replace(folder, providers=named, values=values)


def _hidden_by_tofu(path: str, texts: Mapping[str, str]) -> bool:
    """OpenTofu reads `x.tofu` in the place of `x.tf`; where the first is there, it is what is used."""
    return bool(re.search(r"\.tf(\.json)?$", path)) and (
        re.sub(r"\.tf(\.json)?$", r".tofu\1", path) in texts
    )


def _is_override(path: str) -> bool:
    stem = _CONFIGURATION.sub("", posixpath.basename(path))
    return stem == "override" or stem.endswith("_override")


def _tfvars_rank(path: str) -> tuple[bool, str]:
    """`terraform.tfvars` first, then the others by name: the last wins."""
    name = posixpath.basename(path)
    return not name.startswith("terraform.tfvars"), name


def _read(path: str, text: str, unread: list[str]) -> Body | None:
    try:
        return read_json_body(text, path) if path.endswith(".json") else read_body(text, path)
    except DocumentError as error:
        unread.append(str(error))
        return None


def _tfvars(path: str, text: str, unread: list[str]) -> dict[str, Node]:
    if path.endswith(".json"):
        # The same as one block of locals in JSON syntax.
        body = _read(path, f'{{"locals": {text}\n}}', unread)
        return dict(body.blocks[0].body.attributes) if body and body.blocks else {}
    body = _read(path, text, unread)
    return body.attributes if body else {}


def _providers(body: Body) -> Iterator[tuple[str, Body]]:
    for one in body.blocks:
        if one.type == "provider" and one.labels:
            yield one.labels[0], one.body


def _add(folder: Folder, path: str, body: Body, unread: list[str], *, overrides: bool) -> None:
    for one in body.blocks:
        if one.type == "locals":
            folder.locals.update(one.body.attributes)
            continue
        wanted = _LABELS.get(one.type)
        if wanted is None:
            continue
        if len(one.labels) != wanted:
            unread.append(f"{path}: a block {one.type} with {counted(len(one.labels), 'label')}")
            continue
        _put(folder, path, one, unread, overrides=overrides)


def _put(folder: Folder, path: str, one: Block, unread: list[str], *, overrides: bool) -> None:
    name = one.labels[-1]
    if one.type in {"variable", "output"}:
        named = folder.variables if one.type == "variable" else folder.outputs
        there = named.get(name)
        named[name] = merged(there, one.body) if overrides and there else one.body
        return
    key = (one.type, one.labels[0] if one.type in {"resource", "data"} else "", name)
    before = folder.blocks.get(key)
    if overrides and before is not None:
        folder.blocks[key] = (before[0], merged(before[1], one.body))
        return
    shown = ".".join(part for part in key if part)
    if overrides:
        unread.append(f"{path}: there is no {shown} to override, which Terraform refuses")
    elif before is not None:
        unread.append(f"{path}: {shown} is there twice, which Terraform refuses")
    folder.blocks[key] = (path, one.body)


def merged(base: Body, override: Body) -> Body:
    """A block with what an override file says of it.

    An argument replaces the one of its name, nested blocks replace all of their type; `lifecycle`
    is merged argument by argument (Terraform, "Override Files").
    """
    types = {_nested_type(one) for one in override.blocks}
    lifecycle = [one for one in base.blocks if one.type == "lifecycle"]
    kept = [one for one in base.blocks if _nested_type(one) not in types]
    added = [
        Block(one.type, one.labels, merged(lifecycle[0].body, one.body), one.line)
        if one.type == "lifecycle" and lifecycle
        else one
        for one in override.blocks
    ]
    kept_attributes = {key: node for key, node in base.attributes.items() if key not in types}
    names = set(override.attributes)
    return Body(
        {**kept_attributes, **override.attributes},
        tuple(one for one in (*kept, *added) if _nested_type(one) not in names),
    )


def _nested_type(one: Block) -> str:
    return one.labels[0] if one.type == "dynamic" and one.labels else one.type


def literal(body: Body, name: str) -> str:
    """An argument that is a text without parts; empty where it is not."""
    node = body.attributes.get(name)
    return node.value if isinstance(node, Literal) and isinstance(node.value, str) else ""


def local_sources(folders: Iterable[Folder]) -> dict[str, set[str]]:
    """Folders that local module calls name, by the folder that calls them."""
    found: dict[str, set[str]] = {}
    for folder in folders:
        for (kind, _, _), (_, body) in folder.blocks.items():
            source = literal(body, "source")
            if kind == "module" and is_local(source):
                child = posixpath.normpath(posixpath.join(folder.at, source))
                found.setdefault(folder.at, set()).add(child)
    return found


def is_local(source: str) -> bool:
    """Whether a module's source is a folder beside the caller."""
    return source.startswith(("./", "../"))
