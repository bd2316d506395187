"""The shapes of objects: as a real API server had them, where the folder of captures is present."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mimir_migrate.model.rings import Product
from mimir_migrate.sandbox.inprocess import InProcessSandbox

REPOSITORY = Path(__file__).parents[3]
SHARED = Path(os.environ.get("MIMIR_MIGRATE_SHARED", REPOSITORY.parent / "shared"))
CAPTURES = SHARED / "captures" / "kubernetes"
NS = "observability"
VALUES = (REPOSITORY / "examples" / "values-cortex.yaml").read_bytes()
CHOSEN_BY_THE_CHART = {
    "annotations",  # the lab's workloads had none but the checksum
    "env",
    "hostname",
    "subdomain",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "progressDeadlineSeconds",
}

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CAPTURES.is_dir(), reason="no folder of captures"),
]


@pytest.fixture(scope="module")
def moments() -> dict[str, dict[str, list[dict]]]:
    """Every object of a sandbox before, during and after a rollout."""
    sandbox = InProcessSandbox(Product.CORTEX, VALUES)
    sandbox.start()
    found = {"before": snapshot(sandbox)}
    sandbox.deploy([VALUES.replace(b"log_level: info", b"log_level: warn")])
    sandbox.run_for(20)
    found["during"] = snapshot(sandbox)
    sandbox.settle()
    found["after"] = snapshot(sandbox)
    return found


def snapshot(sandbox) -> dict[str, list[dict]]:
    names = ("statefulsets", "deployments", "replicasets", "pods", "controllerrevisions")
    return {plural: sandbox.objects.select(plural, NS) for plural in names}


def captured(moment: str, plural: str) -> list[dict]:
    path = CAPTURES / moment / f"{plural}.json"
    return json.loads(path.read_text())["items"] if path.exists() else []


def keys(items: list[dict], *path: str) -> set[str]:
    """Every key that any of the items has at a path."""
    found: set[str] = set()
    for item in items:
        value = item
        for key in path:
            value = value.get(key, {})
        found |= set(value)
    return found


def types(items: list[dict], *path: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for item in items:
        value = item
        for key in path:
            value = value.get(key, {})
        for key, one in value.items():
            found.setdefault(key, set()).add(type(one).__name__)
    return found


@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("plural", ["statefulsets", "deployments", "replicasets", "pods"])
def test_every_status_field_is_one_that_a_real_server_writes(moments, moment, plural):
    """No invented field, and each of the captured type."""
    everywhere = [
        item for each in ("before", "during", "after") for item in captured(each, plural)
    ]
    real = types(everywhere, "status")

    for key, kinds in types(moments[moment][plural], "status").items():
        assert key in real, key
        assert kinds <= real[key], key


@pytest.mark.parametrize("plural", ["statefulsets", "deployments", "replicasets", "pods"])
def test_no_status_field_is_missing_once_a_rollout_is_over(moments, plural):
    """What every real object of the kind has, ours have."""
    real = captured("after", plural)
    always = set.intersection(*(set(item["status"]) for item in real))

    for item in moments["after"][plural]:
        missing = always - set(item["status"])
        assert not missing, (item["metadata"]["name"], missing)


@pytest.mark.parametrize(
    "plural", ["statefulsets", "deployments", "replicasets", "pods", "controllerrevisions"]
)
def test_metadata_has_what_a_real_server_writes(moments, plural):
    """Owners, labels of revisions, versions, times."""
    real = captured("after", plural)
    always = set.intersection(*(set(item["metadata"]) for item in real)) - {"generateName"}

    for item in moments["after"][plural]:
        missing = always - set(item["metadata"]) - CHOSEN_BY_THE_CHART
        if plural == "pods":
            missing -= {"generation"}
        assert not missing, (item["metadata"]["name"], missing)


def by_component(items: list[dict]) -> dict[str, dict]:
    return {item["metadata"]["labels"]["app.kubernetes.io/component"]: item for item in items}


def test_pods_carry_the_labels_of_their_owners(moments):
    """`controller-revision-hash`, `pod-template-hash`, the pod's index: as on the real pods."""
    real = by_component(captured("after", "pods"))
    ours = by_component(moments["after"]["pods"])
    for component, pod in real.items():
        missing = set(pod["metadata"]["labels"]) - set(ours[component]["metadata"]["labels"])
        if component == "query-frontend":
            # The lab labelled all its pods; the chart leaves the query-frontend out of gossip.
            missing -= {"app.kubernetes.io/part-of"}
        assert not missing, component
        mine = ours[component]["metadata"]["ownerReferences"][0]
        assert set(pod["metadata"]["ownerReferences"][0]) == set(mine)


def test_container_statuses_and_conditions_are_shaped_as_real_ones(moments):
    """The same keys, and the same types of conditions."""
    real, ours = captured("after", "pods"), moments["after"]["pods"]
    container = set(real[0]["status"]["containerStatuses"][0])
    conditions = {one["type"] for one in real[0]["status"]["conditions"]}
    for pod in ours:
        assert container <= set(pod["status"]["containerStatuses"][0])
        assert {one["type"] for one in pod["status"]["conditions"]} == conditions


def test_in_mid_rollout_the_revisions_differ_as_they_do_on_a_real_cluster(moments):
    """Some StatefulSet has two revisions, and old ReplicaSets stay, scaled to nothing in the end."""
    for found in (captured("during", "statefulsets"), moments["during"]["statefulsets"]):
        assert any(
            item["status"]["currentRevision"] != item["status"]["updateRevision"] for item in found
        )
    for found in (captured("after", "replicasets"), moments["after"]["replicasets"]):
        assert 0 in {item["spec"]["replicas"] for item in found}
