"""How far a rollout is, counted in pods."""

from __future__ import annotations

from mimir_migrate.model.facts import Pod, Workload
from mimir_migrate.runs.rollouts import Rolled, Rollout, rolled


def pod(name: str, revision: str, *, ready: bool = True, ends: bool = False) -> Pod:
    return Pod(
        name=name,
        ready=ready,
        revision=revision,
        targets=("ingester",),
        owner_kind="StatefulSet",
        owner="ingester",
        deleted_at=1.0 if ends else None,
    )


def workload(*, seen: bool = True) -> Workload:
    return Workload(
        kind="StatefulSet",
        name="ingester",
        component="ingester",
        replicas=3,
        generation=2,
        observed_generation=2 if seen else 1,
        current_revision="new",
    )


def test_a_pod_counts_once_it_is_ready_and_of_the_newest_revision() -> None:
    """Old ones, ones that are not Ready and ones that end do not."""
    pods = [
        pod("a", "new"), pod("b", "new", ready=False), pod("c", "old"), pod("d", "new", ends=True),
    ]  # fmt: skip

    assert rolled(pods, [workload()]) == (Rolled(component="ingester", done=1, of=3),)


def test_before_the_controller_saw_the_change_no_pod_counts() -> None:
    """Else everything would be done in the moment before anything begins."""
    assert rolled([pod("a", "new")] * 3, [workload(seen=False)])[0].done == 0


def test_what_stands_beside_mimir_is_not_counted() -> None:
    """A gateway restarts with the release as well; everywhere else only pods of Mimir are counted."""
    gateway = Pod(name="gw", ready=True, revision="g", owner_kind="Deployment", owner="gateway")
    beside = Workload(kind="Deployment", name="gateway", component="gateway", replicas=1)

    found = rolled([pod("a", "new"), gateway], [workload(), beside])

    assert found == (Rolled(component="ingester", done=1, of=3),)


def test_a_rollout_has_begun_once_a_pod_was_seen_that_is_yet_to_be_replaced() -> None:
    """Before the new revision is known, all pods are of the newest one; after the last they are again."""
    full, half = (Rolled(component="ingester", done=done, of=3) for done in (3, 1))

    first = Rollout().counted((full,))
    later = first.counted((half,))

    assert [first.begun, later.begun, later.counted((full,)).begun] == [False, True, True]
