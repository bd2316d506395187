"""The moving picture of the README: what the recorder draws, and what stands in docs/pictures."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
MOST_BYTES = 500_000
"""A README that takes longer than this to load is not read."""
_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def recorder() -> dict[str, Any]:
    """The script's functions."""
    pytest.importorskip("pyte")
    return runpy.run_path(str(ROOT / "scripts" / "record_session.py"))


def frame(recorder: dict[str, Any], text: str) -> Any:
    """What a terminal shows that was sent a text."""
    import pyte

    screen = pyte.Screen(40, 3)
    pyte.Stream(screen).feed(text)
    return tuple(recorder["_row"](screen, number) for number in range(3))


def test_rows_that_are_the_same_are_drawn_once_and_frames_follow_each_other(
    recorder: dict[str, Any],
) -> None:
    """Two frames share a row; the animation has a stop for each, and no script is in it."""
    one = frame(recorder, "same\r\n\x1b[31mone\x1b[0m")
    two = frame(recorder, "same\r\n\x1b[32mtwo\x1b[0m")
    drawn = recorder["animated"]([(one, 1.0), (two, 3.0)], (40, 3), "a title")
    picture = ET.fromstring(drawn)
    assert [group.get("id") for group in picture.iter(f"{_SVG}g") if group.get("id")] == [
        "r0",
        "r1",
        "r2",
    ]
    assert "25.0000%{transform:translateY(-" in drawn
    assert "4.0s steps(1,end) infinite" in drawn
    assert "<script" not in drawn


def test_text_of_a_terminal_is_text(recorder: dict[str, Any]) -> None:
    """Markup in it is drawn, and what stands apart keeps its place."""
    drawn = recorder["animated"]([(frame(recorder, "<b>&   far"), 1.0)], (40, 3), "t")
    texts = [(one.get("x"), one.text) for one in ET.fromstring(drawn).iter(f"{_SVG}text")]
    assert texts == [("0", "<b>&"), ("58.8", "far")]


def test_frames_that_stood_too_briefly_are_left_out_and_long_ones_cut(
    recorder: dict[str, Any],
) -> None:
    """A minute of waiting is a moment in the picture."""
    seen = [
        (frame(recorder, text), stood) for text, stood in (("a", 0.2), ("b", 60.0), ("c", 1.0))
    ]
    kept = recorder["shortened"](seen, {"longest": 2.0})
    assert [shown for _, shown in kept] == [2.0, 4.0]


def test_the_picture_in_the_readme_is_there_and_small() -> None:
    """It is well-formed, moves, runs nothing, and names no folder of somebody's home."""
    path = ROOT / "docs" / "pictures" / "demo.svg"
    text = path.read_text()
    assert path.stat().st_size < MOST_BYTES
    assert ET.fromstring(text).tag == f"{_SVG}svg"
    assert "@keyframes" in text
    assert "<script" not in text
    assert "/home/" not in text
    assert "docs/pictures/demo.svg" in (ROOT / "README.md").read_text()
