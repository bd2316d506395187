"""What can be offered for an entry of the target: contexts, namespaces, releases, files, regions."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mimir_migrate.adapters.aws.session import AwsClients, translated
from mimir_migrate.adapters.kubernetes.answers import understood
from mimir_migrate.adapters.kubernetes.api import KubernetesApi
from mimir_migrate.adapters.kubernetes.cluster import KubernetesCluster
from mimir_migrate.adapters.kubernetes.kubeconfig import context_names
from mimir_migrate.documents.values.files import ValuesFiles
from mimir_migrate.documents.values.loaded import SourceFile
from mimir_migrate.errors import DeniedError, MigrateError, UsageError
from mimir_migrate.model.ring_table import HASH_KEY, RANGE_KEY
from mimir_migrate.model.target import DeployMethod, Target

DEPTH = 3
"""Folders below the working folder in which values files are looked for."""
MOST_FILES = 200
"""Files that are offered at most; a folder with more is not a place to choose from."""
LARGEST = 2_097_152
"""Bytes above which a YAML file is not a values file."""
MOST_TABLES = 100
"""Tables that are described at most, one call each."""
_REPOSITORIES = {"mimir-distributed": "grafana", "cortex": "cortex-helm"}
"""The names under which the charts' own documents add their repositories."""
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
            "namespace-of-ours": namespaces_of_ours,
            "values-of-ours": recognised_files,
            "region-of-ours": regions_of_ours,
            "terraform": terraform_folders,
            "table": tables,
            "deploy-method": deploy_methods,
            "chart": charts,
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


@understood("listing the namespaces")
def namespaces(target: Target) -> tuple[str, ...]:
    """The cluster's namespaces.

    Raises:
        MigrateError: The API server does not answer, or does not let them be listed.
    """
    found = _list(target, "/api/v1/namespaces")
    return tuple(sorted(str(item["metadata"]["name"]) for item in found))


def namespaces_of_ours(target: Target) -> tuple[str, ...]:
    """The namespaces in which pods call themselves Mimir or Cortex; where that cannot be asked, all.

    Raises:
        MigrateError: The API server does not answer, or does not let them be listed.
    """
    selector = {"labelSelector": "app.kubernetes.io/name in (mimir,cortex,enterprise-metrics)"}
    with contextlib.suppress(DeniedError):
        pods = _list(target, "/api/v1/pods", selector)
        if found := sorted({str(item["metadata"]["namespace"]) for item in pods}):
            return tuple(found)
    return tuple(sorted(namespaces(target), key=lambda name: (not _ours(name), name)))


@understood("listing the releases")
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


def recognised_files(target: Target) -> tuple[str, ...]:
    """Those of the values files that are Mimir's or Cortex' when they are read."""
    found = []
    for file in values_files(target):
        with contextlib.suppress(OSError, MigrateError):
            ValuesFiles((SourceFile(path=file, content=Path(file).read_bytes()),))
            found.append(file)
    return tuple(found)


def _named_so(path: Path) -> bool:
    name = path.name.lower()
    return "values" in name or "mimir" in name or "cortex" in name


def _yaml_files(folder: Path, depth: int) -> Iterator[Path]:
    return _files(folder, depth, (".yaml", ".yml"))


def _files(folder: Path, depth: int, ends: tuple[str, ...]) -> Iterator[Path]:
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
                    yield from _files(Path(entry.path), depth - 1, ends)
            elif entry.name.endswith(ends) and entry.stat().st_size <= LARGEST:
                yield Path(entry.path)
        except OSError:
            continue


def terraform_folders(target: Target) -> tuple[str, ...]:
    """Folders below the target's that hold Terraform, those that speak of Mimir, Cortex or tables first."""
    root = Path(target.folder or Path.cwd())
    folders: dict[Path, bool] = {}
    for path in _files(root, DEPTH, (".tf", ".tofu", ".tf.json")):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = path.read_text(encoding="utf-8")
            says = any(word in text for word in ("dynamodb", "mimir", "cortex"))
            folders[path.parent] = folders.get(path.parent, False) or says
    return tuple(
        str(path) for path, _ in sorted(folders.items(), key=lambda one: (not one[1], str(one[0])))
    )


def tables(target: Target) -> tuple[str, ...]:
    """Tables of the region that have a ring table's keys; else a name that a new one could have.

    Raises:
        MigrateError: DynamoDB does not answer, or does not let tables be listed.
    """
    if not (target.aws.region or target.aws.endpoint_url):
        return ()
    client = AwsClients(target.aws).client("dynamodb")
    found = []
    with translated("listing the tables of the region"):
        names = [
            name
            for page in client.get_paginator("list_tables").paginate()
            for name in page["TableNames"]
        ]
        for name in names[:MOST_TABLES]:
            keys = client.describe_table(TableName=name)["Table"]["KeySchema"]
            if [one["AttributeName"] for one in keys] == [HASH_KEY, RANGE_KEY]:
                found.append(str(name))
    own = "-".join(filter(None, (target.kubernetes.namespace, target.kubernetes.release, "rings")))
    return tuple(sorted(found)) or (own,)


def deploy_methods(target: Target) -> tuple[str, ...]:
    """`external` first where a values file is a manifest that somebody else applies, else `helm`."""
    for file in target.values.files:
        with contextlib.suppress(OSError, MigrateError):
            source = SourceFile(path=file, content=Path(file).read_bytes())
            if ValuesFiles((source,)).view.shape.startswith(("flux", "argocd")):
                return (DeployMethod.EXTERNAL, DeployMethod.COMMAND, DeployMethod.HELM)
    return (DeployMethod.HELM, DeployMethod.COMMAND, DeployMethod.EXTERNAL)


def charts(target: Target) -> tuple[str, ...]:
    """The chart of the installed release, in the repository that publishes it.

    Raises:
        MigrateError: The API server does not answer.
    """
    if not (target.kubernetes.namespace and target.kubernetes.release):
        return ()
    api = KubernetesApi.connect(target.kubernetes, connections=1)
    try:
        release = KubernetesCluster(api, target.kubernetes).release()
    finally:
        api.close()
    if release is None or not release.chart:
        return ()
    return (f"{_REPOSITORIES.get(release.chart, 'REPOSITORY')}/{release.chart}",)


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


def regions_of_ours(target: Target) -> tuple[str, ...]:
    """The regions that something here names: the AWS configuration, the context or its API server.

    Raises:
        MigrateError: The AWS configuration or the kubeconfig cannot be read.
    """
    session = _session(target.aws.profile)
    own = [session.region_name] if session.region_name else []
    said = target.kubernetes.context
    with contextlib.suppress(MigrateError):
        api = KubernetesApi.connect(target.kubernetes, connections=1)
        said = f"{said} {api.server}"
        api.close()
    words = set(re.findall(r"[a-z]{2,3}(?:-[a-z]+)+-\d", said))
    known = set(session.get_available_regions("dynamodb"))
    return tuple(dict.fromkeys([*own, *sorted(words & known)]))


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
