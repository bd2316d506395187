"""Texts of policies compared: wildcards, ARNs, and parts that are not known, in three values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

Truth = bool | None
"""None: not known."""

OWN_ACCOUNT = "${this account}"
OWN_REGION = "${this region}"
OWN_PARTITION = "${this partition}"
"""What Terraform looks up of itself: it is that of whoever applies the folder, by definition."""

_OWN = frozenset({OWN_ACCOUNT, OWN_REGION, OWN_PARTITION})
_ARN_FIELDS = 6
"""arn, partition, service, region, account; the rest is the resource."""
_LITERALS = {"${*}": "\U000f1000", "${?}": "\U000f1001", "${$}": "$"}
"""How IAM's policies write the characters that mean something else in them: as private characters."""
_MEANT = {"\U000f1000": "*", "\U000f1001": "?"}


def any_of(values: Iterable[Truth]) -> Truth:
    """Whether one is true; without any: no."""
    unknown = False
    for one in values:
        if one:
            return True
        unknown = unknown or one is None
    return None if unknown else False


def all_of(values: Iterable[Truth]) -> Truth:
    """Whether all are true; without any: yes."""
    unknown = False
    for one in values:
        if one is False:
            return False
        unknown = unknown or one is None
    return None if unknown else True


def negated(value: Truth) -> Truth:
    """The opposite; what is not known stays so."""
    return None if value is None else not value


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Split at `${…}`, which may hold braces and strings of its own: (text, is it not known)."""
    at = 0
    while (start := text.find("${", at)) >= 0:
        end = _closing(text, start + 2)
        hole = text[start:end]
        if hole in _LITERALS:
            yield text[at:start] + _LITERALS[hole], False
        else:
            if start > at:
                yield text[at:start], False
            yield hole, True
        at = end
    if at < len(text):
        yield text[at:], False


def unknown_in(text: str) -> bool:
    """Whether a part of the text is not known."""
    return any(hole for _, hole in pieces(text))


def like(pattern: str, text: str, *, wild: bool = True, fold: bool = False) -> Truth:
    """Whether a pattern fits a text, of which parts may not be known either.

    Args:
        pattern: With `*` and `?` where `wild`.
        text: Literal.
        wild: Whether `*` and `?` are wildcards.
        fold: Whether upper and lower case are the same.
    """
    if fold:
        pattern, text = _folded(pattern), _folded(text)
    if "${" not in pattern and "${" not in text:
        return _compiled(pattern, wild).fullmatch(text) is not None
    if wild and pattern == "*":
        return True
    if _certain(pattern, text, wild):
        return True
    return None if _possible(_tokens(pattern, wild), _tokens(text, wild=False)) else False


def _certain(pattern: str, text: str, wild: bool) -> bool:
    """Whether the pattern fits whatever the parts are that are not known."""
    symbols: dict[str, str] = {}

    def symbol(hole: str) -> str:
        return symbols.setdefault(hole, chr(_SYMBOLS + len(symbols)))

    written = "".join(
        symbol(part) if hole else "".join(_regex(char, wild) for char in part)
        for part, hole in pieces(pattern)
    )
    asked = "".join(
        symbol(part) if hole else "".join(_MEANT.get(char, char) for char in part)
        for part, hole in pieces(text)
    )
    return re.fullmatch(written, asked, re.DOTALL) is not None


def _folded(text: str) -> str:
    return "".join(part if hole else part.lower() for part, hole in _raw_pieces(text))


def _raw_pieces(text: str) -> Iterator[tuple[str, bool]]:
    at = 0
    while (start := text.find("${", at)) >= 0:
        end = _closing(text, start + 2)
        yield text[at:start], False
        yield text[start:end], True
        at = end
    yield text[at:], False


@lru_cache(maxsize=4096)
def _compiled(pattern: str, wild: bool) -> re.Pattern[str]:
    return re.compile("".join(_regex(part, wild) for part in pattern), re.DOTALL)


def _regex(char: str, wild: bool) -> str:
    if wild and char in "*?":
        # One character is never a part that is not known, which may be none or many.
        return ".*" if char == "*" else f"[^{chr(_SYMBOLS)}-{chr(_SYMBOLS + 999)}]"
    return re.escape(_MEANT.get(char, char))


_SYMBOLS = 0xF0000
"""The first of the private characters that stand for parts that are not known."""

_STAR, _ONE = 0, 1
_Token = str | int
"""A character, or one of the two wildcards."""


def _tokens(text: str, wild: bool) -> tuple[_Token, ...]:
    found: list[_Token] = []
    for part, hole in pieces(text):
        found.extend([_STAR] if hole else [_token(char, wild) for char in part])
    return tuple(found)


def _token(char: str, wild: bool) -> _Token:
    if wild and char in "*?":
        return _STAR if char == "*" else _ONE
    return _MEANT.get(char, char)


def _possible(left: tuple[_Token, ...], right: tuple[_Token, ...]) -> bool:
    """Whether two patterns have a text in common."""
    reached = [False] * (len(right) + 1)
    reached[0] = True
    for at in range(len(right)):
        reached[at + 1] = reached[at] and right[at] == _STAR
    for token in left:
        before = reached
        reached = [before[0] and token == _STAR]
        for at, other in enumerate(right):
            both = before[at] and (
                token == other or _ONE in (token, other) or _STAR in (token, other)
            )
            skips = (token == _STAR and (before[at + 1] or reached[at])) or (
                other == _STAR and (reached[at] or before[at + 1])
            )
            reached.append(both or skips)
    return reached[-1]


def covers(pattern: str, resource: str) -> Truth:
    """Whether a `Resource` of a policy covers an ARN.

    Args:
        pattern: With wildcards. AWS completes an ARN with fewer than six fields by `*`, and a `*`
            at the end of a field goes on beyond its colon.
        resource: A field of it that is `*` is not known, and not compared.
    """
    if pattern in {"*", resource}:
        return True
    written, asked = fields(pattern), fields(resource)
    if len(asked) != _ARN_FIELDS or (written and unknown_in(written[0])):
        # A whole ARN that only Terraform knows, or a part of one.
        return like(pattern, resource)
    if len(written) < _ARN_FIELDS:
        filled = [*written, *["*"] * (_ARN_FIELDS - len(written))]
        return any_of((_each(filled, asked), like(pattern, resource)))
    return _each(written, asked)


def _each(written: list[str], asked: list[str]) -> Truth:
    return all_of(_field(field, value) for field, value in zip(written, asked, strict=True))


def _field(field: str, value: str) -> Truth:
    if value == "*":
        # Not compared, but a name is not a region and no account.
        return re.fullmatch(r"[\w*?-]*", re.sub(r"\$\{.*\}", "", field)) is not None
    if field in _OWN:
        return True
    return like(field, value)


def fields(arn: str) -> list[str]:
    """Split an ARN at its colons, not at those inside `${…}`; the resource keeps its own."""
    found = [""]
    for part, hole in _raw_pieces(arn):
        first, *others = [part] if hole else part.split(":")
        found[-1] += first
        found.extend(others)
    head = _ARN_FIELDS - 1
    return [*found[:head], ":".join(found[head:])] if len(found) > head else found


def _closing(text: str, at: int) -> int:
    """The place behind the brace that closes a `${`; the text's end where none does."""
    depth = 1
    quoted = False
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == '"':
            quoted = not quoted
        elif not quoted and char == "{":
            depth += 1
        elif not quoted and char == "}":
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    return len(text)
