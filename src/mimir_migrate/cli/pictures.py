"""What the commands print for people: plain text, no colour, nothing that a pipe would choke on."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from mimir_migrate.durations import clock_words, format_duration
from mimir_migrate.model.findings import Severity
from mimir_migrate.model.plan import Plan, change_words
from mimir_migrate.operations import Look
from mimir_migrate.plans.way_back import back_names
from mimir_migrate.runs.status import RunStatus
from mimir_migrate.runs.story import evidence_lines

WIDTH = 100


def print_look(look: Look) -> None:
    """The rings, the findings and the choices."""
    inspection = look.inspection
    here = inspection.identity
    print(
        f"{inspection.product.value} release {here.release} in namespace {here.namespace} of "
        f"{here.server}; AWS account {here.account or 'unknown'}, region {here.region or 'unknown'}"
    )
    print()
    rows: list[tuple[str, ...]] = [
        ("RING", "STATE", "READ FROM", "MIRROR", "MEMBERS", "PODS", "RUNTIME SWITCH")
    ]
    for ring in inspection.rings:
        if not ring.enabled:
            rows.append((ring.ring, "off", "-", "-", "-", "-", "-"))
            continue
        state = " and ".join(state.value for state in ring.states) or "unknown"
        if ring.other_stores:
            state = " and ".join([*ring.other_stores, *(s.value for s in ring.states)])
        rows.append(
            (
                ring.ring,
                state + ("" if ring.movable else " (stays)"),
                " and ".join(store.value for store in ring.primaries) or "unknown",
                "/".join("on" if flag else "off" for flag in ring.mirrors) or "-",
                str(len(ring.members)) if ring.members else "-",
                str(len(ring.pods)),
                "hears" if ring.hears_runtime else "by restart",
            )
        )
    _table(rows)
    left = [ring for ring in inspection.rings if ring.enabled and not ring.movable]
    for ring in left:
        _wrapped(f"{ring.ring} stays where it is: {ring.left_because}", indent="  ")
    order = [Severity.BLOCKS, Severity.WARNS, Severity.INFORMS]
    for finding in sorted(look.findings, key=lambda found: order.index(found.severity)):
        print()
        _wrapped(f"{finding.severity.value.upper()} [{finding.id}] {finding.title}", indent="")
        for evidence in finding.evidence[:6]:
            _wrapped(f"{evidence.source}: {evidence.detail}", indent="    ")
        if len(finding.evidence) > 6:  # noqa: PLR2004 - as many as shown above
            print(f"    and {len(finding.evidence) - 6} more (--json shows all)")
        if finding.fix:
            _wrapped(f"-> {finding.fix}", indent="    ")
    print()
    for choice in look.choices:
        mark = "*" if choice.recommended else " "
        possible = "" if choice.possible else f"  not possible: {choice.why_not}"
        print(f"{mark} {choice.id:5} {choice.title}{possible}")
        if choice.rollouts:
            cost = (
                f"about {choice.cost_per_month:.2f} USD a month"
                if choice.cost_per_month is not None
                else "cost unknown"
            )
            _wrapped(
                f"{choice.rollouts} rollouts, {_range(choice.duration_low, choice.duration_high)}; "
                f"ring changes seen within {format_duration(round(choice.visibility_delay, 1))}; "
                f"{cost}; {choice.dependency}",
                indent="        ",
            )
        if choice.reason:
            _wrapped(choice.reason, indent="        ")


def print_plan(plan: Plan) -> None:
    """The steps, one after the other, with their diffs."""
    here = plan.identity
    print(
        f"plan {plan.id}: {', '.join(plan.rings)} of {here.release} in {here.namespace} to "
        f"{plan.to.value}, strategy {plan.strategy.value}"
    )
    if not plan.steps:
        print("nothing is left to do")
        return
    for number, step in enumerate(plan.steps, 1):
        marks = [step.kind.value]
        if step.crossing:
            marks.append("CROSSES TO THE OTHER STORE")
        if step.closes_way_back:
            marks.append("LEAVES THE EASY WAY BACK")
        print()
        print(f"{number}. {step.id}: {step.title}  [{', '.join(marks)}]")
        _wrapped(step.what, indent="   ")
        _wrapped(
            f"time {_range(step.duration.low, step.duration.high)} ({step.duration.basis})",
            indent="   ",
        )
        _wrapped(f"gates before: {', '.join(step.before) or 'none'}", indent="   ")
        _wrapped(f"gates after: {', '.join(step.after) or 'none'}", indent="   ")
        _wrapped(f"undo: {step.undo}", indent="   ")
        _wrapped(f"way back: {step.way_back}", indent="   ")
        if step.back:
            _wrapped(f"its steps: {back_names(step.back)}", indent="     ")
        for line in step.diff.splitlines():
            print(f"   | {line}")
    for note in plan.notes:
        print()
        _wrapped(note, indent="")


def print_status(status: RunStatus, now: float) -> None:
    """Where a run stands."""
    for line in status_lines(status, now):
        print(line)


def status_lines(status: RunStatus, now: float) -> Iterator[str]:
    """The lines of a status."""
    yield f"run       {status.run}  ({status.purpose} to {status.to}, by {status.by})"
    yield f"release   {status.release} in {status.namespace} of {status.cluster}"
    yield f"state     {status.state.value}" + ("  STALLED" if status.stalled else "")
    if status.step:
        yield f"step      {status.step.index} of {status.step.of}: {status.step.title}"
    if status.waiting_for:
        since = f"  (for {format_duration(round(now - (status.waiting_since or now)))})"
        yield f"waits for {status.waiting_for}{since}"
    if status.question is not None:
        standing = status.question
        yield f"question  {standing.number}" + (
            f", suspended: {standing.suspended}" if standing.suspended else ""
        )
        for text in evidence_lines(standing.asked, now):
            yield f"          {text}"
    if status.hold_asked:
        yield f"hold      {status.hold_asked} asked for one; it begins before the next change"
    if status.reason:
        yield f"ended     {status.reason}"
    for change in status.changed:
        yield f"changed   {change_words(change, short=True)}"
    for failed in status.users_failed:
        yield f"users     FAILED: {failed}"
    yield f"way back  {status.way_back}"
    if status.way_back_steps:
        yield f"          its steps: {', '.join(status.way_back_steps)}"
    if status.way_back_closes:
        yield f"          the easy way back ends with {status.way_back_closes}"
    if status.hint:
        yield f"next      {status.hint}"
    for gate in status.gates:
        yield f"gate      {gate.verdict.value:8} {gate.gate.value}: {gate.summary}"
    for one in status.approvals:
        how = ", approved beforehand at start" if one.beforehand else ""
        yield f"approved  {one.step}: {one.by}, {clock_words(one.at)}{how}"
    for override in status.overrides:
        yield f"override  {override.gate.value} at {override.step} by {override.by}: {override.reason}"
    if status.runner_pid is not None:
        yield f"runner    pid {status.runner_pid}"


def _table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _wrapped(text: str, *, indent: str) -> None:
    for line in text.splitlines() or [""]:
        print(
            textwrap.fill(
                line,
                WIDTH,
                initial_indent=indent,
                subsequent_indent=indent + "  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        )


def _range(low: float, high: float) -> str:
    return f"{format_duration(round(low))} to {format_duration(round(high))}"
