"""The deploy command of a sandbox's target: brings values to its cluster as helm would.

    python -m mimir_migrate.sandbox.deploy --dir DIR [--template]

The values files are those that `$VALUES` names (`$VALUES_1`, … where there are several), else the
sandbox's own. It renders the chart, writes the release's Secret, creates, patches and deletes over HTTP,
and returns before the rollout is over. It is safe to repeat: unlike helm it goes on over a release that
an interrupted deploy left pending. With `--template` it prints the manifests and touches nothing.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec
import yaml

from mimir_migrate import decoding
from mimir_migrate.errors import CommandError, DocumentError, ExitCode, MigrateError
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.charts.helm import chart_facts, render_with_helm
from mimir_migrate.sandbox.charts.manifests import Release, dump
from mimir_migrate.sandbox.charts.release_secret import (
    newest_secret,
    release_secret,
    unpack,
    with_status,
)
from mimir_migrate.sandbox.charts.rendering import merged, release_of, render
from mimir_migrate.sandbox.files import SandboxFile, read_sandbox
from mimir_migrate.sandbox.kubernetes.patches import merge_patch

_T = TypeVar("_T")
_AGENT: Final = "Helm/3.19.0 (mimir-migrate sandbox)"
_KEPT: Final = 10
"""Revisions that helm keeps, `--history-max`."""
_REMEMBERED: Final = 32
"""A process that deploys again and again renders and parses the last ones only once."""
_PATHS: Final[Mapping[str, str]] = {
    "ConfigMap": "api/v1/namespaces/{ns}/configmaps",
    "Secret": "api/v1/namespaces/{ns}/secrets",
    "Service": "api/v1/namespaces/{ns}/services",
    "ServiceAccount": "api/v1/namespaces/{ns}/serviceaccounts",
    "PodDisruptionBudget": "apis/policy/v1/namespaces/{ns}/poddisruptionbudgets",
    "StatefulSet": "apis/apps/v1/namespaces/{ns}/statefulsets",
    "Deployment": "apis/apps/v1/namespaces/{ns}/deployments",
}


class Api(Protocol):
    """An API server, as far as a deploy needs one."""

    def call(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """One request, the path with its query; returns the status and the answer."""


class HttpApi:
    """The sandbox's API server, over HTTP."""

    def __init__(self, sandbox: SandboxFile) -> None:
        self._sandbox = sandbox

    def call(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """One request; returns the status and the answer.

        Raises:
            CommandError: The server did not answer.
        """
        return self._call(method, path, body, dict[str, Any])

    def call_list(self, method: str, path: str) -> tuple[int, list[dict[str, Any]]]:
        """One request whose answer is a list."""
        return self._call(method, path, None, list[dict[str, Any]])

    def _call(self, method: str, path: str, body: object, kind: type[_T]) -> tuple[int, _T]:
        connection = http.client.HTTPConnection("127.0.0.1", self._sandbox.port, timeout=30)
        patch = method == "PATCH"
        headers = {
            "Authorization": f"Bearer {self._sandbox.token}",
            "User-Agent": _AGENT,
            "Content-Type": "application/merge-patch+json" if patch else "application/json",
        }
        payload = None if body is None else msgspec.json.encode(body)
        try:
            connection.request(method, f"/{path}", body=payload, headers=headers)
            answer = connection.getresponse()
            return answer.status, decoding.decode(answer.read(), kind)
        except (OSError, http.client.HTTPException, msgspec.MsgspecError) as error:
            raise CommandError(
                f"{method} {path}: the sandbox's API server gave no answer ({error})",
                returncode=1,
                hint="`mimir-migrate sandbox up` starts it.",
            ) from error
        finally:
            connection.close()


class Deployment:
    """One upgrade of the release.

    Args:
        sandbox: Where to.
        files: Values files, path and content.
        api: The API server.
    """

    def __init__(self, sandbox: SandboxFile, files: Sequence[tuple[str, bytes]], api: Api) -> None:
        self._api = api
        self._sandbox = sandbox
        self._release = _release(sandbox)
        self._values = merged(sandbox.product, files)
        self.manifests, self._text = _rendered(
            sandbox.product, tuple(files), self._release, sandbox.chart
        )
        self._secrets = f"api/v1/namespaces/{sandbox.namespace}/secrets"

    def run(self) -> int:
        """Deploy; returns the revision.

        Raises:
            CommandError: The API server refused something; the revision is marked failed.
        """
        selector = f"labelSelector=owner%3Dhelm%2Cname%3D{self._sandbox.release}"
        earlier = self._must("GET", f"{self._secrets}?{selector}")["items"]
        last = newest_secret(earlier)
        before = _documents(unpack(last)["manifest"]) if last else ()
        revision = int(last["metadata"]["labels"]["version"]) + 1 if last else 1
        secret = self._secret(revision, "pending-upgrade" if last else "pending-install")
        self._must("POST", self._secrets, secret)
        try:
            self._apply(before)
        except CommandError:
            self._mark(secret, "failed")
            raise
        for old in earlier:
            if old["metadata"]["labels"]["status"] == "deployed":
                self._mark(old, "superseded")
        self._mark(secret, "deployed")
        for old in sorted(earlier, key=_version)[: max(0, len(earlier) + 1 - _KEPT)]:
            self._must("DELETE", f"{self._secrets}/{old['metadata']['name']}")
        return revision

    def _must(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """One request that has to succeed."""
        status, answer = self._api.call(method, path, body)
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            said = answer.get("message", "")
            raise CommandError(f"{method} {path}: {status} {said}", returncode=1)
        return answer

    def _apply(self, before: Sequence[dict[str, Any]]) -> None:
        known = {_identity(one): one for one in before}
        for manifest in self.manifests:
            self._put(manifest, known.pop(_identity(manifest), None))
        for kind, name in known:
            self._api.call("DELETE", f"{self._path(kind)}/{name}")

    def _put(self, manifest: dict[str, Any], before: dict[str, Any] | None) -> None:
        """Create an object, or bring it from what the last revision said to what this one says."""
        path, name = self._path(manifest["kind"]), manifest["metadata"]["name"]
        status, live = self._api.call("GET", f"{path}/{name}")
        if status == HTTPStatus.NOT_FOUND:
            self._must("POST", path, manifest)
            return
        patch = {**manifest}
        if before is not None:
            patch = _with_removals(before, manifest)
        if merge_patch(live, patch) != live:
            self._must("PATCH", f"{path}/{name}", patch)

    def _path(self, kind: str) -> str:
        if kind not in _PATHS:
            raise CommandError(
                f"the sandbox cannot deploy objects of the kind {kind}", returncode=1
            )
        return _PATHS[kind].format(ns=self._sandbox.namespace)

    def _secret(self, revision: int, status: str) -> dict[str, Any]:
        release = self._release
        return release_secret(
            name=release.name,
            namespace=release.namespace,
            revision=revision,
            status=status,
            chart={
                "name": release.chart,
                "version": release.chart_version,
                "appVersion": release.app_version,
            },
            values=self._values,
            manifest=self._text,
            at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )

    def _mark(self, secret: Mapping[str, Any], status: str) -> None:
        changed = with_status(secret, status)
        name = changed["metadata"]["name"]
        labels = {"createdAt": None, **changed["metadata"]["labels"]}
        patch = {"metadata": {"labels": labels}, "data": changed["data"]}
        self._api.call("PATCH", f"{self._secrets}/{name}", patch)


def _release(sandbox: SandboxFile) -> Release:
    release = release_of(
        sandbox.product,
        name=sandbox.release,
        namespace=sandbox.namespace,
        app_version=sandbox.app_version,
        speed=sandbox.speed,
    )
    if not sandbox.chart:
        return release
    facts = chart_facts(sandbox.chart)
    return msgspec.structs.replace(
        release,
        chart=facts.name,
        chart_version=facts.version,
        app_version=facts.app_version or release.app_version,
    )


@lru_cache(maxsize=_REMEMBERED)
def _rendered(
    product: Product, files: tuple[tuple[str, bytes], ...], release: Release, chart: str
) -> tuple[tuple[dict[str, Any], ...], str]:
    """The manifests, and their text as the release's Secret keeps it; nobody changes them."""
    manifests = tuple(
        _with_data(_without_nulls(manifest))
        for manifest in _manifests(product, files, release, chart)
        if not is_hook(manifest)
    )
    return manifests, "".join(f"---\n{dump(manifest)}" for manifest in manifests)


def _manifests(
    product: Product, files: Sequence[tuple[str, bytes]], release: Release, chart: str
) -> Sequence[dict[str, Any]]:
    """What the values render to: by Helm and the real chart where one is named."""
    if not chart:
        return render(product, files, release)
    values = merged(product, files)
    found = render_with_helm(
        chart, values, name=release.name, namespace=release.namespace, kinds=_PATHS
    )
    return found.manifests


def _with_removals(before: Any, after: Any) -> Any:
    """`after` as a merge patch that also takes away what only `before` says."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    patch = {key: _with_removals(before.get(key), value) for key, value in after.items()}
    return patch | {key: None for key in before if key not in after}


def is_hook(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest is for an occasion of its own (`helm test`), so that an upgrade passes it by."""
    return "helm.sh/hook" in (manifest["metadata"].get("annotations") or {})


def _without_nulls(value: Any) -> Any:
    """A manifest as the API server would keep it: a null is not a value."""
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    return value


def _with_data(manifest: dict[str, Any]) -> dict[str, Any]:
    """A Secret's `stringData` as `data`, as it comes back from the server."""
    given = manifest.get("stringData")
    if not given:
        return manifest
    rest = {key: value for key, value in manifest.items() if key != "stringData"}
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in given.items()}
    return {**rest, "data": {**(rest.get("data") or {}), **encoded}}


@lru_cache(maxsize=_REMEMBERED)
def _documents(text: str) -> tuple[dict[str, Any], ...]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return tuple(one for one in yaml.load_all(text, Loader=loader) if one)


def _identity(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def _version(secret: Mapping[str, Any]) -> int:
    return int(secret["metadata"]["labels"]["version"])


def values_files(folder: Path, sandbox: SandboxFile) -> list[tuple[str, bytes]]:
    """The values files that the environment names, else the sandbox's own; path and content.

    Raises:
        DocumentError: One of them cannot be read.
    """
    found = []
    for path in [*_from_environment()] or [str(folder / name) for name in sandbox.values]:
        try:
            found.append((path, Path(path).read_bytes()))
        except OSError as error:
            raise DocumentError(
                f"cannot be read: {error.strerror}",
                path=path,
                hint="Look at the path and its rights.",
            ) from error
    return found


def _from_environment() -> Iterator[str]:
    number = 1
    while path := os.environ.get(f"VALUES_{number}"):
        yield path
        number += 1
    if number == 1:
        yield from os.environ.get("VALUES", "").split()


def main() -> int:
    """Deploy, or print the manifests."""
    parser = argparse.ArgumentParser(prog="deploy", description="deploy $VALUES to a sandbox")
    parser.add_argument("--dir", required=True, metavar="DIR", help="the sandbox's folder")
    parser.add_argument("--template", action="store_true", help="print the manifests only")
    options = parser.parse_args()
    try:
        sandbox = read_sandbox(options.dir)
        files = values_files(Path(options.dir), sandbox)
        if options.template:
            release = _release(sandbox)
            for manifest in _manifests(sandbox.product, files, release, sandbox.chart):
                print(f"---\n{dump(manifest)}", end="")
            return ExitCode.DONE
        revision = Deployment(sandbox, files, HttpApi(sandbox)).run()
    except MigrateError as error:
        print(f"Error: UPGRADE FAILED: {error.message}", file=sys.stderr)
        if error.hint:
            print(error.hint, file=sys.stderr)
        return int(error.exit_code)
    print(f'Release "{sandbox.release}" has been upgraded. REVISION: {revision}')
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
