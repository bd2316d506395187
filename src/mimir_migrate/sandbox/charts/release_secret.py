"""The Secret in which helm keeps a release: made, read and changed as helm 4 does.

`sh.helm.release.v1.NAME.vN`, type `helm.sh/release.v1`: the release as JSON, gzipped, in base64, and in
base64 once more as every Secret (helm's `pkg/storage/driver`).
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from mimir_migrate import decoding
from mimir_migrate.sandbox.kubernetes.patches import copied


def release_secret(
    *,
    name: str,
    namespace: str,
    revision: int,
    status: str,
    chart: Mapping[str, Any],
    values: Mapping[str, Any],
    manifest: str,
    at: str,
) -> dict[str, Any]:
    """The Secret of one revision of a release.

    Args:
        name: The release's name.
        namespace: Where it runs.
        revision: 1, 2, …
        status: `pending-upgrade`, `deployed`, `superseded`, `failed`.
        chart: The chart's metadata: `name`, `version`, `appVersion`.
        values: What the user gave.
        manifest: The rendered manifests.
        at: When, RFC 3339.
    """
    release = {
        "name": name,
        "namespace": namespace,
        "version": revision,
        "info": {
            "first_deployed": at,
            "last_deployed": at,
            "description": _description(status, revision),
            "status": status,
        },
        "chart": {"metadata": {"apiVersion": "v2", **chart}, "values": {}, "templates": []},
        "config": dict(values),
        "manifest": manifest,
        "apply_method": "ssa",
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": f"sh.helm.release.v1.{name}.v{revision}",
            "namespace": namespace,
            "labels": {
                **_stamps(status, revision, at),
                "name": name,
                "owner": "helm",
                "status": status,
                "version": str(revision),
            },
        },
        "data": {"release": _pack(release)},
    }


def _seconds(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp())


def _stamps(status: str, revision: int, at: str) -> dict[str, str]:
    """When it was written, as labels: helm drops `createdAt` as soon as it writes a Secret again.

    A further revision begins as a copy of the labels of the one before.
    """
    seconds = str(_seconds(at))
    stamps = {"createdAt": seconds} if status.startswith("pending") else {}
    return stamps if stamps and revision == 1 else {**stamps, "modifiedAt": seconds}


def _description(status: str, revision: int) -> str:
    return (
        "Install complete"
        if (status, revision) == ("deployed", 1)
        else _DESCRIPTIONS.get(status, "")
    )


_DESCRIPTIONS = {
    "deployed": "Upgrade complete",
    "pending-install": "Initial install underway",
    "pending-upgrade": "Preparing upgrade",
    "superseded": "Upgrade complete",
    "failed": "Upgrade failed",
}


def with_status(secret: Mapping[str, Any], status: str) -> dict[str, Any]:
    """The Secret with another status of the release."""
    changed: dict[str, Any] = copied(dict(secret))
    release = unpack(secret)
    revision = int(release["version"])
    release["info"] = {
        **release["info"],
        "status": status,
        **({} if status == "superseded" else {"description": _description(status, revision)}),
    }
    changed["data"] = {**changed["data"], "release": _pack(release)}
    labels = {**changed["metadata"]["labels"], "status": status}
    created = labels.pop("createdAt", None)
    changed["metadata"]["labels"] = {"modifiedAt": created, **labels} if created else labels
    return changed


def next_revision(
    secret: Mapping[str, Any], revision: int, status: str, at: str, description: str = ""
) -> dict[str, Any]:
    """A further revision with the chart, the values and the manifest of one that is there.

    Args:
        secret: The Secret of the revision that it repeats.
        revision: Its number.
        status: `pending-upgrade` of an upgrade that begins, `deployed` of a rollback that is over.
        at: When, RFC 3339.
        description: Helm's words; empty: those of the status.
    """
    release = unpack(secret)
    made = release_secret(
        name=release["name"],
        namespace=release["namespace"],
        revision=revision,
        status=status,
        chart=release["chart"]["metadata"],
        values=release["config"],
        manifest=release["manifest"],
        at=at,
    )
    info = {
        **unpack(made)["info"],
        "first_deployed": release["info"]["first_deployed"],
        "description": description or _description(status, revision),
    }
    made["data"] = {"release": _pack({**release, "version": revision, "info": info})}
    return made


def rolled_back(secrets: Iterable[dict[str, Any]], at: str) -> tuple[dict[str, Any], ...]:
    """The Secrets that `helm rollback` writes over a release that a dead helm left pending.

    A further revision repeats the newest one that was deployed, and those that are deployed are superseded;
    the pending one stays as it is (Helm 4.2.3). Empty: the newest is not pending, or none was ever deployed.
    """
    all_of_them = list(secrets)
    newest = newest_secret(all_of_them)
    good = newest_secret(one for one in all_of_them if _status(one) in {"deployed", "superseded"})
    if newest is None or good is None or _status(newest) != "pending-upgrade":
        return ()
    version = int(good["metadata"]["labels"]["version"])
    revision = int(newest["metadata"]["labels"]["version"]) + 1
    return (
        *(with_status(one, "superseded") for one in all_of_them if _status(one) == "deployed"),
        next_revision(good, revision, "deployed", at, f"Rollback to {version}"),
    )


def _status(secret: Mapping[str, Any]) -> str:
    return str(secret["metadata"]["labels"]["status"])


def newest_secret(secrets: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """The Secret of the newest revision; None: there is none."""
    return max(
        secrets, key=lambda secret: int(secret["metadata"]["labels"]["version"]), default=None
    )


def unpack(secret: Mapping[str, Any]) -> dict[str, Any]:
    """The release that a Secret holds."""
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    return decoding.decode(gzip.decompress(packed), dict[str, Any])


def _pack(release: Mapping[str, Any]) -> str:
    packed = gzip.compress(msgspec.json.encode(release), compresslevel=1, mtime=0)
    return base64.b64encode(base64.b64encode(packed)).decode()
