"""The service accounts that a release's pods get by its values, as the charts name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mimir_migrate.documents.permissions import ROLE_ANNOTATION
from mimir_migrate.model.facts import ServiceAccount
from mimir_migrate.model.rings import Product

_LONGEST = 63
"""Characters that the charts cut names to."""
_WITH_THEIR_OWN = ("ruler", "alertmanager")
"""Components that may have a service account of their own in mimir-distributed."""


def service_accounts(
    values: Mapping[str, Any], product: Product, release: str
) -> tuple[ServiceAccount, ...]:
    """The service accounts of the pods, each with the role that its annotation names.

    After the charts' helpers `mimir.serviceAccountName`, `mimir.ruler.serviceAccountName` and
    `cortex.serviceAccountName`.

    Args:
        values: Of the chart, merged.
        product: Whose chart.
        release: Its name; empty: not known.

    Returns:
        Empty where the name hangs on that of the release, and nobody says it. A role is None where
        somebody else makes the service account, and empty where it has none.
    """
    block = _mapping(values.get("serviceAccount"))
    fallback = fullname(values, product, release)
    made = block.get("create") is not False
    name = str(block.get("name") or (fallback if made else "default"))
    if not name:
        return ()
    found = [ServiceAccount(name=name, role=_role(block) if made else None)]
    if product is Product.MIMIR:
        found.extend(_own(values, str(block.get("name") or fallback)))
    return tuple(found)


def fullname(values: Mapping[str, Any], product: Product, release: str) -> str:
    """What the chart begins its objects' names with; empty where that hangs on a release of no name."""
    override = values.get("fullnameOverride")
    if override:
        return _cut(str(override))
    if not release:
        return ""
    enterprise = _mapping(values.get("enterprise"))
    own = product.value
    if product is Product.MIMIR and enterprise.get("enabled") and enterprise.get("legacyLabels"):
        own = "enterprise-metrics"
    own = str(values.get("nameOverride") or own)
    return _cut(release if own in release else f"{release}-{own}")


def _own(values: Mapping[str, Any], general: str) -> Iterator[ServiceAccount]:
    for component in _WITH_THEIR_OWN:
        block = _mapping(_mapping(values.get(component)).get("serviceAccount"))
        if block.get("create") is not True:
            continue
        name = str(block.get("name") or (f"{general}-{component}" if general else ""))
        if name:
            yield ServiceAccount(name=name, role=_role(block))


def _role(block: Mapping[str, Any]) -> str:
    return str(_mapping(block.get("annotations")).get(ROLE_ANNOTATION) or "")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _cut(name: str) -> str:
    return name[:_LONGEST].removesuffix("-")
