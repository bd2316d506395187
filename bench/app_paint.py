"""How long until the app's first screen is drawn, against an empty Textual app.

Each sample is a process of its own, from its start to the first drawing. Ours is the app as
`mimir-migrate` opens it on a target, and its drawing counts only with the start screen's own words on
it. The two kinds take turns, so that a busy machine slows both; both read compiled modules, as after
an installation, from a folder that one unmeasured round has filled. One JSON line.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 9
WORDS = ["What do you want to do?", "A new migration", "The target", "metrics-namespace", "q Quit"]
"""What must stand on the start screen for its drawing to count."""

EMPTY = """
from textual.app import App
class Empty(App[None]):
    pass
app, words = Empty(), []
"""

OURS = f"""
from mimir_migrate.cli.sandbox.demo_cluster import DemoOnRequest
from mimir_migrate.cli.opening import make_app
from mimir_migrate.settings import load_target
flags = {{"namespace": "metrics-namespace", "release": "mimir"}}
app, words = make_app(load_target(None, flags), demo=DemoOnRequest()), {WORDS}
"""

RUN = """
import asyncio
async def main():
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        missing = words
        for _ in range(100):
            await pilot._wait_for_screen()
            strips = app.screen._compositor.render_strips()
            text = " ".join(strip.text for strip in strips)
            missing = [word for word in words if word not in text]
            if not missing:
                break
        print("never drawn:" if missing else "drawn", len(strips), missing, flush=True)
asyncio.run(main())
"""


def sample(setup: str, environment: dict[str, str]) -> float:
    """Seconds from the start of a process to its first drawing."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", setup + RUN], stdout=subprocess.PIPE, text=True, env=environment
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
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **{
                key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"
            },
            "PYTHONPYCACHEPREFIX": f"{folder}/modules",
            "MIMIR_MIGRATE_STATE": f"{folder}/state",
        }
        sample(EMPTY, environment)
        sample(OURS, environment)
        for _ in range(ROUNDS):
            empty.append(sample(EMPTY, environment))
            ours.append(sample(OURS, environment))
    medians = statistics.median(ours) / statistics.median(empty)
    print(
        json.dumps(
            {
                "bench": "app_paint",
                "rounds": ROUNDS,
                "empty_seconds": round(statistics.median(empty), 3),
                "app_seconds": round(statistics.median(ours), 3),
                "ratio": round(medians, 3),
                "ratio_of_minima": round(min(ours) / min(empty), 3),
                "budget": 1.5,
            }
        )
    )


if __name__ == "__main__":
    main()
