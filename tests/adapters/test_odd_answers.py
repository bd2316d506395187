"""An API server may answer anything: cut, of another type, of another program. It is an error in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_server import Server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mimir_migrate.adapters.clock import SystemClock
from mimir_migrate.adapters.kubernetes.api import KubernetesApi
from mimir_migrate.adapters.kubernetes.cluster import KubernetesCluster
from mimir_migrate.adapters.kubernetes.lease import KubernetesLease
from mimir_migrate.adapters.kubernetes.pages import ProxyPages
from mimir_migrate.adapters.target_finder import namespaces, releases
from mimir_migrate.errors import MigrateError
from mimir_migrate.model.changes import LeaseClaim
from mimir_migrate.model.facts import Pod
from mimir_migrate.model.target import KubernetesTarget, Target

CLAIM = LeaseClaim(name="l", holder="ana@b r pid 1", run="r", store="dynamodb", rings=("ruler",))
POD = Pod(name="metrics-ruler-0", ip="10.0.0.1")

READS: dict[str, Callable[[KubernetesApi, KubernetesCluster, Target], Any]] = {
    "uid": lambda _api, cluster, _t: cluster.cluster_uid(),
    "pods": lambda _api, cluster, _t: cluster.pods(),
    "workloads": lambda _api, cluster, _t: cluster.workloads(),
    "autoscalers": lambda _api, cluster, _t: cluster.autoscalers(),
    "release": lambda _api, cluster, _t: cluster.release(),
    "accounts": lambda _api, cluster, _t: cluster.service_accounts(),
    "lease": lambda _api, cluster, _t: cluster.lease("l"),
    "abandoned": lambda _api, cluster, _t: cluster.abandoned_lease("l"),
    "take": lambda api, _c, _t: KubernetesLease(api, "observability", SystemClock()).take(CLAIM),
    "renew": lambda api, _c, _t: KubernetesLease(api, "observability", SystemClock()).renew(CLAIM),
    "release lease": lambda api, _c, _t: KubernetesLease(
        api, "observability", SystemClock()
    ).release(CLAIM),
    "page": lambda api, _c, _t: ProxyPages(api, "observability").get(POD, "/metrics"),
    "namespaces": lambda _api, _c, target: namespaces(target),
    "releases": lambda _api, _c, target: releases(target),
}

WHOLE: dict[str, Any] = {
    "items": [
        {
            "metadata": {
                "name": "metrics-ruler-0",
                "uid": "u",
                "labels": {"app.kubernetes.io/instance": "metrics"},
                "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"},
                "ownerReferences": [{"kind": "ReplicaSet", "name": "x", "controller": True}],
            },
            "spec": {
                "replicas": 2,
                "containers": [{"name": "c", "args": ["-target=ruler"], "ports": [{"name": "h"}]}],
                "template": {"metadata": {}, "spec": {"containers": [{"name": "c"}]}},
                "scaleTargetRef": {"kind": "Deployment", "name": "x"},
                "holderIdentity": "ana@b r pid 1",
                "leaseDurationSeconds": 60,
                "renewTime": "2026-01-01T00:00:00.000000Z",
            },
            "status": {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
            "data": {"release": "eA=="},
        }
    ],
    "metadata": {"uid": "u", "continue": "", "resourceVersion": "1"},
}

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("x" * 300)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["items", "metadata", "spec", "status", "data", "name", "labels"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything in a tree."""
    yield path
    if isinstance(tree, dict | list):
        for key, inner in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from places(inner, (*path, key))


PLACES = list(places(WHOLE))


def with_odd(path: tuple[Any, ...], odd: Any) -> Any:
    """A good answer with something odd in one place."""
    if not path:
        return odd
    whole = json.loads(json.dumps(WHOLE))
    at = whole
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = odd
    return whole


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """An API server whose every answer is `body`."""
    running = Server()
    running.body = json.dumps(WHOLE).encode()  # type: ignore[attr-defined]
    running.answer = lambda _: (200, "application/json", running.body)  # type: ignore[method-assign, attr-defined]
    yield running
    running.close()


@pytest.fixture(scope="module")
def target(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Target:
    """A target on that server."""
    path: Path = tmp_path_factory.mktemp("kube") / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "current-context": "lab",
                "clusters": [{"name": "lab", "cluster": {"server": server.url}}],
                "contexts": [{"name": "lab", "context": {"cluster": "lab"}}],
            }
        )
    )
    return Target(
        kubernetes=KubernetesTarget(
            kubeconfig=str(path), namespace="observability", release="metrics"
        )
    )


@pytest.fixture(scope="module")
def api(target: Target) -> Iterator[KubernetesApi]:
    """The adapter, connected to it."""
    connected = KubernetesApi.connect(target.kubernetes)
    yield connected
    connected.close()


def asked(api: KubernetesApi, target: Target, read: str) -> str:
    """What a reading ends in: nothing, or the words of an error."""
    try:
        READS[read](api, KubernetesCluster(api, target.kubernetes), target)
    except MigrateError as error:
        return error.message
    return ""


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"3", b'"x"', b"null", b"{", b"\xff\xfe", b"[" * 5000]
)
def test_answers_of_any_shape_are_answers_of_no_use(
    api: KubernetesApi, server: Server, target: Target, read: str, body: bytes
) -> None:
    """JSON of another type, cut, no UTF-8, too deep: never anything but an error in words."""
    server.body = body  # type: ignore[attr-defined]

    said = asked(api, target, read)

    if body == b"[]" and read not in {"page", "namespaces", "releases"}:
        assert "shape" in said


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(path=st.sampled_from(PLACES), odd=TREES, read=st.sampled_from(sorted(READS)))
def test_one_odd_place_in_a_good_answer_is_met(
    api: KubernetesApi, server: Server, target: Target, path: Any, odd: Any, read: str
) -> None:
    """Anything in the place of anything."""
    server.body = json.dumps(with_odd(path, odd)).encode()  # type: ignore[attr-defined]
    asked(api, target, read)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    end=st.integers(0, 1200),
    at=st.integers(0, 1200),
    byte=st.integers(0, 255),
    read=st.sampled_from(sorted(READS)),
)
def test_a_cut_or_damaged_answer_is_met(
    api: KubernetesApi, server: Server, target: Target, end: int, at: int, byte: int, read: str
) -> None:
    """Cut anywhere, a byte changed anywhere."""
    whole = bytearray(json.dumps(WHOLE).encode())
    whole[at % len(whole)] = byte
    server.body = bytes(whole[: len(whole) - end % len(whole)])  # type: ignore[attr-defined]
    asked(api, target, read)
