"""Files and places that are no chart's values: what they are instead, so that nobody edits them by mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mimir_migrate.documents.values.chart_keys import (
    CORTEX_OWN,
    MIMIR_OWN,
    MIMIR_SHARED,
    OUR_NAMES,
)
from mimir_migrate.documents.values.evidence import is_raw
from mimir_migrate.documents.values.nodes import node_at, text_at
from mimir_migrate.documents.yaml.positions import Node

_COMPOSE = frozenset(
    {"configs", "include", "name", "networks", "secrets", "services", "version", "volumes"}
)
"""Everything that a Compose file has at its top beside its own extensions (`x-…`)."""
_OF_A_SERVICE = ("image", "build", "extends")
_BESIDE_JOBS = ("on", "name", "trigger", "pool", "workflows")
"""One of these stands beside `jobs` in a workflow of GitHub, Azure or CircleCI."""
_OF_A_WORKFLOW = frozenset(
    {
        "commands",
        "concurrency",
        "defaults",
        "env",
        "executors",
        "jobs",
        "name",
        "on",
        "orbs",
        "parameters",
        "permissions",
        "pool",
        "pr",
        "resources",
        "run-name",
        "schedules",
        "trigger",
        "variables",
        "version",
        "workflows",
    }
)
"""Everything that such a workflow has at its top."""
_OF_A_JOB = ("script", "trigger", "extends", "stage")
"""What a job of GitLab has."""
_BUILT_IN = re.compile(r"(?:[a-z]+/)?v\d\w*\Z|[\w.-]+\.k8s\.io/v\d\w*\Z")
"""API versions of Kubernetes itself: `v1`, `apps/v1`, `networking.k8s.io/v1`."""
_MAY_HOLD = frozenset({"ConfigMap", "Secret", "List"})
"""Kinds of Kubernetes itself in which values can be."""
_OF_ANY_CHART = frozenset(
    {
        "extraObjects",
        "fullnameOverride",
        "gateway",
        "global",
        "image",
        "ingress",
        "kafka",
        "license",
        "minio",
        "nameOverride",
        "nginx",
        "rbac",
        "serviceAccount",
        "serviceMonitor",
    }
)
"""Keys of mimir-distributed that charts of anything may have."""
_KNOWN = MIMIR_OWN | MIMIR_SHARED | CORTEX_OWN | {"config"}
_SPEAKING = _KNOWN - _OF_ANY_CHART


def is_compose(document: Node) -> bool:
    """Whether a document is a Docker Compose file."""
    found = document.get("services") if document.kind == "mapping" else None
    services = found[1].resolved if found else None
    if services is None or services.kind != "mapping" or not services.entries:
        return False
    tops = (key.value for key, _ in document.entries)
    return all(top in _COMPOSE or top.startswith("x-") for top in tops) and all(
        value.resolved.kind == "mapping" and any(value.resolved.get(key) for key in _OF_A_SERVICE)
        for _, value in services.entries
    )


def is_workflow(document: Node) -> bool:
    """Whether a document is a CI workflow: of GitHub, GitLab, Azure or CircleCI."""
    if document.kind != "mapping" or _tops(document) & _SPEAKING:
        return False
    if document.get("jobs"):
        return _tops(document) <= _OF_A_WORKFLOW and any(map(document.get, _BESIDE_JOBS))
    stages = document.get("stages")
    if stages is None or stages[1].resolved.kind != "sequence":
        return False
    items = [item.resolved.kind for item in stages[1].resolved.items]
    return "mapping" in items or any(
        value.resolved.kind == "mapping" and any(value.resolved.get(key) for key in _OF_A_JOB)
        for _, value in document.entries
    )


def is_stranger(document: Node) -> bool:
    """Whether a document without `apiVersion` and `kind` is something else than values."""
    return is_compose(document) or is_workflow(document)


def foreign_keys(keys: Sequence[str], node: Node) -> tuple[str, ...]:
    """The keys of a place that are all none of the chart's; empty: one is, or it has none.

    Args:
        keys: Down to the place.
        node: What is there.
    """
    inside = node.resolved
    names = _tops(inside) if inside.kind == "mapping" else set()
    if (keys and OUR_NAMES.search(keys[-1])) or names & _KNOWN or names <= {"enabled"}:
        return ()
    return tuple(key.value for key, _ in inside.entries)


def _tops(document: Node) -> set[str]:
    return {key.value for key, _ in document.entries}


def what_it_is(document: Node, keys: Sequence[str] = ()) -> str:
    """What a document obviously is where it holds no chart's values, as a clause; empty: it may hold them.

    Args:
        document: The document.
        keys: Down to a place in it; what the place is a part of counts as well.
    """
    if is_compose(document):
        return "this is a Docker Compose file (`services:`)"
    if is_workflow(document):
        shown = " and ".join(f"`{key}:`" for key in ("on", "stages", "jobs") if document.get(key))
        return f"this is a CI workflow ({shown})"
    for node in _on_the_way(document, keys):
        version, kind = text_at(node, "apiVersion"), text_at(node, "kind")
        if kind and _BUILT_IN.match(version) and kind not in _MAY_HOLD:
            return f"this is a Kubernetes manifest of kind {kind}"
    if text_at(document, "apiVersion") in {"v1", "v2"} and not document.get("kind"):
        return "this is a chart's Chart.yaml" if text_at(document, "version") else ""
    return ""


def is_own_block(keys: Sequence[str], node: Node) -> bool:
    """Whether a place is the block `mimir` of the chart's values, and not the values."""
    inside = node.resolved
    return bool(keys and keys[-1] == "mimir" and inside.kind == "mapping") and bool(
        inside.get("structuredConfig") or inside.get("config")
    )


def doubt_of(keys: Sequence[str], node: Node) -> str:
    """Why a place may not be the chart's values that nothing in it speaks for; empty: it may be.

    A place that is empty, that is named as the chart is, or that has keys of the chart may be.

    Args:
        keys: Down to the place.
        node: What is there.
    """
    inside, last = node.resolved, keys[-1] if keys else ""
    names = {key.value for key, _ in inside.entries} if inside.kind == "mapping" else set()
    if OUR_NAMES.search(last) or names <= {"enabled"}:
        return ""
    if is_raw(inside):
        return "this looks like the configuration file of Mimir or Cortex itself"
    if names & _SPEAKING:
        return ""
    shown = ", ".join(sorted(names)[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"none of its keys ({shown}) is one of mimir-distributed or of the cortex chart"


_SHOWN = 4
"""Keys that are enough to know a place by."""


def _on_the_way(document: Node, keys: Sequence[str]) -> Iterator[Node]:
    yield document
    for count in range(1, len(keys)):
        found = node_at(document, keys[:count])
        if found is None:
            return
        yield found[1].resolved
