"""What a command about a cluster has to be told, and the one message that names all of it that is missing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mimir_migrate.cli.found_target import found_file
from mimir_migrate.cli.options import target_from
from mimir_migrate.errors import DocumentError, MigrateError, UsageError
from mimir_migrate.flags import TARGET_FILE
from mimir_migrate.settings import brief, entry_words, flag_words, lacking
from mimir_migrate.words import joined

if TYPE_CHECKING:
    from mimir_migrate.model.target import Target

_MOST_STEPS = 2
"""Next steps that are said at once: the rest is said when those are done."""


class Lack(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is missing."""

    said: str
    """As a sentence that begins small and may lack its full stop."""
    step: str
    """What to do, as such a sentence."""


def cluster_target(
    options: argparse.Namespace, *entries: str, besides: Sequence[Lack] = ()
) -> Target:
    """The target of a command that looks at a cluster.

    Args:
        options: The command's options.
        entries: What it needs beside the namespace and the release, by the flags' names.
        besides: What the command line lacks.

    Raises:
        MigrateError: As `target_from`; or something is missing: then all that is, the kubeconfig first.
    """
    try:
        target = target_from(options)
    except (UsageError, DocumentError) as error:
        if not besides:
            raise
        wrong = Lack(said=error.message, step=error.hint)
        raise _refused((wrong, *besides)) from error
    wanted = ("namespace", "release", *entries)
    found = (*_entries(options, target, wanted), *_files(target, wanted), *besides)
    if found:
        raise _refused((*_kubeconfig(target), *found))
    return target


def refuse_lacking(options: argparse.Namespace, target: Target, *entries: str) -> None:
    """Refuse a target that lacks entries; where there is a target file, they are to be written there.

    Raises:
        UsageError: With all of them.
    """
    if found := tuple(_entries(options, target, entries)):
        raise _refused(found)


def _entries(options: argparse.Namespace, target: Target, wanted: Sequence[str]) -> Iterator[Lack]:
    missing = lacking(target, *wanted)
    if not missing:
        return
    path, _ = found_file(options)
    if path is not None:
        yield Lack(
            said=f"the target file {path} lacks {joined([entry_words(flag) for flag in missing])}",
            step=f"write that into {path}, or give {flag_words(missing)}",
        )
        return
    named = joined([f"the {brief(flag)} (--{flag})" for flag in missing], "or")
    yield Lack(
        said=f"there is no target file here, and no flag gives {named}",
        step=f"`mimir-migrate init` looks around and writes {TARGET_FILE}; or give {flag_words(missing)}",
    )


def _files(target: Target, wanted: Sequence[str]) -> Iterator[Lack]:
    from mimir_migrate.adapters.given_files import next_step

    for file in target.values.files if "values" in wanted else ():
        try:
            Path(file).stat()
        except OSError as error:
            yield Lack(
                said=f"the values file {_shown(file)} cannot be read: {str(error.strerror).lower()}",
                step=next_step(error),
            )


def _shown(file: str) -> str:
    """A path as it would be typed here."""
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _kubeconfig(target: Target) -> Iterator[Lack]:
    from mimir_migrate.adapters.kubernetes.kubeconfig import read_context

    try:
        read_context(target.kubernetes)
    except MigrateError as error:
        yield Lack(said=error.message, step=error.hint)


def _refused(found: Sequence[Lack]) -> UsageError:
    """The refusal, with a sentence for each."""
    first, *others = (one.said for one in found)
    between = "\n" if any("\n" in one.said for one in found) else " "
    said = between.join([_ended(first), *(_ended(_begun(one)) for one in others)])
    steps = [_ended(one.step) for one in found if one.step][:_MOST_STEPS]
    hint = "".join([*map(_begun, steps[:1]), *map(_next, steps[1:])])
    return UsageError(said if others else first, hint=hint)


def _next(step: str) -> str:
    """A second step; what is a whole sentence, such as a question, stays one."""
    return f" {step}" if step[:1].isupper() else f" Then {step}"


def _begun(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."
