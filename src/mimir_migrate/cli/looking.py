"""`inspect`, `verify` and `plan`: everything that looks and changes nothing."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mimir_migrate.cli.afterwards.fetching import tell_of_copy
from mimir_migrate.cli.colours import plain, verdict
from mimir_migrate.cli.needed import Lack, cluster_target
from mimir_migrate.cli.options import narrate, print_json, rings_from
from mimir_migrate.errors import ExitCode, MigrateError, UsageError
from mimir_migrate.words import counted


def inspect(options: argparse.Namespace) -> int:
    """Look at a cluster and say what was found."""
    from mimir_migrate.bootstrap import operations
    from mimir_migrate.cli.pictures import print_look
    from mimir_migrate.model.findings import Severity
    from mimir_migrate.model.stores import Store

    rings, target = rings_from(options), cluster_target(options)
    to = Store(options.to) if options.to else None
    look = operations().look(target, to=to, rings=rings, progress=_progress())
    if options.json:
        print_json(look_document(look))
    else:
        print_look(look, target.scale)
    counted = {
        "blocks": {Severity.BLOCKS},
        "warns": {Severity.BLOCKS, Severity.WARNS},
        None: set(),
    }[options.fail_on]
    if any(finding.severity in counted for finding in look.findings):
        return ExitCode.BLOCKED
    return ExitCode.DONE


def verify(options: argparse.Namespace) -> int:
    """Judge every gate's checks now."""
    from mimir_migrate.bootstrap import operations

    if options.watch:
        return _watch(options)
    rings, target = rings_from(options), cluster_target(options)
    found = operations().verify(target, rings)
    if options.json:
        print_json(_plain(found))
    else:
        for check in found.checks:
            word = verdict(f"{check.verdict.value:8}")
            print(f"{word} {check.gate.value:20} {plain(check.summary)}")
        for gate, reason in found.skipped.items():
            print(f"{'-':8} {gate:20} {reason}")
        for difference in found.differences:
            where = f"{difference.store} of {difference.pod}" if difference.pod else "dynamodb"
            print(
                f"         ring {difference.ring}, {where}: {difference.member} "
                f"{difference.words(target.scale)}"
            )
    return ExitCode.DONE if found.ok else ExitCode.BLOCKED


def _watch(options: argparse.Namespace) -> int:
    """Verify over and over; a line for each change, and at the end what lasted."""
    import msgspec

    from mimir_migrate.bootstrap import operations
    from mimir_migrate.durations import parse_duration
    from mimir_migrate.runs.vigil import Vigil

    seconds = parse_duration(options.duration)
    rings, target, vigil = rings_from(options), cluster_target(options), Vigil()
    narrate(f"watching for {options.duration}; Ctrl-C ends it with what was seen until then")
    try:
        for at, found in operations().watch(target, rings, seconds=seconds):
            if isinstance(found, MigrateError):
                changes = vigil.unasked(found.message, at)
            else:
                changes = vigil.see(found, at)
            for change in changes:
                if options.json:
                    print(msgspec.json.encode(change).decode(), flush=True)
                else:
                    when = time.strftime("%H:%M:%S", time.localtime(at))
                    word = verdict(f"{change.verdict.value if change.verdict else '-':8}")
                    said = f"{when}  {word} {change.gate:20} {plain(change.summary)}"
                    print(said, flush=True)
            if vigil.lasted and options.fail_fast:
                break
    except KeyboardInterrupt:
        narrate("interrupted")
    for gate, summary in vigil.lasted.items():
        narrate(f"{gate} was not good for a window: {summary}")
    narrate(
        f"{counted(vigil.looks, 'look')}; "
        + ("differences lasted" if vigil.lasted else "none lasted")
    )
    return ExitCode.BLOCKED if vigil.lasted else ExitCode.DONE


def plan(options: argparse.Namespace) -> int:
    """Make a plan and export it."""
    from mimir_migrate.adapters.new_files import write_new
    from mimir_migrate.bootstrap import operations
    from mimir_migrate.cli.pictures import print_plan
    from mimir_migrate.model.plan import Strategy
    from mimir_migrate.model.stores import StoreState
    from mimir_migrate.plans import export
    from mimir_migrate.plans.planner import Order

    writers = {
        ".json": lambda made: export.to_json(made).decode(),
        ".md": export.to_markdown,
        ".sh": export.to_shell,
    }
    for name in options.output:
        if Path(name).suffix not in writers:
            raise UsageError(
                f"--output {name}: the name must end with .json, .md or .sh",
                hint="The ending says which form is written.",
            )
    target = cluster_target(options, *plan_entries(options.to), besides=_no_goal(options))
    state = StoreState(options.to)
    order = Order(
        to=state.primary,
        goal=state if state.is_multi else None,
        rings=rings_from(options),
        strategy=Strategy(options.strategy),
    )
    work = operations()
    made = work.plan(target, order, progress=_progress())
    for name in options.output:
        ending = Path(name).suffix
        write_new(name, writers[ending](made).encode(), executable=ending == ".sh")
    tell_of_copy(made, work)
    if options.json:
        print_json(plan_document(made))
    else:
        print_plan(made)
    sys.stdout.flush()
    tell_files(options.output, any_step=bool(made.steps))
    return ExitCode.DONE


def plan_entries(to: str | None) -> tuple[str, ...]:
    """What a plan needs beside the cluster, by the flags' names; rings that end on memberlist need no table.

    Args:
        to: Where the rings are to end; None: nobody has said.
    """
    return ("values",) if to in {None, "memberlist"} else ("values", "table", "aws-region")


def _no_goal(options: argparse.Namespace) -> tuple[Lack, ...]:
    if options.to:
        return ()
    return (
        Lack(
            said="--to is missing: where the rings are to end, for example --to dynamodb",
            step="for example `mimir-migrate plan --to dynamodb -o plan.json`",
        ),
    )


def tell_files(names: Sequence[str], *, any_step: bool) -> None:
    """Which files were written, and what comes next: last, where somebody looks."""
    if names:
        narrate(f"wrote {', '.join(names)}")
    ready = next((name for name in names if name.endswith(".json")), "")
    if not any_step:
        return
    if ready:
        narrate(f"next: mimir-migrate apply {shlex.quote(ready)}")
    else:
        narrate("next: the same with `--output plan.json`, then mimir-migrate apply plan.json")


def _progress() -> Any:
    from mimir_migrate.cli.options import is_terminal

    if not is_terminal():
        return None

    def show(what: str, done: int, of: int) -> None:
        del what
        print(f"\rasked {done} of {of} pods", end="\n" if done == of else "", file=_stderr())

    return show


def _stderr() -> Any:
    import sys

    return sys.stderr


def _plain(value: object) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(value)
    return found


def look_document(look: Any) -> dict[str, Any]:
    """The JSON form of one look, by ring with its pods."""
    import msgspec

    inspection = look.inspection
    rings = []
    for ring in inspection.rings:
        pods = []
        for pod in inspection.pods:
            view = pod.ring(ring.ring)
            if view is None:
                continue
            pods.append(
                {
                    "pod": pod.pod.name,
                    "component": pod.pod.component,
                    "ready": pod.pod.ready,
                    "static": view.state.value if view.state else None,
                    "store": view.config.store if view.config else None,
                    "primary": view.primary,
                    "inferred": view.inferred.primary if view.inferred else None,
                    "mirrored": _mirrored(view),
                    "members": sorted(member.id for member in view.members)
                    if view.members is not None
                    else None,
                    "writes": view.writes,
                }
            )
        rings.append(
            {
                "name": ring.ring,
                "state": ring.state.value if ring.state else None,
                "enabled": ring.enabled,
                "movable": ring.movable,
                "left_because": ring.left_because,
                "static": [state.value for state in ring.states],
                "runtime": {
                    "hears": ring.follows_runtime,
                    "primaries": [store.value for store in ring.primaries],
                    "mirrors": list(ring.mirrors),
                },
                "unknown": list(ring.unknown),
                "members": list(ring.members),
                "pods": pods,
            }
        )
    return {
        "at": inspection.at,
        "identity": msgspec.to_builtins(inspection.identity),
        "product": inspection.product.value,
        "rings": rings,
        "findings": msgspec.to_builtins(look.findings),
        "choices": msgspec.to_builtins(look.choices),
        "tables": msgspec.to_builtins(inspection.tables),
        "unanswered": msgspec.to_builtins(inspection.unanswered),
    }


def _mirrored(view: Any) -> bool | None:
    flags = {client.mirror_enabled for client in view.clients}
    return flags.pop() if len(flags) == 1 else None


def plan_document(made: Any) -> dict[str, Any]:
    """The JSON form of a plan; the same document that `apply` takes."""
    document = _plain(made)
    document.pop("schema", None)
    return document
