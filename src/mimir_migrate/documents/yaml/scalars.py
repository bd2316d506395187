"""What a YAML scalar stands for where Helm reads it.

Helm reads values through `sigs.k8s.io/yaml`: its copy of go-yaml v2 (`goyaml.v2/resolve.go`) decides
what a word is, then everything becomes JSON. So `yes`, `y` and `on` are true, `010` is 8, `0o10` as
well, `1_000` is 1000, `1.0` is 1, a date stays text, `0x_` is text, and what is not JSON (`.nan`, an
infinity) is an error.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from typing import Final

_PREFIX: Final = "tag:yaml.org,2002:"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    word: value
    for value, words in (
        (True, ("y", "yes", "true", "on")),
        (False, ("n", "no", "false", "off")),
    )
    for plain in words
    for word in (plain, plain.capitalize(), plain.upper())
}
_NO_FINITE = {
    sign + word: value
    for sign, value in (("", math.inf), ("+", math.inf), ("-", -math.inf))
    for word in (".inf", ".Inf", ".INF")
} | dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", re.ASCII)
_LOOSE = re.compile(r"(?<![0-9])_|_(?![0-9])", re.ASCII)
_BASES = (
    (re.compile(r"([-+]?)0[xX]([0-9a-fA-F]+)\Z"), 16),
    (re.compile(r"([-+]?)0[bB]([01]+)\Z"), 2),
    # go-yaml reads what stands behind `0b` by itself, a sign included.
    (re.compile(r"0b([-+])([01]+)\Z"), 2),
    (re.compile(r"([-+]?)0[oO]?([0-7]+)\Z"), 8),
    (re.compile(r"([-+]?)([1-9][0-9]*|0)\Z", re.ASCII), 10),
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?\Z", re.ASCII)
_DIGITS = 70
"""More digits than any number of 64 bits has, in any base and with a few zeros before it."""
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
"""What go-yaml takes as an integer: an int64, else a uint64."""
LARGEST_KEY: Final = 2**63 - 1
"""An integer above this is a uint64, which cannot be a key."""
_EXPONENT = 1e21
"""From here on JSON writes a number with an exponent, so that it stays a float."""

Scalar = str | bool | int | float | None


class ScalarError(ValueError):
    """Helm cannot read the scalar; the message says why."""


def resolved(text: str, tag: str, *, plain: bool) -> Scalar:
    """The value of a scalar, as go-yaml has it: a whole float is a float as yet.

    Args:
        text: Its content.
        tag: Its tag, written out; empty: none.
        plain: Whether it is written without quotes and without a block header, so that its words may
            be numbers and the like.

    Raises:
        ScalarError: Helm ends with an error at this scalar.
    """
    if not tag:
        return _word(text) if plain else text
    kind = tag.removeprefix(_PREFIX)
    if kind == "binary":
        return _binary(text)
    if kind not in _KINDS or kind == tag:
        return text
    value = text if kind == "timestamp" and _DATE.match(text) else _word(text)
    if kind == "float" and type(value) is int:
        return float(value)
    if type(value) is not _KINDS[kind] or (kind == "timestamp" and not _DATE.match(text)):
        raise ScalarError(f"cannot decode {text[:40]!r} as a !!{kind}")
    return value


_KINDS: dict[str, type] = {
    "bool": bool,
    "int": int,
    "float": float,
    "null": type(None),
    "timestamp": str,
}


def as_json(value: Scalar) -> Scalar:
    """A value after its way through JSON, which does not tell a whole float from an integer.

    Raises:
        ScalarError: JSON cannot hold it.
    """
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise ScalarError("an infinity, or what is not a number, cannot be written as JSON")
    return int(value) if value.is_integer() and abs(value) < _EXPONENT else value


def _word(text: str) -> Scalar:
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text in _NO_FINITE:
        return _NO_FINITE[text]
    return _number(text) if text[0] in "+-.0123456789" else text


def _number(text: str) -> str | int | float:
    if text[0] == "." and _LOOSE.search(text):
        # A number that begins with a point is read as Go does, where digits stand on both sides.
        return text
    digits = text.replace("_", "")
    whole = _integer(digits)
    if whole is not None:
        return whole
    if not _FLOAT.match(digits):
        return text
    value = float(digits)
    return value if math.isfinite(value) else text


def _integer(digits: str) -> int | None:
    for pattern, base in _BASES:
        match = pattern.match(digits)
        if match:
            figures = match.group(2).lstrip("0") or "0"
            value = int(match.group(1) + figures, base) if len(figures) < _DIGITS else _LARGEST + 1
            # Only an int64 has a sign.
            highest = LARGEST_KEY if match.group(1) else _LARGEST
            return value if _SMALLEST <= value <= highest else None
    return None


def _binary(text: str) -> str:
    try:
        content = base64.b64decode("".join(text.split("\n")), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ScalarError("a !!binary value is not base64") from error
    return re.sub("[\udc80-\udcff]", "\ufffd", content.decode("utf-8", "surrogateescape"))


def key_text(value: Scalar) -> str:
    """A key as JSON has it, which is text.

    Raises:
        ScalarError: The key is of a kind that Helm does not take: null, or above 63 bits.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        raise ScalarError("a key is null, which Helm does not take")
    if isinstance(value, int) and value > LARGEST_KEY:
        raise ScalarError("a key is a number above 63 bits, which Helm does not take")
    return _short(value) if isinstance(value, float) else str(value)


def _short(value: float) -> str:
    """A float as go's `FormatFloat(value, 'g', -1, 32)` writes it: as few digits as 32 bits need."""
    if math.isnan(value):
        return ".nan"
    try:
        single = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        single = math.copysign(math.inf, value)
    if math.isinf(single):
        return ".inf" if single > 0 else "-.inf"
    digits = next(
        digits
        for digits in range(1, _DIGITS)
        if struct.unpack("f", struct.pack("f", float(f"{single:.{digits}g}")))[0] == single
    )
    mantissa, exponent = f"{single:.{digits - 1}e}".split("e")
    if _FIXED[0] <= int(exponent) < _FIXED[1]:
        return f"{single:.{max(digits - 1 - int(exponent), 0)}f}"
    return f"{mantissa}e{int(exponent):+03d}"


_FIXED = (-4, 6)
"""Exponents of ten at which go writes a float without one."""
