"""Every fault does what it says, ends when it should, and leaves the rest alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mimir_migrate.errors import UsageError
from mimir_migrate.model.facts import MemberState
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.interface import PodPhase
from mimir_migrate.sandbox.simulation.faults import KNOWN

FEW = {"distributor": 2, "ingester": 3, "querier": 1, "ruler": 1}
KEY = "collectors/ring"
JSON = "application/json"


@pytest.fixture
def cluster(tiny_cluster: Any, configured: Any) -> Any:
    """A settled Cortex cluster with both stores mirrored."""
    found = tiny_cluster(
        Product.CORTEX, configured(Product.CORTEX, "memberlist+dynamodb"), replicas=FEW
    )
    found.settle()
    return found


def test_unknown_faults_and_missing_arguments_are_refused(cluster: Any) -> None:
    """The message says what there is."""
    with pytest.raises(UsageError, match="there is no such fault") as caught:
        cluster.simulation.inject("earthquake", {})
    assert all(name in caught.value.hint for name in KNOWN)
    for fault in ("restart", "wrong-address", "token-changed", "split"):
        with pytest.raises(UsageError, match="is missing"):
            cluster.simulation.inject(fault, {})


@pytest.mark.parametrize("fault", ["pod-silent", "pod-garbage", "pod-huge"])
def test_a_pod_that_does_not_answer_counts_as_lost(cluster: Any, fault: str) -> None:
    """Its page shows nobody to the watch, for as long as it lasts."""
    said = cluster.simulation.inject(fault, {"pod": "distributor-0", "seconds": "10"})
    assert said == f"{fault}: distributor-0 for 10 s"
    assert cluster.simulation.status()["faults"] == [f"{fault} pod=distributor-0 seconds=10"]
    process = cluster.processes["distributor-0"]
    if fault == "pod-silent":
        with pytest.raises(TimeoutError):
            process.get("/metrics", "")
    else:
        size = len(process.get("/metrics", "").body)
        assert size == 50_000_000 if fault == "pod-huge" else size < 1000
    cluster.run(30)
    assert cluster.lost == 10 * 3
    assert process.get("/metrics", "").body.startswith(b"# HELP")
    assert cluster.simulation.status()["faults"] == []


def test_split_raises_the_count_by_what_it_says(cluster: Any) -> None:
    """Half of the observers (rounded up) do not see one member for so many rounds of the watch."""
    said = cluster.simulation.inject("split", {"ring": "ingester", "seconds": "20"})
    assert said.endswith("do not see ingester-0 in ingester for 20 s; lost_sight rises by 40")
    cluster.run(0.3)
    shown = msgspec.json.decode(cluster.processes["distributor-0"].get("/ring", JSON).body)
    assert [shard["id"] for shard in shown["shards"]] == ["ingester-1", "ingester-2"]
    cluster.run(60)
    assert cluster.lost == 40
    assert cluster.simulation.status()["faults"] == []


def test_split_needs_somebody_who_counts(tiny_cluster: Any, configured: Any) -> None:
    """Before the gate window is over nobody does."""
    cluster = tiny_cluster(Product.CORTEX, configured(Product.CORTEX, "memberlist"), replicas=FEW)
    cluster.until(cluster.all_ready)
    with pytest.raises(UsageError, match="no member and observer that count yet"):
        cluster.simulation.inject("split", {"ring": "ingester"})


@pytest.mark.parametrize("fault", ["dynamodb-throttled", "dynamodb-denied"])
def test_dynamodb_refuses(cluster: Any, fault: str) -> None:
    """Mirrored writes fail and are counted; the primary goes on; afterwards both are equal again."""
    client = cluster.processes["ingester-0"].clients["ingester", "ingester-lifecycler"]
    cluster.simulation.inject(fault, {"seconds": "60"})
    before = client.multi.mirror_errors
    cluster.run(40)
    assert client.multi.mirror_errors - before >= 5
    page = cluster.processes["ingester-0"].get("/metrics", "").body.decode()
    assert 'operation="Query",status_code="4xx"' in page
    assert cluster.lost == 0
    cluster.run(60)
    assert client.multi.mirror_errors - before <= 14


def test_throttled_readers_keep_what_they_saw(tiny_cluster: Any, configured: Any) -> None:
    """On DynamoDB alone heartbeats fail, no page changes, and nobody is lost sight of."""
    cluster = tiny_cluster(Product.CORTEX, configured(Product.CORTEX, "dynamodb"), replicas=FEW)
    cluster.settle()
    cluster.simulation.inject("dynamodb-throttled", {"seconds": "45"})
    cluster.run(40)
    assert cluster.processes["ingester-0"].lifecyclers["ingester"].failed_heartbeats > 0
    cluster.run(60)
    assert cluster.lost == 0


def test_blocked_gossip_splits_and_the_stores_stay_whole(cluster: Any) -> None:
    """Cut off pods see each other only, in memberlist; DynamoDB holds all of them."""
    said = cluster.simulation.inject("gossip-blocked", {"pod": "distributor-0"})
    assert said == "gossip-blocked: between distributor-0 and the rest until cleared"
    cluster.run(100)
    page = msgspec.json.decode(cluster.processes["distributor-0"].get("/memberlist", JSON).body)
    assert len(page["SortedMembers"]) == 1
    assert cluster.lost > 0
    assert len(cluster.items.query("rings", KEY)) == 3
    assert cluster.simulation.inject("clear", {"fault": "gossip-blocked"}) == "cleared 1 fault"
    cluster.run(100)
    lost = cluster.lost
    cluster.run(60)
    assert cluster.lost == lost


def test_gossip_blocked_everywhere(cluster: Any) -> None:
    """Without pods named, everybody is alone."""
    cluster.simulation.inject("gossip-blocked", {"seconds": "30"})
    cluster.run(20)
    assert {len(process.gossip.peers) for process in cluster.processes.values()} == {1}
    cluster.run(90)
    assert {len(process.gossip.peers) for process in cluster.processes.values()} == {7}


def test_users_see_errors(cluster: Any) -> None:
    """Failed pushes, queries and rule evaluations rise, on the pods that are named or on all."""

    def failures() -> dict[str, float]:
        return {name: p.traffic.failures for name, p in cluster.processes.items()}

    before = failures()
    cluster.simulation.inject("errors-5xx", {"pod": "distributor-0,ruler-0"})
    cluster.run(10)
    after = failures()
    risen = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert risen == pytest.approx({"distributor-0": 200.0, "ruler-0": 20.0})
    page = cluster.processes["distributor-0"].get("/metrics", "").body.decode()
    count = int(after["distributor-0"])
    assert f'route="api_v1_push",status_code="500",ws="false"}} {count}' in page


def test_users_fail_where_too_few_ingesters_are_seen(cluster: Any) -> None:
    """Below a quorum of the replication factor pushes fail by themselves."""
    for name in ("ingester-1", "ingester-2"):
        cluster.simulation.kill(name, cluster.processes.pop(name).spec.uid)
    cluster.run(90)
    assert cluster.processes["distributor-0"].traffic.failed["push"] > 0


def without_requests(page: str) -> list[str]:
    """A metrics page without the requests that asking for it counts."""
    return [line for line in page.splitlines() if "cortex_request_duration" not in line]


def test_metrics_can_be_missing_or_nan(cluster: Any) -> None:
    """One family of one pod; everything else stays."""
    process = cluster.processes["ingester-0"]
    whole = process.get("/metrics", "").body.decode()
    cluster.simulation.inject("metric-missing", {"pod": "ingester-0"})
    missing = process.get("/metrics", "").body.decode()
    assert "cortex_multikv_primary_store" not in missing
    assert "cortex_multikv_mirror_enabled" in missing
    cluster.simulation.inject("clear", {})
    cluster.simulation.inject("metric-nan", {"metric": "cortex_multikv_mirror_enabled"})
    spoilt = process.get("/metrics", "").body.decode()
    assert 'cortex_multikv_mirror_enabled{kv_name="ingester-lifecycler"} NaN' in spoilt
    cluster.simulation.inject("clear", {})
    clear = process.get("/metrics", "").body.decode()
    assert without_requests(clear) == without_requests(whole)


def test_a_skewed_clock_writes_heartbeats_of_the_future(cluster: Any) -> None:
    """The member's timestamps are ahead, and so are they again after a restart of the pod."""
    cluster.simulation.inject("clock-skew", {"pod": "ingester-0", "offset": "300"})
    cluster.run(10)
    ring = cluster.processes["distributor-0"].readers["ingester", "ingester-ring"].members()
    now = cluster.simulation.clock.ticks()
    assert ring["ingester-0"].timestamp > now + 280
    assert ring["ingester-1"].timestamp <= now
    cluster.simulation.inject("clear", {})
    assert cluster.processes["ingester-0"].host.skew == 0


def test_a_frozen_mirror_counts_writes_and_changes_nothing(cluster: Any) -> None:
    """Attempts rise, errors do not, and the items' heartbeats stand still."""
    client = cluster.processes["ingester-0"].clients["ingester", "ingester-lifecycler"].multi
    cluster.simulation.inject("frozen-mirror", {})
    before = (dict(cluster.items.query("rings", KEY)), client.mirror_writes, client.mirror_errors)
    cluster.run(30)
    assert dict(cluster.items.query("rings", KEY)) == before[0]
    assert client.mirror_writes > before[1]
    assert client.mirror_errors == before[2]


def test_a_wrong_address_is_registered_and_taken_back(cluster: Any) -> None:
    """Everybody sees it, the watch counts it as lost, and clearing it restores the right one."""
    cluster.simulation.inject("wrong-address", {"pod": "ingester-0"})
    cluster.run(20)
    reader = cluster.processes["distributor-0"].readers["ingester", "ingester-ring"]
    assert reader.active()["ingester-0"] == "10.255.255.254:9095"
    assert cluster.lost > 0
    cluster.simulation.inject("clear", {})
    cluster.run(20)
    lost = cluster.lost
    cluster.run(20)
    assert cluster.lost == lost


def test_a_changed_token_reaches_dynamodb_alone(cluster: Any) -> None:
    """The stores differ in one token of one member, over many heartbeats."""
    cluster.simulation.inject("token-changed", {"pod": "ingester-0"})
    cluster.run(30)
    ours = cluster.processes["ingester-0"].gossip.read(KEY)
    theirs = cluster.simulation.table.query("test", "rings", KEY)
    differing = [id_ for id_ in ours if ours[id_].tokens != theirs[id_].tokens]
    assert differing == ["ingester-0"]
    assert len(set(ours["ingester-0"].tokens) ^ set(theirs["ingester-0"].tokens)) == 2


@pytest.mark.parametrize("wipe", ["", "true"])
def test_a_foreign_cluster_writes_to_the_table(cluster: Any, wipe: str) -> None:
    """Its members' heartbeats advance; with `wipe` ours are deleted until they write again."""
    cluster.simulation.inject("foreign-writer", {"ring": "ingester", "wipe": wipe})
    ours = {"ingester-0", "ingester-1", "ingester-2"}
    theirs = {"foreign-0", "foreign-1"}
    assert set(cluster.items.query("rings", KEY)) == (theirs if wipe else ours | theirs)
    before = cluster.simulation.table.query("test", "rings", KEY)["foreign-0"].timestamp
    cluster.run(20)
    ring = cluster.simulation.table.query("test", "rings", KEY)
    assert "foreign-0" in ring or "foreign-1" not in ring
    cluster.simulation.inject("clear", {})
    cluster.simulation.inject("foreign-writer", {"ring": "ingester"})
    after = cluster.simulation.table.query("test", "rings", KEY)["foreign-0"].timestamp
    assert after > before


def test_a_restart_is_a_crash_of_the_process(cluster: Any) -> None:
    """Kubernetes is to start it again."""
    process = cluster.processes["ingester-0"]
    cluster.simulation.inject("restart", {"pod": "ingester-0"})
    assert process.phase is PodPhase.CRASHED
    assert cluster.launch("ingester-0").phase is PodPhase.STARTING
    cluster.run(60)
    lifecycler = cluster.processes["ingester-0"].lifecyclers["ingester"]
    assert lifecycler.state is MemberState.ACTIVE


def test_a_lost_runtime_file_keeps_one_pod_behind(cluster: Any) -> None:
    """The others follow, it does not, until the fault is over."""
    cluster.simulation.inject("runtime-lost", {"pod": "distributor-0", "seconds": "30"})
    cluster.runtime = "multi_kv_config: {primary: dynamodb, mirror_enabled: true}\n"
    cluster.run(20)

    def primary(pod: str) -> str:
        client = cluster.processes[pod].clients["ingester", "ingester-ring"]
        return str(client.multi.primary)

    assert (primary("distributor-0"), primary("distributor-1")) == ("memberlist", "dynamodb")
    cluster.run(20)
    assert primary("distributor-0") == "dynamodb"
