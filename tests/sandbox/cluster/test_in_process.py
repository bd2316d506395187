"""A whole sandbox in virtual time: deploys, rollouts, faults of the cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mimir_migrate.adapters.kubernetes.helm_secret import release_from_secret
from mimir_migrate.errors import CommandError, UsageError
from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.inprocess import InProcessSandbox, StoreApi

EXAMPLES = Path(__file__).parents[3] / "examples"
NS = "observability"
MIMIR = (EXAMPLES / "values.yaml").read_bytes()
CORTEX = (EXAMPLES / "values-cortex.yaml").read_bytes()


def louder(values: bytes) -> bytes:
    """The values with one harmless change, which rolls everything."""
    return values.replace(b"log_level: info", b"log_level: warn")


@pytest.fixture
def mimir() -> InProcessSandbox:
    sandbox = InProcessSandbox(Product.MIMIR, MIMIR, stores=frozenset({"dynamodb"}))
    sandbox.start()
    return sandbox


def pods(sandbox, component: str = "") -> list[dict]:
    labels = f"app.kubernetes.io/component={component}" if component else ""
    return sandbox.objects.select("pods", NS, labels=labels)


def statuses(sandbox) -> list[tuple[str, str]]:
    secrets = sandbox.objects.select("secrets", NS, labels="owner=helm")
    found = [release_from_secret(secret) for secret in secrets]
    return [(str(one.revision), one.status) for one in sorted(found, key=lambda one: one.revision)]


@pytest.mark.parametrize(("product", "values"), [(Product.MIMIR, MIMIR), (Product.CORTEX, CORTEX)])
def test_a_rollout_of_the_example_loses_sight_of_nobody(product, values):
    """A harmless change rolls every pod; the rings stay whole throughout."""
    sandbox = InProcessSandbox(product, values, stores=frozenset({"dynamodb"}))
    sandbox.start()
    before = {pod["metadata"]["uid"] for pod in pods(sandbox)}
    plain = {pod["metadata"]["uid"] for pod in pods(sandbox, "nginx")} | {
        pod["metadata"]["uid"]
        for pod in sandbox.objects.select(
            "pods", NS, labels="app.kubernetes.io/name=rollout-operator"
        )
    }

    sandbox.deploy([louder(values)])
    sandbox.settle()
    sandbox.run_for(120)

    kept = before & {pod["metadata"]["uid"] for pod in pods(sandbox)}
    assert kept == plain
    status = sandbox.status()
    assert status["lost_sight"] == 0
    assert status["observations"] > 1000


def test_deploys_leave_helm_s_trail(mimir):
    """Each revision's Secret: the newest deployed, the earlier ones superseded, ten at most."""
    assert statuses(mimir) == [("1", "deployed")]
    for _ in range(11):
        mimir.deploy([MIMIR])

    found = statuses(mimir)

    assert found[-1] == ("12", "deployed")
    assert {status for _, status in found[:-1]} == {"superseded"}
    assert len(found) == 10


def test_the_same_values_again_change_nothing_but_the_trail(mimir):
    """A repeated deploy touches no object whose content is the same."""
    names = ("configmaps", "statefulsets", "deployments", "pods", "services")
    before = [mimir.objects.select(plural, NS) for plural in names]

    mimir.deploy([MIMIR])

    assert [mimir.objects.select(plural, NS) for plural in names] == before


def test_a_deploy_takes_away_what_the_values_no_longer_say(mimir):
    """Keys that are gone from the values go from the objects; objects that are gone, too."""
    mimir.deploy(
        [MIMIR.replace(b"  - apiVersion: v1\n    kind: ConfigMap\n", b"  []\nx:\n  - y: 1\n")]
    )

    assert mimir.objects.find("configmaps", NS, "mimir-notes") is None
    assert mimir.objects.find("configmaps", NS, "mimir-config") is not None


def test_a_deploy_goes_on_over_a_release_that_was_left_pending(mimir):
    """An interrupted deploy can be repeated."""
    mimir.inject("release-pending")
    assert statuses(mimir) == [("1", "deployed"), ("2", "pending-upgrade")]

    mimir.deploy([louder(MIMIR)])

    assert statuses(mimir) == [("1", "superseded"), ("2", "pending-upgrade"), ("3", "deployed")]


def test_a_deploy_that_is_refused_halfway_is_a_failed_revision(mimir, monkeypatch):
    """The error reaches the caller, and helm's trail says failed."""
    call = StoreApi.call

    def refuse(self, method, path, body=None):
        if method == "PATCH" and "statefulsets" in path:
            return 500, {"message": "etcdserver: request timed out"}
        return call(self, method, path, body)

    monkeypatch.setattr(StoreApi, "call", refuse)
    with pytest.raises(CommandError, match="timed out"):
        mimir.deploy([louder(MIMIR)])

    assert statuses(mimir) == [("1", "deployed"), ("2", "failed")]


def test_a_pod_answers_its_pages(mimir):
    """Through the proxy; a pod that is not Mimir knows none of them."""
    ruler = pods(mimir, "ruler")[0]["metadata"]["name"]
    page = json.loads(mimir.proxy(ruler, "/ruler/ring", "application/json").body)
    assert {shard["state"] for shard in page["shards"]} == {"ACTIVE"}
    operator = mimir.objects.select("pods", NS, labels="app.kubernetes.io/name=rollout-operator")
    assert mimir.proxy(operator[0]["metadata"]["name"], "/config").status == 404


def test_a_rollout_hangs_until_the_fault_is_cleared(mimir):
    """New pods do not start; the old ones that may stay do."""
    mimir.inject("rollout-hangs", {"component": "ruler"})
    mimir.deploy([louder(MIMIR)])
    mimir.run_for(1800)

    reasons = {
        pod["status"]["containerStatuses"][0]["state"].get("waiting", {}).get("reason")
        for pod in pods(mimir, "ruler")
    }
    assert "ImagePullBackOff" in reasons
    assert not mimir.cluster.is_settled()
    mimir.inject("clear")
    mimir.settle()


def test_an_old_pod_stays_and_keeps_running(mimir):
    """It is marked for deletion, serves its pages, and goes when the fault is cleared."""
    mimir.inject("old-pod-stays", {"component": "querier"})
    old = pods(mimir, "querier")[0]["metadata"]["name"]
    mimir.deploy([louder(MIMIR)])
    mimir.run_for(1800)

    found = mimir.objects.get("pods", NS, old)
    assert found["metadata"]["deletionTimestamp"]
    assert mimir.proxy(old, "/ready").status == 200
    assert len(pods(mimir, "querier")) == 2
    mimir.inject("clear")
    mimir.settle()
    assert mimir.objects.find("pods", NS, old) is None


def test_members_join_and_leave(mimir):
    """A workload is scaled, and the new member shows up in its ring."""
    mimir.inject("member-joins", {"component": "ruler"})
    mimir.settle()
    assert len(pods(mimir, "ruler")) == 3
    mimir.inject("member-leaves", {"component": "ruler", "count": "2"})
    mimir.settle()
    assert len(pods(mimir, "ruler")) == 1


def test_an_evicted_pod_comes_back_under_another_address(mimir):
    """A StatefulSet's pod keeps its name."""
    before = mimir.objects.get("pods", NS, "mimir-compactor-1")["status"]["podIP"]
    mimir.inject("pod-evicted", {"pod": "mimir-compactor-1"})
    mimir.settle()
    assert mimir.objects.get("pods", NS, "mimir-compactor-1")["status"]["podIP"] != before


def test_an_autoscaler_shows_what_it_wants(mimir):
    """A HorizontalPodAutoscaler with more desired than current replicas, and the new pods."""
    mimir.inject("autoscaler-adds-pods", {"component": "querier", "count": "2"})
    (found,) = mimir.objects.select("horizontalpodautoscalers", NS)
    assert found["status"] == {"currentReplicas": 1, "desiredReplicas": 3}
    mimir.settle()
    assert len(pods(mimir, "querier")) == 3
    mimir.inject("clear")
    (found,) = mimir.objects.select("horizontalpodautoscalers", NS)
    assert found["status"] == {"currentReplicas": 3, "desiredReplicas": 3}


def test_another_deployer_takes_changes_back(mimir):
    """The ConfigMap and the workloads are again what they were, a while after a deploy."""
    before = mimir.objects.get("configmaps", NS, "mimir-config")["data"]
    mimir.inject("gitops-reverts")
    mimir.deploy([louder(MIMIR)])
    assert mimir.objects.get("configmaps", NS, "mimir-config")["data"] != before

    mimir.run_for(30)

    assert mimir.objects.get("configmaps", NS, "mimir-config")["data"] == before
    owner = mimir.objects.get("deployments", NS, "mimir-ruler")
    assert "argocd.argoproj.io/tracking-id" in owner["metadata"]["annotations"]


def test_nobody_restarts_ingesters_while_the_rollout_operator_is_stopped(mimir):
    """OnDelete pods stay on their old revision until it works again."""
    mimir.inject("rollout-operator-stops")
    before = {pod["metadata"]["uid"] for pod in pods(mimir, "ingester")}
    mimir.deploy([louder(MIMIR)])
    mimir.run_for(1800)
    assert {pod["metadata"]["uid"] for pod in pods(mimir, "ingester")} == before
    mimir.inject("clear")
    mimir.settle()
    assert not before & {pod["metadata"]["uid"] for pod in pods(mimir, "ingester")}


def test_a_fault_may_end_by_itself(mimir):
    """`seconds=` is the sandbox's own time."""
    mimir.inject("rollout-hangs", {"component": "ruler", "seconds": "300"})
    mimir.deploy([louder(MIMIR)])
    assert mimir.settle() >= 300


def test_an_unknown_fault_is_refused_with_the_known_ones(mimir):
    """The hint lists every part's faults."""
    with pytest.raises(UsageError) as caught:
        mimir.inject("rust")
    assert "rollout-hangs" in caught.value.hint
    assert "pod-silent" in caught.value.hint


def test_what_is_set_for_dynamodb_counts_in_the_wall_clock_s_seconds():
    """At speed 30 a poll of 500 ms in the values is a poll of 500 ms on the pod's page."""
    values = (
        b"config: {ruler: {enable_sharding: true, ring: {kvstore: {store: dynamodb, dynamodb: "
        b"{region: eu-west-1, table_name: rings, puller_sync_time: 500ms}}}}}\n"
    )
    sandbox = InProcessSandbox(Product.CORTEX, values, speed=30.0)
    sandbox.run_for(10)
    ruler = pods(sandbox, "ruler")[0]["metadata"]["name"]

    page = sandbox.proxy(ruler, "/config", "*/*").body.decode()

    assert "puller_sync_time: 500ms" in page


def test_a_killed_deploy_leaves_the_release_pending_until_somebody_mends_it(mimir):
    """So does the next one; `clear` does what `helm rollback` does."""
    mimir.inject("helm-killed", {"count": "1"})
    changed = louder(MIMIR)
    for _ in range(2):
        with pytest.raises(CommandError, match="no answer"):
            mimir.deploy([changed])
        assert statuses(mimir)[-1] == ("2", "pending-upgrade")

    mimir.inject("clear")

    assert statuses(mimir)[-1] == ("2", "failed")
    assert mimir.deploy([changed]) == 3


def test_a_deploy_that_fails_halfway_is_marked_failed(mimir):
    """And the next one goes through."""
    mimir.inject("deploy-fails", {"count": "1"})
    changed = louder(MIMIR)
    with pytest.raises(CommandError, match="request timed out"):
        mimir.deploy([changed])

    assert mimir.deploy([changed]) == 3
