"""Pods as the table that an API server prints for `kubectl get`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mimir_migrate.sandbox.kubernetes.objects import Object

ACCEPT: Final = "as=Table"
"""What stands in the `Accept` of who wants one."""
_COLUMNS: Final = (
    ("Name", "string", "name", 0),
    ("Ready", "string", "", 0),
    ("Status", "string", "", 0),
    ("Restarts", "integer", "", 0),
    ("Age", "string", "", 0),
    ("IP", "string", "", 1),
    ("Node", "string", "", 1),
)
"""Name, type, format and priority; those of priority 1 are shown with `--output wide`."""


def pods_table(pods: Sequence[Object], version: str, now: float) -> dict[str, Any]:
    """A `meta.k8s.io/v1` Table of pods.

    Args:
        pods: The pods.
        version: The resource version of the list.
        now: Seconds since the epoch, for their age.
    """
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [
            {"name": name, "type": kind, "format": form, "priority": priority, "description": name}
            for name, kind, form, priority in _COLUMNS
        ],
        "rows": [{"cells": _cells(pod, now), "object": _partial(pod)} for pod in pods],
    }


def _cells(pod: Object, now: float) -> list[Any]:
    status = pod.get("status") or {}
    containers = status.get("containerStatuses") or []
    ready = sum(bool(one.get("ready")) for one in containers)
    wanted = len(pod["spec"].get("containers") or [])
    metadata = pod["metadata"]
    said = "Terminating" if metadata.get("deletionTimestamp") else _reason(status, containers)
    return [
        metadata["name"],
        f"{ready}/{wanted}",
        said,
        sum(int(one.get("restartCount") or 0) for one in containers),
        _age(str(metadata.get("creationTimestamp") or ""), now),
        status.get("podIP") or "<none>",
        pod["spec"].get("nodeName") or "<none>",
    ]


def _reason(status: Object, containers: Sequence[Object]) -> str:
    """Why a container waits or ended, else the pod's phase."""
    for one in containers:
        state = one.get("state") or {}
        for what in ("waiting", "terminated"):
            if reason := (state.get(what) or {}).get("reason"):
                return str(reason)
    return str(status.get("phase") or "Unknown")


def _age(created: str, now: float) -> str:
    """Whole units, the largest that fits, as kubectl writes an age."""
    from datetime import datetime

    if not created:
        return "<unknown>"
    seconds = max(0, round(now - datetime.fromisoformat(created).timestamp()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _partial(pod: Object) -> dict[str, Any]:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": pod["metadata"],
    }
