"""How durations and rates of a cluster are shown: as they are, or as a simulation's stand for.

A sandbox lives faster than a real cluster, and its pods report the shorter durations. Everything that
waits, judges or plans takes those as they are. Whoever shows one to a person asks a `Scale` for it.
"""

from __future__ import annotations

import msgspec

from mimir_migrate.durations import spoken


class Scale(msgspec.Struct, frozen=True):
    """How many seconds one second of the cluster's clock stands for; 1 of every real cluster."""

    factor: float = 1.0

    @property
    def is_true(self) -> bool:
        """Whether the cluster lives in real time."""
        return self.factor == 1.0

    @property
    def mark(self) -> str:
        """What stands beside scaled figures, `SIMULATION ×60`; empty: they are real."""
        return "" if self.is_true else f"SIMULATION ×{self.factor:g}"

    @property
    def note(self) -> str:
        """The mark and what it means, in one sentence; empty: the figures are real."""
        if self.is_true:
            return ""
        return (
            f"{self.mark}: durations and costs are shown as a real cluster's, {self.factor:g} times the "
            f"simulation's (pods' starts are told to the second, here {self.words(1.0)}, and by that the "
            "times of two demos' plans differ); values files and settings hold the simulation's own"
        )

    def seconds(self, seconds: float) -> float:
        """Seconds of the cluster's clock as the true seconds that they stand for."""
        return seconds * self.factor

    def words(self, seconds: float) -> str:
        """A duration of the cluster's clock in words: `10 s`, `2 min 17 s`."""
        return spoken(self.seconds(seconds))

    def own_words(self, seconds: float) -> str:
        """A duration that a person spent, which nothing shortens, beside those of the cluster's clock.

        `7.6 s of your own time` in a simulation; in real time both are the same, and it is `7.6 s`.
        """
        return spoken(seconds) + ("" if self.is_true else " of your own time")

    def age_words(self, seconds: float) -> str:
        """How long ago something was, for a person: `19 s ago`; in a simulation, by whose clock."""
        return f"{spoken(max(0.0, seconds))} ago" + ("" if self.is_true else " by your own clock")

    def ends(
        self, low: float, high: float, *, fixed_low: float = 0.0, fixed_high: float = 0.0
    ) -> tuple[float, float]:
        """Both ends of a range in true seconds.

        Args:
            low: Seconds.
            high: Seconds.
            fixed_low: What of `low` is true seconds already, see `model.plan.Duration`.
            fixed_high: The same of `high`.
        """
        return (
            self.seconds(low - fixed_low) + fixed_low,
            self.seconds(high - fixed_high) + fixed_high,
        )

    def range_words(
        self,
        low: float,
        high: float,
        *,
        fixed_low: float = 0.0,
        fixed_high: float = 0.0,
        stops: float = 0.0,
        brief: bool = False,
    ) -> str:
        """A range in words, `1 min to 2 min 17 s`; the arguments are those of `ends`.

        `stops` is what of `high` pods take that use up their whole grace period: then the figure without
        it stands first, and says so; `brief` leaves out when which holds.
        """
        if stops:
            usual = max(low, high - stops)
            about, most = self.ends(
                usual, high, fixed_low=min(usual, fixed_high), fixed_high=fixed_high
            )
            if brief:
                return f"about {spoken(about)}, at most {spoken(most)}"
            return (
                f"about {spoken(about)} where pods stop at once, "
                f"up to {spoken(most)} where each takes its whole grace period"
            )
        one, other = (
            spoken(end) for end in self.ends(low, high, fixed_low=fixed_low, fixed_high=fixed_high)
        )
        return one if one == other else f"{one} to {other}"

    def rate(self, rate: float) -> float:
        """Something each second, or what it costs, as it would be at the true pace."""
        return rate / self.factor


LEAST_SPEED = 2.0
"""The lowest speed that is advised: below it a demo takes an evening."""


def slower(factor: float) -> float | None:
    """A speed that a machine which is too busy for this one may keep up with; None: there is none."""
    half = float(factor // 2)
    return half if half >= LEAST_SPEED else None


TRUE_TIME = Scale()
"""The scale of every real cluster."""
