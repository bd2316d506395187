"""Texts of HCL: quotes, heredocs, and the `${…}` in them."""

from __future__ import annotations

import re
from collections.abc import Callable

from mimir_migrate.documents.terraform.language.syntax import Directive, Literal, Node, Template

Read = Callable[[str], Node]

_LITERAL = re.compile(r"[^$%\\]+")
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t", "r": "\r"}
_UNICODE = {"u": 4, "U": 8}
_SPECIAL = re.compile(r'["\\$%\n]')
_BRACES = re.compile(r'["{}]|\#[^\n]*\n|/\*')


class Failure(Exception):  # noqa: N818 - it ends the reading of one template, and no command
    """The text is not what it should be at a place; never leaves this package."""

    def __init__(self, what: str, at: int) -> None:
        super().__init__(what)
        self.at = at


def quoted_end(text: str, at: int) -> int:
    """The place of the quote that closes a text that begins at `at`.

    Raises:
        Failure: It is not closed.
    """
    start = at
    while found := _SPECIAL.search(text, at):
        char = found[0]
        at = found.end()
        if char == '"':
            return found.start()
        if char == "\n":
            break
        if char == "\\":
            at += 1
        elif text.startswith(f"{char}{{", at):
            at += 2  # `$${` is an escaped one
        elif text.startswith("{", at):
            at = interpolation_end(text, at + 1) + 1
    raise Failure("a text is not closed", start)


def interpolation_end(text: str, at: int) -> int:
    """The place of the brace that closes an interpolation whose inside begins at `at`.

    Raises:
        Failure: It is not closed.
    """
    start = at
    depth = 1
    while found := _BRACES.search(text, at):
        at = found.end()
        if found[0] == '"':
            at = quoted_end(text, at) + 1
        elif found[0] == "{":
            depth += 1
        elif found[0] == "}":
            depth -= 1
            if not depth:
                return found.start()
        elif found[0] == "/*":
            at = text.find("*/", at) + 2
            if at == 1:
                break
    raise Failure("`${` is not closed", start)


def heredoc_body(text: str, *, flush: bool) -> str:
    """The body of a heredoc; `<<-` takes away the indentation that all its lines have."""
    if not flush:
        return text
    lines = text.split("\n")
    widths = [len(line) - len(line.lstrip(" \t")) for line in lines if line.strip()]
    width = min(widths, default=0)
    return "\n".join(line[width:] if line.strip() else line.strip(" \t") for line in lines)


def template(written: str, text: str, start: int, end: int, read: Read, *, escapes: bool) -> Node:
    """Read the text between two places as a template.

    Args:
        written: With its quotes, as the node's text.
        text: Where it stands.
        start: Of its inside.
        end: Of its inside.
        read: Reads an expression.
        escapes: Whether a backslash escapes; in a heredoc it does not.

    Raises:
        Failure: Something in it cannot be read.
    """
    parts: list[str | Node] = []
    plain: list[str] = []
    at = start
    strip = False

    def flush() -> None:
        literal = "".join(plain)
        if literal:
            parts.append(literal)
        plain.clear()

    while at < end:
        found = _LITERAL.match(text, at, end)
        if found:
            plain.append(found[0].lstrip() if strip else found[0])
            strip = strip and not plain[-1]
            at = found.end()
            continue
        char = text[at]
        if char == "\\":
            taken, at = _escaped(text, at, end) if escapes else ("\\", at + 1)
            plain.append(taken)
        elif text.startswith(f"{char}{char}{{", at):
            plain.append(f"{char}{{")
            at += 3
        elif text.startswith("%{", at):
            return Directive(written)
        elif text.startswith("${", at):
            close = interpolation_end(text, at + 2)
            inside = text[at + 2 : close]
            if inside.startswith("~"):
                plain[:] = ["".join(plain).rstrip()]
                inside = inside[1:]
            strip = inside.endswith("~")
            flush()
            parts.append(_read(inside.removesuffix("~"), read, at))
            at = close + 1
            continue
        else:
            plain.append(char)
            at += 1
        strip = False
    flush()
    if not parts or (len(parts) == 1 and isinstance(parts[0], str)):
        return Literal(written, parts[0] if parts else "")
    return Template(written, tuple(parts))


def _read(inside: str, read: Read, at: int) -> Node:
    try:
        return read(inside.strip())
    except Failure as error:
        raise Failure(str(error), at) from error


def _escaped(text: str, at: int, end: int) -> tuple[str, int]:
    following = text[at + 1 : at + 2]
    if following in _UNICODE:
        digits = text[at + 2 : min(at + 2 + _UNICODE[following], end)]
        try:
            return chr(int(digits, 16)), at + 2 + len(digits)
        except (ValueError, OverflowError) as error:
            raise Failure("an escape that does not exist", at) from error
    if following not in _ESCAPES:
        raise Failure("an escape that does not exist", at)
    return _ESCAPES[following], at + 2
