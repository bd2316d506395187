"""A process from its start to its end: joining rings, restarting, leaving, crashing."""

from __future__ import annotations

from typing import Any

import pytest

from mimir_migrate.model.facts import MemberState
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.interface import PodPhase, ThrottledError
from mimir_migrate.sandbox.simulation.stores.items import MemoryItems

FEW = {"distributor": 1, "ingester": 2, "store-gateway": 2}


@pytest.fixture(params=list(Product))
def product(request: pytest.FixtureRequest) -> Product:
    """Both products."""
    return Product(request.param)


def metrics(process: Any, name: str) -> dict[str, str]:
    """Samples of a family by their labels."""
    lines = process.get("/metrics", "").body.decode().splitlines()
    return {
        line.rsplit(" ", 1)[0].removeprefix(name): line.rsplit(" ", 1)[1]
        for line in lines
        if line.split("{")[0].split(" ")[0] == name
    }


def test_a_cluster_comes_up(tiny_cluster: Any, configured: Any, product: Product) -> None:
    """Every pod becomes ready, and every page shows every member ACTIVE."""
    cluster = tiny_cluster(product, configured(product, "memberlist"))
    cluster.settle()
    assert cluster.lost == 0
    rings = cluster.simulation.watch.by_ring
    assert {name for name, counts in rings.items() if counts["observations"]} == {
        "ingester",
        "store-gateway",
        "compactor",
        "ruler",
        "alertmanager",
        *(["distributor"] if product is Product.MIMIR else []),
    }


def test_a_process_is_not_ready_before_it_is_active(tiny_cluster: Any, configured: Any) -> None:
    """While it starts it listens and answers 503; before that nothing listens."""
    cluster = tiny_cluster(
        Product.CORTEX, configured(Product.CORTEX, "memberlist"), replicas={"ingester": 1}
    )
    (ingester,) = cluster.processes.values()
    assert b"connection refused" in ingester.get("/ready", "").body
    cluster.run(3)
    assert ingester.get("/ready", "").status == 503
    assert ingester.lifecyclers["ingester"].state is MemberState.PENDING
    cluster.run(3)
    assert ingester.lifecyclers["ingester"].state is MemberState.JOINING
    cluster.run(30)
    assert (ingester.ready, ingester.get("/ready", "").body) == (True, b"ready")


def test_the_product_s_own_heartbeats(tiny_cluster: Any, configured: Any) -> None:
    """Cortex' ingester beats each 5 s; Mimir's all 15 s."""
    for product, beats in ((Product.CORTEX, 12), (Product.MIMIR, 4)):
        cluster = tiny_cluster(product, configured(product, "memberlist"), replicas=FEW)
        cluster.settle()
        before = cluster.processes["ingester-0"].lifecyclers["ingester"].heartbeats
        cluster.run(60)
        after = cluster.processes["ingester-0"].lifecyclers["ingester"].heartbeats
        assert after - before == beats


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("nonsense: 1", "field nonsense not found"),
        ("runtime_config: {file: /missing.yaml}", "failed to load runtime config"),
    ],
)
def test_a_bad_start_is_a_crash(tiny_cluster: Any, config: str, reason: str) -> None:
    """The process ends by itself, says why, and answers nothing."""
    cluster = tiny_cluster(Product.CORTEX, config, replicas={"ruler": 1})
    cluster.runtime = None
    cluster.run(5)
    (process,) = cluster.processes.values()
    assert process.phase is PodPhase.CRASHED
    assert reason in process.crash_reason
    answer = process.get("/ready", "")
    assert (answer.status, b"connection refused" in answer.body) == (503, True)


def test_a_process_without_its_table_crashes(tiny_cluster: Any, configured: Any) -> None:
    """A reader at its first read, a writer after its tries."""
    cluster = tiny_cluster(
        Product.CORTEX,
        configured(Product.CORTEX, "dynamodb"),
        replicas=FEW,
        items=MemoryItems("master", []),
    )
    cluster.run(20)
    assert {process.phase for process in cluster.processes.values()} == {PodPhase.CRASHED}
    reasons = " ".join(process.crash_reason for process in cluster.processes.values())
    assert "unable to initialise ring state" in reasons
    assert "failed to join the ring" in reasons


def test_an_ingester_that_cannot_read_its_ring_is_not_ready(
    tiny_cluster: Any, configured: Any
) -> None:
    """It stays up and not ready for as long as DynamoDB throttles it."""
    cluster = tiny_cluster(
        Product.CORTEX, configured(Product.CORTEX, "dynamodb"), replicas={"ingester": 1}
    )
    (ingester,) = cluster.processes.values()
    assert cluster.until(lambda: bool(ingester.lifecyclers.get("ingester")), 5)
    cluster.run(8)
    cluster.items.failure = ThrottledError()
    cluster.run(120)
    assert (ingester.phase, ingester.ready) == (PodPhase.RUNNING, False)
    cluster.items.failure = None
    cluster.run(60)
    assert ingester.ready


def test_an_unhealthy_member_keeps_new_ingesters_from_becoming_ready(
    tiny_cluster: Any, configured: Any
) -> None:
    """Cortex checks the whole ring (`readiness_check_ring_health`), as long as it is asked to."""
    config = configured(Product.CORTEX, "memberlist")
    for text, ready in (
        (config, False),
        (
            config.replace(
                "join_after: 4s", "join_after: 4s\n    readiness_check_ring_health: false"
            ),
            True,
        ),
    ):
        cluster = tiny_cluster(Product.CORTEX, text, replicas={"ingester": 3, "distributor": 1})
        cluster.settle()
        dead = cluster.processes.pop("ingester-2")
        cluster.simulation.kill("ingester-2", dead.spec.uid)
        cluster.run(90)
        new = cluster.launch("ingester-3")
        cluster.run(90)
        assert new.ready is ready


def test_a_stateful_pod_keeps_its_tokens(tiny_cluster: Any, configured: Any) -> None:
    """Over a restart id and tokens stay, the address is new, and so is what the others see."""
    cluster = tiny_cluster(Product.MIMIR, configured(Product.MIMIR, "memberlist"), replicas=FEW)
    cluster.settle()
    before = cluster.processes["ingester-0"].lifecyclers["ingester"]
    tokens, address = before.tokens, before.seat.address
    assert cluster.rollout(cluster.config)
    cluster.run(40)
    after = cluster.processes["ingester-0"].lifecyclers["ingester"]
    assert after.tokens == tokens
    assert after.seat.address != address
    distributor = next(p for n, p in cluster.processes.items() if n.startswith("distributor"))
    reader = distributor.readers["ingester", "ingester-ring"]
    assert reader.active()["ingester-0"] == after.seat.address


@pytest.mark.parametrize("unregisters", [True, False])
def test_a_stopping_pod_is_leaving_and_keeps_its_heartbeat(
    tiny_cluster: Any, configured: Any, unregisters: bool
) -> None:
    """LEAVING until it is gone; then out of the ring, or LEAVING still where it is told to stay."""
    config = configured(Product.CORTEX, "memberlist").replace(
        "join_after: 4s", f"join_after: 4s\n    unregister_on_shutdown: {str(unregisters).lower()}"
    )
    cluster = tiny_cluster(Product.CORTEX, config, replicas=FEW)
    cluster.settle()
    process = cluster.processes["ingester-0"]
    reader = cluster.processes["distributor-0"].readers["ingester", "ingester-ring"]
    cluster.simulation.stop("ingester-0", process.spec.uid)
    assert (process.phase, process.ready) == (PodPhase.TERMINATING, False)
    cluster.run(15)
    seen = reader.members()["ingester-0"]
    assert seen.state is MemberState.LEAVING
    assert cluster.simulation.clock.ticks() - seen.timestamp <= 6
    cluster.run(10)
    assert process.phase is PodPhase.GONE
    assert ("ingester-0" not in reader.members()) is unregisters
    cluster.run(120)
    shown = {member.id: state for member, state in reader.shown()}
    assert shown.get("ingester-0") == (None if unregisters else "UNHEALTHY")


def test_a_killed_member_becomes_unhealthy_and_is_forgotten(
    tiny_cluster: Any, configured: Any
) -> None:
    """After the heartbeat time-out the page shows it so; store-gateways forget it after ten of them."""
    cluster = tiny_cluster(Product.CORTEX, configured(Product.CORTEX, "memberlist"), replicas=FEW)
    cluster.settle()
    dead = cluster.processes.pop("store-gateway-1")
    cluster.simulation.kill("store-gateway-1", dead.spec.uid)
    reader = cluster.processes["store-gateway-0"].readers["store-gateway", "store-gateway"]
    cluster.run(70)
    assert {m.id: s for m, s in reader.shown()}["store-gateway-1"] == "UNHEALTHY"
    cluster.run(560)
    assert set(reader.members()) == {"store-gateway-0"}


def test_a_process_hears_the_runtime_file_right_after_its_start(
    tiny_cluster: Any, configured: Any, product: Product
) -> None:
    """It starts with its static primary; then hash rings follow in Mimir, in Cortex the ingester's."""
    cluster = tiny_cluster(
        product, configured(product, "memberlist+dynamodb", mirror=False), replicas=FEW
    )
    cluster.runtime = "multi_kv_config: {primary: dynamodb, mirror_enabled: true}\n"
    process = cluster.processes["store-gateway-0"]
    while not process.clients:
        cluster.run(0.05)
    gauge = '{kv_name="store-gateway",store="dynamodb"}'
    assert metrics(process, "cortex_multikv_primary_store")[gauge] == "0"
    cluster.settle()
    follows = "1" if product is Product.MIMIR else "0"
    assert metrics(process, "cortex_multikv_primary_store")[gauge] == follows
    assert (
        metrics(process, "cortex_multikv_mirror_enabled")['{kv_name="store-gateway"}'] == follows
    )
    gauge = '{kv_name="ingester-lifecycler",store="dynamodb"}'
    ingester = cluster.processes["ingester-0"]
    assert metrics(ingester, "cortex_multikv_primary_store")[gauge] == "1"


def test_a_runtime_change_is_heard_within_the_reload_period(
    tiny_cluster: Any, configured: Any
) -> None:
    """Removing the block takes nothing back; a bad file keeps the old and says so."""
    cluster = tiny_cluster(
        Product.CORTEX, configured(Product.CORTEX, "memberlist+dynamodb"), replicas=FEW
    )
    cluster.settle()
    client = cluster.processes["distributor-0"].clients["ingester", "ingester-ring"].multi
    cluster.runtime = "multi_kv_config: {primary: dynamodb, mirror_enabled: false}\n"
    cluster.run(2.5)
    assert (client.primary, client.mirrors) == ("dynamodb", False)
    cluster.runtime = "overrides: {}\n"
    cluster.run(2.5)
    assert (client.primary, client.mirrors) == ("dynamodb", False)
    ok = "cortex_runtime_config_last_reload_successful"
    assert metrics(cluster.processes["ingester-0"], ok) == {"": "1"}
    cluster.runtime = "multi_kv_config: {primary: memberlist}\nnonsense: 1\n"
    cluster.run(2.5)
    assert metrics(cluster.processes["ingester-0"], ok) == {"": "0"}
    assert client.primary == "dynamodb"
    cluster.runtime = "multi_kv_config: {primary: memberlist, mirror_enabled: true}\n"
    cluster.run(2.5)
    assert metrics(cluster.processes["ingester-0"], ok) == {"": "1"}
    assert (client.primary, client.mirrors) == ("memberlist", True)


def test_memberlist_starts_only_where_a_ring_wants_it(tiny_cluster: Any, configured: Any) -> None:
    """On DynamoDB alone no pod speaks gossip; as a secondary store is enough."""
    for state, speaks in (("dynamodb", False), ("dynamodb+memberlist", True)):
        cluster = tiny_cluster(Product.CORTEX, configured(Product.CORTEX, state), replicas=FEW)
        cluster.run(30)
        page = cluster.processes["ingester-0"].get("/memberlist", "application/json").body
        assert (page != b"This instance doesn't use memberlist.") is speaks


@pytest.mark.parametrize("store", ["consul", "etcd", "inmemory"])
def test_other_stores_start_and_share_nothing(
    tiny_cluster: Any, configured: Any, store: str
) -> None:
    """Nobody runs consul or etcd here; `inmemory` is one process' own."""
    cluster = tiny_cluster(
        Product.CORTEX, configured(Product.CORTEX, store), replicas={"store-gateway": 2}
    )
    cluster.run(120)
    if store != "inmemory":
        assert all(p.phase is PodPhase.CRASHED for p in cluster.processes.values())
        return
    for name, process in cluster.processes.items():
        assert set(process.readers["store-gateway", "store-gateway"].members()) == {name}


def test_sixty_seconds_between_polls_are_too_slow_for_shared_clients(
    tiny_cluster: Any, configured: Any
) -> None:
    """Rings whose lifecycler and reader share a client look unhealthy a part of every minute.

    Measured on running Cortex with `puller_sync_time` 60 s; rings with a client of their own for
    reading (ingester, compactor) do not.
    """
    config = configured(Product.CORTEX, "dynamodb", puller_sync_time="60s")
    cluster = tiny_cluster(
        Product.CORTEX,
        config.replace("period: 5s", "period: 15s"),
        replicas={"store-gateway": 2, "compactor": 2},
    )
    assert cluster.until(cluster.all_ready, 900), cluster.not_ready()
    cluster.run(200)
    before = {name: counts["lost"] for name, counts in cluster.simulation.watch.by_ring.items()}
    cluster.run(3600)
    lost = {name: cluster.lost_in(name) - before[name] for name in before}
    assert lost["store-gateway"] > 60
    assert lost["compactor"] == 0


def test_the_same_seed_gives_the_same_run(tiny_cluster: Any, configured: Any) -> None:
    """Two runs agree in everything; another seed has other tokens."""
    config = configured(Product.CORTEX, "memberlist")

    def run(seed: int) -> Any:
        cluster = tiny_cluster(Product.CORTEX, config, replicas=FEW, seed=seed)
        cluster.run(60)
        return cluster.processes["distributor-0"].get("/ingester/ring", "application/json").body

    assert run(1) == run(1)
    assert run(1) != run(2)
