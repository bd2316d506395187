"""Options that several commands read the same way."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mimir_migrate.cli.colours import folded
from mimir_migrate.cli.found_target import VARIABLE, found_file, refuse_untrusted
from mimir_migrate.cli.last_line import LAST_LINE
from mimir_migrate.errors import UsageError
from mimir_migrate.flags import FLAGS
from mimir_migrate.model.plan import SCHEMA
from mimir_migrate.model.target import Target
from mimir_migrate.settings import load_target

if TYPE_CHECKING:
    from mimir_migrate.adapters.redaction import Redactor
    from mimir_migrate.model.findings import Finding


def target_from(options: argparse.Namespace) -> Target:
    """The target that the options describe: a target file, with the flags over it.

    Raises:
        MigrateError: The file or a flag is wrong, or a file that was only found was not accepted.
    """
    path, only_found = found_file(options)
    if path is not None and only_found:
        refuse_untrusted(
            path, trust=getattr(options, "trust_target", False), is_terminal=is_terminal()
        )
    flags = {flag: getattr(options, f"target_{flag}", None) for flag in FLAGS}
    if path is not None and options.target is None and not getattr(options, "target_told", False):
        options.target_told = True  # some commands read it twice
        narrate(f"target: {path}" + ("" if only_found else f" (${VARIABLE})"))
    return load_target(path, flags)


def rings_from(options: argparse.Namespace) -> tuple[str, ...]:
    """The rings named, each once; empty for all.

    Raises:
        UsageError: Something is named, and no ring, or one that neither product has.
    """
    if options.rings in {"", "all"}:
        return ()
    named = (name.strip() for name in options.rings.split(","))
    found = tuple(dict.fromkeys(name for name in named if name))
    if not found:
        raise UsageError(
            f"--rings {options.rings!r} names no ring",
            hint="Write all, or names joined by commas, e.g. ingester,ruler.",
        )
    _refuse_unknown(found)
    return found


def _refuse_unknown(names: Sequence[str]) -> None:
    """Refuse what is a ring of neither product before a file is read or a cluster is asked."""
    from mimir_migrate.model.rings import Product, ring_named, unknown_ring

    for name in names:
        if not any(ring_named(product, name) for product in Product):
            raise unknown_ring(name)


def _redactor() -> Redactor:
    from mimir_migrate.adapters.redaction import Redactor

    return Redactor(os.environ)


def print_json(document: dict[str, Any]) -> None:
    """One versioned JSON document on stdout."""
    import msgspec

    plain = msgspec.to_builtins({"schema": SCHEMA, **document}, enc_hook=str)
    body = msgspec.json.encode(_redactor().data(plain))
    print(msgspec.json.format(body, indent=2).decode())


def print_findings(findings: Sequence[Finding]) -> None:
    """Print findings, one after the other."""
    clean = _redactor().text
    for finding in findings:
        print(clean(f"{finding.severity.value.upper()} [{finding.id}] {finding.title}"))
        for evidence in finding.evidence:
            print(clean(f"    {evidence.source}: {evidence.detail}"))
        if finding.fix:
            print(clean(f"    -> {finding.fix}"))


def narrate(text: str, *, under: int | None = None) -> None:
    """One line on stderr; where nobody is there to read it any more, what goes on goes on without it.

    Args:
        text: What is said.
        under: Where the rest of a line begins that is longer than the terminal is wide, see `folded`.
    """
    with contextlib.suppress(OSError), LAST_LINE.aside():
        print(folded(text, sys.stderr, under=under), file=sys.stderr, flush=True)


def is_terminal() -> bool:
    """Whether a person can answer questions here."""
    return sys.stdin.isatty() and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def needs_ascii(environment: Mapping[str, str]) -> bool:
    """Whether the locale says that the terminal has no more than ASCII or one of the old code pages.

    A locale that is not set says nothing: on many machines it is left out though the terminal is UTF-8.
    """
    locale = next(
        (value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environment.get(name))), ""
    )
    return bool(locale) and "utf" not in locale.lower()
