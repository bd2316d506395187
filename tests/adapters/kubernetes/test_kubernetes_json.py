"""Kubernetes objects are read into facts field by field."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mimir_migrate.adapters.kubernetes.lease_json import parse_time
from mimir_migrate.adapters.kubernetes.objects import (
    autoscaler_from_json,
    pod_from_json,
    targets_of,
    workload_from_json,
)


def pod(**changes: Any) -> dict[str, Any]:
    """A Deployment's pod as the API server answers it; `changes` replace parts by dotted path."""
    found: dict[str, Any] = {
        "metadata": {
            "name": "metrics-ruler-dc4b6d877-8znwr",
            "uid": "64fcdcdb",
            "creationTimestamp": "2026-11-22T09:09:07Z",
            "labels": {
                "app.kubernetes.io/component": "ruler",
                "app.kubernetes.io/part-of": "memberlist",
                "pod-template-hash": "dc4b6d877",
            },
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": "rs", "uid": "uid-rs", "controller": True}
            ],
        },
        "spec": {
            "nodeName": "node-1",
            "serviceAccountName": "metrics",
            "containers": [
                {"name": "sidecar", "image": "proxy:1", "args": ["--upstream=x"]},
                {
                    "name": "ruler",
                    "image": "cortex:1.21.1",
                    "command": ["/bin/cortex"],
                    "args": ["-target=ruler", "-config.file=/etc/cortex.yaml"],
                    "env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": "hunter2"}],
                    "ports": [
                        {"name": "grpc", "containerPort": 9095},
                        {"name": "http-metrics", "containerPort": 8081},
                    ],
                },
            ],
        },
        "status": {
            "phase": "Running",
            "podIP": "10.77.0.10",
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "lastTransitionTime": "2026-11-22T09:10:00Z",
                }
            ],
            "containerStatuses": [
                {"name": "sidecar", "imageID": "proxy@sha256:9", "restartCount": 7},
                {
                    "name": "ruler",
                    "imageID": "cortex@sha256:1",
                    "restartCount": 2,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                },
            ],
        },
    }
    for path, value in changes.items():
        place = found
        *above, last = path.split("__")
        for key in above:
            place = place[key]
        place[last] = value
    return found


REPLICA_SET = {
    "metadata": {
        "uid": "uid-rs",
        "labels": {"pod-template-hash": "dc4b6d877"},
        "annotations": {"deployment.kubernetes.io/revision": "2"},
        "ownerReferences": [
            {"kind": "Deployment", "name": "metrics-ruler", "uid": "uid-d", "controller": True}
        ],
    }
}
OLD_REPLICA_SET = {
    "metadata": {
        "uid": "uid-old",
        "labels": {"pod-template-hash": "older"},
        "annotations": {"deployment.kubernetes.io/revision": "1"},
        "ownerReferences": [
            {"kind": "Deployment", "name": "metrics-ruler", "uid": "uid-d", "controller": True}
        ],
    }
}


def workload(kind: str, **changes: Any) -> dict[str, Any]:
    """A workload of five pods."""
    found: dict[str, Any] = {
        "kind": kind,
        "metadata": {
            "name": "metrics-ruler",
            "uid": "uid-d",
            "generation": 4,
            "labels": {"app.kubernetes.io/component": "ruler"},
            "annotations": {},
        },
        "spec": {
            "replicas": 5,
            "template": {
                "metadata": {"annotations": {"checksum/config": "cda7"}},
                "spec": {"terminationGracePeriodSeconds": 60},
            },
        },
        "status": {"observedGeneration": 3, "readyReplicas": 4, "updatedReplicas": 2},
    }
    for path, value in changes.items():
        place = found
        *above, last = path.split("__")
        for key in above:
            place = place[key]
        place[last] = value
    return found


def test_a_pod_is_read_whole() -> None:
    """Names, times, revision, image, port and the product's own container."""
    found = pod_from_json(pod(), [OLD_REPLICA_SET, REPLICA_SET])

    assert found.name == "metrics-ruler-dc4b6d877-8znwr"
    assert found.component == "ruler"
    assert found.targets == ("ruler",)
    assert found.ip == "10.77.0.10"
    assert (found.image, found.image_id) == ("cortex:1.21.1", "cortex@sha256:1")
    assert found.http_port == 8081
    assert found.revision == "dc4b6d877"
    assert (found.owner_kind, found.owner) == ("Deployment", "metrics-ruler")
    assert found.restarts == 2
    assert found.waiting_reason == "CrashLoopBackOff"
    assert found.ready
    assert found.ready_since == parse_time("2026-11-22T09:10:00Z")
    assert found.gossips
    assert not found.terminating


def test_the_values_of_the_environment_are_not_kept() -> None:
    """Names of variables only: their values can be secrets."""
    found = pod_from_json(pod())

    assert found.env == ("AWS_SECRET_ACCESS_KEY",)
    assert "hunter2" not in repr(found)


def test_deletion_was_asked_for_a_grace_period_before_its_timestamp() -> None:
    """Kubernetes writes when the grace ends."""
    found = pod_from_json(
        pod(
            metadata__deletionTimestamp="2026-11-22T09:20:00Z",
            metadata__deletionGracePeriodSeconds=1200,
        )
    )

    assert found.deleted_at == parse_time("2026-11-22T09:00:00Z")
    assert found.terminating


@pytest.mark.parametrize(
    "changes",
    [
        {"status__reason": "NodeLost"},
        {"status__phase": "Unknown"},
        {"status__conditions": [{"type": "Ready", "status": "Unknown"}]},
        {"status__conditions": [{"type": "Ready", "status": "False", "reason": "NodeLost"}]},
    ],
)
def test_a_lost_node_is_seen(changes: dict[str, Any]) -> None:
    """The node's own silence shows in the pod."""
    assert pod_from_json(pod(**changes)).node_lost


def test_a_statefulsets_pod_has_its_owner_and_revision() -> None:
    """No ReplicaSet stands between."""
    found = pod_from_json(
        pod(
            metadata__labels={
                "name": "ingester-zone-a",
                "app.kubernetes.io/component": "ingester",
                "controller-revision-hash": "ingester-64f5",
                "zone": "zone-a",
            },
            metadata__ownerReferences=[
                {"kind": "StatefulSet", "name": "metrics-ingester-zone-a", "controller": True}
            ],
        )
    )

    assert (found.owner_kind, found.owner) == ("StatefulSet", "metrics-ingester-zone-a")
    assert found.revision == "ingester-64f5"
    assert found.zone == "zone-a"
    assert not found.gossips


def test_a_pod_of_an_unknown_replica_set_keeps_that_owner() -> None:
    """Then no Deployment can be named."""
    assert pod_from_json(pod(), [OLD_REPLICA_SET]).owner_kind == "ReplicaSet"


@pytest.mark.parametrize(
    ("arguments", "targets"),
    [
        (["-target=ruler"], ("ruler",)),
        (["--target=read"], ("read",)),
        (["-target=ingester, distributor"], ("ingester", "distributor")),
        (["-config.file=x"], ()),
        (["target=ruler"], ()),
        ([], ()),
    ],
)
def test_targets(arguments: list[str], targets: tuple[str, ...]) -> None:
    """The flag takes one or two dashes and a comma list."""
    assert targets_of(arguments) == targets


def test_an_empty_pod_is_no_crash() -> None:
    """A pod that was only just made has next to nothing."""
    found = pod_from_json({"metadata": {"name": "new"}, "spec": {}, "status": {}})

    assert found.name == "new"
    assert found.ip == ""
    assert not found.ready


def test_a_deployment_is_read_with_its_newest_revision() -> None:
    """The newest ReplicaSet's hash, the rollout's bounds, the checksum and the counts."""
    found = workload_from_json(
        workload(
            "Deployment",
            spec__strategy={
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "15%", "maxUnavailable": "50%"},
            },
        ),
        [REPLICA_SET, OLD_REPLICA_SET],
    )

    assert found.current_revision == "dc4b6d877"
    assert (found.surge, found.max_unavailable) == (1, 2)
    assert (found.replicas, found.ready_replicas, found.updated_replicas) == (5, 4, 2)
    assert (found.generation, found.observed_generation) == (4, 3)
    assert found.termination_grace_seconds == 60
    assert found.config_checksum == "cda7"
    assert found.managed_by == ""


def test_an_ondelete_statefulset_takes_its_bounds_from_the_rollout_operator() -> None:
    """The annotation says how many pods it deletes at once."""
    found = workload_from_json(
        workload(
            "StatefulSet",
            spec__updateStrategy={"type": "OnDelete"},
            metadata__annotations={"rollout-max-unavailable": "50"},
            metadata__labels={"rollout-group": "ingester"},
            status__updateRevision="ingester-7c4f",
        )
    )

    assert found.update_strategy == "OnDelete"
    assert (found.surge, found.max_unavailable) == (0, 50)
    assert found.rollout_group == "ingester"
    assert found.current_revision == "ingester-7c4f"


def test_recreate_takes_all_pods_away() -> None:
    """A Deployment that recreates has none of its pods for a while."""
    found = workload_from_json(workload("Deployment", spec__strategy={"type": "Recreate"}))

    assert (found.surge, found.max_unavailable) == (0, 5)


@pytest.mark.parametrize(
    ("labels", "annotations", "owner"),
    [
        ({"argocd.argoproj.io/instance": "metrics"}, {}, "argocd"),
        ({}, {"argocd.argoproj.io/tracking-id": "metrics:apps/Deployment"}, "argocd"),
        ({"helm.toolkit.fluxcd.io/name": "metrics"}, {}, "flux"),
        ({"kustomize.toolkit.fluxcd.io/name": "metrics"}, {}, "flux"),
        ({"app.kubernetes.io/managed-by": "Helm"}, {}, ""),
    ],
)
def test_who_deploys_it(labels: dict[str, str], annotations: dict[str, str], owner: str) -> None:
    """Argo CD and Flux leave their marks; helm alone is nobody else."""
    found = workload_from_json(
        workload("Deployment", metadata__labels=labels, metadata__annotations=annotations)
    )

    assert found.managed_by == owner


def test_an_item_of_a_list_has_its_kind_from_the_list() -> None:
    """The API server leaves the kind out of a list's items."""
    item = workload("StatefulSet")
    del item["kind"]

    assert workload_from_json(item, kind="StatefulSet").kind == "StatefulSet"


def test_an_autoscaler_is_read() -> None:
    """What it scales, how many there are and how many it wants."""
    found = autoscaler_from_json(
        {
            "metadata": {"name": "keda-hpa-querier"},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "metrics-querier"}},
            "status": {"currentReplicas": 2, "desiredReplicas": 4},
        }
    )

    assert found.name == "keda-hpa-querier"
    assert found.target == "Deployment/metrics-querier"
    assert (found.current, found.desired) == (2, 4)


@pytest.fixture
def kubernetes() -> Path:
    """What a real API server answered; skips where it is absent."""
    default = Path(__file__).parents[4] / "shared"
    shared = Path(os.environ.get("MIMIR_MIGRATE_SHARED", default))
    if not (shared / "captures" / "kubernetes").is_dir():
        pytest.skip("the captures of a real API server are not here")
    return shared / "captures" / "kubernetes"


@pytest.mark.corpus
def test_a_rollout_on_a_real_cluster_is_seen(kubernetes: Path) -> None:
    """During it some pods are of an older revision than their workload; after it none is."""

    def items(when: str, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((kubernetes / when / name).read_text())["items"]
        return found

    def old(when: str) -> set[str]:
        sets = items(when, "replicasets.json")
        workloads = [
            workload_from_json(each, sets)
            for name in ("deployments.json", "statefulsets.json")
            for each in items(when, name)
        ]
        newest = {(each.kind, each.name): each.current_revision for each in workloads}
        assert all(newest.values())
        pods = [pod_from_json(each, sets) for each in items(when, "pods.json")]
        return {
            each.component for each in pods if each.revision != newest[each.owner_kind, each.owner]
        }

    assert old("before") == set()
    assert "ingester" in old("during")
    # In that lab the query-frontend's new pod never became Ready, so its old one stayed.
    assert old("after") == {"query-frontend"}
