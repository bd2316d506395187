"""A Terraform folder as the modules that it is made of, each with its own meaning of names."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from mimir_migrate.documents.policy_text import OWN_REGION
from mimir_migrate.documents.terraform.blocks import Block
from mimir_migrate.documents.terraform.language.conversions import Wrong, as_number
from mimir_migrate.documents.terraform.language.evaluate import Scope, evaluate, truth
from mimir_migrate.documents.terraform.language.expressions import Unresolved, text_of
from mimir_migrate.documents.terraform.language.hcl import read_template
from mimir_migrate.documents.terraform.language.syntax import Body
from mimir_migrate.documents.terraform.language.templates import Failure
from mimir_migrate.documents.terraform.language.types import converted
from mimir_migrate.documents.terraform.sources import (
    Folder,
    Key,
    is_local,
    literal,
    local_sources,
    read_folders,
)

_DEEPEST = 16
"""Modules within modules; a folder that calls itself ends here."""
_MOST = 10_000
"""Instances of one block; a count beyond it is not a configuration."""
_RUNNING = object()


class Module:
    """One module as it is called: the root, or a call of a folder that is at hand.

    It answers what names mean within it (`evaluate.Surroundings`); each name is evaluated once.
    """

    def __init__(
        self,
        folder: Folder,
        tree: Mapping[str, Folder],
        files: Mapping[str, str],
        call: Block | None = None,
    ) -> None:
        self.folder: str = folder.at
        self.call = call
        self.depth: int = 0 if call is None else call.module.depth + 1
        self.prefix: str = "" if call is None else f"{call.address}."
        self.doubt: str = "" if call is None else call.doubt
        self.root: str = folder.at if call is None else call.module.root
        self._folder = folder
        self._tree = tree
        self._files = files
        self._known: dict[tuple[str, ...], Any] = {}
        self.scope: Scope = Scope(module=self)

    # --- blocks ----------------------------------------------------------------------------------

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Every block once for each entry of its `count` or `for_each`."""
        found = self._once(
            ("blocks",),
            lambda: tuple(one for key in self._folder.blocks for one in self.instances(key)),
        )
        return found if isinstance(found, tuple) else ()

    def of(self, kind: str, *types: str) -> Iterator[Block]:
        """Its blocks of one kind, of some types; without types all."""
        return (
            one for one in self.blocks if one.kind == kind and (not types or one.type in types)
        )

    def instances(self, key: Key) -> tuple[Block, ...]:
        """What one block of the files makes; empty where its count is 0, or it refers to itself."""
        if key not in self._folder.blocks:
            return ()
        found = self._once(("instances", *key), lambda: tuple(self._expanded(key)))
        return found if isinstance(found, tuple) else ()

    def _expanded(self, key: Key) -> Iterator[Block]:
        file, body = self._folder.blocks[key]
        for name, each, doubt in _entries(body, self.scope):
            yield Block(self, key, file, body, name, each, doubt or self.doubt)

    def child(self, call: Block) -> Module | None:
        """The module that a call makes; None where its folder is not at hand."""
        source = literal(call.body, "source")
        at = posixpath.normpath(posixpath.join(self.folder, source))
        if not is_local(source) or at not in self._tree or self.depth >= _DEEPEST:
            return None
        found = self._once(
            ("child", call.address), lambda: Module(self._tree[at], self._tree, self._files, call)
        )
        return found if isinstance(found, Module) else None

    def tree(self) -> Iterator[Module]:
        """This module and all that it calls."""
        yield self
        for call in self.of("module"):
            child = self.child(call)
            if child is not None:
                yield from child.tree()

    # --- names -----------------------------------------------------------------------------------

    def _once(self, key: tuple[str, ...], make: Any) -> Any:
        found = self._known.get(key)
        if found is _RUNNING:
            return Unresolved(f"${{{'.'.join(key)}}}", "it refers to itself")
        if key not in self._known:
            self._known[key] = _RUNNING
            try:
                self._known[key] = make()
            except BaseException:
                del self._known[key]
                raise
            return self._known[key]
        return found

    def variable(self, name: str) -> Any:
        """An argument of the call, else a tfvars entry, else the default."""
        return self._once(("var", name), lambda: self._variable(name))

    def _variable(self, name: str) -> Any:
        body = self._folder.variables.get(name)
        default: Any = Unresolved(f"${{var.{name}}}", f"the variable {name} has no default")
        if body is not None and "default" in body.attributes:
            default = evaluate(body.attributes["default"], self.scope)
        value = default
        if self.call is None and name in self._folder.values:
            value = evaluate(self._folder.values[name], self.scope)
        elif self.call is not None and name in self.call.body.attributes:
            value = self.call.get(name)
            nullable = body.attributes.get("nullable") if body else None
            if value is None and nullable is not None and nullable.text == "false":
                value = default
        return _converted(value, body, name, self.scope)

    def local(self, name: str) -> Any:
        """A local."""
        node = self._folder.locals.get(name)
        if node is None:
            return Unresolved(f"${{local.{name}}}", f"there is no local {name}")
        return self._once(("local", name), lambda: evaluate(node, self.scope))

    def output(self, name: str, written: str) -> Any:
        """An output, as the caller sees it."""
        body = self._folder.outputs.get(name)
        if body is None or "value" not in body.attributes:
            return Unresolved(f"${{{written}}}", f"the module has no output {name}", failed=True)
        node = body.attributes["value"]
        return self._once(("output", name), lambda: evaluate(node, self.scope))

    def made(self, kind: str, type_name: str, name: str) -> Any:
        """A resource, data source or module by its name: one, or a list or map of its instances."""
        return self._once(
            ("made", kind, type_name, name), lambda: self._made((kind, type_name, name))
        )

    def _made(self, key: Key) -> Any:
        kind, type_name, name = key
        stored = self._folder.blocks.get(key)
        shown = ".".join(
            ("data", type_name, name) if kind == "data" else (type_name or kind, name)
        )
        if stored is None:
            reason = f"looked up by data {type_name}.{name}" if kind == "data" else ""
            reason = reason or (
                f"computed in module {name}"
                if kind == "module"
                else f"known only once {type_name}.{name} is made"
            )
            return Unresolved(f"${{{shown}}}", reason)
        blocks = self.instances(key)
        body = stored[1]
        if "count" in body.attributes:
            if any(one.doubt != self.doubt for one in blocks):
                return _Doubtful(blocks)
            return list(blocks)
        if "for_each" in body.attributes:
            if any(one.doubt != self.doubt for one in blocks):
                return Unresolved(f"${{{shown}}}", blocks[0].doubt)
            return {one.key: one for one in blocks}
        return blocks[0] if blocks else Unresolved(f"${{{shown}}}", "it refers to itself")

    def path(self, name: str) -> Any:
        """`path.module` and `path.root`, relative to the folder that is read."""
        if name in {"module", "root"}:
            return self.folder if name == "module" else self.root
        return Unresolved(f"${{path.{name}}}", "the folder that Terraform is run in")

    def file(self, path: str) -> str | None:
        """The text of a file of the folder; None where it is not at hand."""
        for one in (path, posixpath.join(self.root, path)):
            found = self._files.get(posixpath.normpath(one))
            if found is not None:
                return found
        return None

    def rendered(self, path: str, values: dict[str, Any]) -> Any:
        """What `templatefile` makes of a file; None where it is not at hand."""
        text = self.file(path)
        if text is None:
            return None
        try:
            node = read_template(text)
        except (Failure, RecursionError):
            return Unresolved(f"${{templatefile({path!r})}}", "a template that cannot be read")
        return evaluate(node, Scope(module=self, names={**values}))

    # --- providers -------------------------------------------------------------------------------

    def region(self, provider: str) -> Any:
        """The region of a provider (`aws`, `aws.us`).

        Returns:
            `policy_text.OWN_REGION` where none is set: that of whoever applies the folder.
        """
        return self._once(("region", provider), lambda: self._region(provider))

    def _region(self, provider: str) -> Any:
        name, _, alias = provider.partition(".")
        for kind, body in self._folder.providers:
            if kind == name and literal(body, "alias") == alias:
                if "for_each" in body.attributes:
                    return Unresolved(f"${{{provider}}}", "one of several providers")
                if "region" in body.attributes:
                    found = evaluate(body.attributes["region"], self.scope)
                    return OWN_REGION if found is None else found
                return OWN_REGION
        if self.call is not None:
            given = self.call.providers.get(provider)
            if given or not alias:
                return self.call.module.region(given or provider)
        if alias:
            return Unresolved(
                f"${{{provider}}}", f"the provider {provider} is not configured here"
            )
        return OWN_REGION


class _Doubtful:
    """Instances of a block whose count is not known: one by its index, and nothing else."""

    doubtful = True

    def __init__(self, blocks: tuple[Block, ...]) -> None:
        self._blocks = blocks

    def attribute(self, name: str, written: str) -> Any:
        return self._blocks[0].attribute(name, written)


def _converted(value: Any, body: Body | None, name: str, scope: Scope) -> Any:
    node = body.attributes.get("type") if body else None
    if node is None:
        return value
    try:
        return converted(value, node, lambda one: evaluate(one, scope))
    except Wrong:
        return Unresolved(f"${{var.{name}}}", f"the variable {name} has another type", failed=True)


def _entries(body: Body, scope: Scope) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Of a block's `count` or `for_each`: (key, `each` and `count`, why it may not be there)."""
    doubt = _disabled(body, scope)
    if doubt is None:
        return
    if "count" in body.attributes:
        yield from _counted(evaluate(body.attributes["count"], scope), doubt)
    elif "for_each" in body.attributes:
        yield from _each(evaluate(body.attributes["for_each"], scope), doubt)
    else:
        yield "", {}, doubt


def _disabled(body: Body, scope: Scope) -> str | None:
    """OpenTofu's `lifecycle { enabled }`: None: it is off; a text: why that is not known."""
    for one in body.blocks:
        if one.type == "lifecycle" and "enabled" in one.body.attributes:
            value = evaluate(one.body.attributes["enabled"], scope)
            found = truth(value)
            if found is None:
                return f"enabled = {text_of(value)}"
            return "" if found else None
    return ""


def _counted(value: Any, doubt: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    try:
        number = as_number(value)
    except Wrong:
        number = None
    if isinstance(number, (int, float)) and math.isfinite(number):
        for index in range(min(int(number), _MOST)):
            yield f"[{index}]", {"index": index}, doubt
        return
    reason = getattr(value, "reason", "no number")
    hole = Unresolved("${count.index}", "one of several, which only Terraform counts")
    yield "[0]", {"index": hole}, f"count = {text_of(value)}: {reason}"


def _each(value: Any, doubt: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    if isinstance(value, list):
        pairs = [(one if isinstance(one, Unresolved) else text_of(one), one) for one in value]
    elif isinstance(value, dict):
        pairs = [
            (Unresolved(key, "a key that only Terraform computes") if "${" in key else key, one)
            for key, one in value.items()
        ]
    else:
        reason = getattr(value, "reason", "no map or set")
        text = "one of several, which only Terraform counts"
        each = {"key": Unresolved("${each.key}", text), "value": Unresolved("${each.value}", text)}
        yield "[…]", each, f"for_each = {text_of(value)}: {reason}"
        return
    for key, one in pairs:
        unsure = isinstance(one, Unresolved) and one.many
        why = f"for_each has {text_of(one)}: {one.reason}" if unsure else doubt
        yield f'["{text_of(key)}"]', {"key": key, "value": one}, why


def read_modules(files: Mapping[str, str]) -> tuple[tuple[Module, ...], tuple[str, ...]]:
    """Read all modules of all roots, calls of folders that are at hand followed.

    Args:
        files: Text by path, relative to the Terraform folder, with `/` between parts.

    Returns:
        The modules, and what could not be read, with the reason: files, and folders of local
        modules that are not among the files.
    """
    tree, unread = read_folders(files)
    sources = local_sources(tree.values())
    called = {child for children in sources.values() for child in children}
    roots = sorted(at for at in tree if at not in called) or sorted(tree)
    normal = {posixpath.normpath(path): text for path, text in files.items()}
    modules = [one for at in roots for one in Module(tree[at], tree, normal).tree()]
    absent = sorted(at for at in called if at not in tree)
    return tuple(modules), (*unread, *(f"{at}: this module's folder is not here" for at in absent))
