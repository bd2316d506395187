"""`rehearse`: a plan on a twin of the operator's release, before anything real is touched."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mimir_migrate.cli.looking import plan_entries
from mimir_migrate.cli.needed import cluster_target
from mimir_migrate.cli.options import narrate, print_json, rings_from
from mimir_migrate.cli.sandbox.demo_cluster import commands
from mimir_migrate.documents.edits import sha256
from mimir_migrate.durations import spoken
from mimir_migrate.errors import BlockedError, ExitCode, UsageError
from mimir_migrate.words import counted

if TYPE_CHECKING:
    from mimir_migrate.model.plan import Plan
    from mimir_migrate.model.target import Target
    from mimir_migrate.operations import Operations
    from mimir_migrate.plans.rehearsal import Rehearsal, Walked


def rehearse(options: argparse.Namespace) -> int:
    """Walk a plan there and back on a twin; the real cluster is only read."""
    import msgspec

    from mimir_migrate.bootstrap import operations
    from mimir_migrate.plans.rehearsal import to_json

    commands()
    work = operations()
    try:
        plan, content, kept = _plan(options, work)
    except BlockedError as error:
        narrate(f"it would be blocked: {error.message}")
        if options.json:
            print_json({"passed": False, "blocked": True, "why": error.message})
        return ExitCode.BLOCKED
    found, blocked = _walk(options, work, plan, content)
    kept.write_bytes(to_json(found))
    narrate(f"wrote {kept}")
    if options.json:
        print_json({**msgspec.to_builtins(found), "blocked": blocked})
    else:
        print(_summary(found))
    if found.passed:
        return ExitCode.DONE
    return ExitCode.BLOCKED if blocked else ExitCode.FAILED


def tell_of_rehearsal(plan: Plan, path: str, content: bytes) -> str:
    """What is known of a plan's rehearsal, in one line."""
    from mimir_migrate.plans.rehearsal import beside, from_json, verdict_words

    kept = Path(beside(path))
    rehearsal = from_json(kept.read_bytes(), path=str(kept)) if kept.exists() else None
    return verdict_words(rehearsal, plan, content)


def _plan(options: argparse.Namespace, work: Operations) -> tuple[Plan, bytes, Path]:
    """The plan that is rehearsed, its file's bytes (none for a target), and where the result is kept."""
    from mimir_migrate.adapters.given_files import read_given
    from mimir_migrate.model.plan import Strategy
    from mimir_migrate.model.stores import Store
    from mimir_migrate.plans.export import MADE_BY, from_json
    from mimir_migrate.plans.planner import Order
    from mimir_migrate.plans.rehearsal import beside

    named = options.plan or ""
    if named.endswith(".json"):
        content = read_given(named, "the plan", made_by=MADE_BY)
        plan = from_json(content, path=named)
        work.refuse_stale(plan)
        return plan, content, Path(beside(named))
    if named:
        options.target = named
    target = cluster_target(options, *plan_entries(options.to))
    order = Order(
        to=Store(options.to), rings=rings_from(options), strategy=Strategy(options.strategy)
    )
    return work.plan(target, order), b"", Path(beside(named or "target.toml"))


def refuse_other_plans(plan: Plan) -> None:
    """Refuse plans that a twin would not walk as the cluster does.

    Raises:
        UsageError: It goes through the ring bridge, or ends on both stores.
    """
    if plan.target.through_bridge is not None:
        raise UsageError(
            "this plan goes through the ring bridge, which a twin does not have",
            hint="`mimir-migrate sandbox up --through bridge` has one to try it on.",
        )
    if plan.goal is not None:
        raise UsageError(
            f"this plan ends on {plan.goal.value}; a twin walks to one store and back only",
            hint=f"Rehearse a plan --to {plan.to.value}: its first steps are the same.",
        )


def _walk(
    options: argparse.Namespace, work: Operations, plan: Plan, content: bytes
) -> tuple[Rehearsal, bool]:
    from mimir_migrate import __version__
    from mimir_migrate.plans.rehearsal import Rehearsal, file_hashes, images_of
    from mimir_migrate.sandbox.rehearsal import now
    from mimir_migrate.sandbox.rehearsal import rehearse as walk

    if not plan.steps:
        raise UsageError(
            "nothing is left to do, so there is nothing to rehearse",
            hint="The rings are where the plan ends; `mimir-migrate inspect` shows where they stand.",
        )
    refuse_other_plans(plan)
    look = work.look(plan.target, rings=plan.rings)
    versions = {pod.build.version for pod in look.inspection.pods if pod.build is not None}
    sources = work.sources(plan.target)
    folder = Path(options.dir or tempfile.mkdtemp(prefix="mimir-migrate-rehearsal-"))
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    found = walk(
        plan,
        _own_values(plan.target, look.inspection, sources),
        folder,
        binaries=options.binary,
        chart=_chart(plan.target, options.target_chart or ""),
        say=narrate,
    )
    narrate(f"rehearsed in {spoken(time.monotonic() - began)}; the twin's files are in {folder}")
    rehearsal = Rehearsal(
        at=now(),
        tool_version=__version__,
        plan_sha256=sha256(content) if content else "",
        values=file_hashes({source.path: source.content for source in sources}),
        images=images_of(plan),
        running=tuple(sorted(version for version in versions if version)),
        binaries=found.binaries,
        chart=found.chart,
        replaced=found.replaced,
        steps=found.steps,
        legs=found.legs,
        passed=not found.why,
        why=found.why,
    )
    return rehearsal, found.blocked


def _chart(target: Target, named: str) -> str:
    """The chart's folder, where the target names one of this machine; a name in a repository is none."""
    place = Path(target.folder) / (named or target.deploy.chart or "-")
    if (place / "Chart.yaml").exists():
        return str(place)
    narrate("the target names no folder of the chart: the sandbox's imitation of it is rendered")
    return ""


def _own_values(target: Target, inspection: Any, sources: Any) -> dict[str, Any]:
    """The release's values as it was deployed with them; else those of the files."""
    from mimir_migrate.sandbox.charts.rendering import merged
    from mimir_migrate.sandbox.charts.values import merged_values

    release = inspection.release
    if release is not None and release.values:
        found: Any = release.values
        for key in target.values.root.split(".") if target.values.root else ():
            found = found.get(key, {})
        return dict(found)
    files = [(source.path, source.content) for source in sources]
    if target.values.root:
        return merged_values(files, target.values.root.split("."))
    return merged(inspection.product, files)


def _times_the_least(leg: Walked) -> str:
    if not leg.least or leg.took is None:
        return ""
    return f"; the steps took {leg.took / leg.least:.2f} times the least that they can take"


def _summary(found: Rehearsal) -> str:
    lines = [f"{'passed' if found.passed else 'did not pass'} {found.pods}"]
    for leg in found.legs:
        steps = ", ".join(f"{name} {spoken(seconds)}" for name, seconds in leg.steps.items())
        lines.append(
            f"  {leg.purpose}: {steps or 'no step'}; {counted(leg.misses, 'miss', 'misses')} of {leg.observations}, "
            f"{counted(leg.failed_pushes, 'push', 'pushes')} and "
            f"{counted(leg.failed_queries, 'query', 'queries')} failed"
            f"{_times_the_least(leg)}"
        )
    if found.why:
        lines.append(f"  {found.why}")
    return "\n".join(lines)
