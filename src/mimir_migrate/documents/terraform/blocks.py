"""One resource, data source or module call, with its arguments evaluated when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec

from mimir_migrate.documents.policy_text import (
    OWN_ACCOUNT,
    OWN_PARTITION,
    OWN_REGION,
)
from mimir_migrate.documents.terraform.language.evaluate import Scope, evaluate
from mimir_migrate.documents.terraform.language.expressions import Unresolved, joined, text_of
from mimir_migrate.documents.terraform.language.syntax import Body, Literal
from mimir_migrate.documents.terraform.language.syntax import Mapping as MappingNode
from mimir_migrate.documents.terraform.sources import Key, literal

_OWN = {
    ("aws_caller_identity", "account_id"): OWN_ACCOUNT,
    ("aws_partition", "partition"): OWN_PARTITION,
}
_REGIONS = frozenset({"name", "id", "region"})
TABLES = frozenset({"aws_dynamodb_table", "awscc_dynamodb_table"})
_NAMES = {
    ("aws_iam_role", "id"): "name",
    ("aws_dynamodb_table", "id"): "name",
    ("awscc_dynamodb_table", "id"): "table_name",
    ("aws_iam_policy", "id"): "arn",
}
"""Computed attributes that are another one."""


class Home(Protocol):
    """The module that a block stands in."""

    depth: int
    root: str
    prefix: str
    scope: Scope

    def child(self, call: Block) -> Home | None:
        """The module that a call makes; None where its folder is not at hand."""

    def output(self, name: str, written: str) -> Any:
        """What an output of it is."""

    def region(self, provider: str) -> Any:
        """The region of a provider, as it is named in this module."""


class Block:
    """A block of the files, once for each entry of its `count` or `for_each`."""

    def __init__(
        self,
        module: Home,
        key: Key,
        file: str,
        body: Body,
        entry: str,
        each: Mapping[str, Any],
        doubt: str,
    ) -> None:
        self.module = module
        self.kind, self.type, self.name = key
        """`resource`, `data` or `module`; `aws_iam_role` (empty for a module); its label."""
        self.file = file
        self.body = body
        self.key = text_of(each.get("key", entry))
        """Of `for_each`."""
        self.doubt = doubt
        """Why it is not known whether it is there; empty: it is."""
        self.address = f"{module.prefix}{self.reference}{entry}"
        self.uid = f"{module.root}:{self.address}"
        """Its address, told apart from that of another root module."""
        self._scope: Scope = (
            msgspec.structs.replace(module.scope, each=dict(each)) if each else module.scope
        )
        self._known: dict[str, Any] = {}

    @property
    def reference(self) -> str:
        """How other blocks of the module refer to it."""
        if self.kind == "module":
            return f"module.{self.name}"
        return f"{'data.' if self.kind == 'data' else ''}{self.type}.{self.name}"

    def has(self, key: str) -> bool:
        """Whether an argument is written."""
        return key in self.body.attributes

    def get(self, key: str) -> Any:
        """An argument's value; None where it is not set."""
        if key not in self.body.attributes:
            return None
        if key not in self._known:
            self._known[key] = Unresolved(f"${{{self.reference}.{key}}}", "it refers to itself")
            self._known[key] = evaluate(self.body.attributes[key], self._scope)
        return self._known[key]

    def first(self, *keys: str) -> Any:
        """The first of some arguments that is set."""
        return next((self.get(key) for key in keys if self.get(key) is not None), None)

    def blocks(self, key: str) -> tuple[Mapping[str, Any], ...]:
        """Nested blocks, evaluated; those of a `dynamic` that is not known are in `open_blocks`."""
        return tuple(one for one in self._nested(key) if isinstance(one, Mapping))

    def open_blocks(self, key: str) -> tuple[Unresolved, ...]:
        """What of the nested blocks is not known."""
        return tuple(one for one in self._nested(key) if isinstance(one, Unresolved))

    def _nested(self, key: str) -> list[Any]:
        if key in self.body.attributes:
            # JSON, and arguments that take the place of blocks.
            value = self.get(key)
            return [*value] if isinstance(value, list) else [] if value is None else [value]
        return list(nested(self.body, key, self._scope))

    def attribute(self, name: str, written: str) -> Any:
        """What an expression gets that names an attribute of it, or an output."""
        if self.kind == "module":
            return self._output(name, written)
        if name in self.body.attributes:
            value = self.get(name)
            return self._unknown(name) if value is None else value
        return self._computed(name)

    def _output(self, name: str, written: str) -> Any:
        child = self.module.child(self)
        if child is not None:
            return child.output(name, written)
        source = literal(self.body, "source").lower()
        if "dynamodb-table" in source and name in {"dynamodb_table_arn", "dynamodb_table_id"}:
            return table_arn(self) if name.endswith("arn") else self.get("name")
        return self._unknown(name)

    def _computed(self, name: str) -> Any:
        own = _OWN.get((self.type, name))
        if own:
            return Unresolved(own, f"looked up by data {self.type}.{self.name}")
        if self.type == "aws_region" and name in _REGIONS:
            return self.region()
        if self.type in TABLES and name == "arn":
            return table_arn(self)
        other = _NAMES.get((self.type, name))
        if other and self.kind == "resource":
            return self.attribute(other, "")
        return self._unknown(name)

    def _unknown(self, name: str) -> Unresolved:
        if self.kind == "module":
            reason = f"computed in module {self.name}"
        elif self.kind == "data":
            reason = f"looked up by data {self.type}.{self.name}"
        else:
            reason = f"known only once {self.reference} is made"
        text = f"${{{self.reference}.{name}}}"
        return Unresolved(text, reason, address=self.uid, attribute=name)

    # --- providers -------------------------------------------------------------------------------

    @property
    def providers(self) -> dict[str, str]:
        """Of a module's call: the caller's provider for each of the module's."""
        node = self.body.attributes.get("providers")
        if not isinstance(node, MappingNode):
            return {}
        return {_written(key): _written(value) for key, value in node.items}

    def region(self) -> Any:
        """Where it is made: a region, or `Unresolved` (`OWN_REGION`: the folder does not say)."""
        if self.has("region") and (self.kind == "module" or self.type.startswith("aws_")):
            given = self.get("region")
            if given is not None:
                return given
        node = self.body.attributes.get("provider")
        kind = "awscc" if self.type.startswith("awscc_") else "aws"
        provider = _written(node) if node is not None else kind
        if self.kind == "module":
            provider = self.providers.get("aws", "aws")
        found = self.module.region(provider)
        if found == OWN_REGION:
            return Unresolved(OWN_REGION, "the region of whoever applies the folder")
        return found


class Given(Block):
    """A call that a module's wrapper makes, with the arguments of one of its items."""

    def __init__(self, wrapper: Block, key: str, arguments: Mapping[str, Any]) -> None:
        self.__dict__.update(wrapper.__dict__)
        self.address = f'{wrapper.address}.wrapper["{key}"]'
        self.uid = f"{wrapper.module.root}:{self.address}"
        self._arguments = arguments

    def has(self, key: str) -> bool:
        """Whether the item or the defaults have it."""
        return key in self._arguments

    def get(self, key: str) -> Any:
        """Of the item, else of the defaults; None where neither sets it."""
        return self._arguments.get(key)


def _written(node: Any) -> str:
    if isinstance(node, Literal):
        return str(node.value)
    text: str = node.text
    return text.removeprefix("${").removesuffix("}").strip()


def table_arn(block: Block) -> Any:
    """The ARN of the table that a block makes."""
    name = block.first("name", "table_name")
    if name is None:
        return Unresolved(f"${{{block.reference}.arn}}", f"{block.reference} has no name")
    here = Unresolved(OWN_PARTITION, "looked up"), Unresolved(OWN_ACCOUNT, "looked up")
    return joined(["arn:", here[0], ":dynamodb:", block.region(), ":", here[1], ":table/", name])


def nested(body: Body, key: str, scope: Scope) -> Iterator[Any]:
    """Nested blocks of a type as mappings; `Unresolved` for a `dynamic` that is not known."""
    for one in body.blocks:
        if one.type == key:
            yield as_mapping(one.body, scope)
        elif one.type == "dynamic" and one.labels == (key,):
            yield from _unrolled(one.body, key, scope)


def _unrolled(body: Body, key: str, scope: Scope) -> Iterator[Any]:
    over = evaluate(body.attributes["for_each"], scope) if "for_each" in body.attributes else None
    content = next((one.body for one in body.blocks if one.type == "content"), None)
    if content is None:
        return
    iterator = body.attributes.get("iterator")
    name = iterator.text if iterator is not None else key
    if isinstance(over, dict):
        pairs = list(over.items())
    elif isinstance(over, list):
        pairs = list(enumerate(over))
    else:
        reason = getattr(over, "reason", "no list or map")
        yield Unresolved(f"${{dynamic {key}: {text_of(over)}}}", reason)
        return
    for number, value in pairs:
        if isinstance(value, Unresolved) and value.many:
            yield Unresolved(f"${{dynamic {key}: {value.text}}}", value.reason)
            continue
        names = {**scope.names, name: {"key": number, "value": value}}
        yield as_mapping(content, msgspec.structs.replace(scope, names=names))


def as_mapping(body: Body, scope: Scope) -> dict[str, Any]:
    """A nested block as a mapping: arguments by name, blocks within it as lists."""
    made: dict[str, Any] = {name: evaluate(node, scope) for name, node in body.attributes.items()}
    types = {
        one.labels[0] if one.type == "dynamic" and one.labels else one.type for one in body.blocks
    }
    for one in sorted(types):
        made[one] = list(nested(body, one, scope))
    return made
