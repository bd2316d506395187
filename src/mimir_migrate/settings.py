"""Where to work: target.toml, flags over it, and the folder for journals."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mimir_migrate import decoding
from mimir_migrate.errors import DocumentError, UsageError
from mimir_migrate.model.target import Target

FLAGS: Mapping[str, tuple[str, str, str]] = {
    "kubeconfig": ("kubernetes", "kubeconfig", "path of the kubeconfig"),
    "context": ("kubernetes", "context", "context in the kubeconfig"),
    "namespace": ("kubernetes", "namespace", "namespace of the release"),
    "release": ("kubernetes", "release", "name of the helm release"),
    "values": ("values", "files", "values file; repeat it in order of precedence, the last wins"),
    "values-root": ("values", "root", "keys down to the chart's values, joined by dots"),
    "values-render": ("values", "render", "command that prints the values as deployed"),
    "terraform": ("terraform", "dir", "folder with the Terraform of tables and permissions"),
    "aws-region": ("aws", "region", "AWS region"),
    "aws-profile": ("aws", "profile", "profile of the AWS configuration"),
    "aws-endpoint-url": ("aws", "endpoint_url", "endpoint of a local DynamoDB"),
    "table": ("dynamodb", "table", "ring table, or one for each ring with {ring} in the name"),
    "puller-sync-time": ("dynamodb", "puller_sync_time", "how often pods read the table"),
    "ttl": ("dynamodb", "ttl", "expiry of items that are not renewed, at least 24h; empty: none"),
    "deploy-method": ("deploy", "method", "helm, command or external"),
    "chart": ("deploy", "chart", "chart that helm deploys"),
    "chart-version": ("deploy", "version", "version of the chart"),
    "deploy-arg": ("deploy", "args", "further argument for helm; repeat it"),
    "deploy-command": ("deploy", "command", "command that deploys $VALUES"),
    "deploy-template": ("deploy", "template", "command that prints the manifests of $VALUES"),
    "deploy-timeout": ("deploy", "timeout", "how long a deploy may take"),
}
"""Each entry of target.toml as a flag: flag → section, key, what it is."""

LISTS = frozenset({"values", "deploy-arg"})
"""Flags that may be repeated."""


STATE = "MIMIR_MIGRATE_STATE"
"""The variable that names the folder for journals."""


def state_folder(environment: Mapping[str, str] | None = None) -> Path:
    """The folder for journals: `$MIMIR_MIGRATE_STATE`, else the user's state folder (XDG)."""
    env = os.environ if environment is None else environment
    if env.get(STATE):
        return Path(env[STATE]).expanduser().absolute()
    base = env.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser().absolute() / "mimir-migrate"


def load_target(path: str | None, flags: Mapping[str, str | list[str] | None]) -> Target:
    """Read target.toml and put the flags over it.

    Paths in the file are relative to the file, paths in flags to the working folder.

    Raises:
        DocumentError: The file cannot be read, is not TOML, or holds an unknown or wrong entry.
        UsageError: A flag has a wrong value.
    """
    sections, folder = _read(path)
    given = _from_flags(flags)
    merged: dict[str, dict[str, object]] = {}
    for section in {*sections, *given}:
        below = sections.get(section, {})
        if not isinstance(below, dict):
            raise DocumentError(f"[{section}] must be a table", path=path or "target.toml")
        merged[section] = {**below, **given.get(section, {})}
    try:
        target = decoding.convert({**merged, "folder": str(folder)}, Target)
    except msgspec.ValidationError as error:
        raise DocumentError(
            f"this target cannot be used: {error}",
            path=path or "the flags",
            hint="`mimir-migrate inspect --help` lists every entry; docs/target.md describes them.",
        ) from error
    return _with_absolute_paths(target, folder, given)


LEAST_TTL = 86_400.0
"""Seconds that an item must at least live on without being renewed: a ring's members must outlive any
stretch in which nobody can write, and DynamoDB deletes expired items within a few days anyway."""


def refuse_short_ttl(ttl: str) -> None:
    """Refuse an expiry of items that is no duration, or shorter than a day; empty: none is asked for.

    Raises:
        UsageError: With what it would do.
    """
    if not ttl:
        return
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", ttl.strip())
    hours, minutes, seconds = (float(part or 0) for part in parts.groups()) if parts else (0, 0, 0)
    if hours * 3600 + minutes * 60 + seconds < LEAST_TTL:
        raise UsageError(
            f"[dynamodb] ttl = {ttl!r} is not a duration of at least 24h",
            hint="Items that expire sooner take living members along when nobody can renew them for "
            "a while. Leave it out (items stay), or write for example 24h or 72h.",
        )


def _read(path: str | None) -> tuple[dict[str, dict[str, object]], Path]:
    if path is None:
        return {}, Path.cwd()
    import tomllib

    file = Path(path).expanduser()
    try:
        text = file.read_bytes()
    except OSError as error:
        raise DocumentError(
            f"the target file cannot be read: {error.strerror}",
            path=str(file),
            hint="Write one (docs/target.md shows it), or give its entries as flags.",
        ) from error
    try:
        found = tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DocumentError(f"not TOML: {error}", path=str(file)) from error
    unknown = set(found) - {field.name for field in msgspec.structs.fields(Target)}
    if unknown:
        raise DocumentError(f"unknown section [{min(unknown)}]", path=str(file))
    return found, file.absolute().parent


def _from_flags(flags: Mapping[str, str | list[str] | None]) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for flag, value in flags.items():
        if value is None or value == []:
            continue
        section, key, _ = FLAGS[flag]
        found.setdefault(section, {})[key] = value
    return found


def _with_absolute_paths(
    target: Target, folder: Path, given: Mapping[str, Mapping[str, object]]
) -> Target:
    def absolute(path: str, section: str, key: str) -> str:
        if not path:
            return ""
        base = Path.cwd() if key in given.get(section, {}) else folder
        return str(base / Path(path).expanduser())

    replace = msgspec.structs.replace
    return replace(
        target,
        kubernetes=replace(
            target.kubernetes,
            kubeconfig=absolute(target.kubernetes.kubeconfig, "kubernetes", "kubeconfig"),
        ),
        values=replace(
            target.values,
            files=tuple(absolute(file, "values", "files") for file in target.values.files),
        ),
        terraform=replace(
            target.terraform, dir=absolute(target.terraform.dir, "terraform", "dir")
        ),
    )


def require(target: Target, *entries: str) -> None:
    """Refuse a target that lacks what a command needs; `entries` are flags' names.

    Raises:
        UsageError: Names every entry that is missing, with its flag.
    """
    missing = []
    for flag in entries:
        section, key, what = FLAGS[flag]
        if not getattr(getattr(target, section), key):
            missing.append(f"[{section}] {key} (--{flag}): {what}")
    if missing:
        raise UsageError(
            "the target does not say: " + "; ".join(missing),
            hint="Give them in target.toml (--target FILE) or as flags.",
        )
