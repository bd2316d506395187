"""What the workload controllers share: owners, revisions, whether a pod counts as healthy."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from mimir_migrate.sandbox.kubernetes.objects import KINDS, Object
from mimir_migrate.sandbox.kubernetes.patches import copied

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""The letters of Kubernetes' generated names and hashes."""


def template_hash(template: Any) -> str:
    """A short hash of a pod template, in the letters Kubernetes uses."""
    digest = hashlib.sha256(msgspec.json.encode(template, order="sorted")).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:10])


def owner_reference(owner: Object) -> dict[str, Any]:
    """The reference by which `owner` controls an object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod_from(template: Object, owner: Object, *, name: str, labels: dict[str, str]) -> Object:
    """A pod as its owner's template describes it, not yet in the store."""
    metadata = copied(template.get("metadata") or {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    metadata["name"] = name
    metadata["generateName"] = f"{owner['metadata']['name']}-"
    metadata["ownerReferences"] = [owner_reference(owner)]
    spec = copied(template["spec"])
    return {**_kind("pods"), "metadata": metadata, "spec": spec, "status": {"phase": "Pending"}}


def _kind(plural: str) -> dict[str, str]:
    return {"apiVersion": KINDS[plural].api_version, "kind": KINDS[plural].kind}


def is_terminating(pod: Object) -> bool:
    """Whether the deletion of a pod was asked for."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def is_ready(pod: Object) -> bool:
    """Whether a pod's condition Ready is True."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def is_healthy(pod: Object) -> bool:
    """Whether a pod is Ready and not on its way out."""
    return is_ready(pod) and not is_terminating(pod)


def without_zeros(status: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A status without these keys where they are 0, as the API leaves them out."""
    return {key: value for key, value in status.items() if value != 0 or key not in keys}
