"""The mutants of a module: each is one small change of its syntax tree.

What is left alone: texts and what is only put into them (f-strings, the arguments of an exception), type
annotations, decorators, docstrings, `assert`, and the methods by which a thing is shown.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

OPERATORS = {
    "comparison": "`==` and `!=`, `is` and `is not`, `in` and `not in` exchanged; `<` for `<=` and the "
    "reverse, and each for its opposite",
    "boolean": "`and` and `or` exchanged, `True` and `False` exchanged",
    "not": "a `not` taken away, or put before a condition that is a plain name, attribute or call",
    "number": "a whole number one higher, a number with a point doubled (0.0: 1.0), also as a default",
    "arithmetic": "`+` and `-`, `*` and `/` exchanged, outside texts; `//` for `*`, `%` for `*`",
    "return": "a value that is returned replaced: the opposite for `bool`, an empty text, tuple, dict, set or "
    "list where the annotation says so, `None` elsewhere; not of texts",
    "statement": "a call, `raise`, `del`, a bare `return`, an assignment to an attribute or an element "
    "taken away (not in `__init__`)",
    "jump": "`break` and `continue` exchanged",
}
"""What each operator does, in words for the document."""

WHOLE = "<module>"
"""The name of what stands in a module outside functions."""

_SHOWN = {"__repr__", "__str__", "__rich__", "__format__"}
_SWAPPED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
_EMPTY: dict[str, Callable[[], ast.expr]] = {
    "str": lambda: ast.Constant(""),
    "tuple": lambda: ast.Tuple([], ast.Load()),
    "Sequence": lambda: ast.Tuple([], ast.Load()),
    "list": lambda: ast.List([], ast.Load()),
    "dict": lambda: ast.Dict([], []),
    "Mapping": lambda: ast.Dict([], []),
    "set": lambda: ast.Call(ast.Name("set", ast.Load()), [], []),
    "frozenset": lambda: ast.Call(ast.Name("frozenset", ast.Load()), [], []),
}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Mutant(NamedTuple):
    """One change of one module."""

    id: str
    """The same for as long as the function is: from module, function, operator, both texts, and which of
    several alike it is."""
    module: str
    """Below `src/mimir_migrate`, with slashes."""
    function: str
    """The outermost function or method that it is in, or `<module>`."""
    operator: str
    line: int
    was: str
    now: str
    place: int
    """Which of the module's changes it is, in the order of `changes`."""


class _Change(NamedTuple):
    operator: str
    node: ast.AST
    was: str
    now: str
    make: Callable[[], None]
    """Changes the tree."""


def mutants(module: str, source: str) -> list[Mutant]:
    """All mutants of a module, in the order of its text.

    Args:
        module: Its name below `src/mimir_migrate`.
        source: Its text.
    """
    found: list[Mutant] = []
    alike: dict[str, int] = {}
    for place, (function, change) in enumerate(_changes(ast.parse(source))):
        key = f"{module}\0{function}\0{change.operator}\0{change.was}\0{change.now}"
        alike[key] = nth = alike.get(key, -1) + 1
        digest = hashlib.sha256(f"{key}\0{nth}".encode()).hexdigest()[:10]
        line = getattr(change.node, "lineno", 0)
        found.append(
            Mutant(digest, module, function, change.operator, line, change.was, change.now, place)
        )
    return found


def mutated(source: str, place: int) -> ast.Module:
    """The tree of a module with one of its changes made."""
    tree = ast.parse(source)
    for number, (_, change) in enumerate(_changes(tree)):
        if number == place:
            change.make()
            return ast.fix_missing_locations(tree)
    raise LookupError(place)


def _changes(tree: ast.Module) -> list[tuple[str, _Change]]:
    return list(_walk(tree, tree, WHOLE, None))


def _walk(
    node: ast.AST, parent: ast.AST, function: str, inner: _Function | None
) -> Iterator[tuple[str, _Change]]:
    for change in _of(node, parent, inner):
        yield function, change
    for field, value in ast.iter_fields(node):
        if _left_alone(node, field):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or _is_shown(child):
                continue
            name, around = function, inner
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                around = child
                if inner is None:
                    name = _joined(function, child.name)
            elif isinstance(child, ast.ClassDef) and inner is None:
                name = _joined(function, child.name) + "."
            yield from _walk(child, node, name, around)


def _joined(outer: str, name: str) -> str:
    return name if outer == WHOLE else outer + name


def _left_alone(node: ast.AST, field: str) -> bool:
    if field in {"annotation", "returns", "decorator_list", "type_params", "bases", "keywords"}:
        return not (isinstance(node, ast.Call) and field == "keywords")
    if isinstance(node, ast.Raise):
        return True
    if isinstance(node, ast.JoinedStr | ast.FormattedValue | ast.Assert):
        return True
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return True
    return isinstance(node, ast.Subscript) and field == "slice" and _is_type(node)


def _is_type(node: ast.Subscript) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in {
        "Callable",
        "tuple",
        "dict",
        "list",
    }


def _is_shown(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name in _SHOWN


def _of(node: ast.AST, parent: ast.AST, function: _Function | None) -> Iterator[_Change]:
    if isinstance(node, ast.expr):
        yield from _of_expression(node, parent)
    if isinstance(node, ast.stmt):
        yield from _of_statement(node, parent, function)
    for condition in _conditions(node):
        if isinstance(condition, ast.Name | ast.Attribute | ast.Call):
            yield _replacing("not", node, condition, ast.UnaryOp(ast.Not(), condition))


def _of_expression(node: ast.expr, parent: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Compare():
            for index, op in enumerate(node.ops):
                for other in _SWAPPED[type(op)]:
                    yield _setting("comparison", node, node.ops, index, other())
        case ast.BoolOp():
            other_op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield _setting("boolean", node, node, "op", other_op)
        case ast.UnaryOp(op=ast.Not()):
            yield _replacing("not", parent, node, node.operand)
        case ast.BinOp() if type(node.op) in _ARITHMETIC and not _is_text(node):
            yield _setting("arithmetic", node, node, "op", _ARITHMETIC[type(node.op)]())
        case ast.Constant(value=bool() as flag):
            yield _replacing("boolean", parent, node, ast.Constant(not flag))
        case ast.Constant(value=int() as number):
            yield _replacing("number", parent, node, ast.Constant(number + 1))
        case ast.Constant(value=float() as number):
            yield _replacing("number", parent, node, ast.Constant(number * 2 or 1.0))
        case _:
            pass


def _of_statement(
    node: ast.stmt, parent: ast.AST, function: _Function | None
) -> Iterator[_Change]:
    match node:
        case ast.Return(value=None) | ast.Raise() | ast.Delete():
            yield _replacing("statement", parent, node, ast.Pass())
        case ast.Return(value=ast.expr() as value) if function is not None:
            other = _other(value, function)
            if ast.unparse(other) != ast.unparse(value):
                yield _replacing("return", node, value, other, shown=node)
        case ast.Expr(value=ast.Call()):
            yield _replacing("statement", parent, node, ast.Pass())
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) if not _is_new(function):
            yield _replacing("statement", parent, node, ast.Pass())
        case ast.AugAssign():
            if isinstance(node.target, ast.Attribute | ast.Subscript):
                yield _replacing("statement", parent, node, ast.Pass())
            if type(node.op) in _ARITHMETIC and not _is_text(node):
                yield _setting("arithmetic", node, node, "op", _ARITHMETIC[type(node.op)]())
        case ast.Break():
            yield _replacing("jump", parent, node, ast.Continue())
        case ast.Continue():
            yield _replacing("jump", parent, node, ast.Break())
        case _:
            pass


def _is_new(function: _Function | None) -> bool:
    """Whether it makes an object: one without an attribute fails wherever it is used."""
    return function is not None and function.name == "__init__"


def _conditions(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.If() | ast.While() | ast.IfExp():
            return [node.test]
        case ast.comprehension():
            return node.ifs
        case ast.match_case(guard=ast.expr() as guard):
            return [guard]
        case ast.BoolOp():
            return node.values
        case _:
            return []


def _other(value: ast.expr, function: _Function) -> ast.expr:
    if isinstance(value, ast.JoinedStr) or (
        isinstance(value, ast.Constant) and isinstance(value.value, str)
    ):
        return value
    annotation = ast.unparse(function.returns) if function.returns is not None else ""
    if annotation == "bool":
        if isinstance(value, ast.Constant | ast.Compare | ast.BoolOp):  # changed as what it is
            return value
        if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
            return value
        return ast.UnaryOp(ast.Not(), value)
    empty = _EMPTY.get(annotation.partition("[")[0])
    if "|" not in annotation and empty is not None:
        return empty()
    return ast.Constant(None)


def _is_text(node: ast.BinOp | ast.AugAssign) -> bool:
    sides = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.value]
    return any(
        isinstance(side, ast.JoinedStr | ast.List | ast.Tuple | ast.GeneratorExp)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str | bytes))
        or (isinstance(side, ast.BinOp) and _is_text(side))
        for side in sides
    )


def _setting(
    operator: str, node: ast.AST, holder: ast.AST | list[ast.cmpop], key: str | int, value: ast.AST
) -> _Change:
    """A change of one operator within a node."""

    def put(what: ast.AST) -> ast.AST:
        if isinstance(holder, list):
            holder[key], before = what, holder[key]  # type: ignore[index,call-overload]
        else:
            before = getattr(holder, str(key))
            setattr(holder, str(key), what)
        return before

    was = ast.unparse(node)
    before = put(value)
    now = ast.unparse(node)
    put(before)
    return _Change(operator, node, was, now, lambda: _ignored(put(value)))


def _replacing(
    operator: str, parent: ast.AST, node: ast.AST, other: ast.AST, shown: ast.AST | None = None
) -> _Change:
    """A change of one node for another."""

    def make() -> None:
        for field, value in ast.iter_fields(parent):
            if value is node:
                setattr(parent, field, other)
                return
            if isinstance(value, list) and any(one is node for one in value):
                at = next(index for index, one in enumerate(value) if one is node)
                value[at] = other
                return
        raise LookupError(ast.unparse(node))

    if isinstance(node, ast.stmt):
        was, now = ast.unparse(node), ast.unparse(other)
    else:
        around = shown or (parent if isinstance(parent, ast.expr | ast.keyword) else node)
        was = ast.unparse(around)
        now = _with(parent, node, other, around)
    if hasattr(node, "lineno"):
        ast.copy_location(other, node)
    return _Change(operator, node, was, now, make)


def _with(parent: ast.AST, node: ast.AST, other: ast.AST, around: ast.AST) -> str:
    """The text of what is around a node, with another in its place."""
    if around is node:
        return ast.unparse(other)
    for field, value in ast.iter_fields(parent):
        if value is node:
            setattr(parent, field, other)
            text = ast.unparse(around)
            setattr(parent, field, node)
            return text
        if isinstance(value, list):
            for index, one in enumerate(value):
                if one is node:
                    value[index] = other
                    text = ast.unparse(around)
                    value[index] = node
                    return text
    return ast.unparse(other)


def _ignored(_: object) -> None:
    """What a change puts away is not needed."""
