"""Reads kubeconfigs as kubectl does: which server, how it is trusted, and as whom it is asked.

The rules are those of client-go (`tools/clientcmd`: `loader.go`, `validation.go`, `client_config.go`):
of several files the first one that has a name wins, paths count from the file they stand in, and what
names a user, a cluster or a second identity wrongly is refused and never guessed. No error quotes what
stands in a user's section, and every secret of it is learnt by the redactor as soon as it is read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mimir_migrate.adapters.kubernetes.kubeconfig_entries import (
    CHECK,
    Cluster,
    Section,
    User,
    cluster_from,
    in_cluster,
    user_from,
)
from mimir_migrate.errors import UsageError
from mimir_migrate.model.target import KubernetesTarget

VARIABLE = "KUBECONFIG"
DEFAULT = "~/.kube/config"
_LARGEST = 8_388_608
"""Bytes above which a file is not a kubeconfig."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Where to ask, and as whom."""

    name: str
    cluster: Cluster
    user: User


class _Merged(msgspec.Struct, kw_only=True):
    """What several kubeconfigs say together; each named entry with the file it stands in."""

    where: str
    current: str = ""
    contexts: dict[str, tuple[Any, Path]] = msgspec.field(default_factory=dict)
    clusters: dict[str, tuple[Any, Path]] = msgspec.field(default_factory=dict)
    users: dict[str, tuple[Any, Path]] = msgspec.field(default_factory=dict)


def read_context(target: KubernetesTarget) -> Context:
    """The context that a target names, or the current one; inside a cluster without a kubeconfig, that.

    Raises:
        UsageError: There is no kubeconfig, it cannot be read, it lacks what the context names, or it
            says something that kubectl refuses.
    """
    paths = _paths(target.kubeconfig)
    if not paths and not target.context:
        inside = in_cluster(os.environ)
        if inside is not None:
            return Context(name="(this pod's own)", cluster=inside[0], user=inside[1])
    merged = _merge(paths, target.kubeconfig)
    name = target.context or merged.current
    if not name:
        raise UsageError(
            f"reading {merged.where}: it says no current-context, and none was named",
            hint="name one of its contexts in [kubernetes] context or --context: "
            + _listed(merged.contexts),
        )
    what = f"reading {merged.where} with the context {name}"
    if name not in merged.contexts:
        raise UsageError(
            f"{what}: there is no such context", hint="its contexts: " + _listed(merged.contexts)
        )
    raw, path = merged.contexts[name]
    context = Section(raw, f"{what}: the context", path)
    cluster = context.text("cluster")
    if cluster not in merged.clusters:
        raise UsageError(
            f"{what}: there is no cluster {cluster!r}",
            hint="its clusters: " + _listed(merged.clusters),
        )
    user = context.text("user")
    if user and user not in merged.users:
        raise UsageError(
            f"{what}: there is no user {user!r}", hint="its users: " + _listed(merged.users)
        )
    found = merged.users.get(user, ({}, path))
    return Context(
        name=name,
        cluster=cluster_from(Section(*_with(merged.clusters[cluster], f"{what}: the cluster"))),
        user=user_from(Section(*_with(found, f"{what}: the user")), user),
    )


def context_names(kubeconfig: str) -> tuple[tuple[str, ...], str]:
    """The names of all contexts, and that of the current one (empty: there is none).

    Raises:
        UsageError: There is no kubeconfig, or it cannot be read.
    """
    merged = _merge(_paths(kubeconfig), kubeconfig)
    return tuple(merged.contexts), merged.current


def _with(entry: tuple[Any, Path], what: str) -> tuple[Any, str, Path]:
    return entry[0], what, entry[1]


def _listed(named: Mapping[str, object]) -> str:
    return ", ".join(sorted(named)) or "none"


def _paths(named: str) -> tuple[Path, ...]:
    """The files to read, in order; those of `$KUBECONFIG` that are not there are left out."""
    if named:
        whole = Path(named).expanduser()
        several = [Path(one).expanduser() for one in named.split(os.pathsep) if one]
        return (whole,) if whole.exists() or len(several) == 1 else tuple(several)
    listed = os.environ.get(VARIABLE, "") or DEFAULT
    found = (Path(one).expanduser() for one in listed.split(os.pathsep) if one)
    return tuple(path for path in dict.fromkeys(found) if path.exists())


def _merge(paths: Sequence[Path], named: str) -> _Merged:
    where = named or os.environ.get(VARIABLE, "") or DEFAULT
    if not paths:
        raise UsageError(
            f"there is no kubeconfig at {where}",
            hint="name one in [kubernetes] kubeconfig or --kubeconfig, or in $KUBECONFIG",
        )
    merged = _Merged(where=where)
    for path in paths:
        content = _load(path)
        whole = Section(content, f"reading {path}", path)
        merged.current = merged.current or whole.text("current-context")
        for kind, entry, into in (
            ("contexts", "context", merged.contexts),
            ("clusters", "cluster", merged.clusters),
            ("users", "user", merged.users),
        ):
            for number, one in enumerate(whole.list(kind)):
                item = Section(one, f"reading {path}: {kind}[{number}]", path)
                name = item.text("name")
                if not name:
                    raise UsageError(f"{item.what}: it has no name", hint=CHECK)
                into.setdefault(name, (item.get(entry) or {}, path))
    return merged


def _load(path: Path) -> Any:
    import yaml

    what = f"reading the kubeconfig {path}"
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(
            f"{what}: {error.strerror}",
            hint="name an existing kubeconfig in [kubernetes] kubeconfig or --kubeconfig",
        ) from error
    if len(content) > _LARGEST:
        raise UsageError(f"{what}: it is larger than 8 MiB", hint=CHECK)
    try:
        return yaml.safe_load(content) or {}
    except yaml.MarkedYAMLError as error:
        # The library quotes the line, which may hold a token.
        mark = error.problem_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UsageError(f"{what}: it is not YAML{place}", hint=CHECK) from None
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        raise UsageError(f"{what}: it is not YAML", hint=CHECK) from None
