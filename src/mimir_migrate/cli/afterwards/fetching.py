"""Before a command about a run: look whether the cluster has a copy of one that was begun elsewhere."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mimir_migrate.cli.found_target import found_file
from mimir_migrate.cli.options import narrate, target_from
from mimir_migrate.errors import MigrateError, UsageError
from mimir_migrate.words import counted

if TYPE_CHECKING:
    from mimir_migrate.model.plan import Plan
    from mimir_migrate.operations import Operations


def fetch_copy(work: Operations, options: argparse.Namespace) -> None:
    """Take in the run that the cluster has a copy of, where the target says that copies are kept.

    A run that this machine began itself is never read from there; where the cluster does not answer,
    what this machine knows stands.
    """
    path, _ = found_file(options)
    if path is None and not getattr(options, "target_namespace", None):
        return
    target = target_from(options)
    if not target.journal.in_cluster or _is_own(work, options.run):
        return
    try:
        found = work.fetch(target)
    except MigrateError as error:
        narrate(f"note: the run's copy in the cluster was not read: {error.message}")
        return
    if found is None or not work.is_only_copied(found.run):
        return
    from mimir_migrate.durations import spoken

    age = spoken(max(0.0, work.clock.now() - found.last_at))
    lost = f", {found.left_out} of them without their words" if found.left_out else ""
    narrate(
        f"the run {found.run} is read from its copy in the cluster, which {found.by} wrote: "
        f"{counted(found.events, 'event')}{lost}, the last {age} ago; what came after it is not known here"
    )


def tell_of_copy(plan: Plan, work: Operations | None = None) -> None:
    """Say what of a run is kept in the cluster, and who can read it; nothing where nothing is.

    With `work`, also why `apply` would be refused as things are.
    """
    from mimir_migrate.documents.journal_copy import kept_words

    if not plan.target.journal.in_cluster:
        return
    for line in kept_words(plan.identity.release, plan.identity.namespace):
        narrate(line)
    if work is None:
        return
    try:
        work.check_copy(plan.target)
    except MigrateError as error:
        narrate(f"note: `apply` would be refused as it is now: {error.message}; {error.hint}")


def _is_own(work: Operations, name: str) -> bool:
    """Whether the run that is meant was begun, or gone on with, on this machine."""
    try:
        run = work.resolve(name)
    except UsageError:
        return False
    return not work.is_only_copied(run)
