"""The helm release as helm's own Secret holds it.

`sh.helm.release.v1.<release>.v<N>`, type `helm.sh/release.v1`: `data.release` is the release as JSON,
gzipped, in base64 by helm and once more by the API (helm `pkg/storage/driver/util.go`).
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from mimir_migrate import decoding
from mimir_migrate.errors import UnreachableError
from mimir_migrate.model.facts import Release

SELECTOR = "owner=helm,name={release}"
DEPLOYED = frozenset({"deployed", "superseded"})
"""Statuses of a revision that was deployed in full; helm goes back to no other."""
_GZIP = b"\x1f\x8b"
_LIMIT = 64 * 1_048_576
"""A release is at most 1 MiB compressed; more than this unpacked is not a release."""


class _Metadata(msgspec.Struct):
    name: str = ""
    version: str = ""
    app_version: str = msgspec.field(name="appVersion", default="")


class _Chart(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _Info(msgspec.Struct):
    status: str = ""


class _Release(msgspec.Struct):
    name: str
    info: _Info = msgspec.field(default_factory=_Info)
    chart: _Chart = msgspec.field(default_factory=_Chart)
    config: dict[str, object] | None = None
    version: int = 0


def release_from_secret(secret: Mapping[str, Any]) -> Release:
    """Read the release out of a Secret, as the API answers it.

    Raises:
        UnreachableError: When the Secret does not hold a release; its content is not quoted.
    """
    name = str((secret.get("metadata") or {}).get("name", ""))
    what = f"reading the helm release in Secret {name}"
    encoded = (secret.get("data") or {}).get("release")
    if not isinstance(encoded, str):
        raise UnreachableError(f"{what}: it has no key `release`")
    try:
        packed = base64.b64decode(base64.b64decode(encoded))
        unpacked = packed
        if packed.startswith(_GZIP):
            unpacked = zlib.decompressobj(wbits=31).decompress(packed, _LIMIT)
        release = decoding.decode(unpacked, _Release)
    except (binascii.Error, zlib.error, msgspec.MsgspecError, ValueError) as error:
        raise UnreachableError(
            f"{what}: it is not a release as helm writes it ({type(error).__name__})",
            hint="check it with `helm get metadata`",
        ) from error
    return Release(
        name=release.name,
        chart=release.chart.metadata.name,
        chart_version=release.chart.metadata.version,
        app_version=release.chart.metadata.app_version,
        status=release.info.status,
        revision=release.version,
        values={} if release.config is None else release.config,
    )


def newest_secret(secrets: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The Secret of the highest revision; None when there is none."""
    return max(secrets, key=_revision, default=None)


def over_what(release: Release, secrets: Iterable[Mapping[str, Any]]) -> Release:
    """The release; while it is pending with the newest revision before it that was deployed."""
    if not release.pending:
        return release
    return msgspec.structs.replace(release, over=deployed_before(secrets, release.revision))


def deployed_before(secrets: Iterable[Mapping[str, Any]], revision: int) -> int:
    """The newest revision below one that was deployed, by helm's labels; 0: none is among them."""
    return max(
        (
            _revision(secret)
            for secret in secrets
            if status_of(secret) in DEPLOYED and _revision(secret) < revision
        ),
        default=0,
    )


def status_of(secret: Mapping[str, Any]) -> str:
    """The status of a revision as its Secret's label has it; empty: it has none."""
    return str(((secret.get("metadata") or {}).get("labels") or {}).get("status", ""))


def _revision(secret: Mapping[str, Any]) -> int:
    metadata = secret.get("metadata") or {}
    label = str((metadata.get("labels") or {}).get("version", ""))
    text = label or str(metadata.get("name", "")).rsplit(".v", 1)[-1]
    return int(text) if text.isdigit() else -1
