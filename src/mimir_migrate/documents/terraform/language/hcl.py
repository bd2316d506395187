"""Reads HCL, as Terraform writes and takes it, in time that grows with the text only.

It is held to python-hcl2, a full grammar that takes some thirty times as long, over real files; see
decision 0010.
"""

# Longer than 400 lines. One recursive descent: each rule of the grammar calls the next.

from __future__ import annotations

import re
from typing import NoReturn

from mimir_migrate.documents.terraform.language.conversions import number_of
from mimir_migrate.documents.terraform.language.syntax import (
    Attribute,
    Binary,
    Block,
    Body,
    Call,
    Choice,
    Index,
    Literal,
    Loop,
    Mapping,
    Name,
    Node,
    Sequence,
    Splat,
    Unary,
)
from mimir_migrate.documents.terraform.language.templates import (
    Failure,
    heredoc_body,
    quoted_end,
    template,
)
from mimir_migrate.errors import DocumentError

_IDENTIFIER = re.compile(r"[^\W\d][\w-]*")
_SPACE = re.compile(r"(?:[ \t\r]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_SPACE_AND_LINES = re.compile(r"(?:[ \t\r\n]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_HEREDOC = re.compile(r"<<(-?)([^\W\d][\w.-]*)[ \t\r]*\n")
_PLAIN = re.compile(r'"([^"\\$%\n]*)"[ \t\r]*(?=\n)')
"""Most attributes: a text with nothing in it, until the line's end."""
_OPERATOR = re.compile(r"\|\||&&|==|!=|<=|>=|<|>|\+|-|\*|/|%")
_BINDS = {
    "||": 1,
    "&&": 2,
    "==": 3,
    "!=": 3,
    "<": 4,
    ">": 4,
    "<=": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "%": 6,
}
_WORDS = {"true": True, "false": False, "null": None}
_LONGEST_NUMBER = 300
"""Digits; Terraform's numbers have 512 bits."""


def read_body(text: str, path: str) -> Body:
    """Read one file.

    Raises:
        DocumentError: The file is not HCL; with the place.
    """
    source = text.removeprefix("\ufeff").replace("\r\n", "\n") + "\n"
    parser = _Parser(source)
    try:
        return parser.body("")
    except (Failure, RecursionError) as error:
        at = min(getattr(error, "at", parser.at), len(source) - 1)
        what = str(error) if isinstance(error, Failure) else "nested too deeply"
        raise DocumentError(
            f"the file is not HCL that can be read: {what}",
            path=path,
            line=source.count("\n", 0, at) + 1,
            column=at - source.rfind("\n", 0, at),
            hint="`terraform validate` says more",
        ) from error


def read_expression(text: str) -> Node:
    """Read one expression.

    Raises:
        Failure: It is none.
    """
    parser = _Parser(text)
    found = parser.whole_expression()
    if parser.at < len(text):
        raise Failure("something follows the expression", parser.at)
    return found


def read_template(text: str) -> Node:
    """Read the text of a template, as `templatefile` and the strings of JSON hold it.

    Raises:
        Failure: An interpolation in it cannot be read.
    """
    return template(text, text, 0, len(text), read_expression, escapes=False)


class _Parser:
    """One text, read from the left. `lines` says whether a line's end is white space."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines = True

    # --- bodies ----------------------------------------------------------------------------------

    def body(self, end: str) -> Body:
        attributes: dict[str, Node] = {}
        blocks: list[Block] = []
        while True:
            self._skip(_SPACE_AND_LINES)
            if self.at >= len(self.text):
                if end:
                    self._fail("a block is not closed")
                break
            if end and self.text[self.at] == end:
                self.at += 1
                break
            start = self.at
            word = self._identifier()
            self._skip(_SPACE)
            if self._peek() == "=":
                if word in attributes:
                    self._fail(f"{word} is set twice")
                self.at += 1
                attributes[word] = self._value()
            else:
                blocks.append(self._block(word, start))
            self._line_end(end)
        return Body(attributes, tuple(blocks))

    def _value(self) -> Node:
        self._skip(_SPACE)
        plain = _PLAIN.match(self.text, self.at)
        if plain:
            self.at = plain.end()
            return Literal(plain[0].rstrip(), plain[1])
        return self._on_lines(False)

    def _block(self, word: str, start: int) -> Block:
        labels: list[str] = []
        while (char := self._peek()) != "{":
            if char == '"':
                end = quoted_end(self.text, self.at + 1)
                labels.append(self.text[self.at + 1 : end])
                self.at = end + 1
            else:
                labels.append(self._identifier())
            self._skip(_SPACE)
        self.at += 1
        return Block(word, tuple(labels), self.body("}"), start)

    def _line_end(self, end: str) -> None:
        self._skip(_SPACE)
        if self.at < len(self.text) and self.text[self.at] not in ("\n", end):
            self._fail("a line's end is missing")

    # --- expressions -----------------------------------------------------------------------------

    def whole_expression(self) -> Node:
        found = self._on_lines(True)
        self._skip(_SPACE_AND_LINES)
        return found

    def _on_lines(self, lines: bool) -> Node:
        before, self.lines = self.lines, lines
        try:
            return self._expression()
        finally:
            self.lines = before

    def _expression(self) -> Node:
        self._white()
        start = self.at
        condition = self._binary(1)
        self._white()
        if self._peek() != "?":
            return condition
        self.at += 1
        one = self._on_lines(True)
        self._skip(_SPACE_AND_LINES)
        self._take(":")
        other = self._expression() if not self.lines else self._on_lines(True)
        return Choice(self._since(start), condition, one, other)

    def _binary(self, binds: int) -> Node:
        self._white()
        start = self.at
        left = self._unary()
        while True:
            before = self.at
            self._white()
            found = _OPERATOR.match(self.text, self.at)
            if not found or _BINDS[found[0]] < binds:
                self.at = before
                return left
            self.at = found.end()
            self._skip(_SPACE_AND_LINES)
            right = self._binary(_BINDS[found[0]] + 1)
            left = Binary(self._since(start), found[0], left, right)

    def _unary(self) -> Node:
        self._white()
        start = self.at
        sign = self._peek()
        if sign in ("!", "-"):
            self.at += 1
            of = self._unary()
            return Unary(self._since(start), sign, of)
        return self._postfix(self._primary(), start)

    def _postfix(self, node: Node, start: int) -> Node:
        while True:
            if self.lines:
                before = self.at
                self._white()
                if self._peek() not in (".", "["):
                    self.at = before
            char = self._peek()
            if char == "." and self.text[self.at : self.at + 3] != "...":
                self.at += 1
                if self._peek() == "*":
                    self.at += 1
                    return self._splat(node, start, indexes=False)
                number = _NUMBER.match(self.text, self.at)
                if number:
                    self.at += len(number[0].split(".")[0])
                    key = Literal(number[0].split(".")[0], self._int(number[0].split(".")[0]))
                    node = Index(self._since(start), node, key)
                else:
                    name = self._identifier()
                    node = Attribute(self._since(start), node, name)
            elif char == "[":
                self.at += 1
                self._skip(_SPACE_AND_LINES)
                if self._peek() == "*":
                    self.at += 1
                    self._skip(_SPACE_AND_LINES)
                    self._take("]")
                    return self._splat(node, start, indexes=True)
                inner = self._on_lines(True)
                self._skip(_SPACE_AND_LINES)
                self._take("]")
                node = Index(self._since(start), node, inner)
            else:
                return node

    def _splat(self, of: Node, start: int, *, indexes: bool) -> Node:
        """What follows is taken of each element; indexes too where it was `[*]`."""
        each: Node = Name("", "*")
        while True:
            if self._peek() == "." and _IDENTIFIER.match(self.text, self.at + 1):
                self.at += 1
                each = Attribute("", each, self._identifier())
            elif self._peek() == "[" and indexes:
                self.at += 1
                key = self._on_lines(True)
                self._skip(_SPACE_AND_LINES)
                self._take("]")
                each = Index("", each, key)
            else:
                break
        return self._postfix(Splat(self._since(start), of, each), start)

    def _primary(self) -> Node:
        start = self.at
        char = self._peek()
        if char == '"':
            end = quoted_end(self.text, start + 1)
            self.at = end + 1
            text = self.text[start : end + 1]
            return template(text, self.text, start + 1, end, read_expression, escapes=True)
        if char == "(":
            self.at += 1
            inner = self._on_lines(True)
            self._skip(_SPACE_AND_LINES)
            self._take(")")
            return inner
        if char == "[":
            return self._sequence()
        if char == "{":
            return self._mapping()
        if char == "<":
            return self._heredoc()
        number = _NUMBER.match(self.text, self.at)
        if number:
            self.at = number.end()
            plain = number[0].isdigit()
            try:
                value = self._int(number[0]) if plain else number_of(number[0])
            except OverflowError:
                self._fail("a number that is too large")
            return Literal(number[0], value)
        return self._word(start)

    def _word(self, start: int) -> Node:
        name = self._identifier()
        while self.text.startswith("::", self.at):
            self.at += 2
            name += f"::{self._identifier()}"
        if self._peek() == "(":
            return self._call(name, start)
        if name in _WORDS:
            return Literal(name, _WORDS[name])
        return Name(name, name)

    def _call(self, name: str, start: int) -> Node:
        self.at += 1
        arguments: list[Node] = []
        spread = False
        while True:
            self._skip(_SPACE_AND_LINES)
            if self._peek() == ")":
                break
            arguments.append(self._on_lines(True))
            self._skip(_SPACE_AND_LINES)
            if self.text.startswith("...", self.at):
                self.at += 3
                spread = True
                self._skip(_SPACE_AND_LINES)
            elif self._peek() == ",":
                self.at += 1
                continue
            break
        self._take(")")
        return Call(self._since(start), name, tuple(arguments), spread)

    def _sequence(self) -> Node:
        start = self.at
        self.at += 1
        self._skip(_SPACE_AND_LINES)
        loop = self._loop(start, "]")
        if loop:
            return loop
        items: list[Node] = []
        while self._peek() != "]":
            items.append(self._on_lines(True))
            self._skip(_SPACE_AND_LINES)
            if self._peek() == ",":
                self.at += 1
                self._skip(_SPACE_AND_LINES)
            elif self._peek() != "]":
                self._fail("a comma is missing in a list")
        self.at += 1
        return Sequence(self._since(start), tuple(items))

    def _mapping(self) -> Node:
        start = self.at
        self.at += 1
        self._skip(_SPACE_AND_LINES)
        loop = self._loop(start, "}")
        if loop:
            return loop
        items: list[tuple[Node, Node]] = []
        while self._peek() != "}":
            key = self._key()
            self._skip(_SPACE_AND_LINES)
            if self._peek() not in ("=", ":"):
                self._fail("a map's key has no value")
            self.at += 1
            self._skip(_SPACE_AND_LINES)
            items.append((key, self._on_lines(False)))
            self._skip(_SPACE)
            if self._peek() not in (",", "\n", "}"):
                self._fail("a comma is missing in a map")
            if self._peek() == ",":
                self.at += 1
            self._skip(_SPACE_AND_LINES)
        self.at += 1
        return Mapping(self._since(start), tuple(items))

    def _key(self) -> Node:
        word = _IDENTIFIER.match(self.text, self.at)
        if word:
            after = _SPACE.match(self.text, word.end())
            if after and self.text[after.end() : after.end() + 1] in ("=", ":"):
                self.at = word.end()
                return Literal(word[0], word[0])
        return self._on_lines(False)

    def _loop(self, start: int, end: str) -> Node | None:
        if not re.compile(r"for\b(?![-\w])").match(self.text, self.at):
            return None
        word = _SPACE.match(self.text, self.at + 3)
        if word and self.text[word.end() : word.end() + 1] in ("=", ":"):
            return None
        self.at += 3
        names = [self._spaced_identifier()]
        if self._peek() == ",":
            self.at += 1
            names.append(self._spaced_identifier())
        if self._spaced_identifier() != "in":
            self._fail("a loop without `in`")
        of = self._on_lines(True)
        self._skip(_SPACE_AND_LINES)
        self._take(":")
        value = self._on_lines(True)
        self._skip(_SPACE_AND_LINES)
        key = None
        grouped = False
        if end == "}":
            if not self.text.startswith("=>", self.at):
                self._fail("a loop over a map has no `=>`")
            self.at += 2
            key, value = value, self._on_lines(True)
            self._skip(_SPACE_AND_LINES)
            if self.text.startswith("...", self.at):
                self.at += 3
                grouped = True
                self._skip(_SPACE_AND_LINES)
        condition = None
        if re.compile(r"if\b").match(self.text, self.at):
            self.at += 2
            condition = self._on_lines(True)
            self._skip(_SPACE_AND_LINES)
        self._take(end)
        return Loop(self._since(start), tuple(names), of, value, key, condition, grouped)

    def _heredoc(self) -> Node:
        found = _HEREDOC.match(self.text, self.at)
        if not found:
            self._fail("a value is missing")
        close = re.compile(rf"^[ \t]*{re.escape(found[2])}[ \t\r]*$", re.MULTILINE)
        end = close.search(self.text, found.end())
        if not end:
            self._fail(f"a heredoc is not closed by {found[2]}")
        start, self.at = self.at, end.end()
        body = heredoc_body(self.text[found.end() : end.start()], flush=bool(found[1]))
        return template(
            self.text[start : end.end()], body, 0, len(body), read_expression, escapes=False
        )

    # --- characters ------------------------------------------------------------------------------

    def _since(self, start: int) -> str:
        return self.text[start : self.at]

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _skip(self, what: re.Pattern[str]) -> None:
        found = what.match(self.text, self.at)
        if found:
            self.at = found.end()

    def _white(self) -> None:
        self._skip(_SPACE_AND_LINES if self.lines else _SPACE)

    def _take(self, char: str) -> None:
        if self._peek() != char:
            self._fail(f"`{char}` is missing")
        self.at += 1

    def _identifier(self) -> str:
        found = _IDENTIFIER.match(self.text, self.at)
        if not found:
            self._fail("a name or a value is missing")
        self.at = found.end()
        return found[0]

    def _spaced_identifier(self) -> str:
        self._skip(_SPACE_AND_LINES)
        found = self._identifier()
        self._skip(_SPACE_AND_LINES)
        return found

    def _int(self, digits: str) -> int:
        if len(digits) > _LONGEST_NUMBER:
            self._fail(f"a number of {len(digits)} digits")
        return int(digits)

    def _fail(self, what: str) -> NoReturn:
        raise Failure(what, self.at)
