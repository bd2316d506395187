"""The API server as the official Kubernetes client uses it."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from collections.abc import Iterator

import msgspec
import pytest
from aiohttp import web
from kubernetes import client as k8s
from kubernetes import watch as k8s_watch
from kubernetes.client.rest import ApiException

from mimir_migrate.sandbox.kubernetes.api_faults import API_FAULTS, ApiFaults
from mimir_migrate.sandbox.kubernetes.cluster import Cluster
from mimir_migrate.sandbox.kubernetes.server import ApiServer
from mimir_migrate.sandbox.simulation.scheduler import RealScheduler

NS = "observability"


class Served:
    """A cluster behind its API server, on a loop in a thread of its own."""

    def __init__(self, simulation_of) -> None:
        self.faults = ApiFaults()
        self._simulation_of = simulation_of
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20)
        configuration = k8s.Configuration()
        configuration.host = f"http://127.0.0.1:{self.port}"
        configuration.api_key = {"authorization": "Bearer secret"}
        configuration.retries = 0
        self.api = k8s.ApiClient(configuration)
        self.core = k8s.CoreV1Api(self.api)
        self.apps = k8s.AppsV1Api(self.api)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        scheduler = RealScheduler()
        self.cluster = Cluster(scheduler, namespace=NS, speed=600)
        self.cluster.run_on(self._simulation_of(scheduler, 5.0 / 600))
        server = ApiServer(
            self.cluster,
            token="secret",
            inject=self._inject,
            status=self.cluster.summary,
            faults=self.faults,
        )
        runner = server.runner()
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._over.wait()
        await runner.cleanup()

    def _inject(self, fault, arguments) -> str:
        if fault not in API_FAULTS:
            raise KeyError(f"unknown fault {fault}")
        return self.faults.inject(fault, arguments)

    def page(self, path: str, body: dict | None = None) -> dict:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else msgspec.json.encode(body),
            headers={"Authorization": "Bearer secret"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return msgspec.json.decode(answer.read())

    def close(self) -> None:
        self.api.close()
        self.api.rest_client.pool_manager.clear()
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)


@pytest.fixture
def served(tiny_simulation) -> Iterator[Served]:
    found = Served(tiny_simulation)
    yield found
    found.close()


def config_map(name: str, **data: str) -> dict:
    return {"metadata": {"name": name, "labels": {"app": "mimir"}}, "data": data}


def test_objects_are_created_listed_by_label_and_deleted(served):
    """The usual life of a ConfigMap."""
    served.core.create_namespaced_config_map(NS, config_map("one", a="1"))
    served.core.create_namespaced_config_map(NS, {"metadata": {"name": "two"}})

    found = served.core.list_namespaced_config_map(NS, label_selector="app=mimir")

    assert [item.metadata.name for item in found.items] == ["one"]
    assert int(found.metadata.resource_version) > 0
    served.core.delete_namespaced_config_map("one", NS)
    with pytest.raises(ApiException) as caught:
        served.core.read_namespaced_config_map("one", NS)
    assert caught.value.status == 404


def test_replacing_what_somebody_else_changed_is_a_conflict(served):
    """A stale resource version is refused, so that no change is lost."""
    first = served.core.create_namespaced_config_map(NS, config_map("one", a="1"))
    served.core.patch_namespaced_config_map("one", NS, {"data": {"b": "2"}})

    with pytest.raises(ApiException) as caught:
        served.core.replace_namespaced_config_map("one", NS, first)

    assert caught.value.status == 409
    assert served.core.read_namespaced_config_map("one", NS).data == {"a": "1", "b": "2"}


def test_a_lease_that_two_take_goes_to_the_first(served):
    """Creating it twice, or renewing on an old version, is a conflict."""
    leases = k8s.CoordinationV1Api(served.api)
    body = {"metadata": {"name": "mimir-migrate"}, "spec": {"holderIdentity": "one"}}
    mine = leases.create_namespaced_lease(NS, body)
    with pytest.raises(ApiException) as caught:
        leases.create_namespaced_lease(NS, body)
    assert caught.value.status == 409

    taken = leases.read_namespaced_lease("mimir-migrate", NS)
    taken.spec.holder_identity = "two"
    leases.replace_namespaced_lease("mimir-migrate", NS, taken)
    mine.spec.holder_identity = "one again"
    with pytest.raises(ApiException) as caught:
        leases.replace_namespaced_lease("mimir-migrate", NS, mine)

    assert caught.value.status == 409
    assert leases.read_namespaced_lease("mimir-migrate", NS).spec.holder_identity == "two"


def test_a_watch_tells_every_change_from_a_resource_version_on(served):
    """Added, modified, deleted, in order, for objects that match the selector."""
    begin = served.core.list_namespaced_config_map(NS).metadata.resource_version
    served.core.create_namespaced_config_map(NS, config_map("one", a="1"))
    served.core.create_namespaced_config_map(NS, {"metadata": {"name": "other"}})
    served.core.patch_namespaced_config_map("one", NS, {"data": {"a": "2"}})
    served.core.delete_namespaced_config_map("one", NS)

    events = [
        (event["type"], event["object"].metadata.name)
        for event in k8s_watch.Watch().stream(
            served.core.list_namespaced_config_map,
            NS,
            label_selector="app=mimir",
            resource_version=begin,
            timeout_seconds=1,
        )
    ]

    assert events == [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]


def test_a_merge_patch_removes_and_a_strategic_one_merges_containers(served):
    """Null takes a key away; a container is found by its name and keeps the rest."""
    served.core.create_namespaced_config_map(NS, config_map("one", a="1", b="2"))
    served.core.patch_namespaced_config_map("one", NS, {"data": {"a": None}})
    assert served.core.read_namespaced_config_map("one", NS).data == {"b": "2"}

    labels = {"app": "mimir"}
    containers = [{"name": "ruler", "image": "mimir:1"}, {"name": "side", "image": "side:1"}]
    served.apps.create_namespaced_deployment(
        NS,
        {
            "metadata": {"name": "ruler"},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
            },
        },
    )
    patch = {
        "spec": {"template": {"spec": {"containers": [{"name": "ruler", "image": "mimir:2"}]}}}
    }
    served.apps.patch_namespaced_deployment("ruler", NS, patch)

    found = served.apps.read_namespaced_deployment("ruler", NS)
    images = {one.name: one.image for one in found.spec.template.spec.containers}
    assert images == {"ruler": "mimir:2", "side": "side:1"}
    assert found.metadata.generation == 2


def run_one_pod(served) -> str:
    """Start a Deployment of one pod and wait until it is Ready; returns its name."""
    served.core.create_namespaced_config_map(
        NS, config_map("mimir-config", **{"mimir.yaml": "{}"})
    )
    labels = {"app": "querier"}
    container = {
        "name": "querier",
        "image": "mimir:1",
        "args": ["-target=querier", "-config.file=/etc/mimir/mimir.yaml"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/mimir"}],
    }
    volume = {"name": "config", "configMap": {"name": "mimir-config"}}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "volumes": [volume]},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    served.apps.create_namespaced_deployment(NS, {"metadata": {"name": "querier"}, "spec": spec})
    watch = k8s_watch.Watch()
    found = ""
    for event in watch.stream(
        served.core.list_namespaced_pod, NS, label_selector="app=querier", timeout_seconds=20
    ):
        pod = event["object"]
        if any(
            one.type == "Ready" and one.status == "True" for one in pod.status.conditions or ()
        ):
            found = str(pod.metadata.name)
            watch.stop()
    assert found
    return found


def test_a_deployment_runs_and_its_pod_answers_through_the_proxy(served):
    """The path after `proxy/`, the query and the Accept header reach the process."""
    name = run_one_pod(served)

    answer = served.api.call_api(
        *served.api.param_serialize(
            method="GET",
            resource_path=f"/api/v1/namespaces/{NS}/pods/{name}:8080/proxy/memberlist",
            query_params=[("viewKey", "a/b")],
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )
    )
    answer.read()

    assert answer.status == 200
    assert answer.data.decode() == f"{name} /memberlist?viewKey=a/b application/json"


def test_the_proxy_takes_a_port_number_only(served):
    """With a port's name, and where nothing listens, the request fails."""
    name = run_one_pod(served)
    for port in ("http-metrics", "9999"):
        with pytest.raises(ApiException) as caught:
            served.core.connect_get_namespaced_pod_proxy_with_path(f"{name}:{port}", NS, "ready")
        assert caught.value.status == 503


def test_every_change_is_recorded_and_reading_is_not(served):
    """Method, path and user agent of what changed something."""
    served.core.list_namespaced_pod(NS)
    served.core.create_namespaced_config_map(NS, config_map("one"))
    reviews = k8s.AuthorizationV1Api(served.api)
    reviews.create_self_subject_access_review({"spec": {"resourceAttributes": {"verb": "get"}}})

    found = served.page("/sandbox/requests")

    assert [(one["method"], one["path"], one["status"]) for one in found] == [
        ("POST", f"/api/v1/namespaces/{NS}/configmaps", 201)
    ]
    assert "python" in found[0]["agent"]


def test_without_the_token_nothing_is_answered(served):
    """A request without the bearer token is unauthorized, the sandbox's own pages included."""
    for path in ("/api/v1/pods", "/sandbox/status"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{served.port}{path}", timeout=20)
        assert caught.value.code == 401
        caught.value.close()


@pytest.mark.parametrize(
    ("fault", "status"), [("api-429", 429), ("api-500", 500), ("credentials-expired", 401)]
)
def test_an_injected_fault_meets_the_next_requests(served, fault, status):
    """As many as were asked for, then all is well again."""
    served.page("/sandbox/inject", {"fault": fault, "arguments": {"count": "1"}})

    with pytest.raises(ApiException) as caught:
        served.core.list_namespaced_pod(NS)
    assert caught.value.status == status
    assert served.core.list_namespaced_pod(NS).items == []


def test_a_conflict_can_be_injected_for_writes_alone(served):
    """`api-409` leaves reads in peace."""
    served.core.create_namespaced_config_map(NS, config_map("one"))
    served.page("/sandbox/inject", {"fault": "api-409", "arguments": {"count": "1"}})
    served.core.read_namespaced_config_map("one", NS)

    with pytest.raises(ApiException) as caught:
        served.core.patch_namespaced_config_map("one", NS, {"data": {"a": "1"}})

    assert caught.value.status == 409


def test_a_server_that_hangs_answers_when_the_fault_is_cleared(served):
    """Requests are taken and wait; the sandbox's own pages go on answering."""
    served.page("/sandbox/inject", {"fault": "api-hangs", "arguments": {}})
    assert served.faults.active == ("api-hangs",)
    with pytest.raises(Exception, match=r"(?i)timed? ?out"):
        served.core.list_namespaced_pod(NS, _request_timeout=0.5)
    served.faults.clear()
    assert served.core.list_namespaced_pod(NS, _request_timeout=20) is not None


def test_a_dropped_connection_is_no_answer_at_all(served):
    """The client sees a broken connection, not a status."""
    from urllib3.exceptions import HTTPError

    served.page("/sandbox/inject", {"fault": "api-drop", "arguments": {"count": "1"}})
    with pytest.raises(HTTPError):
        served.core.list_namespaced_pod(NS)
    assert served.core.list_namespaced_pod(NS).items == []
