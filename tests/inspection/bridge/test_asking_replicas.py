"""Replicas are asked at the same time: those on a lost node must not be waited for one after the other."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence

import bridged
import msgspec
import pytest
import release as fake
from small_cluster import Clock, SmallCluster

from mimir_migrate.errors import UnreachableError
from mimir_migrate.inspection.bridge import read_bridge
from mimir_migrate.model.facts import Pod
from mimir_migrate.model.target import KubernetesTarget, Target
from mimir_migrate.ports import Page

TARGET = bridged.target(
    Target(kubernetes=KubernetesTarget(namespace="observability", release="mimir"))
)


class Together:
    """Three replicas, each of which answers once all have been asked; the last one does not answer."""

    def __init__(self, at_once: int) -> None:
        self.barrier = threading.Barrier(at_once, timeout=10)

    def pods(self) -> Sequence[Pod]:
        return tuple(
            Pod(name=f"ring-bridge-{number}", ip=f"10.0.0.{number}") for number in (1, 2, 3)
        )

    def get(self, pod: Pod, path: str) -> Page:
        self.barrier.wait()
        if pod.name.endswith("3"):
            raise UnreachableError("timed out")
        body = json.dumps({"now": fake.NOW, "started": 1.0}).encode()
        return Page(status=200, content_type="application/json", body=body)


@pytest.mark.parametrize("at_once", [1, 3])
def test_each_replica_is_told_of_in_its_place(at_once: int) -> None:
    """However many are asked at a time."""
    world = msgspec.structs.replace(
        SmallCluster().world(), clock=Clock(), bridge=Together(at_once)
    )

    found = read_bridge(world, TARGET, max_at_once=at_once)

    assert found is not None
    assert [one.pod.name for one in found.replicas] == [f"ring-bridge-{n}" for n in (1, 2, 3)]
    assert [one.page is not None for one in found.replicas] == [True, True, False]
    assert found.replicas[2].reason == "timed out"
