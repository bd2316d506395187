"""A watch over hours: a line for each change, and only what lasted a window counts at its end."""

from __future__ import annotations

from mimir_migrate.model.events import GateResult, Verdict
from mimir_migrate.model.plan import Gate
from mimir_migrate.runs.verify import Verification
from mimir_migrate.runs.vigil import CLUSTER, Turn, Vigil

WINDOW = 40.0


def look(
    *bad: Gate, skipped: tuple[Gate, ...] = (), verdict: Verdict = Verdict.FAIL
) -> Verification:
    checks = tuple(
        GateResult(
            gate=gate, verdict=verdict if gate in bad else Verdict.PASS, summary=f"of {gate.value}"
        )
        for gate in (Gate.RING_HEALTHY, Gate.GOSSIP_WHOLE)
        if gate not in skipped
    )
    return Verification(
        ok=not bad,
        window=WINDOW,
        checks=checks,
        differences=(),
        skipped={gate.value: "it does not apply" for gate in skipped},
    )


def test_the_first_look_says_everything_and_the_next_only_changes() -> None:
    """One line a change."""
    vigil = Vigil()

    assert [change.turn for change in vigil.see(look(), 0)] == [Turn.GOOD, Turn.GOOD]
    assert vigil.see(look(), 10) == ()
    (change,) = vigil.see(look(Gate.RING_HEALTHY), 20)
    assert (change.gate, change.turn, change.verdict) == ("ring-healthy", Turn.BAD, Verdict.FAIL)
    (change,) = vigil.see(look(), 30)
    assert (change.gate, change.turn) == ("ring-healthy", Turn.GOOD)


def test_a_moment_is_no_difference_and_a_window_is() -> None:
    """Bad for less than a window does not count, however often."""
    vigil = Vigil()
    for at in range(0, 400, 20):
        vigil.see(look(*((Gate.RING_HEALTHY,) if at % 60 else ())), at)
    assert vigil.lasted == {}

    for at in (400, 410, 440):
        vigil.see(look(Gate.RING_HEALTHY), at)
    assert vigil.lasted == {"ring-healthy": "of ring-healthy"}


def test_unknown_counts_like_fail() -> None:
    """Unknown blocks, here as well."""
    vigil = Vigil()
    for at in (0, 20, 40):
        vigil.see(look(Gate.GOSSIP_WHOLE, verdict=Verdict.UNKNOWN), at)
    assert set(vigil.lasted) == {"gossip-whole"}


def test_a_gate_that_comes_or_goes_with_the_state_is_told() -> None:
    """Its bad time before it went does not count on when it comes back."""
    vigil = Vigil()
    vigil.see(look(Gate.GOSSIP_WHOLE), 0)
    (gone,) = vigil.see(look(skipped=(Gate.GOSSIP_WHOLE,)), 20)
    assert (gone.turn, gone.verdict) == (Turn.GONE, None)
    vigil.see(look(Gate.GOSSIP_WHOLE), 50)
    assert vigil.lasted == {}
    (back,) = [one for one in vigil.see(look(), 60) if one.gate == "gossip-whole"]
    assert back.turn is Turn.GOOD


def test_a_cluster_that_cannot_be_asked_is_told_once_and_counts_once_it_lasted() -> None:
    """No check is made up meanwhile; when it answers again, everything is told again."""
    vigil = Vigil()
    vigil.see(look(), 0)

    (lost,) = vigil.unasked("timed out", 10)
    assert (lost.gate, lost.verdict) == (CLUSTER, Verdict.UNKNOWN)
    assert vigil.unasked("timed out", 30) == ()
    assert vigil.lasted == {}
    vigil.unasked("timed out", 50)
    assert vigil.lasted == {CLUSTER: "timed out"}
    back = vigil.see(look(), 60)
    assert {change.gate for change in back} == {CLUSTER, "ring-healthy", "gossip-whole"}
