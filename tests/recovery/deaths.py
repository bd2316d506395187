"""What is done after a death, and all deaths of a scenario in one walk.

    python tests/recovery/deaths.py SCENARIO POINT THEN    dies at one point alone and goes on
    python tests/recovery/deaths.py table FILE             the table of what a long run wrote
    python tests/recovery/deaths.py points                 how many points each migration has today

THEN is `resume`, `rollback`, `forward again`, or a number: the place at which the rollback dies as well.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import msgspec

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1] / "fakes"))

from brisk_world import LONG_LEASE, brisk
from crash_matrix import EVERY, SCENARIOS, Mark, Scenario, Trial, dying_at, points, undisturbed
from forked import Death, Forked, Outcome, Visit

from mimir_migrate.model.events import LegStarted

RESUME, ROLLBACK, AGAIN, BACK_DIES = "resume", "rollback", "forward again", "rollback dies"
Then = str
Plan = Callable[[int], Collection[Then]]
"""What is done after a death at each point, each in a child of its own; nothing: nobody dies there."""
Places = Callable[[int], bool]
"""At which places of the rollback the runner dies as well, counted from its first event."""


def nowhere(_: int) -> bool:
    """The rollback lives."""
    return False


def resume(trial: Trial, where: str) -> None:
    """`resume` ends the run as if nothing had happened."""
    trial.go_on("resume")
    trial.check_done(where)


def roll_back(trial: Trial, where: str) -> None:
    """`rollback` gives the start."""
    trial.go_on("rollback")
    trial.check_rolled_back(where)


def roll_back_and_go_again(trial: Trial, where: str) -> None:
    """`rollback` gives the start; a second run finds in DynamoDB what the first left there."""
    roll_back(trial, where)
    trial.apply()
    trial.check_done_again(where)


THEN: dict[Then, Callable[[Trial, str], None]] = {
    RESUME: resume,
    ROLLBACK: roll_back,
    AGAIN: roll_back_and_go_again,
}


def end_the_rollback(trial: Trial, where: str, *, begun: bool) -> None:
    """A rollback that died goes on backwards: by `resume`, and where it had not begun by `rollback`."""
    trial.go_on("resume" if begun else "rollback")
    trial.check_rolled_back(where)


def roll_back_and_die(trial: Trial, first: Outcome, places: Places) -> list[Outcome]:
    """`rollback` gives the start, and where it dies as well it goes on from there."""
    found: list[Mark] = []

    def walk(visit: Visit) -> None:
        def dies(at: int, mark: Mark) -> bool:
            begun = any(one.what == LegStarted.__name__ for one in found)
            place = f"{first.where}, in a rollback after {found[-1].what if found else 'nothing'}"
            found.append(mark)
            if not places(at):
                return False
            outcome = msgspec.structs.replace(
                first,
                then=BACK_DIES,
                kills=2,
                where=f"{place}, before {mark.what}",
                replay=_replay(first.scenario, first.at, str(at)),
            )

            def go_on() -> list[Outcome]:
                assert trial.ended is None, outcome.where
                end_the_rollback(trial, outcome.where, begun=begun)
                return []

            return visit(Death(outcome=outcome, go_on=go_on, lost=lambda: lost(trial)))

        trial.go_on("rollback", dies)

    outcomes = Forked(walk).outcomes()
    trial.check_rolled_back(first.where)
    return outcomes


def die(scenario: Scenario, plan: Plan, places: Callable[[int], Places]) -> list[Outcome]:
    """Walk a scenario once and die at its points.

    Args:
        scenario: What is walked.
        plan: What is done after a death, by point.
        places: Where rolling back from a point dies as well, by point.
    """
    marks = undisturbed(scenario)[0]
    trial = Trial(scenario)

    def walk(visit: Visit) -> None:
        def dies(at: int, mark: Mark) -> bool:
            assert mark == marks[at], f"another walk than before: {where(scenario, at)}: {mark}"
            return any(visit(_death(trial, at, then, places(at))) for then in plan(at))

        trial.apply(dies)

    outcomes = Forked(walk, write_down).outcomes()
    trial.check_done(f"{scenario.name}, walked over {len(outcomes)} deaths")
    return outcomes


def _death(trial: Trial, at: int, then: Then, places: Places) -> Death:
    scenario = trial.scenario
    outcome = Outcome(
        scenario=scenario.name,
        points=len(undisturbed(scenario)[0]),
        at=at,
        then=then,
        where=where(scenario, at),
        replay=_replay(scenario.name, at, then),
    )

    def go_on() -> list[Outcome]:
        assert trial.ended is None, outcome.where
        if then == ROLLBACK:
            return roll_back_and_die(trial, outcome, places)
        THEN[then](trial, outcome.where)
        return []

    return Death(outcome=outcome, go_on=go_on, lost=lambda: lost(trial))


def lost(trial: Trial) -> int:
    """How often a page did not show a living member in this world."""
    return sum(trial.world.missed.values())


def where(scenario: Scenario, at: int) -> str:
    """A point in words."""
    marks = undisturbed(scenario)[0]
    before = f"after {marks[at - 1].what}" if at else "at the beginning"
    return f"{scenario.name}, point {at} of {len(marks)}: {before}, before {marks[at].what}"


def _replay(scenario: str, at: int, then: str) -> str:
    words = shlex.join((scenario, str(at), then))
    return f".venv/bin/python tests/recovery/deaths.py {words}"


def replay(scenario: Scenario, at: int, then: str) -> None:
    """Die at one point alone, in this process."""
    trial = Trial(scenario)
    trial.apply(dying_at(at))
    assert trial.ended is None, where(scenario, at)
    if then in THEN:
        THEN[then](trial, where(scenario, at))
        return
    marks = trial.go_on("rollback", dying_at(int(then))).marks
    begun = any(mark.what == LegStarted.__name__ for mark in marks)
    end_the_rollback(trial, f"{where(scenario, at)}, place {then}", begun=begun)


def write_down(outcomes: Sequence[Outcome]) -> None:
    """Add lines to the file that `MIMIR_MIGRATE_MATRIX` names, for `table`."""
    if name := os.environ.get("MIMIR_MIGRATE_MATRIX", ""):
        with Path(name).open("ab") as file:
            file.write(b"".join(msgspec.json.encode(one) + b"\n" for one in outcomes))


def written_down(scenario: Scenario) -> set[tuple[int, Then]]:
    """What of a scenario that file has, each as wanted: a long run goes on where it was cut short.

    A walk that has another number of points by now is another one, and begins again.
    """
    name = os.environ.get("MIMIR_MIGRATE_MATRIX", "")
    if not name or not Path(name).exists():
        return set()
    lines = Path(name).read_bytes().splitlines()
    found = [msgspec.json.decode(line, type=Outcome) for line in lines]
    return {
        (one.at, one.then)
        for one in found
        if (one.scenario, one.points) == (scenario.name, len(points(scenario))) and not one.problem
    }


def check(outcomes: Sequence[Outcome]) -> None:
    """Nothing came out otherwise than wanted; what did is named in words."""
    wrong = [str(outcome) for outcome in outcomes if outcome.problem]
    assert not wrong, f"{len(wrong)} of {len(outcomes)} deaths:\n\n" + "\n\n".join(wrong[:5])


def table(lines: Sequence[bytes]) -> Iterator[str]:
    """Markdown of what `write_down` wrote, one row for each scenario and continuation."""
    found = [msgspec.json.decode(line, type=Outcome) for line in lines]
    rows: dict[tuple[str, str], list[Outcome]] = {}
    for one in found:
        rows.setdefault((one.scenario, one.then), []).append(one)
    yield "| migration | points | then | points died at | kills | lost | as wanted |"
    yield "|---|--:|---|--:|--:|--:|--:|"
    for (scenario, then), row in sorted(rows.items()):
        yield _row(scenario, row[0].points, then, row)
    sizes = {one.scenario: one.points for one in found}
    yield _row("all", sum(sizes.values()), "", found)


def _row(name: str, size: int, then: str, row: Sequence[Outcome]) -> str:
    cells = (
        name,
        size,
        then,
        len({(one.scenario, one.at) for one in row}),
        sum(one.kills for one in row),
        sum(one.lost for one in row),
        sum(not one.problem for one in row),
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def main(words: Sequence[str]) -> None:
    """Replay one death, or print the table or the numbers of points."""
    if words[0] == "table":
        print("\n".join(table(Path(words[1]).read_bytes().splitlines())))
        return
    if words[0] == "points":
        with brisk(LONG_LEASE):
            sizes = {scenario.name: len(points(scenario)) for scenario in SCENARIOS}
        print(
            "\n".join(
                f"{size:5}  {name}" for name, size in {**sizes, "all": sum(sizes.values())}.items()
            )
        )
        return
    scenario = next(one for one in EVERY if one.name == words[0])
    with brisk(LONG_LEASE):
        replay(scenario, int(words[1]), words[2])
    print("as wanted")


if __name__ == "__main__":
    main(sys.argv[1:])
