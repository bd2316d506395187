"""A run's report, from its journal only: Markdown, JSON or HTML."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from mimir_migrate.engine.history import (
    first_plan,
    tables_made,
)
from mimir_migrate.errors import JournalError, UsageError
from mimir_migrate.model.events import (
    GateJudged,
    QuestionSeenAgain,
    Recorded,
    RunStarted,
    RunState,
    WaitStarted,
)
from mimir_migrate.model.plan import SCHEMA
from mimir_migrate.model.scale import Scale
from mimir_migrate.plans.hand import left_commands
from mimir_migrate.plans.texts import tables_left
from mimir_migrate.runs.floors import step_times, words_of
from mimir_migrate.runs.status import RunStatus, status_of
from mimir_migrate.runs.story import evidence_lines, told


def render(
    run: str, events: Sequence[Recorded], suffix: str, *, status: RunStatus | None = None
) -> str:
    """The report in the form that a file's ending names: `.md`, `.json` or `.html`.

    Args:
        run: The run's id.
        events: All of its events, in order.
        suffix: The ending.
        status: Where the run stands, from somebody who knows whether its runner lives. None: as the
            journal says, in which a runner that died without a word still works.

    Raises:
        UsageError: Another ending.
        JournalError: The journal ends before the run's first event.
    """
    writers: Mapping[str, Callable[[str, Sequence[Recorded], RunStatus | None], str]] = {
        ".md": to_markdown,
        ".json": to_json,
        ".html": to_html,
    }
    if suffix not in writers:
        raise UsageError(
            f"a report cannot be written as {suffix or 'a file without an ending'}",
            hint="The name must end with .md, .json or .html.",
        )
    if not any(isinstance(recorded.event, RunStarted) for recorded in events):
        raise JournalError(f"the journal of the run {run} holds no start", hint="Plan again.")
    return writers[suffix](run, events, status)


def to_json(run: str, events: Sequence[Recorded], status: RunStatus | None = None) -> str:
    """The status and every event, as one document."""
    document = {
        "schema": SCHEMA,
        "run": run,
        "status": msgspec.to_builtins(status or _status(run, events)),
        "events": msgspec.to_builtins(list(events)),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def to_markdown(run: str, events: Sequence[Recorded], status: RunStatus | None = None) -> str:
    """The report for people."""
    return "\n".join(_markdown(events, status or _status(run, events))) + "\n"


def to_html(run: str, events: Sequence[Recorded], status: RunStatus | None = None) -> str:
    """The same as one page without scripts, styles from elsewhere, or markup from the world."""
    body = "\n".join(_html_lines(to_markdown(run, events, status)))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>mimir-migrate {html.escape(run)}</title>\n"
        "<style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "table{border-collapse:collapse}td,th{border:1px solid #888;padding:.2em .6em;"
        "text-align:left;vertical-align:top}code{font-family:monospace}</style>\n"
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _status(run: str, events: Sequence[Recorded]) -> RunStatus:
    last = events[-1].at if events else 0.0
    return status_of(run, events, now=last)


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def _markdown(events: Sequence[Recorded], status: RunStatus) -> Iterator[str]:
    scale = status.scale
    took = scale.words(status.updated_at - status.started_at)
    yield f"# Run {status.run}: {status.state.value}"
    yield ""
    yield f"- rings: {', '.join(status.rings)}, to {status.to}"
    yield f"- release `{status.release}` in namespace `{status.namespace}` of `{status.cluster}`"
    yield f"- AWS account `{status.account or 'unknown'}`, region `{status.region or 'unknown'}`"
    yield f"- started by {status.by} at {_when(status.started_at)}, took {took}"
    if scale.note:
        yield f"- {scale.note}"
    if status.reason:
        yield f"- ended: {_cell(status.reason)}"
    if status.state is RunState.DEAD:
        yield f"- ended: its runner is gone without a word since {_when(status.updated_at)}"
    if status.waiting_for:
        verb = "waited" if status.state is RunState.DEAD else "waits"
        yield f"- {verb} for: {_cell(status.waiting_for)}"
    yield f"- rollback: {status.way_back}"
    for failed in status.users_failed:
        yield f"- **users failed**: {failed}"
    for recorded in events:
        if isinstance(recorded.event, RunStarted):
            for note in recorded.event.plan.notes:
                yield f"- note: {_cell(note)}"
    yield ""
    yield "## What happened"
    yield ""
    yield "| at | what |"
    yield "|---|---|"
    for recorded in events:
        words = _words(recorded, scale)
        if words:
            offset = scale.words(recorded.at - status.started_at)
            yield f"| +{offset} | {_cell(words)} |"
    yield ""
    yield from _approvals(status)
    yield "## Evidence at each gate"
    yield ""
    passed = [
        (recorded.at, recorded.event)
        for recorded in events
        if isinstance(recorded.event, GateJudged) and recorded.event.good_samples
    ]
    if not passed:
        yield "No gate has passed yet."
    else:
        yield "| step | when | gate | samples | over | evidence |"
        yield "|---|---|---|---|---|---|"
    for _, judged in passed:
        yield (
            f"| {judged.step} | {judged.when} | {judged.result.gate.value} | "
            f"{judged.good_samples} | {scale.words(judged.window)} | "
            f"{_cell(judged.result.summary)} |"
        )
    yield from _time_of_steps(events, scale)
    yield from _left(events, status)
    if status.overrides:
        yield ""
        yield "## Gates that were overridden"
        yield ""
        for override in status.overrides:
            yield (
                f"- `{override.gate.value}` at `{override.step}` by {override.by}: "
                f"{_cell(override.reason)}"
            )


def _time_of_steps(events: Sequence[Recorded], scale: Scale) -> Iterator[str]:
    """What steps took, beside the least: the change in every pod, two heartbeats and a poll."""
    times = step_times(events)
    if not times:
        return
    yield ""
    yield "## Time"
    yield ""
    yield words_of(times, scale)
    yield ""
    yield "| step | took | until every pod showed the change | the least |"
    yield "|---|---|---|---|"
    for one in times:
        took, change, floor = map(scale.words, (one.took, one.change, one.floor))
        yield f"| {one.step} | {took} | {change} | {floor} |"


def _approvals(status: RunStatus) -> Iterator[str]:
    """Who approved which step, when, and on which evidence."""
    if not status.approvals:
        return
    yield "## Approvals"
    yield ""
    yield "| step | by | at | evidence |"
    yield "|---|---|---|---|"
    for one in status.approvals:
        by = one.by + (", approved beforehand at start" if one.beforehand else "")
        by += f": {one.reason}" if one.reason else ""
        told = evidence_lines(one.asked, one.at, status.scale) if one.asked else ()
        yield f"| {one.step} | {_cell(by)} | {_when(one.at)} | {_cell('; '.join(told))} |"
    yield ""


def _words(recorded: Recorded, scale: Scale) -> str:
    """An event for the table; empty: the table is not about it."""
    match recorded.event:
        case WaitStarted():
            return ""
        case QuestionSeenAgain(resumed=False):
            return ""
        case event:
            step = getattr(event, "step", "")
            return (f"`{step}`: " if step else "") + told(recorded, scale).line


def _left(events: Sequence[Recorded], status: RunStatus) -> Iterator[str]:
    """What a rollback left, and the commands that delete it."""
    left = tables_made(events) if status.state is RunState.ROLLED_BACK else ()
    if left:
        yield ""
        yield "## What is left"
        yield ""
        yield f"- {_cell(tables_left(left))}"
        for command in left_commands(left, first_plan(events).target):
            yield f"- `{command}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _html_lines(markdown: str) -> Iterator[str]:
    rows: list[list[str]] = []
    items: list[str] = []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            cells = [cell.strip().replace("\0", "|") for cell in _split(line)]
            if not all(set(cell) <= {"-"} for cell in cells):
                rows.append(cells)
            continue
        if rows:
            yield "<table>"
            for number, cells in enumerate(rows):
                tag = "th" if number == 0 else "td"
                yield (
                    "<tr>" + "".join(f"<{tag}>{_inline(cell)}</{tag}>" for cell in cells) + "</tr>"
                )
            yield "</table>"
            rows = []
        if line.startswith("- "):
            items.append(line[2:])
            continue
        if items:
            yield "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>"
            items = []
        if line.startswith("## "):
            yield f"<h2>{_inline(line[3:])}</h2>"
        elif line.startswith("# "):
            yield f"<h1>{_inline(line[2:])}</h1>"
        elif line:
            yield f"<p>{_inline(line)}</p>"


def _split(line: str) -> list[str]:
    return line.replace("\\|", "\0").strip().strip("|").split("|")


def _inline(text: str) -> str:
    parts = html.escape(text).split("`")
    return "".join(
        f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts)
    )
