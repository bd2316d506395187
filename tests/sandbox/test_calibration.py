"""The speed of a demo follows what the machine manages."""

from __future__ import annotations

import pytest

from mimir_migrate.sandbox import calibration
from mimir_migrate.sandbox.calibration import (
    BRIDGE_SPEEDS,
    ENOUGH,
    SPEEDS,
    calibrate,
    chosen,
)


@pytest.mark.parametrize(
    ("share", "speed"),
    [(2.0, 60.0), (1.0, 60.0), (0.99, 40.0), (0.5, 30.0), (0.2, 10.0), (0, 6.0)],
)
def test_a_slower_machine_gets_a_slower_demo(share: float, speed: float) -> None:
    """The highest speed that the machine keeps up with, and never less than the lowest."""
    found = chosen(ENOUGH * share, took=2.0)
    assert found.speed == speed
    assert f"speed {speed:g}" in found.words
    assert "--speed N overrides" in found.words
    assert ("keeps up" in found.words) == (speed == SPEEDS[0])


@pytest.mark.parametrize(
    ("share", "speed"), [(2.0, 6.0), (0.4, 6.0), (0.39, 4.0), (0.25, 3.0), (0.18, 2.0), (0, 2.0)]
)
def test_a_demo_through_the_bridge_leaves_it_room(share: float, speed: float) -> None:
    """Its replicas and its table live in real time, beside the rest."""
    found = chosen(ENOUGH * share, took=2.0, through_bridge=True)
    assert found.speed == speed
    assert ("real time" in found.words) == (speed == BRIDGE_SPEEDS[0])
    assert "overrides" in found.words


def test_measuring_takes_what_it_is_given_and_answers_a_speed() -> None:
    """Two real processes are measured; whatever the machine does meanwhile, a speed comes out."""
    assert calibrate(0.2).speed in SPEEDS


def test_a_machine_too_busy_to_answer_gets_the_lowest_speed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Measuring processes that do not end are ended, and nothing is raised."""
    monkeypatch.setattr(calibration, "_WITHIN", -30.0)
    assert calibrate(30.0).speed == SPEEDS[-1]
