"""The pages by which a client learns what an API server offers."""

from __future__ import annotations

from typing import Any

from mimir_migrate.sandbox.kubernetes.objects import KINDS, Kind

_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
VERSION = {"major": "1", "minor": "36", "gitVersion": "v1.36.0", "platform": "linux/amd64"}


def page(path: str) -> dict[str, Any] | None:
    """A discovery page; None: the path is none."""
    parts = path.strip("/").split("/")
    if path == "/version":
        return VERSION
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"]}
    if parts == ["apis"]:
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups()}
    if parts == ["api", "v1"]:
        return _resources("v1")
    if parts[0] == "apis" and len(parts) == 3:
        return _resources("/".join(parts[1:]))
    if parts[0] == "apis" and len(parts) == 2:
        return next((group for group in _groups() if group["name"] == parts[1]), None)
    return None


def _groups() -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    versions = {kind.api_version for kind in KINDS.values() if kind.group}
    for version in sorted(versions | {"authorization.k8s.io/v1"}):
        group, _, short = version.partition("/")
        preferred = {"groupVersion": version, "version": short}
        found[group] = {"name": group, "versions": [preferred], "preferredVersion": preferred}
    return list(found.values())


def _resources(version: str) -> dict[str, Any] | None:
    found = [_resource(kind) for kind in KINDS.values() if kind.api_version == version]
    if version == "authorization.k8s.io/v1":
        found = [
            {
                "name": "selfsubjectaccessreviews",
                "singularName": "",
                "namespaced": False,
                "kind": "SelfSubjectAccessReview",
                "verbs": ["create"],
            }
        ]
    if not found:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": found,
    }


def _resource(kind: Kind) -> dict[str, Any]:
    return {
        "name": kind.plural,
        "singularName": kind.kind.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": _VERBS,
        "shortNames": list(kind.short_names),
    }
