"""Virtual time, and the wall clock on a loop."""

from __future__ import annotations

import asyncio

from mimir_migrate.sandbox.simulation.scheduler import RealScheduler, VirtualScheduler


def test_callbacks_run_in_the_order_of_their_times() -> None:
    """What is due first runs first; what is due at the same time, in the order it was asked for."""
    scheduler = VirtualScheduler(100.0)
    seen: list[tuple[str, float]] = []
    for name, delay in (("late", 5.0), ("first", 1.0), ("second", 1.0), ("beyond", 9.0)):
        scheduler.after(delay, lambda name=name: seen.append((name, scheduler.now())))
    scheduler.run_for(8.0)
    assert seen == [("first", 101.0), ("second", 101.0), ("late", 105.0)]
    assert scheduler.now() == 108.0


def test_a_cancelled_callback_does_not_run() -> None:
    """Cancelling takes a callback out, also from within another one of the same time."""
    scheduler = VirtualScheduler()
    seen: list[str] = []
    handle = scheduler.after(2.0, lambda: seen.append("cancelled"))
    scheduler.after(1.0, handle.cancel)
    scheduler.run_for(5.0)
    assert seen == []


def test_what_a_callback_asks_for_runs_in_the_same_go() -> None:
    """A callback that asks for another one within the time that is run gets it run."""
    scheduler = VirtualScheduler(0.0)
    seen: list[float] = []

    def again() -> None:
        seen.append(scheduler.now())
        scheduler.after(1.0, again)

    scheduler.after(1.0, again)
    scheduler.run_until(3.5)
    assert seen == [1.0, 2.0, 3.0]


def test_the_real_scheduler_runs_callbacks_on_the_loop() -> None:
    """Callbacks run on the loop; a negative delay counts as none."""

    async def main() -> list[str]:
        scheduler = RealScheduler()
        seen: list[str] = []
        done = asyncio.Event()
        scheduler.after(0.0, lambda: seen.append("never")).cancel()
        scheduler.after(-1.0, lambda: seen.append("now"))
        scheduler.after(0.001, done.set)
        await asyncio.wait_for(done.wait(), 10)
        return seen

    assert asyncio.run(main()) == ["now"]
