"""An inspection asks every pod and turns what it follows into facts, and silence into unknowns."""

from __future__ import annotations

import threading
from types import ModuleType

import msgspec
import pytest

from mimir_migrate.errors import MigrateError, UnreachableError
from mimir_migrate.inspection.binaries import DefaultsCache
from mimir_migrate.inspection.inspect import inspect
from mimir_migrate.model.facts import Autoscaler, Pod, Release
from mimir_migrate.model.rings import Product, rings_of
from mimir_migrate.model.stores import RuntimeBlock, Store, StoreState
from mimir_migrate.model.target import KubernetesTarget, TableTarget, Target
from mimir_migrate.ports import Page

TARGET = Target(kubernetes=KubernetesTarget(namespace="observability", release="metrics"))
ON = ("ingester", "store-gateway", "compactor", "ruler", "alertmanager")


def text(body: str) -> Page:
    """A page with this body."""
    return Page(status=200, content_type="text/plain", body=body.encode())


@pytest.mark.parametrize("product", list(Product))
@pytest.mark.parametrize("state", list(StoreState))
def test_every_state_is_read_from_the_pods(
    small: ModuleType, product: Product, state: StoreState
) -> None:
    """Each ring's state, primary, mirror and members are what the pods say, for both products."""
    cluster = small.SmallCluster(product, state)

    found = inspect(cluster.world(), TARGET)

    assert found.product is product
    for name in ON:
        ring = found.ring(name)
        assert ring is not None
        assert ring.state is state
        assert ring.primaries == (state.primary,)
        assert ring.mirrors == ((True,) if state.is_multi else ())
        assert ring.unknown == ()
    ingester = found.ring("ingester")
    assert ingester is not None
    assert ingester.members == tuple(f"metrics-ingester-{number}" for number in range(3))
    assert [facts.unanswered for facts in found.pods] == [()] * len(found.pods)


def test_rings_that_are_left_are_shown_with_the_reason(small: ModuleType) -> None:
    """The HA tracker is there, not movable, and says why."""
    found = inspect(small.SmallCluster().world(), TARGET)

    tracker = found.ring("ha-tracker")

    assert tracker is not None
    assert not tracker.movable
    assert "not a ring" in tracker.left_because


def test_a_silent_pod_is_unknown_and_costs_two_questions(small: ModuleType) -> None:
    """Its rings are unknown, every question stands as unanswered, and it was asked but twice."""
    cluster = small.SmallCluster(state=StoreState.MEMBERLIST_DYNAMODB)
    name = "metrics-ruler-1"
    cluster.answers[name, "*"] = small.silent(name)

    found = inspect(cluster.world(), TARGET)

    facts = next(facts for facts in found.pods if facts.pod.name == name)
    assert sum(pod == name for pod, _, _ in cluster.asked) == 2
    assert facts.counters is None
    assert facts.gossip is None
    assert len(facts.unanswered) >= 3
    assert "timed out" in facts.unanswered[0].reason
    ruler = found.ring("ruler")
    assert ruler is not None
    assert ruler.unknown == (name,)
    assert ruler.state is None


def test_a_ring_that_is_off_elsewhere_is_off_in_a_silent_pod(small: ModuleType) -> None:
    """All pods share a configuration: silence does not turn a ring on."""
    cluster = small.SmallCluster()
    cluster.answers["metrics-distributor-0", "*"] = small.silent("metrics-distributor-0")

    found = inspect(cluster.world(), TARGET)

    ring = found.ring("distributor")
    assert ring is not None
    assert not ring.enabled
    assert ring.unknown == ()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/config?mode=diff", "<html>not found</html>"),
        ("/config?mode=diff", "- a\n- list\n"),
        ("/config?mode=diff", "a: b: c"),
        ("/config?mode=diff", "[" * 100_000),
        ("/config?mode=diff", "- " * 100_000),
        ("/config?mode=diff", "{a: " * 100_000),
        ("/runtime_config", "\n".join(" " * depth + "a:" for depth in range(1500))),
        ("/metrics", 'cortex_ring_members{name="a" 1\n'),
        ("/metrics", "cortex_ring_members{name=\x00} one\n"),
        ("/metrics", "<html>sign in</html>"),
        ("/metrics", ""),
        ("/memberlist", "<html>"),
        ("/memberlist", '{"SortedMembers": 3}'),
        ("/memberlist?viewKey=rulers/ring&format=json", '{"ingesters": [1]}'),
        ("/ruler/ring", "<!DOCTYPE html>"),
        ("/ruler/ring", "[" * 100_000),
        ("/ruler/ring", '{"x":' + "[" * 100_000),
        ("/runtime_config", "multi_kv_config: ]["),
    ],
)
def test_garbage_is_unanswered_and_never_a_crash(small: ModuleType, path: str, body: str) -> None:
    """A page that is not what it should be is named, and the rest is still read."""
    cluster = small.SmallCluster(state=StoreState.MEMBERLIST_DYNAMODB)
    cluster.answers["metrics-ruler-0", path] = text(body)

    found = inspect(cluster.world(), TARGET)

    facts = next(facts for facts in found.pods if facts.pod.name == "metrics-ruler-0")
    assert [each.source for each in facts.unanswered] == [f"pod metrics-ruler-0 GET {path}"]
    assert len(found.pods) == len(cluster.pod_list)


def test_a_body_over_the_limit_is_unanswered(small: ModuleType) -> None:
    """The port refuses it; the inspection goes on."""
    cluster = small.SmallCluster()
    cluster.answers["metrics-ruler-0", "/metrics"] = UnreachableError("more than 33554432 bytes")

    found = inspect(cluster.world(), TARGET)

    facts = next(facts for facts in found.pods if facts.pod.name == "metrics-ruler-0")
    assert facts.build is None
    assert facts.ring("ruler") is not None
    assert [each.reason for each in facts.unanswered] == ["more than 33554432 bytes"]


def test_a_page_that_is_not_served_is_neither_green_nor_a_failure(small: ModuleType) -> None:
    """An ingester serves no ingester ring: it is not observable there, and not unanswered."""
    found = inspect(small.SmallCluster().world(), TARGET)

    facts = next(facts for facts in found.pods if facts.pod.name == "metrics-ingester-0")
    ring = facts.ring("ingester")
    assert ring is not None
    assert ring.writes
    assert not ring.page_served
    assert ring.members is None
    assert facts.unanswered == ()


def test_a_reader_without_a_page_counts_members(small: ModuleType) -> None:
    """A querier sees store-gateways through its metrics alone."""
    found = inspect(small.SmallCluster().world(), TARGET)

    facts = next(facts for facts in found.pods if facts.pod.name == "metrics-querier-0")
    ring = facts.ring("store-gateway")
    assert ring is not None
    assert ring.members is None
    assert ring.member_count == {"ACTIVE": 2, "UNHEALTHY": 0}


def test_an_empty_ring_is_null_on_the_page(small: ModuleType) -> None:
    """`"shards": null` is a ring without members, which is not the same as not knowing."""
    cluster = small.SmallCluster()
    cluster.answers["metrics-ruler-0", "/ruler/ring"] = text('{"shards":null,"now":"x"}')

    found = inspect(cluster.world(), TARGET)

    facts = next(facts for facts in found.pods if facts.pod.name == "metrics-ruler-0")
    ring = facts.ring("ruler")
    assert ring is not None
    assert ring.members == ()
    assert ring.page_served


def test_a_process_of_all_components_has_one_view_of_each_ring(small: ModuleType) -> None:
    """With `-target=all` reader and writer are the same process: kv_names are united."""
    cluster = small.SmallCluster(state=StoreState.MEMBERLIST_DYNAMODB, sizes={"ingester": 1})
    small.with_pod(cluster, "metrics-ingester-0", targets=("all",), args=("-target=all",))

    found = inspect(cluster.world(), TARGET)

    ring = found.pods[0].ring("ingester")
    assert ring is not None
    assert ring.writes
    assert ring.page_served
    assert set(ring.expected_kv_names) == {"ingester-lifecycler", "ingester-ring"}
    assert {client.kv_name for client in ring.clients} == set(ring.expected_kv_names)


def test_nan_says_nothing(small: ModuleType) -> None:
    """A metric of NaN is unknown, not zero."""
    cluster = small.SmallCluster(state=StoreState.MEMBERLIST_DYNAMODB)
    pod = next(pod for pod in cluster.pod_list if pod.name == "metrics-ruler-0")
    page = cluster.metrics(pod).replace(
        'cortex_multikv_mirror_enabled{kv_name="ruler"} 1',
        'cortex_multikv_mirror_enabled{kv_name="ruler"} NaN',
    )
    cluster.answers["metrics-ruler-0", "/metrics"] = text(page)

    found = inspect(cluster.world(), TARGET)

    facts = next(facts for facts in found.pods if facts.pod.name == "metrics-ruler-0")
    ring = facts.ring("ruler")
    assert ring is not None
    assert ring.clients[0].mirror_enabled is None
    assert ring.clients[0].primary == "memberlist"


def test_users_counters_are_read_by_route_and_status(small: ModuleType) -> None:
    """Pushes, queries, rules and DynamoDB requests, with what failed of them."""
    cluster = small.SmallCluster()
    count = "cortex_request_duration_seconds_count"
    kv = "cortex_dynamodb_kv_request_duration_seconds_count"
    cluster.answers["metrics-ruler-0", "/metrics"] = text(
        "\n".join(
            [
                f'{count}{{method="POST",route="api_v1_push",status_code="200",ws="false"}} 100',
                f'{count}{{method="POST",route="api_v1_push",status_code="500",ws="false"}} 3',
                f'{count}{{method="GET",route="prometheus_api_v1_query",status_code="200"}} 40',
                f'{count}{{method="GET",route="prometheus_api_v1_query",status_code="422"}} 2',
                f'{count}{{method="GET",route="ready",status_code="503"}} 1',
                'cortex_prometheus_rule_evaluations_total{rule_group="a",user="b"} 7',
                'cortex_prometheus_rule_evaluations_total{rule_group="c",user="b"} 8',
                f'{kv}{{kv_name="ruler",operation="Query",status_code="2xx"}} 21',
                f'{kv}{{kv_name="ruler",operation="Batch",status_code="5xx"}} 4',
            ]
        )
        + "\n"
    )

    found = inspect(cluster.world(), TARGET)

    facts = next(facts for facts in found.pods if facts.pod.name == "metrics-ruler-0")
    counters = facts.counters
    assert counters is not None
    assert (counters.pushes, counters.failed_pushes) == (103, 3)
    assert (counters.queries, counters.failed_queries) == (42, 0)
    assert (counters.rule_evaluations, counters.failed_rule_evaluations) == (15, 0)
    assert (counters.requests, counters.server_errors) == (None, None)
    assert counters.rule_groups == {"b a": (7, 0), "b c": (8, 0)}
    assert (counters.dynamodb_requests, counters.dynamodb_errors) == (25, 4)


def test_a_counter_that_is_not_there_is_none(small: ModuleType) -> None:
    """A compactor has no pushes; that is not zero pushes."""
    found = inspect(small.SmallCluster().world(), TARGET)

    counters = found.pods[0].counters
    assert counters is not None
    assert counters.pushes is None
    assert counters.failed_pushes is None


def test_the_runtime_block_is_read_where_there_is_a_file(small: ModuleType) -> None:
    """What a pod loaded is known; a pod without a file follows nothing and is not asked."""
    cluster = small.SmallCluster()
    cluster.answers["*", "/runtime_config"] = text(
        "multi_kv_config:\n  primary: dynamodb\n  mirror_enabled: true\n"
    )

    with_file = inspect(cluster.world(), TARGET)
    cluster.settings["runtime_config.file"] = ""
    cluster.asked.clear()
    without = inspect(cluster.world(), TARGET)

    heard = with_file.pods[0].runtime
    assert heard is not None
    assert heard.block == RuntimeBlock(primary="dynamodb", mirror_enabled=True)
    assert heard.period == 10
    assert heard.reload_successful is True
    silent = without.pods[0].runtime
    assert silent is not None
    assert silent.file == ""
    assert "/runtime_config" not in {path for _, path, _ in cluster.asked}


def test_a_missing_runtime_file_is_an_empty_block(small: ModuleType) -> None:
    """The product says so in words."""
    cluster = small.SmallCluster()
    cluster.answers["*", "/runtime_config"] = text("runtime config file doesn't exist")

    found = inspect(cluster.world(), TARGET)

    assert found.pods[0].runtime is not None
    assert not found.pods[0].runtime.block.is_set


def test_offers_come_from_the_binary(small: ModuleType) -> None:
    """A build without the `dynamodb` block offers it for no ring, with the page as evidence."""
    cluster = small.SmallCluster(Product.MIMIR)
    cluster.stores = ("consul", "etcd", "multi")

    found = inspect(cluster.world(), TARGET)

    assert {offer.ring for offer in found.offers} == {
        ring.name for ring in rings_of(Product.MIMIR)
    }
    assert all("dynamodb" not in offer.stores for offer in found.offers)
    assert "/config?mode=defaults" in found.offers[0].evidence.source


def test_defaults_are_asked_once_for_an_image(small: ModuleType) -> None:
    """One pod of each distinct image, and none at all when the cache knows the image."""
    cluster = small.SmallCluster()
    small.with_pod(cluster, "metrics-ruler-1", image="cortex:1.22", image_id="cortex@sha256:2")
    cache = DefaultsCache()

    inspect(cluster.world(), TARGET, cache=cache)
    first = [pod for pod, path, _ in cluster.asked if path == "/config?mode=defaults"]
    cluster.asked.clear()
    again = inspect(cluster.world(), TARGET, cache=cache)

    assert len(first) == 2
    assert "metrics-ruler-1" in first
    assert "/config?mode=defaults" not in {path for _, path, _ in cluster.asked}
    assert again.ring("ruler") is not None


def test_another_pod_of_the_image_is_asked_when_one_is_silent(small: ModuleType) -> None:
    """Defaults are the binary's, so any pod that runs it can tell."""
    cluster = small.SmallCluster()
    first = min(pod.name for pod in cluster.pod_list)
    cluster.answers[first, "*"] = small.silent(first)

    found = inspect(cluster.world(), TARGET)

    assert found.offers
    assert found.ring("ruler").state is StoreState.MEMBERLIST  # type: ignore[union-attr]


def test_nobody_tells_the_defaults(small: ModuleType) -> None:
    """Then no configuration is known, every ring says so, and the image is named."""
    cluster = small.SmallCluster()
    cluster.answers["*", "/config?mode=defaults"] = text("<html>")

    found = inspect(cluster.world(), TARGET)

    assert found.product is Product.CORTEX
    assert found.offers == ()
    assert len(found.unanswered) == 3
    ruler = found.ring("ruler")
    assert ruler is not None
    assert ruler.unknown == ("metrics-ruler-0", "metrics-ruler-1")


def test_pods_beside_the_product_are_left_out(small: ModuleType) -> None:
    """Caches, gateways and operators of the same release have no configuration page."""
    cluster = small.SmallCluster()
    cache = Pod(name="metrics-memcached-0", ip="10.0.9.9", args=("-m", "1024"), owner="memcached")
    cluster.pod_list = (*cluster.pod_list, cache)

    found = inspect(cluster.world(), TARGET)

    assert "metrics-memcached-0" not in {facts.pod.name for facts in found.pods}
    assert "metrics-memcached-0" not in {pod for pod, _, _ in cluster.asked}


def test_pods_that_ended_are_left_out(small: ModuleType) -> None:
    """An evicted pod stays listed for a while and has no process to ask."""
    cluster = small.SmallCluster()
    small.with_pod(cluster, "metrics-ruler-0", phase="Failed", ready=False)

    found = inspect(cluster.world(), TARGET)

    assert "metrics-ruler-0" not in {facts.pod.name for facts in found.pods}


def test_a_release_without_the_product_is_an_error(small: ModuleType) -> None:
    """There is nothing to inspect, and the message says what was looked for."""
    cluster = small.SmallCluster(sizes={})
    cluster.pod_list = (Pod(name="nginx", ip="10.0.0.1", args=("nginx",)),)

    with pytest.raises(MigrateError, match="none of the release's 1 pods"):
        inspect(cluster.world(), TARGET)


def test_a_pod_without_an_address_is_not_asked(small: ModuleType) -> None:
    """It is still starting; that is unknown and costs no timeout."""
    cluster = small.SmallCluster()
    small.with_pod(cluster, "metrics-ruler-0", ip="", phase="Pending", ready=False)

    found = inspect(cluster.world(), TARGET)

    facts = next(facts for facts in found.pods if facts.pod.name == "metrics-ruler-0")
    assert "metrics-ruler-0" not in {pod for pod, _, _ in cluster.asked}
    assert "Pending" in facts.unanswered[0].reason


def test_kubernetes_that_does_not_tell_the_pods_ends_the_inspection(small: ModuleType) -> None:
    """Without pods nothing is known; the cause is handed on."""
    cluster = small.SmallCluster()
    cluster.failing["pods"] = UnreachableError("connection refused")

    with pytest.raises(UnreachableError, match="refused"):
        inspect(cluster.world(), TARGET)


def test_what_else_does_not_answer_is_collected(small: ModuleType) -> None:
    """Autoscalers, the release and the table are unknown, with a reason each."""
    cluster = small.SmallCluster()
    for port in ("autoscalers", "release", "tables"):
        cluster.failing[port] = UnreachableError(f"no {port}")

    found = inspect(
        cluster.world(), msgspec.structs.replace(TARGET, dynamodb=TableTarget(table="rings"))
    )

    assert found.release is None
    assert found.autoscalers == ()
    assert found.tables == {}
    assert [each.reason for each in found.unanswered] == [
        "no autoscalers",
        "no release",
        "no tables",
    ]


def test_never_asks_for_anything_that_changes_something(small: ModuleType) -> None:
    """`/memberlist?deleteMessages=true` changes state by a GET: it is never asked."""
    cluster = small.SmallCluster(state=StoreState.MEMBERLIST_DYNAMODB)

    inspect(cluster.world(), TARGET)

    paths = {path for _, path, _ in cluster.asked}
    assert not [path for path in paths if "delete" in path or "forget" in path]
    assert "/memberlist?viewKey=collectors/ring&format=json" in paths


def test_ring_pages_are_asked_for_as_json(small: ModuleType) -> None:
    """Without the header both products answer HTML."""
    cluster = small.SmallCluster()

    inspect(cluster.world(), TARGET)

    accepts = {accept for _, path, accept in cluster.asked if path == "/ruler/ring"}
    assert accepts == {"application/json"}


def test_only_the_rings_asked_for_are_read(small: ModuleType) -> None:
    """Members of other rings are not read; their configuration is."""
    cluster = small.SmallCluster()

    found = inspect(cluster.world(), TARGET, rings=("ruler",))

    paths = {path for _, path, _ in cluster.asked}
    assert "/ruler/ring" in paths
    assert "/compactor/ring" not in paths
    compactor = found.ring("compactor")
    assert compactor is not None
    assert compactor.state is StoreState.MEMBERLIST


def test_stores_can_be_left_out(small: ModuleType) -> None:
    """A quick look reads neither memberlist's values nor DynamoDB."""
    cluster = small.SmallCluster(state=StoreState.MEMBERLIST_DYNAMODB)
    cluster.failing["tables"] = AssertionError("asked")

    found = inspect(cluster.world(), TARGET, stores=False)

    assert found.tables == {}
    assert not [path for _, path, _ in cluster.asked if "viewKey" in path]


def test_the_pods_tables_and_the_targets_are_read(small: ModuleType) -> None:
    """Both are named; the items come from the table that the pods write to."""
    cluster = small.SmallCluster(state=StoreState.DYNAMODB)
    cluster.dynamodb["rings"] = small.ring_table()
    target = msgspec.structs.replace(TARGET, dynamodb=TableTarget(table="other-{ring}"))

    found = inspect(cluster.world(), target)

    assert found.tables["rings"] == small.ring_table()
    assert found.tables["other-ruler"] is None
    assert {items.table for items in found.items} == {"rings"}
    assert {items.ring_key for items in found.items} >= {"collectors/ring", "rulers/ring"}
    assert found.identity.account == "123456789012"


def test_aws_is_left_alone_where_no_table_is_named(small: ModuleType) -> None:
    """An inspection of a cluster on memberlist needs no AWS credentials."""
    cluster = small.SmallCluster()
    cluster.failing["tables"] = AssertionError("asked")

    found = inspect(cluster.world(), TARGET)

    assert found.identity.account == ""
    assert found.unanswered == ()


def test_unknown_items_are_read_twice_a_heartbeat_apart(small: ModuleType) -> None:
    """The wait is the longest heartbeat and a second; only items of no pod here are worth it."""
    cluster = small.SmallCluster()
    cluster.dynamodb["rings"] = small.ring_table()
    target = msgspec.structs.replace(TARGET, dynamodb=TableTarget(table="rings"))
    ours = small.member_of(cluster.pod_list[0], small.NOW)

    cluster.ring_items["ruler"] = (ours,)
    inspect(cluster.world(), target, wait_for_heartbeat=True)
    waited_for_ours = list(cluster.clock.slept)
    cluster.ring_items["ruler"] = (msgspec.structs.replace(ours, address="172.16.0.1:9095"),)
    found = inspect(cluster.world(), target, wait_for_heartbeat=True)

    assert waited_for_ours == []
    assert cluster.clock.slept == [16.0]
    earlier = next(items for items in found.earlier_items if items.ring == "ruler")
    now = found.table_items("ruler")
    assert now is not None
    assert now.at - earlier.at == 16


def test_prefix_decides_the_key(small: ModuleType) -> None:
    """A prefix from the configuration replaces the default, in memberlist and in DynamoDB."""
    cluster = small.SmallCluster(state=StoreState.DYNAMODB)
    cluster.dynamodb["rings"] = small.ring_table()
    cluster.settings["ruler.ring.kvstore.prefix"] = "mine/"

    found = inspect(cluster.world(), TARGET)

    items = found.table_items("ruler")
    assert items is not None
    assert items.ring_key == "mine/ring"


def test_a_prefix_with_odd_characters_is_quoted(small: ModuleType) -> None:
    """It is the operator's own text and must not become another query."""
    cluster = small.SmallCluster(state=StoreState.MEMBERLIST)
    cluster.settings["ruler.ring.kvstore.prefix"] = "a b&deleteMessages=true/"
    cluster.answers["*", "/memberlist"] = text(
        '{"SortedMembers": [], "Store": {"a b&deleteMessages=true/ring": {}}}'
    )
    cluster.answers["*", "/memberlist?viewKey=a%20b%26deleteMessages%3Dtrue/ring&format=json"] = (
        text('{"ingesters": {}}')
    )

    inspect(cluster.world(), TARGET)

    asked = {path for _, path, _ in cluster.asked if "viewKey" in path}
    assert asked == {"/memberlist?viewKey=a%20b%26deleteMessages%3Dtrue/ring&format=json"}


def test_progress_counts_pods(small: ModuleType) -> None:
    """Every pod is reported once, the last as all of all."""
    cluster = small.SmallCluster()
    seen: list[tuple[int, int]] = []

    inspect(cluster.world(), TARGET, progress=lambda _, done, of: seen.append((done, of)))

    total = len(cluster.pod_list)
    assert seen == [(number, total) for number in range(1, total + 1)]


@pytest.mark.parametrize("max_at_once", [1, 24])
def test_pods_are_asked_at_once_up_to_the_bound(small: ModuleType, max_at_once: int) -> None:
    """The facts are the same, in the pods' order; one at a time takes no thread at all."""
    cluster = small.SmallCluster()
    real, threads, alone = cluster.get, set(), inspect(cluster.world(), TARGET)
    together = threading.Barrier(2)

    def get(pod: Pod, path: str, **how: object) -> Page:
        threads.add(threading.get_ident())
        if max_at_once > 1 and path == "/metrics" and pod in cluster.pod_list[:2]:
            together.wait(timeout=30)  # nobody passes unless two are being asked
        return real(pod, path, **how)

    cluster.get = get
    found = inspect(cluster.world(), TARGET, max_at_once=max_at_once)

    assert [facts.pod for facts in found.pods] == [facts.pod for facts in alone.pods]
    assert msgspec.structs.replace(found, at=0.0) == msgspec.structs.replace(alone, at=0.0)
    assert (threads == {threading.get_ident()}) is (max_at_once == 1)


def test_kubernetes_facts_are_handed_on(small: ModuleType) -> None:
    """Workloads, autoscalers and the release are as the port says."""
    cluster = small.SmallCluster()
    cluster.autoscaler_list = (Autoscaler(name="a", target="Deployment/metrics-querier"),)
    cluster.helm = Release(name="metrics", status="pending-upgrade")

    found = inspect(cluster.world(), TARGET)

    assert found.autoscalers == cluster.autoscaler_list
    assert found.release == cluster.helm
    assert {each.name for each in found.workloads} == {each.name for each in cluster.workload_list}
    assert found.identity.server == "kubernetes.test:6443"
    assert found.identity.release == "metrics"


def test_primaries_that_differ_are_both_shown(small: ModuleType) -> None:
    """A pod that did not follow a switch shows as a second primary of its ring."""
    cluster = small.SmallCluster(state=StoreState.MEMBERLIST_DYNAMODB)
    pod = next(pod for pod in cluster.pod_list if pod.name == "metrics-ruler-0")
    page = cluster.metrics(pod)
    for store, before, after in (("memberlist", 1, 0), ("dynamodb", 0, 1)):
        page = page.replace(
            f'{{kv_name="ruler",store="{store}"}} {before}',
            f'{{kv_name="ruler",store="{store}"}} {after}',
        )
    cluster.answers["metrics-ruler-0", "/metrics"] = text(page)

    found = inspect(cluster.world(), TARGET)

    ruler = found.ring("ruler")
    assert ruler is not None
    assert ruler.primaries == (Store.MEMBERLIST, Store.DYNAMODB)


def test_a_pair_that_is_none_of_ours_is_shown(small: ModuleType) -> None:
    """consul and memberlist under multi is another tool's migration."""
    cluster = small.SmallCluster(state=StoreState.MEMBERLIST_DYNAMODB)
    cluster.settings["ruler.ring.kvstore.multi.primary"] = "consul"
    cluster.settings["ruler.ring.kvstore.multi.secondary"] = "memberlist"

    found = inspect(cluster.world(), TARGET)

    ruler = found.ring("ruler")
    assert ruler is not None
    assert ruler.other_stores == ("multi(consul,memberlist)",)
    assert ruler.state is None


def test_clients_that_nobody_expects_and_expected_ones_that_are_missing_are_kept(
    small: ModuleType,
) -> None:
    """As the metrics name them, also where a client is on one store only and has no other metric."""
    cluster = small.SmallCluster(state=StoreState.MEMBERLIST_DYNAMODB)
    ruler = next(pod for pod in cluster.pod_list if pod.component == "ruler")
    text = cluster.metrics(ruler)
    assert 'kv_name="ruler"' in text
    text = "\n".join(
        line
        for line in text.splitlines()
        if 'kv_name="ruler"' not in line and 'name="ruler"' not in line
    )
    text += (
        '\ncortex_kv_request_duration_seconds_count{kv_name="cache-ring",operation="GET",role="primary",'
        'status_code="200",type="memberlist"} 3\n'
        'cortex_ring_members{name="cache",state="ACTIVE"} 2\n'
    )
    cluster.answers[ruler.name, "/metrics"] = Page(
        status=200, content_type="text/plain", body=text.encode()
    )

    found = inspect(cluster.world(), TARGET)

    odd = next(facts for facts in found.pods if facts.pod.name == ruler.name)
    assert odd.unexpected == ('kv_name="cache-ring"', 'cortex_ring_members{name="cache"}')
    view = odd.ring("ruler")
    assert view is not None
    assert view.absent == ('kv_name="ruler"', 'cortex_ring_members{name="ruler"}')
    others = [facts for facts in found.pods if facts.pod.name != ruler.name]
    assert not any(facts.unexpected for facts in others)
    assert not any(view.absent for facts in others for view in facts.rings)


@pytest.mark.parametrize("product", list(Product))
@pytest.mark.parametrize("state", list(StoreState))
def test_pods_that_are_as_they_should_be_have_no_odd_clients(
    small: ModuleType, product: Product, state: StoreState
) -> None:
    """In each state of a migration."""
    found = inspect(small.SmallCluster(product, state).world(), TARGET)

    assert not any(facts.unexpected for facts in found.pods)
    assert not any(view.absent for facts in found.pods for view in facts.rings)
