"""How seeded schedules end, as docs/proofs.md has it.

python tests/engine/schedule_figures.py [SEEDS]    # 200, those of `make test`
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1] / "fakes"))

from brisk_world import brisk
from schedules import FAULTS, Trial, walk

from mimir_migrate.words import counted


def figures(trials: Iterable[Trial]) -> str:
    """One line: how many ended how, runners that were killed, members that were lost sight of."""
    ended: Counter[str] = Counter()
    seeds = killed = lost = 0
    for trial in trials:
        seeds += 1
        ended[trial.endings[-1].state.value] += 1
        killed += trial.killed
        lost += len(trial.lost)
    states = ", ".join(f"{count} {state}" for state, count in sorted(ended.items()))
    return (
        f"{counted(seeds, 'seed')} of {len(FAULTS)} faults: {states}, "
        f"{counted(killed, 'runner')} killed, {counted(lost, 'member')} lost"
    )


if __name__ == "__main__":
    with brisk():
        print(figures(walk(seed) for seed in range(int([*sys.argv[1:], "200"][0]))))
