"""What both charts derive from values by the same helper templates: names, labels, account, image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mimir_migrate.sandbox.charts.manifests import INSTANCE, NAME, Release


class Naming(msgspec.Struct, frozen=True, kw_only=True):
    """The names of one release's objects."""

    name: str
    """The chart's own name, or `nameOverride`."""
    fullname: str
    """What every object's name begins with."""
    labels: Mapping[str, str]
    """By which the release's objects are selected."""
    account: str
    image: str
    scope: Mapping[str, Any]
    """What template actions in values see."""


def naming_of(
    values: Mapping[str, Any], release: Release, *, name: str, repository: str
) -> Naming:
    """Names as the charts' `_helpers.tpl` makes them.

    Args:
        values: The chart's values.
        release: What is deployed where.
        name: The name without an override.
        repository: The image's without an override.
    """
    own = str(values.get("nameOverride") or name)
    fullname = release.name if own in release.name else f"{release.name}-{own}"
    fullname = str(values.get("fullnameOverride") or fullname)
    image = values.get("image") or {}
    return Naming(
        name=own,
        fullname=fullname,
        labels={NAME: own, INSTANCE: release.name},
        account=(values.get("serviceAccount") or {}).get("name") or fullname,
        image=f"{image.get('repository', repository)}:{image.get('tag') or release.app_version}",
        scope={
            "Values": values,
            "Release": {"Name": release.name, "Namespace": release.namespace},
        },
    )
