"""Terraform's JSON syntax (`.tf.json`) as the same tree that HCL gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mimir_migrate.documents.terraform.language.hcl import read_template
from mimir_migrate.documents.terraform.language.syntax import (
    Block,
    Body,
    Directive,
    Literal,
    Mapping,
    Node,
    Sequence,
)
from mimir_migrate.documents.terraform.language.templates import Failure
from mimir_migrate.errors import DocumentError

_LABELS = {
    "resource": 2,
    "data": 2,
    "ephemeral": 2,
    "module": 1,
    "variable": 1,
    "output": 1,
    "provider": 1,
    "locals": 0,
    "terraform": 0,
}


def read_json_body(text: str, path: str) -> Body:
    """Read one file.

    Raises:
        DocumentError: The file is not JSON, or not of the shape that Terraform takes.
    """
    hint = "`terraform validate` says more"
    try:
        document = json.loads(text.removeprefix("\ufeff"))
    except ValueError as error:
        line, column = getattr(error, "lineno", 0), getattr(error, "colno", 0)
        raise DocumentError(
            f"the file is not JSON: {getattr(error, 'msg', 'a number is too long')}",
            path=path,
            line=line,
            column=column,
            hint=hint,
        ) from error
    except RecursionError as error:
        raise DocumentError("the file is nested too deeply", path=path, hint=hint) from error
    try:
        return Body({}, tuple(_top(document)))
    except (_ShapeError, RecursionError) as error:
        raise DocumentError(
            f"the file is not Terraform's JSON: {error}", path=path, hint=hint
        ) from error


class _ShapeError(Exception):
    pass


def _top(document: Any) -> Iterator[Block]:
    for one in _maps(document, "the file"):
        for kind, content in one.items():
            if kind in _LABELS:
                yield from _labelled(kind, (), content, _LABELS[kind])


def _labelled(kind: str, labels: tuple[str, ...], content: Any, left: int) -> Iterator[Block]:
    for one in _maps(content, ".".join((kind, *labels))):
        if not left:
            attributes = {key: _node(value) for key, value in one.items() if key != "//"}
            yield Block(kind, labels, Body(attributes))
            continue
        for label, inner in one.items():
            if label != "//":
                yield from _labelled(kind, (*labels, label), inner, left - 1)


def _maps(value: Any, what: str) -> Iterator[dict[str, Any]]:
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            raise _ShapeError(f"{what} is not an object")
        yield one


def _node(value: Any) -> Node:
    if isinstance(value, str):
        try:
            return read_template(value)
        except Failure:
            return Directive(value)
    if isinstance(value, list):
        return Sequence("[…]", tuple(_node(one) for one in value))
    if isinstance(value, dict):
        return Mapping("{…}", tuple((_node(key), _node(one)) for key, one in value.items()))
    return Literal(json.dumps(value), value)
