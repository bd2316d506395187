"""`--quick` leaves out the tests that take long; `--measure FILE` writes which those are.

pytest-randomly seeds `random` for each test; hypothesis draws the same examples in each run,
but with `--hypothesis-profile=new-examples`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("new-examples", deadline=None, print_blob=True)
"""Other examples each time, as `make soak` draws them; a busy machine fails none of them."""

for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    # Whoever runs the tests in the background may have had these ignored, and every program that a test
    # starts would inherit that and outlive its Ctrl-C.
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(
            _number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL
        )

SLOW = Path(__file__).with_name("slow.txt")
"""Test functions that take long, as `folder/file.py::function`, one a line."""
MOST = 0.25
"""Seconds of CPU, those of ended children included, that all cases of a quick test may take. Together
the quick tests are to take at most 30 s on two cores, so this is far below the second of a single one."""
MOST_WAITED = 2.0
"""Seconds that a case of a quick test may wait for something else."""

_took: dict[str, float] = {}
_waited: dict[str, float] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="only the quick tests")
    parser.addoption("--measure", metavar="FILE", help="write which test functions take long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--quick"):
        return
    slow = set(SLOW.read_text().split())
    left = [item for item in items if name_of(item.nodeid) not in slow]
    config.hook.pytest_deselected(items=[item for item in items if name_of(item.nodeid) in slow])
    items[:] = left


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    spent, began = _cpu(), time.monotonic()
    try:
        return (yield)
    finally:
        name, took = name_of(item.nodeid), _cpu() - spent
        _took[name] = _took.get(name, 0.0) + took
        _waited[name] = max(_waited.get(name, 0.0), time.monotonic() - began - took)


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--measure")
    if path:
        slow = [n for n, took in _took.items() if took > MOST or _waited[n] > MOST_WAITED]
        Path(path).write_text("".join(f"{name}\n" for name in sorted(slow)))


def name_of(nodeid: str) -> str:
    """A test function's name without its cases and without the folder `tests`."""
    return nodeid.partition("[")[0].removeprefix("tests/")


def _cpu() -> float:
    """Seconds of CPU that this process and its ended children took."""
    return sum(os.times()[:4])
