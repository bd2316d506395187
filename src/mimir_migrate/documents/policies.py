"""IAM policies judged as AWS judges them, in three values: yes, no, and not known.

An explicit Deny wins, an Allow is needed, and whatever cannot be told (an expression that only
Terraform computes, a condition on a key that nobody here knows) stays unknown. The rules are those
of the IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from mimir_migrate.documents.policy_conditions import Context, holds
from mimir_migrate.documents.policy_text import Truth, all_of, any_of, covers, like, negated

_EFFECTS = {"Allow": True, "Deny": False}


class Condition(msgspec.Struct, frozen=True):
    """One line of a condition block: an operator on a key, with the values to compare with."""

    operator: str
    """E.g. `StringLike`, `ForAllValues:StringEqualsIfExists`."""
    key: str
    values: tuple[str, ...]


class Principals(msgspec.Struct, frozen=True):
    """Principals of one type that a statement names."""

    type: str
    """`AWS`, `Service`, `Federated`, or `*`."""
    names: tuple[str, ...]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement of an IAM policy.

    Actions, resources and values may hold `*` and `?`; what could not be resolved still has its
    `${…}` in it.
    """

    allows: bool = True
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    principals: tuple[Principals, ...] = ()
    """Empty in a policy of an identity."""
    not_principals: tuple[Principals, ...] = ()
    conditions: tuple[Condition, ...] = ()
    """All of them have to hold."""
    doubt: str = ""
    """Why it is not known whether the statement is there at all; empty: it is."""


class Verdict(StrEnum):
    """Whether a set of policies allows a call."""

    ALLOWED = "allowed"
    MISSING = "missing"
    """No statement allows it."""
    DENIED = "denied"
    """A statement denies it."""
    UNKNOWN = "unknown"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    action: str
    resource: str = ""
    """An ARN; a field that is `*` is not known and not compared. Empty: a trust policy is asked."""
    principal: tuple[str, str] | None = None
    """Type and name of who asks; None where the policy is the identity's own."""
    context: Context = msgspec.field(default_factory=dict)
    """Values of condition keys, by key in lower case; a key that is absent is not known."""


def judge(statements: Iterable[Statement], call: Call) -> Verdict:
    """Whether the statements of all policies of one kind allow a call.

    The order of the statements never matters; a Deny that is added never allows; an Allow that is
    added never denies; and what is made unknown makes the verdict the same or unknown.
    """
    allows: list[Truth] = []
    denies: list[Truth] = []
    for one in statements:
        (allows if one.allows else denies).append(applies(one, call))
    if True in denies:
        return Verdict.DENIED
    if True in allows:
        return Verdict.UNKNOWN if None in denies else Verdict.ALLOWED
    return Verdict.UNKNOWN if None in allows else Verdict.MISSING


def verdict(
    statements: Iterable[Statement], action: str, resource: str, context: Context | None = None
) -> Verdict:
    """Whether policies of one kind allow an identity an action on a resource.

    Args:
        statements: All statements of that kind.
        action: E.g. `dynamodb:Query`.
        resource: An ARN; region and account may be `*` where they are not known.
        context: Values of condition keys, see `Call`.
    """
    return judge(statements, Call(action=action, resource=resource, context=context or {}))


def both(one: Verdict, other: Verdict) -> Verdict:
    """The verdict where two kinds of policies have to allow a call."""
    for found in (Verdict.DENIED, Verdict.MISSING, Verdict.UNKNOWN):
        if found in {one, other}:
            return found
    return Verdict.ALLOWED


def applies(one: Statement, call: Call) -> Truth:
    """Whether a statement is about a call; None where that cannot be told."""
    found = all_of(
        (
            _names_action(one, call.action),
            _names_resource(one, call.resource),
            _names_principal(one, call),
            all_of(
                holds(item.operator, item.key, item.values, call.context)
                for item in one.conditions
            ),
        )
    )
    return None if found and one.doubt else found


def _names_action(one: Statement, action: str) -> Truth:
    if one.not_actions:
        return negated(any_of(like(pattern, action, fold=True) for pattern in one.not_actions))
    return any_of(like(pattern, action, fold=True) for pattern in one.actions)


def _names_resource(one: Statement, resource: str) -> Truth:
    if not resource:
        return True
    if one.not_resources:
        return negated(any_of(covers(pattern, resource) for pattern in one.not_resources))
    return any_of(covers(pattern, resource) for pattern in one.resources)


def _names_principal(one: Statement, call: Call) -> Truth:
    if call.principal is None:
        return True
    if one.not_principals:
        return negated(any_of(_is(each, call.principal) for each in one.not_principals))
    return any_of(_is(each, call.principal) for each in one.principals)


def _is(named: Principals, asking: tuple[str, str]) -> Truth:
    """Whether principals cover who asks; names hold no wildcards, but `*` is everybody."""
    kind, name = asking
    if named.type == "*":
        # Everybody of AWS; whether that takes in tokens and services is not documented.
        return True if kind == "AWS" else None
    if "${" in named.type:
        return None
    if named.type != kind:
        return False
    return any_of(True if each == "*" else like(each, name, wild=False) for each in named.names)


# --- reading -------------------------------------------------------------------------------------


def read_policy(document: Any) -> tuple[Statement, ...]:
    """Read the statements of a policy document (the parsed JSON).

    Nothing is raised. What is not a statement is left out. A statement that AWS would refuse, or whose
    effect is not known, is one that may allow and one that may deny.
    """
    if not isinstance(document, dict):
        return ()
    listed = document.get("Statement", [])
    return tuple(
        statement
        for one in (listed if isinstance(listed, list) else [listed])
        if isinstance(one, dict)
        for statement in _statements(one)
    )


def _statements(one: Mapping[str, Any]) -> Iterator[Statement]:
    effect = one.get("Effect")
    told = _EFFECTS.get(effect) if isinstance(effect, str) else None
    doubt = ""
    if told is None:
        doubt = "it has no Effect" if effect is None else f"its Effect is {effect!r}"
    read = Statement(
        actions=_texts(one.get("Action")),
        not_actions=_texts(one.get("NotAction")),
        resources=_texts(one.get("Resource")),
        not_resources=_texts(one.get("NotResource")),
        principals=tuple(_principals(one.get("Principal"))),
        not_principals=tuple(_principals(one.get("NotPrincipal"))),
        conditions=tuple(_conditions(one.get("Condition"))),
        doubt=doubt,
    )
    for allows in (True, False) if told is None else (told,):
        yield msgspec.structs.replace(read, allows=allows)


def _principals(value: Any) -> Iterator[Principals]:
    if isinstance(value, dict):
        for kind, names in value.items():
            yield Principals(str(kind), _texts(names))
    elif value is not None:
        yield Principals("*" if value == "*" else str(value), _texts(value))


def _conditions(value: Any) -> Iterator[Condition]:
    if value is None:
        return
    if not isinstance(value, dict):
        yield Condition(str(value), "", ())
        return
    for operator, tests in value.items():
        if not isinstance(tests, dict):
            yield Condition(str(operator), str(tests), ())
            continue
        for key, values in tests.items():
            yield Condition(str(operator), str(key), _texts(values))


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(_text(one) for one in (value if isinstance(value, list) else [value]))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
