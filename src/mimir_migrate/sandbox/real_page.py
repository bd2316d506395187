"""Writes `docs/real.md`: what was run with real binaries, and what was not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from mimir_migrate.plans.rehearsal import Rehearsal, Walked
from mimir_migrate.runs.floors import GOAL
from mimir_migrate.sandbox.processes.twin import CHANGES
from mimir_migrate.sandbox.processes.users import Count
from mimir_migrate.sandbox.real_rows import ROWS, Finished, Row
from mimir_migrate.sandbox.walking import FAULTS, Leg

_NOT_RUN = (
    "a Kubernetes other than the sandbox's own API server, controllers and kubelet",
    "AWS: DynamoDB and IAM were moto's",
    "deploys by Helm itself, of version 3 or 4: where a chart is named, Helm renders it and the sandbox applies it",
    "`configStorageType: Secret`",
    "OnDelete StatefulSets that no rollout operator restarts; the operator was the sandbox's",
    "more pods than one machine carries, and more traffic than two requests a second of each kind",
)


def page(
    rows: Sequence[Finished],
    rehearsals: Mapping[str, Rehearsal] | None = None,
    notes: Mapping[str, str] | None = None,
) -> str:
    """The page, from the rows that were run.

    Args:
        rows: The rows, oldest first.
        rehearsals: Rehearsals with real binaries, by what they are of.
        notes: What is to be said of rehearsals beside their figures, by what they are of.
    """
    parts = (*_lines(rows), *_rehearsed(rehearsals or {}, notes or {}), *_rest())
    return "\n".join(parts) + "\n"


def _rehearsed(rehearsals: Mapping[str, Rehearsal], notes: Mapping[str, str]) -> Iterator[str]:
    if not rehearsals:
        return
    yield "## Rehearsals"
    yield ""
    yield "What `rehearse` found on twins of a release, from the files that it wrote. *Pushes* and *queries* are those that failed."
    yield ""
    yield "| of | binary | chart | day | command | exit | seconds (steps) | steps by least | misses of observations | pushes, queries |"
    yield "|---|---|---|---|---|--:|---|--:|--:|--:|"
    for what, one in sorted(rehearsals.items()):
        binary = ", ".join(f"{each.product} {each.version}" for each in one.binaries)
        day = time.strftime("%Y-%m-%d", time.gmtime(one.at))
        head = (what, binary or "simulated", one.chart, day)
        for leg in one.legs:
            steps = ", ".join(f"{name} {seconds:.0f}" for name, seconds in leg.steps.items())
            cells = (
                *head,
                leg.purpose,
                f"{leg.exit_code}: {leg.reason}" if leg.exit_code else "0",
                f"{leg.seconds:.0f} ({steps})",
                _ratio(leg),
                f"{leg.misses:,} of {leg.observations:,}",
                f"{leg.failed_pushes}, {leg.failed_queries}",
            )
            yield f"| {' | '.join(_cell(cell) for cell in cells)} |"
        if not one.legs:
            none = (*head, f"none: {one.why}", *("–" for _ in range(5)))
            yield f"| {' | '.join(_cell(cell) for cell in none)} |"
    yield ""
    said = [f"- {what}: {note}" for what, note in sorted(notes.items()) if what in rehearsals]
    if said:
        yield from (*said, "")


def _lines(rows: Sequence[Finished]) -> Iterator[str]:
    yield "# Run with real binaries"
    yield ""
    yield (
        "Written by `make real` from the rows that it kept; not by hand. Each pod is a process of the binary "
        "named, under the sandbox's own Kubernetes API server, controllers and kubelet, with DynamoDB behind "
        "moto, deployed as the sandbox deploys. Users push and query twice a second."
    )
    yield ""
    yield "## Binaries"
    yield ""
    yield "| product | version | revision | sha256 |"
    yield "|---|---|---|---|"
    yield from dict.fromkeys(
        f"| {one.product} | {one.version} | {one.revision} | `{one.sha256}` |" for one in rows
    )
    yield ""
    yield "## What was run"
    yield ""
    yield "| row | version | chart | permissions | day | pods | result |"
    yield "|---|---|---|---|---|--:|---|"
    for row in ROWS:
        found = [one for one in rows if one.row == row.name]
        for one in found:
            yield (
                f"| {_titled(one)} | {one.version} | {one.chart or 'an imitation'} "
                f"| {'what `rbac` prints' if one.least else 'all'} | {one.at} | {one.pods} | {_result(one)} |"
            )
        if not found:
            yield f"| {row.name}: {row.what} | – | – | – | – | – | not run |"
    yield ""
    yield "## Each way"
    yield ""
    yield (
        "Misses are what the sandbox's own watch counted: each second, for each page and each member that "
        "were Ready for longer than the gate window, a member that the page does not show ACTIVE with its "
        "address. A page that is not answered within 5 s is asked once more; *late* are those that were "
        "answered then, and one that was not is a miss of every member. While DynamoDB is away nobody can "
        "write a new member: who was younger than the window when it went counts from a window after its "
        "return, and a page that reads the table at each request (query-scheduler, overrides-exporter) is then no "
        "view of anybody's. Failed pushes and queries are those that users were answered with 5xx; *parting* of them "
        "came from pods that were just being stopped, whose counters may be gone before anybody reads them; "
        "*lost* was not answered by any pod. "
        "*Report* is what this tool's report says failed: a row fails unless it is the number that failed, "
        "with none, some or all of those that were parting. *Steps by least*: the sum of what "
        "the steps took by the sum of the least that they can take, which is the change in every pod, two "
        "heartbeats of the slowest chosen ring and one poll, from the run's journal; steps that a fault "
        f"befell, and the tables, are left out. At most {GOAL} is wanted."
    )
    yield ""
    yield "| row | version | command | exit | seconds (steps) | steps by least | misses of observations | pushes failed of asked, parting, lost, report | queries failed of asked, parting, lost, report | faults |"
    yield "|---|---|---|--:|---|--:|--:|--:|--:|---|"
    for row in ROWS:
        for one in rows:
            if one.row == row.name:
                yield from (_leg_line(row, one, leg) for leg in one.legs)
    yield ""
    yield "Faults:"
    yield ""
    for name, what in FAULTS.items():
        yield f"- `{name}`: {what}"
    yield ""


def _rest() -> Iterator[str]:
    yield "## What no row tries"
    yield ""
    for what in _NOT_RUN:
        yield f"- {what}"
    yield ""
    yield "## What these pods differ in from a real cluster's"
    yield ""
    for change in CHANGES:
        yield f"- {change}"


def _titled(one: Finished) -> str:
    """The row as it was run; one that was kept before rows said what they are has its name only."""
    return f"{one.row}: {one.what}" if one.what else one.row


def _result(one: Finished) -> str:
    if not one.passed:
        return f"**failed**: {_cell(one.why)}"
    return f"passed ({', '.join(one.findings)})" if one.findings else "passed"


def _leg_line(row: Row, one: Finished, leg: Leg) -> str:
    steps = ", ".join(f"{name} {seconds:.0f}" for name, seconds in leg.steps.items())
    cells = (
        row.name,
        one.version,
        leg.purpose,
        str(leg.exit_code),
        f"{leg.seconds:.0f} ({steps})",
        _ratio(leg),
        f"{leg.misses:,} of {leg.observations:,}{f', {leg.late} late' if leg.late else ''}",
        _count(leg.pushes, leg.reported_pushes),
        _count(leg.queries, leg.reported_queries),
        ", ".join(leg.faults) or "–",
    )
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _ratio(leg: Leg | Walked) -> str:
    return "–" if not leg.least or leg.took is None else f"{leg.took / leg.least:.2f}"


def _count(count: Count, told: float | None) -> str:
    report = "–" if told is None else f"{told:.0f}"
    failed = count.failed + count.parting
    return f"{failed} of {count.asked:,}, {count.parting}, {count.unanswered}, {report}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
