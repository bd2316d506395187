"""What can be offered for an entry of the target: contexts, namespaces, releases, files, regions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mimir_migrate.adapters.kubernetes.api import KubernetesApi
from mimir_migrate.adapters.kubernetes.kubeconfig import context_names
from mimir_migrate.errors import MigrateError, UsageError
from mimir_migrate.model.target import Target

DEPTH = 3
"""Folders below the working folder in which values files are looked for."""
MOST_FILES = 200
"""Files that are offered at most; a folder with more is no place to choose from."""
LARGEST = 2_097_152
"""Bytes above which a YAML file is no values file."""
_HELM_SECRET = "sh.helm.release.v1."  # noqa: S105 - how helm names the Secrets of its releases
_SKIPPED = frozenset({"node_modules", "venv", "__pycache__", "charts", "templates"})


class KubeconfigTargets:
    """Finds offers in the kubeconfig, the cluster, the working folder and the AWS configuration."""

    def offers(self, entry: str, target: Target) -> tuple[str, ...]:
        """What there is to choose from for one entry of the target.

        Args:
            entry: Its flag's name, e.g. `namespace`.
            target: What the operator said already.

        Raises:
            MigrateError: The kubeconfig, the cluster or the AWS configuration could not be read.
        """
        found: Mapping[str, Callable[[Target], tuple[str, ...]]] = {
            "context": contexts,
            "namespace": namespaces,
            "release": releases,
            "values": values_files,
            "aws-region": regions,
            "aws-profile": profiles,
        }
        return found[entry](target) if entry in found else ()


def contexts(target: Target) -> tuple[str, ...]:
    """The contexts of the kubeconfig, the current one first.

    Raises:
        UsageError: It cannot be read.
    """
    names, current = context_names(target.kubernetes.kubeconfig)
    return tuple(sorted(names, key=lambda name: (name != current, name)))


def namespaces(target: Target) -> tuple[str, ...]:
    """The cluster's namespaces.

    Raises:
        MigrateError: The API server does not answer, or does not let them be listed.
    """
    found = _list(target, "/api/v1/namespaces")
    return tuple(sorted(str(item["metadata"]["name"]) for item in found))


def releases(target: Target) -> tuple[str, ...]:
    """The helm releases of the namespace; those that look like Mimir or Cortex first.

    Where Secrets must not be listed, the pods' label tells as much.

    Raises:
        MigrateError: The API server does not answer.
    """
    namespace = target.kubernetes.namespace
    if not namespace:
        return ()
    base = f"/api/v1/namespaces/{namespace}"
    names: set[str] = set()
    try:
        for item in _list(target, f"{base}/secrets", {"labelSelector": "owner=helm"}):
            name = str(item["metadata"]["name"])
            if name.startswith(_HELM_SECRET):
                names.add(name.removeprefix(_HELM_SECRET).rpartition(".v")[0])
    except MigrateError:
        names.clear()
    if not names:
        for item in _list(target, f"{base}/pods"):
            labels = item["metadata"].get("labels") or {}
            names.add(str(labels.get("app.kubernetes.io/instance", "")))
    return tuple(sorted(names - {""}, key=lambda name: (not _ours(name), name)))


def _ours(name: str) -> bool:
    return any(word in name.lower() for word in ("mimir", "cortex", "metrics"))


def _list(
    target: Target, path: str, query: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    api = KubernetesApi.connect(target.kubernetes, connections=1)
    try:
        answer = api.get(path, query)
    finally:
        api.close()
    items = answer.get("items") if isinstance(answer, dict) else None
    return items if isinstance(items, list) else []


def values_files(target: Target) -> tuple[str, ...]:
    """YAML files below the target's folder that could be values of Mimir or Cortex."""
    folder = Path(target.folder or Path.cwd())
    found = sorted(
        (path for path in _yaml_files(folder, DEPTH)),
        key=lambda path: (not _named_so(path), len(path.parts), str(path)),
    )
    return tuple(str(path) for path in found[:MOST_FILES])


def _named_so(path: Path) -> bool:
    name = path.name.lower()
    return "values" in name or "mimir" in name or "cortex" in name


def _yaml_files(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _SKIPPED:
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                if depth > 1:
                    yield from _yaml_files(Path(entry.path), depth - 1)
            elif entry.name.endswith((".yaml", ".yml")) and entry.stat().st_size <= LARGEST:
                yield Path(entry.path)
        except OSError:
            continue


def profiles(target: Target) -> tuple[str, ...]:
    """The profiles of the AWS configuration.

    Raises:
        UsageError: It cannot be read.
    """
    del target
    return tuple(sorted(_session("").available_profiles))


def regions(target: Target) -> tuple[str, ...]:
    """Regions that have DynamoDB, the profile's own first.

    Raises:
        UsageError: The AWS configuration cannot be read.
    """
    session = _session(target.aws.profile)
    own = session.region_name or ""
    every = session.get_available_regions("dynamodb")
    return tuple(sorted(every, key=lambda name: (name != own, name)))


def _session(profile: str) -> Any:
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.Session(profile_name=profile or None)
    except BotoCoreError as error:
        raise UsageError(
            f"reading the AWS configuration: {error}",
            hint="check it with `aws configure list-profiles`",
        ) from error


__all__ = ["KubeconfigTargets"]
