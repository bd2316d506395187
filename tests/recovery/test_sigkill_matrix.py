"""The whole matrix of real SIGKILLs: each point of each run, each with `resume` and with `rollback`.

Points are not listed: a runner is told to die at its first, second, third … change (before and after
it) and event (before and after it is on disk), until a run ends without dying. One sandbox walks there
and back: what goes on ends on the other store, from which the other direction begins.

`MIMIR_MIGRATE_SIGKILLS` names a file that keeps what was done, so that the long run can be interrupted
and goes on where it was; `MIMIR_MIGRATE_SIGKILL_EVERY=k` dies at every k-th point alone.

    .venv/bin/python tests/recovery/test_sigkill_matrix.py FILE     prints the table of such a file
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path += [str(Path(__file__).parents[1] / name) for name in ("fakes", "e2e", "recovery")]

import msgspec
import pytest
from real_deaths import Deaths, write_down

from mimir_migrate.errors import ExitCode
from mimir_migrate.model.events import RunState
from mimir_migrate.model.plan import Strategy
from mimir_migrate.model.rings import Product
from mimir_migrate.model.stores import Store

EVERY = int(os.environ.get("MIMIR_MIGRATE_SIGKILL_EVERY", "1"))
KINDS = ("before", "after", "before-event", "after-event")
SCENARIOS = (
    (Product.CORTEX, Strategy.STATIC),
    (Product.MIMIR, Strategy.AUTO),
    (Product.MIMIR, Strategy.STATIC),
)
"""On a Cortex the ruler, which these move, does not follow the runtime configuration."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one kind on one way, with what comes after the death."""

    scenario: str
    to: str
    kind: str
    then: str


class Record:
    """Which points were died at, in a file that outlives the process.

    Args:
        path: The file; None: it is kept in memory alone.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lines: list[dict[str, Any]] = []
        if path is not None and path.exists():
            self._lines = [json.loads(line) for line in path.read_text().splitlines()]

    def add(self, line: Line, number: int, **found: Any) -> None:
        """Note how it went at one point."""
        said = {**msgspec.to_builtins(line), "n": number, **found}
        self._lines.append(said)
        if self._path is not None:
            write_down(self._path, said)

    def due(self, line: Line) -> int | None:
        """The next point of a line; None: it was walked to its end."""
        mine = [one for one in self._lines if {**one, **msgspec.to_builtins(line)} == one]
        if any(not one["died"] and not one["failure"] for one in mine):
            return None
        first = 1 + (3 * KINDS.index(line.kind)) % EVERY
        done = [one["n"] for one in mine if not one["failure"]]
        return max(done) + EVERY if done else first


class Matrix:
    """One scenario, walked there and back until no point is due.

    Args:
        folder: Where the sandbox and the journals stand.
        record: What was done before.
    """

    def __init__(self, folder: Path, product: Product, strategy: Strategy, record: Record) -> None:
        self._folder = folder
        self._what = (product, strategy)
        self._name = f"{product.value} {strategy.value}"
        self._record = record
        self._known: dict[Store, Any] = {}
        """What everything looks like on each store."""
        self.failures: list[str] = []
        self._deaths: Deaths | None = None
        self._gave_up: set[Line] = set()

    def walk(self) -> None:
        """Every point that is due."""
        try:
            while any(self._due(line) for line in self._lines()):
                for kind in KINDS:
                    for to in (Store.DYNAMODB, Store.MEMBERLIST):
                        for then in ("rollback", "resume"):
                            self._one(self._line(to, kind, then))
        finally:
            self._end()

    def _line(self, to: Store, kind: str, then: str) -> Line:
        return Line(scenario=self._name, to=to.value, kind=kind, then=then)

    def _lines(self) -> list[Line]:
        ways = [(to, then) for to in Store for then in ("rollback", "resume")]
        return [self._line(to, kind, then) for kind in KINDS for to, then in ways]

    def _due(self, line: Line) -> int | None:
        return None if line in self._gave_up else self._record.due(line)

    def _one(self, line: Line) -> None:
        """Die at the next point of a line, and write down what came of it."""
        number = self._due(line)
        if number is None or not any(self._due(one) for one in self._lines()):
            return
        began, kills = time.monotonic(), 0
        try:
            deaths = self._at(Store(line.to).other)
            kills, lost = deaths.kills, deaths.lost_sight()
            died = self._die(deaths, line, number)
            found = {"failure": "", "lost": deaths.lost_sight() - lost, "died": died}
            kills = deaths.kills - kills
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            kept = self._keep(f"{line.to}-{line.then}-{line.kind}-{number}".replace(" ", "-"))
            found = {"failure": f"{type(error).__name__}: {error}"[:2000], "lost": 0, "died": True}
            self.failures.append(f"{line} at {number}: {error} (its journals: {kept})")
            self._gave_up.add(line)
        self._record.add(
            line, number, kills=kills, seconds=round(time.monotonic() - began, 1), **found
        )

    def _at(self, store: Store) -> Deaths:
        """The sandbox with its ring on a store; what a new table and a new state folder allow."""
        if self._deaths is None:
            self._deaths = Deaths(self._folder, *self._what)
            self._known[Store.MEMBERLIST] = self._deaths.look.everything()
        deaths = self._deaths
        now = deaths.look.stores()["ruler"]
        if now != {store.value}:
            assert deaths.apply(deaths.plan(store)) == ExitCode.DONE, deaths.events()[-5:]
            self._remember(store, deaths)
        return deaths

    def _remember(self, store: Store, deaths: Deaths) -> None:
        """What a run that nothing happens to leaves is what each run must leave."""
        found = deaths.look.everything()
        assert self._known.setdefault(store, found) == found, "another end than before"

    def _die(self, deaths: Deaths, line: Line, number: int) -> bool:
        """Whether the runner died, and then came to the end that it should."""
        to = Store(line.to)
        if to is Store.DYNAMODB and number % 2:
            deaths.look.delete_table()  # else the items of the migration before are still there
        before = deaths.look.everything()
        at = f"{line.kind}:{number}"
        code = deaths.apply(deaths.plan(to), dies=at)
        died = code != ExitCode.DONE
        if died:
            deaths.check_dead(code, at, 1)
        if line.then == "resume":
            if died:
                code = deaths.go_on("resume")
            assert code == ExitCode.DONE, deaths.events()[-5:]
            deaths.check_ended(RunState.DONE)
            assert len(deaths.written()) == len(set(deaths.written())), "an edit was made twice"
            assert deaths.look.stores()["ruler"] == {to.value}
            self._remember(to, deaths)
        else:
            assert deaths.go_on("rollback") == ExitCode.DONE, deaths.events()[-5:]
            deaths.check_ended(RunState.ROLLED_BACK)
            assert deaths.look.everything() == before
        return died

    def _keep(self, name: str) -> Path:
        """Put the journals of a failure aside, and begin on a new sandbox."""
        kept = self._folder.parent / f"failed-{self._folder.name}-{name}"
        shutil.rmtree(kept, ignore_errors=True)
        if (self._folder / "state").exists():
            shutil.copytree(self._folder / "state", kept)
        self._end()
        return kept

    def _end(self) -> None:
        if self._deaths is not None:
            self._deaths.close()
            self._deaths = None
        self._known.clear()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture
def record() -> Iterator[Record]:
    """What was done before."""
    name = os.environ.get("MIMIR_MIGRATE_SIGKILLS", "")
    return Record(Path(name) if name else None)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("product", "strategy"), SCENARIOS, ids=[f"{one}-{way}" for one, way in SCENARIOS]
)
def test_killed_at_every_point(
    product: Product,
    strategy: Strategy,
    record: Record,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There and back, with `resume` and with `rollback`: the same end each time, nobody lost."""
    folder = tmp_path / "walk"
    monkeypatch.setenv("MIMIR_MIGRATE_STATE", str(folder / "state"))
    matrix = Matrix(folder, product, strategy, record)
    matrix.walk()
    assert not matrix.failures, "\n\n".join(matrix.failures)


def table(lines: Sequence[str]) -> str:
    """Markdown of a record, one row for each way and continuation."""
    every = [json.loads(line) for line in lines]
    rows: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for one in every:
        rows.setdefault((one["scenario"], one["to"], one["then"]), []).append(one)
    text = [
        "| migration | then | points died at | SIGKILLs | failures | lost |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for (scenario, to, then), found in sorted(rows.items()):
        text.append(f"| {scenario} ruler to {to} | {then} | {_figures(found)} |")
    text.append(f"| all | | {_figures(every)} |")
    return "\n".join(text) + "\n"


def _figures(found: Sequence[dict[str, Any]]) -> str:
    died = {(one["scenario"], one["to"], one["kind"], one["n"]) for one in found if one["died"]}
    kills, lost = (sum(one[name] for one in found) for name in ("kills", "lost"))
    return f"{len(died)} | {kills} | {sum(bool(one['failure']) for one in found)} | {lost}"


if __name__ == "__main__":
    print(table(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()), end="")
