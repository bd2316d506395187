"""What a role may do with the ring table, as AWS decides it."""

from __future__ import annotations

import pytest
from judged import ALLOW, ARN, FINE, KEYS, TABLE, judged, policy, role

MISSING = {"iam-missing-actions"}
UNKNOWN = {"iam-unknown-actions"}
ACCOUNT = "123456789012"


def found(*texts: str, region: str = "eu-west-1", account: str | None = ARN) -> set[str]:
    return set(judged(TABLE, role(), *texts, region=region, account=account)) - FINE


def allow(resource: str, more: str = "") -> str:
    return f'Effect = "Allow", Action = "dynamodb:*", Resource = {resource}{more}'


def deny(inside: str) -> str:
    return f'Effect = "Deny", {inside}'


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ('"*"', set()),
        (f'"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/rings"', set()),
        ('["arn:aws:dynamodb:*:*:table/rings", "arn:aws:dynamodb:*:*:table/rings/*"]', set()),
        ('"arn:*:dynamodb:*:*:table/r?ngs"', set()),
        ('"arn:aws:dynamodb:eu-*:*:table/*"', set()),
        ('"arn:aws:dynamodb:*"', set()),
        ("aws_dynamodb_table.rings.arn", set()),
        ('"${aws_dynamodb_table.rings.arn}"', set()),
        (
            (
                '"arn:${data.aws_partition.p.partition}:dynamodb:${data.aws_region.r.name}:'
                '${data.aws_caller_identity.me.account_id}:table/${aws_dynamodb_table.rings.name}"'
            ),
            set(),
        ),
        ('format("arn:aws:dynamodb:%s:%s:table/rings", "eu-west-1", "*")', set()),
        (f'"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/rings"', MISSING),
        ('"arn:aws:dynamodb:eu-west-1:999999999999:table/rings"', MISSING),
        ('"arn:aws-cn:dynamodb:*:*:table/rings"', MISSING),
        ('"arn:aws:dynamodb:*:*:table/rings/*"', MISSING),
        ('"arn:aws:dynamodb:*:*:table/Rings"', MISSING),
        ('"arn:aws:dynamodb:*:*:table/ring?s"', MISSING),
        ('"arn:aws:s3:::rings"', MISSING),
        ('"${aws_dynamodb_table.rings.arn}/index/*"', MISSING),
        ("var.arn", UNKNOWN),
        ('"arn:aws:dynamodb:${var.region}:*:table/rings"', UNKNOWN),
        ('"arn:aws:dynamodb:*:${var.account}:table/rings"', UNKNOWN),
        ('"arn:aws:dynamodb:*:*:table/${var.name}"', UNKNOWN),
        ('"arn:aws:dynamodb:*:*:table/${var.name}-index"', MISSING),
    ],
)
def test_a_resource_covers_the_table_or_not(resource: str, expected: set[str]) -> None:
    """Partition, region, account and name all count."""
    data = (
        'data "aws_partition" "p" {}\ndata "aws_region" "r" {}\n'
        'data "aws_caller_identity" "me" {}\n'
        'variable "arn" {}\nvariable "region" {}\nvariable "account" {}\nvariable "name" {}\n'
    )

    assert found(policy(allow(resource)), data) == expected


@pytest.mark.parametrize(
    ("region", "account", "resource", "expected"),
    [
        ("us-gov-west-1", ARN, "arn:aws-us-gov:dynamodb:*:*:table/rings", set()),
        ("us-gov-west-1", ARN, "arn:aws:dynamodb:*:*:table/rings", MISSING),
        (
            "cn-north-1",
            "arn:aws-cn:iam::123456789012:role/pods",
            "arn:aws-cn:dynamodb:cn-north-1:*:table/rings",
            set(),
        ),
        ("cn-north-1", ARN, "arn:aws:dynamodb:*:*:table/rings", MISSING),
    ],
)
def test_the_partition_is_the_region_s(
    region: str, account: str, resource: str, expected: set[str]
) -> None:
    """China's and the government's regions have partitions of their own."""
    assert found(policy(allow(f'"{resource}"')), region=region, account=account) == expected


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (deny('Action = "dynamodb:DeleteItem", Resource = "*"'), MISSING),
        (deny('Action = "dynamodb:D*", Resource = "*"'), MISSING),
        (deny('NotAction = "dynamodb:Query", Resource = "*"'), MISSING),
        (deny('Action = "*", NotResource = "arn:aws:dynamodb:*:*:table/other"'), MISSING),
        (deny('Action = "*", NotResource = "arn:aws:dynamodb:*:*:table/rings"'), set()),
        (deny('NotAction = "dynamodb:*", Resource = "*"'), set()),
        (deny('Action = "dynamodb:DeleteTable", Resource = "*"'), set()),
        (deny('Action = "*", Resource = "arn:aws:dynamodb:us-east-1:*:*"'), set()),
        (deny('Action = "*", Resource = var.arn'), UNKNOWN),
        (deny('Action = var.actions, Resource = "*"'), UNKNOWN),
        (
            deny(
                'Action = "*", Resource = "*", Condition = { Bool = { "aws:SecureTransport" = "false" } }'
            ),
            set(),
        ),
        (
            deny(
                'Action = "*", Resource = "*", Condition = { BoolIfExists = { "aws:MultiFactorAuthPresent" = "false" } }'
            ),
            MISSING,
        ),
        (
            deny(
                'Action = "*", Resource = "*", Condition = { Bool = { "aws:MultiFactorAuthPresent" = "false" } }'
            ),
            set(),
        ),
        (
            deny(
                'Action = "*", Resource = "*", Condition = { StringNotEquals = { "aws:RequestedRegion" = ["eu-west-1"] } }'
            ),
            set(),
        ),
        (
            deny(
                'Action = "*", Resource = "*", Condition = { StringNotEquals = { "aws:RequestedRegion" = ["us-east-1"] } }'
            ),
            MISSING,
        ),
        (
            deny(
                'Action = "*", Resource = "*", Condition = { NotIpAddress = { "aws:SourceIp" = "10.0.0.0/8" } }'
            ),
            UNKNOWN,
        ),
        (
            deny(
                'Action = "*", Resource = "*", Condition = { DateGreaterThan = { "aws:CurrentTime" = "2030-01-01T00:00:00Z" } }'
            ),
            UNKNOWN,
        ),
        (
            deny(
                'Action = "*", Resource = "*", Condition = { Null = { "aws:TokenIssueTime" = "true" } }'
            ),
            UNKNOWN,
        ),
        (
            deny('Action = "*", Resource = "*", Condition = { Sometimes = { "a:b" = "c" } }'),
            UNKNOWN,
        ),
        (deny('Action = "*", Resource = "*", Condition = var.condition'), UNKNOWN),
        ('Effect = var.effect, Action = "*", Resource = "*"', UNKNOWN),
    ],
)
def test_a_denial_wins_in_whichever_order(second: str, expected: set[str], order: int) -> None:
    """Certain denials block, unknown ones are unknown, others do nothing."""
    names = "".join(
        f'variable "{one}" {{}}\n' for one in ("arn", "actions", "condition", "effect")
    )

    assert found(policy(*[ALLOW, second][::order]), names) == expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ('Effect = "Allow", NotAction = "iam:*", Resource = "*"', set()),
        ('Effect = "Allow", NotAction = "dynamodb:*", Resource = "*"', MISSING),
        ('Effect = "Allow", Action = "DynamoDB:*", NotResource = "arn:aws:s3:::*"', set()),
        ('Effect = "Allow", Action = "dynamodb:*", NotResource = "*"', MISSING),
        (
            'Effect = "Allow", Action = ["dynamodb:Query", "dynamodb:?utItem", "dynamodb:DeleteItem"], Resource = "*"',
            set(),
        ),
        ('Effect = "Allow", Action = ["dynamodb:Query"], Resource = "*"', MISSING),
        (
            allow(
                '"*"', ', Condition = { StringEquals = { "aws:RequestedRegion" = "eu-west-1" } }'
            ),
            set(),
        ),
        (
            allow('"*"', ', Condition = { StringEquals = { "aws:RequestedRegion" = "eu-*" } }'),
            MISSING,
        ),
        (allow('"*"', ', Condition = { StringLike = { "aws:RequestedRegion" = "eu-*" } }'), set()),
        (allow('"*"', ', Condition = { StringLike = { "aws:PrincipalOrgID" = "o-*" } }'), UNKNOWN),
        (
            allow(
                '"*"',
                ', Condition = { ArnLike = { "aws:PrincipalArn" = "arn:aws:iam::*:role/pods" } }',
            ),
            set(),
        ),
        (
            allow(
                '"*"',
                ', Condition = { ArnNotEquals = { "aws:PrincipalArn" = "arn:aws:iam::*:role/pods" } }',
            ),
            MISSING,
        ),
        (
            allow(
                '"*"',
                ', Condition = { "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["collectors/*"] } }',
            ),
            UNKNOWN,
        ),
        (allow('"*"', ', Condition = { Null = { "aws:MultiFactorAuthAge" = "true" } }'), set()),
        (allow('"*"', ', Condition = { Null = { "aws:MultiFactorAuthAge" = "false" } }'), MISSING),
        (allow('"arn:aws:dynamodb:*:*:table/$${aws:PrincipalTag/table}"'), UNKNOWN),
    ],
)
def test_what_a_statement_allows(statement: str, expected: set[str]) -> None:
    """NotAction, NotResource, wildcards, conditions, policy variables."""
    assert found(policy(statement)) == expected


BOUNDARY = "permissions_boundary = {0}\n"


@pytest.mark.parametrize(
    ("value", "more", "expected"),
    [
        ("aws_iam_policy.b.arn", 'Effect = "Allow", Action = "s3:*", Resource = "*"', MISSING),
        ("aws_iam_policy.b.arn", ALLOW, set()),
        ("data.aws_iam_policy.own.arn", ALLOW, UNKNOWN),
        ("data.aws_iam_policy.kept.arn", ALLOW, set()),
        ("data.aws_iam_policy.reads.arn", ALLOW, MISSING),
        ('"arn:aws:iam::aws:policy/PowerUserAccess"', ALLOW, set()),
        ('"arn:aws:iam::aws:policy/AmazonS3FullAccess"', ALLOW, MISSING),
        ('"arn:aws:iam::aws:policy/job-function/Whatever"', ALLOW, UNKNOWN),
        (
            f'"arn:aws:iam::{ACCOUNT}:policy/b"',
            'Effect = "Allow", Action = "s3:*", Resource = "*"',
            MISSING,
        ),
        (f'"arn:aws:iam::{ACCOUNT}:policy/somewhere-else"', ALLOW, UNKNOWN),
        ("var.boundary", ALLOW, UNKNOWN),
        ("null", ALLOW, set()),
    ],
)
def test_a_boundary_has_to_allow_it_too(value: str, more: str, expected: set[str]) -> None:
    """By resource, by data source, by ARN; one that cannot be read is unknown."""
    text = f"""\
resource "aws_iam_policy" "b" {{
  name   = "b"
  policy = jsonencode({{ Statement = [{{ {more} }}] }})
}}
data "aws_iam_policy" "own" {{ name = var.name }}
data "aws_iam_policy" "kept" {{ name = "AdministratorAccess" }}
data "aws_iam_policy" "reads" {{ arn = "arn:aws:iam::aws:policy/ReadOnlyAccess" }}
variable "boundary" {{}}
variable "name" {{}}
"""
    with_it = role(more=f"  permissions_boundary = {value}\n")

    assert set(judged(TABLE, with_it, policy(), text)) - FINE == expected


RINGS = 'resource "aws_iam_policy" "rings" {\n  name = "rings"\n  policy = %s\n}\n'
WRITTEN = f"jsonencode({{ Statement = [{{ {ALLOW} }}] }})"
ATTACHED = """\
resource "aws_iam_role_policy_attachment" "rings" {
  role       = aws_iam_role.pods.name
  policy_arn = %s
}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ATTACHED % "aws_iam_policy.rings.arn", set()),
        (
            ATTACHED
            % 'var.ro ? "arn:aws:iam::aws:policy/ReadOnlyAccess" : "arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"',
            set(),
        ),
        (ATTACHED % "var.ro ? aws_iam_policy.none.arn : aws_iam_policy.rings.arn", set()),
        (ATTACHED % "local.arn", set()),
        (ATTACHED % "data.aws_iam_policy.rings.arn", set()),
        (ATTACHED % "var.other", UNKNOWN),
        (ATTACHED % '"arn:aws:iam::aws:policy/AmazonS3FullAccess"', MISSING),
        (ATTACHED % '"arn:aws:iam::aws:policy/AWSDenyAll"' + policy(), MISSING),
        (ATTACHED % "var.other" + policy(), UNKNOWN),
        (ATTACHED.replace("aws_iam_role.pods.name", '"pods"') % "aws_iam_policy.rings.arn", set()),
        (
            ATTACHED.replace("aws_iam_role.pods.name", "local.role") % "aws_iam_policy.rings.arn",
            set(),
        ),
        (ATTACHED.replace("role  ", "count = 0\n  role  ") % "aws_iam_policy.rings.arn", MISSING),
        (
            ATTACHED.replace("role  ", "count = var.other\n  role  ") % "aws_iam_policy.rings.arn",
            UNKNOWN,
        ),
        (
            ATTACHED.replace("role  ", "for_each = { a = aws_iam_policy.rings.arn }\n  role  ")
            % "each.value",
            set(),
        ),
        (
            ATTACHED.replace("role  ", "for_each = toset(var.many)\n  role  ") % "each.value",
            UNKNOWN,
        ),
        (
            (
                'resource "aws_iam_policy_attachment" "a" {\n  name = "a"\n  roles = [aws_iam_role.pods.name]\n'
                "  policy_arn = aws_iam_policy.rings.arn\n}\n"
            ),
            set(),
        ),
        (
            (
                'resource "aws_iam_role_policy_attachments_exclusive" "a" {\n  role_name = aws_iam_role.pods.name\n'
                "  policy_arns = [aws_iam_policy.rings.arn]\n}\n"
            ),
            set(),
        ),
    ],
)
def test_whatever_attaches_a_policy(text: str, expected: set[str]) -> None:
    """By reference, by name, by a choice, for each; what may not be there is unknown."""
    more = """\
variable "ro" { default = false }
variable "other" {}
variable "many" { type = list(string) }
locals {
  arn  = aws_iam_policy.rings.arn
  role = aws_iam_role.pods.name
}
resource "aws_iam_policy" "none" {
  name   = "none"
  policy = jsonencode({ Statement = [] })
}
data "aws_iam_policy" "rings" { name = "rings" }
"""

    assert found(RINGS % WRITTEN, text, more) == expected


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ('managed_policy_arns = ["arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"]', set()),
        (f'inline_policy {{\n  name = "a"\n  policy = {WRITTEN}\n}}', set()),
        (
            f'dynamic "inline_policy" {{\n  for_each = [1]\n  content {{\n  policy = {WRITTEN}\n}}\n}}',
            set(),
        ),
        (
            f'dynamic "inline_policy" {{\n  for_each = var.list\n  content {{\n  policy = {WRITTEN}\n}}\n}}',
            UNKNOWN,
        ),
    ],
)
def test_policies_within_the_role_count(inside: str, expected: set[str]) -> None:
    """Inline blocks, dynamic ones, and managed ARNs."""
    text = role(more=f"  {inside}\n")

    assert set(judged(TABLE, text, 'variable "list" {}\n')) - FINE == expected


def document(body: str, more: str = "") -> str:
    return f"""\
data "aws_iam_policy_document" "rings" {{
{body}
}}
{more}
resource "aws_iam_role_policy" "rings" {{
  role   = aws_iam_role.pods.name
  policy = data.aws_iam_policy_document.rings.json
}}
"""


STATEMENT = 'statement {\n  sid = "rings"\n  actions = ["dynamodb:*"]\n  resources = ["*"]\n}\n'
DENIED = STATEMENT.replace("actions", 'effect = "Deny"\n  actions')
OTHER = 'data "aws_iam_policy_document" "other" {\n%s}\n'
SOURCE = "source_policy_documents = [data.aws_iam_policy_document.other.json]\n"
OVERRIDE = "override_policy_documents = [data.aws_iam_policy_document.other.json]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (document(STATEMENT), set()),
        (document(STATEMENT + DENIED.replace('"rings"', '"no"')), MISSING),
        (document(SOURCE, OTHER % STATEMENT), set()),
        (document(SOURCE + STATEMENT, OTHER % DENIED), set()),
        (document(SOURCE + STATEMENT.replace('"rings"', '"own"'), OTHER % DENIED), MISSING),
        (document(OVERRIDE + STATEMENT, OTHER % DENIED), MISSING),
        (document(OVERRIDE + DENIED, OTHER % STATEMENT), set()),
        (document("source_policy_documents = [var.json]\n" + STATEMENT), UNKNOWN),
        (document("override_policy_documents = [var.json]\n" + STATEMENT), UNKNOWN),
        (document(f"source_policy_documents = [{WRITTEN}]\n"), set()),
        (
            document(
                'dynamic "statement" {\n  for_each = { a = "*" }\n  content {\n'
                '  actions = ["dynamodb:*"]\n  resources = [statement.value]\n}\n}\n'
            ),
            set(),
        ),
        (
            document(
                'dynamic "statement" {\n  for_each = var.json\n  iterator = one\n  content {\n'
                '  actions = ["dynamodb:*"]\n  resources = [one.value]\n}\n}\n'
            ),
            UNKNOWN,
        ),
        (document(STATEMENT.replace('resources = ["*"]', "resources = var.json")), UNKNOWN),
    ],
)
def test_a_policy_document_is_put_together_as_the_provider_does(
    text: str, expected: set[str]
) -> None:
    """Sources, overrides by sid, dynamic statements."""
    assert found(text, 'variable "json" {}\n') == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            'attach_custom_policy = true\n  policy_statements = [{ actions = ["dynamodb:*"], resources = ["*"] }]',
            set(),
        ),
        (
            'attach_custom_policy = true\n  policy_statements = { a = { actions = ["dynamodb:*"], resources = ["*"] } }',
            set(),
        ),
        ('policy_statements = [{ actions = ["dynamodb:*"], resources = ["*"] }]', MISSING),
        (
            'attach_custom_policy = var.on\n  policy_statements = [{ actions = ["dynamodb:*"], resources = ["*"] }]',
            UNKNOWN,
        ),
        ("attach_custom_policy = true\n  policy_statements = var.on", UNKNOWN),
        (
            'attach_custom_policy = true\n  policy_statements = [{ actions = ["dynamodb:*"], resources = [var.on] }]',
            UNKNOWN,
        ),
        (f"attach_custom_policy = true\n  source_policy_documents = [{WRITTEN}]", set()),
        (
            'additional_policy_arns = { a = "arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess" }',
            set(),
        ),
        (
            (
                'additional_policy_arns = { a = "arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess" }\n'
                '  permissions_boundary_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"'
            ),
            MISSING,
        ),
    ],
)
def test_the_pod_identity_module_makes_a_policy_of_statements(
    given: str, expected: set[str]
) -> None:
    """Only where it attaches it."""
    text = f"""\
module "pods" {{
  source = "terraform-aws-modules/eks-pod-identity/aws"
  name   = "pods"
  {given}
  associations = {{ a = {{ cluster_name = "c", namespace = "monitoring", service_account = "mimir" }} }}
}}
variable "on" {{}}
"""

    assert set(judged(TABLE, text)) - FINE == expected


def detail(*texts: str, finding: str = "iam-missing-actions") -> str:
    """What a finding's evidence says."""
    return judged(TABLE, *texts)[finding].evidence[0].detail


def test_the_evidence_says_how_much_was_read_and_what_is_in_the_way() -> None:
    """The policies themselves, the boundary, or both."""
    nothing = 'Effect = "Allow", Action = "s3:*", Resource = "*"'
    denial = 'Effect = "Deny", Action = "dynamodb:*", Resource = "*"'
    bound = role(more="  permissions_boundary = aws_iam_policy.b.arn\n") + (
        f'resource "aws_iam_policy" "b" {{\n  policy = jsonencode({{ Statement = [{{ {nothing} }}] }})\n}}\n'
    )

    assert detail(role(), policy(nothing)) == "1 statement of its policies read"
    assert detail(role(), policy(nothing, denial)) == "2 statements of its policies read"
    assert detail(bound, policy()) == (
        "1 statement of its policies read; its permissions boundary does not allow it"
    )
    assert detail(bound, policy(nothing)) == (
        "1 statement of its policies read, and 1 of its permissions boundary"
    )
    assert detail(
        bound, policy('Effect = "Allow", Action = "dynamodb:Query", Resource = "*"')
    ) == ("1 statement of its policies read; its permissions boundary does not allow it")
    assert detail(bound, policy(denial)) == (
        "1 statement of its policies read, and 1 of its permissions boundary"
    )


WITH_KEY = (
    TABLE.replace(
        "= true\n",
        "= true\n  server_side_encryption {\n    kms_key_arn = aws_kms_key.own.arn\n  }\n",
        1,
    )
    + 'resource "aws_kms_key" "own" {}\n'
)


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ('"*"', set()),
        ("aws_kms_key.own.arn", set()),
        ('"arn:aws:kms:eu-west-1:123456789012:key/other"', {"iam-unknown-kms"}),
        ("var.key", {"iam-unknown-kms"}),
        (None, {"iam-missing-kms"}),
    ],
)
def test_a_key_that_only_terraform_knows(resource: str | None, expected: set[str]) -> None:
    """Itself and every key are a sure yes; a statement on another may be one on it."""
    database = 'Effect = "Allow", Action = "dynamodb:*", Resource = "*"'
    key = f'Effect = "Allow", Action = "KMS:*", Resource = {resource}'
    statements = (database, key) if resource else (database,)

    findings = judged(WITH_KEY, role(), policy(*statements), 'variable "key" {}\n')

    assert set(findings) - FINE == expected
    if "iam-unknown-kms" in findings:
        assert "${aws_kms_key.own.arn}" in findings["iam-unknown-kms"].evidence[0].detail


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ('Effect = "Allow", Action = "dynamodb:*", Resource = var.arn', UNKNOWN),
        (f'{ALLOW}, Condition = {{ StringEquals = {{ "aws:SourceVpce" = "v" }} }}', UNKNOWN),
        ('Effect = "Deny", Action = "dynamodb:*", Resource = "*"', MISSING),
        (ALLOW, set()),
    ],
)
def test_a_boundary_that_is_not_known_is_not_a_yes(statement: str, expected: set[str]) -> None:
    """What hangs on an expression or a condition in the boundary is unknown."""
    bound = role(more="  permissions_boundary = aws_iam_policy.b.arn\n") + (
        f'resource "aws_iam_policy" "b" {{\n  policy = jsonencode({{ Statement = [{{ {statement} }}] }})\n}}\n'
    )

    assert set(judged(TABLE, bound, policy(), 'variable "arn" {}\n')) - FINE == expected


def test_the_key_of_another_table_is_not_needed() -> None:
    """Only that of the table which is used."""
    other = WITH_KEY.replace('"rings"', '"others"')

    assert set(judged(other, TABLE, role(), policy(allow('"arn:aws:dynamodb:*"')))) == FINE


@pytest.mark.parametrize(
    ("trusted", "namespace", "expected"),
    [
        ("pods", "monitoring", set()),
        ("pods", "other", MISSING),
        ("token", "monitoring", UNKNOWN),
    ],
)
@pytest.mark.parametrize("tag", ["kubernetes-namespace", "kubernetes-service-account"])
def test_pod_identity_tags_its_sessions(
    trusted: str, namespace: str, tag: str, expected: set[str]
) -> None:
    """A policy may ask for the tags; sessions by token may have any, so it is not known for them."""
    value = (
        namespace if tag == "kubernetes-namespace" else namespace.replace("monitoring", "mimir")
    )
    condition = f', Condition = {{ StringEquals = {{ "aws:PrincipalTag/{tag}" = "{value}" }} }}'
    who = role()
    if trusted == "pods":
        who = role(
            '{ Effect = "Allow", Action = ["sts:AssumeRole", "sts:TagSession"], '
            'Principal = { Service = "pods.eks.amazonaws.com" } }'
        ) + (
            'resource "aws_eks_pod_identity_association" "pods" {\n  namespace = "monitoring"\n'
            '  service_account = "mimir"\n  role_arn = aws_iam_role.pods.arn\n}\n'
        )

    assert set(judged(TABLE, who, policy(allow('"*"', condition)))) - FINE == expected


def test_what_is_unknown_is_named() -> None:
    """The evidence has the expression, never only that something is unknown."""
    finding = judged(TABLE, role(), policy(allow("var.arn")), 'variable "arn" {}\n')[
        "iam-unknown-actions"
    ]

    assert finding.evidence[0].detail == "${var.arn}"


def test_a_statement_that_may_not_be_there_says_why() -> None:
    """The expression that decides whether it is."""
    perhaps = policy(deny('Action = "dynamodb:Query", Resource = "*"')).replace(
        'role_policy" "rings" {', 'role_policy" "perhaps" {\n  count = var.n'
    )

    said = detail(role(), policy(), perhaps, 'variable "n" {}\n', finding="iam-unknown-actions")

    assert said == "count = ${var.n}: the variable n has no default"


def test_the_table_of_another_region_is_not_covered_by_its_own_arn() -> None:
    """A policy on the table of a provider alias is not one on the wanted table."""
    text = f"""\
provider "aws" {{
  alias  = "us"
  region = "us-east-1"
}}
resource "aws_dynamodb_table" "us" {{
  provider = aws.us
  name     = "rings"
{KEYS}}}
"""

    assert found(text, policy(allow("aws_dynamodb_table.us.arn"))) == MISSING


CALLER = """\
module "table" {
  source = "./table"
  names  = ["rings"]
}
module "role" {
  source   = "./role"
  policies = %s
  boundary = one(aws_iam_policy.b[*].arn)
}
variable "more" { type = list(string) }
resource "aws_iam_policy" "b" {
  count  = 1
  name   = "b"
  policy = jsonencode({ Statement = [{ Effect = "Allow", Action = "%s", Resource = "*" }] })
}
resource "aws_iam_policy" "rings" {
  name   = "rings"
  policy = jsonencode({
    Statement = [{ Effect = "Allow", Action = "dynamodb:*", Resource = module.table.arns }]
  })
}
resource "aws_eks_pod_identity_association" "pods" {
  namespace       = "monitoring"
  service_account = "mimir"
  role_arn        = module.role.arn
}
"""
TABLE_MODULE = """\
variable "names" { type = list(string) }
%s
output "arns" { value = aws_dynamodb_table.rings[*].arn }
"""
ROLE_MODULE = """\
variable "policies" {}
variable "boundary" { default = null }
resource "aws_iam_role" "pods" {
  name_prefix          = "pods-"
  permissions_boundary = var.boundary
  assume_role_policy = jsonencode({ Statement = [{
    Effect    = "Allow"
    Action    = ["sts:AssumeRole", "sts:TagSession"]
    Principal = { Service = "pods.eks.amazonaws.com" }
  }] })
}
resource "aws_iam_role_policy_attachment" "all" {
  count      = length(var.policies)
  role       = aws_iam_role.pods.name
  policy_arn = var.policies[count.index]
}
output "arn" { value = aws_iam_role.pods.arn }
"""


@pytest.mark.parametrize(
    ("policies", "limit", "expected"),
    [
        ("[aws_iam_policy.rings.arn]", "*", set()),
        ("[aws_iam_policy.rings.arn]", "s3:*", MISSING),
        ('compact(["", aws_iam_policy.rings.arn])', "*", set()),
        ("concat([aws_iam_policy.rings.arn], var.more)", "*", UNKNOWN),
        ("var.more", "*", UNKNOWN),
        ("[]", "*", MISSING),
    ],
)
def test_what_modules_hand_to_each_other_is_followed(
    policies: str, limit: str, expected: set[str]
) -> None:
    """ARNs through arguments and outputs; a list whose length is not known is unknown."""
    table = TABLE.replace(
        'name = "rings"', "count = length(var.names)\n  name = var.names[count.index]"
    )
    files = {
        "main.tf": CALLER % (policies, limit),
        "table/main.tf": TABLE_MODULE % table,
        "role/main.tf": ROLE_MODULE,
    }

    assert set(judged(files=files, account="")) - FINE == expected


@pytest.mark.parametrize(("sid", "expected"), [("a", UNKNOWN), ("", MISSING)])
def test_an_override_that_is_not_known_may_replace_a_statement_with_a_sid(
    sid: str, expected: set[str]
) -> None:
    """A denial with a sid may be gone; one without stays."""
    named = f'sid = "{sid}"' if sid else ""
    text = f"""\
variable "json" {{}}
data "aws_iam_policy_document" "d" {{
  override_policy_documents = [var.json]
  statement {{
    {named}
    effect    = "Deny"
    actions   = ["dynamodb:*"]
    resources = ["*"]
  }}
}}
resource "aws_iam_role_policy" "d" {{
  role   = aws_iam_role.pods.id
  policy = data.aws_iam_policy_document.d.json
}}
"""

    assert found(policy(), text) == expected


def test_a_policy_may_be_used_twice() -> None:
    """As the boundary and as a policy: it is read the same each time."""
    text = f"""\
resource "aws_iam_policy" "p" {{
  policy = jsonencode({{ Statement = [{{ {ALLOW} }}] }})
}}
resource "aws_iam_role_policy_attachment" "p" {{
  role       = aws_iam_role.pods.name
  policy_arn = aws_iam_policy.p.arn
}}
"""
    bound = role(more="  permissions_boundary = aws_iam_policy.p.arn\n")

    assert set(judged(TABLE, bound, text)) == FINE


def test_a_data_source_may_be_named_whole() -> None:
    """A local value that is the data source has its attributes."""
    text = 'data "aws_region" "r" {}\nlocals {\n  region = data.aws_region.r\n}\n'
    resource = '"arn:aws:dynamodb:${local.region.name}:*:table/rings"'

    assert found(policy(allow(resource)), text) == set()


def test_an_instance_of_a_table_is_named_by_its_index() -> None:
    """The first of a table without a count is the table; there is no second."""
    assert found(policy(allow("aws_dynamodb_table.rings[0].arn"))) == set()
    assert found(policy(allow("aws_dynamodb_table.rings[1].arn"))) == UNKNOWN


def test_a_policy_that_is_looked_up_by_a_name_of_nobody_is_unknown() -> None:
    """It may be made anywhere."""
    text = """\
data "aws_iam_policy" "own" {
  name = "nobody"
}
resource "aws_iam_role_policy_attachment" "own" {
  role       = aws_iam_role.pods.name
  policy_arn = data.aws_iam_policy.own.arn
}
"""

    assert found(text) == UNKNOWN


@pytest.mark.parametrize(("region", "expected"), [("eu-west-1", set()), ("us-east-1", MISSING)])
def test_a_condition_may_come_from_a_dynamic_block_in_a_statement(
    region: str, expected: set[str]
) -> None:
    """Blocks within blocks are made as the outer ones are."""
    text = f"""\
data "aws_iam_policy_document" "d" {{
  statement {{
    actions   = ["dynamodb:*"]
    resources = ["*"]
    dynamic "condition" {{
      for_each = ["{region}"]
      content {{
        test     = "StringEquals"
        variable = "aws:RequestedRegion"
        values   = [condition.value]
      }}
    }}
  }}
}}
resource "aws_iam_role_policy" "d" {{
  role   = aws_iam_role.pods.id
  policy = data.aws_iam_policy_document.d.json
}}
"""

    assert found(text) == expected


def test_documents_that_refer_to_each_other_are_read_once() -> None:
    """Terraform refuses them; nothing is raised, and what else they say counts."""
    one = """\
data "aws_iam_policy_document" "%s" {
  source_policy_documents = [data.aws_iam_policy_document.%s.json]
  statement {
    actions   = ["dynamodb:*"]
    resources = ["*"]
  }
}
"""
    used = """\
resource "aws_iam_role_policy" "a" {
  role   = aws_iam_role.pods.id
  policy = data.aws_iam_policy_document.a.json
}
"""

    assert found(one % ("a", "b"), one % ("b", "a"), used) == set()


def test_the_table_of_a_known_module_is_named_by_its_output() -> None:
    """Its ARN is that of the table that it makes."""
    module = """\
module "rings" {
  source    = "terraform-aws-modules/dynamodb-table/aws"
  name      = "rings"
  hash_key  = "RingKey"
  range_key = "InstanceKey"
  deletion_protection_enabled = true
  attributes = [{ name = "RingKey", type = "S" }, { name = "InstanceKey", type = "S" }]
}
"""
    covering = policy(allow("module.rings.dynamodb_table_arn"))
    other = policy(allow('"${module.rings.dynamodb_table_id}"'))

    assert set(judged(module, role(), covering)) == FINE
    assert set(judged(module, role(), other)) - FINE == MISSING


@pytest.mark.parametrize(("own", "expected"), [("", set()), ("pods", MISSING)])
def test_a_policy_of_another_root_module_is_attached_by_the_role_s_name(
    own: str, expected: set[str]
) -> None:
    """Unless that one makes a role of this name itself."""
    there = (
        'resource "aws_iam_role_policy" "rings" {\n  role = "pods"\n'
        f"  policy = jsonencode({{ Statement = [{{ {ALLOW} }}] }})\n}}\n"
    )
    if own:
        there += f'resource "aws_iam_role" "own" {{\n  name = "{own}"\n  path = "/x/"\n}}\n'

    files = {"a/main.tf": TABLE + role(), "b/main.tf": there}

    assert set(judged(files=files)) - FINE == expected


@pytest.mark.parametrize(
    ("condition", "region", "expected"),
    [
        (
            'StringEquals = { "kms:ViaService" = "dynamodb.eu-west-1.amazonaws.com" }',
            "eu-west-1",
            set(),
        ),
        ('StringLike = { "kms:ViaService" = "dynamodb.*.amazonaws.com" }', "eu-west-1", set()),
        (
            'StringEquals = { "kms:ViaService" = "dynamodb.us-east-1.amazonaws.com" }',
            "eu-west-1",
            {"iam-missing-kms"},
        ),
        (
            'StringEquals = { "kms:ViaService" = "s3.eu-west-1.amazonaws.com" }',
            "eu-west-1",
            {"iam-missing-kms"},
        ),
        (
            'StringEquals = { "kms:ViaService" = "dynamodb.cn-north-1.amazonaws.com.cn" }',
            "cn-north-1",
            set(),
        ),
        (f'StringEquals = {{ "kms:CallerAccount" = "{ACCOUNT}" }}', "eu-west-1", set()),
        ('Bool = { "aws:ViaAWSService" = "true" }', "eu-west-1", set()),
        (
            'StringEquals = { "kms:EncryptionContext:aws:dynamodb:tableName" = "other" }',
            "eu-west-1",
            {"iam-missing-kms"},
        ),
    ],
)
def test_dynamodb_asks_kms_in_the_pods_name(
    condition: str, region: str, expected: set[str]
) -> None:
    """What is known of such a call decides conditions on it."""
    key = "arn:aws:kms:eu-west-1:123456789012:key/abc"
    table = TABLE.replace(
        "  hash_key",
        f'  server_side_encryption {{\n    enabled = true\n    kms_key_arn = "{key}"\n  }}\n  hash_key',
        1,
    )
    use = f'Effect = "Allow", Action = "kms:*", Resource = "*", Condition = {{ {condition} }}'

    ids = set(judged(table, role(), policy(ALLOW, use), region=region)) - FINE
    assert ids - {"terraform-table-elsewhere"} == expected
