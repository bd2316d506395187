"""The cluster is read through the API server, and every way it can refuse has one clear message."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_server import Server, status

from mimir_migrate.adapters.kubernetes.api import KubernetesApi, NotFoundError
from mimir_migrate.adapters.kubernetes.cluster import KubernetesCluster
from mimir_migrate.adapters.kubernetes.helm_secret import newest_secret, release_from_secret
from mimir_migrate.adapters.kubernetes.lease_json import claim_to_json
from mimir_migrate.adapters.kubernetes.pages import ProxyPages
from mimir_migrate.errors import ConflictError, DeniedError, UnreachableError, UsageError
from mimir_migrate.model.changes import LeaseClaim
from mimir_migrate.model.facts import Pod
from mimir_migrate.model.target import KubernetesTarget

NS = "/api/v1/namespaces/observability"
APPS = "/apis/apps/v1/namespaces/observability"
HPAS = "/apis/autoscaling/v2/namespaces/observability/horizontalpodautoscalers"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/observability/leases/mimir-migrate"
LABELS = {"app.kubernetes.io/instance": "metrics"}
POD = Pod(name="metrics-ruler-0", ip="10.0.0.1")


def a_pod(name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """A small pod."""
    return {
        "metadata": {"name": name, "labels": LABELS if labels is None else labels},
        "spec": {"containers": [{"name": "c", "args": ["-target=ruler"]}]},
        "status": {"podIP": "10.0.0.1"},
    }


@pytest.fixture
def server() -> Iterator[Server]:
    """An API server on loopback."""
    running = Server()
    running.answers[f"{NS}/pods"] = [a_pod(f"metrics-ruler-{number}") for number in range(5)]
    running.answers[f"{APPS}/replicasets"] = []
    running.answers[f"{APPS}/statefulsets"] = []
    running.answers[f"{APPS}/deployments"] = [
        {"metadata": {"name": "metrics-ruler", "labels": LABELS}, "spec": {"replicas": 5}}
    ]
    running.answers[HPAS] = []
    running.answers[f"{NS}/secrets"] = []
    running.answers["/api/v1/namespaces/kube-system"] = {"metadata": {"uid": "uid-kube-system"}}
    running.answers[NS] = {"metadata": {"uid": "uid-own"}}
    yield running
    running.close()


@pytest.fixture
def api(server: Server, tmp_path: Path) -> Iterator[KubernetesApi]:
    """The adapter, connected through a kubeconfig."""
    connected = KubernetesApi.connect(target(kubeconfig(tmp_path, server.url)))
    yield connected
    connected.close()


@pytest.fixture
def cluster(api: KubernetesApi) -> KubernetesCluster:
    """The release `metrics` in the namespace `observability`."""
    return KubernetesCluster(api, target(""))


def target(path: str, **changes: str) -> KubernetesTarget:
    """A target in that kubeconfig."""
    named = {"namespace": "observability", "release": "metrics", **changes}
    return KubernetesTarget(kubeconfig=path, **named)


def kubeconfig(folder: Path, url: str) -> str:
    """A kubeconfig with one context, `lab`, and a token."""
    path = folder / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "lab",
                "clusters": [{"name": "lab", "cluster": {"server": url}}],
                "users": [{"name": "me", "user": {"token": "s3cret"}}],
                "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
            }
        )
    )
    return str(path)


def test_a_server_may_lie_below_a_path(server: Server, tmp_path: Path) -> None:
    """As behind Rancher; the path stands before each target."""
    server.answers["/k8s/clusters/c-1" + NS] = {"metadata": {"uid": "uid-below"}}
    below = KubernetesApi.connect(target(kubeconfig(tmp_path, f"{server.url}/k8s/clusters/c-1")))

    found = below.get(NS)

    below.close()
    assert found["metadata"]["uid"] == "uid-below"


def test_a_proxy_is_asked_for_the_whole_address(server: Server, tmp_path: Path) -> None:
    """A request that a proxy forwards names the server, which the proxy has to find."""
    path = Path(kubeconfig(tmp_path, "http://kubernetes.test:8001"))
    entries = json.loads(path.read_text())
    entries["clusters"][0]["cluster"]["proxy-url"] = server.url
    path.write_text(json.dumps(entries))
    server.answers[f"http://kubernetes.test:8001{NS}"] = {"metadata": {"uid": "uid-proxied"}}
    proxied = KubernetesApi.connect(target(str(path)))

    found = proxied.get(NS)

    proxied.close()
    assert found["metadata"]["uid"] == "uid-proxied"


def test_all_pods_are_listed_page_by_page(cluster: KubernetesCluster, server: Server) -> None:
    """A long list comes in parts; the token goes along."""
    pods = cluster.pods()

    assert [pod.name for pod in pods] == [f"metrics-ruler-{number}" for number in range(5)]
    assert server.asked[0][2]["Authorization"] == "Bearer s3cret"
    assert {method for method, _, _ in server.asked} == {"GET"}


def test_older_labels_are_tried(cluster: KubernetesCluster, server: Server) -> None:
    """Charts from before the recommended labels write `release`."""
    server.answers[f"{NS}/pods"] = [a_pod("old-ruler-0", {"release": "metrics"})]

    assert [pod.name for pod in cluster.pods()] == ["old-ruler-0"]


def test_workloads_and_their_autoscalers(cluster: KubernetesCluster, server: Server) -> None:
    """Autoscalers of other workloads of the namespace are not ours."""
    server.answers[HPAS] = [
        {
            "metadata": {"name": name},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": scaled}},
        }
        for name, scaled in (("ours", "metrics-ruler"), ("foreign", "grafana"))
    ]

    assert [workload.name for workload in cluster.workloads()] == ["metrics-ruler"]
    assert [scaler.name for scaler in cluster.autoscalers()] == ["ours"]


def test_an_api_server_without_autoscaling_has_no_autoscalers(
    cluster: KubernetesCluster, server: Server
) -> None:
    """It does not serve the kind, so there is none of it."""
    del server.answers[HPAS]

    assert list(cluster.autoscalers()) == []


def test_service_accounts_tell_their_role(cluster: KubernetesCluster, server: Server) -> None:
    """All of the namespace: a chart may use one that it does not make, without our labels."""
    arn = "arn:aws:iam::123456789012:role/pods"
    server.answers[f"{NS}/serviceaccounts"] = [
        {"metadata": {"name": "default"}},
        {"metadata": {"name": "own", "annotations": {"eks.amazonaws.com/role-arn": arn}}},
    ]

    assert {each.name: each.role for each in cluster.service_accounts()} == {
        "default": "",
        "own": arn,
    }

    server.answers[f"{NS}/serviceaccounts"] = status(403, "Forbidden", "not for you")
    with pytest.raises(DeniedError):
        cluster.service_accounts()


def test_the_cluster_is_known_by_kube_system(cluster: KubernetesCluster, server: Server) -> None:
    """Its uid outlives addresses; where it is hidden the own namespace's serves."""
    assert cluster.cluster_uid() == "uid-kube-system"

    server.answers["/api/v1/namespaces/kube-system"] = status(403, "Forbidden", "not for you")

    assert cluster.cluster_uid() == "uid-own"
    assert cluster.server() == server.url.removeprefix("http://")


def helm_secret(revision: int, **changes: Any) -> dict[str, Any]:
    """A Secret as helm writes it."""
    release = {
        "name": "metrics",
        "version": revision,
        "info": {"status": "deployed", "description": "x"},
        "chart": {
            "metadata": {"name": "cortex", "version": "2.5.0", "appVersion": "v1.21.1"},
            "templates": [{"name": "t", "data": "eA=="}],
        },
        "config": {"ruler": {"replicas": revision}},
        **changes,
    }
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    return {
        "metadata": {
            "name": f"sh.helm.release.v1.metrics.v{revision}",
            "resourceVersion": str(100 + revision),
            "labels": {
                "owner": "helm",
                "name": "metrics",
                "status": release["info"]["status"],
                "version": str(revision),
            },
        },
        "data": {"release": base64.b64encode(packed).decode()},
    }


def test_the_newest_helm_release_is_read(cluster: KubernetesCluster, server: Server) -> None:
    """Revision 10 is newer than 9, though not in alphabetical order."""
    server.answers[f"{NS}/secrets"] = [helm_secret(number) for number in (9, 10, 1)]

    release = cluster.release()

    assert release is not None
    assert (release.chart, release.chart_version) == ("cortex", "2.5.0")
    assert (release.app_version, release.status, release.revision) == ("v1.21.1", "deployed", 10)
    assert release.values == {"ruler": {"replicas": 10}}


def test_only_the_newest_secret_is_fetched_whole(
    cluster: KubernetesCluster, server: Server
) -> None:
    """The list asks for names alone, and an unchanged release is not read again."""
    bare = {"metadata": helm_secret(3)["metadata"]}
    server.answers[f"{NS}/secrets"] = [bare]
    server.answers[f"{NS}/secrets/sh.helm.release.v1.metrics.v3"] = helm_secret(3)

    first = cluster.release()
    again = cluster.release()

    whole = [path for _, path, _ in server.asked if path.endswith(".v3")]
    assert first == again
    assert first is not None
    assert len(whole) == 1


def test_without_helm_there_is_no_release(cluster: KubernetesCluster) -> None:
    """None is not unknown: the list was read and is empty."""
    assert cluster.release() is None


FORBIDDEN = status(403, "Forbidden", "secrets is forbidden for you")


def by_name(server: Server, *, allowed: range, written: range) -> None:
    """A role that names the Secrets of some revisions, and those that helm has written."""
    server.answers[f"{NS}/secrets"] = FORBIDDEN
    for number in range(1, 4_000):
        path = f"{NS}/secrets/sh.helm.release.v1.metrics.v{number}"
        if number not in allowed:
            server.answers[path] = FORBIDDEN
        elif number in written:
            server.answers[path] = helm_secret(number)
        else:
            server.answers.pop(path, None)


@pytest.mark.parametrize(
    ("allowed", "written", "newest"),
    [
        (range(1, 32), range(1, 2), 1),
        (range(7, 38), range(1, 8), 7),
        (range(7, 38), range(1, 10), 9),
        (range(31, 62), range(22, 33), 32),
        (range(7, 38), range(27, 37), 36),
        (range(900, 931), range(890, 902), 901),
    ],
)
def test_a_release_whose_secrets_are_named_is_found_by_counting(
    cluster: KubernetesCluster, server: Server, allowed: range, written: range, newest: int
) -> None:
    """From anywhere within the revisions that the role names, old ones pruned or not."""
    by_name(server, allowed=allowed, written=written)

    release = cluster.release()

    assert release is not None
    assert release.revision == newest


def test_counting_goes_on_from_what_is_known(cluster: KubernetesCluster, server: Server) -> None:
    """A deploy is seen, and a look that finds nothing new asks few questions."""
    by_name(server, allowed=range(40, 71), written=range(40, 43))
    cluster.release()
    server.asked.clear()

    first = cluster.release()
    questions = len(server.asked)
    server.answers[f"{NS}/secrets/sh.helm.release.v1.metrics.v43"] = helm_secret(43)
    second = cluster.release()

    assert first is not None
    assert second is not None
    assert (first.revision, second.revision) == (42, 43)
    assert questions <= 3


def test_a_deploy_in_place_is_seen_by_name_too(cluster: KubernetesCluster, server: Server) -> None:
    """helm writes the state into the same Secret."""
    by_name(server, allowed=range(1, 32), written=range(1, 2))
    path = f"{NS}/secrets/sh.helm.release.v1.metrics.v1"
    server.answers[path] = helm_secret(1, info={"status": "pending-upgrade"})
    before = cluster.release()
    changed = helm_secret(1)
    changed["metadata"]["resourceVersion"] = "999"
    server.answers[path] = changed
    after = cluster.release()

    assert before is not None
    assert after is not None
    assert (before.status, after.status) == ("pending-upgrade", "deployed")


STATUSES = ("superseded", "deployed", "failed", "pending-upgrade")


def test_a_pending_revision_says_which_one_was_deployed(
    cluster: KubernetesCluster, server: Server
) -> None:
    """A helm that died leaves revision 4 pending over 3 that failed and 2 that runs."""
    server.answers[f"{NS}/secrets"] = [
        helm_secret(number, info={"status": status}) for number, status in enumerate(STATUSES, 1)
    ]
    release = cluster.release()

    assert release is not None
    assert (release.revision, release.pending, release.over) == (4, True, 2)


@pytest.mark.parametrize(("allowed", "over"), [(range(1, 32), 2), (range(4, 35), 0)])
def test_a_pending_revision_is_looked_under_by_name_too(
    cluster: KubernetesCluster, server: Server, allowed: range, over: int
) -> None:
    """As far as the role names them; what may not be read is not known."""
    by_name(server, allowed=allowed, written=range(1, 5))
    for number, state in enumerate(STATUSES, 1):
        if number in allowed:
            path = f"{NS}/secrets/sh.helm.release.v1.metrics.v{number}"
            server.answers[path] = helm_secret(number, info={"status": state})
    release = cluster.release()

    assert release is not None
    assert (release.revision, release.over) == (4, over)


def test_a_role_whose_revisions_are_used_up_is_no_answer(
    cluster: KubernetesCluster, server: Server
) -> None:
    """There may be a newer one: that is not known, and said with the way out."""
    by_name(server, allowed=range(1, 32), written=range(1, 40))

    with pytest.raises(DeniedError, match="revision 31 is the last that the role names") as caught:
        cluster.release()

    assert "rbac" in caught.value.hint


def test_no_secret_at_all_is_denied_in_the_server_s_words(
    cluster: KubernetesCluster, server: Server
) -> None:
    """And the search is made once."""
    by_name(server, allowed=range(0), written=range(1, 5))

    with pytest.raises(DeniedError, match="secrets is forbidden for you"):
        cluster.release()
    asked = len(server.asked)
    with pytest.raises(DeniedError, match="secrets is forbidden for you"):
        cluster.release()

    assert asked <= 102
    assert len(server.asked) == asked + 1


def test_a_named_release_that_helm_has_not_made_is_none(
    cluster: KubernetesCluster, server: Server
) -> None:
    """All names of the role are not found."""
    by_name(server, allowed=range(1, 32), written=range(0))

    assert cluster.release() is None


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"release": "not base64!"},
        {"release": base64.b64encode(b"x" * 20).decode()},
        {"release": base64.b64encode(base64.b64encode(b"\x1f\x8bgarbage")).decode()},
        {"release": base64.b64encode(base64.b64encode(b'{"info": {}}')).decode()},
    ],
)
def test_a_damaged_release_is_named_and_not_quoted(data: dict[str, str]) -> None:
    """The message says which Secret; what is in it stays there."""
    secret = {"metadata": {"name": "sh.helm.release.v1.metrics.v1"}, "data": data}

    with pytest.raises(UnreachableError, match=r"sh\.helm\.release\.v1\.metrics\.v1") as caught:
        release_from_secret(secret)

    assert not any(value and value in str(caught.value) for value in data.values())


def test_a_secret_without_labels_is_ordered_by_name() -> None:
    """Helm's name ends in the revision."""
    secrets = [{"metadata": {"name": f"sh.helm.release.v1.m.v{number}"}} for number in (2, 11, 3)]

    newest = newest_secret(secrets)

    assert newest is not None
    assert newest["metadata"]["name"].endswith(".v11")


def test_a_lease_that_ran_out_is_nobodys(cluster: KubernetesCluster, server: Server) -> None:
    """It is held for its duration after the last renewal."""
    claim = LeaseClaim(
        name="mimir-migrate", holder="ann@laptop", run="run-1", store="dynamodb", rings=("ruler",)
    )

    assert cluster.lease("mimir-migrate") is None
    server.answers[LEASE] = claim_to_json(claim, now=time.time())
    assert cluster.lease("mimir-migrate") == claim
    server.answers[LEASE] = claim_to_json(claim, now=time.time() - 61)
    assert cluster.lease("mimir-migrate") is None


# -- one clear message for every kind of bad input


def test_no_kubeconfig(tmp_path: Path) -> None:
    """The message names the file, the hint says where to name another."""
    missing = str(tmp_path / "absent")

    with pytest.raises(UsageError) as caught:
        KubernetesApi.connect(target(missing))

    assert missing in caught.value.message
    assert "--kubeconfig" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["", "- a\n- b\n", "{{{", "apiVersion: v1\nkind: Config\n", "\x00"]
)
def test_a_kubeconfig_that_is_none(tmp_path: Path, text: str) -> None:
    """Whatever stands in it, the file is named and nothing else is raised."""
    path = tmp_path / "kubeconfig"
    path.write_text(text)

    with pytest.raises(UsageError, match="kubeconfig"):
        KubernetesApi.connect(target(str(path)))


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    """The message names the context."""
    path = kubeconfig(tmp_path, "http://127.0.0.1:1")

    with pytest.raises(UsageError, match="the context prod"):
        KubernetesApi.connect(target(path, context="prod"))


def test_a_namespace_that_is_not_there(cluster: KubernetesCluster, server: Server) -> None:
    """An empty list does not tell a wrong namespace from a wrong release; the namespace does."""
    server.answers[f"{NS}/pods"] = []
    del server.answers[NS]

    with pytest.raises(UsageError, match="has no such namespace") as caught:
        cluster.pods()

    assert "observability" in caught.value.message


def test_a_release_that_is_not_there(cluster: KubernetesCluster, server: Server) -> None:
    """Both labels that were looked for are named."""
    server.answers[f"{NS}/pods"] = [a_pod("grafana-0", {"app.kubernetes.io/instance": "grafana"})]

    with pytest.raises(UsageError, match="no pod there has the label") as caught:
        cluster.pods()

    assert "app.kubernetes.io/instance=metrics" in caught.value.message
    assert "release=metrics" in caught.value.message


@pytest.mark.parametrize("missing", ["namespace", "release"])
def test_a_target_that_names_too_little(api: KubernetesApi, missing: str) -> None:
    """Namespace and release are never guessed."""
    with pytest.raises(UsageError, match=f"names no {missing}"):
        KubernetesCluster(api, target("", **{missing: ""}))


def test_credentials_that_do_not_allow_it(cluster: KubernetesCluster, server: Server) -> None:
    """The API server's words, and where to find the role."""
    server.answers[f"{NS}/pods"] = status(403, "Forbidden", "pods is forbidden for you")

    with pytest.raises(DeniedError, match="pods is forbidden for you") as caught:
        cluster.pods()

    assert "rbac" in caught.value.hint
    assert "s3cret" not in str(caught.value)


def test_credentials_that_ran_out(cluster: KubernetesCluster, server: Server) -> None:
    """401 is not a question of permissions."""
    server.answers[f"{NS}/pods"] = status(401, "Unauthorized", "Unauthorized")

    with pytest.raises(DeniedError) as caught:
        cluster.pods()

    assert "log in" in caught.value.hint


def test_something_that_is_no_api_server(cluster: KubernetesCluster, server: Server) -> None:
    """HTML where JSON was asked for."""
    server.answers[f"{NS}/pods"] = (200, "text/html", b"<html>")

    with pytest.raises(UnreachableError, match="not JSON"):
        cluster.pods()


def test_nobody_answers(tmp_path: Path) -> None:
    """The address is named, and no stack of wrapped errors."""
    path = kubeconfig(tmp_path, "http://127.0.0.1:1")
    api = KubernetesApi.connect(target(path))

    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1") as caught:
        KubernetesCluster(api, target("")).pods()

    assert "HTTPConnectionPool" not in caught.value.message
    api.close()


def test_writing_tells_a_conflict(api: KubernetesApi, server: Server) -> None:
    """409 is somebody else's write; the body goes along as JSON."""
    server.answers[LEASE] = status(409, "Conflict", "the object has been modified")

    with pytest.raises(ConflictError, match="modified"):
        api.send("PUT", LEASE, {"kind": "Lease"})

    assert json.loads(server.bodies[-1]) == {"kind": "Lease"}
    assert server.asked[-1][2]["Content-Type"] == "application/json"
    with pytest.raises(NotFoundError):
        api.get(f"{NS}/absent")


# -- pods' pages


PROXY = f"{NS}/pods/metrics-ruler-0:8080/proxy"


def test_a_page_is_asked_through_the_proxy_by_port_number(
    api: KubernetesApi, server: Server
) -> None:
    """The path, the query and the header arrive as they were given."""
    server.answers[f"{PROXY}/config?mode=diff"] = (200, "text/plain", b"target: ruler\n")

    page = ProxyPages(api, "observability").get(
        POD, "/config?mode=diff", accept="application/json"
    )

    assert page.text == "target: ruler\n"
    assert server.asked[-1][1] == f"{PROXY}/config?mode=diff"
    assert server.asked[-1][2]["Accept"] == "application/json"


def test_a_page_that_the_pod_does_not_serve_is_an_answer(
    api: KubernetesApi, server: Server
) -> None:
    """404 from the pod is a fact about the pod."""
    server.answers[f"{PROXY}/ruler/ring"] = (404, "text/plain", b"404 page not found")

    page = ProxyPages(api, "observability").get(POD, "/ruler/ring")

    assert page.status == 404


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (status(404, "NotFound", 'pods "x" not found'), UnreachableError, "not found"),
        (status(503, "ServiceUnavailable", "dial tcp: refused"), UnreachableError, "refused"),
        ((500, "text/plain", b"panic"), UnreachableError, "HTTP status 500"),
        ((302, "text/html", b""), UnreachableError, "redirect"),
        (status(403, "Forbidden", "cannot get pods/proxy"), DeniedError, "pods/proxy"),
    ],
)
def test_everything_else_is_an_error_that_names_pod_and_page(
    api: KubernetesApi,
    server: Server,
    answer: tuple[int, str, bytes],
    error: type[Exception],
    words: str,
) -> None:
    """The pod is gone, not reachable, broken, elsewhere, or forbidden."""
    server.answers[f"{PROXY}/metrics"] = answer

    with pytest.raises(error, match=words) as caught:
        ProxyPages(api, "observability").get(POD, "/metrics")

    assert "metrics-ruler-0" in str(caught.value)
    assert "/metrics" in str(caught.value)


def test_a_page_that_is_too_large_is_refused(api: KubernetesApi, server: Server) -> None:
    """Not more than the limit is taken in."""
    server.answers[f"{PROXY}/metrics"] = (200, "text/plain", b"x" * 3_000_000)

    with pytest.raises(UnreachableError, match="more than 1000000 bytes"):
        ProxyPages(api, "observability").get(POD, "/metrics", limit=1_000_000)


def test_a_pod_that_is_silent_is_given_up(api: KubernetesApi, server: Server) -> None:
    """After the read timeout, without a second try."""
    released = threading.Event()

    def hang() -> tuple[int, str, bytes]:
        released.wait(10)
        return 200, "text/plain", b""

    server.answers[f"{PROXY}/metrics"] = hang

    with pytest.raises(UnreachableError, match="did not answer in time"):
        ProxyPages(api, "observability", read_timeout=0.2).get(POD, "/metrics")

    released.set()
    proxied = [path for _, path, _ in server.asked if "/proxy/" in path]
    assert len(proxied) == 1


@pytest.mark.parametrize(
    ("why", "forwarded"), [("connect: connection refused", False), ("i/o timeout", True)]
)
def test_a_pod_that_listens_nowhere_is_not_asked_by_another_way(
    api: KubernetesApi, server: Server, why: str, forwarded: bool
) -> None:
    """Refused is the pod's own word: the proxy reached it. A timeout may be a policy's."""
    message = f"error trying to reach service: dial tcp 10.0.0.7:8080: {why}"
    server.answers[f"{PROXY}/metrics"] = status(503, "ServiceUnavailable", message)

    with pytest.raises(UnreachableError, match=why):
        ProxyPages(api, "observability").get(POD, "/metrics")

    assert any("/portforward" in path for _, path, _ in server.asked) is forwarded
