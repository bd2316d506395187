"""Whether a role lets the pods in, as AWS decides it."""

from __future__ import annotations

import pytest
from judged import FINE, KEYS, OIDC, PROVIDER, SUBJECT, TABLE, judged, policy, role, trust

SUB = f'"{PROVIDER}:sub"'
AUD = f'"{PROVIDER}:aud"'
BLOCKED = {"irsa-not-trusted"}
UNKNOWN = {"irsa-trust-unknown"}


def found(*trusts: str, more: str = "") -> set[str]:
    return set(judged(TABLE, role(*trusts), policy(), more)) - FINE


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (f'StringEquals = {{ {SUB} = "{SUBJECT}" }}', set()),
        (f'StringEquals = {{ {SUB} = ["x", "{SUBJECT}"] }}', set()),
        (f'StringLike = {{ {SUB} = "system:serviceaccount:monitoring:*" }}', set()),
        (f'StringLike = {{ {SUB} = "system:serviceaccount:*:mimir" }}', set()),
        (f'StringLike = {{ {SUB} = "system:serviceaccount:monitoring:mimi?" }}', set()),
        (f'StringLike = {{ {SUB} = "{SUBJECT}" }}', set()),
        (f'StringEqualsIgnoreCase = {{ {SUB} = "{SUBJECT.upper()}" }}', set()),
        (f'"ForAnyValue:StringLike" = {{ {SUB} = "{SUBJECT[:-2]}*" }}', set()),
        (f'"ForAllValues:StringEquals" = {{ {SUB} = "{SUBJECT}" }}', set()),
        (f'StringEqualsIfExists = {{ {SUB} = "{SUBJECT}" }}', set()),
        (f'StringEquals = {{ "{PROVIDER}:SUB" = "{SUBJECT}" }}', set()),
        (
            f'StringEquals = {{ {SUB} = "{SUBJECT}", {AUD} = "sts.amazonaws.com" }}',
            set(),
        ),
        (
            f'StringNotEquals = {{ {SUB} = "system:serviceaccount:monitoring:loki" }}',
            {"irsa-trusts-everybody"},
        ),
        (f'StringEquals = {{ {SUB} = "system:serviceaccount:monitoring:*" }}', BLOCKED),
        (f'StringEquals = {{ {SUB} = "system:serviceaccount:monitoring:mimi?" }}', BLOCKED),
        (f'"ForAnyValue:StringEquals" = {{ {SUB} = "{SUBJECT[:-2]}*" }}', BLOCKED),
        (f'StringNotEquals = {{ {SUB} = "{SUBJECT}" }}', BLOCKED),
        (f'StringNotLike = {{ {SUB} = "system:serviceaccount:monitoring:*" }}', BLOCKED),
        (f'StringEquals = {{ {SUB} = "{SUBJECT}", {AUD} = "other" }}', BLOCKED),
        (
            f'StringEquals = {{ "oidc.eks.eu-west-1.amazonaws.com/id/XYZ:sub" = "{SUBJECT}" }}',
            BLOCKED,
        ),
        (f'Null = {{ {SUB} = "true" }}', {"irsa-wrong-service-account"}),
        (f'StringMatches = {{ {SUB} = "{SUBJECT}" }}', UNKNOWN),
        (f'StringEquals = {{ {SUB} = "system:serviceaccount:${{var.ns}}:mimir" }}', UNKNOWN),
        (f'StringEquals = {{ {SUB} = "{SUBJECT}", "aws:SourceVpc" = "vpc-1" }}', UNKNOWN),
        (
            f'StringEquals = {{ {SUB} = "{SUBJECT}" }}, IpAddress = {{ "aws:SourceIp" = "10.0.0.0/8" }}',
            UNKNOWN,
        ),
        ("", {"irsa-trusts-everybody"}),
    ],
)
def test_a_condition_on_the_token_is_iam_s(condition: str, expected: set[str]) -> None:
    """Each operator compares as IAM documents it; one that is not IAM's is unknown."""
    assert found(trust(condition)) == expected


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (trust(effect="Deny"), BLOCKED),
        (trust(f'StringLike = {{ {SUB} = "*" }}', effect="Deny"), BLOCKED),
        (trust("", effect="Deny"), BLOCKED),
        (trust(effect="Deny", action='"sts:*"'), BLOCKED),
        (trust(f'StringNotEquals = {{ {SUB} = "{SUBJECT}" }}', effect="Deny"), set()),
        (trust(effect="Deny", action='"sts:TagSession"'), set()),
        (trust('StringEquals = { "aws:SourceVpc" = "vpc-1" }', effect="Deny"), UNKNOWN),
        (trust(f"StringEquals = {{ {SUB} = var.denied }}", effect="Deny"), UNKNOWN),
        (trust(f'StringEquals = {{ {SUB} = "other" }}'), set()),
        (trust(effect="${var.effect}"), UNKNOWN),
    ],
)
def test_a_denial_wins_in_whichever_order(second: str, expected: set[str], order: int) -> None:
    """What allows first does not win, and an unknown denial is unknown."""
    assert found(*[trust(), second][::order]) == expected


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        (f'{{ Federated = ["{OIDC}"] }}', set()),
        ("{ Federated = aws_iam_openid_connect_provider.eks.arn }", set()),
        ("{ Federated = var.oidc_provider_arn }", set()),
        ('{ Federated = "cognito-identity.amazonaws.com" }', BLOCKED),
        ('{ Service = "pods.eks.amazonaws.com" }', BLOCKED),
        ('{ AWS = "*" }', BLOCKED),
        ('"*"', UNKNOWN),
    ],
)
def test_the_principal_has_to_be_an_oidc_provider(principal: str, expected: set[str]) -> None:
    """Which provider is the cluster's is not judged; that it is one is."""
    assert found(trust(principal=principal)) == expected


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ('["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]', set()),
        ('"sts:*"', set()),
        ('"sts:assumerolewithwebidentity"', set()),
        ('"sts:AssumeRole"', BLOCKED),
    ],
)
def test_the_action_has_to_be_the_token_s(action: str, expected: set[str]) -> None:
    """`sts:AssumeRole` is another call."""
    assert found(trust(action=action)) == expected


def test_what_is_wrong_is_said() -> None:
    """The title names the operator and the value that does not do what it looks like."""
    written = trust(f'StringEquals = {{ {SUB} = "system:serviceaccount:monitoring:*" }}')

    title = judged(TABLE, role(written), policy())["irsa-not-trusted"].title

    assert "StringEquals" in title
    assert "system:serviceaccount:monitoring:*" in title
    assert "StringLike" in title


@pytest.mark.parametrize(
    ("trusted", "expected"),
    [
        (["sts:AssumeRole", "sts:TagSession"], set()),
        (["sts:*"], set()),
        (["sts:AssumeRole"], {"pod-identity-trust"}),
        (["sts:TagSession"], {"pod-identity-trust"}),
    ],
)
def test_pod_identity_needs_both_calls(trusted: list[str], expected: set[str]) -> None:
    """EKS assumes the role and tags the session."""
    actions = ", ".join(f'"{one}"' for one in trusted)
    statement = trust(
        "", principal='{ Service = "pods.eks.amazonaws.com" }', action=f"[{actions}]"
    )

    assert found(statement, more=ASSOCIATION) == expected


ASSOCIATION = """\
resource "aws_eks_pod_identity_association" "pods" {
  namespace       = "monitoring"
  service_account = "mimir"
  role_arn        = aws_iam_role.pods.arn
}
"""
BOTH = '["sts:AssumeRole", "sts:TagSession"]'
PODS = '{ Service = "pods.eks.amazonaws.com" }'


@pytest.mark.parametrize(
    ("statements", "unknown"),
    [
        ([trust("", principal='{ Service = "ec2.amazonaws.com" }', action=BOTH)], False),
        (
            [
                trust("", principal=PODS, action=BOTH),
                trust("", principal=PODS, action='"sts:TagSession"', effect="Deny"),
            ],
            False,
        ),
        (
            [
                trust(
                    'StringEquals = { "aws:RequestTag/kubernetes-namespace" = "other" }',
                    principal=PODS,
                    action=BOTH,
                )
            ],
            False,
        ),
        (
            [
                trust(
                    'ArnEquals = { "aws:SourceArn" = "arn:aws:eks:eu-west-1:1:cluster/c" }',
                    principal=PODS,
                    action=BOTH,
                )
            ],
            True,
        ),
        ([trust("", principal="{ Service = var.service }", action=BOTH)], True),
    ],
)
def test_pod_identity_is_judged_by_the_trust_policy(
    statements: list[str], *, unknown: bool
) -> None:
    """Service, denials and conditions count as in any trust policy."""
    finding = judged(TABLE, role(*statements), policy(), ASSOCIATION)["pod-identity-trust"]

    assert finding.unknown is unknown


def test_pod_identity_may_ask_for_its_own_tags() -> None:
    """EKS tags the session with the namespace and the service account."""
    condition = (
        'StringEquals = { "aws:RequestTag/kubernetes-namespace" = "monitoring", '
        '"aws:RequestTag/kubernetes-service-account" = ["mimir"] }'
    )

    assert found(trust(condition, principal=PODS, action=BOTH), more=ASSOCIATION) == set()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('namespace_service_accounts = ["monitoring:mimir"]', set()),
        ('namespace_service_accounts = ["monitoring:*"]', BLOCKED),
        ('namespace_service_accounts = ["other:mimir"]', {"irsa-wrong-namespace"}),
        ('namespace_service_accounts = ["${var.ns}:mimir"]', UNKNOWN),
    ],
)
@pytest.mark.parametrize(
    "test",
    ["", 'assume_role_condition_test = "StringEquals"', 'trust_condition_test = "StringEquals"'],
)
def test_a_role_module_compares_as_it_is_told(written: str, expected: set[str], test: str) -> None:
    """StringEquals unless told otherwise."""
    assert set(judged(TABLE, module(written, test))) - FINE == expected


def module(written: str, more: str) -> str:
    return f"""\
module "irsa" {{
  source           = "terraform-aws-modules/iam/aws//modules/iam-role-for-service-accounts-eks"
  role_name        = "pods"
  role_policy_arns = {{ rings = "arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess" }}
  oidc_providers   = {{ main = {{ provider_arn = module.eks.oidc_provider_arn, {written} }} }}
  {more}
}}
"""


@pytest.mark.parametrize(("test", "expected"), [('"StringLike"', set()), ("var.test", UNKNOWN)])
def test_a_role_module_with_another_operator(test: str, expected: set[str]) -> None:
    """StringLike knows wildcards; an operator that is not known is unknown."""
    written = 'namespace_service_accounts = ["monitoring:mim*"]'

    assert set(judged(TABLE, module(written, f"assume_role_condition_test = {test}"))) - FINE == (
        expected
    )


@pytest.mark.parametrize(
    "document",
    [
        f"""<<EOF
{{"Statement": [{{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
  "Principal": {{"Federated": "${{aws_iam_openid_connect_provider.eks.arn}}"}},
  "Condition": {{"StringEquals": {{
    "${{replace(aws_iam_openid_connect_provider.eks.url, "https://", "")}}:sub": "{SUBJECT}"}}}}}}]}}
EOF
""",
        f"""<<-EOF
    {{"Statement": {{"Effect": "Allow", "Action": ["sts:AssumeRoleWithWebIdentity"],
      "Principal": {{"Federated": ["{OIDC}"]}},
      "Condition": ${{jsonencode({{ StringEquals = {{ "{PROVIDER}:sub" = "{SUBJECT}" }} }})}}}}}}
  EOF
""",
        'file("${path.module}/trust.json")',
        'templatefile("${path.module}/trust.tftpl", { account = "mimir" })',
        "data.aws_iam_policy_document.trust.json",
    ],
)
def test_a_trust_policy_is_read_however_it_is_written(document: str) -> None:
    """Heredocs with quotes inside `${…}`, files, templates and documents."""
    text = f"""\
resource "aws_iam_role" "pods" {{
  name = "pods"
  assume_role_policy = {document}
}}
data "aws_iam_policy_document" "trust" {{
  statement {{
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {{
      type        = "Federated"
      identifiers = ["{OIDC}"]
    }}
    condition {{
      test     = "StringEquals"
      variable = "{PROVIDER}:sub"
      values   = ["{SUBJECT}"]
    }}
  }}
}}
"""
    statement = (
        '{"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", '
        f'"Principal": {{"Federated": "{OIDC}"}}, "Condition": {{"StringEquals": '
        f'{{"{PROVIDER}:sub": "%s"}}}}}}]}}'
    )
    files = {
        "main.tf": TABLE + policy() + text,
        "trust.json": statement % SUBJECT,
        "trust.tftpl": statement % "system:serviceaccount:monitoring:${account}",
    }

    assert set(judged(files=files)) == FINE


def test_a_role_whose_count_is_not_known_is_unknown() -> None:
    """Whether it is made hangs on it."""
    written = role().replace('name = "pods"', 'name = "pods"\n  count = var.on ? 1 : 0')
    again = policy().replace("aws_iam_role.pods.id", "aws_iam_role.pods[0].id")

    assert set(judged(TABLE, written, again, 'variable "on" {}\n')) - FINE == UNKNOWN


def test_roles_of_two_roots_are_told_apart() -> None:
    """What one environment attaches is not the other's, whatever the names."""
    poor = policy('Effect = "Allow", Action = "s3:*", Resource = "*"')
    files = {
        "dev/main.tf": f'resource "aws_dynamodb_table" "rings" {{\n  name = "rings"\n{KEYS}}}\n'
        + role()
        + policy(),
        "prod/main.tf": role() + poor,
    }

    assert set(judged(files=files)) == FINE


def test_a_role_for_another_namespace_is_judged_as_well() -> None:
    """Whoever mends the trust is told what the role lacks in the same go."""
    elsewhere = role(
        trust(f'StringEquals = {{ "{PROVIDER}:sub" = "system:serviceaccount:x:mimir" }}')
    )
    reads = policy('Effect = "Allow", Action = "s3:*", Resource = "*"')

    assert set(judged(TABLE, elsewhere, reads, account="")) - {"terraform-table-found"} == {
        "irsa-annotation-missing",
        "irsa-wrong-namespace",
        "iam-missing-actions",
    }


def test_only_a_role_that_may_let_the_pods_in_is_asked_about() -> None:
    """Where one may and others surely do not, those are not told."""
    open_one = role(trust(f'StringEquals = {{ "{PROVIDER}:sub" = var.sub }}')).replace(
        "pods", "open"
    )
    closed = role(
        trust(f'StringEquals = {{ "{PROVIDER}:sub" = "system:serviceaccount:x:mimir" }}')
    )
    found = judged(TABLE, open_one, closed, 'variable "sub" {}\n', account="")

    assert "irsa-trust-unknown" in found
    assert "role open" in found["irsa-trust-unknown"].title
    assert "irsa-wrong-namespace" not in found


def test_an_association_that_may_not_be_there_says_why() -> None:
    """The expression that decides whether it is."""
    perhaps = ASSOCIATION.replace('"pods" {', '"pods" {\n  count = var.n')
    statement = trust("", principal=PODS, action=BOTH)
    found = judged(TABLE, role(statement), policy(), perhaps, 'variable "n" {}\n')

    assert found["pod-identity-trust"].evidence[0].detail == (
        "association of monitoring:mimir: count = ${var.n}: the variable n has no default"
    )


def test_only_roles_for_the_service_account_s_name_are_offered() -> None:
    """One for another service account is none that was meant."""
    here = role(trust(f'StringEquals = {{ "{PROVIDER}:sub" = "system:serviceaccount:x:mimir" }}'))
    other = role(
        trust(f'StringEquals = {{ "{PROVIDER}:sub" = "system:serviceaccount:x:loki" }}')
    ).replace("pods", "logs")

    for order in ((here, other), (other, here)):
        found = judged(TABLE, *order, policy(), account="")
        assert "role/pods" in found["irsa-annotation-missing"].fix
        assert "role pods trusts x:mimir" in found["irsa-wrong-namespace"].title
        assert "irsa-wrong-service-account" not in found
