"""A claim as a Kubernetes Lease object, and back.

The Lease's own fields carry what Kubernetes knows: `holderIdentity`, `leaseDurationSeconds`,
`acquireTime` and `renewTime` (RFC 3339 with microseconds). What a second operator wants to read
stands in annotations under `mimir-migrate/`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mimir_migrate.model.changes import LeaseClaim

API_VERSION = "coordination.k8s.io/v1"
ANNOTATION_RUN = "mimir-migrate/run"
ANNOTATION_STORE = "mimir-migrate/store"
ANNOTATION_RINGS = "mimir-migrate/rings"
ANNOTATION_STEP = "mimir-migrate/step"
ANNOTATION_SINCE = "mimir-migrate/since"
_CLAIM_ANNOTATIONS = (
    ANNOTATION_RUN,
    ANNOTATION_STORE,
    ANNOTATION_RINGS,
    ANNOTATION_STEP,
    ANNOTATION_SINCE,
)


def claim_to_json(
    claim: LeaseClaim,
    *,
    now: float,
    namespace: str = "",
    existing: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The Lease object that says `claim`, renewed at `now`.

    `existing` is the object as it was read: its `resourceVersion`, labels and foreign annotations
    stay, so that writing it back fails when somebody else wrote meanwhile.
    """
    before = existing or {}
    metadata = dict(_mapping(before.get("metadata")))
    metadata.pop("managedFields", None)
    metadata["name"] = claim.name
    if namespace:
        metadata["namespace"] = namespace
    metadata["annotations"] = {
        **_mapping(metadata.get("annotations")),
        ANNOTATION_RUN: claim.run,
        ANNOTATION_STORE: claim.store,
        ANNOTATION_RINGS: ",".join(claim.rings),
        ANNOTATION_STEP: claim.step,
        ANNOTATION_SINCE: micro_time(claim.since),
    }
    spec = _mapping(before.get("spec"))
    same_holder = spec.get("holderIdentity") == claim.holder
    transitions = int(spec.get("leaseTransitions") or 0)
    acquired = spec.get("acquireTime") if same_holder else None
    return {
        "apiVersion": API_VERSION,
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": claim.holder,
            "leaseDurationSeconds": max(1, math.ceil(claim.duration)),
            "acquireTime": acquired or micro_time(now),
            "renewTime": micro_time(now),
            "leaseTransitions": transitions if same_holder or not spec else transitions + 1,
        },
    }


def released_to_json(existing: Mapping[str, Any]) -> dict[str, Any]:
    """The Lease object with nobody holding it."""
    metadata = dict(_mapping(existing.get("metadata")))
    metadata.pop("managedFields", None)
    metadata["annotations"] = {
        key: value
        for key, value in _mapping(metadata.get("annotations")).items()
        if key not in _CLAIM_ANNOTATIONS
    }
    spec = {
        key: value
        for key, value in _mapping(existing.get("spec")).items()
        if key not in {"holderIdentity", "acquireTime", "renewTime", "leaseDurationSeconds"}
    }
    return {"apiVersion": API_VERSION, "kind": "Lease", "metadata": metadata, "spec": spec}


def claim_from_json(lease: Mapping[str, Any]) -> LeaseClaim | None:
    """Who holds the Lease, run out or not; None when nobody does."""
    spec = _mapping(lease.get("spec"))
    holder = str(spec.get("holderIdentity") or "")
    if not holder:
        return None
    metadata = _mapping(lease.get("metadata"))
    notes = _mapping(metadata.get("annotations"))
    since = parse_time(notes.get(ANNOTATION_SINCE))
    if since is None:
        since = parse_time(spec.get("acquireTime"))
    return LeaseClaim(
        name=str(metadata.get("name") or ""),
        holder=holder,
        run=str(notes.get(ANNOTATION_RUN) or ""),
        store=str(notes.get(ANNOTATION_STORE) or ""),
        rings=tuple(name for name in str(notes.get(ANNOTATION_RINGS) or "").split(",") if name),
        step=str(notes.get(ANNOTATION_STEP) or ""),
        since=0.0 if since is None else since,
        duration=float(spec.get("leaseDurationSeconds") or 0),
    )


def runs_out_at(lease: Mapping[str, Any]) -> float | None:
    """When the claim ends unless it is renewed; None when the Lease does not say."""
    spec = _mapping(lease.get("spec"))
    renewed = parse_time(spec.get("renewTime")) or parse_time(spec.get("acquireTime"))
    if renewed is None:
        return None
    return renewed + float(spec.get("leaseDurationSeconds") or 0)


def has_run_out(lease: Mapping[str, Any], now: float) -> bool:
    """Whether nobody holds the Lease at `now`; one without a renewal time counts as run out."""
    end = runs_out_at(lease)
    return claim_from_json(lease) is None or end is None or end <= now


def micro_time(seconds: float) -> str:
    """Seconds since the epoch as Kubernetes' MicroTime."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: object) -> float | None:
    """An RFC 3339 time in seconds since the epoch; None when it is none."""
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
