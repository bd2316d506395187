"""What every part of a simulated process stands on: its clock, its timers, its randomness.

Timestamps inside the simulation are *ticks*: whole seconds of the product's own time. At speed 1 they
are the seconds that the products write. At a higher speed many ticks pass in one real second; pages
and DynamoDB items then show whole real seconds, as the products would.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from mimir_migrate.model.facts import Member, MemberState
from mimir_migrate.sandbox.interface import Handle, Scheduler
from mimir_migrate.sandbox.simulation.log import PodLog

Ring = dict[str, Member]
"""A ring as a store holds it, by instance id. Never changed once it was handed on."""

LEFT: Final = MemberState.LEFT


class HostClock:
    """Product time on a scheduler that runs `speed` times as fast.

    Args:
        scheduler: Real or virtual time.
        speed: How many product seconds pass in one second of the scheduler.
    """

    def __init__(self, scheduler: Scheduler, speed: float) -> None:
        self.scheduler = scheduler
        self.speed = speed

    def now(self) -> float:
        """Seconds since the epoch, as the scheduler has them."""
        return self.scheduler.now()

    def ticks(self) -> int:
        """The product's time, whole seconds."""
        return int(self.scheduler.now() * self.speed)

    def real(self, ticks: int) -> int:
        """Whole real seconds of a tick, as pages and items show it."""
        return int(ticks / self.speed)

    def from_real(self, seconds: int) -> int:
        """The last tick of a real second: what a whole second read from an item can stand for."""
        if self.speed == 1:
            return seconds
        return min(int((seconds + 1) * self.speed) - 1, max(self.ticks(), 0))

    def after(self, seconds: float, callback: Callable[[], None]) -> Handle:
        """Run `callback` once, `seconds` of product time from now."""
        return self.scheduler.after(seconds / self.speed, callback)


class Host:
    """One process' clock and timers; when the process ends its timers no longer fire.

    Args:
        clock: The simulation's clock.
        rng: The process' own randomness.
        name: The pod's name.
        ip: Its address.
    """

    def __init__(self, clock: HostClock, rng: random.Random, name: str, ip: str) -> None:
        self.clock = clock
        self.rng = rng
        self.name = name
        self.ip = ip
        self.alive = True
        self.skew = 0
        """Ticks that this host's clock is ahead of the others."""
        self.log = PodLog(clock.now)

    def ticks(self) -> int:
        """This host's idea of the time."""
        return self.clock.ticks() + self.skew

    def after(self, seconds: float, callback: Callable[[], None]) -> Handle:
        """Run `callback` once, `seconds` of product time from now, if the process still lives."""

        def run() -> None:
            if self.alive:
                callback()

        return self.clock.after(seconds, run)


class Repeating:
    """A callback that runs every so often until it is cancelled.

    Args:
        host: Whose timers.
        period: Seconds of product time.
        callback: What runs.
        first: Seconds until the first time; left out: one period.
    """

    def __init__(
        self,
        host: Host,
        period: float,
        callback: Callable[[], None],
        *,
        first: float | None = None,
    ) -> None:
        self._host = host
        self._period = period
        self._callback = callback
        self._on = True
        self._handle = host.after(period if first is None else first, self._run)

    def cancel(self) -> None:
        """Stop."""
        self._on = False
        self._handle.cancel()

    def _run(self) -> None:
        if not self._on:
            return
        self._callback()
        if self._on:
            self._handle = self._host.after(self._period, self._run)


def without_left(ring: Ring) -> Ring:
    """The members that a reader of memberlist sees: LEFT tombstones are left out."""
    return {id_: member for id_, member in ring.items() if member.state is not LEFT}
