"""Which role pods work under: EKS' associations go before the annotation, and names have to fit."""

from __future__ import annotations

import pytest
from judged import FINE, TABLE, judged, policy, role, trust

PODS = '{ Service = "pods.eks.amazonaws.com" }'
BOTH = '["sts:AssumeRole", "sts:TagSession"]'
MISSING = {"iam-missing-actions"}
ACCOUNT = "arn:aws:iam::123456789012:role"


def associated(*conditions: str) -> str:
    return role(trust(*(conditions or ("",)), principal=PODS, action=BOTH))


def association(of: str, *more: str, kind: str = "aws_eks_pod_identity_association") -> str:
    lines = "".join(f"  {one}\n" for one in more)
    return (
        f'resource "{kind}" "pods" {{\n  namespace = "monitoring"\n'
        f'  service_account = "mimir"\n  role_arn = {of}\n{lines}}}\n'
    )


def poor(text: str) -> str:
    return text.replace('"pods"', '"poor"')


def found(*texts: str, account: str) -> set[str]:
    return set(judged(TABLE, *texts, account=account)) - FINE


def test_an_association_goes_before_the_annotation() -> None:
    """EKS' webhook gives pods the credentials of the association and no token of the annotation."""
    here, there = association("aws_iam_role.pods.arn"), association("aws_iam_role.poor.arn")

    assert found(associated(), policy(), poor(role()), here, account=f"{ACCOUNT}/poor") == set()
    assert found(role(), policy(), poor(associated()), there, account=f"{ACCOUNT}/pods") == MISSING


def test_an_association_that_trusts_nobody_is_not_mended_by_the_annotation() -> None:
    """The pods ask for the association's credentials, and get none."""
    closed = poor(role(trust("", principal='{ Service = "ec2.amazonaws.com" }', action=BOTH)))
    ids = found(
        role(), policy(), closed, association("aws_iam_role.poor.arn"), account=f"{ACCOUNT}/pods"
    )

    assert "pod-identity-trust" in ids


def test_an_association_for_another_service_account_changes_nothing() -> None:
    """The annotation's role is judged."""
    other = association("aws_iam_role.poor.arn").replace('"mimir"', '"loki"')

    assert found(role(), policy(), poor(associated()), other, account=f"{ACCOUNT}/pods") == set()


def test_an_association_through_cloud_control_is_one() -> None:
    """Of the provider `awscc`."""
    text = association("aws_iam_role.pods.arn", kind="awscc_eks_pod_identity_association")

    assert found(associated(), policy(), text, account="") == set()


def test_an_association_that_hands_the_pods_on_is_unknown() -> None:
    """They work under the role of `target_role_arn`, whose policies are elsewhere."""
    text = association("aws_iam_role.pods.arn", f'target_role_arn = "{ACCOUNT}/far"')
    findings = judged(TABLE, associated(), policy(), text, account="")

    assert findings["pod-identity-trust"].unknown
    assert "role/far" in findings["pod-identity-trust"].evidence[0].detail


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("data.aws_caller_identity.me.account_id", set()),
        ('"999999999999"', {"pod-identity-trust"}),
    ],
)
def test_the_association_is_of_the_role_s_own_account(value: str, expected: set[str]) -> None:
    """`aws:SourceAccount`, as AWS recommends it against the confused deputy."""
    text = associated(f'StringEquals = {{ "aws:SourceAccount" = {value} }}')
    data = 'data "aws_caller_identity" "me" {}\n'
    here = association("aws_iam_role.pods.arn")

    assert found(text, policy(), here, data, account="") == expected


def test_an_annotation_that_names_another_role_is_told() -> None:
    """The pods do not work under the one that would let them in."""
    findings = judged(TABLE, role(), policy(), account=f"{ACCOUNT}/typo")
    finding = findings["irsa-role-missing"]

    assert finding.unknown
    assert "typo" in finding.title
    assert "pods" in finding.fix


@pytest.mark.parametrize(
    ("name", "annotated", "expected"),
    [
        ('name_prefix = "pods-"', "pods-20260101", set()),
        ('name_prefix = "pods-"', "other-20260101", {"irsa-role-missing"}),
        ('name = "pods-${random_id.one.hex}"', "pods-ab12", set()),
        ('name = "pods-${random_id.one.hex}"', "mimir", {"irsa-role-missing"}),
        ('path = "/"', "terraform-2026", set()),
    ],
)
def test_a_name_that_terraform_makes_up_may_be_the_annotation_s(
    name: str, annotated: str, expected: set[str]
) -> None:
    """As far as it is known it has to fit."""
    text = role().replace('name = "pods"', name)

    assert found(text, policy(), account=f"{ACCOUNT}/{annotated}") == expected


@pytest.mark.parametrize(
    ("inside", "annotated", "expected"),
    [
        ('name = "pods"', "pods-2026", set()),
        ('name = "pods"', "typo", {"irsa-role-missing"}),
        ('name = "pods"\n  use_name_prefix = false', "pods-2026", {"irsa-role-missing"}),
        ('role_name = "pods"', "pods-2026", {"irsa-role-missing"}),
        ('role_name_prefix = "pods-"', "pods-2026", set()),
    ],
)
def test_a_module_may_go_on_from_a_name(inside: str, annotated: str, expected: set[str]) -> None:
    """`name` is a prefix unless that is switched off, `role_name` is not."""
    text = f"""\
module "pods" {{
  source = "terraform-aws-modules/iam/aws//modules/iam-role-for-service-accounts"
  {inside}
  policies = {{ a = "arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess" }}
  oidc_providers = {{ a = {{ provider_arn = module.eks.arn, namespace_service_accounts = ["monitoring:mimir"] }} }}
}}
"""

    assert found(text, account=f"{ACCOUNT}/{annotated}") == expected


@pytest.mark.parametrize(
    ("annotated", "expected"),
    [
        ("pods", {"irsa-annotation-wrong"}),
        ("arn:aws:iam::123456789012:user/pods", {"irsa-annotation-wrong"}),
        ("arn:aws:sts::123456789012:assumed-role/pods/x", {"irsa-annotation-wrong"}),
        ("arn:aws:iam::123456789012:role/", {"irsa-annotation-wrong"}),
        ("arn:aws-us-gov:iam::123456789012:role/pods", set()),
        ("arn:aws:iam::123456789012:role/team/pods", set()),
        ("${role_arn}", set()),
        ("{{ .Values.role }}", set()),
        ("arn:aws:iam::${account}:role/pods", set()),
    ],
)
def test_an_annotation_has_to_be_the_arn_of_a_role(annotated: str, expected: set[str]) -> None:
    """A placeholder may become one."""
    assert found(role(), policy(), account=annotated) == expected


def test_an_association_needs_no_annotation_that_is_right() -> None:
    """Nobody looks at it."""
    assert (
        found(associated(), policy(), association("aws_iam_role.pods.arn"), account="x") == set()
    )


ELSEWHERE = """\
data "aws_iam_role" "one" { name = "far" }
variable "role" {}
variable "account" {}
module "far" { source = "git::https://git.test/role.git" }
"""


@pytest.mark.parametrize(
    "of",
    [
        "data.aws_iam_role.one.arn",
        "var.role",
        f'"{ACCOUNT}/far"',
        '"arn:aws:iam::1:role/${var.role}"',
    ],
)
@pytest.mark.parametrize("account", ["", f"{ACCOUNT}/pods"])
def test_an_association_may_give_a_role_that_is_made_elsewhere(of: str, account: str) -> None:
    """Whatever the annotation says, and whatever this folder's roles may do."""
    findings = judged(TABLE, role(), policy(), association(of), ELSEWHERE, account=account)

    assert set(findings) - FINE == {"irsa-role-missing"}
    assert findings["irsa-role-missing"].unknown
    assert "association gives" in findings["irsa-role-missing"].title


@pytest.mark.parametrize(
    "of", [f'"{ACCOUNT}/pods"', '"arn:aws:iam::${var.account}:role/pods"', "aws_iam_role.pods.arn"]
)
def test_a_role_of_this_folder_is_known_by_the_end_of_its_arn(of: str) -> None:
    """The account need not be known for it."""
    assert found(associated(), policy(), association(of), ELSEWHERE, account="") == set()


def test_a_role_of_a_module_that_is_not_here_is_unknown() -> None:
    """Its trust and its policies are made there."""
    ids = found(association("module.far.arn"), ELSEWHERE, account="")

    assert ids == {"pod-identity-trust", "iam-unknown-actions"}


def test_a_sure_association_with_a_role_of_this_folder_goes_before_one_elsewhere() -> None:
    """Several clusters may have one each."""
    far = association(f'"{ACCOUNT}/far"').replace('"pods" {', '"far" {')

    assert (
        found(associated(), policy(), association("aws_iam_role.pods.arn"), far, account="")
        == set()
    )
