"""`mimir-migrate --help` against an empty Python: both raw times, best of five, and the ratio."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

ROUNDS = 5


def best(arguments: list[str]) -> tuple[float, float]:
    """The best wall time and the best processor time of one whole process, in seconds."""
    times, cpu = [], []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times), min(cpu)


def main() -> None:
    """Measure and print one line of JSON."""
    ours, cpu = best([sys.executable, "-m", "mimir_migrate", "--help"])
    empty, empty_cpu = best([sys.executable, "-c", "pass"])
    print(
        json.dumps(
            {
                "bench": "help against an empty Python",
                "ours_seconds": round(ours, 4),
                "baseline_seconds": round(empty, 4),
                "ratio": round(ours / empty, 2),
                "cpu_seconds": round(cpu, 4),
                "baseline_cpu_seconds": round(empty_cpu, 4),
                "cpu_ratio": round(cpu / empty_cpu, 2),
                "rounds": ROUNDS,
            }
        )
    )


if __name__ == "__main__":
    main()
