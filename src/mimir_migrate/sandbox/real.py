"""`make real`: whole migrations of real processes, and the page that says what came of them.

    python -m mimir_migrate.sandbox.real --binary PATH… [--row NAME…] [--keep FOLDER] [--docs FILE]

A row that is finished is kept in FOLDER/rows.json and is not run again for the same binary, so that an
interrupted run goes on where it was; `--again` runs it again. The page is written from that file, and from
the files of rehearsals that were put beside it (`WHAT.rehearsal.json`, with what is to be said of one in
`WHAT.note`).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mimir_migrate import decoding
from mimir_migrate.durations import spoken
from mimir_migrate.errors import ExitCode, MigrateError
from mimir_migrate.model.rings import Product
from mimir_migrate.plans.rehearsal import Rehearsal, from_json
from mimir_migrate.sandbox import commands
from mimir_migrate.sandbox.charts.helm import chart_facts
from mimir_migrate.sandbox.furnishing import example_path
from mimir_migrate.sandbox.processes.binary import Binary, linux_only, read_binary
from mimir_migrate.sandbox.real_page import page
from mimir_migrate.sandbox.real_rows import ROWS, Finished, Row, rows_for, values_of
from mimir_migrate.sandbox.walking import Leg, Walk, last_line, refusal
from mimir_migrate.words import counted

KEPT: Final = "rows.json"
_REHEARSED: Final = ".rehearsal.json"
_NOTE: Final = ".note"


def run_row(
    row: Row,
    binary: Binary,
    folder: Path,
    chart: str = "",
    *,
    so_far: Callable[[Finished], None] = lambda _done: None,
) -> Finished:
    """Run one row on a sandbox of its own; the sandbox is gone afterwards.

    Args:
        row: The row.
        binary: What its pods are.
        folder: An empty folder for the sandbox's files.
        chart: The real chart's folder; empty: an imitation.
        so_far: Told of the row as one that is not over, after each way of it.
    """
    values = folder / "start-values.yaml"
    values.write_bytes(values_of(row, binary, example_path(row.product)))
    place = folder / "sb"
    began = time.monotonic()
    # An image's tag in the chart's own values stands for this binary all the same.
    commands.up(
        place,
        product=row.product.value,
        binary=binary.path,
        values=str(values),
        chart=chart,
        bound=True,
        through=row.through,
    )
    up = round(time.monotonic() - began, 1)
    done = _begun(row, binary, chart, up)
    try:
        done = msgspec.structs.replace(done, pods=len(commands.status(place)["pods"]))
        _say(f"  {done.pods} pods are Ready after {spoken(up)}")
        with Walk(place, _say, users=not row.refused) as walk:
            legs, findings, why = _walk(
                row,
                walk,
                place,
                lambda legs: so_far(msgspec.structs.replace(done, legs=tuple(legs))),
            )
    finally:
        commands.down(place)
    return msgspec.structs.replace(
        done, passed=not why, why=why, findings=findings, legs=tuple(legs)
    )


def _begun(row: Row, binary: Binary, chart: str, up: float) -> Finished:
    """A row that is not over."""
    return Finished(
        row=row.name,
        what=row.what,
        product=binary.product.value,
        version=binary.version,
        revision=binary.revision,
        sha256=binary.sha256,
        at=time.strftime("%Y-%m-%d", time.gmtime()),
        tool=_tool_version(),
        chart=_chart_words(chart),
        least=True,
        passed=False,
        why="it was not over",
        up_seconds=up,
    )


def _walk(
    row: Row,
    walk: Walk,
    place: Path,
    so_far: Callable[[list[Leg]], None] = lambda _legs: None,
) -> tuple[list[Leg], tuple[str, ...], str]:
    plan, target = place / "plan.json", walk.confined()
    if row.refused:
        code, findings = refusal(walk, target, plan)
        right = code == ExitCode.BLOCKED and "store-not-offered" in findings
        return [], findings, "" if right else f"the plan ended with {code}: {', '.join(findings)}"
    code, said = walk.run(
        *("plan", "--target", str(target), "--to", "dynamodb", "--output", str(plan)),
        *("--rings", row.rings, "--strategy", row.strategy),
        *(("--min-ready-duration", "auto") if row.advice else ()),
    )
    if code:
        return [], (), f"the plan ended with {code}: {last_line(said)}"
    legs: list[Leg] = []
    ways = ((("apply", str(plan)), row.there), (("rollback",), row.back))
    for arguments, faults in ways if row.back_too else ways[:1]:
        leg = walk.leg(*arguments, faults=faults)
        pushes, queries = walk.reported()
        earlier = legs[-1] if legs else Leg(purpose="", exit_code=0, seconds=0)
        leg = msgspec.structs.replace(
            leg,
            reported_pushes=_less(pushes, earlier.reported_pushes),
            reported_queries=_less(queries, earlier.reported_queries),
        )
        legs.append(leg)
        so_far(legs)
        _say(f"  {describe(leg)}")
        lacking = len([one for some in faults.values() for one in some]) - len(leg.faults)
        if lacking and leg.exit_code == ExitCode.DONE:
            return (
                legs,
                (),
                f"{leg.purpose}: {counted(lacking, 'fault')} of the row did not happen",
            )
        if leg.exit_code != ExitCode.DONE:
            return legs, (), f"{leg.purpose} ended with {leg.exit_code}: {leg.reason}"
    return legs, (), "; ".join(_wrong(legs))


def _less(now: float | None, before: float | None) -> float | None:
    """A run's report counts the way there and back together."""
    return now if now is None or before is None else now - before


def _wrong(legs: Sequence[Leg]) -> Iterator[str]:
    for leg in legs:
        # A pod that was killed on purpose is missed until it is back; no other member may be.
        of_killed = sum(
            count
            for key, count in leg.missed.items()
            if not set(leg.killed).isdisjoint(key.split())
        )
        if leg.misses > of_killed:
            yield f"{leg.purpose}: {counted(leg.misses - of_killed, 'miss', 'misses')}"
        for kind, count, told in (
            ("pushes", leg.pushes, leg.reported_pushes),
            ("queries", leg.queries, leg.reported_queries),
        ):
            own, parting = count.failed, count.parting
            if told is None:
                yield f"{leg.purpose}: the report does not say how many {kind} failed"
            elif not own <= round(told) <= own + parting:
                yield f"{leg.purpose}: {own} {kind} failed, the report says {told:.0f}"


def describe(leg: Leg) -> str:
    """A leg in one line."""
    steps = ", ".join(f"{name} {seconds:.0f}" for name, seconds in leg.steps.items())
    return (
        f"{leg.purpose}: exit {leg.exit_code} after {leg.seconds:.0f} s ({steps}); "
        f"{counted(leg.misses, 'miss', 'misses')} of {leg.observations}; {leg.pushes.failed} of {leg.pushes.asked} pushes "
        f"and {leg.queries.failed} of {leg.queries.asked} queries failed"
    )


def kept_rows(folder: Path) -> list[Finished]:
    """The rows that were run, oldest first."""
    path = folder / KEPT
    return decoding.decode(path.read_bytes(), list[Finished]) if path.exists() else []


def kept_rehearsals(folder: Path) -> dict[str, Rehearsal]:
    """Rehearsals whose files were put into the folder, by what they are of: the file's name."""
    return {
        path.name.removesuffix(_REHEARSED): from_json(path.read_bytes(), path=str(path))
        for path in sorted(folder.glob(f"*{_REHEARSED}"))
    }


def kept_notes(folder: Path) -> dict[str, str]:
    """What is to be said of a rehearsal beside its figures, by what the rehearsal is of."""
    return {
        path.name.removesuffix(_NOTE): path.read_text().strip()
        for path in sorted(folder.glob(f"*{_NOTE}"))
    }


def write_page(folder: Path, docs: Path) -> None:
    """Write the page from what is kept."""
    docs.write_text(page(kept_rows(folder), kept_rehearsals(folder), kept_notes(folder)))


def keep(folder: Path, done: Finished) -> None:
    """Keep a finished row in place of an earlier run of it with the same binary."""
    rows = [one for one in kept_rows(folder) if (one.row, one.sha256) != (done.row, done.sha256)]
    fresh = folder / f"{KEPT}.new"
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode([*rows, done]), indent=2))
    fresh.replace(folder / KEPT)


def main() -> int:
    """Run the rows that are not finished, and write the page."""
    parser = argparse.ArgumentParser(prog="real", description="whole migrations of real processes")
    parser.add_argument("--binary", action="append", default=[], metavar="PATH", required=True)
    parser.add_argument("--row", action="append", default=[], choices=[row.name for row in ROWS])
    parser.add_argument("--chart", default="", metavar="FOLDER", help="of mimir-distributed")
    parser.add_argument("--keep", default=".real", metavar="FOLDER")
    parser.add_argument("--docs", default="docs/real.md", metavar="FILE")
    parser.add_argument("--again", action="store_true", help="run finished rows too")
    options = parser.parse_args()
    folder = Path(options.keep)
    folder.mkdir(parents=True, exist_ok=True)
    failed = False
    try:
        linux_only()
        for path in options.binary:
            failed |= _run_binary(read_binary(path), options, folder)
    except MigrateError as error:
        print(f"{error.message}\n{error.hint}".strip(), file=sys.stderr)
        return int(error.exit_code)
    finally:
        write_page(folder, Path(options.docs))
    return ExitCode.FAILED if failed else ExitCode.DONE


def _run_binary(binary: Binary, options: argparse.Namespace, folder: Path) -> bool:
    """Run the rows of one binary; returns whether one of them failed."""
    finished = {one.row for one in kept_rows(folder) if one.sha256 == binary.sha256 and one.passed}
    failed = False
    for row in rows_for(binary):
        if (options.row and row.name not in options.row) or (
            row.name in finished and not options.again
        ):
            continue
        _say(f"{row.name} with {binary.product.value} {binary.version}: {row.what}")
        work = Path(tempfile.mkdtemp(prefix="mimir-migrate-real-"))
        chart = options.chart if row.product is Product.MIMIR else ""
        done = run_row(row, binary, work, chart, so_far=lambda done: keep(folder, done))
        keep(folder, done)
        write_page(folder, Path(options.docs))
        _say(f"  {'passed' if done.passed else f'FAILED: {done.why}; its files are in {work}'}")
        if done.passed:
            shutil.rmtree(work, ignore_errors=True)
        failed |= not done.passed
    return failed


def _chart_words(chart: str) -> str:
    if not chart:
        return ""
    facts = chart_facts(chart)
    return f"{facts.name} {facts.version} by {facts.by}"


def _tool_version() -> str:
    from importlib.metadata import version

    return version("mimir-migrate")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
