"""Watching a cluster over hours: what changed between two verifications, and what lasted."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from mimir_migrate.model.events import Verdict
from mimir_migrate.runs.verify import Verification

CLUSTER = "cluster"
"""What stands in a gate's place where the cluster could not be asked."""


class Turn(StrEnum):
    """What became of a check."""

    GOOD = "good"
    BAD = "bad"
    APPLIES = "applies"
    """A gate that did not apply before does now."""
    GONE = "gone"
    """A gate that applied does not apply any more."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is otherwise than a moment before."""

    at: float
    gate: str
    turn: Turn
    verdict: Verdict | None
    """None: the gate does not apply."""
    summary: str


class Vigil:
    """Remembers from look to look; a difference counts once it lasted a window.

    A check that is not pass at one look only can be a rollout's ordinary moment, such as a pod that
    starts; one that stays so for a gate's window is a difference.
    """

    def __init__(self) -> None:
        self._verdicts: dict[str, Verdict] = {}
        self._bad_since: dict[str, float] = {}
        self.lasted: dict[str, str] = {}
        """Each gate that was not good for a window, with how it was then."""
        self.looks = 0
        self._window = 0.0

    def see(self, found: Verification, at: float) -> tuple[Change, ...]:
        """Take one verification in; what changed since the one before, all of it at the first.

        Args:
            found: The verification.
            at: Seconds since the epoch.
        """
        self.looks += 1
        self._window = found.window
        changes = tuple(self._changes(found, at))
        self._verdicts = {check.gate.value: check.verdict for check in found.checks}
        for check in found.checks:
            if check.verdict is not Verdict.PASS:
                self._count(check.gate.value, check.summary, at)
        good = {check.gate.value for check in found.checks if check.verdict is Verdict.PASS}
        for gate in set(self._bad_since) - (set(self._verdicts) - good):
            del self._bad_since[gate]
        return changes

    def unasked(self, why: str, at: float) -> tuple[Change, ...]:
        """Take in that the cluster could not be asked; what was known of its checks is not known now."""
        self.looks += 1
        told = self._verdicts.get(CLUSTER) is Verdict.UNKNOWN
        self._verdicts = {CLUSTER: Verdict.UNKNOWN}
        self._count(CLUSTER, why, at)
        if told:
            return ()
        return (Change(at=at, gate=CLUSTER, turn=Turn.BAD, verdict=Verdict.UNKNOWN, summary=why),)

    def _count(self, gate: str, summary: str, at: float) -> None:
        if at - self._bad_since.setdefault(gate, at) >= self._window:
            self.lasted.setdefault(gate, summary)

    def _changes(self, found: Verification, at: float) -> Iterator[Change]:
        for check in found.checks:
            before = self._verdicts.get(check.gate.value)
            if before is check.verdict:
                continue
            good = check.verdict is Verdict.PASS
            new = before is None and self.looks > 1 and CLUSTER not in self._verdicts
            turn = Turn.APPLIES if new and good else Turn.GOOD if good else Turn.BAD
            yield Change(
                at=at,
                gate=check.gate.value,
                turn=turn,
                verdict=check.verdict,
                summary=check.summary,
            )
        if CLUSTER in self._verdicts:
            yield Change(
                at=at,
                gate=CLUSTER,
                turn=Turn.GOOD,
                verdict=Verdict.PASS,
                summary="the cluster can be asked again",
            )
        for gate in self._verdicts:
            if gate in found.skipped:
                yield Change(
                    at=at, gate=gate, turn=Turn.GONE, verdict=None, summary=found.skipped[gate]
                )
