"""The users: pushes, queries and rule evaluations that a process counts, failed ones included.

They fail where a distributor, querier or ruler sees fewer ACTIVE ingesters than a quorum of the
replication factor needs, and where a fault says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

PUSHES: Final = 20.0
QUERIES: Final = 5.0
RULES: Final = 2.0
"""Requests in a second of product time, for each process; evaluations for each ruler."""

GROUPS: Final = tuple(
    (user, f"/rules/{user}/group-{number}")
    for user in ("tenant-1", "tenant-2")
    for number in range(3)
)
"""Every rule group of the cluster, with its tenant."""


class Traffic:
    """Counters of one process."""

    def __init__(self) -> None:
        self.good: dict[str, float] = {"push": 0.0, "query": 0.0}
        self.failed: dict[str, float] = {"push": 0.0, "query": 0.0}
        self.rules: dict[tuple[str, str], tuple[float, float]] = {}
        """Evaluations and those of them that failed, by tenant and group. A group that another ruler
        took over is forgotten with its counters: `Manager.Update` of Prometheus' `rules` deletes them."""

    @property
    def failures(self) -> float:
        """Everything that failed for users here."""
        return sum(self.failed.values()) + sum(failed for _, failed in self.rules.values())

    def own(self, ruler: str, rulers: Iterable[str]) -> None:
        """Hand out the groups again: each to one of the rulers that this one sees.

        Args:
            ruler: This one's name in the ring.
            rulers: Those that it sees ACTIVE.
        """
        names = sorted(rulers)
        mine = {
            one
            for number, one in enumerate(GROUPS)
            if names and names[number % len(names)] == ruler
        }
        if mine != self.rules.keys():
            self.rules = {group: self.rules.get(group, (0.0, 0.0)) for group in sorted(mine)}

    def pass_by(self, component: str, seconds: float, *, works: bool) -> None:
        """Count what users did in some seconds.

        Args:
            component: The target.
            seconds: Product time.
            works: Whether their requests succeeded.
        """
        counters = self.good if works else self.failed
        if component == "distributor":
            counters["push"] += PUSHES * seconds
        elif component == "querier":
            counters["query"] += QUERIES * seconds
        elif component == "ruler" and self.rules:
            each = RULES * seconds / len(self.rules)
            self.rules = {
                group: (done + each, failed if works else failed + each)
                for group, (done, failed) in self.rules.items()
            }
