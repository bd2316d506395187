"""`clean`: what is left behind, and its removal by name."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mimir_migrate.cli.colours import one_line, paint
from mimir_migrate.cli.needed import cluster_target
from mimir_migrate.cli.options import is_terminal, narrate, print_json
from mimir_migrate.errors import BlockedError, ExitCode

if TYPE_CHECKING:
    from mimir_migrate.model.leftovers import Leftover, Leftovers
    from mimir_migrate.operations.cleaning import Cleaning


def clean(options: argparse.Namespace) -> int:
    """Show what is left; with `--remove`, remove what is named."""
    from mimir_migrate.bootstrap import operations

    work = operations().cleaning(cluster_target(options))
    names = tuple(dict.fromkeys(options.remove))
    if names:
        return _remove(work, names, options)
    narrate("looking; where items are left they are watched for a window of heartbeats")
    found = work.look()
    if options.json:
        import msgspec

        print_json({**msgspec.to_builtins(found), "removed_before": list(work.history())})
    else:
        print_leftovers(found)
        for line in work.history():
            print(f"removed before: {one_line(line)}")
    return ExitCode.DONE


def print_leftovers(found: Leftovers) -> None:
    """What may be removed, then what stays and why."""
    from mimir_migrate.durations import spoken

    may = [left for left in found.found if not left.kept_because]
    stays = [left for left in found.found if left.kept_because]
    if not found.found:
        print("nothing is left")
    if may:
        print(paint("May be removed, by name:", "heading"))
        for left in may:
            _print_one(left)
    if stays:
        print(paint("Stays:", "heading"))
        for left in stays:
            _print_one(left)
    if found.watched:
        narrate(f"items were watched for {spoken(found.watched)}")


def _print_one(left: Leftover) -> None:
    print(f"  {one_line(left.name)}")
    print(f"      {one_line(left.what)}")
    if left.kept_because:
        print(f"      stays: {one_line(left.kept_because)}")
    elif left.consequence:
        print(f"      {one_line(left.consequence)}")
    if left.needs:
        print(f"      after: {', '.join(map(one_line, left.needs))}")
    for line in left.by_hand:
        print(f"        {one_line(line)}")


def _remove(work: Cleaning, names: tuple[str, ...], options: argparse.Namespace) -> int:
    if not options.yes:
        _ask(work, names)
    done = []
    for outcome in work.remove(names, takeover=options.takeover):
        done.append(outcome)
        narrate(one_line(outcome.detail))
    if options.json:
        import msgspec

        print_json({"removed": list(names), "outcomes": msgspec.to_builtins(done)})
    return ExitCode.DONE


def _ask(work: Cleaning, names: tuple[str, ...]) -> None:
    """Show what is named and have each name typed again.

    Raises:
        BlockedError: One was not typed, or nobody can be asked.
    """
    from mimir_migrate.cli.afterwards.going_back import typed
    from mimir_migrate.operations.cleaning import chosen_of

    if not is_terminal():
        raise BlockedError(
            "removing is asked about first, and nobody can answer: this is not a terminal",
            hint="Give --yes to remove it all the same. Nothing was removed.",
        )
    narrate("looking; items are watched for a window of heartbeats")
    for left in chosen_of(work.look(), names):
        narrate(one_line(left.what))
        narrate(f"  {left.consequence}")
        narrate(
            f"Type its name ({one_line(left.name)}) to remove it; anything else changes nothing."
        )
        if typed() != left.name:
            raise BlockedError(
                "not approved; nothing was removed",
                hint="The same call asks again; its exact name approves.",
            )
