"""What is left of a run, by what its steps took so far.

A plan's range is as wide as what may happen: a pod may take its whole grace period to stop. Once a
step of a kind is through, those that are left of that kind are taken to go about as it went.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mimir_migrate.model.plan import Duration, Step, StepKind
from mimir_migrate.plans.timing import time_left
from mimir_migrate.words import counted

FASTER, SLOWER = 0.75, 1.5
"""Within which of the expected time the next step of a kind is taken to end: rollouts of the sandbox and
of real processes differed by less from one to the next in a run."""


class Pace:
    """Remembers where in its range each step ended."""

    def __init__(self) -> None:
        self._shares: dict[StepKind, list[float]] = {}

    def took(self, step: Step, seconds: float) -> None:
        """A step is through; `seconds` without what it waited for its operator."""
        low, high = step.duration.low, step.duration.high
        share = (seconds - low) / (high - low) if high > low else 1.0
        self._shares.setdefault(step.kind, []).append(min(1.0, max(0.0, share)))

    def left(self, steps: Sequence[Step], *, spent: float = 0.0) -> Duration | None:
        """What steps take, of whose first some seconds are over; None: nothing is left."""
        known = sum(len(shares) for shares in self._shares.values())
        found = time_left(
            [msgspec.structs.replace(step, duration=self._expected(step)) for step in steps],
            spent=spent,
        )
        if found is None:
            return None
        by = "as planned"
        if any(step.kind in self._shares for step in steps):
            by = f"estimated from how {counted(known, 'step')} went"
        left = f"{counted(len(steps), 'step')} with {'its' if len(steps) == 1 else 'their'} gates"
        return msgspec.structs.replace(found, basis=f"{left}, besides approvals; {by}")

    def _expected(self, step: Step) -> Duration:
        """A step's range, narrowed by how the steps of its kind went."""
        shares, planned = self._shares.get(step.kind), step.duration
        if not shares:
            return planned
        share = sum(shares) / len(shares)
        # What a simulation shortens and what it does not each stay within what was planned of them.
        fixed = _narrowed(planned.fixed_low, planned.fixed_high, share)
        shortened = _narrowed(
            planned.low - planned.fixed_low, planned.high - planned.fixed_high, share
        )
        return msgspec.structs.replace(
            planned,
            low=shortened[0] + fixed[0],
            high=shortened[1] + fixed[1],
            fixed_low=fixed[0],
            fixed_high=fixed[1],
            stops=0.0,
        )


def _narrowed(low: float, high: float, share: float) -> tuple[float, float]:
    """A range around where in it the steps before ended."""
    expected = low + (high - low) * share
    return max(low, FASTER * expected), min(high, SLOWER * expected)
