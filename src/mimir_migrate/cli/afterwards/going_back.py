"""Whether `rollback` may begin at once, and the question that stands before it where it may not."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from mimir_migrate.cli.found_target import found_file
from mimir_migrate.cli.options import is_terminal, narrate, target_from
from mimir_migrate.durations import spoken
from mimir_migrate.errors import BlockedError, MigrateError, UsageError
from mimir_migrate.runs.places import differences, same_release, seen_at

if TYPE_CHECKING:
    from mimir_migrate.model.plan import Plan
    from mimir_migrate.model.target import Target
    from mimir_migrate.operations import Operations
    from mimir_migrate.runs.status import RunStatus

RECENT = 3600.0
"""Seconds after a run's last event within which somebody is taken to be still at it."""


_HOUR = 3600.0
_DAY_HOURS = 24


def current_target(options: argparse.Namespace) -> Target | None:
    """The target that the command stands in front of; None: none is named or found."""
    path, _ = found_file(options)
    named = any(
        getattr(options, f"target_{flag}", None)
        for flag in ("context", "namespace", "release", "kubeconfig")
    )
    return target_from(options) if path is not None or named else None


def run_meant(work: Operations, options: argparse.Namespace, target: Target | None) -> str:
    """The run to take back: the one that is named, else one of this target.

    Raises:
        UsageError: There is none, or it cannot be told which.
    """
    if options.run:
        return work.resolve(options.run)
    runs = work.runs()
    if target is not None:
        elsewhere = _comparing(work, target)
        runs = tuple(one for one in runs if not elsewhere(one))
        if not runs:
            raise UsageError(
                "there is no run of this target",
                hint="`mimir-migrate runs` lists the runs there are; name one with RUN.",
            )
    if any(not same_release(seen_at(runs[0]), seen_at(one)) for one in runs[1:]):
        raise UsageError(
            "there are runs of several clusters or releases, and neither RUN nor a target says which",
            hint="Name the run, or the target with --target. The runs: "
            + ", ".join(f"{one.run} ({one.release} on {one.cluster})" for one in runs[:5]),
        )
    unfinished = [one for one in runs if one.state.value not in {"done", "rolled-back", "closed"}]
    if len(unfinished) > 1:
        raise UsageError(
            "several runs of this target are unfinished: "
            + ", ".join(one.run for one in unfinished),
            hint="Name the one that is meant.",
        )
    if not runs:
        return work.resolve("")
    return (unfinished or runs)[0].run


def ask_to_go_back(
    work: Operations, run: str, options: argparse.Namespace, target: Target | None
) -> None:
    """Let a rollback begin: at once where somebody is at it here, else once it was asked for by name.

    Raises:
        BlockedError: It was not, or nobody can be asked.
    """
    from mimir_migrate.engine.history import first_plan

    status = work.status(run)
    plan = first_plan(work.events(run))
    print_place(plan)
    elsewhere = _comparing(work, target)(status) if target is not None else ""
    old = work.clock.now() - status.updated_at
    works_here = status.runner_pid is not None and not status.runner_host
    if not elsewhere and (works_here or old < RECENT):
        since = "a runner works on it" if works_here else f"it was worked on {spoken(old)} ago"
        narrate(f"rolling back {run} begins at once, as {since}")
        return
    why = elsewhere or f"nothing happened in it for {_ago(old)}"
    if options.yes:
        narrate(f"rolling back {run} as --yes says, though {why}")
        return
    if not is_terminal():
        raise BlockedError(
            f"the run {run} is {status.state.value}, and {why}: rolling it back is asked about first, "
            "and nobody can answer: this is not a terminal",
            hint="Give --yes to roll it back all the same. Nothing was changed.",
        )
    narrate(f"The run {run} is {status.state.value}, and {why}. Rolling it back would be:")
    _print_way(work, run)
    confirm(plan.identity.release, "to roll it back")


def confirm(release: str, to_what: str) -> None:
    """Take the release's name as yes; anything else, the end of the input among it, is a no.

    Raises:
        BlockedError: It was not typed.
    """
    narrate(f"Type the release's name ({release}) {to_what}; anything else changes nothing.")
    if typed() != release:
        raise BlockedError(
            "not approved; nothing was changed",
            hint="The same call asks again; the release's exact name approves.",
        )


def typed() -> str:
    """What the operator typed; empty at the end of the input (Ctrl-D)."""
    try:
        return input("> ").strip()
    except EOFError:
        narrate("")
        return ""


def print_place(plan: Plan) -> None:
    """Where a plan acts: cluster, context, namespace, release, account, region."""
    here = plan.identity
    kubernetes = plan.target.kubernetes
    for name, value in (
        ("cluster", here.server),
        ("context", kubernetes.context or "the kubeconfig's current one"),
        ("namespace", here.namespace),
        ("release", here.release),
        ("account", here.account or "unknown"),
        ("region", here.region or plan.target.aws.region or "unknown"),
    ):
        narrate(f"{name:<10}{value}")


def _print_way(work: Operations, run: str) -> None:
    from mimir_migrate.model.plan import StepKind, together

    try:
        plan = work.dry_run_of(run, "rollback").plan
    except MigrateError as error:
        narrate(f"not known before it begins: {error.message}")
        return
    steps = plan.steps
    rollouts = sum(step.kind is StepKind.ROLLOUT for step in steps)
    time = together(step.duration for step in steps)
    narrate(
        f"steps     {', '.join(step.id for step in steps) or 'none: nothing is to be taken back'}"
    )
    narrate(f"rollouts  {rollouts}")
    narrate(f"time      {time.words(plan.target.scale)}, and the gates")


def _comparing(work: Operations, target: Target) -> Callable[[RunStatus], str]:
    """A function that says in what a run is of another place than this target; empty: in nothing."""
    here = seen_at(work.place(target))

    def elsewhere(status: RunStatus) -> str:
        other = [
            f"{one.name} {one.own} where the target here says {one.here}"
            for one in differences(seen_at(status), here)
        ]
        return f"it is of another place: {', '.join(other)}" if other else ""

    return elsewhere


def _ago(seconds: float) -> str:
    hours = round(seconds / _HOUR)
    if hours >= 2 * _DAY_HOURS:
        return f"{hours // _DAY_HOURS} days"
    return f"{hours} hours" if hours > 1 else "an hour"
