"""Terraform's conversions between types, and what its numbers are."""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import Any

from mimir_migrate.documents.terraform.language.expressions import (
    Json,
    Set,
    Unresolved,
    known,
    text_of,
)

NUMBERS = Context(prec=154)
"""Terraform's numbers have 512 bits, which are 154 digits."""
_NUMBER = re.compile(r"[+-]?\d{1,300}(\.\d{1,300})?([eE][+-]?\d{1,3})?")
_LARGEST_EXPONENT = 300
_TRUE, _FALSE = {"true", "1"}, {"false", "0"}


class Wrong(Exception):  # noqa: N818 - it ends the evaluation of one expression, and no command
    """Terraform would refuse the call."""


class NotEvaluatedError(Exception):
    """Terraform has a value for the call, and this reader does not."""


def number_of(text: str) -> int | float:
    """Digits as the number that Terraform reads in them: a whole one as an int.

    Raises:
        OverflowError: It is larger than any number of a configuration.
    """
    found = Decimal(text)
    if found.adjusted() > _LARGEST_EXPONENT:
        raise OverflowError
    return plain_number(found)


def plain_number(value: Decimal) -> int | float:
    """A number as an int where it is whole."""
    return int(value) if value == value.to_integral_value() else float(value)


def exact(value: float) -> Decimal:
    """A number as it is written, and not as the processor has it."""
    return Decimal(repr(value))


def as_text(value: Any) -> Any:
    """As Terraform converts to a string.

    Raises:
        Wrong: It is a list or a map.
    """
    if isinstance(value, (list, dict)):
        raise Wrong("a list or a map is not text")
    return value if isinstance(value, (Unresolved, Json)) or value is None else text_of(value)


def as_bool(value: Any) -> Any:
    """As Terraform converts to a bool.

    Raises:
        Wrong: It has no such value.
    """
    if isinstance(value, str) and value in _TRUE | _FALSE:
        return value in _TRUE
    if value is None or isinstance(value, (bool, Unresolved)):
        return value
    raise Wrong("no bool")


def as_number(value: Any) -> Any:
    """As Terraform converts to a number.

    Raises:
        Wrong: It has no such value.
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return number_of(value)
    if value is None or isinstance(value, Unresolved):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise Wrong("no number")


def as_list(value: Any) -> list[Any]:
    """A list, tuple or set.

    Raises:
        Wrong: It is none.
    """
    if not isinstance(value, list):
        raise Wrong("no list")
    return value


def as_map(value: Any) -> dict[str, Any]:
    """A map or an object.

    Raises:
        Wrong: It is none.
    """
    if not isinstance(value, dict):
        raise Wrong("no map")
    return value


def same(one: Any, other: Any) -> bool | None:
    """Terraform's `==`, in which a text is not a number and true is not 1; None: not known."""
    if isinstance(one, Json) or isinstance(other, Json):
        one, other = (text_of(each) if isinstance(each, Json) else each for each in (one, other))
    if not known(one) or not known(other):
        return True if one == other and isinstance(one, Unresolved) else None
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            same(left, right) for left, right in zip(one, other, strict=True)
        )
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def unified(values: list[Any]) -> list[Any]:
    """Values as the elements of one list, which have one type.

    Numbers and bools beside a text become text. Beside a value that is not known they stay, as its
    type is not known either.

    Raises:
        Wrong: No type fits them all.
    """
    kinds = {_kind(one) for one in values if one is not None}
    if len(kinds) < 2 or "unknown" in kinds:  # noqa: PLR2004 - one kind needs no other made of it
        return values
    if "text" not in kinds or not kinds <= {"text", "bool", "number"}:
        raise Wrong("no type fits all of them")
    return [as_text(one) for one in values]


def _kind(value: Any) -> str:
    if isinstance(value, Unresolved):
        return "unknown"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, (str, Json)):
        return "text"
    return "list" if isinstance(value, list) else "map"


def distinct(listed: list[Any]) -> list[Any]:
    """Known values as the elements of one list, each once.

    Raises:
        Wrong: No type fits them all.
    """
    found: list[Any] = []
    for one in unified(listed):
        if not any(same(one, other) for other in found):
            found.append(one)
    return found


def set_of(values: list[Any]) -> Set:
    """Values as a set: of one type, each once, and in order; as they are where one is not known.

    Raises:
        Wrong: No type fits them all.
    """
    if not known(values):
        return Set(values)
    found = distinct(values)
    if all(isinstance(one, (int, float)) for one in found):
        return Set(sorted(found))
    return Set(sorted(found, key=text_of))
