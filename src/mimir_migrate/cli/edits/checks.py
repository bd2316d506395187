"""What `edit` looks at before it writes: the settings that it was given, and what can run the result."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from mimir_migrate.cli.options import narrate
from mimir_migrate.errors import BlockedError, UsageError
from mimir_migrate.settings import refuse_short_ttl
from mimir_migrate.target_check import duration_problem, region_problem, table_problem

if TYPE_CHECKING:
    from mimir_migrate.documents.config.keys import KnownKeys
    from mimir_migrate.documents.values.files import ValuesFiles
    from mimir_migrate.model.rings import Product

_TEMPLATE = re.compile(r"\$\{[^}]*\}|\{\{.*?\}\}")
_SHORTEST_TABLE = 3
"""Characters of a table's name in DynamoDB (CreateTable)."""

_SHOWN = 6
"""Keys that are enough to know a file by."""


def refuse_bad_settings(options: argparse.Namespace) -> None:
    """Refuse a region, a table or a duration that no product would take, before anything is written.

    A placeholder of somebody's template is left to them.

    Raises:
        UsageError: With what is wrong.
    """
    refuse_short_ttl(options.ttl)
    table = options.table
    if 0 < len(table) < _SHORTEST_TABLE and not _TEMPLATE.search(table):
        narrate(f"note: DynamoDB takes table names of {_SHORTEST_TABLE} to 255 characters")
        table = table.ljust(_SHORTEST_TABLE, "x")
    checks = (
        ("--table", table, table_problem),
        ("--region", options.region, region_problem),
        ("--puller-sync-time", options.puller_sync_time, duration_problem),
    )
    for flag, value, problem in checks:
        if value and not _TEMPLATE.search(value) and (wrong := problem(value)):
            raise UsageError(f"{flag}: {wrong}", hint="Nothing was written.")


def warn_of_foreign(files: ValuesFiles) -> None:
    """Say what files hold of which only somebody's word makes them the chart's values."""
    for path, names in files.foreign:
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        narrate(
            f"warning: {path} holds {shown}, and nothing of the chart's: see that it is the release's values "
            "file"
        )


def refuse_or_warn_of_binary(after: ValuesFiles, options: argparse.Namespace) -> None:
    """Say whether a binary can run the edited files: by its page, else by what is known of releases.

    Args:
        after: The files after the edit.
        options: The command's options; `defaults` names a saved page of the binary.

    Raises:
        BlockedError: The page has no DynamoDB store for a ring that is to use it.
        DocumentError: The page cannot be read.
    """
    from mimir_migrate.model.rings import Product

    if options.to == "memberlist" or options.through:
        return  # every Mimir has a Consul client
    if options.defaults:
        _refuse_missing_store(after, options)
    elif after.product is Product.MIMIR:
        names = " ".join(options.values)
        narrate(
            "warning: no known release of Mimir can run this, because it has no DynamoDB client for "
            "its rings; see what your binary has: "
            f"mimir-migrate edit {names} --check --defaults FILE"
        )


def _refuse_missing_store(after: ValuesFiles, options: argparse.Namespace) -> None:
    from mimir_migrate.documents.values.check import unknown_keys

    unknown = unknown_keys(after, saved_defaults(options.defaults, after.product))
    missing = [each for each in unknown if ".kvstore.dynamodb" in f".{each.dotted}."]
    if missing:
        raise BlockedError(
            f"the binary of {options.defaults} has no store dynamodb: {missing[0].dotted} is not one "
            "of its keys",
            hint="Deploy a build with a DynamoDB client first; nothing was written.",
        )


def saved_defaults(path: str, product: Product) -> KnownKeys:
    """The keys of a binary, from a saved `/config?mode=defaults` page."""
    from mimir_migrate.adapters.files import DiskFiles
    from mimir_migrate.documents.config.keys import known_from_defaults

    return known_from_defaults(
        DiskFiles().read(path).decode("utf-8", "replace"), product=product, path=path
    )
