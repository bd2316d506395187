"""What the commands print for people; colour in a terminal only, nothing that a pipe would choke on."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

from mimir_migrate.cli.colours import diff_line, folded, paint, plain, verdict, width
from mimir_migrate.durations import clock_words
from mimir_migrate.model.facts import Identity
from mimir_migrate.model.findings import Severity
from mimir_migrate.model.plan import Plan, StepKind, change_words, together
from mimir_migrate.model.scale import TRUE_TIME, Scale
from mimir_migrate.operations import Look
from mimir_migrate.plans.alerts import alert_words
from mimir_migrate.runs.status import RunStatus
from mimir_migrate.runs.story import evidence_lines, takes_words, verdict_words
from mimir_migrate.words import counted, placed


def print_look(look: Look, scale: Scale = TRUE_TIME) -> None:
    """The rings, the findings and the choices; `scale` is the target's."""
    inspection = look.inspection
    here = inspection.identity
    print(paint(f"{inspection.product.value} {place_words(here)}", "heading"))
    if scale.note:
        _wrapped(scale.note, indent="")
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
                "seconds" if ring.follows_runtime else "by rollout",
            )
        )
    _table(rows)
    left = [ring for ring in inspection.rings if ring.enabled and not ring.movable]
    for ring in left:
        _wrapped(f"{ring.ring} stays where it is: {ring.left_because}", indent="  ")
    order = [Severity.BLOCKS, Severity.WARNS, Severity.INFORMS]
    for finding in sorted(look.findings, key=lambda found: order.index(found.severity)):
        print()
        severity = finding.severity.value.upper()
        _wrapped(f"{severity} [{finding.id}] {finding.title}", indent="", head=severity)
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
        line = plain(f"{mark} {choice.id:5} {choice.title}{possible}")
        print(paint(line, "heading") if choice.recommended else line)
        if choice.rollouts:
            cost = (
                f"about {scale.rate(choice.cost_per_month):.2f} USD a month"
                if choice.cost_per_month is not None
                else "cost unknown"
            )
            _wrapped(
                f"{counted(choice.rollouts, 'rollout')}, {choice.time_words(scale)}; "
                f"ring changes seen within {choice.delay_words(scale)}; "
                f"{cost}; {choice.dependency}",
                indent="        ",
            )
        if choice.reason:
            _wrapped(choice.reason, indent="        ")


def place_words(identity: Identity) -> str:
    """Where something is, in one line: release, namespace, cluster, account and region."""
    return plain(
        f"release {identity.release} in namespace {identity.namespace} of {identity.server}; "
        f"AWS account {identity.account or 'unknown'}, region {identity.region or 'unknown'}"
    )


def print_plan(plan: Plan) -> None:
    """Where it is for, the steps with their diffs, and all of it in one line at the end."""
    print(paint(place_words(plan.identity), "heading"))
    print(
        f"plan {plan.id}: {', '.join(plan.rings)} to {plan.end.value}, "
        f"strategy {plan.strategy.value}"
    )
    if note := plan.target.scale.note:
        _wrapped(note, indent="")
    if not plan.steps:
        print("nothing is left to do")
        return
    for number, step in enumerate(plan.steps, 1):
        marks = [step.kind.value]
        if step.crossing:
            marks.append("SWITCHES THE PRIMARY STORE")
        if step.closes_way_back:
            marks.append("QUICK ROLLBACK ENDS HERE")
        print()
        print(paint(f"{number}. {step.id}: {plain(step.title)}  [{', '.join(marks)}]", "heading"))
        _wrapped(step.what, indent="   ")
        _wrapped(
            f"time {step.duration.words(plan.target.scale)} ({step.duration.basis})",
            indent="   ",
        )
        _wrapped(f"gates before: {', '.join(step.before) or 'none'}", indent="   ")
        _wrapped(f"gates after: {', '.join(step.after) or 'none'}", indent="   ")
        for alert in step.alerts:
            _wrapped(f"alert {alert.name} {alert_words(alert)}", indent="   ")
        _wrapped(f"undo: {step.undo}", indent="   ")
        _wrapped(f"rollback: {step.way_back}", indent="   ")
        if step.back:
            _wrapped(takes_words([one.id for one in step.back]), indent="     ")
        for line in plain(step.diff).splitlines():
            print(f"   | {diff_line(line)}")
    for note in plan.notes:
        print()
        _wrapped(note, indent="")
    print()
    _wrapped(plan_summary(plan), indent="")


def plan_summary(plan: Plan) -> str:
    """A plan in one line: steps, rollouts, time, what it makes, and where quick rollback ends."""
    rollouts = sum(step.kind is StepKind.ROLLOUT for step in plan.steps)
    tables = [spec.name for step in plan.steps for spec in step.tables]
    closing = next((n for n, step in enumerate(plan.steps, 1) if step.closes_way_back), None)
    time = together(step.duration for step in plan.steps)
    said = [
        counted(len(plan.steps), "step"),
        counted(rollouts, "rollout"),
        time.words(plan.target.scale),
        f"makes {counted(len(tables), 'table')} ({', '.join(tables)})"
        if tables
        else "makes nothing new",
        "quick rollback to the end"
        if closing is None
        else f"quick rollback until {placed(plan.steps[closing - 1].id, closing, len(plan.steps))}",
    ]
    return "; ".join(said) + "."


def print_status(status: RunStatus, now: float) -> None:
    """Where a run stands."""
    for line in status_lines(status, now):
        print(folded(line, sys.stdout, under=12))


def status_lines(status: RunStatus, now: float) -> Iterator[str]:
    """The lines of a status."""
    yield f"run       {status.run}  ({status.purpose}, {status.led}, by {status.by})"
    yield f"release   {status.release} in {status.namespace} of {status.cluster}"
    yield f"state     {status.state.value}" + ("  STALLED" if status.stalled else "")
    if status.step:
        yield f"step      {status.step.words}: {status.step.title}"
    scale = status.scale
    if scale.note:
        yield f"time      {scale.note}"
    if status.waiting_for:
        since = f"  ({status.waited_words(now - (status.waiting_since or now))} so far)"
        label, _, what = status.waits.partition(" ")
        yield f"{label:<9} {what}{since}"
    if status.question is not None:
        standing = status.question
        suspended = f"suspended: {standing.suspended}; " if standing.suspended else ""
        yield f"question  {suspended}it was asked on this evidence"
        for text in evidence_lines(standing.asked, now, scale):
            yield f"          {text}"
    if status.hold_asked:
        yield f"hold      {status.hold_asked} asked for one; it begins before the next change"
    if status.reason:
        yield f"ended     {status.reason}"
    for change in status.changed:
        yield f"changed   {change_words(change, short=True)}"
    for failed in status.users_lost:
        yield f"users     FAILED: {failed}"
    yield f"rollback  {status.way_back}"
    for more in status.rollback_lines:
        yield f"          {more}"
    if status.hint:
        yield f"next      {status.hint}"
    for gate in status.gates:
        said = verdict_words(gate, waiting=status.waits_for_gates)
        yield f"gate      {said:8} {gate.gate.value}: {gate.summary}"
    for one in status.approvals:
        how = ", approved beforehand at start" if one.beforehand else ""
        yield f"approved  {one.step}: {one.by}, {clock_words(one.at)}{how}"
    for override in status.overrides:
        yield f"override  {override.gate.value} at {override.step} by {override.by}: {override.reason}"
    if status.runner_pid is not None:
        where = f" on {status.runner_host}; whether it lives is not known here"
        yield f"runner    pid {status.runner_pid}{where if status.runner_host else ''}"


def print_report(text: str) -> None:
    """A report's plain text for a terminal: headings stand out, no line is broken inside a word."""
    lines = text.splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line and set(line) <= {"=", "-"} and len(line) > 1:
            print(paint(line, "dim"))
        elif below and set(below) <= {"=", "-"} and len(below) == len(line):
            print(paint(line, "heading"))
        elif line.startswith("    "):
            print(f"    {diff_line(line[4:])}")
        else:
            print(folded(line, sys.stdout))


def _table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (plain(cell).ljust(wide) for cell, wide in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _wrapped(text: str, *, indent: str, head: str = "") -> None:
    """Print a text in lines of the terminal's width; its beginning `head` in its own colour."""
    first = True
    for line in plain(text).splitlines() or [""]:
        filled = textwrap.fill(
            line,
            width(),
            initial_indent=indent,
            subsequent_indent=indent + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        if first and head and filled.startswith(head):
            filled = verdict(head) + filled[len(head) :]
        print(filled)
        first = False
