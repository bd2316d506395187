"""The tree of a Terraform file: bodies of attributes and blocks, and expressions."""

from __future__ import annotations

from typing import Any

import msgspec


class Node(msgspec.Struct, frozen=True, gc=False):
    """An expression."""

    text: str
    """As it is written."""


class Literal(Node, frozen=True, gc=False):
    """A number, a text without parts, true, false or null."""

    value: Any


class Template(Node, frozen=True):
    """A text with parts to fill in; literal parts are str."""

    parts: tuple[str | Node, ...]


class Directive(Node, frozen=True, gc=False):
    """A text with `%{ if … }` or `%{ for … }` in it, which is not evaluated here."""


class Name(Node, frozen=True, gc=False):
    """The first word of a reference: `var`, `local`, a resource's type, the name of a loop."""

    name: str


class Attribute(Node, frozen=True):
    """`of.name`."""

    of: Node
    name: str


class Index(Node, frozen=True):
    """`of[key]`."""

    of: Node
    key: Node


class Splat(Node, frozen=True):
    """`of[*]` or `of.*`, with what is taken of each element."""

    of: Node
    each: Node
    """With `Name("", name="*")` for the element."""


class Call(Node, frozen=True):
    """A function's call."""

    name: str
    arguments: tuple[Node, ...]
    spread: bool = False
    """Whether the last argument is a list of arguments (`…`)."""


class Unary(Node, frozen=True):
    """`!of` or `-of`."""

    sign: str
    of: Node


class Binary(Node, frozen=True):
    """`left sign right`."""

    sign: str
    left: Node
    right: Node


class Choice(Node, frozen=True):
    """`condition ? one : other`."""

    condition: Node
    one: Node
    other: Node


class Sequence(Node, frozen=True):
    """`[…]`."""

    items: tuple[Node, ...]


class Mapping(Node, frozen=True):
    """`{…}`."""

    items: tuple[tuple[Node, Node], ...]


class Loop(Node, frozen=True):
    """`[for …]` or, with a key, `{for …}`."""

    names: tuple[str, ...]
    of: Node
    value: Node
    key: Node | None = None
    condition: Node | None = None
    grouped: bool = False


class Block(msgspec.Struct, frozen=True):
    """A block with its labels."""

    type: str
    labels: tuple[str, ...]
    body: Body
    line: int = 0


class Body(msgspec.Struct, frozen=True):
    """What stands between the braces of a block, or in a file."""

    attributes: dict[str, Node] = {}
    blocks: tuple[Block, ...] = ()
