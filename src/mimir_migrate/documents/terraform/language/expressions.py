"""Values of Terraform's expressions, of which parts may not be known without running it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

_ESCAPES = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_LONGEST = 1_048_576
"""Characters of a text that is put together; a file can double one again and again."""


class Unresolved(msgspec.Struct, frozen=True):
    """A value that the files by themselves do not tell."""

    text: str
    """As written, with what could be filled in; the rest stays as `${…}`."""
    reason: str
    parts: tuple[Any, ...] = ()
    """Of a text that is known in part: str, and `Unresolved` for what is not."""
    address: str = ""
    """The resource, data source or module whose attribute it is, as the root module sees it."""
    attribute: str = ""
    many: bool = False
    """Within a list: it stands for none, one or several elements, and not for one."""
    failed: bool = False
    """Terraform would refuse it: there is no such key, or a type is wrong."""


class Json(msgspec.Struct, frozen=True):
    """What `jsonencode` makes: whoever reads a policy wants the policy and not its text."""

    value: Any


class Set(list[Any]):
    """A set: sorted, each element once; loops get the element for the key too."""


def text_of(value: Any) -> str:
    """A value as text; what is not known stays as `${…}`."""
    if isinstance(value, Unresolved):
        return value.text
    if isinstance(value, Json):
        return "".join(text_of(one) for one in json_parts(value.value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return "" if value is None else str(value)


def reason_of(value: Any) -> str:
    """Why a value is not known; empty when it is."""
    return value.reason if isinstance(value, Unresolved) else ""


def known(value: Any) -> bool:
    """Whether nothing in a value is unknown."""
    if isinstance(value, Unresolved):
        return False
    if isinstance(value, Json):
        return known(value.value)
    if isinstance(value, dict):
        return all(known(one) for one in value.values()) and not any(
            "${" in key for key in value if isinstance(key, str)
        )
    return all(known(one) for one in value) if isinstance(value, list) else True


def first_unknown(value: Any) -> Unresolved | None:
    """The first part of a value that is not known."""
    if isinstance(value, Unresolved):
        return value
    if isinstance(value, Json):
        return first_unknown(value.value)
    items = value.values() if isinstance(value, dict) else value
    if isinstance(value, (dict, list)):
        return next((found for one in items if (found := first_unknown(one))), None)
    return None


def joined(parts: list[Any]) -> Any:
    """Values one after the other as one text; `Unresolved` where a part is."""
    flat: list[Any] = []
    for one in parts:
        if isinstance(one, Json):
            flat.extend(json_parts(one.value))
        elif isinstance(one, Unresolved):
            flat.extend(one.parts or (one,))
        elif isinstance(one, (list, dict)):
            return Unresolved(text_of(one), "a list or a map within a text", failed=True)
        else:
            flat.append(text_of(one))
    if sum(len(text_of(one)) for one in flat) > _LONGEST:
        return Unresolved(text_of(flat[0])[:80], "a text that is too long to be a configuration")
    reason = next((one.reason for one in flat if isinstance(one, Unresolved)), "")
    text = "".join(text_of(one) for one in flat)
    if not reason:
        return text
    if len(flat) == 1:
        return flat[0]
    return Unresolved(text, reason, parts=tuple(flat))


def json_parts(value: Any) -> Iterator[Any]:
    """A value as the JSON that Terraform writes: literal text, and `Unresolved` for what is not known."""
    if isinstance(value, Json):
        yield f'"{_escaped(text_of(value))}"'
    elif isinstance(value, Unresolved):
        yield '"'
        for one in value.parts or (value,):
            yield _escaped(one) if isinstance(one, str) else one
        yield '"'
    elif isinstance(value, dict):
        yield "{"
        for number, (key, one) in enumerate(sorted(value.items())):
            yield f'{"," if number else ""}"{_escaped(str(key))}":'
            yield from json_parts(one)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for number, one in enumerate(value):
            yield "," if number else ""
            yield from json_parts(one)
        yield "]"
    elif isinstance(value, str):
        yield f'"{_escaped(value)}"'
    else:
        yield "null" if value is None else text_of(value)


def _escaped(text: str) -> str:
    """A text within JSON's quotes as Go writes it: some characters of markup by their numbers."""
    written = json.dumps(text, ensure_ascii=False)[1:-1]
    for one, escape in _ESCAPES.items():
        written = written.replace(one, escape)
    return written


_HOLE = re.compile("\ue000(\\d+)\ue001")


def read_json(value: Any) -> Any:
    """A text of JSON as what it says, parts that are not known included.

    Returns:
        `Unresolved` where it is not JSON, or not known as a whole.
    """
    if isinstance(value, Json):
        return value.value
    if isinstance(value, Unresolved) and not value.parts:
        return value
    parts = value.parts if isinstance(value, Unresolved) else (value,)
    holes = [one for one in parts if isinstance(one, Unresolved)]
    written: list[str] = []
    quoted = False
    number = 0
    for one in parts:
        if isinstance(one, Unresolved):
            mark = f"\ue000{number}\ue001"
            number += 1
            written.append(mark if quoted else f'"{mark}"')
        else:
            text = text_of(one)
            written.append(text)
            if len(re.findall(r'(?<!\\)(?:\\\\)*"', text)) % 2:
                quoted = not quoted
    try:
        return _filled(json.loads("".join(written), strict=False), holes)
    except (ValueError, RecursionError):
        return Unresolved(text_of(value), reason_of(value) or "not JSON", failed=not holes)


def _filled(value: Any, holes: list[Unresolved]) -> Any:
    if isinstance(value, dict):
        return {text_of(_filled(key, holes)): _filled(one, holes) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, holes) for one in value]
    if not isinstance(value, str) or "\ue000" not in value:
        return value
    parts = _HOLE.split(value)
    return joined(
        [
            holes[int(part)] if number % 2 and int(part) < len(holes) else part
            for number, part in enumerate(parts)
            if number % 2 or part
        ]
    )


def policy_document(value: Any) -> Any:
    """A policy as a document: from jsonencode, or the text of a heredoc with JSON in it.

    Returns:
        `Unresolved` where the policy is not in the files.
    """
    found = read_json(value) if isinstance(value, (str, Unresolved, Json)) else value
    if isinstance(found, (dict, Unresolved)):
        return found
    return Unresolved(text_of(value), "no policy", failed=True)


def plain(value: Any) -> Any:
    """A value with `${…}` for what is not known, as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return text_of(value) if isinstance(value, (Unresolved, Json)) else value
