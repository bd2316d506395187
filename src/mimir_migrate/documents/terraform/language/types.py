"""Values converted to the type of a variable, with the defaults of optional attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mimir_migrate.documents.terraform.language.conversions import as_bool, as_number, as_text
from mimir_migrate.documents.terraform.language.expressions import Set, Unresolved, known, text_of
from mimir_migrate.documents.terraform.language.syntax import Call, Mapping, Name, Node

_PRIMITIVE: dict[str, Callable[[Any], Any]] = {
    "string": as_text,
    "bool": as_bool,
    "number": as_number,
}
_ONE_ARGUMENT = 1

Evaluate = Callable[[Node], Any]


def converted(value: Any, kind: Node, evaluate: Evaluate) -> Any:
    """A value as a variable of a type has it.

    What is not known stays so, and what does not fit a collection's type stays as it is.

    Args:
        value: Evaluated.
        kind: The type, as it is written.
        evaluate: Evaluates the default of an optional attribute.

    Raises:
        Wrong: Terraform would refuse the value.
    """
    if isinstance(value, Unresolved) or value is None:
        return value
    if isinstance(kind, Name):
        convert = _PRIMITIVE.get(kind.name)
        return value if convert is None else convert(value)
    if not isinstance(kind, Call) or len(kind.arguments) != _ONE_ARGUMENT:
        return value
    (inner,) = kind.arguments
    if kind.name == "object" and isinstance(inner, Mapping) and isinstance(value, dict):
        return _object(value, inner, evaluate)
    if kind.name == "map" and isinstance(value, dict):
        return {key: converted(one, inner, evaluate) for key, one in value.items()}
    if kind.name in {"list", "set"} and isinstance(value, list):
        items = [converted(one, inner, evaluate) for one in value]
        if kind.name == "list":
            return items
        if not known(items):
            return Set(items)
        return Set(sorted({text_of(one): one for one in items}.values(), key=text_of))
    return value


def _object(value: dict[str, Any], attributes: Mapping, evaluate: Evaluate) -> dict[str, Any]:
    made = dict(value)
    for key, kind in attributes.items:
        name = text_of(evaluate(key))
        given = made.get(name)
        if isinstance(kind, Call) and kind.name == "optional" and kind.arguments:
            inner, *default = kind.arguments
            if given is None and name not in made and any("${" in one for one in made):
                # One of the keys that are not known may be it.
                continue
            if given is None and default:
                given = evaluate(default[0])
            made[name] = converted(given, inner, evaluate)
        elif name in made:
            made[name] = converted(given, kind, evaluate)
    return made
