"""Functions of Terraform that need nothing but their arguments.

A function that is not among them, or whose arguments are not known, gives what is not known. None of
them raises but `Wrong`, where Terraform would refuse the call.
"""

# Longer than 400 lines. One table of the functions of Terraform; each is a few lines.

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mimir_migrate.documents.terraform.language.expressions import (
    Json,
    Set,
    Unresolved,
    first_unknown,
    joined,
    known,
    read_json,
    text_of,
)

_LARGEST = 10_000
"""Elements and characters that a function may make; a file that asks for more is not a configuration."""


class Wrong(Exception):  # noqa: N818
    """Terraform would refuse the call."""


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
        return wholly(*[_text_of_json(one) for one in arguments])
    except Wrong as error:
        return Unresolved(f"${{{written}}}", f"{name}: {error}", failed=True)
    except (ValueError, IndexError, KeyError, OverflowError):
        return Unresolved(f"${{{written}}}", f"{name} cannot be called so", failed=True)
    except (TypeError, AttributeError):
        # Of another type than it is evaluated for here, which Terraform may take.
        return Unresolved(f"${{{written}}}", f"{name} cannot be called so")


def as_text(value: Any) -> Any:
    """As Terraform converts to a string."""
    if isinstance(value, (list, dict)):
        raise Wrong("a list or a map is not text")
    return value if isinstance(value, (Unresolved, Json)) or value is None else text_of(value)


def as_bool(value: Any) -> Any:
    """As Terraform converts to a bool."""
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    if value is None or isinstance(value, (bool, Unresolved)):
        return value
    raise Wrong("no bool")


def as_number(value: Any) -> Any:
    """As Terraform converts to a number."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,300}(\.\d+)?", value):
        return float(value) if "." in value else int(value)
    if value is None or isinstance(value, Unresolved):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise Wrong("no number")


def _text_of_json(value: Any) -> Any:
    return text_of(value) if isinstance(value, Json) else value


# --- those that take parts which are not known ----------------------------------------------------


def _format(values: list[Any]) -> Any:
    pattern = values[0] if values else None
    if isinstance(pattern, Unresolved):
        return pattern
    if not isinstance(pattern, str):
        raise Wrong("no format")
    parts: list[Any] = []
    rest = list(values[1:])
    for literal, verb in re.findall(r"([^%]*)(%[^a-zA-Z%]*[a-zA-Z%]|%?)", pattern):
        parts.append(literal)
        if verb == "%%":
            parts.append("%")
        elif verb in {"%s", "%v", "%d", "%q"}:
            if not rest:
                raise Wrong("too few arguments")
            taken = rest.pop(0)
            parts += ['"', taken, '"'] if verb == "%q" else [taken]
        elif verb:
            return Unresolved(f"${{format({pattern!r}, …)}}", f"the format {verb}")
    if rest:
        raise Wrong("too many arguments")
    return joined(parts)


def _join(values: list[Any]) -> Any:
    parts: list[Any] = []
    for one in values[1:]:
        if isinstance(one, Unresolved):
            return one
        if not isinstance(one, list):
            raise Wrong("no list")
        for item in one:
            parts += [values[0], item] if parts else [item]
    return joined(parts)


def _concat(values: list[Any]) -> Any:
    found: list[Any] = []
    for one in values:
        if isinstance(one, Unresolved):
            found.append(_some(one))
        elif isinstance(one, list):
            found.extend(one)
        else:
            raise Wrong("no list")
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
    return len(text_of(one)) if isinstance(one, Json) else len(one)


def _merge(values: list[Any]) -> Any:
    found: dict[str, Any] = {}
    for one in values:
        if isinstance(one, Unresolved):
            return one
        if isinstance(one, dict):
            found.update(one)
        elif one is not None:
            raise Wrong("no map")
    return found


def _flatten(values: list[Any]) -> Any:
    (listed,) = values
    if isinstance(listed, Unresolved):
        return listed
    found: list[Any] = []
    for one in listed:
        found.extend(_flatten([one]) if isinstance(one, list) else [_some(one)])
    return found


def _coalesce(values: list[Any]) -> Any:
    for one in values:
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
    if isinstance(listed, Unresolved):
        return listed
    if not isinstance(listed, list):
        raise Wrong("no list")
    if not known(listed):
        return Set(listed)
    return Set(sorted({text_of(one): one for one in listed}.values(), key=text_of))


def _tolist(values: list[Any]) -> Any:
    (listed,) = values
    return list(listed) if isinstance(listed, Set) else listed


def _compact(values: list[Any]) -> Any:
    (listed,) = values
    if isinstance(listed, Unresolved):
        return listed
    # An ARN or an id that is made with its resource is never empty; anything else may be.
    return [
        one if isinstance(one, Unresolved) and one.address else _some(one)
        for one in listed
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
    if key in table:
        return table[key]
    if any("${" in one for one in table):
        return Unresolved(f"${{lookup(…, {key!r})}}", "a map whose keys are not known")
    if len(values) > 2:  # noqa: PLR2004
        return values[2]
    raise Wrong(f"no key {key}")


def _element(values: list[Any]) -> Any:
    listed, index = values
    if isinstance(listed, Unresolved) or isinstance(index, Unresolved):
        return first_unknown([listed, index])
    hole = _countless(listed)
    if hole is not None:
        return Unresolved(f"${{element(…, {index})}}", hole.reason)
    if not listed:
        raise Wrong("an empty list")
    return listed[int(index) % len(listed)]


def _one(values: list[Any]) -> Any:
    (listed,) = values
    if isinstance(listed, Unresolved):
        return listed
    hole = _countless(listed)
    if hole is not None:
        return hole
    if len(listed) > 1:
        raise Wrong("more than one element")
    return listed[0] if listed else None


def _split(values: list[Any]) -> Any:
    by, text = values
    if isinstance(text, Unresolved) or isinstance(by, Unresolved):
        return Unresolved(f"${{split(…, {text_of(text)!r})}}", first_unknown(values).reason)  # type: ignore[union-attr]
    return text_of(text).split(by) if by else list(text_of(text))


def _replace(values: list[Any]) -> Any:
    text, old, new = values
    if not known(values):
        return first_unknown(values)
    old, new, text = text_of(old), text_of(new), text_of(text)
    if len(old) > 1 and old.startswith("/") and old.endswith("/"):
        return Unresolved(f"${{replace({text!r}, {old!r}, {new!r})}}", "a regular expression")
    return text.replace(old, new)


_PARTLY: Mapping[str, Callable[[list[Any]], Any]] = {
    "coalesce": _coalesce,
    "compact": _compact,
    "concat": _concat,
    "element": _element,
    "flatten": _flatten,
    "format": _format,
    "join": _join,
    "jsondecode": _unjson,
    "jsonencode": _json,
    "length": _length,
    "lookup": _lookup,
    "merge": _merge,
    "nonsensitive": _same,
    "one": _one,
    "sensitive": _same,
    "tolist": _tolist,
    "tomap": _same,
    "toset": _toset,
    "tostring": lambda values: as_text(_same(values)),
    "tobool": lambda values: as_bool(_same(values)),
    "tonumber": lambda values: as_number(_same(values)),
}


# --- those whose arguments are known ---------------------------------------------------------------


def _distinct(listed: list[Any]) -> list[Any]:
    found: list[Any] = []
    for one in listed:
        if not any(type(one) is type(other) and one == other for other in found):
            found.append(one)
    return found


def _range(*limits: Any) -> list[Any]:
    start, stop = (0, limits[0]) if len(limits) == 1 else limits[:2]
    step = limits[2] if len(limits) > 2 else (1 if start <= stop else -1)  # noqa: PLR2004
    found = range(int(start), int(stop), int(step))
    if len(found) > _LARGEST:
        raise Wrong("too many elements")
    return list(found)


def _chunks(listed: list[Any], size: int) -> list[Any]:
    return [listed[at : at + size] for at in range(0, len(listed), size)]


def _substr(text: str, at: int, length: int) -> str:
    at = at + len(text) if at < 0 else at
    return text[at:] if length < 0 else text[at : at + length]


def _zipmap(keys: list[str], values: list[Any]) -> dict[str, Any]:
    return dict(zip(keys, values, strict=True))


def _setproduct(*sets: list[Any]) -> list[Any]:
    if math.prod(map(len, sets)) > _LARGEST:
        raise Wrong("too many elements")
    return [list(one) for one in itertools.product(*sets)]


def _contains(listed: Any, value: Any) -> bool:
    return any(text_of(one) == text_of(value) for one in listed)


def _formatlist(pattern: str, *values: Any) -> list[Any]:
    length = max((len(one) for one in values if isinstance(one, list)), default=1)
    return [
        _format([pattern, *[one[at] if isinstance(one, list) else one for one in values]])
        for at in range(length)
    ]


def _trim(text: str, chars: str) -> str:
    return text.strip(chars)


_WHOLLY: Mapping[str, Callable[..., Any]] = {
    "abs": abs,
    "alltrue": lambda listed: all(as_bool(one) is True for one in listed),
    "anytrue": lambda listed: any(as_bool(one) is True for one in listed),
    "ceil": lambda number: int(-(-number // 1)),
    "chomp": lambda text: text.rstrip("\r\n"),
    "chunklist": _chunks,
    "contains": _contains,
    "coalescelist": lambda *lists: next(one for one in (*lists, []) if one),
    "distinct": _distinct,
    "endswith": lambda text, end: text.endswith(end),
    "floor": lambda number: int(number // 1),
    "formatlist": _formatlist,
    "index": lambda listed, value: listed.index(value),
    "keys": sorted,
    "lower": lambda text: as_text(text).lower(),
    "matchkeys": lambda values, keys, wanted: [
        one for one, key in zip(values, keys, strict=True) if key in wanted
    ],
    "max": max,
    "min": min,
    "range": _range,
    "replace": lambda text, old, new: _replace([text, old, new]),
    "reverse": lambda listed: listed[::-1],
    "setintersection": lambda first, *others: Set(
        sorted(one for one in first if all(one in other for other in others))
    ),
    "setproduct": _setproduct,
    "setsubtract": lambda one, other: Set(sorted(item for item in one if item not in other)),
    "setunion": lambda *sets: Set(sorted({item for one in sets for item in one})),
    "slice": lambda listed, start, end: listed[start:end],
    "sort": sorted,
    "split": lambda by, text: _split([by, text]),
    "startswith": lambda text, start: text.startswith(start),
    "strcontains": lambda text, part: part in text,
    "strrev": lambda text: text[::-1],
    "substr": _substr,
    "title": lambda text: re.sub(r"(^|\s)(\S)", lambda found: found[0].upper(), text),
    "trim": _trim,
    "trimprefix": lambda text, prefix: text.removeprefix(prefix),
    "trimspace": lambda text: text.strip(),
    "trimsuffix": lambda text, suffix: text.removesuffix(suffix),
    "upper": lambda text: as_text(text).upper(),
    "values": lambda table: [table[key] for key in sorted(table)],
    "zipmap": _zipmap,
}
