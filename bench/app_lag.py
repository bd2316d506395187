"""The event loop's lag while an inspection of 500 pods × 10 rings streams in.

The inspection runs in a thread and reports each pod, as a real one does; meanwhile something on the
event loop asks to be woken every 5 ms and notes how late it is. Then the facts are drawn, the cursor
moves over the matrix, a cell with hundreds of pods is opened, and another inspection replaces it all.
One JSON line.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

sys.path += [str(Path(__file__).parents[1] / "tests" / name) for name in ("tui", "fakes")]

import tui_world as world
from tui_fakes import TARGET, FakeOperations

from mimir_migrate.app import MigrateApp

TICK = 0.005
SIZES = {
    "distributor": 90,
    "ingester": 150,
    "querier": 80,
    "query-frontend": 30,
    "query-scheduler": 10,
    "store-gateway": 60,
    "compactor": 20,
    "ruler": 30,
    "alertmanager": 20,
    "overrides-exporter": 10,
}
RINGS = (
    *world.SIX,
    "query-scheduler",
    "overrides-exporter",
    "querier",
    "ingester-partitions",
)


class Streaming(FakeOperations):
    """Reports pod after pod, a few milliseconds apart, as answers of real pods come in."""

    def look(self, target, *, progress=None, **options):
        for number, facts in enumerate(self.facts.pods, 1):
            time.sleep(0.004)
            if progress:
                progress(f"asked {facts.pod.name}", number, len(self.facts.pods))
        return super().look(target, **options)


class Lag:
    """Asks to be woken every tick and notes how late that was."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.over = False

    async def watch(self) -> None:
        """Watch until told to stop."""
        while not self.over:
            asked = time.perf_counter()
            await asyncio.sleep(TICK)
            self.late.append(time.perf_counter() - asked - TICK)


async def measure() -> dict[str, object]:
    """Drive the app and watch its loop."""
    facts = world.inspection(sizes=SIZES, rings=RINGS)
    operations = Streaming(facts)
    # What judging costs is the core's; its result is made beforehand, outside the measurement.
    FakeOperations.look(operations, TARGET)
    app = MigrateApp(operations, target=TARGET, clock=lambda: operations.now)
    lag = Lag()
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await pilot.pause()
        await asyncio.sleep(0.3)
        app.action_go_inspect()
        await asyncio.sleep(0.3)  # the screen is made; from here on answers stream in
        watching = asyncio.create_task(lag.watch())
        for _ in range(2):
            await at_rest(app)
            await asyncio.sleep(0.5)
            for key in ("down", "down", "right", "right", "down", "enter", "down", "pagedown"):
                await press(app, key)
            app.page.action_look()
            await asyncio.sleep(0.1)
        await at_rest(app)
        await asyncio.sleep(0.5)
        lag.over = True
        await watching
    late = sorted(lag.late)
    return {
        "bench": "app_lag",
        "pods": len(facts.pods),
        "rings": len([ring for ring in facts.rings if ring.enabled]),
        "samples": len(late),
        "p50_ms": round(1000 * late[len(late) // 2], 2),
        "p99_ms": round(1000 * late[int(len(late) * 0.99)], 2),
        "max_ms": round(1000 * late[-1], 2),
        "budget_p99_ms": 50,
    }


async def at_rest(app: MigrateApp) -> None:
    """Wait until the inspection is over."""
    for _ in range(3000):
        if app.page is not None and not app.page.busy("look"):
            return
        await asyncio.sleep(0.02)


async def press(app: MigrateApp, key: str) -> None:
    """A key, and time for what comes of it."""
    from textual import events

    event = events.Key(key, None)
    event.set_sender(app)
    app._driver.send_message(event)  # noqa: SLF001 - what a terminal does
    await asyncio.sleep(0.15)


def main() -> None:
    """Measure and print."""
    print(json.dumps(asyncio.run(measure())))


if __name__ == "__main__":
    main()
