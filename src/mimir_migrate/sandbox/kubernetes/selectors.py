"""Label and field selectors, as a list or a watch of the Kubernetes API takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_SET = re.compile(r"^(?P<key>[^\s!=]+)\s+(?P<op>in|notin)\s+\((?P<values>[^)]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[^\s!=]+)\s*(?P<op>==|=|!=)\s*(?P<value>.*)$")
_COMMA = re.compile(r",(?![^(]*\))")
"""A comma outside parentheses."""


@lru_cache(maxsize=256)
def _requirements(selector: str) -> tuple[tuple[str, str, frozenset[str]], ...]:
    found = []
    for part in _COMMA.split(selector):
        text = part.strip()
        if matched := _SET.match(text):
            values = frozenset(value.strip() for value in matched["values"].split(","))
            found.append((matched["key"], matched["op"], values))
        elif matched := _EQUAL.match(text):
            op = "notin" if matched["op"] == "!=" else "in"
            found.append((matched["key"], op, frozenset({matched["value"].strip()})))
        elif text.startswith("!"):
            found.append((text[1:].strip(), "absent", frozenset()))
        elif text:
            found.append((text, "present", frozenset()))
    return tuple(found)


def matches_labels(labels: Mapping[str, str], selector: str) -> bool:
    """Whether labels satisfy a selector such as `a=b,c in (d,e),!f`."""
    for key, op, values in _requirements(selector):
        present = key in labels
        if op == "present" and not present:
            return False
        if op == "absent" and present:
            return False
        if op == "in" and (not present or labels[key] not in values):
            return False
        if op == "notin" and present and labels[key] in values:
            return False
    return True


def matches_fields(item: Mapping[str, Any], selector: str) -> bool:
    """Whether an object satisfies a selector such as `metadata.name=a,status.phase!=Failed`."""
    for key, op, values in _requirements(selector):
        value: Any = item
        for name in key.split("."):
            value = value.get(name, "") if isinstance(value, Mapping) else ""
        if (str(value) in values) != (op == "in"):
            return False
    return True


def selector_of(match_labels: Mapping[str, str]) -> str:
    """The selector that asks for all of these labels."""
    return ",".join(f"{key}={value}" for key, value in sorted(match_labels.items()))
