"""Whole migrations by the command on real processes, checked by a look from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mimir_migrate.model.events import ChangeDone, ChangeIntended
from mimir_migrate.sandbox import commands

SPEED = 60.0
STEPS = {
    "mimir": ["tables", "both", "mirror", "switch", "unmirror", "settle", "clear"],
    "cortex": ["tables", "both", "switch", "swap", "settle", "clear"],
    "cortex ruler": ["tables", "both", "swap", "settle"],
}
RING_KEYS = {
    "mimir": {"collectors/ring", "collectors/distributor", "rulers/ring"},
    "cortex": {"collectors/ring", "rulers/ring"},
}
WATCHED_PAIRS = 6
"""Pairs of an observer and a member that the watch asks about at least, in each of its seconds."""


class Watched:
    """What the sandbox's own watch counts from here on."""

    def __init__(self, operator) -> None:
        self._operator = operator
        self._before = commands.status(operator.sandbox)

    def check(self) -> None:
        """Nobody lost sight of anybody, and that was asked all the time."""
        now = commands.status(self._operator.sandbox)
        assert now["lost_sight"] == self._before["lost_sight"], now["missed"]
        seconds = (now["time"] - self._before["time"]) * SPEED
        asked = now["observations"] - self._before["observations"]
        assert asked > WATCHED_PAIRS * seconds / 2, (asked, seconds)


def dry(operator, *arguments: str) -> list[dict[str, Any]]:
    """What a dry run lists; the files and the servers see nothing of it."""
    document = operator.call(*arguments, "--dry-run", "--json").document
    assert document["schema"] == "mimir-migrate/1"
    return document["changes"]


def made(operator, after: int) -> list[dict[str, Any]]:
    """The changes that the journal says were made, in the form of a dry run's list."""
    found = []
    for event in operator.events(after):
        if isinstance(event, ChangeIntended):
            intended = event.change
        elif isinstance(event, ChangeDone):
            found.append(json.loads(msgspec.json.encode(intended)))
    return found


def without_lease(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The changes but for those of the Lease, which a run makes beside its steps."""
    return [change for change in changes if not change["type"].endswith("lease")]


@pytest.mark.parametrize(
    ("operator", "rings"),
    [
        ("mimir", "ruler"),
        # The demo's test walks Cortex with the ruler's ring, the app's walk Mimir with all of them.
        pytest.param("cortex", "all", marks=pytest.mark.soak),
        pytest.param("mimir", "all", marks=pytest.mark.soak),
        pytest.param("cortex", "ruler", marks=pytest.mark.soak),
    ],
    indirect=["operator"],
)
def test_there_and_back(operator, outside, rings: str) -> None:
    """Rings, table, Lease and file are where they belong after each way; no member was lost sight of."""
    look = outside(operator)
    product = look.product
    start = look.everything()
    watched = Watched(operator)

    plan = operator.plan("dynamodb", rings)
    names = STEPS.get(f"{product} {rings}", STEPS[product])
    assert [step["id"] for step in json.loads(Path(plan).read_text())["steps"]] == names
    before = (look.everything(), look.writes())
    forward = dry(operator, "apply", plan)
    assert (look.everything(), look.writes()) == before

    applied = operator.call("apply", plan, "--yes")
    assert applied.out == ""
    assert operator.status()["state"] == "done"
    assert without_lease(made(operator, 0)) == without_lease(forward)
    chosen = set(look.stores()) if rings == "all" else {rings}
    for ring, stores in look.stores().items():
        assert stores == ({"dynamodb"} if ring in chosen else {"memberlist"}), ring
    assert len(look.members()["rulers/ring"]) == 2
    assert set(look.members()) == (RING_KEYS[product] if rings == "all" else {"rulers/ring"})
    assert look.lease() is None

    middle = look.everything()
    events = len(operator.events())
    back = dry(operator, "rollback")
    assert look.everything() == middle
    operator.call("rollback", "--yes")
    assert operator.status()["state"] == "rolled-back"
    assert without_lease(made(operator, events)) == without_lease(back)
    assert look.everything() == start
    watched.check()
