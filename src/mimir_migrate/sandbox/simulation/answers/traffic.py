"""The users: pushes, queries and rule evaluations that a process counts, failed ones included.

They fail where a distributor, querier or ruler sees fewer ACTIVE ingesters than a quorum of the
replication factor needs, and where a fault says so.
"""

from __future__ import annotations

from typing import Final

PUSHES: Final = 20.0
QUERIES: Final = 5.0
RULES: Final = 2.0
"""Requests in a second of product time, for each process."""


class Traffic:
    """Counters of one process."""

    def __init__(self) -> None:
        self.good: dict[str, float] = {"push": 0.0, "query": 0.0, "rule": 0.0}
        self.failed: dict[str, float] = {"push": 0.0, "query": 0.0, "rule": 0.0}

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
        elif component == "ruler":
            counters["rule"] += RULES * seconds
