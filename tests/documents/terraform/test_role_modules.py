"""Roles that the well-known modules make, as their own files do it."""

from __future__ import annotations

import pytest
from judged import ARN, FINE, TABLE, judged

IAM = "terraform-aws-modules/iam/aws//modules"
FULL = '"arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"'
MIMIR = '"system:serviceaccount:monitoring:mimir"'
ANY = '"system:serviceaccount:monitoring:*"'
OTHER = '"system:serviceaccount:monitoring:other"'
STATEMENT = '{ actions = ["dynamodb:*"], resources = ["*"] }'
ROLE_MISSING = {"irsa-role-missing"}
MISSING = {"iam-missing-actions"}
UNKNOWN = {"iam-unknown-actions"}
NOT_TRUSTED = {"irsa-not-trusted"}


def call(source: str, *inside: str) -> str:
    lines = "\n".join(f"  {one}" for one in inside)
    return f'module "pods" {{\n  source = "{source}"\n{lines}\n}}\nvariable "open" {{}}\n'


def found(source: str, *inside: str, account: str = ARN) -> set[str]:
    return set(judged(TABLE, call(source, *inside), account=account)) - FINE


OIDC = f"{IAM}/iam-assumable-role-with-oidc"
NAMED = ('role_name = "pods"', f"role_policy_arns = [{FULL}]", "provider_url = module.eks.url")


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (["create_role = true", f"oidc_fully_qualified_subjects = [{MIMIR}]"], set()),
        ([f"oidc_fully_qualified_subjects = [{MIMIR}]"], ROLE_MISSING),
        (["create_role = false", f"oidc_fully_qualified_subjects = [{MIMIR}]"], ROLE_MISSING),
        (["create_role = true", f"oidc_subjects_with_wildcards = [{ANY}]"], set()),
        (["create_role = true", f"oidc_fully_qualified_subjects = [{ANY}]"], NOT_TRUSTED),
        (
            [
                "create_role = true",
                f"oidc_fully_qualified_subjects = [{OTHER}]",
                f"oidc_subjects_with_wildcards = [{ANY}]",
            ],
            NOT_TRUSTED,
        ),
        (
            [
                "create_role = true",
                f"oidc_fully_qualified_subjects = [{MIMIR}]",
                'oidc_fully_qualified_audiences = ["sts.amazonaws.com"]',
            ],
            set(),
        ),
        (
            [
                "create_role = true",
                f"oidc_fully_qualified_subjects = [{MIMIR}]",
                'oidc_fully_qualified_audiences = ["somebody-else"]',
            ],
            NOT_TRUSTED,
        ),
    ],
)
def test_the_module_for_any_provider(inside: list[str], expected: set[str]) -> None:
    """It makes nothing unless it is asked, and all its conditions stand in one statement."""
    assert found(OIDC, *NAMED, *inside) == expected


def test_statements_that_it_takes_inline_are_attached() -> None:
    """Without any other policy."""
    inside = (
        'role_name = "pods"',
        "create_role = true",
        f"oidc_fully_qualified_subjects = [{MIMIR}]",
    )

    assert found(OIDC, *inside, f"inline_policy_statements = [{STATEMENT}]") == set()
    assert found(OIDC, *inside) == MISSING


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (["enable_oidc = true"], set()),
        ([], ROLE_MISSING),
        (["enable_oidc = false"], ROLE_MISSING),
        (["enable_oidc = var.open"], {"irsa-trust-unknown"}),
    ],
)
def test_the_general_module_trusts_tokens_where_it_is_told_to(
    inside: list[str], expected: set[str]
) -> None:
    """`enable_oidc` is off unless it is set."""
    given = (
        'name = "pods"',
        "use_name_prefix = false",
        f"policies = {{ rings = {FULL} }}",
        f"oidc_subjects = [{MIMIR}]",
        'oidc_provider_urls = ["oidc.eks.eu-west-1.amazonaws.com/id/ABC"]',
    )

    assert found(f"{IAM}/iam-role", *given, *inside) == expected


PROVIDERS = (
    "oidc_providers = { main = { provider_arn = module.eks.oidc_provider_arn, "
    'namespace_service_accounts = ["monitoring:mimir"] } }'
)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ([f"permissions = {{ rings = {STATEMENT} }}"], set()),
        ([f"permissions = {{ rings = {STATEMENT} }}", "create_policy = false"], MISSING),
        ([f"inline_policy_permissions = {{ rings = {STATEMENT} }}"], MISSING),
        (
            [
                f"inline_policy_permissions = {{ rings = {STATEMENT} }}",
                "create_inline_policy = true",
            ],
            set(),
        ),
        (
            [
                f"inline_policy_permissions = {{ rings = {STATEMENT} }}",
                "create_inline_policy = var.open",
            ],
            UNKNOWN,
        ),
    ],
)
def test_a_policy_of_statements_is_made_where_its_switch_is_on(
    inside: list[str], expected: set[str]
) -> None:
    """One is on unless it is switched off, the inline one the other way round."""
    given = ('name = "pods"', "use_name_prefix = false", PROVIDERS)

    assert found(f"{IAM}/iam-role-for-service-accounts", *given, *inside) == expected


def test_a_provider_that_is_not_known_leaves_the_trust_unknown() -> None:
    """One of the map, as well as the map."""
    for providers in ("oidc_providers = { main = var.open }", "oidc_providers = var.open"):
        inside = ('role_name = "pods"', f"role_policy_arns = {{ a = {FULL} }}", providers)
        assert found(f"{IAM}/iam-role-for-service-accounts-eks", *inside) == {"irsa-trust-unknown"}


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        ('{ prod = ["monitoring:mimir"] }', set()),
        ('{ dev = ["monitoring:other"], prod = ["monitoring:mimir"] }', set()),
        ('{ prod = ["monitoring:*"] }', NOT_TRUSTED),
        ("var.open", {"irsa-trust-unknown"}),
    ],
)
def test_the_module_that_knows_clusters_by_their_names(accounts: str, expected: set[str]) -> None:
    """It looks the provider up and compares with StringEquals."""
    inside = ('role_name = "pods"', f"role_policy_arns = {{ a = {FULL} }}")

    assert (
        found(f"{IAM}/iam-eks-role", *inside, f"cluster_service_accounts = {accounts}") == expected
    )


WRAPPER = "terraform-aws-modules/iam/aws//wrappers/iam-role-for-service-accounts-eks"


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (
            [
                f'items = {{ a = {{ role_name = "pods", role_policy_arns = {{ a = {FULL} }}, {PROVIDERS} }} }}'
            ],
            set(),
        ),
        (
            [
                f"defaults = {{ role_policy_arns = {{ a = {FULL} }} }}",
                f'items = {{ a = {{ role_name = "other" }}, b = {{ role_name = "pods", {PROVIDERS} }} }}',
            ],
            set(),
        ),
        ([f'items = {{ a = {{ role_name = "pods", {PROVIDERS} }} }}'], MISSING),
        (
            [f'items = {{ a = {{ role_name = "pods", create_role = false, {PROVIDERS} }} }}'],
            ROLE_MISSING,
        ),
    ],
)
def test_a_wrapper_makes_one_of_each_item(inside: list[str], expected: set[str]) -> None:
    """With the defaults of all."""
    assert found(WRAPPER, *inside) == expected


POD_IDENTITY = "terraform-aws-modules/eks-pod-identity/aws"
ASSOCIATED = (
    'name = "pods"',
    'associations = { a = { namespace = "monitoring", service_account = "mimir" } }',
    f"additional_policy_arns = {{ a = {FULL} }}",
)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ([], set()),
        (
            [
                (
                    'trust_policy_statements = [{ effect = "Deny", actions = ["sts:TagSession"], '
                    'principals = [{ type = "Service", identifiers = ["pods.eks.amazonaws.com"] }] }]'
                )
            ],
            {"pod-identity-trust"},
        ),
        (["trust_policy_statements = var.open"], {"pod-identity-trust"}),
    ],
)
def test_statements_are_added_to_the_trust_of_pod_identity(
    inside: list[str], expected: set[str]
) -> None:
    """They may deny what the module allows."""
    assert found(POD_IDENTITY, *ASSOCIATED, *inside, account="") == expected
