"""What users lose, against what is usual."""

from __future__ import annotations

from mimir_migrate.durations import clock_words
from mimir_migrate.engine import traffic
from mimir_migrate.model.events import Verdict
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.scale import Scale
from mimir_migrate.screens.run_page.gate_views import sign_of
from mimir_migrate.screens.run_page.run_book import RunBook
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.text import Line, Span, line, plain, seconds_words


def user_lines(
    book: RunBook,
    earlier: Inspection | None,
    latest: Inspection | None,
    signs: Glyphs,
    *,
    now: float,
    failed_at: float = 0.0,
    every: float = 0.0,
) -> list[Line]:
    """Failures of late against the baseline that was taken before the first change.

    Args:
        book: The run.
        earlier: The look before the latest one; None: there was none.
        latest: The latest look at the pods; None: there was none.
        signs: The signs to draw with.
        now: The time, in seconds since the epoch.
        failed_at: When the app's own looks saw something fail last; 0: they did not.
        every: Seconds after which the pods are looked at again while this is shown; 0: they are not.
    """
    usual = traffic.shares_of(book.baseline.rates) if book.baseline else None
    grown = traffic.deltas(earlier, latest) if earlier and latest else None
    recent = traffic.shares_of(grown) if grown is not None else None
    last = max(failed_at, book.failed_at)
    judged = book.latest.get(Gate.USERS_FINE)
    over = judged is not None and judged[1].result.verdict is Verdict.PASS and judged[0] > last
    found = [_last_failure(last, now, book.scale, looked=failed_at > book.failed_at, over=over)]
    if usual is None:
        found.append(line(("The baseline is taken before the first step.", "dim")))
    else:
        seconds = book.baseline.seconds if book.baseline else 0.0
        found.append(
            line((f"{'failed':<17}{'baseline':>9}{'allowed':>9}{'last look':>10}", "dim"))
        )
        for words, share in usual.shares.items():
            allowed = max(traffic.ALLOWED_SHARE, traffic.BASELINE_FACTOR * share)
            fresh = recent.shares.get(words) if recent else None
            shown = "-" if fresh is None else f"{fresh:.2%}"
            bad = fresh is not None and fresh > allowed
            style = "good" if not bad else "warn" if over else "bad"
            sign = "over: users-fine passed since" if over else f"{signs.bad} too many"
            found.append(
                line(
                    f"{words.removeprefix('failed '):<17}{share:>9.2%}{allowed:>9.2%}",
                    (f"{shown:>10}", style),
                    (f"  {sign}" if bad else "", style),
                )
            )
        found.append(
            line((f"Baseline over {book.scale.words(seconds)} before the first change.", "dim"))
        )
    if recent is not None and earlier is not None and latest is not None:
        spent = book.scale.words(latest.at - earlier.at)
        found.append(
            line(
                (
                    f"Last look: this screen's own, {clock_words(latest.at)} UTC, of the {spent} before it.",
                    "dim",
                )
            )
        )
    elif usual is not None:
        found.append(line((_when_looked(latest, every), "dim")))
    if judged is not None:
        result = judged[1].result
        found += [
            line(""),
            (
                sign_of(result, signs),
                Span(f" users-fine at {clock_words(judged[0])}: "),
                Span(plain(result.summary)),
            ),
        ]
        found += [line(f"  {each.source}: {each.detail}") for each in result.evidence]
    return found


def _last_failure(at: float, now: float, scale: Scale, *, looked: bool, over: bool) -> Line:
    """How long ago something was found failing last: by a look of the app's, or by the run's own count.

    The run's count comes up to `engine.step_checks.SAY_AGAIN` seconds after what it counts, so it is not the time of a failure.
    """
    if not at:
        return line(("Last failure: none was seen in this run.", "dim"))
    age = scale.age_words(now - at)
    words = (
        f"Last failure seen {age}, at {clock_words(at)} UTC, by a look of this screen."
        if looked
        else f"Failures counted last {age}, at {clock_words(at)} UTC, by the run's own samples."
    )
    return line((words, "warn" if over else "bad"))


def _when_looked(latest: Inspection | None, every: float) -> str:
    """When there is something to say of what fails of late."""
    if not every:
        return "Last look: it takes two to tell; v takes one."
    if latest is None:
        return f"Last look: it takes two, {seconds_words(every)} apart, to tell; the first is under way."
    at = clock_words(latest.at)
    return f"Last look: {at} UTC; the next follows within {seconds_words(every)} and tells what failed between."
