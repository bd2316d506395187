"""Terraform's functions of text: formats, regular expressions and what counts as a character."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from mimir_migrate.documents.terraform.language.conversions import (
    NotEvaluatedError,
    Wrong,
    as_bool,
    as_number,
    as_text,
)
from mimir_migrate.documents.terraform.language.expressions import (
    Json,
    Unresolved,
    first_unknown,
    joined,
    known,
    text_of,
)

_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
"""What Go calls white space; Python strips separators of records as well."""
_PLAIN_CATEGORIES = frozenset(
    {"Lu", "Ll", "Lt", "Lo", "Nd", "Nl", "No", "Po", "Ps", "Pe", "Pd", "Pc"}
)
_LONGEST_SEARCHED = 10_000
"""Characters that a regular expression is held against."""
_DIRECTIVE = re.compile(
    r"%(?P<flags>[-+ #0]*)(?P<width>\d{0,3})(?P<digits>\.\d{0,3})?(?:\[(?P<at>\d{1,3})\])?"
    r"(?P<verb>[a-zA-Z%])"
)
_INTEGERS = {"d", "o", "x", "X"}
_FRACTIONS = {"e", "E", "f"}
_BACKTRACKS = re.compile(r"[*+}]\)*[*+{]|\)[*+{]|\(\?[^:P]|\\[^dDwWsSbnrtfv.\\/|(){}\[\]^$*+?-]")
"""What Go's regular expressions do in linear time, or otherwise than Python's, or not at all."""


# --- formats -------------------------------------------------------------------------------------


def format_text(values: list[Any]) -> Any:
    """Terraform's `format`; what is not known stays in the text where it is put in as it is.

    Raises:
        Wrong: Terraform refuses the format or an argument.
        NotEvaluatedError: The format is one that is not evaluated here.
    """
    pattern = values[0] if values else None
    if isinstance(pattern, Unresolved):
        return pattern
    if not isinstance(pattern, str):
        raise Wrong("no format")
    arguments = values[1:]
    parts: list[Any] = []
    at = used = most = 0
    while at < len(pattern):
        found = _DIRECTIVE.match(pattern, at)
        if pattern[at] != "%":
            end = pattern.find("%", at)
            end = len(pattern) if end < 0 else end
            parts.append(pattern[at:end])
            at = end
            continue
        if found is None:
            raise Wrong("a % without a verb")
        at = found.end()
        if found["verb"] == "%":
            parts.append("%")
            continue
        used = int(found["at"]) if found["at"] else used + 1
        most = max(most, used)
        if not 1 <= used <= len(arguments):
            raise Wrong("too few arguments")
        parts += _formatted(found, arguments[used - 1])
    if most < len(arguments):
        raise Wrong("too many arguments")
    return joined(parts)


def _formatted(found: re.Match[str], value: Any) -> list[Any]:
    verb, bare = found["verb"], not (found["flags"] or found["width"] or found["digits"])
    hole = first_unknown(value)
    if hole is not None:
        if not bare or verb not in "svdq":
            raise NotEvaluatedError(hole.reason)
        if isinstance(value, (list, dict)):
            raise NotEvaluatedError(hole.reason)
        return ['"', value, '"'] if verb == "q" else [value]
    if verb in _INTEGERS | _FRACTIONS:
        return [_number(found, value)]
    if verb == "b" and bare:
        return [format(_whole(value), "b")]
    if verb == "v" and value is None:
        raise NotEvaluatedError("null in a format")
    if verb == "v" and (isinstance(value, (list, dict)) or "#" in found["flags"]):
        text = json_text(value)
    elif value is None:
        raise Wrong("null as an argument")
    elif verb in "vs":
        text = text_of(as_text(value))
    elif verb == "q":
        text = json_text(text_of(as_text(value)))
    elif verb == "t":
        text = text_of(as_bool(value))
    else:
        raise NotEvaluatedError(f"the format {found[0]}")
    return [_padded(found, text)]


def _padded(found: re.Match[str], text: str) -> str:
    if found["digits"]:
        text = "".join(characters(text)[: int(found["digits"][1:] or 0)])
    width = int(found["width"] or 0) - len(characters(text))
    if width > 0 and set(found["flags"]) - {"-", "#"}:
        raise NotEvaluatedError(f"the format {found[0]}")
    fill = " " * max(width, 0)
    return text + fill if "-" in found["flags"] else fill + text


def _whole(value: Any) -> int:
    number = as_number(value)
    if not isinstance(number, int):
        raise Wrong("no whole number")
    return number


def _number(found: re.Match[str], value: Any) -> str:
    verb = found["verb"]
    if (verb in "xX" and isinstance(value, str)) or (verb in _INTEGERS and found["digits"]):
        raise NotEvaluatedError(f"the format {found[0]}")
    number = _whole(value) if verb in _INTEGERS else as_number(value)
    if number is None:
        raise Wrong("null as an argument")
    python = f"%{found['flags']}{found['width']}{found['digits'] or ''}{verb}"
    return python % number


def format_list(pattern: Any, *values: Any) -> list[Any]:
    """Terraform's `formatlist`.

    Raises:
        Wrong: The lists have different lengths, or as of `format_text`.
        NotEvaluatedError: As of `format_text`.
    """
    lengths = {len(one) for one in values if isinstance(one, list)}
    if len(lengths) > 1:
        raise Wrong("lists of different lengths")
    return [
        format_text([pattern, *[one[at] if isinstance(one, list) else one for one in values]])
        for at in range(lengths.pop() if lengths else 1)
    ]


def json_text(value: Any) -> str:
    """A known value as Terraform's `jsonencode` writes it."""
    return text_of(Json(value))


# --- regular expressions ---------------------------------------------------------------------------


def _compiled(pattern: str, text: str) -> re.Pattern[str]:
    """A regular expression of Go where it is one of Python too, and means the same.

    Raises:
        Wrong: It is none.
        NotEvaluatedError: It may take for ever here, or mean something else.
    """
    if _BACKTRACKS.search(pattern) or len(text) > _LONGEST_SEARCHED:
        raise NotEvaluatedError("a regular expression")
    try:
        return re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), re.ASCII)
    except (re.error, RecursionError, OverflowError):
        raise NotEvaluatedError("a regular expression") from None


def replaced(text: str, old: str, new: str) -> str:
    """Terraform's `replace`: between two slashes stands a regular expression."""
    if not (len(old) > 1 and old.startswith("/") and old.endswith("/")):
        return text.replace(old, new)
    pattern = _compiled(old[1:-1], text)
    return pattern.sub(lambda found: _filled(found, new), text)


def _filled(found: re.Match[str], template: str) -> str:
    """What Go puts in: `$1`, `${1}` and `$name`, of which the longest name counts; `$$` is a dollar."""

    def one(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$" if reference[0] == "$$" else reference[0]
        try:
            return found[int(name) if name.isdigit() else name] or ""
        except IndexError:
            return ""

    return re.sub(r"\$(?:(\w+)|\{(\w+)\}|\$)", one, template, flags=re.ASCII)


def _parts(found: re.Match[str]) -> Any:
    names = found.groupdict()
    if names:
        if len(names) != len(found.groups()):
            raise Wrong("groups with and without names")
        return names
    return list(found.groups()) if found.groups() else found[0]


def first_match(pattern: str, text: str) -> Any:
    """Terraform's `regex`.

    Raises:
        Wrong: Nothing matches.
        NotEvaluatedError: It cannot be told here.
    """
    found = _compiled(pattern, text).search(text)
    if found is None:
        raise Wrong("nothing matches")
    return _parts(found)


def all_matches(pattern: str, text: str) -> list[Any]:
    """Terraform's `regexall`.

    Raises:
        NotEvaluatedError: It cannot be told here.
    """
    return [_parts(found) for found in _compiled(pattern, text).finditer(text)]


# --- characters -----------------------------------------------------------------------------------


def characters(text: str) -> list[str]:
    """What Terraform counts as characters, which are those that a person sees.

    Raises:
        NotEvaluatedError: Some are made of several code points.
    """
    if text.isascii():
        if "\r\n" in text:
            raise NotEvaluatedError("ends of lines of two characters")
        return list(text)
    normal = unicodedata.normalize("NFC", text)
    for one in normal:
        if not one.isascii() and unicodedata.category(one) not in _PLAIN_CATEGORIES:
            raise NotEvaluatedError("characters that are made of several")
    return list(normal)


def part(text: str, at: int, length: int) -> str:
    """Terraform's `substr`."""
    found = characters(text)
    at = max(at + len(found), 0) if at < 0 else at
    return "".join(found[at:] if length < 0 else found[at : at + length])


def upper(text: str) -> str:
    """Go's upper case, which keeps the number of letters."""
    return "".join(one.upper() if len(one.upper()) == 1 else one for one in text)


def lower(text: str) -> str:
    """Go's lower case, which keeps the number of letters."""
    return "".join(one.lower() if len(one.lower()) == 1 else one for one in text)


def title(text: str) -> str:
    """The first letter of each word in upper case; of ASCII only letters, digits and `_` join words."""
    parts = []
    before = " "
    for one in text:
        joins = before.isalnum() or before == "_" or not (before.isascii() or before in _SPACES)
        parts.append(one if joins else upper(one))
        before = one
    return "".join(parts)


def trimmed(text: str) -> str:
    """Without white space around it."""
    return text.strip(_SPACES)


def indented(spaces: int, text: str) -> str:
    """Every line but the first further to the right."""
    return text.replace("\n", "\n" + " " * spaces)


def known_text(value: Any) -> str:
    """A value that is known, as text.

    Raises:
        Wrong: It is null, a list or a map.
    """
    if value is None:
        raise Wrong("null as an argument")
    if not known(value):
        raise NotEvaluatedError("a part is not known")
    return text_of(as_text(value))
