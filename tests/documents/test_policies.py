"""The evaluator of policies: what must hold whatever the policies are, and each operator by itself."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mimir_migrate.documents.permissions import table_arn
from mimir_migrate.documents.policies import (
    Call,
    Condition,
    Principals,
    Statement,
    Verdict,
    both,
    judge,
    read_policy,
    verdict,
)
from mimir_migrate.documents.policy_conditions import holds
from mimir_migrate.documents.policy_text import covers, like

TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/rings"
ACTIONS = ("dynamodb:*", "dynamodb:Query", "dynamodb:Q?ery", "s3:*", "*", "${var.action}")
RESOURCES = (
    "*",
    TABLE,
    "arn:aws:dynamodb:*:*:table/*",
    "arn:aws:dynamodb:us-east-1:*:table/rings",
    "arn:aws:dynamodb:${var.region}:*:table/rings",
    "${var.arn}",
    "arn:aws:s3:::x",
)
CONDITIONS = (
    Condition("StringEquals", "aws:RequestedRegion", ("eu-west-1",)),
    Condition("StringNotEquals", "aws:RequestedRegion", ("eu-west-1",)),
    Condition("StringEquals", "aws:PrincipalOrgID", ("o-1",)),
    Condition("StringLike", "aws:RequestedRegion", ("${var.region}",)),
    Condition("Null", "aws:MultiFactorAuthAge", ("true",)),
    Condition("Unheard", "a:b", ("c",)),
)
CALL = Call(
    action="dynamodb:Query",
    resource=TABLE,
    context={"aws:requestedregion": ("eu-west-1",), "aws:multifactorauthage": ()},
)


def some(values: tuple[object, ...], size: int = 2) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(st.sampled_from(values), max_size=size).map(tuple)


statements = st.builds(
    Statement,
    allows=st.booleans(),
    actions=some(ACTIONS),
    not_actions=st.one_of(st.just(()), some(ACTIONS, 1)),
    resources=some(RESOURCES),
    not_resources=st.one_of(st.just(()), some(RESOURCES, 1)),
    conditions=some(CONDITIONS),
    doubt=st.sampled_from(["", "", "count = ${var.n}"]),
)
policies = st.lists(statements, max_size=5)


@given(policies, st.randoms())
def test_the_order_never_matters(listed: list[Statement], random: object) -> None:
    """IAM looks at all statements."""
    shuffled = list(listed)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert judge(shuffled, CALL) is judge(listed, CALL)


@given(policies, statements)
def test_a_denial_that_is_added_never_allows(listed: list[Statement], one: Statement) -> None:
    """It can only take away."""
    denial = msgspec.structs.replace(one, allows=False)
    before, after = judge(listed, CALL), judge([*listed, denial], CALL)

    assert after is before or after in {Verdict.DENIED, Verdict.UNKNOWN}
    assert not (after is Verdict.ALLOWED and before is not Verdict.ALLOWED)
    assert not (before is Verdict.MISSING and after is Verdict.UNKNOWN)


@given(policies, statements)
def test_an_allowance_that_is_added_never_denies(listed: list[Statement], one: Statement) -> None:
    """It can only add."""
    allowance = msgspec.structs.replace(one, allows=True)
    before, after = judge(listed, CALL), judge([*listed, allowance], CALL)

    assert (after is Verdict.DENIED) == (before is Verdict.DENIED)
    assert not (before is Verdict.ALLOWED and after is not Verdict.ALLOWED)


def blurred(one: Statement, what: str) -> Statement:
    """The statement with a part made unknown."""
    if what == "there":
        return msgspec.structs.replace(one, doubt="not known")
    if what == "action" and one.actions:
        return msgspec.structs.replace(one, actions=(*one.actions[:-1], "${var.x}"))
    if what == "resource" and one.resources:
        return msgspec.structs.replace(one, resources=(*one.resources[:-1], "${var.x}"))
    if what == "condition" and one.conditions:
        unknown = Condition("StringEquals", "nobody:Knows", ("x",))
        return msgspec.structs.replace(one, conditions=(*one.conditions[:-1], unknown))
    return one


@given(policies, st.data())
def test_what_is_made_unknown_keeps_the_verdict_or_makes_it_unknown(
    listed: list[Statement], data: st.DataObject
) -> None:
    """It never turns a no into a yes, nor a yes into a no."""
    if not listed:
        return
    at = data.draw(st.integers(0, len(listed) - 1))
    what = data.draw(st.sampled_from(["there", "action", "resource", "condition"]))
    changed = [*listed[:at], blurred(listed[at], what), *listed[at + 1 :]]
    sure = {Verdict.ALLOWED}
    before, after = judge(listed, CALL), judge(changed, CALL)

    assert not (before not in sure and before is not Verdict.UNKNOWN and after in sure)
    if before in sure:
        assert after in {Verdict.ALLOWED, Verdict.UNKNOWN}


@given(policies, policies)
def test_a_boundary_only_takes_away(listed: list[Statement], boundary: list[Statement]) -> None:
    """What both allow is allowed."""
    found = both(judge(listed, CALL), judge(boundary, CALL))

    assert (found is Verdict.ALLOWED) == (
        judge(listed, CALL) is Verdict.ALLOWED and judge(boundary, CALL) is Verdict.ALLOWED
    )


parts = st.text(st.sampled_from("ab*?:/"), max_size=6)


@given(parts, st.text(st.sampled_from("ab:/"), max_size=6), st.text("ab", max_size=3))
def test_a_part_that_is_not_known_agrees_with_what_it_turns_out_to_be(
    pattern: str, text: str, value: str
) -> None:
    """A sure answer stays right whatever stands in the place of the unknown."""
    for place in range(len(pattern) + 1):
        open_one = f"{pattern[:place]}${{var.x}}{pattern[place:]}"
        sure = like(open_one, text)
        filled = like(f"{pattern[:place]}{value}{pattern[place:]}", text)
        assert sure is None or sure == filled


@pytest.mark.parametrize(
    ("operator", "key", "values", "context", "expected"),
    [
        ("StringEquals", "k", ("a", "b"), {"k": ("b",)}, True),
        ("StringEquals", "k", ("*",), {"k": ("b",)}, False),
        ("StringEquals", "k", ("*",), {"k": ("*",)}, True),
        ("StringEquals", "k", ("a",), {"k": ()}, False),
        ("StringEquals", "k", ("a",), {}, None),
        ("stringequals", "K", ("a",), {"k": ("a",)}, True),
        ("StringEqualsIfExists", "k", ("a",), {"k": ()}, True),
        ("StringEqualsIfExists", "k", ("a",), {"k": ("b",)}, False),
        ("StringNotEquals", "k", ("a",), {"k": ()}, True),
        ("StringNotEquals", "k", ("a", "b"), {"k": ("b",)}, False),
        ("StringNotEquals", "k", ("a", "b"), {"k": ("c",)}, True),
        ("StringNotLike", "k", ("a*",), {"k": ("abc",)}, False),
        ("StringLike", "k", ("a?c",), {"k": ("abc",)}, True),
        ("StringLike", "k", ("a${*}c",), {"k": ("abc",)}, False),
        ("StringLike", "k", ("a${*}c",), {"k": ("a*c",)}, True),
        ("StringLike", "k", ("${aws:username}/*",), {"k": ("x/y",)}, None),
        ("StringLike", "k", ("${aws:username}/z",), {"k": ("x/y",)}, False),
        ("ForAnyValue:StringEquals", "k", ("a",), {"k": ("b", "a")}, True),
        ("ForAnyValue:StringEquals", "k", ("a",), {"k": ()}, False),
        ("ForAnyValue:StringNotEquals", "k", ("a",), {"k": ()}, False),
        ("ForAnyValue:StringNotEquals", "k", ("a",), {"k": ("a", "b")}, True),
        ("ForAllValues:StringEquals", "k", ("a",), {"k": ("b", "a")}, False),
        ("ForAllValues:StringEquals", "k", ("a", "b"), {"k": ("b", "a")}, True),
        ("ForAllValues:StringEquals", "k", ("a",), {"k": ()}, True),
        ("ForAllValues:StringLike", "k", ("a*",), {}, None),
        ("Null", "k", ("true",), {"k": ()}, True),
        ("Null", "k", ("true",), {"k": ("x",)}, False),
        ("Null", "k", ("false",), {"k": ("x",)}, True),
        ("Null", "k", ("true",), {}, None),
        ("Bool", "k", ("true",), {"k": ("True",)}, True),
        ("Bool", "k", ("false",), {"k": ("true",)}, False),
        ("Bool", "k", ("false",), {"k": ()}, False),
        ("BoolIfExists", "k", ("false",), {"k": ()}, True),
        ("IpAddress", "k", ("10.0.0.0/8",), {"k": ("10.1.2.3",)}, True),
        ("IpAddress", "k", ("10.0.0.0/8",), {"k": ("11.1.2.3",)}, False),
        ("IpAddress", "k", ("10.0.0.1/8",), {"k": ("10.1.2.3",)}, True),
        ("IpAddress", "k", ("2001:db8::/32",), {"k": ("2001:db8::1",)}, True),
        ("NotIpAddress", "k", ("10.0.0.0/8",), {"k": ("10.1.2.3",)}, False),
        ("IpAddress", "k", ("nonsense",), {"k": ("10.1.2.3",)}, None),
        ("ArnLike", "k", ("arn:aws:iam::*:role/x*",), {"k": ("arn:aws:iam::1:role/xy",)}, True),
        ("ArnEquals", "k", ("arn:aws:iam::*:role/x",), {"k": ("arn:aws:iam::1:role/x",)}, True),
        ("ArnEquals", "k", ("arn:aws:iam::2:role/x",), {"k": ("arn:aws:iam::1:role/x",)}, False),
        ("ArnNotLike", "k", ("arn:aws:iam::1:*",), {"k": ("arn:aws:iam::1:role/x",)}, False),
        ("NumericLessThan", "k", ("10",), {"k": ("9.5",)}, True),
        ("NumericGreaterThanEquals", "k", ("10",), {"k": ("10",)}, True),
        ("NumericEquals", "k", ("10",), {"k": ("10.0",)}, True),
        ("NumericNotEquals", "k", ("10",), {"k": ("10",)}, False),
        ("NumericLessThan", "k", ("x",), {"k": ("9",)}, None),
        ("DateLessThan", "k", ("2030-01-01T00:00:00Z",), {"k": ("2026-01-01T00:00:00Z",)}, True),
        ("DateGreaterThan", "k", ("2030-01-01",), {"k": ("2026-01-01",)}, False),
        ("DateEquals", "k", ("0",), {"k": ("1970-01-01T00:00:00Z",)}, True),
        ("BinaryEquals", "k", ("QUI=",), {"k": ("QUI=",)}, True),
        ("StringMatches", "k", ("a",), {"k": ("a",)}, None),
        ("", "k", ("a",), {"k": ("a",)}, None),
        (
            "ArnEquals",
            "k",
            ("arn:aws:iam::1:role/${var.x}",),
            {"k": ("arn:aws:iam::1:role/x",)},
            None,
        ),
        (
            "ArnEquals",
            "k",
            ("arn:aws:iam::2:role/${var.x}",),
            {"k": ("arn:aws:iam::1:role/x",)},
            False,
        ),
        ("ArnEquals", "k", ("arn:aws:iam::1:role/x",), {"k": ("${aws_iam_role.x.arn}",)}, None),
        ("ArnEquals", "k", ("${aws_iam_role.x.arn}",), {"k": ("${aws_iam_role.x.arn}",)}, True),
        ("ArnEquals", "k", ("arn:aws",), {"k": ("arn:aws:iam::1:role/x",)}, False),
        ("ArnEquals", "k", ("arn:aws:iam::1:role/x",), {"k": ("arn:aws",)}, False),
        ("ArnLike", "k", ("*",), {"k": ("arn:aws:iam::1:role/x",)}, None),
        ("ArnLike", "k", ("arn:aws:iam*",), {"k": ("arn:aws:iam::1:role/x",)}, None),
        ("ArnLike", "k", ("arn:aws:iam*",), {"k": ("x",)}, False),
        ("ArnEquals", "k", ("x",), {"k": ("arn:aws:iam::1:role/x",)}, False),
        ("ArnEquals", "k", ("arn:aws:iam::1:role/x",), {"k": ("x",)}, False),
        ("NumericLessThan", "k", ("10",), {"k": ("10",)}, False),
        ("NumericLessThan", "k", ("10",), {"k": ("11",)}, False),
        ("NumericLessThan", "k", ("9",), {"k": ("x",)}, None),
        ("NumericLessThanEquals", "k", ("10",), {"k": ("10",)}, True),
        ("NumericLessThanEquals", "k", ("10",), {"k": ("11",)}, False),
        ("NumericLessThanEquals", "k", ("10",), {"k": ("9",)}, True),
        ("NumericGreaterThan", "k", ("10",), {"k": ("10",)}, False),
        ("NumericGreaterThan", "k", ("10",), {"k": ("11",)}, True),
        ("NumericGreaterThanEquals", "k", ("10",), {"k": ("9",)}, False),
        ("NumericGreaterThanEquals", "k", ("10",), {"k": ("11",)}, True),
        ("NumericEquals", "k", ("10",), {"k": ("11",)}, False),
        ("NumericEquals", "k", ("10",), {"k": ("9",)}, False),
        ("DateEquals", "k", ("0",), {"k": ("1970-01-01T01:00:00+01:00",)}, True),
        ("DateEquals", "k", ("0",), {"k": ("1970-01-01T00:00:00",)}, True),
        ("DateNotEquals", "k", ("0",), {"k": ("1970-01-02",)}, True),
        ("Null", "k", ("True",), {"k": ()}, True),
        ("Null", "k", ("*",), {"k": ()}, False),
        ("StringEqualsIgnoreCase", "k", ("A",), {"k": ("a",)}, True),
        ("StringEqualsIgnoreCase", "k", ("*",), {"k": ("a",)}, False),
        ("StringNotEqualsIgnoreCase", "k", ("A",), {"k": ("a",)}, False),
    ],
)
def test_an_operator_compares_as_iam_documents_it(
    operator: str,
    key: str,
    values: tuple[str, ...],
    context: dict[str, tuple[str, ...]],
    expected: bool | None,
) -> None:
    """Absent keys, several values, negations, sets, and what is not known."""
    assert holds(operator, key, values, context) is expected


@pytest.mark.parametrize(
    ("resource", "asked", "expected"),
    [
        ("*", TABLE, True),
        (TABLE, TABLE, True),
        ("arn:aws:dynamodb:*:*:table/ri*", TABLE, True),
        ("arn:aws:dynamodb:*:table/rings", TABLE, True),
        ("arn:aws:dynamodb:*:table/other", TABLE, False),
        ("arn:aws:dynamodb", TABLE, True),
        ("arn:aws:dynamodb:us-*", TABLE, False),
        ("arn:aws:dynamodb:us-east-1:*:table/rings", TABLE, False),
        ("arn:aws:dynamodb:eu-west-1:1:table/rings", TABLE, False),
        ("arn:aws-cn:dynamodb:*:*:table/rings", TABLE, False),
        ("arn:aws:dynamodb:${var.region}:*:table/rings", TABLE, None),
        ("arn:aws:dynamodb:*:*:table/${var.name}", TABLE, None),
        ("arn:aws:dynamodb:*:*:table/${var.env}-rings-x", TABLE, False),
        ("arn:${this partition}:dynamodb:${this region}:${this account}:table/rings", TABLE, True),
        ("${local.arn}", TABLE, None),
        ("${local.arn}/index/*", TABLE, False),
        ("arn:aws:dynamodb:*:*:table/Rings", TABLE, False),
        ("arn:aws:s3:::rings", TABLE, False),
        ("arn:aws:dynamodb:us-east-1:999:table/rings", table_arn("rings"), True),
        ("arn:aws:dynamodb:*:*:table/other", table_arn("rings"), False),
        ("${aws_kms_key.a.arn}", "${aws_kms_key.a.arn}", True),
        ("${aws_kms_key.a.arn}", "${aws_kms_key.b.arn}", None),
    ],
)
def test_a_resource_covers_an_arn_or_not(
    resource: str,
    asked: str,
    expected: bool | None,
) -> None:
    """Field by field; a field that is asked as `*` is not known and not compared."""
    assert covers(resource, asked) is expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a", "${var.x}a", None),
        ("", "${var.x}", None),
        ("ab", "${var.x}a", False),
        ("b*", "a${var.x}", False),
        ("*a", "${var.x}a", True),
        ("?", "${var.x}", None),
        ("*", "${var.x}", True),
    ],
)
def test_a_text_that_is_not_known_may_be_any(
    pattern: str, text: str, expected: bool | None
) -> None:
    """Also none at all."""
    assert like(pattern, text) is expected


def test_a_statement_that_aws_would_refuse_may_allow_and_may_deny() -> None:
    """An effect in another spelling, or one that only Terraform computes."""
    allow = Statement(actions=("dynamodb:*",), resources=("*",))
    for effect in ("allow", "${var.effect}"):
        odd = read_policy(
            {"Statement": {"Effect": effect, "Action": "dynamodb:*", "Resource": "*"}}
        )
        assert verdict(odd, "dynamodb:Query", TABLE) is Verdict.UNKNOWN
        assert verdict([allow, *odd], "dynamodb:Query", TABLE) is Verdict.UNKNOWN


def test_a_principal_is_who_it_names() -> None:
    """NotPrincipal is everybody else."""
    role = ("AWS", "arn:aws:iam::1:role/x")
    named = Principals("AWS", ("arn:aws:iam::1:role/x",))
    call = Call(action="a:b", principal=role)

    assert judge([Statement(actions=("*",), principals=(named,))], call) is Verdict.ALLOWED
    assert judge([Statement(actions=("*",), not_principals=(named,))], call) is Verdict.MISSING
    denied = Statement(
        allows=False, actions=("*",), not_principals=(Principals("AWS", ("arn:other",)),)
    )
    everybody = Statement(actions=("*",), principals=(Principals("*", ("*",)),))
    assert judge([everybody], call) is Verdict.ALLOWED
    assert judge([everybody, denied], call) is Verdict.DENIED


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"AWS": "arn:aws:iam::1:role/x"}, Verdict.ALLOWED),
        ({"AWS": ["arn:other", "arn:aws:iam::1:role/x"]}, Verdict.ALLOWED),
        ({"AWS": "*"}, Verdict.ALLOWED),
        ("*", Verdict.ALLOWED),
        ({"AWS": "arn:aws:iam::1:role/*"}, Verdict.MISSING),
        ({"Service": "arn:aws:iam::1:role/x"}, Verdict.MISSING),
        ({"Service": "*"}, Verdict.MISSING),
        ("${var.who}", Verdict.UNKNOWN),
        ({"${var.type}": "arn:aws:iam::1:role/x"}, Verdict.UNKNOWN),
        (None, Verdict.MISSING),
    ],
)
def test_a_principal_is_read_as_iam_reads_it(named: object, expected: Verdict) -> None:
    """By type and name; a name holds no wildcard, and `*` is everybody of its type."""
    call = Call(action="a:b", principal=("AWS", "arn:aws:iam::1:role/x"))
    statement = {"Effect": "Allow", "Action": "*", "Principal": named}

    assert judge(read_policy({"Statement": statement}), call) is expected


@pytest.mark.parametrize("action", ["DYNAMODB:QUERY", "dynamodb:q*"])
def test_actions_do_not_heed_case(action: str) -> None:
    """Neither those that are named nor those that are excepted."""
    for key, expected in (("Action", Verdict.ALLOWED), ("NotAction", Verdict.MISSING)):
        read = read_policy({"Statement": {"Effect": "Allow", key: action, "Resource": "*"}})

        assert verdict(read, "dynamodb:Query", TABLE) is expected


def test_conditions_are_read_however_odd_they_are() -> None:
    """What is not a condition is one that is not known, and hides none that stands after it."""
    written = {"Odd": "x", "Bool": {"aws:SecureTransport": True, "k": [False, 1]}}
    (read,) = read_policy({"Statement": {"Effect": "Allow", "Condition": written}})

    assert read.conditions == (
        Condition("Odd", "x", ()),
        Condition("Bool", "aws:SecureTransport", ("true",)),
        Condition("Bool", "k", ("false", "1")),
    )
    (read,) = read_policy({"Statement": {"Effect": "Allow", "Condition": "x"}})
    assert read.conditions == (Condition("x", "", ()),)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
"""What may stand in JSON in the place of anything."""
STATEMENT = st.fixed_dictionaries(
    {},
    optional={
        "Effect": st.sampled_from(["Allow", "Deny"]) | ODD,
        "Action": st.just("dynamodb:*") | ODD,
        "NotAction": ODD,
        "Resource": st.just(TABLE) | ODD,
        "NotResource": ODD,
        "Principal": st.just("*") | ODD,
        "NotPrincipal": ODD,
        "Condition": st.dictionaries(
            st.sampled_from(["StringEquals", "ForAnyValue:StringLike", "Null", "x"]),
            st.dictionaries(st.sampled_from(["aws:RequestedRegion", "x"]), ODD, max_size=2) | ODD,
            max_size=2,
        )
        | ODD,
    },
)


@given(
    st.fixed_dictionaries({"Statement": STATEMENT | st.lists(STATEMENT | ODD, max_size=3)}) | ODD
)
@example({"Statement": {"Effect": []}})
@example({"Statement": [{"Effect": {"Allow": 1}, "Action": "*", "Resource": "*"}]})
def test_no_document_is_too_odd_to_read(document: object) -> None:
    """Whatever stands in a policy, there is a verdict."""
    assert verdict(read_policy(document), "dynamodb:Query", TABLE) in Verdict


def test_a_statement_without_an_effect_decides_nothing() -> None:
    """AWS refuses such a policy, so it neither allows nor is it fine to leave it out."""
    document = {"Statement": [{"Action": "dynamodb:*", "Resource": "*"}]}

    assert verdict(read_policy(document), "dynamodb:Query", TABLE) is Verdict.UNKNOWN
