"""Functions of Terraform that need nothing but their arguments.

A function that is not among them, or whose arguments are not known, gives what is not known. What
Terraform would refuse is told apart from what is only not evaluated here.
"""

# Longer than 400 lines. One table of the functions of Terraform; each is a few lines.

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import math
import posixpath
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import msgspec

from mimir_migrate.documents.terraform.language import texts
from mimir_migrate.documents.terraform.language.conversions import (
    NUMBERS,
    NotEvaluatedError,
    Wrong,
    as_bool,
    as_list,
    as_map,
    as_number,
    as_text,
    distinct,
    exact,
    plain_number,
    same,
    set_of,
    unified,
)
from mimir_migrate.documents.terraform.language.expressions import (
    Json,
    Set,
    Unresolved,
    first_unknown,
    joined,
    read_json,
    text_of,
)
from mimir_migrate.words import counted

_LARGEST = 10_000
"""Elements that a function may make; a file that asks for more is not a configuration."""
_LONGEST_RANGE = 1_024
"""Elements of a `range`; Terraform makes no more."""
_LARGEST_POWER = 1_000


def call(name: str, arguments: list[Any], written: str) -> Any:
    """Call a function.

    Args:
        name: Of the function; `core::` before it is the same.
        arguments: Evaluated.
        written: The call, for the text of what is not known.
    """
    name = name.removeprefix("core::")
    partly = _PARTLY.get(name)
    wholly = _WHOLLY.get(name)
    try:
        if partly is not None:
            return partly(arguments)
        if wholly is None:
            return Unresolved(f"${{{written}}}", f"the function {name} is not evaluated here")
        hole = first_unknown(arguments)
        if hole is not None:
            return Unresolved(f"${{{written}}}", hole.reason)
        kinds, function = wholly
        return function(*_taken(kinds, arguments))
    except Wrong as error:
        return Unresolved(f"${{{written}}}", f"{name}: {error}", failed=True)
    except NotEvaluatedError as error:
        return Unresolved(f"${{{written}}}", str(error))
    except (ArithmeticError, ValueError, IndexError, KeyError):
        return Unresolved(f"${{{written}}}", f"{name} cannot be called so", failed=True)
    except (TypeError, AttributeError):
        # Of another type than it is evaluated for here, which Terraform may take.
        return Unresolved(f"${{{written}}}", f"{name} cannot be called so")


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "t": texts.known_text,
    "n": lambda value: _given(as_number(value)),
    "b": lambda value: _given(as_bool(value)),
    "l": as_list,
    "m": as_map,
    "v": lambda value: value,
}
"""How arguments are taken: text, number, bool, list, map or any value."""


def _given(value: Any) -> Any:
    if value is None:
        raise Wrong("null as an argument")
    return value


def _taken(kinds: str, arguments: list[Any]) -> list[Any]:
    """Arguments converted as a function's parameters ask; the last kind goes on behind a `*`."""
    if kinds.endswith("*"):
        kinds = kinds[:-1] + kinds[-2] * (len(arguments) - len(kinds) + 1)
    if len(kinds) != len(arguments):
        raise Wrong(f"not with {counted(len(arguments), 'argument')}")
    return [_KINDS[kind](one) for kind, one in zip(kinds, arguments, strict=True)]


# --- those that take parts which are not known ----------------------------------------------------


def _join(values: list[Any]) -> Any:
    parts: list[Any] = []
    for one in values[1:]:
        if isinstance(one, Unresolved):
            return one
        for item in as_list(one):
            parts += [values[0], _given(item)] if parts else [_given(item)]
    return joined(parts)


def _concat(values: list[Any]) -> Any:
    found: list[Any] = []
    for one in values:
        if isinstance(one, Unresolved):
            found.append(_some(one))
        else:
            found.extend(as_list(one))
    return found


def _some(value: Any) -> Any:
    """What is not known, as none, one or several elements."""
    return msgspec.structs.replace(value, many=True) if isinstance(value, Unresolved) else value


def _countless(value: Any) -> Unresolved | None:
    """What makes the length of a list or a map not known."""
    if isinstance(value, Unresolved):
        return value
    items = value if isinstance(value, list) else []
    return next((one for one in items if isinstance(one, Unresolved) and one.many), None)


def _length(values: list[Any]) -> Any:
    (one,) = values
    hole = _countless(one)
    if hole is not None:
        return Unresolved(f"${{length({hole.text})}}", hole.reason)
    if isinstance(one, (list, dict)):
        return len(one)
    return len(texts.characters(texts.known_text(one)))


def _merge(values: list[Any]) -> Any:
    found: dict[str, Any] = {}
    for one in values:
        if isinstance(one, Unresolved):
            return one
        if one is not None:
            found.update(as_map(one))
    return found


def _flatten(values: list[Any]) -> Any:
    (listed,) = values
    if isinstance(listed, Unresolved):
        return listed
    found: list[Any] = []
    for one in as_list(listed):
        found.extend(_flatten([one]) if isinstance(one, list) else [_some(one)])
    return found


def _coalesce(values: list[Any]) -> Any:
    same = unified(values)
    for one in same:
        if isinstance(one, Unresolved):
            return one
        if one is not None and one != "":
            return one
    raise Wrong("no argument has a value")


def _same(values: list[Any]) -> Any:
    (one,) = values
    return one


def _toset(values: list[Any]) -> Any:
    (listed,) = values
    return listed if isinstance(listed, Unresolved) else set_of(as_list(listed))


def _tolist(values: list[Any]) -> Any:
    (listed,) = values
    if isinstance(listed, Unresolved) or listed is None:
        return listed
    return unified(list(as_list(listed)))


def _tomap(values: list[Any]) -> Any:
    (table,) = values
    if isinstance(table, Unresolved) or table is None:
        return table
    return dict(zip(as_map(table), unified(list(table.values())), strict=True))


def _compact(values: list[Any]) -> Any:
    (listed,) = values
    if isinstance(listed, Unresolved):
        return listed
    # An ARN or an id that is made with its resource is never empty; anything else may be.
    return [
        one if isinstance(one, Unresolved) and one.address else _some(as_text(one))
        for one in as_list(listed)
        if one not in (None, "")
    ]


def _json(values: list[Any]) -> Any:
    (one,) = values
    return Json(one)


def _unjson(values: list[Any]) -> Any:
    (one,) = values
    return read_json(one)


def _lookup(values: list[Any]) -> Any:
    table, key = values[0], values[1]
    if isinstance(table, Unresolved) or isinstance(key, Unresolved):
        return first_unknown([table, key])
    key = text_of(key)
    if key in as_map(table):
        return table[key]
    if any("${" in one for one in table):
        return Unresolved(f"${{lookup(…, {key!r})}}", "a map whose keys are not known")
    if len(values) > 2:  # noqa: PLR2004 - the third argument may be left out
        return values[2]
    raise Wrong(f"no key {key}")


def _element(values: list[Any]) -> Any:
    listed, index = values
    if isinstance(listed, Unresolved) or isinstance(index, Unresolved):
        return first_unknown([listed, index])
    hole = _countless(listed)
    if hole is not None:
        return Unresolved(f"${{element(…, {text_of(index)})}}", hole.reason)
    if isinstance(listed, Set):
        raise Wrong("a set has no places")
    if not as_list(listed):
        raise Wrong("an empty list")
    at = _whole(_given(as_number(index)))
    if at < 0:
        raise NotEvaluatedError("an index below 0, which not every Terraform takes")
    return listed[at % len(listed)]


def _one(values: list[Any]) -> Any:
    (listed,) = values
    if isinstance(listed, Unresolved):
        return listed
    hole = _countless(listed)
    if hole is not None:
        return hole
    if len(as_list(listed)) > 1:
        raise Wrong("more than one element")
    return listed[0] if listed else None


def _split(values: list[Any]) -> Any:
    by, text = values
    hole = first_unknown(values)
    if hole is not None:
        return Unresolved(f"${{split(…, {text_of(text)!r})}}", hole.reason)
    by, text = texts.known_text(by), texts.known_text(text)
    return text.split(by) if by else list(text)


_PARTLY: Mapping[str, Callable[[list[Any]], Any]] = {
    "coalesce": _coalesce,
    "compact": _compact,
    "concat": _concat,
    "element": _element,
    "flatten": _flatten,
    "format": texts.format_text,
    "join": _join,
    "jsondecode": _unjson,
    "jsonencode": _json,
    "length": _length,
    "lookup": _lookup,
    "merge": _merge,
    "nonsensitive": _same,
    "one": _one,
    "sensitive": _same,
    "split": _split,
    "tolist": _tolist,
    "tomap": _tomap,
    "toset": _toset,
    "tostring": lambda values: as_text(_same(values)),
    "tobool": lambda values: as_bool(_same(values)),
    "tonumber": lambda values: as_number(_same(values)),
}


# --- those whose arguments are known ---------------------------------------------------------------


def _whole(number: Any) -> int:
    if not isinstance(number, int):
        raise Wrong("no whole number")
    return number


def _range(*limits: Any) -> list[Any]:
    numbers = [exact(one) for one in limits]
    start, stop = (Decimal(0), numbers[0]) if len(numbers) == 1 else numbers[:2]
    step = numbers[2] if len(numbers) > 2 else Decimal(1 if start <= stop else -1)  # noqa: PLR2004 - the third argument may be left out
    if not step or ((step > 0) != (stop >= start) and start != stop):
        raise Wrong("a step that does not lead there")
    found = []
    while (start < stop) if step > 0 else (start > stop):
        found.append(plain_number(start))
        start += step
        if len(found) > _LONGEST_RANGE:
            raise Wrong("too many elements")
    return found


def _chunks(listed: list[Any], size: Any) -> list[Any]:
    if _whole(size) < 0:
        raise Wrong("a size below 0")
    return [listed[at : at + size] for at in range(0, len(listed), size)] if size else [listed]


def _zipmap(keys: list[Any], values: list[Any]) -> dict[str, Any]:
    if len(keys) != len(values):
        raise Wrong("as many keys as values are needed")
    return dict(zip(map(texts.known_text, keys), values, strict=True))


def _setproduct(*sets: list[Any]) -> list[Any]:
    if math.prod(map(len, sets)) > _LARGEST:
        raise Wrong("too many elements")
    made = [list(one) for one in itertools.product(*map(unified, sets))]
    return Set(made) if all(isinstance(one, Set) for one in sets) else made


def _contains(listed: list[Any], value: Any) -> bool:
    return any(same(one, value) for one in listed)


def _index(listed: list[Any], value: Any) -> int:
    found = next((at for at, one in enumerate(listed) if same(one, value)), None)
    if found is None:
        raise Wrong("it is not in the list")
    return found


def _matchkeys(values: list[Any], keys: list[Any], wanted: list[Any]) -> list[Any]:
    if len(values) != len(keys):
        raise Wrong("as many keys as values are needed")
    return [one for one, key in zip(values, keys, strict=True) if _contains(wanted, key)]


def _coalescelist(*lists: list[Any]) -> list[Any]:
    found = next((one for one in lists if one), None)
    if found is None:
        raise Wrong("every list is empty")
    return found


def _slice(listed: list[Any], start: Any, end: Any) -> list[Any]:
    if isinstance(listed, Set) or not 0 <= _whole(start) <= _whole(end) <= len(listed):
        raise Wrong("a part that is not in the list")
    return listed[start:end]


def _reversed(listed: list[Any]) -> list[Any]:
    return list(listed)[::-1]


def _sum(listed: list[Any]) -> Any:
    if not listed:
        raise Wrong("an empty list")
    found = Decimal(0)
    for one in listed:
        found = NUMBERS.add(found, exact(_given(as_number(one))))
    return plain_number(found)


def _power(base: Any, by: Any) -> Any:
    if abs(base) > _LARGEST_POWER or abs(by) > _LARGEST_POWER or not isinstance(by, int):
        raise NotEvaluatedError("a power this large")
    return plain_number(NUMBERS.power(exact(base), exact(by)))


def _parseint(text: str, base: Any) -> int:
    digits = text.removeprefix("-").removeprefix("+")
    if not digits.isalnum() or not digits.isascii():
        raise Wrong("no whole number")
    return int(text, _whole(base))


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Wrong("no text in base 64") from None


def _transposed(table: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in sorted(table):
        for one in as_list(table[key]):
            found.setdefault(texts.known_text(one), []).append(key)
    return dict(sorted(found.items()))


def _setsubtract(one: list[Any], other: list[Any]) -> Any:
    return set_of([item for item in one if not _contains(other, item)])


def _setintersection(first: list[Any], *others: list[Any]) -> Any:
    return set_of([one for one in first if all(_contains(other, one) for other in others)])


def _whole_up(number: Any, rounding: str) -> int:
    return int(exact(number).to_integral_value(rounding))


_WHOLLY: Mapping[str, tuple[str, Callable[..., Any]]] = {
    "abs": ("n", abs),
    "alltrue": ("l", lambda listed: all(as_bool(one) is True for one in listed)),
    "anytrue": ("l", lambda listed: any(as_bool(one) is True for one in listed)),
    "base64decode": ("t", _decoded),
    "base64encode": ("t", lambda text: base64.b64encode(text.encode()).decode()),
    "basename": ("t", lambda path: posixpath.basename(path.rstrip("/")) or path[:1] or "."),
    "ceil": ("n", lambda number: _whole_up(number, ROUND_CEILING)),
    "chomp": ("t", lambda text: text.rstrip("\r\n")),
    "chunklist": ("ln", _chunks),
    "contains": ("lv", _contains),
    "coalescelist": ("l*", _coalescelist),
    "distinct": ("l", distinct),
    "endswith": ("tt", lambda text, end: text.endswith(end)),
    "floor": ("n", lambda number: _whole_up(number, ROUND_FLOOR)),
    "formatlist": ("vv*", texts.format_list),
    "indent": ("nt", lambda spaces, text: texts.indented(_whole(spaces), text)),
    "index": ("lv", _index),
    "keys": ("m", sorted),
    "lower": ("t", texts.lower),
    "matchkeys": ("lll", _matchkeys),
    "max": ("nn*", max),
    "md5": ("t", lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()),
    "min": ("nn*", min),
    "parseint": ("tn", _parseint),
    "pow": ("nn", _power),
    "range": ("n*", _range),
    "regex": ("tt", texts.first_match),
    "regexall": ("tt", texts.all_matches),
    "replace": ("ttt", texts.replaced),
    "reverse": ("l", _reversed),
    "setintersection": ("ll*", _setintersection),
    "setproduct": ("ll*", _setproduct),
    "setsubtract": ("ll", _setsubtract),
    "setunion": ("ll*", lambda *sets: set_of([item for one in sets for item in one])),
    "sha1": ("t", lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()),
    "sha256": ("t", lambda text: hashlib.sha256(text.encode()).hexdigest()),
    "signum": ("n", lambda number: (number > 0) - (number < 0)),
    "slice": ("lnn", _slice),
    "sort": ("l", lambda listed: sorted(map(texts.known_text, listed))),
    "startswith": ("tt", lambda text, start: text.startswith(start)),
    "strcontains": ("tt", lambda text, part: part in text),
    "strrev": ("t", lambda text: "".join(texts.characters(text)[::-1])),
    "substr": ("tnn", texts.part),
    "sum": ("l", _sum),
    "title": ("t", texts.title),
    "transpose": ("m", _transposed),
    "trim": ("tt", lambda text, ends: text.strip(ends) if ends else text),
    "trimprefix": ("tt", lambda text, prefix: text.removeprefix(prefix)),
    "trimspace": ("t", texts.trimmed),
    "trimsuffix": ("tt", lambda text, suffix: text.removesuffix(suffix)),
    "upper": ("t", texts.upper),
    "values": ("m", lambda table: [table[key] for key in sorted(table)]),
    "zipmap": ("ll", _zipmap),
}
"""How each function takes its arguments, and what it makes of them."""
