"""Evaluates expressions with what the files of a folder tell; everything else stays unknown.

Each part that is not known keeps its text and the reason. Nothing here raises.
"""

# Longer than 400 lines. One visitor: a node of each kind, in one scope.

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from mimir_migrate.documents.terraform.language.conversions import (
    NUMBERS,
    NotEvaluatedError,
    Wrong,
    as_bool,
    as_number,
    as_text,
    exact,
    plain_number,
    same,
    unified,
)
from mimir_migrate.documents.terraform.language.expressions import (
    Set,
    Unresolved,
    first_unknown,
    joined,
    known,
    text_of,
)
from mimir_migrate.documents.terraform.language.functions import call
from mimir_migrate.documents.terraform.language.syntax import (
    Attribute,
    Binary,
    Call,
    Choice,
    Directive,
    Index,
    Literal,
    Loop,
    Mapping,
    Name,
    Node,
    Sequence,
    Splat,
    Template,
    Unary,
)

_DEEPEST = 150
"""Locals can refer to each other in a circle in a file that Terraform would refuse."""


class Made(Protocol):
    """A resource, a data source or a module, as expressions see it."""

    def attribute(self, name: str, written: str) -> Any:
        """The value of an attribute or of an output."""
        ...


class Surroundings(Protocol):
    """What names mean in one module."""

    def variable(self, name: str) -> Any:
        """The value of a variable."""
        ...

    def local(self, name: str) -> Any:
        """The value of a local."""
        ...

    def made(self, kind: str, type_name: str, name: str) -> Any:
        """A `Made`, a list or a map of them, or `Unresolved`."""
        ...

    def path(self, name: str) -> Any:
        """`path.module` and its like."""
        ...

    def file(self, path: str) -> str | None:
        """The text of a file of the folder; None where it is not at hand."""
        ...

    def rendered(self, path: str, values: dict[str, Any]) -> Any:
        """What `templatefile` makes of a file; None where it is not at hand."""
        ...


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Where an expression stands."""

    module: Any
    """`Surroundings`."""
    each: dict[str, Any] = {}
    """`key` and `value` of a block with `for_each`, `index` of one with `count`."""
    names: dict[str, Any] = {}
    """Of loops around it, and arguments of a template."""
    depth: int = 0


def evaluate(node: Node, scope: Scope) -> Any:
    """The value of an expression.

    Returns:
        A str, number, bool, None, list, dict or `Json`; `Unresolved` where it is not known, which
        lists and maps may hold too. A `Made` where a whole resource is named. Keys of maps are
        strings, with `${…}` left in them where they are not known.
    """
    if isinstance(node, Literal):
        return node.value
    if scope.depth > _DEEPEST:
        return Unresolved(f"${{{node.text}}}", "it refers to itself")
    inner = msgspec.structs.replace(scope, depth=scope.depth + 1)
    try:
        return _HANDLERS[type(node)](node, inner)
    except RecursionError:
        return Unresolved(f"${{{node.text}}}", "it is nested too deeply")


def truth(value: Any) -> bool | None:
    """A condition's value; None where it is not known."""
    try:
        found = as_bool(value)
    except Wrong:
        return None
    return found if isinstance(found, bool) else None


# --- references ----------------------------------------------------------------------------------

Step = tuple[str, Any]
"""(`attribute`, name) or (`index`, node)"""


def _reference(node: Node, scope: Scope) -> Any:
    steps: list[Step] = []
    root: Node = node
    while isinstance(root, (Attribute, Index)):
        steps.append(
            ("attribute", root.name) if isinstance(root, Attribute) else ("index", root.key)
        )
        root = root.of
    steps.reverse()
    if isinstance(root, Name):
        value, steps = _rooted(root.name, steps, scope, node.text)
    else:
        value = evaluate(root, scope)
    for kind, what in steps:
        if isinstance(value, Unresolved):
            return Unresolved(f"${{{node.text}}}", value.reason, failed=value.failed)
        if kind == "attribute":
            value = _attribute(value, what, node.text)
        else:
            value = _indexed(value, evaluate(what, scope), node.text)
    if isinstance(value, Unresolved) and "${" not in value.text:
        return msgspec.structs.replace(value, text=f"${{{node.text}}}")
    return value


def _rooted(root: str, steps: list[Step], scope: Scope, written: str) -> tuple[Any, list[Step]]:
    """The value that the first words of a reference name, and the steps that are left."""
    if root in scope.names:
        return scope.names[root], steps
    words = [what for kind, what in steps if kind == "attribute"]
    first = words[0] if steps and steps[0][0] == "attribute" else ""
    if root == "var":
        return scope.module.variable(first), steps[1:]
    if root == "local":
        return scope.module.local(first), steps[1:]
    if root in {"each", "count"}:
        if first in scope.each:
            return scope.each[first], steps[1:]
        return Unresolved(written, "one of several, which only Terraform counts"), []
    if root == "terraform":
        return Unresolved(written, "the workspace that Terraform is run in"), []
    if root == "path":
        return scope.module.path(first), steps[1:]
    if root == "module" and first:
        return scope.module.made("module", "", first), steps[1:]
    if root == "data" and len(words) > 1:
        return scope.module.made("data", words[0], words[1]), steps[2:]
    if first and "_" in root:
        return scope.module.made("resource", root, first), steps[1:]
    return Unresolved(written, "an expression that only Terraform computes"), []


def _attribute(value: Any, name: str, written: str) -> Any:
    if isinstance(value, dict):
        if name in value:
            return value[name]
        return _no_key(value, name, written)
    if isinstance(value, list):
        if name.isdigit() and int(name) < len(value):
            return value[int(name)]
        return Unresolved(written, f"a list has no {name}", failed=True)
    if hasattr(value, "attribute"):
        return value.attribute(name, written)
    return Unresolved(written, f"it has no {name}", failed=True)


def _indexed(value: Any, key: Any, written: str) -> Any:
    if isinstance(key, Unresolved):
        # Of two blocks with one count that is not known, each goes with its own.
        return value if getattr(value, "doubtful", False) else Unresolved(written, key.reason)
    if isinstance(value, dict):
        text = text_of(key)
        return value[text] if text in value else _no_key(value, text, written)
    if isinstance(value, Set):
        return Unresolved(written, "a set has no places", failed=True)
    if isinstance(value, list):
        try:
            at = as_number(key)
        except Wrong:
            at = None
        if isinstance(at, int) and 0 <= at < len(value):
            if any(isinstance(one, Unresolved) and one.many for one in value[: at + 1]):
                return Unresolved(written, "a list whose length is not known")
            return value[at]
        return Unresolved(written, f"it has no element {text_of(key)}", failed=known(value))
    if hasattr(value, "attribute") and key == 0:
        return value
    return Unresolved(written, f"it has no element {text_of(key)}", failed=True)


def _no_key(value: dict[str, Any], name: str, written: str) -> Unresolved:
    open_ended = any("${" in key for key in value)
    return Unresolved(written, f"it has no {name}", failed=not open_ended)


# --- the rest ------------------------------------------------------------------------------------


def _template(node: Template, scope: Scope) -> Any:
    parts = [one if isinstance(one, str) else evaluate(one, scope) for one in node.parts]
    if len(parts) == 1:
        return parts[0]
    if any(hasattr(one, "attribute") and not isinstance(one, Unresolved) for one in parts):
        return Unresolved(node.text, "a whole resource within a text", failed=True)
    if any(one is None for one in parts):
        return Unresolved(node.text, "null within a text", failed=True)
    return joined(parts)


def _directive(node: Directive, _scope: Scope) -> Any:
    return Unresolved(f"${{{node.text}}}", "a template directive")


def _call(node: Call, scope: Scope) -> Any:
    written = node.text
    if node.name in {"try", "can"}:
        return _tried(node, scope)
    arguments = [evaluate(one, scope) for one in node.arguments]
    if node.spread and arguments:
        last = arguments.pop()
        if not isinstance(last, list):
            hole = first_unknown(last)
            return Unresolved(f"${{{written}}}", hole.reason if hole else "no list to spread")
        arguments.extend(last)
    if node.name in {"file", "templatefile"} and arguments:
        return _file(node, arguments, scope)
    if any(hasattr(one, "attribute") and not isinstance(one, Unresolved) for one in arguments):
        return Unresolved(f"${{{written}}}", "a whole resource as an argument")
    return call(node.name, arguments, written)


def _tried(node: Call, scope: Scope) -> Any:
    for one in node.arguments:
        value = evaluate(one, scope)
        hole = first_unknown(value)
        if node.name == "can":
            if hole is None or hole.failed:
                return hole is None
            return Unresolved(f"${{{node.text}}}", hole.reason)
        if hole is None or not hole.failed:
            return value
    return Unresolved(f"${{{node.text}}}", "nothing that is tried has a value", failed=True)


def _file(node: Call, arguments: list[Any], scope: Scope) -> Any:
    path = arguments[0]
    if not isinstance(path, str):
        hole = first_unknown(path)
        return Unresolved(f"${{{node.text}}}", hole.reason if hole else "no path")
    if node.name == "file":
        found: Any = scope.module.file(path)
    else:
        values = arguments[1] if len(arguments) > 1 else {}
        found = scope.module.rendered(path, values) if isinstance(values, dict) else None
    if found is None:
        return Unresolved(f"${{{node.text}}}", f"the file {path} is not read here")
    return found


def _splat(node: Splat, scope: Scope) -> Any:
    value = evaluate(node.of, scope)
    if isinstance(value, Unresolved):
        return msgspec.structs.replace(value, text=f"${{{node.text}}}")
    if value is None:
        return []
    if getattr(value, "doubtful", False):
        return Unresolved(f"${{{node.text}}}", "one of several, which only Terraform counts")
    listed = value if isinstance(value, list) else [value]
    return [
        one
        if isinstance(node.each, Name) or (isinstance(one, Unresolved) and one.many)
        else _reference(node.each, _with(scope, {"*": one}))
        for one in listed
    ]


def _with(scope: Scope, names: dict[str, Any]) -> Scope:
    return msgspec.structs.replace(scope, names={**scope.names, **names})


def _unary(node: Unary, scope: Scope) -> Any:
    value = evaluate(node.of, scope)
    if node.sign == "!":
        found = truth(value)
        return _unsure(node, value) if found is None else not found
    try:
        number = as_number(value)
    except Wrong:
        return Unresolved(f"${{{node.text}}}", "no number", failed=True)
    return _unsure(node, value) if number is None or isinstance(number, Unresolved) else -number


def _unsure(node: Node, *values: Any) -> Unresolved:
    hole = first_unknown(list(values))
    return Unresolved(f"${{{node.text}}}", hole.reason if hole else "no value", failed=not hole)


def _binary(node: Binary, scope: Scope) -> Any:
    left, right = evaluate(node.left, scope), evaluate(node.right, scope)
    if node.sign in {"&&", "||"}:
        decides = node.sign == "||"
        found = (truth(left), truth(right))
        if decides in found:
            return decides
        return _unsure(node, left, right) if None in found else not decides
    if node.sign in {"==", "!="}:
        equal = same(left, right)
        literal = {type(node.left), type(node.right)} in ({Sequence}, {Mapping})
        if equal and isinstance(left, (list, dict)) and not literal:
            # A list is never equal to a tuple, nor a map to an object, whatever they hold.
            return Unresolved(f"${{{node.text}}}", "it depends on the types of both sides")
        return _unsure(node, left, right) if equal is None else equal == (node.sign == "==")
    try:
        one, other = as_number(left), as_number(right)
        if not known([one, other]) or one is None or other is None:
            return _unsure(node, left, right)
        return _OPERATIONS[node.sign](exact(one), exact(other))
    except NotEvaluatedError as error:
        return Unresolved(f"${{{node.text}}}", str(error))
    except (Wrong, ArithmeticError):
        return Unresolved(f"${{{node.text}}}", "it cannot be computed", failed=True)


def _divided(one: Decimal, other: Decimal) -> Any:
    found = NUMBERS.divide(one, other)
    number = plain_number(found)
    if exact(number) != found:
        raise NotEvaluatedError("a number with more digits than are kept here")
    return number


_OPERATIONS: dict[str, Callable[[Decimal, Decimal], Any]] = {
    "+": lambda one, other: plain_number(NUMBERS.add(one, other)),
    "-": lambda one, other: plain_number(NUMBERS.subtract(one, other)),
    "*": lambda one, other: plain_number(NUMBERS.multiply(one, other)),
    "/": _divided,
    "%": lambda one, other: plain_number(NUMBERS.remainder(one, other)),
    "<": lambda one, other: one < other,
    ">": lambda one, other: one > other,
    "<=": lambda one, other: one <= other,
    ">=": lambda one, other: one >= other,
}


def _beside(taken: Any, left: Any) -> Any:
    """What is taken of two values, of which Terraform makes one type where it can."""
    if isinstance(taken, (bool, int, float)) and isinstance(left, str):
        return as_text(taken)
    if isinstance(taken, list) and isinstance(left, list) and known(left):
        try:
            return type(taken)(unified(taken + left)[: len(taken)])
        except Wrong:
            return taken
    return taken


def _choice(node: Choice, scope: Scope) -> Any:
    condition = evaluate(node.condition, scope)
    found = truth(condition)
    if found is not None:
        taken, left = (node.one, node.other) if found else (node.other, node.one)
        return _beside(evaluate(taken, scope), evaluate(left, scope))
    one, other = evaluate(node.one, scope), evaluate(node.other, scope)
    return one if same(one, other) else _unsure(node, condition)


def _sequence(node: Sequence, scope: Scope) -> Any:
    return [evaluate(one, scope) for one in node.items]


def _mapping(node: Mapping, scope: Scope) -> Any:
    return {text_of(evaluate(key, scope)): evaluate(one, scope) for key, one in node.items}


def _loop(node: Loop, scope: Scope) -> Any:
    over = evaluate(node.of, scope)
    if isinstance(over, dict):
        pairs = sorted(over.items()) if known(list(over)) else list(over.items())
    elif isinstance(over, Set):
        pairs = [(one, one) for one in over]
    elif isinstance(over, list):
        pairs = list(enumerate(over))
    else:
        return _unsure(node, over)
    listed: list[Any] = []
    mapped: dict[str, Any] = {}
    for key, value in pairs:
        if isinstance(value, Unresolved) and value.many:
            # How many elements stand behind it is not known.
            return _unsure(node, value)
        named = {node.names[0]: value}
        if len(node.names) > 1:
            named = {node.names[0]: key, node.names[1]: value}
        inner = _with(scope, named)
        if node.condition is not None:
            condition = evaluate(node.condition, inner)
            wanted = truth(condition)
            if wanted is None:
                return _unsure(node, condition)
            if not wanted:
                continue
        made = evaluate(node.value, inner)
        if node.key is None:
            listed.append(made)
        else:
            name = text_of(evaluate(node.key, inner))
            if node.grouped:
                mapped.setdefault(name, []).append(made)
            elif name in mapped and "${" not in name:
                return Unresolved(f"${{{node.text}}}", f"the key {name} twice", failed=True)
            else:
                mapped[name] = made
    return listed if node.key is None else mapped


_HANDLERS: dict[type[Node], Callable[[Any, Scope], Any]] = {
    Attribute: _reference,
    Binary: _binary,
    Call: _call,
    Choice: _choice,
    Directive: _directive,
    Index: _reference,
    Loop: _loop,
    Mapping: _mapping,
    Name: _reference,
    Sequence: _sequence,
    Splat: _splat,
    Template: _template,
    Unary: _unary,
}
