"""The service accounts that the charts make of values, by their own names."""

from __future__ import annotations

from typing import Any

import pytest

from mimir_migrate.documents.permissions import ROLE_ANNOTATION
from mimir_migrate.documents.values.accounts import service_accounts
from mimir_migrate.model.rings import Product

ROLE = "arn:aws:iam::123456789012:role/pods"
ANNOTATED = {"annotations": {ROLE_ANNOTATION: ROLE}}


@pytest.mark.parametrize(
    ("values", "release", "name", "role"),
    [
        ({}, "mimir", "mimir", ""),
        ({}, "my-mimir-prod", "my-mimir-prod", ""),
        ({}, "metrics", "metrics-mimir", ""),
        ({"serviceAccount": ANNOTATED}, "metrics", "metrics-mimir", ROLE),
        ({"serviceAccount": {"name": "pods", **ANNOTATED}}, "metrics", "pods", ROLE),
        ({"serviceAccount": {"name": "pods", "create": False}}, "metrics", "pods", None),
        ({"serviceAccount": {"create": False}}, "metrics", "default", None),
        ({"fullnameOverride": "obs"}, "", "obs", ""),
        ({"fullnameOverride": "x" * 62 + "-y"}, "", "x" * 62, ""),
        ({"nameOverride": "met"}, "metrics", "metrics", ""),
        ({"nameOverride": "rings"}, "metrics", "metrics-rings", ""),
        ({"enterprise": {"enabled": True}}, "gem", "gem-mimir", ""),
        (
            {"enterprise": {"enabled": True, "legacyLabels": True}},
            "gem",
            "gem-enterprise-metrics",
            "",
        ),
        ({"serviceAccount": None, "enterprise": None}, "metrics", "metrics-mimir", ""),
    ],
)
def test_mimir_s_chart_names_them_by_release_and_overrides(
    values: dict[str, Any], release: str, name: str, role: str | None
) -> None:
    """As its helpers do; one that it does not make is Kubernetes' default, or somebody else's."""
    (account,) = service_accounts(values, Product.MIMIR, release)

    assert (account.name, account.role) == (name, role)


def test_cortex_s_chart_has_its_own_name() -> None:
    """In the same way."""
    (account,) = service_accounts({}, Product.CORTEX, "metrics")

    assert account.name == "metrics-cortex"


@pytest.mark.parametrize(
    ("ruler", "name"),
    [({}, "metrics-mimir-ruler"), ({"name": "rules"}, "rules"), ({"create": False}, "")],
)
def test_a_component_may_have_one_of_its_own(ruler: dict[str, Any], name: str) -> None:
    """The ruler and the alertmanager, where the values say so."""
    own = {"serviceAccount": {"create": True, **ANNOTATED, **ruler}}

    _, *others = service_accounts({"ruler": own}, Product.MIMIR, "metrics")

    assert [(one.name, one.role) for one in others] == ([(name, ROLE)] if name else [])


def test_without_a_release_nothing_is_guessed() -> None:
    """The name hangs on it."""
    assert service_accounts({}, Product.MIMIR, "") == ()
