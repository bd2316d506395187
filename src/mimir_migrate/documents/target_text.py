"""A target as the text of a target file, with a comment for every entry."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from mimir_migrate.flags import FLAGS
from mimir_migrate.model.target import Target

HEAD = """\
# Where mimir-migrate works: which cluster, release, files and table, and how a change gets deployed.
# Paths are relative to this file. Most entries are flags too, and a flag wins. `inspect --help` lists them.
"""
_ABOUT = {
    "kubernetes": "The cluster and the helm release in it.",
    "values": "The values files that are edited, in order of precedence; the last wins.",
    "terraform": "The folder that makes tables and permissions; left out: tables are made through the API.",
    "aws": "Where DynamoDB is; left out: what the AWS configuration of this machine says.",
    "dynamodb": "The ring table, or one for each ring: {ring} stands for the ring's name.",
    "bridge": 'The ring bridge, for through = "bridge" (experimental, docs/bridge.md): plan --to dynamodb+memberlist. It has no flags.',
    "hooks": "Commands that run beside a run; they have no flags.",
    "journal": "Whether a run's journal is kept in the cluster as well; it has no flag.",
    "deploy": "How a change of the values reaches the cluster: helm, command, or external (somebody else).",
}
_MORE = {
    "dynamodb": {
        "through": "client: the pods' own; bridge: stock Mimir's Consul client and the ring bridge"
    }
}
"""Entries without flags of sections whose others have them."""
_BESIDE = {
    "bridge": {
        "service": "host name of its Service as pods resolve it, e.g. ring-bridge.mimir.svc",
        "port": "its port",
        "tls": "whether it serves TLS",
        "token_variable": "variable of Mimir's pods that a Secret fills with the token",
        "heartbeat_timeout": "what rings are set to that wait less than 4m for heartbeats",
    },
    "hooks": {
        "gate_wait": "when a step begins, before its change",
        "approval": "when a step asks for an approval",
        "step_done": "when a step is through",
        "failure": "when the run is held, or something failed",
        "end": "when the runner ends",
        "timeout": "how long each may take",
        "on_failure": "ignore, or hold: one that fails holds the run before its next change",
    },
    "journal": {"copy": "none, or cluster: in Secrets beside the release, for another machine"},
}
"""Sections whose entries have no flags."""
_PATHS = {("kubernetes", "kubeconfig"), ("values", "files"), ("terraform", "dir")}


def target_text(
    target: Target, *, folder: str, notes: Mapping[tuple[str, str], str] | None = None
) -> str:
    """The text of a target file.

    Args:
        target: What it says; entries that are empty or at their default stand in it as comments.
        folder: The folder that the file is for; paths below it are written relative to it.
        notes: Section and key → a comment for that entry, such as what was found and not taken.

    Returns:
        TOML with a trailing line break.
    """
    said = notes or {}
    usual = Target()
    lines = [HEAD]
    section = ""
    for of, key, what in FLAGS.values():
        if of != section:
            section = of
            lines += [f"# {_ABOUT[section]}", f"[{section}]"]
        value = getattr(getattr(target, section), key)
        if (section, key) in _PATHS:
            value = _relative(value, folder)
        if note := said.get((section, key)):
            lines += [f"# {line}" for line in note.splitlines()]
        written = f"{key} = {_toml(value)}"
        if not value or value == getattr(getattr(usual, section), key):
            written = f"# {written}"
        lines.append(f"{written:<48}  # {what}")
        if (section, key) == _LAST[section]:
            lines += _beside(target, section, _MORE.get(section, {}))
            lines.append("")
    for section, entries in _BESIDE.items():
        lines += [f"# {_ABOUT[section]}", f"[{section}]", *_beside(target, section, entries), ""]
    if not target.scale.is_true:
        lines += [
            "# A sandbox: durations and costs are shown times its speed, and nothing waits by it.",
            "[simulation]",
            f"speed = {target.simulation.speed:g}",
        ]
    return "\n".join(lines).rstrip() + "\n"


def _beside(target: Target, section: str, entries: Mapping[str, str]) -> list[str]:
    lines = []
    for key, what in entries.items():
        value = getattr(getattr(target, section), key)
        written = f"{key} = {_toml(value)}"
        if value == getattr(getattr(Target(), section), key):
            written = f"# {written}"
        lines.append(f"{written:<48}  # {what}")
    return lines


def _last_keys() -> dict[str, tuple[str, str]]:
    return {section: (section, key) for section, key, _ in FLAGS.values()}


_LAST = _last_keys()


def _relative(value: str | tuple[str, ...], folder: str) -> str | tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(str(_relative(one, folder)) for one in value)
    if value and Path(value).is_absolute() and Path(value).is_relative_to(folder):
        return os.path.relpath(value, folder)
    return value


def _toml(value: object) -> str:
    """A text or a list of texts; TOML's basic strings take every escape of JSON's."""
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = value.value if isinstance(value, StrEnum) else str(value)
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
