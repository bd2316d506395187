"""A demo that somebody ends in the middle: all of it goes, and what is said of that is true."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from mimir_migrate.errors import ExitCode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_demo_that_is_stopped_in_the_middle_says_what_is_true_of_it_and_leaves_nothing(
    tmp_path, number
) -> None:
    """By one Ctrl-C, after its step; by a terminal that was closed, at once."""
    errors = tmp_path / "said"
    own = tmp_path / "temporary"
    own.mkdir()
    with errors.open("wb") as said:
        demo = subprocess.Popen(
            [
                *(sys.executable, "-m", "mimir_migrate", "demo", "--headless"),
                *("--product", "cortex", "--rings", "ruler", "--speed", "60"),
            ],
            env={
                **os.environ,
                "MIMIR_MIGRATE_STATE": str(tmp_path / "state"),
                "TMPDIR": str(own),
            },
            stdin=subprocess.DEVNULL,
            stderr=said,
        )
        end = time.monotonic() + 300
        while "tables, step 1" not in errors.read_text() and time.monotonic() < end:
            assert demo.poll() is None, errors.read_text()
            time.sleep(0.05)
        demo.send_signal(number)
        code = demo.wait(300)
    told = errors.read_text()
    assert code == ExitCode.INTERRUPTED, told
    assert "was ended with its sandbox" in told
    assert "everything of the demo is removed" in told
    for untrue in (
        "the values file",
        "NOT what it was",
        "to itself",
        "--follow` follows",
        "stopped: stopped",
    ):
        assert untrue not in told
    if number == signal.SIGINT:
        assert "the demo stops after the present step" in told
        assert "stopped after the step, as you asked" in told
        assert "counted 0 misses" in told
    assert list(own.glob("mimir-migrate-*")) == []
