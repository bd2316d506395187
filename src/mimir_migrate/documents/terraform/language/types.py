"""Values converted to the type of a variable, with the defaults of optional attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mimir_migrate.documents.terraform.language.conversions import (
    Wrong,
    as_bool,
    as_list,
    as_map,
    as_number,
    as_text,
    set_of,
    unified,
)
from mimir_migrate.documents.terraform.language.expressions import text_of
from mimir_migrate.documents.terraform.language.syntax import Call, Mapping, Name, Node, Sequence

_PRIMITIVE: dict[str, Callable[[Any], Any]] = {
    "string": as_text,
    "bool": as_bool,
    "number": as_number,
}
_ONE_ARGUMENT = 1

Evaluate = Callable[[Node], Any]


def converted(value: Any, kind: Node, evaluate: Evaluate) -> Any:
    """A value as a variable of a type has it.

    What is not known stays so, in a collection too.

    Args:
        value: Evaluated.
        kind: The type, as it is written.
        evaluate: Evaluates the default of an optional attribute.

    Raises:
        Wrong: Terraform would refuse the value.
    """
    if value is None or hasattr(value, "attribute"):
        return value  # not known, or a whole resource
    if isinstance(kind, Name):
        convert = _PRIMITIVE.get(kind.name)
        return value if convert is None else convert(value)
    if not isinstance(kind, Call) or len(kind.arguments) != _ONE_ARGUMENT:
        return value
    (inner,) = kind.arguments
    if kind.name == "object" and isinstance(inner, Mapping):
        return _object(as_map(value), inner, evaluate)
    if kind.name == "tuple" and isinstance(inner, Sequence):
        return _tuple(as_list(value), inner, evaluate)
    if kind.name == "map":
        items = _elements(list(as_map(value).values()), inner, evaluate)
        return dict(zip(value, items, strict=True))
    if kind.name == "list":
        return _elements(list(as_list(value)), inner, evaluate)
    if kind.name == "set":
        return set_of(_elements(list(as_list(value)), inner, evaluate))
    return value


def _elements(values: list[Any], kind: Node, evaluate: Evaluate) -> list[Any]:
    """Converted each; of the type `any` they have one that fits them all."""
    if isinstance(kind, Name) and kind.name == "any":
        return unified(values)
    return [converted(one, kind, evaluate) for one in values]


def _tuple(values: list[Any], kinds: Sequence, evaluate: Evaluate) -> list[Any]:
    if len(values) != len(kinds.items):
        raise Wrong("another number of elements")
    return [converted(one, kind, evaluate) for one, kind in zip(values, kinds.items, strict=True)]


def _object(value: dict[str, Any], attributes: Mapping, evaluate: Evaluate) -> dict[str, Any]:
    hidden = any("${" in one for one in value)
    made: dict[str, Any] = {one: held for one, held in value.items() if "${" in one}
    for key, kind in attributes.items:
        name = text_of(evaluate(key))
        given = value.get(name)
        if isinstance(kind, Call) and kind.name == "optional" and kind.arguments:
            inner, *default = kind.arguments
            if name not in value and hidden:
                # One of the keys that are not known may be it.
                continue
            if given is None and default:
                given = evaluate(default[0])
            made[name] = converted(given, inner, evaluate)
        elif name in value:
            made[name] = converted(given, kind, evaluate)
        elif not hidden:
            raise Wrong(f"no {name}")
    return made
