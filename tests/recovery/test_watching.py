"""`verify --watch` on a simulated cluster: quiet while it is well, and what lasted at the end."""

from __future__ import annotations

import pytest
from small_values import SMALL
from virtual_world import VirtualWorld

from mimir_migrate.errors import UnreachableError
from mimir_migrate.model.rings import Product
from mimir_migrate.runs.vigil import CLUSTER, Change, Vigil

pytestmark = pytest.mark.usefixtures("brisk")


def watched(world: VirtualWorld, seconds: float) -> tuple[Vigil, list[Change]]:
    vigil, changes = Vigil(), []
    for at, found in world.operations.watch(world.target, seconds=seconds):
        lost = isinstance(found, UnreachableError)
        changes += vigil.unasked(found.message, at) if lost else vigil.see(found, at)
    return vigil, changes


def test_a_healthy_cluster_says_its_state_once() -> None:
    """No line after the first look, and it ends when its time is over."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])
    began = world.clock.now()

    vigil, changes = watched(world, 600)

    assert {change.at for change in changes} == {changes[0].at}
    assert vigil.lasted == {}
    assert vigil.looks > 5
    assert world.clock.now() - began == pytest.approx(600, abs=1)


def test_a_pod_that_stays_silent_is_a_difference_that_lasts() -> None:
    """A gate that cannot be judged is not good, and is named at the end."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])
    ruler = next(pod.name for pod in world.ports.cluster.pods() if "ruler" in pod.name)
    world.sandbox.inject("pod-silent", {"pod": ruler})

    vigil, _ = watched(world, 600)

    assert "rollout-over" in vigil.lasted


def test_an_api_server_that_is_away_is_told_and_not_taken_for_anything_else() -> None:
    """No check is made up while nothing can be asked."""
    world = VirtualWorld(Product.CORTEX, SMALL[Product.CORTEX])
    looks = world.operations.watch(world.target, seconds=600)
    vigil = Vigil()
    at, found = next(looks)
    vigil.see(found, at)

    world.failing["kubernetes"] = UnreachableError("nobody answers")
    at, found = next(looks)
    assert isinstance(found, UnreachableError)
    (change,) = vigil.unasked(found.message, at)
    assert change.gate == CLUSTER
