"""The Run screen's first lines: where the run stands, what is waited for, what is left, the rollback."""

from __future__ import annotations

from collections.abc import Sequence

from mimir_migrate.model.plan import Duration, Step, StepKind, change_words
from mimir_migrate.model.scale import Scale
from mimir_migrate.runs.rollouts import Rollout
from mimir_migrate.runs.status import RunStatus
from mimir_migrate.runs.waiting import LEAST_BESIDES, waited_words
from mimir_migrate.screens.run_page.rollout_views import rollout_line
from mimir_migrate.screens.run_page.run_book import RunBook
from mimir_migrate.screens.run_page.step_views import spent_words
from mimir_migrate.screens.runs import state_sign
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.text import Line, Span, line, plain, seconds_words, text_of, wrap


def now_lines(
    status: RunStatus,
    book: RunBook,
    signs: Glyphs,
    now: float,
    rollout: Rollout | None = None,
) -> list[Line]:
    """State and step, what is waited for and since when, what is left, the rollback."""
    place = status.step
    here = book.present()
    title = place.words if place else ""
    if here is not None:
        title += ": " + _kind_words(here.step)
    purpose = "" if status.purpose == "apply" else f" ({status.purpose})"
    found: list[Line] = [
        (state_sign(status, signs), Span(f"{purpose}  ", "warn"), Span(plain(title), "strong"))
    ]
    since = "" if status.waiting_since is None else status.waited_words(now - status.waiting_since)
    stalled = (f"{signs.bad} STALLED ", "bad") if status.stalled else ("", "")
    if status.approval_for:
        found.append(
            line(("asks you ", "dim"), "to approve it", (f", for {since}" if since else "", "dim"))
        )
    elif status.waiting_for:
        label, _, what = status.waits.partition(" ")
        # The time stands first: what is waited for can be long, and the end of a line is what is cut.
        so_far = f"{since} so far{':' if label.endswith(':') else ''} " if since else ""
        label = label.rstrip(":")
        found.append(line((f"{label:<9}", "dim"), stalled, (so_far, "dim"), what))
    elif status.reason:
        found.append(line(("ended    ", "dim"), status.reason.splitlines()[0]))
    found += _until(status, now)
    if rollout is not None:
        found.append(rollout_line(rollout, signs, over=book.rollout_over))
    found += [
        line(
            ("changed  ", "dim"),
            (change_words(change, short=True), "bad" if change.matters else "dim"),
        )
        for change in status.changed
    ]
    found += _users(status, book, now)
    found += _took(status, book) if book.ended_at else _left(status, begun=bool(book.legs))
    found.append(line(("rollback ", "dim"), status.way_back))
    found += [line(("         " + more, "dim")) for more in status.rollback_lines]
    return found


CAN_WAIT = ("runner ", " " * 9, "left ", "rollout ")
"""How the lines of the state begin that can be read elsewhere as well, what can be missed first first."""


def can_wait(spans: Line) -> bool:
    """Whether a line of the state may be left out where a pane needs the room: it can be read again."""
    return text_of(spans).startswith(CAN_WAIT)


def _until(status: RunStatus, now: float) -> list[Line]:
    """How long the runner waits for an answer yet; nothing where it waits for none."""
    if status.deadline is None:
        return []
    left = status.deadline - now
    yours = "" if status.scale.is_true else " of your own time"
    said = (
        f"{seconds_words(left)}{yours} left to answer"
        if left > 0
        else "the time to answer is over"
    )
    return [
        line(("until    ", "dim"), (said, "warn"), ("; then the runner ends, r resumes it", "dim"))
    ]


def _users(status: RunStatus, book: RunBook, now: float) -> list[Line]:
    """What users lost in each step; of the one under way, how old the count is: more may have failed since."""
    lost = list(status.users_lost)
    found = [line(("users    ", "dim"), (f"failed: {failed}", "bad")) for failed in lost]
    if lost and book.counts_on and not book.ended_at:
        age = status.scale.age_words(now - book.counted_at)
        found[-1] = line(
            ("users    ", "dim"), (f"failed: at least {lost[-1]}", "bad"), f", counted {age}"
        )
    return found


def _kind_words(step: Step) -> str:
    words = {
        StepKind.TABLES: "makes the ring table",
        StepKind.ROLLOUT: "every pod restarts",
        StepKind.RUNTIME: "no pod restarts",
        StepKind.BRIDGE: "looks at the ring bridge",
    }[step.kind]
    return ("switches the primary store, " if step.crossing else "") + words


def _left(status: RunStatus, *, begun: bool) -> list[Line]:
    """What is left and for what; under it, for whoever asks, by what that is told and who is at work."""
    nobody = "none at work" if begun else "starting"
    runner = f"{status.runner_pid or nobody}, by {status.by}"
    if status.eta is None:
        return [line((f"runner   {runner}", "dim"))]
    what, _, basis = status.eta.basis.partition("; ")
    over = "; this step takes longer than planned" if status.late else ""
    return [
        line(
            ("left     ", "dim"),
            left_words(status.eta, status.scale),
            (f" for {what}{over}", "dim"),
        ),
        line((f"runner   {runner}; time left {basis}", "dim")),
    ]


def left_words(left: Duration, scale: Scale) -> str:
    """A range that tells something: one end where both are too far apart."""
    if left.stops:
        return left.words(scale, brief=True)
    low, high = scale.ends(
        left.low, left.high, fixed_low=left.fixed_low, fixed_high=left.fixed_high
    )
    return left.words(scale) if high <= TOO_FAR * low else f"up to {seconds_words(high)}"


TOO_FAR = 8.0
"""Ends of a range further apart than this are no news: only the longer one is said."""


def _took(status: RunStatus, book: RunBook) -> list[Line]:
    """How long the whole took, and each step of all legs; beside it how long somebody was waited for."""
    waited = book.waits.until(book.ended_at)
    whole = book.ended_at - status.started_at - waited
    total, in_steps = status.scale.words(whole), 0.0
    legs = []
    for leg in book.legs:
        steps = [
            f"{progress.step.id} {spent_words(progress, status.scale)}"
            for progress in leg.steps
            if progress.done_at is not None
        ]
        named = f"{leg.purpose}: " if len(book.legs) > 1 else ""
        legs += [named + ", ".join(steps)] if steps else []
        in_steps += sum(progress.took or 0.0 for progress in leg.steps)
    if legs and whole - in_steps >= LEAST_BESIDES:
        legs.append(f"{status.scale.words(whole - in_steps)} before and between them")
    said = f": {'; '.join(legs)}" if legs else ""
    beside = waited_words(waited, status.scale, before="         ")
    return [
        line(("took     ", "dim"), total, (said, "dim")),
        *([line((beside, "dim"))] if beside else []),
    ]


def fitted(lines: Sequence[Line], width: int, room: int) -> list[Line]:
    """The lines in their room: what must be read whole gets two of them, the rest is cut.

    Args:
        lines: The state's lines.
        width: Cells of a line.
        room: How many lines there is room for: what can be read elsewhere is left out until they fit; if
            even then they do not, each gets one line, as many as there are.
    """
    shown: list[Line] = []
    for begins in ("", *CAN_WAIT):
        lines = [each for each in lines if not begins or not text_of(each).startswith(begins)]
        shown = [
            part
            for spans in lines
            for part in (_two(spans, width) if _matters(spans) else [spans])
        ]
        if len(shown) <= room:
            return shown
    return list(lines[:room])


def _matters(spans: Line) -> bool:
    """Whether a line of the state is one that must be read whole."""
    return text_of(spans).startswith(
        ("waits", "held", "users", "ended", "left", "took", "rollout", "rollback")
    )


def _two(spans: Line, width: int) -> list[Line]:
    """A line in at most two; what is left then stays on the second one, where it is cut."""
    first, *others = wrap(spans, width, indent=9)
    rest: list[Span] = [Span(" " * 9)]
    for part in others:
        spaced = rest[-1].text.endswith(" ")
        rest += [*([] if spaced else [Span(" ")]), *(span for span in part if span.text.strip())]
    return [first, tuple(rest)] if others else [first]
