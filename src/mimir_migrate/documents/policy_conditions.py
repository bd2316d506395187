"""Conditions of IAM policies: operators, set operators, `IfExists`, in three values.

After "IAM JSON policy elements: Condition operators" of the IAM user guide.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from mimir_migrate.documents.policy_text import (
    Truth,
    all_of,
    any_of,
    covers,
    fields,
    like,
    negated,
    unknown_in,
)

Context = Mapping[str, tuple[str, ...]]
"""Values by key, in lower case. A key with no values is known to be absent; one that is not in the
mapping is not known."""

Compare = Callable[[str, str], Truth]
"""(value of the policy, value of the request)"""

_ARN_FIELDS = 6
_SERVICES = frozenset({"aws", "dynamodb", "kms", "saml", "sts"})
"""What begins keys that are not a token's."""


def holds(operator: str, key: str, values: Sequence[str], context: Context) -> Truth:
    """Whether one line of a condition block holds.

    Args:
        operator: As written; one that IAM does not have is not known.
        key: As written; keys do not heed case.
        values: Of the policy; one that fits is enough.
        context: Of the request.
    """
    name, each, if_exists = _parsed(operator)
    given = _given(key, context)
    if name == "null":
        return _absent_or_not(values, given)
    test = _TESTS.get(name)
    if test is None:
        return None
    compare, positive = test
    if given is None:
        return None
    if not given:
        # Without a value: a comparison fails, its negation holds.
        return if_exists or (each == "all") or (not positive and each != "any")

    def fits(value: str) -> Truth:
        found = any_of(compare(one, value) for one in values)
        return found if positive else negated(found)

    return any_of(map(fits, given)) if each == "any" else all_of(map(fits, given))


def _parsed(operator: str) -> tuple[str, str, bool]:
    """(the operator in lower case, `all`, `any` or nothing, whether `IfExists`)."""
    each = ""
    name = operator.strip().lower()
    for prefix, word in (("forallvalues:", "all"), ("foranyvalue:", "any")):
        if name.startswith(prefix):
            name, each = name.removeprefix(prefix), word
    if_exists = name.endswith("ifexists")
    return name.removesuffix("ifexists"), each, if_exists


def _given(key: str, context: Context) -> tuple[str, ...] | None:
    """The values of a key; None: not known.

    The key of a token (`PROVIDER:sub`) is found by what stands behind its last colon where what
    stands before it is the provider of the token, or is not known.
    """
    found = context.get(key.lower())
    if found is not None:
        return found
    prefix, colon, claim = key.rpartition(":")
    if not colon or f":{claim.lower()}" not in context:
        return None
    provider = "".join(context.get(":provider", ()))
    claimed = context[f":{claim.lower()}"]
    if not provider or unknown_in(prefix) or unknown_in(provider) or not prefix:
        return claimed
    if prefix.lower() in _SERVICES:
        return None
    return claimed if provider.lower().endswith(f"/{prefix.lower()}") else ()


def _absent_or_not(values: Sequence[str], given: tuple[str, ...] | None) -> Truth:
    if given is None:
        return None
    wanted = "false" if given else "true"
    return any_of(like(one, wanted, wild=False, fold=True) for one in values)


def _equals(written: str, value: str) -> Truth:
    return like(written, value, wild=False)


def _equals_folded(written: str, value: str) -> Truth:
    return like(written, value, wild=False, fold=True)


def _like(written: str, value: str) -> Truth:
    return like(written, value)


def _arn(written: str, value: str) -> Truth:
    """Each of the six fields by itself; `ArnEquals` and `ArnLike` are the same."""
    if unknown_in(written) or unknown_in(value):
        return covers(written, value)
    one, other = fields(written), fields(value)
    if len(other) != _ARN_FIELDS:
        return False
    if len(one) != _ARN_FIELDS:
        # Whether a wildcard goes on beyond its field here is not documented.
        return None if written.endswith("*") else False
    return all_of(map(like, one, other))


def _number(text: str) -> float | None:
    try:
        return float(text) if re.fullmatch(r"[-+]?\d{1,300}(\.\d{1,300})?", text) else None
    except ValueError:
        return None


def _moment(text: str) -> float | None:
    """Seconds since the epoch, of an ISO 8601 date or of a number of seconds."""
    number = _number(text)
    if number is not None:
        return number
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _ordered(read: Callable[[str], float | None], sign: str) -> Compare:
    def compare(written: str, value: str) -> Truth:
        one, other = read(written), read(value)
        if one is None or other is None:
            return None
        if sign == "equals":
            return other == one
        less = other < one or (other == one and sign.endswith("equals"))
        more = other > one or (other == one and sign.endswith("equals"))
        return less if sign.startswith("less") else more

    return compare


def _address(written: str, value: str) -> Truth:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(written, strict=False)
    except ValueError:
        return None


_TESTS: Mapping[str, tuple[Compare, bool]] = {
    "stringequals": (_equals, True),
    "stringnotequals": (_equals, False),
    "stringequalsignorecase": (_equals_folded, True),
    "stringnotequalsignorecase": (_equals_folded, False),
    "stringlike": (_like, True),
    "stringnotlike": (_like, False),
    "arnequals": (_arn, True),
    "arnlike": (_arn, True),
    "arnnotequals": (_arn, False),
    "arnnotlike": (_arn, False),
    "bool": (_equals_folded, True),
    "binaryequals": (_equals, True),
    "ipaddress": (_address, True),
    "notipaddress": (_address, False),
    **{
        f"{kind}{sign}": (_ordered(read, sign), True)
        for kind, read in (("numeric", _number), ("date", _moment))
        for sign in ("equals", "lessthan", "lessthanequals", "greaterthan", "greaterthanequals")
    },
    "numericnotequals": (_ordered(_number, "equals"), False),
    "datenotequals": (_ordered(_moment, "equals"), False),
}
"""Each operator's comparison, and whether it asks for a value that fits or for none that does."""
