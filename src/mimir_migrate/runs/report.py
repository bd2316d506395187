"""A run's report, from its journal only: Markdown, one HTML page, plain text, or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from mimir_migrate.engine.history import first_plan, tables_made
from mimir_migrate.errors import JournalError, UsageError
from mimir_migrate.model.events import (
    ChangeIntended,
    GateJudged,
    LegStarted,
    QuestionSeenAgain,
    Recorded,
    RunStarted,
    RunState,
    StepDone,
    StepStarted,
    WaitStarted,
)
from mimir_migrate.model.plan import SCHEMA, Step
from mimir_migrate.model.scale import Scale
from mimir_migrate.plans.hand import left_commands
from mimir_migrate.plans.texts import tables_left
from mimir_migrate.runs import report_document as form
from mimir_migrate.runs.floors import step_times, words_of
from mimir_migrate.runs.report_document import (
    Block,
    Code,
    Folded,
    Heading,
    Inline,
    Items,
    Lines,
    Paragraph,
    Table,
)
from mimir_migrate.runs.report_summary import summary, when
from mimir_migrate.runs.status import RunStatus, status_of
from mimir_migrate.runs.story import evidence_lines, told, unfinished_words
from mimir_migrate.runs.waiting import Waits
from mimir_migrate.words import counted

_TONES = {
    RunState.DONE: "good",
    RunState.ROLLED_BACK: "warn",
    RunState.FAILED: "bad",
    RunState.DEAD: "bad",
    RunState.HELD: "warn",
}


def render(
    run: str, events: Sequence[Recorded], suffix: str, *, status: RunStatus | None = None
) -> str:
    """The report in the form that a file's ending names: `.md`, `.html`, `.txt` or `.json`.

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
    refuse_ending(suffix)
    if not any(isinstance(recorded.event, RunStarted) for recorded in events):
        raise JournalError(f"the journal of the run {run} holds no start", hint="Plan again.")
    return _WRITERS[suffix](run, events, status)


def refuse_ending(suffix: str) -> None:
    """Refuse an ending that names no form.

    Raises:
        UsageError: With those that there are.
    """
    if suffix not in _WRITERS:
        raise UsageError(
            f"a report cannot be written as {suffix or 'a file without an ending'}",
            hint="The name must end with .md, .html, .txt or .json.",
        )


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
    return form.to_markdown(blocks_of(run, events, status))


def to_html(run: str, events: Sequence[Recorded], status: RunStatus | None = None) -> str:
    """The same as one page that prints, in light and dark, without scripts."""
    return form.to_html(f"mimir-migrate {run}", blocks_of(run, events, status))


def to_text(run: str, events: Sequence[Recorded], status: RunStatus | None = None) -> str:
    """The same as plain text, all of it unfolded."""
    return form.to_text(blocks_of(run, events, status))


_WRITERS: Mapping[str, Callable[[str, Sequence[Recorded], RunStatus | None], str]] = {
    ".md": to_markdown,
    ".html": to_html,
    ".txt": to_text,
    ".json": to_json,
}


def blocks_of(
    run: str, events: Sequence[Recorded], status: RunStatus | None = None
) -> tuple[Block, ...]:
    """The report's parts: what came of it first, then how, then the evidence."""
    found = status or _status(run, events)
    return (
        Heading(f"Run {found.run}: {found.state.value}", 1, _TONES.get(found.state, "")),
        Items(tuple(summary(events, found))),
        *_steps(events, found.scale),
        *_approvals(found),
        *_overrides(found),
        *_left(events, found),
        *_happened(events, found),
        *_diffs(events),
        *_evidence(events, found.scale),
        *_time_of_steps(events, found.scale),
    )


def _status(run: str, events: Sequence[Recorded]) -> RunStatus:
    last = events[-1].at if events else 0.0
    return status_of(run, events, now=last)


# --- steps ---------------------------------------------------------------------------------------


class _Walked(msgspec.Struct, frozen=True):
    """A step that began."""

    purpose: str
    step: Step
    place: str
    """Its number, as `4 of 7`."""
    began: float
    ended: float | None = None
    waited: float = 0.0
    """Seconds in which somebody was waited for."""
    changed: bool = False
    """Whether a change of it was begun."""

    @property
    def took(self) -> float | None:
        """Seconds without those; None: it was not finished."""
        return None if self.ended is None else self.ended - self.began - self.waited

    @property
    def back(self) -> bool:
        """Whether it is a rollback's."""
        return self.purpose == "rollback"


def _walked(events: Sequence[Recorded]) -> Iterator[_Walked]:
    """Every step that began."""
    leg: LegStarted | None = None
    here: _Walked | None = None
    waits, before = Waits(), 0.0
    for recorded in events:
        waits.take(recorded)
        match recorded.event:
            case LegStarted() as begun:
                if here:
                    yield here
                here, leg = None, begun
            case StepStarted(step=name) if leg is not None and name in leg.numbers():
                if here:
                    yield here
                number = leg.numbers()[name]
                here = _Walked(
                    purpose=leg.purpose,
                    step=leg.plan.steps[number - 1 - len(leg.behind)],
                    place=f"{number} of {leg.of}",
                    began=recorded.at,
                )
                before = waits.until(recorded.at)
            case ChangeIntended(step=name) if here and here.step.id == name:
                here = msgspec.structs.replace(here, changed=True)
            case StepDone(step=name) if here and here.step.id == name:
                waited = waits.until(recorded.at) - before
                yield msgspec.structs.replace(here, ended=recorded.at, waited=waited)
                here = None
            case _:
                pass
    if here:
        yield here


def _steps(events: Sequence[Recorded], scale: Scale) -> Iterator[Block]:
    walked = tuple(_walked(events))
    waited = any(one.waited >= 1 for one in walked)
    rows = tuple(
        (
            Code(one.step.id),
            one.place,
            when(one.began),
            unfinished_words(changed=one.changed) if one.took is None else scale.words(one.took),
            *((scale.own_words(one.waited) if one.waited >= 1 else "-",) if waited else ()),
            one.step.title + (" (rollback)" if one.back else ""),
        )
        for one in walked
    )
    if rows:
        yield Heading("Steps")
        beside = ("waited",) if waited else ()
        yield Table(("step", "number", "began", "took", *beside, "what"), rows)
        if waited:
            yield Paragraph("What a step waited for somebody is not part of what it took.")


def _diffs(events: Sequence[Recorded]) -> Iterator[Block]:
    """What each step changed in files, as its plan says."""
    folded = [
        Folded(
            f"{one.step.id}{' (rollback)' if one.back else ''}: {one.step.title}",
            (Lines(one.step.diff, "diff"),),
        )
        for one in _walked(events)
        if one.step.diff
    ]
    if folded:
        yield Heading("Diffs")
        yield from folded


def _time_of_steps(events: Sequence[Recorded], scale: Scale) -> Iterator[Block]:
    """What steps took, beside the least: the change in every pod, two heartbeats and a poll."""
    times = step_times(events)
    if not times:
        return
    yield Heading("Time")
    yield Paragraph(words_of(times, scale))
    yield Table(
        ("step", "took", "until every pod showed the change", "the least"),
        tuple((one.step, *map(scale.words, (one.took, one.change, one.floor))) for one in times),
    )


# --- people --------------------------------------------------------------------------------------


def _approvals(status: RunStatus) -> Iterator[Block]:
    """Who approved which step, when, and on which evidence."""
    if not status.approvals:
        return
    yield Heading("Approvals")
    rows = []
    for one in status.approvals:
        by = one.by + (", approved beforehand at start" if one.beforehand else "")
        rows.append((one.step, by + (f": {one.reason}" if one.reason else ""), when(one.at)))
    yield Table(("step", "by", "at"), tuple(rows))
    for one in status.approvals:
        if one.asked:
            lines = (
                " ".join(line.split()) for line in evidence_lines(one.asked, one.at, status.scale)
            )
            yield Folded(f"{one.step}: the evidence that was approved", (Items(tuple(lines)),))


def _overrides(status: RunStatus) -> Iterator[Block]:
    if not status.overrides:
        return
    yield Heading("Gates that were overridden")
    yield Items(
        tuple(
            (Code(one.gate.value), " at ", Code(one.step), f" by {one.by}: {one.reason}")
            for one in status.overrides
        )
    )


# --- what happened -------------------------------------------------------------------------------


def _happened(events: Sequence[Recorded], status: RunStatus) -> Iterator[Block]:
    waits, rows = Waits(), []
    for recorded in events:
        waits.take(recorded)
        if words := _words(recorded, status.scale):
            since = waits.elapsed(status.started_at, recorded.at, status.scale)
            rows.append((f"+{status.scale.words(since)}", words))
    yield Heading("What happened")
    yield Table(("at", "what"), tuple(rows))


def _words(recorded: Recorded, scale: Scale) -> Inline:
    """An event for the table; empty: the table is not about it."""
    match recorded.event:
        case WaitStarted():
            return ""
        case QuestionSeenAgain(resumed=False):
            return ""
        case event:
            step, words = getattr(event, "step", ""), told(recorded, scale).line
            return (Code(step), f": {words}") if step else words


def _evidence(events: Sequence[Recorded], scale: Scale) -> Iterator[Block]:
    """The evidence with which each gate passed, folded by step."""
    yield Heading("Evidence at each gate")
    by_step: dict[tuple[int, str], list[tuple[Inline, ...]]] = {}
    leg = 0
    for recorded in events:
        match recorded.event:
            case LegStarted():
                leg += 1
            case GateJudged() as judged if judged.good_samples:
                by_step.setdefault((leg, judged.step), []).append(
                    (
                        judged.when,
                        judged.result.gate.value,
                        str(judged.good_samples),
                        scale.words(judged.window),
                        judged.result.summary,
                    )
                )
            case _:
                pass
    if not by_step:
        yield Paragraph("No gate has passed yet.")
    for (_, step), rows in by_step.items():
        gates = counted(len(rows), "gate")
        yield Folded(
            f"{step}: {gates} passed",
            (Table(("when", "gate", "samples", "over", "evidence"), tuple(rows)),),
        )


def _left(events: Sequence[Recorded], status: RunStatus) -> Iterator[Block]:
    """What stays behind, and the commands that delete it."""
    made = tables_made(events)
    if status.state is RunState.ROLLED_BACK and made:
        yield Heading("What is left")
        yield Paragraph(tables_left(made))
        yield Lines("\n".join(left_commands(made, first_plan(events).target)), "sh")
        yield Paragraph(
            (Code("mimir-migrate clean"), " shows what is left, and removes by name what may go.")
        )
    elif made:
        yield Heading("What the run made")
        yield Items(tuple(("table ", Code(table.name), f" in {table.region}") for table in made))
