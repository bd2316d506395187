"""How long until the app's first screen is drawn, against an empty Textual app.

Each sample is a process of its own, from its start to the first drawing of a screen that holds
something; the two kinds take turns, so that a busy machine slows both. One JSON line.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

ROUNDS = 7

EMPTY = """
from textual.app import App
class Empty(App[None]):
    pass
app = Empty()
"""

OURS = """
from mimir_migrate.app import MigrateApp
from mimir_migrate.model.target import KubernetesTarget, Target
class Nothing:
    def runs(self):
        return ()
app = MigrateApp(
    Nothing(), target=Target(kubernetes=KubernetesTarget(namespace="mimir", release="mimir"))
)
"""

RUN = """
import asyncio
async def main():
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await pilot._wait_for_screen()
        strips = app.screen._compositor.render_strips()
        print("drawn", len(strips), flush=True)
asyncio.run(main())
"""


def sample(setup: str) -> float:
    """Seconds from the start of a process to its first drawing."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", setup + RUN], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        took = time.perf_counter() - began
        process.wait()
    assert line.startswith("drawn"), line
    return took


def main() -> None:
    """Measure and print."""
    empty, ours = [], []
    for _ in range(ROUNDS):
        empty.append(sample(EMPTY))
        ours.append(sample(OURS))
    ratio = min(ours) / min(empty)
    print(
        json.dumps(
            {
                "bench": "app_paint",
                "rounds": ROUNDS,
                "empty_seconds": round(statistics.median(empty), 3),
                "app_seconds": round(statistics.median(ours), 3),
                "ratio": round(ratio, 3),
                "ratio_of_medians": round(statistics.median(ours) / statistics.median(empty), 3),
                "budget": 1.5,
            }
        )
    )


if __name__ == "__main__":
    main()
