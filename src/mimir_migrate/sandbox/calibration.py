"""How fast a simulated cluster may live on this machine, found out in two seconds before it starts.

A gate's window is 50 s of the cluster's time; while one passes, the tool has to ask every pod several
times. At 60 times the speed that is less than a second, which a busy or slow machine does not keep up
with: gates then go red although nothing is wrong. So two processes, as many as a demo keeps busy, do for
two seconds what a sandbox and a runner do all the time, read and write pages as JSON, and the slowest half
second says how fast the demo may be.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence

import msgspec

from mimir_migrate.durations import spoken

SPEEDS = (60.0, 40.0, 30.0, 20.0, 15.0, 10.0, 6.0)
"""What is chosen from: with these the products' usual durations stay round."""
BRIDGE_SPEEDS = (6.0, 4.0, 3.0, 2.0)
"""What is chosen from where pods reach DynamoDB through the ring bridge."""
BRIDGE_COST = 4.0
"""How many times as much of the machine a second through the bridge asks for. Each of some forty clients then
makes two requests for a heartbeat that cross three processes and are answered in real time, and on a machine
that is too busy pods' time stands still until they are. Demos of all rings went there and back at 6 with a load of
9 on two cores, and at 4 with a share of 0.45; with a load of 30 one at 6 was held (docs/bridge.md)."""
SECONDS = 2.0
"""How long it takes."""
ENOUGH = 1500.0
"""Pages a second that each process has to manage for the highest speed. A core that had nothing else to do
managed 3,800 (AMD EPYC, Python 3.11; measured by processor time). Where 270 were left by 20 other busy
processes on two cores, a demo was green at 15; this chooses 10 there."""
_PROCESSES = 2
_SLICES = 4
_WITHIN = 30.0
"""Real seconds until a measuring process must have answered, however busy the machine is."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """The speed that a demo gets, and why."""

    speed: float
    share: float
    """What the machine managed of what the highest speed needs; 1: all of it."""
    took: float
    """Seconds."""
    through_bridge: bool = False

    @property
    def words(self) -> str:
        """The choice and its reason in one line."""
        if self.through_bridge and self.speed == BRIDGE_SPEEDS[0]:
            why = "the ring bridge lives in real time"
        elif self.speed == SPEEDS[0]:
            why = "this machine keeps up with it"
        else:
            why = (
                f"this machine, busy as it is, manages {self.share:.0%} of what "
                f"{SPEEDS[0]:g} times would need"
            )
        return (
            f"speed {self.speed:g}: a second stands for {spoken(self.speed)}; {why} "
            f"(measured for {spoken(self.took)}, --speed N overrides)"
        )


def calibrate(seconds: float = SECONDS, *, through_bridge: bool = False) -> Calibration:
    """Measure this machine for some seconds and choose a speed."""
    began = time.monotonic()
    command = [sys.executable, "-m", __name__, str(seconds)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(_PROCESSES)
    ]
    slowest = 0.0
    try:
        told = [one.communicate(timeout=_WITHIN + seconds)[0] for one in started]
        slowest = min(min(json.loads(text)) for text in told)
    except (subprocess.TimeoutExpired, ValueError):
        pass  # too busy even to answer: the lowest speed
    finally:
        for one in started:
            one.kill()
            with one:  # closes what it wrote to, and waits for it
                pass
    return chosen(slowest, took=time.monotonic() - began, through_bridge=through_bridge)


def chosen(pages: float, *, took: float, through_bridge: bool = False) -> Calibration:
    """The highest speed that a machine keeps up with.

    Args:
        pages: Pages a second that each process managed in the slowest slice.
        took: Seconds that finding out took.
        through_bridge: Whether pods are to reach DynamoDB through the ring bridge.
    """
    share = min(1.0, pages / ENOUGH)
    speeds, cost = (BRIDGE_SPEEDS, BRIDGE_COST) if through_bridge else (SPEEDS, 1.0)
    fitting = [speed for speed in speeds if speed * cost <= SPEEDS[0] * share]
    return Calibration(
        speed=max(fitting, default=speeds[-1]),
        share=share,
        took=took,
        through_bridge=through_bridge,
    )


def pages_in(seconds: float) -> Sequence[float]:
    """Pages a second that this process manages, slice by slice."""
    page = _page()
    found = []
    for _ in range(_SLICES):
        began = time.monotonic()
        done = 0
        while (passed := time.monotonic() - began) < seconds / _SLICES:
            json.loads(json.dumps(page, indent=1))
            done += 1
        found.append(done / passed)
    return found


def _page() -> dict[str, object]:
    """A ring's page of the size that a demo's have."""
    tokens = list(range(1_000_000, 1_000_064))
    return {
        f"ingester-zone-a-{number}": {
            "address": f"10.0.0.{number}:9095",
            "state": "ACTIVE",
            "timestamp": 1_770_000_000 + number,
            "zone": "zone-a",
            "tokens": tokens,
        }
        for number in range(8)
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(pages_in(float(sys.argv[1]))))
