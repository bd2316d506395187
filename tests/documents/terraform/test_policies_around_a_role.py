"""Policies that are not the role's own and count as well: the table's, the organisation's, exclusive ones."""

from __future__ import annotations

import itertools

import pytest
from judged import ARN, FINE, TABLE, judged, policy, role

from mimir_migrate.documents.policies import Call, Principals, Statement, Verdict
from mimir_migrate.documents.terraform.facts import ResourcePolicyFact, RoleFact, Text
from mimir_migrate.documents.terraform.table_policies import with_table_policy

MISSING = {"iam-missing-actions"}
UNKNOWN = {"iam-unknown-actions"}
RINGS = "arn:aws:dynamodb:eu-west-1:123456789012:table/rings"


def table_policy(*statements: str, table: str = "aws_dynamodb_table.rings.arn") -> str:
    written = ", ".join(f"{{ {one} }}" for one in statements)
    return (
        f'resource "aws_dynamodb_resource_policy" "rings" {{\n  resource_arn = {table}\n'
        f"  policy = jsonencode({{ Statement = [{written}] }})\n}}\n"
    )


def said(effect: str, principal: str, more: str = "") -> str:
    return f'Effect = "{effect}", Principal = {principal}, Action = "dynamodb:*", Resource = "*"{more}'


def found(*texts: str, account: str = ARN) -> set[str]:
    names = 'variable "open" {}\n'
    return set(judged(TABLE, role(), *texts, names, account=account)) - FINE


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ('"*"', MISSING),
        ('{ AWS = "*" }', MISSING),
        ("{ AWS = aws_iam_role.pods.arn }", MISSING),
        (f'{{ AWS = ["arn:aws:iam::123456789012:role/other", "{ARN}"] }}', MISSING),
        ('{ AWS = "123456789012" }', MISSING),
        ('{ AWS = "arn:aws:iam::123456789012:root" }', MISSING),
        ('{ AWS = "arn:aws:iam::999999999999:root" }', set()),
        ('{ AWS = "arn:aws:iam::123456789012:role/other" }', set()),
        ('{ Service = "replication.dynamodb.amazonaws.com" }', set()),
        ("{ AWS = var.open }", UNKNOWN),
        ('{ AWS = "arn:aws:sts::123456789012:assumed-role/pods/x" }', UNKNOWN),
        ('{ AWS = "arn:aws:sts::123456789012:assumed-role/other/x" }', set()),
    ],
)
def test_a_table_s_own_policy_may_deny(principal: str, expected: set[str]) -> None:
    """Whatever the role's policies allow."""
    assert found(policy(), table_policy(said("Deny", principal))) == expected


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ("{ AWS = aws_iam_role.pods.arn }", set()),
        (f'{{ AWS = "{ARN}" }}', set()),
        ('"*"', set()),
        ('{ AWS = "arn:aws:iam::123456789012:root" }', MISSING),
        ('{ AWS = "arn:aws:iam::123456789012:role/other" }', MISSING),
        ("{ AWS = var.open }", UNKNOWN),
    ],
)
def test_a_table_s_own_policy_may_allow(principal: str, expected: set[str]) -> None:
    """What the role's own policies do not speak of; its account is not the role."""
    assert found(table_policy(said("Allow", principal))) == expected


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([said("Deny", '"*"').replace("dynamodb:*", "dynamodb:DeleteTable")], set()),
        (
            [
                said("Allow", "{ AWS = aws_iam_role.pods.arn }"),
                said("Deny", '"*"').replace("dynamodb:*", "dynamodb:PutItem"),
            ],
            MISSING,
        ),
        (
            [said("Deny", '"*"', ', Condition = { Bool = { "aws:SecureTransport" = "false" } }')],
            set(),
        ),
        (
            [
                said(
                    "Deny", '"*"', ', Condition = { StringNotEquals = { "aws:SourceVpce" = "v" } }'
                )
            ],
            UNKNOWN,
        ),
        (
            [said("Deny", "{ AWS = aws_iam_role.pods.arn }").replace("Principal", "NotPrincipal")],
            set(),
        ),
        (
            [
                said("Deny", '{ AWS = "arn:aws:iam::123456789012:role/admin" }').replace(
                    "Principal", "NotPrincipal"
                )
            ],
            MISSING,
        ),
    ],
)
def test_its_statements_are_iam_s(statements: list[str], expected: set[str]) -> None:
    """Actions, conditions and excluded principals count as in any policy."""
    assert found(policy(), table_policy(*statements)) == expected


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('"arn:aws:dynamodb:eu-west-1:123456789012:table/rings"', MISSING),
        ('"arn:aws:dynamodb:eu-west-1:123456789012:table/other"', set()),
        ('"arn:aws:dynamodb:us-east-1:123456789012:table/rings"', set()),
        ("var.open", UNKNOWN),
    ],
)
def test_the_policy_of_another_table_is_not_this_one_s(table: str, expected: set[str]) -> None:
    """By its ARN."""
    assert found(policy(), table_policy(said("Deny", '"*"'), table=table)) == expected


def test_a_table_s_policy_does_not_go_beyond_the_boundary() -> None:
    """A boundary limits what a table's policy allows the role."""
    limited = role(more='  permissions_boundary = "arn:aws:iam::aws:policy/AmazonS3FullAccess"\n')
    allowing = table_policy(said("Allow", "{ AWS = aws_iam_role.pods.arn }"))

    assert set(judged(TABLE, limited, allowing)) - FINE == MISSING


def test_a_table_s_policy_that_cannot_be_read_is_unknown() -> None:
    """It may deny, and it may allow."""
    unread = (
        'resource "aws_dynamodb_resource_policy" "rings" {\n'
        "  resource_arn = aws_dynamodb_table.rings.arn\n  policy = var.open\n}\n"
    )

    assert found(policy(), unread) == UNKNOWN
    assert found(unread) == UNKNOWN


def test_the_denying_policy_is_named() -> None:
    """Whoever reads the finding looks at the right place."""
    finding = judged(TABLE, role(), policy(), table_policy(said("Deny", '"*"')))

    assert "aws_dynamodb_resource_policy.rings denies it" in (
        finding["iam-missing-actions"].evidence[0].detail
    )


_SCALE = (Verdict.DENIED, Verdict.MISSING, Verdict.UNKNOWN, Verdict.ALLOWED)


@pytest.mark.parametrize("own", _SCALE)
def test_another_allow_never_denies_and_another_deny_never_allows(own: Verdict) -> None:
    """Over all pairs of a table's statements, and in either order."""
    facts = RoleFact(address="aws_iam_role.pods", file="", name=Text("pods"))
    call = Call(action="dynamodb:Query", resource=RINGS)
    statements = [
        Statement(
            allows=allows,
            actions=("dynamodb:*",),
            resources=("*",),
            principals=(Principals("AWS", (name,)),),
        )
        for allows in (True, False)
        for name in ("*", ARN, "${var.open}", "arn:aws:iam::123456789012:role/other")
    ]

    def verdict(*chosen: Statement) -> int:
        policy = ResourcePolicyFact(address="", table=Text(RINGS), statements=chosen)
        return _SCALE.index(with_table_policy(own, policy, facts, call, ARN))

    for base, more in itertools.permutations(statements, 2):
        assert verdict(base, more) == verdict(more, base)
        if more.allows:
            assert verdict(base, more) >= verdict(base)
        else:
            assert verdict(base, more) <= verdict(base)


SCP = """\
resource "aws_organizations_policy" "limits" {{
  name    = "limits"
  content = jsonencode({{ Statement = [{{ {0} }}] }})
}}
"""
ATTACHED = """\
resource "aws_organizations_policy_attachment" "limits" {
  policy_id = aws_organizations_policy.limits.id
  target_id = var.open
}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SCP.format('Effect = "Deny", Action = "dynamodb:*", Resource = "*"') + ATTACHED, UNKNOWN),
        (SCP.format('Effect = "Deny", NotAction = "s3:*", Resource = "*"') + ATTACHED, UNKNOWN),
        (SCP.format('Effect = "Deny", Action = "s3:*", Resource = "*"') + ATTACHED, set()),
        (SCP.format('Effect = "Deny", Action = "dynamodb:*", Resource = "*"'), set()),
        (
            SCP.format(
                'Effect = "Deny", Action = "*", Resource = "*", '
                'Condition = { StringNotEquals = { "aws:RequestedRegion" = "eu-west-1" } }'
            )
            + ATTACHED,
            set(),
        ),
        (SCP.format('Effect = "Allow", Action = "s3:*", Resource = "*"') + ATTACHED, set()),
    ],
)
def test_what_an_organisation_denies_is_unknown(text: str, expected: set[str]) -> None:
    """Whether it is attached above the pods' account is not in the files."""
    assert found(policy(), text) == expected


MANAGED = """\
resource "aws_iam_role_policy_attachment" "rings" {
  role       = aws_iam_role.pods.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"
}
"""


@pytest.mark.parametrize(
    ("inside", "beside", "expected"),
    [
        ("inline_policy {}", policy(), UNKNOWN),
        ('inline_policy {\n    name = "a"\n  }', policy(), UNKNOWN),
        ("managed_policy_arns = []", MANAGED, UNKNOWN),
        ("managed_policy_arns = null", MANAGED, set()),
        ("inline_policy {}", MANAGED, set()),
        ("managed_policy_arns = []", policy(), set()),
    ],
)
def test_what_the_role_keeps_to_itself_may_take_others_away(
    inside: str, beside: str, expected: set[str]
) -> None:
    """`inline_policy` and `managed_policy_arns` are exclusive: each apply removes what is not in them."""
    assert set(judged(TABLE, role(more=f"  {inside}\n"), beside)) - FINE == expected
