"""Documents of other programs into typed data, from any thread.

msgspec 0.22 publishes what it knows of a struct before it is complete: a second thread that decodes the
same struct for the first time reads half of it and the process dies of a segmentation fault. Pods
are asked from many threads, so every type is made known here first, one at a time.
"""

from __future__ import annotations

import re
import threading
from typing import Any, TypeVar, overload

import msgspec

_Kind = TypeVar("_Kind")
_first_use = threading.Lock()
_known: dict[Any, msgspec.json.Decoder[Any]] = {}


@overload
def decode(body: bytes | str) -> Any: ...
@overload
def decode(body: bytes | str, kind: type[_Kind]) -> _Kind: ...
@overload
def decode(body: bytes | str, kind: Any) -> Any: ...
def decode(body: bytes | str, kind: Any = Any) -> Any:
    """Read a JSON document as `kind`.

    Raises:
        msgspec.DecodeError: It is not JSON.
        msgspec.ValidationError: It is JSON of another shape.
        UnicodeDecodeError: It is not UTF-8.
    """
    return _decoder(kind).decode(body)


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What `decode` ends with where a document is not what it was taken for, however it was broken."""


def problem(error: Exception) -> str:
    """What is wrong with a document, in words for whoever wrote it, e.g. `it has no "schema"`.

    Args:
        error: One of `UNREADABLE`.
    """
    said = str(error)
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 text (byte {error.start})"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if not isinstance(error, msgspec.ValidationError):
        if "truncated" in said:
            return "it is empty, or cut off before its end"
        where = _BYTE.search(said)
        return "it is not JSON" + (_place(int(where[1])) if where else "")
    what, _, place = said.partition(" - at ")
    within = place.strip("`").removeprefix("$.")
    subject = within or "it"
    if lacks := _LACKS.match(what):
        return f'{subject} has no "{lacks[1]}"'
    if other := _OTHER.match(what):
        wanted, got = (_named(each) for each in other.groups())
        return f"{subject} is {got}, and has to be {wanted}"
    return f"{what[:1].lower()}{what[1:]}" + (f" (in {within})" if within else "")


def _place(byte: int) -> str:
    return f" (byte {byte})" if byte else ", from its first character on"


_BYTE = re.compile(r"\(byte (\d+)\)")
_LACKS = re.compile(r"Object missing required field `(.+)`\Z")
_OTHER = re.compile(r"Expected `(.+)`, got `(.+)`\Z")
_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
}


def _named(kinds: str) -> str:
    return " or ".join(_KINDS.get(kind.strip(), kind.strip()) for kind in kinds.split("|"))


def convert(found: object, kind: type[_Kind]) -> _Kind:
    """Make `kind` of plain data such as a parsed TOML file.

    Raises:
        msgspec.ValidationError: The data has another shape.
    """
    _decoder(kind)
    return msgspec.convert(found, type=kind)


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    known = _known.get(kind)
    if known is None:
        with _first_use:
            known = _known.get(kind)
            if known is None:
                known = _known[kind] = msgspec.json.Decoder(kind)
    return known


def unpack(body: bytes, kind: type[_Kind]) -> _Kind:
    """Read a MessagePack document as `kind`.

    Raises:
        msgspec.DecodeError: It is not MessagePack.
        msgspec.ValidationError: It is MessagePack of another shape.
    """
    _decoder(kind)
    return msgspec.msgpack.decode(body, type=kind)
