"""Which target file a command works on, and whether what was only found may run commands.

`--target` names one; else `$MIMIR_MIGRATE_TARGET` does; else `./target.toml` is found. A file that
was only found may come from anybody (a clone, an archive), and its entries run programs on this
machine: those are shown and have to be accepted once, for this path and these bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mimir_migrate.cli.colours import one_line
from mimir_migrate.errors import BlockedError, DocumentError, UsageError
from mimir_migrate.flags import TARGET_FILE
from mimir_migrate.settings import load_target, state_folder

if TYPE_CHECKING:
    from mimir_migrate.model.target import Target

VARIABLE = "MIMIR_MIGRATE_TARGET"
"""The variable that names a target file where `--target` is left out."""

_TRUSTED = "trusted-targets.txt"
"""In the state folder: a line for each accepted file, its hash and its path."""


def found_file(options: argparse.Namespace) -> tuple[str | None, bool]:
    """The target file of a command, and whether it was only found.

    Raises:
        UsageError: The variable names a file that is not there.
    """
    if options.target is not None:
        return str(options.target), False
    named = os.environ.get(VARIABLE, "")
    if named:
        if not Path(named).expanduser().is_file():
            raise UsageError(
                f"${VARIABLE} names {named}, and there is no such file",
                hint=f"Name another with --target FILE, or unset {VARIABLE}.",
            )
        return named, False
    return (TARGET_FILE, True) if Path(TARGET_FILE).is_file() else (None, False)


def commands_of(target: Target) -> Iterator[tuple[str, str]]:
    """The entries of a target that can run a program on this machine, by name."""
    if target.kubernetes.kubeconfig:
        yield "[kubernetes] kubeconfig", f"{target.kubernetes.kubeconfig} (it may name a plugin)"
    if target.values.render:
        yield "[values] render", target.values.render
    for key in ("command", "template"):
        if line := getattr(target.deploy, key):
            yield f"[deploy] {key}", line
    for key, line in target.hooks.commands.items():
        yield f"[hooks] {key}", line
    if target.deploy.args:
        yield "[deploy] args", " ".join(target.deploy.args)


def refuse_untrusted(path: str, *, trust: bool, is_terminal: bool) -> None:
    """Let a file that was only found run its commands once somebody accepted them.

    Args:
        path: The file.
        trust: Whether it was accepted on the command line.
        is_terminal: Whether somebody can be asked.

    Raises:
        BlockedError: Nobody accepted them.
        DocumentError: The file cannot be read.
    """
    own = load_target(path, {})
    commands = list(commands_of(own))
    if not commands:
        return
    try:
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise DocumentError(
            f"it cannot be read: {error.strerror}",
            path=path,
            hint="Look at the path and its rights.",
        ) from error
    entry = f"{digest} {Path(path).absolute()}"
    record = state_folder() / _TRUSTED
    if entry in _accepted(record):
        return
    shown = "\n".join(f"  {name}: {one_line(line)}" for name, line in commands)
    if not trust:
        said = f"{path} was found here, and its entries run programs on this machine:\n{shown}"
        if not is_terminal:
            raise BlockedError(
                said,
                hint="Name it with --target to use it this time, or accept it with --trust-target; "
                "it is asked again when the file changes. Nothing was run.",
            )
        print(said, file=sys.stderr)
        print("Type yes to accept them for this file as it is:", file=sys.stderr)
        if not _says_yes():
            raise BlockedError(
                "not accepted; nothing was run",
                hint="Name another with --target FILE, or take those entries out of this one.",
            )
    record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with record.open("a", encoding="utf-8") as file:
        file.write(entry + "\n")


def _says_yes() -> bool:
    with contextlib.suppress(EOFError):
        return input("> ").strip().lower() == "yes"
    return False


def _accepted(record: Path) -> frozenset[str]:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return frozenset(record.read_text(encoding="utf-8").splitlines())
    return frozenset()


def refuse_another_place(own: Target, of_what: str, *, names_target: bool = False) -> None:
    """Refuse a plan's or a run's target where a target file that lies here names another place.

    Args:
        own: The plan's or the run's target, which is the one that counts.
        of_what: Whose it is, for example `plan.json` or `the run 20260305-101500-1a2b`.
        names_target: Whether the command takes `--target`, which says which place is meant.

    Raises:
        UsageError: With both.
    """
    path, _ = found_file(argparse.Namespace(target=None))
    if path is None:
        return
    from mimir_migrate.runs.places import differences, named_by

    other = differences(named_by(own), named_by(load_target(path, {})))
    if other:
        raise UsageError(
            f"{of_what} is for another place than {path}: "
            + ", ".join(f"its {one.name} is {one.own!r}, there {one.here!r}" for one in other),
            hint=f"The target of {of_what} is the one that counts, and nothing was changed. Call it from "
            f"another folder, or with {VARIABLE} set to the target file that belongs to it"
            + ("; or name that file with --target." if names_target else "."),
        )
