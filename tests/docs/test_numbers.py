"""Numbers in the documents are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from mimir_migrate.engine import dwell, gate_wait, traffic, watch
from mimir_migrate.model.plan import Gate
from mimir_migrate.plans import timing

DOCS = Path(__file__).parents[2] / "docs"


def least(gate: Gate | None) -> str:
    """Windows and seconds of one gate's patience, as the document says them."""
    windows, seconds = gate_wait.PATIENCE_OTHERS, gate_wait.PATIENCE_LEAST
    if gate is not None:
        windows = gate_wait.PATIENCE_WINDOWS[gate]
        seconds = gate_wait.PATIENCE_LEAST_BY_GATE[gate]
    name = f"`{gate.value}`" if gate is not None else "the others"
    return f"{windows:.0f} windows and at least {seconds:.0f} s ({name})"


WORDS = {3: "three", 6: "sixth", 2: "two"}

SAID = [
    ("gates-and-findings.md", least(Gate.ROLLOUT_OVER)),
    ("gates-and-findings.md", least(Gate.USERS_FINE)),
    ("gates-and-findings.md", least(None)),
    ("gates-and-findings.md", f"at least {WORDS[dwell.GOOD_SAMPLES]} good samples in a row"),
    ("gates-and-findings.md", f"with {WORDS[dwell.HEARTBEATS]} fresh heartbeats"),
    (
        "gates-and-findings.md",
        (
            f"Samples are a {WORDS[watch.SAMPLES_PER_WINDOW]} of a window apart, at least "
            f"{watch.SHORTEST_PAUSE:g} s and at most {watch.LONGEST_PAUSE:g} s"
        ),
    ),
    (
        "gates-and-findings.md",
        f"A cluster that cannot be asked for {watch.UNANSWERED_PATIENCE:g} s holds the run",
    ),
    (
        "gates-and-findings.md",
        f"above {traffic.ALLOWED_SHARE:.1%} or twice".replace("%", " %"),
    ),
    ("runbook-holds.md", f"For up to {timing.KUBELET_SYNC_HIGH:.0f} seconds this is the kubelet"),
    (
        "architecture.md",
        f"each window, at least {watch.HELD_PAUSES[0]:g} s and at most {watch.HELD_PAUSES[1]:g} s",
    ),
]


@pytest.mark.parametrize(("page", "said"), SAID, ids=[said for _, said in SAID])
def test_the_document_has_the_number_of_the_code(page: str, said: str) -> None:
    """A sentence with the code's own numbers in it stands there, word by word."""
    text = " ".join((DOCS / page).read_text(encoding="utf-8").split())
    assert said in text


def test_twice_the_baseline_is_two() -> None:
    """The sentence about the baseline says it in a word."""
    assert traffic.BASELINE_FACTOR == 2
