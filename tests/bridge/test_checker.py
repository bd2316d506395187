"""The checker over many operations: nothing acknowledged is lost, and nobody sees a step back."""

from __future__ import annotations

import os

import pytest
from checker import Case, check

SAMPLED = 10_000
SOAKED = 1_000_000
PART = 5_000
"""Operations of one run: one seed, which the failure names."""


def checked(operations: int, first: int) -> tuple[int, int, int]:
    """Run as many operations; acknowledged updates, versions shown to watches, torn reads caught."""
    acknowledged = watched = torn = 0
    for seed in range(first, first + operations // PART):
        result = check(Case(seed=seed, operations=PART))
        acknowledged += result.acknowledged
        watched += result.watched
        torn += result.torn
    return acknowledged, watched, torn


def test_ten_thousand_operations_lose_nothing() -> None:
    """With calls refused, lost and done late, replicas killed, and the table away now and then."""
    acknowledged, watched, _ = checked(SAMPLED, 0)

    assert acknowledged > SAMPLED / 10
    assert watched > SAMPLED / 10


@pytest.mark.soak
def test_a_million_operations_lose_nothing() -> None:
    """The same, with other seeds each time; `MIMIR_MIGRATE_BRIDGE_SEED` repeats them."""
    first = int(os.environ.get("MIMIR_MIGRATE_BRIDGE_SEED", "1000"))

    acknowledged, watched, torn = checked(SOAKED, first)

    print(f"acknowledged {acknowledged}, versions shown to watches {watched}, torn reads {torn}")
    assert acknowledged > SOAKED / 10
