"""What users lose, against what is usual."""

from __future__ import annotations

from mimir_migrate.engine import traffic
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Gate
from mimir_migrate.screens.run_page.gate_views import sign_of
from mimir_migrate.screens.run_page.run_book import RunBook
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.text import (
    Line,
    Span,
    clock_words,
    line,
    plain,
    seconds_words,
)


def user_lines(
    book: RunBook,
    earlier: Inspection | None,
    latest: Inspection | None,
    signs: Glyphs,
    *,
    every: float = 0.0,
) -> list[Line]:
    """Failures now against the baseline that was taken before the first change.

    Args:
        book: The run.
        earlier: The look before the latest one; None: there was none.
        latest: The latest look at the pods; None: there was none.
        signs: The signs to draw with.
        every: Seconds after which the pods are looked at again while this is shown; 0: they are not.
    """
    found: list[Line] = []
    usual = traffic.shares_of(book.baseline.rates) if book.baseline else None
    grown = traffic.deltas(earlier, latest) if earlier and latest else None
    now = traffic.shares_of(grown) if grown is not None else None
    if usual is None:
        found.append(line(("The baseline is taken before the first step.", "dim")))
    else:
        seconds = book.baseline.seconds if book.baseline else 0.0
        found.append(line((f"{'':<28}{'baseline':>10}{'allowed':>10}{'now':>10}", "dim")))
        for words, share in usual.shares.items():
            allowed = max(traffic.ALLOWED_SHARE, traffic.BASELINE_FACTOR * share)
            fresh = now.shares.get(words) if now else None
            shown = "-" if fresh is None else f"{fresh:.2%}"
            bad = fresh is not None and fresh > allowed
            found.append(
                line(
                    f"{words:<28}{share:>10.2%}{allowed:>10.2%}",
                    (f"{shown:>10}", "bad" if bad else "good"),
                    (f"  {signs.bad} too many" if bad else "", "bad"),
                )
            )
        found.append(
            line((f"Baseline over {book.scale.words(seconds)} before the first change.", "dim"))
        )
    if now is not None and earlier is not None and latest is not None:
        spent = book.scale.words(latest.at - earlier.at)
        found.append(
            line((f"Now: the last {spent} until {clock_words(latest.at)} UTC, all pods.", "dim"))
        )
    elif usual is not None:
        found.append(line((_when_now(latest, every), "dim")))
    judged = book.latest.get(Gate.USERS_FINE)
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


def _when_now(latest: Inspection | None, every: float) -> str:
    """When there is something to say of now."""
    if not every:
        return "Now: two looks at the pods tell it; v takes one."
    if latest is None:
        return f"Now: two looks at the pods tell it, {seconds_words(every)} apart; the first is under way."
    at = clock_words(latest.at)
    return f"Now: the first look was at {at} UTC, the second follows within {seconds_words(every)} and tells it."
