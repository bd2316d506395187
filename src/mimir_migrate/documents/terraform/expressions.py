"""Values in Terraform files: what stands there literally, and what can be told without Terraform.

python-hcl2 keeps literals and expressions apart: a string comes with its quotes, an expression as
`${…}`. Here variables with defaults, locals and a few pure functions are filled in; everything else
stays unknown, with the reason.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from mimir_migrate.errors import DocumentError

_DEEPEST = 24
"""Locals can refer to each other in a circle in a file that Terraform would refuse."""

_HEREDOC = re.compile(r'^"<<(-?)(\w+)\n(|.*\n)[ \t]*\2"$', re.DOTALL)
_REFERENCE = re.compile(r"^(var|local|each)\.([\w-]+)((?:\.[\w-]+|\[\"[^\"]+\"\])*)$")
_CALL = re.compile(r"^(\w+)\((.*)\)$", re.DOTALL)
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t", "r": "\r"}


class Unresolved(msgspec.Struct, frozen=True):
    """A value that the files alone do not tell."""

    text: str
    """As written, with what could be filled in; the rest stays as `${…}`."""
    reason: str


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What names mean in one module."""

    variables: Mapping[str, Any]
    """Resolved already: an argument of the call, a tfvars entry, or the default."""
    locals: Mapping[str, Any]
    """As python-hcl2 gives them."""
    each: Mapping[str, Any] = {}
    """`key` and `value` of a block with `for_each`."""


def parse(text: str, path: str) -> dict[str, Any]:
    """Read one file.

    Raises:
        DocumentError: The file is not HCL.
    """
    import hcl2
    from lark.exceptions import LarkError

    # The parser needs a line's end after the last block, and knows no other line ends.
    source = text.removeprefix("\ufeff").replace("\r\n", "\n") + "\n"
    try:
        loaded: dict[str, Any] = hcl2.loads(source)
    except (LarkError, RecursionError) as error:
        raise DocumentError(
            "the file is not HCL that can be read",
            path=path,
            line=max(getattr(error, "line", 0) or 0, 0),
            column=max(getattr(error, "column", 0) or 0, 0),
            hint="`terraform validate` says more",
        ) from error
    return loaded


def resolve(value: Any, scope: Scope, depth: int = 0) -> Any:
    """Fill in what can be told.

    Returns:
        A str, number, bool, None, list or dict; `Unresolved` where it or a part of a string is not
        known. Keys of maps are strings, with `${…}` left in them where they are not known.
    """
    if depth > _DEEPEST:
        return Unresolved(str(value), "it refers to itself")
    if isinstance(value, list):
        return [resolve(one, scope, depth + 1) for one in value]
    if isinstance(value, dict):
        return {
            _key(key, scope, depth): resolve(one, scope, depth + 1)
            for key, one in value.items()
            if key != "__is_block__"
        }
    if not isinstance(value, str):
        return value
    heredoc = _HEREDOC.match(value)
    if heredoc:
        return _template(textwrap.dedent(heredoc[3]) if heredoc[1] else heredoc[3], scope, depth)
    if len(value) > 1 and value[0] == value[-1] == '"':
        return _template(_unescaped(value[1:-1]), scope, depth)
    if value.startswith("${") and value.endswith("}"):
        return _expression(value[2:-1].strip(), scope, depth)
    return _expression(value.strip(), scope, depth)


def unquoted(name: str) -> str:
    """A block's label without its quotes."""
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' else name


def text_of(value: Any) -> str:
    """A resolved value as text; what is not known stays as `${…}`."""
    if isinstance(value, Unresolved):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def reason_of(value: Any) -> str:
    """Why a value is not known; empty when it is."""
    return value.reason if isinstance(value, Unresolved) else ""


def references(value: Any) -> tuple[str, ...]:
    """The resources, data and modules that a raw or resolved value refers to.

    E.g. `aws_iam_policy.rings`, `data.aws_iam_policy_document.rings`, `module.policy`.
    """
    found = re.findall(
        r"\b(data\.\w+\.[\w-]+|module\.[\w-]+|aws_\w+\.[\w-]+)", " ".join(_strings(value))
    )
    return tuple(dict.fromkeys(found))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, Unresolved):
        yield value.text
    elif isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield str(key)
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def _key(key: str, scope: Scope, depth: int) -> str:
    if key.startswith(('"', "${")):
        return text_of(resolve(key, scope, depth + 1))
    return key


def _template(text: str, scope: Scope, depth: int) -> Any:
    """Fill in the `${…}` of a string."""
    if "%{" in text:
        return Unresolved(text, "a template directive")
    parts: list[str] = []
    reason = ""
    for literal, expression in _pieces(text):
        parts.append(literal)
        if not expression:
            continue
        value = _expression(expression.strip(), scope, depth + 1)
        if isinstance(value, (list, dict)) or value is None:
            value = Unresolved(f"${{{expression}}}", "a list or map in a string")
        reason = reason or reason_of(value)
        parts.append(text_of(value))
    whole = "".join(parts)
    return Unresolved(whole, reason) if reason else whole


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Split at `${…}`, which may hold braces and strings of its own."""
    at = 0
    while True:
        start = text.find("${", at)
        while start > 0 and text[start - 1] == "$":
            start = text.find("${", start + 2)  # `$${` is an escaped one
        if start < 0:
            yield text[at:].replace("$${", "${"), ""
            return
        end = _closing(text, start + 2)
        yield text[at:start].replace("$${", "${"), text[start + 2 : end]
        at = end + 1


def _closing(text: str, at: int) -> int:
    depth = 1
    quoted = False
    while at < len(text):
        char = text[at]
        if char == '"' and text[at - 1] != "\\":
            quoted = not quoted
        elif not quoted and char == "{":
            depth += 1
        elif not quoted and char == "}":
            depth -= 1
            if not depth:
                return at
        at += 1
    return at


def _expression(text: str, scope: Scope, depth: int) -> Any:
    if depth > _DEEPEST:
        return Unresolved(f"${{{text}}}", "it refers to itself")
    if text in {"true", "false"}:
        return text == "true"
    if text == "null":
        return None
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if text[:1] in {'"', "[", "{"}:
        literal = _literal(text)
        if literal is not None:
            return resolve(literal, scope, depth + 1)
    reference = _REFERENCE.match(text)
    if reference:
        return _named(reference, scope, depth)
    call = _CALL.match(text)
    if call and call[1] in _FUNCTIONS:
        arguments = _literal(f"[{call[2]}]")
        if isinstance(arguments, list):
            resolved = [resolve(one, scope, depth + 1) for one in arguments]
            found = _FUNCTIONS[call[1]](resolved)
            if found is not None:
                return found
    choice = _choice(text)
    if choice:
        condition = _condition(choice[0], scope, depth)
        if condition is not None:
            return _expression(choice[1] if condition else choice[2], scope, depth + 1)
    return Unresolved(f"${{{text}}}", _why(text))


def _literal(text: str) -> Any:
    """Parse an expression's list, map or string; None when it is something else."""
    try:
        return parse(f"x = {text}", "").get("x")
    except DocumentError:
        return None


def _named(reference: re.Match[str], scope: Scope, depth: int) -> Any:
    kind, name, rest = reference.groups()
    text = reference.string
    if kind == "var":
        if name not in scope.variables:
            return Unresolved(f"${{{text}}}", f"the variable {name} has no default")
        value = scope.variables[name]
    elif kind == "each":
        if name not in scope.each:
            return Unresolved(f"${{{text}}}", "one of several, which only Terraform counts")
        value = scope.each[name]
    else:
        if name not in scope.locals:
            return Unresolved(f"${{{text}}}", f"there is no local {name}")
        value = resolve(scope.locals[name], scope, depth + 1)
    for key in re.findall(r"\.([\w-]+)|\[\"([^\"]+)\"\]", rest):
        wanted = key[0] or key[1]
        if not isinstance(value, dict) or wanted not in value:
            return Unresolved(f"${{{text}}}", reason_of(value) or f"{name} has no {wanted}")
        value = value[wanted]
    return value


def _choice(text: str) -> tuple[str, str, str] | None:
    """Split `condition ? one : other`; None where it is no choice, or a choice within a choice."""
    if text.count("?") != 1:
        return None
    condition, _, rest = text.partition("?")
    if any(condition.count(one) != condition.count(other) for one, other in ("()", "[]", "{}")):
        return None
    one, colon, other = rest.partition(":")
    return (condition.strip(), one.strip(), other.strip()) if colon else None


def _condition(text: str, scope: Scope, depth: int) -> bool | None:
    for sign in ("==", "!="):
        if text.count(sign) == 1 and not re.search(r"&&|\|\|", text):
            left, right = (
                _expression(side.strip(), scope, depth + 1) for side in text.split(sign)
            )
            if isinstance(left, Unresolved) or isinstance(right, Unresolved):
                return None
            return bool((left == right) == (sign == "=="))
    value = _expression(text, scope, depth + 1)
    return value if isinstance(value, bool) else None


def _why(text: str) -> str:
    module = re.search(r"\bmodule\.([\w-]+)", text)
    if module:
        return f"computed in module {module[1]}"
    data = re.search(r"\bdata\.([\w-]+\.[\w-]+)", text)
    if data:
        return f"looked up by data {data[1]}"
    resource = re.search(r"\b([a-z]+_\w+\.[\w-]+)", text)
    if resource:
        return f"known only once {resource[1]} is made"
    return "an expression that only Terraform computes"


def _whole(values: list[Any]) -> bool:
    return not any(isinstance(one, (Unresolved, list, dict)) for one in values)


def _format(values: list[Any]) -> Any:
    if not values or not isinstance(values[0], str):
        return None
    if values[0].count("%s") != len(values) - 1 or values[0].count("%") != len(values) - 1:
        return None
    text = values[0]
    reason = ""
    for one in values[1:]:
        text = text.replace("%s", text_of(one).replace("%s", ""), 1)
        reason = reason or reason_of(one)
    return Unresolved(text, reason) if reason else text


def _join(values: list[Any]) -> Any:
    if len(values) != 2 or not isinstance(values[0], str) or not isinstance(values[1], list):  # noqa: PLR2004
        return None
    text = values[0].join(text_of(one) for one in values[1])
    reason = next((reason_of(one) for one in values[1] if reason_of(one)), "")
    return Unresolved(text, reason) if reason else text


def _concat(values: list[Any]) -> Any:
    if not all(isinstance(one, list) for one in values):
        return None
    return [item for one in values for item in one]


def _merge(values: list[Any]) -> Any:
    if not all(isinstance(one, dict) for one in values):
        return None
    return {key: value for one in values for key, value in one.items()}


def _same(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 and not isinstance(values[0], Unresolved) else None


def _lower(values: list[Any]) -> Any:
    return values[0].lower() if _whole(values) and isinstance(values[0], str) else None


_FUNCTIONS: Mapping[str, Callable[[list[Any]], Any]] = {
    "concat": _concat,
    "format": _format,
    "join": _join,
    "jsonencode": _same,
    "lower": _lower,
    "merge": _merge,
    "tolist": _same,
    "toset": _same,
    "tostring": _same,
}
"""`jsonencode` gives the value itself: whoever reads a policy wants the policy and not its text."""


def policy_document(value: Any) -> Any:
    """A policy as a document: from jsonencode, or the text of a heredoc with JSON in it.

    Returns:
        `Unresolved` where the policy is not in the files.
    """
    if isinstance(value, dict):
        return value
    text = value.text if isinstance(value, Unresolved) else value
    if isinstance(text, str) and text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            return Unresolved(text, reason_of(value) or "a policy that is no JSON")
    return value if isinstance(value, Unresolved) else Unresolved(text_of(value), "no policy")


def _unescaped(text: str) -> str:
    return re.sub(r'\\(["\\ntr])', lambda found: _ESCAPES[found[1]], text)
