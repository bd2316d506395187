"""Waiting ends when the process is asked to stop; names are words that a Lease can hold."""

from __future__ import annotations

import os
import threading

from mimir_migrate.adapters import identity
from mimir_migrate.adapters.clock import SystemClock


def test_a_stop_ends_the_wait() -> None:
    """A sleep of an hour ends at once, and so do all later ones, for good."""
    clock = SystemClock()
    ended = threading.Event()

    def wait() -> None:
        clock.sleep(3600)
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    clock.stop()

    assert ended.wait(10)
    thread.join()
    clock.sleep(3600)
    assert clock.stopped


def test_sleeping_lets_time_pass() -> None:
    """The clock moves by at least what was slept; nothing and less return at once."""
    clock = SystemClock()
    before = clock.now()
    clock.sleep(0.02)
    clock.sleep(0)
    clock.sleep(-1)

    assert clock.now() - before >= 0.015


def test_a_holder_is_three_words() -> None:
    """`user@host run pid`, each without spaces."""
    words = identity.holder("20261122-103455-ab12").split(" ")

    assert words == [identity.user_at_host(), "20261122-103455-ab12", str(os.getpid())]
    assert words[0].count("@") == 1
    assert identity.holder("r", 7).endswith(" r 7")
