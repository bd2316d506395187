"""`mimir-migrate --help` against an empty Python: both raw times, best of five, and the ratio."""

from __future__ import annotations

import json
import subprocess
import sys
import time

ROUNDS = 5


def best(arguments: list[str]) -> float:
    """The best wall time of one whole process, in seconds."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    """Measure and print one line of JSON."""
    ours = best([sys.executable, "-m", "mimir_migrate", "--help"])
    empty = best([sys.executable, "-c", "pass"])
    print(
        json.dumps(
            {
                "bench": "help against an empty Python",
                "ours_seconds": round(ours, 4),
                "baseline_seconds": round(empty, 4),
                "ratio": round(ours / empty, 2),
                "rounds": ROUNDS,
            }
        )
    )


if __name__ == "__main__":
    main()
