"""The Run screen's parts as rows and lines."""

# Longer than 400 lines. The panes of one screen, a function each.

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mimir_migrate.engine import traffic
from mimir_migrate.model.events import Difference, GateResult, RunState, Verdict
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import Duration, Gate, Step, StepKind, change_words
from mimir_migrate.model.scale import Scale
from mimir_migrate.runs.rollouts import Rolled
from mimir_migrate.runs.status import RunStatus
from mimir_migrate.screens.run_page.run_book import Leg, RunBook, StepProgress
from mimir_migrate.screens.runs import state_sign
from mimir_migrate.widgets.glyphs import Glyphs
from mimir_migrate.widgets.rows import Row, cell
from mimir_migrate.widgets.text import (
    Line,
    Span,
    clock_words,
    line,
    plain,
    seconds_words,
)
from mimir_migrate.words import counted

_VERDICTS = {Verdict.PASS: ("good", "good"), Verdict.FAIL: ("bad", "bad")}


def sign_of(result: GateResult, signs: Glyphs) -> Span:
    """A gate's verdict as a sign and a word."""
    name, style = _VERDICTS.get(result.verdict, ("unknown", "unknown"))
    return Span(f"{getattr(signs, name)} {result.verdict.value}", style)


# --- now -------------------------------------------------------------------------------------


def now_lines(
    status: RunStatus,
    book: RunBook,
    signs: Glyphs,
    now: float,
    rolled: Sequence[Rolled] = (),
) -> list[Line]:
    """State and step, what is waited for and since when, what is left, the rollback."""
    place = status.step
    here = book.present()
    title = f"step {place.index} of {place.of}, {place.id}" if place else ""
    if here is not None:
        title += ": " + _kind_words(here.step)
    purpose = "" if status.purpose == "apply" else f" ({status.purpose})"
    found: list[Line] = [
        (state_sign(status, signs), Span(f"{purpose}  ", "warn"), Span(plain(title), "strong"))
    ]
    since = "" if status.waiting_since is None else status.waited.words(now - status.waiting_since)
    stalled = (f"{signs.bad} STALLED ", "bad") if status.stalled else ("", "")
    if status.approval_for:
        found.append(line(("asks you ", "dim"), "to approve it", (f", since {since}", "dim")))
    elif status.waiting_for:
        label, _, what = status.waits.partition(" ")
        so_far = f", {since} so far" if since else ""
        found.append(line((f"{label:<9}", "dim"), stalled, what, (so_far, "dim")))
    elif status.reason:
        found.append(line(("ended    ", "dim"), status.reason.splitlines()[0]))
    found += _until(status, now)
    if rolled:
        found.append(rollout_line(rolled, signs))
    found += [
        line(
            ("changed  ", "dim"),
            (change_words(change, short=True), "bad" if change.matters else "dim"),
        )
        for change in status.changed
    ]
    found += [
        line(("users    ", "dim"), (f"failed: {failed}", "bad")) for failed in status.users_failed
    ]
    found += _took(status, book) if book.ended_at else [_left(status)]
    found.append(line(("rollback ", "dim"), status.way_back))
    found += _way_back_lines(status)
    return found


def _until(status: RunStatus, now: float) -> list[Line]:
    """How long the runner waits for an answer yet; nothing where it waits for none."""
    if status.deadline is None:
        return []
    left = status.deadline - now
    yours = "" if status.scale.is_true else " of your own time, not the simulation's,"
    said = (
        f"{seconds_words(left)}{yours} left to answer"
        if left > 0
        else "the time to answer is over"
    )
    return [
        line(
            ("until    ", "dim"), (said, "warn"), (", then the runner ends; resume goes on", "dim")
        )
    ]


def _way_back_lines(status: RunStatus) -> list[Line]:
    """The steps back from here, and where quick rollback ends."""
    found: list[Line] = []
    if status.way_back_steps:
        found.append(line(("         its steps: ", "dim"), ", ".join(status.way_back_steps)))
    if status.way_back_closes:
        found.append(line(("         quick rollback ends with ", "dim"), status.way_back_closes))
    return found


def _kind_words(step: Step) -> str:
    words = {
        StepKind.TABLES: "makes the ring table",
        StepKind.ROLLOUT: "every pod restarts",
        StepKind.RUNTIME: "no pod restarts",
        StepKind.BRIDGE: "looks at the ring bridge",
    }[step.kind]
    return words + (", switches the primary store" if step.crossing else "")


def _left(status: RunStatus) -> Line:
    by = f"by {status.by}"
    runner = f"runner {status.runner_pid}" if status.runner_pid else "no runner at work"
    if status.eta is None:
        return line((f"{by}, {runner}", "dim"))
    eta = status.eta
    over = "; this step takes longer than planned" if status.late else ""
    return line(
        ("left     ", "dim"),
        left_words(eta, status.scale),
        (f" for {eta.basis}{over}; {runner}, {by}", "dim"),
    )


def left_words(left: Duration, scale: Scale) -> str:
    """A range that tells something: one end where both are too far apart."""
    low, high = scale.ends(
        left.low, left.high, fixed_low=left.fixed_low, fixed_high=left.fixed_high
    )
    return left.words(scale) if high <= TOO_FAR * low else f"up to {seconds_words(high)}"


TOO_FAR = 8.0
"""Ends of a range further apart than this are no news: only the longer one is said."""


def _took(status: RunStatus, book: RunBook) -> list[Line]:
    """How long the whole took, and each step; steps of all legs."""
    total = status.scale.words(book.ended_at - status.started_at)
    steps = [
        f"{progress.step.id} {_spent(progress, status.scale)}"
        for leg in book.legs
        for progress in leg.steps
        if progress.done_at is not None
    ]
    said = f": {', '.join(steps)}" if steps else ""
    counts = "         waiting for answers included"
    if status.simulation != 1:
        counts += ", all of it in the simulation's time"
    return [line(("took     ", "dim"), total, (said, "dim")), line((counts, "dim"))]


def rollout_line(rolled: Sequence[Rolled], signs: Glyphs) -> Line:
    """How far the rollout is, as one bar."""
    done, of = sum(each.done for each in rolled), sum(each.of for each in rolled)
    left = [f"{each.component} {each.done}/{each.of}" for each in rolled if each.done < each.of]
    return line(
        ("rollout  ", "dim"),
        (bar(done, of, 16, signs), "good"),
        f" {done} of {counted(of, 'pod')}",
        (f"; left: {', '.join(left)}" if left else "; all of the new revision", "dim"),
    )


def bar(done: int, of: int, width: int, signs: Glyphs) -> str:
    """A bar of so many cells, filled as far as something is done; full only when it is."""
    filled = width if done >= of else min(width - 1, done * width // of) if of else 0
    return signs.full * filled + signs.hollow * (width - filled)


def rollout_rows(rolled: Sequence[Rolled], signs: Glyphs) -> list[Row]:
    """A bar for each component."""
    if not rolled:
        return []
    rows = [
        Row(key="rollout", cells=(cell("The rollout, pods of the new revision"),), heading=True)
    ]
    for each in rolled:
        over = each.done >= each.of
        rows.append(
            Row(
                key=f"rollout:{each.component}",
                cells=(
                    cell(f"{signs.good if over else signs.now} {each.done} of {each.of}", "good"),
                    cell(each.component),
                    cell(bar(each.done, each.of, 16, signs), "good"),
                ),
            )
        )
    return rows


# --- steps -----------------------------------------------------------------------------------


def step_rows(book: RunBook, status: RunStatus, signs: Glyphs) -> list[Row]:
    """The legs' steps as a tree; below each its checkpoints."""
    rows: list[Row] = []
    legs = book.legs
    if not legs and book.started is not None:
        steps = [StepProgress(step=step, checkpoints=[]) for step in book.started.plan.steps]
        legs = [Leg(purpose="apply", plan=book.started.plan, steps=steps)]
    for number, leg in enumerate(legs):
        last = number == len(legs) - 1
        steps = leg.steps if last else [each for each in leg.steps if each.started_at is not None]
        if len(legs) > 1:
            rows.append(Row(key=f"leg:{number}", cells=(cell(leg.purpose),), heading=True))
        for index, progress in enumerate(steps, 1):
            rows.extend(_step(number, index, progress, status, book, signs, last=last))
    return rows


def _step(
    leg: int,
    index: int,
    progress: StepProgress,
    status: RunStatus,
    book: RunBook,
    signs: Glyphs,
    *,
    last: bool,
) -> Iterator[Row]:
    step = progress.step
    here = last and step.id == book.step and progress.done_at is None
    if progress.done_at is not None:
        sign, style, word = signs.good, "good", _spent(progress, status.scale)
    elif here:
        sign, style, word = _here(status, signs)
    elif progress.started_at is not None:
        sign, style, word = signs.differ, "warn", "left"
    else:
        sign, style, word = signs.todo, "dim", ""
    mark = f" {signs.arrow}" if step.crossing else f" {signs.warn}" if step.closes_way_back else ""
    key = f"{leg}:{step.id}"
    yield Row(
        key=key,
        folds=bool(progress.checkpoints),
        cells=(
            (
                Span(f"{sign} ", style),
                Span(f"{index} {plain(step.id)}", "" if style == "dim" else "strong"),
                Span(mark, "warn"),
            ),
            cell(word, style),
        ),
        words=step.title,
    )
    for number, (name, text, look) in enumerate(progress.checkpoints):
        yield Row(
            key=f"{key}:{number}",
            depth=1,
            wide=True,
            cells=((Span(f"{getattr(signs, name)} ", look), Span(plain(text))),),
        )


def _spent(progress: StepProgress, scale: Scale) -> str:
    if progress.started_at is None or progress.done_at is None:
        return "done"
    return scale.words(progress.done_at - progress.started_at)


def _here(status: RunStatus, signs: Glyphs) -> tuple[str, str, str]:
    match status.state:
        case RunState.HELD:
            return signs.held, "warn", "approve?" if status.approval_for else "held"
        case RunState.FAILED | RunState.DEAD:
            return signs.bad, "bad", status.state.value
        case RunState.STOPPED | RunState.CLOSED:
            return signs.held, "warn", status.state.value
        case _:
            return signs.now, "good", "STALLED" if status.stalled else "now"


# --- gates -----------------------------------------------------------------------------------


def gate_rows(
    book: RunBook,
    verified: tuple[GateResult, ...],
    verified_at: float,
    signs: Glyphs,
    rolled: Sequence[Rolled] = (),
) -> list[Row]:
    """How far a rollout is, the present step's gates, then what `verify` said last.

    While a gate holds the run, what does not pass stands first, beside the side of the change that it
    was judged on last.
    """
    rows = rollout_rows(rolled, signs)
    here = book.present()
    if here is not None:
        sides = [("before", here.step.before), ("after", here.step.after)]
        if book.held_gate is not None and holding(book).startswith("after"):
            sides.reverse()
        for when, gates in sides:
            if gates:
                title = f"{when.capitalize()} the change of {here.step.id}"
                rows.append(Row(key=when, cells=(cell(title),), heading=True))
            for gate in _in_order(book, when, gates):
                rows.extend(_gate(book, when, gate, signs))
    if verified:
        at = clock_words(verified_at)
        rows.append(
            Row(key="verify", cells=(cell(f"All gates as of {at} UTC (verify)"),), heading=True)
        )
        for result in verified:
            rows.extend(_result(f"verify:{result.gate.value}", result, signs, note=""))
    return rows


def holding(book: RunBook) -> str:
    """The key of the row of the gate that holds the run; empty: none does, or it was not judged."""
    held = book.held_gate
    judged = {when: found[0] for (when, gate), found in book.judged.items() if gate is held}
    if held is None or not judged:
        return ""
    return f"{max(judged, key=lambda when: judged[when])}:{held.value}"


def _in_order(book: RunBook, when: str, gates: Sequence[Gate]) -> list[Gate]:
    """The gates as the plan has them; while one holds the run, those that do not pass first."""
    if book.held_gate is None:
        return list(gates)

    def place(gate: Gate) -> int:
        found = book.judged.get((when, gate))
        if found is None or found[1].result.verdict is Verdict.PASS:
            return 2
        return 0 if gate is book.held_gate else 1

    return sorted(gates, key=place)


def _gate(book: RunBook, when: str, gate: Gate, signs: Glyphs) -> Iterator[Row]:
    found = book.judged.get((when, gate))
    key = f"{when}:{gate.value}"
    if found is None:
        yield Row(
            key=key,
            cells=(
                cell(f"{signs.todo} not yet", "dim"),
                cell(gate.value),
                cell(""),
            ),
        )
        return
    at, judged = found
    note = f"{judged.good_samples} good samples over {book.scale.words(judged.window)}, "
    note = (note if judged.good_samples else "") + clock_words(at)
    yield from _result(key, judged.result, signs, note=note)


def _result(key: str, result: GateResult, signs: Glyphs, *, note: str) -> Iterator[Row]:
    yield Row(
        key=key,
        folds=bool(result.evidence),
        cells=(
            (sign_of(result, signs),),
            cell(result.gate.value),
            line(result.summary, (f"  {note}" if note else "", "dim")),
        ),
    )
    for number, evidence in enumerate(result.evidence):
        yield Row(
            key=f"{key}:{number}",
            depth=1,
            wide=True,
            cells=(line((f"{evidence.source}: ", "key"), evidence.detail),),
        )


# --- users -----------------------------------------------------------------------------------


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


# --- stores ----------------------------------------------------------------------------------


def gate_store_rows(book: RunBook, signs: Glyphs) -> list[Row]:
    """What the gate `stores-equal` found last, until every pod was asked for more; empty: nothing."""
    found = book.latest.get(Gate.STORES_EQUAL)
    if found is None:
        return []
    at, judged = found
    said = line(
        *((span.text, span.style) for span in (sign_of(judged.result, signs),)),
        f" stores-equal at {clock_words(at)} UTC: {judged.result.summary}",
    )
    rows = [Row(key="gate", wide=True, cells=(said,))]
    for number, each in enumerate(judged.result.evidence):
        shown = line((f"  {each.source}: ", "key"), each.detail)
        rows.append(Row(key=f"gate:{number}", wide=True, cells=(shown,)))
    more = "  Every pod and the tables are being asked: both stores, pod by pod, follow here."
    rows.append(Row(key="asking", wide=True, cells=(cell(more, "dim"),)))
    return rows


def store_rows(
    inspection: Inspection, rings: tuple[str, ...], signs: Glyphs, scale: Scale
) -> list[Row]:
    """Ring × pod × store: primary, mirror, members, and each difference by name."""
    from mimir_migrate.engine.compare import UnreadableStoreError, differences
    from mimir_migrate.plans import timing

    rows: list[Row] = []
    window = timing.gate_window(inspection, rings) or 1.0
    for ring in rings:
        both = _on_both(inspection, ring)
        problem = ""
        found: tuple[Difference, ...] = ()
        if both:
            try:
                found = differences(inspection, (ring,), window)
            except UnreadableStoreError as error:
                problem = str(error)
        rows.append(_ring_row(inspection, ring, len(found), problem, signs, both=both))
        for number, each in enumerate(found):
            where = f"{each.store} of {each.pod}" if each.pod else "dynamodb"
            rows.append(
                Row(
                    key=f"{ring}:difference:{number}",
                    depth=1,
                    wide=True,
                    cells=(
                        line(
                            (f"{signs.bad} {each.member}", "bad"),
                            f" {each.kind} in {where}",
                            (f"  {each.words(scale).partition(' ')[2]}", "dim"),
                        ),
                    ),
                )
            )
        rows.extend(_pod_rows(inspection, ring))
    return rows


def _on_both(inspection: Inspection, ring: str) -> bool:
    summary = inspection.ring(ring)
    return summary is not None and any(state.is_multi for state in summary.states)


def _ring_row(
    inspection: Inspection, ring: str, count: int, problem: str, signs: Glyphs, *, both: bool
) -> Row:
    summary = inspection.ring(ring)
    items = inspection.table_items(ring)
    replicas = [
        len(view.memberlist)
        for pod in inspection.pods
        if (view := pod.ring(ring)) is not None and view.memberlist is not None
    ]
    primaries = " ".join(sorted(store.value for store in summary.primaries)) if summary else ""
    mirrors = sorted({"on" if flag else "off" for flag in summary.mirrors}) if summary else []
    if problem:
        verdict = (Span(f"{signs.unknown} {plain(problem)}", "unknown"),)
    elif count:
        verdict = (Span(f"{signs.bad} {count} differ", "bad"),)
    elif both:
        verdict = (Span(f"{signs.good} equal", "good"),)
    else:
        verdict = (Span("one store", "dim"),)
    return Row(
        key=ring,
        folds=True,
        cells=(
            cell(ring, "strong"),
            cell(primaries or signs.unknown),
            cell("/".join(mirrors) or "-"),
            cell(len(summary.members) if summary else 0),
            cell(_spread(replicas)),
            cell("-" if items is None else len(items.members)),
            verdict,
        ),
    )


def _spread(counts: list[int]) -> str:
    if not counts:
        return "-"
    return str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)}-{max(counts)}"


def _pod_rows(inspection: Inspection, ring: str) -> Iterator[Row]:
    for pod in inspection.pods:
        view = pod.ring(ring)
        if view is None or not view.enabled:
            continue
        flags = sorted({client.mirror_enabled for client in view.clients}, key=str)
        mirror = "/".join("?" if flag is None else "on" if flag else "off" for flag in flags)
        seen = len(view.members) if view.members is not None else None
        if seen is None and view.member_count is not None:
            seen = sum(view.member_count.values())
        yield Row(
            key=f"{ring}:{pod.pod.name}",
            depth=1,
            cells=(
                cell(pod.pod.name),
                cell(view.primary or "?"),
                cell(mirror or "-"),
                cell("-" if seen is None else seen),
                cell("-" if view.memberlist is None else len(view.memberlist)),
                cell(""),
                cell("" if pod.pod.ready else f"not Ready {pod.pod.waiting_reason}", "warn"),
            ),
        )
