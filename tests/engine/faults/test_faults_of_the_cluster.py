"""A cluster that does not stand still, or does not follow, in the middle of a migration."""

from __future__ import annotations

import pytest
from faulted import Migration
from virtual_world import TABLE

from mimir_migrate.model.events import Held, RunState, StepDone
from mimir_migrate.model.plan import Gate
from mimir_migrate.model.stores import Store

pytestmark = pytest.mark.usefixtures("steady")


def rulers(moved: Migration) -> int:
    """How many pods of that component there are."""
    return len([one for one in moved.world.inspect().pods if one.pod.component == "ruler"])


def test_a_rollout_that_hangs() -> None:
    """New pods do not start in the crossing: held with the workload; on by itself once they do."""
    moved = Migration("ruler")
    moved.at("swap", moved.inject("rollout-hangs", component="ruler"))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.ROLLOUT_OVER, "cortex-ruler")
    moved.went_on()


def test_an_old_pod_that_does_not_go_away() -> None:
    """Terminating is alive: held with its name until it is gone."""
    moved = Migration("ruler")
    moved.at("settle", moved.inject("old-pod-stays", component="ruler"))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.ROLLOUT_OVER, "pod cortex-ruler-", "terminating")
    moved.went_on()


def test_a_pod_evicted_during_the_switch() -> None:
    """Waited for, not held: a new pod joins on the store that is read then."""
    for rings, step, component in (
        (("ingester",), "switch", "ingester"),
        (("ruler",), "swap", "ruler"),
    ):
        moved = Migration(*rings)
        moved.after(step, moved.inject("pod-evicted", component=component))
        moved.go()
        moved.done()


def test_an_autoscaler_that_adds_pods() -> None:
    """It wants another number of pods as the crossing begins: held with both numbers."""
    moved = Migration("ruler")
    moved.at("swap", moved.inject("autoscaler-adds-pods", component="ruler"))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.NOTHING_ELSE_MOVES, "from 2 to 3 pods")
    moved.went_on()


def test_a_member_that_joins_in_the_middle() -> None:
    """Waited for until both stores and every view have it."""
    moved = Migration("ruler")
    moved.after("swap", moved.inject("member-joins", component="ruler"))
    seen: list[int] = []
    moved.at("swap", lambda: seen.append(rulers(moved)), StepDone)
    moved.go()
    moved.done()
    assert seen == [3]


def test_a_member_that_leaves_in_the_middle() -> None:
    """It unregisters itself; waited for until nobody shows it any more."""
    moved = Migration("ruler")
    moved.after("swap", moved.inject("member-leaves", component="ruler"))
    seen: list[int] = []
    moved.at("swap", lambda: seen.append(rulers(moved)), StepDone)
    moved.go()
    moved.done()
    assert seen == [1]


def test_a_runtime_configuration_that_never_reaches_a_pod() -> None:
    """One pod does not hear of the switch: held with the pod and what it has loaded."""
    moved = Migration("ingester")
    moved.at("switch", moved.inject("runtime-lost", pod="ingester"))
    moved.once_held(moved.clear)
    moved.go()
    moved.held(Gate.SWITCH_FOLLOWED, *moved.befallen, "memberlist")
    moved.went_on()


def test_another_tool_that_reverts_the_change() -> None:
    """GitOps puts the old configuration back: held, never done; off, `resume` deploys again."""
    moved = Migration("ruler")
    moved.patience(200)
    moved.at("swap", moved.inject("gitops-reverts"))
    ending = moved.go()
    assert (ending.state, ending.exit_code) == (RunState.HELD, 3)
    moved.held(Gate.ROLLOUT_OVER)
    assert "swap" not in moved.steps
    moved.nobody_lost()
    moved.clear()
    assert moved.resume().state is RunState.DONE
    moved.done()


def test_a_second_cluster_that_writes_to_the_same_table() -> None:
    """Members of nobody's pods: held before the switch; rolling back is open all the while."""
    moved = Migration("ruler")
    moved.patience(200)
    moved.after("both", moved.inject("foreign-writer", ring="ruler", table=TABLE))
    ending = moved.go()
    assert (ending.state, ending.exit_code) == (RunState.HELD, 3)
    moved.held(Gate.STORES_EQUAL, "foreign-")
    assert moved.steps == ["tables"]
    moved.nobody_lost()
    assert moved.rollback().state is RunState.ROLLED_BACK
    moved.taken_back()


def test_a_second_cluster_that_deletes_our_members() -> None:
    """Its writes wipe ours from the store that is only mirrored to: held, and nobody is lost."""
    moved = Migration("ruler")
    moved.patience(200)
    moved.after("both", moved.inject("foreign-writer", ring="ruler", table=TABLE, wipe="true"))
    assert moved.go().state is RunState.HELD
    moved.held(Gate.STORES_EQUAL)
    moved.nobody_lost()
    moved.clear()
    assert moved.rollback().state is RunState.ROLLED_BACK
    moved.taken_back()


def test_a_rollout_that_hangs_on_the_rollback_too() -> None:
    """Rolling back from a hung crossing ends where it began."""
    moved = Migration("ruler", to=Store.DYNAMODB)
    moved.patience(200)
    moved.at("swap", moved.inject("rollout-hangs", component="ruler"))
    assert moved.go().state is RunState.HELD
    assert moved.of(Held)
    moved.clear()
    assert moved.rollback().state is RunState.ROLLED_BACK
    moved.taken_back()
