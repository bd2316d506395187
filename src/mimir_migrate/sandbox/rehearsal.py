"""Walks a plan on a twin of the operator's release: there, and back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from mimir_migrate.durations import spoken
from mimir_migrate.errors import ExitCode
from mimir_migrate.model.plan import Plan
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import StoreState
from mimir_migrate.plans.rehearsal import RehearsedBinary, Walked
from mimir_migrate.sandbox import commands
from mimir_migrate.sandbox.charts.helm import chart_facts
from mimir_migrate.sandbox.processes.binary import Binary, binaries_of, read_binary
from mimir_migrate.sandbox.processes.twin import CHANGES
from mimir_migrate.sandbox.rehearsal_twin import room, twin_values
from mimir_migrate.sandbox.walking import Leg, Walk, last_line
from mimir_migrate.words import counted

_SIMULATED_ROOM = 60
"""Pods that the simulation carries at its usual speed."""
_SIMULATED = (
    "pods, gossip and the DynamoDB client are simulated, thirty times as fast as the clock"
)
_CHART = "manifests are rendered by an imitation of the chart"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a walk on a twin."""

    binaries: tuple[RehearsedBinary, ...]
    chart: str
    replaced: tuple[str, ...]
    steps: tuple[str, ...]
    legs: tuple[Walked, ...]
    blocked: bool
    """Whether the twin could not even be planned for."""
    why: str


def rehearse(
    plan: Plan,
    values: Mapping[str, Any],
    folder: Path,
    *,
    binaries: Sequence[str],
    chart: str,
    say: Callable[[str], None],
) -> Found:
    """Build a twin, walk the plan there and back on it, and end it.

    Args:
        plan: The plan: its rings, goal and strategy are walked.
        values: The release's own values, all files laid over each other.
        folder: An empty folder; the twin's files stay in it.
        binaries: `PATH` and `TAG=PATH`; empty: the pods are simulated.
        chart: The folder of the real chart; empty: an imitation is rendered.
        say: Told what happens, one line at a time.

    Raises:
        MigrateError: The twin did not come up.
    """
    read = {tag: read_binary(path) for tag, path in binaries_of(binaries).items()}
    most = room() if read else _SIMULATED_ROOM
    twin, told = twin_values(values, plan.product, most)
    if read and not all("memberlist.cluster-label" in one.flags for one in read.values()):
        told = (*told, *_without_label(twin, plan.product))
    start = folder / "start-values.yaml"
    start.write_text(yaml.safe_dump(twin, sort_keys=False, width=200))
    place = folder / "sb"
    replaced = (*told, *(CHANGES if read else (_SIMULATED,)), *(() if chart else (_CHART,)))
    for line in replaced:
        say(f"- {line}")
    say("starting the twin…")
    commands.up(
        place,
        product=plan.product.value,
        stores="" if read or plan.product is Product.CORTEX else "+dynamodb",
        binary=list(binaries),
        values=str(start),
        chart=chart,
        table=plan.target.dynamodb.table,
        puller_sync_time=plan.target.dynamodb.puller_sync_time if read else "",
        tables=_tables(plan),
        bound=True,
    )
    try:
        with Walk(place, say, users=bool(read)) as walk:
            steps, legs, blocked, why = _walk(plan, walk, place, say)
    finally:
        commands.down(place)
    return Found(
        binaries=tuple(_named(tag, one) for tag, one in read.items()),
        chart=_chart_words(chart),
        replaced=replaced,
        steps=steps,
        legs=legs,
        blocked=blocked,
        why=why,
    )


def _walk(
    plan: Plan, walk: Walk, place: Path, say: Callable[[str], None]
) -> tuple[tuple[str, ...], tuple[Walked, ...], bool, str]:
    """Steps of the twin's plan, the ways, whether it was blocked, and why it did not pass."""
    target, path = str(place / "target.toml"), str(place / "plan.json")
    code, said = walk.run("inspect", "--target", target)
    if code:
        return (), (), False, f"inspect on the twin ended with {code}: {last_line(said)}"
    code, said = walk.run(
        *("plan", "--target", target, "--to", plan.to.value, "--output", path),
        *("--rings", ",".join(plan.rings), "--strategy", plan.strategy.value),
        *_pace(plan),
    )
    if code:
        return (), (), code == ExitCode.BLOCKED, f"the plan on the twin: {_reason(said)}"
    steps = walk.steps_of(Path(path))
    missing = [step.id for step in plan.steps if step.id not in steps and step.id != "tables"]
    if missing:
        return steps, (), False, f"the twin's plan has no step {', '.join(missing)}"
    legs: list[Walked] = []
    for arguments in (("apply", path), ("rollback",)):
        leg = walk.leg(*arguments)
        legs.append(_walked(leg))
        say(
            f"{leg.purpose}: exit {leg.exit_code} after {spoken(leg.seconds)}, {counted(leg.misses, 'miss', 'misses')} of "
            f"{leg.observations} observations, {leg.pushes.failed} of {leg.pushes.asked} pushes failed"
        )
        why = _wrong(leg)
        if why:
            return steps, tuple(legs), False, f"{leg.purpose}: {why}"
    return steps, tuple(legs), False, ""


def _wrong(leg: Leg) -> str:
    if leg.exit_code not in {ExitCode.DONE, ExitCode.ROLLED_BACK}:
        return f"ended with {leg.exit_code}: {leg.reason}"
    return counted(leg.misses, "miss", "misses") if leg.misses else ""


def _walked(leg: Leg) -> Walked:
    return Walked(
        purpose=leg.purpose,
        exit_code=leg.exit_code,
        seconds=leg.seconds,
        steps=leg.steps,
        rollouts=leg.rollouts,
        observations=leg.observations,
        misses=leg.misses,
        failed_pushes=leg.pushes.failed,
        failed_queries=leg.queries.failed,
        took=leg.took,
        least=leg.least,
        reason=leg.reason,
    )


def _pace(plan: Plan) -> tuple[str, ...]:
    """The pace of ingesters that the plan brings, so that the twin's plan brings it too."""
    pace = plan.target.dynamodb.min_ready_duration
    return ("--min-ready-duration", pace) if pace else ()


def _tables(plan: Plan) -> tuple[str, ...]:
    """The tables that are there at the start: where a ring begins with DynamoDB in its configuration."""
    memberlist = StoreState.MEMBERLIST.value
    return tuple(
        sorted(
            {
                plan.target.dynamodb.table_for(ring)
                for ring, state in plan.start.items()
                if plan.target.dynamodb.table and state != memberlist
            }
        )
    )


def _without_label(twin: dict[str, Any], product: Product) -> tuple[str, ...]:
    """Take out what an older binary does not know and would end at."""
    tree = twin.get("config") if product is Product.CORTEX else twin.get("mimir")
    if product is Product.MIMIR and isinstance(tree, dict):
        tree = tree.get("structuredConfig")
    block = tree.get("memberlist") if isinstance(tree, dict) else None
    if isinstance(block, dict) and block.pop("cluster_label", None):
        return ("memberlist.cluster_label is left out: the binary does not know it",)
    return ()


def _named(tag: str, one: Binary) -> RehearsedBinary:
    return RehearsedBinary(
        tag=tag, product=one.product.value, version=one.version, sha256=one.sha256
    )


def _chart_words(chart: str) -> str:
    if not chart:
        return "an imitation of the chart"
    facts = chart_facts(chart)
    return f"{facts.name} {facts.version} by {facts.by}"


def _reason(text: str) -> str:
    """The tool's own words of why it refuses, in one line: the findings, where it names some."""
    lines = [line.strip() for line in text.splitlines()]
    findings = [line for line in lines if re.match(r"\[[a-z][a-z-]+\] ", line)]
    if findings:
        return "; ".join(findings)
    found = [line for line in lines if line.startswith("mimir-migrate: ")]
    return (found or [last_line(text)])[0].removeprefix("mimir-migrate: ")


def now() -> float:
    """When a rehearsal ended, seconds since the epoch."""
    return time.time()
