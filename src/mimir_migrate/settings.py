"""Where to work: target.toml, flags over it, and the folder for journals."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from mimir_migrate import decoding
from mimir_migrate.errors import DocumentError, UsageError
from mimir_migrate.flags import FLAGS
from mimir_migrate.model.target import Target
from mimir_migrate.target_check import mistakes, told, ttl_problem
from mimir_migrate.words import joined

_DESCRIBED = "`mimir-migrate inspect --help` lists every entry with what it is."
_TOML = (
    'An entry is NAME = "VALUE" under a [section], for example namespace = "mimir" under [kubernetes]; '
    "`mimir-migrate init` writes a whole file."
)

_BRIEF = re.compile(r"[;,]")

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
        merged[section] = {**below, **given.get(section, {})}
    if wrong := mistakes(given):
        one = wrong[0]
        flag = next(
            f for f, (section, key, _) in FLAGS.items() if (section, key) == (one.section, one.key)
        )
        raise UsageError(f"--{flag}: {one.what}", hint=_DESCRIBED)
    try:
        target = decoding.convert({**merged, "folder": str(folder)}, Target)
    except msgspec.ValidationError as error:
        raise DocumentError(
            f"this target cannot be used: {decoding.problem(error)}",
            path=path or "the flags",
            hint=_DESCRIBED,
        ) from error
    return _with_absolute_paths(target, folder, given)


def refuse_short_ttl(ttl: str) -> None:
    """Refuse an expiry of items that is not a duration, or shorter than a day; empty: none is asked for.

    Raises:
        UsageError: With what it would do.
    """
    if wrong := ttl_problem(ttl):
        raise UsageError(
            f"[dynamodb] ttl = {wrong}",
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
            hint="`mimir-migrate init` looks around and writes one; or give its entries as flags.",
        ) from error
    try:
        found = tomllib.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DocumentError(
            "it is not UTF-8 text", path=str(file), hint="Save the file as UTF-8."
        ) from error
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).partition(" (at ")
        where = re.match(r"line (\d+), column (\d+)", place)
        raise DocumentError(
            f"not TOML: {what[:1].lower()}{what[1:]}",
            path=str(file),
            line=int(where[1]) if where else 0,
            column=int(where[2]) if where else 0,
            hint=_TOML,
        ) from error
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        raise DocumentError(
            f"not TOML that can be read: {'nested too deeply' if deep else 'a number is too long'}",
            path=str(file),
            hint=_TOML,
        ) from error
    if wrong := mistakes(found, text.decode("utf-8-sig")):
        raise UsageError(told(wrong, str(file)), hint=_DESCRIBED)
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


def lacking(target: Target, *entries: str) -> tuple[str, ...]:
    """Which of some entries a target lacks, by their flags' names."""
    return tuple(
        flag
        for flag in entries
        for section, key, _ in (FLAGS[flag],)
        if not getattr(getattr(target, section), key)
    )


def require(target: Target, *entries: str) -> None:
    """Refuse a target that lacks what a command needs; `entries` are flags' names.

    Raises:
        UsageError: Names every entry that is missing, with its flag.
    """
    if missing := lacking(target, *entries):
        raise UsageError(
            "the target lacks " + joined([entry_words(flag) for flag in missing]),
            hint="Write it into the target file, or give flags: " + flag_words(missing),
        )


def entry_words(flag: str) -> str:
    """An entry of the target file with what it is: `[kubernetes] release (name of the helm release)`."""
    section, key, _ = FLAGS[flag]
    return f"[{section}] {key} ({brief(flag)})"


def brief(flag: str) -> str:
    """What an entry is, in a few words: `name of the helm release`."""
    return _BRIEF.split(FLAGS[flag][2])[0]


def flag_words(flags: Sequence[str]) -> str:
    """Flags as they are typed, each with a place for its value: `--namespace … --release …`."""
    return " ".join(f"--{flag} …" for flag in flags)
