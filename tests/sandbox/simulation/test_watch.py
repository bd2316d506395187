"""What the sandbox counts when it watches itself."""

from __future__ import annotations

from typing import Any

from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.simulation.configuration import read_configuration
from mimir_migrate.sandbox.simulation.watch import gate_window

FEW = {"distributor": 2, "ingester": 3}


def test_the_gate_window(configured: Any) -> None:
    """Two of the longest heartbeats, the poll where DynamoDB is used, and the reload period."""
    for state, window in (("memberlist", 2 * 5 + 2), ("memberlist+dynamodb", 2 * 5 + 5 + 2)):
        text = configured(Product.CORTEX, state)
        configuration = read_configuration(Product.CORTEX, "", frozenset(), text, ("-target=all",))
        assert gate_window(configuration) == window


def test_a_question_a_second_for_each_observer_and_member(
    tiny_cluster: Any, configured: Any
) -> None:
    """Two pods serve the page, three members: six questions a second, also at a higher speed."""
    for speed in (1.0, 30.0):
        cluster = tiny_cluster(
            Product.CORTEX, configured(Product.CORTEX, "memberlist"), replicas=FEW, speed=speed
        )
        assert cluster.until(cluster.all_ready)
        cluster.run(80 / speed)
        before = cluster.simulation.watch.observations
        cluster.run(100 / speed)
        assert cluster.simulation.watch.observations - before in range(594, 607)
        assert cluster.lost == 0


def test_the_young_are_left_out(tiny_cluster: Any, configured: Any) -> None:
    """For one window after it became ready neither a member nor an observer counts."""
    cluster = tiny_cluster(Product.CORTEX, configured(Product.CORTEX, "memberlist"), replicas=FEW)
    cluster.settle()
    watch = cluster.simulation.watch
    for name, counting in (
        ("ingester-3", watch.members),
        ("distributor-2", watch.observers),
    ):
        new = cluster.launch(name)
        assert cluster.until(lambda new=new: new.ready)
        cluster.run(10)
        assert new not in counting("ingester")
        cluster.run(5)
        assert new in counting("ingester")


def test_who_is_asked_to_stop_is_no_living_member(tiny_cluster: Any, configured: Any) -> None:
    """From that moment on it is neither looked for nor asked."""
    cluster = tiny_cluster(Product.CORTEX, configured(Product.CORTEX, "memberlist"), replicas=FEW)
    cluster.settle()
    watch = cluster.simulation.watch
    for name in ("ingester-0", "distributor-0"):
        cluster.simulation.stop(name, cluster.processes[name].spec.uid)
    assert [one.spec.name for one in watch.members("ingester")] == ["ingester-1", "ingester-2"]
    assert [one.spec.name for one in watch.observers("ingester")] == ["distributor-1"]
    cluster.run(60)
    assert cluster.lost == 0


def test_the_status_says_it_all(tiny_cluster: Any, configured: Any) -> None:
    """Counts, by ring, the time, the faults, the pods, and what was lost most."""
    cluster = tiny_cluster(Product.CORTEX, configured(Product.CORTEX, "memberlist"), replicas=FEW)
    cluster.settle()
    cluster.simulation.inject("split", {"ring": "ingester", "seconds": "5"})
    cluster.run(30)
    status = cluster.simulation.status()
    assert status["lost_sight"] == 5
    assert status["by_ring"]["ingester"]["lost"] == 5
    assert status["by_ring"]["ingester"]["observations"] == status["observations"]
    assert status["missed"] == {"ingester distributor-0 ingester-0": 5}
    assert {pod["name"] for pod in status["pods"]} == set(cluster.processes)
    assert status["pods"][0]["ready"] is True
    assert status["time"] == cluster.scheduler.now()
